"""Exact optimum of one battery on one price path when charge and discharge exclude each other.

What belongs here: dynamic programming on the value of stored energy, for problems whose periods are
linked by the state of energy alone. What does not: the linear problem (`formulation.py`) and limits that
link periods in another way (days, budget, ramp, depth segments: `windows.py`).

V_t(s), the best value of periods t, t+1, … from state s, is continuous and piecewise linear. With
exclusive powers a period either moves down by v in [0, a] (discharging, worth k_d per stored MWh) or
up by v in [0, b] (charging, costing k_c per stored MWh) from z = kept s - standby, what self-discharge
and the auxiliary load leave, so

    V_t(s) = max( max_v V_{t+1}(z - v) + k_d v,  max_v V_{t+1}(z + v) - k_c v ),  z = kept_t s - standby_t.

While k_c >= k_d (every price above `exclusive_above_gbp_mwh`) and V_{t+1} is concave, that is a merge of
slopes; otherwise each half is a sliding-window maximum. Both are exact up to rounding, so V_0(opening)
is the certificate of the schedule read off it. Sources: sup-convolution of concave functions
(Rockafellar, Convex Analysis, section 16); the derivation stands in docs/optimisation.md.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np

from bess_pipeline.errors import SolverError
from bess_pipeline.optimisation.problem import EnergyProblem, FloatArray

SLOPE_TOLERANCE = 1e-9  # GBP/MWh: slopes closer than this are one slope
STEP_TOLERANCE_MWH = 1e-11  # segments shorter than this are none
REACH_TOLERANCE_MWH = 1e-7
ROUNDING = 1e-13  # of a value, relative


@dataclass(frozen=True)
class PathOptimum:
    """energy_mwh: state at the end of each period; value_gbp: the optimum, terminal value included."""

    energy_mwh: FloatArray
    value_gbp: float


@dataclass(frozen=True)
class _Step:
    """One period in stored energy: reach upwards and downwards, what a stored MWh costs and earns, and what is
    left without a move: kept * state - standby."""

    up_mwh: float
    down_mwh: float
    charge_cost: float
    discharge_worth: float
    kept: float
    standby_mwh: float


@dataclass(frozen=True)
class _Value:
    """A continuous piecewise-linear function base + f by the breakpoints of f (x ascending, f(x[0]) = 0).

    The base is kept apart so that rounding scales with one battery's content, not with a year's income.
    """

    x: list[float]
    y: list[float]
    concave: bool
    base: float = 0.0

    def shape(self, state: float) -> float:
        """f at a state; constant beyond the ends."""
        if state <= self.x[0]:
            return self.y[0]
        if state >= self.x[-1]:
            return self.y[-1]
        k = bisect_left(self.x, state)
        x0, x1, y0, y1 = self.x[k - 1], self.x[k], self.y[k - 1], self.y[k]
        return y0 + (y1 - y0) * (state - x0) / (x1 - x0)


def is_path_separable(problem: EnergyProblem) -> bool:
    """Whether the state of energy alone links the periods, so that dynamic programming on it is exact."""
    battery = problem.battery
    linked = (
        battery.max_cycles_per_day,
        battery.max_throughput_mwh_per_day,
        battery.warranty_cycles,
        battery.ramp_limit_mw_per_hour,
    )
    return not battery.cycle_depth_cost_gbp_per_mwh and all(limit is None for limit in linked)


def optimise_path(problem: EnergyProblem) -> PathOptimum:
    """The exact optimum of `problem`, which must be `is_path_separable`.

    Raises SolverError when the closing state cannot be reached.
    """
    battery = problem.battery
    steps = _steps(problem)
    low, high = battery.energy_min_mwh, battery.energy_max_mwh
    value = _closing_value(problem)
    values = [value]
    for step in reversed(steps):
        value = _one_period(value, step, low, high)
        values.append(value)
    values.reverse()
    opening = problem.opening_mwh
    if not value.x[0] - REACH_TOLERANCE_MWH <= opening <= value.x[-1] + REACH_TOLERANCE_MWH:
        raise SolverError("the closing state of energy cannot be reached from the opening one")
    return PathOptimum(_follow(steps, values, opening), value.base + value.shape(opening))


def _steps(problem: EnergyProblem) -> list[_Step]:
    battery, wear = problem.battery, problem.battery.degradation_cost_gbp_per_mwh
    up = problem.charge_limit_mwh * battery.charge_efficiency
    down = problem.discharge_limit_mwh / battery.discharge_efficiency
    cost = (problem.prices + wear) / battery.charge_efficiency
    worth = (problem.prices - wear) * battery.discharge_efficiency
    columns = (up, down, cost, worth, problem.kept_share, problem.auxiliary_mwh)
    return [_Step(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def _closing_value(problem: EnergyProblem) -> _Value:
    first, last = problem.closing.bounds_mwh(problem.battery)
    worth = problem.closing.terminal_value_gbp_mwh
    if last <= first:
        return _Value([first], [0.0], True, worth * first)
    return _Value([first, last], [0.0, worth * (last - first)], True, worth * first)


def _one_period(value: _Value, step: _Step, low: float, high: float) -> _Value:
    """Value one period earlier, on the states in [low, high] from which the later ones can be reached."""
    low, high = step.kept * low - step.standby_mwh, step.kept * high - step.standby_mwh
    if value.x[0] - step.up_mwh > high + REACH_TOLERANCE_MWH or value.x[-1] + step.down_mwh < low - REACH_TOLERANCE_MWH:
        raise SolverError("the closing state of energy cannot be reached")
    if value.concave and step.charge_cost >= step.discharge_worth:
        moved = _merge_slopes(value, step, low, high)
    else:
        moved = _slide_both(value, step, low, high)
    if step.kept == 1.0 and step.standby_mwh == 0.0:
        return moved
    before = [(left + step.standby_mwh) / step.kept for left in moved.x]
    return _Value(before, moved.y, moved.concave, moved.base)


def _slide_both(value: _Value, step: _Step, low: float, high: float) -> _Value:
    """Any case: the better of charging and discharging, each a sliding-window maximum."""
    x, y = np.asarray(value.x), np.asarray(value.y)
    discharged = _slide(x, y, step.discharge_worth, step.down_mwh)
    charged_x, charged_y = _slide(x, y, step.charge_cost, step.up_mwh)
    charged = charged_x - step.up_mwh, charged_y - step.charge_cost * step.up_mwh
    x, y = _clip(*_upper(charged, discharged, float(x[0]), float(x[-1])), low, high)
    xs, ys, concave = _simplify(x.tolist(), (y - y[0]).tolist())
    return _Value(xs, ys, concave, value.base + float(y[0]))


def _merge_slopes(value: _Value, step: _Step, low: float, high: float) -> _Value:
    """Concave case: the two moves of the period join the segments of V in order of falling slope."""
    x, y = value.x, value.y
    segments = [((y[k + 1] - y[k]) / (x[k + 1] - x[k]), x[k + 1] - x[k]) for k in range(len(x) - 1)]
    segments += [(step.charge_cost, step.up_mwh), (step.discharge_worth, step.down_mwh)]
    segments.sort(reverse=True)
    at, worth = x[0] - step.up_mwh, y[0] - step.charge_cost * step.up_mwh
    xs: list[float] = []
    ys: list[float] = []
    last_slope = np.inf
    for slope, length in segments:
        end, end_worth = at + length, worth + slope * length
        if end > low and at < high and length > STEP_TOLERANCE_MWH:
            if not xs:
                start = max(at, low)
                xs, ys = [start], [worth + slope * (start - at)]
            stop = min(end, high)
            if last_slope - slope <= SLOPE_TOLERANCE and len(xs) > 1:
                xs[-1], ys[-1] = stop, worth + slope * (stop - at)
            elif stop - xs[-1] > STEP_TOLERANCE_MWH:
                xs.append(stop)
                ys.append(worth + slope * (stop - at))
                last_slope = slope
        at, worth = end, end_worth
    if not xs:  # a single state from which the later ones can be reached
        reached = min(max(x[0] - step.up_mwh, low), high)
        bought, sold = max(x[0] - reached, 0.0), max(reached - x[-1], 0.0)
        worth = value.shape(reached) - step.charge_cost * bought + step.discharge_worth * sold
        return _Value([reached], [0.0], True, value.base + worth)
    return _Value(xs, [worth_at - ys[0] for worth_at in ys], True, value.base + ys[0])


def _slide(x: FloatArray, y: FloatArray, slope: float, width: float) -> tuple[FloatArray, FloatArray]:
    """W(s) = max over v in [0, width] of V(s - v) + slope * v, as breakpoints over [x0, x_end + width].

    With h(u) = V(u) - slope * u this is slope * s + the maximum of h over the window [s - width, s]: of h at
    both ends of the window and at the breakpoints inside it, which change only at the grid below.
    """
    if width <= STEP_TOLERANCE_MWH:
        return x, y
    h = y - slope * x
    grid = np.unique(np.concatenate([x, x + width]))
    left, right = grid[:-1], grid[1:]
    enters, leaves = np.searchsorted(grid, x), np.searchsorted(grid, x + width)
    number = np.arange(left.size)
    inside = (enters[:, None] <= number) & (leaves[:, None] > number)
    peak = np.where(inside, h[:, None], -np.inf).max(axis=0)
    front = np.where(right <= x[-1], np.interp([left, right], x, h), -np.inf)
    back = np.where(number >= leaves[0], np.interp([left - width, right - width], x, h), -np.inf)
    ends = np.stack([front, back, np.stack([peak, peak])])
    s, w = _envelope(left, right, ends)
    return s, w + slope * s


def _envelope(left: FloatArray, right: FloatArray, ends: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Breakpoints of the maximum of linear functions on adjoining intervals.

    ends: (functions, 2, intervals), values at the left and right end; minus infinity where undefined.
    """
    first, second = np.triu_indices(ends.shape[0], 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = ends[first] - ends[second]
        share = gap[:, 0] / (gap[:, 0] - gap[:, 1])
    share = np.where((share > 0) & (share < 1), share, 0.0)
    share = np.concatenate([np.zeros((1, left.size)), share])
    with np.errstate(invalid="ignore"):
        at = ends[:, None, 0] * (1 - share) + ends[:, None, 1] * share
    top = np.fmax.reduce(np.where(np.isnan(at), -np.inf, at), axis=0)
    s = (left + share * (right - left)).ravel()
    s, keep = np.unique(np.append(s, right[-1]), return_index=True)
    return s, np.append(top.ravel(), ends[:, 1, -1].max())[keep]


def _upper(
    charged: tuple[FloatArray, FloatArray], discharged: tuple[FloatArray, FloatArray], first: float, last: float
) -> tuple[FloatArray, FloatArray]:
    """The larger of both halves: only charging reaches states below `first`, only discharging those above `last`."""
    grid = np.unique(np.concatenate([charged[0], discharged[0], [first, last]]))
    up, down = np.interp(grid, *charged), np.interp(grid, *discharged)
    up[grid > last] = -np.inf
    down[grid < first] = -np.inf
    if grid.size == 1:
        return grid, np.maximum(up, down)
    ends = np.stack([np.stack([values[:-1], values[1:]]) for values in (up, down)])
    return _envelope(grid[:-1], grid[1:], ends)


def _clip(x: FloatArray, y: FloatArray, low: float, high: float) -> tuple[FloatArray, FloatArray]:
    low, high = min(max(low, x[0]), x[-1]), max(min(high, x[-1]), x[0])
    grid = np.concatenate([[low], x[(x > low) & (x < high)], [high] if high > low else []])
    return grid, np.interp(grid, x, y)


def _simplify(x: list[float], y: list[float]) -> tuple[list[float], list[float], bool]:
    """Drop breakpoints within rounding of the line through their neighbours; say whether the rest is concave."""
    tolerance = ROUNDING * (1.0 + max(map(abs, y)))
    xs, ys, concave = [x[0]], [y[0]], True
    for k in range(1, len(x) - 1):
        chord = ys[-1] + (y[k + 1] - ys[-1]) * (x[k] - xs[-1]) / (x[k + 1] - xs[-1])
        if abs(y[k] - chord) > tolerance:
            concave = concave and y[k] > chord
            xs.append(x[k])
            ys.append(y[k])
    if len(x) > 1:
        xs.append(x[-1])
        ys.append(y[-1])
    return xs, ys, concave


def _follow(steps: list[_Step], values: list[_Value], opening: float) -> FloatArray:
    """The states an optimal schedule passes through, from the opening one."""
    state, states = opening, []
    for step, later in zip(steps, values[1:], strict=True):
        state = _best_next(step, later, state)
        states.append(state)
    return np.asarray(states)


def _best_next(step: _Step, later: _Value, state: float) -> float:
    """The next state: an end of what can be reached or a breakpoint in it; resting wins a tie."""
    state = step.kept * state - step.standby_mwh
    lowest, highest = max(state - step.down_mwh, later.x[0]), min(state + step.up_mwh, later.x[-1])
    lowest, highest = min(lowest, highest), max(lowest, highest)  # apart by rounding only
    best, best_worth = state, -np.inf
    inner = [target for target in later.x if lowest < target < highest]
    for target in [min(max(state, lowest), highest), lowest, highest, *inner]:
        worth = _gain(step, target - state) + later.shape(target)
        if worth > best_worth + ROUNDING * abs(worth):
            best, best_worth = target, worth
    return best


def _gain(step: _Step, change_mwh: float) -> float:
    return -step.charge_cost * change_mwh if change_mwh > 0 else -step.discharge_worth * change_mwh
