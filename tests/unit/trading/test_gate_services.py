"""Services of a gate's problem in plans: reserve beside response, products that exclude each other, and odd prices."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from typing import Any

import gate_cases as cases
import numpy as np
import pytest
from gate_cases import BEFORE_SPLITTING, CLOCKS_BACK, CLOCKS_FORWARD, DAY, gate_inputs, scenario_set, with_values
from stochastic_physics import promises_broken, violations

from bess_pipeline import gb_time
from bess_pipeline.ancillary_settings import AncillarySettings
from bess_pipeline.co_optimisation_settings import CoOptimisationSettings
from bess_pipeline.optimisation.stochastic.result import TwoStageSolution
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion
from bess_pipeline.optimisation.stochastic.solve import optimise_plan
from bess_pipeline.settings import RollingSettings
from bess_pipeline.trading.gate_problem import GateProblem, exclude_services, gate_problem, needs_exclusion

ONE_DAY = RollingSettings(look_ahead_hours=24)
NEUTRAL, CAREFUL = RiskAversion(0.0), RiskAversion(0.5)
PRICES = ("day_ahead", "system_price")


def reserve(*codes: str, **more: Any) -> AncillarySettings:
    return AncillarySettings(reserve_products=codes, **cases.RESERVE_ON, **more)


def sold_by_half_hour(given: GateProblem, found: TwoStageSolution) -> np.ndarray:
    """MW of each product in each half-hour, (K, T)."""
    return given.problem.split_plan(found.plan)[1][:, given.problem.block_index]


def assert_sound(given: GateProblem, found: TwoStageSolution) -> None:
    """A finite plan within its caps that the physics engine accepts and that promises nothing it does not keep."""
    sold, response = given.problem.split_plan(found.plan)
    assert np.isfinite(found.plan).all()
    assert np.isfinite(found.objective_gbp)
    assert found.gap <= 1e-5
    assert (response <= np.asarray(given.problem.response_cap_mw) + 1e-6).all()
    assert (response >= -1e-6).all()
    assert (np.abs(sold) <= 50.0 + 1e-6).all()
    assert violations(given.problem, found) == []
    assert max(promises_broken(given.problem, found).values()) <= 1e-5
    assert found.penalty_gbp <= 1e-3  # GBP: what is left of an interior point is less than a penny's tenth


@pytest.mark.parametrize("day", [DAY, CLOCKS_FORWARD, CLOCKS_BACK])
def test_reserve_is_free_in_each_half_hour_and_response_constant_in_its_block(day: date) -> None:
    inputs = gate_inputs(day, 6, ancillary=reserve("PQR", "NQR"), rolling=ONE_DAY)
    given = gate_problem(inputs)
    assert given.codes == ("DCL", "DCH", "DRL", "DRH", "PQR", "NQR")
    assert given.block_start_utc.equals(given.horizon.start_utc)
    assert given.activation_label == "assumed: DCL, DCH, DRL, DRH, PQR, NQR"
    assert "the price of reserve is the mean of past auctions, the same in every scenario" in given.notes
    found = optimise_plan(given.problem, CAREFUL)
    assert_sound(given, found)
    mw, block = sold_by_half_hour(given, found), given.horizon.block
    for number in range(6):
        assert np.ptp(mw[:4, block == number], axis=1) == pytest.approx(0.0, abs=3e-6)
    assert (mw[:4].max(axis=1) > 1.0).any()
    assert np.ptp(mw[4][block == 4]) > 1e-3  # its volume doubles at 16:00, within block 5
    loose = optimise_plan(replace(given.problem, plan_rows=None), CAREFUL)
    assert loose.objective_gbp > found.objective_gbp  # the tie costs something: without its rows it would not hold
    changes = sold_by_half_hour(given, loose)[:4]
    assert max(np.ptp(changes[:, block == number], axis=1).max() for number in range(6)) > 1e-3


@pytest.mark.slow
def test_many_scenarios_with_reserve_have_a_proven_plan() -> None:
    given = gate_problem(gate_inputs(count=16, ancillary=reserve("PQR"), rolling=ONE_DAY))
    found = optimise_plan(given.problem, CAREFUL, method="decomposition", time_limit_s=60.0)
    assert_sound(given, found)
    assert found.method == "interior_point"
    exact = optimise_plan(given.problem, CAREFUL, method="extensive")
    assert found.objective_gbp == pytest.approx(exact.objective_gbp, rel=1e-5)


@cache
def reserve_prices_by_hand(code: str, day: date) -> dict[tuple[int, int], float]:
    """Mean of the past 28 days at each place (hour, minute) on the London clock."""
    rows = gate_inputs(day).auctions
    found: dict[tuple[int, int], list[float]] = {}
    for one in rows[rows["product"] == code].itertuples(index=False):
        if day - timedelta(days=28) <= one.efa_date < day:
            local = one.delivery_start_utc.astimezone(gb_time.LONDON)
            found.setdefault((local.hour, local.minute), []).append(one.clearing_price_gbp_mw_h)
    return {place: sum(prices) / len(prices) for place, prices in found.items()}


@pytest.mark.parametrize("day", [DAY, CLOCKS_BACK])
def test_reserve_is_paid_its_expected_price_and_its_energy(day: date) -> None:
    given = gate_problem(
        gate_inputs(day, 2, ancillary=reserve("PQR", "NQR", response_products=(), activation_multiplier=2.0))
    )
    price, energy = np.asarray(given.problem.response_price_gbp_mw_h), np.asarray(given.problem.activation_mwh_per_mw)
    assert energy[0, 0] == pytest.approx([2 * 0.1 * 0.5, 2 * 0.2 * 0.5])
    assert (energy == energy[0, 0]).all()
    for t in (0, 3, 4, 5, 6, 34, 36, given.problem.periods - 1):
        local = given.horizon.start_utc[t].astimezone(gb_time.LONDON)
        expected = [reserve_prices_by_hand(code, day)[local.hour, local.minute] for code in given.codes]
        assert price[0, :, t] == pytest.approx([expected[0] + 2 * 0.1 * 150, expected[1] - 2 * 0.2 * 20])
    required = np.asarray(given.problem.required_mwh_per_mw)
    assert (required == 0.5).all()
    assert [one.recovery_share for one in given.problem.responses] == [0.0, 0.0]


def test_a_plan_with_reserve_earns_what_a_count_by_hand_says() -> None:
    inputs = gate_inputs(count=6, ancillary=reserve("PQR", "NQR"), rolling=ONE_DAY)
    given = gate_problem(inputs)
    found = optimise_plan(given.problem, CAREFUL)
    battery, problem, scenarios = inputs.battery, given.problem, inputs.scenarios
    sold, _ = problem.split_plan(found.plan)
    mw, eta_c, eta_d = sold_by_half_hour(given, found), battery.charge_efficiency, battery.discharge_efficiency
    throughput = {"DCL": 0.18 / 48, "DCH": 0.13 / 48, "DRL": 3.6 / 48, "DRH": 2.5 / 48, "PQR": 0.05, "NQR": 0.1}
    paid_per_mwh = {"PQR": 150.0, "NQR": -20.0}
    assert mw[4:].sum() > 1.0  # reserve is sold
    for n in range(6):
        stored, earned = inputs.battery.initial_energy_mwh, 0.0
        for t, start in enumerate(given.horizon.start_utc):
            local = start.astimezone(gb_time.LONDON)
            charge, discharge = found.of("charge_mwh")[n, t], found.of("discharge_mwh")[n, t]
            planned = sold[t // 2] * 0.5
            earned += planned * scenarios.value["day_ahead"][n, t // 2]
            earned += (discharge - charge - planned) * scenarios.value["system_price"][n, t]
            assert abs(discharge - charge - planned) <= 1.25 + 1e-6
            moved = {"low": discharge, "high": charge}
            for k, code in enumerate(given.codes):
                direction = problem.responses[k].direction
                energy = mw[k, t] * throughput[code]
                moved[direction] += energy
                if code in paid_per_mwh:
                    price = reserve_prices_by_hand(code, DAY)[local.hour, local.minute]
                    earned += mw[k, t] * 0.5 * price + energy * paid_per_mwh[code]
                else:
                    earned += mw[k, t] * 0.5 * scenarios.value[f"response_{code}"][n, t // 8]
            low = mw[0, t] + mw[2, t] + mw[4, t] + 0.1 * mw[1, t] + 0.4 * mw[3, t]
            high = mw[1, t] + mw[3, t] + mw[5, t] + 0.1 * mw[0, t] + 0.4 * mw[2, t]
            assert low + discharge / 0.5 <= 50 + 1e-5
            assert high + charge / 0.5 <= 50 + 1e-5
            assert 0.5 * mw[4, t] <= eta_d * (stored - battery.energy_min_mwh) + 1e-5
            assert 0.5 * mw[5, t] <= (battery.energy_max_mwh - stored) / eta_c + 1e-5
            stored += eta_c * moved["high"] - moved["low"] / eta_d
            earned -= battery.degradation_cost_gbp_per_mwh * (moved["low"] + moved["high"])
        earned += stored * problem.closing.terminal_value_gbp_mwh
        assert found.profit_gbp[n] == pytest.approx(earned, rel=1e-6)


def test_reserve_needs_both_of_its_figures() -> None:
    with pytest.raises(ValueError, match="switched on without reserve_utilisation_probability"):
        AncillarySettings(reserve_products=("PQR",))
    with pytest.raises(ValueError, match="switched on without reserve_utilisation_price_gbp_mwh"):
        AncillarySettings(reserve_products=("PQR",), reserve_utilisation_probability={"PQR": 0.1})


def services_in(given: GateProblem, found: TwoStageSolution) -> list[set[str]]:
    """Services that have MW in each EFA block."""
    mw, block = sold_by_half_hour(given, found), given.horizon.block
    return [
        {code[:2] for k, code in enumerate(given.codes) if mw[k, block == number].max() > 1e-6}
        for number in range(int(block[-1]) + 1)
    ]


def test_before_the_split_each_block_keeps_the_service_that_is_paid_most() -> None:
    inputs = with_values(
        gate_inputs(BEFORE_SPLITTING, 6, rolling=ONE_DAY, ancillary=AncillarySettings(volume_cap_share=0.05)),
        response_DRL=[[4.0, 4.0, 4.0, 20.0, 20.0, 20.0] * 2],
        response_DCL=[[30.0, 30.0, 4.0, 4.0, 4.0, 4.0] * 2],
    )
    given = gate_problem(inputs)
    assert needs_exclusion(given)
    relaxed = optimise_plan(given.problem, NEUTRAL)
    assert max(len(one) for one in services_in(given, relaxed)) == 2  # the rule binds
    only = exclude_services(given, relaxed)
    mw, price = (
        sold_by_half_hour(given, relaxed),
        given.problem.probability @ np.asarray(given.problem.response_price_gbp_mw_h).reshape(6, -1),
    )
    price, cap, block = price.reshape(4, 6), np.asarray(only.problem.response_cap_mw), given.horizon.block
    for number in range(6):
        paid = mw[:, block == number].mean(axis=1) * price[:, number]
        kept = slice(0, 2) if paid[:2].sum() > paid[2:].sum() else slice(2, 4)
        expected = np.zeros(4)
        expected[kept] = np.asarray(given.problem.response_cap_mw)[kept, number]
        assert cap[:, number].tolist() == expected.tolist()
    assert len({tuple(column > 0) for column in cap.T}) == 2  # not the same service everywhere
    found = optimise_plan(only.problem, NEUTRAL)
    assert_sound(only, found)
    assert max(len(one) for one in services_in(only, found)) == 1
    assert found.objective_gbp <= relaxed.bound_gbp + 1e-6 * abs(relaxed.bound_gbp)
    assert only.notes[-1] == "one service per block: an EFA block has only the products that are paid most in it"


def test_on_the_last_day_before_the_split_only_that_day_is_touched() -> None:
    given = gate_problem(gate_inputs(date(2023, 11, 1), 3))
    plan = np.concatenate([np.zeros(given.problem.products), np.ones(4 * given.problem.blocks)])
    relaxed = optimise_plan(given.problem, NEUTRAL)
    only = exclude_services(given, replace(relaxed, plan=plan))
    cap = np.asarray(only.problem.response_cap_mw)
    assert (np.count_nonzero(cap, axis=0) == [2] * 6 + [4] * 6).all()


def test_where_nothing_is_contracted_the_service_that_could_be_paid_most_stays() -> None:
    given = gate_problem(gate_inputs(BEFORE_SPLITTING, 3, rolling=ONE_DAY))
    relaxed = optimise_plan(given.problem, NEUTRAL)
    only = exclude_services(given, replace(relaxed, plan=np.zeros_like(relaxed.plan)))
    cap = np.asarray(only.problem.response_cap_mw)
    worth = np.asarray(given.problem.response_cap_mw) * np.tensordot(
        given.problem.probability, np.asarray(given.problem.response_price_gbp_mw_h), axes=1
    )
    for b in range(6):
        assert np.flatnonzero(cap[:, b]).tolist() == ([0, 1] if worth[:2, b].sum() > worth[2:, b].sum() else [2, 3])


def test_balancing_reserve_stands_beside_response_of_the_other_direction_only() -> None:
    inputs = gate_inputs(count=4, ancillary=reserve("PBR", response_products=("DCL", "DCH")), rolling=ONE_DAY)
    given = gate_problem(inputs)
    relaxed = optimise_plan(given.problem, NEUTRAL)
    mw = sold_by_half_hour(given, relaxed)
    assert ((mw[0] > 1e-6) & (mw[2] > 1e-6)).any()  # the rule binds
    only = exclude_services(given, relaxed)
    found = optimise_plan(only.problem, NEUTRAL)
    assert_sound(only, found)
    mw, block = sold_by_half_hour(only, found), given.horizon.block
    for number in range(6):
        assert min(mw[0, block == number].max(), mw[2, block == number].max()) <= 1e-6
    assert mw[2].max() > 1e-6
    assert np.array_equal(np.asarray(only.problem.response_cap_mw)[1], np.asarray(given.problem.response_cap_mw)[1])
    lifted = inputs.ancillary.model_copy(update={"balancing_reserve_beside_response": True})
    assert not needs_exclusion(gate_problem(replace(inputs, ancillary=lifted)))


SPIKE = np.where(np.arange(48) == 20, 4000.0, 60.0)
ODD_PRICES: dict[str, dict[str, Any]] = {
    "all equal": dict.fromkeys(PRICES, 60.0),
    "all negative": {"day_ahead": -np.linspace(10, 60, 48), "system_price": -np.linspace(5, 80, 96)},
    "one spike": {"day_ahead": SPIKE, "system_price": SPIKE.repeat(2)},
    "response price -50": {f"response_{code}": -50.0 for code in cases.RESPONSE_PRICE},
    "all zero": dict.fromkeys((*PRICES, *(f"response_{code}" for code in cases.RESPONSE_PRICE)), 0.0),
}


@pytest.mark.parametrize("case", ODD_PRICES)
def test_odd_prices_have_a_plan(case: str) -> None:
    given = gate_problem(with_values(gate_inputs(count=6, rolling=ONE_DAY), **ODD_PRICES[case]))
    found = optimise_plan(given.problem, CAREFUL)
    assert_sound(given, found)
    sold, response = given.problem.split_plan(found.plan)
    if case == "response price -50":
        assert response == pytest.approx(np.zeros_like(response), abs=1e-6)
    if case == "one spike":
        assert sold[20] > 40.0
    if case == "all negative":
        assert sold.min() < -1.0


@pytest.mark.parametrize("day", [CLOCKS_FORWARD, CLOCKS_BACK])
def test_days_of_46_and_50_periods_have_a_plan_without_one_product(day: date) -> None:
    scenarios = scenario_set(day, 6, without=["response_DRL"])
    given = gate_problem(gate_inputs(day, scenarios=scenarios))
    assert given.codes == ("DCL", "DCH", "DRH")
    assert_sound(given, optimise_plan(given.problem, CAREFUL))


def test_with_no_volume_to_sell_the_plan_is_that_of_two_markets() -> None:
    inputs = gate_inputs(count=6, rolling=ONE_DAY)
    with_products = gate_problem(inputs).problem
    assert with_products.responses
    capped = optimise_plan(replace(with_products, response_cap_mw=np.zeros((4, 6))), CAREFUL)
    two_markets = gate_problem(replace(inputs, ancillary=AncillarySettings(volume_cap_share=0.0))).problem
    alone = optimise_plan(two_markets, CAREFUL)
    assert capped.objective_gbp == pytest.approx(alone.objective_gbp, rel=1e-6)
    assert optimise_plan(with_products, CAREFUL).objective_gbp > alone.objective_gbp + 100


def test_without_deviation_and_activation_what_is_contracted_is_dispatched() -> None:
    settings = CoOptimisationSettings(imbalance_limit_mw=0.0)
    quiet = AncillarySettings(activation_multiplier=0.0)
    given = gate_problem(gate_inputs(count=6, rolling=ONE_DAY, co_optimisation=settings, ancillary=quiet))
    found = optimise_plan(given.problem, CAREFUL)
    assert_sound(given, found)
    sold, _ = given.problem.split_plan(found.plan)
    dispatched_mw = (found.of("discharge_mwh") - found.of("charge_mwh")) / 0.5
    assert dispatched_mw == pytest.approx(np.broadcast_to(sold.repeat(2), dispatched_mw.shape), abs=1e-6)
    assert np.abs(sold).max() > 1.0
