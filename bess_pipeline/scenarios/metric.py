"""How far apart two scenarios are, so that a reduced set stands near the full one in what matters: money.

What belongs here: scales, weights and the distance matrix. What does not: which scenarios are kept (`reduce.py`).

A scenario is a point; distances are Euclidean. Its coordinates, each divided by the spread (standard deviation) of its
group over all scenarios, so that a group of weight w adds w on average, whatever its unit and number of periods:

* the path of each stream about its mean path, the spread taken over all its periods: hours with more risk count more;
* the functionals of `money.py`, which plans earn by, as one group each.

Weights (choices): 1 for day-ahead and for the system price, 0.5 for any other price, 1 in equal parts for all response
products, and for their activation 0.25, because a MWh of it is worth little beside the capacity it is paid for; 2 for
each functional: as much as two whole paths, since a plan earns by them. A stream or functional that does not vary has
no part in the distance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from bess_pipeline.scenarios.dependence import market_of
from bess_pipeline.scenarios.money import functionals
from bess_pipeline.scenarios.paths import ScenarioSet

Array = npt.NDArray[np.float64]

MARKET_WEIGHT = {"day_ahead": 1.0, "system_price": 1.0, "response": 1.0, "activation": 0.25}
OTHER_WEIGHT = 0.5
FUNCTIONAL_WEIGHT = 2.0


def coordinates(scenarios: ScenarioSet, weight: Mapping[str, float] | None = None) -> Array:
    """Points (N, d) whose Euclidean distance is that of the scenarios.

    weight: weights of streams by name, in place of the ones above.
    """
    products = Counter(market_of(name) for name in scenarios.value)
    parts = [np.zeros((scenarios.probability.size, 1))]
    for name in sorted(scenarios.value):
        market = market_of(name)
        usual = MARKET_WEIGHT.get(market, OTHER_WEIGHT) / products[market]
        parts.append(_scaled(scenarios.value[name], scenarios.probability, (weight or {}).get(name, usual)))
    for values in functionals(scenarios).values():
        parts.append(_scaled(values[:, None], scenarios.probability, FUNCTIONAL_WEIGHT))
    return np.hstack(parts)


def distances(points: Array) -> Array:
    """Euclidean distances (N, N), exactly zero and symmetric where they must be."""
    square = (points**2).sum(axis=1)
    gap = np.maximum(square[:, None] + square[None, :] - 2.0 * points @ points.T, 0.0)
    gap = (gap + gap.T) / 2.0
    gap[gap < 1e-12 * max(float(square.max()), 1e-300)] = 0.0  # the same point twice, but for rounding
    return np.sqrt(gap)


def _scaled(values: Array, probability: Array, weight: float) -> Array:
    """Values about their mean, the sum of their variances equal to the weight."""
    centred = values - probability @ values
    variance = float((probability @ centred**2).sum())
    still = variance <= (1e-9 * max(1.0, float(np.abs(values).max(initial=0.0)))) ** 2
    return np.zeros((len(values), 0)) if still else centred * np.sqrt(weight / variance)
