"""Plans from stored forecasts: which price each half-hour gets, and what serves where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from bess_pipeline import gb_time
from bess_pipeline.trading.stored_forecast import day_ahead_mean, described, stored_mean

CLOCKS_FORWARD, CLOCKS_BACK, PLAIN = date(2026, 3, 29), date(2026, 10, 25), date(2026, 2, 3)
NOTHING = pd.DataFrame()


def otherwise(history: pd.DataFrame, days: Sequence[date]) -> np.ndarray:
    return np.full(sum(gb_time.periods_in_day(day) for day in days), -1.0)


def rows(day: date, minutes: int, gate: str = "day_ahead", stream: str = "day_ahead") -> pd.DataFrame:
    """A stored forecast whose mean is the number of the period, of every `minutes` of the day."""
    starts = gb_time.efa_half_hours(day)[:: minutes // 30]
    columns = {"gate": gate, "stream": stream, "start_utc": starts, "duration_minutes": minutes, "model": "lear"}
    return pd.DataFrame(columns | {"mean": np.arange(len(starts), dtype="float64")})


@pytest.mark.parametrize("day", [PLAIN, CLOCKS_FORWARD, CLOCKS_BACK])
@pytest.mark.parametrize("minutes", [30, 60])
def test_every_half_hour_has_the_mean_of_its_product(day: date, minutes: int) -> None:
    price = stored_mean(day_ahead_mean(rows(day, minutes), "day_ahead"), otherwise)(NOTHING, [day])
    assert price.tolist() == [k * 30 // minutes for k in range(gb_time.periods_in_day(day))]


def test_days_beyond_the_forecast_have_the_price_of_the_other_forecaster() -> None:
    after = PLAIN + timedelta(days=1)
    price = stored_mean(day_ahead_mean(rows(PLAIN, 60), "day_ahead"), otherwise)(NOTHING, [PLAIN, after])
    assert price[:48].min() == 0.0
    assert price[48:].tolist() == [-1.0] * 48


def test_without_a_stored_forecast_the_other_forecaster_serves_and_is_named() -> None:
    of_others = pd.concat([rows(PLAIN, 60, gate="response"), rows(PLAIN, 60, stream="system_price")])
    forecast = day_ahead_mean(of_others, "day_ahead")
    assert forecast.empty
    assert stored_mean(forecast, otherwise)(NOTHING, [PLAIN]).tolist() == [-1.0] * 48
    assert described(forecast, PLAIN, 20) == "the mean of the last 20 similar days (no stored forecast of its gate)"
    assert described(day_ahead_mean(rows(PLAIN, 60), "day_ahead"), PLAIN, 20) == "lear"
