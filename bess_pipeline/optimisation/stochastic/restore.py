"""From a nearly feasible dispatch to one that keeps every row of the programme, by following the battery.

What belongs here: clipping flows, walking the state of energy, and putting what is left into the excesses at their
price. What does not: the choice of the dispatch.

Whatever comes in, what goes out obeys all rows to rounding; a bad dispatch only costs more. Where the balance of the
store has no excess, a dispatch that would leave the limits of the state is not restored (`None`).
"""

from __future__ import annotations

import numpy as np

from bess_pipeline.optimisation.problem import FloatArray
from bess_pipeline.optimisation.stochastic.numbers import IMBALANCE
from bess_pipeline.optimisation.stochastic.programme import Programme
from bess_pipeline.optimisation.stochastic.structure import ENERGY, FLOWS, LocalRow, Structure

LEFT_MWH = 1e-7  # a smaller miss of a limit of the state is rounding


def restore(
    programme: Programme, structure: Structure, plan: FloatArray, dispatch: FloatArray
) -> tuple[FloatArray, FloatArray] | None:
    """Plan and recourse (N, columns) of a dispatch (2, T, N); the plan is clipped to its bounds, too."""
    plan = np.clip(plan, programme.plan.lower, programme.plan.upper)
    plan = _within_plan_rows(programme, plan)
    where, columns = programme.path.columns, np.zeros(programme.cost.shape)
    flow = _within_power(programme, structure, dispatch)
    planned = {j: _seen(structure, plan, j) for j in range(structure.plan_column.shape[0])}
    energy, missing = _walk(programme, structure, flow, planned)
    signs = {excess.name: excess.sign for excess in structure.balance.excess}
    if not signs and np.abs(missing).max() > LEFT_MWH:
        return None
    for k, name in enumerate(FLOWS):
        columns[:, where[name]] = flow[k].T
    columns[:, where[ENERGY]] = energy.T
    for name, sign in signs.items():
        columns[:, where[name]] = np.maximum(sign * missing, 0.0).T
    for row in structure.rows:
        _fill_row(programme, columns, row, _sum(row, flow, energy, planned))
    for spanning in structure.spanning:
        if spanning.excess is not None:
            used = (spanning.flow * flow).sum(axis=(0, 1)) + spanning.plan @ plan
            columns[:, where[spanning.excess].start + spanning.period] = np.maximum(used - spanning.upper, 0.0)
    return plan, columns


def _seen(structure: Structure, plan: FloatArray, j: int) -> FloatArray:
    return np.append(plan, 0.0)[structure.plan_column[j]][:, None]  # column -1, none, sees the 0


def _within_plan_rows(programme: Programme, plan: FloatArray) -> FloatArray:
    """Columns that are never negative (response, steps) scaled down by what rounding left beyond a row of the plan."""
    matrix, limit = programme.plan.matrix, programme.plan.limit
    plan = plan.copy()
    for row, most in zip(matrix, limit, strict=True):
        used = float(row @ plan)
        lower, upper = programme.plan.lower, programme.plan.upper
        movable = np.flatnonzero((row > 0) & (lower < upper) & (lower >= 0))
        if used > most and float(row[movable] @ plan[movable]) > 0:
            over = float(row[movable] @ plan[movable])
            plan[movable] *= max(1.0 - (used - most) / over, 0.0)
    return plan


def _within_power(programme: Programme, structure: Structure, dispatch: FloatArray) -> FloatArray:
    """Flows within their limits, and both together within rows on flows alone that have no excess."""
    where = programme.path.columns
    flow = np.stack(
        [
            np.clip(dispatch[k], programme.lower[where[name]][:, None], programme.upper[where[name]][:, None])
            for k, name in enumerate(FLOWS)
        ]
    )
    for row in structure.rows:
        if not row.excess and not row.plan and not row.before.any():
            used = row.flow[0][:, None] * flow[0] + row.flow[1][:, None] * flow[1]
            with np.errstate(divide="ignore", invalid="ignore"):
                share = np.where(used > row.upper, row.upper / used, 1.0)
            flow = flow * share
    for spanning in structure.spanning:
        if spanning.excess is None:
            used = (spanning.flow * flow).sum(axis=(0, 1))
            share = np.where(used > spanning.upper, spanning.upper / np.maximum(used, 1e-300), 1.0)
            flow = flow * np.where(spanning.flow > 0, share, 1.0)
    return flow


def _walk(
    programme: Programme, structure: Structure, flow: FloatArray, planned: dict[int, FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """States (T, N) of the flows, clipped to their limits, and what clipping added (T, N): above 0, from outside."""
    balance, kept = structure.balance, structure.kept
    where = programme.path.columns[ENERGY]
    low, high = programme.lower[where], programme.upper[where]
    change = balance.upper - balance.flow[0][:, None] * flow[0] - balance.flow[1][:, None] * flow[1]
    for j, value in balance.plan.items():
        change = change - value * planned[j]
    energy = np.array(np.broadcast_to(change, flow.shape[1:]))
    missing = np.empty_like(energy)
    for t in range(energy.shape[0]):
        if t > 0:
            energy[t] += kept[t] * energy[t - 1]
        clipped = np.clip(energy[t], low[t], high[t])
        missing[t], energy[t] = clipped - energy[t], clipped
    return energy, missing


def _sum(row: LocalRow, flow: FloatArray, energy: FloatArray, planned: dict[int, FloatArray]) -> FloatArray:
    total = row.flow[0][:, None] * flow[0] + row.flow[1][:, None] * flow[1]
    if row.before.any():
        total[1:] += row.before[1:, None] * energy[:-1]
    for j, value in row.plan.items():
        total = total + value * planned[j]
    return total


def _fill_row(programme: Programme, columns: FloatArray, row: LocalRow, total: FloatArray) -> None:
    """The columns that stand in this row alone: the imbalance within its limit, and the excesses."""
    where = programme.path.columns
    inside = np.clip(total, row.lower, row.upper)
    if row.name == "imbalance":
        columns[:, where[IMBALANCE]] = inside.T
    for excess in row.excess:
        columns[:, where[excess.name]] = np.maximum(excess.sign * (total - inside), 0.0).T
