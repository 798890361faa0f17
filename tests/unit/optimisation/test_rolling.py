"""A horizon solved many times: the single problem's optimum each time, and nothing left from the time before."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from trading_frames import BATTERY

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.errors import SolverError, UserInputError
from bess_pipeline.optimisation.energy import optimise_energy
from bess_pipeline.optimisation.problem import ClosingState, EnergyProblem
from bess_pipeline.optimisation.rolling import RollingHorizon, optimise_horizon
from bess_pipeline.optimisation.verify import verify

EVERYTHING = dataclasses.replace(
    BATTERY,
    self_discharge_per_hour=1e-3,
    auxiliary_mw=0.2,
    import_limit_mw=45.0,
    ramp_limit_mw_per_hour=60.0,
    max_throughput_mwh_per_day=280.0,
    warranty_cycles=2.5,
    cycle_depth_cost_gbp_per_mwh=(2.0, 6.0),
)
PERIODS = 48
DAYS = np.arange(PERIODS) // 24
FREE = dataclasses.replace(BATTERY, max_cycles_per_day=None)


def horizon(battery: Battery = BATTERY) -> RollingHorizon:
    return RollingHorizon(battery, PERIODS, 1.0, DAYS)


def price_paths(count: int, low: float = 0.0, high: float = 150.0) -> np.ndarray:
    return np.random.default_rng(11).uniform(low, high, (count, PERIODS)).round(0)  # whole pounds: ties are common


@pytest.mark.parametrize("battery", [BATTERY, FREE, dataclasses.replace(BATTERY, power_mw=20.0), EVERYTHING])
@pytest.mark.parametrize(("low", "high"), [(0.0, 150.0), (-300.0, 100.0)])
def test_each_answer_is_the_optimum_of_its_own_problem(battery: Battery, low: float, high: float) -> None:
    rolling, opening = horizon(battery), 5.0
    for number, price in enumerate(price_paths(6, low, high)):
        value = 20.0 * number
        found = rolling.solve(price, opening, value)
        problem = EnergyProblem(price, 1.0, DAYS, battery, opening, ClosingState.free(value))
        assert found.objective_gbp == pytest.approx(optimise_energy(problem).objective_gbp, rel=1e-7)
        verify(problem, found)
        assert found.gap <= 1e-6
        for day in (0, 1):
            if battery.max_cycles_per_day is not None:
                assert found.discharge_mw[day == DAYS].sum() <= 1.5 * 90.0 + 1e-6
        opening = float(found.energy_mwh[23])


def test_an_answer_does_not_depend_on_what_was_solved_before() -> None:
    """Bit for bit: else a day run by itself would differ from the same day run in a range."""
    paths = price_paths(12)
    used = horizon()
    forwards = [used.solve(price, 30.0, 50.0) for price in paths]
    backwards = [used.solve(price, 30.0, 50.0) for price in paths[::-1]][::-1]
    alone = [horizon().solve(price, 30.0, 50.0) for price in paths]
    for one, two, three in zip(forwards, backwards, alone, strict=True):
        assert one.energy_mwh.tobytes() == two.energy_mwh.tobytes() == three.energy_mwh.tobytes()
        assert one.charge_mw.tobytes() == two.charge_mw.tobytes() == three.charge_mw.tobytes()
    assert len({one.energy_mwh.tobytes() for one in forwards}) > 6  # different days have different answers


def test_what_is_stored_at_the_end_is_kept_for_what_it_is_worth() -> None:
    """Charging costs (50 + 5) / 0.938 = 58.6 per stored MWh, discharging earns (50 - 5) x 0.938 = 42.2."""
    flat = np.full(PERIODS, 50.0)
    worth_keeping, worth_selling = horizon().solve(flat, 80.0, 55.0), horizon().solve(flat, 80.0, 10.0)
    assert worth_keeping.energy_mwh[-1] == pytest.approx(80.0)
    assert worth_selling.energy_mwh[-1] == pytest.approx(BATTERY.energy_min_mwh)


def test_numbers_that_cannot_be_used_are_refused_and_the_session_lives_on() -> None:
    rolling, price = horizon(), price_paths(1)[0]
    expected = rolling.solve(price, 50.0).objective_gbp
    bad = price.copy()
    bad[7] = np.inf
    for arguments, words in (((bad, 50.0), "price of period 7"), ((price, 300.0), "opening"), ((price[:9], 5.0), "9 ")):
        with pytest.raises(UserInputError, match=words):
            rolling.solve(*arguments)
    with pytest.raises(UserInputError, match="terminal value"):
        rolling.solve(price, 50.0, np.nan)
    assert rolling.solve(price, 50.0).objective_gbp == expected


def test_lengths_and_day_patterns_have_a_session_each_and_closing_states_none() -> None:
    for hours in (46, 48, 50):
        days = (np.arange(96) >= hours).astype(int)
        price = np.tile(price_paths(1)[0], 2)
        problem = EnergyProblem(price, 0.5, days, BATTERY, 50.0, ClosingState.free(30.0))
        found = optimise_horizon(problem)
        assert found.objective_gbp == pytest.approx(optimise_energy(problem).objective_gbp, rel=1e-9)
        assert found.discharge_mw[:hours].sum() * 0.5 <= 1.5 * 90.0 + 1e-6
    with pytest.raises(ValueError, match="ends free"):
        optimise_horizon(dataclasses.replace(problem, closing=ClosingState.fixed(50.0)))


def test_a_time_limit_is_a_sentence() -> None:
    rolling = RollingHorizon(BATTERY, 20_000, 0.5, np.arange(20_000) // 48, time_limit_s=1e-9)
    with pytest.raises(SolverError, match="time limit of 1e-09 s on 20000 periods"):
        rolling.solve(np.random.default_rng(3).uniform(0.0, 100.0, 20_000), 50.0)
