"""Builds market partitions again from the raw vault alone: no client, no request.

What belongs here: repeating the history of asks in its order, beside the lake, and putting the result
in its place; then what is made of rebuilt tables (versions of the system price, the price check). What does
not: building from answers (`ingest.py`, `stack.py`, `revisions.py`), publishing (`warehouse.py`).

The newest answer of a day is not always what is stored: one that has less of the day, or that
breaks the schema, never replaced the one before it. So each generation of answers is built upon the
one before, as it was when they came. That happens in a scratch folder of the workspace, and finished
partitions are moved over the old ones: a stopped rebuild changes nothing, or whole days.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from bess_pipeline import gb_time
from bess_pipeline.ingestion.datasets import Dataset
from bess_pipeline.ingestion.ingest import Ingestion
from bess_pipeline.ingestion.outcomes import Outcome, OutcomeStore, source_status_frame, standings
from bess_pipeline.ingestion.revisions import TABLE as REVISION
from bess_pipeline.ingestion.revisions import Revisions
from bess_pipeline.ingestion.stack import CHECK, STACK, StackIngestion
from bess_pipeline.ingestion.stack import RAW as STACK_RAW
from bess_pipeline.ingestion.vault import RawVault
from bess_pipeline.lake import Lake
from bess_pipeline.settings import StackSettings
from bess_pipeline.verdict import NOT_NEEDED

DAYS_AT_ONCE = 366
SOURCE_STATUS, SYSTEM_PRICE = "market/source_status", "market/system_price"
Asked = Callable[[date], Sequence[date]]  # the days under which the answers of a day are kept


@dataclass(frozen=True)
class Rebuilt:
    """Outcomes of the days that the vault holds something of, and the days it holds nothing of, by table.

    `partitions` counts the partitions that were put in place. A table that no trading day waits for counts as
    never asked only where some of its days were.
    """

    outcomes: list[Outcome]
    never_asked: dict[str, list[date]]
    partitions: int


def rebuild(
    workspace: Path,
    raw_root: Path,
    lake: Lake,
    now: Callable[[], datetime],
    datasets: Sequence[Dataset],
    first: date,
    last: date,
    stack: StackSettings | None = None,
) -> Rebuilt:
    """Replace the market partitions of `first` to `last` by what the vault gives; source_status with them.

    Settlement stacks and their price check (made with `stack`) and the versions of the system price come with
    `datasets`. Partitions of days that the vault holds nothing of stay as they are.
    """
    days = gb_time.days_between(first, last)
    needed = [one for one in datasets if one.table not in NOT_NEEDED]
    scratch = Path(tempfile.mkdtemp(prefix="rebuild-", dir=workspace))
    try:
        beside = Lake(scratch / "lake", lake.quarantine)
        ingestion = Ingestion(raw_root, beside, None, now, lambda origin: None)
        ingestion.outcomes = OutcomeStore(scratch / "outcomes")
        never_asked = {one.table: _build(ingestion, one, days) for one in datasets}
        never_asked[STACK] = _build_stacks(ingestion, days, stack or StackSettings())
        for dataset in (one for one in datasets if one.table == SYSTEM_PRICE):
            Revisions(dataset, ingestion.vault, beside).build(days)
        outcomes = [found for table in never_asked for day in days if (found := ingestion.outcomes.get(table, day))]
        partitions = _put_in_place(beside, lake, [*never_asked, CHECK, REVISION], days)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    store = OutcomeStore(raw_root / "outcomes")
    for outcome in outcomes:
        store.put(outcome)
    known = {outcome.date for outcome in outcomes}
    for day in sorted(known):
        lake.write(SOURCE_STATUS, day, source_status_frame(standings(store, needed, day)))
    said = {table: absent for table, absent in never_asked.items() if absent}
    said = {table: absent for table, absent in said.items() if table not in NOT_NEEDED or len(absent) < len(days)}
    return Rebuilt(outcomes, said, partitions)


def _build(ingestion: Ingestion, dataset: Dataset, days: Sequence[date]) -> list[date]:
    """Build all generations of a dataset's answers; the days the vault holds nothing of.

    Where a day also takes rows from its neighbours' answers, these may have come later: once more at the end.
    """
    vault = ingestion.vault
    for generation, until in _generations(vault, dataset.raw, days, dataset.asked_under):
        ingestion.build(dataset, generation, until=until)
    unanswered = [day for day in days if not any(vault.asks(dataset.raw, one) for one in dataset.asked_under(day))]
    if len(dataset.records) > 1:
        answered = sorted(set(days) - set(unanswered))
        for start in range(0, len(answered), DAYS_AT_ONCE):
            ingestion.build(dataset, answered[start : start + DAYS_AT_ONCE])
    failed = [day for day in unanswered if vault.failure(dataset.raw, day) is not None]
    if failed:
        ingestion.build(dataset, failed)
    return [day for day in unanswered if day not in set(failed)]


def _build_stacks(ingestion: Ingestion, days: Sequence[date], settings: StackSettings) -> list[date]:
    """Build all generations of settlement stacks and check their prices; the days without any kept answer."""
    vault, stacks = ingestion.vault, StackIngestion(ingestion)
    for generation, until in _generations(vault, STACK_RAW, days):
        stacks.build(generation, until)
    unanswered = [day for day in days if not vault.asks(STACK_RAW, day)]
    failed = [day for day in unanswered if vault.failure(STACK_RAW, day) is not None]
    stacks.build(failed)
    stacks.check(days, settings)
    return [day for day in unanswered if day not in set(failed)]


def _generations(
    vault: RawVault, raw: str, days: Sequence[date], asked_under: Asked = lambda day: (day,)
) -> Iterator[tuple[list[date], str]]:
    """Runs of asks in their order, as (days, mark of the last ask): no day is twice in a run."""
    run: list[date] = []
    until = ""
    asks = {
        (_of_the_ask(mark) if len(asked_under(day)) > 1 else mark, day)
        for day in days
        for asked in asked_under(day)
        for mark in vault.asks(raw, asked)
    }
    for mark, day in sorted(asks):
        if day in run or len(run) == DAYS_AT_ONCE:
            yield sorted(run), until
            run = []
        run.append(day)
        until = mark
    if run:
        yield sorted(run), until


def _of_the_ask(mark: str) -> str:
    """A mark after all that one ask kept: under several days it has several marks of one instant."""
    return f"{mark.partition('-')[0]}-~"


def _put_in_place(beside: Lake, lake: Lake, tables: Sequence[str], days: Sequence[date]) -> int:
    count = 0
    for table in tables:
        for day in days:
            if beside.has(table, day):
                target = lake.path(table, day)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(beside.path(table, day), target)
                count += 1
    return count
