"""Parsers meet anything: whatever the bytes, they return a valid table or raise a BessError, nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from urllib.parse import quote, quote_plus

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bess_pipeline import schemas
from bess_pipeline.errors import BessError
from bess_pipeline.gb_time import settlement_half_hours
from bess_pipeline.sources.elexon import parse_market_index, parse_system_prices
from bess_pipeline.sources.entsoe import parse_day_ahead, parse_prices
from bess_pipeline.sources.files import parse_price_csv, system_price_frame, to_half_hours
from bess_pipeline.sources.neso import parse_n2ex_prices
from bess_pipeline.sources.neso_auctions import parse_auction_results
from bess_pipeline.sources.parsing import half_hour_prices
from bess_pipeline.sources.redaction import redact

FEW = settings(max_examples=40, deadline=None)
PARSERS: dict[str, tuple[Callable[[bytes], pd.DataFrame], str]] = {
    "system price": (parse_system_prices, "market/system_price"),
    "market index": (parse_market_index, "market/market_index_price"),
    "auction": (parse_auction_results, "market/auction_clearing"),
    "n2ex": (parse_n2ex_prices, "market/day_ahead_price"),
    "entsoe": (parse_day_ahead, "market/day_ahead_price"),
    "file": (lambda content: to_half_hours(parse_price_csv(content, "f.csv")), "market/day_ahead_price"),
    "file of system prices": (lambda raw: system_price_frame(parse_price_csv(raw, "f.csv")), "market/system_price"),
}
FIELDS = [
    "settlementDate", "settlementPeriod", "startTime", "createdDateTime", "systemSellPrice", "systemBuyPrice",
    "priceDerivationCode", "netImbalanceVolume", "dataProvider", "price", "volume", "auctionProduct", "deliveryStart",
    "deliveryEnd", "clearedVolume", "clearingPrice", "Date", "Delivery Period", "Price",
]  # fmt: skip
TEXTS = st.sampled_from([
    "", "APXMIDP", "DCL", "NaN", "inf", "1e400", "-7.5", "2026-03-29", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00",
    "9999-12-31T23:59:59Z", "0001-01-01", "01:00 - 02:00", "99:00 - 00:00", "2026-03-28T23:00:00+99:99", "1" * 5000,
])  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | TEXTS
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))
ROWS = st.lists(st.dictionaries(st.sampled_from(FIELDS), LEAVES | VALUES, max_size=19), max_size=4)


def survives(name: str, content: bytes) -> None:
    parse, table = PARSERS[name]
    try:
        frame = parse(content)
    except BessError as error:
        sentence = str(error)
    else:
        assert len(frame) > 0
        assert set(frame.columns) == set(schemas.columns(table))
        assert not frame.duplicated(schemas.keys(table)).any()
        sentence = "a table"
    assert sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("name", list(PARSERS))
@FEW
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes(name: str, content: bytes) -> None:
    survives(name, content)


@pytest.mark.parametrize("name", ["system price", "market index", "auction", "n2ex"])
@FEW
@given(rows=ROWS | VALUES, shape=st.sampled_from(["bare", "data", "ckan", "errors"]))
def test_any_json(name: str, rows: object, shape: str) -> None:
    whole = {
        "bare": rows,
        "data": {"data": rows},
        "ckan": {"success": True, "result": {"records": rows}},
        "errors": {"errors": rows},
    }
    survives(name, json.dumps(whole[shape]).encode())


VALID: dict[str, dict[str, object]] = {
    "system price": {
        "settlementDate": "2026-05-06", "settlementPeriod": 1, "startTime": "2026-05-05T23:00:00Z",
        "createdDateTime": "2026-05-06T23:44:34Z", "systemSellPrice": 96.79, "systemBuyPrice": 96.79,
        "priceDerivationCode": "N", "netImbalanceVolume": -37.5,
    },
    "market index": {
        "startTime": "2026-05-05T23:00:00Z", "dataProvider": "APXMIDP", "settlementDate": "2026-05-06",
        "settlementPeriod": 1, "price": 80.5, "volume": 1200.0,
    },
    "auction": {
        "auctionProduct": "DCL", "deliveryStart": "2026-04-01T02:00:00", "deliveryEnd": "2026-04-01T06:00:00",
        "clearedVolume": "499", "clearingPrice": "7.68",
    },
    "n2ex": {"Date": "2026-04-01", "Delivery Period": "09:00 - 10:00", "Price": "81.5"},
}  # fmt: skip


@pytest.mark.parametrize("name", list(VALID))
@FEW
@given(data=st.data(), value=VALUES | TEXTS)
def test_any_value_in_one_field_of_a_valid_row(name: str, data: st.DataObject, value: object) -> None:
    row = VALID[name]
    survives(name, json.dumps({"data": [row], "success": True, "result": {"records": [row]}}).encode())
    changed = row | {data.draw(st.sampled_from(sorted(row))): value}
    body = {"data": [row, changed], "success": True, "result": {"records": [row, changed]}}
    survives(name, json.dumps(body).encode())


TAGS = [
    "TimeSeries", "Period", "Point", "timeInterval", "start", "end", "resolution", "position", "price.amount",
    "curveType", "currency_Unit.name", "Reason", "code", "text",
    "classificationSequence_AttributeInstanceComponent.position",
]  # fmt: skip
WORDS = st.sampled_from(["", "A01", "A03", "GBP", "PT15M", "PT60M", "2020-06-01T22:00Z", "2020-06-02T22:00Z", "1", "x"])
TREE = st.recursive(
    st.builds(lambda tag, word: f"<{tag}>{word}</{tag}>", st.sampled_from(TAGS), WORDS),
    lambda inner: st.builds(
        lambda tag, children: f"<{tag}>{''.join(children)}</{tag}>", st.sampled_from(TAGS), st.lists(inner, max_size=5)
    ),
    max_leaves=20,
)


@FEW
@given(
    root=st.sampled_from(["Publication_MarketDocument", "Acknowledgement_MarketDocument", "x"]),
    children=st.lists(TREE, max_size=4),
)
def test_any_xml(root: str, children: list[str]) -> None:
    survives("entsoe", f"<{root}>{''.join(children)}</{root}>".encode())


@FEW
@given(cells=st.lists(st.tuples(TEXTS | st.text(max_size=10), TEXTS | st.floats().map(str)), max_size=5))
def test_any_csv(cells: list[tuple[str, str]]) -> None:
    lines = ["start_utc,price_gbp_mwh", *(f"{a},{b}" for a, b in cells)]
    survives("file", "\n".join(lines).encode("utf-8", "surrogatepass"))


@FEW
@given(
    day=st.dates(min_value=datetime(2015, 1, 1).date(), max_value=datetime(2039, 1, 1).date()),  # noqa: DTZ001
    seed=st.integers(0, 2**32 - 1),
)
def test_system_prices_come_back_as_published_on_any_day(day: object, seed: int) -> None:
    """Any day, 46 to 50 periods, rows in any order: values return on the right starts."""
    starts = settlement_half_hours(day)  # type: ignore[arg-type]
    rng = np.random.default_rng(seed)
    prices = rng.normal(80, 60, len(starts)).round(2)
    rows = [
        {
            "settlementDate": str(day),
            "settlementPeriod": n + 1,
            "startTime": start.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "systemSellPrice": price,
            "systemBuyPrice": price,
            "netImbalanceVolume": None,
        }
        for n, (start, price) in enumerate(zip(starts, prices.tolist(), strict=True))
    ]
    shuffled = [rows[n] for n in rng.permutation(len(rows))]
    frame = parse_system_prices(json.dumps({"data": shuffled}).encode(), day)  # type: ignore[arg-type]
    assert frame["start_utc"].tolist() == starts.tolist()
    assert frame["system_price_gbp_mwh"].tolist() == prices.tolist()


@FEW
@given(prices=st.lists(st.floats(-500, 3000), min_size=4, max_size=40).filter(lambda p: len(p) % 4 == 0))
def test_resolutions_keep_the_mean(prices: list[float]) -> None:
    """Quarter-hours, half-hours and hours over the same span have the same time-weighted mean on the grid."""
    start = datetime(2026, 3, 28, 22, tzinfo=UTC)
    for minutes in (15, 30, 60):
        index = pd.DatetimeIndex([start + n * timedelta(minutes=minutes) for n in range(len(prices))])
        frame = half_hour_prices(index, np.array(prices), minutes)
        assert len(frame) == len(prices) * minutes // 30
        assert frame["price"].mean() == pytest.approx(np.mean(prices), abs=1e-6)
        assert frame["start_utc"].diff().dropna().eq(pd.Timedelta(minutes=30)).all()


PRICES = st.sampled_from([-5.0, 0.0, 12.25, 80.0])


def entsoe_document(prices: list[float], minutes: int, omit: bool) -> bytes:
    """A day-ahead document of curve A03 from 22:00; `omit` leaves out positions that repeat the one before."""
    end = datetime(2020, 6, 1, 22, tzinfo=UTC) + len(prices) * timedelta(minutes=minutes)
    points = "".join(
        f"<Point><position>{n + 1}</position><price.amount>{price}</price.amount></Point>"
        for n, price in enumerate(prices)
        if not (omit and n and prices[n - 1] == price)
    )
    return (
        "<Publication_MarketDocument><TimeSeries><currency_Unit.name>GBP</currency_Unit.name><curveType>A03</curveType>"
        f"<Period><timeInterval><start>2020-06-01T22:00Z</start><end>{end:%Y-%m-%dT%H:%MZ}</end></timeInterval>"
        f"<resolution>PT{minutes}M</resolution>{points}</Period></TimeSeries></Publication_MarketDocument>"
    ).encode()


@FEW
@given(
    pairs=st.lists(st.tuples(PRICES, PRICES), min_size=1, max_size=24),
    minutes=st.sampled_from([15, 30, 60]),
)
def test_omitted_points_change_nothing(pairs: list[tuple[float, float]], minutes: int) -> None:
    prices = [price for pair in pairs for price in pair]
    columns = ["start_utc", "price", "currency", "resolution_minutes"]
    full, short = (parse_prices(entsoe_document(prices, minutes, omit)) for omit in (False, True))
    pd.testing.assert_frame_equal(full[columns], short[columns])
    assert not full["repeated"].any()
    assert short["repeated"].any() == any(a == b for a, b in pairwise(prices))


@FEW
@example(secret="abc%", around="")
@given(
    secret=st.text(alphabet="abc+/% &=é", min_size=4, max_size=40).filter(lambda text: text.strip() == text),
    around=st.text(alphabet="XYZ <>", max_size=20),
)
def test_redacted_text_holds_no_secret(secret: str, around: str) -> None:
    for form in (secret, quote(secret, safe=""), quote_plus(secret)):
        clean = redact(f"{around} https://H/?securityToken={form} {around}", [secret])
        assert form not in clean
        assert redact(f"{around}{form}{around}", [secret]) == f"{around}[redacted]{around}"
