"""Capacity fade of an LFP battery after the fact, what it cost, and what the plan should have charged for it.

What belongs here: the semi-empirical model of Naumann et al. (2018 calendar, 2020 cycles; domain reference
7.3), its state carried from day to day, life used and its cost, and the calibration of the plan's shadow
costs. What does not: counting cycles (`cycle_counting.py`), the plan's own cost (`trading/settlement.py`:
a shadow price, never cash) and how a faded battery limits the next day (`trading/wear.py`).

Both laws grow with a square root: fade = k sqrt(t) under constant conditions. Under changing conditions each
step goes on from the virtual time (or virtual full equivalent cycles) at which the present conditions would
have given the present fade: fade' = k sqrt((fade / k)^2 + t), that is fade'^2 = fade^2 + k^2 t. So the squares
add up, in any order, and two numbers carry the whole past.

**Life used.** Under one condition alone the end of life, a fade F = 1 - end-of-life state of health, comes
after (F / k)^2 hours or full equivalent cycles, and each of them uses the same share: the square of the fade
over F^2. Cost = replacement cost x share of life used. (Fade over F instead would charge the first month of a
new battery for years, because the root is steep there.) This share of one cycle is the depth function Phi of
domain reference 7.2, so plan and account can be reconciled.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bess_pipeline.battery.cycle_counting import Cycles, TurningPoint, close_cycles, join, open_cycles
from bess_pipeline.battery.parameters import Battery

FloatArray = NDArray[np.float64]
GAS_CONSTANT_J_MOL_K = 8.314
REFERENCE_K = 298.15
SECONDS_PER_HOUR = 3600.0
KWH_PER_MWH = 1000.0


@dataclass(frozen=True)
class WearState:
    """What a battery's past comes to: squares of both fades (fractions of capacity), and the open turning points.

    `cycle_squared` holds the cycles that have closed; `residue` those still open.
    """

    calendar_squared: float = 0.0
    cycle_squared: float = 0.0
    residue: tuple[TurningPoint, ...] = ()

    @classmethod
    def of_fade(cls, calendar_fade: float, cycle_fade: float) -> WearState:
        """A battery that has already lost these fractions of its capacity."""
        return cls(calendar_fade**2, cycle_fade**2)

    @property
    def calendar_fade(self) -> float:
        """Fraction of the capacity lost to time."""
        return float(np.sqrt(self.calendar_squared))

    @property
    def cycle_life_squared(self) -> float:
        """Square of the cycle fade, the open turning points counted as half cycles."""
        return self.cycle_squared + cycle_squared(open_cycles(self.residue))

    @property
    def cycle_fade(self) -> float:
        """Fraction of the capacity lost to cycles, the open ones included."""
        return float(np.sqrt(self.cycle_life_squared))

    @property
    def state_of_health(self) -> float:
        """Capacity left, as a fraction of the new one: 1 - calendar fade - cycle fade."""
        return 1.0 - self.calendar_fade - self.cycle_fade

    def to_text(self) -> str:
        """As one line that `from_text` reads back bit for bit."""
        residue = [[point.soc, point.throughput, point.active_hours] for point in self.residue]
        return json.dumps([self.calendar_squared, self.cycle_squared, residue])

    @classmethod
    def from_text(cls, text: str) -> WearState:
        """The state that `to_text` wrote."""
        calendar, cycle, residue = json.loads(text)
        return cls(calendar, cycle, tuple(TurningPoint(*values) for values in residue))


def accrue(state: WearState, soc: ArrayLike, hours: ArrayLike, cell_temperature_c: float) -> tuple[WearState, Cycles]:
    """The state after a path, and the cycles counted in it: those that closed and those it leaves open.

    soc: states of charge (of the new capacity) at the start and at the end of each period, one more than
    `hours`. Time passes at the mean state of charge of each period.
    """
    path = np.atleast_1d(np.asarray(soc, dtype=float))
    closed, residue = close_cycles(state.residue, path, hours)
    length = np.broadcast_to(np.asarray(hours, dtype=float), (path.size - 1,))
    rate = calendar_rate((path[1:] + path[:-1]) / 2, cell_temperature_c)
    after = replace(
        state,
        calendar_squared=state.calendar_squared + float((rate**2 * length).sum()) * SECONDS_PER_HOUR,
        cycle_squared=state.cycle_squared + cycle_squared(closed),
        residue=residue,
    )
    return after, join(closed, open_cycles(residue))


def calendar_rate(soc: ArrayLike, cell_temperature_c: float) -> FloatArray:
    """k of calendar fade = k sqrt(seconds), fractions of capacity (domain reference 7.3)."""
    kelvin = cell_temperature_c + 273.15
    heat = np.exp(-17126.0 / GAS_CONSTANT_J_MOL_K * (1.0 / kelvin - 1.0 / REFERENCE_K))
    return np.asarray(1.2571e-5 * heat * (2.8575 * (np.asarray(soc, dtype=float) - 0.5) ** 3 + 0.60225), dtype=float)


def cycle_rate(depth: ArrayLike, c_rate: ArrayLike) -> FloatArray:
    """k of cycle fade = k sqrt(full equivalent cycles), fractions of capacity (domain reference 7.3)."""
    stress = 4.0253 * (np.asarray(depth, dtype=float) - 0.6) ** 3 + 1.0923
    return np.asarray((0.0630 * np.asarray(c_rate, dtype=float) + 0.0971) * stress / 100.0, dtype=float)


def cycle_squared(cycles: Cycles) -> float:
    """Square of the fade that these cycles alone would bring."""
    return float((cycle_rate(cycles.depth, cycles.c_rate) ** 2 * cycles.full_equivalents).sum())


@dataclass(frozen=True)
class ReplacementCost:
    """Price of a new battery and when it is due; both are choices of the user."""

    gbp_per_kwh: float
    end_of_life_state_of_health: float

    def of_life(self, squared_fade: float, energy_mwh: float) -> float:
        """GBP of a growth of the squared fade, for a battery of `energy_mwh` when new."""
        life = squared_fade / (1.0 - self.end_of_life_state_of_health) ** 2
        return life * self.gbp_per_kwh * energy_mwh * KWH_PER_MWH


def life_share(end_of_life_state_of_health: float, c_rate: float) -> Callable[[ArrayLike], FloatArray]:
    """Phi: the share of life that one full cycle uses, as a function of its depth, at a given rate."""
    end = 1.0 - end_of_life_state_of_health

    def phi(depth: ArrayLike) -> FloatArray:
        return np.asarray(depth, dtype=float) * (cycle_rate(depth, c_rate) / end) ** 2

    return phi


def matching_cost_gbp_per_mwh(cost_gbp: float, throughput_mwh: float) -> float | None:
    """The `degradation_cost_gbp_per_mwh` under which the plan would have charged `cost_gbp` over a window.

    throughput_mwh: charged + discharged in the window, AC side. None where nothing moved.
    """
    return cost_gbp / throughput_mwh if throughput_mwh > 0 else None


def depth_segment_costs(
    phi: Callable[[ArrayLike], FloatArray], segments: int, battery: Battery, replacement_gbp: float
) -> tuple[float, ...]:
    """`cycle_depth_cost_gbp_per_mwh` of equal depth segments of the usable energy, from the cycle's share of life.

    c_j = R J / (eta_d U) (Phi(d_j) - Phi(d_{j-1})), d_j = j/J of the usable depth U/E, on discharged MWh
    (Xu et al. 2018, domain reference 7.2). The plan needs costs that never fall with depth: where Phi is not
    convex its greatest convex minorant through the segments' ends is taken, so that a full cycle keeps its cost.
    Raises ValueError for fewer than one segment.
    """
    if segments < 1:
        raise ValueError(f"a depth cost needs at least one segment, not {segments}")
    depth = np.linspace(0.0, battery.usable_energy_mwh / battery.energy_mwh, segments + 1)
    share = np.diff(_convex_minorant(depth, phi(depth)))
    per_mwh = replacement_gbp * segments / (battery.discharge_efficiency * battery.usable_energy_mwh)
    return tuple(np.maximum.accumulate(share * per_mwh).tolist())


def _convex_minorant(x: FloatArray, y: FloatArray) -> FloatArray:
    """The greatest convex function below the points, at their places (lower hull by turning left)."""
    hull: list[int] = []
    for n in range(x.size):
        while len(hull) > 1 and _turns_right(x, y, hull[-2], hull[-1], n):
            hull.pop()
        hull.append(n)
    return np.interp(x, x[hull], y[hull])


def _turns_right(x: FloatArray, y: FloatArray, a: int, b: int, c: int) -> bool:
    return bool((y[b] - y[a]) * (x[c] - x[b]) >= (y[c] - y[b]) * (x[b] - x[a]))
