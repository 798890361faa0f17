"""The update of a forecast by its newest known error: on a planted law, and blind to what comes later."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from scenario_forecasts import DAY_AHEAD, SYSTEM_PRICE, marginals
from trading_frames import system_price

from bess_pipeline import gb_time
from bess_pipeline.forecasting.choice import crps_of_quantiles
from bess_pipeline.forecasting.dispatch_update import (
    FARTHEST_HALF_HOURS,
    ErrorMemory,
    standard_errors,
    update_at_dispatch,
)
from bess_pipeline.forecasting.distribution import LEVELS, Marginals
from bess_pipeline.forecasting.information import DispatchInformation
from bess_pipeline.forecasting.market_panel import panel_of_frames
from bess_pipeline.forecasting.observation import observe_dispatch

ONE_DAY, DAY = timedelta(days=1), date(2024, 2, 20)
PERSISTENCE, SPREAD = 0.95, 20.0
STEPS = PERSISTENCE ** np.arange(1, FARTHEST_HALF_HOURS + 1)
HERE, NEWEST = 30, 25  # the half-hour decided on, and the newest one that is over by more than an hour then
LOW, HIGH = (int(np.argmin(np.abs(LEVELS - level))) for level in (0.05, 0.95))


def autoregressive(days: int, seed: int) -> np.ndarray:
    """Errors (days, half-hours) of unit variance, each the last one times PERSISTENCE and noise; days are apart."""
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(days, 48))
    for period in range(1, 48):
        found[:, period] = PERSISTENCE * found[:, period - 1] + np.sqrt(1.0 - PERSISTENCE**2) * found[:, period]
    return found


def forecast() -> Marginals:
    return marginals(SYSTEM_PRICE, DAY, 50.0, SPREAD)


def decided(today: np.ndarray) -> DispatchInformation:
    """What the decision about half-hour HERE knows of a day whose system prices are `today`."""
    values = np.concatenate([np.full(48, 50.0), today])
    panel = panel_of_frames(DAY - ONE_DAY, DAY, system_price=system_price(DAY - ONE_DAY, DAY, values))
    return observe_dispatch(panel, gb_time.efa_half_hours(DAY)[HERE].to_pydatetime())


def test_the_planted_autoregression_is_found() -> None:
    memory = ErrorMemory.fit(autoregressive(600, 1))
    np.testing.assert_allclose(memory.coefficient, STEPS, atol=0.04)
    np.testing.assert_allclose(memory.left, 1.0 - STEPS**2, atol=0.04)


def test_errors_without_memory_move_nothing_and_few_days_move_less() -> None:
    loose = ErrorMemory.fit(np.random.default_rng(2).normal(size=(600, 48)))
    assert np.abs(loose.coefficient).max() < 0.03
    few = ErrorMemory.fit(autoregressive(1, 3))
    assert (np.abs(few.coefficient) < 0.75 * STEPS[0]).all()
    none = ErrorMemory.fit(np.full((5, 48), np.nan))
    np.testing.assert_array_equal(none.coefficient, 0.0)
    np.testing.assert_array_equal(none.left, 1.0)


def test_a_standard_error_is_one_for_an_outcome_a_standard_deviation_off() -> None:
    one = forecast()
    np.testing.assert_allclose(standard_errors(one, one.mean + SPREAD), 1.0)
    point = marginals(SYSTEM_PRICE, DAY, 50.0, 0.0)
    found = standard_errors(point, point.mean + np.repeat([0.0, 1.0], 48))
    np.testing.assert_array_equal(found, np.repeat([0.0, np.nan], 48))


def test_an_update_by_hand() -> None:
    one, memory = forecast(), ErrorMemory(STEPS, 1.0 - STEPS**2)
    today = one.mean[:48].copy()
    today[NEWEST] += 2.0 * SPREAD
    found = update_at_dispatch(one, decided(today), memory)
    coming = np.arange(HERE, NEWEST + FARTHEST_HALF_HOURS + 1)
    step = STEPS[coming - NEWEST - 1]
    np.testing.assert_allclose(found.mean[coming], one.mean[coming] + 2.0 * SPREAD * step)
    width = (found.quantile[:, HIGH] - found.quantile[:, LOW]) / (one.quantile[:, HIGH] - one.quantile[:, LOW])
    np.testing.assert_allclose(width[coming], np.sqrt(1.0 - step**2))
    others = np.setdiff1d(np.arange(96), coming)
    np.testing.assert_array_equal(found.quantile[others], one.quantile[others])
    np.testing.assert_array_equal(found.mean[others], one.mean[others])
    assert found.model.endswith("updated at dispatch")


def test_intervals_still_hold_nine_in_ten_and_forecasts_are_better() -> None:
    one, memory, decision = forecast(), ErrorMemory.fit(autoregressive(400, 4)), decided(np.full(48, 50.0))
    inside, better = [], []
    for error in autoregressive(150, 5):
        today = one.mean[:48] + SPREAD * error
        known = np.where(np.arange(96) <= 48 + NEWEST, np.tile(today, 2), np.nan)
        found = update_at_dispatch(one, replace(decision, value={"system_price": known}), memory)
        coming = slice(HERE, HERE + 6)
        came = today[coming]
        inside.append((came >= found.quantile[coming, LOW]) & (came <= found.quantile[coming, HIGH]))
        better.append([crps_of_quantiles(each.quantile[coming], came).mean() for each in (found, one)])
    assert np.mean(inside) == pytest.approx(0.9, abs=0.04)
    assert np.mean(better, axis=0)[0] < 0.9 * np.mean(better, axis=0)[1]


def test_nothing_later_is_seen_and_the_newest_known_value_is() -> None:
    one, memory = forecast(), ErrorMemory(STEPS, 1.0 - STEPS**2)
    today = one.mean[:48] + SPREAD * autoregressive(1, 6)[0]
    clean = update_at_dispatch(one, decided(today), memory)
    poisoned = today.copy()
    poisoned[NEWEST + 1 :] = 15_000.0
    again = update_at_dispatch(one, decided(poisoned), memory)
    assert again.quantile.tobytes() == clean.quantile.tobytes()
    assert again.mean.tobytes() == clean.mean.tobytes()
    changed = today.copy()
    changed[NEWEST] += 1.0
    assert update_at_dispatch(one, decided(changed), memory).mean.tobytes() != clean.mean.tobytes()


def test_without_a_value_of_the_day_the_forecast_stays_and_hours_are_refused() -> None:
    one, memory = forecast(), ErrorMemory(STEPS, 1.0 - STEPS**2)
    panel = panel_of_frames(DAY - ONE_DAY, DAY, system_price=system_price(DAY - ONE_DAY, DAY, 50.0))
    early = observe_dispatch(panel, gb_time.efa_half_hours(DAY)[0].to_pydatetime())
    assert update_at_dispatch(one, early, memory) is one
    with pytest.raises(ValueError, match="not forecast by half-hour"):
        update_at_dispatch(marginals(DAY_AHEAD, DAY), early, memory)
