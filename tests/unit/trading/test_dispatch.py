"""Dispatch of hand-made plans, clips included."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from bess_pipeline import gb_time, schemas
from bess_pipeline.battery.limits import Availability
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.trading.checks import energy_balance_error_mwh
from bess_pipeline.trading.dispatch import closing_energy_mwh, dispatch_day, idle_day

DAY = date(2024, 2, 20)
SMALL = Battery(energy_mwh=2.0, power_mw=1.0)


def plan_rows(day: date, net_mw: dict[int, float], day_ahead_mw: dict[int, float] | None = None) -> pd.DataFrame:
    """Plan rows with a net export (import when negative) in some half-hours."""
    starts = gb_time.efa_half_hours(day)
    net, sold = np.zeros(len(starts)), np.zeros(len(starts))
    for period, value in net_mw.items():
        net[period] = value
    for period, value in (net_mw if day_ahead_mw is None else day_ahead_mw).items():
        sold[period] = value
    return pd.DataFrame(
        {
            "efa_date": [day] * len(starts),
            "strategy": "rule_based",
            "gate": "day_ahead",
            "start_utc": starts,
            "day_ahead_mw": sold,
            "charge_mw": np.maximum(-net, 0.0),
            "discharge_mw": np.maximum(net, 0.0),
            "energy_mwh": 0.0,
        }
    )


def test_a_plan_that_fits_is_carried_out_as_sold() -> None:
    rows = dispatch_day(SMALL, plan_rows(DAY, {2: -1.0, 3: -1.0, 30: 1.0}), 0.5)
    assert list(rows["energy_mwh"].iloc[[1, 2, 3, 29, 30, 47]]) == [0.5, 1.0, 1.5, 1.5, 1.0, 1.0]
    assert list(rows["metered_mwh"].iloc[[2, 3, 30]]) == [-0.5, -0.5, 0.5]
    pd.testing.assert_series_equal(rows["metered_mwh"], rows["contracted_mwh"], check_names=False)
    assert (rows[["imbalance_mwh", "forced_imbalance_mwh"]] == 0.0).all(axis=None)
    assert closing_energy_mwh(rows) == 1.0


def test_what_physics_clips_is_forced_imbalance() -> None:
    rows = dispatch_day(SMALL, plan_rows(DAY, {0: 1.0, 10: -1.0}), 0.2)
    assert rows["metered_mwh"].iloc[0] == pytest.approx(0.2)
    assert rows["imbalance_mwh"].iloc[0] == rows["forced_imbalance_mwh"].iloc[0] == pytest.approx(-0.3)
    assert rows["energy_mwh"].iloc[10] == pytest.approx(0.5)
    assert rows["imbalance_mwh"].iloc[1:].abs().max() == 0.0


def test_a_planned_position_is_imbalance_but_not_forced() -> None:
    rows = dispatch_day(SMALL, plan_rows(DAY, {5: 1.0}, day_ahead_mw={5: 0.4}), 1.0)
    assert rows["imbalance_mwh"].iloc[5] == pytest.approx(0.3)
    assert rows["forced_imbalance_mwh"].abs().max() == 0.0


def test_metered_energy_balances_with_the_state_of_energy() -> None:
    battery = Battery(energy_mwh=2.0, power_mw=1.0, charge_efficiency=0.95, discharge_efficiency=0.95)
    rng = np.random.default_rng(3)
    rows = dispatch_day(battery, plan_rows(DAY, dict(enumerate(rng.normal(0.0, 1.5, 48)))), 1.0)
    imported, exported = rows["charge_mw"].sum() * 0.5, rows["discharge_mw"].sum() * 0.5
    assert exported - imported == pytest.approx(rows["metered_mwh"].sum())
    assert closing_energy_mwh(rows) == pytest.approx(1.0 + 0.95 * imported - exported / 0.95)
    assert rows["energy_mwh"].between(-1e-9, 2.0 + 1e-9).all()
    assert (rows[["charge_mw", "discharge_mw"]].min(axis=1) == 0.0).all()


def test_an_outage_and_an_empty_store_force_imbalance() -> None:
    """Half of the discharge is out of service; then the auxiliary load of an empty battery is bought."""
    battery = replace(SMALL, auxiliary_mw=0.1, charge_efficiency=0.5)
    derated = np.ones(48)
    derated[0] = 0.5
    rows = dispatch_day(battery, plan_rows(DAY, {0: 1.0}), 0.3, Availability(discharge=derated))
    assert rows["metered_mwh"].iloc[0] == pytest.approx(0.25)
    assert rows["forced_imbalance_mwh"].iloc[0] == pytest.approx(-0.25)
    assert rows["energy_mwh"].iloc[:2].tolist() == [0.0, 0.0]  # 0.3 - 0.25 - 0.05
    assert rows["metered_mwh"].iloc[1] == rows["forced_imbalance_mwh"].iloc[1] == pytest.approx(-0.05 / 0.5)
    assert energy_balance_error_mwh(rows, battery) < 1e-9
    assert energy_balance_error_mwh(rows.assign(energy_mwh=rows["energy_mwh"] + rows.index), battery) > 0.9
    unfed = idle_day(DAY, "rule_based", 0.1, battery, Availability(charge=0.0))
    assert unfed["energy_mwh"].iloc[[0, 1, 47]].tolist() == pytest.approx([0.05, 0.0, 0.0])
    assert (unfed["metered_mwh"] == 0).all()
    assert energy_balance_error_mwh(unfed, battery) < 1e-9


def test_rows_in_any_order_give_the_same_dispatch() -> None:
    plan = plan_rows(DAY, {2: -1.0, 30: 1.0})
    pd.testing.assert_frame_equal(dispatch_day(SMALL, plan.iloc[::-1], 0.5), dispatch_day(SMALL, plan, 0.5))


@pytest.mark.parametrize(("day", "rows"), [(DAY, 48), (date(2024, 3, 31), 46), (date(2024, 10, 27), 50)])
def test_an_idle_day_moves_nothing_and_carries_the_state(day: date, rows: int) -> None:
    idle = idle_day(day, "rule_based", 42.0)
    assert len(idle) == rows
    assert set(idle["energy_mwh"]) == {42.0}
    numbers = idle.drop(columns=["efa_date", "strategy", "start_utc", "energy_mwh"])
    assert (numbers == 0.0).all(axis=None)
    assert list(idle.columns) == list(schemas.columns("trading/dispatch"))
