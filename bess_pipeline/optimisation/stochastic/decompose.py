"""A plan for many scenarios with a gap that is proven by arithmetic.

What belongs here: the order of methods, and when an answer is good enough. What does not: the methods.

The interior point method runs until a dispatch restored from its point (a lower bound of the objective) and the bound
of its duals (an upper one) are close enough. Where it stops short, or has nothing to say (no interior, as with a sold
position that the imbalance cap leaves no choice about; another structure), the whole problem goes to the simplex method
as long as it is small enough for that to be quick; else cuts scenario by scenario close what is left (`multicut.py`),
from the best plan found.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from time import perf_counter

import numpy as np

from bess_pipeline.errors import SolverError
from bess_pipeline.optimisation.problem import FloatArray
from bess_pipeline.optimisation.stochastic.certificate import Duals, cost_bound
from bess_pipeline.optimisation.stochastic.extensive import ExtensiveSession
from bess_pipeline.optimisation.stochastic.interior_point import InteriorPoint, Iterate
from bess_pipeline.optimisation.stochastic.multicut import solve_multicut
from bess_pipeline.optimisation.stochastic.programme import Programme
from bess_pipeline.optimisation.stochastic.restore import restore
from bess_pipeline.optimisation.stochastic.result import TwoStageSolution, account, relative_gap
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion
from bess_pipeline.optimisation.stochastic.structure import Structure, structure_of

MOST_ITERATIONS = 120
LOOK_FROM = 4.0  # look at the certificate once the method's own gap is within this many times the wanted one
LITTLE_RESIDUAL = 1e-2
QUICK_COLUMNS = 150_000  # of all scenarios: a hundred over 48 h, some ten seconds by simplex, far less than cuts take
SIMPLEX = "interior_point+simplex"
PATIENCE = 8  # iterations without a better certificate before cuts take over


class BestKnown:
    """The best plan and the best bound so far; they need not come from the same iterate."""

    def __init__(self, programme: Programme, structure: Structure, risk: RiskAversion) -> None:
        self._programme, self._structure, self._risk = programme, structure, risk
        self.cost_bound = -np.inf
        self.objective = -np.inf
        self.duals: Duals | None = None
        self.answer: tuple[FloatArray, FloatArray] | None = None

    def look(self, iterate: Iterate) -> bool:
        """Take what is better of an iterate; whether anything was."""
        better = False
        bound = cost_bound(self._programme, self._risk, iterate.duals)
        if bound > self.cost_bound:
            self.cost_bound, self.duals, better = bound, iterate.duals, True
        found = restore(self._programme, self._structure, iterate.plan, iterate.dispatch)
        if found is not None:
            value = plan_objective(self._programme, self._risk, *found)
            if value > self.objective:
                self.objective, self.answer, better = value, found, True
        return better

    @property
    def gap(self) -> float:
        """Proven, relative."""
        return relative_gap(self.objective, -self.cost_bound) if np.isfinite(self.objective) else np.inf


def plan_objective(programme: Programme, risk: RiskAversion, plan: FloatArray, recourse: FloatArray) -> float:
    """The objective, maximised, of a plan with its recourse."""
    nothing = Duals(np.zeros((0, 0)), np.zeros(0), np.zeros(0))
    return account(programme, risk, plan, recourse, np.inf, nothing, ("", 0, 0.0)).objective_gbp


def decompose(
    programme: Programme, risk: RiskAversion, *, gap: float = 1e-6, time_limit_s: float = 600.0
) -> TwoStageSolution:
    """A plan with its proven gap, at most `gap` unless time ran out. SolverError where no method finds any plan."""
    started = perf_counter()
    found = solve_interior(programme, risk, gap=gap, time_limit_s=time_limit_s)
    if found is not None and found.gap <= gap:
        return found
    left = max(time_limit_s - (perf_counter() - started), 0.0)
    whole = _solve_whole(programme, risk, left) if programme.cost.size <= QUICK_COLUMNS else None
    if whole is not None:
        return whole
    left = max(time_limit_s - (perf_counter() - started), 0.0)
    return solve_multicut(programme, risk, gap=gap, time_limit_s=left, start=found)


def _solve_whole(programme: Programme, risk: RiskAversion, time_limit_s: float) -> TwoStageSolution | None:
    """The optimum by simplex over all scenarios at once; None where that does not end in time."""
    try:
        found = ExtensiveSession(programme, time_limit_s=max(time_limit_s, 1.0)).solve(risk)
    except SolverError:
        return None
    return replace(found, method=SIMPLEX)


def solve_interior(
    programme: Programme, risk: RiskAversion, *, gap: float = 1e-6, time_limit_s: float = 600.0
) -> TwoStageSolution | None:
    """The interior point method's answer with its proven gap, small or not; None where it has nothing to say."""
    structure = structure_of(programme)
    if structure is None:
        return None
    return solve_from(InteriorPoint(programme, structure, risk), structure, risk, gap, time_limit_s)[0]


def solve_from(
    point: InteriorPoint,
    structure: Structure,
    risk: RiskAversion,
    gap: float,
    time_limit_s: float,
    keep_at: float = 0.0,
) -> tuple[TwoStageSolution | None, InteriorPoint | None]:
    """The answer of the method begun at a point, and a copy of it from when its own gap first fell below `keep_at`,
    its residuals gone: a start for a neighbour."""
    started, programme = perf_counter(), point.programme
    best, kept = BestKnown(programme, structure, risk), None
    idle = iterations = 0
    try:
        while iterations < MOST_ITERATIONS and best.gap > gap and idle < PATIENCE:
            iterate = point.iterate()
            iterations += 1
            if kept is None and iterate.gap < keep_at and iterate.residual < LITTLE_RESIDUAL:
                kept = deepcopy(point)
            if iterate.gap <= LOOK_FROM * gap:
                idle = 0 if best.look(iterate) else idle + 1
            if perf_counter() - started > time_limit_s:
                break
    except SolverError:
        pass  # the best so far stands, with its gap
    if best.answer is None or best.duals is None:
        return None, kept
    how = ("interior_point", iterations, perf_counter() - started)
    return account(programme, risk, *best.answer, -best.cost_bound, best.duals, how), kept
