"""An independent SciPy formulation of the energy-only problem: powers in MW, binaries in every period.

It shares no code with the package: dense matrices, `scipy.optimize.milp`, its own variable order.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from bess_pipeline.battery.parameters import Battery


def best_profit(
    price: np.ndarray,
    hours: np.ndarray,
    day: np.ndarray,
    battery: Battery,
    opening: float,
    closing: tuple[float, float],
    terminal_value: float = 0.0,
    exclusive: bool = True,
    shared_cap: bool = True,
) -> float | None:
    """Best cash - wear + closing value, or None when no schedule is feasible; variables c, d, u of each period."""
    n = price.size
    big = 4 * battery.energy_mwh / (battery.charge_efficiency * hours.min())
    power = min(battery.power_mw, big)
    gain = np.tril(np.ones((n, n))) * (hours * battery.charge_efficiency)
    loss = np.tril(np.ones((n, n))) * (hours / battery.discharge_efficiency)
    none = np.zeros((n, n))
    low = np.full(n, battery.soc_min * battery.energy_mwh)
    high = np.full(n, battery.soc_max * battery.energy_mwh)
    low[-1], high[-1] = max(low[-1], closing[0]), min(high[-1], closing[1])
    constraints = [LinearConstraint(np.hstack([gain, -loss, none]), low - opening, high - opening)]
    eye = np.eye(n)
    if exclusive:
        constraints.append(LinearConstraint(np.hstack([eye, none, -power * eye]), -np.inf, 0))
        constraints.append(LinearConstraint(np.hstack([none, eye, power * eye]), -np.inf, power))
    elif shared_cap:
        constraints.append(LinearConstraint(np.hstack([eye, eye, none]), -np.inf, power))
    if battery.max_cycles_per_day is not None:
        usable = (battery.soc_max - battery.soc_min) * battery.energy_mwh
        member = (day[None, :] == np.unique(day)[:, None]) * hours
        zero = np.zeros_like(member)
        constraints.append(
            LinearConstraint(np.hstack([zero, member, zero]), -np.inf, battery.max_cycles_per_day * usable)
        )
    wear = battery.degradation_cost_gbp_per_mwh
    worth = terminal_value * hours
    cost = np.concatenate(
        [
            (price + wear) * hours - worth * battery.charge_efficiency,
            (wear - price) * hours + worth / battery.discharge_efficiency,
            np.zeros(n),
        ]
    )
    bounds = Bounds(np.zeros(3 * n), np.concatenate([np.full(2 * n, power), np.ones(n)]))
    integrality = np.concatenate([np.zeros(2 * n), np.full(n, int(exclusive))])
    answer = milp(cost, constraints=constraints, bounds=bounds, integrality=integrality, options={"mip_rel_gap": 1e-10})
    return None if answer.x is None else float(-answer.fun + terminal_value * opening)
