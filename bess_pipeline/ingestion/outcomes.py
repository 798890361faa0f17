"""How each dataset stands on each day: the rows of market.source_status before they are a table.

What belongs here: an outcome, its store and its frame. What does not: deciding an outcome (`ingest.py`).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import pandas as pd

from bess_pipeline import schemas
from bess_pipeline.atomic import write_bytes
from bess_pipeline.ingestion.datasets import Dataset
from bess_pipeline.verdict import NOT_NEEDED

COMPLETE, NOT_PUBLISHED, REFUSED = "complete", "not_published", "refused"


@dataclass(frozen=True)
class Outcome:
    """How one dataset stands on one day: a row of market.source_status."""

    source: str
    dataset: str
    date: date
    status: str
    reason: str
    expected_rows: int
    rows: int
    fetched_utc: datetime | None


class OutcomeStore:
    """The newest outcome of each dataset and day, one small file each, written atomically."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, outcome: Outcome) -> None:
        """Replace the outcome of its dataset and day."""
        data = dataclasses.asdict(outcome) | {
            "date": outcome.date.isoformat(),
            "fetched_utc": outcome.fetched_utc.isoformat() if outcome.fetched_utc else None,
        }
        write_bytes(self._path(outcome.dataset, outcome.date), json.dumps(data, sort_keys=True).encode())

    def get(self, dataset: str, day: date) -> Outcome | None:
        """The outcome of a dataset and day, or None when it was never built."""
        try:
            data = json.loads(self._path(dataset, day).read_text())
        except FileNotFoundError:
            return None
        data["date"] = date.fromisoformat(data["date"])
        if data["fetched_utc"]:
            data["fetched_utc"] = datetime.fromisoformat(data["fetched_utc"])
        return Outcome(**data)

    def complete(self, dataset: str, day: date) -> bool:
        """True when the day was complete the last time it was built."""
        outcome = self.get(dataset, day)
        return outcome is not None and outcome.status == COMPLETE

    def _path(self, dataset: str, day: date) -> Path:
        return self.root / dataset / f"{day.isoformat()}.json"


def never_built(dataset: Dataset, day: date) -> Outcome:
    """The outcome of a dataset and day that no run has built yet: a day is not complete without it."""
    reason = f"{dataset.table} was never built for {day}: materialise it first"
    return Outcome(dataset.source, dataset.table, day, REFUSED, reason, len(dataset.grid(day)), 0, None)


def standings(store: OutcomeStore, datasets: Sequence[Dataset], day: date) -> list[Outcome]:
    """How a day stands: each of `datasets`, and the tables beside them that something is known of."""
    outcomes = [store.get(dataset.table, day) or never_built(dataset, day) for dataset in datasets]
    return outcomes + [found for table in sorted(NOT_NEEDED) if (found := store.get(table, day))]


def source_status_frame(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Outcomes in the columns of market.source_status."""
    frame = pd.DataFrame([dataclasses.asdict(outcome) for outcome in outcomes])
    if frame.empty:
        return schemas.empty_frame("market/source_status")
    frame["fetched_utc"] = pd.to_datetime(frame["fetched_utc"], utc=True).dt.as_unit("us")
    return frame
