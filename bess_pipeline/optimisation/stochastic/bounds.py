"""What uncertainty costs: wait-and-see, the expected-value plan, VSS and EVPI on the same scenarios.

What belongs here: the bounds of one problem at one risk aversion (Birge and Louveaux 2011, chapter 4). What does not:
the out-of-sample value of a plan (`policy.py`) and windows of days (`trading/`).

All values are of the objective, (1 - a) x mean profit - a x CVaR, of the linear problem:
    wait and see      every scenario with a plan of its own, chosen for this objective
    recourse problem  one plan for all scenarios
    expected value    the plan of the mean scenario, fixed in all scenarios, penalties of broken limits included
EVPI = wait and see - recourse problem; VSS = recourse problem - expected value. Neither is negative.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.sparse import block_array, block_diag, csc_array, hstack, vstack

from bess_pipeline.errors import SolverError
from bess_pipeline.optimisation.problem import FloatArray
from bess_pipeline.optimisation.session import ArraySession, LinearArrays
from bess_pipeline.optimisation.status import SolveStatus
from bess_pipeline.optimisation.stochastic.extensive import extensive_arrays, extensive_cost
from bess_pipeline.optimisation.stochastic.problem import StochasticProblem
from bess_pipeline.optimisation.stochastic.programme import Programme, compile_programme
from bess_pipeline.optimisation.stochastic.result import TwoStageSolution
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion
from bess_pipeline.optimisation.stochastic.solve import optimise_plan

DAY_AHEAD = "day-ahead"
BOTH = "day-ahead and response"


@dataclass(frozen=True)
class FixedPlan:
    """The expected-value plan: what of it is fixed, the objective that leaves in all scenarios, the expected cost of
    limits it breaks there (part of the objective), and its VSS."""

    fixed: str
    objective_gbp: float
    penalty_gbp: float
    vss_gbp: float


@dataclass(frozen=True)
class InformationValues:
    """Values of one problem, GBP. gap_gbp: by which the recourse problem's objective may be below its optimum."""

    risk_aversion: float
    wait_and_see_gbp: float
    recourse_problem_gbp: float
    gap_gbp: float
    mean_scenario_gbp: float
    fixed: tuple[FixedPlan, ...]

    @property
    def evpi_gbp(self) -> float:
        """Expected (risk-averse: certainty-equivalent) value of perfect information."""
        return self.wait_and_see_gbp - self.recourse_problem_gbp


def information_values(
    problem: StochasticProblem, risk: RiskAversion, best: TwoStageSolution | None = None, **options: Any
) -> InformationValues:
    """All values of a problem; best: its optimum where it is known already; options: of `optimise_plan`.

    SolverError as there.
    """
    options = {"exclusive": False} | options
    best = optimise_plan(problem, risk, **options) if best is None else best
    middle = optimise_plan(problem.mean_scenario(), RiskAversion(0.0, risk.confidence), **options)
    day_ahead, response = problem.split_plan(middle.plan)
    plans: list[tuple[str, FloatArray, FloatArray | None]] = [(DAY_AHEAD, day_ahead, None)]
    if problem.responses:
        plans.append((BOTH, day_ahead, response))
    fixed = []
    for name, volumes, contracts in plans:
        given: TwoStageSolution = optimise_plan(problem.with_plan(volumes, contracts), risk, **options)
        fixed.append(FixedPlan(name, given.objective_gbp, given.penalty_gbp, best.objective_gbp - given.objective_gbp))
    return InformationValues(
        risk.weight,
        wait_and_see(problem, risk),
        best.objective_gbp,
        best.bound_gbp - best.objective_gbp,
        middle.objective_gbp,
        tuple(fixed),
    )


def wait_and_see(problem: StochasticProblem, risk: RiskAversion, time_limit_s: float = 600.0) -> float:
    """Objective when every scenario is known before its plan is made, GBP.

    What the plan earns and costs is then chosen for mean and CVaR together, which links the scenarios even so: one
    linear problem with a plan for each.
    """
    session = ArraySession(_anticipative(compile_programme(problem), risk), time_limit_s)
    solution = session.solve()
    if solution.status is not SolveStatus.OPTIMAL:
        raise SolverError(f"wait and see was not solved: the solver ended with status {solution.status.value}")
    return -solution.cost


def _anticipative(programme: Programme, risk: RiskAversion) -> LinearArrays:
    """The extensive form with a plan for every scenario, in the order plans, recourse, VaR and excesses."""
    count, size = programme.problem.scenarios, programme.plan.lower.size
    arrays = extensive_arrays(programme)
    first, rest = programme.plan.limit.size, csc_array(arrays.matrix[programme.plan.limit.size :, size:])
    rows = programme.row_upper.shape[1]
    plans = block_diag([programme.technology.of(n, rows, size) for n in range(count)])
    losses = block_diag([row[None, :] for row in programme.plan_loss])
    own = block_diag([programme.plan.matrix] * count)
    below = [vstack([plans, losses]), rest]
    matrix = block_array([[own, None], below]) if first else hstack(below)
    mean = (1 - risk.weight) * programme.probability
    cost = np.concatenate([(mean[:, None] * programme.plan_cost).ravel(), extensive_cost(programme, risk)[size:]])
    return replace(
        arrays,
        matrix=csc_array(matrix),
        cost=cost,
        lower=np.concatenate([np.tile(programme.plan.lower, count), arrays.lower[size:]]),
        upper=np.concatenate([np.tile(programme.plan.upper, count), arrays.upper[size:]]),
        row_lower=np.concatenate([np.full(count * first, -np.inf), arrays.row_lower[first:]]),
        row_upper=np.concatenate([np.tile(programme.plan.limit, count), arrays.row_upper[first:]]),
    )
