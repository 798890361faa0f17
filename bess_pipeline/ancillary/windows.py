"""The half-hours of a horizon and the auction windows they lie in.

What belongs here: which EFA block and date each half-hour has, and sums over windows. What does not: the calendar
itself (`gb_time.py`) and rules on windows (`exclusions.py`, `payments.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bess_pipeline import gb_time

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Horizon:
    """Consecutive half-hours that begin with an EFA block.

    start_utc, efa_date, block: one per half-hour, `block` counts the EFA blocks of the horizon from 0;
    block_hours: real length of each block (3, 4 or 5 h), also where the horizon ends within it.
    """

    start_utc: pd.DatetimeIndex
    efa_date: tuple[date, ...]
    block: IntArray
    block_hours: FloatArray

    @property
    def periods(self) -> int:
        """Half-hours."""
        return len(self.start_utc)

    @property
    def block_start(self) -> IntArray:
        """The first half-hour of each block."""
        return np.flatnonzero(np.diff(self.block, prepend=-1))

    @property
    def periods_in_block(self) -> IntArray:
        """Settlement periods of the block each half-hour lies in: 6, 8 or 10."""
        return np.rint(self.block_hours[self.block] / gb_time.HALF_HOUR_H).astype(np.int64)

    def spread(self, by_block: FloatArray) -> FloatArray:
        """Values of blocks (..., blocks) as values of their half-hours (..., half-hours)."""
        return np.asarray(np.asarray(by_block, dtype=np.float64)[..., self.block])


def horizon_of(start_utc: pd.DatetimeIndex) -> Horizon:
    """The horizon of consecutive half-hour starts (UTC); ValueError unless the first one begins an EFA block."""
    if not len(start_utc):
        raise ValueError("a horizon needs at least one half-hour")
    first, last = start_utc[0].to_pydatetime(), start_utc[-1].to_pydatetime()
    if not start_utc.equals(gb_time.half_hours(first, last + gb_time.HALF_HOUR)):
        raise ValueError("a horizon is made of consecutive half-hours")
    columns = gb_time.efa_columns(start_utc)
    keys = list(zip(columns["efa_date"], columns["efa_block"], strict=True))
    blocks = list(dict.fromkeys(keys))
    bounds = [gb_time.efa_block_bounds_utc(day, int(block)) for day, block in blocks]
    if bounds[0][0] != gb_time.require_utc(first):
        raise ValueError(f"a horizon begins with an EFA block, not at {first.isoformat()}")
    place = {key: n for n, key in enumerate(blocks)}
    return Horizon(
        start_utc=start_utc,
        efa_date=tuple(columns["efa_date"]),
        block=np.array([place[key] for key in keys], dtype=np.int64),
        block_hours=np.array([(end - start).total_seconds() / 3600 for start, end in bounds]),
    )
