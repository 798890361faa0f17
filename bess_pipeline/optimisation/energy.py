"""Optimise the energy-only problem: linear problem first, exclusivity exactly, everything re-checked.

What belongs here: the path from an `EnergyProblem` to an `EnergySchedule` with its certified gap. What
does not: the formulation, the solver session, the dynamic programme and the window search (their own
modules), and what the schedule means for a trading day (`trading/`).

1. The linear problem with the shared power cap gives an upper bound and a path of the state of energy.
2. Exclusive powers are unique for a path, so the path becomes a schedule by undoing every overlap; when
   that loses nothing (always, above the price of `exclusive_above_gbp_mwh`) the linear answer is exact.
3. Otherwise, where the state alone links the periods, dynamic programming gives the exact optimum. Daily
   limits, a warranty budget, a ramp limit or depth costs link them too: then binaries decide, in windows
   of time around the periods that need them, until the proven gap is closed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np

from bess_pipeline.errors import SolverError
from bess_pipeline.optimisation.compilation import CompiledPath, compile_path
from bess_pipeline.optimisation.exact_path import is_path_separable, optimise_path
from bess_pipeline.optimisation.infeasible import why_no_schedule
from bess_pipeline.optimisation.path_numbers import PathNumbers, path_costs, path_numbers
from bess_pipeline.optimisation.problem import EnergyProblem, FloatArray
from bess_pipeline.optimisation.schedule import EnergySchedule, schedule_of_path, with_bound
from bess_pipeline.optimisation.session import HighsSession, Solution
from bess_pipeline.optimisation.status import SolveStatus
from bess_pipeline.optimisation.verify import TOLERANCE, ramp_excess_mw, verify
from bess_pipeline.optimisation.windows import WindowSearch, doubtful_periods

CLOSED_GAP = 1e-9  # relative: below it the answer is optimal
IDLE_MW = 1e-9


@dataclass(frozen=True)
class PathDuals:
    """Dual solution of the linear problem at an optimum, directions fixed where overlap might pay.

    objective_gbp: of that problem, maximised; row: constraint -> GBP that one more unit of its right-hand side earns,
    per period (per day for daily limits); reduced: variable -> GBP that one more MWh of the bound it stands at earns;
    value: variable -> its value in that optimum, MWh per period.
    Names are those of `formulation.py`.
    """

    objective_gbp: float
    row: Mapping[str, FloatArray]
    reduced: Mapping[str, FloatArray]
    value: Mapping[str, FloatArray]


def optimise_energy(problem: EnergyProblem, *, time_limit_s: float = 60.0) -> EnergySchedule:
    """The most profitable feasible schedule of one price path.

    time_limit_s: for the linear problem, and again for closing the gap that exclusivity leaves. Raises SolverError with
    one sentence when there is no schedule (what is infeasible, or that time ran out) or when the re-check finds one
    that is not true.
    """
    return EnergySession(problem, time_limit_s=time_limit_s).solve()


class EnergySession:
    """A live solver on one problem after another: what stays the same is not built again.

    `set_prices` changes costs alone; `set_problem` takes any problem, and keeps the solver when the matrix is the same
    (same durations, days, availabilities' ratio and kinds of limits). Both start the next `solve` from the last basis.
    """

    def __init__(self, problem: EnergyProblem, *, time_limit_s: float = 60.0) -> None:
        self._time_limit_s = time_limit_s
        self._problem = problem
        self._path, self._numbers, self._highs = self._loaded(problem)

    def set_prices(self, price_gbp_mwh: FloatArray) -> None:
        """Other prices for the same periods."""
        self._problem = replace(self._problem, price_gbp_mwh=price_gbp_mwh)
        cost = path_costs(self._problem, self._problem.prices)
        self._numbers = replace(self._numbers, cost=cost)
        self._highs.set_costs(cost)

    def set_problem(self, problem: EnergyProblem) -> None:
        """Another problem: prices, states, limits, even another horizon."""
        self._problem = problem
        if compile_path(problem) is not self._path:
            self._path, self._numbers, self._highs = self._loaded(problem)
            return
        self._numbers = path_numbers(problem)
        self._highs.set_numbers(self._numbers)

    def solve(self) -> EnergySchedule:
        """The optimum of the problem as it is now; errors as of `optimise_energy`."""
        started = perf_counter()
        problem = self._problem
        relaxed = self._solve_linear()
        schedule = schedule_of_path(problem, self._energy(relaxed), -relaxed.cost, "lp")
        schedule = replace(schedule, warranty_value_gbp_per_cycle=self._warranty_value(relaxed))
        if schedule.gap > CLOSED_GAP or (ramp_excess_mw(problem, schedule) > TOLERANCE).any():
            schedule = self._exclude_overlap(relaxed, schedule)
        verify(problem, schedule)
        return replace(schedule, solve_seconds=perf_counter() - started)

    def duals(self, schedule: EnergySchedule) -> PathDuals:
        """Shadow prices at `schedule`, which `solve` returned for the problem as it is now.

        The linear problem once more, each direction fixed as in the schedule where overlap might pay (nowhere, when the
        linear answer was exact). SolverError when its optimum is not that of the schedule.
        """
        charging = np.full(self._problem.periods, np.nan)
        if schedule.method != "lp":
            doubtful = doubtful_periods(self._problem)
            charging[doubtful] = schedule.charge_mw[doubtful] > schedule.discharge_mw[doubtful]
            idle = np.maximum(schedule.charge_mw, schedule.discharge_mw) <= IDLE_MW
            charging[doubtful & idle] = 1.0
        self._highs.set_directions(self._numbers, charging)
        solution = self._solve_linear()
        self._highs.set_directions(self._numbers, np.full(self._problem.periods, np.nan))
        if abs(-solution.cost - schedule.objective_gbp) > TOLERANCE * max(1.0, abs(schedule.objective_gbp)):
            raise SolverError(
                f"the schedule earns {schedule.objective_gbp:.6f} GBP, but the best with its directions "
                f"{-solution.cost:.6f}: it has no shadow prices"
            )
        assert solution.row_dual is not None
        assert solution.reduced_cost is not None
        row = {name: -solution.row_dual[where] for name, where in self._path.rows.items()}
        reduced = {name: -solution.reduced_cost[where] for name, where in self._path.columns.items()}
        assert solution.column is not None
        value = {name: solution.column[where] for name, where in self._path.columns.items()}
        return PathDuals(-solution.cost, row, reduced, value)

    def _loaded(self, problem: EnergyProblem) -> tuple[CompiledPath, PathNumbers, HighsSession]:
        path, numbers = compile_path(problem), path_numbers(problem)
        return path, numbers, HighsSession(path, numbers, self._time_limit_s)

    def _solve_linear(self) -> Solution:
        solution = self._highs.solve()
        if solution.status is not SolveStatus.OPTIMAL or solution.column is None:
            raise SolverError(why_no_schedule(self._problem, solution.status, self._time_limit_s))
        return solution

    def _energy(self, solution: Solution) -> FloatArray:
        assert solution.column is not None
        return solution.column[self._path.columns["energy_mwh"]]

    def _warranty_value(self, solution: Solution) -> float | None:
        if "warranty_budget" not in self._path.rows or solution.row_dual is None:
            return None
        dual = float(solution.row_dual[self._path.rows["warranty_budget"]][0])
        return max(-dual, 0.0) * self._problem.battery.usable_energy_mwh

    def _exclude_overlap(self, relaxed: Solution, netted: EnergySchedule) -> EnergySchedule:
        """The optimum where undoing the overlap of the linear answer costs something or breaks the ramp limit."""
        problem = self._problem
        if is_path_separable(problem):
            exact = optimise_path(problem)
            return schedule_of_path(problem, exact.energy_mwh, exact.value_gbp, "dynamic_programming")
        search = WindowSearch(problem, self._path, self._numbers, self._highs, self._time_limit_s)
        found = search.run(relaxed, CLOSED_GAP * max(1.0, abs(relaxed.cost)))
        self._highs.set_directions(self._numbers, np.full(problem.periods, np.nan))
        if found is None:
            raise SolverError(
                f"no schedule of these {problem.periods} periods was found in {self._time_limit_s:g} s that keeps the "
                "ramp limit without charging and discharging at once"
            )
        bound = min(netted.bound_gbp, -found.bound)
        schedule = schedule_of_path(problem, self._energy(found.solution), bound, "milp", found.binaries)
        schedule = with_bound(schedule, max(bound, schedule.objective_gbp))
        status = SolveStatus.OPTIMAL if schedule.gap <= TOLERANCE else SolveStatus.TIME_LIMIT
        return replace(schedule, status=status, warranty_value_gbp_per_cycle=self._warranty_value(found.solution))
