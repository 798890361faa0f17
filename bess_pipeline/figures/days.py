"""Axes and titles of figures whose horizontal axis is trading days.

What belongs here: dates as readers see them. What does not: the rest of the look (`style.py`) and half-hours of one day
(`dispatch.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, DateFormatter, DayLocator


def day_axis(axes: Axes, dates: Iterable[date]) -> None:
    """EFA days along the horizontal axis; no tick where there is no day."""
    axes.set_xlabel("EFA day (closes 23:00 London)")
    days = list(dates)
    if not days:
        axes.set_xticks([])
        return
    span = (max(days) - min(days)).days + 1
    locator = DayLocator() if span <= 8 else AutoDateLocator(minticks=3, maxticks=13, interval_multiples=False)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(DateFormatter("%d %b" if span <= 300 else "%b %Y"))
    axes.margins(x=0.01)


def window_label(dates: Iterable[date]) -> str:
    """First to last day, as a title says it."""
    days = list(dates)
    if not days:
        return "no settled day"
    first, last = min(days), max(days)
    return _day(first) if first == last else f"{_day(first)} to {_day(last)}"


def _day(day: date) -> str:
    return f"{day.day} {day:%b %Y}"
