"""The streams that are forecast, and the clock each of them keeps.

What belongs here: names, units and clocks of streams, and where a stream's periods lie in an EFA day. What does
not: their values (`market_panel.py`) and forecasts (the models).

A stream has a value for each period of an EFA day (23:00 to 23:00 London): an hour or half-hour of the day-ahead
market, a half-hour of imbalance, an EFA block of response. Models compare days period by period, so each period
has a **slot**, its place on the London clock counted from 23:00: 24 hours, 48 half-hours or 6 blocks. A day on
which the clocks go forward has no period in the slots of the lost hour, and one on which they go back has two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.ancillary.response_curves import PRODUCTS

Clock = Literal["hour", "half_hour", "efa_block"]

SLOTS: dict[Clock, int] = {"hour": 24, "half_hour": 48, "efa_block": 6}
_MINUTES: dict[Clock, int] = {"hour": 60, "half_hour": 30, "efa_block": 240}
_DAY_MINUTES, _FIRST_MINUTE = 24 * 60, 23 * 60


@dataclass(frozen=True)
class Stream:
    """What is forecast: `name` as stored, `label` with words for people, `unit`, its clock and its lowest value."""

    name: str
    label: str
    unit: str
    clock: Clock
    lowest: float = -np.inf

    @property
    def slots(self) -> int:
        """Places of its clock in a day."""
        return SLOTS[self.clock]


def day_ahead(native_resolution_minutes: int) -> Stream:
    """The day-ahead price in the products it is sold in: hours, or half-hours where it is sold finer."""
    clock: Clock = "hour" if native_resolution_minutes >= 60 else "half_hour"
    return Stream("day_ahead", "day-ahead price", "GBP/MWh", clock)


SYSTEM_PRICE = Stream("system_price", "system price", "GBP/MWh", "half_hour")
NET_IMBALANCE = Stream("net_imbalance_volume", "net imbalance volume", "MWh", "half_hour")
MARKET_INDEX = Stream("market_index", "market index price", "GBP/MWh", "half_hour")
RESPONSE = {
    product: Stream(f"response_{product}", f"{product} clearing price", "GBP/MW/h", "efa_block") for product in PRODUCTS
}
ACTIVATION = {
    product: Stream(f"activation_{product}", f"{product} energy", "MWh/MW", "half_hour", lowest=0.0)
    for product in PRODUCTS
}


def period_starts(clock: Clock, efa_date: date) -> pd.DatetimeIndex:
    """Starts of the periods of an EFA day in order, UTC: 23, 24 or 25 hours, 46, 48 or 50 half-hours, or 6 blocks."""
    if clock == "efa_block":
        starts = [gb_time.efa_block_bounds_utc(efa_date, block)[0] for block in range(1, SLOTS[clock] + 1)]
        return pd.DatetimeIndex(starts, name="start_utc").as_unit("us")
    half_hours = gb_time.efa_half_hours(efa_date)
    return half_hours[:: _MINUTES[clock] // 30]


def period_slots(clock: Clock, efa_date: date) -> npt.NDArray[np.int64]:
    """The slot of each period of an EFA day, in the order of `period_starts`."""
    return slots_of(clock, period_starts(clock, efa_date))


def slots_of(clock: Clock, start_utc: pd.DatetimeIndex) -> npt.NDArray[np.int64]:
    """The slot in which each instant lies."""
    local = start_utc.tz_convert(gb_time.LONDON)
    minute = np.asarray(local.hour * 60 + local.minute, dtype=np.int64)
    return np.asarray((minute - _FIRST_MINUTE) % _DAY_MINUTES // _MINUTES[clock], dtype=np.int64)


def horizon_starts(clock: Clock, days: Sequence[date]) -> pd.DatetimeIndex:
    """Starts of the periods of several EFA days in order."""
    starts = [start for day in days for start in period_starts(clock, day)]
    return pd.DatetimeIndex(starts, name="start_utc").as_unit("us")
