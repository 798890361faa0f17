"""The yardsticks by hand: the last day again, and the mean of days of the same type."""

from __future__ import annotations

from datetime import date

import numpy as np
from planted import HOURLY, information

from bess_pipeline.forecast_settings import ForecastSettings
from bess_pipeline.forecasting.first_guess import first_guess
from bess_pipeline.forecasting.knowledge import recent_mean
from bess_pipeline.forecasting.model import Question
from bess_pipeline.forecasting.streams import SYSTEM_PRICE
from bess_pipeline.forecasting.yardsticks import last_7_days, last_28_days, mean_of_similar, persistence, similar_day

FRIDAY, SATURDAY = date(2025, 6, 6), date(2025, 6, 7)


def asked(last: date, days: int = 30, similar_days: int = 2, freshest: int = 1) -> Question:
    """Row r of the market has the price r in every hour."""
    price = np.repeat(np.arange(float(days))[:, None], 24, axis=1)
    known = information({HOURLY: price}, last=last, freshest={"day_ahead": freshest})
    return Question(known, HOURLY, 0, recent_mean(known, "day_ahead"), ForecastSettings(similar_days=similar_days))


def test_persistence_is_the_newest_day_known_whole() -> None:
    for freshest in (1, 2):
        question = asked(FRIDAY, freshest=freshest)
        np.testing.assert_array_equal(persistence(question).point(question), 29.0 - freshest)
        past = persistence(question).located.point[:, 0]
        np.testing.assert_array_equal(past[freshest:], np.arange(30.0 - freshest))


def test_similar_days_are_working_days_or_weekends() -> None:
    friday, saturday = asked(FRIDAY), asked(SATURDAY)
    np.testing.assert_array_equal(similar_day(friday).point(friday), (28 + 27) / 2)  # Thursday and Wednesday
    np.testing.assert_array_equal(similar_day(saturday).point(saturday), (23 + 22) / 2)  # last Sunday and Saturday


def test_means_of_a_week_and_of_four_are_of_the_days_that_the_gate_knew() -> None:
    question = asked(FRIDAY, freshest=2)  # the newest day known whole is 27, the day itself 29
    np.testing.assert_array_equal(last_7_days(question).point(question), np.arange(21, 28).mean())
    np.testing.assert_array_equal(last_28_days(question).point(question), np.arange(0, 28).mean())


def test_beside_a_day_ahead_price_means_are_of_the_difference_from_it() -> None:
    row = np.arange(30.0)[:, None]
    known = information({HOURLY: np.repeat(100.0 + row, 24, axis=1), SYSTEM_PRICE: np.repeat(100.0 + 3.0 * row, 48, 1)})
    driver = np.full((30, 24), 1000.0)
    question = Question(known, SYSTEM_PRICE, 0, first_guess(known, SYSTEM_PRICE, driver), ForecastSettings(), driver)
    np.testing.assert_allclose(last_7_days(question).point(question), 1000.0 + 2.0 * np.arange(22, 29).mean())
    np.testing.assert_allclose(last_28_days(question).point(question), 1000.0 + 2.0 * np.arange(1, 29).mean())
    alone = Question(known, SYSTEM_PRICE, 0, first_guess(known, SYSTEM_PRICE, None), ForecastSettings())
    np.testing.assert_allclose(last_7_days(alone).point(alone), 100.0 + 3.0 * np.arange(22, 29).mean())


def test_an_unknown_slot_takes_what_was_known_of_it_or_the_mean_of_all() -> None:
    values = np.array([[1.0, 2.0], [3.0, np.nan], [np.nan, np.nan], [5.0, np.nan]])
    found = mean_of_similar(values, np.array([False, True, True, True]), 1)
    np.testing.assert_array_equal(found, [[1.0, 2.0], [3.0, 2.0], [3.0, 2.0], [5.0, 2.0]])
    never = mean_of_similar(np.array([[4.0, np.nan], [6.0, np.nan]]), np.array([True, True]), 1)
    np.testing.assert_array_equal(never, [[4.0, 4.0], [6.0, 5.0]])
