"""Every parser of `bess_pipeline/sources` meets its own answers with something wrong in them, and arbitrary bytes.

Whatever comes, it gives a frame that its table takes, or the typed error in one sentence. The answers are
those that providers document; where recorded ones lie beside the checkout they are mutated too.
"""

from __future__ import annotations

import importlib
import io
import json
import pkgutil
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bess_pipeline import schemas, sources
from bess_pipeline.errors import BessError
from bess_pipeline.sources import (
    ckan,
    elexon,
    elexon_forecasts,
    elexon_stack,
    entsoe,
    files,
    neso,
    neso_auctions,
    neso_resources,
)
from bess_pipeline.sources.neso_frequency import Month, monthly_files, parse_frequency

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "realdata" / "payloads"
STACK_URL = "https://data.elexon.co.uk/bmrs/api/v1/balancing/settlement/stack/all/offer/2026-07-10/20?format=json"


def data(*rows: dict[str, Any]) -> bytes:
    return json.dumps({"metadata": {"datasets": ["X"]}, "data": list(rows)}).encode()


def sql(*rows: dict[str, Any]) -> bytes:
    return json.dumps({"help": "h", "success": True, "result": {"records": list(rows)}}).encode()


def recorded(*names: str) -> list[bytes]:
    """Recorded answers; a YAML cassette as it is, whose body then begins amid text."""
    contents = [(RECORDED / name).read_bytes() for name in names if (RECORDED / name).is_file()]
    return [content[max(content.find(b"<?xml"), 0) :] for content in contents]


PRICE = {
    "settlementDate": "2026-05-06", "settlementPeriod": 1, "startTime": "2026-05-05T23:00:00Z",
    "createdDateTime": "2026-05-06T23:44:34Z", "systemSellPrice": 96.79, "systemBuyPrice": 96.79,
    "priceDerivationCode": "N", "netImbalanceVolume": -37.5, "buyPriceAdjustment": 0.0, "sellPriceAdjustment": 0.0,
}  # fmt: skip
LATER = PRICE | {"settlementPeriod": 2, "startTime": "2026-05-05T23:30:00Z"}
INDEX = {
    "startTime": "2026-05-05T23:00:00Z", "dataProvider": "APXMIDP", "settlementDate": "2026-05-06",
    "settlementPeriod": 1, "price": 80.5, "volume": 1200.0,
}  # fmt: skip
ACTION = {
    "settlementDate": "2026-07-10", "settlementPeriod": 20, "startTime": "2026-07-10T08:30:00Z",
    "createdDateTime": "2026-07-11T09:14:32Z", "sequenceNumber": 1, "id": "E_LITRB-1", "acceptanceId": 49242,
    "bidOfferPairId": 1, "cadlFlag": False, "soFlag": False, "storProviderFlag": False, "repricedIndicator": False,
    "reserveScarcityPrice": 0.0, "originalPrice": 90.25, "volume": 0.5, "dmatAdjustedVolume": 0.0,
    "finalPrice": 90.25, "transmissionLossMultiplier": 0.977241,
}  # fmt: skip
FORECASTS = (
    {"dataset": "WINDFOR", "publishTime": "2026-05-05T23:30:00Z", "startTime": "2026-05-04T20:00:00Z",
     "generation": 2983},
    {"dataset": "NDF", "demand": 21200, "publishTime": "2026-05-06T02:47:00Z", "startTime": "2026-05-06T03:00:00Z",
     "settlementDate": "2026-05-06", "settlementPeriod": 9, "boundary": "N"},
    {"publishTime": "2026-09-07T16:45:11Z", "processType": "Day ahead", "psrType": "Wind Onshore",
     "startTime": "2026-09-08T22:30:00Z", "settlementDate": "2026-09-08", "settlementPeriod": 48, "quantity": 7602.0},
)  # fmt: skip
AUCTION = {
    "auctionID": "2661", "auctionProduct": "DCL", "serviceType": "Response", "deliveryStart": "2026-04-01T02:00:00",
    "deliveryEnd": "2026-04-01T06:00:00", "clearedVolume": "499", "clearingPrice": "7.68",
}  # fmt: skip
RESERVE = AUCTION | {"auctionProduct": "PQR", "deliveryEnd": "2026-04-01T02:30:00"}
BLOCK = {
    "Service": "DCH", "EFA Date": "2023-07-01T00:00:00", "Delivery Start": "2023-07-01T03:00:00",
    "Delivery End": "2023-07-01T07:00:00", "EFA": "2", "Cleared Volume": "100", "Clearing Price": "3.5",
}  # fmt: skip
N2EX = {"Date": "2026-04-01", "Delivery Period": "09:00 - 10:00", "Price": "81.5"}
DOCUMENT = (
    b'<?xml version="1.0" encoding="UTF-8"?><Publication_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-3:'
    b'publicationdocument:7:3"><TimeSeries><contract_MarketAgreement.type>A01</contract_MarketAgreement.type>'
    b"<currency_Unit.name>GBP</currency_Unit.name><price_Measure_Unit.name>MWH</price_Measure_Unit.name><curveType>A03"
    b"</curveType><Period><timeInterval><start>2020-06-01T22:00Z</start><end>2020-06-02T02:00Z</end></timeInterval>"
    b"<resolution>PT60M</resolution><Point><position>1</position><price.amount>30.5</price.amount></Point>"
    b"<Point><position>3</position><price.amount>-2</price.amount></Point></Period></TimeSeries>"
    b"</Publication_MarketDocument>"
)
CSV = b"start_utc,price_gbp_mwh\n2026-03-29T00:00:00Z,50\n2026-03-29T00:30:00Z,-3.25\n2026-03-29T01:00:00Z,1e2\n"
SECONDS = b"dtm,f\n2024-01-01 00:00:00,50.012\n2024-01-01 00:00:01,49.987\n2024-01-01 00:00:01,49.987\n"
CATALOGUE = json.dumps({"success": True, "result": {"resources": [
    {"id": "be5c6b0d-a335-4859-93f2-389585b4e9a1",
     "name": "NESO Response-Reserve Results Summary Nov 2023 - Mar 2025 (Archive)"},
    {"id": "596f29ac-0387-4ba4-a6d3-95c243140707", "name": "NESO Response-Reserve Results Summary",
     "url": "https://x/download/fnew-2024-1.csv"},
]}}).encode()  # fmt: skip

_PRICES = [data(PRICE, LATER), *recorded("elexon/elexon_system_prices_20260506_first2.json")]
_DOCUMENTS = [
    DOCUMENT,
    *recorded("entsoe/BE_60M.xml", "entsoe/BE_60M_15M_mix.xml", "entsoe/acknowledgement.invalidrequest.xml"),
    *recorded("entsoe/omi_other_market_information_NL.yml"),
]


def table(name: str, parse: Callable[[bytes], pd.DataFrame]) -> Callable[[bytes], None]:
    """What is given back has rows, keys once each, and passes or fails the model of its table as a whole."""

    def check(content: bytes) -> None:
        frame = parse(content)
        valid = schemas.validate(name, frame)
        assert len(valid) == len(frame)
        assert set(frame.columns) == set(schemas.columns(name))
        assert not valid.duplicated(schemas.keys(name)).any()

    return check


def versions(content: bytes) -> None:
    frame = elexon.parse_system_price_versions(content)
    assert not frame.duplicated(["start_utc", "published_utc"]).any()
    assert np.isfinite(frame["system_price_gbp_mwh"]).all()


def any_zone(content: bytes) -> None:
    frame = entsoe.parse_prices(content)
    assert np.isfinite(frame["price"]).all()
    assert frame["start_utc"].is_unique
    assert frame["resolution_minutes"].isin([15, 30, 60]).all()


def adjustments(content: bytes) -> None:
    assert all(np.isfinite(pair).all() for pair in elexon_stack.parse_price_adjustments(content).values())


def frequency(content: bytes) -> None:
    found = parse_frequency(io.BytesIO(content), Month(2024, 1))
    known = found.frequency_hz[~np.isnan(found.frequency_hz)]
    assert ((known >= 49) & (known <= 51)).all()
    assert len(found.frequency_hz) == 31 * 86_400


def resources(content: bytes) -> None:
    for one in neso_resources.resources_of(ckan.result(content, "package")):
        assert re.fullmatch(r"[0-9a-fA-F-]{36}", one.id)
        assert one.start_utc < one.end_utc


def listed_files(content: bytes) -> None:
    client = SimpleNamespace(
        settings=SimpleNamespace(neso_base_url="https://x"), get=lambda *_, **__: SimpleNamespace(content=content)
    )
    assert all(1 <= month.month <= 12 for month in monthly_files(client))  # type: ignore[arg-type]


PARSERS: dict[str, tuple[Callable[[bytes], None], list[bytes]]] = {
    "elexon.parse_system_prices": (table("market/system_price", elexon.parse_system_prices), _PRICES),
    "elexon.parse_system_price_versions": (versions, _PRICES),
    "elexon.parse_market_index": (
        table("market/market_index_price", elexon.parse_market_index),
        [data(INDEX), *recorded("elexon/elexon_mid_stream_apx_20260920.json", "elexon/elexon_error_range.json")],
    ),
    "elexon_stack.parse_settlement_stack": (
        table("market/settlement_stack", lambda content: elexon_stack.parse_settlement_stack(content, STACK_URL)),
        [data(ACTION, ACTION | {"sequenceNumber": 2})],
    ),
    "elexon_stack.parse_price_adjustments": (adjustments, _PRICES),
    "elexon_forecasts.parse_forecasts": (
        table("market/fundamental_forecast", elexon_forecasts.parse_forecasts),
        [data(*FORECASTS), *(data(one) for one in FORECASTS)],
    ),
    "neso_auctions.parse_auction_results": (
        table("market/auction_clearing", neso_auctions.parse_auction_results),
        [sql(AUCTION, RESERVE), sql(BLOCK), *recorded("neso/neso_eac_results_summary_csv_head_with_new_columns.csv")],
    ),
    "neso.parse_n2ex_prices": (
        table("market/day_ahead_price", neso.parse_n2ex_prices),
        [sql(N2EX, N2EX | {"Delivery Period": "10:00 - 11:00"})],
    ),
    "entsoe.parse_prices": (any_zone, _DOCUMENTS),
    "entsoe.parse_day_ahead": (table("market/day_ahead_price", entsoe.parse_day_ahead), _DOCUMENTS),
    "files.parse_price_csv": (
        table(
            "market/day_ahead_price", lambda content: files.to_half_hours(files.parse_price_csv(content, "prices.csv"))
        ),
        [CSV + b"2026-03-29T01:30:00Z,7\n"],
    ),
    "neso_frequency.parse_frequency": (frequency, [SECONDS]),
    "neso_resources.resources_of": (resources, [CATALOGUE]),
    "neso_frequency.monthly_files": (listed_files, [CATALOGUE]),
}
TOKEN = re.compile(rb'"[^"]*"|-?\d+(?:\.\d+)?|<[^>]*>|[\w.:+-]+|[{}\[\],]')
ODD = [
    b"", b"null", b"true", b"[]", b"{}", b'""', b"NaN", b"-Infinity", b"1e999", b"-0", b"0", b"51", b"1e18", b"1_0",
    b"9" * 400, b'"NaN"', b'"2026-13-01"', b'"9999-12-31T23:59:59Z"', b'"0001-01-01T00:00:00+23:59"', b"\xff\xfe",
    b"\x00", "é".encode("latin-1"), b'"\\ud800"', b"<x/>", b"<Point>", b"&lol;", b"<!DOCTYPE x>", b"\n", b",", b'"',
    b'"; DROP TABLE x; --', b"../../etc/passwd", b"A01", b"PT15M", b"2020-06-01T22:00Z", b"DMH", "\uff11".encode(),
]  # fmt: skip


@st.composite
def mutants(draw: st.DrawFn, contents: list[bytes]) -> bytes:
    """An answer with a few of its tokens replaced, dropped, doubled or swapped, or some of its bytes gone."""
    content = draw(st.sampled_from(contents))
    for _ in range(draw(st.integers(1, 4))):
        spans = [match.span() for match in TOKEN.finditer(content)] or [(0, len(content))]
        (start, end), other = draw(st.sampled_from(spans)), draw(st.sampled_from(spans))
        odd = draw(st.sampled_from(ODD) | st.binary(max_size=6))
        change = draw(st.sampled_from(("replace", "drop", "double", "copy", "cut", "insert")))
        new = {
            "replace": odd,
            "drop": b"",
            "double": content[start:end] * 2,
            "copy": content[slice(*other)],
            "cut": b"",
            "insert": content[start:end] + odd,
        }[change]
        content = content[:start] + new + content[end if change != "cut" else max(end, other[1]) :]
    return content


def survives(name: str, content: bytes) -> None:
    sentence = "a whole frame"
    try:
        PARSERS[name][0](content)
    except BessError as error:
        sentence = str(error)
    assert sentence.strip()
    assert "\n" not in sentence


MANY = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("name", PARSERS)
@MANY
@given(choice=st.data())
def test_a_mutated_answer_is_a_valid_frame_or_the_typed_error(name: str, choice: st.DataObject) -> None:
    survives(name, choice.draw(mutants(PARSERS[name][1])))


@pytest.mark.parametrize("name", PARSERS)
@settings(max_examples=25, deadline=None)
@given(content=st.binary(max_size=120) | st.text(max_size=80).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_arbitrary_bytes_are_the_typed_error(name: str, content: bytes) -> None:
    survives(name, content)


@pytest.mark.parametrize("name", PARSERS)
def test_the_answers_are_read_before_they_are_mutated(name: str) -> None:
    """Else the tests above would only ever meet the first check of a parser."""
    check, contents = PARSERS[name]
    check(contents[0])


def test_no_parser_is_left_out() -> None:
    found = set()
    for module in pkgutil.iter_modules(sources.__path__):
        names = vars(importlib.import_module(f"bess_pipeline.sources.{module.name}"))
        found |= {
            f"{module.name}.{name}"
            for name, value in names.items()
            if name.startswith("parse_") and getattr(value, "__module__", "").endswith(f".{module.name}")
        }
    assert found <= set(PARSERS)
    assert len(found) >= 11
