"""The distribution around a forecast: how far outcomes fell from honest forecasts of past days.

What belongs here: the local size of errors and their distribution in units of it. What does not: the forecasts
(models) and the mixture of regimes of the system price (`regimes.py`).

An error is divided by the size that errors have in its slot and, on its day, by how restless the days before were and
how wide the forecast day is (a regression of the logarithm of the day's mean absolute error). What remains is pooled
with neighbouring slots, recent days weighing more, and its quantiles are put around the next forecast. Errors come
from fits that did not see their day, so intervals are as wide as forecasts are wrong (split and cross-conformal
prediction: Vovk 2015; Barber, Candes, Ramdas, Tibshirani 2021), and widened by SMALL_SAMPLE_DAYS over the number of
days, so that a short history gives wide intervals.

A model may forecast its old days in a cheaper way than the last weeks and days ahead (`lear.py`: one calibration
window in place of the mean of several), and be better or worse at it. What the cheaper way would have said of the last
weeks is known too, so the two are compared on the same days, and old errors are scaled by the ratio.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bess_pipeline.forecasting.distribution import LEVELS
from bess_pipeline.forecasting.knowledge import recent, recent_mean, row_mean, trailing_mean, working_days
from bess_pipeline.forecasting.model import Located, Mask, Question

Array = npt.NDArray[np.float64]

NEIGHBOURS = {24: 1, 48: 2, 6: 0}  # slots on each side whose errors count too
SMALL_SAMPLE_DAYS = 4.0
SMALLEST_SCALE = 1e-9
MULTIPLIER_LIMIT = 3.0
RIDGE = 5.0  # in days: pulls the regression of a short history towards a size that never changes
SHORT_LOOK_BACK = 7
OLD_DAYS_LIMITS = (0.8, 1.5)  # of that ratio
FLOOR_SHARE = 0.1  # of a slot's usual error: no side of a distribution is narrower


@dataclass(frozen=True)
class ScaleModel:
    """The size of errors: `slot_scale` (slots,) times a factor of the day, the exponential of a linear function."""

    slot_scale: Array
    coefficient: Array
    centre: Array
    spread: Array

    @classmethod
    def fit(cls, question: Question, point: Array, factor: Array | None = None) -> ScaleModel:
        """From honest forecasts `point` (rows, slots) of past days; errors count `factor` (rows,) times."""
        error = np.abs(question.outcome - point)
        if factor is not None:
            error = error * factor[:, None]
        usable = question.usable & ~np.isnan(row_mean(error))
        slot_scale = _slot_scale(error[usable])
        signs = _signs_of_size(question, point)
        if not usable.any() or not (slot_scale > SMALLEST_SCALE).any():
            return cls(slot_scale, np.zeros(signs.shape[1]), np.zeros(signs.shape[1]), np.ones(signs.shape[1]))
        day = np.log(np.maximum(row_mean(error[usable] / np.maximum(slot_scale, SMALLEST_SCALE)), 1e-3))
        centre = np.nan_to_num(_nan_mean(signs[usable]))
        spread = np.sqrt(np.nan_to_num(_nan_mean((signs[usable] - centre) ** 2)))
        spread = np.where(spread > SMALLEST_SCALE, spread, 1.0)
        scaled = np.nan_to_num((signs[usable] - centre) / spread)
        penalised = scaled.T @ scaled + RIDGE * np.eye(scaled.shape[1])
        return cls(slot_scale, np.linalg.solve(penalised, scaled.T @ (day - day.mean())), centre, spread)

    def __call__(self, question: Question, point: Array) -> Array:
        """Size of errors (rows, slots) of forecasts `point` for the question's rows."""
        scaled = np.clip(np.nan_to_num((_signs_of_size(question, point) - self.centre) / self.spread), -3.0, 3.0)
        factor = np.clip(np.exp(scaled @ self.coefficient), 1.0 / MULTIPLIER_LIMIT, MULTIPLIER_LIMIT)
        return np.maximum(factor[:, None] * self.slot_scale, SMALLEST_SCALE)


@dataclass(frozen=True)
class ErrorQuantiles:
    """Errors in units of their size: quantile (slots, LEVELS) and mean (slots,)."""

    quantile: Array
    below: Array
    above: Array
    shift: Array

    @classmethod
    def fit(cls, located: Located, outcome: Array, half_life_days: float) -> ErrorQuantiles:
        """From honest forecasts of past rows; the newest row is the last."""
        error = outcome - located.point
        unit = np.where(error < 0, error / located.down, error / located.up)
        known = ~np.isnan(unit)
        weight = np.where(known, recency(unit.shape[0], half_life_days)[:, None], 0.0)
        days = max(int(known.any(axis=1).sum()), 1)
        order = np.argsort(unit, axis=0, kind="stable")  # neighbours sorted beforehand are quickly merged
        pooled, pooled_weight = (pool(np.take_along_axis(one, order, axis=0)) for one in (unit, weight))
        quantile = weighted_quantiles(pooled, pooled_weight, LEVELS) * (1.0 + SMALL_SAMPLE_DAYS / days)
        total = np.maximum(pooled_weight.sum(axis=0), SMALLEST_SCALE)
        values = np.nan_to_num(pooled)
        below = (pooled_weight * np.minimum(values, 0.0)).sum(axis=0) / total
        above = (pooled_weight * np.maximum(values, 0.0)).sum(axis=0) / total
        return cls(quantile, below, above, below + above)

    def around(self, located: Located, lowest: float) -> tuple[Array, Array]:
        """Quantiles (…, slots, LEVELS) and means (…, slots) of forecasts (…, slots); nothing lies below `lowest`."""
        quantile = np.minimum(self.quantile, 0.0) * located.down[..., None]
        quantile += np.maximum(self.quantile, 0.0) * located.up[..., None]
        quantile += located.point[..., None]
        np.maximum(quantile, lowest, out=quantile)
        mean = located.point + self.below * located.down + self.above * located.up
        return quantile, np.maximum(mean, lowest)


def recency(rows: int, half_life_days: float) -> Array:
    """Weights (rows,) that halve every `half_life_days`, 1 for the last row."""
    return np.asarray(0.5 ** (np.arange(rows)[::-1] / half_life_days), dtype=np.float64)


def pool(values: Array) -> Array:
    """Values (rows, slots) with those of the neighbouring slots below them: (rows x neighbours, slots)."""
    reach = NEIGHBOURS.get(values.shape[1], 0)
    shifted = []
    for step in range(-reach, reach + 1):
        moved = np.roll(values, step, axis=1)
        if step > 0:
            moved[:, :step] = values[:, :step]
        elif step < 0:
            moved[:, step:] = values[:, step:]
        shifted.append(moved)
    return np.concatenate(shifted)


def weighted_quantiles(values: Array, weight: Array, levels: Array) -> Array:
    """Quantiles (columns, levels) of each column of `values`; unknown values have weight 0.

    Between two sorted values the level rises by the mean of their weights (Hazen's rule where all weigh the same). A
    column without any value takes those of all columns; with none at all quantiles are 0.
    """
    found = np.zeros((values.shape[1], levels.size))
    weights = np.where(np.isnan(values), 0.0, weight)
    empty = []
    for column, (value, heavy) in enumerate(zip(values.T, weights.T, strict=True)):
        known = heavy > 0
        if not known.any():
            empty.append(column)
            continue
        order = np.argsort(value[known], kind="stable")
        heavy = heavy[known][order]
        through = np.cumsum(heavy)
        found[column] = np.interp(levels, (through - 0.5 * heavy) / through[-1], value[known][order])
    if empty and len(empty) < values.shape[1]:
        found[empty] = weighted_quantiles(values.reshape(-1, 1), weight.reshape(-1, 1), levels)
    return found


@dataclass(frozen=True)
class Forecaster:
    """A fitted model with a distribution: what all models of this package become.

    located: honest forecasts of past rows; locate: the forecast of the last row of newer information; as_old (rows,
    slots): the past as old days are forecast, the same but in the last weeks.
    """

    name: str
    lowest: float
    located: Located
    errors: ErrorQuantiles
    locate: Callable[[Question], Located]
    as_old: Array

    def past(self, rows: Mask) -> tuple[Array, Array]:
        """Quantiles (rows, slots, LEVELS) and means (rows, slots) of past rows."""
        chosen = Located(self.located.point[rows], self.located.down[rows], self.located.up[rows])
        return self.errors.around(chosen, self.lowest)

    def ahead(self, question: Question) -> tuple[Array, Array]:
        """Quantiles (slots, LEVELS) and means (slots,) of the last row."""
        return self.errors.around(self.locate(question), self.lowest)

    def point(self, question: Question) -> Array:
        """The point forecast (slots,) of the last row."""
        return self.locate(question).point


def forecaster_of_points(
    name: str,
    question: Question,
    point: Array,
    predict: Callable[[Question], Array],
    as_old: Array | None = None,
) -> Forecaster:
    """A forecaster from honest past points (rows, slots) and what gives points (rows, slots) of any question.

    as_old (rows, slots): as in `Forecaster`, None where all days are forecast alike.
    """
    old = point if as_old is None else as_old
    factor = old_days_factor(question.outcome, point, old)
    scale = ScaleModel.fit(question, point, factor)

    def located(asked: Question, points: Array) -> Located:
        size = scale(asked, points)
        return Located(points, size, size)

    past = _smaller(located(question, point), factor)
    errors = ErrorQuantiles.fit(past, question.outcome, question.settings.error_half_life_days)
    return Forecaster(
        name, question.stream.lowest, past, errors, lambda asked: located(asked, predict(asked)).last(), old
    )


def forecaster_of_intervals(
    name: str, question: Question, located: Located, predict: Callable[[Question], Located], as_old: Array | None = None
) -> Forecaster:
    """A forecaster from honest past points with sides of their own; the sides are corrected like any other."""
    old = located.point if as_old is None else as_old
    factor = old_days_factor(question.outcome, located.point, old)
    floor = FLOOR_SHARE * _slot_scale(np.abs(question.outcome - located.point)[question.usable])

    def floored(one: Located) -> Located:
        least = np.maximum(floor, SMALLEST_SCALE)
        return Located(one.point, np.maximum(one.down, least), np.maximum(one.up, least))

    past = _smaller(floored(located), factor)
    errors = ErrorQuantiles.fit(past, question.outcome, question.settings.error_half_life_days)
    return Forecaster(name, question.stream.lowest, past, errors, lambda asked: floored(predict(asked)).last(), old)


def old_days_factor(outcome: Array, point: Array, as_old: Array) -> Array:
    """How many times larger (rows,) errors ahead are than those of old days; 1 in the last weeks, which are like them.

    The ratio of the mean absolute errors of both ways to forecast, over the rows where they differ, within
    OLD_DAYS_LIMITS. All arrays (rows, slots).
    """
    both = ~np.isnan(outcome) & ~np.isnan(point) & ~np.isnan(as_old)
    last = ((point != as_old) & both).any(axis=1)
    factor = np.ones(outcome.shape[0])
    if last.any():
        here = both & last[:, None]
        errors = [float(np.abs(outcome - one)[here].mean()) for one in (point, as_old)]
        if errors[1] > SMALLEST_SCALE:
            factor[~last] = np.clip(errors[0] / errors[1], *OLD_DAYS_LIMITS)
    return factor


def _smaller(located: Located, factor: Array) -> Located:
    """Sides divided by `factor` (rows,): an error of a row then counts so many times more."""
    return Located(located.point, located.down / factor[:, None], located.up / factor[:, None])


def _signs_of_size(question: Question, point: Array) -> Array:
    """What tells the size of errors, (rows, 5): restlessness of the last day and week, width of the forecast."""
    information, name = question.information, question.stream.name
    level = recent_mean(information, name)
    last = row_mean(np.abs(recent(information, name) - level))[:, None]
    week = trailing_mean(last, SHORT_LOOK_BACK)
    wide = np.sqrt(row_mean((point - row_mean(point)[:, None]) ** 2))
    away = np.abs(row_mean(point - level))
    least = 1e-2
    logs = [np.log(np.maximum(one, least)) for one in (last[:, 0], week[:, 0], wide, away + np.nan_to_num(last[:, 0]))]
    return np.stack([*logs, working_days(information, question.lead).astype(np.float64)], axis=1)


def _slot_scale(error: Array) -> Array:
    """Mean absolute error (slots,), half its own and half its neighbours'; a slot without any takes the mean."""
    if not error.size:
        return np.full(error.shape[1], SMALLEST_SCALE)
    pooled = _nan_mean(pool(error))
    return np.nan_to_num(np.where(np.isnan(pooled), np.nanmean(pooled) if (~np.isnan(pooled)).any() else 0.0, pooled))


def _nan_mean(values: Array) -> Array:
    """Mean of the known values of each column, NaN where there is none."""
    return row_mean(values.T)
