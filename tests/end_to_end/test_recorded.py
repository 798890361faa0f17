"""Recorded GB prices over real HTTP into a new workspace; one bad day among five; a server that ends when told."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import dagster as dg
import pandas as pd
import pytest
import small_workspace
from bess_command import Done, done, run_bess

from bess_pipeline import gb_time
from bess_pipeline.orchestration.jobs import PUBLISH
from bess_pipeline.sample_market import Fault, MarketServer, load_tables, simulate
from bess_pipeline.warehouse import query

LONG_DAY = date(2024, 10, 27)
TABLES = ("system_price", "market_index", "response_auction")
HISTORY_DAYS = 7


# --- a recorded market in another process ------------------------------------------------------


class Replay(NamedTuple):
    """A `bess serve-market` process, its address and the settings it says to export."""

    process: subprocess.Popen[str]
    url: str
    exports: Mapping[str, str]


@contextmanager
def serving(tables: Path) -> Iterator[Replay]:
    """`bess serve-market --tables … --port 0`, from the line that says it is ready; ended on leaving."""
    bess = str(Path(sys.executable).with_name("bess"))
    process = subprocess.Popen(
        [bess, "serve-market", "--tables", str(tables), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        ready = re.fullmatch(r"listening on (http://127\.0\.0\.1:\d+)\n", process.stdout.readline())
        assert ready is not None
        said = [process.stderr.readline() for _ in range(4)]
        assert said[0].startswith("recorded market, 2023-07-01 to 2025-03-31")
        exports = dict(re.findall(r"export (\w+)=(\S+)", "".join(said)))
        yield Replay(process, ready[1], exports)
    finally:
        process.kill()
        process.communicate(timeout=60)


@pytest.fixture(scope="module")
def tables(realdata: Path) -> Path:
    """The folder of recorded tables."""
    return realdata / "tables"


@pytest.fixture(scope="module")
def replay(tables: Path) -> Iterator[Replay]:
    with serving(tables) as running:
        yield running


def backfill(folder: Path, replay: Replay, first: date, last: date, **settings: str) -> Done:
    """`bess backfill` of recorded days into `folder`/gb, with that folder as the working directory."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        for name, value in {**replay.exports, **small_workspace.CHEAP_FORECASTS, **settings}.items():
            monkeypatch.setenv(name, value)
        return run_bess("--workspace", "gb", "backfill", "--from", first, "--to", last)


def recorded(tables: Path, name: str, first: date, last: date, day: str = "settlement_date") -> pd.DataFrame:
    frame = pd.read_parquet(tables / f"{name}.parquet")
    return frame[(frame[day] >= first) & (frame[day] <= last)].reset_index(drop=True)


def stored(database: Path, table: str, first: date, last: date, day: str = "settlement_date") -> pd.DataFrame:
    between = f"{day} BETWEEN DATE '{first}' AND DATE '{last}'"
    return query(database, f"SELECT * FROM market.{table} WHERE {between} ORDER BY ALL")


def check_equal(tables: Path, database: Path, first: date, last: date) -> None:
    """Every value of the warehouse's four market tables is that of the recorded tables, and none is missing."""
    for name, table, columns in (
        ("system_price", "system_price", {"system_price_gbp_mwh": 0, "net_imbalance_volume_mwh": 0}),
        ("market_index", "market_index_price", {"market_index_price_gbp_mwh": 0, "market_index_volume_mwh": 0}),
    ):
        key = ["settlement_date", "settlement_period", "start_utc"]
        wanted = recorded(tables, name, first, last)[[*key, *columns]]
        got = stored(database, table, first, last)[[*key, *columns]]
        same(got, wanted, key)
    index = recorded(tables, "market_index", first, last)
    day_ahead = stored(database, "day_ahead_price", first, last)
    assert set(day_ahead["source"]) == {"elexon_mid"}
    assert set(day_ahead["native_resolution_minutes"]) == {30}
    renamed = index.rename(columns={"market_index_price_gbp_mwh": "day_ahead_price_gbp_mwh"})
    columns = ["settlement_date", "settlement_period", "start_utc", "day_ahead_price_gbp_mwh"]
    same(day_ahead[columns], renamed[columns], ["start_utc"])
    key = ["product", "delivery_start_utc"]
    auctions = stored(database, "auction_clearing", first, last, "efa_date")
    wanted = recorded(tables, "response_auction", first, last, "efa_date")[list(auctions.columns)]
    assert set(auctions["product"]) == {"DCL", "DCH", "DML", "DMH", "DRL", "DRH"}
    same(auctions, wanted, key)


def same(got: pd.DataFrame, wanted: pd.DataFrame, key: list[str]) -> None:
    """Equal frames but for the order of rows and the resolution of instants; equal values are exactly equal."""
    frames = []
    for frame in (got, wanted):
        frame = frame.sort_values(key, ignore_index=True)
        for column in frame.columns:
            if isinstance(frame[column].dtype, pd.DatetimeTZDtype):
                frame[column] = frame[column].dt.tz_convert("UTC").dt.as_unit("us")
            elif pd.api.types.is_numeric_dtype(frame[column]):
                frame[column] = frame[column].astype("float64")
            else:
                frame[column] = frame[column].astype(str)
        frames.append(frame)
    assert len(frames[0]) > 0
    pd.testing.assert_frame_equal(*frames, check_exact=True)


# --- four days around the end of summer time ---------------------------------------------------


class Ingested(NamedTuple):
    folder: Path
    database: Path
    result: Done


FIRST, LAST = date(2024, 10, 25), date(2024, 10, 28)


@pytest.fixture(scope="module")
def four_days(replay: Replay, tmp_path_factory: pytest.TempPathFactory) -> Ingested:
    folder = tmp_path_factory.mktemp("recorded")
    result = backfill(folder, replay, FIRST, LAST, BESS_TRADING__HISTORY_DAYS=str(HISTORY_DAYS))
    return Ingested(folder, folder / "gb" / "bess.duckdb", result)


def test_a_backfill_of_recorded_days_is_complete(four_days: Ingested) -> None:
    assert (four_days.result.status, four_days.result.out) == (0, "")
    assert "4 of 4 days are complete" in four_days.result.err
    assert "a within-day index standing in for day-ahead (labelled elexon_mid)" in four_days.result.err
    assert '"origin": "recorded"' in (four_days.folder / "gb" / "workspace.json").read_text()


def test_the_warehouse_holds_exactly_the_recorded_values(four_days: Ingested, tables: Path) -> None:
    check_equal(tables, four_days.database, FIRST - timedelta(days=HISTORY_DAYS), LAST)


def test_the_long_day_has_50_periods_and_a_block_of_five_hours(four_days: Ingested) -> None:
    for table in ("system_price", "market_index_price", "day_ahead_price"):
        rows = stored(four_days.database, table, FIRST, LAST)
        counts = rows.groupby("settlement_date")["settlement_period"].agg(["count", "min", "max"])
        assert counts["count"].tolist() == counts["max"].tolist() == [48, 48, 50, 48]
        assert set(counts["min"]) == {1}
    auctions = stored(four_days.database, "auction_clearing", LONG_DAY, LONG_DAY, "efa_date")
    hours = (auctions["delivery_end_utc"] - auctions["delivery_start_utc"]) / pd.Timedelta(hours=1)
    assert hours[auctions["efa_block"] == 1].tolist() == [5.0] * 6
    assert hours[auctions["efa_block"] != 1].tolist() == [4.0] * 30
    dispatch = query(
        four_days.database, "SELECT strategy, efa_date, count(*) AS n FROM trading.dispatch GROUP BY ALL ORDER BY ALL"
    )
    assert dispatch["n"].tolist() == [48, 48, 50, 48] * 3


def test_the_panel_gives_each_half_hour_its_blocks_price(four_days: Ingested, tables: Path) -> None:
    """A view's join over the hour that comes twice: 50 rows, each product's block price on each."""
    panel = query(four_days.database, f"SELECT * FROM market.price_panel WHERE efa_date = DATE '{LONG_DAY}'")
    wanted = recorded(tables, "response_auction", LONG_DAY, LONG_DAY, "efa_date")
    assert len(panel) == panel["start_utc"].nunique() == 50
    for product in ("DCL", "DRH"):
        price = wanted[wanted["product"] == product].set_index("efa_block")["clearing_price_gbp_mw_h"]
        got = panel.groupby("efa_block")[f"{product.lower()}_price_gbp_mw_h"].agg(["min", "max", "size"])
        assert got["size"].tolist() == [10, 8, 8, 8, 8, 8]
        assert got["min"].tolist() == got["max"].tolist() == price.tolist()


def test_the_report_says_what_stands_in_for_day_ahead(four_days: Ingested) -> None:
    page = " ".join((four_days.folder / "gb" / "reports" / "report.html").read_text(encoding="utf-8").split())
    assert "market index standing in for day-ahead" in page
    assert "Contains BMRS data" in page
    assert "simulated" not in page.lower()
    figures = {path.name for path in (four_days.folder / "gb" / "reports" / "figures").glob("*.png")}
    assert f"dispatch_rule_based_{LONG_DAY}.png" in figures


@pytest.mark.slow
def test_days_after_the_records_end_are_listed(four_days: Ingested, replay: Replay, tmp_path: Path) -> None:
    """The last recorded day is 2025-03-31: its trading day is whole, the next one's is not there."""
    result = backfill(tmp_path, replay, date(2025, 3, 31), date(2025, 4, 1), BESS_TRADING__HISTORY_DAYS="7")
    assert result.status == 1
    listed = {line.split()[1] for line in result.out.splitlines() if line.startswith("2025-04-01")}
    assert {"market/system_price", "market/day_ahead_price", "market/auction_clearing"} <= listed


@pytest.mark.slow
def test_two_months_of_recorded_days(replay: Replay, tables: Path, tmp_path: Path) -> None:
    first, last = date(2024, 10, 1), date(2024, 11, 30)
    result = backfill(tmp_path, replay, first, last)
    assert result.status == 0, result.out + result.err
    assert "61 of 61 days are complete" in result.err
    check_equal(tables, tmp_path / "gb" / "bess.duckdb", first, last)
    settled = query(tmp_path / "gb" / "bess.duckdb", "SELECT DISTINCT status FROM trading.run_status")
    assert settled["status"].tolist() == ["complete"]


def test_a_market_server_ends_when_told(tables: Path) -> None:
    """Also while a request is hanging, and at once."""
    with serving(tables) as running:
        urllib.request.urlopen(f"{running.url}/bess/faults?kind=hang&seconds=600", timeout=10).close()
        url = running.exports["BESS_SOURCES__ELEXON_BASE_URL"]
        ask = f"import urllib.request; urllib.request.urlopen('{url}/balancing/settlement/system-prices/2024-10-27')"
        with subprocess.Popen([sys.executable, "-c", ask], stderr=subprocess.DEVNULL) as client:
            running.process.send_signal(signal.SIGTERM)
            assert running.process.wait(timeout=20) == 0
            client.wait(timeout=60)


# --- one bad day in a range of five ------------------------------------------------------------


def failed_verdict(workspace: Path) -> str:
    """What the verdict of the newest publish run says; the run has failed."""
    with dg.DagsterInstance.from_config(str(workspace / "dagster_home")) as instance:
        (run,) = instance.get_runs(filters=dg.RunsFilter(job_name=PUBLISH), limit=1)
        assert run.status == dg.DagsterRunStatus.FAILURE
        (entry,) = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
        assert entry.dagster_event is not None
        failure = entry.dagster_event.step_failure_data.user_failure_data
        assert entry.dagster_event.step_key == "report__verdict"
        assert failure is not None
        return str(failure.description)


def statuses(database: Path) -> dict[tuple[date, str], str]:
    rows = query(database, "SELECT efa_date, strategy, status FROM trading.run_status")
    return {(pd.Timestamp(row.efa_date).date(), row.strategy): row.status for row in rows.itertuples()}


@pytest.mark.slow
def test_fault_29_a_maintenance_page_for_one_days_prices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NESO answers HTML with status 200 to every ask for the N2EX prices of the last of five product days."""
    first, bad = small_workspace.FIRST, small_workspace.LAST
    monkeypatch.chdir(tmp_path)
    small_workspace.use_settings(monkeypatch)
    command = ("--workspace", "five", "backfill", "--from", first, "--to", bad)
    with MarketServer(simulate()) as server:
        for name, url in server.base_urls.items():
            monkeypatch.setenv(f"BESS_SOURCES__{name.upper()}", url)
        server.faults.add(Fault("html", path=f"\"Date\" <= '{bad}'"))
        server.faults.add(Fault("html", path=f"\"Date\" <= '{bad - timedelta(days=2)}'"))  # its neighbours hold it
        result = run_bess(*command)
        assert result.status == 1
        assert "4 of 5 days are complete" in result.err
        lines = result.out.splitlines()
        assert {line[:10] for line in lines} == {str(bad)}
        every = {*small_workspace.STRATEGIES, *small_workspace.MARKET_STRATEGIES}
        assert {line.split()[1] for line in lines} == {"market/day_ahead_price", *every}
        assert re.search(r"market/day_ahead_price  refused: .* answered with a web page \(HTTP 200\)", result.out)
        verdict = failed_verdict(Path("five"))
        assert verdict.startswith("1 of 5 days are not complete:")
        assert all(line in verdict for line in lines)
        found = statuses(Path("five/bess.duckdb"))
        for strategy in every:
            assert found.pop((bad, strategy)) in {"refused", "provisional"}
        assert set(found.values()) == {"complete"}

        server.faults.clear()
        server.requests.clear()
        repaired = done(*command)
        assert "5 of 5 days are complete" in repaired.err
        assert all("datastore_search" in request for request in server.requests)
        assert len(server.requests) < 5
    assert set(statuses(Path("five/bess.duckdb")).values()) == {"complete"}


@pytest.mark.slow
def test_a_damaged_recorded_table(tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five half-hours of one day are missing from the market index, and so from the day-ahead leg."""
    bad, first, last = date(2024, 10, 27), date(2024, 10, 25), date(2024, 10, 29)
    (tmp_path / "tables").mkdir()
    for name in TABLES:
        frame = recorded(
            tables, name, date(2024, 10, 10), date(2024, 11, 8), *(["efa_date"] if "auction" in name else [])
        )
        if name == "market_index":
            gone = (frame["settlement_date"] == bad) & frame["settlement_period"].between(11, 15)
            assert gone.sum() == 5
            frame = frame[~gone]
        frame.to_parquet(tmp_path / "tables" / f"{name}.parquet")
    monkeypatch.chdir(tmp_path)
    for name, value in small_workspace.CHEAP_FORECASTS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("BESS_TRADING__HISTORY_DAYS", "10")
    command = ("--workspace", "gb", "backfill", "--from", first, "--to", last)

    def served(market_tables: Path) -> Done:
        with MarketServer(load_tables(market_tables)) as server:
            for name, url in server.base_urls.items():
                monkeypatch.setenv(f"BESS_SOURCES__{name.upper()}", url)
            return run_bess(*command)

    damaged = served(tmp_path / "tables")
    assert damaged.status == 1
    assert "4 of 5 days are complete" in damaged.err
    assert {line[:10] for line in damaged.out.splitlines()} == {str(bad)}
    for table in ("market_index_price", "day_ahead_price"):
        assert f"market/{table}  refused: 5 of 50 missing: 2024-10-27T04:00Z, " in damaged.out
    assert failed_verdict(Path("gb")).startswith("1 of 5 days are not complete:")
    kept = stored(Path("gb/bess.duckdb"), "market_index_price", bad, bad)
    assert len(kept) == 45

    whole = served(tables)
    assert (whole.status, whole.out) == (0, "")
    assert "5 of 5 days are complete" in whole.err
    check_equal(tables, Path("gb/bess.duckdb"), first, last)
    status = query(Path("gb/bess.duckdb"), "SELECT * FROM trading.run_status ORDER BY strategy, efa_date")
    assert set(status["status"]) == {"complete"}
    for _, own in status.groupby("strategy"):
        assert own["opening_energy_mwh"].tolist()[1:] == pytest.approx(own["closing_energy_mwh"].tolist()[:-1])
    assert set(gb_time.days_between(first, last)) == set(pd.to_datetime(status["efa_date"]).dt.date)
