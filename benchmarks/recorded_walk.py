"""What a forecast of day-ahead prices earns on recorded prices: planned each day, settled at what came.

What belongs here: the walk of one battery through recorded days, and the foresights it is measured by. What does not:
forecasts (`recorded_forecasts.py`), tables (`recorded_tables.py`) and what is printed (`recorded_prices.py`).

Each EFA day is planned at the day-ahead gate for the forecast of 48 hours; its schedule is traded at what the prices
turned out to be, the rest is decided anew a day later, and the state of energy is carried over midnight. What is
stored after 48 hours is worth discharge efficiency x (mean of the forecast - wear) in the plan. P&L: cash less wear,
plus the change of stored energy at one price for all days and forecasts, discharge efficiency x (mean - wear).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
from recorded_tables import Array, RecordedTables

from bess_pipeline import gb_time
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.forecasting import streams
from bess_pipeline.optimisation.problem import ClosingState, EnergyProblem
from bess_pipeline.optimisation.rolling import optimise_horizon
from bess_pipeline.optimisation.solver import Solver
from bess_pipeline.settings import SolverSettings
from bess_pipeline.trading import foresight

NEXT_DAY = timedelta(days=1)
Prices = Callable[[date], Array]  # of the half-hours of a day and the one after it


@dataclass(frozen=True)
class Walk:
    """One battery over the EFA days `days`; came: prices (periods,) of each and of the day after the last."""

    tables: RecordedTables
    battery: Battery
    days: tuple[date, ...]
    came: Mapping[date, Array]

    @classmethod
    def over(cls, tables: RecordedTables, battery: Battery, first_day: date, last_day: date) -> Walk:
        """All days from the first to the last, both included; those with a hole are idled through."""
        came = tables.by_day(first_day, last_day + NEXT_DAY)
        return cls(tables, battery, tuple(gb_time.days_between(first_day, last_day)), came)

    @property
    def usable(self) -> list[date]:
        """Days without a hole."""
        return [day for day in self.days if not np.isnan(self.came[day]).any()]

    @property
    def stored_value_gbp_mwh(self) -> float:
        """The one price of stored energy."""
        return _stored_value(self.battery, np.concatenate([self.came[day] for day in self.usable]))

    def of_slots(self, forecast: Mapping[date, Array]) -> pd.Series:
        """`of_prices` for forecasts (2, 48) by clock slot, of each day and the one after it."""

        def prices(day: date) -> Array:
            leads = zip((day, day + NEXT_DAY), forecast[day], strict=True)
            return np.concatenate([values[streams.period_slots("half_hour", one)] for one, values in leads])

        return self.of_prices(prices)

    def of_prices(self, prices: Prices) -> pd.Series:
        """P&L of each usable day, GBP, when it is planned for `prices`."""
        energy_mwh, earned = self.battery.initial_energy_mwh, {}
        for day in self.usable:
            price, periods = prices(day), self.came[day].size
            later = np.arange(price.size) >= periods
            closing = ClosingState.free(_stored_value(self.battery, price))
            problem = EnergyProblem(price, gb_time.HALF_HOUR_H, later, self.battery, energy_mwh, closing)
            schedule = optimise_horizon(problem)
            after_mwh = float(schedule.energy_mwh[periods - 1])
            flows = schedule.charge_mw[:periods], schedule.discharge_mw[:periods]
            earned[day] = self._pnl_gbp(day, *flows, after_mwh - energy_mwh)
            energy_mwh = after_mwh
        return pd.Series(earned)

    def outcome(self, day: date) -> Array:
        """What came in the half-hours of a day and the one after it, a hole bridged by its neighbours."""
        both = pd.Series(np.concatenate([self.came[day], self.came[day + NEXT_DAY]]))
        return both.interpolate(limit_direction="both").to_numpy()

    def foresight(self) -> pd.Series:
        """P&L of each usable day with the outcome of 48 hours as the forecast."""
        return self.of_prices(self.outcome)

    def bound(self) -> pd.Series:
        """P&L of each usable day of the best schedule over the whole window, one problem (`trading/foresight.py`)."""
        opening_mwh, earned = self.battery.initial_energy_mwh, {}
        solver = Solver(SolverSettings(guarded=False))
        plans = foresight.plan_days(
            self.days, self.tables.day_ahead_price, self.battery, opening_mwh, margin_days=1, solver=solver
        )
        for day, plan in plans.items():
            after_mwh = float(plan["energy_mwh"].iloc[-1])
            flows = plan["charge_mw"].to_numpy(), plan["discharge_mw"].to_numpy()
            earned[day] = self._pnl_gbp(day, *flows, after_mwh - opening_mwh)
            opening_mwh = after_mwh
        return pd.Series(earned)

    def _pnl_gbp(self, day: date, charge_mw: Array, discharge_mw: Array, more_stored_mwh: float) -> float:
        cash = float((discharge_mw - charge_mw) @ self.came[day])
        wear = self.battery.degradation_cost_gbp_per_mwh * float((charge_mw + discharge_mw).sum())
        return (cash - wear) * gb_time.HALF_HOUR_H + more_stored_mwh * self.stored_value_gbp_mwh


def _stored_value(battery: Battery, price_gbp_mwh: Array) -> float:
    return battery.discharge_efficiency * (float(price_gbp_mwh.mean()) - battery.degradation_cost_gbp_per_mwh)
