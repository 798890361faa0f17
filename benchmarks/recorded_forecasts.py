"""Forecasts of the recorded day-ahead leg at 09:50 on the day before: plain means, and the project's models.

What belongs here: forecasts (2, 48) by clock slot of each EFA day and the one after it. What does not: what they earn
(`recorded_walk.py`) and the models themselves (`forecasting/`).

All stand on what `forecasting/observation.py` says that the gate knew: with a within-day index whole days to D-2, and
of D-1 the half-hours that ended by 09:50. "Last week" is seven days before each forecast day; means are over the last
whole days; an unknown half-hour is left out of a mean. The ridge on them explains the difference from the mean of 28
days by those of the other three, in all half-hours alike, on the last RIDGE_DAYS days that were known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import cast

import numpy as np
from recorded_tables import Array

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.forecast_settings import ForecastSettings, ModelName
from bess_pipeline.forecasting.choice import Trader
from bess_pipeline.forecasting.forecast import make_forecast
from bess_pipeline.forecasting.information import Information
from bess_pipeline.forecasting.knowledge import filled_slots
from bess_pipeline.forecasting.market_panel import MarketPanel
from bess_pipeline.forecasting.observation import observe
from bess_pipeline.optimisation.rolling import optimise_horizon
from bess_pipeline.trading import timeline

Forecasts = dict[date, Array]
Rule = Callable[[Array], Array]  # from known days (n, 48), D the last row and unknown, to (2, 48)

GATE: timeline.Gate = "day_ahead"
STREAM = "day_ahead"
KNOWN_DAYS = 200  # rows that rules are given before D
NEWEST = 2  # days back to the newest whole day
RIDGE_DAYS, RIDGE_PENALTY = 120, 0.1  # the penalty as a share of the regressors' mean square
LEADS = 2


def day_before_yesterday(known: Array) -> Array:
    """The newest whole day, for both days."""
    return np.tile(known[-1 - NEWEST], (LEADS, 1))


def last_week(known: Array) -> Array:
    """The days a week before each."""
    return known[[-8, -7]]


def mean_of(count: int) -> Rule:
    """The mean of the last `count` whole days, for both days."""

    def rule(known: Array) -> Array:
        return np.tile(_mean(known[-NEWEST - count : -NEWEST]), (LEADS, 1))

    return rule


def ridge_on_means(known: Array) -> Array:
    """The mean of 28 days and a share of what the others say beyond it (see above)."""
    last = len(known) - 1
    past = [_others_beyond_28(known, at) for at in range(max(last - RIDGE_DAYS, 30), last - 1)]
    if len(past) < 7:
        return mean_of(28)(known)
    came = known[last - 1 - len(past) : last - 1] - np.stack([base for base, _ in past])
    regressors = np.stack([others for _, others in past])
    usable = ~np.isnan(came) & ~np.isnan(regressors).any(axis=1)
    x, y = np.moveaxis(regressors, 1, 2)[usable], came[usable]
    size = (x**2).mean()
    share = np.linalg.solve(x.T @ x + RIDGE_PENALTY * size * len(x) * np.eye(x.shape[1]), x.T @ y)
    base, others = _others_beyond_28(known, last)
    return np.tile(base + share @ np.nan_to_num(others), (LEADS, 1))


RULES: Mapping[str, Rule] = {
    "day before yesterday": day_before_yesterday,
    "last week": last_week,
    "mean of 7 days": mean_of(7),
    "mean of 28 days": mean_of(28),
    "ridge on these four": ridge_on_means,
}


def by_rule(panel: MarketPanel, days: Sequence[date]) -> dict[str, Forecasts]:
    """Each rule's forecasts of all days."""
    found: dict[str, Forecasts] = {name: {} for name in RULES}
    for day in days:
        known = observe(panel, day, GATE, KNOWN_DAYS).outcome[STREAM, 0]
        for name, rule in RULES.items():
            found[name][day] = filled_slots(rule(known))
    return found


def by_models(
    panel: MarketPanel, days: Sequence[date], settings: ForecastSettings, battery: Battery, only: str | None = None
) -> tuple[Forecasts, dict[str, int]]:
    """The project's mean forecasts, retrained weekly, of the chosen model or one alone; on how many days each served.

    Models are chosen with the battery, by what their past forecasts would have earned.
    """
    trader, found, used = Trader(battery, optimise_horizon), {}, dict[str, int]()

    @lru_cache(maxsize=4)
    def known(day: date, gate: str) -> Information:
        return observe(panel, day, cast(timeline.Gate, gate), settings.calibration_days)

    for day in days:
        one = make_forecast(known, day, GATE, settings, trader, cast(ModelName | None, only)).marginals[STREAM]
        values = np.full((LEADS, one.stream.slots), np.nan)
        values[one.lead, one.slot] = one.mean
        found[day] = filled_slots(values)
        used[one.model] = used.get(one.model, 0) + 1
    return found, used


def blend(members: Sequence[Forecasts]) -> Forecasts:
    """The mean of several forecasts, equal weights."""
    return {day: np.mean([one[day] for one in members], axis=0) for day in members[0]}


def _others_beyond_28(known: Array, at: int) -> tuple[Array, Array]:
    """Of the row `at`: the mean of 28 days (48,), and by how much the other three differ from it (3, 48)."""
    base = _mean(known[at - 1 - 28 : at - 1])
    return base, np.stack([known[at - 2], known[at - 7], _mean(known[at - 1 - 7 : at - 1])]) - base


def _mean(days: Array) -> Array:
    known = ~np.isnan(days)
    count = known.sum(axis=0)
    total = np.where(known, days, 0.0).sum(axis=0)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
