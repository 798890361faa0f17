"""Gradient-boosted quantiles: trees over single slots, which find what is not linear.

What belongs here: fitting and forecasting with them. What does not: their regressors (`features.py`) and the
correction of their intervals (`errors_ahead.py`).

Trees are fitted (scikit-learn's HistGradientBoostingRegressor with the quantile loss) at three LEVELS of the
difference from another model's honest forecasts, in asinh units, in long form over days and slots: they only have to
find what a linear model cannot. The history is cut into PARTS
contiguous parts; each is forecast by trees fitted on the others, which gives honest quantiles of all past days, and a
new day by the mean of all fits (cross-conformal prediction: Vovk 2015). The most recent part, on which models are
compared, is so forecast from what came before it. Trees are few and learn fast, which costs no accuracy that shows, for
what they learn is small. Half-hours are thinned to every other one, alternating from day to
day: neighbours tell trees nothing new, and fits take half the time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bess_pipeline.forecasting.errors_ahead import Forecaster, forecaster_of_intervals
from bess_pipeline.forecasting.features import slot_matrix
from bess_pipeline.forecasting.model import Located, Mask, Question, thinned

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingRegressor

Array = npt.NDArray[np.float64]

LEVELS = (0.1, 0.5, 0.9)
PARTS = 3
SIDES = ("point", "down", "up")
FARTHEST = 3.5


@dataclass(frozen=True)
class _Trees:
    """One fit: a model for each of LEVELS, the columns they look at, the spread that differences were divided by."""

    models: tuple[HistGradientBoostingRegressor, ...]
    columns: npt.NDArray[np.int64]
    spread: float

    def __call__(self, base: Array, regressors: Array) -> Located:
        rows, slots, _ = regressors.shape
        flat = regressors[:, :, self.columns].reshape(rows * slots, -1)
        found = np.sort([model.predict(flat).reshape(rows, slots) for model in self.models], axis=0)
        low, middle, high = self.spread * np.sinh(np.clip(found, -FARTHEST, FARTHEST))
        return Located(base + middle, middle - low, high - middle)


def boosted(question: Question, first: Forecaster) -> Forecaster:
    """Quantiles by boosted trees around what `first` forecasts, corrected by their own honest errors."""
    asked_past = replace(question, base=first.located.point)
    regressors, usable = slot_matrix(asked_past), asked_past.usable.copy()
    usable[: max(0, usable.size - question.settings.boosted_window_days)] = False
    past = Located(*(np.full(question.base.shape, np.nan) for _ in range(3)))
    fitted = []
    for part in _parts(usable):
        train = usable.copy()
        train[max(0, part[0] - question.settings.gap_days) : part[-1] + question.settings.gap_days + 1] = False
        trees = _fit(asked_past, regressors, train)
        fitted.append(trees)
        rows = slice(int(part[0]), int(part[-1]) + 1)
        found = trees(asked_past.base[rows], regressors[rows])
        for name in SIDES:
            getattr(past, name)[rows] = np.where(usable[rows, None], getattr(found, name), np.nan)

    def predict(asked: Question) -> Located:
        base = np.full(asked.base.shape, np.nan)
        base[-1] = first.point(asked)
        last = slot_matrix(replace(asked, base=base))[-1:]
        found = [trees(base[-1:], last) for trees in fitted]
        return Located(*(np.mean([getattr(one, name) for one in found], axis=0) for name in SIDES))

    as_old = past.point + (first.as_old - first.located.point)
    return forecaster_of_intervals("boosted", asked_past, past, predict, as_old)


def _parts(usable: Mask) -> list[npt.NDArray[np.int64]]:
    return [part for part in np.array_split(np.flatnonzero(usable), PARTS) if part.size]


def _fit(question: Question, regressors: Array, train: Mask) -> _Trees:
    from sklearn.ensemble import HistGradientBoostingRegressor

    away = (question.outcome - question.base)[train]
    spread = float(np.nanmedian(np.abs(away))) * 1.4826 or 1.0
    wanted = ~np.isnan(away) & thinned(question.outcome.shape)[train]
    target, chosen = np.arcsinh(away[wanted] / spread), regressors[train][wanted]
    columns = _varying(chosen)
    models = tuple(
        HistGradientBoostingRegressor(
            loss="quantile", quantile=level, max_iter=8, learning_rate=0.2, max_leaf_nodes=8, max_bins=31,
            min_samples_leaf=60, l2_regularization=1.0, early_stopping=False, random_state=0,
        ).fit(chosen[:, columns], target)
        for level in LEVELS
    )  # fmt: skip
    return _Trees(models, columns, spread)


def _varying(regressors: Array) -> npt.NDArray[np.int64]:
    """Columns with two known values at least: trees cannot split the others."""
    known = ~np.isnan(regressors)
    lowest = np.where(known, regressors, np.inf).min(axis=0)
    highest = np.where(known, regressors, -np.inf).max(axis=0)
    return np.flatnonzero(highest > lowest)
