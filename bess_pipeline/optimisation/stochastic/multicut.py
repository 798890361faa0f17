"""Cuts scenario by scenario: the decomposition that works for every formulation.

What belongs here: the master problem, the in-out step, and the purging of cuts. What does not: scenarios' recourse
(`recourse.py`) and when this method is chosen (`decompose.py`).

Birge and Louveaux (1988) with one cut a scenario; the point between the master's plan and the best one
(Ben-Ameur and Neto 2007) is where cuts are taken, and cuts that were slack for a while are dropped. The objective is
the accounts of the best plan. The master's duals mix the duals behind the cuts into duals of the whole problem, and
what those prove is the bound (`certificate.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any

import highspy
import numpy as np
from scipy.sparse import csr_array

from bess_pipeline.errors import SolverError
from bess_pipeline.optimisation.problem import FloatArray
from bess_pipeline.optimisation.stochastic.certificate import Duals, cost_bound
from bess_pipeline.optimisation.stochastic.programme import Programme
from bess_pipeline.optimisation.stochastic.recourse import Recourse, RecourseSession
from bess_pipeline.optimisation.stochastic.result import TwoStageSolution, account, relative_gap
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion

IN_OUT = 0.5
MOST_ROUNDS = 400
PATIENCE = 60  # rounds in which neither the best plan nor the bound got better
SLACK_ROUNDS = 4
PURGE_FROM = 200
NEW_CUT = 1e-9


def solve_multicut(
    programme: Programme,
    risk: RiskAversion,
    *,
    gap: float = 1e-6,
    time_limit_s: float = 600.0,
    start: TwoStageSolution | None = None,
) -> TwoStageSolution:
    """The best plan within `gap` of its bound, or with the gap reached at the time limit. SolverError without any."""
    started, sessions = perf_counter(), RecourseSession(programme, risk)
    master = _Master(programme, risk)
    plan = np.clip(0.0, programme.plan.lower, programme.plan.upper) if start is None else start.plan
    value_at_risk = 0.0 if start is None else start.value_at_risk_gbp
    best, duals = start, None if start is None else start.duals
    bound = np.inf if start is None else start.bound_gbp
    rounds = idle = 0
    while True:
        recourse = sessions.solve(plan, value_at_risk)
        rounds += 1
        how = ("multicut", rounds, perf_counter() - started)
        found = account(programme, risk, plan, recourse.columns, bound, _own_duals(programme, recourse), how)
        idle += 1
        if best is None or found.objective_gbp > best.objective_gbp:
            best, idle = found, 0
        master.add_cuts(plan, value_at_risk, recourse, best.objective_gbp)
        outer = master.solve()
        proven = -cost_bound(programme, risk, outer.duals)
        if proven < bound:
            bound, duals, idle = proven, outer.duals, 0
        late = perf_counter() - started > time_limit_s or rounds >= MOST_ROUNDS or idle >= PATIENCE
        if relative_gap(best.objective_gbp, bound) <= gap or late:
            break
        plan = IN_OUT * outer.plan + (1 - IN_OUT) * best.plan
        value_at_risk = IN_OUT * outer.value_at_risk + (1 - IN_OUT) * best.value_at_risk_gbp
    how = ("multicut", rounds, perf_counter() - started)
    return account(programme, risk, best.plan, best.recourse, bound, duals or outer.duals, how)


def _own_duals(programme: Programme, recourse: Recourse) -> Duals:
    """Duals of the scenarios at one plan, on their own."""
    weight = programme.probability
    return Duals(weight[:, None] * recourse.rows, np.zeros(programme.plan.limit.size), weight * recourse.tail)


@dataclass(frozen=True)
class _Outer:
    """The master's optimum: plan, VaR, values of the scenarios' cuts, and the duals its cuts mix into."""

    plan: FloatArray
    value_at_risk: float
    cuts: FloatArray
    duals: Duals


class _Master:
    """Columns: plan, VaR, one value a scenario; rows: the plan's own, then cuts."""

    def __init__(self, programme: Programme, risk: RiskAversion) -> None:
        self._programme, self._count = programme, programme.problem.scenarios
        self._size = programme.plan.lower.size
        self._fixed_rows = programme.plan.limit.size
        self._age = np.zeros(0, dtype=np.int64)
        self._scenario = np.zeros(0, dtype=np.int64)  # of each cut, with the duals behind it
        self._rows = np.zeros((0, programme.row_upper.shape[1]))
        self._tail = np.zeros(0)
        self._last: _Outer | None = None
        self._solver = self._load(risk)

    def _load(self, risk: RiskAversion) -> Any:
        programme, size, count = self._programme, self._size, self._count
        solver = highspy.Highs()
        solver.silent()
        solver.setOptionValue("threads", 1)
        lower, upper = np.append(programme.plan.lower, -np.inf), np.append(programme.plan.upper, np.inf)
        if risk.weight == 0:
            lower[-1] = upper[-1] = 0.0
        else:
            lower[-1] = float(_least(programme.loss, programme.plan_loss, programme).min())
        least = _least((1 - risk.weight) * programme.cost, (1 - risk.weight) * programme.plan_cost, programme)
        solver.addVars(size + 1 + count, np.concatenate([lower, least]), np.append(upper, np.full(count, np.inf)))
        cost = np.concatenate([np.zeros(size), [risk.weight], programme.probability])
        solver.changeColsCost(cost.size, np.arange(cost.size, dtype=np.int32), cost)
        for row, limit in zip(programme.plan.matrix, programme.plan.limit, strict=True):
            used = np.flatnonzero(row).astype(np.int32)
            solver.addRow(-np.inf, float(limit), used.size, used, row[used])
        return solver

    def add_cuts(self, plan: FloatArray, value_at_risk: float, recourse: Recourse, scale: float) -> None:
        """The cuts of a round that the last master optimum breaks (all of them in the first round)."""
        slope = np.column_stack([recourse.slope, recourse.var_slope])
        right = recourse.value - recourse.slope @ plan - recourse.var_slope * value_at_risk
        keep = np.arange(self._count)
        if self._last is not None:
            last = self._last
            at = right + slope[:, :-1] @ last.plan + slope[:, -1] * last.value_at_risk
            keep = np.flatnonzero(at - last.cuts > NEW_CUT * max(1.0, abs(scale)))
        width = self._size + 2
        head = np.broadcast_to(np.arange(self._size + 1), (keep.size, self._size + 1))
        index = np.column_stack([head, self._size + 1 + keep]).astype(np.int32)
        value = np.column_stack([-slope[keep], np.ones(keep.size)])
        start = np.arange(0, keep.size * width, width, dtype=np.int32)
        infinite = np.full(keep.size, np.inf)
        self._solver.addRows(keep.size, right[keep], infinite, index.size, start, index.ravel(), value.ravel())
        self._age = np.append(self._age, np.zeros(keep.size, dtype=np.int64))
        self._scenario = np.append(self._scenario, keep)
        self._rows = np.vstack([self._rows, recourse.rows[keep]])
        self._tail = np.append(self._tail, recourse.tail[keep])

    def solve(self) -> _Outer:
        """The optimum over all cuts; those that were slack for some rounds go."""
        self._solver.run()
        if self._solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            raise SolverError("the master problem of the cuts was not solved")
        answer = self._solver.getSolution()
        column, dual = np.asarray(answer.col_value), np.asarray(answer.row_dual)
        duals = self._mixed(dual[: self._fixed_rows], dual[self._fixed_rows :])
        size = self._size
        self._last = _Outer(column[:size], float(column[size]), column[size + 1 :], duals)
        self._purge(dual[self._fixed_rows :])
        return self._last

    def _mixed(self, plan_rows: FloatArray, cuts: FloatArray) -> Duals:
        """The duals behind the cuts, each weighed by the dual of its cut."""
        shape = (self._count, cuts.size)
        weigh = csr_array((cuts, (self._scenario, np.arange(cuts.size))), shape=shape)
        return Duals(weigh @ self._rows, plan_rows, weigh @ self._tail)

    def _purge(self, cuts: FloatArray) -> None:
        """Drop the cuts whose duals have been 0 for some rounds, once they are many."""
        self._age = np.where(np.abs(cuts) > 1e-12, 0, self._age + 1)
        old = self._age >= SLACK_ROUNDS
        if old.sum() > PURGE_FROM:
            self._solver.deleteRows(int(old.sum()), (self._fixed_rows + np.flatnonzero(old)).astype(np.int32))
            self._age, self._scenario, self._tail = self._age[~old], self._scenario[~old], self._tail[~old]
            self._rows = self._rows[~old]


def _least(cost: FloatArray, plan_cost: FloatArray, programme: Programme) -> FloatArray:
    """Less than any scenario can cost, (N,), by the bounds of its columns alone (excesses never cost less than 0)."""
    upper = np.where(np.isfinite(programme.upper), programme.upper, 0.0)
    least = np.minimum(cost * programme.lower, cost * upper).sum(axis=1)
    plan = np.minimum(plan_cost * programme.plan.lower, plan_cost * programme.plan.upper).sum(axis=1)
    return np.asarray(least + plan)
