"""Features of the calendar: known long before any gate.

What belongs here: numbers made of dates alone. What does not: working days themselves (`working_days.py`), market
data (`observation.py`) and how models use features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from bess_pipeline import gb_time
from bess_pipeline.working_days import bank_holidays, is_working_day

Array = npt.NDArray[np.float64]

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
YEAR_HARMONICS = (1, 2)
FEATURES = (
    *WEEKDAYS,
    "working_day",
    "bank_holiday",
    "bridge_day",
    "clock_change",
    *(f"year_{wave}_{harmonic}" for harmonic in YEAR_HARMONICS for wave in ("sin", "cos")),
)
PERIODS_IN_PLAIN_DAY = 48
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class CalendarFeatures:
    """value (days, names): flags are 0 or 1, harmonics of the year lie in [-1, 1]."""

    names: tuple[str, ...]
    value: Array

    def column(self, name: str) -> Array:
        """One feature over the days (days,). Raises ValueError for an unknown name."""
        return self.value[:, self.names.index(name)]


def calendar_features(days: Sequence[date], lead: int = 0) -> CalendarFeatures:
    """Features of the days `lead` days after each of `days`.

    weekday flags; working_day (England); bank_holiday (also where it falls on a weekend); bridge_day: a working day
    between two that are none; clock_change: an EFA day of 46 or 50 half-hours; sine and cosine of one and two turns
    a year, counted in days of the year of 365.25.
    """
    wanted = [day + lead * _ONE_DAY for day in days]
    turn = 2 * np.pi * np.array([day.timetuple().tm_yday - 1 for day in wanted], dtype=np.float64) / 365.25
    waves = [wave(harmonic * turn) for harmonic in YEAR_HARMONICS for wave in (np.sin, np.cos)]
    flags = np.array([_flags(day) for day in wanted], dtype=np.float64)
    return CalendarFeatures(FEATURES, np.column_stack([flags.reshape(len(wanted), len(FEATURES) - len(waves)), *waves]))


def _flags(day: date) -> list[bool]:
    working = is_working_day(day)
    bridge = working and not is_working_day(day - _ONE_DAY) and not is_working_day(day + _ONE_DAY)
    holiday = day in bank_holidays(day.year)
    changed = gb_time.periods_in_day(day) != PERIODS_IN_PLAIN_DAY
    return [*(day.isoweekday() == number for number in range(1, len(WEEKDAYS) + 1)), working, holiday, bridge, changed]
