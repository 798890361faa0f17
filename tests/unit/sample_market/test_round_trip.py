"""Server -> client -> parser gives back the tables, value for value: simulated and recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime

import pandas as pd
import pytest
from pydantic import SecretStr

from bess_pipeline import schemas
from bess_pipeline.errors import NotPublishedError
from bess_pipeline.gb_time import days_between, efa_day_bounds_utc, settlement_columns
from bess_pipeline.sample_market import MarketServer, MarketTables
from bess_pipeline.sample_market.reply import Reply
from bess_pipeline.sample_market.wire_elexon import MARKET_INDEX, SYSTEM_PRICES, ElexonWire
from bess_pipeline.settings import SourcesSettings
from bess_pipeline.sources import elexon, entsoe, neso, neso_auctions
from bess_pipeline.sources.http import HttpClient
from bess_pipeline.sources.parsing import combine

NOVEMBER = (date(2024, 10, 25), date(2024, 11, 8))  # with the 50-period day 2024-10-27
MARCH = (date(2026, 3, 25), date(2026, 4, 4))  # with the 46-period day and the turn of the financial year


@pytest.fixture(scope="module")
def client(server: MarketServer) -> Iterator[HttpClient]:
    with connected(server) as running:
        yield running


def connected(server: MarketServer) -> HttpClient:
    return HttpClient(SourcesSettings(**server.base_urls), lambda: datetime(2026, 4, 12, 8, 50, tzinfo=UTC))


def between(frame: pd.DataFrame, column: str, first: date, last: date) -> pd.DataFrame:
    return frame[(frame[column] >= first) & (frame[column] <= last)].reset_index(drop=True)


def same(table: str, parsed: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Equal in every column that `expected` has; the parsed frame passes the table's schema."""
    valid = schemas.validate(table, parsed)
    order = schemas.keys(table)
    columns = [name for name in valid.columns if name in expected.columns]
    assert set(order) <= set(columns)
    left = valid[columns].sort_values(order).reset_index(drop=True)
    right = expected[columns].sort_values(order).reset_index(drop=True)
    pd.testing.assert_frame_equal(left, right, check_exact=True, check_dtype=False)


def system_prices(client: HttpClient, first: date, last: date) -> pd.DataFrame:
    frames = [
        elexon.parse_system_prices(answer.content, day)
        for day in days_between(first, last)
        for answer in elexon.fetch_system_prices(client, day)
    ]
    return combine(frames, schemas.keys("market/system_price"), "system prices")


def market_index(client: HttpClient, first: date, last: date) -> pd.DataFrame:
    frames = [elexon.parse_market_index(answer.content) for answer in elexon.fetch_market_index(client, first, last)]
    return combine(frames, schemas.keys("market/market_index_price"), "market index")


def auctions(client: HttpClient, first: date, last: date) -> pd.DataFrame:
    answers = neso_auctions.fetch_auction_results(client, efa_day_bounds_utc(first)[0], efa_day_bounds_utc(last)[1])
    frames = [neso_auctions.parse_auction_results(answer.content) for answer in answers]
    return combine(frames, schemas.keys("market/auction_clearing"), "auctions")


def without_placeholders(frame: pd.DataFrame) -> pd.DataFrame:
    """Price 0 with volume 0 is a placeholder that a reader drops (domain reference 2.4)."""
    empty = (frame["market_index_price_gbp_mwh"] == 0) & (frame["market_index_volume_mwh"] == 0)
    return frame[~empty].reset_index(drop=True)


def test_simulated_system_prices(client: HttpClient, market: MarketTables) -> None:
    same("market/system_price", system_prices(client, *MARCH), between(market.system_price, "settlement_date", *MARCH))


def test_simulated_market_index(client: HttpClient, market: MarketTables) -> None:
    expected = between(market.market_index, "settlement_date", *MARCH)
    same("market/market_index_price", market_index(client, *MARCH), expected)


def test_simulated_auctions_over_the_turn_of_the_year(client: HttpClient, market: MarketTables) -> None:
    both = pd.concat([market.response_auction, market.reserve_auction], ignore_index=True)
    same("market/auction_clearing", auctions(client, *MARCH), between(both, "efa_date", *MARCH))


def test_simulated_day_ahead_prices(client: HttpClient, market: MarketTables) -> None:
    start, end = efa_day_bounds_utc(MARCH[0])[0], efa_day_bounds_utc(MARCH[1])[1]
    parsed = pd.concat([neso.parse_n2ex_prices(a.content) for a in neso.fetch_n2ex_prices(client, start, end)])
    assert market.day_ahead is not None
    halves = [
        market.day_ahead,
        market.day_ahead.assign(start_utc=market.day_ahead["start_utc"] + pd.Timedelta("30min")),
    ]
    expected = pd.concat(halves).sort_values("start_utc").reset_index(drop=True)
    expected = pd.concat([settlement_columns(expected["start_utc"]), expected], axis=1)
    inside = (parsed["start_utc"] >= start) & (parsed["start_utc"] < end)
    wanted = (expected["start_utc"] >= start) & (expected["start_utc"] < end)
    assert inside.sum() == 2 * 24 * 11 - 2
    same("market/day_ahead_price", parsed[inside], expected[wanted])


def test_what_is_not_out_yet_is_not_published(client: HttpClient) -> None:
    end = efa_day_bounds_utc(date(2026, 4, 13))[1]
    with pytest.raises(NotPublishedError):
        neso.fetch_n2ex_prices(client, *efa_day_bounds_utc(date(2026, 4, 15)))
    early = auctions(client, date(2026, 4, 13), date(2026, 4, 13))
    assert set(early["product"]) <= {"PBR", "NBR"}, "09:50 in London: balancing reserve is out since 09:00"
    with pytest.raises(NotPublishedError):
        neso_auctions.fetch_auction_results(client, end, efa_day_bounds_utc(date(2026, 4, 14))[1])
    with pytest.raises(NotPublishedError):
        elexon.parse_system_prices(elexon.fetch_system_prices(client, date(2026, 4, 13))[0].content)


def test_gb_on_entsoe_is_not_published(client: HttpClient) -> None:
    with pytest.raises(NotPublishedError):
        entsoe.fetch_day_ahead(client, *efa_day_bounds_utc(MARCH[0]), "10YGB----------A", SecretStr("any"))


def test_recorded_market_over_http_around_the_long_day(recorded: MarketTables) -> None:
    with MarketServer(recorded) as server, connected(server) as client:
        prices = system_prices(client, *NOVEMBER)
        assert (prices["settlement_date"] == date(2024, 10, 27)).sum() == 50
        same("market/system_price", prices, between(recorded.system_price, "settlement_date", *NOVEMBER))
        index = without_placeholders(between(recorded.market_index, "settlement_date", *NOVEMBER))
        same("market/market_index_price", market_index(client, *NOVEMBER), index)
        cleared = between(recorded.response_auction, "efa_date", *NOVEMBER)
        same("market/auction_clearing", auctions(client, *NOVEMBER), cleared)
        assert len(server.requests) == len(set(server.requests))


def test_every_recorded_auction_before_and_since_eac(recorded: MarketTables) -> None:
    with MarketServer(recorded) as server, connected(server) as client:
        parsed = auctions(client, date(2023, 7, 1), date(2025, 3, 31))
    same("market/auction_clearing", parsed, recorded.response_auction)


def content(reply: Reply | None) -> bytes:
    assert reply is not None
    return reply.body


def test_every_recorded_system_price(recorded: MarketTables) -> None:
    """All 640 days, read as plain JSON for speed; the parser reads some of them above."""
    wire = ElexonWire(recorded)
    rows = [
        row
        for day in days_between(recorded.first_date, recorded.last_date)
        for row in json.loads(content(wire.reply(f"{SYSTEM_PRICES}/{day}", {})))["data"]
    ]
    table = recorded.system_price
    assert [row["settlementDate"] for row in rows] == table["settlement_date"].astype(str).tolist()
    assert [row["settlementPeriod"] for row in rows] == table["settlement_period"].tolist()
    assert [row["startTime"] for row in rows] == table["start_utc"].dt.strftime("%Y-%m-%dT%H:%M:%SZ").tolist()
    assert [row["systemSellPrice"] for row in rows] == table["system_price_gbp_mwh"].tolist()
    assert [row["systemBuyPrice"] for row in rows] == table["system_price_gbp_mwh"].tolist()
    volume = [None if pd.isna(value) else value for value in table["net_imbalance_volume_mwh"].tolist()]
    assert [row["netImbalanceVolume"] for row in rows] == volume


def test_every_recorded_market_index(recorded: MarketTables) -> None:
    wire = ElexonWire(recorded)
    starts = pd.date_range("2023-06-30T23:00Z", "2025-03-31T23:00Z", freq="6D")
    frames = []
    for start in starts:
        window = {"from": [start.isoformat()], "to": [(start + pd.Timedelta("6D") - pd.Timedelta("30min")).isoformat()]}
        frames.append(elexon.parse_market_index(content(wire.reply(MARKET_INDEX, window))))
    same("market/market_index_price", pd.concat(frames), without_placeholders(recorded.market_index))
