"""Every market table comes back from the vault alone: its partitions deleted, no socket allowed, equal hashes."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from bess_command import run_bess
from ingest_tools import LATE, connected, cut, datasets

from bess_pipeline import gb_time
from bess_pipeline.ingestion.forecasts import fundamental_forecast
from bess_pipeline.ingestion.frequency import FrequencyRows, fetch_frequency, response_energy_dataset
from bess_pipeline.ingestion.ingest import Ingestion
from bess_pipeline.ingestion.outcomes import source_status_frame, standings
from bess_pipeline.ingestion.rebuild import rebuild
from bess_pipeline.ingestion.revisions import Revisions
from bess_pipeline.ingestion.stack import StackIngestion
from bess_pipeline.sample_market import Fault, MarketServer, MarketTables, simulate
from bess_pipeline.sample_market.frequency import frequency_of_day
from bess_pipeline.schemas import TABLES
from bess_pipeline.settings import StackSettings
from bess_pipeline.warehouse import query
from bess_pipeline.workspace import Workspace

DAYS = gb_time.days_between(date(2026, 3, 31), date(2026, 4, 1))  # two monthly files of frequency
STACK_DAY = DAYS[0]
CHANGED = (DAYS[1], 10)
MARKET_TABLES = sorted(table for table in TABLES if table.startswith("market/"))
ROWS_AT_LEAST = {"market/response_energy": 2 * 48 * 6, "market/settlement_stack": 96, "market/system_price_check": 96}


@pytest.fixture(scope="module")
def market() -> MarketTables:
    """The sample market around DAYS, with three UTC days of frequency."""
    cut_down = cut(simulate(), DAYS[0] - timedelta(days=2), DAYS[-1] + timedelta(days=1))
    utc_days = tuple(gb_time.days_between(DAYS[0] - timedelta(days=1), DAYS[-1]))
    return replace(cut_down, frequency=lambda day: frequency_of_day(day, 4), frequency_days=utc_days)


def revised(market: MarketTables) -> MarketTables:
    prices = market.system_price.copy()
    row = (prices["settlement_date"] == CHANGED[0]) & (prices["settlement_period"] == CHANGED[1])
    prices.loc[row, "system_price_gbp_mwh"] += 7.5
    prices.loc[row, "published_utc"] += np.timedelta64(1, "D")
    return replace(market, system_price=prices)


def ingest_all(ingestion: Ingestion) -> None:
    """What the jobs of all tables do, in their order."""
    for one in [*datasets(), fundamental_forecast()]:
        ingestion.fetch(one, DAYS)
        ingestion.build(one, DAYS)
    fetch_frequency(ingestion, DAYS)
    ingestion.build(response_energy_dataset(), DAYS, FrequencyRows(ingestion.vault, "simulated"))
    system_price = next(one for one in datasets() if one.table == "market/system_price")
    Revisions(system_price, ingestion.vault, ingestion.lake).build(DAYS)
    for day in DAYS:
        rows = source_status_frame(standings(ingestion.outcomes, datasets(), day))
        ingestion.lake.write("market/source_status", day, rows)


@pytest.fixture(scope="module")
def kept(market: MarketTables, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a history: answers twice, of which some of the later ones are worse; read-only."""
    workspace = Workspace(tmp_path_factory.mktemp("every") / "kept")
    workspace.ensure()
    workspace.claim("simulated", "neso_n2ex")
    clock = [LATE]

    def now() -> datetime:
        return clock[0]

    with MarketServer(market) as server, connected(workspace.root, server, now=now) as ingestion:
        stacks = StackIngestion(ingestion)
        stacks.fetch([STACK_DAY])
        stacks.build([STACK_DAY])
        ingest_all(ingestion)
    clock[0] += timedelta(hours=1)
    with MarketServer(revised(market)) as server, connected(workspace.root, server, now=now) as ingestion:
        server.faults.add(Fault("truncate_unannounced", path="fnew-2026-4", count=1))
        server.faults.add(Fault("empty", path="/datasets/WINDFOR", count=1))
        server.faults.add(Fault("empty", path=f"/stack/all/offer/{STACK_DAY}", count=1000))
        server.faults.add(Fault("empty", path=f"/stack/all/bid/{STACK_DAY}/7", count=1000))
        stacks = StackIngestion(ingestion)
        stacks.fetch([STACK_DAY])
        assert stacks.build([STACK_DAY])[0].status == "refused", "the later answer has less of the day"
        ingest_all(ingestion)
        stacks.check([STACK_DAY], StackSettings())
    return workspace.root


@contextmanager
def no_socket() -> Iterator[None]:
    """Nobody may connect to anything, nor ask for an address."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a rebuild may not touch the network")

    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        yield


@pytest.fixture(scope="module")
def rebuilt(kept: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The workspace without lake and outcomes, after `bess rebuild`; read-only."""
    folder = tmp_path_factory.mktemp("rebuilt")
    place = Workspace(Path(shutil.copytree(kept, folder / "place")))
    shutil.rmtree(place.lake_dir)
    shutil.rmtree(place.raw / "outcomes")
    with no_socket(), pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("BESS_CLOCK__NOW_UTC", (LATE + timedelta(hours=1)).isoformat())
        result = run_bess("--workspace", place.root, "rebuild", "--from", DAYS[0], "--to", DAYS[-1])
    assert "partitions from" in result.err
    return place


def hashes(place: Workspace) -> dict[str, str]:
    return {name: place.lake.content_hash(name) for name in MARKET_TABLES}


def test_the_workspace_holds_rows_of_every_market_table(kept: Path) -> None:
    lake = Workspace(kept).lake
    for table in MARKET_TABLES:
        assert len(lake.read_all(table)) >= ROWS_AT_LEAST.get(table, 2), table
    versions = lake.read_all("market/system_price_revision")
    assert (versions["version"] == 2).sum() == 1
    states = lake.read_all("market/source_status").set_index(["dataset", "date"])["status"]
    assert states[("market/response_energy", DAYS[1])] == "refused"
    assert states[("market/settlement_stack", STACK_DAY)] == "refused"


@pytest.mark.parametrize("table", MARKET_TABLES)
def test_a_lost_table_comes_back_with_equal_content(kept: Path, rebuilt: Workspace, table: str) -> None:
    assert rebuilt.lake.days(table), "something is there to compare"
    assert rebuilt.lake.content_hash(table) == Workspace(kept).lake.content_hash(table)


def test_what_came_back_is_published(rebuilt: Workspace) -> None:
    for table in MARKET_TABLES:
        found = query(rebuilt.database, f"SELECT count(*) AS n FROM {table.replace('/', '.')}").iloc[0]["n"]
        assert found == rebuilt.lake.count(table), table


def test_one_lost_table_comes_back_and_no_other_changes(kept: Path, tmp_path: Path) -> None:
    place = Workspace(Path(shutil.copytree(kept, tmp_path / "place")))
    before = hashes(place)
    shutil.rmtree(place.lake_dir / "market/system_price_check")  # made of three other tables
    wanted = [*datasets(), fundamental_forecast(), response_energy_dataset("simulated")]
    with no_socket():
        rebuild(place.root, place.raw, place.lake, lambda: LATE + timedelta(hours=1), wanted, DAYS[0], DAYS[-1])
    assert hashes(place) == before
