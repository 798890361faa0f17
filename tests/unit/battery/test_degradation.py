"""Fade against the published check values, virtual time by brute force, life used, and calibration of the plan."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bess_pipeline.battery.cycle_counting import Cycles, count_cycles
from bess_pipeline.battery.degradation import (
    ReplacementCost,
    WearState,
    accrue,
    calendar_rate,
    cycle_rate,
    cycle_squared,
    depth_segment_costs,
    life_share,
    matching_cost_gbp_per_mwh,
)
from bess_pipeline.battery.parameters import Battery

YEAR_H = 8760.0


def test_a_year_of_rest_at_25_degrees_and_half_full_costs_4_25_percent() -> None:
    state, cycles = accrue(WearState(), [0.5, 0.5], [YEAR_H], 25.0)
    assert state.calendar_fade == pytest.approx(0.0425, abs=5e-5)
    assert (state.cycle_fade, cycles.depth.size) == (0.0, 0)
    assert state.state_of_health == pytest.approx(1 - 0.0425, abs=5e-5)


def test_a_year_of_full_cycles_at_half_a_c_costs_3_32_percent() -> None:
    """365 full cycles, each two hours down and two hours up."""
    path = np.tile([1.0, 0.5, 0.0, 0.5], 365)
    state, _ = accrue(WearState(), [*path, 1.0], 1.0, 25.0)
    assert state.cycle_fade == pytest.approx(0.0332, abs=5e-5)


def test_heat_and_a_high_state_of_charge_age_faster() -> None:
    rate = calendar_rate([0.0, 0.5, 1.0], 25.0)
    assert rate[0] < rate[1] < rate[2]
    ratio = calendar_rate(0.5, 35.0) / calendar_rate(0.5, 25.0)
    assert ratio == pytest.approx(math.exp(17126 / 8.314 * (1 / 298.15 - 1 / 308.15)))
    assert cycle_rate(0.9, 1.0) > cycle_rate(0.9, 0.5) > cycle_rate(0.3, 0.5)


def test_changing_conditions_go_on_from_the_virtual_time() -> None:
    """Step by step: invert the root at the present fade, add the step, take the root again."""
    rng = np.random.default_rng(3)
    soc = rng.uniform(0, 1, 200)
    hours = rng.uniform(0.5, 200, 199)
    fade = 0.0
    for middle, length in zip((soc[1:] + soc[:-1]) / 2, hours, strict=True):
        k = float(calendar_rate(middle, 30.0))
        virtual_s = (fade / k) ** 2 + length * 3600
        fade = k * math.sqrt(virtual_s)
    state, cycles = accrue(WearState(), soc, hours, 30.0)
    assert state.calendar_fade == pytest.approx(fade, rel=1e-9)
    wear = 0.0
    for depth, count, rate in zip(cycles.depth, cycles.count, cycles.c_rate, strict=True):
        k = float(cycle_rate(depth, rate))
        wear = k * math.sqrt((wear / k) ** 2 + count * depth)
    assert state.cycle_fade == pytest.approx(wear, rel=1e-9)
    assert wear > 0


def test_days_one_by_one_come_to_the_whole_path() -> None:
    rng = np.random.default_rng(5)
    path = 0.5 + 0.4 * np.sin(np.cumsum(rng.uniform(-0.2, 0.5, 48 * 20 + 1)))
    whole, _ = accrue(WearState.of_fade(0.02, 0.01), path, 0.5, 25.0)
    state = WearState.of_fade(0.02, 0.01)
    fades = []
    for day in range(20):
        state, _ = accrue(state, path[48 * day : 48 * day + 49], 0.5, 25.0)
        state = WearState.from_text(state.to_text())
        fades.append((state.calendar_fade, state.cycle_fade))
    assert fades[-1] == pytest.approx((whole.calendar_fade, whole.cycle_fade), rel=1e-12)
    assert (np.diff(np.array(fades), axis=0) > 0).all()  # fade never comes back
    assert len(state.residue) < 20  # the past is not carried along


def test_the_text_of_a_state_is_read_back_bit_for_bit() -> None:
    state, _ = accrue(WearState.of_fade(1 / 3, 0.1), [0.1, 0.7, 0.3, 0.4], [0.5, 0.5, 1 / 3], 25.0)
    assert WearState.from_text(state.to_text()) == state


def test_a_whole_life_costs_one_replacement() -> None:
    """A thousand equal shares of life; the last one costs as much as the first, though the fade slows down."""
    cost = ReplacementCost(300.0, 0.8)
    k = float(cycle_rate(0.8, 0.5))
    cycles_of_life = (0.2 / k) ** 2 / 0.8
    one = Cycles(np.array([0.8]), np.array([0.5]), np.array([1.0]), np.array([0.5]))
    assert cost.of_life(cycle_squared(one) * cycles_of_life, 100.0) == pytest.approx(300.0 * 100_000.0)
    assert cost.of_life(cycle_squared(one), 100.0) == pytest.approx(30e6 * float(life_share(0.8, 0.5)(0.8)))


def test_the_rate_that_would_have_charged_the_cost() -> None:
    assert matching_cost_gbp_per_mwh(1200.0, 240.0) == 5.0
    assert matching_cost_gbp_per_mwh(0.0, 0.0) is None


BATTERY = Battery(
    energy_mwh=100.0, power_mw=50.0, discharge_efficiency=0.9, soc_min=0.1, soc_max=0.9, initial_soc=0.5, final_soc=0.5
)


def test_depth_costs_of_the_reference_formula_where_it_is_convex() -> None:
    """Phi = d^2 and a battery used from 0 to 1: c_j = R/(eta E) J ((j/J)^2 - ((j-1)/J)^2)."""
    whole = Battery(energy_mwh=10.0, discharge_efficiency=0.8)
    costs = depth_segment_costs(lambda d: np.asarray(d, dtype=float) ** 2, 4, whole, 1000.0)
    assert costs == pytest.approx([1000 / 8 * 4 * (2 * j - 1) / 16 for j in (1, 2, 3, 4)])


def test_depth_costs_never_fall_and_charge_a_full_cycle_its_share_of_life() -> None:
    phi = life_share(0.8, 0.5)
    for segments in (1, 3, 8):
        costs = depth_segment_costs(phi, segments, BATTERY, 30e6)
        assert len(costs) == segments
        assert list(costs) == sorted(costs)
        assert min(costs) > 0
        discharged_mwh = 0.9 * 80.0 / segments  # AC, from each segment of the usable 80 MWh
        assert sum(costs) * discharged_mwh == pytest.approx(30e6 * float(phi(0.8)))
    with pytest.raises(ValueError, match="at least one segment"):
        depth_segment_costs(phi, 0, BATTERY, 1.0)


def test_the_plan_and_the_account_agree_on_one_daily_cycle() -> None:
    """The segment costs of a full cycle are what rainflow counting charges for it after the fact."""
    cycles = count_cycles([0.9, 0.5, 0.1, 0.5, 0.9], 1.0)
    after_the_fact = ReplacementCost(300.0, 0.8).of_life(cycle_squared(cycles), 100.0)
    (one,) = depth_segment_costs(life_share(0.8, 0.4), 1, BATTERY, 30e6)
    assert cycles.c_rate.tolist() == pytest.approx([0.4] * 2)
    assert one * 0.9 * 80.0 == pytest.approx(after_the_fact)
