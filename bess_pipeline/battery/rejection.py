"""Refusing a schedule that the battery cannot do, with every period and its reason in words.

What belongs here: sentences about what `physics.simulate` would clip. What does not: the physics itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bess_pipeline.battery.limits import ALWAYS, Availability, Clip, power_limits
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.battery.physics import Trajectory, simulate
from bess_pipeline.errors import UserInputError

MOST_LISTED = 20


@dataclass(frozen=True)
class Infeasible:
    """A period (from 0) of a schedule that cannot be carried out as asked, and why, in words."""

    period: int
    reason: Clip
    text: str
    scenario: int = 0


def require_feasible(
    battery: Battery,
    opening_energy_mwh: ArrayLike,
    charge_mw: ArrayLike,
    discharge_mw: ArrayLike,
    hours: ArrayLike,
    availability: Availability = ALWAYS,
) -> Trajectory:
    """The trajectory of a schedule (or schedules) that the battery can do exactly as asked.

    Raises UserInputError with every infeasible period and its reason (the first 20 of them in words, and how many
    more), or for what `simulate` refuses.
    """
    path = simulate(battery, opening_energy_mwh, charge_mw, discharge_mw, hours, availability)
    found = explain(battery, opening_energy_mwh, charge_mw, discharge_mw, hours, path, availability)
    if found:
        listed = "; ".join(one.text for one in found[:MOST_LISTED])
        more = f"; and {len(found) - MOST_LISTED} more" if len(found) > MOST_LISTED else ""
        raise UserInputError(f"the battery cannot follow the schedule: {listed}{more}")
    return path


def explain(
    battery: Battery,
    opening_energy_mwh: ArrayLike,
    charge_mw: ArrayLike,
    discharge_mw: ArrayLike,
    hours: ArrayLike,
    path: Trajectory,
    availability: Availability = ALWAYS,
) -> list[Infeasible]:
    """Every period in which `path` (of `simulate`) is not what was asked, in order.

    Each period is judged after the ones before it were clipped: a battery that is already empty stays infeasible.
    """
    clipped = np.atleast_2d(path.clipped)
    charge, discharge = (np.atleast_2d(np.asarray(a, dtype=float)) for a in (charge_mw, discharge_mw))
    executed = np.atleast_2d(path.discharge_mw) - np.atleast_2d(path.charge_mw)
    limits = power_limits(battery, availability, charge.shape)
    found = []
    for scenario, period in np.argwhere(clipped != Clip.NONE.value):
        at = scenario, period
        before = executed[scenario, period - 1] if period else 0.0
        allowed = limits.discharge_mw[at] if discharge[at] > charge[at] else limits.charge_mw[at]
        reason = Clip(str(clipped[at]))
        words = _words(battery, reason, charge[at], discharge[at], executed[at], before, allowed)
        name = f"period {period}" + (f" of schedule {scenario}" if len(clipped) > 1 else "")
        found.append(Infeasible(int(period), reason, f"{name}: {words}", int(scenario)))
    return found


def _words(
    battery: Battery, reason: Clip, charge: float, discharge: float, executed: float, before: float, allowed: float
) -> str:
    asked = discharge - charge
    what = f"{abs(asked):g} MW of {'discharge' if asked > 0 else 'charge'}"
    match reason:
        case Clip.SIMULTANEOUS:
            return f"{charge:g} MW of charge and {discharge:g} MW of discharge at once"
        case Clip.POWER:
            return f"{what} is above the rating of {allowed:g} MW"
        case Clip.AVAILABILITY:
            return f"{what} is above the {allowed:g} MW that are available"
        case Clip.IMPORT_LIMIT | Clip.EXPORT_LIMIT:
            return f"{what} is above the {reason.value} of {allowed:g} MW"
        case Clip.RAMP:
            rate = battery.ramp_limit_mw_per_hour
            return f"net export from {before:g} to {asked:g} MW is faster than the ramp limit of {rate:g} MW an hour"
        case Clip.FULL:
            return f"{what} does not fit below {battery.energy_max_mwh:g} MWh, {abs(executed):g} MW do"
        case Clip.STANDBY:
            return (
                f"{what} would let standing losses take the battery below {battery.energy_min_mwh:g} MWh, "
                f"it must charge {-executed:g} MW"
            )
        case _:
            return f"{what} would take the battery below {battery.energy_min_mwh:g} MWh, {abs(executed):g} MW would not"
