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

from dataclasses import dataclass, field
from itertools import pairwise
from time import perf_counter

import numpy as np
from scipy.sparse import csc_array

from bess_pipeline.optimisation.compilation import CompiledPath
from bess_pipeline.optimisation.path_numbers import PathNumbers
from bess_pipeline.optimisation.problem import EnergyProblem, FloatArray, IntArray, exclusive_above_gbp_mwh
from bess_pipeline.optimisation.session import ArraySession, HighsSession, LinearArrays, Solution, path_arrays

OVERLAP_MWH = 1e-7
BLOCK_PERIODS = 48  # where no daily limit says where to cut
SETTLING_ROUNDS = 20
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
        self._arrays = path_arrays(self.path, self.numbers)
        self._row_sizes = np.bincount(matrix.indices, minlength=matrix.shape[0])
        self._edges = _block_edges(problem)
        self._ramp = problem.battery.ramp_limit_mw_per_hour is not None
        self._doubtful = doubtful_periods(problem)

    def run(self, relaxed: Solution, target: float) -> Directions | None:
        """Directions proven to within `target` (a cost), or the best in time; None when no schedule was found."""
        free = np.full(self.problem.periods, np.nan)
        settled = self._settle(free, relaxed)
        if settled is None:
            return self._whole_horizon(relaxed)
        best, bound, windows = settled, relaxed.bound, self._windows_of(settled.charging)
        answers: dict[Window, _Answer] = {}
        while True:
            for window in windows:
                if window not in answers and perf_counter() < self._deadline:
                    answers[window] = self._solve_window(window, best)
            solved = [answers.get(window) for window in windows]
            if all(answer is not None for answer in solved):
                bound = max(bound, best.solution.cost - sum(a.gain for a in solved if a is not None))
            best = Directions(best.charging, best.solution, bound, sum(a.periods.size for a in solved if a is not None))
            if best.solution.cost - bound <= target or perf_counter() >= self._deadline:
                return best
            gaining = [w for w in windows if answers[w].gain > target / (2 * len(windows))]
            trial = self._settle(_changed(best.charging, [answers[w] for w in gaining]), None)
            if trial is not None and trial.solution.cost < best.solution.cost - IMPROVEMENT * abs(best.solution.cost):
                best, answers = trial, {}
                windows = _merged([*windows, *self._windows_of(trial.charging)])
            elif windows == [(0, self._blocks)]:
                return best
            else:
                windows = _merged(
                    [(max(a - 1, 0), min(b + 1, self._blocks)) if (a, b) in gaining else (a, b) for a, b in windows]
                )

    @property
    def _blocks(self) -> int:
        return self._edges.size - 1

    def _windows_of(self, charging: FloatArray) -> list[Window]:
        """The blocks that hold a fixed direction, neighbours joined."""
        blocks = np.unique(np.searchsorted(self._edges, np.flatnonzero(~np.isnan(charging)), side="right") - 1)
        return _merged([(int(block), int(block) + 1) for block in blocks])

    def _settle(self, charging: FloatArray, solution: Solution | None) -> Directions | None:
        """The linear problem with these directions, and with those of every overlap that then appears, fixed."""
        charging = charging.copy()
        for _ in range(SETTLING_ROUNDS):
            if solution is None:
                self.session.set_directions(self.numbers, charging)
                solution = self.session.solve()
            if solution.column is None:
                return None
            charge, discharge = (solution.column[self.path.columns[n]] for n in ("charge_mwh", "discharge_mwh"))
            overlap = self._doubtful & np.isnan(charging) & (np.minimum(charge, discharge) > OVERLAP_MWH)
            if not overlap.any():
                return Directions(charging, solution, -np.inf)
            charging[overlap] = self._rises(charge, discharge)[overlap]
            solution = None
        return None

    def _rises(self, charge: FloatArray, discharge: FloatArray) -> FloatArray:
        """1 where a period with overlap charges more than it discharges: seen from the store, or from the grid where
        a ramp limit binds the export."""
        battery = self.problem.battery
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
        """The window by itself under the duals of `best`, with binaries where overlap might pay, from `best` on."""
        first, last = self._edges[window[0]], self._edges[window[1]]
        columns = self._columns(first, last)
        arrays = self._lagrangian(columns, best.solution)
        periods = first + np.flatnonzero(self._doubtful[first:last])
        column = best.solution.column
        assert column is not None
        value = float(arrays.cost @ column[columns])
        session = ArraySession(arrays, max(self._deadline - perf_counter(), 0.1))
        pairs = tuple(np.searchsorted(columns, pair) for pair in _pairs(self.path, periods))
        session.add_exclusivity(pairs[0], pairs[1], _limits(self.numbers, periods))
        charges = np.where(column[_pairs(self.path, periods)[0]] > column[_pairs(self.path, periods)[1]], 1.0, 0.0)
        known = np.where(np.isnan(best.charging[periods]), charges, best.charging[periods])
        session.start_from(np.concatenate([column[columns], known]))
        answer = session.solve()
        if answer.column is None:  # no bound of this window in time: it may gain anything
            return _Answer(np.inf, periods, known)
        return _Answer(max(value - answer.bound, 0.0), periods, np.round(answer.column[columns.size :]))

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
