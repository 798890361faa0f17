"""The strategy that looks ahead on forecasts: what it plans from a history whose forecast can be read off."""

from __future__ import annotations

import dataclasses
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from trading_frames import BATTERY, day_ahead

from bess_pipeline import gb_time
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.optimisation.solver import IN_PROCESS
from bess_pipeline.settings import RollingSettings
from bess_pipeline.trading import rolling
from bess_pipeline.trading.plans import PlanOutcome

DAY = date(2024, 2, 20)
ETA = 0.88**0.5


def cheap_at_three_dear_at_seventeen(local: datetime) -> float:
    return {3: 20.0, 4: 20.0, 17: 140.0, 18: 140.0}.get(local.hour, 70.0)


def plan(
    prices: pd.DataFrame, day: date = DAY, battery: Battery = BATTERY, opening_mwh: float = 5.0, **settings: object
) -> PlanOutcome:
    return rolling.plan_day(
        day,
        prices,
        battery,
        opening_mwh,
        history_days=28,
        rolling=RollingSettings.model_validate(settings),
        solver=IN_PROCESS,
    )


def history(day: date = DAY, resolution: int = 60) -> pd.DataFrame:
    first, last = day - timedelta(days=28), day - timedelta(days=1)
    return day_ahead(first, last, cheap_at_three_dear_at_seventeen, resolution=resolution)


def frame_of(outcome: PlanOutcome) -> pd.DataFrame:
    assert outcome.frame is not None, outcome.reason
    return outcome.frame


@pytest.mark.parametrize(("day", "rows"), [(date(2024, 3, 31), 46), (date(2024, 10, 27), 50), (DAY, 48)])
@pytest.mark.parametrize("look_ahead_hours", [24, 36, 48, 72])
def test_a_day_is_traded_at_its_clock_hours_whatever_its_length(day: date, rows: int, look_ahead_hours: int) -> None:
    frame = frame_of(plan(history(day), day, look_ahead_hours=look_ahead_hours, terminal_value_gbp_mwh=0.0))
    assert len(frame) == rows
    assert set(frame["gate"]) == {"day_ahead"}
    assert set(frame["strategy"]) == {"day_ahead_rolling"}
    local = frame["start_utc"].dt.tz_convert(gb_time.LONDON).dt.hour
    assert set(local[frame["discharge_mw"] > 1e-6]) == {17, 18}
    assert set(local[frame["charge_mw"] > 1e-6]) == {3, 4}
    assert frame["energy_mwh"].max() == pytest.approx(95.0)
    assert frame["energy_mwh"].iloc[-1] == pytest.approx(5.0)
    hourly = frame["day_ahead_mw"].to_numpy().reshape(-1, 2)
    assert (hourly[:, 0] == hourly[:, 1]).all()


def test_what_is_stored_is_worth_keeping_when_tomorrow_pays_more() -> None:
    """Weekends are dear here: on Friday a battery that sees Saturday keeps what one that does not sells."""
    friday = date(2024, 2, 23)
    dear_weekend = day_ahead(
        friday - timedelta(days=28),
        friday - timedelta(days=1),
        lambda local: 200.0 if (local + timedelta(hours=1)).weekday() >= 5 else 60.0,
    )
    blind = frame_of(plan(dear_weekend, friday, opening_mwh=95.0, look_ahead_hours=24, terminal_value_gbp_mwh=0.0))
    seeing = frame_of(plan(dear_weekend, friday, opening_mwh=95.0, look_ahead_hours=48, terminal_value_gbp_mwh=0.0))
    valued = frame_of(plan(dear_weekend, friday, opening_mwh=95.0, look_ahead_hours=24, terminal_value_gbp_mwh=150.0))
    assert blind["energy_mwh"].iloc[-1] == pytest.approx(5.0)
    assert seeing["energy_mwh"].iloc[-1] == pytest.approx(95.0)
    assert valued["energy_mwh"].iloc[-1] == pytest.approx(95.0)


def test_the_terminal_value_is_the_setting_or_the_mean_of_recent_prices_less_losses_and_wear() -> None:
    prices = history()
    mean = (20.0 * 2 + 140.0 * 2 + 70.0 * 20) / 24
    auto = rolling.terminal_value_gbp_mwh(prices, BATTERY, RollingSettings())
    assert auto == pytest.approx(ETA * (mean - 5.0))
    assert rolling.terminal_value_gbp_mwh(prices, BATTERY, RollingSettings(terminal_value_gbp_mwh=-3.5)) == -3.5


def test_products_of_a_half_hour_may_differ_within_the_hour() -> None:
    prices = history(resolution=30)
    late = prices["start_utc"].dt.minute == 30
    cheaper_late = prices["day_ahead_price_gbp_mwh"] - late * 10.0
    frame = frame_of(
        plan(
            prices.assign(day_ahead_price_gbp_mwh=cheaper_late),
            battery=dataclasses.replace(BATTERY, energy_mwh=50.0),
            opening_mwh=2.5,
            terminal_value_gbp_mwh=0.0,
        )
    )
    charging = frame["start_utc"][frame["charge_mw"] > 1e-6]
    assert set(charging.dt.strftime("%H:%M")) == {"03:30", "04:30"}


def test_fewer_than_seven_known_days_is_a_reasoned_refusal() -> None:
    short = day_ahead(DAY - timedelta(days=6), DAY, cheap_at_three_dear_at_seventeen)
    outcome = plan(short)
    assert outcome.frame is None
    assert outcome.reason.startswith("6 complete days of day-ahead prices were known")
    assert outcome.reason.endswith("the forecast needs 7")


def test_a_forecaster_of_ones_own_is_asked_for_the_days_of_the_horizon() -> None:
    asked: list[list[date]] = []

    def flat(known: pd.DataFrame, days: list[date]) -> np.ndarray:
        assert known["efa_date"].max() < DAY
        asked.append(list(days))
        return np.full(sum(gb_time.periods_in_day(day) for day in days), 80.0)

    outcome = rolling.plan_day(
        DAY,
        history(),
        BATTERY,
        5.0,
        history_days=28,
        rolling=RollingSettings(look_ahead_hours=30),
        solver=IN_PROCESS,
        forecaster=flat,
    )
    assert asked == [[DAY, DAY + timedelta(days=1)]]
    assert (frame_of(outcome)["day_ahead_mw"] == 0.0).all()  # a flat forecast pays no losses
