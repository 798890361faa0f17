"""Is one forecast better than another: skill, its confidence interval, and Diebold-Mariano tests.

What belongs here: statistics of two series of daily scores. What does not: the scores (`scores.py`), and tests of
calibration (`calibration.py`).

Days without a score in either series are left out, and the days that are left are taken as consecutive.

Diebold and Mariano (1995), Comparing Predictive Accuracy; Newey and West (1987, 1994); Harvey, Leybourne and Newbold
(1997), Testing the Equality of Prediction Mean Squared Errors; Politis and Romano (1994), The Stationary Bootstrap.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

Array = npt.NDArray[np.float64]

REPLICATIONS = 1000
BLOCK_DAYS = 7  # mean length of the bootstrap's blocks: a week, over which forecast errors hang together
MIN_DAYS = 8  # fewer days give a mean, but neither an interval nor a test


@dataclass(frozen=True)
class Interval:
    """A mean or skill with the ends of its confidence interval, NaN where it cannot be said."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class DieboldMariano:
    """Statistic (negative: the first forecast is better), p-values, and days; NaN where there is no test."""

    statistic: float
    p_better: float  # of the hypothesis that the first is no better
    p_different: float
    days: int


def diebold_mariano(first: Array, second: Array, horizon_days: int = 1, lags: int | None = None) -> DieboldMariano:
    """Test of equal expected scores (days,) of two forecasts, where a smaller score is better.

    The mean difference over its HAC standard error (`long_run_variance`), times the small-sample factor
    sqrt((n + 1 - 2h + h (h - 1) / n) / n) of Harvey, Leybourne and Newbold for a forecast `horizon_days` = h ahead,
    against Student's t with n - 1 degrees of freedom. `lags`: None for `usual_lags`, and never fewer than h - 1.
    No test on fewer than MIN_DAYS days, or when the difference never varies.
    """
    difference = _differences(first, second)
    days = difference.size
    if days < MIN_DAYS:
        return DieboldMariano(np.nan, np.nan, np.nan, days)
    variance = long_run_variance(difference, max(usual_lags(days) if lags is None else lags, horizon_days - 1))
    if variance <= 1e-24 * float(np.mean(difference**2)):
        return DieboldMariano(np.nan, np.nan, np.nan, days)
    small = (days + 1 - 2 * horizon_days + horizon_days * (horizon_days - 1) / days) / days
    statistic = float(difference.mean() / np.sqrt(variance / days) * np.sqrt(small))
    better, different = student.cdf(statistic, days - 1), 2.0 * student.sf(abs(statistic), days - 1)
    return DieboldMariano(statistic, float(better), float(different), days)


def long_run_variance(series: Array, lags: int) -> float:
    """Newey-West variance of sqrt(n) x mean: autocovariances (divisor n) weighted 1 - k / (lags + 1)."""
    away = series - series.mean()
    total = float(away @ away)
    for k in range(1, min(lags, away.size - 1) + 1):
        total += 2.0 * (1.0 - k / (lags + 1.0)) * float(away[k:] @ away[:-k])
    return max(total, 0.0) / away.size


def usual_lags(days: int) -> int:
    """Lags of Newey and West's rule of thumb, floor(4 (n / 100)^(2/9))."""
    return int(4.0 * (days / 100.0) ** (2.0 / 9.0))


def skill(score: Array, baseline: Array, seed: int, confidence: float = 0.95) -> Interval:
    """1 - mean score / mean baseline score (days,), with a stationary-bootstrap interval; 1 is perfect, 0 no better.

    Both series are drawn with the same days. NaN when the baseline's mean is not positive; the interval is NaN on
    fewer than MIN_DAYS days.
    """
    both = np.column_stack([score, baseline])
    both = both[~np.isnan(both).any(axis=1)]
    return _interval(both, lambda mean: 1.0 - mean[..., 0] / mean[..., 1], seed, confidence, positive=1)


def mean(score: Array, seed: int, confidence: float = 0.95) -> Interval:
    """Mean of daily values (days,) with a stationary-bootstrap interval; NaN as in `skill`."""
    known = score[~np.isnan(score)][:, None]
    return _interval(known, lambda mean: mean[..., 0], seed, confidence)


@lru_cache(maxsize=8)
def bootstrap_weights(days: int, seed: int, replications: int = REPLICATIONS) -> Array:
    """Share (replications, days) of each day in series drawn by the stationary bootstrap; read-only.

    Days are drawn in blocks of geometric length, mean min(BLOCK_DAYS, days / 3), that run on from the last day to the
    first.
    """
    rng = np.random.default_rng(seed)
    jump = rng.random((replications, days)) < 1.0 / max(1.0, min(BLOCK_DAYS, days / 3))
    jump[:, 0] = True
    start = rng.integers(days, size=(replications, days))
    column = np.broadcast_to(np.arange(days), jump.shape)
    last = np.maximum.accumulate(np.where(jump, column, 0), axis=1)
    drawn = (np.take_along_axis(start, last, axis=1) + column - last) % days
    place = drawn + np.arange(replications)[:, None] * days
    weight = np.bincount(place.ravel(), minlength=replications * days).reshape(replications, days) / days
    weight.flags.writeable = False
    return weight


def _differences(first: Array, second: Array) -> Array:
    difference = first - second
    return np.asarray(difference[~np.isnan(difference)], dtype=np.float64)


def _interval(
    values: Array, statistic: Callable[[Array], Array], seed: int, confidence: float, positive: int | None = None
) -> Interval:
    """`statistic` of the column means of `values` (days, columns); `positive` names a column that must be above 0."""
    if values.shape[0] == 0 or (positive is not None and values[:, positive].mean() <= 0.0):
        return Interval(np.nan, np.nan, np.nan)
    value = float(statistic(values.mean(axis=0)))
    if values.shape[0] < MIN_DAYS:
        return Interval(value, np.nan, np.nan)
    means = np.einsum("rd,dc->rc", bootstrap_weights(values.shape[0], seed), values)
    if positive is not None:
        means = means[means[:, positive] > 0.0]
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(statistic(means), [tail, 1.0 - tail])
    return Interval(value, float(low), float(high))
