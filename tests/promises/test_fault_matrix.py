"""Fault matrix, rows 19 to 22, 33 and 34: whole tables; and that no row of the matrix is without a test.

Each test is named by its row; what each asserts is said in `test_fault_matrix_connection.py`.
"""

from __future__ import annotations

import ast
import re
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from fault_trial import AUCTION, DAY_AHEAD, MARKET_INDEX, NEXT, STORED, SYSTEM_PRICE, Trial
from ingest_tools import connected, dataset, lake_of

from bess_pipeline import gb_time
from bess_pipeline.ingestion.revisions import Revisions, changes
from bess_pipeline.sources.ckan import CHECKED_ROWS

TESTS = Path(__file__).resolve().parents[1]
FETCHING_AND_PARSING = {*range(1, 23), 29, 33, 34}  # the other rows concern processes, storage and the solver


# --- 19: fewer rows than there are ------------------------------------------------------------------

WEEKS = gb_time.days_between(NEXT, NEXT + timedelta(days=19))  # more rows than one is sure of without counting


def test_fault_19_row_cap(trial: Trial) -> None:
    """The portal cuts every answer at fewer rows than it documents, and does not say so."""
    trial.arm("rewrite", rewrite="cap", value=CHECKED_ROWS + 7, path="deliveryStart")
    found = trial.ask([AUCTION], WEEKS)
    assert set(found["status"]) == {"complete"}
    pages = [target for target in trial.server.requests if "deliveryStart" in target and "COUNT" not in target]
    assert len(pages) > 1
    rows = lake_of(trial.root).read(AUCTION, WEEKS[0], WEEKS[-1])
    published = pd.concat([trial.server.tables.response_auction, trial.server.tables.reserve_auction])
    starts = published["delivery_start_utc"]
    expected = published[(starts >= str(WEEKS[0])) & (starts < str(WEEKS[-1] + timedelta(days=1)))]
    assert len(expected) > CHECKED_ROWS + 7
    keys = ["product", "delivery_start_utc"]
    assert pd.MultiIndex.from_frame(rows[keys]).equals(pd.MultiIndex.from_frame(expected.sort_values(keys)[keys]))
    trial.completes([AUCTION])


@pytest.mark.parametrize("off", [-3, 3])
def test_fault_19_unstable_total(trial: Trial, off: int) -> None:
    """The portal counts other rows than it sent, whatever is asked for: its table changes while it is read."""
    before = trial.files()
    trial.arm("rewrite", rewrite="miscount", value=off, path="COUNT(")
    with connected(trial.root, trial.server) as ingestion:
        answers, problem = ingestion._ask(dataset(AUCTION), WEEKS[0], WEEKS[-1])
    assert answers == []
    assert re.search(r"NESO counts \d+ rows and sent \d+: .*, try again later$", str(problem))
    found = trial.ask([AUCTION], WEEKS)  # day by day there are so few rows that each is judged by its grid
    assert set(found["status"]) == {"complete"}
    assert before.items() <= trial.files().items()
    trial.completes([AUCTION])


# --- 20: a value that was published before is published again ------------------------------------------


def test_fault_20_revised_value(trial: Trial) -> None:
    """The new version is shown, the old one is kept, the change is listed with its size; nothing else moves."""
    lake, one = lake_of(trial.root), dataset(SYSTEM_PRICE)
    old = lake.read(SYSTEM_PRICE, STORED, STORED)
    before = trial.files()
    trial.arm("rewrite", rewrite="revise", value=7.5, path=f"system-prices/{STORED}")
    assert set(trial.ask([SYSTEM_PRICE], [STORED])["status"]) == {"complete"}
    new = lake.read(SYSTEM_PRICE, STORED, STORED)
    moved = (new["system_price_gbp_mwh"] - old["system_price_gbp_mwh"]).round(6)
    assert moved[moved != 0].tolist() == [7.5]
    (period,) = new.loc[moved != 0, "settlement_period"]
    later = new["published_utc"] - old["published_utc"]
    assert later[moved != 0].tolist() == [pd.Timedelta(days=1)]

    with connected(trial.root, trial.server) as ingestion:
        assert Revisions(one, ingestion.vault, lake).build([STORED]) == (49, [])
    listed = changes(lake.read("market/system_price_revision", STORED, STORED))
    assert listed[["settlement_date", "settlement_period", "version"]].values.tolist() == [[STORED, period, 2]]
    assert listed["change_gbp_mwh"].round(6).tolist() == [7.5]
    untouched = {path: content for path, content in before.items() if not path.startswith(SYSTEM_PRICE)}
    assert untouched.items() <= trial.files().items()
    trial.completes(again=True)


# --- 21: values that cannot be ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "path"),
    [(SYSTEM_PRICE, "system-prices"), (MARKET_INDEX, "market-index"), (AUCTION, "deliveryStart"), (DAY_AHEAD, "Date")],
)
def test_fault_21_no_number(trial: Trial, table: str, path: str) -> None:
    """The answer is refused whole and kept raw."""
    for value in ("NaN", "Infinity", "-Infinity", "eighty"):
        trial.arm("rewrite", rewrite="set_price", value=value, path=path)
        trial.refuses("not a finite number|NaN or Infinity in it", [table])
        assert any(value.encode() in body for body in trial.raw_bodies(table, NEXT))
        trial.lift()
    trial.completes([table])


def test_fault_21_no_number_of_entsoe(entsoe_trial: Trial) -> None:
    for value in ("NaN", "inf", "eighty"):
        entsoe_trial.arm("rewrite", rewrite="point_price", value=value)
        entsoe_trial.refuses("a point is out of form", [DAY_AHEAD])
        entsoe_trial.lift()
    entsoe_trial.completes([DAY_AHEAD])


@pytest.mark.parametrize("table", [SYSTEM_PRICE, AUCTION])
def test_fault_21_absurd_value(trial: Trial, table: str) -> None:
    """A number that no market pays goes to quarantine, with the value and the bound that it broke."""
    trial.arm("rewrite", rewrite="set_price", value=1e9, path="2026-03")
    before = trial.files()
    found = trial.ask([table])
    assert before.items() <= trial.files().items()
    refused = found[found["status"] == "refused"]
    assert refused["reason"].str.contains(r"in_range\(.*\) on value 1000000000\.0$").all()
    days = [day for _, day in refused.index]
    assert days == ([STORED, NEXT] if table == SYSTEM_PRICE else days[:1])  # one answer holds both days of auctions
    for day in days:
        cases = pd.read_csv(trial.root / "quarantine" / table / str(day) / "failure_cases.csv")
        assert cases["failure_case"].astype(float).tolist() == [1e9]
    trial.completes([table])


def test_fault_21_negative_prices_are_legal(trial: Trial) -> None:
    trial.arm("rewrite", rewrite="set_price", value=-75.5)
    assert set(trial.ask()["status"]) == {"complete"}
    lowest = {
        SYSTEM_PRICE: "system_price_gbp_mwh",
        MARKET_INDEX: "market_index_price_gbp_mwh",
        AUCTION: "clearing_price_gbp_mw_h",
        DAY_AHEAD: "day_ahead_price_gbp_mwh",
    }
    for table, column in lowest.items():
        assert (lake_of(trial.root).read(table, STORED, NEXT)[column] == -75.5).sum() >= 1
    trial.completes(again=True)


# --- 22: columns ------------------------------------------------------------------------------------

COLUMNS = {
    SYSTEM_PRICE: ("settlementDate", "settlementPeriod", "startTime", "systemSellPrice", "netImbalanceVolume"),
    MARKET_INDEX: ("dataProvider", "startTime", "price", "volume"),
    AUCTION: ("auctionProduct", "deliveryStart", "deliveryEnd", "clearedVolume", "clearingPrice"),
    DAY_AHEAD: ("Date", "Delivery Period", "Price"),
}
PATHS = {SYSTEM_PRICE: "system-prices", MARKET_INDEX: "market-index", AUCTION: "deliveryStart", DAY_AHEAD: "Date"}


@pytest.mark.parametrize("rewrite", ["add_column", "reverse_columns"])
def test_fault_22_column_added_or_reordered(trial: Trial, rewrite: str) -> None:
    """Columns are known by name: one more, or another order, changes not a byte of what is stored."""
    trial.arm("rewrite", rewrite=rewrite, value="priceOfTheCompetitor")
    assert set(trial.ask()["status"]) == {"complete"}
    assert trial.files() == trial.files(trial.whole)
    trial.completes()


@pytest.mark.parametrize("table", COLUMNS)
def test_fault_22_column_renamed(trial: Trial, table: str) -> None:
    for column in COLUMNS[table]:
        trial.arm("rewrite", rewrite="rename_column", value=f"{column}:the{column}", path=PATHS[table])
        trial.refuses(
            rf"a row has no field {column} \(renamed or dropped by the provider\?\)|{column} is null", [table]
        )
        trial.lift()
    trial.completes([table])


@pytest.mark.parametrize("table", COLUMNS)
def test_fault_22_column_retyped(trial: Trial, table: str) -> None:
    for column in COLUMNS[table]:
        trial.arm("rewrite", rewrite="retype_column", value=column, path=PATHS[table])
        trial.refuses(rf"{column} is not a (finite number|time stamp|date|text|whole number)", [table])
        trial.lift()
    trial.completes([table])


@pytest.mark.parametrize(
    ("table", "column", "said"),
    [
        (SYSTEM_PRICE, "systemBuyPrice", "systemBuyPrice is null"),
        (MARKET_INDEX, "price", "price is null"),
        (AUCTION, "clearingPrice", "has price nan and volume"),
        (DAY_AHEAD, "Price", "Price is null"),
    ],
)
def test_fault_22_column_all_null(trial: Trial, table: str, column: str, said: str) -> None:
    trial.arm("rewrite", rewrite="null_column", value=column, path=PATHS[table])
    trial.refuses(said, [table])
    trial.completes([table])


def test_fault_22_prices_and_volumes_all_null(trial: Trial) -> None:
    """A window where nothing cleared is legal; a day of nothing else is none, stored before or not."""
    trial.arm("rewrite", rewrite="null_column", value="clearingPrice,clearedVolume", path="deliveryStart")
    said = rf"^{AUCTION} \S+: the newest answer has no clearing_price_gbp_mw_h in any row .*; what is stored stays$"
    trial.refuses(said, [AUCTION], stored_status="refused", rows=0)
    trial.completes([AUCTION])


@pytest.mark.parametrize(
    ("table", "field", "column"),
    [
        (SYSTEM_PRICE, "netImbalanceVolume", "net_imbalance_volume_mwh"),
        (SYSTEM_PRICE, "createdDateTime", "published_utc"),
        (MARKET_INDEX, "volume", "market_index_volume_mwh"),
    ],
)
def test_fault_22_a_column_that_may_be_null_never_empties_what_is_stored(
    trial: Trial, table: str, field: str, column: str
) -> None:
    trial.arm("rewrite", rewrite="null_column", value=field, path=PATHS[table])
    before = trial.files()
    outcome = trial.ask([table]).loc[(table, STORED)]
    assert outcome["status"] == "refused"
    assert f"the newest answer has no {column} in any row" in outcome["reason"]
    assert before.items() <= trial.files().items()
    trial.completes([table])


# --- 33 and 34 --------------------------------------------------------------------------------------


def test_fault_33_a_missed_week_is_asked_for_once(trial: Trial) -> None:
    """Beside the schedule's own test: each missing day is asked for once, a finished one never."""
    days = [STORED, *gb_time.days_between(NEXT, NEXT + timedelta(days=5))]
    with connected(trial.root, trial.server) as ingestion:
        one = dataset(SYSTEM_PRICE)
        for expected in (days[1:], []):
            trial.server.requests.clear()
            missing = ingestion.unanswered(one, days)
            ingestion.fetch(one, missing)
            ingestion.build(one, missing)
            assert [target.split("?")[0][-10:] for target in trial.server.requests] == [str(day) for day in expected]
    assert lake_of(trial.root).days(SYSTEM_PRICE) == days
    trial.completes([SYSTEM_PRICE])


@pytest.mark.parametrize("rewrite", ["entity_bomb", "external_entity"])
def test_fault_34_hostile_xml(entsoe_trial: Trial, rewrite: str) -> None:
    """Entities are neither blown up nor fetched."""
    secret = entsoe_trial.root / "secret.txt"
    secret.write_text("a text that no answer may draw in")
    entsoe_trial.arm("rewrite", rewrite=rewrite, value=secret.as_uri())
    entsoe_trial.refuses("is not whole XML, or holds a document type, which is refused", [DAY_AHEAD])
    held = entsoe_trial.raw_bodies(DAY_AHEAD, entsoe_trial.days[1])[0]
    assert len(held) < 2000
    assert b"no answer may" not in held
    entsoe_trial.completes([DAY_AHEAD])


# --- the matrix itself ------------------------------------------------------------------------------


def test_every_row_of_the_matrix_about_fetching_and_parsing_has_a_test() -> None:
    """Tests of a row are named test_fault_<number>_…; one that is skipped for good would not count."""
    found: dict[int, set[str]] = {}
    for path in TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            named = re.match(r"test_fault_(\d\d)_", node.name) if isinstance(node, ast.FunctionDef) else None
            if named and not any("skip" in ast.unparse(decorator) for decorator in node.decorator_list):
                found.setdefault(int(named[1]), set()).add(path.name)
    assert sorted(FETCHING_AND_PARSING - set(found)) == []
    assert set(found) <= set(range(1, 35))
