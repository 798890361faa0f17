"""Elexon's settlement stack: the documented row, nulls, texts for numbers, and answers that are not what was asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pandas as pd
import pytest
from faulty_server import Server, reply

from bess_pipeline import schemas
from bess_pipeline.errors import NotPublishedError, PayloadError
from bess_pipeline.sources.elexon_stack import (
    fetch_settlement_stack,
    parse_price_adjustments,
    parse_settlement_stack,
    side_and_period,
)

TABLE = "market/settlement_stack"
OFFERS = "https://data.elexon.co.uk/bmrs/api/v1/balancing/settlement/stack/all/offer/2026-07-10/20?format=json"
BIDS = OFFERS.replace("/offer/", "/bid/")


def row(**changes: Any) -> dict[str, Any]:
    """A row as public projects quote it (no answer was recorded)."""
    return {
        "settlementDate": "2026-07-10",
        "settlementPeriod": 20,
        "startTime": "2026-07-10T08:30:00Z",
        "createdDateTime": "2026-07-11T09:14:32Z",
        "sequenceNumber": 1,
        "id": "E_LITRB-1",
        "acceptanceId": 49242,
        "bidOfferPairId": 1,
        "cadlFlag": False,
        "soFlag": False,
        "storProviderFlag": False,
        "repricedIndicator": False,
        "reserveScarcityPrice": 0.0,
        "originalPrice": 90.25,
        "volume": -0.004166666666666667,
        "dmatAdjustedVolume": 0.0,
        "arbitrageAdjustedVolume": None,
        "nivAdjustedVolume": None,
        "parAdjustedVolume": None,
        "finalPrice": 90.25,
        "transmissionLossMultiplier": 0.977241,
        "tlmAdjustedVolume": None,
        "tlmAdjustedCost": None,
    } | changes


def body(*rows: dict[str, Any]) -> bytes:
    return json.dumps({"data": list(rows)}).encode()


def test_every_field_of_the_documented_row_is_kept() -> None:
    frame = schemas.validate(TABLE, parse_settlement_stack(body(row()), BIDS))
    found = frame.iloc[0]
    assert (found["settlement_date"], found["settlement_period"], found["side"]) == (date(2026, 7, 10), 20, "bid")
    assert (found["action_id"], found["acceptance_id"], found["bid_offer_pair_id"]) == ("E_LITRB-1", "49242", "1")
    assert found["volume_mwh"] == -0.004166666666666667
    assert (found["original_price_gbp_mwh"], found["transmission_loss_multiplier"]) == (90.25, 0.977241)
    assert found["dmat_adjusted_volume_mwh"] == 0.0
    left = ["arbitrage_adjusted_volume_mwh", "niv_adjusted_volume_mwh", "tlm_adjusted_cost_gbp"]
    assert frame[left].isna().all().all()
    assert not found["cadl_flag"]
    assert found["published_utc"] == pd.Timestamp("2026-07-11T09:14:32Z")
    assert set(frame.columns) == set(schemas.columns(TABLE))


def test_what_may_be_null_may_be_null_and_what_is_new_is_ignored() -> None:
    required = {"settlementDate", "settlementPeriod", "startTime", "sequenceNumber", "volume"}
    bare = {name: (value if name in required else None) for name, value in row().items()}
    absent = {name: value for name, value in row(sequenceNumber=2).items() if name in required}
    frame = schemas.validate(TABLE, parse_settlement_stack(body(bare, absent | {"newField": {"x": 1}}), BIDS))
    names = ["action_id", "acceptance_id", "so_flag", "repriced", "original_price_gbp_mwh", "published_utc"]
    assert frame[names].isna().all().all()


def test_decimals_as_text_and_sentinel_prices_are_numbers() -> None:
    odd = row(volume="-12.500", originalPrice="-99999.0", acceptanceId="00123", id="7")
    found = schemas.validate(TABLE, parse_settlement_stack(body(odd), BIDS)).iloc[0]
    assert (found["volume_mwh"], found["original_price_gbp_mwh"]) == (-12.5, -99999.0)
    assert (found["acceptance_id"], found["action_id"]) == ("00123", "7")


def test_a_side_without_any_action_is_an_answer() -> None:
    for content in (body(), b"[]", b'{"metadata":{"datasets":["ISPSTACK"]},"data":[]}'):
        assert parse_settlement_stack(content, OFFERS).empty
    with pytest.raises(NotPublishedError):
        parse_settlement_stack(b"", OFFERS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (body(row(settlementPeriod=21, startTime="2026-07-10T09:00:00Z")), "asked for 2026-07-10 period 20"),
        (body(row(startTime="2026-07-10T08:00:00Z")), "starts at"),
        (body(row(volume=1.0)), "has a bid of 1 MWh"),
        (body(row(soFlag="F")), "soFlag is not true, false or null"),
        (body(row(acceptanceId=1.5)), "neither a text nor a whole number"),
        (body(row(), row(volume=-3.0)), "contradict"),
        (body({k: v for k, v in row().items() if k != "volume"}), "volume is null"),
        (b'{"errors":{"":["no"]}}', "refused the request"),
        (b'{"data":[1]}', "not a list of objects"),
    ],
)
def test_what_is_not_as_documented_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(PayloadError, match=message):
        parse_settlement_stack(content, BIDS)


@pytest.mark.parametrize(
    ("day", "count"), [(date(2026, 3, 29), 92), (date(2026, 7, 10), 96), (date(2026, 10, 25), 100)]
)
def test_both_sides_of_every_period_are_asked_for_once(
    server: Server, make_client: Callable[..., Any], day: date, count: int
) -> None:
    server.script = lambda handler: reply(handler, body())
    answers = fetch_settlement_stack(make_client(elexon_base_url=server.url), day)
    asked = [side_and_period(answer.url) for answer in answers]
    assert len(asked) == count
    assert set(asked) == {(side, day, n) for side in ("bid", "offer") for n in range(1, count // 2 + 1)}


def test_price_adjustments_are_by_period_the_newest_and_zero_when_absent() -> None:
    rows = [
        {"settlementPeriod": 1, "buyPriceAdjustment": 1.5, "sellPriceAdjustment": -2, "createdDateTime": "2026-07-11"},
        {"settlementPeriod": 1, "buyPriceAdjustment": 9.0, "sellPriceAdjustment": 9, "createdDateTime": "2026-07-10"},
        {"settlementPeriod": 2, "buyPriceAdjustment": None},
    ]
    assert parse_price_adjustments(json.dumps(rows).encode()) == {1: (1.5, -2.0), 2: (0.0, 0.0)}
