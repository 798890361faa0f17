"""The plan of a stochastic problem: what everything outside asks for.

What belongs here: the choice of a method by size, the limits of risk, and the refusal of what has no plan. What does
not: the methods.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from bess_pipeline.errors import SolverError, UserInputError
from bess_pipeline.optimisation.infeasible import why_infeasible
from bess_pipeline.optimisation.stochastic.decompose import decompose
from bess_pipeline.optimisation.stochastic.exclusive import exclude_at_plan, exclude_everywhere
from bess_pipeline.optimisation.stochastic.extensive import ExtensiveSession
from bess_pipeline.optimisation.stochastic.multicut import solve_multicut
from bess_pipeline.optimisation.stochastic.numbers import elastic_balance
from bess_pipeline.optimisation.stochastic.problem import StochasticProblem
from bess_pipeline.optimisation.stochastic.programme import Programme, compile_programme
from bess_pipeline.optimisation.stochastic.result import TwoStageSolution, account
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion

Method = Literal["auto", "extensive", "ipm", "hipo", "decomposition", "multicut"]
EXTENSIVE_COLUMNS = 13_000
LIMIT_ROUNDS = 30
DIRECTIONS_LIMIT_S = 20.0  # for binaries of all scenarios together; their gap is stated
VAR_NOTE = "the VaR limit is enforced by CVaR at the same confidence, which is never smaller: it is conservative"


def optimise_plan(
    problem: StochasticProblem,
    risk: RiskAversion = RiskAversion(),  # noqa: B008 - frozen
    *,
    method: Method = "auto",
    gap: float = 1e-6,
    time_limit_s: float = 600.0,
    cvar_limit_gbp: float | None = None,
    var_limit_gbp: float | None = None,
    exclusive: bool = True,
) -> TwoStageSolution:
    """The best plan over all scenarios.

    method: "auto" takes the extensive form up to `EXTENSIVE_COLUMNS` columns and decomposition above it; "ipm" and
    "hipo" are the extensive form in HiGHS's interior point solvers without crossover (hipo where its wheel is
    installed). gap: relative, wanted of the answer; binaries may leave more open. cvar_limit_gbp: most CVaR of the
    committed day's loss; var_limit_gbp: the same of VaR, enforced by CVaR. exclusive: whether overlaps of charge
    and discharge are undone.

    UserInputError where no plan keeps the limit of risk; SolverError with one sentence where there is no plan.
    """
    return optimise_programme(
        compile_programme(problem),
        risk,
        method=method,
        gap=gap,
        time_limit_s=time_limit_s,
        cvar_limit_gbp=cvar_limit_gbp,
        var_limit_gbp=var_limit_gbp,
        exclusive=exclusive,
    )


def optimise_programme(
    programme: Programme,
    risk: RiskAversion,
    *,
    method: Method = "auto",
    gap: float = 1e-6,
    time_limit_s: float = 600.0,
    cvar_limit_gbp: float | None = None,
    var_limit_gbp: float | None = None,
    exclusive: bool = True,
) -> TwoStageSolution:
    """The best plan of a programme whose first stage may have columns of its own; options as `optimise_plan`."""
    limits = [limit for limit in (cvar_limit_gbp, var_limit_gbp) if limit is not None]
    if limits:
        found = _within_limit(programme, risk, min(limits), method, gap, time_limit_s)
        found = replace(found, notes=(VAR_NOTE,)) if var_limit_gbp is not None else found
        return exclude_at_plan(programme, risk, found) if exclusive else found
    linear_gap = gap / 2 if exclusive else gap  # undoing overlaps takes a little of it
    found = solve_linear(programme, risk, method=method, gap=linear_gap, time_limit_s=time_limit_s)
    if not exclusive:
        return found
    if found.method.startswith("extensive"):
        return exclude_everywhere(programme, risk, found, gap, min(time_limit_s, DIRECTIONS_LIMIT_S))
    return exclude_at_plan(programme, risk, found)


def solve_linear(
    programme: Programme, risk: RiskAversion, *, method: Method = "auto", gap: float = 1e-6, time_limit_s: float = 600.0
) -> TwoStageSolution:
    """The optimum of the linear problem by one method, with its gap."""
    if method == "auto":
        method = "extensive" if programme.cost.size <= EXTENSIVE_COLUMNS else "decomposition"
    try:
        if method == "decomposition":
            return decompose(programme, risk, gap=gap, time_limit_s=time_limit_s)
        if method == "multicut":
            return solve_multicut(programme, risk, gap=gap, time_limit_s=time_limit_s)
        solver = "simplex" if method == "extensive" else method
        return ExtensiveSession(programme, solver=solver, crossover=False, time_limit_s=time_limit_s).solve(risk)
    except SolverError as error:
        message = _why(programme.problem) or str(error)
    raise SolverError(message)


def _why(problem: StochasticProblem) -> str | None:
    """One sentence where the battery alone has no schedule from some opening state."""
    if elastic_balance(problem):
        return None
    low, high = problem.closing.bounds_mwh(problem.battery)
    reach = problem.energy
    most = problem.battery.charge_efficiency * reach.charge_limit_mwh.sum() + problem.opening.min()
    least = problem.opening.max() - reach.discharge_limit_mwh.sum() / problem.battery.discharge_efficiency
    return why_infeasible(reach) if most < low - 1e-9 or least > high + 1e-9 else None


def _within_limit(
    programme: Programme, risk: RiskAversion, limit_gbp: float, method: Method, gap: float, time_limit_s: float
) -> TwoStageSolution:
    """The best plan whose CVaR keeps a limit: a walk along the frontier to the two plans on its sides, and their mix.

    A mix of two plans with their recourse is a plan, its mean profit is the mix of theirs and its CVaR at most that of
    theirs; with the weight at which both are best it attains the Lagrangian bound.
    """
    options = {"method": method, "gap": gap, "time_limit_s": time_limit_s}
    bold = solve_linear(programme, risk, **options)  # type: ignore[arg-type]
    if bold.cvar_gbp <= limit_gbp:
        return bold
    careful = solve_linear(programme, replace(risk, weight=1.0), **options)  # type: ignore[arg-type]
    if careful.cvar_gbp > limit_gbp:
        raise UserInputError(
            f"no plan keeps the CVaR within {limit_gbp:,.2f} GBP: the least there is is {careful.cvar_gbp:,.2f} GBP"
        )
    bound = np.inf
    for _ in range(LIMIT_ROUNDS):
        earned = bold.expected_profit_gbp - careful.expected_profit_gbp
        saved = bold.cvar_gbp - careful.cvar_gbp
        weight = float(np.clip(earned / max(earned + saved, 1e-12), risk.weight, 1.0))
        between = solve_linear(programme, replace(risk, weight=weight), **options)  # type: ignore[arg-type]
        bound = min(bound, _limit_bound(risk, weight, between.bound_gbp, limit_gbp))
        at_ends = (1 - weight) * bold.expected_profit_gbp - weight * bold.cvar_gbp
        if between.objective_gbp <= at_ends + gap * max(1.0, abs(at_ends)):
            break
        bold, careful = (between, careful) if between.cvar_gbp > limit_gbp else (bold, between)
    return _mix(programme, risk, bold, careful, limit_gbp, bound)


def _limit_bound(risk: RiskAversion, weight: float, bound_gbp: float, limit_gbp: float) -> float:
    """What the bound at a higher weight says of every plan that keeps the limit."""
    share = (1 - risk.weight) / (1 - weight)
    return share * bound_gbp + (weight * share - risk.weight) * limit_gbp


def _mix(
    programme: Programme,
    risk: RiskAversion,
    bold: TwoStageSolution,
    careful: TwoStageSolution,
    limit_gbp: float,
    bound_gbp: float,
) -> TwoStageSolution:
    saved = bold.cvar_gbp - careful.cvar_gbp
    share = 1.0 if saved <= 0 else float(np.clip((bold.cvar_gbp - limit_gbp) / saved, 0.0, 1.0))
    plan = share * careful.plan + (1 - share) * bold.plan
    recourse = share * careful.recourse + (1 - share) * bold.recourse
    how = (f"{careful.method}+limit", careful.iterations + bold.iterations, careful.seconds + bold.seconds)
    return account(programme, risk, plan, recourse, bound_gbp, careful.duals, how)
