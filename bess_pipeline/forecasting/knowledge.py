"""What the rows of information hold in common: how fresh a stream is at its gate, and its recent past as rows saw it.

What belongs here: quantities that several models start from. What does not: regressors (`features.py`) and the
cut at the gates itself (`observation.py`).

A row may only use what its own gate knew. Its recent past is therefore put together from `lagged` of the rows up to
it, never from outcomes, which today's gate knows and the row's gate did not.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from bess_pipeline.forecasting.information import LAGS, Information
from bess_pipeline.forecasting.streams import Stream
from bess_pipeline.working_days import is_working_day

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

WHOLE_DAY = 0.9  # of the slots: more known than this counts as a day known whole
USUAL = 0.5  # of the rows that hold anything
LEVEL_DAYS = 28

Arguments = ParamSpec("Arguments")
Found = TypeVar("Found")


def kept(
    function: Callable[Concatenate[Information, Arguments], Found],
) -> Callable[Concatenate[Information, Arguments], Found]:
    """`function` of information and plain arguments, worked out once for each; arrays it gives cannot be written to.

    What was found goes with its information. Models ask the same of it again and again.
    """
    known: WeakKeyDictionary[Information, dict[Any, Found]] = WeakKeyDictionary()

    @wraps(function)
    def once(information: Information, *arguments: Arguments.args, **named: Arguments.kwargs) -> Found:
        of_it = known.setdefault(information, {})
        key = (arguments, tuple(named.items()))
        if key not in of_it:
            found = function(information, *arguments, **named)
            if isinstance(found, np.ndarray):
                found.setflags(write=False)
            of_it[key] = found
        return of_it[key]

    return once


@kept
def freshest_lag(information: Information, stream: str) -> int | None:
    """The smallest lag at which gates of this kind usually know a stream's whole day; None where they know none."""
    for lag in LAGS:
        values = information.lagged.get((stream, lag))
        if values is None:
            continue
        known = ~np.isnan(values)
        rows = known.any(axis=1)
        if rows.any() and (known[rows].mean(axis=1) >= WHOLE_DAY).mean() > USUAL:
            return lag
    return None


def recent(information: Information, stream: str) -> Array:
    """The newest whole day of a stream that each row's gate knew, (rows, slots); NaN where there is none."""
    lag = freshest_lag(information, stream)
    if lag is None:
        return np.full((len(information.days), information.streams[stream].slots), np.nan)
    return information.lagged[stream, lag]


def trailing_mean(values: Array, days: int = LEVEL_DAYS) -> Array:
    """The mean of each slot over the rows up to and including each one, `days` at most; NaN where none is known."""
    known = ~np.isnan(values)
    total = _window_sum(np.where(known, values, 0.0), days)
    count = _window_sum(known.astype(np.float64), days)
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0.5)


@kept
def recent_mean(information: Information, stream: str, days: int = LEVEL_DAYS) -> Array:
    """The mean day of a stream, (rows, slots), over the last days that each row's gate knew."""
    return trailing_mean(recent(information, stream), days)


def filled_slots(values: Array) -> Array:
    """Rows whose unknown slots take the row's mean; rows without any known value stay NaN."""
    mean = row_mean(values)
    return np.where(np.isnan(values), mean[:, None], values)


def row_mean(values: Array) -> Array:
    """Mean of the known values of each row, NaN where there is none (and no warning)."""
    known = ~np.isnan(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


@kept
def working_days(information: Information, ahead: int) -> Mask:
    """Whether the day `ahead` days after each row's trading day is a working day."""
    return np.array([is_working_day(day + timedelta(days=ahead)) for day in information.days])


def to_slots(values: Array, stream: Stream) -> Array:
    """Values (rows, slots of a coarser or equal clock) repeated, or averaged from a finer one, for `stream`."""
    have, want = values.shape[1], stream.slots
    if have == want:
        return values
    if want % have == 0:
        return np.repeat(values, want // have, axis=1)
    if have % want:
        raise ValueError(f"{have} slots cannot be laid on {want}")
    return _block_means(values, want)


def block_means(values: Array, blocks: int) -> Array:
    """Means (rows, blocks) of equal blocks of slots; as they are where there are no more slots than blocks."""
    if values.shape[1] <= blocks:
        return values
    return _block_means(values, blocks)


def _block_means(values: Array, blocks: int) -> Array:
    parts = values.reshape(values.shape[0] * blocks, -1)
    return row_mean(parts).reshape(values.shape[0], blocks)


def _window_sum(values: Array, rows: int) -> Array:
    total = np.cumsum(values, axis=0)
    total[rows:] = total[rows:] - total[:-rows].copy()
    return total
