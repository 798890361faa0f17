"""What the interior point method minimises at one risk aversion, and the rows that span periods.

What belongs here: costs laid out (period, scenario), and the row of CVaR beside those of daily limits. What does not:
the state of the method (`system.py`).

The plan has one column more than the programme's when risk weighs anything: the VaR of the committed day, free. The
row of CVaR is the last spanning row: loss_n - VaR - excess_n <= 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bess_pipeline.optimisation.problem import FloatArray
from bess_pipeline.optimisation.stochastic.programme import Programme
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion
from bess_pipeline.optimisation.stochastic.structure import ENERGY, FLOWS, SpanningRow, Structure

TAIL = "tail"


@dataclass(frozen=True)
class Terms:
    """mean (N,): what a pound of each scenario's cost weighs; costs of flows (2, T, N), states (T, N) and plan
    (columns,), weighed; plan_matrix (rows of the plan, columns); spanning: K rows, spanning_plan (K, columns, N)."""

    mean: FloatArray
    flow_cost: FloatArray
    energy_cost: FloatArray
    plan_cost: FloatArray
    plan_matrix: FloatArray
    spanning: tuple[SpanningRow, ...]
    spanning_plan: FloatArray


def terms_of(programme: Programme, structure: Structure, risk: RiskAversion) -> Terms:
    """The terms of a programme."""
    where, averse, width = programme.path.columns, risk.weight > 0, programme.plan.lower.size
    mean = (1 - risk.weight) * programme.probability
    weighted = mean[:, None] * programme.cost
    plan_cost, plan_matrix = np.zeros(width + averse), np.zeros((programme.plan.limit.size, width + averse))
    plan_cost[:width], plan_matrix[:, :width] = mean @ programme.plan_cost, programme.plan.matrix
    spanning = list(structure.spanning)
    if averse:
        plan_cost[-1] = risk.weight
        spanning.append(_tail_row(programme))
    spanning_plan = np.zeros((len(spanning), width + averse, mean.size))
    for k, row in enumerate(spanning):
        spanning_plan[k, :width] = row.plan.T
    if averse:
        spanning_plan[-1, -1] = -1.0
    return Terms(
        mean,
        np.stack([weighted[:, where[name]].T for name in FLOWS]),
        np.ascontiguousarray(weighted[:, where[ENERGY]].T),
        plan_cost,
        plan_matrix,
        tuple(spanning),
        spanning_plan,
    )


def _tail_row(programme: Programme) -> SpanningRow:
    """The loss of the committed day, excesses not counted (`System` adds theirs)."""
    where, nothing = programme.path.columns, np.zeros(programme.probability.size)
    flow = np.stack([programme.loss[:, where[name]].T for name in FLOWS])
    energy = np.ascontiguousarray(programme.loss[:, where[ENERGY]].T)
    return SpanningRow(TAIL, flow, energy, programme.plan_loss, nothing, None, 0)
