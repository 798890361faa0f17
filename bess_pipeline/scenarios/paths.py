"""A set of scenarios: joint paths of all streams over a horizon, with probabilities.

What belongs here: the form of a set. What does not: how paths are drawn (`generate.py`), reduced (`reduce.py`) and
scored (`scores.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.forecasting.streams import Clock, Stream

Array = npt.NDArray[np.float64]
_HOURS: dict[Clock, float] = {"hour": 1.0, "half_hour": 0.5}


@dataclass(frozen=True)
class ScenarioSet:
    """N joint paths: scenario i is row i of every stream.

    probability (N,), positive, of sum 1; value[stream] (N, periods of the stream), its periods start_utc[stream] (UTC,
    each stream on its own clock); `method` says what tied the streams together, `seed` what drew them, `notes` what
    had to be done without.
    """

    efa_date: date
    gate: str
    gate_utc: datetime
    method: str
    seed: int
    probability: Array
    streams: Mapping[str, Stream]
    start_utc: Mapping[str, pd.DatetimeIndex]
    value: Mapping[str, Array]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        count = self.probability.size
        for name, values in self.value.items():
            if values.shape != (count, self.start_utc[name].size):
                raise ValueError(f"{name} has values {values.shape}, not {(count, self.start_utc[name].size)}")
        if count == 0 or not (self.probability > 0).all() or not np.isclose(self.probability.sum(), 1.0, atol=1e-9):
            raise ValueError("probabilities must be positive and sum to 1")


def trading_day(scenarios: ScenarioSet) -> ScenarioSet:
    """The set cut to the periods of its trading day."""
    start, end = (pd.Timestamp(instant) for instant in gb_time.efa_day_bounds_utc(scenarios.efa_date))
    kept = {name: np.asarray((at >= start) & (at < end)) for name, at in scenarios.start_utc.items()}
    return replace(
        scenarios,
        start_utc={name: at[kept[name]] for name, at in scenarios.start_utc.items()},
        value={name: values[:, kept[name]] for name, values in scenarios.value.items()},
    )


def period_hours(clock: Clock, start_utc: pd.DatetimeIndex) -> Array:
    """Length of each period (periods,), in hours: an EFA block has 4, and 3 or 5 where clocks change."""
    if clock in _HOURS:
        return np.full(start_utc.size, _HOURS[clock])
    bounds = [gb_time.efa_block_bounds_utc(*gb_time.efa_block_of(start)) for start in start_utc]
    return np.array([(end - start).total_seconds() / 3600 for start, end in bounds])
