"""Elexon: recorded answers, and every trap of the two data sets on small payloads."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from faulty_server import Server, reply

from bess_pipeline import schemas
from bess_pipeline.errors import NotPublishedError, PayloadError
from bess_pipeline.sources.elexon import (
    fetch_market_index,
    fetch_system_prices,
    parse_market_index,
    parse_system_prices,
)

DAY = date(2026, 5, 6)


def price_row(period: int = 1, start: str = "2026-05-05T23:00:00Z", **changes: Any) -> dict[str, Any]:
    return {
        "settlementDate": "2026-05-06",
        "settlementPeriod": period,
        "startTime": start,
        "createdDateTime": "2026-05-06T23:44:34Z",
        "systemSellPrice": 96.79,
        "systemBuyPrice": 96.79,
        "priceDerivationCode": "N",
        "netImbalanceVolume": -37.5,
    } | changes


def index_row(period: int = 1, start: str = "2026-05-05T23:00:00Z", **changes: Any) -> dict[str, Any]:
    return {
        "startTime": start,
        "dataProvider": "APXMIDP",
        "settlementDate": "2026-05-06",
        "settlementPeriod": period,
        "price": 80.5,
        "volume": 1200.0,
    } | changes


def body(*rows: dict[str, Any]) -> bytes:
    return json.dumps({"data": rows}).encode()


# --- system prices ---------------------------------------------------------------------------------


def test_recorded_system_prices(realdata: Path) -> None:
    content = (realdata / "payloads/elexon/elexon_system_prices_20260506_first2.json").read_bytes()
    frame = schemas.validate("market/system_price", parse_system_prices(content, DAY))
    assert frame["settlement_date"].tolist() == [DAY, DAY]
    assert frame["settlement_period"].tolist() == [1, 2]
    assert frame["start_utc"].tolist() == [pd.Timestamp("2026-05-05T23:00Z"), pd.Timestamp("2026-05-05T23:30Z")]
    assert frame["system_price_gbp_mwh"].tolist() == [96.79, 97.02]
    assert frame["net_imbalance_volume_mwh"].tolist() == [-37.99166666666667, -35.72121737036261]
    assert frame["price_derivation_code"].tolist() == ["N", "N"]
    published = ["2026-05-06T23:44:34Z", "2026-05-07T00:14:29Z"]
    assert frame["published_utc"].tolist() == [pd.Timestamp(text) for text in published]


def test_recorded_refusal_is_quoted(realdata: Path) -> None:
    content = (realdata / "payloads/elexon/elexon_error_range.json").read_bytes()
    for parse in (parse_system_prices, parse_market_index):
        with pytest.raises(PayloadError, match="The From field must not be later than the To field"):
            parse(content)


def test_fields_that_a_replay_cannot_know_stay_null() -> None:
    row = price_row(netImbalanceVolume=None)
    for name in ("createdDateTime", "priceDerivationCode"):
        del row[name]
    frame = schemas.validate("market/system_price", parse_system_prices(body(row)))
    assert frame[["net_imbalance_volume_mwh", "price_derivation_code", "published_utc"]].isna().all(axis=None)


def test_the_newest_version_of_a_period_wins_in_any_order() -> None:
    old = price_row()
    new = price_row(createdDateTime="2026-05-20T00:00:00Z", systemSellPrice=-5, systemBuyPrice=-5)
    unknown = price_row(createdDateTime=None, systemSellPrice=1, systemBuyPrice=1)
    for rows in ([old, new, unknown], [new, unknown, old, new]):
        assert parse_system_prices(body(*rows))["system_price_gbp_mwh"].tolist() == [-5.0]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([price_row(systemBuyPrice=97)], "sell price 96.79 and buy price 97"),
        ([price_row(), price_row(systemSellPrice=1, systemBuyPrice=1)], "contradict"),
        ([price_row(start="2026-05-06T00:00:00Z")], "period 1 starts at 2026-05-05T23:00:00Z"),
        ([price_row(start="2026-05-05T23:00:00")], "no time zone"),
        ([price_row(settlementDate="2026-05-07")], "period 1 starts at"),
        ([price_row(49, start="2026-05-06T23:00:00Z")], "periods 1 to 48"),
        ([price_row(systemSellPrice=None)], "systemSellPrice is null"),
        ([price_row(systemSellPrice="high")], "not a finite number"),
        ([price_row(settlementPeriod=1.5)], "not a whole number"),
        ([price_row(settlementPeriod=True)], "not a finite number"),
        ([{"settlementDate": "2026-05-06"}], "is null|no field"),
        (["row"], "not a list of objects"),
    ],
)
def test_system_prices_out_of_form_are_refused(rows: list[Any], words: str) -> None:
    with pytest.raises(PayloadError, match=words):
        parse_system_prices(body(*rows))


def test_rows_of_another_day_are_refused() -> None:
    with pytest.raises(PayloadError, match="asked for 2026-05-05, answered with rows of 2026-05-06"):
        parse_system_prices(body(price_row()), date(2026, 5, 5))


@pytest.mark.parametrize("content", [b"", b" \n", b'{"data": []}', b"[]"])
def test_nothing_is_not_published_and_no_empty_frame(content: bytes) -> None:
    for parse in (parse_system_prices, parse_market_index):
        with pytest.raises(NotPublishedError):
            parse(content)


@pytest.mark.parametrize("content", [b'{"data": [', b"{}", b"3", b'{"data": [{"price": NaN}]}', b"\xff\xfe"])
def test_what_is_no_answer_is_refused(content: bytes) -> None:
    for parse in (parse_system_prices, parse_market_index):
        with pytest.raises(PayloadError):
            parse(content)


def test_fetch_asks_for_the_settlement_date(server: Server, make_client: Callable[..., Any]) -> None:
    client = make_client(elexon_base_url=server.url + "/bmrs/api/v1/")
    server.script = lambda handler: reply(handler, body(price_row()))
    [answer] = fetch_system_prices(client, DAY)
    assert server.targets == ["/bmrs/api/v1/balancing/settlement/system-prices/2026-05-06?format=json"]
    assert (answer.source, answer.content) == ("elexon", body(price_row()))


def test_fetch_quotes_a_problem_document(server: Server, make_client: Callable[..., Any]) -> None:
    problem = json.dumps({"errors": {"": ["The date range is too long"], "to": ["odd"]}}).encode()
    server.script = lambda handler: reply(handler, problem, status=400)
    with pytest.raises(PayloadError, match="The date range is too long; odd"):
        fetch_system_prices(make_client(elexon_base_url=server.url), DAY)
    server.script = lambda handler: reply(handler, body(price_row()), status=400)
    with pytest.raises(PayloadError, match="HTTP 400"):
        fetch_system_prices(make_client(elexon_base_url=server.url), DAY)


# --- market index -----------------------------------------------------------------------------------


def test_recorded_market_index_stream(realdata: Path) -> None:
    content = (realdata / "payloads/elexon/elexon_mid_stream_apx_20260920.json").read_bytes()
    frame = schemas.validate("market/market_index_price", parse_market_index(content))
    assert frame["settlement_date"].unique().tolist() == [date(2026, 9, 20)]
    assert frame["settlement_period"].tolist() == list(range(1, 49))
    recorded = {row["settlementPeriod"]: row for row in json.loads(content)}
    assert frame["market_index_price_gbp_mwh"].tolist() == [recorded[n]["price"] for n in range(1, 49)]
    assert frame["market_index_volume_mwh"].tolist() == [recorded[n]["volume"] for n in range(1, 49)]
    assert (frame["market_index_price_gbp_mwh"].iloc[-1], frame["market_index_volume_mwh"].iloc[-1]) == (151.09, 1740.6)


def test_placeholders_go_and_genuine_zero_prices_stay() -> None:
    rows = [
        index_row(1, price=0, volume=0),
        index_row(2, "2026-05-05T23:30:00Z", price=0, volume=12.5),
        index_row(3, "2026-05-06T00:00:00Z", price=-4.5, volume=None),
        index_row(4, "2026-05-06T00:30:00Z", price=7, volume=0),
        index_row(2, "2026-05-05T23:30:00Z", dataProvider="N2EXMIDP", price=50, volume=1),
        index_row(5, "2026-05-06T01:00:00Z", dataProvider="N2EXMIDP", price=0, volume=0),
    ]
    frame = schemas.validate("market/market_index_price", parse_market_index(body(*rows)))
    assert frame["settlement_period"].tolist() == [2, 3, 4]
    assert frame["market_index_price_gbp_mwh"].tolist() == [0.0, -4.5, 7.0]
    assert frame["market_index_volume_mwh"].isna().tolist() == [False, True, False]


def test_only_placeholders_is_not_published() -> None:
    with pytest.raises(NotPublishedError, match="APXMIDP has no price yet"):
        parse_market_index(body(index_row(price=0, volume=0), index_row(dataProvider="N2EXMIDP")))


def test_repeats_of_the_index_are_dropped_and_contradictions_refused() -> None:
    assert len(parse_market_index(body(index_row(), index_row()))) == 1
    with pytest.raises(PayloadError, match="contradict"):
        parse_market_index(body(index_row(), index_row(price=1)))


def test_times_outside_the_window_are_refused() -> None:
    start = datetime(2026, 5, 5, 23, tzinfo=UTC)
    assert len(parse_market_index(body(index_row()), (start, start + timedelta(minutes=30)))) == 1
    with pytest.raises(PayloadError, match="answered with other times"):
        parse_market_index(body(index_row()), (start - timedelta(hours=1), start))


@pytest.mark.parametrize(
    ("first", "last", "half_hours"),
    [
        (date(2024, 10, 1), date(2024, 10, 1), 48),
        (date(2024, 10, 20), date(2024, 11, 2), 14 * 48 + 2),
        (date(2024, 3, 26), date(2024, 4, 6), 12 * 48 - 2),
        (date(2024, 12, 29), date(2025, 1, 9), 12 * 48),
    ],
)
def test_chunks_hold_every_half_hour_once(
    server: Server, make_client: Callable[..., Any], first: date, last: date, half_hours: int
) -> None:
    """An answer includes both ends; chunks must neither lose nor repeat a half-hour, on clock changes too."""
    fetch_market_index(make_client(elexon_base_url=server.url), first, last)
    asked: list[datetime] = []
    for query in server.queries():
        start, end = (datetime.fromisoformat(query[name]) for name in ("from", "to"))
        assert end - start < timedelta(days=7)
        assert query["dataProviders"] == "APXMIDP"
        while start <= end:
            asked.append(start)
            start += timedelta(minutes=30)
    london = pd.date_range(pd.Timestamp(first, tz="Europe/London"), periods=half_hours, freq="30min")
    assert [pd.Timestamp(a) for a in asked] == [t.tz_convert("UTC") for t in london]
    assert (london[-1] + pd.Timedelta(minutes=30)).strftime("%F %T") == f"{last + timedelta(days=1)} 00:00:00"
