"""The axis of one EFA day in London time.

What belongs here: ticks and words about the clock. What does not: what is drawn over it.

Positions on the axis are elapsed hours since 23:00 on D-1, labelled with London clock time, so that
the days of 23 and 25 hours are as long as they are.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from bess_pipeline import gb_time

CLOCK_NOTES = {46: "23-hour day: clocks go forward at 01:00", 50: "25-hour day: clocks go back at 02:00"}


def clock_axis(axes: Axes, starts: pd.DatetimeIndex) -> None:
    """Ticks at the EFA block starts (London 23, 03, 07, 11, 15, 19) and small ones each hour.

    starts: all half-hours of the day (`gb_time.efa_half_hours`).
    """
    local = starts.tz_convert(gb_time.LONDON)
    on_hour = [n for n, start in enumerate(local) if start.minute == 0]
    major = [i for i in on_hour if local[i].hour in gb_time.EFA_BLOCK_START_HOURS]
    length_h = len(starts) * gb_time.HALF_HOUR_H
    positions = [i * gb_time.HALF_HOUR_H for i in major]
    axes.set_xticks([*positions, length_h], [*(f"{local[i]:%H:%M}" for i in major), "23:00"])
    axes.set_xticks([i * gb_time.HALF_HOUR_H for i in on_hour], minor=True)
    axes.set_xlim(0.0, length_h)
    axes.set_xlabel("London time; grid lines at the starts of EFA blocks")
