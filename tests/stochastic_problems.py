"""Stochastic problems for tests: the coupled case of the benchmark, response blocks, and random small ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.optimisation.problem import ClosingState
from bess_pipeline.optimisation.stochastic.problem import ResponseProduct, StochasticProblem

LOW = ResponseProduct("dcl", "low", 0.1, 0.25)
HIGH = ResponseProduct("drh", "high", 0.4, 1.0)


def price_paths(scenarios: int, periods: int = 48, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Hourly day-ahead and half-hourly system prices, (N, T), GBP/MWh, some of them negative and some high."""
    rng = np.random.default_rng(seed)
    t = np.arange(periods)
    shape = 70 + 30 * np.sin((t - 14) * 2 * np.pi / 48) + 15 * np.sin(t * 4 * np.pi / 48)
    slow = np.cumsum(rng.standard_normal((scenarios, periods)), axis=1) * 3
    day_ahead = (shape + slow).reshape(scenarios, -1, 2).mean(axis=2).repeat(2, axis=1)
    spike = rng.exponential(150, (scenarios, periods)) * (rng.random((scenarios, periods)) < 0.05)
    return day_ahead, day_ahead + 30 * rng.standard_normal((scenarios, periods)) + spike


def coupled(
    scenarios: int, *, periods: int = 48, seed: int = 1, cap_mw: float = 25.0, **other: Any
) -> StochasticProblem:
    """50 MW / 100 MWh, hourly products, |dispatch - plan| <= cap; weights that differ; further fields by name."""
    day_ahead, system = price_paths(scenarios, periods, seed)
    weight = 1 + np.arange(scenarios) % 3
    battery = other.pop("battery", BATTERY)
    given = {"committed_periods": periods, "closing": ClosingState.fixed(50.0)} | other
    return StochasticProblem(
        battery=battery,
        hours=0.5,
        day_index=np.arange(periods) // 48,
        product_of_period=np.arange(periods) // 2,
        day_ahead_price_gbp_mwh=given.pop("day_ahead_price_gbp_mwh", day_ahead),
        system_price_gbp_mwh=given.pop("system_price_gbp_mwh", system),
        probability=given.pop("probability", weight / weight.sum()),
        opening_energy_mwh=given.pop("opening_energy_mwh", 50.0),
        imbalance_limit_mw=cap_mw,
        **given,
    )


BATTERY = Battery(
    energy_mwh=100.0,
    power_mw=50.0,
    charge_efficiency=0.93,
    discharge_efficiency=0.93,
    initial_soc=0.5,
    final_soc=0.5,
    degradation_cost_gbp_per_mwh=3.0,
)


def with_response(scenarios: int, *, periods: int = 48, seed: int = 2, **other: Any) -> StochasticProblem:
    """The coupled problem with a low and a high product in four-hour blocks, activated at random."""
    rng = np.random.default_rng(seed)
    blocks = -(-periods // 8)
    price = np.stack(
        [rng.uniform(2, 20, (scenarios, blocks)), rng.uniform(-10, 15, (scenarios, blocks))],
        axis=1,
    )
    given: dict[str, Any] = {
        "block_of_period": np.arange(periods) // 8,
        "responses": (LOW, HIGH),
        "response_price_gbp_mw_h": price,
        "response_cap_mw": np.full((2, blocks), 20.0),
        "activation_mwh_per_mw": rng.uniform(0, [0.01, 0.15], (scenarios, periods, 2)),
        "required_mwh_per_mw": np.broadcast_to([0.25, 1.0], (periods, 2)).copy(),
    }
    return coupled(scenarios, periods=periods, seed=seed, **(given | other))


hundredths = st.integers(0, 100).map(lambda n: n / 100)


@st.composite
def problems(draw: st.DrawFn) -> StochasticProblem:
    """A few scenarios over a few hours: any losses and limits, with or without response, prices of any sign."""
    scenarios, hours = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    periods, seed = 2 * hours, draw(st.integers(0, 10_000))
    rng = np.random.default_rng(seed)
    scale = draw(st.sampled_from([1.0, 60.0, 400.0]))
    battery = Battery(
        energy_mwh=draw(st.sampled_from([1.0, 20.0, 100.0])),
        power_mw=draw(st.sampled_from([0.5, 10.0, 50.0])),
        charge_efficiency=draw(st.sampled_from([0.8, 0.93, 1.0])),
        discharge_efficiency=draw(st.sampled_from([0.85, 1.0])),
        soc_min=draw(st.sampled_from([0.0, 0.1])),
        soc_max=draw(st.sampled_from([0.9, 1.0])),
        initial_soc=0.5,
        final_soc=0.5,
        degradation_cost_gbp_per_mwh=draw(st.sampled_from([0.0, 3.0])),
        max_cycles_per_day=draw(st.sampled_from([None, 0.3, 2.0])),
        self_discharge_per_hour=draw(st.sampled_from([0.0, 0.01])),
        auxiliary_mw=draw(st.sampled_from([0.0, 0.01])),
    )
    opening = 0.5 * battery.energy_mwh
    given: dict[str, Any] = {
        "battery": battery,
        "opening_energy_mwh": opening,
        "committed_periods": draw(st.integers(1, periods)),
        "cap_mw": draw(st.sampled_from([0.0, 2.0, 25.0])),
        "closing": draw(st.sampled_from([ClosingState.at_least(0.9 * opening), ClosingState.free(40.0)])),
        "day_ahead_price_gbp_mwh": draw(st.sampled_from([0.0, 50.0]))
        + scale * rng.standard_normal((scenarios, periods)),
        "system_price_gbp_mwh": draw(st.sampled_from([-20.0, 50.0]))
        + scale * rng.standard_normal((scenarios, periods)),
        "absvd_applies": draw(st.booleans()),
        "baseline_adds_headroom": draw(st.booleans()),
    }
    if not draw(st.booleans()):
        return coupled(scenarios, periods=periods, seed=seed, **given)
    cap = draw(st.sampled_from([0.0, 0.5, 30.0]))
    return with_response(
        scenarios, periods=periods, seed=seed, **given, response_cap_mw=np.full((2, -(-periods // 8)), cap)
    )
