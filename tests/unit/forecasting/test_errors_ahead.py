"""Distributions around forecasts: weighted quantiles, calibration, correction of intervals that are too narrow."""

from __future__ import annotations

import numpy as np
import pytest
from planted import HOURLY, information

from bess_pipeline.forecast_settings import ForecastSettings
from bess_pipeline.forecasting.distribution import LEVELS
from bess_pipeline.forecasting.errors_ahead import (
    ErrorQuantiles,
    forecaster_of_intervals,
    forecaster_of_points,
    old_days_factor,
    recency,
    weighted_quantiles,
)
from bess_pipeline.forecasting.model import Located, Question

LOW, HIGH = (int(np.argmin(np.abs(LEVELS - level))) for level in (0.05, 0.95))
DAYS, FRESH = 360, 400


def _question(values: np.ndarray) -> Question:
    known = information({HOURLY: values})
    return Question(known, HOURLY, 0, np.zeros(values.shape), ForecastSettings())


def test_equal_weights_give_the_quantiles_of_hazens_rule() -> None:
    values = np.random.default_rng(1).normal(size=(37, 3))
    levels = np.array([0.02, 0.25, 0.5, 0.9])
    expected = np.quantile(values, levels, axis=0, method="hazen").T
    np.testing.assert_allclose(weighted_quantiles(values, np.ones(values.shape), levels), expected)


def test_a_whole_weight_counts_as_so_many_equal_values_away_from_the_jumps() -> None:
    values = np.array([[1.0], [2.0], [3.0]])
    found = weighted_quantiles(values, np.array([[1.0], [8.0], [1.0]]), np.array([0.5]))
    assert found[0, 0] == 2.0


def test_unknown_values_weigh_nothing_and_an_empty_column_takes_the_others() -> None:
    values = np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, np.nan]])
    found = weighted_quantiles(values, np.ones(values.shape), np.array([0.5]))
    np.testing.assert_allclose(found, [[2.0], [2.0]])


def test_recent_errors_weigh_more() -> None:
    np.testing.assert_allclose(recency(3, 1.0), [0.25, 0.5, 1.0])


def test_intervals_hold_nine_in_ten_of_normal_outcomes_of_every_slots_own_size() -> None:
    rng = np.random.default_rng(2)
    size = np.linspace(1.0, 6.0, 24)
    drawn = rng.normal(size=(DAYS + FRESH, 24)) * size
    question = _question(drawn[:DAYS])
    zero = np.zeros((DAYS, 24))
    found = forecaster_of_points("zero", question, zero, lambda asked: np.zeros(asked.base.shape))
    quantile, mean = found.ahead(question)
    inside = (drawn[DAYS:] >= quantile[:, LOW]) & (drawn[DAYS:] <= quantile[:, HIGH])
    assert inside.mean() == pytest.approx(0.9, abs=0.02)
    assert inside.mean(axis=0).min() > 0.82
    assert np.abs(mean / size).max() < 0.35


def test_restless_days_get_wider_intervals() -> None:
    rng = np.random.default_rng(3)
    calm = np.repeat([0.5, 3.0], 30)[np.arange(DAYS) % 60]
    drawn = rng.normal(size=(DAYS, 24)) * calm[:, None]
    question = _question(drawn)
    found = forecaster_of_points("zero", question, np.zeros((DAYS, 24)), lambda asked: np.zeros(asked.base.shape))
    quantile, _ = found.past(np.ones(DAYS, dtype=bool))
    width = (quantile[:, :, HIGH] - quantile[:, :, LOW]).mean(axis=1)
    assert np.median(width[calm == 3.0]) > 2.0 * np.median(width[calm == 0.5])


def test_intervals_a_third_too_narrow_are_corrected() -> None:
    rng = np.random.default_rng(4)
    drawn = rng.normal(size=(DAYS + FRESH, 24))
    narrow = np.full((DAYS, 24), 1.2816 / 3.0)  # what a model calls its 10 % and 90 % levels
    question = _question(drawn[:DAYS])
    located = Located(np.zeros((DAYS, 24)), narrow, narrow)
    found = forecaster_of_intervals("narrow", question, located, lambda asked: located)
    quantile, _ = found.ahead(question)
    inside = (drawn[DAYS:] >= quantile[:, LOW]) & (drawn[DAYS:] <= quantile[:, HIGH])
    assert inside.mean() == pytest.approx(0.9, abs=0.02)


def test_days_ahead_that_are_forecast_worse_than_old_days_get_the_wider_intervals_they_need() -> None:
    """Old days are forecast as well as can be (sd 1), the last four weeks and days ahead in a noisier way (sd 1.25)."""
    rng = np.random.default_rng(6)
    drawn = rng.normal(size=(DAYS + FRESH, 24))
    noisy = 0.75 * rng.normal(size=drawn.shape)
    question = _question(drawn[:DAYS])
    as_old = np.zeros((DAYS, 24))
    point = np.where(np.arange(DAYS)[:, None] >= DAYS - 28, noisy[:DAYS], as_old)
    inside = {}
    for name, known in (("told", as_old), ("not told", None)):
        found = forecaster_of_points(name, question, point, lambda asked: np.zeros(asked.base.shape), known)
        quantile, _ = found.ahead(question)
        error = (drawn - noisy)[DAYS:]
        inside[name] = ((error >= quantile[:, LOW]) & (error <= quantile[:, HIGH])).mean()
    assert inside["told"] == pytest.approx(0.9, abs=0.02)
    assert inside["not told"] < 0.86
    past, _ = forecaster_of_points("told", question, point, lambda asked: asked.base, as_old).past(question.usable)
    old = drawn[: DAYS - 30]
    share = ((old >= past[: DAYS - 30, :, LOW]) & (old <= past[: DAYS - 30, :, HIGH])).mean()
    assert share == pytest.approx(0.9, abs=0.02)


def test_the_factor_of_old_days_is_the_ratio_on_the_same_days_within_limits() -> None:
    outcome = np.zeros((6, 2))
    as_old = np.full((6, 2), 2.0)
    for now, expected in ((2.4, 1.2), (9.0, 1.5), (0.1, 0.8), (2.0, 1.0)):
        point = as_old.copy()
        point[4:] = now
        np.testing.assert_allclose(old_days_factor(outcome, point, as_old)[:4], expected)
        np.testing.assert_allclose(old_days_factor(outcome, point, as_old)[4:], 1.0)


def test_a_short_history_gives_wider_intervals() -> None:
    drawn = np.tile(np.linspace(-1.0, 1.0, 20)[:, None], (1, 24))
    one = np.ones(drawn.shape)
    few = ErrorQuantiles.fit(Located(0 * one[:10], one[:10], one[:10]), drawn[::2], 1e9)
    many = ErrorQuantiles.fit(Located(0 * np.tile(one, (20, 1)), np.tile(one, (20, 1)), np.tile(one, (20, 1))),
                              np.tile(drawn, (20, 1)), 1e9)  # fmt: skip
    assert few.quantile[0, HIGH] > 1.2 * many.quantile[0, HIGH]


def test_nothing_lies_below_the_lowest_value_of_a_stream() -> None:
    one = np.ones((50, 24))
    errors = ErrorQuantiles.fit(Located(0 * one, one, one), np.random.default_rng(5).normal(size=(50, 24)), 100.0)
    quantile, mean = errors.around(Located(np.zeros(24), np.ones(24), np.ones(24)), lowest=0.0)
    assert quantile.min() == 0.0
    assert mean.min() >= 0.0
