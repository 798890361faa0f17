"""From a served market to the lake: values, clock change, product days, publication, order and resumption.

The oracle is the simulated market's own tables, never what the ingestion code made of them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from ingest_tools import MARKET_TABLES, connected, dataset, datasets, hashes, ingest, lake_of, standing

from bess_pipeline import gb_time, schemas
from bess_pipeline.ingestion.outcomes import never_built, source_status_frame
from bess_pipeline.lake import Lake
from bess_pipeline.sample_market import Fault, MarketServer, MarketTables

SPRING = date(2026, 3, 29)
DAYS = gb_time.days_between(date(2026, 3, 27), date(2026, 3, 31))
DAY_AHEAD = "market/day_ahead_price"


@pytest.fixture(scope="module")
def whole(shared_server: MarketServer, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """DAYS, ingested at once from a market where all is published; treat as read-only."""
    root = tmp_path_factory.mktemp("whole")
    with connected(root, shared_server) as ingestion:
        outcomes = ingest(ingestion, DAYS)
    assert {outcome.status for outcome in outcomes} == {"complete"}
    return lake_of(root)


def within(frame: pd.DataFrame, column: str = "start_utc") -> pd.DataFrame:
    start, end = gb_time.settlement_day_bounds_utc(DAYS[0])[0], gb_time.settlement_day_bounds_utc(DAYS[-1])[1]
    return frame[(frame[column] >= start) & (frame[column] < end)]


# --- values ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "attributes", "keys"),
    [
        ("market/system_price", ["system_price"], ["start_utc"]),
        ("market/market_index_price", ["market_index"], ["start_utc"]),
        ("market/auction_clearing", ["response_auction", "reserve_auction"], ["product", "delivery_start_utc"]),
    ],
)
def test_every_value_of_the_market_arrives_unchanged(
    whole: Lake, market: MarketTables, table: str, attributes: list[str], keys: list[str]
) -> None:
    served = within(pd.concat([getattr(market, name) for name in attributes]), keys[-1])
    served = served.sort_values(keys, ignore_index=True)
    stored = whole.read_all(table).sort_values(keys, ignore_index=True)
    assert set(served.columns) == set(stored.columns)
    assert len(stored) == len(served) > 0
    pd.testing.assert_frame_equal(stored, served[list(stored.columns)], check_dtype=False, check_exact=True)


def test_every_hour_of_the_day_ahead_price_arrives_on_both_its_half_hours(whole: Lake, market: MarketTables) -> None:
    assert market.day_ahead is not None
    hourly = market.day_ahead.set_index("start_utc")["day_ahead_price_gbp_mwh"]
    stored = whole.read_all(DAY_AHEAD)
    last_hour = gb_time.efa_day_bounds_utc(DAYS[-1])[1]
    first = gb_time.settlement_day_bounds_utc(DAYS[0])[0]
    assert stored["start_utc"].tolist() == list(gb_time.half_hours(first, last_hour + timedelta(hours=1)))
    assert stored["day_ahead_price_gbp_mwh"].tolist() == [hourly[start.floor("h")] for start in stored["start_utc"]]
    assert set(stored["source"]) == {"neso_n2ex"}
    assert set(stored["native_resolution_minutes"]) == {60}


@pytest.mark.parametrize("table", ["market/system_price", "market/market_index_price", DAY_AHEAD])
def test_the_clock_change_day_has_its_46_half_hours(whole: Lake, table: str) -> None:
    rows = whole.read(table, SPRING, SPRING)
    assert rows["settlement_period"].tolist() == list(range(1, 47))
    starts = rows.set_index("settlement_period")["start_utc"]
    assert starts[2] == pd.Timestamp("2026-03-29T00:30Z")
    assert starts[3] == pd.Timestamp("2026-03-29T01:00Z")  # 02:00 British Summer Time
    assert starts[46] == pd.Timestamp("2026-03-29T22:30Z")


def test_the_three_hour_response_block_of_the_clock_change_is_stored_as_such(whole: Lake) -> None:
    rows = whole.read("market/auction_clearing", DAYS[0], DAYS[-1])
    response = rows["product"].str.startswith("D")
    first_block = rows[response & (rows["efa_date"] == SPRING) & (rows["efa_block"] == 1)]
    assert len(first_block) == 6
    hours = (first_block["delivery_end_utc"] - first_block["delivery_start_utc"]) / pd.Timedelta(hours=1)
    assert set(hours) == {3.0}


# --- order and number of runs (promise P1) --------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2])
def test_any_order_and_number_of_runs_gives_the_same_content(
    whole: Lake, server: MarketServer, tmp_path: Path, seed: int
) -> None:
    draw = random.Random(seed)
    steps = [(one, [day]) for one in datasets() for day in DAYS]
    draw.shuffle(steps)
    again = draw.sample(steps, 6)
    with connected(tmp_path, server) as ingestion:
        for one, days in steps + again:
            ingest(ingestion, days, [one])
    assert hashes(lake_of(tmp_path)) == hashes(whole)


def test_a_second_whole_run_changes_no_byte(whole: Lake, server: MarketServer, tmp_path: Path) -> None:
    lake = lake_of(tmp_path)
    with connected(tmp_path, server) as ingestion:
        ingest(ingestion, DAYS)
        before = {path: path.read_bytes() for path in lake.root.rglob("*.parquet")}
        ingest(ingestion, DAYS)
    assert {path: path.read_bytes() for path in lake.root.rglob("*.parquet")} == before
    assert hashes(lake) == hashes(whole)


# --- publication and product days -------------------------------------------------------------------


class Clock:
    """A now that a test sets."""

    def __init__(self, now: str) -> None:
        self.now = datetime.fromisoformat(now)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def served_at(market: MarketTables) -> Iterator[object]:
    """A function: a server of what the market has published by an instant."""
    running: list[MarketServer] = []

    def serve(instant: str) -> MarketServer:
        server = MarketServer(replace(market, now_utc=datetime.fromisoformat(instant)))
        running.append(server.__enter__())
        return server

    yield serve
    for server in running:
        server.close()


def last_hour(lake: Lake, day: date) -> int:
    """Stored day-ahead half-hours of 23:00 to 24:00 London on a settlement date."""
    rows = lake.read(DAY_AHEAD, day, day)
    return int((rows["start_utc"] >= gb_time.efa_day_bounds_utc(day)[1]).sum())


def test_the_last_hour_of_a_day_comes_with_the_next_product_day(tmp_path: Path, served_at, server) -> None:
    """Product day D runs to 23:00 of D: complete at 12:00 on D-1, with 46 of the 48 half-hours of date D."""
    day, after = date(2026, 3, 25), date(2026, 3, 26)
    noon_before = "2026-03-24T12:00+00:00"
    lake, prices = lake_of(tmp_path), dataset(DAY_AHEAD)
    with connected(tmp_path, served_at(noon_before), now=Clock(noon_before)) as ingestion:
        (outcome,) = ingest(ingestion, [day], [prices])
    assert (outcome.status, outcome.expected_rows, outcome.rows) == ("complete", 48, 48)
    assert len(lake.read(DAY_AHEAD, day, day)) == 46
    assert last_hour(lake, day) == 0
    with connected(tmp_path, server) as ingestion:
        ingest(ingestion, [after], [prices])
    assert len(lake.read(DAY_AHEAD, day, day)) == 48
    assert last_hour(lake, day) == 2


@pytest.mark.parametrize("order", ["early then late", "late then early", "after only, then day"])
def test_the_order_of_product_days_does_not_matter(tmp_path: Path, served_at, server, order: str) -> None:
    day, after = date(2026, 3, 25), date(2026, 3, 26)
    noon = "2026-03-24T12:00+00:00"
    lake, prices = lake_of(tmp_path / "this"), dataset(DAY_AHEAD)
    if order == "early then late":
        with connected(tmp_path / "this", served_at(noon), now=Clock(noon)) as ingestion:
            ingest(ingestion, [day], [prices])
    with connected(tmp_path / "this", server) as ingestion:
        for one in [after, day] if order == "late then early" else [after, after, day]:
            ingest(ingestion, [one], [prices])
    reference = lake_of(tmp_path / "at once")
    with connected(tmp_path / "at once", server) as ingestion:
        ingest(ingestion, [day, after], [prices])
    assert lake.content_hash(DAY_AHEAD, [day, after]) == reference.content_hash(DAY_AHEAD, [day, after])
    assert last_hour(lake, day) == 2


def test_a_gap_in_the_days_built_does_not_leave_a_last_hour_open(tmp_path: Path, served_at, server) -> None:
    """A resumed run builds the days that are not complete, here two with complete ones between them."""
    monday, wednesday, thursday = date(2026, 3, 23), date(2026, 3, 25), date(2026, 3, 26)
    noon = "2026-03-24T12:00+00:00"
    lake, prices = lake_of(tmp_path), dataset(DAY_AHEAD)
    with connected(tmp_path, served_at(noon), now=Clock(noon)) as ingestion:
        ingest(ingestion, [monday + timedelta(days=1), wednesday], [prices])
    assert last_hour(lake, wednesday) == 0
    with connected(tmp_path, server) as ingestion:
        ingest(ingestion, [monday, thursday], [prices])
    assert last_hour(lake, wednesday) == 2


def test_a_day_that_cannot_be_out_yet_is_not_asked_for(tmp_path: Path, served_at) -> None:
    now = "2026-03-24T09:59+00:00"
    server = served_at(now)
    tomorrow = date(2026, 3, 25)
    with connected(tmp_path, server, now=Clock(now)) as ingestion:
        outcomes = ingest(ingestion, [tomorrow], [dataset(DAY_AHEAD), dataset("market/system_price")])
    assert [outcome.status for outcome in outcomes] == ["not_published", "not_published"]
    assert [outcome.reason for outcome in outcomes] == [
        "published from 2026-03-24T10:00Z",
        "published from 2026-03-25T00:00Z",
    ]
    assert server.requests == []
    assert not lake_of(tmp_path).has(DAY_AHEAD, tomorrow)


@pytest.mark.parametrize("table", MARKET_TABLES)
def test_a_day_in_progress_is_not_published_with_a_reason(tmp_path: Path, served_at, table: str) -> None:
    now = "2026-03-24T09:00+00:00"
    day = date(2026, 3, 24) if table != DAY_AHEAD else date(2026, 3, 25)
    with connected(tmp_path, served_at(now), now=Clock("2026-03-24T10:05+00:00")) as ingestion:
        (outcome,) = ingest(ingestion, [day], [dataset(table)])
    assert outcome.status == "not_published"
    assert outcome.rows < outcome.expected_rows
    assert outcome.reason != ""


def test_rows_still_missing_a_day_after_they_were_due_are_refused_and_named(tmp_path: Path, server) -> None:
    day = date(2026, 3, 25)
    prices = server.tables.system_price
    with_hole = prices[~((prices["settlement_date"] == day) & (prices["settlement_period"].isin([5, 6])))]
    with (
        MarketServer(replace(server.tables, system_price=with_hole)) as holed,
        connected(tmp_path, holed) as ingestion,
    ):
        (outcome,) = ingest(ingestion, [day], [dataset("market/system_price")])
    assert (outcome.status, outcome.expected_rows, outcome.rows) == ("refused", 48, 46)
    assert outcome.reason == "2 of 48 missing: 2026-03-25T02:00Z, 2026-03-25T02:30Z"
    assert len(lake_of(tmp_path).read("market/system_price", day, day)) == 46


@pytest.mark.parametrize("table", MARKET_TABLES)
def test_a_provider_that_has_less_than_before_takes_nothing_away(
    tmp_path: Path, served_at, server: MarketServer, table: str
) -> None:
    """Publication undone: nothing of the day is out any more, or only a part of it."""
    day, lake, wanted = date(2026, 3, 25), lake_of(tmp_path), [dataset(table)]
    with connected(tmp_path, server) as ingestion:
        ingest(ingestion, [day - timedelta(days=1), day], wanted)
    before = lake.content_hash(table)
    for undone in ("2026-03-20T00:00+00:00", "2026-03-25T06:10+00:00"):
        with connected(tmp_path, served_at(undone), now=Clock("2026-04-12T09:00+00:00")) as ingestion:
            failures = ingestion.fetch(wanted[0], [day])
            (outcome,) = ingestion.build(wanted[0], [day])
        assert lake.content_hash(table) == before
        assert outcome.rows == outcome.expected_rows
        if failures[day] is not None:  # nothing at all came: what is stored is complete, and says so
            assert failures[day].status == "not_published"
            assert outcome.status == "complete"
        elif outcome.status == "refused":
            assert "lacks" in outcome.reason
            assert "the stored day stays" in outcome.reason


# --- revisions and resumption ------------------------------------------------------------------------


def test_a_revised_value_replaces_the_old_one_and_both_answers_are_kept(tmp_path: Path, server: MarketServer) -> None:
    day, wanted = date(2026, 3, 25), dataset("market/system_price")
    prices = server.tables.system_price.copy()
    row = prices.index[(prices["settlement_date"] == day) & (prices["settlement_period"] == 20)][0]
    revised = prices.copy()
    revised.loc[row, "system_price_gbp_mwh"] = prices.loc[row, "system_price_gbp_mwh"] + 7.25
    lake = lake_of(tmp_path)
    with connected(tmp_path, server) as ingestion:
        ingest(ingestion, [day], [wanted])
    first = lake.read(wanted.table, day, day)
    with (
        MarketServer(replace(server.tables, system_price=revised)) as later,
        connected(tmp_path, later) as ingestion,
    ):
        (outcome,) = ingest(ingestion, [day], [wanted])
        answers = [ingestion.vault.body(one.bodies[0].sha256) for one in ingestion.vault.records(wanted.raw, day)]
    changed = lake.read(wanted.table, day, day)["system_price_gbp_mwh"] - first["system_price_gbp_mwh"]
    assert outcome.status == "complete"
    assert changed[changed != 0].to_dict() == {19: pytest.approx(7.25)}
    assert len(answers) == len(set(answers)) == 2


def test_finished_days_are_not_asked_for_again(tmp_path: Path, server: MarketServer) -> None:
    """Promise P8, with one day that could not be had at first."""
    bad = DAYS[2]
    server.faults.add(Fault("status", path=f"system-prices/{bad}"))
    wanted = dataset("market/system_price")
    with connected(tmp_path, server) as ingestion:
        assert ingestion.unanswered(wanted, DAYS) == DAYS
        ingest(ingestion, DAYS, [wanted])
        assert ingestion.unanswered(wanted, DAYS) == ingestion.unfinished(wanted, DAYS) == [bad]
        server.faults.clear()
        server.requests.clear()
        ingestion.fetch(wanted, ingestion.unanswered(wanted, DAYS))
        ingestion.build(wanted, ingestion.unfinished(wanted, DAYS))
        assert ingestion.unfinished(wanted, DAYS) == []
    assert [target.split("?")[0].split("/")[-1] for target in server.requests] == [bad.isoformat()]


@pytest.mark.parametrize("table", MARKET_TABLES)
def test_days_fetched_before_a_stop_are_built_without_asking_again(
    tmp_path: Path, server: MarketServer, whole: Lake, table: str
) -> None:
    wanted = dataset(table)
    with connected(tmp_path, server) as ingestion:
        ingestion.fetch(wanted, DAYS)
        assert ingestion.unanswered(wanted, DAYS) == []
        assert ingestion.unfinished(wanted, DAYS) == DAYS
        ingestion.build(wanted, DAYS)
        assert ingestion.unfinished(wanted, DAYS) == []
    assert lake_of(tmp_path).content_hash(table) == whole.content_hash(table)


def test_an_answer_that_was_judged_and_found_short_is_asked_for_again(tmp_path: Path, served_at, server) -> None:
    day, wanted = date(2026, 3, 25), dataset("market/system_price")
    early = "2026-03-25T09:00+00:00"
    with connected(tmp_path, served_at(early), now=Clock(early)) as ingestion:
        ingestion.fetch(wanted, [day])
        assert ingestion.unanswered(wanted, [day]) == [day]
        ingestion.build(wanted, [day])
        assert ingestion.unanswered(wanted, [day]) == [day]
    with connected(tmp_path, server) as ingestion:
        ingestion.fetch(wanted, [day])
        assert ingestion.unanswered(wanted, [day]) == []


def test_outcomes_become_rows_of_the_status_table(tmp_path: Path, server: MarketServer) -> None:
    with connected(tmp_path, server) as ingestion:
        outcomes = ingest(ingestion, DAYS[:1])
        assert [ingestion.outcomes.get(one.dataset, one.date) for one in outcomes] == outcomes
        assert ingestion.outcomes.get("market/system_price", DAYS[3]) is None
    frame = schemas.validate("market/source_status", source_status_frame(outcomes))
    assert frame["dataset"].tolist() == sorted(MARKET_TABLES)
    assert set(frame["status"]) == {"complete"}
    assert frame["rows"].tolist() == frame["expected_rows"].tolist()
    assert (frame["fetched_utc"] == pd.Timestamp(datetime(2026, 4, 12, 8, 50, tzinfo=UTC))).all()
    assert standing(outcomes) == {(table, DAYS[0]): "complete" for table in MARKET_TABLES}
    assert source_status_frame([]).empty


def test_a_dataset_that_was_never_built_keeps_its_day_from_being_complete() -> None:
    outcome = never_built(dataset(DAY_AHEAD), SPRING)
    frame = schemas.validate("market/source_status", source_status_frame([outcome]))
    assert frame.loc[0, ["dataset", "status", "expected_rows", "rows"]].tolist() == [DAY_AHEAD, "refused", 46, 0]
    assert frame.loc[0, "reason"] == f"{DAY_AHEAD} was never built for 2026-03-29: materialise it first"


def test_the_standing_in_index_is_complete_from_the_first_day_on_and_asked_for_once(
    tmp_path: Path, server: MarketServer, market: MarketTables
) -> None:
    """A within-day index has no product day, so that no hour of the day before is missing from the first day."""
    wanted = [dataset("market/market_index_price"), dataset(DAY_AHEAD, "elexon_mid")]
    with connected(tmp_path, server) as ingestion:
        outcomes = ingest(ingestion, DAYS, wanted)
    assert {outcome.status for outcome in outcomes} == {"complete"}
    assert [outcome.rows for outcome in outcomes if outcome.date == SPRING] == [46, 46]
    assert len(server.requests) == 1
    stored, index = lake_of(tmp_path).read_all(DAY_AHEAD), within(market.market_index)
    assert stored["day_ahead_price_gbp_mwh"].tolist() == index["market_index_price_gbp_mwh"].tolist()
    assert stored["start_utc"].tolist() == index["start_utc"].tolist()
    assert set(stored["source"]) == {"elexon_mid"}
