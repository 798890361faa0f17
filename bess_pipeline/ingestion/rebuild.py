"""Builds market partitions again from the raw vault alone: no client, no request.

What belongs here: repeating the history of asks in its order, beside the lake, and putting the result
in its place. What does not: building from answers (`ingest.py`), publishing (`warehouse.py`).

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
from bess_pipeline.ingestion.outcomes import Outcome, OutcomeStore, source_status_frame
from bess_pipeline.ingestion.vault import RawVault
from bess_pipeline.lake import Lake

DAYS_AT_ONCE = 366
SOURCE_STATUS = "market/source_status"


@dataclass(frozen=True)
class Rebuilt:
    """Outcomes of the days that the vault holds something of, and the days it holds nothing of, by table."""

    outcomes: list[Outcome]
    never_asked: dict[str, list[date]]


def rebuild(
    workspace: Path,
    raw_root: Path,
    lake: Lake,
    now: Callable[[], datetime],
    datasets: Sequence[Dataset],
    first: date,
    last: date,
) -> Rebuilt:
    """Replace the market partitions of `first` to `last` by what the vault gives; source_status with them.

    Partitions of days that the vault holds nothing of stay as they are.
    """
    days = gb_time.days_between(first, last)
    scratch = Path(tempfile.mkdtemp(prefix="rebuild-", dir=workspace))
    try:
        beside = Lake(scratch / "lake", lake.quarantine)
        ingestion = Ingestion(raw_root, beside, None, now, lambda origin: None)
        ingestion.outcomes = OutcomeStore(scratch / "outcomes")
        never_asked = {one.table: _build(ingestion, one, days) for one in datasets}
        outcomes = [found for one in datasets for day in days if (found := ingestion.outcomes.get(one.table, day))]
        _put_in_place(beside, lake, [one.table for one in datasets], days)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    store = OutcomeStore(raw_root / "outcomes")
    for outcome in outcomes:
        store.put(outcome)
    _write_status(lake, store, [one.table for one in datasets], days)
    return Rebuilt(outcomes, {table: absent for table, absent in never_asked.items() if absent})


def _build(ingestion: Ingestion, dataset: Dataset, days: Sequence[date]) -> list[date]:
    """Build all generations of a dataset's answers; the days the vault holds nothing of.

    Where a day also takes rows from its neighbours' answers, these may have come later: once more at the end.
    """
    vault = ingestion.vault
    for generation, until in _generations(vault, dataset.raw, days):
        ingestion.build(dataset, generation, until=until)
    unanswered = [day for day in days if not vault.asks(dataset.raw, day)]
    if len(dataset.records) > 1:
        answered = sorted(set(days) - set(unanswered))
        for start in range(0, len(answered), DAYS_AT_ONCE):
            ingestion.build(dataset, answered[start : start + DAYS_AT_ONCE])
    failed = [day for day in unanswered if vault.failure(dataset.raw, day) is not None]
    if failed:
        ingestion.build(dataset, failed)
    return [day for day in unanswered if day not in set(failed)]


def _generations(vault: RawVault, raw: str, days: Sequence[date]) -> Iterator[tuple[list[date], str]]:
    """Runs of asks in their order, as (days, mark of the last ask): no day is twice in a run."""
    run: list[date] = []
    until = ""
    asks = sorted((mark, asked) for asked in days for mark in vault.asks(raw, asked))
    for mark, day in asks:
        if day in run or len(run) == DAYS_AT_ONCE:
            yield sorted(run), until
            run = []
        run.append(day)
        until = mark
    if run:
        yield sorted(run), until


def _put_in_place(beside: Lake, lake: Lake, tables: Sequence[str], days: Sequence[date]) -> None:
    for table in tables:
        for day in days:
            if beside.has(table, day):
                target = lake.path(table, day)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(beside.path(table, day), target)


def _write_status(lake: Lake, store: OutcomeStore, tables: Sequence[str], days: Sequence[date]) -> None:
    known = {day: [outcome for table in tables if (outcome := store.get(table, day))] for day in days}
    for refusal in lake.write_days(SOURCE_STATUS, {d: source_status_frame(o) for d, o in known.items() if o}).values():
        raise refusal
