"""Any request to any battery ends in a feasible trajectory that does no more than was asked for."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.battery.physics import check, powers_of_change, simulate, stored_change_mwh

power = st.floats(0, 5, allow_nan=False)


@st.composite
def batteries(draw: st.DrawFn) -> Battery:
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


@settings(max_examples=80, deadline=None, derandomize=True)
@given(batteries(), st.lists(st.floats(-3, 3), min_size=1, max_size=10), st.sampled_from([0.5, 1.0]))
def test_powers_and_stored_energy_are_inverse(battery: Battery, changes: list[float], step: float) -> None:
    change, hours = np.array(changes), np.full(len(changes), step)
    charge, discharge = powers_of_change(battery, change, hours)
    assert (np.minimum(charge, discharge) == 0).all()
    np.testing.assert_allclose(stored_change_mwh(battery, charge, discharge, hours), change, atol=1e-12)
