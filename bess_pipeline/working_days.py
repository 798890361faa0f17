"""Working days of England: neither weekend nor bank holiday.

What belongs here: which days are closed. What does not: settlement and EFA days (`gb_time.py`) and what is
counted in working days (`ingestion/revisions.py`).
"""

from __future__ import annotations

from datetime import date
from functools import cache

import holidays

SATURDAY = 6


@cache
def bank_holidays(year: int) -> tuple[date, ...]:
    """Bank holidays of England in a year."""
    return tuple(holidays.country_holidays("GB", subdiv="ENG", years=year))


def is_working_day(day: date) -> bool:
    """Whether `day` is a working day."""
    return day.isoweekday() < SATURDAY and day not in bank_holidays(day.year)
