"""State of energy by hand-worked cases, clips with their reason, and violations found in bad schedules."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.battery.physics import Violation, check, simulate
from bess_pipeline.errors import UserInputError

LOSSLESS = Battery(energy_mwh=2.0, power_mw=1.0)
LOSSY = Battery(energy_mwh=2.0, power_mw=1.0, charge_efficiency=0.95, discharge_efficiency=0.95)


def test_charging_one_mw_for_a_half_hour_stores_half_a_mwh() -> None:
    run = simulate(LOSSLESS, 1.0, [1.0], [0.0], [0.5])
    assert run.energy_mwh.tolist() == [1.5]
    assert run.clipped.tolist() == [""]


def test_efficiencies_lose_on_both_legs() -> None:
    run = simulate(LOSSY, 1.0, [1.0, 0.0], [0.0, 1.0], [0.5, 0.5])
    np.testing.assert_allclose(run.energy_mwh, [1.475, 0.94868], atol=5e-6)
    assert run.clipped.tolist() == ["", ""]


def test_a_full_battery_is_never_above_its_limit() -> None:
    run = simulate(LOSSLESS, 1.95, [1.0], [0.0], [0.5])
    assert run.energy_mwh.tolist() == [2.0]
    assert run.charge_mw[0] == pytest.approx(0.1)  # 0.05 MWh in half an hour
    assert run.clipped.tolist() == ["full"]


def test_an_empty_battery_gives_what_it_has() -> None:
    run = simulate(LOSSY, 0.19, [0.0], [1.0], [0.5])
    assert run.energy_mwh[0] == pytest.approx(0.0, abs=1e-12)
    assert run.discharge_mw[0] == pytest.approx(0.19 * 0.95 / 0.5)
    assert run.clipped.tolist() == ["empty"]


def test_power_beyond_the_rating_is_cut() -> None:
    run = simulate(LOSSLESS, 1.0, [3.0, 0.0], [0.0, 1.5], [0.25, 0.25])
    assert (run.charge_mw.tolist(), run.discharge_mw.tolist()) == ([1.0, 0.0], [0.0, 1.0])
    assert run.clipped.tolist() == ["power", "power"]


def test_both_at_once_is_their_difference() -> None:
    run = simulate(LOSSLESS, 1.0, [0.75], [0.25], [1.0])
    assert (run.charge_mw.tolist(), run.discharge_mw.tolist()) == ([0.5], [0.0])
    assert run.clipped.tolist() == ["simultaneous"]


def test_the_tightest_limit_is_the_reason() -> None:
    assert simulate(LOSSLESS, 1.9, [3.0], [0.0], [0.5]).clipped.tolist() == ["full"]


def test_without_a_power_limit_only_energy_limits() -> None:
    run = simulate(Battery(energy_mwh=2.0), 0.0, [1000.0, 0.0], [0.0, 3.0], [0.5, 0.5])
    assert run.energy_mwh.tolist() == [2.0, 0.5]
    assert run.clipped.tolist() == ["full", ""]


def test_a_limit_touched_exactly_is_no_clip() -> None:
    run = simulate(LOSSLESS, 0.7, [0.1] * 26, [0.0] * 26, [0.5] * 26)  # 13 x 0.1 by binary fractions
    assert set(run.clipped.tolist()) == {""}
    assert run.energy_mwh[-1] == pytest.approx(2.0)


def test_a_simulated_schedule_passes_the_check() -> None:
    rng = np.random.default_rng(7)
    charge, discharge = rng.uniform(0, 2, 200), rng.uniform(0, 2, 200)
    hours = rng.choice([0.5, 1.0], 200)
    run = simulate(LOSSY, 0.4, charge, discharge, hours)
    assert check(LOSSY, 0.4, run.charge_mw, run.discharge_mw, run.energy_mwh, hours) == []


@pytest.mark.parametrize(
    ("charge", "discharge", "energy", "expected"),
    [
        (-0.1, 0.0, 0.95, Violation("negative power", 0, 0.1)),
        (0.0, 1.5, 0.25, Violation("power", 0, 0.5)),
        (0.5, 0.25, 1.125, Violation("simultaneous", 0, 0.25)),
        (1.0, 0.0, 1.4, Violation("energy balance", 0, 0.1)),
    ],
)
def test_check_names_the_broken_limit(charge: float, discharge: float, energy: float, expected: Violation) -> None:
    (found,) = check(LOSSLESS, 1.0, [charge], [discharge], [energy], [0.5])
    assert (found.reason, found.period) == (expected.reason, expected.period)
    assert found.amount == pytest.approx(expected.amount)


def test_check_sees_the_energy_window_of_the_right_period() -> None:
    battery = Battery(energy_mwh=2.0, soc_min=0.25, soc_max=0.75, initial_soc=0.5, final_soc=0.5)
    found = check(battery, 1.0, [0, 1.2, 0], [0, 0, 2.4], [1.0, 1.6, 0.4], [0.5] * 3)
    assert [(v.reason, v.period) for v in found] == [("full", 1), ("empty", 2)]


def test_check_never_passes_what_is_not_a_number() -> None:
    assert check(LOSSLESS, 1.0, [math.nan], [0.0], [1.0], [0.5]) != []
    assert check(LOSSLESS, 1.0, [0.0, 0.0], [0.0], [1.0], [0.5]) == [Violation("shape", 0, 2.0)]


@pytest.mark.parametrize(
    ("opening", "charge", "discharge", "hours", "words"),
    [
        (2.5, [1.0], [0.0], [0.5], "opening energy 2.5 MWh lies outside the limits 0 to 2 MWh"),
        (1.0, [0.0, -1.0], [0.0, 0.0], [0.5, 0.5], "charge_mw of period 1 is -1.0"),
        (1.0, [0.0], [math.inf], [0.5], "discharge_mw of period 0 is inf"),
        (1.0, [0.0], [0.0], [0.0], "durations"),
        (1.0, [0.0], [0.0, 0.0], [0.5], "not 1, 2 and 1"),
    ],
)
def test_impossible_requests_are_refused(
    opening: float, charge: list[float], discharge: list[float], hours: list[float], words: str
) -> None:
    with pytest.raises(UserInputError, match=words):
        simulate(LOSSLESS, opening, charge, discharge, hours)
