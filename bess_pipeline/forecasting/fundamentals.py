"""What gates knew of the fundamentals: for each, the newest publication at or before it.

What belongs here: the rule that picks publications by time, for many gates at once. What does not: fetching and
storing them (`ingestion/forecasts.py`), and features made of them (the models).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

Array = npt.NDArray[np.float64]
Instants = npt.NDArray[np.int64]  # microseconds since 1970, UTC

TABLE = "market/fundamental_forecast"
LOOK_BACK = timedelta(days=3)  # forecasts reach about two days ahead; what is older says nothing of the day
HOURLY_SERIES = frozenset({"wind"})  # forecast by the hour, all others by the half-hour (sources/elexon_forecasts.py)
_LOOK_BACK_US = LOOK_BACK // timedelta(microseconds=1)
_HOUR_US = 3_600_000_000


def instants(column: pd.Series | pd.DatetimeIndex) -> Instants:
    """Microseconds since 1970 of zone-aware instants. Raises ValueError where they carry no zone or one is missing."""
    index = pd.DatetimeIndex(column)
    if index.tz is None or index.hasnans:
        raise ValueError("instants carry no time zone, or one of them is missing; give zone-aware UTC")
    return np.asarray(index.as_unit("us").asi8)


@dataclass(frozen=True)
class Publications:
    """Every publication of one series, in order of what it forecasts and then of its own time; `hourly` or half-hourly.

    `place[k]` orders row k among all: its start's rank times the number of publication times, plus its own rank.
    """

    hourly: bool
    start_us: Instants  # distinct, rising
    published_us: Instants  # distinct, rising
    place: Instants
    row_published_us: Instants
    value: Array

    @classmethod
    def of(cls, rows: pd.DataFrame, *, hourly: bool) -> Publications:
        """From rows of `market/fundamental_forecast` of one series, in any order."""
        start, published = instants(rows["start_utc"]), instants(rows["published_utc"])
        starts, start_rank = np.unique(start, return_inverse=True)
        times, time_rank = np.unique(published, return_inverse=True)
        place = start_rank * times.size + time_rank
        order = np.argsort(place, kind="stable")
        value = rows["value"].to_numpy(dtype="float64")[order]
        return cls(hourly, starts, times, place[order], published[order], value)

    def known(self, start_us: Instants, gate_us: Instants) -> Array:
        """For each half-hour (n,) what its gate (n,) knew of it: NaN where nothing was published by then.

        A half-hour of an hourly series has the value of its hour. Publications older than LOOK_BACK do not count.
        """
        wanted = start_us // _HOUR_US * _HOUR_US if self.hourly else start_us
        rank = np.searchsorted(self.start_us, wanted)
        inside = rank < self.start_us.size
        there = inside & (self.start_us[np.where(inside, rank, 0)] == wanted)
        until = rank * self.published_us.size + np.searchsorted(self.published_us, gate_us, side="right")
        found = np.searchsorted(self.place, until, side="left") - 1
        row = np.maximum(found, 0)
        there &= (found >= 0) & (self.place[row] // self.published_us.size == rank)
        there &= self.row_published_us[row] > gate_us - _LOOK_BACK_US
        return np.where(there, self.value[row], np.nan)


def publications(frame: pd.DataFrame) -> Mapping[str, Publications]:
    """By series, from rows of `market/fundamental_forecast`."""
    return {
        str(series): Publications.of(rows, hourly=series in HOURLY_SERIES)
        for series, rows in frame.groupby("series", sort=True)
    }
