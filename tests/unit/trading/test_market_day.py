"""The rolling dispatch of a day: what it decides, what it may not know, what physics forces, and the record."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from market_days import BATTERY, a_day, half_hours, knowing, market, shape_of_day
from scipy.optimize import linprog

from bess_pipeline import schemas
from bess_pipeline.ancillary.rows import FloatArray
from bess_pipeline.battery.limits import ALWAYS, Availability
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.errors import UserInputError
from bess_pipeline.trading.market_day import (
    Expectation,
    MarketDay,
    decide_market_day,
    dispatch_market_day,
    expected_openings,
)

H = 0.5
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)
CODES = ("DCL", "DCH")


def column(rows: pd.DataFrame, name: str) -> FloatArray:
    return rows[name].to_numpy(dtype="float64")


def net_mw(rows: pd.DataFrame) -> FloatArray:
    return column(rows, "discharge_mw") - column(rows, "charge_mw")


def services(mw: float, asked: float, expected: float, periods: int = 96, own: int = 48) -> dict[str, Any]:
    """Contracts of both directions in all half-hours of the day."""
    held = np.where(np.arange(periods) < own, mw, 0.0)
    return {
        "codes": CODES,
        "services_mw": np.stack([held, held]),
        "activation_mwh_per_mw": np.full((2, own), asked),
        "expected_activation_mwh_per_mw": np.full((2, periods), expected),
    }


# --- decisions ----------------------------------------------------------------------------------------------


def test_a_contract_that_physics_allows_is_metered_as_contracted() -> None:
    mw = np.zeros(96)
    mw[4:8], mw[34:38] = -20.0, 18.0
    rows = dispatch_market_day(a_day(day_ahead_mw=mw, imbalance_cap_mw=0.0))
    assert column(rows, "metered_mwh").tolist() == column(rows, "contracted_mwh").tolist() == (mw[:48] * H).tolist()
    assert not rows[["imbalance_mwh", "forced_imbalance_mwh", "intraday_mwh"]].to_numpy().any()
    assert rows["energy_mwh"].iloc[-1] == pytest.approx(50.0 + 4 * 10.0 * 0.9 - 4 * 9.0 / 0.95)
    schemas.validate("trading/market_dispatch", rows)


def one_shot_gbp(day: MarketDay, prices: Expectation, first: int, opening_mwh: float, cycled_mwh: float) -> float:
    """The most that half-hours `first` to the last can earn, all prices known: a second formulation, in one solve."""
    count = len(day.start_utc) - first
    own = np.arange(first, first + count) < 48
    system = np.where(own, prices.system_gbp_mwh[first:], prices.day_ahead_gbp_mwh[first:])
    index, wear = prices.index_gbp_mwh[first:], day.battery.degradation_cost_gbp_per_mwh
    most = np.where(own, day.intraday.most_mwh[first:] if day.intraday else 0.0, 0.0)
    spread = day.intraday.settings.half_spread_gbp_mwh if day.intraday else 0.0
    # columns: charge, discharge, sell, buy; imbalance = discharge - charge - contract - sell + buy is substituted
    contract, cap = day.day_ahead_mw[first:] * H, np.where(own, day.imbalance_cap_mw * H, np.inf)
    cost = np.concatenate([wear + system, wear - system, spread - index + system, spread + index - system])
    eye, lower = np.eye(count), np.tril(np.ones((count, count)))
    stored = np.hstack(
        [lower * day.battery.charge_efficiency, -lower / day.battery.discharge_efficiency, 0 * eye, 0 * eye]
    )
    cost -= day.terminal_value_gbp_mwh * stored[-1]
    imbalance = np.hstack([-eye, eye, -eye, eye])[own]
    cycles = np.concatenate([0 * own, own, 0 * own, 0 * own])[None].astype(float)
    limit = (day.battery.max_cycles_per_day or np.inf) * day.battery.usable_energy_mwh - cycled_mwh
    later = np.concatenate([0 * own, ~own, 0 * own, 0 * own])[None].astype(float)
    found = linprog(
        cost,
        A_ub=np.vstack([stored, -stored, imbalance, -imbalance, cycles, later]),
        b_ub=np.concatenate(
            [
                np.full(count, day.battery.energy_max_mwh - opening_mwh),
                np.full(count, opening_mwh - day.battery.energy_min_mwh),
                (cap + contract)[own],
                (cap - contract)[own],
                [min(limit, 1e6), min(limit + cycled_mwh, 1e6)],
            ]
        ),
        bounds=[(0, 25.0)] * (2 * count) + [(0, one) for one in most] * 2,
    )
    assert found.status == 0
    return float(-found.fun - (system * contract * own).sum() + day.terminal_value_gbp_mwh * opening_mwh)


@pytest.mark.parametrize("traded", [False, True])
def test_with_perfect_forecasts_rolling_earns_what_one_problem_over_the_horizon_does(traded: bool) -> None:
    random = np.random.default_rng(7)
    price = shape_of_day(96)
    prices = Expectation(price, price + random.normal(0, 15, 96), price + random.normal(0, 8, 96))
    contract = np.where(np.arange(96) < 48, random.uniform(-10, 10, 96), 0.0)
    day = a_day(
        battery=replace(BATTERY, max_cycles_per_day=0.8),
        day_ahead_mw=contract,
        expect=lambda k: prices,
        intraday=market(prices.index_gbp_mwh) if traded else None,
    )
    rows = dispatch_market_day(day)
    fills = np.nan_to_num(column(rows, "intraday_price_gbp_mwh"))
    cash = column(rows, "intraday_mwh") @ fills + column(rows, "imbalance_mwh") @ prices.system_gbp_mwh[:48]
    wear = 5.0 * H * (column(rows, "charge_mw") + column(rows, "discharge_mw")).sum()
    closing = float(rows["energy_mwh"].iloc[-1])
    earned = cash - wear + one_shot_gbp(day, prices, 48, closing, 0.0)
    assert earned == pytest.approx(one_shot_gbp(day, prices, 0, 50.0, 0.0), abs=1e-3)
    assert column(rows, "discharge_mw").sum() * H <= 0.8 * 90.0 + 1e-6
    assert not rows["forced_imbalance_mwh"].any()
    assert traded == rows["intraday_mwh"].any()


@pytest.mark.parametrize("cap_mw", [0.0, 1.0])
def test_imbalance_keeps_to_its_cap_however_well_it_would_pay(cap_mw: float) -> None:
    price = np.full(96, 50.0)
    system = np.where(np.arange(96) % 4 < 2, 500.0, -400.0)
    rows = dispatch_market_day(a_day(expect=knowing(price, system, price), imbalance_cap_mw=cap_mw))
    assert np.abs(column(rows, "imbalance_mwh")).max() == pytest.approx(cap_mw * H, abs=1e-9)
    assert not rows["forced_imbalance_mwh"].any()


def test_charge_and_discharge_exclude_each_other_where_burning_energy_would_pay() -> None:
    price = np.full(96, -200.0)
    rows = dispatch_market_day(
        a_day(opening_energy_mwh=95.0, expect=knowing(price, price, price), imbalance_cap_mw=50.0)
    )
    assert np.minimum(column(rows, "charge_mw"), column(rows, "discharge_mw")).max() == 0.0


@pytest.mark.parametrize(("day", "own"), [(SPRING, 46), (AUTUMN, 50)])
def test_clock_change_days_have_their_own_length(day: date, own: int) -> None:
    start = half_hours(day)
    periods = len(start)
    given = a_day(
        day,
        start_utc=start,
        battery=replace(BATTERY, max_cycles_per_day=1.0),
        intraday=market(shape_of_day(periods)),
        **services(4.0, 0.01, 0.01, periods, own),
    )
    rows = dispatch_market_day(given)
    assert len(rows) == own == given.periods
    assert rows["start_utc"].tolist() == start[:own].tolist()
    assert (rows["dcl_mw"] == 4.0).all()
    schemas.validate("trading/market_dispatch", rows)


def test_contracts_after_the_day_are_prepared_for_once_they_are_known() -> None:
    price = np.where(np.arange(96) < 48, 50.0, 30.0)  # nothing but the contract asks for energy tomorrow
    mw = np.where((np.arange(96) >= 48) & (np.arange(96) < 52), 30.0, 0.0)
    given = a_day(
        day_ahead_mw=mw,
        expect=knowing(price, price, price),
        imbalance_cap_mw=1.0,
        terminal_value_gbp_mwh=0.0,
        opening_energy_mwh=70.0,
    )
    closing = {
        known: float(dispatch_market_day(replace(given, day_ahead_known_from=known))["energy_mwh"].iloc[-1])
        for known in (None, 22)
    }
    needed = 5.0 + (60.0 - 4 * 0.5) / 0.95  # within the cap for tomorrow's four half-hours
    assert closing[None] < needed - 10.0
    assert closing[22] >= needed - 1e-6


def test_services_after_the_day_find_their_energy_at_its_end() -> None:
    price = np.where(np.arange(96) < 48, 90.0, 30.0)
    held = np.where(np.arange(96) >= 48, 40.0, 0.0)
    given = a_day(
        codes=("DRL",),
        services_mw=held[None],
        activation_mwh_per_mw=np.zeros((1, 48)),
        expected_activation_mwh_per_mw=np.zeros((1, 96)),
        expect=knowing(price, price, price),
        imbalance_cap_mw=10.0,
        terminal_value_gbp_mwh=0.0,
    )
    closing = {
        known: float(dispatch_market_day(replace(given, services_known_from=known))["energy_mwh"].iloc[-1])
        for known in (None, 32)
    }
    assert closing[None] < 10.0
    assert closing[32] >= 5.0 + 40.0 / 0.95 - 1e-6  # an hour of 40 MW


# --- what may be known --------------------------------------------------------------------------------------

LATEST = 3  # at the decision for k, the half-hours up to k - 3 are over


def learning(system: FloatArray, index: FloatArray) -> Any:
    """Expectations that follow the outcome of the half-hours that are over."""
    usual = shape_of_day(96)

    def expect(k: int) -> Expectation:
        known = max(k - LATEST + 1, 0)
        shift = [float((one[:known] - usual[:known]).mean()) if known else 0.0 for one in (system, index)]
        return Expectation(usual, usual + shift[0], usual + shift[1])

    return expect


def poisoned(what: str, first: int) -> MarketDay:
    """A day whose outcomes are absurd from half-hour `first` on."""
    random = np.random.default_rng(3)
    outcome = {name: shape_of_day(96) + random.normal(0, 20, 96) for name in ("system", "index")}
    activation = random.uniform(0.0, 0.02, (2, 48))
    discharge = np.ones(48)
    if what in outcome:
        outcome[what][first:] = 4000.0
    if what == "activation":
        activation[0, first:] = 0.4
    if what == "outage":
        discharge[first:] = 0.0
    given = services(10.0, 0.0, 0.01)
    given["activation_mwh_per_mw"] = activation
    return a_day(
        expect=learning(outcome["system"], outcome["index"]),
        intraday=market(outcome["index"]),
        available=Availability(1.0, discharge),
        **given,
    )


@pytest.mark.parametrize("what", ["system", "index", "activation", "outage"])
def test_no_decision_sees_what_is_not_known_an_hour_before(what: str) -> None:
    first = 20
    true, absurd = (dispatch_market_day(poisoned(what, n)) for n in (48, first))
    unaware = first + LATEST  # the first decision that may see half-hour `first`
    assert column(true, "intraday_mwh")[:unaware].tolist() == column(absurd, "intraday_mwh")[:unaware].tolist()
    until = unaware if what in ("system", "index") else first  # what is carried out changes with the outcome itself
    assert net_mw(true)[:until].tolist() == net_mw(absurd)[:until].tolist()
    decided = [net_mw(rows) * H - column(rows, "forced_imbalance_mwh") for rows in (true, absurd)]
    assert decided[0][:unaware] == pytest.approx(decided[1][:unaware], abs=1e-9)
    trades = [column(rows, "intraday_mwh") for rows in (true, absurd)]
    later = np.abs(decided[0] - decided[1]) + np.abs(trades[0] - trades[1])
    assert later[unaware:].max() > 0.1  # the control: what is known does change decisions


def test_an_announced_outage_is_planned_around_and_an_unannounced_one_forces() -> None:
    mw = np.where(np.arange(96) == 10, 20.0, 0.0)
    fraction = np.where(np.arange(96) == 10, 0.2, 1.0)
    real = Availability(1.0, fraction[:48])
    known = Availability(1.0, fraction)
    flat = np.full(96, 60.0)
    given = a_day(
        day_ahead_mw=mw,
        available=real,
        imbalance_cap_mw=0.0,
        expect=knowing(flat, flat, flat),
        intraday=market(flat, share=1.0, max_mw=50.0, half_spread_gbp_mwh=20.0),  # too dear but for need
        terminal_value_gbp_mwh=50.0,
    )
    sudden = dispatch_market_day(given)
    told = dispatch_market_day(replace(given, announced=lambda k: known if k >= 8 else ALWAYS))
    assert sudden["forced_imbalance_mwh"].tolist() == pytest.approx([-5.0 if k == 10 else 0.0 for k in range(48)])
    assert not told["forced_imbalance_mwh"].any()
    assert told["intraday_mwh"].tolist() == pytest.approx([-5.0 if k == 10 else 0.0 for k in range(48)])


def test_the_first_decisions_expect_the_opening_that_was_expected_then() -> None:
    given = a_day(**services(20.0, 0.06, 0.02), imbalance_cap_mw=0.0)
    rows = dispatch_market_day(given)
    out, into = 20.0 / 0.95, 20.0 * 0.9
    step = 0.02 * (into - out)
    energy = column(rows, "energy_mwh")
    flow = H * (0.9 * column(rows, "charge_mw") - column(rows, "discharge_mw") / 0.95)
    assert openings(given) == pytest.approx((energy[45] + 2 * step + flow[46:].sum(), energy[46] + step + flow[47]))


def openings(given: MarketDay) -> tuple[float, float]:
    """What the first two decisions of the day after expect to open with."""
    day = decide_market_day(given)
    return expected_openings(given, day.decided_mwh, column(day.rows, "energy_mwh"))


def last_hour(value: float, otherwise: float = 0.0) -> FloatArray:
    return np.where(np.arange(48) >= 46, value, otherwise)


def test_an_expected_opening_does_not_know_the_activation_that_clipped_the_last_hour() -> None:
    """45 MW are sold and 5 MW of low response held while the store runs empty: what is activated cuts the sale."""
    sold = np.where((np.arange(96) >= 46) & (np.arange(96) < 48), 45.0, 0.0)
    low = services(5.0, 0.0, 0.0) | {"codes": ("DRL",), "services_mw": np.full((1, 96), 5.0)}
    none = {"activation_mwh_per_mw": np.zeros((1, 48)), "expected_activation_mwh_per_mw": np.zeros((1, 96))}
    given = a_day(
        day_ahead_mw=sold, opening_energy_mwh=55.0, imbalance_cap_mw=0.0, margin_half_hours=0.0, **(low | none)
    )
    stormy = replace(given, activation_mwh_per_mw=last_hour(1.5)[None, :])
    assert (dispatch_market_day(stormy)["forced_imbalance_mwh"].iloc[46:] < -1.0).any()  # it does clip
    assert openings(stormy)[0] == openings(given)[0]
    assert openings(stormy)[1] < openings(given)[1]  # of the half-hour that is over by the second decision


def test_an_expected_opening_knows_outages_that_were_announced_alone() -> None:
    """77 MWh and a sale of 22.5 in each half-hour of the last hour, in which the asset is out."""
    sold = np.where((np.arange(96) >= 46) & (np.arange(96) < 48), 45.0, 0.0)
    out, known = Availability(1.0, last_hour(0.0, 1.0)), Availability(1.0, np.append(last_hour(0.0, 1.0), np.ones(48)))
    given = a_day(day_ahead_mw=sold, opening_energy_mwh=77.0, imbalance_cap_mw=0.0, available=out)
    energy = 77.0 - 22.5 / 0.95 * np.arange(3)
    assert openings(given) == pytest.approx((energy[2], energy[1]))
    told = replace(given, announced=lambda k: known if k >= 49 else ALWAYS)
    assert openings(told) == pytest.approx((energy[2], energy[0]))  # the first of the two does not know of it yet


def test_an_expected_opening_moves_the_first_two_decisions_and_no_state() -> None:
    mw = np.where(np.arange(96) < 2, 20.0, 0.0)
    given = a_day(day_ahead_mw=mw, opening_energy_mwh=50.0, imbalance_cap_mw=0.0)
    rows = dispatch_market_day(replace(given, expected_opening_mwh=(5.0, 50.0)))
    assert rows["metered_mwh"].iloc[0] == pytest.approx(0.0)  # thought to be empty
    assert rows["forced_imbalance_mwh"].iloc[0] == pytest.approx(-10.0)
    assert rows["metered_mwh"].iloc[1] == pytest.approx(10.0)
    assert rows["energy_mwh"].iloc[1] == pytest.approx(50.0 - 10.0 / 0.95)


# --- what physics forces ------------------------------------------------------------------------------------


def test_what_an_outage_clips_is_forced_imbalance_by_hand() -> None:
    """Contracted 10 MWh, metered 8 (domain reference 6): 2 MWh short, forced."""
    mw = np.where(np.arange(96) == 0, 20.0, 0.0)
    half = Availability(1.0, np.where(np.arange(48) == 0, 0.32, 1.0))
    rows = dispatch_market_day(a_day(day_ahead_mw=mw, available=half, imbalance_cap_mw=0.0))
    first = rows.iloc[0]
    assert (first["contracted_mwh"], first["metered_mwh"]) == pytest.approx((10.0, 8.0))
    assert (first["imbalance_mwh"], first["forced_imbalance_mwh"]) == pytest.approx((-2.0, -2.0))
    assert first["energy_mwh"] == pytest.approx(50.0 - 8.0 / 0.95)


def test_activation_goes_before_the_baseline_and_what_it_leaves_is_forced() -> None:
    """5 + 14.5/.95 MWh stored: 4 MWh of response leave 10.5 MWh, then 10.5 of the 12 that are contracted."""
    mw = np.where(np.arange(96) == 0, 24.0, 0.0)
    low = {
        "codes": ("DCL",),
        "services_mw": np.where(np.arange(96) == 0, 10.0, 0.0)[None],
        "activation_mwh_per_mw": np.where(np.arange(48) == 0, 0.4, 0.0)[None],
        "expected_activation_mwh_per_mw": np.zeros((1, 96)),
    }
    given = a_day(day_ahead_mw=mw, opening_energy_mwh=5.0 + 14.5 / 0.95, imbalance_cap_mw=0.0, **low)
    first = dispatch_market_day(given).iloc[0]
    assert (first["activation_export_mwh"], first["delivered_low_share"]) == pytest.approx((4.0, 1.0))
    assert (first["metered_mwh"], first["absvd_mwh"]) == pytest.approx((14.5, 4.0))
    assert (first["imbalance_mwh"], first["forced_imbalance_mwh"]) == pytest.approx((-1.5, -1.5))
    unpaid = dispatch_market_day(replace(given, absvd_applies=False)).iloc[0]
    assert (unpaid["absvd_mwh"], unpaid["imbalance_mwh"]) == pytest.approx((0.0, 2.5))
    assert unpaid["forced_imbalance_mwh"] == pytest.approx(-1.5)


def test_what_the_store_cannot_deliver_lowers_the_delivered_share() -> None:
    given = services(10.0, 0.0, 0.0)
    given["activation_mwh_per_mw"][0, 0] = 0.4
    rows = dispatch_market_day(a_day(opening_energy_mwh=5.0 + 1.0 / 0.95, imbalance_cap_mw=0.0, **given))
    first = rows.iloc[0]
    assert first["activation_export_mwh"] == pytest.approx(1.0)
    assert (first["delivered_low_share"], first["delivered_high_share"]) == pytest.approx((0.25, 1.0))
    assert first["missing_low_mwh"] == pytest.approx(10.0 * 0.25 - 1.0)
    assert first["energy_mwh"] == pytest.approx(5.0)


@pytest.mark.parametrize(("fraction", "missing_mwh"), [(0.0, 5.0), (0.1, 2.5), (0.2, 0.0), (1.0, 0.0)])
def test_contracts_that_an_outage_leaves_no_power_for_are_missing(fraction: float, missing_mwh: float) -> None:
    """10 MW each way of a rating of 50 MW, while nothing is called for: 5 MWh of the half-hour."""
    out = np.where(np.arange(48) == 20, fraction, 1.0)
    real = Availability(1.0, out)
    rows = dispatch_market_day(a_day(available=real, imbalance_cap_mw=0.0, **services(10.0, 0.0, 0.0)))
    expected = np.where(np.arange(48) == 20, missing_mwh, 0.0)
    assert column(rows, "missing_low_mwh").tolist() == pytest.approx(expected.tolist())
    assert not rows["missing_high_mwh"].any()  # charging goes on


def test_contracts_that_no_state_can_hold_leave_a_dispatch_and_are_counted() -> None:
    """DR of 60 MW each way asks for 120 MWh of the 90 there are."""
    held = np.where(np.arange(96) < 48, 60.0, 0.0)
    rows = dispatch_market_day(
        a_day(
            codes=("DRL", "DRH"),
            services_mw=np.stack([held, held]),
            activation_mwh_per_mw=np.zeros((2, 48)),
            expected_activation_mwh_per_mw=np.zeros((2, 96)),
        )
    )
    assert rows["missing_low_mwh"].iloc[0] == pytest.approx(60.0 - 45.0 * 0.95)
    assert rows["missing_high_mwh"].iloc[0] == pytest.approx(60.0 - 45.0 / 0.9)
    assert not rows["forced_imbalance_mwh"].any()


def test_the_band_is_kept_with_the_energy_that_delivery_has_taken_from_it() -> None:
    """20 MW of DC low hold 5 MWh; the decisions keep it, and activation as expected on top."""
    price = np.full(96, 100.0)
    price[48:] = 20.0
    given = services(20.0, 0.01, 0.01)
    rows = dispatch_market_day(
        a_day(expect=knowing(price, price, price), imbalance_cap_mw=20.0, terminal_value_gbp_mwh=0.0, **given)
    )
    assert not rows["missing_low_mwh"].any()
    assert rows["energy_mwh"].min() < 5.0 + 5.0 / 0.95 + 1.0  # it sells what it may
    assert column(rows, "discharge_mw").max() <= 50.0 - 20.0 * 1.1 + 1e-6  # low MW, and 10 % of high MW to recover


def test_a_margin_keeps_starts_inside_the_band_when_less_comes_in_than_expected() -> None:
    """It sells down to the floor on energy of high response that then does not come."""
    price = np.where(np.arange(96) < 48, 100.0, 20.0)
    given = services(20.0, 0.0, 0.01)
    given["activation_mwh_per_mw"][0] = 0.01  # low as expected, nothing of high
    day = a_day(expect=knowing(price, price, price), imbalance_cap_mw=20.0, terminal_value_gbp_mwh=0.0, **given)
    missing = {
        margin: (column(dispatch_market_day(replace(day, margin_half_hours=margin)), "missing_low_mwh") > 1e-9).sum()
        for margin in (0.0, 3.0)
    }
    assert missing[0.0] > 10
    assert missing[3.0] == 0


def test_the_daily_limit_of_cycles_counts_activation() -> None:
    price = np.full(96, 100.0)
    price[:16], price[44:48] = 0.0, (200.0, 210.0, 220.0, 230.0)  # the budget is kept for the last half-hours
    battery = replace(BATTERY, max_cycles_per_day=0.5)
    given = services(10.0, 0.03, 0.02)
    rows = dispatch_market_day(
        a_day(battery=battery, expect=knowing(price, price, price), imbalance_cap_mw=30.0, **given)
    )
    used = column(rows, "discharge_mw").sum() * H + column(rows, "activation_export_mwh").sum()
    surprise = (LATEST) * 10.0 * 0.01  # of the half-hours that were not over at the last decisions
    assert used == pytest.approx(45.0, abs=surprise + 1e-6)
    assert column(rows, "activation_export_mwh").sum() == pytest.approx(48 * 0.3)


def test_standing_losses_are_fed_from_the_store_and_from_the_grid_once_it_is_empty() -> None:
    battery = Battery(energy_mwh=10.0, power_mw=5.0, charge_efficiency=0.9, discharge_efficiency=0.9, auxiliary_mw=0.5)
    price = np.full(96, 50.0)
    rows = dispatch_market_day(
        a_day(
            battery=battery,
            opening_energy_mwh=1.0,
            expect=knowing(price, price, price),
            imbalance_cap_mw=0.0,
            terminal_value_gbp_mwh=0.0,
        )
    )
    assert rows["energy_mwh"].iloc[:4].tolist() == pytest.approx([0.75, 0.5, 0.25, 0.0])
    assert column(rows, "charge_mw")[4:] == pytest.approx(np.full(44, 0.5 / 0.9))
    assert column(rows, "imbalance_mwh")[4:] == pytest.approx(column(rows, "forced_imbalance_mwh")[4:])


# --- trade within the day -----------------------------------------------------------------------------------


def test_a_trade_is_filled_at_the_index_that_comes_out_by_hand() -> None:
    flat, index = np.full(96, 60.0), np.full(96, 60.0)
    expected = flat.copy()
    expected[30] = 200.0
    index[30] = 90.0
    given = a_day(
        expect=knowing(flat, flat, expected),
        imbalance_cap_mw=0.0,
        intraday=market(index, 200.0, share=0.05, half_spread_gbp_mwh=2.0, max_mw=30.0),
    )
    rows = dispatch_market_day(given)
    row = rows.iloc[30]
    assert row["intraday_mwh"] == pytest.approx(10.0)  # 5 % of 200 MWh, less than 30 MW for half an hour
    assert row["intraday_price_gbp_mwh"] == pytest.approx(88.0)
    assert (row["contracted_mwh"], row["metered_mwh"]) == pytest.approx((10.0, 10.0))
    assert rows["intraday_price_gbp_mwh"].notna().tolist() == [k == 30 for k in range(48)]
    small = dispatch_market_day(replace(given, intraday=market(index, 200.0, max_mw=6.0, half_spread_gbp_mwh=2.0)))
    assert small["intraday_mwh"].iloc[30] == pytest.approx(3.0)
    assert not dispatch_market_day(replace(given, intraday=None))["intraday_mwh"].any()


@pytest.mark.parametrize("minutes", [60, 120])
def test_what_is_not_filled_is_forced_and_changes_no_decision(minutes: int) -> None:
    flat = np.full(96, 60.0)
    expected = np.where(np.arange(96) % 2 == 0, 20.0, 150.0)
    index, volume = expected.copy(), np.full(96, 1000.0)
    index[10:20], volume[20:30], volume[30:40] = np.nan, 0.0, 40.0
    trade = market(expected, notification_minutes=minutes)
    given = a_day(expect=knowing(flat, flat, expected), intraday=trade, imbalance_cap_mw=0.0)
    whole = dispatch_market_day(given)
    thin = replace(trade, index_price_gbp_mwh=index, realised_volume_mwh=volume)
    cut = dispatch_market_day(replace(given, intraday=thin))
    for name in ("charge_mw", "discharge_mw", "energy_mwh", "metered_mwh"):
        assert column(cut, name).tolist() == column(whole, name).tolist()
    wanted, filled = column(whole, "intraday_mwh"), column(cut, "intraday_mwh")
    assert np.abs(wanted[10:40]).min() > 2.0
    assert not filled[10:30].any()
    assert np.abs(filled[30:40]) == pytest.approx(2.0)
    assert filled[40:].tolist() == wanted[40:].tolist()
    assert column(cut, "forced_imbalance_mwh") == pytest.approx(wanted - filled)
    assert column(cut, "imbalance_mwh") == pytest.approx(wanted - filled)
    assert np.isnan(column(cut, "intraday_price_gbp_mwh")[10:30]).all()


def test_there_is_no_trade_without_an_expected_volume() -> None:
    flat = np.full(96, 60.0)
    expected = np.where(np.arange(96) % 2 == 0, 20.0, 150.0)
    trade = market(expected)
    volume = trade.expected_volume_mwh.copy()
    volume[30:40] = np.nan
    rows = dispatch_market_day(
        a_day(expect=knowing(flat, flat, expected), intraday=replace(trade, expected_volume_mwh=volume))
    )
    traded = column(rows, "intraday_mwh") != 0
    assert not traded[30:40].any()
    assert traded[:10].any()
    assert traded[40:].any()


def test_an_earlier_deadline_decides_trades_on_what_was_expected_then() -> None:
    """Two half-hours before the dispatch: what is expected of half-hour 30 from decision 29 on comes too late."""
    flat, late = np.full(96, 60.0), np.full(96, 60.0)
    late[30] = 300.0

    def expect(k: int) -> Expectation:
        return Expectation(flat, flat, late if k >= 29 else flat)

    given = a_day(expect=expect, imbalance_cap_mw=0.0, intraday=market(flat))
    early = replace(given, intraday=market(flat, notification_minutes=120))
    assert dispatch_market_day(given)["intraday_mwh"].iloc[30] == pytest.approx(5.0)
    assert not dispatch_market_day(early)["intraday_mwh"].any()


# --- refusals -----------------------------------------------------------------------------------------------


def test_what_does_not_fit_is_refused_in_one_sentence() -> None:
    with pytest.raises(UserInputError, match=r"day_ahead_mw of EFA day 2026-04-14 has the shape \(48,\), not \(96,\)"):
        a_day(day_ahead_mw=np.zeros(48))
    with pytest.raises(UserInputError, match="activation_mwh_per_mw of EFA day 2026-04-14 has a value below 0"):
        a_day(**services(1.0, -0.1, 0.0))
    with pytest.raises(UserInputError, match=r"services_mw .* has a value that is no finite number"):
        a_day(**services(np.nan, 0.0, 0.0))
    with pytest.raises(UserInputError, match="opens with 96 MWh, outside 5 to 95 MWh"):
        a_day(opening_energy_mwh=96.0)
    with pytest.raises(UserInputError, match="imbalance cap of -1 MW"):
        a_day(imbalance_cap_mw=-1.0)
    with pytest.raises(UserInputError, match="does not begin with its half-hours"):
        a_day(start_utc=half_hours(SPRING))
    with pytest.raises(UserInputError, match=r"knows neither battery\.ramp_limit_mw_per_hour"):
        dispatch_market_day(a_day(battery=replace(BATTERY, ramp_limit_mw_per_hour=10.0)))


def test_a_missing_expectation_is_named() -> None:
    price = shape_of_day(96)
    hole = price.copy()
    hole[60] = np.nan
    with pytest.raises(UserInputError, match="decision for half-hour 0 has no expected price of half-hour 60"):
        dispatch_market_day(a_day(expect=knowing(hole, price, price)))
    over = price.copy()
    over[0] = np.nan  # over at the second decision, known at the first
    with pytest.raises(UserInputError, match="decision for half-hour 0 has no expected price of half-hour 0"):
        dispatch_market_day(a_day(expect=knowing(price, over, price)))
    known_once = dispatch_market_day(a_day(expect=lambda k: Expectation(price, over if k else price, price)))
    assert len(known_once) == 48
