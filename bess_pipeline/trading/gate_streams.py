"""Scenario streams on the half-hours of a gate's horizon.

What belongs here: the horizon's half-hours, and from each stream's own clock (hour, half-hour, EFA block) to them. What
does not: which streams a problem needs and what stands in for one that is missing (`gate_problem.py`,
`gate_services.py`).
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.ancillary.windows import FloatArray, IntArray
from bess_pipeline.forecasting.streams import Clock
from bess_pipeline.scenarios.paths import ScenarioSet, period_hours

_HALF_HOURS_PER_HOUR = 2
_US_PER_HOUR = 3_600_000_000


def horizon_half_hours(efa_date: date, look_ahead_hours: int) -> pd.DatetimeIndex:
    """Half-hours of the look-ahead from 23:00 London on the day before `efa_date`, all of that day at least."""
    start, end = gb_time.efa_day_bounds_utc(efa_date)
    return gb_time.half_hours(start, max(end, start + _HALF_HOURS_PER_HOUR * look_ahead_hours * gb_time.HALF_HOUR))


def period_of_half_hour(clock: Clock, starts: pd.DatetimeIndex, half_hours: pd.DatetimeIndex) -> IntArray:
    """Which of the periods that begin at `starts` (rising) each half-hour lies in; -1 = none of them."""
    if not len(starts):
        return np.full(len(half_hours), -1, dtype=np.int64)
    begins, instants = (np.asarray(one.as_unit("us").asi8) for one in (starts, half_hours))
    ends = begins + np.rint(period_hours(clock, starts) * _US_PER_HOUR).astype(np.int64)
    place = np.searchsorted(begins, instants, side="right") - 1
    within = (place >= 0) & (instants < ends[np.maximum(place, 0)])
    return np.asarray(np.where(within, place, -1), dtype=np.int64)


def covered(scenarios: ScenarioSet, name: str, half_hours: pd.DatetimeIndex) -> int:
    """How many half-hours, from the first on, a stream has values for; 0 for a stream that is not there."""
    if name not in scenarios.value:
        return 0
    place = period_of_half_hour(scenarios.streams[name].clock, scenarios.start_utc[name], half_hours)
    gaps = np.flatnonzero(place < 0)
    return int(gaps[0]) if gaps.size else len(half_hours)


def path_on(scenarios: ScenarioSet, name: str, half_hours: pd.DatetimeIndex) -> FloatArray | None:
    """Values of a stream in each half-hour, (scenarios, half-hours); None unless it has all of them."""
    if covered(scenarios, name, half_hours) < len(half_hours):
        return None
    place = period_of_half_hour(scenarios.streams[name].clock, scenarios.start_utc[name], half_hours)
    return np.asarray(scenarios.value[name][:, place], dtype=float)
