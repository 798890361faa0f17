"""What a battery does when it is told to charge and discharge: state of energy, clips, violations.

What belongs here: the energy balance and its limits, independent of any optimiser, so that every
optimised schedule can be re-checked by it. What does not: choosing a schedule (`optimisation/`), limits of
power that do not depend on the state (`limits.py`), refusing a schedule in words (`rejection.py`), daily cycle
limits and wear (costs and warranties, not physics) and money (`trading/settlement.py`).

Balance of one period of h hours (domain reference 7.1, AC powers, stored energy s):

    s' = s (1 - self_discharge h) - auxiliary h + charge_efficiency charge h - discharge h / discharge_efficiency

The auxiliary load is always served: from the store, and where the store is at its lowest state by charging just
what standing losses take ("standby"). What limits of power do not let in then is reported as unserved.

One schedule has arrays of shape (periods,), many of them (schedules, periods); all share their durations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bess_pipeline.battery.limits import ALWAYS, Availability, Clip, PowerLimits, power_limits
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.errors import UserInputError

FloatArray = NDArray[np.float64]
CLIP_TOLERANCE_MWH = 1e-9  # rounding of a schedule that touches a limit is no clip
CLIP_TOLERANCE_MW = 1e-9
REASONS = "U12"


@dataclass(frozen=True)
class Trajectory:
    """What was executed; arrays of the shape of the schedule. `energy_mwh` is the state at the end of a period.

    clipped: a `Clip` value per period. unserved_mwh: standing losses that neither the store nor the grid could
    feed, DC side; 0 unless the battery stands at its lowest state and cannot charge.
    """

    charge_mw: FloatArray
    discharge_mw: FloatArray
    energy_mwh: FloatArray
    clipped: NDArray[np.str_]
    unserved_mwh: FloatArray


@dataclass(frozen=True)
class Violation:
    """A limit that a schedule breaks: which, in which period (from 0), by how much (MW or MWh)."""

    reason: str
    period: int
    amount: float
    scenario: int = 0


def stored_change_mwh(
    battery: Battery, charge_mw: FloatArray, discharge_mw: FloatArray, hours: FloatArray
) -> FloatArray:
    """Change of stored energy per period, MWh, that AC powers in MW bring over `hours`; losses are apart."""
    return (battery.charge_efficiency * charge_mw - discharge_mw / battery.discharge_efficiency) * hours


def after_standing_losses_mwh(battery: Battery, energy_mwh: FloatArray, hours: ArrayLike) -> FloatArray:
    """What self-discharge and auxiliary load leave of a stored energy after `hours` without any flow, MWh."""
    kept = np.maximum(1.0 - battery.self_discharge_per_hour * np.asarray(hours, dtype=float), 0.0)
    return energy_mwh * kept - battery.auxiliary_mw * np.asarray(hours, dtype=float)


def powers_of_change(battery: Battery, change_mwh: FloatArray, hours: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The (charge_mw, discharge_mw) that exclude each other and change the stored energy so: the inverse of
    `stored_change_mwh`, unique once charge and discharge never overlap."""
    charge_mw = np.maximum(change_mwh, 0.0) / battery.charge_efficiency / hours
    discharge_mw = np.maximum(-change_mwh, 0.0) * battery.discharge_efficiency / hours
    return charge_mw, discharge_mw


def simulate(
    battery: Battery,
    opening_energy_mwh: ArrayLike,
    charge_mw: ArrayLike,
    discharge_mw: ArrayLike,
    hours: ArrayLike,
    availability: Availability = ALWAYS,
) -> Trajectory:
    """Execute schedules from `opening_energy_mwh`, clipping what the battery cannot do.

    charge_mw, discharge_mw: asked for, AC, MW, both >= 0; hours: durations, one per period. Opening state: one,
    or one per schedule. Asked for both at once, the battery does their difference ("simultaneous"); beyond what
    rating, availability and grid connection allow it does what they allow; net export moves no faster than the
    ramp limit, the first period apart ("ramp"); at a limit of its energy it does what fits ("full", "empty"), or
    charges its standing losses ("standby"). Limits come in that order, and where two apply the last is given;
    limits of power and energy break the ramp limit where they must: a battery that runs empty trips.

    Raises UserInputError for shapes that differ, powers that are negative or not finite, durations
    that are not positive, or an opening state outside the limits.
    """
    charge, discharge, length = _checked(charge_mw, discharge_mw, hours)
    opening = _opening_within_limits(battery, opening_energy_mwh, len(charge))
    limits = power_limits(battery, availability, np.shape(charge_mw) or (1,))
    limits = PowerLimits(*(np.atleast_2d(getattr(limits, name)) for name in PowerLimits.__dataclass_fields__))
    asked = discharge - charge
    clipped = np.full(asked.shape, Clip.NONE.value, dtype=REASONS)
    clipped[(charge > 0) & (discharge > 0)] = Clip.SIMULTANEOUS
    net = _within_power(asked, limits, clipped)
    energy = _free_path(battery, opening, net, length)
    unserved = np.zeros_like(net)
    if energy is None:
        energy = np.empty_like(net)
        _run_within_limits(battery, opening, net, length, limits, energy, unserved, clipped)
    shape = np.shape(charge_mw) or (1,)
    executed = (np.maximum(-net, 0.0), np.maximum(net, 0.0), energy, clipped, unserved)
    return Trajectory(*(array.reshape(shape) for array in executed))  # type: ignore[arg-type]


def check(
    battery: Battery,
    opening_energy_mwh: ArrayLike,
    charge_mw: ArrayLike,
    discharge_mw: ArrayLike,
    energy_mwh: ArrayLike,
    hours: ArrayLike,
    tolerance: float = 1e-6,
    *,
    availability: Availability = ALWAYS,
    unserved_mwh: ArrayLike = 0.0,
    trips: bool = False,
) -> list[Violation]:
    """Every limit a finished schedule breaks by more than `tolerance` (MW or MWh); empty when feasible.

    Looks at the numbers only: sign, rating, availability, grid connection, ramp, exclusivity, state of energy
    within its limits, energy balance of every period, and finiteness. trips: a step beyond the ramp limit is
    allowed where the battery is then at a limit of its power or energy (what `simulate` does).
    """
    arrays = [np.atleast_2d(np.asarray(a, dtype=float)) for a in (charge_mw, discharge_mw, energy_mwh)]
    charge, discharge, energy = arrays
    length = np.atleast_1d(np.asarray(hours, dtype=float))
    if not charge.shape == discharge.shape == energy.shape or length.shape != charge.shape[-1:]:
        return [Violation("shape", 0, float(charge.size))]
    opening = np.broadcast_to(np.asarray(opening_energy_mwh, dtype=float).reshape(-1, 1), (len(charge), 1))
    before = np.concatenate([opening, energy[:, :-1]], axis=1)
    unserved = np.broadcast_to(np.asarray(unserved_mwh, dtype=float), charge.shape)
    left = after_standing_losses_mwh(battery, before, length) + unserved
    balance = energy - left - stored_change_mwh(battery, charge, discharge, length)
    excesses: Sequence[tuple[str, FloatArray]] = (
        ("negative power", np.maximum(-charge, -discharge)),
        *_power_excesses(battery, charge, discharge, availability),
        ("ramp", _ramp_excess(battery, charge, discharge, energy, length, availability, tolerance, trips)),
        ("simultaneous", np.minimum(charge, discharge)),
        ("full", energy - battery.energy_max_mwh),
        ("empty", battery.energy_min_mwh - energy),
        ("energy balance", np.abs(balance)),
    )
    return [
        Violation(reason, int(period), float(excess[scenario, period]), int(scenario))
        for reason, excess in excesses
        for scenario, period in np.argwhere(~(excess <= tolerance))
    ]


def _power_excesses(
    battery: Battery, charge: FloatArray, discharge: FloatArray, availability: Availability
) -> list[tuple[str, FloatArray]]:
    """What exceeds the rating, and what exceeds a lower limit of that period and direction, by its name."""
    limits = power_limits(battery, availability, charge.shape)
    rating = np.maximum(charge, discharge) - battery.power_mw
    found: list[tuple[str, FloatArray]] = [(Clip.POWER.value, rating)]
    for power, limit, reason in (
        (charge, limits.charge_mw, limits.charge_reason),
        (discharge, limits.discharge_mw, limits.discharge_reason),
    ):
        for name in (Clip.AVAILABILITY, Clip.IMPORT_LIMIT, Clip.EXPORT_LIMIT):
            found.append((name.value, np.where(reason == name.value, power - limit, 0.0)))
    return [(name, excess) for name, excess in found if name == Clip.POWER.value or not (excess <= 0).all()]


def _ramp_excess(
    battery: Battery,
    charge: FloatArray,
    discharge: FloatArray,
    energy: FloatArray,
    length: FloatArray,
    availability: Availability,
    tolerance: float,
    trips: bool,
) -> FloatArray:
    excess = np.zeros_like(charge)
    if battery.ramp_limit_mw_per_hour is None:
        return excess
    net = discharge - charge
    excess[:, 1:] = np.abs(np.diff(net, axis=1)) - battery.ramp_limit_mw_per_hour * length[:-1]
    if trips:
        limits = power_limits(battery, availability, charge.shape)
        forced = (energy <= battery.energy_min_mwh + tolerance) | (energy >= battery.energy_max_mwh - tolerance)
        forced |= (net >= limits.discharge_mw - tolerance) | (net <= tolerance - limits.charge_mw)
        excess[forced] = 0.0
    return excess


def _within_power(asked: FloatArray, limits: PowerLimits, clipped: NDArray[np.str_]) -> FloatArray:
    """Net export within the limits of power; where that cuts, `clipped` gets the limit's name."""
    high = asked > limits.discharge_mw * (1 + 1e-12)
    low = -asked > limits.charge_mw * (1 + 1e-12)
    clipped[high] = limits.discharge_reason[high]
    clipped[low] = limits.charge_reason[low]
    return np.clip(asked, -limits.charge_mw, limits.discharge_mw)


def _free_path(battery: Battery, opening: FloatArray, net_mw: FloatArray, hours: FloatArray) -> FloatArray | None:
    """The path of states where no limit of energy or ramp is met, and without standing losses; else None."""
    if battery.self_discharge_per_hour or battery.auxiliary_mw:
        return None
    ramp = battery.ramp_limit_mw_per_hour
    if ramp is not None and (np.abs(np.diff(net_mw, axis=1)) > ramp * hours[:-1]).any():
        return None
    change = stored_change_mwh(battery, np.maximum(-net_mw, 0.0), np.maximum(net_mw, 0.0), hours)
    path = np.cumsum(np.concatenate([opening[:, None], change], axis=1), axis=1)[:, 1:]
    inside = (path >= battery.energy_min_mwh) & (path <= battery.energy_max_mwh)
    return path if inside.all() else None


def _run_within_limits(
    battery: Battery,
    opening: FloatArray,
    net_mw: FloatArray,
    hours: FloatArray,
    limits: PowerLimits,
    energy_mwh: FloatArray,
    unserved_mwh: FloatArray,
    clipped: NDArray[np.str_],
) -> None:
    """The one scan over periods, all schedules at once: fills the last three arrays and corrects `net_mw`."""
    low, high, ramp = battery.energy_min_mwh, battery.energy_max_mwh, battery.ramp_limit_mw_per_hour
    state = opening
    for t, length in enumerate(hours.tolist()):
        net, reason = net_mw[:, t], clipped[:, t]
        if ramp is not None and t:
            window = ramp * hours[t - 1]
            slow = np.clip(net, net_mw[:, t - 1] - window, net_mw[:, t - 1] + window)
            slow = np.clip(slow, -limits.charge_mw[:, t], limits.discharge_mw[:, t])
            reason[np.abs(slow - net) > CLIP_TOLERANCE_MW] = Clip.RAMP
            net[:] = slow
        left = after_standing_losses_mwh(battery, state, length)
        target = left + stored_change_mwh(battery, np.maximum(-net, 0.0), np.maximum(net, 0.0), hours[t])
        state = np.clip(target, low, high)
        full, empty = target - state > CLIP_TOLERANCE_MWH, state - target > CLIP_TOLERANCE_MWH
        cut = full | empty
        if cut.any():
            room = state - left
            reason[full], reason[empty] = Clip.FULL, Clip.EMPTY
            reason[empty & (room > CLIP_TOLERANCE_MWH)] = Clip.STANDBY
            charge, discharge = powers_of_change(battery, room, hours[t])
            fed = np.minimum(charge, limits.charge_mw[:, t])
            unserved_mwh[:, t] = np.where(empty, (charge - fed) * battery.charge_efficiency * length, 0.0)
            net[cut] = (discharge - fed)[cut]
        energy_mwh[:, t] = state


def _checked(
    charge_mw: ArrayLike, discharge_mw: ArrayLike, hours: ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Charge and discharge as (schedules, periods), and durations as (periods,)."""
    arrays = [np.atleast_1d(np.asarray(a, dtype=float)) for a in (charge_mw, discharge_mw, hours)]
    charge, discharge, length = arrays
    if charge.shape != discharge.shape or length.shape != charge.shape[-1:] or charge.ndim > 2:
        raise UserInputError(
            "a schedule needs one charge, discharge and duration per period, not "
            f"{charge.size}, {discharge.size} and {length.size}"
        )
    for name, values in (("charge_mw", charge), ("discharge_mw", discharge)):
        bad = np.argwhere(~(np.isfinite(values) & (values >= 0)))
        if bad.size:
            first = tuple(bad[0])
            where = f"period {first[-1]}" + (f" of schedule {first[0]}" if charge.ndim == 2 else "")
            raise UserInputError(f"{name} of {where} is {values[first]}: powers must be finite and not negative")
    if not (np.isfinite(length) & (length > 0)).all():
        raise UserInputError("durations of periods must be positive hours")
    return np.atleast_2d(charge), np.atleast_2d(discharge), length


def _opening_within_limits(battery: Battery, opening_energy_mwh: ArrayLike, schedules: int) -> FloatArray:
    """The opening states, one per schedule; one that is outside by rounding only is put on the limit."""
    low, high = battery.energy_min_mwh, battery.energy_max_mwh
    opening = np.atleast_1d(np.asarray(opening_energy_mwh, dtype=float))
    if opening.shape not in {(1,), (schedules,)}:
        raise UserInputError(f"{schedules} schedules need one opening state or {schedules}, not {opening.size}")
    outside = opening[~((opening >= low - 1e-6) & (opening <= high + 1e-6))]
    if outside.size:
        raise UserInputError(f"the opening energy {outside[0]:g} MWh lies outside the limits {low:g} to {high:g} MWh")
    return np.array(np.broadcast_to(np.clip(opening, low, high), (schedules,)))
