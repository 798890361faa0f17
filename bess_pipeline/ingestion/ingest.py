"""Asks providers for days, keeps what they say, and builds market partitions from the vault.

What belongs here: the order of fetch, keep, parse, assess and write, and the outcome of each day.
What does not: what a dataset is (`datasets.py`), HTTP (`sources/http.py`), Dagster (`orchestration/`).

A bad day never raises: it becomes an `Outcome` with its reason and the other days go on. What does
raise is a mistake that holds for all days: data of another origin, or a setting that cannot work.
Nothing stored is ever replaced by an answer that has less of the day (promise P3).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import pandas as pd

from bess_pipeline import gb_time, schemas
from bess_pipeline.errors import (
    BessError,
    NotPublishedError,
    PayloadError,
    RefusedFrameError,
    SourceCoolingError,
    SourceError,
)
from bess_pipeline.ingestion.datasets import Dataset, DayRows, among, judged_span_utc, missing_keys
from bess_pipeline.ingestion.outcomes import COMPLETE, NOT_PUBLISHED, REFUSED, Outcome, OutcomeStore
from bess_pipeline.ingestion.vault import Failure, RawRecord, RawVault
from bess_pipeline.lake import Lake
from bess_pipeline.sources.http import Answer, HttpClient, RejectedAnswerError
from bess_pipeline.sources.parsing import combine
from bess_pipeline.sources.remarks import Remark, collecting

LATE_AFTER = timedelta(hours=24)
ONE_DAY = timedelta(days=1)
_NAMED = 3


@dataclass(frozen=True)
class _Draft:
    """Rows a partition is to be replaced by (None = what is stored stays), and the outcome then."""

    rows: pd.DataFrame | None
    outcome: Outcome


class Ingestion:
    """Fetches and builds days of one workspace.

    `admit` is called with the origin of every answer (None for the user's own file) before anything
    is stored and raises OriginError when the workspace holds data of another origin. Without a
    client nothing can be asked for, only built.
    """

    def __init__(
        self,
        raw_root: Path,
        lake: Lake,
        client: HttpClient | None,
        now: Callable[[], datetime],
        admit: Callable[[str | None], None],
    ) -> None:
        self.vault = RawVault(raw_root)
        self.outcomes = OutcomeStore(raw_root / "outcomes")
        self.lake = lake
        self._client = client
        self.now = now
        self.admit = admit

    def unfinished(self, dataset: Dataset, days: Iterable[date]) -> list[date]:
        """The days that were not complete when they were last built, or never built."""
        return [day for day in days if not self.outcomes.complete(dataset.table, day)]

    def unanswered(self, dataset: Dataset, days: Iterable[date], frames: DayRows | None = None) -> list[date]:
        """The unfinished days that must be asked for: no complete answer waits in the vault to be built.

        One waits there when a run was stopped between asking and building (promise P8).
        """
        frames = frames or self._rows_of(dataset)
        return [day for day in self.unfinished(dataset, days) if not self._waits(dataset, day, frames)]

    @property
    def client(self) -> HttpClient:
        """What asks; RuntimeError where there is none, because only stored answers are to be built."""
        if self._client is None:
            raise RuntimeError("this ingestion builds from the vault alone")
        return self._client

    def fetch(self, dataset: Dataset, days: Sequence[date]) -> dict[date, Failure | None]:
        """Ask for `days` and keep the answers; the failure of each day, or None where it went well.

        Days whose last ask failed come last: a provider that can never serve two of them opens its breaker,
        and the days behind them would otherwise wait for ever.
        """
        result: dict[date, Failure | None] = {}
        chunks = gb_time.consecutive_runs(days, dataset.chunk_days)
        for chunk in sorted(chunks, key=lambda chunk: any(self._failed_when_asked(dataset, day) for day in chunk)):
            due = [day for day in chunk if self._opened(dataset, day, result)]
            if due:
                result |= self._fetch_chunk(dataset, due)
        return dict(sorted(result.items()))

    def build(
        self, dataset: Dataset, days: Sequence[date], frames: DayRows | None = None, *, until: str | None = None
    ) -> list[Outcome]:
        """Build the partitions of `days` from the vault and say how each stands.

        `frames` gives the rows of a day where it is given. With `until`, a mark of `RawVault.asks`, as if
        nothing had been answered after that ask.
        """
        frames = frames or self._rows_of(dataset, until)
        touched = sorted({*self._unfinished_neighbours(dataset, days), *days})
        drafts = {day: self._draft(dataset, day, frames) for day in touched}
        refused = self.lake.write_days(
            dataset.table, {day: draft.rows for day, draft in drafts.items() if draft.rows is not None}
        )
        for day, refusal in refused.items():
            drafts[day] = self._refused_draft(dataset, day, REFUSED, str(refusal))
        for draft in drafts.values():
            self.outcomes.put(draft.outcome)
        return [drafts[day].outcome for day in days]

    def _rows_of(self, dataset: Dataset, until: str | None = None) -> DayRows:
        return dataset.rows(self.vault, until) if dataset.rows else _ParsedBodies(dataset, self.vault, until)

    def _waits(self, dataset: Dataset, day: date, frames: DayRows) -> bool:
        record, outcome = self.vault.newest(dataset.raw, day), self.outcomes.get(dataset.table, day)
        judged = outcome.fetched_utc if outcome else None
        if record is None or (judged is not None and judged >= record.fetched_utc):
            return False
        try:
            return not missing_keys(dataset, frames.around(day), day)[1]
        except BessError:
            return False

    def _opened(self, dataset: Dataset, day: date, result: dict[date, Failure | None]) -> bool:
        opens = dataset.opens_utc(day)
        if day < dataset.first_day:
            reason = f"{dataset.table} begins on {dataset.first_day}: no earlier results are public in this form"
            result[day] = self._fail(dataset, day, REFUSED, reason, asked=False)
        elif opens > self.now():
            reason = f"published from {opens:%Y-%m-%dT%H:%MZ}"
            result[day] = self._fail(dataset, day, NOT_PUBLISHED, reason, asked=False)
        else:
            return True
        return False

    def _fetch_chunk(self, dataset: Dataset, days: list[date]) -> dict[date, Failure | None]:
        """Ask for a run of days at once; one by one where an answer to all of them is of no use.

        An answer that cannot be read is kept all the same, for inspection, and noted as a failure.
        """
        fetched_utc = self.now()
        answers, problem = self._ask(dataset, days[0], days[-1])
        self._admit(answers)
        if len(days) > 1 and isinstance(problem, PayloadError | NotPublishedError):
            return self._one_by_one(dataset, days)
        if answers:
            self.vault.keep(dataset.raw, days, answers, fetched_utc)
        if problem is None:
            return dict.fromkeys(days)
        asked = not isinstance(problem, SourceCoolingError)
        return {day: self._fail(dataset, day, _status_of(problem), str(problem), asked=asked) for day in days}

    def _failed_when_asked(self, dataset: Dataset, day: date) -> bool:
        failure = self.vault.failure(dataset.raw, day)
        return failure is not None and failure.asked and failure.status == REFUSED

    def _ask(self, dataset: Dataset, first: date, last: date) -> tuple[list[Answer], SourceError | None]:
        """What came, also where it cannot be used, and why it cannot."""
        try:
            answers = dataset.fetch(self.client, first, last)
        except RejectedAnswerError as error:
            return [error.answer], error
        except SourceError as error:
            return [], error
        return answers, _unreadable(dataset, answers)

    def _one_by_one(self, dataset: Dataset, days: list[date]) -> dict[date, Failure | None]:
        result: dict[date, Failure | None] = {}
        for day in days:
            result |= self._fetch_chunk(dataset, [day])
        return result

    def _admit(self, answers: Iterable[Answer]) -> None:
        for origin in {None if answer.source == "file" else answer.origin for answer in answers}:
            self.admit(origin)

    def _fail(self, dataset: Dataset, day: date, status: str, reason: str, *, asked: bool = True) -> Failure:
        failure = Failure(status, reason, self.now(), asked)
        self.vault.note_failure(dataset.raw, day, failure)
        return failure

    def _draft(self, dataset: Dataset, day: date, frames: DayRows) -> _Draft:
        """What a day's partition would become, and the outcome if its rows pass validation."""
        try:
            rows = frames.around(day)
            expected, missing = missing_keys(dataset, rows, day)
            mine = self._usable(dataset, day, rows)
        except BessError as error:
            failure = self.vault.failure(dataset.raw, day) if isinstance(error, SourceError) else None
            status, reason = (failure.status, failure.reason) if failure else (_status_of(error), str(error))
            return self._refused_draft(dataset, day, status, reason)
        record = self.vault.newest(dataset.raw, day)
        status, reason = COMPLETE, ""
        if missing:
            status, reason = self._why_missing(dataset, day, expected, missing)
        elif record is not None and record.fetched_utc < dataset.final_utc(day):
            status = NOT_PUBLISHED
            reason = f"complete as far as it was published by {record.fetched_utc:%Y-%m-%dT%H:%MZ}; more will follow"
        reason = "; ".join(filter(None, (reason, frames.noticed(day))))
        return _Draft(mine, self._outcome(dataset, day, status, reason, expected, expected - len(missing), record))

    def _refused_draft(self, dataset: Dataset, day: date, status: str, reason: str) -> _Draft:
        """An outcome without new rows: what is stored stays, and is counted."""
        record = self.vault.newest(dataset.raw, day)
        stored = self.lake.read(dataset.table, day + min(dataset.records) * ONE_DAY, day)
        expected, missing = missing_keys(dataset, stored, day)
        return _Draft(None, self._outcome(dataset, day, status, reason, expected, expected - len(missing), record))

    def _usable(self, dataset: Dataset, day: date, rows: pd.DataFrame) -> pd.DataFrame | None:
        """The rows of the partition, None without any; RefusedFrameError when they lack what is stored or needed."""
        mine = _of_partition(dataset, rows, day)
        if mine.empty:
            return None
        stored = self.lake.read(dataset.table, day, day)
        lost = int((~among(stored, mine, schemas.keys(dataset.table))).sum())
        if lost:
            raise RefusedFrameError(
                f"{dataset.table} {day}: the newest answer lacks {lost} rows that are stored; the stored day stays"
            )
        known = [name for name in mine.columns if name in dataset.never_null or stored[name].notna().any()]
        emptied = [name for name in known if mine[name].isna().all()]
        if emptied:
            raise RefusedFrameError(
                f"{dataset.table} {day}: the newest answer has no {' and no '.join(emptied)} in any row (renamed or "
                "dropped by the provider?); what is stored stays"
            )
        return mine

    def _unfinished_neighbours(self, dataset: Dataset, days: Sequence[date]) -> list[date]:
        """Stored days right before one of `days`: their last hour belongs to the product day that is now built."""
        if len(dataset.records) == 1:
            return []
        before = (run[0] - ONE_DAY for run in gb_time.consecutive_runs(days))
        return [day for day in before if self.lake.has(dataset.table, day)]

    def _why_missing(self, dataset: Dataset, day: date, expected: int, missing: Sequence[str]) -> tuple[str, str]:
        failure = self.vault.failure(dataset.raw, day)
        if failure is not None:
            return failure.status, failure.reason
        named = ", ".join(missing[:_NAMED]) + (" …" if len(missing) > _NAMED else "")
        reason = f"{len(missing)} of {expected} missing: {named}"
        if self.vault.newest(dataset.raw, day) is None:
            return REFUSED, f"{dataset.raw} was never fetched for {day}"
        return (NOT_PUBLISHED if self.now() < dataset.due_utc(day) + LATE_AFTER else REFUSED), reason

    def _outcome(
        self, dataset: Dataset, day: date, status: str, reason: str, expected: int, rows: int, record: RawRecord | None
    ) -> Outcome:
        fetched = record.fetched_utc if record else None
        return Outcome(dataset.source, dataset.table, day, status, reason, expected, rows, fetched)


class _ParsedBodies:
    """Rows of a day from the newest records around it; each stored body is parsed once."""

    def __init__(self, dataset: Dataset, vault: RawVault, until: str | None = None) -> None:
        self.dataset = dataset
        self.until = until
        self.vault = vault
        self.parse = lru_cache(maxsize=8)(self._parse)
        self._remarks: dict[date, list[Remark]] = {}

    def around(self, day: date) -> pd.DataFrame:
        """Rows of the table from all records that may hold the day; the newest answer of a row wins.

        Raises the error of the day's own newest answer when neither it nor a neighbour's gives any row.
        """
        problem: BessError | None = None
        self._remarks[day] = []
        found: list[tuple[datetime, pd.DataFrame] | None] = []
        for n in self.dataset.records:
            try:
                found.append(self._of_record(day + n * ONE_DAY, day))
            except BessError as error:
                problem = error
        parts = [rows for _, rows in sorted(filter(None, found), key=lambda one: one[0]) if not rows.empty]
        if not parts and problem is not None:
            raise problem
        if not parts:
            return schemas.empty_frame(self.dataset.table)
        return pd.concat(parts).drop_duplicates(schemas.keys(self.dataset.table), keep="last", ignore_index=True)

    def noticed(self, day: date) -> str:
        """How many rows of the judged day each remark of its answers is about."""
        start, end = judged_span_utc(self.dataset, day)
        counts: Counter[str] = Counter()
        for found in self._remarks.get(day, []):
            instants = found.rows[self.dataset.partition_start]
            counts[found.what] += int(((instants >= start) & (instants < end)).sum())
        return "; ".join(f"{count} {what}" for what, count in counts.items() if count)

    def _of_record(self, record_day: date, day: date) -> tuple[datetime, pd.DataFrame] | None:
        """Fetch time, and rows within a day of `day`, of the newest record of `record_day` that can be read.

        Where a provider's answer cannot be read an older one stands; a body that is damaged on our disk
        ends the search, because what it said is not known. A neighbour's trouble is its own outcome.
        Bodies of one record were asked for at once: where they contradict each other the record cannot be read.
        """
        problem: BessError | None = None
        for record in self.vault.records(self.dataset.raw, record_day, self.until):
            try:
                parsed = [self.parse(body.sha256) for body in record.bodies]
                with collecting() as remarks:
                    rows = self._joined([part for part, _ in parsed], day)
            except SourceError as error:
                problem = problem or error
                continue
            except BessError as error:
                problem = error
                break
            self._remarks[day] += [one for _, of_body in parsed for one in of_body] + remarks
            return record.fetched_utc, rows
        if problem is not None and record_day == day:
            raise problem
        return None

    def _joined(self, parts: Sequence[pd.DataFrame], day: date) -> pd.DataFrame:
        near = [self._within(rows, day) for rows in parts]
        return near[0] if len(near) == 1 else _combined(self.dataset, near)

    def _within(self, rows: pd.DataFrame, day: date) -> pd.DataFrame:
        start = gb_time.efa_day_bounds_utc(day)[0]
        end = gb_time.settlement_day_bounds_utc(day)[1]
        instants = rows[self.dataset.partition_start]
        return rows[(instants >= start) & (instants < end)]

    def _parse(self, sha256: str) -> tuple[pd.DataFrame, list[Remark]]:
        with collecting() as remarks:
            return self.dataset.parse(self.vault.body(sha256)), remarks


def _of_partition(dataset: Dataset, rows: pd.DataFrame, day: date) -> pd.DataFrame:
    start, end = gb_time.settlement_day_bounds_utc(day)
    instants = rows[dataset.partition_start]
    return rows[(instants >= start) & (instants < end)]


def _unreadable(dataset: Dataset, answers: Sequence[Answer]) -> SourceError | None:
    """Why answers cannot be read together, None when they can; a mistake in the user's own file is raised."""
    try:
        parts = [dataset.parse(answer.content) for answer in answers]
        if len(parts) > 1:
            _combined(dataset, parts)
    except SourceError as error:
        return error
    return None


def _combined(dataset: Dataset, parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Rows of the answers to one ask; PayloadError where two of them contradict each other."""
    return combine(parts, schemas.keys(dataset.table), f"answers for {dataset.raw}")


def _status_of(error: BessError) -> str:
    return NOT_PUBLISHED if isinstance(error, NotPublishedError) else REFUSED
