"""The energy-only problem of one price path: what is given, checked before any solver sees it.

What belongs here: the data of a problem, its derived limits per period and the refusal of impossible
input. What does not: the constraints (`formulation.py`) and how they are solved (`energy.py`).
"""

from __future__ import annotations

import math
from copy import copy
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.errors import UserInputError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
PRICE_LIMIT_GBP_MWH = 1e6  # beyond it a price is a fault, and the solver's tolerances mean nothing
STATE_TOLERANCE_MWH = 1e-6


class ClosingKind(Enum):
    """How the state of energy at the end of the horizon is bound."""

    FIXED = "fixed"
    AT_LEAST = "at_least"
    FREE = "free"


@dataclass(frozen=True)
class ClosingState:
    """The end of the horizon: a state, a least state, or free; each stored MWh may carry a value.

    energy_mwh: the state (FIXED) or the least state (AT_LEAST), MWh; unused when FREE.
    terminal_value_gbp_mwh: worth of each MWh stored at the end, in the objective only.
    """

    kind: ClosingKind
    energy_mwh: float = 0.0
    terminal_value_gbp_mwh: float = 0.0

    @classmethod
    def fixed(cls, energy_mwh: float) -> ClosingState:
        """End with exactly this stored energy."""
        return cls(ClosingKind.FIXED, energy_mwh)

    @classmethod
    def at_least(cls, energy_mwh: float, terminal_value_gbp_mwh: float = 0.0) -> ClosingState:
        """End with this stored energy or more."""
        return cls(ClosingKind.AT_LEAST, energy_mwh, terminal_value_gbp_mwh)

    @classmethod
    def free(cls, terminal_value_gbp_mwh: float = 0.0) -> ClosingState:
        """End anywhere within the battery's limits."""
        return cls(ClosingKind.FREE, 0.0, terminal_value_gbp_mwh)

    def bounds_mwh(self, battery: Battery) -> tuple[float, float]:
        """Lowest and highest state of energy allowed at the end, MWh."""
        low, high = battery.energy_min_mwh, battery.energy_max_mwh
        if self.kind is ClosingKind.FREE:
            return low, high
        energy = min(max(self.energy_mwh, low), high)
        return energy, energy if self.kind is ClosingKind.FIXED else high


@dataclass(frozen=True, eq=False)
class EnergyProblem:
    """One battery, one price path, perfect knowledge of it.

    price_gbp_mwh: one price per period, may be negative.
    hours: duration of each period; one number for all of them is enough.
    day_index: integer naming the day (the group of daily limits) of each period.
    opening_energy_mwh: stored energy before the first period.
    charge_availability, discharge_availability: fraction of the rating available in each period, 0 in an outage
        (the limits of the grid connection are not scaled); one number for all periods is enough.
    opening_export_mw: net export (discharge - charge) just before the first period, from which the ramp limit
        counts; None = the first period is free.
    opening_segments_mwh: stored energy of each depth segment before the first period, shallowest first, together
        the opening energy above the lowest; None = the shallowest are full.

    Raises UserInputError with one sentence naming the period where a value cannot be used.
    """

    price_gbp_mwh: ArrayLike
    hours: ArrayLike
    day_index: ArrayLike
    battery: Battery
    opening_energy_mwh: float
    closing: ClosingState
    charge_availability: ArrayLike = 1.0
    discharge_availability: ArrayLike = 1.0
    opening_export_mw: float | None = None
    opening_segments_mwh: ArrayLike | None = None

    def __post_init__(self) -> None:
        price = np.atleast_1d(np.asarray(self.price_gbp_mwh, dtype=float))
        if price.ndim != 1 or not price.size:
            raise UserInputError("an optimisation needs at least one period with a price")
        hours = _per_period(self.hours, price.size).astype(float)
        day = _per_period(self.day_index, price.size).astype(np.int64)
        if not price.shape == hours.shape == day.shape:
            raise UserInputError(
                "an optimisation needs one price, duration and day per period, not "
                f"{price.size}, {hours.size} and {day.size}"
            )
        _refuse_numbers(price, hours)
        _refuse_states(self.battery, self.opening_energy_mwh, self.closing)
        _refuse_losses(self.battery, hours)
        for name in ("charge_availability", "discharge_availability"):
            share = _per_period(getattr(self, name), price.size).astype(float)
            _refuse_availability(name, share, price.size)
            object.__setattr__(self, name, share)
        _refuse_opening(self)
        object.__setattr__(self, "price_gbp_mwh", price)
        object.__setattr__(self, "hours", hours)
        object.__setattr__(self, "day_index", day)

    @property
    def prices(self) -> FloatArray:
        """`price_gbp_mwh` as an array."""
        return np.asarray(self.price_gbp_mwh, dtype=float)

    @property
    def durations(self) -> FloatArray:
        """`hours` as an array."""
        return np.asarray(self.hours, dtype=float)

    @property
    def periods(self) -> int:
        """Number of periods."""
        return int(self.prices.size)

    @property
    def opening_mwh(self) -> float:
        """`opening_energy_mwh` without a rounding beyond the battery's limits."""
        return min(max(self.opening_energy_mwh, self.battery.energy_min_mwh), self.battery.energy_max_mwh)

    def with_numbers(
        self, price_gbp_mwh: FloatArray, opening_energy_mwh: float, closing: ClosingState
    ) -> EnergyProblem:
        """The same battery and periods at other prices and states; checks only what is new. UserInputError as above."""
        if price_gbp_mwh.shape != self.prices.shape:
            raise UserInputError(f"{price_gbp_mwh.size} prices were given for {self.periods} periods")
        _refuse_numbers(price_gbp_mwh, self.durations)
        _refuse_states(self.battery, opening_energy_mwh, closing)
        other = copy(self)
        other.__dict__.pop("unserved_mwh", None)  # the one cached value that depends on the opening state
        object.__setattr__(other, "price_gbp_mwh", price_gbp_mwh)
        object.__setattr__(other, "opening_energy_mwh", opening_energy_mwh)
        object.__setattr__(other, "closing", closing)
        _refuse_opening(other)
        return other

    @cached_property
    def cycle_groups(self) -> IntArray:
        """Day of each period, renumbered 0, 1, … in order of first appearance."""
        day = np.asarray(self.day_index, dtype=np.int64)
        _, first, code = np.unique(day, return_index=True, return_inverse=True)
        rank = np.empty(first.size, dtype=np.int64)
        rank[np.argsort(first)] = np.arange(first.size)
        return np.asarray(rank[code], dtype=np.int64)

    @cached_property
    def charge_limit_mwh(self) -> FloatArray:
        """Most energy charged in each period, AC, MWh; a missing power limit is what fills the battery."""
        battery = self.battery
        power = _limit_mw(battery.power_mw, battery.import_limit_mw, np.asarray(self.charge_availability))
        room = battery.usable_energy_mwh + battery.self_discharge_per_hour * self.durations * battery.energy_max_mwh
        fills = (room + battery.auxiliary_mw * self.durations) / battery.charge_efficiency
        return np.where(np.isinf(power), fills, power * self.durations)

    @cached_property
    def discharge_limit_mwh(self) -> FloatArray:
        """Most energy discharged in each period, AC, MWh; a missing power limit is what empties the battery."""
        battery = self.battery
        power = _limit_mw(battery.power_mw, battery.export_limit_mw, np.asarray(self.discharge_availability))
        empties = battery.usable_energy_mwh * battery.discharge_efficiency
        return np.where(np.isinf(power), empties, power * self.durations)

    @property
    def kept_share(self) -> FloatArray:
        """Share of the stored energy that self-discharge leaves at the end of each period."""
        return 1.0 - self.battery.self_discharge_per_hour * self.durations

    @cached_property
    def unserved_mwh(self) -> FloatArray:
        """Standby energy (auxiliary load, self-discharge at the floor) that the store cannot give, MWh per period.

        The least there can be: the shortfall of a battery that charges all it may. The load is shed below the lowest
        state of energy, so an outage of any length leaves the state within its limits.
        """
        floor = self.battery.energy_min_mwh
        unserved = np.zeros(self.periods)
        inflow = self.battery.charge_efficiency * self.charge_limit_mwh
        if (inflow >= self._standby_at_floor_mwh).all():
            return unserved
        state, change = self.opening_mwh, inflow - self.battery.auxiliary_mw * self.durations
        for t, (kept, gain) in enumerate(zip(self.kept_share.tolist(), change.tolist(), strict=True)):
            state = kept * state + gain
            unserved[t] = max(floor - state, 0.0)
            state = min(max(state, floor), self.battery.energy_max_mwh)
        return unserved

    @property
    def auxiliary_mwh(self) -> FloatArray:
        """Energy that the standby load takes from the store in each period, MWh; below 0 where self-discharge
        at the floor is made good from outside."""
        return self.battery.auxiliary_mw * self.durations - self.unserved_mwh

    @property
    def drawn_by_standby_mwh(self) -> FloatArray:
        """Energy that the standby load and the floor's self-discharge take from the depth segments, MWh."""
        return np.maximum(self._standby_at_floor_mwh - self.unserved_mwh, 0.0)

    @property
    def _standby_at_floor_mwh(self) -> FloatArray:
        battery = self.battery
        return (battery.auxiliary_mw + battery.self_discharge_per_hour * battery.energy_min_mwh) * self.durations

    @property
    def cycle_limit_mwh(self) -> float | None:
        """Most energy discharged in one day, AC, MWh; None without a limit."""
        return _times(self.battery.max_cycles_per_day, self.battery.usable_energy_mwh)

    @property
    def warranty_mwh(self) -> float | None:
        """Most energy discharged in the whole horizon, AC, MWh; None without a budget."""
        return _times(self.battery.warranty_cycles, self.battery.usable_energy_mwh)

    @property
    def segment_mwh(self) -> float:
        """Stored energy of one depth segment when full, MWh; 0 without depth costs."""
        return self.battery.usable_energy_mwh / max(len(self.battery.cycle_depth_cost_gbp_per_mwh), 1)

    @property
    def opening_segments(self) -> FloatArray:
        """Stored energy of each depth segment before the first period, MWh, shallowest first."""
        if self.opening_segments_mwh is not None:
            return np.asarray(self.opening_segments_mwh, dtype=float)
        below = self.segment_mwh * np.arange(len(self.battery.cycle_depth_cost_gbp_per_mwh))
        return np.clip(self.opening_mwh - self.battery.energy_min_mwh - below, 0.0, self.segment_mwh)


def exclusive_above_gbp_mwh(battery: Battery) -> float:
    """Price above which charge and discharge never overlap in an optimum of the relaxed problem.

    Charging c and discharging round_trip * c leaves the state as it is, costs price * (1 - round_trip) * c,
    wears (1 + round_trip) * c and draws round_trip * c from some depth segment: a loss while the price is above the
    value returned (domain reference 7.1; docs/optimisation.md section 3). Minus infinity for a lossless battery, where
    netting changes neither cash nor state. With a ramp limit it proves nothing: netting changes the net export.
    """
    kept = battery.round_trip_efficiency
    shallowest = min(battery.cycle_depth_cost_gbp_per_mwh, default=0.0)
    gain = battery.degradation_cost_gbp_per_mwh * (1 + kept) + shallowest * kept
    return -math.inf if kept >= 1 else -gain / (1 - kept)


def _per_period(values: ArrayLike, periods: int) -> NDArray[np.generic]:
    array = np.asarray(values)
    return np.full(periods, array) if array.ndim == 0 else np.array(array)


def _limit_mw(rating_mw: float, connection_mw: float | None, availability: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore"):
        power = np.where(availability > 0, rating_mw * availability, 0.0)
    return power if connection_mw is None else np.minimum(power, connection_mw)


def _times(count: float | None, energy_mwh: float) -> float | None:
    return None if count is None else count * energy_mwh


def _refuse_numbers(price: FloatArray, hours: FloatArray) -> None:
    bad = np.flatnonzero(~(np.abs(price) <= PRICE_LIMIT_GBP_MWH))
    if bad.size:
        raise UserInputError(
            f"the price of period {bad[0]} is {price[bad[0]]}: every price must be a finite number of at most "
            f"{PRICE_LIMIT_GBP_MWH:,.0f} GBP/MWh in size"
        )
    bad = np.flatnonzero(~(np.isfinite(hours) & (hours > 0)))
    if bad.size:
        raise UserInputError(
            f"the duration of period {bad[0]} is {hours[bad[0]]}: it must be a positive number of hours"
        )


def _refuse_states(battery: Battery, opening_energy_mwh: float, closing: ClosingState) -> None:
    states = [("opening", opening_energy_mwh)]
    if closing.kind is not ClosingKind.FREE:
        states.append(("closing", closing.energy_mwh))
    low, high = battery.energy_min_mwh, battery.energy_max_mwh
    for name, state in states:
        if not low - STATE_TOLERANCE_MWH <= state <= high + STATE_TOLERANCE_MWH:
            raise UserInputError(
                f"the {name} state of energy {state:g} MWh lies outside the battery's limits {low:g} to {high:g} MWh"
            )
    if not abs(closing.terminal_value_gbp_mwh) <= PRICE_LIMIT_GBP_MWH:
        raise UserInputError(f"the terminal value {closing.terminal_value_gbp_mwh} GBP/MWh must be a finite number")


def _refuse_losses(battery: Battery, hours: FloatArray) -> None:
    lost = battery.self_discharge_per_hour * hours
    bad = np.flatnonzero(lost >= 1)
    if bad.size:
        raise UserInputError(
            f"self_discharge_per_hour {battery.self_discharge_per_hour:g} over the {hours[bad[0]]:g} hours of period "
            f"{bad[0]} loses more than everything stored"
        )


def _refuse_availability(name: str, share: FloatArray, periods: int) -> None:
    if share.shape != (periods,):
        raise UserInputError(f"{name} needs one fraction per period, not {share.size} for {periods} periods")
    bad = np.flatnonzero(~((share >= 0) & (share <= 1)))
    if bad.size:
        raise UserInputError(f"{name} of period {bad[0]} is {share[bad[0]]}: it must lie between 0 and 1")


def _refuse_opening(problem: EnergyProblem) -> None:
    export = problem.opening_export_mw
    if export is not None and not math.isfinite(export):
        raise UserInputError(f"the opening export {export} MW must be a finite number")
    if problem.opening_segments_mwh is None:
        return
    segments, stored = problem.opening_segments, problem.opening_mwh - problem.battery.energy_min_mwh
    count, full = len(problem.battery.cycle_depth_cost_gbp_per_mwh), problem.segment_mwh
    if segments.shape != (count,) or not ((segments >= -STATE_TOLERANCE_MWH) & (segments <= full + 1e-6)).all():
        raise UserInputError(f"opening_segments_mwh needs {count} energies between 0 and {full:g} MWh")
    if not abs(segments.sum() - stored) <= STATE_TOLERANCE_MWH * max(1.0, count):
        raise UserInputError(
            f"opening_segments_mwh hold {segments.sum():g} MWh, but {stored:g} MWh are stored above the lowest state"
        )
