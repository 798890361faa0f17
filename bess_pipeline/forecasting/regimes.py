"""The system price as a mixture: what it is over the day-ahead price when the system is short, and when it is long.

What belongs here: the probability of a short system and the two distributions. What does not: the first guess they
stand around (the caller's base: the day-ahead price, published or forecast, and the usual spread over it).

With p the probability that a half-hour is short and F_short, F_long the distributions of (price - base) over its
local size in either regime, each from past days of the slot and its neighbours,

    P(price <= base + size x) = p F_short(x) + (1 - p) F_long(x).

p is a logistic regression on the net imbalance volume that the gate knew, the hour, the day-ahead price and forecasts
of wind, demand and margin. A half-hour is short when its net imbalance volume is above 0 (domain reference 2: + =
short); where no volume is known, when its price lay above the base.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bess_pipeline.forecasting.distribution import LEVELS
from bess_pipeline.forecasting.errors_ahead import (
    SMALL_SAMPLE_DAYS,
    SMALLEST_SCALE,
    ScaleModel,
    pool,
    recency,
    weighted_quantiles,
)
from bess_pipeline.forecasting.features import Scale
from bess_pipeline.forecasting.knowledge import recent_mean, row_mean, to_slots, trailing_mean
from bess_pipeline.forecasting.model import Mask, Question, splits, thinned

Array = npt.NDArray[np.float64]

VOLUME = "net_imbalance_volume"
PROBABILITIES = np.linspace(0.0, 1.0, 21)  # mixtures are found at these, and between them by straight lines
KNOTS = np.concatenate([[0.0005, 0.002], np.arange(1, 200) / 200, [0.998, 0.9995]])  # of each regime's distribution
LEAST_SHARE = 0.02  # of days in a regime: a rarer one is no regime


@dataclass(frozen=True)
class Mixture:
    """Quantiles (slots, PROBABILITIES, LEVELS) and means (slots, 2) of two regimes, in units of local size."""

    quantile: Array
    regime_mean: Array

    @classmethod
    def fit(cls, unit: Array, short: Array, half_life_days: float) -> Mixture:
        """From errors (rows, slots) in units of their size and whether each was short (1, 0, NaN = unknown)."""
        weight = np.where(np.isnan(unit) | np.isnan(short), 0.0, recency(unit.shape[0], half_life_days)[:, None])
        days = max(int((weight > 0).any(axis=1).sum()), 1)
        widened = unit * (1.0 + SMALL_SAMPLE_DAYS / days)
        knots, means = [], []
        for regime in (1.0, 0.0):
            of_regime = pool(np.where(short == regime, weight, 0.0))
            knots.append(weighted_quantiles(pool(widened), of_regime, KNOTS))
            total = np.maximum(of_regime.sum(axis=0), SMALLEST_SCALE)
            means.append((np.nan_to_num(pool(unit)) * of_regime).sum(axis=0) / total)
        quantile = np.stack([_mixed(knots[0][slot], knots[1][slot]) for slot in range(unit.shape[1])])
        return cls(quantile, np.stack(means, axis=1))

    def at(self, probability: Array) -> tuple[Array, Array]:
        """Quantiles (rows, slots, LEVELS) and means (rows, slots) for probabilities of short (rows, slots)."""
        place = np.clip(np.nan_to_num(probability), 0.0, 1.0) * (PROBABILITIES.size - 1)
        low = np.minimum(place.astype(np.int64), PROBABILITIES.size - 2)
        share = (place - low)[..., None]
        slot = np.arange(probability.shape[1])[None, :]
        quantile = (1.0 - share) * self.quantile[slot, low] + share * self.quantile[slot, low + 1]
        mean = probability * self.regime_mean[:, 0] + (1.0 - probability) * self.regime_mean[:, 1]
        return quantile, mean


def _mixed(short: Array, long: Array) -> Array:
    """Quantiles (PROBABILITIES, LEVELS) of the mixtures of two distributions given by their values at KNOTS."""
    values = np.sort(np.concatenate([short, long]), kind="stable")
    below = [np.interp(values, *_rising(one), left=0.0, right=1.0) for one in (short, long)]
    mixed = [np.interp(LEVELS, *_rising_levels(p * below[0] + (1.0 - p) * below[1], values)) for p in PROBABILITIES]
    return np.asarray(mixed)


def _rising(knots: Array) -> tuple[Array, Array]:
    """Values of a distribution and its level there; of equal values the last counts."""
    last = np.append(np.diff(knots) > 0, True)
    return knots[last], KNOTS[last]


def _rising_levels(level: Array, values: Array) -> tuple[Array, Array]:
    """Levels that rise and the values there; a level that several values share keeps the first."""
    first = np.append(True, np.diff(level) > 1e-12)
    return level[first], values[first]


@dataclass(frozen=True)
class ShortModel:
    """Probability that a half-hour is short: a logistic regression, or a share of the past where there is no choice."""

    scale: Scale
    weight: Array
    intercept: float

    @classmethod
    def fit(cls, regressors: Array, short: Array) -> ShortModel:
        """From regressors (n, columns) and 1 or 0 (n,); NaN outcomes are left out."""
        known = ~np.isnan(short)
        scale = Scale.of(regressors[known]) if known.any() else Scale(np.empty(0, np.int64), np.empty(0), np.empty(0))
        share = float(short[known].mean()) if known.any() else 0.5
        if not LEAST_SHARE < share < 1.0 - LEAST_SHARE or not scale.kept.size:
            edge = min(max(share, 1e-3), 1.0 - 1e-3)
            return cls(scale, np.zeros(scale.kept.size), float(np.log(edge / (1.0 - edge))))
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(C=0.05, solver="newton-cholesky", max_iter=50)
        model.fit(scale(regressors[known]), short[known])
        return cls(scale, model.coef_[0], float(model.intercept_[0]))

    def __call__(self, regressors: Array) -> Array:
        """Probabilities (…,) from regressors (…, columns)."""
        flat = self.scale(regressors.reshape(-1, regressors.shape[-1])) @ self.weight
        return np.asarray(1.0 / (1.0 + np.exp(-(self.intercept + flat)))).reshape(regressors.shape[:-1])


@dataclass(frozen=True)
class RegimeForecaster:
    """The fitted mixture; what `errors_ahead.Forecaster` is to other models."""

    name: str
    base: Array
    size: Array
    probability: Array
    mixture: Mixture
    scale: ScaleModel
    short: ShortModel

    def past(self, rows: Mask) -> tuple[Array, Array]:
        """Quantiles (rows, slots, LEVELS) and means (rows, slots) of past rows."""
        return self._around(self.base[rows], self.size[rows], self.probability[rows])

    def ahead(self, question: Question) -> tuple[Array, Array]:
        """Quantiles (slots, LEVELS) and means (slots,) of the last row."""
        size = self.scale(question, question.base)[-1:]
        matrix = short_matrix(question)[-1]
        quantile, mean = self._around(question.base[-1:], size, self.short(matrix)[None, :])
        return quantile[0], mean[0]

    def point(self, question: Question) -> Array:
        """The mean (slots,) of the last row."""
        return self.ahead(question)[1]

    def _around(self, base: Array, size: Array, probability: Array) -> tuple[Array, Array]:
        quantile, mean = self.mixture.at(probability)
        return base[..., None] + size[..., None] * quantile, base + size * mean


def niv_regimes(question: Question) -> RegimeForecaster:
    """The mixture for a question whose base is the day-ahead price with its usual spread."""
    short, matrix, usable = short_or_long(question), short_matrix(question), question.usable
    known = np.where(usable[:, None], short, np.nan)
    probability = np.full(short.shape, np.nan)
    some = thinned(short.shape)
    for split in splits(usable, question.settings):
        chosen = some & split.train[:, None]
        probability[split.test] = ShortModel.fit(matrix[chosen], known[chosen])(matrix[split.test])
    chosen = some & usable[:, None]
    model = ShortModel.fit(matrix[chosen], known[chosen])
    scale = ScaleModel.fit(question, question.base)
    size = scale(question, question.base)
    unit = np.where(usable[:, None], (question.outcome - question.base) / size, np.nan)
    mixture = Mixture.fit(unit, known, question.settings.error_half_life_days)
    base = np.where(usable[:, None], question.base, np.nan)
    return RegimeForecaster("niv_regimes", base, size, probability, mixture, scale, model)


def short_or_long(question: Question) -> Array:
    """1 where the system was short, 0 where long, NaN where the price is not known, (rows, slots)."""
    by_price = (question.outcome > question.base).astype(np.float64)
    volume = question.information.outcome.get((VOLUME, question.lead))
    found = by_price if volume is None else np.where(np.isnan(volume), by_price, (volume > 0).astype(np.float64))
    return np.where(np.isnan(question.outcome) | np.isnan(question.base), np.nan, found)


def short_matrix(question: Question) -> Array:
    """Regressors (rows, slots, columns) of the regime: recent volume, the hour, the day's prices and fundamentals."""
    information, stream = question.information, question.stream
    shape = question.base.shape
    columns: list[Array] = []
    if VOLUME in information.streams:
        usual = recent_mean(information, VOLUME)
        columns += [usual, information.lagged[VOLUME, 2]]
        columns += [row_mean(information.lagged[VOLUME, lag])[:, None] for lag in (1, 2, 3)]
    angle = 2.0 * np.pi * np.arange(stream.slots) / stream.slots
    columns += [np.cos(k * angle)[None, :] for k in (1, 2, 3)] + [np.sin(k * angle)[None, :] for k in (1, 2, 3)]
    level = recent_mean(information, stream.name)
    columns += [question.base - level, row_mean(question.base - level)[:, None]]
    for series, lead in sorted(information.fundamental):
        if lead == question.lead:
            values = information.fundamental[series, lead]
            usual = trailing_mean(information.fundamental.get((series, 0), values))
            columns.append(to_slots(values - usual, stream))
    return np.stack([np.broadcast_to(column, shape) for column in columns], axis=2)
