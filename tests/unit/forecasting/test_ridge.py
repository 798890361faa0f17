"""The ridge regression: its coefficients by augmented least squares, what it finds, and what it may not look at."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from planted import HOURLY, daily_shape, information

from bess_pipeline.forecast_settings import ForecastSettings
from bess_pipeline.forecasting.information import Information
from bess_pipeline.forecasting.knowledge import recent_mean
from bess_pipeline.forecasting.model import Question
from bess_pipeline.forecasting.ridge import PRIOR_DAYS, Regression, ridge
from bess_pipeline.forecasting.yardsticks import similar_day

SETTINGS = ForecastSettings()


def _windy(days: int = 300) -> tuple[Information, np.ndarray]:
    """Prices that fall by 1 for each 100 MW of forecast wind; the truth of every row."""
    rng = np.random.default_rng(1)
    wind = np.repeat(3000.0 * rng.normal(size=(days, 1)), 48, axis=1)
    price = daily_shape() - wind[:, ::2] / 100.0 + rng.normal(size=(days, 24))
    return information({HOURLY: price}, {"wind": wind}), price


def _question(known: Information) -> Question:
    return Question(known, HOURLY, 0, recent_mean(known, HOURLY.name), SETTINGS)


def test_coefficients_are_those_of_least_squares_with_the_prior_as_further_days() -> None:
    """sqrt(prior) x identity below the regressors, zeros below the differences: a second formulation of the ridge."""
    rng = np.random.default_rng(5)
    regressors = rng.normal(size=(60, 4)) * [1.0, 20.0, 0.1, 5.0] + [0.0, 50.0, 1.0, -3.0]
    away = regressors @ rng.normal(size=(4, 6)) + rng.normal(size=(60, 6))
    found = Regression.fit(regressors, away)
    scaled = np.clip((regressors - regressors.mean(axis=0)) / regressors.std(axis=0), -3.0, 3.0)
    scaled -= scaled.mean(axis=0)
    rows = np.vstack([scaled, np.sqrt(PRIOR_DAYS) * np.eye(4)])
    expected = np.linalg.lstsq(rows, np.vstack([away, np.zeros((4, 6))]), rcond=None)[0]
    np.testing.assert_allclose(found.coefficient, expected, rtol=1e-9, atol=1e-12)


def test_unknown_and_constant_regressors_add_nothing() -> None:
    rng = np.random.default_rng(6)
    plain, away = rng.normal(size=(80, 2)), rng.normal(size=(80, 3))
    constant, rare = np.full((80, 1), 7.0), np.where(np.arange(80)[:, None] < 20, 1.0, np.nan)
    more = np.hstack([constant, plain, rare])
    np.testing.assert_array_equal(Regression.fit(more, away)(more), Regression.fit(plain, away)(plain))
    unknown = np.full((1, 2), np.nan)
    np.testing.assert_array_equal(Regression.fit(plain, away)(unknown), np.zeros((1, 3)))


def test_it_finds_the_planted_regressor_and_stays_nearer_the_first_guess_than_the_truth() -> None:
    known, price = _windy()
    question = _question(known)
    model, yardstick = ridge(question), similar_day(question)
    errors = [np.nanmean(np.abs(price[60:-2] - one.located.point[60:-2])) for one in (model, yardstick)]
    assert errors[0] < 0.8 * errors[1]
    moved = (model.located.point - question.base)[60:-2].mean(axis=1)
    wanted = (price - question.base)[60:-2].mean(axis=1)
    slope = float(moved @ wanted / (wanted @ wanted))
    assert 0.1 < slope < 1.0


def test_rows_that_are_not_wholly_known_are_not_trained_on() -> None:
    known, _ = _windy(90)
    poisoned = {key: values.copy() for key, values in known.outcome.items()}
    poisoned[HOURLY.name, 0][-1, :3] = 1e6
    question, absurd = _question(known), _question(replace(known, outcome=poisoned))
    assert not question.usable[-1]
    for mine, other in zip(ridge(question).ahead(question), ridge(absurd).ahead(absurd), strict=True):
        assert mine.tobytes() == other.tobytes()


def test_a_known_outcome_does_change_the_forecast() -> None:
    known, _ = _windy(90)
    changed = {key: values.copy() for key, values in known.outcome.items()}
    changed[HOURLY.name, 0][-3] += 50.0
    question, other = _question(known), _question(replace(known, outcome=changed))
    assert ridge(question).point(question).tobytes() != ridge(other).point(other).tobytes()
