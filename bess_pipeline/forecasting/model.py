"""What a model of prices is: fitted on information, honest about its errors, asked for the last row.

What belongs here: the question put to a model, the form of its answers, and which past days are forecast without
themselves. What does not: the models (a module each) and the distribution around an answer (`errors_ahead.py`).

A candidate is a function `fit(question) -> Fitted`. Its past forecasts are out of sample: each day is forecast by a
fit that saw neither it nor its neighbours, and the most recent weeks by fits that saw nothing later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

from bess_pipeline.forecast_settings import ForecastSettings
from bess_pipeline.forecasting.information import Information
from bess_pipeline.forecasting.streams import Stream

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

USABLE_SHARE = 0.85  # of a day's slots: fewer known values and the day is neither trained on nor scored
WEEK = 7
HOURS_PER_DAY = 24
KEPT_FOR_PREDICTION = 120  # rows: what recent means look back over, similar weekends furthest


@dataclass(frozen=True)
class Located:
    """Forecasts (rows, slots): the point, and how far values lie below and above it in a usual day; NaN = none."""

    point: Array
    down: Array
    up: Array

    def last(self) -> Located:
        """The last row alone, (slots,) each."""
        return Located(self.point[-1], self.down[-1], self.up[-1])


@dataclass(frozen=True)
class Question:
    """What is asked: `stream` at `lead` days after the trading day, as far as `information` goes.

    base (rows, slots): a first guess whose errors models explain, NaN where there is none; driver (rows, slots of the
    day-ahead stream) or None: the day-ahead price of the forecast day, published or forecast.
    """

    information: Information
    stream: Stream
    lead: int
    base: Array
    settings: ForecastSettings
    driver: Array | None = None

    @property
    def outcome(self) -> Array:
        """Values (rows, slots) of the forecast days, NaN where they are not known yet."""
        return self.information.outcome[self.stream.name, self.lead]

    @cached_property
    def usable(self) -> Mask:
        """Rows (rows,) with an outcome and a base: what may be trained on and scored. Not to be written to."""
        known = ~np.isnan(self.outcome) & ~np.isnan(self.base)
        usable = np.asarray(known.mean(axis=1) >= USABLE_SHARE)
        usable.setflags(write=False)
        return usable


class Fitted(Protocol):
    """A model after training: honest forecasts of past rows, and the forecast of the last row of newer information."""

    @property
    def past(self) -> Located: ...

    def predict(self, question: Question) -> Located: ...


Fit = Callable[[Question], Fitted]


@dataclass(frozen=True)
class Split:
    """Rows to train on and rows to forecast with that fit; `forward` where nothing later was trained on."""

    train: Mask
    test: Mask
    forward: bool


def splits(usable: Mask, settings: ForecastSettings) -> list[Split]:
    """Every usable row is forecast once: the last weeks week by week from what came before, the rest in blocks.

    Blocks are contiguous; `gap_days` on both sides of a block are not trained on either, because neighbouring days
    share their errors. A forward week leaves the same gap before it.
    """
    rows = np.flatnonzero(usable)
    weeks = min(settings.choice_days, rows.size // 3) // WEEK
    cut = rows.size - weeks * WEEK
    blocks = [block for block in np.array_split(rows[:cut], settings.cross_validation_folds) if block.size]
    found = [_block_split(usable, block, settings.gap_days) for block in blocks]
    for week in range(weeks):
        block = rows[cut + week * WEEK : cut + (week + 1) * WEEK]
        found.append(_forward_split(usable, block, settings.gap_days))
    return [split for split in found if split.train.any()]


def _block_split(usable: Mask, block: npt.NDArray[np.int64], gap: int) -> Split:
    train = usable.copy()
    train[max(0, block[0] - gap) : block[-1] + gap + 1] = False
    return Split(train, _at(usable, block), forward=False)


def _forward_split(usable: Mask, block: npt.NDArray[np.int64], gap: int) -> Split:
    train = usable.copy()
    train[max(0, block[0] - gap) :] = False
    return Split(train, _at(usable, block), forward=True)


def _at(usable: Mask, block: npt.NDArray[np.int64]) -> Mask:
    test = np.zeros_like(usable)
    test[block] = True
    return test


def thinned(shape: tuple[int, ...]) -> Mask:
    """Which cells (rows, slots) a model of single slots is fitted on: half of those of a clock finer than hours.

    Every other slot, alternating from day to day: neighbours tell such a model nothing new.
    """
    if shape[1] <= HOURS_PER_DAY:
        return np.ones(shape, dtype=bool)
    return np.asarray(np.add.outer(np.arange(shape[0]), np.arange(shape[1])) % 2 == 0)


def newest(information: Information, rows: int = KEPT_FOR_PREDICTION) -> Information:
    """The last rows of information: enough to forecast the last one, and cheap."""
    return replace(
        information,
        days=information.days[-rows:],
        lagged={key: values[-rows:] for key, values in information.lagged.items()},
        outcome={key: values[-rows:] for key, values in information.outcome.items()},
        fundamental={key: values[-rows:] for key, values in information.fundamental.items()},
    )
