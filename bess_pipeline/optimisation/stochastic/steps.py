"""Day-ahead price-quantity steps in place of one volume: an exact linear form of a bid curve.

What belongs here: price levels, the columns that steps add to a programme, and the curve of a solution as offers. What
does not: the programme (`programme.py`), solvers, and rows of orders (`trading/orders.py`).

With levels fixed beforehand (Fleten and Kristoffersen 2007; Wang and Udell, arXiv:2606.14050) the volume of product p
in scenario n is linear in the curve:
    x[n, p] = base[p] + sum_k q[p, k] (price[n, p] >= level[p, k]),   q >= 0,
monotone by construction and paid at the price of its scenario. The part of the curve below 0 is offered as purchases,
the part above 0 as sales.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bess_pipeline.errors import UserInputError
from bess_pipeline.optimisation.problem import FloatArray, IntArray
from bess_pipeline.optimisation.stochastic.numbers import DAY_AHEAD
from bess_pipeline.optimisation.stochastic.problem import StochasticProblem
from bess_pipeline.optimisation.stochastic.programme import Plan, Programme, Technology, compile_programme
from bess_pipeline.optimisation.stochastic.result import TwoStageSolution
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion
from bess_pipeline.optimisation.stochastic.solve import optimise_programme

STEPS_PER_GBP = 100  # prices of orders are in pence
ROUNDING = 1e-6
DECIMALS_MW = 6  # a smaller step is a solver's rounding


@dataclass(frozen=True, eq=False)
class StepColumns:
    """Steps above the base volumes: product, level_gbp_mwh (K,); accepted (N, K): price of the scenario >= level."""

    product: IntArray
    level_gbp_mwh: FloatArray
    accepted: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class DayAheadOffers:
    """A curve as offers (S,): a sale (MW > 0) is accepted at its limit price and above, a purchase at it and below."""

    product: IntArray
    offered_mw: FloatArray
    limit_price_gbp_mwh: FloatArray

    def accepted_mw(self, price_gbp_mwh: FloatArray) -> FloatArray:
        """Volumes (..., P) that clearing prices (..., P) accept, + sold; 0 for a product without an offer."""
        price = np.asarray(price_gbp_mwh, dtype=float)
        sign = np.sign(self.offered_mw)
        reached = sign * (price[..., self.product] - self.limit_price_gbp_mwh) >= 0
        found = np.zeros(price.shape)
        for s, product in enumerate(self.product.tolist()):
            found[..., product] += reached[..., s] * self.offered_mw[s]
        return found


@dataclass(frozen=True, eq=False)
class StepPlan:
    """offers: of every product whose volume is not given; base_mw (P,): volume at the lowest price; step_mw (K,): what
    each of `columns` adds; contracted_mw (N, P); response_mw (R, B); solution: accounts, duals and proven gap, its plan
    laid out base, response, steps."""

    offers: DayAheadOffers
    columns: StepColumns
    base_mw: FloatArray
    step_mw: FloatArray
    contracted_mw: FloatArray
    response_mw: FloatArray
    solution: TwoStageSolution


def optimise_steps(
    problem: StochasticProblem,
    levels: int | FloatArray,
    risk: RiskAversion = RiskAversion(),  # noqa: B008 - frozen
    **options: Any,
) -> StepPlan:
    """The best bid curves over all scenarios.

    levels: how many of each product `price_levels` chooses, or the levels themselves (P, J), GBP/MWh, NaN for none;
    options: of `optimise_plan`. Given volumes (`day_ahead_fixed_mw`) stay single volumes. UserInputError for levels
    that cannot be used; SolverError as there.
    """
    given = price_levels(problem, levels) if isinstance(levels, int) else np.asarray(levels, dtype=float)
    columns = step_columns(problem, given)
    solution = optimise_programme(stepped_programme(problem, columns), risk, **options)
    width = len(problem.plan_names)
    base, response = problem.split_plan(solution.plan[:width])
    steps = solution.plan[width:]
    contracted = base + (columns.accepted * steps) @ _member(columns, problem.products)
    offers = _offers(problem, columns, base, steps)
    return StepPlan(offers, columns, base, steps, contracted, response, solution)


def product_prices(problem: StochasticProblem) -> FloatArray:
    """Price at which each day-ahead product clears in each scenario, (N, P): the mean over its hours, GBP/MWh."""
    members = problem.product_index[:, None] == np.arange(problem.products)
    hours = members * problem.energy.durations[:, None]
    return np.asarray(problem.day_ahead_price_gbp_mwh @ (hours / hours.sum(axis=0)))


def price_levels(problem: StochasticProblem, count: int) -> FloatArray:
    """Levels (P, count) at the quantiles j / (count + 1) of each product's scenario prices.

    A level lies midway between the price that the quantile falls on and the next lower one, so that no scenario decides
    by a tie; levels that coincide are given once, the rest of the row is NaN.
    """
    if count < 1:
        raise UserInputError(f"a bid curve of {count} price levels has no step: at least 1 is needed")
    found = np.full((problem.products, count), np.nan)
    for p, prices in enumerate(product_prices(problem).T):
        distinct, where = np.unique(prices, return_inverse=True)
        weight = np.cumsum(np.bincount(where, weights=problem.probability))
        wanted = np.arange(1, count + 1) / (count + 1)
        place = np.unique(np.searchsorted(weight, wanted - 1e-12))
        place = place[(place > 0) & (place < distinct.size)]
        middle = (distinct[place - 1] + distinct[place]) / 2
        tick = np.round(middle * STEPS_PER_GBP) / STEPS_PER_GBP
        between = (tick > distinct[place - 1]) & (tick < distinct[place])
        found[p, : place.size] = np.where(between, tick, middle)
    return found


def step_columns(problem: StochasticProblem, levels: FloatArray) -> StepColumns:
    """The steps that levels (P, J) make: those that some scenarios accept and others do not, each pattern once."""
    if levels.ndim != 2 or levels.shape[0] != problem.products or np.isinf(levels).any():
        raise UserInputError(
            f"price levels need finite numbers of the shape ({problem.products}, levels), NaN for none, not "
            f"{levels.shape}"
        )
    prices, free = product_prices(problem), _free(problem)
    product, level, accepted = [], [], []
    for p in np.flatnonzero(free).tolist():
        below = 0
        for one in np.unique(levels[p][~np.isnan(levels[p])]).tolist():
            reached = prices[:, p] >= one
            missing = int((~reached).sum())
            if below < missing < reached.size:  # else accepted always, never, or as the level before
                below = missing
                product.append(p)
                level.append(one)
                accepted.append(reached)
    patterns = np.array(accepted, dtype=bool).reshape(len(product), problem.scenarios).T
    return StepColumns(np.array(product, dtype=np.int64), np.array(level, dtype=float), patterns)


def stepped_programme(problem: StochasticProblem, columns: StepColumns) -> Programme:
    """The programme of a problem with the steps as further columns of the plan, behind all others.

    A curve keeps the rating that a single volume keeps: at the lowest price by the bound of its base volume, at the
    highest by a row (`day_ahead_highest`), in between by being monotone. `plan_rows` that count day-ahead volumes hold
    in every scenario.
    """
    programme = compile_programme(problem)
    product, accepted, technology = columns.product, columns.accepted, programme.technology
    entry, step = np.nonzero(technology.column[:, None] == product[None, :])
    width = len(problem.plan_names)
    names, shares = _by_period(problem, columns, width)
    return replace(
        programme,
        plan_column=dict(programme.plan_column) | names,
        shares=shares,
        technology=Technology(
            np.concatenate([technology.row, technology.row[entry]]),
            np.concatenate([technology.column, width + step]),
            np.hstack([technology.value, technology.value[:, entry] * accepted[:, step]]),
        ),
        plan=_stepped_plan(programme.plan, problem, columns),
        plan_cost=np.hstack([programme.plan_cost, programme.plan_cost[:, product] * accepted]),
        plan_loss=np.hstack([programme.plan_loss, programme.plan_loss[:, product] * accepted]),
    )


def _stepped_plan(plan: Plan, problem: StochasticProblem, columns: StepColumns) -> Plan:
    product, most = columns.product, plan.upper[columns.product] - plan.lower[columns.product]
    rows: list[FloatArray] = []
    limits: list[float] = []
    names: list[str] = []
    for row, limit, name in zip(plan.matrix, plan.limit, plan.row_names, strict=True):
        in_scenarios = np.unique(row[product] * columns.accepted, axis=0)
        rows += [np.concatenate([row, steps]) for steps in in_scenarios]
        limits += [float(limit)] * len(in_scenarios)
        names += [name] * len(in_scenarios)
    for p in np.unique(product).tolist():
        highest = np.zeros(plan.lower.size + product.size)
        highest[p], highest[plan.lower.size :] = 1.0, product == p
        rows.append(highest)
        limits.append(float(plan.upper[p]))
        names.append(f"day_ahead_highest[{p}]")
    steps = zip(product.tolist(), columns.level_gbp_mwh.tolist(), strict=True)
    return Plan(
        plan.names + tuple(f"{DAY_AHEAD}[{p}] from {level:g}" for p, level in steps),
        np.concatenate([plan.lower, np.zeros(product.size)]),
        np.concatenate([plan.upper, most]),
        np.array(rows).reshape(len(rows), plan.lower.size + product.size),
        np.array(limits),
        tuple(names),
    )


def _by_period(
    problem: StochasticProblem, columns: StepColumns, width: int
) -> tuple[dict[str, IntArray], dict[str, tuple[str, FloatArray]]]:
    """The k-th step of each period's product as a name of its own: its column (T,), and whether each scenario accepts
    it (N, T)."""
    rank = np.array([int((columns.product[:k] == p).sum()) for k, p in enumerate(columns.product)], dtype=np.int64)
    names, shares = {}, {}
    for k in range(int(rank.max(initial=-1)) + 1):
        of_product = np.full(problem.products + 1, -1)  # the last one: of a period without a product
        at = np.flatnonzero(rank == k)
        of_product[columns.product[at]] = at
        step = of_product[problem.product_index]
        name = f"{DAY_AHEAD}_step_{k}"
        names[name] = np.where(step >= 0, width + step, -1)
        shares[name] = (DAY_AHEAD, np.where(step >= 0, columns.accepted[:, step], 0.0))
    return names, shares


def _offers(problem: StochasticProblem, columns: StepColumns, base: FloatArray, steps: FloatArray) -> DayAheadOffers:
    """Sales and purchases that contract the curve's volume in every scenario, none of them against another."""
    found: list[tuple[int, float, float]] = []
    prices = product_prices(problem)
    for p in np.flatnonzero(_free(problem)).tolist():
        own = columns.product == p
        level = columns.level_gbp_mwh[own]
        distinct = np.unique(prices[:, p])
        volume = base[p] + (distinct[:, None] >= level) @ steps[own]
        volume = np.maximum.accumulate(np.round(volume, DECIMALS_MW))
        sold = np.diff(np.maximum(volume, 0.0), prepend=0.0)
        bought = -np.diff(np.maximum(-volume, 0.0), append=0.0)
        low, high = np.append(-np.inf, distinct[:-1]), np.append(distinct[1:], np.inf)
        found += [(p, sold[m], _sale_limit(low[m], distinct[m], level)) for m in np.flatnonzero(sold)]
        found += [(p, -bought[m], _purchase_limit(distinct[m], high[m], level)) for m in np.flatnonzero(bought)[::-1]]
    product, volume_mw, limit = zip(*found, strict=True) if found else ((), (), ())
    return DayAheadOffers(np.array(product, dtype=np.int64), np.array(volume_mw), np.array(limit))


def _sale_limit(above: float, at_most: float, levels: FloatArray) -> float:
    """A limit price in (above, at_most], two neighbouring scenario prices: a level, else the highest whole step of
    prices, else `at_most`."""
    inside = levels[(levels > above) & (levels <= at_most)]
    if inside.size:
        return float(inside[0])
    step = min(float(np.floor(at_most * STEPS_PER_GBP + ROUNDING)) / STEPS_PER_GBP, at_most)
    return step if step > above else at_most


def _purchase_limit(at_least: float, below: float, levels: FloatArray) -> float:
    """A limit price in [at_least, below): a step under a level, where the curve leaves the purchase, else the lowest
    whole step, else `at_least`."""
    inside = levels[(levels > at_least) & (levels <= below)]
    if inside.size:
        return max(float(np.round(inside[0] * STEPS_PER_GBP - 1)) / STEPS_PER_GBP, at_least)
    step = max(float(np.ceil(at_least * STEPS_PER_GBP - ROUNDING)) / STEPS_PER_GBP, at_least)
    return step if step < below else at_least


def _free(problem: StochasticProblem) -> NDArray[np.bool_]:
    fixed = problem.day_ahead_fixed_mw
    return np.ones(problem.products, dtype=bool) if fixed is None else np.isnan(np.asarray(fixed, dtype=float))


def _member(columns: StepColumns, products: int) -> FloatArray:
    return np.asarray(columns.product[:, None] == np.arange(products), dtype=float)
