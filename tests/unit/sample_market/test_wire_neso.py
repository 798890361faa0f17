"""NESO's portal: packages, financial years, clocks, envelopes and files of the sample market."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bess_pipeline.gb_time import LONDON
from bess_pipeline.sample_market import MarketTables
from bess_pipeline.sample_market.wire_neso import (
    BALANCING_RESERVE_SUMMARY,
    BLOCK_SUMMARY,
    EAC_SUMMARIES,
    N2EX_PRICE,
    NesoWire,
)

CURRENT, FY2025, FIRST_ARCHIVE = (summary[0] for summary in EAC_SUMMARIES)
BASE = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def wire(market: MarketTables) -> Iterator[NesoWire]:
    running = NesoWire(market)
    yield running
    running.close()


@pytest.fixture
def recorded_wire(recorded: MarketTables) -> Iterator[NesoWire]:
    running = NesoWire(recorded)
    yield running
    running.close()


def action(wire: NesoWire, name: str, status: int = 200, **query: object) -> Any:
    reply = wire.reply(f"/api/3/action/{name}", {key: [str(value)] for key, value in query.items()}, BASE)
    assert reply is not None
    assert reply.status == status
    body = json.loads(reply.body)
    assert body["help"] == f"{BASE}/api/3/action/help_show?name={name}"
    assert body["success"] is (status == 200)
    return body["result"] if body["success"] else body["error"]


def test_ids_and_names_are_nesos(wire: NesoWire) -> None:
    package = action(wire, "package_show", id="eac-auction-results")
    assert package["num_resources"] == len(package["resources"])
    names = {resource["id"]: resource["name"] for resource in package["resources"]}
    assert names["596f29ac-0387-4ba4-a6d3-95c243140707"] == "NESO Response-Reserve Results Summary"
    assert names["be55ee51-b79e-47da-b71e-a0f8865d9d66"] == "NESO Response-Reserve Results Summary FY2025 (Archive)"
    assert "Archive" in names["be5c6b0d-a335-4859-93f2-389585b4e9a1"]
    assert action(wire, "package_show", id=package["id"]) == package
    held = [resource["id"] for resource in package["resources"] if resource["datastore_active"]]
    assert held == [CURRENT, FY2025, FIRST_ARCHIVE]
    assert action(wire, "resource_show", id=CURRENT) == package["resources"][0]
    for name, resource in (
        ("day-ahead-power-exchange-prices-nordpool", N2EX_PRICE),
        ("dynamic-containment-data", BLOCK_SUMMARY),
        ("eac-br-auction-results", BALANCING_RESERVE_SUMMARY),
    ):
        assert [item["id"] for item in action(wire, "package_show", id=name)["resources"]] == [resource]


def test_what_is_not_there_is_404_and_what_is_wrong_is_409(wire: NesoWire) -> None:
    assert action(wire, "package_show", 404, id="no-such-package")["__type"] == "Not Found Error"
    assert action(wire, "datastore_search", 404, resource_id="a63ab354-7e68-44c2-ad96-c6f920c30e85")
    assert action(wire, "datastore_search", 409, resource_id=CURRENT, limit="many")["__type"] == "Validation Error"
    assert action(wire, "datastore_search", 409, resource_id=CURRENT, filters="[1]")
    assert action(wire, "datastore_search_sql", 409, sql="DELETE")["__type"] == "Validation Error"
    assert wire.reply("/api/3/action/datastore_upsert", {}, BASE) is None


def test_the_firewall_answers_403_in_html(wire: NesoWire) -> None:
    reply = wire.reply("/api/3/action/datastore_search_sql", {"sql": [f'SELECT COALESCE(1, 2) FROM "{CURRENT}"']}, BASE)
    assert reply is not None
    assert (reply.status, reply.content_type) == (403, "text/html")


def test_sql_answers_have_the_recorded_form(wire: NesoWire, realdata: Path) -> None:
    recorded = json.loads((realdata / "payloads/neso/neso_datastore_search_sql_response_summary.json").read_text())
    statement = recorded["result"]["sql"]
    result = action(wire, "datastore_search_sql", sql=statement)
    assert set(result) == set(recorded["result"])
    assert result["sql"] == statement
    assert {field["id"] for field in result["fields"]} == {field["id"] for field in recorded["result"]["fields"]}
    types = {field["id"]: field["type"] for field in result["fields"]}
    for field in recorded["result"]["fields"]:
        assert types[field["id"]] == field["type"], field
    example = {row["auctionProduct"]: row for row in recorded["result"]["records"]}
    for row in result["records"]:
        if row["auctionProduct"] not in example:  # reserve, which the recorded answer has none of
            assert (row["shortest"], row["longest"]) == ("0:30:00", "0:30:00")
            continue
        assert set(row) == set(example[row["auctionProduct"]])
        assert all(type(value) is str for value in row.values())
        assert (row["shortest"], row["longest"]) == ("4:00:00", "4:00:00")
        assert row["first_start"] == "2026-03-31T22:00:00"


def test_rows_live_in_the_resource_of_their_financial_year(wire: NesoWire, market: MarketTables) -> None:
    bounds = {}
    for resource in (CURRENT, FY2025, FIRST_ARCHIVE, BLOCK_SUMMARY, BALANCING_RESERVE_SUMMARY):
        rows = action(wire, "datastore_search", resource_id=resource, limit=32000)
        bounds[resource] = (rows["total"], {row.get("deliveryStart") for row in rows["records"]})
    assert min(bounds[CURRENT][1]) == "2026-03-31T22:00:00"
    assert "2026-03-31T18:00:00" <= max(bounds[FY2025][1]) < "2026-03-31T22:00:00"
    assert min(bounds[FY2025][1]) == "2025-10-31T23:00:00"
    assert market.reserve_auction is not None
    assert bounds[CURRENT][0] + bounds[FY2025][0] == len(market.response_auction) + len(market.reserve_auction)
    assert bounds[FIRST_ARCHIVE][0] == bounds[BLOCK_SUMMARY][0] == bounds[BALANCING_RESERVE_SUMMARY][0] == 0


def test_balancing_reserve_before_autumn_2025_lies_in_its_own_resource(market: MarketTables) -> None:
    """Rows moved by a year and a half: PBR and NBR up to the last start of 2025-10-29, nothing else."""
    assert market.reserve_auction is not None
    back = pd.Timedelta(days=14)
    moved = market.reserve_auction.assign(
        delivery_start_utc=market.reserve_auction["delivery_start_utc"] - back,
        delivery_end_utc=market.reserve_auction["delivery_end_utc"] - back,
    )
    early = NesoWire(replace(market, reserve_auction=moved))
    own = action(early, "datastore_search", resource_id=BALANCING_RESERVE_SUMMARY, limit=32000)["records"]
    other = action(early, "datastore_search", resource_id=FY2025, limit=32000)["records"]
    early.close()
    assert {row["serviceType"] for row in own} == {"Balancing Reserve"}
    assert max(row["deliveryStart"] for row in own) < "2025-10-29T23:00:00"
    assert min(row["deliveryStart"] for row in other if row["auctionProduct"] == "PBR") >= "2025-10-29T23:00:00"
    assert {row["serviceType"] for row in other} == {"Response", "Quick Reserve", "Balancing Reserve"}


def test_search_gives_numbers_and_sql_gives_text(wire: NesoWire) -> None:
    search = action(wire, "datastore_search", resource_id=CURRENT, limit=1, filters='{"auctionProduct": "DRH"}')
    statement = f'SELECT * FROM "{CURRENT}" WHERE "auctionProduct" = \'DRH\' ORDER BY "_id" LIMIT 1'
    sql = action(wire, "datastore_search_sql", sql=statement)
    (row,), (text,) = search["records"], sql["records"]
    assert set(text) - set(row) == {"_full_text"}
    assert text["_id"] == row["_id"]
    assert isinstance(row["clearingPrice"], float)
    assert float(text["clearingPrice"]) == row["clearingPrice"]
    assert isinstance(text["clearingPrice"], str)
    assert row["linkedServiceWindowID"] is None
    assert row["deliveryStart"] == "2026-03-31T22:00:00"
    assert search["limit"] == 1


def test_the_short_block_lasts_three_hours(wire: NesoWire) -> None:
    statement = (
        f'SELECT "auctionProduct", "deliveryStart", "deliveryEnd" FROM "{FY2025}" '
        'WHERE "deliveryStart" = \'2026-03-28T23:00:00\' ORDER BY "_id"'
    )
    rows = action(wire, "datastore_search_sql", sql=statement)["records"]
    assert {row["auctionProduct"] for row in rows} == {"DCH", "DCL", "DMH", "DML", "DRH", "DRL"}
    assert {row["deliveryEnd"] for row in rows} == {"2026-03-29T02:00:00"}


def test_day_ahead_hours_have_utc_labels_24_a_day(wire: NesoWire, market: MarketTables) -> None:
    statement = f'SELECT * FROM "{N2EX_PRICE}" WHERE "Date" = \'2026-03-29\' ORDER BY "_id"'
    rows = action(wire, "datastore_search_sql", sql=statement)["records"]
    assert [row["Delivery Period"] for row in rows] == [f"{h:02}:00 - {(h + 1) % 24:02}:00" for h in range(24)]
    assert market.day_ahead is not None
    prices = market.day_ahead.set_index("start_utc")["day_ahead_price_gbp_mwh"]
    assert [float(row["Price"]) for row in rows] == prices["2026-03-29"].tolist()
    assert all(isinstance(row["Price"], str) for row in rows)


def test_dumps_are_csv_with_nesos_columns(wire: NesoWire, market: MarketTables, realdata: Path) -> None:
    recorded = (realdata / "payloads/neso/neso_eac_results_summary_csv_head_with_new_columns.csv").read_text()
    reply = wire.reply(f"/datastore/dump/{FY2025}", {}, BASE)
    assert reply is not None
    head = reply.body.decode().splitlines()[0]
    assert f"{head},source" == recorded.splitlines()[0]
    reply = wire.reply(f"/datastore/dump/{N2EX_PRICE}", {}, BASE)
    assert reply is not None
    frame = pd.read_csv(io.BytesIO(reply.body))
    assert list(frame.columns) == ["Date", "Delivery Period", "Price"]
    assert market.day_ahead is not None
    assert frame["Price"].tolist() == market.day_ahead["day_ahead_price_gbp_mwh"].tolist()
    assert wire.reply("/datastore/dump/nowhere", {}, BASE) is None


def test_frequency_files_are_found_through_the_package_and_hold_whole_days(
    wire: NesoWire, market: MarketTables
) -> None:
    resources = action(wire, "package_show", id="system-frequency-data")["resources"]
    assert [resource["name"] for resource in resources] == ["fnew-2026-3", "fnew-2026-4"]
    reply = wire.reply(resources[1]["url"].removeprefix(BASE), {}, BASE)
    assert reply is not None
    chunks = reply.chunks()
    assert next(chunks) == b"dtm,f\n"
    assert market.frequency is not None
    first = pd.read_csv(io.BytesIO(b"dtm,f\n" + next(chunks)))
    assert first["dtm"].iloc[0] == "2026-04-01 00:00:00"
    assert first["f"].tolist() == market.frequency(date(2026, 4, 1)).tolist()
    days = [day for day in market.frequency_days if day.month == 4]
    assert reply.content_length == len(b"dtm,f\n") + 27 * 86_400 * len(days)


def test_recorded_auctions_before_eac_are_in_london_clock_time(recorded_wire: NesoWire, recorded: MarketTables) -> None:
    found = action(recorded_wire, "datastore_search", resource_id=BLOCK_SUMMARY, limit=32000)
    frame = pd.DataFrame(found["records"])
    assert list(frame.columns[1:]) == [
        "Service", "EFA Date", "Delivery Start", "Delivery End", "EFA", "Cleared Volume", "Clearing Price"
    ]  # fmt: skip
    start = pd.to_datetime(frame["Delivery Start"])
    assert set(start.dt.hour) == {23, 3, 7, 11, 15, 19}
    table = recorded.response_auction
    early = table[table["delivery_start_utc"] < pd.Timestamp("2023-11-02T23:00Z")]
    assert start.dt.tz_localize(LONDON).dt.tz_convert("UTC").tolist() == early["delivery_start_utc"].tolist()
    assert frame["Clearing Price"].tolist() == early["clearing_price_gbp_mw_h"].tolist()


def test_recorded_auctions_since_eac_are_in_the_first_archive_without_invented_numbers(
    recorded_wire: NesoWire, recorded: MarketTables
) -> None:
    found = action(recorded_wire, "datastore_search", resource_id=FIRST_ARCHIVE, limit=32000)
    frame = pd.DataFrame(found["records"])
    table = recorded.response_auction
    late = table[table["delivery_start_utc"] >= pd.Timestamp("2023-11-02T23:00Z")]
    assert found["total"] == len(late)
    assert frame["auctionID"].isna().all()
    assert frame["clearingPrice"].isna().sum() == 18
    assert pd.to_datetime(frame["deliveryEnd"], utc=True).tolist() == late["delivery_end_utc"].tolist()
    for resource in (CURRENT, FY2025, N2EX_PRICE):
        assert action(recorded_wire, "datastore_search", resource_id=resource)["records"] == []
    assert action(recorded_wire, "package_show", id="system-frequency-data")["resources"] == []


def test_recorded_eac_rows_equal_nesos_own_file(recorded_wire: NesoWire, realdata: Path) -> None:
    own = pd.read_csv(realdata / "tables" / "neso_eac_results_summary_2023-11_2024-08.csv.gz")
    found = action(recorded_wire, "datastore_search", resource_id=FIRST_ARCHIVE, limit=32000)
    keys = ["auctionProduct", "deliveryStart", "deliveryEnd"]
    joined = own.merge(pd.DataFrame(found["records"]), on=keys, suffixes=("", "_served"), how="left", validate="1:1")
    assert (joined["clearingPrice"] - joined["clearingPrice_served"]).abs().max() < 1e-9
    assert (joined["clearedVolume"] - joined["clearedVolume_served"]).abs().max() < 1e-9
