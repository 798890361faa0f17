"""What must hold of stored forecasts and scenarios, as numbers that a check compares with a tolerance.

What belongs here: reading stored days and finding what is wrong with them. What does not: Dagster's checks
(`orchestration/assets/forecast.py`), and bounds of single values (`forecast_tables.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np

from bess_pipeline.forecast_tables import FORECAST, PATHS
from bess_pipeline.lake import Lake
from bess_pipeline.scenarios.daily import known_stamp
from bess_pipeline.scenarios.storage import COLUMNS
from bess_pipeline.trading import timeline
from bess_pipeline.trading.timeline import GATES

TOLERANCE = 1e-9


@dataclass(frozen=True)
class Findings:
    """falling: rows whose quantiles fall somewhere; gap: largest distance of a set's probability from 1; too_late:
    days and gates that used a value which became known after the gate."""

    falling: int
    gap: float
    too_late: tuple[str, ...]


def look(lake: Lake, days: Sequence[date]) -> Findings:
    """What is wrong with the stored forecasts and scenarios of `days`."""
    first, last = min(days), max(days)
    quantiles = lake.read(FORECAST, first, last)[COLUMNS].to_numpy(dtype="float64")
    falling = int((np.diff(quantiles, axis=1) < 0).any(axis=1).sum())
    too_late = [f"{day} {gate}" for day in days for gate in GATES if _too_late(lake.stamp(PATHS, day), day, gate)]
    gaps = [_gap(lake, day) for day in days]
    return Findings(falling, max(gaps), tuple(too_late))


def _gap(lake: Lake, day: date) -> float:
    paths = lake.read(PATHS, day, day).drop_duplicates(["gate", "scenario"])
    sums = paths.groupby("gate")["probability"].sum()
    return float((sums - 1.0).abs().max()) if len(sums) else 0.0


def _too_late(stamp: dict[str, str], day: date, gate: timeline.Gate) -> bool:
    newest = stamp.get(known_stamp(gate), "")
    return bool(newest) and datetime.fromisoformat(newest) > timeline.gate_utc(day, gate)
