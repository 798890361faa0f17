"""A planned breach of any rule is found, named and refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from ancillary_cases import ALL, blocks, mw_of, unit

from bess_pipeline.ancillary.compliance import ServicePlan, planned_breaches, require_no_planned_breach
from bess_pipeline.ancillary_settings import AncillarySettings
from bess_pipeline.battery.limits import Availability
from bess_pipeline.errors import ContractBreachError

BATTERY = unit(50, 100)
SETTINGS = AncillarySettings()


def plan(day: date = date(2025, 1, 15), energy: float = 50.0, **mw: float) -> ServicePlan:
    horizon = blocks(1, day)
    none = np.zeros(horizon.periods)
    return ServicePlan(ALL, horizon, mw_of(ALL, horizon, **mw), none, none, none + energy)


def rules(one: ServicePlan, settings: AncillarySettings = SETTINGS, **more: Any) -> set[str]:
    return {breach.rule for breach in planned_breaches(one, BATTERY, settings, **more)}


def test_a_plan_that_keeps_every_rule_passes() -> None:
    good = plan(DCL=20, DRL=20, DRH=10, PQR=5)
    assert planned_breaches(good, BATTERY, SETTINGS) == []
    require_no_planned_breach(good, BATTERY, SETTINGS)


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        (plan(DCL=51), "discharge rating"),
        (plan(DCH=51), "charge rating"),
        (plan(energy=9, DRL=10), "energy to discharge"),
        (plan(energy=91, DRH=10), "room to charge"),
        (plan(DRL=1, DCL=1, day=date(2023, 11, 1)), "one service per block"),
        (plan(PBR=1, DCL=1), "balancing reserve beside response"),
        (plan(PQR=1, day=date(2024, 12, 3)), "offer size"),
        (plan(DCL=1.5), "whole MW"),
        (replace(plan(DCL=10), cap_mw=np.full((len(ALL), 8), 9.0)), "volume cap"),
        (replace(plan(DCL=10), mw=plan(DCL=10).mw * np.where(np.arange(8) < 4, 1, 2)), "constant block"),
        (replace(plan(DCL=10), discharge_mw=np.full(8, 41.0)), "discharge rating"),
    ],
)
def test_each_rule_is_found_alone_and_refused_in_a_sentence(broken: ServicePlan, rule: str) -> None:
    assert rules(broken) == {rule}
    with pytest.raises(ContractBreachError) as caught:
        require_no_planned_breach(broken, BATTERY, SETTINGS)
    assert f"the plan breaks the rule '{rule}' at " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_too_much_volume_for_the_battery_is_found() -> None:
    small = plan(energy=25, DRL=26, DRH=26)
    assert "usable energy" in {one.rule for one in planned_breaches(small, unit(50, 50), SETTINGS)}


def test_settings_and_outages_reach_the_rules() -> None:
    both = plan(PBR=1, DCL=1)
    assert rules(both, AncillarySettings(balancing_reserve_beside_response=True)) == set()
    charging = replace(plan(PQR=60), charge_mw=np.full(8, 10.0))
    assert rules(charging) == {"discharge rating"}
    assert rules(charging, AncillarySettings(baseline_adds_headroom=True)) == set()
    assert rules(plan(DCL=40), availability=Availability(discharge=0.5)) == {"discharge rating"}


def test_delivery_lowers_what_the_plan_must_hold() -> None:
    """10 MW DR low that delivers 0.5 MWh: 9.5 MWh are enough a period later."""
    tight = replace(plan(DRL=10), energy_at_start_mwh=np.array([10.0, *[9.5] * 7]))
    assert rules(tight) == {"energy to discharge"}
    energy = np.zeros((len(ALL), 8))
    energy[ALL.index("DRL"), 0] = 0.05
    found = planned_breaches(replace(tight, energy_mwh_per_mw=energy), BATTERY, SETTINGS)
    assert [(one.rule, one.period) for one in found] == [("energy to discharge", t) for t in (5, 6, 7)]
