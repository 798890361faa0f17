"""What a battery really does in one half-hour in which it has a baseline and is called for services.

What belongs here: the energy balance of a half-hour with activation, in the order in which things give way, and the
re-check of a whole day. What does not: the physics of a baseline alone (`battery/physics.py`) and what is decided
(`market_day.py`).

Services come first, the baseline has what they leave (as in `optimisation/stochastic/value_of_state.py`): where a limit
of power or energy is met the baseline is cut, and delivery only once nothing of the baseline is left to cut. Energy of
the low and the high direction is delivered in different seconds and does not net; nor does either with the baseline.
A battery at its lowest state charges what its standing losses take; what the grid does not let in is unserved.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from bess_pipeline.ancillary.rows import FloatArray
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.errors import SolverError
from bess_pipeline.gb_time import HALF_HOUR_H

TOLERANCE_MWH = 1e-6


@dataclass(frozen=True)
class Asked:
    """What a half-hour asks for, AC, MWh >= 0: baseline (one of the two is 0), and energy of low and high services."""

    charge_mwh: float
    discharge_mwh: float
    low_mwh: float = 0.0
    high_mwh: float = 0.0


@dataclass(frozen=True)
class Done:
    """What was done: baseline, delivered energy of low and high services, AC, MWh; the state at the end, MWh; standing
    losses that neither store nor grid could feed, DC, MWh."""

    charge_mwh: float
    discharge_mwh: float
    low_mwh: float
    high_mwh: float
    energy_mwh: float
    unserved_mwh: float

    @property
    def net_mwh(self) -> float:
        """Net export of the baseline, MWh."""
        return self.discharge_mwh - self.charge_mwh


def carry_out(
    battery: Battery, energy_mwh: float, asked: Asked, charge_limit_mwh: float, discharge_limit_mwh: float
) -> Done:
    """One half-hour from the state at its start, MWh; limits: most AC energy each way that power allows, MWh."""
    low, high = min(asked.low_mwh, discharge_limit_mwh), min(asked.high_mwh, charge_limit_mwh)
    discharge = min(asked.discharge_mwh, discharge_limit_mwh - low)
    charge = min(asked.charge_mwh, charge_limit_mwh - high)
    into, out = battery.charge_efficiency, 1.0 / battery.discharge_efficiency
    kept = max(1.0 - battery.self_discharge_per_hour * HALF_HOUR_H, 0.0)
    left = energy_mwh * kept - battery.auxiliary_mw * HALF_HOUR_H
    after = left + into * (charge + high) - out * (discharge + low)
    unserved = 0.0
    if after > battery.energy_max_mwh:
        charge, rest = _cut(charge, (after - battery.energy_max_mwh) / into)
        high, _ = _cut(high, rest)
        after = battery.energy_max_mwh
    elif after < battery.energy_min_mwh:
        discharge, rest = _cut(discharge, (battery.energy_min_mwh - after) / out)
        low, rest = _cut(low, rest)
        fed = min(rest * out / into, charge_limit_mwh - high - charge)
        charge, unserved = charge + fed, max(rest * out - fed * into, 0.0)
        after = battery.energy_min_mwh
    return Done(charge, discharge, low, high, after, unserved)


def _cut(flow_mwh: float, too_much_mwh: float) -> tuple[float, float]:
    """(what is left of a flow, what is still too much)."""
    cut = min(flow_mwh, too_much_mwh)
    return flow_mwh - cut, too_much_mwh - cut


def require_physical(
    battery: Battery,
    opening_energy_mwh: float,
    done: list[Done],
    charge_limit_mwh: FloatArray,
    discharge_limit_mwh: FloatArray,
    start_utc: list[datetime],
) -> None:
    """Nothing for a day that the battery can do: sign, power, exclusivity, state and balance of every half-hour.

    Raises SolverError naming the first half-hour that breaks one of them by more than 1e-6 MWh.
    """
    names = ("charge_mwh", "discharge_mwh", "low_mwh", "high_mwh", "energy_mwh", "unserved_mwh")
    charge, discharge, low, high, energy, unserved = (np.array([getattr(one, name) for one in done]) for name in names)
    before = np.append(opening_energy_mwh, energy[:-1])
    kept = max(1.0 - battery.self_discharge_per_hour * HALF_HOUR_H, 0.0)
    flow = battery.charge_efficiency * (charge + high) - (discharge + low) / battery.discharge_efficiency
    balance = energy - (before * kept - battery.auxiliary_mw * HALF_HOUR_H) - flow - unserved
    excesses = {
        "negative energy": -np.minimum.reduce([charge, discharge, low, high, unserved]),
        "charge limit": charge + high - charge_limit_mwh,
        "discharge limit": discharge + low - discharge_limit_mwh,
        "charge and discharge at once": np.minimum(charge, discharge),
        "full": energy - battery.energy_max_mwh,
        "empty": battery.energy_min_mwh - energy,
        "energy balance": np.abs(balance),
    }
    for reason, excess in excesses.items():
        broken = np.flatnonzero(~(excess <= TOLERANCE_MWH))
        if broken.size:
            k = int(broken[0])
            raise SolverError(
                f"the dispatch breaks a limit of the battery: {reason} in half-hour {k} "
                f"({start_utc[k]:%Y-%m-%dT%H:%MZ}), by {excess[k]:.3g} MWh"
            )
