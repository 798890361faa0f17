"""Acceptances by hand, and days rewritten with them: physics, services and cash still hold."""

from __future__ import annotations

import dataclasses
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from settlement_cases import settings, still_day
from trading_frames import BATTERY, day_ahead, system_price

from bess_pipeline import gb_time, schemas
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.battery.physics import check, simulate
from bess_pipeline.cost_settings import BalancingMechanismSettings
from bess_pipeline.trading.balancing_mechanism import Spare, accept, skipped, with_acceptances
from bess_pipeline.trading.market_settlement import MarketPrices, settle_market_day

DAY, SPRING = date(2026, 1, 15), date(2026, 3, 29)
ON = BalancingMechanismSettings(enabled=True, offer_price_gbp_mwh=150.0, bid_price_gbp_mwh=20.0, skip_rate=0.0)
SECTION = ON.model_dump()
LOSSLESS = dataclasses.replace(BATTERY, charge_efficiency=1.0, discharge_efficiency=1.0, max_cycles_per_day=None)
WIDE = Spare(net_mw=10.0, lowest_mw=-50.0, highest_mw=50.0, below_mwh=30.0, above_mwh=30.0)


@pytest.mark.parametrize(
    ("price", "volume", "expected"),
    [
        (150.0, 300.0, (20.0, 150.0)),  # short at the offer price: up to the rating, (50 - 10) / 2
        (149.99, 300.0, (0.0, None)),
        (500.0, -300.0, (0.0, None)),  # long: an offer is no help
        (20.0, -300.0, (-30.0, 20.0)),
        (20.01, -300.0, (0.0, None)),
        (-60.0, 300.0, (0.0, None)),
        (500.0, 3.0, (3.0, 150.0)),  # no more than the system is short of
        (-60.0, -3.0, (-3.0, 20.0)),
        (500.0, 0.0, (0.0, None)),
        (np.nan, 300.0, (0.0, None)),
        (500.0, np.nan, (0.0, None)),
    ],
)
def test_an_offer_is_accepted_when_short_and_a_bid_when_long(
    price: float, volume: float, expected: tuple[float, float | None]
) -> None:
    found = accept(WIDE, price, volume, LOSSLESS, ON, skip=False)
    assert found.volume_mwh == pytest.approx(expected[0])
    assert np.isnan(found.price_gbp_mwh) if expected[1] is None else found.price_gbp_mwh == expected[1]
    assert accept(WIDE, price, volume, LOSSLESS, ON, skip=True).volume_mwh == 0.0
    off = BalancingMechanismSettings(**SECTION | {"enabled": False})
    assert accept(WIDE, price, volume, LOSSLESS, off, skip=False).volume_mwh == 0.0


@pytest.mark.parametrize(
    ("limits", "offer", "bid"),
    [
        ({"highest_mw": 16.0, "lowest_mw": 4.0}, 3.0, -3.0),
        ({"highest_mw": 5.0, "lowest_mw": 12.0}, 0.0, 0.0),  # services leave no power: nothing, and no step back
        ({"below_mwh": 4.0, "above_mwh": 0.0}, 4.0, 0.0),
        ({"discharge_mwh": 2.0}, 2.0, -30.0),
        ({"throughput_mwh": 2.0}, 2.0, -12.0),  # the other way first saves 5, then it may charge 5 + 2
        ({"net_mw": -10.0, "discharge_mwh": 1.0}, 6.0, -20.0),  # 5 is less charge, 1 is discharge
    ],
)
def test_all_that_is_spare_and_no_more(limits: dict[str, float], offer: float, bid: float) -> None:
    spare = dataclasses.replace(WIDE, **limits)
    assert accept(spare, 500.0, 999.0, LOSSLESS, ON, skip=False).volume_mwh == pytest.approx(offer)
    assert accept(spare, -60.0, -999.0, LOSSLESS, ON, skip=False).volume_mwh == pytest.approx(bid)


def test_losses_turn_less_charging_and_more_discharging_into_different_energy() -> None:
    """Charging 4 MW at 0.8 stores 1.6 MWh; giving up 2.5 of the store takes those 2 MWh and 0.9 x 0.9 more."""
    battery = dataclasses.replace(LOSSLESS, charge_efficiency=0.8, discharge_efficiency=0.9)
    spare = dataclasses.replace(WIDE, net_mw=-4.0, below_mwh=2.5)
    assert accept(spare, 500.0, 999.0, battery, ON, skip=False).volume_mwh == pytest.approx(2.0 + 0.9 * 0.9)


def test_skips_are_drawn_by_seed_day_and_half_hour() -> None:
    draws = np.array([skipped(1, DAY, t, 0.3) for t in range(5000)])
    assert draws.mean() == pytest.approx(0.3, abs=0.03)
    assert [skipped(1, DAY, t, 0.3) for t in range(50)] == draws[:50].tolist()
    assert [skipped(2, DAY, t, 0.3) for t in range(50)] != draws[:50].tolist()
    assert [skipped(1, SPRING, t, 0.3) for t in range(50)] != draws[:50].tolist()
    assert not skipped(1, DAY, 0, 0.0)
    assert skipped(1, DAY, 0, 1.0)


# --- a day with acceptances ---------------------------------------------------------------------------


def run_day(battery: Battery, net_mw: np.ndarray, opening_mwh: float, day: date = DAY, **columns: Any) -> pd.DataFrame:
    """Rows of a day that sold its dispatch day-ahead."""
    hours = np.full(len(net_mw), 0.5)
    path = simulate(battery, opening_mwh, np.maximum(-net_mw, 0.0), np.maximum(net_mw, 0.0), hours)
    sold = (path.discharge_mw - path.charge_mw) * 0.5
    volumes = {"day_ahead_mwh": sold, "contracted_mwh": sold, "metered_mwh": sold}
    powers = {"charge_mw": path.charge_mw, "discharge_mw": path.discharge_mw, "energy_mwh": path.energy_mwh}
    return still_day(day, **volumes, **powers, **columns)


def system(day: date, price: np.ndarray | float, volume: np.ndarray | float) -> pd.DataFrame:
    return system_price(day, day, price).assign(net_imbalance_volume_mwh=volume)


def test_energy_that_the_rest_of_the_day_needs_is_not_spare() -> None:
    """20 MWh above empty, 15 of them sold for the evening: 5 are accepted in the first short half-hour, none later."""
    net = np.zeros(48)
    net[40] = 30.0
    rows = run_day(LOSSLESS, net, 25.0)
    found = with_acceptances(rows, system(DAY, 200.0, 99.0), LOSSLESS, ON, opening_energy_mwh=25.0, seed=1)
    assert found["accepted_mwh"].tolist() == pytest.approx([5.0] + [0.0] * 47)
    assert found["energy_mwh"].tolist() == pytest.approx([20.0] * 40 + [5.0] * 8)
    assert found["discharge_mw"][0] == pytest.approx(10.0)
    assert found["imbalance_mwh"].tolist() == [0.0] * 48
    schemas.validate("trading/market_dispatch", found)


def test_what_services_hold_is_not_spare() -> None:
    """10 MW of DCL need 2.5 MWh at the start of every half-hour but the first, and 10 MW of the rating."""
    rows = run_day(LOSSLESS, np.zeros(48), 12.0, dcl_mw=10.0)
    found = with_acceptances(rows, system(DAY, 200.0, 99.0), LOSSLESS, ON, opening_energy_mwh=12.0, seed=1)
    assert found["accepted_mwh"].sum() == pytest.approx(12.0 - 5.0 - 2.5 + 2.5)  # the last may go down to empty
    assert found["accepted_mwh"].tolist()[0] == pytest.approx(4.5)
    assert found["accepted_mwh"].tolist()[-1] == pytest.approx(2.5)
    power = run_day(LOSSLESS, np.zeros(48), 90.0, dcl_mw=10.0)
    found = with_acceptances(power, system(DAY, 200.0, 99.0), LOSSLESS, ON, opening_energy_mwh=90.0, seed=1)
    assert found["accepted_mwh"].max() == pytest.approx(20.0)


def test_a_bid_mends_what_was_missing_for_low_contracts() -> None:
    rows = run_day(LOSSLESS, np.zeros(48), 6.0, dcl_mw=10.0, missing_low_mwh=1.5)
    found = with_acceptances(
        rows, system(DAY, np.where(np.arange(48) == 3, 0.0, 90.0), -1.0), LOSSLESS, ON, opening_energy_mwh=6.0, seed=1
    )
    assert found["accepted_mwh"].tolist()[3] == pytest.approx(-1.0)
    assert found["missing_low_mwh"].tolist() == pytest.approx([1.5] * 4 + [0.5] * 44)


@pytest.mark.parametrize("limit", [{}, {"ramp_limit_mw_per_hour": 30.0}, {"max_throughput_mwh_per_day": 150.0}])
@pytest.mark.parametrize("seed", range(6))
def test_random_days_stay_possible_and_only_acceptances_are_added(seed: int, limit: dict[str, float]) -> None:
    battery = dataclasses.replace(BATTERY, self_discharge_per_hour=0.001, **limit)
    draw = np.random.default_rng(seed)
    net = np.repeat(draw.uniform(-12, 12, 23), 2)
    rows = run_day(battery, net, 50.0, SPRING)
    outcome = system(SPRING, draw.uniform(-100, 400, 46), draw.uniform(-40, 40, 46))
    half = BalancingMechanismSettings(**SECTION | {"skip_rate": 0.3})
    found = with_acceptances(rows, outcome, battery, half, opening_energy_mwh=50.0, seed=seed)
    hours = np.full(46, 0.5)
    powers = (found["charge_mw"], found["discharge_mw"], found["energy_mwh"])
    assert check(battery, 50.0, *(one.to_numpy() for one in powers), hours, trips=True) == []
    moved, before = (0.5 * (one["charge_mw"] + one["discharge_mw"]).sum() for one in (found, rows))
    assert moved <= max(limit.get("max_throughput_mwh_per_day", 1e9), before) + 1e-9
    assert 0.5 * found["discharge_mw"].sum() <= 1.5 * battery.usable_energy_mwh + 1e-9
    accepted = found["accepted_mwh"].to_numpy()
    assert {-1.0, 0.0, 1.0} == set(np.sign(accepted))
    np.testing.assert_allclose(found["metered_mwh"] - accepted, rows["metered_mwh"], atol=1e-9)
    np.testing.assert_allclose((found["discharge_mw"] - found["charge_mw"]) * 0.5, found["metered_mwh"], atol=1e-9)
    wanted = np.sign(outcome["net_imbalance_volume_mwh"]).to_numpy()
    assert (np.sign(accepted)[accepted != 0] == wanted[accepted != 0]).all()
    assert (np.abs(accepted) <= outcome["net_imbalance_volume_mwh"].abs() + 1e-9).all()
    passed_over = [skipped(seed, SPRING, t, 0.3) for t in range(46)]
    assert (accepted[passed_over] == 0).all()


@pytest.mark.parametrize("seed", range(4))
def test_contracts_and_their_activation_keep_what_they_hold(seed: int) -> None:
    """10 MW of DRL need 10 MWh and 10 MW, 8 MW of DMH 4 MWh of room, 8 MW, and 1.6 MW of the way back (4 of DRL)."""
    draw = np.random.default_rng(seed)
    out, back = draw.uniform(0, 0.4, (2, 48))
    rows = run_day(BATTERY, np.repeat(draw.uniform(-6, 6, 24), 2), 50.0, drl_mw=10.0, dmh_mw=8.0)
    flows = {"activation_export_mwh": out, "activation_import_mwh": back}
    eta = BATTERY.charge_efficiency
    drift = np.cumsum(back * eta - out / eta)
    rows = rows.assign(**flows, energy_mwh=rows["energy_mwh"] + drift, metered_mwh=rows["metered_mwh"] + out - back)
    outcome = system(DAY, draw.uniform(-100, 400, 48), draw.uniform(-40, 40, 48))
    found = with_acceptances(rows, outcome, BATTERY, ON, opening_energy_mwh=50.0, seed=seed)
    accepted, net = found["accepted_mwh"].to_numpy(), (found["discharge_mw"] - found["charge_mw"]).to_numpy()
    assert {-1.0, 0.0, 1.0} == set(np.sign(accepted))
    assert net[accepted > 0].max() <= 50.0 - 10.0 - 0.2 * 8.0 + 1e-9
    assert net[accepted < 0].min() >= -(50.0 - 8.0 - 0.4 * 10.0) - 1e-9
    at_end = found["energy_mwh"].to_numpy()
    assert (at_end[:-1] - 5.0 >= 10.0 / eta - 1e-9).all()
    assert (95.0 - at_end[:-1] >= 8.0 * 0.5 * eta - 1e-9).all()
    state = 50.0
    for t in range(48):
        state += eta * (max(-net[t], 0.0) * 0.5 + back[t]) - (max(net[t], 0.0) * 0.5 + out[t]) / eta
        assert at_end[t] == pytest.approx(state, abs=1e-9)


def test_cash_is_the_own_price_and_imbalance_is_as_it_was() -> None:
    rows = run_day(BATTERY, np.zeros(48), 50.0)
    found = with_acceptances(rows, system(DAY, 200.0, 4.0), BATTERY, ON, opening_energy_mwh=50.0, seed=1)
    market = MarketPrices(
        day_ahead(DAY, DAY, lambda _: 70.0), system(DAY, 200.0, 4.0), schemas.empty_frame("market/auction_clearing")
    )
    settled = settle_market_day(found, market, BATTERY, settings(balancing_mechanism=SECTION))
    streams = settled.cashflow.groupby("stream")["amount_gbp"].sum()
    volume = found["accepted_mwh"].sum()
    assert volume == pytest.approx(45.0 * BATTERY.discharge_efficiency)
    assert streams["balancing_mechanism"] == pytest.approx(150.0 * volume)
    assert streams["imbalance"] == 0.0
    assert streams["wear"] == pytest.approx(-5.0 * volume)


def test_switched_off_nothing_changes_and_a_path_of_other_powers_is_refused() -> None:
    rows = run_day(BATTERY, np.zeros(48), 50.0)
    off = BalancingMechanismSettings()
    found = with_acceptances(rows[::-1], system(DAY, 200.0, 4.0), BATTERY, off, opening_energy_mwh=50.0, seed=1)
    pd.testing.assert_frame_equal(found, rows)
    with pytest.raises(ValueError, match="state of energy of half-hour 0 does not follow"):
        with_acceptances(rows, system(DAY, 200.0, 4.0), BATTERY, ON, opening_energy_mwh=60.0, seed=1)


def test_an_empty_store_that_could_not_feed_its_losses_is_no_contradiction() -> None:
    battery = dataclasses.replace(LOSSLESS, auxiliary_mw=0.2, import_limit_mw=0.0)
    rows = run_day(battery, np.zeros(48), 5.0)
    assert (rows["energy_mwh"] == 5.0).all()
    found = with_acceptances(rows, system(DAY, 200.0, 4.0), battery, ON, opening_energy_mwh=5.0, seed=1)
    assert not found["accepted_mwh"].any()
    assert len(found) == len(gb_time.efa_half_hours(DAY))
