"""Strategy `day_ahead_rolling`: the best schedule for forecast prices, looking 48 h ahead and committing 24.

What belongs here: from known prices to forecast, problem and plan. What does not: the forecast itself
(`forecasting/`), the optimisation (`optimisation/rolling.py`), gates (`timeline.py`).

For EFA day D at the day-ahead gate:

1. take the prices known by then (`known_prices.py`) and forecast those of `look_ahead_hours` from 23:00 on D-1;
2. find the best schedule over them from the planned state at 23:00, with what is stored at the end worth
   `terminal_value_gbp_mwh` a MWh, each variable constant over the published product;
3. sell and buy the schedule of D; what comes after it was looked at, and is decided at the next gates.

"auto" values a stored MWh at what it would fetch at the mean of the recent prices: discharge efficiency x
(mean - wear). Every price of D and after it is a forecast: the plan stands on nothing published later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.battery.limits import ALWAYS, Availability
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.errors import SolverError
from bess_pipeline.forecasting.baseline import Forecaster, similar_day
from bess_pipeline.optimisation.problem import ClosingState, EnergyProblem
from bess_pipeline.optimisation.solver import Solver
from bess_pipeline.settings import RollingSettings
from bess_pipeline.trading import timeline
from bess_pipeline.trading.known_prices import known_history, too_short
from bess_pipeline.trading.plans import MAXIMUM_GAP, Array, PlanOutcome, plan_frame

STRATEGY = "day_ahead_rolling"
GATE: timeline.Gate = "day_ahead"
HALF_HOUR_MINUTES = 30
HALF_HOURS_PER_HOUR = 2


def plan_day(
    efa_date: date,
    day_ahead_price: pd.DataFrame,
    battery: Battery,
    opening_energy_mwh: float,
    *,
    history_days: int,
    rolling: RollingSettings,
    solver: Solver,
    availability: Callable[[date], Availability] = lambda _: ALWAYS,
    forecaster: Forecaster | None = None,
) -> PlanOutcome:
    """The plan of `efa_date` (`trading/plan` rows), or the reason why none can be made.

    `day_ahead_price` may hold any `market/day_ahead_price` rows; `opening_energy_mwh` is the planned state at 23:00
    on the day before; `availability` gives what was known at the gate of any day's half-hours (a product has the lowest
    of its own); `forecaster` is the baseline by default. Raises SolverError when there is no schedule.
    """
    history = known_history(day_ahead_price, efa_date, GATE, history_days)
    reason = too_short(history, history_days, "the forecast")
    if reason:
        return PlanOutcome(None, reason)
    days, half_hours = _horizon(efa_date, rolling.look_ahead_hours)
    forecast = (forecaster or similar_day(rolling.similar_days))(history, days)[:half_hours]
    problem, product_of = _problem(days, forecast, history, battery, opening_energy_mwh, rolling)
    charge, discharge = _shares([availability(day) for day in days], days, product_of)
    problem = replace(problem, charge_availability=charge, discharge_availability=discharge)
    schedule = solver.roll(problem)
    if not schedule.gap <= MAXIMUM_GAP:
        raise SolverError(f"the {STRATEGY} schedule of {efa_date} is proven only to within {schedule.gap:.2%}")
    committed = product_of[: gb_time.periods_in_day(efa_date)]
    charge_mw, discharge_mw = schedule.charge_mw[committed], schedule.discharge_mw[committed]
    flows = (charge_mw, discharge_mw)
    return PlanOutcome(
        plan_frame(efa_date, STRATEGY, GATE, battery, opening_energy_mwh, *flows, availability(efa_date))
    )


def terminal_value_gbp_mwh(history: pd.DataFrame, battery: Battery, rolling: RollingSettings) -> float:
    """Worth of a MWh stored at the end of the look-ahead, GBP/MWh: the setting, or the estimate above."""
    if rolling.terminal_value_gbp_mwh != "auto":
        return rolling.terminal_value_gbp_mwh
    mean = float(history["day_ahead_price_gbp_mwh"].mean())
    return battery.discharge_efficiency * (mean - battery.degradation_cost_gbp_per_mwh)


def _horizon(efa_date: date, look_ahead_hours: int) -> tuple[list[date], int]:
    """The EFA days that the look-ahead touches, and its half-hours: all of `efa_date` at least (25 h in October)."""
    days, held = [efa_date], gb_time.periods_in_day(efa_date)
    wanted = max(look_ahead_hours * HALF_HOURS_PER_HOUR, held)
    while held < wanted:
        days.append(days[-1] + timedelta(days=1))
        held += gb_time.periods_in_day(days[-1])
    return days, wanted


def _problem(
    days: list[date],
    forecast: Array,
    history: pd.DataFrame,
    battery: Battery,
    opening_energy_mwh: float,
    rolling: RollingSettings,
) -> tuple[EnergyProblem, np.ndarray]:
    """The problem in products of the length last published, and the product of each half-hour."""
    minutes = int(history["native_resolution_minutes"].iloc[int(history["start_utc"].argmax())])
    length = max(minutes, HALF_HOUR_MINUTES) // HALF_HOUR_MINUTES
    half_hour_of_day = np.concatenate([np.arange(gb_time.periods_in_day(day)) for day in days])[: forecast.size]
    product_of = np.cumsum(half_hour_of_day % length == 0) - 1
    count = np.bincount(product_of)
    day_of_half_hour = np.cumsum(half_hour_of_day == 0) - 1
    closing = ClosingState.free(terminal_value_gbp_mwh(history, battery, rolling))
    problem = EnergyProblem(
        price_gbp_mwh=np.bincount(product_of, weights=forecast) / count,
        hours=count * gb_time.HALF_HOUR_H,
        day_index=day_of_half_hour[np.flatnonzero(np.diff(product_of, prepend=-1))],
        battery=battery,
        opening_energy_mwh=opening_energy_mwh,
        closing=closing,
    )
    return problem, product_of


def _shares(known: list[Availability], days: list[date], product_of: np.ndarray) -> tuple[Array, Array]:
    """Available fractions of charge and of discharge per product: the lowest of its half-hours."""
    found = []
    for fractions in ([one.charge for one in known], [one.discharge for one in known]):
        half_hours = [
            np.broadcast_to(np.asarray(fraction, dtype=float), gb_time.periods_in_day(day))
            for fraction, day in zip(fractions, days, strict=True)
        ]
        share = np.ones(int(product_of[-1]) + 1)
        np.minimum.at(share, product_of, np.concatenate(half_hours)[: product_of.size])
        found.append(share)
    return found[0], found[1]
