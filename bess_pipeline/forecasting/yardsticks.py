"""Forecasts without a fitted model, by which every better one is measured: the last day again, and means of days.

What belongs here: these rules on rows of information. What does not: models, and the same similar-day rule on a table
of prices (`baseline.py`, which asks `mean_of_similar` too).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bess_pipeline.forecasting.errors_ahead import Forecaster, forecaster_of_points
from bess_pipeline.forecasting.first_guess import first_guess
from bess_pipeline.forecasting.knowledge import (
    filled_slots,
    freshest_lag,
    recent,
    row_mean,
    trailing_mean,
    working_days,
)
from bess_pipeline.forecasting.model import Question

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

WEEK_DAYS = 7


def mean_of_similar(values: Array, same_type: Mask, count: int) -> Array:
    """For each row the mean (rows, slots) of the last `count` rows of the type up to it, itself included; NaN ignored.

    Where there is none of the type the last rows of any type serve. A slot that none of them knows takes its mean over
    all rows up to there, or else the mean of everything up to there; NaN before anything is known.
    """
    known: Mask = np.asarray(~np.isnan(values).all(axis=1))
    of_type, of_any = (_running(values, np.asarray(chosen), count) for chosen in (known & same_type, known))
    none = np.asarray(np.isnan(of_type).all(axis=1))
    found = np.where(none[:, None], of_any, of_type)
    everything = trailing_mean(values, values.shape[0])
    found = np.where(np.isnan(found), everything, found)
    return np.where(np.isnan(found), trailing_mean(row_mean(values)[:, None], values.shape[0]), found)


def _running(values: Array, chosen: Mask, count: int) -> Array:
    """The mean of the last `count` chosen rows up to each row, NaN before the first of them."""
    if not chosen.any():
        return np.full(values.shape, np.nan)
    means = trailing_mean(values[chosen], count)
    last = np.cumsum(chosen) - 1
    return np.where(last[:, None] >= 0, means[np.maximum(last, 0)], np.nan)


def persistence(question: Question) -> Forecaster:
    """The newest whole day that the gate knew, again."""
    return forecaster_of_points("persistence", question, _last_days(question), _last_days)


def similar_day(question: Question) -> Forecaster:
    """The mean of the last days of the same type: working days, or weekends with bank holidays."""
    return forecaster_of_points("similar_day", question, _similar_days(question), _similar_days)


def last_28_days(question: Question) -> Forecaster:
    """The first guess itself: the mean of the last 28 known days, or their usual difference from the driver."""
    return forecaster_of_points("last_28_days", question, question.base, lambda asked: asked.base)


def last_7_days(question: Question) -> Forecaster:
    """The first guess from the last 7 known days alone, which are nearer to the season and noisier."""
    return forecaster_of_points("last_7_days", question, _of_a_week(question), _of_a_week)


def _of_a_week(question: Question) -> Array:
    return first_guess(question.information, question.stream, question.driver, WEEK_DAYS)


def _last_days(question: Question) -> Array:
    return filled_slots(recent(question.information, question.stream.name))


def _similar_days(question: Question) -> Array:
    information = question.information
    known = recent(information, question.stream.name)
    lag = freshest_lag(information, question.stream.name) or 0
    was, will_be = working_days(information, -lag), working_days(information, question.lead)
    return np.where(
        will_be[:, None],
        mean_of_similar(known, was, question.settings.similar_days),
        mean_of_similar(known, ~was, question.settings.similar_days),
    )
