"""LEAR: lasso regressions of the days before, the open benchmark of electricity price forecasting.

What belongs here: fitting and forecasting with it. What does not: its regressors (`features.py`) and the distribution
around it (`errors_ahead.py`).

After Lago, Marcjasz, De Schutter and Weron (2021), "Forecasting day-ahead electricity prices: a review of
state-of-the-art algorithms, best practices and an open-access benchmark": lags of all hours, exogenous forecasts and
weekdays as regressors, asinh of scaled values, the penalty by Akaike's criterion, the mean over calibration windows.
Two things differ. What is explained is the difference from a first guess (the recent mean, or the day-ahead price),
so that a strong penalty leads to that guess and not to a flat day. And there is one lasso for each principal component
of these differences, `lear_components` of them, in place of one for each slot: on the recorded prices this earns more
at the same error, and costs less. With as many components as slots nothing is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bess_pipeline.forecasting.errors_ahead import Forecaster, forecaster_of_points
from bess_pipeline.forecasting.features import Scale, day_matrix
from bess_pipeline.forecasting.model import Mask, Question, Split, splits

Array = npt.NDArray[np.float64]

GRID: Array = np.geomspace(1.0, 0.03, 9)  # penalties tried, of the one that leaves nothing
FARTHEST = 3.5  # asinh units: no forecast goes further than sinh(3.5) = 16.5 spreads from the first guess
TOLERANCE, ITERATIONS = 1e-3, 5000


@dataclass(frozen=True)
class _Regression:
    """From scaled regressors to asinh units: mean (slots,) and coefficient (regressors, slots)."""

    mean: Array
    coefficient: Array

    def __call__(self, regressors: Array) -> Array:
        return np.clip(self.mean + regressors @ self.coefficient, -FARTHEST, FARTHEST)


@dataclass(frozen=True)
class _Prepared:
    """Regressors (rows, columns) and differences in asinh units (rows, slots), with how they were scaled."""

    scale: Scale
    regressors: Array
    spread: float
    target: Array
    usable: Mask


def lear(question: Question) -> Forecaster:
    """The mean of lasso regressions over the calibration windows of the settings."""
    import sklearn

    prepared = _prepare(question)
    windows = _windows(prepared.usable, question.settings.lear_window_days)
    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
        return _fitted(question, prepared, windows)


def _fitted(question: Question, prepared: _Prepared, windows: Sequence[Mask]) -> Forecaster:
    penalties = _penalties(prepared, windows, question.settings.lear_components)
    fitted = [_fit(prepared, window, one) for window, one in zip(windows, penalties, strict=True)]
    past, as_old = _past(prepared, splits(prepared.usable, question.settings), windows, penalties)

    def predict(asked: Question) -> Array:
        regressors = prepared.scale(day_matrix(asked))
        return asked.base + prepared.spread * _mean_of([np.sinh(one(regressors)) for one in fitted])

    points = [question.base + prepared.spread * one for one in (past, as_old)]
    return forecaster_of_points("lear", question, points[0], predict, points[1])


def _prepare(question: Question) -> _Prepared:
    matrix, usable = day_matrix(question), question.usable
    scale = Scale.of(matrix[usable])
    away = np.where(usable[:, None], question.outcome - question.base, np.nan)
    spread = float(np.nanmedian(np.abs(away))) * 1.4826
    if not spread > 1e-9:
        spread = float(np.sqrt(np.nanmean(away**2))) or 1.0
    return _Prepared(scale, scale(matrix), spread, np.nan_to_num(np.arcsinh(away / spread)), usable)


def _windows(usable: Mask, window_days: Sequence[int]) -> list[Mask]:
    """Rows of each calibration window; windows as long as the whole history count once."""
    rows = np.flatnonzero(usable)
    found: dict[int, Mask] = {}
    for days in window_days:
        mask = usable.copy()
        mask[: max(0, int(rows[-1]) + 1 - days)] = False
        found.setdefault(int(mask.sum()), mask)
    return list(found.values())


def _penalties(prepared: _Prepared, windows: Sequence[Mask], components: int) -> list[tuple[Array, Array]]:
    """For each window the principal components and their penalties, both found once, on the longest window.

    A penalty stands against chance correlations, which shrink as one over the root of the days.
    """
    days = [int(window.sum()) for window in windows]
    longest = int(np.argmax(days))
    patterns, alpha = _by_criterion(prepared, windows[longest], components)
    return [(patterns, alpha * np.sqrt(days[longest] / one)) for one in days]


def _by_criterion(prepared: _Prepared, rows: Mask, components: int) -> tuple[Array, Array]:
    """The principal components (components, slots) of a window, and the penalty of each by Akaike's criterion."""
    from sklearn.linear_model import lasso_path

    target = prepared.target[rows]
    patterns = np.linalg.svd(target - target.mean(axis=0), full_matrices=False)[2][:components]
    regressors, scores, gram = _centred(prepared, rows, patterns)
    chosen = []
    for score in scores.T:
        largest = float(np.abs(regressors.T @ score).max(initial=0.0)) / score.size
        if not largest > 1e-9:
            chosen.append(1.0)
            continue
        alphas, coefficients, _ = lasso_path(
            regressors, score, alphas=largest * GRID, precompute=gram, tol=TOLERANCE, max_iter=ITERATIONS
        )
        chosen.append(float(alphas[int(np.argmin(_criterion(regressors, score, coefficients)))]))
    return patterns, np.array(chosen)


def _criterion(regressors: Array, score: Array, coefficients: Array) -> Array:
    """Akaike's criterion with Hurvich and Tsai's correction for few days, for each column of coefficients."""
    days = score.size
    rest = ((score[:, None] - regressors @ coefficients) ** 2).sum(axis=0)
    free = (coefficients != 0).sum(axis=0) + 1.0
    correction = 2.0 * free * (free + 1.0) / np.maximum(days - free - 1.0, 1e-3)
    return np.asarray(days * np.log(np.maximum(rest, 1e-12) / days) + 2.0 * free + correction)


def _fit(prepared: _Prepared, rows: Mask, penalties: tuple[Array, Array]) -> _Regression:
    """The lasso of all components at their penalties: dividing a target by its penalty makes it that of 1."""
    from sklearn.linear_model import Lasso

    patterns, alpha = penalties
    regressors, scores, gram = _centred(prepared, rows, patterns)
    model = Lasso(alpha=1.0, fit_intercept=False, precompute=gram, tol=TOLERANCE, max_iter=ITERATIONS)
    by_component = np.atleast_2d(model.fit(regressors, scores / alpha).coef_) * alpha[:, None]
    centre, mean = prepared.regressors[rows].mean(axis=0), prepared.target[rows].mean(axis=0)
    coefficient = by_component.T @ patterns
    return _Regression(mean - centre @ coefficient, coefficient)


def _centred(prepared: _Prepared, rows: Mask, patterns: Array) -> tuple[Array, Array, Array]:
    regressors = prepared.regressors[rows] - prepared.regressors[rows].mean(axis=0)
    target = prepared.target[rows] - prepared.target[rows].mean(axis=0)
    return np.asfortranarray(regressors), target @ patterns.T, regressors.T @ regressors


def _past(
    prepared: _Prepared, parts: Sequence[Split], windows: Sequence[Mask], penalties: Sequence[tuple[Array, Array]]
) -> tuple[Array, Array]:
    """Honest differences (rows, slots) from the first guess, in spreads, and the same by the longest window alone.

    Old days, in blocks, are forecast by the longest window, the last weeks by the mean of all.
    """
    found, as_old = np.full(prepared.target.shape, np.nan), np.full(prepared.target.shape, np.nan)
    longest = max(range(len(windows)), key=lambda k: int(windows[k].sum()))
    for split in parts:
        regressors = prepared.regressors[split.test]
        by_window = {}
        for k in range(len(windows)) if split.forward else [longest]:
            rows = split.train.copy()
            if split.forward:
                known = np.flatnonzero(rows)
                rows[: max(0, int(known[-1]) + 1 - int(windows[k].sum()))] = False
            by_window[k] = np.sinh(_fit(prepared, rows, penalties[k])(regressors))
        found[split.test] = _mean_of(list(by_window.values()))
        as_old[split.test] = by_window[longest]
    return found, as_old


def _mean_of(values: Sequence[Array]) -> Array:
    return np.asarray(np.mean(values, axis=0), dtype=np.float64)
