"""Scores of single periods: CRPS, intervals and the rank of the outcome.

What belongs here: pure functions of one stream's scenarios, or of its quantiles, and what came. What does not: scores
of several periods together (`multivariate.py`) and rows of a day (`scores.py`).

Arrays: scenarios (N, periods) with probability (N,) of sum 1, outcome (periods,). A NaN outcome gives NaN for its
period and nothing else; scenarios hold no NaN.

Gneiting and Raftery (2007), Strictly Proper Scoring Rules; Ferro (2014), Fair Scores for Ensemble Forecasts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from bess_pipeline.forecasting.distribution import LEVELS

Array = npt.NDArray[np.float64]

COVERAGES = (0.5, 0.8, 0.9)  # central intervals that are judged
_ROUNDING = 1e-12


def is_sample(probability: Array) -> bool:
    """Whether scenarios count alike, as independent draws of a law do; a reduced set does not."""
    return bool(np.ptp(probability) <= _ROUNDING)


@dataclass(frozen=True)
class Ordered:
    """Scenarios sorted within each period: value (periods, N) upwards, probability (periods, N) or (N,) where alike."""

    value: Array
    probability: Array
    alike: bool


def ordered(scenarios: Array, probability: Array) -> Ordered:
    """Scenarios (N, periods) in the form that scores of single periods are computed from: they are sorted once."""
    by_period = np.ascontiguousarray(scenarios.T)
    if is_sample(probability):
        return Ordered(np.sort(by_period, axis=1), probability, True)
    order = np.argsort(by_period, axis=1, kind="stable")
    return Ordered(np.take_along_axis(by_period, order, axis=1), probability[order], False)


def crps(scenarios: Ordered, outcome: Array, fair: bool | None = None) -> Array:
    """Continuous ranked probability score (periods,), in the stream's unit; 0 is perfect, smaller is better.

    E|X - y| - E|X - X'| / 2. `fair` takes X and X' from different scenarios (the second term times N / (N - 1)), so
    that a small sample scores in expectation as the law it was drawn from; None: where all scenarios count alike and
    there are two at least. Weighted scenarios are scored as the discrete law they are; `fair` with unequal weights
    raises ValueError. Computed by scoringrules.
    """
    import scoringrules

    value = scenarios.value
    if fair_applies(scenarios.alike, value.shape[1], fair):
        score = scoringrules.crps_ensemble(outcome, value, estimator="pwm", sorted_ensemble=True, backend="numpy")
    else:
        weight = np.broadcast_to(scenarios.probability, value.shape)
        score = scoringrules.crps_ensemble(
            outcome, value, ens_w=weight, estimator="qd", sorted_ensemble=True, backend="numpy"
        )
    return np.asarray(np.where(np.isnan(outcome), np.nan, score), dtype=np.float64)


def fair_applies(alike: bool, count: int, fair: bool | None) -> bool:
    """Whether the fair version of a score is to be used; ValueError where it is asked for and does not exist."""
    sample = alike and count > 1
    if fair and not sample:
        raise ValueError("a fair score is defined for two or more scenarios of equal probability")
    return sample if fair is None else fair


def crps_of_quantiles(quantile: Array, outcome: Array) -> Array:
    """CRPS (periods,) of distributions given by quantiles (periods, LEVELS), in the stream's unit.

    Exact for the law that `Marginals` stands for, linear between LEVELS and flat beyond them: the integral over levels
    of twice the pinball loss, 2 (1{y < q} - level) (q - y), which is quadratic between two levels once each interval
    is cut where the quantile crosses the outcome.
    """
    level = np.concatenate([[0.0], LEVELS, [1.0]])
    q = np.concatenate([quantile[:, :1], quantile, quantile[:, -1:]], axis=1)
    low, high, y = q[:, :-1], q[:, 1:], outcome[:, None]
    rise = np.where(high > low, high - low, 1.0)
    share = np.where(high > low, np.clip((y - low) / rise, 0.0, 1.0), (y >= low).astype(np.float64))
    cut = level[:-1] + share * np.diff(level)
    at_cut = low + share * (high - low)
    below = _simpson(level[:-1], cut, lambda a, t: 2.0 * a * (y - (low + t * (at_cut - low))))
    above = _simpson(cut, level[1:], lambda a, t: 2.0 * (1.0 - a) * (at_cut + t * (high - at_cut) - y))
    return np.asarray((below + above).sum(axis=1), dtype=np.float64)


def quantiles(scenarios: Ordered, levels: Sequence[float]) -> Array:
    """Quantiles (levels, periods): the lowest scenario whose cumulative probability reaches each level."""
    cumulative = np.cumsum(scenarios.probability, axis=-1)
    last = scenarios.value.shape[1] - 1
    rows = np.arange(scenarios.value.shape[0])
    places = [np.minimum((cumulative < level - _ROUNDING).sum(axis=-1), last) for level in levels]
    return np.stack([scenarios.value[rows, place] for place in places])


def inside(lower: Array, upper: Array, outcome: Array) -> Array:
    """1 where the outcome lies in [lower, upper], ends included, 0 outside, NaN where it is NaN."""
    held = (lower <= outcome) & (outcome <= upper)
    return np.where(np.isnan(outcome), np.nan, held.astype(np.float64))


def rank(scenarios: Array, outcome: Array, probability: Array, rng: np.random.Generator) -> Array:
    """The outcome's rank among the scenarios (periods,), in (0, 1), NaN where the outcome is NaN.

    (probability below + u (probability tied + 1/N_eff)) N_eff / (N_eff + 1) with u uniform on (0, 1) and
    N_eff = 1 / sum of squared probabilities (N where all count alike): ties are broken at random, and for an outcome
    that is drawn like the scenarios the rank is uniform exactly (Hamill 2001, Czado et al. 2009).
    """
    below = probability @ (scenarios < outcome)
    tied = probability @ (scenarios == outcome)
    return np.where(np.isnan(outcome), np.nan, spread_rank(below, tied, probability, rng))


def levels_of(values: Array, probability: Array) -> Array:
    """Levels (N, columns) of scenarios within each column: probability below plus half of what is tied, in (0, 1)."""
    columns = np.ascontiguousarray(values.T)
    if is_sample(probability):
        return np.ascontiguousarray(((rankdata(columns, axis=1) - 0.5) / probability.size).T)
    level = np.empty(columns.shape)
    for k, column in enumerate(columns):
        _, place = np.unique(column, return_inverse=True)
        tied = np.bincount(place, weights=probability)
        level[k] = (np.cumsum(tied) - tied / 2.0)[place]
    return np.ascontiguousarray(level.T)


def spread_rank(below: Array, tied: Array, probability: Array, rng: np.random.Generator) -> Array:
    """Ranks in (0, 1) of outcomes with these shares of probability below and tied (formula in `rank`)."""
    own = float((probability**2).sum())
    return np.asarray((below + rng.random(np.shape(below)) * (tied + own)) / (1.0 + own), dtype=np.float64)


def _simpson(start: Array, end: Array, function: Callable[[Array, float], Array]) -> Array:
    """Integral over [start, end] of `function(level, share of the way)`, exact for quadratics."""
    middle = (start + end) / 2.0
    ends = function(start, 0.0) + function(end, 1.0)
    return np.asarray((end - start) / 6.0 * (ends + 4.0 * function(middle, 0.5)), dtype=np.float64)
