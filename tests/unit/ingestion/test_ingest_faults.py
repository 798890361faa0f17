"""No fault of a provider replaces good data, every fault has its reason, and a bad day stays one bad day."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from faulty_server import Clock
from ingest_tools import MARKET_TABLES, connected, dataset, datasets, hashes, ingest, lake_of, standing

from bess_pipeline import gb_time
from bess_pipeline.errors import OriginError
from bess_pipeline.ingestion.outcomes import Outcome, source_status_frame
from bess_pipeline.sample_market import Fault, MarketServer, MarketTables
from bess_pipeline.sources.http import Answer, HttpClient
from bess_pipeline.sources.provider_state import ProviderState

DAYS = gb_time.days_between(date(2026, 3, 10), date(2026, 3, 15))  # winter time: a date's requests name it alone
BAD = DAYS[2]
FAULTS = {
    "html": Fault("html"),
    "empty": Fault("empty"),
    "truncated": Fault("truncate"),
    "truncated without a length": Fault("truncate_unannounced"),
    "bad gzip": Fault("bad_gzip"),
    "reset": Fault("reset"),
    "503": Fault("status", status=503),
    "429 for a day": Fault("status", status=429, retry_after="86400"),
    "403": Fault("status", status=403),
    "hang": Fault("hang", seconds=5),
}


@pytest.fixture(scope="module")
def good(shared_server: MarketServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with DAYS complete in all tables; to be copied."""
    root = tmp_path_factory.mktemp("good")
    with connected(root, shared_server) as ingestion:
        assert {outcome.status for outcome in ingest(ingestion, DAYS)} == {"complete"}
    return root


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_after_good_data_changes_nothing_stored(
    server: MarketServer, good: Path, tmp_path: Path, kind: str
) -> None:
    """Promise P3: what is complete stays complete, and the failure of the newest ask is on record."""
    shutil.copytree(good, tmp_path, dirs_exist_ok=True)
    lake, days = lake_of(tmp_path), DAYS[:2]
    with connected(tmp_path, server, max_attempts=1) as ingestion:
        before = [ingestion.outcomes.get(one.table, day) for one in datasets() for day in days]
        content = hashes(lake)
        server.faults.add(FAULTS[kind])
        for one in datasets():
            failures = ingestion.fetch(one, days)
            assert all(failure is not None and failure.reason for failure in failures.values())
            for day in days:
                assert ingestion.vault.failure(one.raw, day) == failures[day]
        after = [outcome for one in datasets() for outcome in ingestion.build(one, days)]
    assert hashes(lake) == content
    assert after == before
    assert not list(lake.quarantine.rglob("*.txt"))


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_before_any_data_is_an_honest_outcome_and_mends_itself(
    server: MarketServer, tmp_path: Path, kind: str
) -> None:
    lake, days = lake_of(tmp_path), DAYS[:1]
    with connected(tmp_path, server, max_attempts=1) as ingestion:
        server.faults.add(FAULTS[kind])
        outcomes = ingest(ingestion, days)
        expected = "not_published" if kind == "empty" else "refused"
        assert standing(outcomes) == {(table, day): expected for table in MARKET_TABLES for day in days}
        assert all(outcome.reason and outcome.rows == 0 for outcome in outcomes)
        assert not any(lake.days(table) for table in MARKET_TABLES)
        server.faults.clear()
        mended = ingest(ingestion, days)
    assert {outcome.status for outcome in mended} == {"complete"}
    assert all(ingestion.vault.failure(one.raw, day) is None for one in datasets() for day in days)


@pytest.mark.parametrize("kind", ["html", "bad gzip", "truncated without a length"])
def test_an_answer_that_cannot_be_used_is_kept_for_inspection(server: MarketServer, tmp_path: Path, kind: str) -> None:
    wanted = dataset("market/system_price")
    with connected(tmp_path, server) as ingestion:
        server.faults.add(FAULTS[kind])
        ingest(ingestion, [BAD], [wanted])
        record = ingestion.vault.newest(wanted.raw, BAD)
        assert record is not None
        content = ingestion.vault.body(record.bodies[0].sha256)
    starts = {"html": b"<!DOCTYPE html>", "bad gzip": b"\x1f\x8b", "truncated without a length": b'{"metadata"'}
    assert content.startswith(starts[kind])


# --- one bad day among good ones ----------------------------------------------------------------------


def others_are_complete(outcomes: list[Outcome], bad: date = BAD) -> Outcome:
    """The outcome of the bad day, after checking that it is the only one that is not complete."""
    assert [outcome.date for outcome in outcomes] == DAYS
    assert {outcome.status for outcome in outcomes if outcome.date != bad} == {"complete"}
    (found,) = (outcome for outcome in outcomes if outcome.date == bad)
    return found


@pytest.mark.parametrize(
    ("table", "path", "reason"),
    [
        ("market/market_index_price", "pricing/market-index", "web page"),
        ("market/system_price", "system-prices", "web page"),
    ],
)
def test_a_maintenance_page_for_one_day_leaves_the_rest_of_its_chunk(
    server: MarketServer, tmp_path: Path, table: str, path: str, reason: str
) -> None:
    server.faults.add(Fault("html", path=path, date=BAD))
    with connected(tmp_path, server) as ingestion:
        bad = others_are_complete(ingest(ingestion, DAYS, [dataset(table)]))
    assert bad.status == "refused"
    assert reason in bad.reason
    assert lake_of(tmp_path).days(table) == [day for day in DAYS if day != BAD]


Change = Callable[[pd.DataFrame, pd.Index], pd.DataFrame]


def spoilt(tables: MarketTables, table: str, change: Change) -> MarketTables:
    """The market with one row of BAD, at its noon, changed by `change(frame, rows)`."""
    name, key = {
        "market/system_price": ("system_price", "start_utc"),
        "market/market_index_price": ("market_index", "start_utc"),
        "market/auction_clearing": ("response_auction", "delivery_start_utc"),
        "market/day_ahead_price": ("day_ahead", "start_utc"),
    }[table]
    frame = getattr(tables, name).copy()
    hour = 11 if name == "response_auction" else 12
    rows = frame.index[frame[key] == pd.Timestamp(f"{BAD}T{hour}:00Z")][:1]
    assert len(rows) == 1
    return replace(tables, **{name: change(frame, rows)})


def set_price(value: float) -> Change:
    def change(frame: pd.DataFrame, rows: pd.Index) -> pd.DataFrame:
        (column,) = (name for name in frame.columns if "price_gbp" in name)
        frame.loc[rows, column] = value
        return frame

    return change


def shift_window(frame: pd.DataFrame, rows: pd.Index) -> pd.DataFrame:
    frame.loc[rows, "delivery_end_utc"] += pd.Timedelta(hours=1)
    return frame


@pytest.mark.parametrize("table", MARKET_TABLES)
@pytest.mark.parametrize("stored_before", [False, True], ids=["new", "after good data"])
def test_an_absurd_value_is_quarantined_for_its_day_only(
    server: MarketServer, good: Path, tmp_path: Path, table: str, stored_before: bool
) -> None:
    lake, wanted = lake_of(tmp_path), [dataset(table)]
    if stored_before:
        shutil.copytree(good, tmp_path, dirs_exist_ok=True)
    content = lake.content_hash(table, [BAD])
    with (
        MarketServer(spoilt(server.tables, table, set_price(1e9))) as bad_server,
        connected(tmp_path, bad_server) as ingestion,
    ):
        bad = others_are_complete(ingest(ingestion, DAYS, wanted))
        assert bad.status == "refused"
        assert "1000000000" in bad.reason
        assert lake.content_hash(table, [BAD]) == content
        assert lake.has(table, BAD) is stored_before
        first_hour = 2 if table == "market/day_ahead_price" else 0  # of product day BAD: stored on the date before
        assert bad.rows == (bad.expected_rows if stored_before else first_hour)
        assert [path.name for path in (lake.quarantine / table).iterdir()] == [BAD.isoformat()]
        cases = pd.read_csv(lake.quarantine / table / BAD.isoformat() / "failure_cases.csv")
        assert set(cases["failure_case"].astype(float)) == {1e9}
        assert ingestion.unanswered(wanted[0], DAYS) == [BAD]
    with connected(tmp_path, server) as ingestion:
        assert others_are_complete(ingest(ingestion, DAYS, wanted)).status == "complete"


@pytest.mark.parametrize(
    ("table", "name"), [("market/system_price", "systemBuyPrice"), ("market/market_index_price", "price")]
)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, "eighty"])
def test_what_is_no_finite_number_is_refused_for_its_day_only(
    server: MarketServer, tmp_path: Path, table: str, name: str, value: object
) -> None:
    wanted = dataset(table)

    def fetch(client: HttpClient, first: date, last: date) -> list[Answer]:
        answers = wanted.fetch(client, first, last)
        bodies = [json.loads(answer.content) for answer in answers]
        for row in (row for body in bodies for row in body["data"]):
            if row["startTime"] == f"{BAD}T12:00:00Z":
                row[name] = value
        pairs = zip(answers, bodies, strict=True)
        return [replace(answer, content=json.dumps(body).encode()) for answer, body in pairs]

    with connected(tmp_path, server) as ingestion:
        bad = others_are_complete(ingest(ingestion, DAYS, [replace(wanted, fetch=fetch)]))
        assert ingestion.vault.newest(wanted.raw, BAD) is not None  # kept for inspection
    assert bad.status == "refused"
    assert any(word in bad.reason for word in ("NaN", "null", "not a finite number"))
    assert not lake_of(tmp_path).has(table, BAD)


def test_a_window_of_the_wrong_length_spoils_its_own_day_of_a_long_range(server: MarketServer, tmp_path: Path) -> None:
    """All days are in one NESO request; the day is found by asking for each alone."""
    table = "market/auction_clearing"
    with (
        MarketServer(spoilt(server.tables, table, shift_window)) as bad_server,
        connected(tmp_path, bad_server) as ingestion,
    ):
        bad = others_are_complete(ingest(ingestion, DAYS, [dataset(table)]))
    assert bad.status == "refused"
    assert "is not its EFA block" in bad.reason
    assert lake_of(tmp_path).days(table) == [day for day in DAYS if day != BAD]


@pytest.mark.parametrize("table", MARKET_TABLES)
def test_an_answer_that_lacks_stored_rows_never_replaces_them(server: MarketServer, tmp_path: Path, table: str) -> None:
    lake, wanted = lake_of(tmp_path), [dataset(table)]
    with connected(tmp_path, server) as ingestion:
        ingest(ingestion, DAYS, wanted)
    content = lake.content_hash(table)
    short_tables = spoilt(server.tables, table, lambda frame, rows: frame.drop(index=rows))
    with MarketServer(short_tables) as short, connected(tmp_path, short) as ingestion:
        bad = others_are_complete(ingest(ingestion, DAYS, wanted))
    assert lake.content_hash(table) == content
    assert bad.status == "refused"
    lost = 2 if table == "market/day_ahead_price" else 1  # an hour is two half-hours
    assert f"lacks {lost} rows that are stored; the stored day stays" in bad.reason
    assert bad.rows == bad.expected_rows


def test_a_damaged_answer_on_disk_is_named_and_does_not_touch_the_neighbours(
    server: MarketServer, tmp_path: Path
) -> None:
    table = "market/system_price"
    lake, wanted = lake_of(tmp_path), dataset(table)
    with connected(tmp_path, server) as ingestion:
        ingest(ingestion, DAYS, [wanted])
        content = lake.content_hash(table)
        record = ingestion.vault.newest(wanted.raw, BAD)
        assert record is not None
        (damaged,) = ingestion.vault.root.rglob(f"{record.bodies[0].sha256}.gz")
        damaged.write_bytes(damaged.read_bytes()[:-20])
        bad = others_are_complete(ingestion.build(wanted, DAYS))
        assert bad.status == "refused"
        assert damaged.name in bad.reason
        assert "--force" in bad.reason
        assert lake.content_hash(table) == content
        assert others_are_complete(ingest(ingestion, DAYS, [wanted])).status == "complete"


# --- data of another origin ------------------------------------------------------------------------------


def test_an_answer_of_another_origin_ends_the_run_and_nothing_is_written(server: MarketServer, tmp_path: Path) -> None:
    origins: list[str | None] = []

    def refuse(origin: str | None) -> None:
        origins.append(origin)
        raise OriginError("this workspace holds live data")

    for one in datasets():
        with connected(tmp_path, server, admit=refuse) as ingestion, pytest.raises(OriginError, match="holds live"):
            ingestion.fetch(one, DAYS)
    assert set(origins) == {"simulated"}
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_maintenance_page_of_another_origin_is_refused_too(server: MarketServer, tmp_path: Path) -> None:
    def refuse(origin: str | None) -> None:
        raise OriginError(f"{origin} data has no place here")

    server.faults.add(Fault("html"))
    with connected(tmp_path, server, admit=refuse) as ingestion, pytest.raises(OriginError, match="simulated"):
        ingestion.fetch(dataset("market/system_price"), [BAD])
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_provider_that_is_away_is_not_asked_for_every_day(server: MarketServer, tmp_path: Path) -> None:
    """Fault 6: its breaker opens and says so per day, other sources go on, and later the gap is filled."""
    server.faults.add(Fault("status", status=503, path="system-prices"))
    clock = Clock()
    state = ProviderState(None, clock)
    prices, auctions = dataset("market/system_price"), dataset("market/auction_clearing")
    with connected(tmp_path, server, max_attempts=1, state=state) as ingestion:
        failures = ingestion.fetch(prices, DAYS)
        assert sum("system-prices" in request for request in server.requests) == 5
        outcomes = ingestion.build(prices, DAYS)
        assert set(ingestion.fetch(auctions, DAYS).values()) == {None}
    assert all("HTTP 503" in failure.reason for failure in failures.values() if failure)
    assert [day for day, failure in failures.items() if failure and not failure.asked] == [DAYS[-1]]
    told = source_status_frame(outcomes).set_index("date").loc[DAYS[-1]]
    assert told["status"] == "refused"
    assert "elexon (127.0.0.1:" in told["reason"]
    assert "was not asked, because its circuit breaker is open from" in told["reason"]
    server.faults.clear()
    with connected(tmp_path, server, state=state) as again:
        assert all(failure and not failure.asked for failure in again.fetch(prices, DAYS).values())
        clock.seconds += 60
        assert set(again.fetch(prices, DAYS).values()) == {None}


def test_two_days_that_can_never_be_served_do_not_keep_the_days_behind_them_waiting(
    server: MarketServer, tmp_path: Path
) -> None:
    """Each run opens the breaker at them; the next run asks for the others first."""
    clock = Clock()
    state = ProviderState(None, clock)
    for day in DAYS[:2]:
        server.faults.add(Fault("status", status=503, path=f"system-prices/{day}"))
    one = dataset("market/system_price")
    with connected(tmp_path, server, max_attempts=4, state=state) as ingestion:
        first = ingestion.fetch(one, DAYS)
        assert [day for day, failure in first.items() if failure and failure.asked] == DAYS[:2]
        assert all(first.values())
        clock.seconds += 60
        second = ingestion.fetch(one, DAYS)
        assert list(second) == DAYS
        assert [day for day, failure in second.items() if failure] == DAYS[:2]
