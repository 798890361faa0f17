"""A plan as it can be offered: whole MW, energy in 0.1 MW, and every rule checked again.

What belongs here: both roundings put together. What does not: the steps themselves (`rounding.py`), the rules
(`compliance.py`), and prices of offers.

Contracts are rounded down first. That changes the expected activation and with it the state of energy, so the energy of
the plan is rounded to steps that keep the band of the rounded contracts. Where no step does, contracts next to it are
given up MW by MW, the one that needs most energy first: never is anything rounded up to make the rest fit.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bess_pipeline.ancillary.activation_effects import at_start_mwh, energy_path_mwh, flows_of, stored_change_mwh_per_mw
from bess_pipeline.ancillary.compliance import ServicePlan, require_no_planned_breach
from bess_pipeline.ancillary.energy_band import band_mwh, required_by_direction
from bess_pipeline.ancillary.products import OFFER_STEP_MW, table_of
from bess_pipeline.ancillary.rating import committed_mw
from bess_pipeline.ancillary.rounding import EnergyLimits, NoStepError, rounded_energy_mw, whole_offers_mw
from bess_pipeline.ancillary.rows import FloatArray
from bess_pipeline.ancillary.windows import IntArray
from bess_pipeline.ancillary_settings import AncillarySettings
from bess_pipeline.battery.limits import ALWAYS, Availability, power_limits
from bess_pipeline.battery.parameters import Battery


def offered_plan(
    plan: ServicePlan,
    battery: Battery,
    settings: AncillarySettings,
    opening_mwh: float,
    energy_product: IntArray,
    availability: Availability = ALWAYS,
) -> ServicePlan:
    """The plan with whole MW and baseline energy in 0.1 MW, constant within each energy product, that keeps every rule.

    energy_product (half-hours,): the hour or half-hour product each half-hour belongs to; opening_mwh: stored energy at
    the start. Raises ContractBreachError where even without contracts no step of energy fits, or a rule stays broken.
    """
    mw, net_mw = whole_offers_mw(plan.mw), plan.discharge_mw - plan.charge_mw
    while True:
        given = replace(plan, mw=mw)
        limits = energy_limits(given, battery, availability)
        try:
            rounded = rounded_energy_mw(net_mw, energy_product, battery, opening_mwh, limits)
        except NoStepError as error:
            less = _with_less(given, error.period)
            if less is None:
                raise
            mw = less
            continue
        break
    charge, discharge = np.maximum(-rounded, 0.0), np.maximum(rounded, 0.0)
    flows = flows_of(plan.products, mw, _activation(given))
    starts = at_start_mwh(opening_mwh, energy_path_mwh(battery, opening_mwh, charge, discharge, flows))
    offered = replace(given, charge_mw=charge, discharge_mw=discharge, energy_at_start_mwh=starts)
    require_no_planned_breach(offered, battery, settings, availability)
    return offered


def energy_limits(plan: ServicePlan, battery: Battery, availability: Availability = ALWAYS) -> EnergyLimits:
    """What the contracts of a plan leave to its baseline: power, and stored energy at the end of each half-hour.

    The end of a half-hour is the start of the next one; the last one has the battery's own limits. A baseline of the
    opposite direction is not counted on for room.
    """
    power = power_limits(battery, availability, (plan.horizon.periods,))
    committed = [committed_mw(plan.products, plan.horizon, plan.mw, direction) for direction in ("low", "high")]
    energy = _activation(plan)
    lowest, highest = band_mwh(battery, required_by_direction(plan.products, plan.horizon, plan.mw, energy))
    return EnergyLimits(
        charge_mw=np.maximum(power.charge_mw - committed[1], 0.0),
        discharge_mw=np.maximum(power.discharge_mw - committed[0], 0.0),
        lowest_mwh=np.append(lowest[1:], battery.energy_min_mwh),
        highest_mwh=np.append(highest[1:], battery.energy_max_mwh),
        extra_mwh=(plan.mw * stored_change_mwh_per_mw(plan.products, battery, energy)).sum(axis=0),
    )


def _activation(plan: ServicePlan) -> FloatArray:
    return np.zeros_like(plan.mw) if plan.energy_mwh_per_mw is None else plan.energy_mwh_per_mw


def _with_less(plan: ServicePlan, period: int) -> FloatArray | None:
    """One MW less of the contract that needs most energy right after `period`, else in it; None where there is none."""
    table = table_of(plan.products)
    for t in (min(period + 1, plan.horizon.periods - 1), period):
        need = [plan.mw[k, t] * one.duration_h for k, one in enumerate(table)]
        k = int(np.argmax(need))
        if need[k] > 0:
            mw, block = plan.mw.copy(), plan.horizon.block
            window = block == block[t] if table[k].window == "efa_block" else np.arange(len(block)) == t
            mw[k, window] -= OFFER_STEP_MW
            return mw
    return None
