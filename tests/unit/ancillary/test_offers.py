"""Both roundings together: contracts are given up MW by MW where energy in steps of 0.1 MW cannot hold them."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from ancillary_cases import ALL, blocks, mw_of, unit

from bess_pipeline.ancillary.compliance import ServicePlan, planned_breaches
from bess_pipeline.ancillary.offers import energy_limits, offered_plan
from bess_pipeline.ancillary.rounding import NoStepError
from bess_pipeline.ancillary.windows import Horizon
from bess_pipeline.ancillary_settings import AncillarySettings
from bess_pipeline.battery.limits import Availability
from bess_pipeline.errors import ContractBreachError

SETTINGS = AncillarySettings()
BATTERY = unit(50, 100)


def plan(horizon: Horizon, net: float = 0.0, energy: float = 50.0, **mw: float) -> ServicePlan:
    one = np.ones(horizon.periods)
    return ServicePlan(ALL, horizon, mw_of(ALL, horizon, **mw), max(-net, 0) * one, max(net, 0) * one, energy * one)


def test_a_plan_in_whole_steps_is_offered_as_it_is() -> None:
    given = plan(blocks(1), DCL=20, DRH=10, PQR=3)
    offered = offered_plan(given, BATTERY, SETTINGS, 50.0, np.arange(8))
    assert offered.mw.tolist() == given.mw.tolist()
    assert not offered.charge_mw.any()
    assert not offered.discharge_mw.any()


def test_power_and_energy_that_contracts_leave_to_the_baseline() -> None:
    given = plan(blocks(1), DRL=20, DRH=10)
    limits = energy_limits(given, BATTERY, Availability(charge=0.8))
    assert limits.discharge_mw == pytest.approx(np.full(8, 50 - 20 - 4))
    assert limits.charge_mw == pytest.approx(np.full(8, 40 - 10 - 8))
    assert limits.lowest_mwh == pytest.approx([20.0] * 7 + [0.0])
    assert limits.highest_mwh == pytest.approx([90.0] * 7 + [100.0])
    busy = replace(given, energy_mwh_per_mw=np.full(given.mw.shape, 0.05))
    assert energy_limits(busy, BATTERY).extra_mwh == pytest.approx(np.full(8, -1.0 + 0.5))
    assert energy_limits(busy, BATTERY).lowest_mwh[0] == pytest.approx(19.0)


def test_whole_mw_are_held_by_the_state_there_is() -> None:
    offered = offered_plan(plan(blocks(2), DRL=44.98, energy=44.98), BATTERY, SETTINGS, 44.98, np.arange(16) // 2)
    assert (offered.mw[ALL.index("DRL")] == 44).all()


def test_mw_are_given_up_where_no_step_of_energy_holds_them() -> None:
    """m MW of DR low draw 0.05 m MWh a half-hour that the plan does not charge back, from 45 MWh.

    Before the last half-hour of block 1 the requirement is m less four deliveries, 0.8 m, and 0.35 m have gone:
    1.15 m <= 45 holds 39 MW (a step of energy may add 0.5 MWh, for 40 it takes 1). Block 2 has what that leaves.
    """
    horizon = blocks(2)
    given = plan(horizon, DRL=44.0, energy=45.0)
    drawn = np.zeros_like(given.mw)
    drawn[ALL.index("DRL")] = 0.05
    offered = offered_plan(replace(given, energy_mwh_per_mw=drawn), BATTERY, SETTINGS, 45.0, np.arange(16))
    held = offered.mw[ALL.index("DRL")][horizon.block_start]
    assert held[0] == 39
    assert 0.8 * (45 - 39 * 0.4) / 1.15 < held[1] <= (45 - 39 * 0.4 + 4) / 1.15
    assert planned_breaches(offered, BATTERY, SETTINGS) == []


def test_a_plan_that_cannot_be_kept_even_without_contracts_is_refused() -> None:
    with pytest.raises(ContractBreachError, match="no step of"):
        offered_plan(plan(blocks(1), net=20.0, DCL=5), BATTERY, SETTINGS, 5.0, np.arange(8))
    with pytest.raises(ContractBreachError, match="'energy to discharge'"):
        offered_plan(plan(blocks(1), DRL=10), BATTERY, SETTINGS, 9.9, np.zeros(8, dtype=np.int64))


def test_the_refusal_survives_another_process() -> None:
    error = pickle.loads(pickle.dumps(NoStepError("no step", 7)))
    assert (str(error), error.period) == ("no step", 7)
