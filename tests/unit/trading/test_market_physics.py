"""One half-hour with a baseline and services: cases by hand, and the re-check of a day."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from market_days import BATTERY, DAY, half_hours

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.battery.physics import simulate
from bess_pipeline.errors import SolverError
from bess_pipeline.trading.market_physics import Asked, Done, carry_out, require_physical

MOST = 25.0


def test_everything_that_fits_is_done() -> None:
    done = carry_out(BATTERY, 50.0, Asked(0.0, 10.0, 2.0, 1.0), MOST, MOST)
    assert done == Done(0.0, 10.0, 2.0, 1.0, pytest.approx(50.0 + 0.9 - 12.0 / 0.95), 0.0)


@pytest.mark.parametrize(
    ("stored", "asked", "done"),
    [
        (94.0, Asked(10.0, 0.0, 0.0, 0.5), Done(0.55 / 0.9, 0.0, 0.0, 0.5, 95.0, 0.0)),  # the baseline gives way first
        (94.0, Asked(1.0, 0.0, 0.0, 2.0), Done(0.0, 0.0, 0.0, 1.0 / 0.9, 95.0, 0.0)),  # then delivery
        (7.0, Asked(0.0, 3.0, 1.0, 0.0), Done(0.0, 0.9, 1.0, 0.0, 5.0, 0.0)),
        (6.0, Asked(0.0, 3.0, 1.0, 0.0), Done(0.0, 0.0, 0.95, 0.0, 5.0, 0.0)),
        (50.0, Asked(0.0, 24.0, 4.0, 0.0), Done(0.0, 21.0, 4.0, 0.0, 50.0 - 25.0 / 0.95, 0.0)),  # one rating for both
        (50.0, Asked(24.0, 0.0, 0.0, 26.0), Done(0.0, 0.0, 0.0, 25.0, 72.5, 0.0)),
    ],
)
def test_the_baseline_gives_way_before_delivery_does(stored: float, asked: Asked, done: Done) -> None:
    found = carry_out(BATTERY, stored, asked, MOST, MOST)
    for name in Done.__dataclass_fields__:
        assert getattr(found, name) == pytest.approx(getattr(done, name)), name


@pytest.mark.parametrize(("limit_mwh", "unserved_mwh"), [(MOST, 0.0), (0.1, 0.25 - 0.09)])
def test_an_empty_store_charges_its_standing_losses_as_far_as_the_grid_lets_it(
    limit_mwh: float, unserved_mwh: float
) -> None:
    battery = replace(BATTERY, auxiliary_mw=0.5)
    done = carry_out(battery, 5.0, Asked(0.0, 2.0), limit_mwh, MOST)
    assert done.unserved_mwh == pytest.approx(unserved_mwh)
    assert done.charge_mwh == pytest.approx(min(0.25 / 0.9, limit_mwh))
    assert (done.discharge_mwh, done.energy_mwh) == (0.0, 5.0)


def test_without_services_it_is_the_physics_of_a_baseline() -> None:
    """The same as `battery/physics.py`, which is another implementation, over random schedules."""
    random = np.random.default_rng(5)
    battery = Battery(
        energy_mwh=30.0,
        power_mw=20.0,
        charge_efficiency=0.9,
        discharge_efficiency=0.92,
        auxiliary_mw=0.4,
        self_discharge_per_hour=0.002,
    )
    net = random.uniform(-30.0, 30.0, 400)
    charge, discharge = np.maximum(-net, 0.0), np.maximum(net, 0.0)
    path = simulate(battery, 10.0, charge, discharge, np.full(400, 0.5))
    state = 10.0
    for t in range(400):
        done = carry_out(battery, state, Asked(charge[t] / 2, discharge[t] / 2), 10.0, 10.0)
        state = done.energy_mwh
        assert state == pytest.approx(path.energy_mwh[t], abs=1e-9)
        assert done.net_mwh * 2 == pytest.approx(path.discharge_mw[t] - path.charge_mw[t], abs=1e-9)
        assert done.unserved_mwh == pytest.approx(path.unserved_mwh[t], abs=1e-9)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"energy_mwh": 51.0}, "energy balance"),
        ({"energy_mwh": 4.0}, "empty"),
        ({"energy_mwh": 96.0}, "full"),
        ({"charge_mwh": 3.0, "discharge_mwh": 1.0}, "charge and discharge at once"),
        ({"discharge_mwh": 26.0}, "discharge limit"),
        ({"high_mwh": 26.0}, "charge limit"),
        ({"low_mwh": -0.1}, "negative energy"),
        ({"energy_mwh": np.nan}, "full"),
    ],
)
def test_the_re_check_names_the_half_hour_and_what_it_breaks(wrong: dict[str, Any], reason: str) -> None:
    idle = Done(0.0, 0.0, 0.0, 0.0, 50.0, 0.0)
    most, starts = np.full(3, MOST), list(half_hours(DAY)[:3])
    require_physical(BATTERY, 50.0, [idle] * 3, most, most, starts)
    with pytest.raises(SolverError, match=rf"{reason} in half-hour 1 \(2026-04-13T22:30Z\)"):
        require_physical(BATTERY, 50.0, [idle, replace(idle, **wrong), idle], most, most, starts)
