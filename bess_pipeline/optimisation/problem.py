"""The energy-only problem of one price path: what is given, checked before any solver sees it.

What belongs here: the data of a problem, its derived limits per period and the refusal of impossible
input. What does not: the constraints (`formulation.py`) and how they are solved (`energy.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

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
    day_index: integer naming the day (the cycle limit's group) of each period.
    opening_energy_mwh: stored energy before the first period.

    Raises UserInputError with one sentence naming the period where a value cannot be used.
    """

    price_gbp_mwh: ArrayLike
    hours: ArrayLike
    day_index: ArrayLike
    battery: Battery
    opening_energy_mwh: float
    closing: ClosingState

    def __post_init__(self) -> None:
        price = np.atleast_1d(np.asarray(self.price_gbp_mwh, dtype=float))
        if price.ndim != 1 or not price.size:
            raise UserInputError("an optimisation needs at least one period with a price")
        hours = np.array(np.broadcast_to(np.asarray(self.hours, dtype=float), _shape(self.hours, price.size)))
        day = np.array(np.broadcast_to(np.asarray(self.day_index), _shape(self.day_index, price.size)), dtype=np.int64)
        if not price.shape == hours.shape == day.shape:
            raise UserInputError(
                "an optimisation needs one price, duration and day per period, not "
                f"{price.size}, {hours.size} and {day.size}"
            )
        _refuse_numbers(price, hours)
        _refuse_states(self.battery, self.opening_energy_mwh, self.closing)
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
    def cycle_groups(self) -> IntArray:
        """Day of each period, renumbered 0, 1, … in order of first appearance."""
        day = np.asarray(self.day_index, dtype=np.int64)
        _, first, code = np.unique(day, return_index=True, return_inverse=True)
        rank = np.empty(first.size, dtype=np.int64)
        rank[np.argsort(first)] = np.arange(first.size)
        return np.asarray(rank[code], dtype=np.int64)

    @property
    def charge_limit_mwh(self) -> FloatArray:
        """Most energy charged in each period, AC, MWh; a missing power limit is what fills the battery."""
        if math.isinf(self.battery.power_mw):
            return np.full(self.periods, self.battery.usable_energy_mwh / self.battery.charge_efficiency)
        return self.battery.power_mw * self.durations

    @property
    def discharge_limit_mwh(self) -> FloatArray:
        """Most energy discharged in each period, AC, MWh; a missing power limit is what empties the battery."""
        if math.isinf(self.battery.power_mw):
            return np.full(self.periods, self.battery.usable_energy_mwh * self.battery.discharge_efficiency)
        return self.battery.power_mw * self.durations

    @property
    def cycle_limit_mwh(self) -> float | None:
        """Most energy discharged in one day, AC, MWh; None without a limit."""
        cycles = self.battery.max_cycles_per_day
        return None if cycles is None else cycles * self.battery.usable_energy_mwh


def exclusive_above_gbp_mwh(battery: Battery) -> float:
    """Price above which charge and discharge never overlap in an optimum of the relaxed problem.

    Charging c and discharging round_trip * c leaves the state as it is, costs price * (1 - round_trip) * c
    and wears (1 + round_trip) * c: a loss while the price is above the value returned (domain reference 7.1).
    Minus infinity for a lossless battery, where netting changes neither cash nor state.
    """
    kept = battery.round_trip_efficiency
    return -math.inf if kept >= 1 else -battery.degradation_cost_gbp_per_mwh * (1 + kept) / (1 - kept)


def _shape(values: ArrayLike, periods: int) -> tuple[int, ...]:
    return (periods,) if np.ndim(values) == 0 else np.shape(values)


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
