"""One Newton system of the interior point method, eliminated scenario by scenario, all scenarios at once.

What belongs here: factor and solve. What does not: where weights and right-hand sides come from
(`interior_point.py`).

    flows of a period (two, closed form) -> store balance (a number per period) -> states along time (a recursion on
    numbers) -> rows that span periods (a small matrix per scenario) -> plan (one dense matrix for all scenarios).

Every pivot is a sum of positive numbers (determinant by Cauchy and Binet, states by the Riccati recursion), so
weights of very different size do no harm. `Column` j < J is the j-th name of the plan in its period, J + k the
multiplier of the k-th spanning row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from bess_pipeline.errors import SolverError
from bess_pipeline.optimisation.problem import FloatArray, IntArray
from bess_pipeline.optimisation.stochastic.structure import LocalRow, Structure

Column = int
Columns = Mapping[Column, FloatArray]
REGULARISATION = 1e-13  # of a matrix with ones on its diagonal
TINY = 1e-300


@dataclass(frozen=True)
class WeightedRow:
    """A row with its compliance (T, N): row - compliance x multiplier = right-hand side; columns: plan and spanning."""

    row: LocalRow
    compliance: FloatArray
    columns: Columns


@dataclass(frozen=True)
class Weights:
    """Second derivatives of one iteration: flow (2, T, N), energy (T, N) of the bounds, plan (columns, columns) of its
    bounds and rows, free: which of its columns may move; balance and rows with their compliances; spanning (N, K, K),
    negative; spanning_flow (K, 2, T, N or 1), spanning_energy (K, T, N or 1), spanning_plan (K, columns, N)."""

    flow: FloatArray
    energy: FloatArray
    plan: FloatArray
    free: NDArray[np.bool_]
    balance: WeightedRow
    rows: Sequence[WeightedRow]
    spanning: FloatArray
    spanning_flow: Sequence[FloatArray]
    spanning_energy: Sequence[FloatArray]
    spanning_plan: FloatArray


@dataclass(frozen=True)
class Step:
    """Directions: flow (2, T, N), energy (T, N), balance multiplier (T, N), rows' multipliers (T, N) each,
    plan (columns,), spanning (N, K)."""

    flow: FloatArray
    energy: FloatArray
    balance: FloatArray
    rows: list[FloatArray]
    plan: FloatArray
    spanning: FloatArray


@dataclass(frozen=True)
class RightHandSide:
    """What the Newton equations miss: of flows (2, T, N), energy (T, N), the balance and each row (T, N), the plan
    (columns,) and the spanning rows (N, K)."""

    flow: FloatArray
    energy: FloatArray
    balance: FloatArray
    rows: Sequence[FloatArray]
    plan: FloatArray
    spanning: FloatArray


class Elimination:
    """The factor of one iteration; `solve` for as many right-hand sides as wanted."""

    def __init__(self, structure: Structure, weights: Weights) -> None:
        self._structure, self._weights = structure, weights
        self._names = structure.plan_column.shape[0]
        self._shape = weights.energy.shape
        self._eliminate_flows()
        self._eliminate_balance()
        self._eliminate_states()
        self._eliminate_spanning()

    def _eliminate_flows(self) -> None:
        """Inverse of the 2 x 2 matrix of each period, and what it leaves on pairs of columns."""
        w = self._weights
        stiff = [(row.row.flow[:, :, None], 1.0 / row.compliance, row.columns) for row in w.rows]
        stiff = [one for one in stiff if one[0].any()]
        first, second = w.flow
        determinant = first * second
        for a, s, _ in stiff:
            determinant = determinant + s * (first * a[1] ** 2 + second * a[0] ** 2)
        for i, (a, s, _) in enumerate(stiff):
            for b, r, _ in stiff[:i]:
                cross = (a[0] * b[1] - a[1] * b[0]) ** 2
                if cross.any():
                    determinant = determinant + s * r * cross
        one, two, both = second, first, np.zeros(self._shape)
        for a, s, _ in stiff:
            one, two, both = one + s * a[1] ** 2, two + s * a[0] ** 2, both - s * a[0] * a[1]
        self._inverse = (one / determinant, two / determinant, both / determinant)
        g = w.balance.row.flow[:, :, None]
        store = second * g[0] ** 2 + first * g[1] ** 2
        for a, s, _ in stiff:
            store = store + s * (g[0] * a[1] - g[1] * a[0]) ** 2
        self._compliance = w.balance.compliance + store / determinant
        self._flow_of: dict[Column, list[FloatArray]] = {}
        for a, s, columns in stiff:
            for j, value in columns.items():
                self._add_flow(j, [a[0] * s * value, a[1] * s * value])
        for k, value in enumerate(w.spanning_flow):
            if value.any():
                self._add_flow(self._names + k, [value[0], value[1]])

    def _add_flow(self, j: Column, value: list[FloatArray]) -> None:
        known = self._flow_of.get(j)
        self._flow_of[j] = value if known is None else [known[0] + value[0], known[1] + value[1]]

    def _inverse_times(self, first: FloatArray, second: FloatArray) -> tuple[FloatArray, FloatArray]:
        one, two, both = self._inverse
        return one * first + both * second, both * first + two * second

    def _eliminate_balance(self) -> None:
        """What flows and balance leave: `beta` on the balance, and the matrix on pairs of columns."""
        w, g = self._weights, self._weights.balance.row.flow[:, :, None]
        self._store = self._inverse_times(g[0], g[1])
        self._moved = {j: self._inverse_times(*value) for j, value in self._flow_of.items()}
        beta: dict[Column, FloatArray] = dict(w.balance.columns)
        for j, value in self._flow_of.items():
            change = value[0] * self._store[0] + value[1] * self._store[1]
            beta[j] = beta[j] - change if j in beta else -change
        self._beta = beta
        self._over = {j: value / self._compliance for j, value in beta.items()}
        self._pairs: dict[tuple[Column, Column], FloatArray] = {}
        for row in w.rows:
            for i, a in row.columns.items():
                for j, b in row.columns.items():
                    self._add_pair(i, j, a * b / row.compliance)
        for i, value in self._flow_of.items():
            for j, moved in self._moved.items():
                self._add_pair(i, j, -(value[0] * moved[0] + value[1] * moved[1]))
        for i, a in self._beta.items():
            for j, b in self._over.items():
                self._add_pair(i, j, a * b)

    def _add_pair(self, i: Column, j: Column, value: FloatArray) -> None:
        if i <= j:
            known = self._pairs.get((i, j))
            self._pairs[i, j] = np.broadcast_to(value, self._shape) if known is None else known + value

    def _eliminate_states(self) -> None:
        """The recursion along time, and what each state shares with the columns of its period and of the next."""
        w, kept = self._weights, self._structure.kept[1:, None]
        own = w.energy.copy()
        self._now = {j: np.broadcast_to(value, self._shape) for j, value in self._over.items()}
        self._next = {j: -kept * value[1:] for j, value in self._now.items()}
        for row in w.rows:
            before = row.row.before[1:, None]
            if not before.any():
                continue
            stiffness = before / np.broadcast_to(row.compliance, self._shape)[1:]
            own[:-1] += stiffness * before
            for j, value in row.columns.items():
                share = stiffness * np.broadcast_to(value, self._shape)[1:]
                self._next[j] = self._next[j] + share if j in self._next else share
        for k, value in enumerate(w.spanning_energy):
            if value.any():
                self._now[self._names + k] = self._now.get(self._names + k, 0.0) + np.broadcast_to(value, self._shape)
        self._pivot, self._carry = _along_time(own, self._compliance, self._structure.kept)

    def _eliminate_spanning(self) -> None:
        """The plan's matrix: all scenarios added up, after the rows that span periods."""
        w, (periods, count) = self._weights, self._shape
        size, spans = w.plan.shape[0], w.spanning.shape[1]
        place, width = _places(self._structure.plan_column, size, spans)
        plan, across, own = w.plan.copy(), w.spanning_plan.copy(), w.spanning.copy()
        self._add_pairs(plan, across, own)
        z, total = np.zeros((spans + size, count)), np.zeros((spans + size, spans + size))
        shared = np.zeros((spans, spans + size, count))
        links = self._links(place, periods)
        for t in range(periods):
            k = width[t]
            if t > 0:
                z[:k] *= self._carry[t - 1]
            for row, value in links[t]:
                z[row] += value[t]
            scaled = z[:k] / self._pivot[t]
            total[spans:k, spans:k] += z[spans:k] @ scaled[spans:k].T
            for j in range(spans):
                shared[j, :k] += z[j] * scaled
        plan -= total[place[:size, None], place[None, :size]]
        across -= shared[:, place[:size]]
        own -= shared[:, :spans].transpose(2, 0, 1)
        self._finish(plan, across, own)

    def _links(self, place: IntArray, periods: int) -> list[list[tuple[int, FloatArray]]]:
        """What the state of each period shares with the rows of z: columns of its own period, then of the next."""
        links: list[list[tuple[int, FloatArray]]] = [[] for _ in range(periods)]
        column, size = self._structure.plan_column, self._weights.plan.shape[0]
        for shares, ahead in ((self._now, 0), (self._next, 1)):
            for j, value in shares.items():
                own = column[j] if j < self._names else np.full(periods, size + j - self._names)
                for t, one in enumerate(own[ahead:].tolist()):
                    if one >= 0:
                        links[t].append((int(place[one]), value))
        return links

    def _add_pairs(self, plan: FloatArray, across: FloatArray, own: FloatArray) -> None:
        column, names = self._structure.plan_column, self._names
        for (i, j), value in self._pairs.items():
            if i >= names:
                own[:, i - names, j - names] += value.sum(axis=0)
                if i != j:
                    own[:, j - names, i - names] += value.sum(axis=0)
            elif j >= names:
                for t in np.flatnonzero(column[i] >= 0):
                    across[j - names, column[i, t]] += value[t]
            else:
                members = (column[i] >= 0) & (column[j] >= 0)
                total = value.sum(axis=1)[members]
                np.add.at(plan, (column[i][members], column[j][members]), total)
                if i != j:
                    np.add.at(plan, (column[j][members], column[i][members]), total)

    def _finish(self, plan: FloatArray, across: FloatArray, own: FloatArray) -> None:
        self._across, spans = across, own.shape[1]
        if spans:
            self._own = np.linalg.inv(own)
            reduced = np.einsum("nkl,lsn->ksn", self._own, across)
            for k in range(spans):
                plan = plan - across[k] @ reduced[k].T
        free = self._weights.free
        plan = ((plan + plan.T) / 2)[np.ix_(free, free)]
        if not free.any():
            return
        self._scale = 1.0 / np.sqrt(np.maximum(np.diag(plan), TINY))
        plan = self._scale[:, None] * plan * self._scale
        plan[np.diag_indices_from(plan)] += REGULARISATION
        try:
            self._plan = cho_factor(plan)
        except (np.linalg.LinAlgError, ValueError):  # not definite, or not finite
            raise SolverError("the interior point method lost its definiteness") from None

    def solve(self, right: RightHandSide) -> Step:
        """The directions of one right-hand side."""
        w, kept = self._weights, self._structure.kept
        flow, energy = right.flow.copy(), right.energy.copy()
        plan, spanning = right.plan.copy(), right.spanning.copy()
        columns: dict[Column, FloatArray] = {}
        for row, k0 in zip(w.rows, right.rows, strict=True):
            pull = k0 / row.compliance
            if row.row.flow.any():
                flow += row.row.flow[:, :, None] * pull
            if row.row.before.any():
                energy[:-1] += (row.row.before[:, None] * pull)[1:]
            _add_columns(columns, row.columns, pull)
        u = self._inverse_times(flow[0], flow[1])
        g = w.balance.row.flow[:, :, None]
        k = (right.balance - g[0] * u[0] - g[1] * u[1]) / self._compliance
        energy += k
        energy[:-1] -= kept[1:, None] * k[1:]
        _add_columns(columns, self._beta, k)
        for j, of_flow in self._flow_of.items():
            _add_columns(columns, {j: -1.0}, of_flow[0] * u[0] + of_flow[1] * u[1])
        state = self._along(energy)
        for j, of_state in self._now.items():
            _add_columns(columns, {j: -1.0}, of_state * state)
        self._scatter(columns, plan, spanning, 0)
        self._scatter({j: -value * state[:-1] for j, value in self._next.items()}, plan, spanning, 1)
        step_plan, step_spanning = self._solve_columns(plan, spanning)
        return self._substitute(flow, energy, right, step_plan, step_spanning)

    def _scatter(self, columns: Columns, plan: FloatArray, spanning: FloatArray, ahead: int) -> None:
        for j, value in columns.items():
            if j >= self._names:
                spanning[:, j - self._names] += value.sum(axis=0)
            else:
                column = self._structure.plan_column[j][ahead:]
                members = column >= 0
                plan += np.bincount(column[members], weights=value.sum(axis=1)[members], minlength=plan.size)

    def _solve_columns(self, plan: FloatArray, spanning: FloatArray) -> tuple[FloatArray, FloatArray]:
        if not spanning.shape[1]:
            return self._solve_plan(plan), spanning
        own = np.einsum("nkl,nl->nk", self._own, spanning)
        step = self._solve_plan(plan - np.einsum("ksn,nk->s", self._across, own))
        rest = spanning - np.einsum("ksn,s->nk", self._across, step)
        return step, np.einsum("nkl,nl->nk", self._own, rest)

    def _solve_plan(self, right: FloatArray) -> FloatArray:
        step, free = np.zeros(right.size), self._weights.free
        if free.any():
            step[free] = self._scale * cho_solve(self._plan, self._scale * right[free])
        return step

    def _substitute(
        self, flow: FloatArray, energy: FloatArray, right: RightHandSide, plan: FloatArray, spanning: FloatArray
    ) -> Step:
        at = local_values(self._structure, plan, spanning)
        for j, value in self._now.items():
            energy = energy - value * at[j]
        for j, value in self._next.items():
            energy[:-1] -= value * (at[j][1:] if j < self._names else at[j])
        state = self._along(energy)
        g = self._weights.balance.row.flow[:, :, None]
        first, second = flow
        for j, of_flow in self._flow_of.items():
            first, second = first - of_flow[0] * at[j], second - of_flow[1] * at[j]
        u = self._inverse_times(first, second)
        gap = state - right.balance + g[0] * u[0] + g[1] * u[1]
        gap[1:] -= self._structure.kept[1:, None] * state[:-1]
        for j, value in self._weights.balance.columns.items():
            gap = gap + value * at[j]
        price = gap / self._compliance
        moved = np.stack([u[0] - self._store[0] * price, u[1] - self._store[1] * price])
        rows = [
            (_row_change(row, moved, state, at) - k0) / row.compliance
            for row, k0 in zip(self._weights.rows, right.rows, strict=True)
        ]
        return Step(moved, state, price, rows, plan, spanning)

    def _along(self, energy: FloatArray) -> FloatArray:
        """States of a right-hand side: forward and back along time."""
        found = energy.copy()
        for t in range(1, found.shape[0]):
            found[t] += self._carry[t - 1] * found[t - 1]
        found /= self._pivot
        for t in range(found.shape[0] - 2, -1, -1):
            found[t] += self._carry[t] * found[t + 1]
        return found


def local_values(structure: Structure, plan: FloatArray, spanning: FloatArray) -> dict[Column, FloatArray]:
    """The plan as each period sees it (T, 1), by name from 0; behind it the spanning rows' multipliers (1, N)."""
    column = structure.plan_column
    seen = np.append(plan, 0.0)[column]  # column -1, none, sees the 0
    found = {j: seen[j][:, None] for j in range(column.shape[0])}
    return found | {column.shape[0] + k: spanning[None, :, k] for k in range(spanning.shape[1])}


def _row_change(row: WeightedRow, flow: FloatArray, state: FloatArray, at: Columns) -> FloatArray:
    """Change of what a row sums to."""
    change = row.row.flow[0][:, None] * flow[0] + row.row.flow[1][:, None] * flow[1]
    if row.row.before.any():
        change[1:] += row.row.before[1:, None] * state[:-1]
    for j, value in row.columns.items():
        change = change + value * at[j]
    return change


def _add_columns(columns: dict[Column, FloatArray], share: Mapping[Column, FloatArray | float], by: FloatArray) -> None:
    for j, value in share.items():
        part = value * by
        columns[j] = columns[j] + part if j in columns else part


def _along_time(own: FloatArray, compliance: FloatArray, kept: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Pivot of each state, and what a right-hand side carries to the next: kept / (compliance x pivot)."""
    pivot, carry = np.empty_like(own), np.zeros_like(own)
    rest = own[0] + 1.0 / compliance[0]
    for t in range(own.shape[0]):
        if t > 0:
            rest = own[t] + 1.0 / (compliance[t] + kept[t] ** 2 / rest)
        if t + 1 < own.shape[0]:
            pivot[t] = rest + kept[t + 1] ** 2 / compliance[t + 1]
            carry[t] = kept[t + 1] / (compliance[t + 1] * pivot[t])
        else:
            pivot[t] = rest
    return pivot, carry


def _places(column: IntArray, size: int, spans: int) -> tuple[IntArray, IntArray]:
    """Order of elimination: spanning rows, then columns of the plan as time meets them; and how many are met by t."""
    first = np.full(size, column.shape[1])
    for t in range(column.shape[1] - 1, -1, -1):
        first[column[:, t][column[:, t] >= 0]] = max(t - 1, 0)  # a state knows the plan of its next period
    order = np.argsort(first, kind="stable")
    place = np.empty(size + spans, dtype=np.int64)
    place[order] = spans + np.arange(size)
    place[size:] = np.arange(spans)
    return place, spans + np.searchsorted(first[order], np.arange(column.shape[1]), side="right")
