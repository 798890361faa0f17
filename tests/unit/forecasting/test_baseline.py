"""The similar-day forecast against means worked out by hand, over both clock changes and short histories."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from trading_frames import day_ahead

from bess_pipeline import gb_time
from bess_pipeline.forecasting.baseline import similar_day
from bess_pipeline.working_days import is_working_day

MONDAY = date(2024, 2, 19)


def history(first: date, last: date) -> pd.DataFrame:
    """Price = day of the month x 100 + London hour, so that every mean says which days are in it."""
    frame = day_ahead(first, last, lambda local: 0.0)
    columns = gb_time.efa_columns(frame["start_utc"])
    hour = frame["start_utc"].dt.tz_convert(gb_time.LONDON).dt.hour
    number = columns["efa_date"].map(lambda day: day.day)
    return frame.assign(efa_date=columns["efa_date"], day_ahead_price_gbp_mwh=number * 100.0 + hour)


def hours_of(day: date) -> list[int]:
    return list(gb_time.efa_half_hours(day).tz_convert(gb_time.LONDON).hour)


def test_the_last_days_of_the_same_type_are_averaged_by_clock_half_hour() -> None:
    past = history(date(2024, 2, 5), date(2024, 2, 18))  # Monday to Sunday
    saturday = date(2024, 2, 24)
    forecast = similar_day(2)(past, [MONDAY, saturday])
    working, weekend = forecast[:48], forecast[48:]
    assert working.tolist() == [(15 + 16) / 2 * 100 + hour for hour in hours_of(MONDAY)]  # Thursday and Friday
    assert weekend.tolist() == [(17 + 18) / 2 * 100 + hour for hour in hours_of(saturday)]


def test_a_bank_holiday_is_like_a_sunday() -> None:
    easter_monday = date(2024, 4, 1)
    assert not is_working_day(easter_monday)
    assert is_working_day(date(2024, 4, 2))
    past = history(date(2024, 3, 20), date(2024, 3, 30))
    forecast = similar_day(1)(past, [easter_monday])
    assert forecast.tolist() == [30 * 100.0 + hour for hour in hours_of(easter_monday)]  # Saturday


def test_without_a_day_of_the_type_the_last_days_serve() -> None:
    past = history(date(2024, 2, 12), date(2024, 2, 16))  # no weekend
    assert similar_day(1)(past, [date(2024, 2, 17)])[0] == 16 * 100 + 23


@pytest.mark.parametrize(
    ("day", "rows", "alike"),
    [(date(2024, 3, 31), 46, [30, 29]), (date(2024, 10, 27), 50, [26, 20])],  # the 29th was Good Friday
)
def test_clock_change_days_have_the_prices_of_their_clock_hours(day: date, rows: int, alike: list[int]) -> None:
    past = history(day - timedelta(days=14), day - timedelta(days=1))
    forecast = similar_day(2)(past, [day])
    assert forecast.size == rows
    assert forecast.tolist() == [np.mean(alike) * 100 + hour for hour in hours_of(day)]


def test_an_hour_that_the_similar_days_lack_is_taken_from_the_whole_history() -> None:
    """The one similar day of Easter Monday 2024 is the Sunday on which 01:00 to 02:00 did not exist."""
    past = history(date(2024, 3, 25), date(2024, 3, 31))
    monday = date(2024, 4, 1)
    forecast = pd.Series(similar_day(1)(past, [monday]), index=hours_of(monday))
    assert set(forecast[2]) == {31 * 100 + 2}
    assert set(forecast[1]) == {np.mean(range(25, 31)) * 100 + 1}
    only = history(date(2024, 3, 31), date(2024, 3, 31))
    assert np.isfinite(similar_day(1)(only, [monday])).all()


def test_no_history_is_refused() -> None:
    with pytest.raises(ValueError, match="one day of history"):
        similar_day(3)(history(MONDAY, MONDAY).iloc[:0], [MONDAY])


def test_a_negative_price_is_a_price() -> None:
    past = history(MONDAY, MONDAY)
    past["day_ahead_price_gbp_mwh"] = -past["day_ahead_price_gbp_mwh"]
    assert (similar_day(1)(past, [date(2024, 2, 20)]) < 0).all()
