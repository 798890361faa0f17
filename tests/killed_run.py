"""A run in a process of its own that ends itself by SIGKILL at the n-th moment at which it changes a file.

Moments are counted in writes and not in seconds, so that the same number means the same moment on
every machine: a half-written temporary file, a whole one before its rename, and right after the rename.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import date
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from bess_pipeline import gb_time
from bess_pipeline.ingestion.outcomes import never_built, source_status_frame
from bess_pipeline.runtime import Runtime
from bess_pipeline.settings import Settings
from bess_pipeline.trading.replay import Replay

NEVER = 0
TIME_LIMIT_S = 180


def arm(kill_at: int) -> Iterator[int]:
    """From now on count moments and end this process at number `kill_at`; yields the count so far, for ever."""
    count = 0
    replace, write_bytes = os.replace, Path.write_bytes

    def moment() -> bool:
        nonlocal count
        count += 1
        return count == kill_at

    def half_written(path: Path, data: Any) -> int:
        if moment():
            with path.open("wb") as file:
                file.write(bytes(data)[: len(data) // 2])
                file.flush()
                os.kill(os.getpid(), signal.SIGKILL)
        return write_bytes(path, data)

    def renamed(*names: Any, **options: Any) -> None:
        if moment():
            os.kill(os.getpid(), signal.SIGKILL)
        replace(*names, **options)
        if moment():
            os.kill(os.getpid(), signal.SIGKILL)

    os.replace, Path.write_bytes = renamed, half_written  # type: ignore[assignment,method-assign]

    def counted() -> Iterator[int]:
        while True:
            yield count

    return counted()


def backfill(settings: Settings, history: date, first: date, last: date) -> None:
    """Ingest from `history` and replay `first` to `last`, each step only where it is not done yet.

    The steps of the ingest and trade jobs, without Dagster's own files and its time.
    """
    runtime = Runtime(settings)
    workspace, days = runtime.workspace, gb_time.days_between(history, last)
    with runtime.ingestion() as ingestion:
        for dataset in runtime.datasets():
            ingestion.fetch(dataset, ingestion.unanswered(dataset, days))
        for dataset in runtime.datasets():
            ingestion.build(dataset, ingestion.unfinished(dataset, days))
        for day in days:
            found = [
                ingestion.outcomes.get(dataset.table, day) or never_built(dataset, day)
                for dataset in runtime.datasets()
            ]
            workspace.lake.write("market/source_status", day, source_status_frame(found))

    def declared() -> tuple[date, ...]:
        stamp = workspace.stamp()
        return stamp.chain_starts if stamp else ()

    replay = Replay(settings, workspace.lake, runtime.now, declared, workspace.declare_chain_start)
    trading = gb_time.days_between(first, last)
    wanted = replay.unfinished(trading)
    for step in (replay.plan, replay.foresight, replay.dispatch, replay.settle, replay.record_status):
        step(wanted)
    replay.pnl(trading)


def run(settings: Settings, days: tuple[date, date, date], kill_at: int, report: Path) -> None:
    """Target of the process; leaves the number of moments in `report` when it was not killed."""
    counted = arm(kill_at)
    backfill(settings, *days)
    report.write_text(str(next(counted)))


def start_and_wait(settings: Settings, days: tuple[date, date, date], kill_at: int, report: Path) -> int:
    """Exit code of the run in a process forked from a server that has everything imported."""
    context = get_context("forkserver")
    context.set_forkserver_preload(
        ["killed_run", "bess_pipeline.trading.foresight", "bess_pipeline.optimisation.energy"]
    )
    process: BaseProcess = context.Process(target=run, args=(settings, days, kill_at, report))
    process.start()
    process.join(TIME_LIMIT_S)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise AssertionError(f"the run did not end within {TIME_LIMIT_S} s")
    return process.exitcode
