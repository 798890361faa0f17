"""The rows, columns and costs of a window of all markets, as sparse arrays.

What belongs here: one linear problem from a `WindowProblem`, and where its columns are. What does not: the data
(`market_window.py`) and solving (`market_window_solve.py`).

Columns, h = half an hour, all energies AC and in MWh: charge c, discharge d, stored energy s (DC, at the end),
day-ahead MW x of each product, bought and sold within the day b, v, MW m of each service and auction window, MW given
up g of each service and half-hour, activation not delivered n of each direction, losses at rest that nothing fed u.

    s - keep s_before - e_c (c + import) + (d + export)/e_d - u = - losses at rest
    -short <= d - c - h x - v + b <= long                    (imbalance of the baseline)
    h (own m + recovery share x opposite m) + d <= h x rating, and the mirror with c
    (with `baseline_adds_headroom` the opposite baseline makes room)
    sum of required x (m - g) over low products <= e_d (s_before - lowest), and the mirror
    g <= m;  n <= sum of activation x g + allowance;  d + export of a day <= its limit

    export = sum over low products of activation x m - n_low, import the same of high ones.

A service paid nothing (or less) in a half-hour loses nothing by being given up there: it needs no g, holds no energy,
and whether it delivers is free.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import coo_array

from bess_pipeline.optimisation.market_window import HALF_HOUR_H, WindowProblem, WindowService
from bess_pipeline.optimisation.problem import FloatArray, IntArray
from bess_pipeline.optimisation.session import LinearArrays

DIRECTIONS = ("low", "high")


@dataclass(frozen=True)
class WindowColumns:
    """Where the columns are; given_up: per service, the half-hours that have such a column, in its order."""

    where: dict[str, slice]
    given_up: tuple[IntArray, ...]
    count: int


@dataclass
class _Builder:
    """Columns with bounds and costs, and rows as triplets."""

    where: dict[str, slice] = field(default_factory=dict)
    lower: list[FloatArray] = field(default_factory=list)
    upper: list[FloatArray] = field(default_factory=list)
    cost: list[FloatArray] = field(default_factory=list)
    columns: int = 0
    rows: int = 0
    row_lower: list[FloatArray] = field(default_factory=list)
    row_upper: list[FloatArray] = field(default_factory=list)
    triplets: list[tuple[IntArray, IntArray, FloatArray]] = field(default_factory=list)

    def add_columns(self, name: str, lower: ArrayLike, upper: FloatArray, cost: ArrayLike) -> None:
        count = upper.size
        self.where[name] = slice(self.columns, self.columns + count)
        self.columns += count
        self.lower.append(np.broadcast_to(np.asarray(lower, dtype=float), (count,)))
        self.upper.append(upper)
        self.cost.append(np.broadcast_to(np.asarray(cost, dtype=float), (count,)))

    def add_rows(self, lower: ArrayLike, upper: ArrayLike, count: int) -> int:
        """The number of the first of `count` new rows."""
        first = self.rows
        self.rows += count
        for held, values in ((self.row_lower, lower), (self.row_upper, upper)):
            held.append(np.broadcast_to(np.asarray(values, dtype=float), (count,)))
        return first

    def put(self, row: ArrayLike, name: str, place: ArrayLike, value: ArrayLike) -> None:
        """Entries at rows, and at places within the columns of a name; nothing is stored for a 0."""
        rows, places, values = np.broadcast_arrays(np.asarray(row), np.asarray(place), np.asarray(value, dtype=float))
        held = values != 0
        self.triplets.append((rows[held], self.where[name].start + places[held], values[held]))

    def arrays(self) -> LinearArrays:
        row, column, value = (np.concatenate(parts) for parts in zip(*self.triplets, strict=True))
        matrix = coo_array((value, (row, column)), shape=(self.rows, self.columns)).tocsc()
        vectors = (self.cost, self.lower, self.upper, self.row_lower, self.row_upper)
        return LinearArrays(matrix, *(np.concatenate(parts) for parts in vectors))


def window_arrays(problem: WindowProblem) -> tuple[LinearArrays, WindowColumns]:
    """The problem as a minimisation of minus its value, each column with finite bounds."""
    build = _Builder()
    given_up = tuple(_can_be_given_up(problem, one) for one in problem.services)
    _add_energy_columns(build, problem)
    _add_service_columns(build, problem, given_up)
    _add_balance(build, problem)
    _add_imbalance(build, problem)
    if problem.services:
        _add_rating(build, problem)
        _add_band(build, problem, given_up)
        _add_undelivered(build, problem, given_up)
    _add_daily_limit(build, problem)
    return build.arrays(), WindowColumns(build.where, given_up, build.columns)


def keep_share(problem: WindowProblem) -> float:
    """What self-discharge leaves of the stored energy in a half-hour."""
    return max(1.0 - problem.battery.self_discharge_per_hour * HALF_HOUR_H, 0.0)


def _can_be_given_up(problem: WindowProblem, one: WindowService) -> IntArray:
    if not problem.may_miss:
        return np.empty(0, dtype=np.int64)
    asks = (one.required_mwh_per_mw > 0) | (one.activation_mwh_per_mw > 0)
    return np.flatnonzero(_offered(one) & (one.price_gbp_mw_h > 0) & asks)


def _offered(one: WindowService) -> np.ndarray:
    """Half-hours in which some MW may be contracted."""
    cap = one.cap_mw if one.cap_mw.size else np.zeros(1)
    return (one.window_of_period >= 0) & (cap[np.maximum(one.window_of_period, 0)] > 0)


def _free_to_miss(problem: WindowProblem, one: WindowService) -> np.ndarray:
    """Half-hours in which giving the service up costs nothing."""
    return _offered(one) & (one.price_gbp_mw_h <= 0) & problem.may_miss


# --- columns ------------------------------------------------------------------------------------------------


def _add_energy_columns(build: _Builder, problem: WindowProblem) -> None:
    battery, periods, system = problem.battery, problem.periods, problem.system_price_gbp_mwh
    wear = battery.degradation_cost_gbp_per_mwh
    most = {"charge_mwh": problem.charge_limit_mw, "discharge_mwh": problem.discharge_limit_mw}
    for name, sign in (("charge_mwh", 1.0), ("discharge_mwh", -1.0)):
        build.add_columns(name, 0.0, np.asarray(most[name] * HALF_HOUR_H), sign * system + wear)
    worth = np.zeros(periods)
    worth[-1] = -problem.closing_value_gbp_mwh
    build.add_columns("energy_mwh", battery.energy_min_mwh, np.full(periods, battery.energy_max_mwh), worth)
    sold = problem.product_of_period >= 0
    index = problem.product_of_period[sold]
    margin = (system - problem.day_ahead_price_gbp_mwh) * HALF_HOUR_H
    reach = (problem.charge_limit_mw + problem.discharge_limit_mw) + (
        problem.imbalance_long_mwh + problem.imbalance_short_mwh + problem.intraday_limit_mwh
    ) / HALF_HOUR_H
    most_mw = np.full(problem.products, np.inf)
    np.minimum.at(most_mw, index, reach[sold])
    build.add_columns("day_ahead_mw", -most_mw, most_mw, np.bincount(index, margin[sold], minlength=problem.products))
    spread = problem.half_spread_gbp_mwh
    gain = problem.intraday_price_gbp_mwh - system
    build.add_columns("sold_mwh", 0.0, problem.intraday_limit_mwh, spread - gain)
    build.add_columns("bought_mwh", 0.0, problem.intraday_limit_mwh, spread + gain)
    losses = battery.auxiliary_mw * HALF_HOUR_H + (1.0 - keep_share(problem)) * battery.energy_max_mwh
    build.add_columns("unserved_mwh", 0.0, np.full(periods, losses), 0.0)


def _add_service_columns(build: _Builder, problem: WindowProblem, given_up: tuple[IntArray, ...]) -> None:
    wear = problem.battery.degradation_cost_gbp_per_mwh
    moved_worth = {"low": [np.zeros(problem.periods)], "high": [np.zeros(problem.periods)]}
    moved_most = {"low": np.zeros(problem.periods), "high": np.zeros(problem.periods)}
    for one, periods in zip(problem.services, given_up, strict=True):
        inside = one.window_of_period >= 0
        energy_worth = one.sign * one.energy_price_gbp_mwh
        earned = one.price_gbp_mw_h * HALF_HOUR_H + (energy_worth - wear) * one.activation_mwh_per_mw
        per_window = np.bincount(one.window_of_period[inside], -earned[inside], minlength=one.cap_mw.size)
        build.add_columns(f"mw_{one.code}", 0.0, one.cap_mw, per_window)
        cap = one.cap_mw[one.window_of_period[periods]]
        build.add_columns(f"given_up_{one.code}", 0.0, cap, one.price_gbp_mw_h[periods] * HALF_HOUR_H)
        if one.cap_mw.size:
            most = np.where(inside, one.cap_mw[np.maximum(one.window_of_period, 0)], 0.0)
            moved_most[one.direction] += most * one.activation_mwh_per_mw
        moved_worth[one.direction].append(energy_worth)
    for direction in DIRECTIONS:
        forced = getattr(problem.allowance, f"undelivered_{direction}_mwh")
        allowed = moved_most[direction] if problem.may_miss else np.minimum(moved_most[direction], forced)
        # with several prices in a direction the least is given back: the bound only rises
        paid_back = np.min(moved_worth[direction], axis=0)
        build.add_columns(f"undelivered_{direction}_mwh", 0.0, np.asarray(allowed, dtype=float), paid_back - wear)


# --- rows ---------------------------------------------------------------------------------------------------


def _add_balance(build: _Builder, problem: WindowProblem) -> None:
    battery, period = problem.battery, np.arange(problem.periods)
    opened = ~np.isnan(problem.opening_energy_mwh)
    keep = keep_share(problem)
    right = np.where(opened, keep * np.nan_to_num(problem.opening_energy_mwh), 0.0) - battery.auxiliary_mw * HALF_HOUR_H
    row = build.add_rows(right, right, problem.periods) + period
    carried = period[~opened]
    build.put(row, "energy_mwh", period, 1.0)
    build.put(row[carried], "energy_mwh", carried - 1, -keep)
    build.put(row, "unserved_mwh", period, -1.0)
    per_mwh = {"low": 1.0 / battery.discharge_efficiency, "high": -battery.charge_efficiency}
    build.put(row, "discharge_mwh", period, per_mwh["low"])
    build.put(row, "charge_mwh", period, per_mwh["high"])
    for one in problem.services:
        inside = np.flatnonzero(one.window_of_period >= 0)
        value = per_mwh[one.direction] * one.activation_mwh_per_mw[inside]
        build.put(row[inside], f"mw_{one.code}", one.window_of_period[inside], value)
    for direction in DIRECTIONS:
        build.put(row, f"undelivered_{direction}_mwh", period, -per_mwh[direction])


def _add_imbalance(build: _Builder, problem: WindowProblem) -> None:
    period = np.arange(problem.periods)
    row = build.add_rows(-problem.imbalance_short_mwh, problem.imbalance_long_mwh, problem.periods) + period
    for name, value in (("discharge_mwh", 1.0), ("charge_mwh", -1.0), ("sold_mwh", -1.0), ("bought_mwh", 1.0)):
        build.put(row, name, period, value)
    sold = np.flatnonzero(problem.product_of_period >= 0)
    build.put(row[sold], "day_ahead_mw", problem.product_of_period[sold], -HALF_HOUR_H)


def _add_rating(build: _Builder, problem: WindowProblem) -> None:
    period = np.arange(problem.periods)
    limits = {"low": problem.contract_discharge_mw, "high": problem.contract_charge_mw}
    baseline = {"low": "discharge_mwh", "high": "charge_mwh"}
    for direction in DIRECTIONS:
        forced = np.asarray(getattr(problem.allowance, f"rating_{direction}_mw"), dtype=float)
        row = build.add_rows(-np.inf, (limits[direction] + forced) * HALF_HOUR_H, problem.periods) + period
        build.put(row, baseline[direction], period, 1.0)
        if problem.baseline_adds_headroom:
            opposite = "high" if direction == "low" else "low"
            build.put(row, baseline[opposite], period, -1.0)
        for one in problem.services:
            inside = np.flatnonzero(one.window_of_period >= 0)
            share = 1.0 if one.direction == direction else one.recovery_share[inside]
            build.put(row[inside], f"mw_{one.code}", one.window_of_period[inside], share * HALF_HOUR_H)


def _add_band(build: _Builder, problem: WindowProblem, given_up: tuple[IntArray, ...]) -> None:
    """Per direction: what contracts that are not given up require at the start of the half-hour."""
    battery, period = problem.battery, np.arange(problem.periods)
    opening = problem.opening_energy_mwh
    opened = ~np.isnan(opening)
    carried = period[~opened]
    sides = {
        "low": (battery.discharge_efficiency, -battery.energy_min_mwh),
        "high": (-1.0 / battery.charge_efficiency, -battery.energy_max_mwh),
    }
    for direction in DIRECTIONS:
        per_stored, edge = sides[direction]
        held = np.where(opened, np.nan_to_num(opening), 0.0)
        row = build.add_rows(-np.inf, per_stored * (held + edge), problem.periods) + period
        build.put(row[carried], "energy_mwh", carried - 1, -per_stored)
        for one, gone in zip(problem.services, given_up, strict=True):
            if one.direction != direction:
                continue
            needed = one.required_mwh_per_mw
            needed = np.where(_free_to_miss(problem, one), np.minimum(needed, 0.0), needed)
            inside = np.flatnonzero(one.window_of_period >= 0)
            build.put(row[inside], f"mw_{one.code}", one.window_of_period[inside], needed[inside])
            relieved = np.maximum(one.required_mwh_per_mw[gone], 0.0)
            build.put(row[gone], f"given_up_{one.code}", np.arange(gone.size), -relieved)


def _add_undelivered(build: _Builder, problem: WindowProblem, given_up: tuple[IntArray, ...]) -> None:
    period = np.arange(problem.periods)
    for one, gone in zip(problem.services, given_up, strict=True):
        row = build.add_rows(-np.inf, 0.0, gone.size) + np.arange(gone.size)
        build.put(row, f"given_up_{one.code}", np.arange(gone.size), 1.0)
        build.put(row, f"mw_{one.code}", one.window_of_period[gone], -1.0)
    for direction in DIRECTIONS:
        forced = np.broadcast_to(getattr(problem.allowance, f"undelivered_{direction}_mwh"), (problem.periods,))
        row = build.add_rows(-np.inf, forced, problem.periods) + period
        build.put(row, f"undelivered_{direction}_mwh", period, 1.0)
        for one, gone in zip(problem.services, given_up, strict=True):
            if one.direction != direction:
                continue
            free = np.flatnonzero(_free_to_miss(problem, one))
            build.put(row[free], f"mw_{one.code}", one.window_of_period[free], -one.activation_mwh_per_mw[free])
            build.put(row[gone], f"given_up_{one.code}", np.arange(gone.size), -one.activation_mwh_per_mw[gone])
        moved = np.flatnonzero(np.asarray(forced) > 0)  # no more is left out than was asked for
        bounded = build.add_rows(-np.inf, 0.0, moved.size) + np.arange(moved.size)
        build.put(bounded, f"undelivered_{direction}_mwh", moved, 1.0)
        for one in problem.services:
            if one.direction == direction:
                inside = one.window_of_period[moved] >= 0
                value = -one.activation_mwh_per_mw[moved][inside]
                build.put(bounded[inside], f"mw_{one.code}", one.window_of_period[moved][inside], value)


def _add_daily_limit(build: _Builder, problem: WindowProblem) -> None:
    limited = np.flatnonzero(np.isfinite(problem.discharge_limit_of_day_mwh))
    if not limited.size:
        return
    first = build.add_rows(-np.inf, problem.discharge_limit_of_day_mwh[limited], limited.size)
    number = np.full(problem.days, -1)
    number[limited] = first + np.arange(limited.size)
    row_of = number[problem.day_index]
    held = np.flatnonzero(row_of >= 0)
    build.put(row_of[held], "discharge_mwh", held, 1.0)
    build.put(row_of[held], "undelivered_low_mwh", held, -1.0)
    for one in problem.services:
        if one.direction == "low":
            inside = held[one.window_of_period[held] >= 0]
            value = one.activation_mwh_per_mw[inside]
            build.put(row_of[inside], f"mw_{one.code}", one.window_of_period[inside], value)
