"""Means of the forecast in every period of a price, differences between scenarios as they were."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from gate_cases import scenario_set
from hypothesis import given
from hypothesis import strategies as st
from scenario_forecasts import CLOCKS_BACK, CLOCKS_FORWARD, WEDNESDAY, marginals

from bess_pipeline.forecasting import streams
from bess_pipeline.forecasting.distribution import Marginals
from bess_pipeline.scenarios.centred import centred
from bess_pipeline.scenarios.paths import ScenarioSet

PRICES = [streams.day_ahead(60), streams.SYSTEM_PRICE, streams.MARKET_INDEX, *streams.RESPONSE.values()]
EVERY = [*PRICES, *streams.ACTIVATION.values()]


def forecasts(day: object, level: float = 50.0) -> dict[str, Marginals]:
    return {one.name: marginals(one, day, level) for one in EVERY}  # type: ignore[arg-type]


def means(scenarios: ScenarioSet) -> dict[str, np.ndarray]:
    return {name: scenarios.probability @ values for name, values in scenarios.value.items()}


@pytest.mark.parametrize("day", [WEDNESDAY, CLOCKS_FORWARD, CLOCKS_BACK])
def test_prices_have_the_forecasts_means_and_their_own_differences(day: object) -> None:
    scenarios, forecast = scenario_set(day, 7), forecasts(day)  # type: ignore[arg-type]
    found = centred(scenarios, forecast)
    for stream in PRICES:
        np.testing.assert_allclose(means(found)[stream.name], forecast[stream.name].mean, rtol=1e-12)
        apart, before = (one.value[stream.name] - one.value[stream.name][:1] for one in (found, scenarios))
        np.testing.assert_allclose(apart, before, atol=1e-9)
    for stream in streams.ACTIVATION.values():
        np.testing.assert_array_equal(found.value[stream.name], scenarios.value[stream.name])
    assert found.probability is scenarios.probability


@given(level=st.floats(-500.0, 500.0), count=st.integers(1, 5), seed=st.integers(0, 1000))
def test_a_second_time_changes_nothing(level: float, count: int, seed: int) -> None:
    once = centred(scenario_set(WEDNESDAY, count, seed), forecasts(WEDNESDAY, level))
    again = centred(once, forecasts(WEDNESDAY, level))
    for name, values in once.value.items():
        np.testing.assert_allclose(again.value[name], values, atol=1e-9)


def test_what_is_not_forecast_stays() -> None:
    scenarios = scenario_set(WEDNESDAY, 3)
    assert centred(scenarios, {}).value["day_ahead"] is scenarios.value["day_ahead"]
    known = forecasts(WEDNESDAY)["day_ahead"]
    first = np.asarray(known.lead == 0)
    one_day = Marginals(
        known.stream, known.start_utc[first], known.slot[first], known.lead[first], known.quantile[first],
        np.where(np.arange(first.sum()) == 3, np.nan, known.mean[first]), "by hand",
    )  # fmt: skip
    found = centred(scenarios, {"day_ahead": one_day})
    moved = (found.value["day_ahead"] != scenarios.value["day_ahead"]).any(axis=0)
    assert moved.tolist() == [n != 3 for n in range(24)] + [False] * 24
    other_day = marginals(known.stream, WEDNESDAY + timedelta(days=9))
    np.testing.assert_array_equal(centred(scenarios, {"day_ahead": other_day}).value["day_ahead"],
                                  scenarios.value["day_ahead"])  # fmt: skip


def test_no_value_is_below_what_its_stream_can_have() -> None:
    scenarios = scenario_set(WEDNESDAY, 4)
    floor = replace(scenarios.streams["system_price"], lowest=0.0)
    bounded = replace(scenarios, streams={**scenarios.streams, "system_price": floor})
    found = centred(bounded, forecasts(WEDNESDAY, -400.0))
    assert found.value["system_price"].min() == 0.0
