"""A horizon solved again and again while it rolls on: one compiled path, one live solver session.

What belongs here: re-solving the energy problem of a fixed number of periods when only prices, the opening
state and the terminal value change. What does not: the formulation and the solver (their own modules), the
single problem (`energy.py`), and what is known or committed when (`trading/rolling.py`).

An answer depends on its own numbers alone. Optima are often not unique (a full battery may empty in either of
two equal hours), and a session that went on from its last basis would let the day before choose among them:
the same day run by itself would then differ from the same day run in a range. So every solve starts from one
basis, the optimum of a typical day's prices, which costs no more pivots than yesterday's does.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from time import perf_counter

import numpy as np
from numpy.typing import ArrayLike

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.errors import SolverError
from bess_pipeline.optimisation.compilation import compile_path
from bess_pipeline.optimisation.energy import CLOSED_GAP, optimise_energy
from bess_pipeline.optimisation.infeasible import why_no_schedule
from bess_pipeline.optimisation.path_numbers import path_numbers
from bess_pipeline.optimisation.problem import ClosingKind, ClosingState, EnergyProblem, FloatArray, IntArray
from bess_pipeline.optimisation.schedule import EnergySchedule, schedule_of_path
from bess_pipeline.optimisation.session import HighsSession
from bess_pipeline.optimisation.status import SolveStatus
from bess_pipeline.optimisation.verify import TOLERANCE, ramp_excess_mw, verify

KEPT_HORIZONS = 16  # lengths and day patterns: clock changes make a few of each
TYPICAL_MEAN_GBP_MWH, TYPICAL_SWING_GBP_MWH = 70.0, 40.0
HOURS_PER_DAY = 24.0


class RollingHorizon:
    """One battery over periods of fixed lengths, compiled once; the closing state is free and carries a value.

    hours: duration of each period, one number or one per period; day_index: day (group of the cycle limit) of
    each period, one number for all or one per period; time_limit_s: for each call of the solver.
    Raises UserInputError where a problem of these numbers could not be posed.
    """

    def __init__(
        self,
        battery: Battery,
        periods: int,
        hours: ArrayLike = 0.5,
        day_index: ArrayLike = 0,
        *,
        time_limit_s: float = 60.0,
    ) -> None:
        self._time_limit_s = time_limit_s
        day = np.broadcast_to(np.asarray(day_index), (periods,))
        hours = np.broadcast_to(np.asarray(hours, dtype=float), (periods,))
        low = battery.energy_min_mwh
        self._empty = EnergyProblem(np.zeros(periods), hours, day, battery, low, ClosingState.free())
        self._path, numbers = compile_path(self._empty), path_numbers(self._empty)
        self._cost = self._path.column_vector(numbers.cost)
        self._row_bounds = np.stack(self._path.row_bounds(numbers))
        self._rows, self._per_mwh = self._opening_rows()
        self._session = HighsSession(self._path, numbers, time_limit_s)
        self._solve_typical()

    def solve(
        self, price_gbp_mwh: ArrayLike, opening_energy_mwh: float, terminal_value_gbp_mwh: float = 0.0
    ) -> EnergySchedule:
        """The best schedule over the horizon, re-checked; the same numbers give the same bytes, whatever came before.

        price_gbp_mwh: one per period; opening_energy_mwh: stored before the first; terminal_value_gbp_mwh: worth of
        each MWh stored at the end. Raises UserInputError for numbers that cannot be used, SolverError when there is
        no schedule or the re-check finds one that is not true.
        """
        started = perf_counter()
        price, closing = np.array(price_gbp_mwh, dtype=float), ClosingState.free(terminal_value_gbp_mwh)
        problem = self._empty.with_numbers(price, opening_energy_mwh, closing)
        self._set(problem)
        self._session.restart()
        relaxed = self._session.solve()
        if relaxed.status is not SolveStatus.OPTIMAL or relaxed.column is None:
            raise SolverError(why_no_schedule(problem, relaxed.status, self._time_limit_s))
        states = relaxed.column[self._path.columns["energy_mwh"]]
        schedule = schedule_of_path(problem, states, -relaxed.cost, "lp")
        if schedule.gap > CLOSED_GAP or self._breaks_ramp(problem, schedule):
            return optimise_energy(problem, time_limit_s=self._time_limit_s)  # prices at which overlap would pay
        verify(problem, schedule)
        return replace(schedule, solve_seconds=perf_counter() - started)

    def _opening_rows(self) -> tuple[IntArray, FloatArray]:
        """The rows whose bounds move with the opening state, and how much per stored MWh (lower, upper).

        Affine in the state for a battery without standby losses and depth costs; `_set` builds every number anew for
        any other.
        """
        battery = self._empty.battery
        low, high = battery.energy_min_mwh, battery.energy_max_mwh
        full = self._empty.with_numbers(self._empty.prices, high, ClosingState.free())
        moved = np.stack(self._path.row_bounds(path_numbers(full)))
        rows = np.flatnonzero((moved != self._row_bounds).any(axis=0))
        before, after = self._row_bounds[:, rows], moved[:, rows]
        rise = np.subtract(after, before, out=np.zeros_like(before), where=after != before)
        return rows, rise / (high - low)

    def _set(self, problem: EnergyProblem) -> None:
        battery = problem.battery
        if battery.self_discharge_per_hour or battery.auxiliary_mw or battery.cycle_depth_cost_gbp_per_mwh:
            self._session.set_numbers(path_numbers(problem))
            return
        cost, columns = self._cost.copy(), self._path.columns
        cost[columns["charge_mwh"]] += problem.prices
        cost[columns["discharge_mwh"]] -= problem.prices
        cost[columns["energy_mwh"].stop - 1] -= problem.closing.terminal_value_gbp_mwh
        above_empty_mwh = problem.opening_mwh - battery.energy_min_mwh
        row_lower, row_upper = self._row_bounds[:, self._rows] + self._per_mwh * above_empty_mwh
        self._session.set_cost_and_rows(cost, self._rows, row_lower, row_upper)

    def _breaks_ramp(self, problem: EnergyProblem, schedule: EnergySchedule) -> bool:
        if problem.battery.ramp_limit_mw_per_hour is None:
            return False
        return bool((ramp_excess_mw(problem, schedule) > TOLERANCE).any())

    def _solve_typical(self) -> None:
        hours, battery = self._empty.durations, self._empty.battery
        clock = (np.cumsum(hours) - hours) % HOURS_PER_DAY  # a horizon starts at night
        price = TYPICAL_MEAN_GBP_MWH - TYPICAL_SWING_GBP_MWH * np.cos(2.0 * np.pi * (clock / HOURS_PER_DAY - 0.2))
        middle = (battery.energy_min_mwh + battery.energy_max_mwh) / 2.0
        self._set(self._empty.with_numbers(price, middle, ClosingState.free(TYPICAL_MEAN_GBP_MWH)))
        self._session.solve()
        self._session.mark_start()


def optimise_horizon(problem: EnergyProblem, *, time_limit_s: float = 60.0) -> EnergySchedule:
    """As `optimise_energy`, in a session kept from the last problem of these periods and this battery.

    `problem` ends free (ValueError otherwise). One with an outage is solved by itself.
    """
    if problem.closing.kind is not ClosingKind.FREE:
        raise ValueError("a rolling horizon ends free; its stored energy carries a value")
    if min(np.min(problem.charge_availability), np.min(problem.discharge_availability)) < 1.0:
        return optimise_energy(problem, time_limit_s=time_limit_s)
    horizon = _horizon(problem.battery, problem.durations.tobytes(), problem.cycle_groups.tobytes(), time_limit_s)
    return horizon.solve(problem.prices, problem.opening_energy_mwh, problem.closing.terminal_value_gbp_mwh)


@lru_cache(maxsize=KEPT_HORIZONS)
def _horizon(battery: Battery, hours: bytes, groups: bytes, time_limit_s: float) -> RollingHorizon:
    durations, day_index = np.frombuffer(hours), np.frombuffer(groups, dtype=np.int64)
    return RollingHorizon(battery, durations.size, durations, day_index, time_limit_s=time_limit_s)
