"""Regressors made of what each row's gate knew, for a whole day and for each of its slots.

What belongs here: matrices of regressors and their scaling. What does not: what a gate knew (`observation.py`) and
models. Outcomes are never looked at here, so no regressor can hold one.

Prices enter as differences from the mean of the last four weeks, so that a fit of last year's level serves this
year's, and through asinh of values scaled by median and median absolute deviation (Uniejewski, Weron, Ziel 2018),
so that spikes do not rule a regression. Following Lago, Marcjasz, De Schutter and Weron (2021), regressors are the
days D-1, D-2, D-3 and D-7 of the stream (D too where its gate knows it), D-1 and D-2 of the other energy streams,
forecast fundamentals of the day, and the weekday; each day as means of three hours, which loses nothing that shows in
the errors and makes fits fast.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from bess_pipeline.forecasting.calendar_features import CalendarFeatures, calendar_features
from bess_pipeline.forecasting.information import LAGS, Information
from bess_pipeline.forecasting.knowledge import (
    block_means,
    kept,
    recent,
    recent_mean,
    row_mean,
    to_slots,
    trailing_mean,
)
from bess_pipeline.forecasting.model import Question
from bess_pipeline.forecasting.streams import Stream

Array = npt.NDArray[np.float64]

ENERGY_STREAMS = ("day_ahead", "system_price", "net_imbalance_volume", "market_index")
SLOT_CALENDAR = ("working_day", "year_sin_1", "year_cos_1")
FEW_CALENDAR = ("monday", "friday", "saturday", "working_day")
FEW_LAGS = (0, 1, 2)
OWN_BLOCKS, OTHER_BLOCKS = 8, 6  # a day as means of three or four hours
OTHER_LAGS = (0, 1, 2)
KNOWN_SHARE = 0.5  # of the rows: a regressor known more rarely is left out
CONSISTENT_MAD = 1.4826  # median absolute deviation of a normal distribution, times this, is its standard deviation
LIMIT = 6.0


@dataclass(frozen=True)
class Scale:
    """How columns are brought to a common size: asinh((x - centre) / spread); `kept` are those that vary at all."""

    kept: npt.NDArray[np.int64]
    centre: Array
    spread: Array

    @classmethod
    def of(cls, matrix: Array) -> Scale:
        """The scale of columns that are mostly known and vary, by median and median absolute deviation."""
        known = ~np.isnan(matrix)
        mostly = np.flatnonzero(known.mean(axis=0) > KNOWN_SHARE)
        centre = _median(matrix[:, mostly])
        away = np.abs(matrix[:, mostly] - centre)
        spread = CONSISTENT_MAD * _median(away)
        spread = np.where(spread > 1e-9, spread, np.sqrt(row_mean((away**2).T)))
        vary = spread > 1e-9
        return cls(mostly[vary], centre[vary], spread[vary])

    def __call__(self, matrix: Array) -> Array:
        """Scaled columns; an unknown value counts as its usual one."""
        scaled = np.arcsinh((matrix[:, self.kept] - self.centre) / self.spread)
        return np.clip(np.nan_to_num(scaled), -LIMIT, LIMIT)


def day_matrix(question: Question) -> Array:
    """Regressors (rows, columns) of whole days; the number of columns depends on the question's streams alone."""
    information, stream, lead = question.information, question.stream, question.lead
    columns = [_own_days(information, stream), *(_other_days(information, one) for one in _others(information, stream))]
    if question.driver is not None and stream.name != "day_ahead":
        columns += _driver(question)
    columns += [_fundamental(information, key[0], lead) for key in sorted(information.fundamental) if key[1] == lead]
    columns.append(_calendar(information, lead).value)
    return np.concatenate(columns, axis=1)


def few_matrix(question: Question) -> Array:
    """The few regressors (rows, columns) of the ridge regression, in units of the stream, unknown ones NaN.

    Days D to D-2 and the last week against the last four weeks, as blocks; how wide days were; forecast fundamentals;
    whether the forecast day is a Monday, a Friday, a Saturday or no working day.
    """
    information, stream, lead = question.information, question.stream, question.lead
    level = recent_mean(information, stream.name)
    usual = _spread(recent_mean(information, stream.name))
    columns = [block_means(recent_mean(information, stream.name, 7) - level, OWN_BLOCKS)]
    for lag in FEW_LAGS:
        day = information.lagged[stream.name, lag]
        columns += [block_means(day - level, OWN_BLOCKS), (_spread(day) - usual)[:, None]]
    columns += [_fundamental(information, key[0], lead) for key in sorted(information.fundamental) if key[1] == lead]
    calendar = _calendar(information, lead)
    return np.concatenate([*columns, *(calendar.column(name)[:, None] for name in FEW_CALENDAR)], axis=1)


def slot_matrix(question: Question) -> Array:
    """Regressors (rows, slots, columns) of single slots: own lags there, the day's summary, the calendar."""
    information, stream, lead = question.information, question.stream, question.lead
    level = recent_mean(information, stream.name)
    columns = [level - row_mean(level)[:, None], question.base - level]
    for lag in LAGS:
        away = information.lagged[stream.name, lag] - level
        columns += [away, _wide(row_mean(away), stream), _wide(_spread(away), stream)]
    for other in _others(information, stream):
        for lag in OTHER_LAGS[1:]:
            away = _away(information, other, lag)
            columns.append(_wide(row_mean(away), stream))
    if question.driver is not None and stream.name != "day_ahead":
        driver = to_slots(question.driver, stream)
        columns += [driver - row_mean(driver)[:, None], _wide(row_mean(driver - level), stream)]
    for key in sorted(information.fundamental):
        if key[1] == lead:
            values = information.fundamental[key]
            at_slot = to_slots(values, stream)
            columns += [at_slot, _wide(row_mean(values), stream)]
    calendar = _calendar(information, lead)
    columns += [_wide(calendar.column(name), stream) for name in SLOT_CALENDAR]
    weekday = np.array([(day + timedelta(days=lead)).isoweekday() for day in information.days], dtype=np.float64)
    slot = np.broadcast_to(np.arange(stream.slots, dtype=np.float64), level.shape)
    columns += [_wide(weekday, stream), slot]
    return np.stack([np.broadcast_to(column, level.shape) for column in columns], axis=2)


@kept
def _calendar(information: Information, lead: int) -> CalendarFeatures:
    return calendar_features(information.days, lead)


@kept
def _own_days(information: Information, stream: Stream) -> Array:
    level = recent_mean(information, stream.name)
    columns = [row_mean(recent_mean(information, stream.name, 7) - level)[:, None]]
    for lag in LAGS:
        away = information.lagged[stream.name, lag] - level
        columns += [block_means(away, OWN_BLOCKS), _spread(away)[:, None], row_mean(away)[:, None]]
    return np.concatenate(columns, axis=1)


def _others(information: Information, stream: Stream) -> list[Stream]:
    """Streams that may say something about `stream`: the energy streams, for response the other products too."""
    names = [name for name in ENERGY_STREAMS if name in information.streams and name != stream.name]
    return [information.streams[name] for name in names]


@kept
def _other_days(information: Information, other: Stream) -> Array:
    """Level and width of the other stream's days; its blocks where the day itself is known."""
    columns = [block_means(_away(information, other, 0), OTHER_BLOCKS)]
    for lag in OTHER_LAGS:
        away = _away(information, other, lag)
        columns += [row_mean(away)[:, None], _spread(away)[:, None]]
    return np.concatenate(columns, axis=1)


def _away(information: Information, other: Stream, lag: int) -> Array:
    return information.lagged[other.name, lag] - recent_mean(information, other.name)


def _driver(question: Question) -> list[Array]:
    """The day-ahead price of the day: its blocks against the recent mean, and how wide the day is."""
    assert question.driver is not None
    level = recent_mean(question.information, "day_ahead")
    away = question.driver - level
    usual = trailing_mean(_spread(recent(question.information, "day_ahead"))[:, None])
    return [block_means(away, OTHER_BLOCKS), row_mean(away)[:, None], _spread(question.driver)[:, None] - usual]


@kept
def _fundamental(information: Information, series: str, lead: int) -> Array:
    """Blocks of a forecast of the day against its recent mean; squares, because scarcity and surplus are not linear."""
    values = information.fundamental[series, lead]
    usual = trailing_mean(information.fundamental.get((series, 0), values))
    blocks = block_means(values - usual, OWN_BLOCKS)
    day = row_mean(values - usual)[:, None]
    size = np.sqrt(trailing_mean(day**2))
    return np.concatenate([blocks, day, np.sign(day) * day**2 / np.where(size > 0, size, 1.0)], axis=1)


def _median(values: Array) -> Array:
    """Median of the known values of each column, each of which has one."""
    ordered = np.sort(values, axis=0)  # NaN last
    count = (~np.isnan(values)).sum(axis=0)
    column = np.arange(values.shape[1])
    return (ordered[(count - 1) // 2, column] + ordered[count // 2, column]) / 2.0


def _spread(values: Array) -> Array:
    """Standard deviation of the known values of each row, NaN where there is none."""
    mean = row_mean(values)
    return np.sqrt(row_mean((values - mean[:, None]) ** 2))


def _wide(values: Array, stream: Stream) -> Array:
    return np.broadcast_to(values[:, None], (values.size, stream.slots))
