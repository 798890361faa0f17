"""Every rule at once: what a plan with contracts breaks, and the refusal of one that does.

What belongs here: the plan as the rules see it and the list of its breaches. What does not: the rules (each in its
module) and what happened in delivery (`payments.py`).

A planned breach is non-compliance (domain reference 5.2; design.md 7): it is never taken as a price to pay.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bess_pipeline.ancillary.energy_band import band_breaches
from bess_pipeline.ancillary.exclusions import exclusion_breaches, exclusions, window_breaches
from bess_pipeline.ancillary.products import OFFER_STEP_MW, table_of
from bess_pipeline.ancillary.rating import rating_breaches
from bess_pipeline.ancillary.rows import Breach, FloatArray, breaches, first_in_time
from bess_pipeline.ancillary.volume_cap import volume_cap_breaches
from bess_pipeline.ancillary.windows import Horizon
from bess_pipeline.ancillary_settings import AncillarySettings
from bess_pipeline.battery.limits import ALWAYS, Availability, power_limits
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.errors import ContractBreachError


@dataclass(frozen=True)
class ServicePlan:
    """Contracts and baseline of a horizon.

    mw (products, half-hours), MW >= 0; charge_mw and discharge_mw (half-hours,), the baseline, AC; energy_at_start_mwh
    (half-hours,), stored; energy_mwh_per_mw (products, half-hours), expected activation per MW, or None;
    cap_mw (products, half-hours), the volume cap, or None where none was given.
    """

    products: tuple[str, ...]
    horizon: Horizon
    mw: FloatArray
    charge_mw: FloatArray
    discharge_mw: FloatArray
    energy_at_start_mwh: FloatArray
    energy_mwh_per_mw: FloatArray | None = None
    cap_mw: FloatArray | None = None


def planned_breaches(
    plan: ServicePlan, battery: Battery, settings: AncillarySettings, availability: Availability = ALWAYS
) -> list[Breach]:
    """Every rule that a plan breaks by more than 1e-6 MW or MWh, in the order of half-hours."""
    products, horizon, mw = plan.products, plan.horizon, plan.mw
    limits = power_limits(battery, availability, (horizon.periods,))
    found = rating_breaches(
        products,
        horizon,
        mw,
        plan.charge_mw,
        plan.discharge_mw,
        limits.discharge_mw,
        limits.charge_mw,
        baseline_adds_headroom=settings.baseline_adds_headroom,
    )
    found += band_breaches(products, horizon, battery, mw, plan.energy_at_start_mwh, plan.energy_mwh_per_mw)
    found += window_breaches(products, horizon, mw)
    for rule in exclusions(
        products, horizon, balancing_reserve_beside_response=settings.balancing_reserve_beside_response
    ):
        found += exclusion_breaches(rule, products, mw)
    for k, one in enumerate(table_of(products)):
        part = np.abs(mw[k] - np.rint(mw[k] / OFFER_STEP_MW) * OFFER_STEP_MW)
        found += breaches("whole MW", "MW", part, f"{one.code} is not in whole MW")
    if plan.cap_mw is not None:
        found += volume_cap_breaches(products, mw, plan.cap_mw)
    return first_in_time(found)


def require_no_planned_breach(
    plan: ServicePlan, battery: Battery, settings: AncillarySettings, availability: Availability = ALWAYS
) -> None:
    """Nothing for a plan that keeps every rule; otherwise ContractBreachError with the first breach in words."""
    found = planned_breaches(plan, battery, settings, availability)
    if found:
        first = found[0]
        start = plan.horizon.start_utc[first.period].strftime("%Y-%m-%dT%H:%MZ")
        raise ContractBreachError(
            f"the plan breaks the rule '{first.rule}' at {start}: {first.reason}; a planned breach is not offered "
            f"({len(found)} in all)"
        )
