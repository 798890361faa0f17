"""How far the value that a day-ahead volume displaces follows the price, from scenario to scenario.

What belongs here: the slope of displaced values over day-ahead prices, from the duals of a plan. What does not: the
values themselves (`marginal_values.py`, `withdrawn_offers.py`), and limit prices (`trading/plan_explanation.py`).

An offer is worth its acceptance from the price p on at which what it displaces *given that price* is p. On a dear day a
stored MWh is dear elsewhere too: with scenarios s of one product, b the slope of displaced value on price,

    E[displaced | p] = displaced + b (p - price)     so that     p = price - (price - displaced) / (1 - b)

where price and displaced are weighed means. At b = 0 the limit is the displaced value; the nearer b is to 1, the less
the price says of whether to accept, and the further the limit lies from it. A limit at the plain mean refuses purchases
on dear days, on which what they are for is dearer still. The slope is one for all purchases and one for all sales of
the committed day, each product about its own means (least squares); no more than MOST, and not below 0, where scenarios
are too few to say that dear days make energy cheap. Beyond the prices of the scenarios the line says nothing: a limit
lies within their range, or at the plain displaced value where that is outside.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bess_pipeline.optimisation.problem import FloatArray
from bess_pipeline.optimisation.stochastic.marginal_values import IMBALANCE_ROW, MarginalValues

MOST = 0.9
TRADED_MW = 0.01


def price_followed(values: MarginalValues) -> FloatArray:
    """The slope b of each column of a plan (C,), from 0 to MOST; 0 for services and where nothing is traded."""
    problem = values.programme.problem
    dual = values.duals.rows[:, values.programme.path.rows[IMBALANCE_ROW]]
    per_pound = np.divide(dual, values.w, out=np.zeros_like(values.w), where=values.w > 0)
    displaced = problem.system_price_gbp_mwh + per_pound
    committed = (np.arange(problem.periods) < problem.committed_periods) & (problem.product_index >= 0)
    found, energy = np.zeros(values.mw.size), values.split(values.mw)[0]
    for side in (energy > TRADED_MW, energy < -TRADED_MW):
        periods = committed & side[problem.product_index]
        found[: energy.size][side] = _slope(problem.day_ahead_price_gbp_mwh, displaced, values.w, periods)
    return found


def at_its_price(values: MarginalValues, displaced: FloatArray) -> FloatArray:
    """What offers displace at the price from which they are worth taking (C,); displaced (C,): on average."""
    margin = values.weighed_price - displaced
    found = values.weighed_price - margin / (1.0 - price_followed(values))
    lowest, highest = _price_range(values)
    return np.asarray(np.clip(found, np.minimum(displaced, lowest), np.maximum(displaced, highest)))


def _price_range(values: MarginalValues) -> tuple[FloatArray, FloatArray]:
    """Lowest and highest day-ahead price of each column's product over scenarios (C,); unlimited for services."""
    problem = values.programme.problem
    lowest, highest = np.full(values.mw.size, np.inf), np.full(values.mw.size, -np.inf)
    sold = problem.product_index >= 0
    np.minimum.at(lowest, problem.product_index[sold], problem.day_ahead_price_gbp_mwh[:, sold].min(axis=0))
    np.maximum.at(highest, problem.product_index[sold], problem.day_ahead_price_gbp_mwh[:, sold].max(axis=0))
    priced = np.isfinite(lowest)
    return np.where(priced, lowest, -np.inf), np.where(priced, highest, np.inf)


def _slope(price: FloatArray, displaced: FloatArray, weight: FloatArray, periods: NDArray[np.bool_]) -> float:
    """Of displaced on price (N, T) in some periods, each about its weighed means over scenarios."""
    x, y, w = price[:, periods], displaced[:, periods], weight[:, periods]
    total = np.maximum(w.sum(axis=0), np.finfo(float).tiny)
    x, y = (one - (w * one).sum(axis=0) / total for one in (x, y))
    spread = float((w * x * x).sum())
    return float(np.clip((w * x * y).sum() / spread, 0.0, MOST)) if spread > 0 else 0.0
