"""Random batteries and price paths: optimal against an independent SciPy formulation, feasible, exclusive."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optimisation_oracle import best_profit

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.battery.physics import check, simulate
from bess_pipeline.errors import SolverError
from bess_pipeline.optimisation.energy import optimise_energy
from bess_pipeline.optimisation.exact_path import optimise_path
from bess_pipeline.optimisation.problem import ClosingKind, ClosingState, EnergyProblem

hundredths = st.integers(0, 100).map(lambda n: n / 100)


@st.composite
def problems(draw: st.DrawFn, cycles: bool = True) -> EnergyProblem:
    """A small problem: any rating, losses, window, closing state, hourly and half-hourly periods mixed."""
    low, high = draw(st.integers(0, 40)) / 100, draw(st.integers(60, 100)) / 100
    opening = low + (high - low) * draw(hundredths)
    battery = Battery(
        energy_mwh=draw(st.sampled_from([1.0, 2.0, 37.5, 200.0])),
        power_mw=draw(st.sampled_from([0.3, 1.0, 10.0, 100.0, math.inf])),
        charge_efficiency=draw(st.sampled_from([0.7, 0.9, 0.9381, 1.0])),
        discharge_efficiency=draw(st.sampled_from([0.8, 0.9381, 1.0])),
        soc_min=low,
        soc_max=high,
        initial_soc=min(opening, high),
        final_soc=min(opening, high),
        degradation_cost_gbp_per_mwh=draw(st.sampled_from([0.0, 1.2, 5.0])),
        max_cycles_per_day=draw(st.sampled_from([None, 0.4, 1.0, 3.0])) if cycles else None,
    )
    price = draw(st.lists(st.integers(-20_000, 30_000).map(lambda n: n / 100), min_size=1, max_size=9))
    hours = draw(st.lists(st.sampled_from([0.5, 1.0]), min_size=len(price), max_size=len(price)))
    target = battery.energy_mwh * (low + (high - low) * draw(hundredths))
    closing = draw(
        st.sampled_from(
            [
                ClosingState.fixed(battery.initial_energy_mwh),
                ClosingState.fixed(target),
                ClosingState.at_least(target, 20.0),
                ClosingState.free(),
                ClosingState.free(60.0),
                ClosingState.free(-40.0),
            ]
        )
    )
    days = np.arange(len(price)) // draw(st.integers(1, 9))
    return EnergyProblem(price, hours, days, battery, battery.initial_energy_mwh, closing)


def expected_profit(problem: EnergyProblem) -> float | None:
    """The oracle's answer; its closing window is written out here and not taken from the package."""
    closing = problem.closing
    window = {
        ClosingKind.FIXED: (closing.energy_mwh - 1e-9, closing.energy_mwh + 1e-9),
        ClosingKind.AT_LEAST: (closing.energy_mwh - 1e-9, math.inf),
        ClosingKind.FREE: (-math.inf, math.inf),
    }[closing.kind]
    return best_profit(
        problem.prices,
        problem.durations,
        np.asarray(problem.day_index),
        problem.battery,
        problem.opening_energy_mwh,
        window,
        closing.terminal_value_gbp_mwh,
    )


@settings(max_examples=100, deadline=None, derandomize=True)
@given(problems())
def test_schedule_is_optimal_feasible_and_exclusive(problem: EnergyProblem) -> None:
    expected = expected_profit(problem)
    if expected is None:
        with pytest.raises(SolverError, match="cannot be reached"):
            optimise_energy(problem)
        return
    schedule = optimise_energy(problem)
    assert schedule.objective_gbp == pytest.approx(expected, rel=1e-6, abs=1e-5)
    assert schedule.gap <= 1e-6
    assert np.minimum(schedule.charge_mw, schedule.discharge_mw).max() == 0.0
    states = (schedule.charge_mw, schedule.discharge_mw, schedule.energy_mwh, problem.durations)
    assert check(problem.battery, problem.opening_energy_mwh, *states) == []
    cycles = problem.battery.max_cycles_per_day
    if cycles is not None:
        for day in np.unique(problem.day_index):
            discharged = (schedule.discharge_mw * problem.durations)[problem.day_index == day].sum()
            assert discharged <= cycles * problem.battery.usable_energy_mwh + 1e-6


@settings(max_examples=40, deadline=None, derandomize=True)
@given(problems())
def test_simulating_the_schedule_clips_nothing(problem: EnergyProblem) -> None:
    try:
        schedule = optimise_energy(problem)
    except SolverError:
        return
    run = simulate(
        problem.battery, problem.opening_energy_mwh, schedule.charge_mw, schedule.discharge_mw, problem.durations
    )
    np.testing.assert_allclose(run.energy_mwh, schedule.energy_mwh, atol=1e-6)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(problems(cycles=False))
def test_dynamic_programme_is_optimal_by_itself(problem: EnergyProblem) -> None:
    expected = expected_profit(problem)
    if expected is None:
        with pytest.raises(SolverError):
            optimise_path(problem)
        return
    assert optimise_path(problem).value_gbp == pytest.approx(expected, rel=1e-6, abs=1e-5)
