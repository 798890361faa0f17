"""Intervals around measures of a daily series: the stationary block bootstrap.

What belongs here: resampled days, the length of blocks, intervals. What does not: the measures (`measures.py`,
`drawdown.py`).

Daily P&L is autocorrelated, so blocks of days are drawn, not days (Politis and Romano 1994): a block starts on any day
with equal chance, its length is geometric with a given mean, and the series goes on at its start after its end. The
mean length is chosen from the autocorrelation by Politis and White (2004), as corrected by Patton, Politis and White
(2009). Own code and not the package `arch`: that one brings statsmodels and 70 MB, and calls a Python function per
replicate, where all replicates are one array here; the tests hold its block lengths.

A series of few blocks has hardly any other path to draw, and its intervals are far too narrow (docs/risk.md has how
often they cover): below `LEAST_BLOCKS` mean blocks there is none.

Several series are resampled on the same days, so that an interval of a difference or a ratio of two is one too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
Statistic = Callable[[FloatArray], np.float64 | FloatArray]
LEAST_BLOCKS = 10  # mean blocks that a series holds, below which there is no interval
CHUNK = 2_000_000  # resampled values held at a time
LARGEST_UNDEFINED_SHARE = 0.1  # replicates without a value, above which there is no interval


@dataclass(frozen=True)
class Interval:
    """A statistic of the series as it came, and the ends of its interval; NaN where there is none."""

    value: float
    low: float
    high: float


def optimal_block_days(daily: ArrayLike) -> float:
    """Mean block length for one series, days, >= 1.

    Parameters
    ----------
    daily : (T,) finite values, in the order of days.

    Returns
    -------
    float
        `(2 G^2 / D)^(1/3) T^(1/3)`, G = sum of lambda(k/M) |k| R(k), D = 2 (sum of lambda(k/M) R(k))^2 with the
        flat-top window lambda, at most `min(3 sqrt(T), T/3)` (Patton, Politis and White 2009). M is twice the first lag
        from which on `max(5, log10 T)` autocorrelations in a row are within 2 sqrt(log10(T)/T), as in those authors'
        own code.
        1 for a series that is constant or shorter than 8 days.
    """
    values = _series(daily)
    count = values.size
    if values.ndim != 1:
        raise ValueError("a block length belongs to one series")
    if count < 8 or np.ptp(values) == 0.0:
        return 1.0
    significant_in_a_row = max(5, int(np.log10(count)))
    largest = min(int(np.ceil(np.sqrt(count))) + significant_in_a_row, count - 1)
    centred = values - values.mean()
    covariance = np.array([centred[lag:] @ centred[: count - lag] for lag in range(largest + 1)]) / count
    lag = _lags(covariance, count, significant_in_a_row, largest)
    steps = np.arange(1, lag + 1)
    window = np.minimum(1.0, 2.0 * (1.0 - steps / lag))
    bias = 2.0 * np.sum(window * steps * covariance[1 : lag + 1])
    spectrum = covariance[0] + 2.0 * np.sum(window * covariance[1 : lag + 1])
    longest = np.ceil(min(3.0 * np.sqrt(count), count / 3.0))
    if spectrum == 0.0:
        return float(longest)
    return float(np.clip(np.cbrt(count * bias**2 / spectrum**2), 1.0, longest))


def _lags(covariance: FloatArray, count: int, in_a_row: int, largest: int) -> int:
    """Bandwidth M: twice the first lag from which on a run of autocorrelations is insignificant."""
    small = np.abs(covariance / covariance[0]) < 2.0 * np.sqrt(np.log10(count) / count)
    for lag in range(1, largest + 1 - in_a_row):
        if small[lag : lag + in_a_row].all():
            return min(2 * lag, largest)
    return largest


def resampled_days(
    days: int, replicates: int, mean_block_days: float, seed: int | np.random.Generator
) -> NDArray[np.intp]:
    """(replicates, days) places of the drawn days in the series.

    Raises ValueError for fewer than one day or replicate, or a mean block shorter than a day.
    """
    _require_possible(days, replicates, mean_block_days)
    draw = np.random.default_rng(seed)
    begins = draw.random((replicates, days)) < 1.0 / mean_block_days
    begins[:, 0] = True
    start = draw.integers(0, days, (replicates, days))
    place = np.arange(days)
    begun = np.maximum.accumulate(np.where(begins, place, 0), axis=1)
    return (np.take_along_axis(start, begun, axis=1) + place - begun) % days


def interval(
    statistic: Statistic,
    daily: ArrayLike,
    *,
    mean_block_days: float,
    replicates: int,
    seed: int,
    confidence: float = 0.95,
) -> Interval:
    """Percentile interval of one statistic: see `intervals`."""
    return intervals(
        [statistic],
        daily,
        mean_block_days=mean_block_days,
        replicates=replicates,
        seed=seed,
        confidence=confidence,
    )[0]


def intervals(
    statistics: Sequence[Statistic],
    daily: ArrayLike,
    *,
    mean_block_days: float,
    replicates: int,
    seed: int,
    confidence: float = 0.95,
) -> list[Interval]:
    """Percentile intervals of statistics of one or several daily series, all of the same replicates.

    Parameters
    ----------
    statistics : of an array (replicates, T) or, for several series, (replicates, K, T): one value per replicate.
    daily : (T,) or (K, T), finite. All K series are resampled on the same days.
    mean_block_days, replicates, seed : see `resampled_days`; the same seed gives the same intervals.
    confidence : of the intervals, two-sided.

    Returns
    -------
    list of Interval
        One per statistic. NaN ends where the days are fewer than `LEAST_BLOCKS` mean blocks, and where more than a
        tenth of the replicates have no value (NaN), such as a Sortino ratio without a loss.
    """
    values = _series(daily)
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"a confidence lies between 0 and 1, not at {confidence:g}")
    _require_possible(values.shape[-1], replicates, mean_block_days)
    measured = [float(np.asarray(statistic(values[np.newaxis]))[0]) for statistic in statistics]
    if values.shape[-1] < LEAST_BLOCKS * mean_block_days:
        return [Interval(value, float("nan"), float("nan")) for value in measured]
    draw = np.random.default_rng(seed)
    at_once = max(1, CHUNK // values.size)
    replicated: list[list[FloatArray]] = [[] for _ in statistics]
    for done in range(0, replicates, at_once):
        places = resampled_days(values.shape[-1], min(at_once, replicates - done), mean_block_days, draw)
        sample = np.moveaxis(values[..., places], -2, 0)
        for found, statistic in zip(replicated, statistics, strict=True):
            found.append(np.asarray(statistic(sample), dtype="float64"))
    return [
        _percentiles(value, np.concatenate(found), confidence)
        for value, found in zip(measured, replicated, strict=True)
    ]


def _require_possible(days: int, replicates: int, mean_block_days: float) -> None:
    if days < 1 or replicates < 1 or not mean_block_days >= 1.0:
        raise ValueError("a bootstrap needs at least one day, one replicate and blocks of at least a day")


def _percentiles(value: float, replicated: FloatArray, confidence: float) -> Interval:
    if np.isnan(value) or np.isnan(replicated).mean() > LARGEST_UNDEFINED_SHARE:
        return Interval(value, float("nan"), float("nan"))
    low, high = np.nanquantile(replicated, [(1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0])
    return Interval(value, float(low), float(high))


def _series(daily: ArrayLike) -> FloatArray:
    values = np.asarray(daily, dtype="float64")
    if values.ndim not in (1, 2) or values.shape[-1] == 0:
        raise ValueError("a bootstrap needs the days of one series, or of several of the same days")
    if not np.isfinite(values).all():
        raise ValueError("a day of the series has no value: leave it out of all series, it is no zero")
    return values
