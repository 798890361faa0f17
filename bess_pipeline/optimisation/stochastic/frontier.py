"""The mean-CVaR frontier: the best plan at one risk aversion after another.

What belongs here: the walk. What does not: a single solve (`solve.py`), and the judgement of each plan on scenarios it
has not seen.

Only costs change along the walk. The extensive form goes from basis to basis; the interior point method begins each
point at one that was well inside the last one's problem, its duals turned to the new weight (`System.turn`).
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

from bess_pipeline.optimisation.problem import FloatArray
from bess_pipeline.optimisation.stochastic.decompose import decompose, solve_from
from bess_pipeline.optimisation.stochastic.extensive import ExtensiveSession
from bess_pipeline.optimisation.stochastic.interior_point import InteriorPoint
from bess_pipeline.optimisation.stochastic.problem import StochasticProblem
from bess_pipeline.optimisation.stochastic.programme import Programme, compile_programme
from bess_pipeline.optimisation.stochastic.result import TwoStageSolution
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion
from bess_pipeline.optimisation.stochastic.solve import EXTENSIVE_COLUMNS
from bess_pipeline.optimisation.stochastic.structure import Structure, structure_of

DEFAULT_WEIGHTS = tuple(k / 9 for k in range(10))
KEEP_AT = 3e-2


@dataclass(frozen=True)
class FrontierPoint:
    """One plan of the frontier, in sample: GBP; the solution holds the rest."""

    risk_aversion: float
    expected_profit_gbp: float
    var_gbp: float
    cvar_gbp: float
    gap: float
    plan: FloatArray
    solution: TwoStageSolution


def frontier(
    problem: StochasticProblem,
    weights: Sequence[float] = DEFAULT_WEIGHTS,
    *,
    confidence: float = 0.95,
    gap: float = 1e-6,
    time_limit_s: float = 600.0,
) -> list[FrontierPoint]:
    """Points at rising risk aversion. SolverError as of `optimise_plan`; time_limit_s is of one point.

    The method is chosen by size, as in `optimise_plan`; nothing is said of overlaps of charge and discharge.
    """
    programme = compile_programme(problem)
    weights = sorted(weights)
    risks = [RiskAversion(weight, confidence) for weight in weights]
    structure = structure_of(programme)
    if programme.cost.size <= EXTENSIVE_COLUMNS or structure is None:
        found = _small(programme, risks, gap, time_limit_s)
    else:
        found = _large(programme, structure, risks, gap, time_limit_s)
    return [_point(weight, one) for weight, one in zip(weights, found, strict=True)]


def _small(programme: Programme, risks: list[RiskAversion], gap: float, limit_s: float) -> list[TwoStageSolution]:
    if programme.cost.size > EXTENSIVE_COLUMNS:
        return [decompose(programme, risk, gap=gap, time_limit_s=limit_s) for risk in risks]
    session = ExtensiveSession(programme, time_limit_s=limit_s)
    return [session.solve(risk) for risk in risks]


def _large(
    programme: Programme, structure: Structure, risks: list[RiskAversion], gap: float, limit_s: float
) -> list[TwoStageSolution]:
    kept: InteriorPoint | None = None
    found = []
    for risk in risks:
        start = None
        if kept is not None:
            start = deepcopy(kept)
            start.turn(risk)
        point = start or InteriorPoint(programme, structure, risk)
        solution, inside = solve_from(point, structure, risk, gap, limit_s, KEEP_AT)
        if solution is None or solution.gap > gap:
            solution = decompose(programme, risk, gap=gap, time_limit_s=limit_s)
        elif risk.weight > 0:
            kept = inside or kept
        found.append(solution)
    return found


def _point(weight: float, one: TwoStageSolution) -> FrontierPoint:
    return FrontierPoint(weight, one.expected_profit_gbp, one.value_at_risk_gbp, one.cvar_gbp, one.gap, one.plan, one)
