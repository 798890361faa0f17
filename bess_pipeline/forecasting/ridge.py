"""Ridge: all slots of a day on a few regressors, every coefficient shrunk towards none.

What belongs here: fitting and forecasting with it. What does not: its regressors (`features.few_matrix`) and the
distribution around it (`errors_ahead.py`).

Hoerl and Kennard (1970), one problem for all slots: of differences from the first guess Y (days, slots) on
standardised regressors X (days, columns), the coefficients (X'X + PRIOR_DAYS I)^-1 X'Y. The prior is as strong as so
many days: with a short history forecasts stay near the first guess, with a long one they go from it where that held.
Squares count, since what a schedule earns is linear in prices and is planned best for their mean; where the lasso
(`lear.py`) keeps few regressors whole, all of them stay small here, which errs less in the order of the hours of a day
when nothing strong is known. The mean difference is not learned: the first guess is right on a usual day.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bess_pipeline.forecasting.errors_ahead import Forecaster, forecaster_of_points
from bess_pipeline.forecasting.features import CONSISTENT_MAD, KNOWN_SHARE, few_matrix
from bess_pipeline.forecasting.model import Mask, Question, splits

Array = npt.NDArray[np.float64]

PRIOR_DAYS = 800.0
FARTHEST = 4.0  # spreads: no difference counts for more
LIMIT = 3.0  # standard deviations: no regressor counts for more


@dataclass(frozen=True)
class Regression:
    """Coefficients (columns, slots) of the regressors `kept`, which have `mean` and `deviation` (columns,)."""

    kept: npt.NDArray[np.int64]
    mean: Array
    deviation: Array
    coefficient: Array

    @classmethod
    def fit(cls, regressors: Array, away: Array) -> Regression:
        """Of regressors (days, columns; NaN = unknown, counts as the mean) and differences (days, slots), no NaN."""
        known = ~np.isnan(regressors)
        mostly = np.flatnonzero(known.mean(axis=0) > KNOWN_SHARE)
        mean, deviation = np.nanmean(regressors[:, mostly], axis=0), np.nanstd(regressors[:, mostly], axis=0)
        vary = deviation > 1e-9
        found = cls(mostly[vary], mean[vary], deviation[vary], np.zeros((int(vary.sum()), away.shape[1])))
        scaled = found.scaled(regressors)
        centred = scaled - scaled.mean(axis=0)
        gram = centred.T @ centred + PRIOR_DAYS * np.eye(found.kept.size)
        return cls(found.kept, found.mean, found.deviation, np.linalg.solve(gram, centred.T @ away))

    def scaled(self, regressors: Array) -> Array:
        """Standardised columns; an unknown value counts as the mean."""
        away = (regressors[:, self.kept] - self.mean) / self.deviation
        return np.clip(np.nan_to_num(away), -LIMIT, LIMIT)

    def __call__(self, regressors: Array) -> Array:
        return np.asarray(self.scaled(regressors) @ self.coefficient)


def ridge(question: Question) -> Forecaster:
    """The regression of all usable days; past days are forecast by fits without them (`model.splits`)."""
    regressors, usable = few_matrix(question), question.usable
    away = _within(question.outcome - question.base, usable)

    def fit(rows: Mask) -> Regression:
        return Regression.fit(regressors[rows], away[rows])

    past = np.full(question.base.shape, np.nan)
    for split in splits(usable, question.settings):
        past[split.test] = fit(split.train)(regressors[split.test])
    fitted = fit(usable)

    def predict(asked: Question) -> Array:
        return asked.base + fitted(few_matrix(asked))

    return forecaster_of_points("ridge", question, question.base + past, predict)


def _within(away: Array, usable: Mask) -> Array:
    """Differences within FARTHEST median absolute deviations; an unknown one counts as none."""
    limit = FARTHEST * CONSISTENT_MAD * float(np.nanmedian(np.abs(away[usable])))
    return np.nan_to_num(np.clip(away, -limit, limit))
