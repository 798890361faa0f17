"""The bound against an independent linear programme, and the shape of its plans."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog
from trading_frames import BATTERY, day_ahead, recorded_index_as_day_ahead

from bess_pipeline import gb_time
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.optimisation.solver import IN_PROCESS
from bess_pipeline.trading import foresight, rule_based

FIRST, LAST = date(2024, 3, 30), date(2024, 4, 1)  # the clock goes forward on the 31st
DAYS = gb_time.days_between(FIRST, LAST)


def random_prices(first: date, last: date, *, resolution: int = 60, seed: int = 5) -> pd.DataFrame:
    frame = day_ahead(first, last, lambda _: 0.0, resolution=resolution)
    rng = np.random.default_rng(seed)
    repeat = resolution // 30
    drawn = rng.uniform(5.0, 150.0, len(frame) // repeat + 1)
    return frame.assign(day_ahead_price_gbp_mwh=np.repeat(drawn, repeat)[: len(frame)])


def after_wear(plans: dict[date, pd.DataFrame], prices: pd.DataFrame, battery: Battery) -> float:
    frame = pd.concat(plans.values()).merge(prices, on="start_utc")
    cash = (frame["day_ahead_mw"] * frame["day_ahead_price_gbp_mwh"]).sum() * 0.5
    return float(cash - (frame["charge_mw"] + frame["discharge_mw"]).sum() * 0.5 * battery.degradation_cost_gbp_per_mwh)


def optimum_by_linprog(prices: pd.DataFrame, battery: Battery, opening_mwh: float) -> float:
    """Hourly problem in charge and discharge only (prices above 0), states by cumulative sums."""
    hourly = prices.sort_values("start_utc").iloc[::2]
    price = hourly["day_ahead_price_gbp_mwh"].to_numpy()
    day = gb_time.efa_columns(hourly["start_utc"])["efa_date"].to_numpy()
    n, wear = len(price), battery.degradation_cost_gbp_per_mwh
    cost = np.concatenate([price + wear, -(price - wear)])
    lower = np.tril(np.ones((n, n)))
    state = np.hstack([battery.charge_efficiency * lower, -lower / battery.discharge_efficiency])
    cycles = np.hstack([np.zeros((len(set(day)), n)), np.array([day == d for d in sorted(set(day))], dtype=float)])
    rows = np.vstack([state, -state, cycles, -state[-1:]])
    assert battery.max_cycles_per_day is not None
    limits = np.concatenate(
        [
            np.full(n, battery.energy_max_mwh - opening_mwh),
            np.full(n, opening_mwh - battery.energy_min_mwh),
            np.full(len(cycles), battery.max_cycles_per_day * battery.usable_energy_mwh),
            [opening_mwh - battery.final_energy_mwh],
        ]
    )
    result = linprog(cost, A_ub=rows, b_ub=limits, bounds=(0.0, battery.power_mw), method="highs")
    assert result.status == 0
    return float(-result.fun)


@pytest.mark.parametrize("cycles", [1.5, 0.6])
def test_value_equals_an_independent_linear_programme(cycles: float) -> None:
    battery = dataclasses.replace(BATTERY, max_cycles_per_day=cycles)
    prices = random_prices(FIRST, LAST)
    plans = foresight.plan_days(DAYS, prices, battery, 50.0, solver=IN_PROCESS, margin_days=7, closing_energy_mwh=50.0)
    assert after_wear(plans, prices, battery) == pytest.approx(optimum_by_linprog(prices, battery, 50.0), rel=1e-7)
    for frame in plans.values():
        assert frame["discharge_mw"].sum() * 0.5 <= cycles * 90.0 + 1e-6
    assert plans[LAST]["energy_mwh"].iloc[-1] >= 50.0 - 1e-6


def test_plans_are_a_frame_a_day_constant_over_the_hour_with_the_state_carried() -> None:
    plans = foresight.plan_days(
        DAYS, random_prices(FIRST, LAST), BATTERY, 50.0, solver=IN_PROCESS, margin_days=1, closing_energy_mwh=50.0
    )
    assert [len(plans[day]) for day in DAYS] == [48, 46, 48]
    state = 50.0
    for day in DAYS:
        frame = plans[day]
        assert set(frame["gate"]) == {"foresight"}
        assert list(frame["start_utc"]) == list(gb_time.efa_half_hours(day))
        np.testing.assert_array_equal(frame["day_ahead_mw"].iloc[::2], frame["day_ahead_mw"].iloc[1::2])
        flow = frame["charge_mw"] * BATTERY.charge_efficiency - frame["discharge_mw"] / BATTERY.discharge_efficiency
        np.testing.assert_allclose(frame["energy_mwh"], state + 0.5 * flow.cumsum(), atol=1e-6)
        assert (frame[["charge_mw", "discharge_mw"]].min(axis=1) == 0.0).all()
        state = frame["energy_mwh"].iloc[-1]


def test_half_hourly_products_may_differ_within_the_hour_and_are_worth_more() -> None:
    prices = random_prices(FIRST, LAST, resolution=30)
    fine = foresight.plan_days(DAYS, prices, BATTERY, 50.0, solver=IN_PROCESS, margin_days=1, closing_energy_mwh=50.0)
    by_hour = prices.assign(native_resolution_minutes=60)
    hourly = foresight.plan_days(
        DAYS, by_hour, BATTERY, 50.0, solver=IN_PROCESS, margin_days=1, closing_energy_mwh=50.0
    )
    assert after_wear(fine, prices, BATTERY) > after_wear(hourly, prices, BATTERY) + 1.0


def test_the_margin_is_seen_and_not_returned() -> None:
    prices = random_prices(FIRST, LAST + timedelta(days=1))
    dear = gb_time.efa_columns(prices["start_utc"])["efa_date"] > LAST
    prices["day_ahead_price_gbp_mwh"] = prices["day_ahead_price_gbp_mwh"].mask(dear, 5_000.0)
    with_margin = foresight.plan_days(
        DAYS, prices, BATTERY, 50.0, solver=IN_PROCESS, margin_days=1, closing_energy_mwh=50.0
    )
    without = foresight.plan_days(
        DAYS, prices[~dear], BATTERY, 50.0, solver=IN_PROCESS, margin_days=1, closing_energy_mwh=50.0
    )
    assert list(with_margin) == list(without) == DAYS
    assert with_margin[LAST]["energy_mwh"].iloc[-1] == pytest.approx(95.0)
    assert without[LAST]["energy_mwh"].iloc[-1] < 95.0


def test_a_day_without_all_its_prices_is_left_out_and_the_state_carries_over_it() -> None:
    prices = random_prices(FIRST, LAST)
    hole = prices.drop(index=prices.index[60])  # on the 31st
    plans = foresight.plan_days(DAYS, hole, BATTERY, 50.0, solver=IN_PROCESS, margin_days=1, closing_energy_mwh=50.0)
    assert list(plans) == [FIRST, LAST]
    after = plans[LAST].iloc[0]
    flow = after["charge_mw"] * BATTERY.charge_efficiency - after["discharge_mw"] / BATTERY.discharge_efficiency
    assert after["energy_mwh"] - 0.5 * flow == pytest.approx(plans[FIRST]["energy_mwh"].iloc[-1], abs=1e-6)
    missing = gb_time.efa_columns(prices["start_utc"])["efa_date"] == date(2024, 3, 31)
    assert after_wear(plans, prices, BATTERY) == pytest.approx(
        optimum_by_linprog(prices[~missing], BATTERY, 50.0), rel=1e-7
    )


def test_no_complete_day_gives_no_plan() -> None:
    prices = random_prices(FIRST, LAST)
    assert foresight.plan_days(DAYS, prices.iloc[:0], BATTERY, 50.0, solver=IN_PROCESS, margin_days=7) == {}
    later = random_prices(LAST + timedelta(days=1), LAST + timedelta(days=2))
    assert foresight.plan_days(DAYS, later, BATTERY, 50.0, solver=IN_PROCESS, margin_days=7) == {}


def test_a_final_state_beyond_reach_is_approached_as_far_as_the_rating_allows() -> None:
    slow = dataclasses.replace(BATTERY, power_mw=1.0)
    plans = foresight.plan_days(
        [FIRST], random_prices(FIRST, FIRST), slow, 5.0, solver=IN_PROCESS, margin_days=1, closing_energy_mwh=50.0
    )
    assert plans[FIRST]["energy_mwh"].iloc[-1] == pytest.approx(5.0 + 24 * slow.charge_efficiency)


def test_a_free_end_sells_what_is_left_and_earns_no_less_than_a_bound_one() -> None:
    prices = random_prices(FIRST, FIRST)
    free = foresight.plan_days([FIRST], prices, BATTERY, 50.0, solver=IN_PROCESS, margin_days=1)
    held = foresight.plan_days(
        [FIRST], prices, BATTERY, 50.0, solver=IN_PROCESS, margin_days=1, closing_energy_mwh=50.0
    )
    assert free[FIRST]["energy_mwh"].iloc[-1] == pytest.approx(BATTERY.energy_min_mwh)
    assert after_wear(free, prices, BATTERY) > after_wear(held, prices, BATTERY)


def test_days_that_do_not_follow_one_another_are_refused() -> None:
    with pytest.raises(ValueError, match="must follow one another"):
        foresight.plan_days([FIRST, LAST], random_prices(FIRST, LAST), BATTERY, 50.0, solver=IN_PROCESS, margin_days=1)


def test_the_bound_is_never_below_the_rule_on_recorded_prices(realdata: Path) -> None:
    """The rule starts and ends each day empty here, so both end with the same energy or the bound with more."""
    battery = dataclasses.replace(BATTERY, initial_soc=0.05, final_soc=0.05)
    table = pd.read_parquet(realdata / "tables" / "market_index.parquet")
    prices = recorded_index_as_day_ahead(table[table["settlement_date"].between(date(2024, 9, 10), date(2024, 10, 31))])
    days = gb_time.days_between(date(2024, 10, 20), date(2024, 10, 30))
    bound = foresight.plan_days(days, prices, battery, 5.0, solver=IN_PROCESS, margin_days=1)
    rule = {}
    for day in days:
        frame = rule_based.plan_day(day, prices, battery, 5.0, history_days=28, rule_hours=2).frame
        assert frame is not None
        assert frame["energy_mwh"].iloc[-1] == pytest.approx(5.0)
        rule[day] = frame
    assert [len(bound[day]) for day in days if day == date(2024, 10, 27)] == [50]
    assert after_wear(bound, prices, battery) > after_wear(rule, prices, battery) > 0.0
