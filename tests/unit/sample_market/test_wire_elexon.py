"""Elexon's answers: field names and types of the recorded ones, caps, error bodies and unknown values."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from bess_pipeline.gb_time import period_start_utc
from bess_pipeline.sample_market import MarketTables
from bess_pipeline.sample_market.reply import Reply
from bess_pipeline.sample_market.wire_elexon import (
    MARKET_INDEX,
    MID_DATASET,
    MID_STREAM,
    SYSTEM_PRICES,
    ElexonWire,
)

CHANGE_DAY = "2026-03-29"


@pytest.fixture(scope="module")
def wire(market: MarketTables) -> ElexonWire:
    return ElexonWire(market)


def body(reply: Reply | None, status: int = 200) -> Any:
    assert reply is not None
    assert reply.status == status
    return json.loads(reply.body)


def index(wire: ElexonWire, path: str = MARKET_INDEX, status: int = 200, **query: str | list[str]) -> Any:
    names = {"begin": "from", "end": "to"}
    values = {names.get(k, k): v if isinstance(v, list) else [v] for k, v in query.items()}
    return body(wire.reply(path, values), status)


def test_system_price_rows_have_the_fields_of_a_recorded_answer_in_order(wire: ElexonWire, realdata: Path) -> None:
    recorded = json.loads((realdata / "payloads/elexon/elexon_system_prices_20260506_first2.json").read_text())
    answer = body(wire.reply(f"{SYSTEM_PRICES}/{CHANGE_DAY}", {}))
    assert list(answer) == list(recorded)
    assert answer["metadata"] == recorded["metadata"]
    for row in answer["data"]:
        assert list(row) == list(recorded["data"][0])
        for name, value in row.items():
            example = recorded["data"][0][name]
            assert value is None or example is None or type(value) is type(example), name


def test_the_short_day_has_46_periods_numbered_by_elapsed_half_hours(wire: ElexonWire, market: MarketTables) -> None:
    rows = body(wire.reply(f"{SYSTEM_PRICES}/{CHANGE_DAY}", {}))["data"]
    assert [row["settlementPeriod"] for row in rows] == list(range(1, 47))
    for row in rows:
        start = period_start_utc(date.fromisoformat(row["settlementDate"]), row["settlementPeriod"])
        assert row["startTime"] == start.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert rows[2]["startTime"] == "2026-03-29T01:00:00Z"
    table = market.system_price[market.system_price["settlement_date"] == date(2026, 3, 29)]
    assert [row["systemSellPrice"] for row in rows] == table["system_price_gbp_mwh"].tolist()
    assert [row["systemBuyPrice"] for row in rows] == table["system_price_gbp_mwh"].tolist()
    assert [row["netImbalanceVolume"] for row in rows] == table["net_imbalance_volume_mwh"].tolist()


def test_one_period_no_data_and_bad_requests(wire: ElexonWire) -> None:
    assert [row["settlementPeriod"] for row in body(wire.reply(f"{SYSTEM_PRICES}/{CHANGE_DAY}/46", {}))["data"]] == [46]
    assert body(wire.reply(f"{SYSTEM_PRICES}/{CHANGE_DAY}/47", {}))["data"] == []
    assert body(wire.reply(f"{SYSTEM_PRICES}/2030-01-01", {}))["data"] == []
    assert wire.reply(SYSTEM_PRICES, {}) is None
    for tail in ("2026-02-30", "yesterday", "2026-03-29/0", "2026-03-29/51", "2026-03-29/x"):
        problem = body(wire.reply(f"{SYSTEM_PRICES}/{tail}", {}), 400)
        assert problem["status"] == 400
        assert problem["errors"]


def test_recorded_prices_show_only_what_is_known(recorded: MarketTables) -> None:
    wire = ElexonWire(recorded)
    before = body(wire.reply(f"{SYSTEM_PRICES}/2024-03-31/1", {}))["data"][0]
    after = body(wire.reply(f"{SYSTEM_PRICES}/2024-04-01/1", {}))["data"][0]
    for row in (before, after):
        assert "createdDateTime" not in row
        assert "bsadDefaulted" not in row
        assert row["priceDerivationCode"] is None
    assert before["netImbalanceVolume"] is None
    assert isinstance(after["netImbalanceVolume"], float)
    assert len(body(wire.reply(f"{SYSTEM_PRICES}/2024-10-27", {}))["data"]) == 50
    rows = index(wire, begin="2023-06-30T23:00Z", end="2023-07-01T12:00Z")["data"]
    assert {row["dataProvider"] for row in rows} == {"APXMIDP"}
    assert rows[0]["volume"] is None
    assert rows[2]["volume"] == 1236.9


def test_market_index_includes_both_ends_and_placeholders_of_the_other_provider(wire: ElexonWire) -> None:
    rows = index(wire, begin="2026-03-20T00:00Z", end="2026-03-20T01:00Z")["data"]
    apx = [row for row in rows if row["dataProvider"] == "APXMIDP"]
    other = [row for row in rows if row["dataProvider"] == "N2EXMIDP"]
    assert [row["startTime"] for row in apx] == [f"2026-03-20T{clock}:00Z" for clock in ("00:00", "00:30", "01:00")]
    assert len(other) == 3
    assert all(row["price"] == 0 and row["volume"] == 0 for row in other)
    only = index(wire, begin="2026-03-20", end="2026-03-21", dataProviders=["APXMIDP"])["data"]
    assert {row["dataProvider"] for row in only} == {"APXMIDP"}
    assert len(only) == 49
    both = index(wire, begin="2026-03-20", end="2026-03-21", dataProviders=["APXMIDP", "N2EXMIDP"])["data"]
    assert len(both) == 98


def test_seven_days_are_answered_and_more_is_refused_in_the_documented_words(wire: ElexonWire) -> None:
    week = index(wire, begin="2026-03-20T00:00Z", end="2026-03-27T00:00Z", dataProviders="APXMIDP")["data"]
    assert len(week) == 7 * 48 + 1
    problem = index(wire, status=400, begin="2026-03-20T00:00Z", end="2026-03-27T00:30Z")
    assert problem["errors"] == {"": ["The date range between From and To inclusive must not exceed 7 days"]}


def test_error_bodies_have_the_recorded_form(wire: ElexonWire, realdata: Path) -> None:
    recorded = json.loads((realdata / "payloads/elexon/elexon_error_range.json").read_text())
    known = set(recorded["errors"][""])
    for begin, end in (("2026-03-21", "2026-03-20"), ("", "2026-03-20"), ("soon", "later")):
        problem = index(wire, status=400, begin=begin, end=end)
        assert list(problem) == list(recorded)
        assert set(problem["errors"][""]) <= known
    assert {name: problem[name] for name in ("type", "title", "status")} == {
        name: recorded[name] for name in ("type", "title", "status")
    }


def test_a_settlement_period_turns_from_and_to_into_settlement_dates(wire: ElexonWire) -> None:
    rows = index(
        wire, begin="2026-04-02T13:00Z", end="2026-04-02T14:00Z", settlementPeriodFrom="1", dataProviders="APXMIDP"
    )["data"]
    assert {row["settlementDate"] for row in rows} == {"2026-04-02"}
    assert [row["settlementPeriod"] for row in rows] == list(range(1, 49))


def test_the_stream_is_a_bare_array_newest_first_without_a_cap(wire: ElexonWire, realdata: Path) -> None:
    recorded = json.loads((realdata / "payloads/elexon/elexon_mid_stream_apx_20260920.json").read_text())
    rows = index(wire, path=MID_STREAM, begin="2026-03-01", end="2026-03-20", dataProviders="APXMIDP")
    assert isinstance(rows, list)
    assert list(rows[0]) == list(recorded[0])
    assert [type(value) for value in rows[0].values()] == [type(value) for value in recorded[0].values()]
    starts = [row["startTime"] for row in rows]
    assert starts == sorted(starts, reverse=True)
    assert len(rows) == 19 * 48 + 1
    assert index(wire, path=MID_DATASET, begin="2026-03-01", end="2026-03-02")["data"][0]["dataset"] == "MID"


def test_a_stream_without_a_window_gives_the_latest_day(wire: ElexonWire, market: MarketTables) -> None:
    rows = index(wire, path=MID_STREAM, publishDateTimeFrom="2020-01-01", dataProviders="APXMIDP")
    assert len(rows) == 48
    assert rows[0]["startTime"] == market.market_index["start_utc"].max().strftime("%Y-%m-%dT%H:%M:%SZ")


def test_offsets_are_understood(wire: ElexonWire) -> None:
    with_offset = index(
        wire, begin="2026-04-02T01:00:00+01:00", end="2026-04-02T01:00:00 01:00", dataProviders="APXMIDP"
    )
    assert [row["startTime"] for row in with_offset["data"]] == ["2026-04-02T00:00:00Z"]


def test_other_paths_are_not_elexons(wire: ElexonWire) -> None:
    assert wire.reply("/datasets/BOALF", {}) is None
