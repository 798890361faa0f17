"""Forecasts without a fitted model, by which every better one is measured: the last day again, and similar days.

What belongs here: these rules on rows of information. What does not: models, and the same similar-day rule on a table
of prices (`baseline.py`, which asks `mean_of_similar` too).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bess_pipeline.forecasting.errors_ahead import Forecaster, forecaster_of_points
from bess_pipeline.forecasting.knowledge import filled_slots, freshest_lag, recent, working_days
from bess_pipeline.forecasting.model import Question

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def mean_of_similar(values: Array, same_type: Mask, count: int) -> Array:
    """Mean (slots,) of the last `count` rows of the same type, of any type where there is none of it; NaN ignored.

    A slot that none of them knows takes its mean over all rows, or else the mean of everything. `values` (rows, slots)
    holds one known value at least.
    """
    chosen = values[same_type] if same_type.any() else values
    last = chosen[-count:]
    mean = _mean(last)
    mean = np.where(np.isnan(mean), _mean(values), mean)
    return np.where(np.isnan(mean), np.nanmean(values), mean)


def persistence(question: Question) -> Forecaster:
    """The newest whole day that the gate knew, again."""
    return forecaster_of_points("persistence", question, _last_days(question), _last_days)


def similar_day(question: Question) -> Forecaster:
    """The mean of the last days of the same type: working days, or weekends with bank holidays."""
    return forecaster_of_points("similar_day", question, _similar_days(question), _similar_days)


def _last_days(question: Question) -> Array:
    return filled_slots(recent(question.information, question.stream.name))


def _similar_days(question: Question) -> Array:
    information = question.information
    known = recent(information, question.stream.name)
    lag = freshest_lag(information, question.stream.name) or 0
    was, will_be = working_days(information, -lag), working_days(information, question.lead)
    found = np.full(known.shape, np.nan)
    for kind in (True, False):
        means = _running_mean_of_similar(known, np.asarray(was == kind), question.settings.similar_days)
        found[will_be == kind] = means[will_be == kind]
    return found


def _running_mean_of_similar(known: Array, same_type: Mask, count: int) -> Array:
    """`mean_of_similar` of the rows up to each one, (rows, slots); NaN before anything is known."""
    whole = ~np.isnan(known).all(axis=1)
    found = np.full(known.shape, np.nan)
    for row in range(known.shape[0]):
        upto = np.flatnonzero(whole[: row + 1])
        if upto.size:
            of_type = upto[same_type[upto]][-count:]
            chosen = of_type if of_type.size else upto[-count:]
            found[row] = mean_of_similar(known[chosen], same_type[chosen], count)
    return found


def _mean(values: Array) -> Array:
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
