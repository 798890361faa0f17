"""Faults 23, 24, 28 and 33, promise P5: eight `bess` processes on one workspace, started at the same moment.

The rule of requests that these tests hold: beside each other, processes ask for a day exactly as often as one of them
alone would. Each dataset is asked for by one process at a time, which looks again at what is missing when its
turn has come; a day that is not complete (not yet published) is asked for again by every later run.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from ingest_tools import cut
from killed_command import LIFE_LIMIT_S, bess, environment
from small_workspace import STRATEGIES
from stored import contents, each_asked_for

from bess_pipeline import gb_time, warehouse
from bess_pipeline.sample_market import MarketServer, simulate
from bess_pipeline.schemas import TABLES
from bess_pipeline.workspace import Workspace

pytestmark = pytest.mark.slow

FIRST, LAST = date(2026, 3, 26), date(2026, 3, 30)
STARTS = [date(2026, 3, day) for day in (29, 26, 28, 27)] * 2
AFTER, A_WEEK_LATER = "2026-03-31T12:00:00Z", "2026-04-06T12:00:00Z"
EXPECTED_LINES = re.compile(
    r"day-ahead price: N2EX, from NESO"
    r"|(ingest|scenarios|trade|plan_ahead|revise|resettle|risk): 2026-\S+( to 2026-\S+)?"
    r"|publishing warehouse, figures and report"
    r"|waiting: another process (\(\d+\) )?is .+ \(\S+ (s|min) so far, \d+ (s|min) at most\)"
    r"|nothing to do: all \d days are complete with these settings"
    r"|(?P<done>\d) of (?P=done) days are complete"
    r"|asked again for system prices that were due, and settled again what they changed"
    r"|settled \d days, planned .+"
    r"|forecasts, scenarios and scores: \d+ of \d+ days are complete.*"
)
# What a gate expected stands on the history that the workspace held when it was made, and stays: it depends on which
# of the overlapping ranges came first.
ORDERED = ("forecast", "scenario")


@pytest.fixture(scope="module")
def server() -> Iterator[MarketServer]:
    with MarketServer(cut(simulate(), date(2026, 3, 15), date(2026, 4, 8))) as running:
        yield running


def backfill(root: Path, first: date) -> list[str]:
    return ["--workspace", str(root), "backfill", "--from", str(first), "--to", str(LAST)]


def at_once(server: MarketServer, now_utc: str, commands: Sequence[Sequence[str]], folder: Path) -> list[str]:
    """What each of the commands printed, all started together; all must succeed."""
    settings = environment(server, BESS_CLOCK__NOW_UTC=now_utc, PYTHONWARNINGS="default")
    started = [
        subprocess.Popen(
            bess(command), env=settings, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for command in commands
    ]
    printed = [process.communicate(timeout=LIFE_LIMIT_S * len(commands))[0] for process in started]
    for process, text in zip(started, printed, strict=True):
        assert process.returncode == 0, text
    return printed


@contextmanager
def reader(database: Path) -> Iterator[list[tuple[int, int]]]:
    """Query the warehouse in a loop while the block runs: (days, rows) of trading.run_status at each query."""
    seen: list[tuple[int, int]] = []
    problems: list[Exception] = []
    end = threading.Event()

    def read() -> None:
        while not end.wait(0.02):
            if database.exists():
                try:
                    found = warehouse.query(
                        database, "SELECT count(DISTINCT efa_date) AS days, count(*) AS n FROM trading.run_status"
                    )
                    seen.append((int(found["days"].iloc[0]), int(found["n"].iloc[0])))
                except Exception as error:  # reported by the test's thread
                    problems.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield seen
    finally:
        end.set()
        thread.join()
    assert problems == []


@pytest.fixture(scope="module")
def single(server: MarketServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace of one backfill alone over all the days."""
    folder = tmp_path_factory.mktemp("single")
    at_once(server, AFTER, [backfill(folder / "ws", FIRST)], folder)
    return folder / "ws"


def require_equal(root: Path, other: Path) -> None:
    """Equal rows in lake and warehouse; of forecasts and scenarios the same gates, each in the same state."""
    tables = [table for table in TABLES if table.split("/")[0] not in ORDERED]
    assert contents(root, tables) == contents(other, tables)
    shown, wanted = (warehouse.table_hashes(Workspace(one).database) for one in (root, other))
    assert set(shown) == set(wanted)
    assert [name for name in shown if shown[name] != wanted[name] and name.split(".")[0] not in ORDERED] == []
    gates = [Workspace(one).lake.read_all("scenario/gate_status").iloc[:, :4] for one in (root, other)]
    pd.testing.assert_frame_equal(*gates)


def require_expected_lines(printed: Sequence[str]) -> None:
    lines = [line for text in printed for line in text.splitlines()]
    assert [line for line in lines if not EXPECTED_LINES.fullmatch(line)] == []


def test_faults_23_24_28_eight_backfills_of_a_new_workspace(server: MarketServer, single: Path, tmp_path: Path) -> None:
    """Overlapping ranges, the longest not the first; the Dagster home is created by whoever comes first."""
    server.requests.clear()
    root = tmp_path / "ws"
    with reader(Workspace(root).database) as seen:
        printed = at_once(server, AFTER, [backfill(root, first) for first in STARTS], tmp_path)
    require_expected_lines(printed)
    asked = Counter(each_asked_for(server.requests))
    assert set(asked.values()) == {1}
    assert {day for _, day in asked} >= set(gb_time.days_between(FIRST, LAST))
    require_equal(root, single)
    assert seen
    assert [days for days, _ in seen] == sorted(days for days, _ in seen)
    assert all(rows == len(STRATEGIES) * days for days, rows in seen)


def test_faults_23_24_33_eight_refreshes_after_a_missed_week(
    server: MarketServer, single: Path, tmp_path: Path
) -> None:
    """All missing days are filled, once, and the next days planned; as one refresh alone would do."""
    alone, root = tmp_path / "alone", tmp_path / "ws"
    for copy in (alone, root):
        shutil.copytree(single, copy)
    server.requests.clear()
    at_once(server, A_WEEK_LATER, [["--workspace", str(alone), "refresh"]], tmp_path)
    asked_alone = Counter(each_asked_for(server.requests))
    server.requests.clear()
    with reader(Workspace(root).database) as seen:
        printed = at_once(server, A_WEEK_LATER, [["--workspace", str(root), "refresh"]] * len(STARTS), tmp_path)
    require_expected_lines(printed)
    assert Counter(each_asked_for(server.requests)) == asked_alone
    require_equal(root, alone)
    assert [days for days, _ in seen] == sorted(days for days, _ in seen)
    assert all(rows == len(STRATEGIES) * days for days, rows in seen)
    settled = Workspace(root).lake.days("trading/run_status")
    assert settled == gb_time.days_between(FIRST, date(2026, 4, 5))
