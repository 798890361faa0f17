"""Boosted quantiles: right intervals on errors whose size is planted, and what a linear model cannot find."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from planted import HOURLY, daily_shape, information
from threadpoolctl import threadpool_limits

from bess_pipeline.forecast_settings import ForecastSettings
from bess_pipeline.forecasting.boosted import boosted
from bess_pipeline.forecasting.combination import combination
from bess_pipeline.forecasting.distribution import LEVELS
from bess_pipeline.forecasting.errors_ahead import Forecaster, forecaster_of_points
from bess_pipeline.forecasting.knowledge import recent_mean
from bess_pipeline.forecasting.model import Question, thinned

DAYS = 300
SETTINGS = ForecastSettings()
LOW, HIGH = (int(np.argmin(np.abs(LEVELS - level))) for level in (0.05, 0.95))


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """As in `make_forecast`."""
    with threadpool_limits(limits=1):
        yield


def question(price: np.ndarray, wind: np.ndarray) -> Question:
    known = information({HOURLY: price}, {"wind": np.repeat(wind, 2, axis=1)})
    return Question(known, HOURLY, 0, recent_mean(known, HOURLY.name), SETTINGS)


def flat(asked: Question, value: float = 0.0) -> Forecaster:
    """The daily shape, raised by `value`, as the model that trees start from."""

    def predict(any_question: Question) -> np.ndarray:
        return np.broadcast_to(daily_shape() + value, any_question.base.shape).copy()

    return forecaster_of_points("flat", asked, predict(asked), predict)


def test_intervals_follow_a_planted_size_of_errors_and_hold_nine_in_ten() -> None:
    rng = np.random.default_rng(1)
    wind = rng.uniform(0.0, 1.0, size=(DAYS, 24))
    size = np.where(wind > 0.5, 12.0, 2.0)
    price = daily_shape() + size * rng.normal(size=(DAYS, 24))
    asked = question(price, wind)
    found = boosted(asked, flat(asked))
    rows = asked.usable.copy()
    rows[:40] = False
    quantile, _ = found.past(rows)
    inside = (asked.outcome[rows] >= quantile[:, :, LOW]) & (asked.outcome[rows] <= quantile[:, :, HIGH])
    restless = wind[rows] > 0.5
    assert inside.mean() == pytest.approx(0.9, abs=0.015)
    assert inside[restless].mean() == pytest.approx(0.9, abs=0.08)  # few trees go most of the way
    assert inside[~restless].mean() == pytest.approx(0.9, abs=0.08)
    width = quantile[:, :, HIGH] - quantile[:, :, LOW]
    assert np.median(width[restless]) > 2.5 * np.median(width[~restless])


def test_a_step_that_no_straight_line_follows_is_found_ahead() -> None:
    rng = np.random.default_rng(2)
    wind = rng.uniform(-1.0, 1.0, size=(DAYS, 24))
    step = np.where(np.abs(wind) > 0.5, 20.0, -20.0)
    asked = question(daily_shape() + step + rng.normal(size=(DAYS, 24)), wind)
    found = boosted(asked, flat(asked)).point(asked) - daily_shape()
    assert (np.sign(found) == np.sign(step[-1])).all()
    assert np.abs(found - step[-1]).mean() < 8.0  # few trees that learn fast go most of the way


def test_the_past_is_forecast_by_trees_that_did_not_see_it() -> None:
    """Outcomes of some days change: their own honest forecasts keep their bytes, those of another part move."""
    rng = np.random.default_rng(3)
    asked = question(daily_shape() + rng.normal(size=(150, 24)), rng.uniform(-1.0, 1.0, size=(150, 24)))
    outcome = {key: values.copy() for key, values in asked.information.outcome.items()}
    outcome[HOURLY.name, 0][60:80] += 60.0  # of three parts the second
    other = replace(asked, information=replace(asked.information, outcome=outcome))
    before, after = (boosted(one, flat(one)).located.point for one in (asked, other))
    np.testing.assert_array_equal(before[60:80], after[60:80])
    assert np.abs(before[5:40] - after[5:40]).max() > 0.0


def test_trees_are_grown_on_half_of_the_half_hours_and_on_all_hours() -> None:
    assert thinned((3, 24)).all()
    half = thinned((4, 48))
    np.testing.assert_array_equal(half.sum(axis=1), 24)
    np.testing.assert_array_equal(half[0], ~half[1])


def test_a_combination_is_the_mean_of_its_members_now_and_then() -> None:
    rng = np.random.default_rng(4)
    asked = question(daily_shape() + rng.normal(size=(60, 24)), rng.normal(size=(60, 24)))
    members = [flat(asked, -3.0), flat(asked, 9.0)]
    found = combination(asked, members)
    np.testing.assert_allclose(found.point(asked), daily_shape() + 3.0)
    np.testing.assert_allclose(found.located.point, np.broadcast_to(daily_shape() + 3.0, (60, 24)))
    quantile, mean = found.ahead(asked)
    np.testing.assert_allclose(mean, daily_shape(), atol=1.0)  # its own past errors are 3 too high, and it knows
    assert (quantile[:, LOW] < mean).all()
    assert (mean < quantile[:, HIGH]).all()
