"""Value at risk and conditional value at risk of a discrete distribution, with the weights of its tail.

What belongs here: pure functions on losses and probabilities. What does not: what a loss is made of, and optimisation
(`optimisation/stochastic/`).

VaR = inf{l: P(L <= l) >= confidence}. CVaR (Rockafellar and Uryasev 2000, 2002) is the mean of the worst 1 - confidence
of the mass, the atom at its edge split. Positive losses are money lost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bess_pipeline.errors import UserInputError

FloatArray = NDArray[np.float64]
MASS_TOLERANCE = 1e-12


@dataclass(frozen=True)
class Tail:
    """VaR and CVaR in the unit of the loss; weight (N,): share of each outcome in the tail, of sum 1.

    CVaR = weight @ loss, and for a loss that is a sum of parts the same weights give each part's contribution.
    """

    var: float
    cvar: float
    weight: FloatArray


def risk_measures(loss: ArrayLike, confidence: float, probability: ArrayLike | None = None) -> Tail:
    """Tail of a discrete loss (N,); probability (N,) of sum 1, equal when None.

    UserInputError unless 0 <= confidence < 1, losses are finite, and probabilities are not negative and sum to 1.
    """
    values = np.atleast_1d(np.asarray(loss, dtype=float))
    mass = np.full(values.size, 1 / values.size) if probability is None else np.asarray(probability, dtype=float)
    if not 0 <= confidence < 1:
        raise UserInputError(f"a confidence of {confidence} does not lie in [0, 1)")
    if not values.size or values.shape != mass.shape or not np.isfinite(values).all():
        raise UserInputError("a risk measure needs finite losses and one probability for each")
    if not (mass >= 0).all() or not abs(mass.sum() - 1) <= 1e-9:
        raise UserInputError("the probabilities of losses must not be negative and must sum to 1")
    worst_first = np.argsort(-values, kind="stable")
    ordered = mass[worst_first] / mass.sum()
    reached = np.cumsum(ordered)
    taken = np.clip(1 - confidence - (reached - ordered), 0.0, ordered)
    edge = int(np.searchsorted(reached, 1 - confidence + MASS_TOLERANCE, side="right"))
    weight = np.zeros(values.size)
    weight[worst_first] = taken / taken.sum()
    return Tail(float(values[worst_first[min(edge, values.size - 1)]]), float(weight @ values), weight)
