"""What a run holds while it lives, and what becomes of runs whose process died.

What belongs here: the lock by which others see that a run's process lives, the lock on the trading
chain, and marking dead runs as failed. What does not: what a run does (`assets/`), and the time limits
of runs, which Dagster's own daemon watches (`dagster.yaml`).

Dagster learns that a killed process's run is over only after `max_runtime_seconds`, and until then the
run occupies its pools. Locks are the operating system's: they are free the moment their holder dies,
whoever killed it, and they mistake no new process for an old one.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import lru_cache
from pathlib import Path

import dagster as dg
from filelock import FileLock, Timeout

from bess_pipeline import atomic
from bess_pipeline.runtime import Runtime
from bess_pipeline.settings import Settings
from bess_pipeline.workspace import Workspace

PROCESS_TAG = "bess/process"
CHAIN_TIMEOUT_S = 3600.0
_UNENDED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


class RunningRuntime(Runtime):
    """A `Runtime` inside a Dagster run; what it holds is let go when the run's resources are."""

    def __init__(self, settings: Settings, held: ExitStack, say: Callable[[str], None] = lambda text: None) -> None:
        super().__init__(settings, say)
        self._held = held
        self._trading = False

    def hold_trading_chain(self) -> None:
        """Let no other run of this workspace trade until this one ends; BessError when that takes too long.

        Pools do the same among the runs that the Dagster daemon starts; runs of the command line know
        nothing of pools.
        """
        if not self._trading:
            lock = self.workspace.root / "trading.lock"
            self._held.enter_context(atomic.locked(lock, "trading days of this workspace", CHAIN_TIMEOUT_S, self.say))
            self._trading = True


def process_tag(workspace: Workspace, run_id: str) -> dict[str, str]:
    """The tag that says which process a run is in; of that run only, because a re-executed run is given its tags."""
    return {PROCESS_TAG: f"{_this_process(_folder(workspace))[0]}:{run_id}"}


def note_process(instance: dg.DagsterInstance, workspace: Workspace, run_id: str) -> None:
    """Note on a run which process runs it, so that others can tell when that process is dead."""
    instance.add_run_tags(run_id, process_tag(workspace, run_id))


def fail_dead_runs(instance: dg.DagsterInstance, workspace: Workspace) -> list[str]:
    """Mark the runs whose process died as failed; their ids."""
    folder = _folder(workspace)
    with atomic.locked(folder / ".sweep", "marking the runs of ended processes"):
        unended = instance.get_runs(filters=dg.RunsFilter(statuses=_UNENDED))
        failed = [run for run in unended if _is_dead(folder, run)]
        for run in failed:
            instance.report_run_failed(run, "The process of this run was ended before the run was.")
        for lock in folder.glob("*.lock"):
            if _is_free(lock):
                lock.unlink(missing_ok=True)
    return [run.run_id for run in failed]


def _folder(workspace: Workspace) -> Path:
    return workspace.dagster_home / "processes"


@lru_cache
def _this_process(folder: Path) -> tuple[str, FileLock]:
    """A name of this process and the lock it holds as long as it lives.

    The lock gets its name when it is held: nobody takes one that is being made for that of a dead process.
    """
    name = uuid.uuid4().hex[:12]
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f"{name}.starting", timeout=atomic.LOCK_TIMEOUT_S, thread_local=False)
    lock.acquire()
    (folder / f"{name}.starting").rename(folder / f"{name}.lock")
    return name, lock


def _is_dead(folder: Path, run: dg.DagsterRun) -> bool:
    process, _, run_id = run.tags.get(PROCESS_TAG, "").partition(":")
    if not process or run_id != run.run_id:
        return False
    lock = folder / f"{process}.lock"
    return not lock.exists() or _is_free(lock)


def _is_free(lock_file: Path) -> bool:
    lock = FileLock(lock_file, timeout=0)
    with suppress(Timeout):
        lock.acquire()
        lock.release()
        return True
    return False
