"""What a reduced set keeps of a full one: means, tails and correlations, against stated tolerances.

What belongs here: the moments, their tolerances, and weights that restore the means. What does not: which scenarios
are kept (`reduce.py`).

Tolerances, in standard deviations of the quantity in the full set: 0.15 for the mean over the trading day of each
stream and for the mean of each functional of `money.py`; 0.5 for the functionals' tails, the mean of their highest and
of their lowest 5 % (CVaR, the atom on the border split); 0.2 for the correlation of day means of two streams. Medoids
stand in the middle of those they represent, so tails are drawn in. (Of 50 plain draws the errors of a mean and of a
correlation are 0.14 each, and of a tail about 0.5.)
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from bess_pipeline.scenarios.money import day_means, functionals
from bess_pipeline.scenarios.paths import ScenarioSet

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

MEAN_TOLERANCE_SD = 0.15
TAIL_TOLERANCE_SD = 0.5
CORRELATION_TOLERANCE = 0.2
TAIL = 0.05
NEWTON_STEPS = 50
LEAST_EXPONENT = -300.0  # of a weight's change: none is lost for want of digits
SLACK = 0.05  # means are restored but for this times the tilt that it takes


@dataclass(frozen=True)
class KeptMoment:
    """A number of the full set and of the reduced one, in the quantity's unit, and the difference that is allowed."""

    name: str
    full: float
    reduced: float
    tolerance: float

    @property
    def kept(self) -> bool:
        """Whether the difference is allowed."""
        return abs(self.reduced - self.full) <= self.tolerance + 1e-9 * max(1.0, abs(self.full))


def kept_moments(full: ScenarioSet, chosen: Integers, probability: Array) -> tuple[KeptMoment, ...]:
    """All moments of a full set and of its scenarios `chosen` under new probabilities."""
    p, means, money = full.probability, day_means(full), functionals(full)
    found = []
    for name, values in [*((f"{name} mean", values) for name, values in sorted(means.items())), *money.items()]:
        allowed = MEAN_TOLERANCE_SD * _sd(values, p)
        found.append(KeptMoment(f"mean of {name}", float(p @ values), float(probability @ values[chosen]), allowed))
    for name, values in money.items():
        for words, sign in (("highest", 1.0), ("lowest", -1.0)):
            tails = [sign * tail_mean(sign * v, q) for v, q in ((values, p), (values[chosen], probability))]
            found.append(KeptMoment(f"{words} 5 % of {name}", tails[0], tails[1], TAIL_TOLERANCE_SD * _sd(values, p)))
    for one, other in combinations(sorted(name for name, values in means.items() if _sd(values, p) > 0), 2):
        pair = [
            _correlation(means[one][rows], means[other][rows], q)
            for rows, q in ((slice(None), p), (chosen, probability))
        ]
        found.append(KeptMoment(f"correlation of {one} and {other}", pair[0], pair[1], CORRELATION_TOLERANCE))
    return tuple(found)


def tail_mean(values: Array, probability: Array, tail: float = TAIL) -> float:
    """Mean of the highest values of total probability `tail`, the one on the border taken in part."""
    order = np.argsort(-values, kind="stable")
    before = np.cumsum(probability[order]) - probability[order]
    share = np.clip(tail - before, 0.0, probability[order])
    return float(share @ values[order] / share.sum())


def moment_weights(full: ScenarioSet, chosen: Integers, probability: Array) -> Array:
    """Probabilities (k,) near the given ones in relative entropy that restore the means of `kept_moments`.

    They minimise relative entropy + |error|^2 / (2 SLACK), errors in standard deviations of the full set: what can be
    restored at little cost is, to a few hundredths, and weights stay positive and near where it cannot.
    """
    values = np.stack([*day_means(full).values(), *functionals(full).values()], axis=1)
    spread = np.array([_sd(column, full.probability) for column in values.T])
    points = (values - full.probability @ values)[chosen][:, spread > 0] / spread[spread > 0]
    tilt = np.zeros(points.shape[1])
    for _ in range(NEWTON_STEPS):
        weight = _tilted(probability, points, tilt)
        mean = weight @ points
        slope = mean + SLACK * tilt
        if np.abs(slope).max(initial=0.0) < 1e-10:
            break
        curvature = (points * weight[:, None]).T @ points - np.outer(mean, mean) + SLACK * np.eye(tilt.size)
        step = np.linalg.solve(curvature, -slope)
        size, now = 1.0, _potential(probability, points, tilt)
        while size > 1e-6 and _potential(probability, points, tilt + size * step) > now + 0.1 * size * float(
            slope @ step
        ):
            size /= 2.0
        tilt = tilt + size * step
    return _tilted(probability, points, tilt)


def _potential(probability: Array, points: Array, tilt: Array) -> float:
    """The convex dual: log of the expected exponential, and what the slack adds."""
    exponent = points @ tilt
    top = float(exponent.max())
    return top + float(np.log(probability @ np.exp(exponent - top)) + SLACK / 2 * (tilt @ tilt))


def _tilted(probability: Array, points: Array, tilt: Array) -> Array:
    exponent = points @ tilt
    weight = probability * np.exp(np.maximum(exponent - exponent.max(), LEAST_EXPONENT))
    return np.asarray(weight / weight.sum())


def _sd(values: Array, probability: Array) -> float:
    variance = float(probability @ (values - probability @ values) ** 2)
    scale = max(1.0, float(np.abs(values).max()))
    return float(np.sqrt(variance)) if variance > (1e-9 * scale) ** 2 else 0.0


def _correlation(first: Array, second: Array, probability: Array) -> float:
    spread = _sd(first, probability) * _sd(second, probability)
    if spread == 0:
        return 0.0
    covariance = probability @ ((first - probability @ first) * (second - probability @ second))
    return float(covariance / spread)
