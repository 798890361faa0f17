"""GB market clocks: settlement dates and periods, EFA days and blocks, and the London clock changes.

What belongs here: pure conversions between UTC instants and the market's own calendars.
What does not: gates and publication times (`trading/timeline.py`) and partitions
(`orchestration/partitions.py`).

Rules (Elexon BSC settlement calendar; NESO EFA calendar):

* A settlement date is a calendar day in Europe/London; period 1 starts at local midnight and
  periods are counted in elapsed half-hours: 48 a day, 46 when the clock goes forward, 50 when back.
* EFA day D runs from 23:00 London on D-1 to 23:00 London on D; blocks 1 to 6 start at
  23, 03, 07, 11, 15 and 19 local, so only block 1 spans a clock change (3 h or 5 h).

Every instant that leaves this module is zone-aware UTC; a naive instant is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pandas as pd

LONDON = ZoneInfo("Europe/London")
HALF_HOUR = timedelta(minutes=30)
HALF_HOUR_H = 0.5
EFA_BLOCK_START_HOURS = (23, 3, 7, 11, 15, 19)
UTC_DTYPE = "datetime64[us, UTC]"


def london_to_utc(day: date, clock: time) -> datetime:
    """The UTC instant of a wall-clock time in London (the first one where the hour repeats)."""
    return datetime.combine(day, clock, tzinfo=LONDON).astimezone(UTC)


def require_utc(instant: datetime) -> datetime:
    """`instant` in UTC; raises ValueError when it carries no time zone."""
    if instant.tzinfo is None:
        raise ValueError(f"{instant.isoformat()} has no time zone; give UTC, for example with a trailing Z")
    return instant.astimezone(UTC)


def settlement_day_bounds_utc(day: date) -> tuple[datetime, datetime]:
    """Start (inclusive) and end (exclusive) of a settlement date."""
    return london_to_utc(day, time()), london_to_utc(day + timedelta(days=1), time())


def periods_in_day(day: date) -> int:
    """Settlement periods in a settlement date: 48, or 46 and 50 on the clock changes."""
    start, end = settlement_day_bounds_utc(day)
    return int((end - start) / HALF_HOUR)


def period_start_utc(day: date, period: int) -> datetime:
    """Start of a settlement period; ValueError when the date has no such period."""
    count = periods_in_day(day)
    if not 1 <= period <= count:
        raise ValueError(f"settlement date {day} has periods 1 to {count}, not {period}")
    return settlement_day_bounds_utc(day)[0] + (period - 1) * HALF_HOUR


def settlement_date_of(instant: datetime) -> date:
    """The settlement date an instant lies in."""
    return require_utc(instant).astimezone(LONDON).date()


def settlement_period_of(instant: datetime) -> tuple[date, int]:
    """The (settlement date, settlement period) an instant lies in."""
    day = settlement_date_of(instant)
    elapsed = require_utc(instant) - settlement_day_bounds_utc(day)[0]
    return day, int(elapsed / HALF_HOUR) + 1


def efa_day_bounds_utc(day: date) -> tuple[datetime, datetime]:
    """Start (inclusive) and end (exclusive) of an EFA day: 23:00 to 23:00 London."""
    return london_to_utc(day - timedelta(days=1), time(23)), london_to_utc(day, time(23))


def efa_block_bounds_utc(day: date, block: int) -> tuple[datetime, datetime]:
    """Start and end of an EFA block 1 to 6; block 1 lasts 3 h or 5 h on the clock changes."""
    if not 1 <= block <= 6:
        raise ValueError(f"EFA blocks are 1 to 6, not {block}")
    starts = [efa_day_bounds_utc(day)[0], *(london_to_utc(day, time(h)) for h in EFA_BLOCK_START_HOURS[1:])]
    end = efa_day_bounds_utc(day)[1] if block == 6 else starts[block]
    return starts[block - 1], end


def efa_date_of(instant: datetime) -> date:
    """The EFA day an instant lies in."""
    local = require_utc(instant).astimezone(LONDON)
    return local.date() + timedelta(days=1) if local.hour == 23 else local.date()


def efa_block_of(instant: datetime) -> tuple[date, int]:
    """The (EFA day, block) an instant lies in."""
    local = require_utc(instant).astimezone(LONDON)
    return efa_date_of(instant), ((local.hour + 1) % 24) // 4 + 1


def half_hours(start: datetime, end: datetime) -> pd.DatetimeIndex:
    """Starts of the half-hours in [start, end), as zone-aware UTC."""
    index = pd.date_range(require_utc(start), require_utc(end), freq="30min", inclusive="left", name="start_utc")
    return index.as_unit("us")


def settlement_half_hours(day: date) -> pd.DatetimeIndex:
    """The 46, 48 or 50 half-hour starts of a settlement date."""
    return half_hours(*settlement_day_bounds_utc(day))


def efa_half_hours(day: date) -> pd.DatetimeIndex:
    """The 46, 48 or 50 half-hour starts of an EFA day."""
    return half_hours(*efa_day_bounds_utc(day))


def settlement_columns(start_utc: pd.Series | pd.DatetimeIndex) -> pd.DataFrame:
    """Columns `settlement_date` (date) and `settlement_period` (int) of UTC interval starts.

    The result has the index of the argument (or a range index for a DatetimeIndex).
    """
    series = _utc_series(start_utc)
    local = series.dt.tz_convert(LONDON)
    midnight = local.dt.normalize().dt.tz_convert("UTC")
    period = ((series - midnight) // pd.Timedelta(minutes=30)).astype("int64") + 1
    return pd.DataFrame({"settlement_date": local.dt.date.astype(object), "settlement_period": period})


def efa_columns(start_utc: pd.Series | pd.DatetimeIndex) -> pd.DataFrame:
    """Columns `efa_date` (date) and `efa_block` (int) of UTC interval starts."""
    local = _utc_series(start_utc).dt.tz_convert(LONDON)
    late = local.dt.hour == 23
    dates = local.dt.tz_localize(None).dt.normalize() + pd.to_timedelta(late.astype("int64"), unit="D")
    block = ((local.dt.hour + 1) % 24) // 4 + 1
    return pd.DataFrame({"efa_date": dates.dt.date.astype(object), "efa_block": block.astype("int64")})


def days_between(first: date, last: date) -> list[date]:
    """Every calendar day from `first` to `last`, both included; empty when last < first."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def consecutive_runs(days: Iterable[date], at_most: int | None = None) -> list[list[date]]:
    """`days` in order, as runs of consecutive days of at most `at_most` each; a gap ends a run."""
    runs: list[list[date]] = []
    for day in sorted(days):
        if runs and runs[-1][-1] + timedelta(days=1) == day and len(runs[-1]) != at_most:
            runs[-1].append(day)
        else:
            runs.append([day])
    return runs


def _utc_series(start_utc: pd.Series | pd.DatetimeIndex) -> pd.Series:
    series = start_utc if isinstance(start_utc, pd.Series) else pd.Series(start_utc)
    if getattr(series.dtype, "tz", None) is None:
        raise ValueError("interval starts carry no time zone; give zone-aware UTC")
    return series.dt.tz_convert("UTC")
