"""What a battery does when it is told to charge and discharge: state of energy, clips, violations.

What belongs here: the energy balance and its limits, independent of any optimiser, so that every
optimised schedule can be re-checked by it. What does not: choosing a schedule (`optimisation/`),
daily cycle limits and wear (costs and warranties, not physics) and money (`trading/settlement.py`).

Balance of one period of h hours (domain reference 7.1, AC powers, stored energy s):

    s' = s + charge_efficiency * charge * h - discharge * h / discharge_efficiency
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.errors import UserInputError

FloatArray = NDArray[np.float64]
CLIP_TOLERANCE_MWH = 1e-9  # rounding of a schedule that touches a limit is no clip


class Clip(StrEnum):
    """Why less was executed than asked for."""

    NONE = ""
    POWER = "power"
    FULL = "full"
    EMPTY = "empty"
    SIMULTANEOUS = "simultaneous"


@dataclass(frozen=True)
class Trajectory:
    """What was executed. Arrays of one value per period; `energy_mwh` is the state at its end."""

    charge_mw: FloatArray
    discharge_mw: FloatArray
    energy_mwh: FloatArray
    clipped: NDArray[np.str_]


@dataclass(frozen=True)
class Violation:
    """A limit that a schedule breaks: which, in which period (from 0), by how much (MW or MWh)."""

    reason: str
    period: int
    amount: float


def stored_change_mwh(
    battery: Battery, charge_mw: FloatArray, discharge_mw: FloatArray, hours: FloatArray
) -> FloatArray:
    """Change of stored energy per period, MWh, for AC powers in MW over `hours`."""
    return (battery.charge_efficiency * charge_mw - discharge_mw / battery.discharge_efficiency) * hours


def powers_of_change(battery: Battery, change_mwh: FloatArray, hours: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The (charge_mw, discharge_mw) that exclude each other and change the stored energy so: the inverse of
    `stored_change_mwh`, unique once charge and discharge never overlap."""
    charge_mw = np.maximum(change_mwh, 0.0) / battery.charge_efficiency / hours
    discharge_mw = np.maximum(-change_mwh, 0.0) * battery.discharge_efficiency / hours
    return charge_mw, discharge_mw


def simulate(
    battery: Battery, opening_energy_mwh: float, charge_mw: ArrayLike, discharge_mw: ArrayLike, hours: ArrayLike
) -> Trajectory:
    """Execute a schedule from `opening_energy_mwh`, clipping what the battery cannot do.

    charge_mw, discharge_mw: asked for, AC, MW, both >= 0, one value per period; hours: durations.
    Asked for both at once, the battery does their difference ("simultaneous"); beyond the rating it
    does the rating ("power"); at a limit of its energy it does what fits ("full", "empty"). Where
    two reasons apply the last of that list is given.

    Raises UserInputError for shapes that differ, powers that are negative or not finite, durations
    that are not positive, or an opening state outside the limits.
    """
    charge, discharge, length = _checked(charge_mw, discharge_mw, hours)
    opening = _opening_within_limits(battery, opening_energy_mwh)
    clipped = np.full(charge.shape, Clip.NONE.value, dtype="U12")
    clipped[(charge > 0) & (discharge > 0)] = Clip.SIMULTANEOUS
    net = discharge - charge
    clipped[np.abs(net) > battery.power_mw * (1 + 1e-12)] = Clip.POWER
    net = np.clip(net, -battery.power_mw, battery.power_mw)
    wanted = stored_change_mwh(battery, np.maximum(-net, 0.0), np.maximum(net, 0.0), length)
    energy, full, empty = _run_within_limits(battery, opening, wanted)
    clipped[full] = Clip.FULL
    clipped[empty] = Clip.EMPTY
    executed_charge, executed_discharge = np.maximum(-net, 0.0), np.maximum(net, 0.0)
    cut = full | empty
    if cut.any():
        change = np.diff(energy, prepend=opening)
        executed_charge[cut], executed_discharge[cut] = powers_of_change(battery, change[cut], length[cut])
    return Trajectory(executed_charge, executed_discharge, energy, clipped)


def check(
    battery: Battery,
    opening_energy_mwh: float,
    charge_mw: ArrayLike,
    discharge_mw: ArrayLike,
    energy_mwh: ArrayLike,
    hours: ArrayLike,
    tolerance: float = 1e-6,
) -> list[Violation]:
    """Every limit a finished schedule breaks by more than `tolerance` (MW or MWh); empty when feasible.

    Looks at the numbers only: sign, rating, exclusivity, state of energy within its limits, energy
    balance of every period, and finiteness.
    """
    charge, discharge, energy, length = (
        np.atleast_1d(np.asarray(a, dtype=float)) for a in (charge_mw, discharge_mw, energy_mwh, hours)
    )
    if not charge.shape == discharge.shape == energy.shape == length.shape:
        return [Violation("shape", 0, float(charge.size))]
    opening = np.concatenate(([opening_energy_mwh], energy[:-1]))
    balance = energy - opening - stored_change_mwh(battery, charge, discharge, length)
    excesses: Sequence[tuple[str, FloatArray]] = (
        ("negative power", np.maximum(-charge, -discharge)),
        ("power", np.maximum(charge, discharge) - battery.power_mw),
        ("simultaneous", np.minimum(charge, discharge)),
        ("full", energy - battery.energy_max_mwh),
        ("empty", battery.energy_min_mwh - energy),
        ("energy balance", np.abs(balance)),
    )
    return [
        Violation(reason, int(period), float(excess[period]))
        for reason, excess in excesses
        for period in np.flatnonzero(~(excess <= tolerance))
    ]


def _run_within_limits(
    battery: Battery, opening_energy_mwh: float, wanted_mwh: FloatArray
) -> tuple[FloatArray, NDArray[np.bool_], NDArray[np.bool_]]:
    """State at the end of each period, and where it was cut at the top and at the bottom.

    The one scan over periods: losses that depend on the state belong in this loop.
    """
    low, high = battery.energy_min_mwh, battery.energy_max_mwh
    state = opening_energy_mwh
    states: list[float] = []
    unlimited: list[float] = []
    for change in wanted_mwh.tolist():
        target = state + change
        state = min(max(target, low), high)
        unlimited.append(target)
        states.append(state)
    energy, target_mwh = np.asarray(states), np.asarray(unlimited)
    return energy, target_mwh - energy > CLIP_TOLERANCE_MWH, energy - target_mwh > CLIP_TOLERANCE_MWH


def _checked(
    charge_mw: ArrayLike, discharge_mw: ArrayLike, hours: ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    arrays = [np.atleast_1d(np.asarray(a, dtype=float)) for a in (charge_mw, discharge_mw, hours)]
    charge, discharge, length = arrays
    if not charge.shape == discharge.shape == length.shape or charge.ndim != 1:
        raise UserInputError(
            "a schedule needs one charge, discharge and duration per period, not "
            f"{charge.size}, {discharge.size} and {length.size}"
        )
    for name, values in (("charge_mw", charge), ("discharge_mw", discharge)):
        bad = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
        if bad.size:
            raise UserInputError(
                f"{name} of period {bad[0]} is {values[bad[0]]}: powers must be finite and not negative"
            )
    if not (np.isfinite(length) & (length > 0)).all():
        raise UserInputError("durations of periods must be positive hours")
    return charge, discharge, length


def _opening_within_limits(battery: Battery, opening_energy_mwh: float) -> float:
    low, high = battery.energy_min_mwh, battery.energy_max_mwh
    if not low - 1e-6 <= opening_energy_mwh <= high + 1e-6:
        raise UserInputError(
            f"opening energy {opening_energy_mwh:g} MWh lies outside the limits {low:g} to {high:g} MWh"
        )
    return min(max(opening_energy_mwh, low), high)
