"""The problem of one decision: charge against discharge, its budgets, and what is left when limits cannot be held."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.trading.dispatch_problem import Budget, Decision, DispatchProblem, budgets_of

ONE = Battery(energy_mwh=1.0, power_mw=1.0, charge_efficiency=0.95, discharge_efficiency=0.95)


def given(price: list[float], **changes: Any) -> Decision:
    """A decision at the first half-hour, everything sold at an open market."""
    count = len(price)
    none, most = np.zeros(count), np.full(count, 0.5)
    usual: dict[str, Any] = {
        "period": 0,
        "energy_mwh": 1.0,
        "contract_mwh": none,
        "open_market": np.ones(count, dtype=bool),
        "price_gbp_mwh": np.array(price),
        "index_gbp_mwh": none,
        "trade_mwh": none,
        "activation_mwh": none,
        "floor_mwh": none,
        "ceiling_mwh": np.ones(count),
        "charge_mwh": most,
        "discharge_mwh": most,
        "net_low_mwh": -most,
        "net_high_mwh": most,
        "left_mwh": (),
    }
    return Decision(**(usual | changes))


def problem(count: int, budgets: tuple[Budget, ...] = (), **changes: Any) -> DispatchProblem:
    return DispatchProblem(ONE, count, budgets, 0.0, 0.0, changes.pop("terminal", 0.0), **changes)


def test_burning_energy_at_a_negative_price_is_not_done() -> None:
    """Domain reference 7.1, vector A: relaxed 2.4375 GBP a half-hour, exclusive 0, where the state must stay full."""
    full = problem(1, terminal=1e3)
    chosen = full.decide(given([-50.0]))
    assert (chosen.charge_mwh[0], chosen.discharge_mwh[0]) == (0.0, 0.0)
    assert chosen.value_gbp - 1e3 == pytest.approx(0.0, abs=1e-9)


def test_the_better_direction_is_taken_where_both_together_would_pay() -> None:
    """Discharging at -50 makes room to charge at -400 later; the relaxed answer would do both at once now."""
    two = problem(2, terminal=1.0)
    chosen = two.decide(given([-50.0, -400.0], energy_mwh=1.0))
    assert chosen.charge_mwh[0] == 0.0
    assert chosen.discharge_mwh[0] == pytest.approx(0.475 * 0.95)
    overlapping = chosen.value_gbp + 50.0 * 0.475 * 0.95
    assert overlapping > 400.0 * 0.5 - 1.0  # in the later half-hour overlap is thought possible


def test_two_half_hours_by_hand() -> None:
    """Domain reference 7.1, vector B with half-hours: buy 0.5 MWh at 20, sell 0.45125 at 120."""
    chosen = problem(2).decide(given([20.0, 120.0], energy_mwh=0.0))
    assert (chosen.charge_mwh[0], chosen.discharge_mwh[1]) == pytest.approx((0.5, 0.45125))
    assert chosen.value_gbp == pytest.approx(44.15)


def test_half_hours_that_are_over_cost_and_hold_nothing() -> None:
    live = problem(3)
    first = live.decide(given([20.0, 20.0, 120.0], energy_mwh=0.0))
    later = live.decide(given([np.nan, 20.0, 120.0], energy_mwh=0.0, period=1))
    assert first.value_gbp == pytest.approx(60.0 - 20.0 * 0.5 / 0.95**2)
    assert later.value_gbp == pytest.approx(44.15)
    assert later.charge_mwh[0] == 0.0


def test_a_budget_that_is_used_up_leaves_no_discharge() -> None:
    budget = Budget("cycle_limit", np.array([True, True]), 1.0, counts_charge=False)
    live = problem(2, (budget,))
    assert live.decide(given([50.0, 80.0], left_mwh=(0.3,))).discharge_mwh == pytest.approx([0.0, 0.3])
    assert live.decide(given([50.0, 80.0], left_mwh=(-0.2,))).discharge_mwh == pytest.approx([0.0, 0.0])


def test_budgets_are_those_of_the_battery_by_day_and_over_the_horizon() -> None:
    battery = replace(ONE, max_cycles_per_day=1.5, max_throughput_mwh_per_day=2.0, warranty_cycles=4.0)
    found = budgets_of(battery, np.array([0, 0, 1]))
    assert [(one.name, one.member.tolist(), one.most_mwh) for one in found] == [
        ("cycle_limit", [True, True, False], 1.5),
        ("throughput_limit", [True, True, False], 2.0),
        ("cycle_limit", [False, False, True], 1.5),
        ("throughput_limit", [False, False, True], 2.0),
        ("warranty_budget", [True, True, True], 4.0),
    ]
    flows = np.array([1.0, 2.0, 4.0]), np.array([0.5, 0.25, 0.125])
    assert [one.used(*flows) for one in found] == [0.75, 3.75, 0.125, 4.125, 0.875]
    assert budgets_of(ONE, np.array([0, 0, 1])) == ()


def test_the_cap_is_kept_while_the_band_is_not() -> None:
    """1 MWh is asked for at the second start and 0.5 are stored: at cap 0 and without trade nothing may be bought."""
    closed = np.zeros(2, dtype=bool)
    asked = given([50.0, 50.0], energy_mwh=0.5, open_market=closed, floor_mwh=np.array([0.0, 1.0]))
    chosen = problem(2).decide(asked)
    assert chosen.charge_mwh.tolist() == [0.0, 0.0]
    traded = problem(2).decide(replace(asked, trade_mwh=np.array([0.2, 0.0]), index_gbp_mwh=np.array([60.0, 0.0])))
    assert (traded.sold_mwh[0], traded.charge_mwh[0]) == pytest.approx((-0.2, 0.2))


def test_what_is_sold_and_not_stored_is_left_undelivered() -> None:
    closed = np.zeros(2, dtype=bool)
    sold = given([50.0, 50.0], energy_mwh=0.2, open_market=closed, contract_mwh=np.array([0.0, 0.5]))
    chosen = problem(2).decide(sold)
    assert (chosen.charge_mwh[0], chosen.discharge_mwh[1]) == pytest.approx(
        (0.0, 0.19)
    )  # and not bought beyond the cap


def test_a_charging_baseline_makes_room_where_the_setting_says_so() -> None:
    """0.7 MWh of low MW on a rating of 0.5: the baseline must charge 0.2."""
    asked = given([50.0], energy_mwh=0.0, net_high_mwh=np.array([-0.2]))
    assert problem(1, baseline_adds_headroom=True).decide(asked).charge_mwh[0] == pytest.approx(0.2)
    assert problem(1).decide(asked).charge_mwh[0] == 0.0


def test_headroom_that_asks_for_one_direction_leaves_only_that_one_where_overlap_would_pay() -> None:
    """At -200 burning energy pays; low MW of 0.7 MWh beyond a rating of 0.5 need a charge of 0.2 at least."""
    asked = given([-200.0, -200.0], energy_mwh=0.5, net_high_mwh=np.array([-0.2, 0.5]))
    chosen = problem(2, baseline_adds_headroom=True, terminal=10.0).decide(asked)
    assert chosen.discharge_mwh[0] == 0.0
    assert chosen.charge_mwh[0] >= 0.2 - 1e-9
