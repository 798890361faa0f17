"""Standing losses, availability, grid and ramp limits by hand-worked cases, and refusals in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bess_pipeline.battery.limits import Availability
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.battery.physics import Violation, check, simulate
from bess_pipeline.battery.rejection import require_feasible
from bess_pipeline.errors import UserInputError

PLAIN = Battery(energy_mwh=10.0, power_mw=4.0, initial_soc=0.5, final_soc=0.5)
IDLE = ([0.0, 0.0], [0.0, 0.0], [1.0, 1.0])


def test_self_discharge_and_auxiliary_load_take_from_the_store() -> None:
    leaking = replace(PLAIN, self_discharge_per_hour=0.1, auxiliary_mw=0.5)
    run = simulate(leaking, 5.0, *IDLE)
    assert run.energy_mwh.tolist() == pytest.approx([4.0, 3.1])  # 5 x 0.9 - 0.5, 4 x 0.9 - 0.5
    assert run.clipped.tolist() == ["", ""]
    assert check(leaking, 5.0, run.charge_mw, run.discharge_mw, run.energy_mwh, [1.0, 1.0]) == []
    assert check(PLAIN, 5.0, run.charge_mw, run.discharge_mw, run.energy_mwh, [1.0, 1.0]) == [
        Violation("energy balance", 0, pytest.approx(1.0)),
        Violation("energy balance", 1, pytest.approx(0.9)),
    ]


def test_an_empty_battery_charges_its_auxiliary_load() -> None:
    """It has 0.2 MWh above its floor, the load takes 0.5 in the first hour and all from the grid in the second."""
    fed = replace(PLAIN, auxiliary_mw=0.5, charge_efficiency=0.8, soc_min=0.1)
    run = simulate(fed, 1.2, *IDLE)
    assert run.charge_mw.tolist() == pytest.approx([0.3 / 0.8, 0.5 / 0.8])
    assert run.energy_mwh.tolist() == [1.0, 1.0]
    assert run.clipped.tolist() == ["standby", "standby"]
    assert run.unserved_mwh.tolist() == [0.0, 0.0]


def test_what_the_grid_cannot_feed_is_unserved() -> None:
    fed = replace(PLAIN, auxiliary_mw=0.5, import_limit_mw=0.2)
    run = simulate(fed, 0.0, *IDLE, Availability(charge=[1.0, 0.0]))
    assert run.charge_mw.tolist() == [0.2, 0.0]
    assert run.unserved_mwh.tolist() == pytest.approx([0.3, 0.5])
    assert check(fed, 0.0, run.charge_mw, run.discharge_mw, run.energy_mwh, [1.0, 1.0]) != []
    executed = (run.charge_mw, run.discharge_mw, run.energy_mwh)
    assert check(fed, 0.0, *executed, [1.0, 1.0], unserved_mwh=run.unserved_mwh) == []


def test_the_lowest_of_rating_availability_and_connection_limits_and_is_named() -> None:
    tied = replace(PLAIN, import_limit_mw=3.0, export_limit_mw=1.0)
    part = Availability(charge=[1.0, 0.5, 1.0, 1.0], discharge=[1.0, 1.0, 0.1, 1.0])
    run = simulate(tied, 5.0, [9, 9, 0, 0], [0, 0, 9, 9], [0.1] * 4, part)
    assert run.charge_mw.tolist() == [3.0, 2.0, 0.0, 0.0]
    assert run.discharge_mw.tolist() == [0.0, 0.0, 0.4, 1.0]
    assert run.clipped.tolist() == ["import limit", "availability", "availability", "export limit"]
    found = check(tied, 5.0, [3.5, 2.5, 0, 0], [0, 0, 0, 1.5], [5.35, 5.6, 5.6, 5.45], [0.1] * 4, availability=part)
    assert [(v.reason, v.period) for v in found] == [("availability", 1), ("import limit", 0), ("export limit", 3)]


def test_net_export_moves_no_faster_than_the_ramp_limit() -> None:
    slow = replace(PLAIN, ramp_limit_mw_per_hour=2.0)
    run = simulate(slow, 5.0, [0, 4, 4], [1, 0, 0], [0.5, 1.0, 0.5])
    assert (run.discharge_mw - run.charge_mw).tolist() == [1.0, 0.0, -2.0]  # 2 x 0.5 h, then 2 x 1 h
    assert run.clipped.tolist() == ["", "ramp", "ramp"]
    found = check(slow, 5.0, [0, 4], [1, 0], [4.5, 8.5], [0.5, 1.0])
    assert found == [Violation("ramp", 1, 4.0)]


def test_a_battery_that_runs_empty_or_out_of_service_trips() -> None:
    """Neither can be ramped: the check takes it for what `simulate` did, and for a fault of a schedule."""
    slow = replace(PLAIN, ramp_limit_mw_per_hour=1.0)
    for opening, available in ((3.5, 1.0), (9.0, [1.0, 0.0])):
        part = Availability(discharge=available)
        run = simulate(slow, opening, [0, 0], [3, 3], [1.0, 1.0], part)
        executed = (run.charge_mw, run.discharge_mw, run.energy_mwh, [1.0, 1.0])
        assert run.clipped[1] in ("empty", "availability")
        assert check(slow, opening, *executed, availability=part, trips=True) == []
        assert [v.reason for v in check(slow, opening, *executed, availability=part)] == ["ramp"]


def test_every_infeasible_period_is_refused_in_words() -> None:
    tied = replace(PLAIN, import_limit_mw=3.0, ramp_limit_mw_per_hour=6.0)
    part = Availability(discharge=[1, 1, 1, 1, 0.25, 1])
    with pytest.raises(UserInputError) as refused:
        require_feasible(tied, 9.0, [9, 3, 0, 1, 0, 0], [0, 0, 5, 2, 3, 1], [0.5] * 6, part)
    assert str(refused.value) == (
        "the battery cannot follow the schedule: "
        "period 0: 9 MW of charge does not fit below 10 MWh, 2 MW do; "
        "period 1: 3 MW of charge does not fit below 10 MWh, 0 MW do; "
        "period 2: net export from 0 to 5 MW is faster than the ramp limit of 6 MW an hour; "
        "period 3: 1 MW of charge and 2 MW of discharge at once; "
        "period 4: 3 MW of discharge is above the 1 MW that are available"
    )


def test_other_refusals_name_what_would_happen() -> None:
    fed = replace(PLAIN, auxiliary_mw=0.5)
    for battery, opening, charge, discharge, words in (
        (PLAIN, 1.0, 0.0, 3.0, "3 MW of discharge would take the battery below 0 MWh, 1 MW would not"),
        (PLAIN, 1.0, 0.0, 5.0, "would take the battery below 0 MWh"),
        (PLAIN, 9.0, 0.0, 5.0, "5 MW of discharge is above the rating of 4 MW"),
        (fed, 0.0, 0.0, 0.0, "would let standing losses take the battery below 0 MWh, it must charge 0.5 MW"),
        (replace(PLAIN, export_limit_mw=1.0), 9.0, 0.0, 3.0, "3 MW of discharge is above the export limit of 1 MW"),
    ):
        with pytest.raises(UserInputError, match=words):
            require_feasible(battery, opening, [charge], [discharge], [1.0])
    with pytest.raises(UserInputError, match="period 2 of schedule 1: 5 MW of charge is above the rating"):
        require_feasible(PLAIN, 0.0, [[0, 0, 0], [0, 0, 5]], np.zeros((2, 3)), [1.0] * 3)
    with pytest.raises(UserInputError, match=r"; and 5 more$"):
        require_feasible(PLAIN, 0.0, [5.0] * 25, [0.0] * 25, [0.01] * 25)


@pytest.mark.parametrize(
    ("opening", "charge", "available", "words"),
    [
        (1.0, [[1.0, np.nan], [0.0, 0.0]], 1.0, "charge_mw of period 1 of schedule 0 is nan"),
        ([1.0, 2.0, 3.0], [[1.0, 0.0], [0.0, 0.0]], 1.0, "2 schedules need one opening state or 2, not 3"),
        (1.0, [1.0, 0.0], 1.5, "must lie between 0 and 1"),
        (1.0, [1.0, 0.0], np.nan, "must lie between 0 and 1"),
        (1.0, [1.0, 0.0], [1.0] * 3, "needs one value per period, 3 were given"),
    ],
)
def test_impossible_inputs_are_refused(opening: float, charge: list[float], available: float, words: str) -> None:
    with pytest.raises(UserInputError, match=words):
        simulate(PLAIN, opening, charge, np.zeros_like(charge), [1.0, 1.0], Availability(charge=available))
