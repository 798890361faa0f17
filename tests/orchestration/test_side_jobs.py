"""The jobs of the tables beside the trading days, as Dagster runs of the command line on the sample market."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import pytest
from bess_command import Done, done, run_bess
from ingest_tools import cut

from bess_pipeline import gb_time
from bess_pipeline.lake import Lake
from bess_pipeline.orchestration.jobs import DETAILED_PRICES, FORECASTS, FREQUENCY
from bess_pipeline.orchestration.launch import SIDE_JOBS
from bess_pipeline.sample_market import MarketServer, simulate
from bess_pipeline.sample_market.frequency import frequency_of_day
from bess_pipeline.warehouse import query
from bess_pipeline.workspace import Workspace

DAYS = gb_time.days_between(date(2026, 3, 29), date(2026, 3, 30))  # the first has 46 half-hours
ROWS = {
    "frequency": (46 + 48) * 6,
    "stack": None,  # as many actions as the market made
    "fundamentals": None,
}


@pytest.fixture(scope="module")
def served() -> Iterator[MarketServer]:
    market = cut(simulate(), DAYS[0] - timedelta(days=2), DAYS[-1] + timedelta(days=1))
    utc_days = tuple(gb_time.days_between(DAYS[0], DAYS[-1]))
    with MarketServer(replace(market, frequency=lambda day: frequency_of_day(day, 4), frequency_days=utc_days)) as one:
        yield one


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("side")


@pytest.fixture
def market(served: MarketServer, folder: Path, monkeypatch: pytest.MonkeyPatch) -> MarketServer:
    """The market that is served, chosen by the environment."""
    monkeypatch.chdir(folder)
    for name, url in served.base_urls.items():
        monkeypatch.setenv(f"BESS_SOURCES__{name.upper()}", url)
    monkeypatch.setenv("BESS_SOURCES__MODE", "sample")
    served.requests.clear()
    return served


def backfill(only: str, *more: object) -> Done:
    return run_bess("--workspace", "side", "backfill", "--from", DAYS[0], "--to", DAYS[-1], "--only", only, *more)


def runs_of(folder: Path, job: str) -> tuple[list[str], set[str]]:
    """(Statuses of the job's runs, assets that the newest one materialised)."""
    with dg.DagsterInstance.from_config(str(folder / "side" / "dagster_home")) as instance:
        runs = instance.get_runs(filters=dg.RunsFilter(job_name=job))
        logs = instance.all_logs(runs[0].run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
        assets = {one.asset_materialization.asset_key.to_user_string() for one in logs if one.asset_materialization}
    return [run.status.value for run in runs], assets


@pytest.mark.parametrize(
    ("only", "job", "raw"),
    [
        ("frequency", FREQUENCY, "raw/neso_frequency"),
        ("fundamentals", FORECASTS, "raw/elexon_forecasts"),
        pytest.param("stack", DETAILED_PRICES, "raw/elexon_settlement_stack", marks=pytest.mark.slow),
    ],
)
def test_a_side_job_runs_from_the_command_line(
    market: MarketServer, folder: Path, only: str, job: str, raw: str
) -> None:
    table = SIDE_JOBS[only][1]
    assert SIDE_JOBS[only][0] == job
    result = backfill(only)
    assert (result.status, result.out) == (0, ""), result.err
    assert f"2 of 2 days of {table} are complete" in result.err
    statuses, assets = runs_of(folder, job)
    assert statuses == ["SUCCESS"]
    assert {raw, table, "market/source_status", "warehouse", "report/data_quality"} <= assets
    workspace = Workspace(folder / "side")
    stored = workspace.lake.read(table, DAYS[0], DAYS[-1])
    assert len(stored) == (ROWS[only] or len(stored)) > 0
    published = query(workspace.database, f"SELECT count(*) AS n FROM {table.replace('/', '.')}").iloc[0]["n"]
    assert published == len(stored)
    status = workspace.lake.read("market/source_status", DAYS[0], DAYS[-1])
    assert set(status.loc[status["dataset"] == table, "status"]) == {"complete"}
    assert f"coverage of {table}: 2 of 2 days complete" in run_bess("--workspace", "side", "doctor").out
    assert table.removeprefix("market/") in (workspace.reports / "data_quality.html").read_text()

    market.requests.clear()
    before = workspace.lake.content_hash(table)
    assert backfill(only).status == 0
    assert [request for request in market.requests if "package_show" not in request] == [], (
        "finished days are not asked"
    )
    assert workspace.lake.content_hash(table) == before


def test_days_that_are_not_there_are_listed_and_the_exit_status_says_so(market: MarketServer, folder: Path) -> None:
    result = run_bess(
        "--workspace", "side", "backfill", "--from", "2026-04-02", "--to", "2026-04-02", "--only", "frequency"
    )
    assert result.status == 1
    assert result.out.startswith("2026-04-02  market/response_energy  not_published: the portal lists no frequency")
    assert Lake(folder / "side" / "lake", folder).read("market/response_energy", DAYS[0], DAYS[-1]).size


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--from", "2026-03-30", "--to", "2026-03-29", "--only", "stack"), "--to 2026-03-29 is before --from"),
        (("--from", "2019-03-30", "--to", "2019-03-30", "--only", "stack"), "before data begins"),
        (("--from", "2026-03-30", "--to", "2026-03-30", "--only", "weather"), "'weather' is not one of"),
    ],
)
def test_mistakes_end_in_one_sentence(market: MarketServer, arguments: tuple[str, ...], words: str) -> None:
    result = run_bess("--workspace", "new", "backfill", *arguments)
    assert result.status != 0
    assert words in result.err
    assert not Path("new").exists()


def test_files_of_your_own_have_no_side_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("p.csv").write_text("start_utc,price_gbp_mwh\n2026-03-29T00:00Z,5\n2026-03-29T00:30Z,6\n")
    for name, value in {"MODE": "files", "DAY_AHEAD": "file", "DAY_AHEAD_FILE": "p.csv"}.items():
        monkeypatch.setenv(f"BESS_SOURCES__{name}", value)
    result = backfill("frequency")
    assert (result.status, "prices of your own files have no frequency" in result.err) == (1, True)


def test_the_small_workspace_holds_fundamentals_of_each_gate(small: Path) -> None:
    """`bess backfill` and `bess refresh` fetch them with the prices: what each day's gate knows covers the day."""
    from bess_pipeline.forecasting.market_panel import read_panel
    from bess_pipeline.forecasting.observation import observe, window
    from bess_pipeline.settings import DataSettings

    days = gb_time.days_between(date(2026, 3, 27), date(2026, 4, 2))
    panel = read_panel(Workspace(small).lake, window(days[0], 0)[0], days[-1], DataSettings())
    for day in days:
        fundamental = observe(panel, day, "day_ahead", 0).fundamental
        for series in ("demand", "wind", "indicated_margin"):
            there = int((~np.isnan(fundamental[series, 0])).sum())
            assert there == len(gb_time.efa_half_hours(day)), (series, day)
    assert done("--workspace", small, "query", "SELECT count(*) AS n FROM market.fundamental_forecast").out
