"""What the streams of a joint score are measured by: a usual level and a usual deviation of each.

What belongs here: the yardstick and its use on periods. What does not: the scores (`multivariate.py`).

Prices of energy, of response and energy volumes have different units and sizes. A score of all together needs them
on one scale, and stays proper only if that scale is the same for all forecasts that are compared and owes nothing to
the outcome: it is taken from history that the gate knew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from bess_pipeline.forecasting.streams import Stream, slots_of

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Yardstick:
    """centre[stream] (slots,): its usual value by slot; spread[stream] > 0: its usual distance from that, same unit."""

    centre: Mapping[str, Array]
    spread: Mapping[str, float]

    def standardise(self, stream: Stream, start_utc: pd.DatetimeIndex, values: Array) -> Array:
        """`values` (…, periods) in spreads from the centre of each period's slot."""
        centre = self.centre[stream.name][slots_of(stream.clock, start_utc)]
        return np.asarray((values - centre) / self.spread[stream.name], dtype=np.float64)


def from_history(outcomes: Mapping[str, Array]) -> Yardstick:
    """The yardstick of past outcomes (days, slots) by stream, NaN where there is none.

    Centre: the median of each slot (of the whole stream where a slot has no value); spread: the mean distance from
    it. A stream without any value has no yardstick and is left out of joint scores; one that never moved keeps its
    unit (spread 1).
    """
    centre: dict[str, Array] = {}
    spread: dict[str, float] = {}
    for name, values in outcomes.items():
        if np.isnan(values).all():
            continue
        middle = float(np.nanmedian(values))
        columns = [np.nanmedian(column) if not np.isnan(column).all() else middle for column in values.T]
        centre[name] = np.array(columns, dtype=np.float64)
        distance = float(np.nanmean(np.abs(values - centre[name])))
        spread[name] = distance if distance > 0.0 else 1.0
    return Yardstick(centre, spread)
