"""LEAR finds what drives prices, and looks at nothing it may not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from planted import HOURLY, daily_shape, information
from sklearn.linear_model import Lasso

from bess_pipeline.forecast_settings import ForecastSettings
from bess_pipeline.forecasting.information import Information
from bess_pipeline.forecasting.knowledge import recent_mean
from bess_pipeline.forecasting.lear import _fit, _prepare, lear
from bess_pipeline.forecasting.model import Question
from bess_pipeline.forecasting.yardsticks import similar_day

DAYS = 160
SETTINGS = ForecastSettings(lear_window_days=(365,))


def _windy(seed: int = 1) -> tuple[Information, np.ndarray]:
    """Prices that fall by 1 for each 100 MW of forecast wind; the truth of every row."""
    rng = np.random.default_rng(seed)
    wind = np.repeat(3000.0 * rng.normal(size=(DAYS, 1)), 48, axis=1)
    price = daily_shape() - wind[:, ::2] / 100.0 + rng.normal(size=(DAYS, 24))
    return information({HOURLY: price}, {"wind": wind}), price


def _question(known: Information) -> Question:
    return Question(known, HOURLY, 0, recent_mean(known, HOURLY.name), SETTINGS)


def test_it_finds_the_planted_regressor() -> None:
    known, price = _windy()
    question = _question(known)
    model, yardstick = lear(question), similar_day(question)
    errors = [np.nanmean(np.abs(price[60:-2] - one.located.point[60:-2])) for one in (model, yardstick)]
    assert errors[1] > 20.0  # what wind does to prices
    assert errors[0] < 4.0
    assert np.abs(model.point(question) - price[-1]).mean() < 6.0


def test_rows_that_are_not_wholly_known_are_not_trained_on() -> None:
    known, _ = _windy()
    poisoned = {key: values.copy() for key, values in known.outcome.items()}
    poisoned[HOURLY.name, 0][-1, :3] = 1e6
    question, absurd = _question(known), _question(replace(known, outcome=poisoned))
    assert not question.usable[-1]
    for mine, other in zip(lear(question).ahead(question), lear(absurd).ahead(absurd), strict=True):
        assert mine.tobytes() == other.tobytes()


def test_a_known_outcome_does_change_the_forecast() -> None:
    known, _ = _windy()
    changed = {key: values.copy() for key, values in known.outcome.items()}
    changed[HOURLY.name, 0][-3] += 50.0
    question, other = _question(known), _question(replace(known, outcome=changed))
    assert lear(question).point(question).tobytes() != lear(other).point(other).tobytes()


def test_the_same_information_gives_the_same_bytes() -> None:
    found = [lear(_question(_windy()[0])).ahead(_question(_windy()[0])) for _ in range(2)]
    assert found[0][0].tobytes() == found[1][0].tobytes()


def test_its_regression_is_scikit_learns_lasso_of_each_component_wherever_it_starts_from() -> None:
    """The objective of each lasso lies within a thousandth of the one that scikit-learn's own class reaches."""
    question = _question(_windy()[0])
    prepared = _prepare(question)
    rows = prepared.usable
    patterns, alpha = np.eye(24)[[3, 18]], np.array([0.05, 0.2])
    before = _fit(prepared, rows & (np.arange(DAYS) < 100), (patterns, alpha))
    regressors = prepared.regressors[rows] - prepared.regressors[rows].mean(axis=0)
    target = (prepared.target[rows] - prepared.target[rows].mean(axis=0)) @ patterns.T
    for start in (None, before):
        found = _fit(prepared, rows, (patterns, alpha), start).by_component
        for k in range(2):
            exact = Lasso(alpha=alpha[k], fit_intercept=False, tol=1e-8, max_iter=100_000).fit(regressors, target[:, k])
            size = float((target[:, k] ** 2).mean()) / 2.0
            reached, least = (_objective(regressors, target[:, k], one, alpha[k]) for one in (found[k], exact.coef_))
            assert least <= reached <= least + 2e-3 * size
            assert np.abs(found[k] - exact.coef_).max() < 0.05


def _objective(regressors: np.ndarray, target: np.ndarray, coefficient: np.ndarray, alpha: float) -> float:
    rest = target - regressors @ coefficient
    return float((rest**2).mean() / 2.0 + alpha * np.abs(coefficient).sum())
