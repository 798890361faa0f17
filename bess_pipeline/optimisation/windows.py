"""Exclusive directions where more than the state links the periods: small mixed-integer problems in windows of time.

What belongs here: finding the direction of each period in which overlap would pay, with a proven bound. What does not:
problems linked by the state alone (`exact_path.py`) and the linear problem itself (`session.py`).

A linear problem with some directions fixed has duals y. Cut the horizon into windows and pay y for every constraint
that crosses a cut (Lagrangian relaxation): the linear optimum is the sum of the windows' values, and freeing the
directions inside a window gains no more than the window's own mixed-integer optimum says. So, as costs,

    bound = linear optimum - sum over windows of (value of the linear solution there - mixed-integer optimum).

When no window can gain, the schedule is optimal. Otherwise the windows' directions are tried together in the linear
problem, and where that does not help the windows grow (docs/optimisation.md, section 3).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from time import perf_counter

import numpy as np
from scipy.sparse import csc_array

from bess_pipeline.optimisation.compilation import CompiledPath
from bess_pipeline.optimisation.path_numbers import PathNumbers
from bess_pipeline.optimisation.problem import EnergyProblem, FloatArray, IntArray, exclusive_above_gbp_mwh
from bess_pipeline.optimisation.session import (
    ArraySession,
    HighsSession,
    LinearArrays,
    Solution,
    SolveStatus,
    path_arrays,
)

OVERLAP_MWH = 1e-7
BLOCK_PERIODS = 24  # about half a day; where daily limits divide the horizon a block is a day
SETTLING_ROUNDS = 20
SHARE_OF_TIME = 0.05  # of the time limit, for one window in the first round; doubled where it did not do
IMPROVEMENT = 1e-10  # of the objective

Window = tuple[int, int]  # first block and the one after the last


@dataclass(frozen=True)
class Directions:
    """Directions with the linear solution they give, and a bound.

    charging: per period 1 (may charge only), 0 (may discharge only) or NaN (both may: overlap is undone without loss).
    solution: of the linear problem with these directions fixed; bound: proven lower bound of the cost of every
    schedule; binaries: in the windows solved last.
    """

    charging: FloatArray
    solution: Solution
    bound: float
    binaries: int = 0


@dataclass(frozen=True)
class _Answer:
    """A window's mixed-integer problem solved: what it could gain, and the directions that would."""

    gain: float
    periods: IntArray
    charging: FloatArray
    proven: bool


@dataclass
class WindowSearch:
    """The search on one problem; the linear session is left with the best directions fixed."""

    problem: EnergyProblem
    path: CompiledPath
    numbers: PathNumbers
    session: HighsSession
    time_limit_s: float
    _deadline: float = field(init=False)

    def __post_init__(self) -> None:
        problem, matrix = self.problem, self.path.matrix
        self._deadline = perf_counter() + self.time_limit_s
        self._share = SHARE_OF_TIME
        self._arrays = path_arrays(self.path, self.numbers)
        self._row_sizes = np.bincount(matrix.indices, minlength=matrix.shape[0])
        self._edges = _block_edges(problem)
        self._ramp = problem.battery.ramp_limit_mw_per_hour is not None
        self._doubtful = doubtful_periods(problem)
        self._needs_binary = np.zeros(problem.periods, dtype=bool)

    def run(self, relaxed: Solution, target: float) -> Directions | None:
        """Directions proven to within `target` (a cost), or the best in time; None when no schedule was found."""
        free = np.full(self.problem.periods, np.nan)
        settled = self._settle(free, relaxed)
        if settled is None:
            return self._whole_horizon(relaxed)
        best, windows = replace(settled, bound=relaxed.bound), self._windows_of(settled.charging)
        answers: dict[Window, _Answer] = {}
        while True:
            best = self._bounded(best, windows, answers)
            late = perf_counter() >= self._deadline
            if best.solution.cost - best.bound <= target:
                return best
            gaining = [w for w in windows if w in answers and answers[w].gain > target / (2 * len(windows))]
            trial = self._settle(_changed(best.charging, [answers[window] for window in gaining]), None)
            better = trial is not None and _better(trial.solution, best.solution)
            if trial is not None and better:
                best, answers = replace(trial, bound=best.bound, binaries=best.binaries), {}
                windows = _merged([*windows, *self._windows_of(trial.charging)])
            if late or (not better and all(answers[w].proven for w in gaining) and windows == [(0, self._blocks)]):
                return best
            if not better:
                windows = self._grown(windows, gaining, answers)

    def _bounded(self, best: Directions, windows: list[Window], answers: dict[Window, _Answer]) -> Directions:
        """`best` with the bound that its windows prove together; answers known already are not asked for again."""
        for window in windows:
            if window not in answers and perf_counter() < self._deadline:
                answers[window] = self._solve_window(window, best)
        binaries = sum(answers[window].periods.size for window in windows if window in answers)
        if any(window not in answers for window in windows):
            return replace(best, binaries=binaries)
        bound = best.solution.cost - sum(answers[window].gain for window in windows)
        return replace(best, bound=max(best.bound, bound), binaries=binaries)

    def _grown(self, windows: list[Window], gaining: list[Window], answers: dict[Window, _Answer]) -> list[Window]:
        """Windows that could gain and did not: a block wider on both sides, or more time where time ran out."""
        grown = []
        for first, last in windows:
            if (first, last) not in gaining:
                grown.append((first, last))
            elif not answers[first, last].proven:
                del answers[first, last]
                self._share *= 2
                grown.append((first, last))
            else:
                grown.append((max(first - 1, 0), min(last + 1, self._blocks)))
        return _merged(grown)

    @property
    def _blocks(self) -> int:
        return self._edges.size - 1

    def _windows_of(self, charging: FloatArray) -> list[Window]:
        """The blocks that hold a fixed direction."""
        blocks = np.unique(np.searchsorted(self._edges, np.flatnonzero(~np.isnan(charging)), side="right") - 1)
        return [(int(block), int(block) + 1) for block in blocks]

    def _settle(self, charging: FloatArray, solution: Solution | None) -> Directions | None:
        """The linear problem with these directions, and with those of every overlap that then appears, fixed."""
        charging = charging.copy()
        for _ in range(SETTLING_ROUNDS):
            if solution is None:
                self.session.set_directions(self.numbers, charging)
                solution = self.session.solve()
            if solution.column is None:
                return None
            overlap = np.isnan(charging) & self._overlaps(solution.column)
            self._needs_binary |= overlap
            if not overlap.any():
                return Directions(charging, solution, -np.inf)
            charging[overlap] = self._rises(solution.column)[overlap]
            solution = None
        return None

    def _rises(self, column: FloatArray) -> FloatArray:
        """1 where a period with overlap charges more than it discharges: seen from the store, or from the grid where
        a ramp limit binds the export."""
        battery = self.problem.battery
        charge, discharge = (column[self.path.columns[name]] for name in ("charge_mwh", "discharge_mwh"))
        if self._ramp:
            return (charge > discharge).astype(float)
        return (battery.charge_efficiency * charge >= discharge / battery.discharge_efficiency).astype(float)

    def _whole_horizon(self, relaxed: Solution) -> Directions | None:
        """All doubtful periods in one mixed-integer problem, where fixing directions by themselves is infeasible."""
        session = HighsSession(self.path, self.numbers, max(self._deadline - perf_counter(), 0.0))
        periods = np.flatnonzero(self._doubtful)
        session.add_exclusivity(*_pairs(self.path, periods), _limits(self.numbers, periods))
        answer = session.solve()
        if answer.column is None:
            return None
        charging = np.full(self.problem.periods, np.nan)
        charging[periods] = np.round(answer.column[self._arrays.cost.size :])
        settled = self._settle(charging, None)
        if settled is None:
            return None
        return Directions(settled.charging, settled.solution, max(relaxed.bound, answer.bound), int(periods.size))

    def _solve_window(self, window: Window, best: Directions) -> _Answer:
        """The window by itself under the duals of `best`, from `best` on, with binaries where overlap pays.

        They are added where the answer still overlaps, until it does not.
        """
        first, last = self._edges[window[0]], self._edges[window[1]]
        columns = self._columns(first, last)
        arrays = self._lagrangian(columns, best.solution)
        column = best.solution.column
        assert column is not None
        value = float(arrays.cost @ column[columns])
        while True:
            periods = first + np.flatnonzero(self._needs_binary[first:last])
            answer = self._solve_with_binaries(arrays, columns, periods, best)
            if answer.column is None:  # no bound of this window in time: it may gain anything
                return _Answer(np.inf, periods, best.charging[periods], proven=False)
            found = np.full(self._arrays.cost.size, 0.0)
            found[columns] = answer.column[: columns.size]
            more = self._overlaps(found) & ~self._needs_binary
            if not more.any() or perf_counter() >= self._deadline:
                charging, proven = np.round(answer.column[columns.size :]), answer.status is SolveStatus.OPTIMAL
                return _Answer(max(value - answer.bound, 0.0), periods, charging, proven)
            self._needs_binary |= more

    def _solve_with_binaries(
        self, arrays: LinearArrays, columns: IntArray, periods: IntArray, best: Directions
    ) -> Solution:
        column = best.solution.column
        assert column is not None
        charge, discharge = _pairs(self.path, periods)
        left = max(self._deadline - perf_counter(), 0.1)
        session = ArraySession(arrays, min(left, self._share * self.time_limit_s))
        pairs = np.searchsorted(columns, charge), np.searchsorted(columns, discharge)
        session.add_exclusivity(*pairs, _limits(self.numbers, periods))
        known = np.where(np.isnan(best.charging[periods]), column[charge] > column[discharge], best.charging[periods])
        session.start_from(np.concatenate([column[columns], known]))
        return session.solve()

    def _overlaps(self, column: FloatArray) -> np.ndarray:
        charge, discharge = (column[self.path.columns[name]] for name in ("charge_mwh", "discharge_mwh"))
        return self._doubtful & (np.minimum(charge, discharge) > OVERLAP_MWH)

    def _columns(self, first: int, last: int) -> IntArray:
        starts = [where.start for where in self.path.columns.values()]
        return np.concatenate([np.arange(start + first, start + last) for start in starts])

    def _lagrangian(self, columns: IntArray, solution: Solution) -> LinearArrays:
        """Rows that stand inside the window whole; rows that cross its edge paid by their duals."""
        assert solution.row_dual is not None
        part = self.path.matrix[:, columns]
        touched, count = np.unique(part.indices, return_counts=True)
        inside = touched[count == self._row_sizes[touched]]
        prices = solution.row_dual.copy()
        prices[inside] = 0.0
        arrays = self._arrays
        rows = csc_array(part.tocsr()[inside])
        cost = arrays.cost[columns] - part.T @ prices
        bounds = (arrays.lower[columns], arrays.upper[columns], arrays.row_lower[inside], arrays.row_upper[inside])
        return LinearArrays(rows, cost, *bounds)


def doubtful_periods(problem: EnergyProblem) -> np.ndarray:
    """Periods in which undoing an overlap may cost something: by price, or with a ramp limit wherever both may be."""
    both = (problem.charge_limit_mwh > 0) & (problem.discharge_limit_mwh > 0)
    if problem.battery.ramp_limit_mw_per_hour is not None:
        return both
    return both & (problem.prices <= exclusive_above_gbp_mwh(problem.battery))


def _better(trial: Solution, best: Solution) -> bool:
    return trial.cost < best.cost - IMPROVEMENT * max(1.0, abs(best.cost))


def _pairs(path: CompiledPath, periods: IntArray) -> tuple[IntArray, IntArray]:
    return path.columns["charge_mwh"].start + periods, path.columns["discharge_mwh"].start + periods


def _limits(numbers: PathNumbers, periods: IntArray) -> tuple[FloatArray, FloatArray]:
    return numbers.upper["charge_mwh"][periods], numbers.upper["discharge_mwh"][periods]


def _changed(charging: FloatArray, answers: list[_Answer]) -> FloatArray:
    changed = charging.copy()
    for answer in answers:
        changed[answer.periods] = answer.charging
    return changed


def _merged(windows: list[Window]) -> list[Window]:
    """Windows in order, those that share a block joined."""
    merged: list[Window] = []
    for first, last in sorted(windows):
        if merged and first < merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], last)
        else:
            merged.append((first, last))
    return merged


def _block_edges(problem: EnergyProblem) -> IntArray:
    """Where the horizon may be cut: between days, and without daily limits also inside long ones."""
    day = problem.cycle_groups
    edges = [0, *(np.flatnonzero(np.diff(day)) + 1).tolist(), problem.periods]
    battery = problem.battery
    if battery.max_cycles_per_day is not None or battery.max_throughput_mwh_per_day is not None:
        return np.array(edges)
    fine = [e for a, b in pairwise(edges) for e in _cuts(a, b)]
    return np.array([*fine, problem.periods])


def _cuts(first: int, last: int) -> list[int]:
    """Starts of parts of [first, last) that are no longer than about a day."""
    count = max(round((last - first) / BLOCK_PERIODS), 1)
    return np.linspace(first, last, count + 1).astype(int)[:-1].tolist()
