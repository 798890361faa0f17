"""The extensive form: all scenarios as one linear problem in a live HiGHS session.

What belongs here: stamping the arrays N times, the rows of CVaR, and reading the answer back. What does not: the
programme itself (`programme.py`), decomposition (`interior_point.py`, `multicut.py`) and binaries (`exclusive.py`).

Columns: plan, then the scenarios one after another, then [VaR, and the excess of each scenario's loss over it]. Risk
aversion changes costs alone, so a session walks along the frontier from basis to basis.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import block_array, block_diag, csc_array, eye_array, hstack, vstack

from bess_pipeline.errors import SolverError
from bess_pipeline.optimisation.problem import FloatArray, IntArray
from bess_pipeline.optimisation.session import ArraySession, LinearArrays, Solution
from bess_pipeline.optimisation.status import SolveStatus
from bess_pipeline.optimisation.stochastic.certificate import Duals, cost_bound
from bess_pipeline.optimisation.stochastic.programme import Programme
from bess_pipeline.optimisation.stochastic.result import TwoStageSolution, account
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion


class ExtensiveSession:
    """A live solver on all scenarios of a programme; `solve` at one risk aversion after another."""

    def __init__(
        self, programme: Programme, *, solver: str = "simplex", crossover: bool = True, time_limit_s: float = 600.0
    ) -> None:
        self.programme = programme
        self._label = f"extensive_{solver}"
        arrays = extensive_arrays(programme)
        self._bounds = (arrays.lower, arrays.upper)
        self._session = ArraySession(arrays, time_limit_s)
        self._session.use(solver, crossover=crossover)

    def give_plan(self, plan: FloatArray) -> None:
        """Fix every volume of the plan, whatever its own bounds; recourse stays free, and so does the basis."""
        self.bound_plan(plan, plan)

    def bound_plan(self, lower: FloatArray, upper: FloatArray) -> None:
        """Other bounds of the plan's volumes; recourse stays free, and so does the basis."""
        bounds = zip((lower, upper), self._bounds, strict=True)
        self._session.set_bounds(*(np.concatenate([plan, bound[plan.size :]]) for plan, bound in bounds))

    def solve(self, risk: RiskAversion) -> TwoStageSolution:
        """The optimum at this risk aversion; SolverError with one sentence when the solver ends otherwise."""
        return self._read(risk, self._solved(risk))

    def forbid(self, name: str, periods: IntArray) -> None:
        """Hold the recourse columns of a name at 0 in these periods, in every scenario and from now on."""
        (count, columns), size = self.programme.cost.shape, self.programme.plan.lower.size
        first = size + columns * np.arange(count)[:, None] + self.programme.path.columns[name].start
        self._bounds[1][first + periods] = 0.0

    def best(self, risk: RiskAversion) -> tuple[FloatArray, FloatArray]:
        """Plan and recourse (N, columns) of `solve` alone, without their proof."""
        return self._parts(self._solved(risk))

    def _solved(self, risk: RiskAversion) -> Solution:
        self._session.set_cost(extensive_cost(self.programme, risk))
        solution = self._session.solve()
        if solution.status is not SolveStatus.OPTIMAL or solution.column is None:
            raise SolverError(
                f"the plan over {self.programme.problem.scenarios} scenarios was not found: the solver ended with "
                f"status {solution.status.value}"
            )
        return solution

    def _read(self, risk: RiskAversion, solution: Solution) -> TwoStageSolution:
        programme, count = self.programme, self.programme.cost.shape[0]
        plan, recourse = self._parts(solution)
        assert solution.row_dual is not None
        plan_rows = programme.plan.limit.size
        rows = solution.row_dual[plan_rows : plan_rows + programme.row_upper.size].reshape(count, -1)
        tail = -solution.row_dual[plan_rows + programme.row_upper.size :]
        duals = Duals(rows, solution.row_dual[:plan_rows], tail)
        how = (self._label, 0, solution.seconds)
        bound = -cost_bound(programme, risk, duals)
        return account(programme, risk, plan, recourse, bound, duals, how)

    def _parts(self, solution: Solution) -> tuple[FloatArray, FloatArray]:
        assert solution.column is not None
        (count, columns), size = self.programme.cost.shape, self.programme.plan.lower.size
        recourse = solution.column[size : size + count * columns].reshape(count, columns)
        return solution.column[:size], recourse


def extensive_arrays(programme: Programme) -> LinearArrays:
    """The linear problem of all scenarios with its rows of CVaR (cost 0: see `extensive_cost`)."""
    count, rows = programme.row_upper.shape
    size = programme.plan.lower.size
    technology = vstack([programme.technology.of(n, rows, size) for n in range(count)])
    recourse = block_diag([programme.path.matrix] * count)
    loss = block_diag([row[None, :] for row in programme.loss])
    over = hstack([csc_array(-np.ones((count, 1))), -eye_array(count)])
    blocks = [
        [csc_array(programme.plan.matrix), None, None],
        [technology, recourse, None],
        [csc_array(programme.plan_loss), loss, over],
    ]
    if not programme.plan.limit.size:
        blocks = blocks[1:]
    matrix = csc_array(block_array(blocks))
    tail = (np.concatenate([[-np.inf], np.zeros(count)]), np.full(1 + count, np.inf))
    lower = np.concatenate([programme.plan.lower, np.tile(programme.lower, count), tail[0]])
    upper = np.concatenate([programme.plan.upper, np.tile(programme.upper, count), tail[1]])
    no_limit = np.full(programme.plan.limit.size + count, -np.inf)
    row_lower = np.concatenate([no_limit[count:], programme.row_lower.ravel(), no_limit[:count]])
    row_upper = np.concatenate([programme.plan.limit, programme.row_upper.ravel(), np.zeros(count)])
    return LinearArrays(matrix, np.zeros(lower.size), lower, upper, row_lower, row_upper)


def extensive_cost(programme: Programme, risk: RiskAversion) -> FloatArray:
    """Cost of every column of the extensive form."""
    mean = (1 - risk.weight) * programme.probability
    tail = np.concatenate([[risk.weight], risk.most_tail_price(programme.probability)])
    return np.concatenate([mean @ programme.plan_cost, (mean[:, None] * programme.cost).ravel(), tail])
