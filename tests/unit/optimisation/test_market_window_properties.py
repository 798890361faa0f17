"""The window of all markets against a formulation of its own, the day-ahead bound, and schedules drawn at random."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from trading_frames import day_ahead

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.errors import UserInputError
from bess_pipeline.optimisation.market_window import Allowance, WindowProblem, WindowService
from bess_pipeline.optimisation.market_window_rows import window_arrays
from bess_pipeline.optimisation.market_window_solve import dual_bound, optimise_window
from bess_pipeline.optimisation.solver import Solver
from bess_pipeline.settings import SolverSettings
from bess_pipeline.trading import foresight

H = 0.5
BATTERY = Battery(
    energy_mwh=10.0,
    power_mw=5.0,
    charge_efficiency=0.9,
    discharge_efficiency=0.95,
    soc_min=0.1,
    soc_max=0.9,
    initial_soc=0.5,
    final_soc=0.5,
    degradation_cost_gbp_per_mwh=3.0,
)


def a_window(seed: int, periods: int = 6, cap_mw: float = 1.0, **changes: Any) -> WindowProblem:
    """Hourly products, a price of its own in each half-hour, trade within the day in every second one."""
    rng = np.random.default_rng(seed)
    rated = np.full(periods, BATTERY.power_mw)
    opening = np.full(periods, np.nan)
    opening[0] = 5.0
    problem = WindowProblem(
        battery=BATTERY,
        day_index=np.zeros(periods, dtype=np.int64),
        opening_energy_mwh=opening,
        charge_limit_mw=rated,
        discharge_limit_mw=rated,
        contract_charge_mw=rated,
        contract_discharge_mw=rated,
        product_of_period=np.arange(periods) // 2,
        day_ahead_price_gbp_mwh=np.repeat(rng.uniform(-20.0, 120.0, (periods + 1) // 2), 2)[:periods],
        system_price_gbp_mwh=rng.uniform(-40.0, 160.0, periods),
        imbalance_long_mwh=np.full(periods, cap_mw * H),
        imbalance_short_mwh=np.full(periods, cap_mw * H),
        intraday_price_gbp_mwh=rng.uniform(0.0, 120.0, periods),
        intraday_limit_mwh=np.where(np.arange(periods) % 2, 0.4, 0.0),
        discharge_limit_of_day_mwh=np.full(1, np.inf),
        half_spread_gbp_mwh=2.0,
        closing_value_gbp_mwh=40.0,
    )
    return replace(problem, **changes)


def a_service(direction: str, periods: int = 6, **changes: Any) -> WindowService:
    given = WindowService(
        code="DCL" if direction == "low" else "DCH",
        direction="low" if direction == "low" else "high",
        window_of_period=np.arange(periods) // 3,
        cap_mw=np.full((periods + 2) // 3, 3.0),
        price_gbp_mw_h=np.linspace(4.0, 9.0, periods),
        activation_mwh_per_mw=np.full(periods, 0.02),
        required_mwh_per_mw=np.full(periods, 0.25),
        energy_price_gbp_mwh=np.zeros(periods),
        recovery_share=np.full(periods, 0.1),
    )
    return replace(given, **changes)


# --- a second formulation ---------------------------------------------------------------------------------------


def _written_out(problem: WindowProblem) -> float:
    """Value of an energy-only window, or one whose services are always held, by a dense problem written from the
    rules: the state is no column but a running sum, and what is sold within the day is one signed column cut in two."""
    battery, periods = problem.battery, problem.periods
    names = ["c", "d", "v", "b"]
    width = len(names) * periods + problem.products + sum(one.cap_mw.size for one in problem.services)
    at = {name: n * periods for n, name in enumerate(names)}
    first_product = len(names) * periods
    gain, rows, most = np.zeros(width), [], []
    bounds: list[tuple[float, float | None]] = []
    limits = [problem.charge_limit_mw * H, problem.discharge_limit_mw * H, *(problem.intraday_limit_mwh,) * 2]
    for limit in limits:
        bounds += [(0.0, float(one)) for one in limit]
    bounds += [(None, None)] * problem.products  # type: ignore[list-item]
    places, at_service = [], first_product + problem.products
    for one in problem.services:
        places.append(at_service + one.window_of_period)
        bounds += [(0.0, float(cap)) for cap in one.cap_mw]
        at_service += one.cap_mw.size
    stored = np.zeros(width)
    level = float(problem.opening_energy_mwh[0])
    wear = battery.degradation_cost_gbp_per_mwh
    for t in range(periods):
        needs = {"low": np.zeros(width), "high": np.zeros(width)}
        rating = {"low": np.zeros(width), "high": np.zeros(width)}
        before = stored.copy()
        stored = stored.copy()
        stored[at["c"] + t] += battery.charge_efficiency
        stored[at["d"] + t] -= 1.0 / battery.discharge_efficiency
        for one, place in zip(problem.services, places, strict=True):
            moved, into = one.activation_mwh_per_mw[t], one.direction == "high"
            stored[place[t]] += moved * (battery.charge_efficiency if into else -1.0 / battery.discharge_efficiency)
            gain[place[t]] += one.price_gbp_mw_h[t] * H - wear * moved
            needs[one.direction][place[t]] += one.required_mwh_per_mw[t]
            rating[one.direction][place[t]] += H
            rating["high" if one.direction == "low" else "low"][place[t]] += H * one.recovery_share[t]
        position = np.zeros(width)
        position[[at["d"] + t, at["b"] + t]] += 1.0
        position[[at["c"] + t, at["v"] + t]] -= 1.0
        position[first_product + problem.product_of_period[t]] -= H
        system = problem.system_price_gbp_mwh[t]
        gain += system * position
        gain[first_product + problem.product_of_period[t]] += H * problem.day_ahead_price_gbp_mwh[t]
        gain[at["v"] + t] += problem.intraday_price_gbp_mwh[t] - problem.half_spread_gbp_mwh
        gain[at["b"] + t] -= problem.intraday_price_gbp_mwh[t] + problem.half_spread_gbp_mwh
        gain[[at["c"] + t, at["d"] + t]] -= wear
        rating["low"][at["d"] + t] += 1.0
        rating["high"][at["c"] + t] += 1.0
        rows += [position, -position, stored, -stored, rating["low"], rating["high"]]
        most += [problem.imbalance_long_mwh[t], problem.imbalance_short_mwh[t]]
        most += [battery.energy_max_mwh - level, level - battery.energy_min_mwh, 5.0 * H, 5.0 * H]
        rows += [
            needs["low"] - battery.discharge_efficiency * before,
            needs["high"] + before / battery.charge_efficiency,
        ]
        most += [
            battery.discharge_efficiency * (level - battery.energy_min_mwh),
            (battery.energy_max_mwh - level) / battery.charge_efficiency,
        ]
    gain += problem.closing_value_gbp_mwh * stored
    found = linprog(-gain, A_ub=np.array(rows), b_ub=np.array(most), bounds=bounds, method="highs")
    assert found.status == 0
    return float(-found.fun) + problem.closing_value_gbp_mwh * level


@pytest.mark.parametrize("seed", range(6))
def test_the_bound_of_energy_is_that_of_a_second_formulation(seed: int) -> None:
    problem = a_window(seed)
    assert optimise_window(problem).bound_gbp == pytest.approx(_written_out(problem), abs=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_the_bound_with_services_is_that_of_a_second_formulation(seed: int) -> None:
    problem = a_window(seed, services=(a_service("low"), a_service("high")), may_miss=False)
    found = optimise_window(problem)
    assert found.bound_gbp == pytest.approx(_written_out(problem), abs=1e-6)
    assert found.service_mw.max() > 0


# --- certificate and schedule -----------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.booleans(), st.booleans())
def test_the_gap_is_certified_and_the_schedule_is_physical(seed: int, services: bool, may_miss: bool) -> None:
    sold = (a_service("low"), a_service("high")) if services else ()
    problem = a_window(seed, services=sold, may_miss=may_miss)
    found = optimise_window(problem)
    assert found.value_gbp <= found.bound_gbp + 1e-6
    assert found.gap_gbp >= 0.0
    assert np.minimum(found.charge_mwh, found.discharge_mwh).max() <= 1e-9
    level = 5.0
    for t in range(problem.periods):
        level += BATTERY.charge_efficiency * (found.charge_mwh[t] + found.activation_import_mwh[t])
        level -= (found.discharge_mwh[t] + found.activation_export_mwh[t]) / BATTERY.discharge_efficiency
        assert level == pytest.approx(found.energy_mwh[t], abs=1e-6)
    assert found.energy_mwh.min() >= BATTERY.energy_min_mwh - 1e-6
    assert found.energy_mwh.max() <= BATTERY.energy_max_mwh + 1e-6
    assert np.abs(found.imbalance_mwh).max() <= 0.5 + 1e-6
    whole = found.cash_gbp.sum() - found.wear_gbp.sum() + 40.0 * found.energy_mwh[-1]
    assert found.value_gbp == pytest.approx(whole)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_no_schedule_drawn_at_random_is_worth_more(seed: int) -> None:
    problem = a_window(seed)
    best = optimise_window(problem)
    rng = np.random.default_rng(seed + 1)
    for _ in range(20):
        assert _random_worth(problem, rng) <= best.bound_gbp + 1e-9


def _random_worth(problem: WindowProblem, rng: np.random.Generator) -> float:
    """Sell hours, then run after them inside the cap and the battery; a draw that cannot is worth nothing."""
    battery, level, worth = problem.battery, 5.0, 0.0
    sold = rng.uniform(-1.5, 1.5, problem.products)
    for t in range(problem.periods):
        traded = rng.uniform(-1.0, 1.0) * problem.intraday_limit_mwh[t]
        contract = H * sold[problem.product_of_period[t]] + traded
        net = contract + rng.uniform(-problem.imbalance_short_mwh[t], problem.imbalance_long_mwh[t])
        net = float(np.clip(net, -5.0 * H, 5.0 * H))
        after = level - net / battery.discharge_efficiency if net > 0 else level - net * battery.charge_efficiency
        imbalance = net - contract
        inside = -problem.imbalance_short_mwh[t] <= imbalance <= problem.imbalance_long_mwh[t]
        if not inside or not battery.energy_min_mwh <= after <= battery.energy_max_mwh:
            return -np.inf
        worth += H * sold[problem.product_of_period[t]] * problem.day_ahead_price_gbp_mwh[t]
        worth += traded * problem.intraday_price_gbp_mwh[t] - abs(traded) * problem.half_spread_gbp_mwh
        worth += imbalance * problem.system_price_gbp_mwh[t] - 3.0 * abs(net)
        level = after
    return worth + problem.closing_value_gbp_mwh * level


def test_any_duals_prove_a_bound() -> None:
    problem = a_window(3, services=(a_service("low"),))
    arrays, _ = window_arrays(problem)
    value = optimise_window(problem).value_gbp
    rng = np.random.default_rng(0)
    for _ in range(20):
        assert -dual_bound(arrays, rng.normal(0.0, 30.0, arrays.matrix.shape[0])) >= value - 1e-6


# --- options ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_no_option_lowers_the_bound(seed: int) -> None:
    service = a_service("low")
    less = optimise_window(a_window(seed, cap_mw=0.0, intraday_limit_mwh=np.zeros(6))).bound_gbp
    for more in (
        a_window(seed, cap_mw=0.0),
        a_window(seed),
        a_window(seed, services=(service,)),
        a_window(seed, services=(service,), baseline_adds_headroom=True),
        a_window(seed, services=(service,), allowance=Allowance(0.05, 0.0, 1.0, 1.0), baseline_adds_headroom=True),
    ):
        found = optimise_window(more).bound_gbp
        assert found >= less - 1e-6
        less = found


def test_a_limit_of_a_day_and_an_idle_half_hour_are_kept() -> None:
    free = optimise_window(a_window(1))
    limited = optimise_window(a_window(1, discharge_limit_of_day_mwh=np.full(1, 0.5)))
    assert free.discharge_mwh.sum() > 0.5
    assert limited.discharge_mwh.sum() <= 0.5 + 1e-9
    still = optimise_window(
        a_window(
            1,
            charge_limit_mw=np.zeros(6),
            discharge_limit_mw=np.zeros(6),
            product_of_period=np.full(6, -1),
            imbalance_long_mwh=np.zeros(6),
            imbalance_short_mwh=np.zeros(6),
            intraday_limit_mwh=np.zeros(6),
        )
    )
    assert still.cash_gbp.tolist() == [0.0] * 6
    assert still.energy_mwh.tolist() == pytest.approx([5.0] * 6)


def test_a_chain_that_begins_within_the_window_opens_with_its_own_state() -> None:
    opening = np.full(6, np.nan)
    opening[[0, 3]] = 1.0, 9.0
    found = optimise_window(a_window(2, opening_energy_mwh=opening))
    flow = BATTERY.charge_efficiency * found.charge_mwh - found.discharge_mwh / BATTERY.discharge_efficiency
    assert found.energy_mwh[3] == pytest.approx(9.0 + flow[3])


def test_day_ahead_alone_is_the_perfect_foresight_of_a_day() -> None:
    day = date(2026, 2, 10)
    prices = day_ahead(day, day, lambda at: 60.0 + 40.0 * np.sin(at.hour * np.pi / 6))
    battery = Battery(100.0, 50.0, 0.94, 0.94, 0.05, 0.95, 0.5, 0.5, 5.0)
    plan = foresight.plan_days([day], prices, battery, 50.0, margin_days=0, solver=Solver(SolverSettings()))[day]
    rows = prices.set_index("start_utc")["day_ahead_price_gbp_mwh"].reindex(plan["start_utc"]).to_numpy(dtype="float64")
    net = (plan["discharge_mw"] - plan["charge_mw"]).to_numpy(dtype="float64") * H
    throughput = (plan["discharge_mw"] + plan["charge_mw"]).to_numpy(dtype="float64") * H
    earned = float((net * rows - 5.0 * throughput).sum())
    none, rated = np.zeros(48), np.full(48, 50.0)
    opening = np.full(48, np.nan)
    opening[0] = 50.0
    problem = a_window(
        0,
        48,
        battery=battery,
        opening_energy_mwh=opening,
        charge_limit_mw=rated,
        discharge_limit_mw=rated,
        day_ahead_price_gbp_mwh=rows,
        imbalance_long_mwh=none,
        imbalance_short_mwh=none,
        intraday_limit_mwh=none,
        closing_value_gbp_mwh=0.0,
    )
    assert optimise_window(problem).value_gbp == pytest.approx(earned, abs=0.01)


def test_values_that_cannot_be_used_are_refused_in_one_sentence() -> None:
    with pytest.raises(UserInputError, match="day_ahead_price_gbp_mwh of a window is not finite in half-hour 2"):
        a_window(0, day_ahead_price_gbp_mwh=np.array([1.0, 2.0, np.nan, 4.0, 5.0, 6.0]))
    with pytest.raises(UserInputError, match="imbalance_long_mwh of a window is below 0"):
        a_window(0, imbalance_long_mwh=np.full(6, -1.0))
    with pytest.raises(UserInputError, match="the state of energy that its first half-hour opens with"):
        a_window(0, opening_energy_mwh=np.full(6, np.nan))
