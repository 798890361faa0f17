"""What any dual numbers prove: a lower bound of the minimised cost, by arithmetic alone.

What belongs here: `Duals`, their reduced costs and their bound. What does not: where they come from. A solver's own
claim of optimality is never used: the gap of a decomposition is this bound against the accounts of a feasible answer.

With r = cost - (rows)' y, every x and y_n within their bounds and rows costs at least
    sum of y's at the row bound they point to + sum of r's at the column bound they point to,
so every column needs finite bounds. Excesses have none of their own; no optimum exceeds `reach_mwh` in one of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bess_pipeline.optimisation.problem import FloatArray
from bess_pipeline.optimisation.stochastic.programme import Programme
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion


@dataclass(frozen=True)
class Duals:
    """Prices of the minimised problem, GBP per unit: rows (N, rows) of the scenarios, plan_rows; tail (N,): what a
    pound of each scenario's loss weighs through CVaR."""

    rows: FloatArray
    plan_rows: FloatArray
    tail: FloatArray


@dataclass(frozen=True)
class Reduced:
    """Reduced costs of the minimised problem: recourse (N, columns), plan (columns,)."""

    recourse: FloatArray
    plan: FloatArray


def admissible(programme: Programme, risk: RiskAversion, duals: Duals) -> Duals:
    """The nearest duals of the right signs: none that rewards a "<=" row, tail prices within their limits and sum."""
    rows = np.where(programme.path.equality, duals.rows, np.minimum(duals.rows, 0.0))
    most = risk.most_tail_price(programme.probability)
    tail = np.clip(duals.tail, 0.0, most)
    missing = risk.weight - tail.sum()
    room = (most - tail) if missing > 0 else tail
    if missing and room.sum() > 0:
        tail = tail + missing * room / room.sum()
    return Duals(rows, np.minimum(duals.plan_rows, 0.0), tail)


def reduced_costs(programme: Programme, risk: RiskAversion, duals: Duals) -> Reduced:
    """cost - W'y of every recourse column, and cost - T'y - A'y of every column of the plan."""
    mean = (1 - risk.weight) * programme.probability
    recourse = mean[:, None] * programme.cost + duals.tail[:, None] * programme.loss
    recourse -= (programme.path.matrix.T @ duals.rows.T).T
    technology = programme.technology
    moved = (technology.value * duals.rows[:, technology.row]).sum(axis=0)
    plan = mean @ programme.plan_cost + duals.tail @ programme.plan_loss
    plan = plan - np.bincount(technology.column, weights=moved, minlength=plan.size)
    return Reduced(recourse, plan - programme.plan.matrix.T @ duals.plan_rows)


def cost_bound(programme: Programme, risk: RiskAversion, duals: Duals) -> float:
    """Lower bound of the minimised cost that these duals prove, once they are admissible."""
    duals = admissible(programme, risk, duals)
    reduced = reduced_costs(programme, risk, duals)
    row_lower = np.where(np.isfinite(programme.row_lower), programme.row_lower, 0.0)
    at_rows = float((np.maximum(duals.rows, 0.0) * row_lower + np.minimum(duals.rows, 0.0) * programme.row_upper).sum())
    at_rows += float(duals.plan_rows @ programme.plan.limit)
    upper = np.where(np.isfinite(programme.upper), programme.upper, reach_mwh(programme))
    at_columns = float((np.maximum(reduced.recourse, 0.0) @ programme.lower).sum())
    at_columns += float((np.minimum(reduced.recourse, 0.0) @ upper).sum())
    at_columns += float(np.maximum(reduced.plan, 0.0) @ programme.plan.lower)
    at_columns += float(np.minimum(reduced.plan, 0.0) @ programme.plan.upper)
    return at_rows + at_columns


def reach_mwh(programme: Programme) -> float:
    """More than any excess of an optimum: all that flows, plans and deliveries of the horizon could add up to."""
    problem = programme.problem
    energy, plan = problem.energy, programme.plan
    flows = energy.charge_limit_mwh + energy.discharge_limit_mwh + np.abs(energy.auxiliary_mwh)
    planned = float(np.maximum(np.abs(plan.lower), np.abs(plan.upper)).sum())
    entries = np.abs(programme.technology.value).max(initial=0.0) + 1.0
    losses = 1.0 / (problem.battery.charge_efficiency * problem.battery.discharge_efficiency)
    total = float(flows.sum()) + planned * entries * problem.periods + problem.battery.energy_mwh
    return 10.0 * losses * total
