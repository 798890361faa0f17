"""What a scenario is worth to a battery, in a few numbers: spread, day-ahead against cash-out, response revenue.

What belongs here: functionals of the paths over the trading day, each in GBP per MW or MWh, that reduction keeps and
reports. What does not: plans and their profit (`optimisation/`, `trading/`).

* daily spread: mean of the two dearest hours less that of the two cheapest, day-ahead, GBP/MWh (a two-hour battery
  and one cycle);
* day-ahead less system price: mean over the day, GBP/MWh (a position held into cash-out);
* response revenue: clearing price times hours, over all blocks, mean of the products, GBP/MW.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.forecasting.streams import Clock
from bess_pipeline.scenarios.dependence import market_of
from bess_pipeline.scenarios.paths import ScenarioSet, period_hours

Array = npt.NDArray[np.float64]

SPREAD_H = 2
_PER_HOUR: dict[Clock, int] = {"hour": 1, "half_hour": 2}


def functionals(scenarios: ScenarioSet) -> dict[str, Array]:
    """Name and unit -> (N,), of those that the streams of the set allow."""
    names = list(scenarios.value)
    found: dict[str, Array] = {}
    if "day_ahead" in names:
        found["daily spread, GBP/MWh"] = _spread(scenarios)
    if "day_ahead" in names and "system_price" in names:
        difference = _of_day(scenarios, "day_ahead").mean(axis=1) - _of_day(scenarios, "system_price").mean(axis=1)
        found["day-ahead less system price, GBP/MWh"] = difference
    products = [name for name in names if market_of(name) == "response"]
    if products:
        total = np.sum([_of_day(scenarios, name) @ _hours_of_day(scenarios, name) for name in products], axis=0)
        found["response revenue, GBP/MW"] = total / len(products)
    return found


def day_means(scenarios: ScenarioSet) -> dict[str, Array]:
    """Stream -> (N,) mean over the periods of the trading day."""
    return {name: _of_day(scenarios, name).mean(axis=1) for name in scenarios.value}


def _of_day(scenarios: ScenarioSet, name: str) -> Array:
    return scenarios.value[name][:, _in_day(scenarios, name)]


def _in_day(scenarios: ScenarioSet, name: str) -> npt.NDArray[np.bool_]:
    """The periods of the trading day; all of them in a set that does not hold it."""
    end = pd.Timestamp(gb_time.efa_day_bounds_utc(scenarios.efa_date)[1])
    inside = np.asarray(scenarios.start_utc[name] < end)
    return inside if inside.any() else np.ones_like(inside)


def _spread(scenarios: ScenarioSet) -> Array:
    day = np.sort(_of_day(scenarios, "day_ahead"), axis=1)
    ends = min(SPREAD_H * _PER_HOUR.get(scenarios.streams["day_ahead"].clock, 1), day.shape[1])
    return np.asarray(day[:, -ends:].mean(axis=1) - day[:, :ends].mean(axis=1))


def _hours_of_day(scenarios: ScenarioSet, name: str) -> Array:
    starts = scenarios.start_utc[name][_in_day(scenarios, name)]
    return period_hours(scenarios.streams[name].clock, starts)
