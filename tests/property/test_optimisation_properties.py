"""Random batteries and price paths: optimal against an independent SciPy formulation, feasible, exclusive."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from optimisation_oracle import least_unserved, powers
from optimisation_problems import LINKS, expected_profit, problems

from bess_pipeline.battery.physics import check, simulate
from bess_pipeline.errors import SolverError
from bess_pipeline.optimisation.energy import EnergySession, optimise_energy
from bess_pipeline.optimisation.exact_path import optimise_path
from bess_pipeline.optimisation.problem import EnergyProblem
from bess_pipeline.optimisation.schedule import EnergySchedule

REFUSED = "cannot be reached|leaves no schedule|no schedule of these"


def assert_feasible(problem: EnergyProblem, schedule: EnergySchedule) -> None:
    """Every limit and balance written out once more, in MW and MWh, from the schedule's numbers alone."""
    battery, hours = problem.battery, problem.durations
    charge, discharge, energy = schedule.charge_mw, schedule.discharge_mw, schedule.energy_mwh
    before = np.concatenate([[problem.opening_energy_mwh], energy[:-1]])
    gained = (battery.charge_efficiency * charge - discharge / battery.discharge_efficiency) * hours
    lost = (battery.self_discharge_per_hour * before + battery.auxiliary_mw) * hours - schedule.unserved_mwh
    np.testing.assert_allclose(energy, before + gained - lost, atol=2e-6)
    assert np.minimum(charge, discharge).max() == 0.0
    assert min(charge.min(), discharge.min()) >= 0.0
    limits = powers(battery, hours, problem.charge_availability, problem.discharge_availability)  # type: ignore[arg-type]
    assert (charge <= limits[0] + 1e-6).all()
    assert (discharge <= limits[1] + 1e-6).all()
    assert energy.min() >= battery.soc_min * battery.energy_mwh - 1e-6
    assert energy.max() <= battery.soc_max * battery.energy_mwh + 1e-6
    usable = (battery.soc_max - battery.soc_min) * battery.energy_mwh
    for day in np.unique(problem.day_index):
        member = problem.day_index == day
        assert (discharge * hours)[member].sum() <= (battery.max_cycles_per_day or np.inf) * usable + 1e-6
        flow = ((charge + discharge) * hours)[member].sum()
        assert flow <= (battery.max_throughput_mwh_per_day or np.inf) + 1e-6
    assert (discharge * hours).sum() <= (battery.warranty_cycles or np.inf) * usable + 1e-6
    if battery.ramp_limit_mw_per_hour is not None:
        step = np.abs(np.diff(discharge - charge))[(limits[0] + limits[1])[1:] > 0]
        allowed = (battery.ramp_limit_mw_per_hour * hours[:-1])[(limits[0] + limits[1])[1:] > 0]
        assert (step <= allowed + 2e-6).all()


def assert_optimal(problem: EnergyProblem) -> None:
    expected = expected_profit(problem)
    if expected is None:
        with pytest.raises(SolverError, match=REFUSED):
            optimise_energy(problem)
        return
    schedule = optimise_energy(problem)
    assert schedule.objective_gbp == pytest.approx(expected, rel=1e-6, abs=1e-5)
    assert schedule.gap <= 1e-6
    assert_feasible(problem, schedule)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(problems())
def test_schedule_is_optimal_feasible_and_exclusive(problem: EnergyProblem) -> None:
    assert_optimal(problem)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(problems(losses=True, links=()))
def test_standing_losses_grid_limits_and_outages(problem: EnergyProblem) -> None:
    assert_optimal(problem)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(problems(losses=True, links=tuple(LINKS)))
def test_everything_together(problem: EnergyProblem) -> None:
    assert_optimal(problem)


@pytest.mark.parametrize("link", LINKS)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(problem=problems(links=tuple(LINKS)))
def test_each_link_between_periods_by_itself(link: str, problem: EnergyProblem) -> None:
    others = {name: values[0] for name, values in LINKS.items() if name != link}
    assert_optimal(replace(problem, battery=replace(problem.battery, **others)))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(problems())
def test_simulating_the_schedule_clips_nothing(problem: EnergyProblem) -> None:
    try:
        schedule = optimise_energy(problem)
    except SolverError:
        return
    states = (schedule.charge_mw, schedule.discharge_mw, schedule.energy_mwh, problem.durations)
    assert check(problem.battery, problem.opening_energy_mwh, *states) == []
    run = simulate(
        problem.battery, problem.opening_energy_mwh, schedule.charge_mw, schedule.discharge_mw, problem.durations
    )
    np.testing.assert_allclose(run.energy_mwh, schedule.energy_mwh, atol=1e-6)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(problems(losses=True, links=()))
def test_dynamic_programme_is_optimal_by_itself(problem: EnergyProblem) -> None:
    expected = expected_profit(problem)
    if expected is None:
        with pytest.raises(SolverError):
            optimise_path(problem)
        return
    assert optimise_path(problem).value_gbp == pytest.approx(expected, rel=1e-6, abs=1e-5)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(problems(losses=True, links=()))
def test_no_more_of_the_standby_load_is_shed_than_must_be(problem: EnergyProblem) -> None:
    charge, _ = powers(problem.battery, problem.durations, problem.charge_availability, 1.0)  # type: ignore[arg-type]
    least = least_unserved(problem.battery, problem.durations, charge, problem.opening_energy_mwh)
    assert problem.unserved_mwh.sum() == pytest.approx(least, abs=1e-7)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(problems(losses=True, links=tuple(LINKS)))
def test_a_live_session_and_its_duals_agree_with_a_fresh_solve(problem: EnergyProblem) -> None:
    """Prices change, the solver stays; the duals at the optimum price the same objective."""
    session = EnergySession(problem)
    try:
        session.solve()
        session.set_prices(problem.prices[::-1])
        schedule = session.solve()
    except SolverError:
        return
    fresh = optimise_energy(replace(problem, price_gbp_mwh=problem.prices[::-1]))
    assert schedule.objective_gbp == pytest.approx(fresh.objective_gbp, rel=1e-6, abs=1e-5)
    assert session.duals(schedule).objective_gbp == pytest.approx(fresh.objective_gbp, rel=1e-6, abs=1e-5)
