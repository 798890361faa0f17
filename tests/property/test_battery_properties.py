"""Any request to any battery ends in a feasible trajectory, equal to the period-by-period oracle."""

from __future__ import annotations

from dataclasses import dataclass, replace

import battery_oracle
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bess_pipeline.battery.limits import Availability
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.battery.physics import (
    Trajectory,
    after_standing_losses_mwh,
    check,
    powers_of_change,
    simulate,
    stored_change_mwh,
)
from bess_pipeline.battery.rejection import explain, require_feasible
from bess_pipeline.errors import UserInputError

power = st.floats(0, 5, allow_nan=False)
share = st.sampled_from([0.0, 0.3, 1.0, 1.0])


@st.composite
def batteries(draw: st.DrawFn) -> Battery:
    """Without losses at rest, grid or ramp limits."""
    low, high = draw(st.floats(0, 0.4)), draw(st.floats(0.6, 1))
    middle = (low + high) / 2
    return Battery(
        energy_mwh=draw(st.floats(0.1, 20)),
        power_mw=draw(st.sampled_from([0.5, 2.0, float("inf")])),
        charge_efficiency=draw(st.floats(0.5, 1)),
        discharge_efficiency=draw(st.floats(0.5, 1)),
        soc_min=low,
        soc_max=high,
        initial_soc=middle,
        final_soc=middle,
    )


@st.composite
def limited_batteries(draw: st.DrawFn) -> Battery:
    """With any of them."""
    return replace(
        draw(batteries()),
        self_discharge_per_hour=draw(st.sampled_from([0.0, 0.01, 0.3])),
        auxiliary_mw=draw(st.sampled_from([0.0, 0.05, 0.7])),
        import_limit_mw=draw(st.sampled_from([None, 0.0, 0.4, 3.0])),
        export_limit_mw=draw(st.sampled_from([None, 0.0, 0.4, 3.0])),
        ramp_limit_mw_per_hour=draw(st.sampled_from([None, 0.5, 4.0])),
    )


@dataclass(frozen=True)
class Request:
    """A battery, its opening state, and what is asked of it: arrays of (periods,)."""

    battery: Battery
    opening_mwh: float
    charge: np.ndarray
    discharge: np.ndarray
    hours: np.ndarray
    availability: Availability

    def run(self) -> Trajectory:
        return simulate(self.battery, self.opening_mwh, self.charge, self.discharge, self.hours, self.availability)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    battery = draw(limited_batteries())
    period = st.tuples(power, power, st.sampled_from([0.0, 1.0]), st.sampled_from([0.25, 0.5, 1.0]), share, share)
    charge, discharge, both, hours, can_charge, can_discharge = np.array(
        draw(st.lists(period, min_size=1, max_size=14))
    ).T
    charge = np.where((both == 0) & (charge < discharge), 0.0, charge)  # mostly one direction
    discharge = np.where((both == 0) & (charge > 0), 0.0, discharge)
    low, high = battery.energy_min_mwh, battery.energy_max_mwh
    opening = low + draw(st.sampled_from([0.0, 0.5, 1.0])) * (high - low)
    return Request(battery, opening, charge, discharge, hours, Availability(can_charge, can_discharge))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(batteries(), st.lists(st.tuples(power, power, st.sampled_from([0.25, 0.5, 1.0])), min_size=1, max_size=20))
def test_execution_is_feasible_and_never_more_than_asked(
    battery: Battery, asked: list[tuple[float, float, float]]
) -> None:
    charge, discharge, hours = np.array(asked).T
    run = simulate(battery, battery.initial_energy_mwh, charge, discharge, hours)
    executed = (run.charge_mw, run.discharge_mw, run.energy_mwh)
    assert check(battery, battery.initial_energy_mwh, *executed, hours, tolerance=1e-8) == []
    net, asked_net = run.discharge_mw - run.charge_mw, discharge - charge
    assert (np.abs(net) <= np.abs(asked_net) + 1e-9).all()
    assert (net * asked_net >= -1e-9).all()  # never the other direction
    untouched = run.clipped == ""
    np.testing.assert_allclose(net[untouched], asked_net[untouched], atol=1e-7)
    np.testing.assert_allclose(net[run.clipped == "simultaneous"], asked_net[run.clipped == "simultaneous"], atol=1e-7)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(requests())
def test_the_engine_does_what_the_oracle_does(request: Request) -> None:
    run = request.run()
    can = np.array([request.availability.charge, request.availability.discharge]).T
    asked = np.array([request.charge, request.discharge, request.hours]).T
    expected = battery_oracle.execute(request.battery, request.opening_mwh, asked.tolist(), can.tolist())
    np.testing.assert_allclose(run.discharge_mw - run.charge_mw, [one.net_mw for one in expected], atol=1e-7)
    np.testing.assert_allclose(run.energy_mwh, [one.energy_mwh for one in expected], atol=1e-8)
    np.testing.assert_allclose(run.unserved_mwh, [one.unserved_mwh for one in expected], atol=1e-8)
    assert run.clipped.tolist() == [one.reason for one in expected]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(requests())
def test_what_was_clipped_is_feasible_balanced_and_stays_as_it_is(request: Request) -> None:
    battery, run = request.battery, request.run()
    executed = (run.charge_mw, run.discharge_mw, run.energy_mwh)
    options = {"availability": request.availability, "unserved_mwh": run.unserved_mwh, "trips": True}
    assert check(battery, request.opening_mwh, *executed, request.hours, 1e-8, **options) == []
    before = np.append(request.opening_mwh, run.energy_mwh[:-1])
    flow = stored_change_mwh(battery, run.charge_mw, run.discharge_mw, request.hours)
    left = after_standing_losses_mwh(battery, before, request.hours) + run.unserved_mwh
    np.testing.assert_allclose(run.energy_mwh, left + flow, atol=1.1e-9)
    again = replace(request, charge=run.charge_mw, discharge=run.discharge_mw).run()
    np.testing.assert_allclose(again.charge_mw, run.charge_mw, atol=1e-8)
    np.testing.assert_allclose(again.discharge_mw, run.discharge_mw, atol=1e-8)
    np.testing.assert_allclose(again.energy_mwh, run.energy_mwh, atol=1e-8)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(requests())
def test_clipping_a_feasible_schedule_changes_nothing_and_rejection_agrees(request: Request) -> None:
    """What the first run executed without ramp or standby is feasible as it stands; what it clipped is refused."""
    request = replace(request, battery=replace(request.battery, ramp_limit_mw_per_hour=None, auxiliary_mw=0.0))
    request = replace(request, battery=replace(request.battery, self_discharge_per_hour=0.0))
    run = request.run()
    feasible = replace(request, charge=run.charge_mw, discharge=run.discharge_mw)
    again = feasible.run()
    np.testing.assert_allclose(again.charge_mw, run.charge_mw, rtol=0, atol=1e-12)
    np.testing.assert_allclose(again.discharge_mw, run.discharge_mw, rtol=0, atol=1e-12)
    assert set(again.clipped.tolist()) == {""}
    asked = (request.battery, request.opening_mwh, request.charge, request.discharge, request.hours)
    if (run.clipped == "").all():
        np.testing.assert_array_equal(require_feasible(*asked, request.availability).energy_mwh, run.energy_mwh)
        return
    found = explain(*asked, run, request.availability)
    assert [(one.period, one.reason) for one in found] == [
        (t, reason) for t, reason in enumerate(run.clipped.tolist()) if reason
    ]
    with pytest.raises(UserInputError, match=f"period {found[0].period}: "):
        require_feasible(*asked, request.availability)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(requests(), min_size=1, max_size=4))
def test_many_schedules_at_once_are_each_run_by_itself(drawn: list[Request]) -> None:
    first = drawn[0]
    battery, hours, size = first.battery, first.hours, first.hours.size
    low, high = battery.energy_min_mwh, battery.energy_max_mwh
    charge, discharge = (
        np.array([np.resize(getattr(one, name), size) for one in drawn]) for name in ("charge", "discharge")
    )
    opening = np.array([min(max(one.opening_mwh, low), high) for one in drawn])
    together = simulate(battery, opening, charge, discharge, hours, first.availability)
    assert together.energy_mwh.shape == (len(drawn), size)
    for n in range(len(drawn)):
        alone = simulate(battery, opening[n], charge[n], discharge[n], hours, first.availability)
        for name in ("charge_mw", "discharge_mw", "energy_mwh", "unserved_mwh"):
            np.testing.assert_allclose(getattr(together, name)[n], getattr(alone, name), rtol=0, atol=1e-12)
        assert together.clipped[n].tolist() == alone.clipped.tolist()


@settings(max_examples=80, deadline=None, derandomize=True)
@given(batteries(), st.lists(st.floats(-3, 3), min_size=1, max_size=10), st.sampled_from([0.5, 1.0]))
def test_powers_and_stored_energy_are_inverse(battery: Battery, changes: list[float], step: float) -> None:
    change, hours = np.array(changes), np.full(len(changes), step)
    charge, discharge = powers_of_change(battery, change, hours)
    assert (np.minimum(charge, discharge) == 0).all()
    np.testing.assert_allclose(stored_change_mwh(battery, charge, discharge, hours), change, atol=1e-12)
