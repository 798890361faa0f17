"""One HiGHS session: a matrix passed once, then only costs, bounds and right-hand sides change.

What belongs here: the solver's options, statuses and vectors. What does not: what the columns mean
(`compilation.py`) and whether the answer is physical (`energy.py` re-checks it).

One thread per process: HiGHS sessions in threads of one process share a scheduler.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from time import perf_counter

import highspy
import numpy as np
from numpy.typing import NDArray

from bess_pipeline.errors import SolverError
from bess_pipeline.optimisation.compilation import CompiledPath
from bess_pipeline.optimisation.formulation import PathNumbers
from bess_pipeline.optimisation.problem import FloatArray, IntArray

MIP_RELATIVE_GAP = 1e-9
INTEGRALITY_TOLERANCE = 1e-9


class SolveStatus(StrEnum):
    """How a solve ended. Numbers exist with OPTIMAL, and with TIME_LIMIT only as a stated gap."""

    OPTIMAL = "optimal"
    TIME_LIMIT = "time_limit"
    INFEASIBLE = "infeasible"
    UNBOUNDED = "unbounded"
    UNKNOWN = "unknown"


_STATUS = {
    highspy.HighsModelStatus.kOptimal: SolveStatus.OPTIMAL,
    highspy.HighsModelStatus.kTimeLimit: SolveStatus.TIME_LIMIT,
    highspy.HighsModelStatus.kInfeasible: SolveStatus.INFEASIBLE,
    highspy.HighsModelStatus.kUnbounded: SolveStatus.UNBOUNDED,
}


@dataclass(frozen=True)
class Solution:
    """One answer of the solver; `column` and the duals are None when there is none to give.

    column: value per column; row_dual: shadow price per row (LP only), in cost per unit of right-hand side;
    cost: minimised objective; bound: proven lower bound of the cost; seconds: wall clock of the solve.
    """

    status: SolveStatus
    column: FloatArray | None
    row_dual: FloatArray | None
    cost: float
    bound: float
    seconds: float


class HighsSession:
    """A live solver on one compiled path. Re-solving after `set_numbers` starts from the last basis."""

    def __init__(self, path: CompiledPath, numbers: PathNumbers, time_limit_s: float = 60.0) -> None:
        self._path = path
        self._time_limit_s = time_limit_s
        self._binaries = 0
        self._solver = highspy.Highs()
        self._solver.silent()
        self._solver.setOptionValue("threads", 1)
        self._solver.setOptionValue("mip_rel_gap", MIP_RELATIVE_GAP)
        self._solver.setOptionValue("mip_feasibility_tolerance", INTEGRALITY_TOLERANCE)
        self._pass_model(numbers)

    def set_numbers(self, numbers: PathNumbers) -> None:
        """Change every cost, bound and right-hand side; the matrix and the basis stay."""
        path, columns, rows = self._path, self._path.matrix.shape[1], self._path.matrix.shape[0]
        column, row = np.arange(columns, dtype=np.int32), np.arange(rows, dtype=np.int32)
        self._refuse_not_finite(numbers)
        self._solver.changeColsCost(columns, column, path.column_vector(numbers.cost))
        lower, upper = path.column_vector(numbers.lower), path.column_vector(numbers.upper)
        self._solver.changeColsBounds(columns, column, lower, upper)
        self._solver.changeRowsBounds(rows, row, *path.row_bounds(numbers))  # type: ignore[attr-defined]

    def add_exclusivity(self, periods: IntArray, numbers: PathNumbers) -> None:
        """One binary u per period given: charged <= limit * u and discharged <= limit * (1 - u)."""
        count, first = int(periods.size), self._path.matrix.shape[1] + self._binaries
        charge = self._path.columns["charge_mwh"].start + periods
        discharge = self._path.columns["discharge_mwh"].start + periods
        charge_limit, discharge_limit = numbers.upper["charge_mwh"][periods], numbers.upper["discharge_mwh"][periods]
        empty = np.empty(0, dtype=np.int32)
        zeros, ones = np.zeros(count), np.ones(count)
        self._solver.addCols(count, zeros, zeros, ones, 0, np.zeros(count, dtype=np.int32), empty, np.empty(0))
        binary = np.arange(first, first + count)
        kinds = np.full(count, highspy.HighsVarType.kInteger)
        self._solver.changeColsIntegrality(count, binary.astype(np.int32), kinds)
        index = np.concatenate([np.column_stack([charge, binary]), np.column_stack([discharge, binary])])
        value = np.concatenate([np.column_stack([ones, -charge_limit]), np.column_stack([ones, discharge_limit])])
        upper, start = np.concatenate([zeros, discharge_limit]), np.arange(0, 4 * count, 2, dtype=np.int32)
        lower = np.full(2 * count, -highspy.kHighsInf)
        self._solver.addRows(
            2 * count, lower, upper, 4 * count, start, index.ravel().astype(np.int32), value.ravel().astype(float)
        )
        self._binaries += count

    def start_from(self, column: FloatArray) -> None:
        """Offer the solver a feasible point (of all columns, binaries included)."""
        point = highspy.HighsSolution()
        point.col_value = column.tolist()
        self._solver.setSolution(point)

    def solve(self) -> Solution:
        """Solve to optimality or to the time limit; never raises for a status."""
        started = perf_counter()
        self._solver.setOptionValue("time_limit", self._solver.getRunTime() + self._time_limit_s)
        self._solver.run()
        seconds = perf_counter() - started
        status = _STATUS.get(self._solver.getModelStatus(), SolveStatus.UNKNOWN)
        info = self._solver.getInfo()
        feasible = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
        usable = status is SolveStatus.OPTIMAL or (status is SolveStatus.TIME_LIMIT and self._binaries > 0 and feasible)
        if not usable:
            return Solution(status, None, None, np.nan, np.nan, seconds)
        answer = self._solver.getSolution()
        cost = float(info.objective_function_value)
        bound = float(info.mip_dual_bound) if self._binaries else cost
        row_dual = None if self._binaries else np.asarray(answer.row_dual)
        return Solution(status, np.asarray(answer.col_value), row_dual, cost, bound, seconds)

    def _pass_model(self, numbers: PathNumbers) -> None:
        self._refuse_not_finite(numbers)
        path, matrix = self._path, self._path.matrix
        lp = highspy.HighsLp()
        lp.num_row_, lp.num_col_ = matrix.shape
        lp.col_cost_ = path.column_vector(numbers.cost)
        lp.col_lower_, lp.col_upper_ = path.column_vector(numbers.lower), path.column_vector(numbers.upper)
        lp.row_lower_, lp.row_upper_ = path.row_bounds(numbers)
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
        if self._solver.passModel(lp) == highspy.HighsStatus.kError:
            raise SolverError("the solver refused the problem's arrays")

    def _refuse_not_finite(self, numbers: PathNumbers) -> None:
        groups = {"lower bound": numbers.lower, "upper bound": numbers.upper, "cost": numbers.cost}
        groups["right-hand side"] = numbers.right_hand_side
        for kind, by_name in groups.items():
            for name, values in by_name.items():
                bad: NDArray[np.int64] = np.flatnonzero(~np.isfinite(values))
                if bad.size:
                    raise SolverError(
                        f"the {kind} of {name} in period {bad[0]} is {values[bad[0]]}, not a finite number"
                    )
