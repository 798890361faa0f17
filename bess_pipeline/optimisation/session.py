"""HiGHS sessions: a matrix passed once, then only costs, bounds and right-hand sides change.

What belongs here: the solver's options, statuses and vectors. What does not: what the columns mean
(`compilation.py`) and whether the answer is physical (`verify.py`).

One thread per process: HiGHS sessions in threads of one process share a scheduler.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from bess_pipeline.errors import SolverError
from bess_pipeline.optimisation.compilation import CompiledPath
from bess_pipeline.optimisation.path_numbers import PathNumbers
from bess_pipeline.optimisation.problem import FloatArray, IntArray
from bess_pipeline.optimisation.status import SolveStatus

MIP_RELATIVE_GAP = 1e-9
INTEGRALITY_TOLERANCE = 1e-9


_STATUS = {
    highspy.HighsModelStatus.kOptimal: SolveStatus.OPTIMAL,
    highspy.HighsModelStatus.kTimeLimit: SolveStatus.TIME_LIMIT,
    highspy.HighsModelStatus.kInfeasible: SolveStatus.INFEASIBLE,
    highspy.HighsModelStatus.kUnbounded: SolveStatus.UNBOUNDED,
}


@dataclass(frozen=True)
class LinearArrays:
    """A linear problem as arrays: minimise cost x with lower <= x <= upper, row_lower <= matrix x <= row_upper."""

    matrix: csc_array
    cost: FloatArray
    lower: FloatArray
    upper: FloatArray
    row_lower: FloatArray
    row_upper: FloatArray


@dataclass(frozen=True)
class Solution:
    """One answer of the solver; `column` and the duals are None when there is none to give.

    column: value per column; row_dual: shadow price per row, reduced_cost: per column (both LP only), in cost per
    unit of right-hand side or bound; cost: minimised objective; bound: proven lower bound of the cost; seconds:
    wall clock of the solve.
    """

    status: SolveStatus
    column: FloatArray | None
    row_dual: FloatArray | None
    cost: float
    bound: float
    seconds: float
    reduced_cost: FloatArray | None = None


class ArraySession:
    """A live solver on arrays; binaries may be added to a linear problem."""

    def __init__(self, arrays: LinearArrays, time_limit_s: float) -> None:
        self._time_limit_s = time_limit_s
        self._columns = arrays.matrix.shape[1]
        self._binaries = 0
        self._solver = highspy.Highs()
        self._solver.silent()
        self._solver.setOptionValue("threads", 1)
        self._solver.setOptionValue("mip_rel_gap", MIP_RELATIVE_GAP)
        self._solver.setOptionValue("mip_feasibility_tolerance", INTEGRALITY_TOLERANCE)
        self._pass_model(arrays)

    def add_exclusivity(self, charge: IntArray, discharge: IntArray, limits: tuple[FloatArray, FloatArray]) -> None:
        """One binary u per pair of columns: charge <= limit * u and discharge <= limit * (1 - u)."""
        count, first = int(charge.size), self._columns + self._binaries
        charge_limit, discharge_limit = limits
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

    def use(self, solver: str, *, crossover: bool = True) -> None:
        """Choose HiGHS's algorithm ("choose", "simplex", "ipm", "hipo"); SolverError where this HiGHS lacks it."""
        done = [self._solver.setOptionValue("solver", solver)]
        done.append(self._solver.setOptionValue("run_crossover", "on" if crossover else "off"))
        if any(status == highspy.HighsStatus.kError for status in done):
            raise SolverError(f"this installation of HiGHS has no solver named {solver}")

    def set_cost(self, cost: FloatArray) -> None:
        """Change the cost of every column; the last solution stays feasible."""
        self._change(cost)

    def set_bounds(self, lower: FloatArray, upper: FloatArray) -> None:
        """Change the bounds of every column."""
        self._change(bounds=(lower, upper))

    def set_rows(self, lower: FloatArray, upper: FloatArray) -> None:
        """Change the bounds of every row."""
        self._solver.changeRowsBounds(lower.size, np.arange(lower.size, dtype=np.int32), lower, upper)  # type: ignore[attr-defined]

    def set_gap(self, relative: float) -> None:
        """End problems with binaries at this relative gap from now on, instead of `MIP_RELATIVE_GAP`."""
        self._solver.setOptionValue("mip_rel_gap", relative)

    def start_from(self, column: FloatArray) -> None:
        """Offer the solver a feasible point (of all columns, binaries included)."""
        point = highspy.HighsSolution()
        point.col_value = column.tolist()
        self._solver.setSolution(point)

    def solve(self, time_limit_s: float | None = None) -> Solution:
        """Solve to optimality or to the time limit (None: the session's); never raises for a status."""
        started = perf_counter()
        limit_s = self._time_limit_s if time_limit_s is None else time_limit_s
        self._solver.setOptionValue("time_limit", self._solver.getRunTime() + limit_s)
        self._solver.run()
        seconds = perf_counter() - started
        status = _STATUS.get(self._solver.getModelStatus(), SolveStatus.UNKNOWN)
        info = self._solver.getInfo()
        feasible = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
        usable = status is SolveStatus.OPTIMAL or (status is SolveStatus.TIME_LIMIT and self._binaries > 0 and feasible)
        if not usable:
            return Solution(status, None, None, np.nan, np.nan, seconds)
        answer = self._solver.getSolution()
        cost, column = float(info.objective_function_value), np.asarray(answer.col_value)
        if self._binaries:
            return Solution(status, column, None, cost, float(info.mip_dual_bound), seconds)
        row_dual, reduced_cost = np.asarray(answer.row_dual), np.asarray(answer.col_dual)
        return Solution(status, column, row_dual, cost, cost, seconds, reduced_cost)

    def _change(self, cost: FloatArray | None = None, bounds: tuple[FloatArray, FloatArray] | None = None) -> None:
        index = np.arange(self._columns, dtype=np.int32)
        if cost is not None:
            self._solver.changeColsCost(self._columns, index, cost)
        if bounds is not None:
            self._solver.changeColsBounds(self._columns, index, *bounds)

    def _pass_model(self, arrays: LinearArrays) -> None:
        matrix = arrays.matrix
        lp = highspy.HighsLp()
        lp.num_row_, lp.num_col_ = matrix.shape
        lp.col_cost_, lp.col_lower_, lp.col_upper_ = arrays.cost, arrays.lower, arrays.upper
        lp.row_lower_, lp.row_upper_ = arrays.row_lower, arrays.row_upper
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
        if self._solver.passModel(lp) == highspy.HighsStatus.kError:
            raise SolverError("the solver refused the problem's arrays")


class HighsSession(ArraySession):
    """A live solver on one compiled path. Re-solving after a change starts from the last basis."""

    def __init__(self, path: CompiledPath, numbers: PathNumbers, time_limit_s: float = 60.0) -> None:
        self._path = path
        super().__init__(path_arrays(path, numbers), time_limit_s)

    def set_numbers(self, numbers: PathNumbers) -> None:
        """Change every cost, bound and right-hand side; the matrix and the basis stay."""
        arrays = path_arrays(self._path, numbers)
        self._change(arrays.cost, (arrays.lower, arrays.upper))
        self.set_rows(arrays.row_lower, arrays.row_upper)

    def set_costs(self, cost: Mapping[str, FloatArray]) -> None:
        """Change the costs alone (`path_costs`): the last solution stays feasible."""
        _refuse_not_finite({"cost": cost})
        self._change(self._path.column_vector(cost))

    def set_cost_and_rows(self, cost: FloatArray, rows: IntArray, row_lower: FloatArray, row_upper: FloatArray) -> None:
        """Change the cost of every column and the bounds of some rows; finite numbers are the caller's duty."""
        self._change(cost)
        for row, lower, upper in zip(rows.tolist(), row_lower.tolist(), row_upper.tolist(), strict=True):
            self._solver.changeRowBounds(row, lower, upper)

    def mark_start(self) -> None:
        """Keep the basis of the last solve for `restart`."""
        self._start = self._solver.getBasis()

    def restart(self) -> None:
        """Forget every solve and begin the next one at the marked basis: answers then depend on numbers alone."""
        self._solver.clearSolver()
        self._solver.setBasis(self._start)

    def set_directions(self, numbers: PathNumbers, charging: FloatArray) -> None:
        """Forbid one direction per period: 1 = may only charge, 0 = may only discharge, NaN = both may."""
        upper = dict(numbers.upper)
        upper["charge_mwh"] = np.where(charging == 0, 0.0, upper["charge_mwh"])
        upper["discharge_mwh"] = np.where(charging == 1, 0.0, upper["discharge_mwh"])
        self._change(bounds=(self._path.column_vector(numbers.lower), self._path.column_vector(upper)))


def path_arrays(path: CompiledPath, numbers: PathNumbers) -> LinearArrays:
    """A compiled path with its numbers laid out by column and row; SolverError where one is not finite."""
    groups = {"lower bound": numbers.lower, "upper bound": numbers.upper, "cost": numbers.cost}
    _refuse_not_finite(groups | {"right-hand side": numbers.right_hand_side})
    cost, lower, upper = (path.column_vector(values) for values in (numbers.cost, numbers.lower, numbers.upper))
    return LinearArrays(path.matrix, cost, lower, upper, *path.row_bounds(numbers))


def _refuse_not_finite(groups: Mapping[str, Mapping[str, FloatArray]]) -> None:
    for kind, by_name in groups.items():
        for name, values in by_name.items():
            bad: NDArray[np.int64] = np.flatnonzero(~np.isfinite(values))
            if bad.size:
                raise SolverError(f"the {kind} of {name} in period {bad[0]} is {values[bad[0]]}, not a finite number")
