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

import warnings
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
TOLERANCE, ITERATIONS = 1e-3, 2000


@dataclass(frozen=True)
class _Regression:
    """From scaled regressors to asinh units: mean (slots,) and coefficient (regressors, slots).

    by_component: the coefficients (regressors,) of each component, which `coefficient` is put together from.
    """

    mean: Array
    coefficient: Array
    by_component: Sequence[Array]

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
    from sklearn.exceptions import ConvergenceWarning

    prepared = _prepare(question)
    windows = _windows(prepared.usable, question.settings.lear_window_days)
    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # what ITERATIONS reach is near enough: TOLERANCE is coarse
        return _fitted(question, prepared, windows)


def _fitted(question: Question, prepared: _Prepared, windows: Sequence[Mask]) -> Forecaster:
    penalties = _penalties(prepared, windows, question.settings.lear_components)
    past, as_old, newest = _past(prepared, splits(prepared.usable, question.settings), windows, penalties)
    fitted = [_fit(prepared, *one) for one in zip(windows, penalties, newest, strict=True)]

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
    found: dict[int, Mask] = {}
    for days in window_days:
        mask = _last(usable, days)
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
    target = prepared.target[rows]
    patterns = np.linalg.svd(target - target.mean(axis=0), full_matrices=False)[2][:components]
    sample = _Sample.of(prepared, rows, patterns)
    chosen = []
    for component, score in enumerate(sample.scores.T):
        largest = float(np.abs(sample.correlation[component]).max(initial=0.0)) / score.size
        if not largest > 1e-9:
            chosen.append(1.0)
            continue
        coefficients = sample.path(component, largest * GRID)
        chosen.append(largest * float(GRID[int(np.argmin(_criterion(sample.regressors, score, coefficients)))]))
    return patterns, np.array(chosen)


def _criterion(regressors: Array, score: Array, coefficients: Array) -> Array:
    """Akaike's criterion with Hurvich and Tsai's correction for few days, for each column of coefficients."""
    days = score.size
    rest = ((score[:, None] - regressors @ coefficients) ** 2).sum(axis=0)
    free = (coefficients != 0).sum(axis=0) + 1.0
    correction = 2.0 * free * (free + 1.0) / np.maximum(days - free - 1.0, 1e-3)
    return np.asarray(days * np.log(np.maximum(rest, 1e-12) / days) + 2.0 * free + correction)


@dataclass(frozen=True)
class _Sample:
    """What a lasso of some rows is made of, all centred: regressors (rows, columns), scores (rows, components).

    gram (columns, columns) and correlation (components, columns) are their products.
    """

    regressors: Array
    scores: Array
    gram: Array
    correlation: Array

    @classmethod
    def of(cls, prepared: _Prepared, rows: Mask, patterns: Array) -> _Sample:
        regressors, target = prepared.regressors[rows], prepared.target[rows]
        regressors -= regressors.mean(axis=0)
        scores = (target - target.mean(axis=0)) @ patterns.T
        gram, correlation = regressors.T @ regressors, scores.T @ regressors
        return cls(np.asfortranarray(regressors), np.asfortranarray(scores), gram, correlation)

    def path(self, component: int, penalties: Array, start: Array | None = None) -> Array:
        """Coefficients (columns, penalties) of a component's lasso at falling penalties, sought from `start` on."""
        from sklearn.linear_model import lasso_path

        return np.asarray(
            lasso_path(
                self.regressors,
                self.scores[:, component],
                alphas=penalties,
                precompute=self.gram,
                Xy=self.correlation[component],
                coef_init=None if start is None else start.copy(),
                check_input=False,
                tol=TOLERANCE,
                max_iter=ITERATIONS,
            )[1]
        )


def _fit(
    prepared: _Prepared, rows: Mask, penalties: tuple[Array, Array], before: _Regression | None = None
) -> _Regression:
    """The lasso of all components at their penalties, sought from where that of fewer days, `before`, ended."""
    patterns, alpha = penalties
    sample = _Sample.of(prepared, rows, patterns)
    start = [None] * alpha.size if before is None else before.by_component
    by_component = [sample.path(k, alpha[k : k + 1], start[k])[:, 0] for k in range(alpha.size)]
    centre, mean = prepared.regressors[rows].mean(axis=0), prepared.target[rows].mean(axis=0)
    coefficient = np.asarray(by_component).T @ patterns
    return _Regression(mean - centre @ coefficient, coefficient, by_component)


def _past(
    prepared: _Prepared, parts: Sequence[Split], windows: Sequence[Mask], penalties: Sequence[tuple[Array, Array]]
) -> tuple[Array, Array, list[_Regression | None]]:
    """Honest differences (rows, slots) from the first guess, the same by the longest window alone, newest fits.

    Both differences in spreads. Blocks of old days are forecast by the longest window, the last weeks by the mean of
    all. There each window's fit goes on from that of the week before, which knew less.
    """
    found, as_old = (np.full(prepared.target.shape, np.nan) for _ in range(2))
    longest = max(range(len(windows)), key=lambda k: int(windows[k].sum()))
    newest: list[_Regression | None] = [None] * len(windows)
    for split in parts:
        regressors = prepared.regressors[split.test]
        if split.forward:
            newest = [
                _fit(prepared, _last(split.train, int(window.sum())), penalty, before)
                for window, penalty, before in zip(windows, penalties, newest, strict=True)
            ]
            by_window = [np.sinh(one(regressors)) for one in newest if one is not None]
            found[split.test], as_old[split.test] = _mean_of(by_window), by_window[longest]
        else:
            one = _fit(prepared, split.train, penalties[longest])
            found[split.test] = as_old[split.test] = np.sinh(one(regressors))
    return found, as_old, newest


def _last(rows: Mask, days: int) -> Mask:
    """The rows that lie within so many days before the newest of them."""
    found = rows.copy()
    found[: max(0, int(np.flatnonzero(rows)[-1]) + 1 - days)] = False
    return found


def _mean_of(values: Sequence[Array]) -> Array:
    return np.asarray(np.mean(values, axis=0), dtype=np.float64)
