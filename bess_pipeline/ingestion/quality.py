"""What the pipeline knows that it does not know: coverage of days, lateness per source and quarantined rows.

What belongs here: reading outcomes and the quarantine into frames and counts; nothing is changed and
nobody is asked. What does not: how it is shown (`figures/coverage.py`, `report/data_quality.py`,
`commands/doctor.py`), how an outcome comes about (`ingest.py`) and revisions (`revision_summary.py`).

A day's state in a dataset is its status in market.source_status (complete, not_published, refused),
or `never_asked` where a day between the first and the last known one has none. Lateness counts from
the instant at which the last row of a day was due.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.gb_time import UTC_DTYPE
from bess_pipeline.ingestion.datasets import Dataset
from bess_pipeline.ingestion.ingest import LATE_AFTER
from bess_pipeline.ingestion.outcomes import COMPLETE, NOT_PUBLISHED, REFUSED
from bess_pipeline.lake import Lake

NEVER_ASKED = "never_asked"
STATES = (COMPLETE, NOT_PUBLISHED, REFUSED, NEVER_ASKED)
COVERAGE_COLUMNS = ("source", "dataset", "date", "state", "reason", "late_hours", "fetched_utc", "needed")
QUARANTINE_COLUMNS = ("table", "date", "rows", "failure_cases", "reason", "open")
_STATUS = "market/source_status"


@dataclass(frozen=True)
class Watched:
    """A table whose days are judged: its provider, and when the last row of a day is due.

    One that is not `needed` is listed only when it was ever asked for, and a hole in it is no fault.
    """

    table: str
    source: str
    due_utc: Callable[[date], datetime]
    needed: bool = True


@dataclass(frozen=True)
class DataQuality:
    """Frames of COVERAGE_COLUMNS (a row per dataset and day) and QUARANTINE_COLUMNS (a row per table and day).

    `late_hours` is null unless a day is not published and overdue. A quarantined frame is `open`
    until its day has been written or completed since.
    """

    coverage: pd.DataFrame
    quarantine: pd.DataFrame


@dataclass(frozen=True)
class Summary:
    """How one dataset stands over the known days."""

    dataset: str
    days: Mapping[str, int]
    latest_hours: float
    last_complete: date | None
    needed: bool = True

    @property
    def sound(self) -> bool:
        """Nothing refused, and nothing overdue for longer than a provider's usual delay; or not needed."""
        late = self.latest_hours * 3600.0 > LATE_AFTER.total_seconds()
        return not self.needed or not (self.days[REFUSED] or late)

    def __str__(self) -> str:
        parts = [f"{self.days[COMPLETE]} of {sum(self.days.values())} days complete"]
        parts += [f"{self.days[state]} {state.replace('_', ' ')}" for state in STATES[1:] if self.days[state]]
        if self.latest_hours:
            parts.append(f"overdue by up to {duration(self.latest_hours)}")
        return ", ".join(parts)


@dataclass(frozen=True)
class SourceLateness:
    """How late a provider is: overdue days over its datasets, the latest of them, and its newest answer."""

    source: str
    days: int
    hours: float
    worst: str
    newest_answer_utc: datetime | None

    def __str__(self) -> str:
        at = self.newest_answer_utc
        newest = f"newest answer {at:%Y-%m-%dT%H:%MZ}" if at else "no answer yet"
        if not self.days:
            return f"nothing overdue, {newest}"
        days = "1 day" if self.days == 1 else f"{self.days} days"
        return f"{days} overdue, the longest by {duration(self.hours)} ({self.worst}), {newest}"


def watch(dataset: Dataset, *, needed: bool = True) -> Watched:
    """A dataset as something to judge."""
    return Watched(dataset.table, dataset.source, dataset.due_utc, needed)


def assess(lake: Lake, watched: Sequence[Watched], now: datetime) -> DataQuality:
    """Coverage and quarantine of a workspace as they stand at `now`."""
    coverage = _coverage(lake.read_all(_STATUS), watched, now)
    return DataQuality(coverage, _quarantine(lake, coverage))


def summaries(quality: DataQuality) -> list[Summary]:
    """One summary per dataset, in the order of the datasets."""
    found = []
    for dataset, rows in quality.coverage.groupby("dataset", sort=False):
        counts = rows["state"].value_counts()
        complete = rows.loc[rows["state"] == COMPLETE, "date"]
        late = rows["late_hours"].max()
        found.append(
            Summary(
                dataset=str(dataset),
                days={state: int(counts.get(state, 0)) for state in STATES},
                latest_hours=0.0 if pd.isna(late) else float(late),
                last_complete=complete.max() if len(complete) else None,
                needed=bool(rows["needed"].iloc[0]),
            )
        )
    return found


def lateness(quality: DataQuality) -> list[SourceLateness]:
    """One row per source, in the order of the datasets."""
    found = []
    for source, rows in quality.coverage.groupby("source", sort=False):
        late = rows.dropna(subset=["late_hours"]).sort_values("late_hours", ascending=False, kind="stable")
        newest = rows["fetched_utc"].max()
        worst = f"{late['dataset'].iloc[0]} {late['date'].iloc[0]}" if len(late) else ""
        found.append(
            SourceLateness(
                source=str(source),
                days=len(late),
                hours=float(late["late_hours"].iloc[0]) if len(late) else 0.0,
                worst=worst,
                newest_answer_utc=None if pd.isna(newest) else newest.to_pydatetime(),
            )
        )
    return found


def holes(quality: DataQuality) -> pd.DataFrame:
    """Days that are not complete as runs: dataset, first, last, days, state, reason; never-asked days as well.

    Days that nobody asked for of a table that is not needed are no holes.
    """
    coverage = quality.coverage
    wanted = coverage["needed"].astype(bool) | (coverage["state"] != NEVER_ASKED)
    rows = coverage[(coverage["state"] != COMPLETE) & wanted].sort_values(["dataset", "date"])
    changed = (rows[["dataset", "state", "reason"]] != rows[["dataset", "state", "reason"]].shift()).any(axis=1)
    apart = pd.to_datetime(rows["date"]).diff() != pd.Timedelta(days=1)
    grouped = rows.groupby((changed | apart).cumsum())
    return grouped.agg(
        dataset=("dataset", "first"),
        first=("date", "min"),
        last=("date", "max"),
        days=("date", "size"),
        state=("state", "first"),
        reason=("reason", "first"),
    ).reset_index(drop=True)


def duration(hours: float) -> str:
    """`5 h`, or `3 d 4 h`."""
    whole = round(hours)
    return f"{whole} h" if whole < 48 else f"{whole // 24} d {whole % 24} h"


def _coverage(status: pd.DataFrame, watched: Sequence[Watched], now: datetime) -> pd.DataFrame:
    if status.empty:
        return pd.DataFrame(columns=list(COVERAGE_COLUMNS))
    days = gb_time.days_between(status["date"].min(), status["date"].max())
    known = {(row.dataset, row.date): (row.status, row.reason, row.fetched_utc) for row in status.itertuples()}
    asked = set(status["dataset"])
    rows = []
    for one in (one for one in watched if one.needed or one.table in asked):
        for day in days:
            state, reason, fetched = known.get((one.table, day), (NEVER_ASKED, "", pd.NaT))
            late = (now - one.due_utc(day)).total_seconds() / 3600.0 if state == NOT_PUBLISHED else 0.0
            late = late if late > 0.0 else float("nan")
            rows.append((one.source, one.table, day, state, reason, late, fetched, one.needed))
    frame = pd.DataFrame(rows, columns=list(COVERAGE_COLUMNS))
    return frame.astype({"fetched_utc": UTC_DTYPE, "needed": bool})


def _quarantine(lake: Lake, coverage: pd.DataFrame) -> pd.DataFrame:
    states = {(row.dataset, row.date): row.state for row in coverage.itertuples(index=False)}
    rows = []
    for table, day, folder in _kept_frames(lake.quarantine):
        reason_file = folder / "reason.txt"
        written = lake.path(table, day)
        state = states.get((table, day))
        mended = written.is_file() and written.stat().st_mtime > reason_file.stat().st_mtime
        reason = reason_file.read_text(encoding="utf-8", errors="replace").splitlines()
        is_open = not mended if state in (None, NEVER_ASKED) else state != COMPLETE
        counts = (_rows(folder / "frame.csv"), _rows(folder / "failure_cases.csv"))
        rows.append((table, day, *counts, reason[0] if reason else "no reason was kept", is_open))
    return pd.DataFrame(rows, columns=list(QUARANTINE_COLUMNS)).astype({"open": bool})


def _kept_frames(root: Path) -> Iterator[tuple[str, date, Path]]:
    for reason in sorted(root.glob("*/*/*/reason.txt")):
        folder = reason.parent
        try:
            day = date.fromisoformat(folder.name)
        except ValueError:
            continue
        yield folder.parent.relative_to(root).as_posix(), day, folder


def _rows(file: Path) -> int:
    """Rows of a CSV below its header; a value may hold a line break."""
    if not file.is_file():
        return 0
    with file.open(encoding="utf-8", errors="replace", newline="") as lines:
        return max(sum(1 for _ in csv.reader(lines)) - 1, 0)
