"""The recourse of every scenario at a given plan, one after another in one live HiGHS session.

What belongs here: the scenarios' own linear problems and their duals. What does not: how plans are proposed
(`multicut.py`) and directions of charge and discharge (`exclusive.py`).

    minimise  (1 - a) cost_n y + a / (1 - confidence) e
    subject to  the scenario's rows at the plan x,  loss_n y - e <= VaR - plan_loss_n x,  e >= 0.

Each scenario is re-solved from its own last basis: only costs, bounds and the row of the loss differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
from scipy.sparse import csc_array

from bess_pipeline.errors import SolverError
from bess_pipeline.optimisation.problem import FloatArray
from bess_pipeline.optimisation.stochastic.programme import Programme
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion


@dataclass(frozen=True)
class Recourse:
    """Of every scenario at a plan and a VaR: value (N,), its slope along the plan (N, columns) and along the VaR (N,),
    columns (N, columns of a scenario), rows (N, rows) and tail (N,): duals, not yet weighted by probability."""

    value: FloatArray
    slope: FloatArray
    var_slope: FloatArray
    columns: FloatArray
    rows: FloatArray
    tail: FloatArray


class RecourseSession:
    """A live solver for the scenarios of a programme at one risk aversion."""

    def __init__(self, programme: Programme, risk: RiskAversion) -> None:
        self._programme, self._averse = programme, risk.weight > 0
        self._mean = 1 - risk.weight
        columns = programme.path.matrix.shape[1]
        excess = risk.weight / (1 - risk.confidence) if self._averse else 0.0
        self._cost = np.column_stack([self._mean * programme.cost, np.full(programme.problem.scenarios, excess)])
        self._index = np.arange(columns + 1, dtype=np.int32)
        self._rows = np.arange(programme.path.matrix.shape[0], dtype=np.int32)
        self._bases: list[Any] = [None] * programme.problem.scenarios
        self._solver = self._load()

    def _load(self) -> Any:
        programme = self._programme
        matrix = programme.path.matrix
        solver = highspy.Highs()
        solver.silent()
        solver.setOptionValue("threads", 1)
        solver.setOptionValue("presolve", "off")
        lp = highspy.HighsLp()
        lp.num_row_, lp.num_col_ = matrix.shape[0], matrix.shape[1] + 1
        lp.col_cost_ = self._cost[0]
        lp.col_lower_, lp.col_upper_ = np.append(programme.lower, 0.0), np.append(programme.upper, np.inf)
        lp.row_lower_, lp.row_upper_ = programme.row_lower[0], programme.row_upper[0]
        wider = csc_array((matrix.data, matrix.indices, np.append(matrix.indptr, matrix.indptr[-1])))
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = wider.indptr, wider.indices, wider.data
        if solver.passModel(lp) == highspy.HighsStatus.kError:
            raise SolverError("the solver refused the arrays of a scenario")
        if self._averse:
            solver.addRow(-np.inf, np.inf, 0, np.empty(0, dtype=np.int32), np.empty(0))
        return solver

    def solve(self, plan: FloatArray, value_at_risk: float) -> Recourse:
        """All scenarios at a plan; SolverError naming the scenario that has no recourse."""
        programme, count = self._programme, self._programme.problem.scenarios
        size, width = programme.cost.shape[1], programme.plan.lower.size
        value, columns = np.empty(count), np.empty((count, size))
        rows, tail = np.empty(programme.row_upper.shape), np.zeros(count)
        for n in range(count):
            found = self._solve_one(n, plan, value_at_risk)
            value[n] = found[0] + self._mean * float(programme.plan_cost[n] @ plan)
            columns[n] = found[1][:size]
            rows[n] = found[2][: self._rows.size]
            tail[n] = -found[2][-1] if self._averse else 0.0
        technology = programme.technology
        slope = self._mean * programme.plan_cost + tail[:, None] * programme.plan_loss
        moved = technology.value * rows[:, technology.row]
        tie = csc_array((np.ones(technology.column.size), (np.arange(technology.column.size), technology.column)),
                        shape=(technology.column.size, width))  # fmt: skip
        return Recourse(value, slope - moved @ tie, -tail, columns, rows, tail)

    def _solve_one(self, n: int, plan: FloatArray, value_at_risk: float) -> tuple[float, FloatArray, FloatArray]:
        programme, solver, size = self._programme, self._solver, self._rows.size
        technology = programme.technology
        taken = np.bincount(technology.row, weights=technology.value[n] * plan[technology.column], minlength=size)
        solver.changeColsCost(self._index.size, self._index, self._cost[n])
        solver.changeRowsBounds(size, self._rows, programme.row_lower[n] - taken, programme.row_upper[n] - taken)
        if self._averse:
            solver.deleteRows(1, np.array([size], dtype=np.int32))
            loss = programme.loss[n]
            used = np.flatnonzero(loss)
            index = np.append(used, loss.size).astype(np.int32)
            most = value_at_risk - float(programme.plan_loss[n] @ plan)
            solver.addRow(-np.inf, most, index.size, index, np.append(loss[used], -1.0))
        if self._bases[n] is not None:
            solver.setBasis(self._bases[n])
        solver.run()
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            status = solver.modelStatusToString(solver.getModelStatus())
            raise SolverError(f"scenario {n} has no recourse to the plan: the solver ended with '{status}'")
        self._bases[n] = solver.getBasis()
        answer = solver.getSolution()
        return (
            float(solver.getInfo().objective_function_value),
            np.asarray(answer.col_value),
            np.asarray(answer.row_dual),
        )
