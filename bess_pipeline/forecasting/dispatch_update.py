"""Forecasts of the coming half-hours, moved by the newest known errors when dispatch is decided.

What belongs here: the regression of a period's error on the error last known, and the shift of a distribution. What
does not: what a dispatch decision knows (`observation.py`) and what is made of the forecast (`trading/`).

An hour before a half-hour the system price of two hours earlier is known. Where it lay above its forecast, so will the
next ones, less with every half-hour: for each number k of half-hours between, with e the error in units of the
forecast's own standard deviation, e(t + k) = b_k e(t) + rest, b_k from past days through zero. A distribution is moved
by b_k e and drawn in around its mean by the root of what the regression leaves of the variance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from bess_pipeline.forecasting.distribution import LEVELS, Marginals
from bess_pipeline.forecasting.information import DispatchInformation

Array = npt.NDArray[np.float64]

FARTHEST_HALF_HOURS = 12
SHRINKAGE_PAIRS = 50.0  # as if so many further pairs without any relation had been seen
LARGEST_ERROR = 4.0  # standard deviations: a spike moves the forecast no further than that
LOW, HIGH = (int(np.argmin(np.abs(LEVELS - level))) for level in (0.10, 0.90))
NORMAL_WIDTH = 2.5631031310892007  # between these levels of a standard normal distribution


@dataclass(frozen=True)
class ErrorMemory:
    """coefficient (FARTHEST_HALF_HOURS,): of the error k + 1 half-hours earlier; left: share of the variance left."""

    coefficient: Array
    left: Array

    @classmethod
    def fit(cls, error: Array) -> ErrorMemory:
        """From standardised errors (days, half-hours) of past days in order of time, NaN where there is none."""
        coefficient, left = [], []
        for k in range(1, FARTHEST_HALF_HOURS + 1):
            clipped = np.clip(error, -LARGEST_ERROR, LARGEST_ERROR)
            before, after = clipped[:, :-k].ravel(), clipped[:, k:].ravel()
            known = ~np.isnan(before) & ~np.isnan(after)
            before, after = before[known], after[known]
            size = float(before @ before)
            added = SHRINKAGE_PAIRS * (size / before.size if before.size else 1.0)
            slope = float(before @ after) / (size + added) if size + added > 0 else 0.0
            total = float(after @ after)
            rest = float(((after - slope * before) ** 2).sum()) / total if total > 0 else 1.0
            coefficient.append(slope)
            left.append(min(rest, 1.0))
        return cls(np.array(coefficient), np.array(left))


def standard_errors(marginals: Marginals, outcome: Array) -> Array:
    """Outcomes (n,) less their forecast means, over the forecasts' standard deviations; NaN where not known.

    The standard deviation is that of a normal distribution as wide between the 10 % and 90 % quantiles. A point
    forecast has no such error: 0 where it was right, NaN otherwise.
    """
    width = (marginals.quantile[:, HIGH] - marginals.quantile[:, LOW]) / NORMAL_WIDTH
    error = outcome - marginals.mean
    scaled = np.divide(error, width, out=np.full_like(error, np.nan), where=width > 0)
    return np.where((width <= 0) & (error == 0), 0.0, scaled)


def update_at_dispatch(marginals: Marginals, information: DispatchInformation, memory: ErrorMemory) -> Marginals:
    """The forecast as a dispatch decision sees it: periods from the one decided on moved by the newest known error.

    `marginals` is the half-hourly forecast made at a gate of D-1 for D and the day after (ValueError for a stream on
    another clock). Periods that are over, and those further than FARTHEST_HALF_HOURS from the newest known value, stay
    as they are; so does everything where no value of D is known yet.
    """
    if marginals.stream.clock != "half_hour":
        raise ValueError(f"{marginals.stream.name} is not forecast by half-hour and is not updated at dispatch")
    known = information.value.get(marginals.stream.name)
    if known is None:
        return marginals
    starts = information.period_start_utc
    place = starts.get_indexer(marginals.start_utc)
    outcome = np.where(place >= 0, known[np.maximum(place, 0)], np.nan)
    error = standard_errors(marginals, outcome)
    seen = np.flatnonzero(~np.isnan(error))
    if not seen.size:
        return marginals
    newest = int(seen[-1])
    first = int(marginals.start_utc.searchsorted(information.start_utc))
    coming = np.arange(max(first, newest + 1), min(newest + FARTHEST_HALF_HOURS + 1, marginals.mean.size))
    return _moved(marginals, coming, coming - newest - 1, float(error[newest]), memory)


def _moved(
    marginals: Marginals, rows: npt.NDArray[np.int64], step: npt.NDArray[np.int64], error: float, memory: ErrorMemory
) -> Marginals:
    """Rows moved by their share of the error and drawn in around their means."""
    quantile, mean = marginals.quantile.copy(), marginals.mean.copy()
    width = (quantile[rows, HIGH] - quantile[rows, LOW]) / NORMAL_WIDTH
    moved = mean[rows] + memory.coefficient[step] * np.clip(error, -LARGEST_ERROR, LARGEST_ERROR) * width
    drawn_in = np.sqrt(memory.left[step])[:, None] * (quantile[rows] - mean[rows, None])
    lowest = marginals.stream.lowest
    quantile[rows], mean[rows] = np.maximum(moved[:, None] + drawn_in, lowest), np.maximum(moved, lowest)
    return replace(marginals, quantile=quantile, mean=mean, model=f"{marginals.model}, updated at dispatch")
