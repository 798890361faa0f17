"""Promises P2, P8 and P9 (fault 25): `bess backfill` killed by SIGKILL at 40 random moments ends as if undisturbed.

Eight workspaces, five kills each, every one followed by a restart; 32 of the killed processes are forked from one
that has everything imported (`warm_bess.py`), eight are started anew. The moments are drawn with a seed: eight in each
phase of a run (start-up, ingestion, forecasts and scenarios, trading, publishing), anywhere in it, later phases after
earlier ones.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import pytest
from filelock import FileLock
from ingest_tools import cut
from killed_command import NEVER, PHASES, Life, Moment, WarmBess, environment, warm_bess
from stored import answered, asked_for, contents, partitions, require_whole

from bess_pipeline import warehouse
from bess_pipeline.sample_market import MarketServer, simulate
from bess_pipeline.workspace import Workspace

pytestmark = pytest.mark.slow

FIRST, LAST = date(2026, 3, 29), date(2026, 3, 30)
WORKSPACES = 8
SEED = 20260329
ENDED = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}


@pytest.fixture(scope="module")
def server() -> Iterator[MarketServer]:
    with MarketServer(cut(simulate(), date(2026, 3, 15), date(2026, 4, 8))) as running:
        yield running


@pytest.fixture(scope="module")
def warm(server: MarketServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmBess]:
    settings = environment(server, BESS_TRADING__FORESIGHT_MARGIN_DAYS="1")
    with warm_bess(settings, tmp_path_factory.mktemp("warm")) as running:
        yield running


def arguments(root: Path) -> list[str]:
    return ["--workspace", str(root), "backfill", "--from", str(FIRST), "--to", str(LAST)]


class Backfill:
    """One workspace that is brought to its end against all kills; `undisturbed` says how long each phase takes."""

    def __init__(self, root: Path, server: MarketServer, warm: WarmBess, undisturbed: Life) -> None:
        self.root, self.server, self.warm = root, server, warm
        self.undisturbed = undisturbed

    def killed(self, phase: str, share: float, *, anew: bool) -> Life:
        """A process killed after this share of a phase, or, once it was faster and left nothing to do, at its start."""
        whole_s = self.undisturbed.seconds[phase] + (self.warm.import_seconds if anew and phase == PHASES[0] else 0.0)
        kill = Moment(phase, share * whole_s)
        while not (life := self.live(kill, anew=anew)).killed:
            kill = Moment(PHASES[0], kill.after_s / 2)
        return life

    def live(self, kill: Moment = NEVER, *, anew: bool = False) -> Life:
        """A process that is killed, or ends; then all that must hold at any time does."""
        stored, known = partitions(self.root), answered(self.root)
        self.server.requests.clear()
        life = (self.warm.anew if anew else self.warm.forked)(arguments(self.root), kill)
        assert life.killed or life.status == 0, life.printed
        assert asked_for(self.server.requests).isdisjoint(known)
        assert stored <= partitions(self.root)
        require_whole(self.root)
        require_free_locks(self.root)
        database = Workspace(self.root).database
        assert not database.exists() or warehouse.readable(database)
        return life


def moments(draw: random.Random) -> list[list[tuple[str, float]]]:
    """One (phase, share of it) in each phase for each workspace, in the order of phases."""
    return [[(phase, draw.random()) for phase in PHASES] for _ in range(WORKSPACES)]


def require_free_locks(root: Path) -> None:
    """No lock outlives its holder."""
    for file in root.rglob("*.lock"):
        FileLock(file).acquire(timeout=0)


def require_ended_runs(root: Path) -> None:
    """No run of a killed process is left as if it still ran."""
    with dg.DagsterInstance.from_config(str(Workspace(root).dagster_home)) as instance:
        statuses = {run.run_id: run.status for run in instance.get_runs()}
    assert set(statuses.values()) <= ENDED, statuses


def test_fault_25_forty_kills_of_a_backfill_cost_nothing(server: MarketServer, warm: WarmBess, tmp_path: Path) -> None:
    undisturbed = warm.forked(arguments(tmp_path / "undisturbed"))
    assert undisturbed.status == 0, undisturbed.printed
    reference = contents(tmp_path / "undisturbed")
    tables = warehouse.table_hashes(Workspace(tmp_path / "undisturbed").database)

    phases: list[str] = []
    for number, kills in enumerate(moments(random.Random(SEED))):
        root = tmp_path / str(number)
        backfill = Backfill(root, server, warm, undisturbed)
        for place, (phase, share) in enumerate(kills):
            phases.append(backfill.killed(phase, share, anew=place == number % len(kills)).phase)
        last = backfill.live()
        assert not last.killed, last.printed
        assert f"{(LAST - FIRST).days + 1} of" in last.printed
        assert contents(root) == reference
        assert warehouse.table_hashes(Workspace(root).database) == tables
        require_ended_runs(root)
    assert len(phases) == 40
    assert set(phases) == set(PHASES)

    server.requests.clear()
    again = warm.forked(arguments(root))
    assert (again.status, server.requests) == (0, [])
    assert "nothing to do" in again.printed
    assert contents(root) == reference
