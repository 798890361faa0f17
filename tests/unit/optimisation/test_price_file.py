"""A price series of any step and any battery: frame, accounts, London days, refusals."""

from __future__ import annotations

import math
from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.errors import BessError, UserInputError
from bess_pipeline.optimisation.price_file import optimise_price_series

HALF_HOUR = timedelta(minutes=30)
COLUMNS = ["start_utc", "price_gbp_mwh", "charge_mw", "discharge_mw", "energy_mwh", "cash_gbp"]


def _starts(first: str, periods: int, step: str = "30min") -> pd.DatetimeIndex:
    return pd.date_range(first, periods=periods, freq=step, tz="UTC", unit="us")


def test_frame_and_accounts() -> None:
    battery = Battery(2.0, 1.0, degradation_cost_gbp_per_mwh=2.0)
    starts = _starts("2026-01-05", 3)
    result = optimise_price_series(starts, [10.0, 100.0, 50.0], HALF_HOUR, battery)
    frame = result.frame
    assert list(frame.columns) == COLUMNS
    assert str(frame["start_utc"].dtype) == "datetime64[us, UTC]"
    assert frame["start_utc"].tolist() == starts.tolist()
    np.testing.assert_allclose(frame["cash_gbp"], [-5.0, 50.0, 0.0], atol=1e-9)
    assert result.cash_gbp == pytest.approx(45.0)
    assert result.wear_gbp == pytest.approx(2.0)
    assert result.profit_after_wear_gbp == pytest.approx(43.0)
    assert result.equivalent_cycles == pytest.approx(0.25)
    assert result.gap <= 1e-9


@pytest.mark.parametrize("minutes", [5, 15, 60, 240])
def test_any_step(minutes: int) -> None:
    battery = Battery(1000.0, 6.0)
    starts = _starts("2026-01-05", 2, f"{minutes}min")
    result = optimise_price_series(starts, [0.0, 10.0], timedelta(minutes=minutes), battery)
    assert result.cash_gbp == pytest.approx(10.0 * 6.0 * minutes / 60)


def test_cycle_limit_counts_london_days_through_a_clock_change() -> None:
    """The Sunday of 2026-10-25 has 50 half-hours; 22:30Z on the Saturday belongs to the Saturday still (BST)."""
    battery = Battery(1.0, 10.0, max_cycles_per_day=1.0)
    starts = _starts("2026-10-24T12:00", 120)
    price = np.tile([0.0, 80.0], 60) + np.arange(120) / 1000
    frame = optimise_price_series(starts, price, HALF_HOUR, battery).frame
    local_day = frame["start_utc"].dt.tz_convert(ZoneInfo("Europe/London")).dt.date
    discharged = (frame["discharge_mw"] * 0.5).groupby(local_day).sum()
    assert (frame.groupby(local_day).size() == [22, 50, 48]).all()
    np.testing.assert_allclose(discharged, [1.0, 1.0, 1.0], atol=1e-9)


def test_the_battery_runs_from_its_initial_to_its_final_state() -> None:
    battery = Battery(10.0, 4.0, 0.9, 0.9, 0.1, 0.9, initial_soc=0.3, final_soc=0.6)
    result = optimise_price_series(_starts("2026-01-05", 8), np.full(8, 40.0), HALF_HOUR, battery)
    assert result.frame["energy_mwh"].iloc[-1] == pytest.approx(6.0)
    assert result.cash_gbp == pytest.approx(-40.0 * 3.0 / 0.9)


def test_a_single_period_is_a_series() -> None:
    result = optimise_price_series(_starts("2026-01-05", 1), [50.0], HALF_HOUR, Battery(1.0, 1.0))
    assert result.cash_gbp == 0.0
    assert result.frame["energy_mwh"].tolist() == [0.0]


@pytest.mark.parametrize(
    ("starts", "prices", "step", "words"),
    [
        (_starts("2026-01-05", 2), [1.0, math.nan], HALF_HOUR, "price_gbp_mwh at 2026-01-05T00:30Z is nan"),
        (_starts("2026-01-05", 2), [math.inf, 1.0], HALF_HOUR, "price_gbp_mwh at 2026-01-05T00:00Z is inf"),
        (_starts("2026-01-05", 2), [1.0], HALF_HOUR, "2 starts of periods and 1 prices"),
        (_starts("2026-01-05", 0), [], HALF_HOUR, "empty"),
        (_starts("2026-01-05", 3).delete(1), [1.0, 2.0], HALF_HOUR, "goes from 2026-01-05T00:00Z to 2026-01-05T01:00Z"),
        (_starts("2026-01-05", 2).tz_localize(None), [1.0, 2.0], HALF_HOUR, "no time zone"),
        (_starts("2026-01-05", 2), [1.0, 2.0], timedelta(), "above 0"),
    ],
)
def test_a_bad_series_is_refused_in_one_sentence(
    starts: pd.DatetimeIndex, prices: list[float], step: timedelta, words: str
) -> None:
    with pytest.raises(UserInputError, match=words) as caught:
        optimise_price_series(starts, prices, step, Battery(1.0, 1.0))
    assert "\n" not in str(caught.value)


def test_a_final_state_out_of_reach_is_one_sentence() -> None:
    battery = Battery(10.0, 1.0, initial_soc=0.0, final_soc=1.0)
    with pytest.raises(BessError, match="closing state of 10 MWh cannot be reached"):
        optimise_price_series(_starts("2026-01-05", 2), [1.0, 2.0], HALF_HOUR, battery)
