"""Shocks by hand on a small position, and against the battery's own physics."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from stressed_frames import with_services
from trading_frames import BATTERY

from bess_pipeline import gb_time
from bess_pipeline.ancillary_settings import AncillarySettings
from bess_pipeline.battery.physics import simulate
from bess_pipeline.risk import stress, stressed
from bess_pipeline.risk_settings import StressSettings

DAY = date(2024, 6, 3)
ETA = 0.88**0.5
PRICE = np.array([-50.0, 40.0, 100.0, 300.0])


HELD = {"DCL": (40.0, 4.0), "DMH": (10.0, -2.0), "PQR": (10.0, 5.0)}  # MW, GBP/MW/h: 80, -10 and 25 a half-hour


def tables(**changes: object) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Four half-hours: charge 20 MW, rest, discharge 20 MW, rest; 1 MWh of response out in the second."""
    starts = gb_time.efa_half_hours(DAY)[:4]
    charge, discharge = np.array([20.0, 0, 0, 0]), np.array([0.0, 0, 20.0, 0])
    out = np.array([0.0, 1.0, 0, 0])
    energy = 50.0 + np.cumsum(ETA * charge / 2 - (discharge / 2 + out) / ETA)
    metered = discharge / 2 - charge / 2 + out
    contracted = np.array([-10.0, 0.0, 11.0, 0.0])
    dispatch = pd.DataFrame({"start_utc": starts, "strategy": "a", "charge_mw": charge, "discharge_mw": discharge})
    dispatch = dispatch.assign(activation_export_mwh=out, activation_import_mwh=0.0, energy_mwh=energy)
    dispatch = dispatch.assign(metered_mwh=metered, contracted_mwh=contracted)
    dispatch["imbalance_mwh"] = metered - contracted - out  # the third half-hour is 1 MWh short
    return dispatch.assign(**changes), pd.DataFrame({"start_utc": starts, "system_price_gbp_mwh": PRICE})


def given(**changes: object) -> stressed.Position:
    """Without services."""
    opening = float(changes.pop("opening", 50.0))  # type: ignore[arg-type]
    return stressed.position(*tables(**changes), opening)


def serving() -> stressed.Position:
    """With the services of `HELD`."""
    dispatch, price = tables()
    return stressed.position(*with_services(dispatch, HELD, price), AncillarySettings())


def test_a_spike_is_paid_for_being_short_where_it_costs_most() -> None:
    found = stress.price_spike_while_short(given(), BATTERY, 4000.0, 1, 0.0)
    assert found.pnl_change_gbp == pytest.approx(-1.0 * 3900.0)
    assert found.start_utc == given().start_utc[2]
    assert found.margin_after_mwh == found.margin_before_mwh
    shorter = stress.price_spike_while_short(given(), BATTERY, 4000.0, 2, 2.5)
    assert shorter.pnl_change_gbp == pytest.approx(-3900.0 - 2.5 * 4000.0 - 2.5 * 4000.0)
    assert stress.price_spike_while_short(given(), BATTERY, 50.0, 1, 0.0).pnl_change_gbp == 0.0  # it never falls


def test_prices_of_services_collapse_and_negative_ones_become_more_negative() -> None:
    """DCL £4 falls to 0.80, quick reserve £5 to 1.00, and DMH -£2 to -£3.60, each over four half-hours."""
    found = stress.response_price_collapse(serving(), BATTERY, 0.8)
    assert found.pnl_change_gbp == pytest.approx(-2.0 * (40.0 * 3.2 + 10.0 * 4.0 + 10.0 * 1.6))
    assert stress.response_price_collapse(given(), BATTERY, 0.8).pnl_change_gbp == 0.0


def test_an_outage_is_put_where_it_costs_most_and_moves_the_state_of_energy() -> None:
    """Half an hour out: not charging 10 MWh at -£50 leaves 10 eta less in store, bought at the mean price."""
    found = stress.asset_outage(serving(), BATTERY, 0.5)
    outcomes = [
        10.0 * -50.0 - 105.0 - 10.0 * PRICE.mean(),  # and no DCL or reserve paid; DMH, which is paid for, stays
        0.0 - 105.0,  # response energy is no imbalance
        -10.0 * 100.0 - 105.0,
        0.0 - 105.0,
    ]
    assert found.pnl_change_gbp == pytest.approx(min(outcomes))
    assert found.start_utc == serving().start_utc[int(np.argmin(outcomes))]
    assert (found.undelivered_mwh, found.surplus_gbp) == (pytest.approx(10.0), 0.0)
    energy = given().energy_mwh - ETA * 10.0
    assert found.margin_after_mwh == pytest.approx(np.minimum(energy - 5.0, 95.0 - energy).min())
    assert stress.asset_outage(given(), BATTERY, 99.0).words == "battery out of service for 2 h"


def test_energy_that_an_outage_leaves_in_store_is_stated_apart() -> None:
    """Two hours without service: 10 MWh not charged, 11 not given; 11/eta - 10 eta more is left than it was."""
    found = stress.asset_outage(given(), BATTERY, 2.0)
    assert found.pnl_change_gbp == pytest.approx(10.0 * -50.0 - 10.0 * 100.0)
    assert found.undelivered_mwh == pytest.approx(10.0 + 1.0 + 10.0)
    assert found.surplus_gbp == pytest.approx((11.0 / ETA - 10.0 * ETA) * ETA * PRICE.mean())


def test_lower_efficiency_follows_the_physics_of_a_worse_battery() -> None:
    dispatch, _ = tables()
    quiet = given(activation_export_mwh=0.0)
    found = stress.efficiency_loss(quiet, BATTERY, 0.05)
    poorer = replace(BATTERY, charge_efficiency=ETA * 0.95, discharge_efficiency=ETA * 0.95)
    charge, discharge = (dispatch[name].to_numpy() for name in ("charge_mw", "discharge_mw"))
    hours = np.full(4, 0.5)
    lost = (
        simulate(BATTERY, 50.0, charge, discharge, hours).energy_mwh
        - simulate(poorer, 50.0, charge, discharge, hours).energy_mwh
    )
    assert found.pnl_change_gbp == pytest.approx(-lost[-1] / (ETA * 0.95) * PRICE.mean())
    energy = quiet.energy_mwh - lost
    assert found.margin_after_mwh == pytest.approx(np.minimum(energy - 5.0, 95.0 - energy).min())


def test_twice_the_activation_is_bought_back_and_unpaid() -> None:
    found = stress.activation_increase(given(), BATTERY, 2.0)
    assert found.pnl_change_gbp == pytest.approx(-1.0 / ETA / ETA * PRICE.mean())
    assert found.margin_after_mwh == found.margin_before_mwh  # the narrowest point comes before the response energy
    counted = given(imbalance_mwh=np.array([0.0, 1.0, -1.0, 0.0]))  # no ABSVD
    more = stress.activation_increase(counted, BATTERY, 2.0)
    assert more.pnl_change_gbp == pytest.approx(found.pnl_change_gbp + 1.0 * 40.0)


def test_a_dispatch_that_a_shock_makes_impossible_has_a_negative_margin() -> None:
    empty = given(energy_mwh=np.array([20.0, 18.9, 8.3, 5.2]), opening=10.6)
    assert stress.activation_increase(empty, BATTERY, 3.0).margin_after_mwh == pytest.approx(0.2 - 2.0 / ETA)


def test_all_shocks_have_words_and_missing_prices_move_nothing() -> None:
    results = stress.all_shocks(serving(), BATTERY, StressSettings())
    assert len({one.shock for one in results}) == len(results) == 5
    assert all(one.words and np.isfinite(one.pnl_change_gbp) for one in results)
    dispatch, price = tables()
    unknown = stressed.position(dispatch, price[:0], 50.0)
    assert stress.activation_increase(unknown, BATTERY, 2.0).pnl_change_gbp == 0.0


def test_what_no_longer_fits_is_imbalance_when_it_was_wanted() -> None:
    """Opened at 6 MWh and not charged, the battery has 1 MWh to give in the second half-hour and none in the third."""
    poor = given(opening=6.0, energy_mwh=6.0 + given().energy_mwh - 50.0)
    found = stress.asset_outage(poor, BATTERY, 0.5)
    assert found.start_utc == poor.start_utc[0]
    asked, possible = 1.0 + 10.0, 1.0 * ETA  # AC
    assert found.undelivered_mwh == pytest.approx(10.0 + asked - possible)  # and the charge
    usual_closing = 6.0 + ETA * 10.0 - 11.0 / ETA
    assert usual_closing < 5.0  # so even without the outage some of the last discharge did not fit
    usual = (ETA * 10.0 + 1.0 - 1.0 / ETA) * ETA
    cash = 10.0 * -50.0  # not charged
    cash += (0.0 - usual) * 100.0  # response that is not given is not taken out of imbalance either
    assert found.pnl_change_gbp == pytest.approx(cash)
    assert found.margin_after_mwh == pytest.approx(6.0 - 11.0 / ETA - 5.0)


def test_energy_that_goes_both_ways_costs_its_losses() -> None:
    """1 MWh out and 1 MWh in within the half-hour: as much again leaves the store poorer by the round trip's loss."""
    both = given(activation_import_mwh=np.array([0.0, 1.0, 0.0, 0.0]), metered_mwh=np.array([-10.0, 0.0, 10.0, 0.0]))
    found = stress.activation_increase(both, BATTERY, 2.0)
    assert found.pnl_change_gbp == pytest.approx((ETA - 1.0 / ETA) / ETA * PRICE.mean())
