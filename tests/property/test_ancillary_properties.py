"""Random contracts: the linear rows are the rules, the path is the rule's own words, and plans that pass are kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from ancillary_cases import ALL, BINDING_FROM, DURATION_H, RECOVERY, day_of, is_low, path_by_hand, service
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bess_pipeline.ancillary.activation_effects import at_start_mwh, energy_path_mwh, flows_of
from bess_pipeline.ancillary.compliance import ServicePlan, planned_breaches
from bess_pipeline.ancillary.delivery_path import after_delivery_path, required_mwh_per_mw, uncapped_path
from bess_pipeline.ancillary.energy_band import band_breaches, band_mwh, band_rows, required_by_direction
from bess_pipeline.ancillary.payments import half_hour_payments_gbp, lost_availability_gbp, window_payments_gbp
from bess_pipeline.ancillary.rating import rating_breaches, rating_rows
from bess_pipeline.ancillary.rounding import EnergyLimits, rounded_energy_mw, whole_offers_mw
from bess_pipeline.ancillary.rows import LinearRows
from bess_pipeline.ancillary.windows import Horizon
from bess_pipeline.ancillary_settings import AncillarySettings
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.battery.physics import check
from bess_pipeline.errors import ContractBreachError

DAYS = st.sampled_from(
    [date(2023, 11, 1), date(2024, 11, 14), date(2025, 1, 15), date(2026, 3, 29), date(2026, 10, 25)]
)
SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def batteries(draw: st.DrawFn) -> Battery:
    return Battery(
        energy_mwh=draw(st.floats(20, 200)),
        power_mw=draw(st.floats(10, 100)),
        charge_efficiency=draw(st.floats(0.7, 1)),
        discharge_efficiency=draw(st.floats(0.7, 1)),
        soc_min=draw(st.floats(0, 0.2)),
        soc_max=draw(st.floats(0.8, 1)),
        initial_soc=0.5,
        final_soc=0.5,
    )


def contracts(rng: np.random.Generator, horizon: Horizon, most_mw: float = 30.0) -> np.ndarray:
    """MW by product, about half of them 0, constant within a block for response."""
    by_block = rng.uniform(0, most_mw, (len(ALL), 6)) * (rng.random((len(ALL), 6)) < 0.5)
    return np.where([[one[0] == "D"] for one in ALL], horizon.spread(by_block), rng.permuted(horizon.spread(by_block)))


def told(rows: LinearRows, values: np.ndarray) -> dict[tuple[str, int], float]:
    excess = rows.excess(values)
    return {(rows.names[r], t): excess[t, r] for t, r in np.argwhere(excess > 1e-6).tolist()}


@given(DAYS, SEEDS, st.floats(10, 150), st.booleans())
@settings(max_examples=40, deadline=None)
def test_rating_rows_check_and_plain_arithmetic_agree(day: date, seed: int, limit: float, headroom: bool) -> None:
    rng, horizon = np.random.default_rng(seed), day_of(day)
    mw = contracts(rng, horizon)
    charge, discharge = rng.uniform(0, 40, (2, horizon.periods))
    rows = rating_rows(ALL, horizon, limit, limit / 2, baseline_adds_headroom=headroom)
    found = rating_breaches(ALL, horizon, mw, charge, discharge, limit, limit / 2, baseline_adds_headroom=headroom)
    by_rows = told(rows, np.column_stack([mw.T, charge, discharge]))
    assert {(one.rule, one.period): one.amount for one in found} == pytest.approx(by_rows)
    by_hand = {}
    for t in range(horizon.periods):
        recovery = {code: RECOVERY[service(code)] if day >= BINDING_FROM else 0.0 for code in ALL}
        low = sum(mw[k, t] * (1 if is_low(code) else recovery[code]) for k, code in enumerate(ALL)) + discharge[t]
        high = sum(mw[k, t] * (recovery[code] if is_low(code) else 1) for k, code in enumerate(ALL)) + charge[t]
        by_hand["discharge rating", t] = low - headroom * charge[t] - limit
        by_hand["charge rating", t] = high - headroom * discharge[t] - limit / 2
    assert by_rows == pytest.approx({key: value for key, value in by_hand.items() if value > 1e-6})


@given(DAYS, SEEDS, batteries())
@settings(max_examples=40, deadline=None)
def test_band_rows_check_and_plain_arithmetic_agree(day: date, seed: int, battery: Battery) -> None:
    rng, horizon = np.random.default_rng(seed), day_of(day)
    mw = contracts(rng, horizon)
    state = rng.uniform(battery.energy_min_mwh, battery.energy_max_mwh, horizon.periods)
    by_rows = told(band_rows(ALL, horizon, battery), np.column_stack([mw.T, state]))
    found = band_breaches(ALL, horizon, battery, mw, state)
    assert {(one.rule, one.period): one.amount for one in found} == pytest.approx(by_rows)
    low = sum(mw[k] * DURATION_H[service(code)] for k, code in enumerate(ALL) if is_low(code))
    high = sum(mw[k] * DURATION_H[service(code)] for k, code in enumerate(ALL) if not is_low(code))
    exported = (state - battery.energy_min_mwh) * battery.discharge_efficiency
    taken = (battery.energy_max_mwh - state) / battery.charge_efficiency
    by_hand = {("energy to discharge", t): (low - exported)[t] for t in range(horizon.periods)}
    by_hand |= {("room to charge", t): (high - taken)[t] for t in range(horizon.periods)}
    by_hand |= {("usable energy", t): (low + high)[t] - battery.usable_energy_mwh for t in range(horizon.periods)}
    assert by_rows == pytest.approx({key: value for key, value in by_hand.items() if value > 1e-6})
    lowest, highest = band_mwh(battery, required_by_direction(ALL, horizon, mw))
    inside = (state >= lowest - 1e-9) & (state <= highest + 1e-9)
    outside = {t for name, t in by_rows if name != "usable energy"}
    assert outside <= set(np.flatnonzero(~inside).tolist())


@given(st.floats(0.1, 60), arrays(float, st.integers(1, 12), elements=st.floats(0, 20)))
@settings(max_examples=200, deadline=None)
def test_the_path_is_the_rule_word_by_word_and_never_above_the_uncapped_one(
    volume: float, delivered: np.ndarray
) -> None:
    block = np.zeros(len(delivered), dtype=np.int64)
    path = after_delivery_path(volume, delivered, block)
    assert path == pytest.approx(path_by_hand(volume, delivered.tolist()), abs=1e-9)
    uncapped = uncapped_path(volume, delivered, block)
    assert (path <= uncapped + 1e-9).all()
    assert (uncapped <= volume + 1e-9).all()
    if (delivered <= 0.2 * volume).all():
        assert path == pytest.approx(uncapped, abs=1e-9)


@given(DAYS, SEEDS, st.floats(0.01, 0.5))
@settings(max_examples=60, deadline=None)
def test_linear_requirements_are_never_below_the_rule_and_equal_it_for_small_deliveries(
    day: date, seed: int, most: float
) -> None:
    rng, horizon = np.random.default_rng(seed), day_of(day)
    mw = contracts(rng, horizon)
    energy = rng.uniform(0, most, (3, len(ALL), horizon.periods))
    linear = mw * required_mwh_per_mw(ALL, horizon, energy)
    side = np.array([is_low(code) for code in ALL])
    linear_sides = np.stack([linear[:, side].sum(axis=1), linear[:, ~side].sum(axis=1)], axis=1)
    rule = required_by_direction(ALL, horizon, mw, energy)
    assert (linear_sides >= rule - 1e-9).all()
    if most <= 0.05:  # a fifth of the shortest volume, DC's 0.25 MWh per MW
        assert linear_sides == pytest.approx(rule)


@given(DAYS, SEEDS, batteries())
@settings(max_examples=60, deadline=None)
def test_offers_rounded_down_break_no_rule_that_they_kept_before(day: date, seed: int, battery: Battery) -> None:
    """And a plan that passes can deliver: full activation of either direction for its duration stays inside limits."""
    rng, horizon = np.random.default_rng(seed), day_of(day)
    none = np.zeros(horizon.periods)
    state = none + battery.energy_min_mwh + battery.usable_energy_mwh / 2
    mw = contracts(rng, horizon, battery.power_mw / 8)
    plan = ServicePlan(ALL, horizon, mw, none, none, state)
    before = {(one.rule, one.period) for one in planned_breaches(plan, battery, AncillarySettings())}
    plan = replace(plan, mw=whole_offers_mw(mw))
    after = {(one.rule, one.period) for one in planned_breaches(plan, battery, AncillarySettings())}
    assert after <= before
    assert not any(rule == "whole MW" for rule, _ in after)
    for t in range(horizon.periods):
        if any(period == t for _, period in after):
            continue
        out = sum(plan.mw[k, t] * DURATION_H[service(c)] for k, c in enumerate(ALL) if is_low(c))
        taken = sum(plan.mw[k, t] * DURATION_H[service(c)] for k, c in enumerate(ALL) if not is_low(c))
        assert state[t] - out / battery.discharge_efficiency >= battery.energy_min_mwh - 1e-5
        assert state[t] + taken * battery.charge_efficiency <= battery.energy_max_mwh + 1e-5


@given(DAYS, SEEDS)
@settings(max_examples=40, deadline=None)
def test_lost_availability_of_a_whole_window_is_its_positive_payment(day: date, seed: int) -> None:
    rng, horizon = np.random.default_rng(seed), day_of(day)
    mw = contracts(rng, horizon)
    price = np.where([[one[0] == "D"] for one in ALL], horizon.spread(rng.normal(3, 8, (len(ALL), 6))), 4.0)
    payment = window_payments_gbp(ALL, horizon, mw, price)
    lost = lost_availability_gbp(ALL, horizon, payment, np.ones((2, horizon.periods), dtype=bool))
    paid = half_hour_payments_gbp(mw, price)
    assert lost == pytest.approx(np.maximum(paid, 0.0))
    assert (paid - lost <= 1e-9).all()
    assert (paid - lost)[paid < 0] == pytest.approx(paid[paid < 0])


@given(SEEDS, batteries(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_rounded_energy_is_in_tenths_and_feasible_for_the_physics_or_refused(
    seed: int, battery: Battery, hourly: bool
) -> None:
    rng = np.random.default_rng(seed)
    product = np.arange(48) // 2 if hourly else np.arange(48)
    net, state = np.empty(48), battery.initial_energy_mwh
    for one in range(product[-1] + 1):  # a feasible plan, often right at its limits
        at, hours = product == one, 0.5 * (product == one).sum()
        most = min(battery.power_mw, (state - battery.energy_min_mwh) * battery.discharge_efficiency / hours)
        least = -min(battery.power_mw, (battery.energy_max_mwh - state) / battery.charge_efficiency / hours)
        net[at] = np.clip(rng.uniform(-1.5, 1.5) * battery.power_mw, least, most)
        change = (
            -net[at][0] / battery.discharge_efficiency if net[at][0] > 0 else -net[at][0] * battery.charge_efficiency
        )
        state = state + change * hours
    one = np.ones(48)
    limits = EnergyLimits(
        battery.power_mw * one,
        battery.power_mw * one,
        battery.energy_min_mwh * one,
        battery.energy_max_mwh * one,
        0 * one,
    )
    try:
        rounded = rounded_energy_mw(net, product, battery, battery.initial_energy_mwh, limits)
    except ContractBreachError:
        pytest.fail("a band this wide always holds a step")
    assert rounded * 10 == pytest.approx(np.rint(rounded * 10), abs=1e-6)
    flows = flows_of(("DCL",), np.zeros((1, 48)), np.zeros((1, 48)))
    charge, discharge = np.maximum(-rounded, 0), np.maximum(rounded, 0)
    path = energy_path_mwh(battery, battery.initial_energy_mwh, charge, discharge, flows)
    opening = battery.initial_energy_mwh
    assert check(battery, opening, charge, discharge, path, np.full(48, 0.5), tolerance=1e-5) == []
    assert at_start_mwh(opening, path)[0] == opening
    step_mwh = 0.1 * (1 if hourly else 0.5) / battery.discharge_efficiency
    planned = energy_path_mwh(battery, opening, np.maximum(-net, 0), np.maximum(net, 0), flows)
    # what the steps below full power leave undone adds up while the plan is at full power
    short_mw = battery.power_mw - np.floor(10 * battery.power_mw + 1e-6) / 10
    undone_mwh = np.cumsum(np.abs(net) > battery.power_mw - 0.1) * short_mw * 0.5 / battery.discharge_efficiency
    ends = slice(1 if hourly else 0, None, 2 if hourly else 1)
    assert (np.abs(path - planned) <= 2 * step_mwh + undone_mwh)[ends].all()
