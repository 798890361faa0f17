"""An independent SciPy formulation of the energy-only problem: powers in MW, binaries in every period.

It shares no code with the package: dense matrices, `scipy.optimize.milp`, its own variable order (charge, discharge,
direction, stored; then per depth segment: filled, drawn, stored).
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

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
    *,
    charge_availability: np.ndarray | float = 1.0,
    discharge_availability: np.ndarray | float = 1.0,
    opening_export: float | None = None,
    unserved: np.ndarray | float = 0.0,
) -> float | None:
    """Best cash - wear + closing value, or None when no schedule is feasible."""
    n, segments = price.size, len(battery.cycle_depth_cost_gbp_per_mwh)
    size = n * (4 + 3 * segments)
    charge_max, discharge_max = powers(battery, hours, charge_availability, discharge_availability)
    blank = np.zeros((n, size))

    def part(k: int) -> np.ndarray:
        matrix = blank.copy()
        matrix[:, k * n : (k + 1) * n] = np.eye(n)
        return matrix

    charge, discharge, direction, stored = (part(k) for k in range(4))
    kept = 1 - battery.self_discharge_per_hour * hours
    shift = np.diag(kept[1:], -1) if n > 1 else np.zeros((1, 1))
    first = np.eye(n)[0] * kept[0]
    into, out = battery.charge_efficiency * hours, hours / battery.discharge_efficiency
    flow = into[:, None] * charge - out[:, None] * discharge
    standby = battery.auxiliary_mw * hours - unserved
    rows = [
        LinearConstraint(stored - shift @ stored - flow, first * opening - standby, first * opening - standby),
        *_directions(charge, discharge, direction, charge_max, discharge_max, exclusive, shared_cap),
        *_budgets(battery, hours, day, charge, discharge),
        *_ramp(battery, hours, discharge - charge, charge_max + discharge_max, opening_export),
    ]
    wear = battery.degradation_cost_gbp_per_mwh
    cost = (price + wear) * hours @ charge + (wear - price) * hours @ discharge - terminal_value * stored[-1]
    usable = (battery.soc_max - battery.soc_min) * battery.energy_mwh
    low, high = np.zeros(size), np.full(size, usable)
    high[: 2 * n] = np.concatenate([charge_max, discharge_max])
    high[2 * n : 3 * n] = 1
    low[3 * n : 4 * n], high[3 * n : 4 * n] = battery.soc_min * battery.energy_mwh, battery.soc_max * battery.energy_mwh
    low[4 * n - 1], high[4 * n - 1] = max(low[4 * n - 1], closing[0]), min(high[4 * n - 1], closing[1])
    above = opening - battery.soc_min * battery.energy_mwh
    drawn_total, filled_total = blank.copy(), blank.copy()
    for j, depth_cost in enumerate(battery.cycle_depth_cost_gbp_per_mwh):
        filled, drawn, held = (part(4 + 3 * j + k) for k in range(3))
        start = min(max(above - j * usable / segments, 0), usable / segments)
        rows.append(LinearConstraint(held - shift @ held - filled + drawn, first * start, first * start))
        high[(4 + 3 * j) * n : (6 + 3 * j) * n] = np.inf
        high[(6 + 3 * j) * n : (7 + 3 * j) * n] = usable / segments
        cost = cost + depth_cost * battery.discharge_efficiency * drawn.sum(axis=0)
        drawn_total, filled_total = drawn_total + drawn, filled_total + filled
    if segments:
        floor = battery.self_discharge_per_hour * hours * battery.soc_min * battery.energy_mwh + standby
        rows.append(LinearConstraint(filled_total - into[:, None] * charge, 0, 0))
        rows.append(LinearConstraint(drawn_total - out[:, None] * discharge, floor, floor))
    integrality = np.zeros(size)
    integrality[2 * n : 3 * n] = int(exclusive)
    options = {"mip_rel_gap": 1e-10}
    answer = milp(cost, constraints=rows, bounds=Bounds(low, high), integrality=integrality, options=options)
    return None if answer.x is None else float(-answer.fun)


def powers(
    battery: Battery, hours: np.ndarray, charge_share: np.ndarray | float, discharge_share: np.ndarray | float
) -> tuple[np.ndarray, np.ndarray]:
    """Most charge and discharge per period, MW; a power that never binds in place of no limit."""
    never = 4 * (battery.energy_mwh + battery.auxiliary_mw) / (battery.charge_efficiency * hours.min())
    rating = min(battery.power_mw, never)
    found = []
    for share, connection in ((charge_share, battery.import_limit_mw), (discharge_share, battery.export_limit_mw)):
        available = np.broadcast_to(share, hours.shape)
        power = np.where(available > 0, rating * (available if battery.power_mw < never else 1.0), 0.0)
        found.append(power if connection is None else np.minimum(power, connection))
    return found[0], found[1]


def least_unserved(battery: Battery, hours: np.ndarray, charge_max: np.ndarray, opening: float) -> float:
    """Least total energy from outside that keeps the store at its floor or above, by a linear problem of its own."""
    n = hours.size
    kept = 1 - battery.self_discharge_per_hour * hours
    shift = np.diag(kept[1:], -1) if n > 1 else np.zeros((1, 1))
    balance = np.hstack([np.eye(n) - shift, -np.diag(battery.charge_efficiency * hours), -np.eye(n)])
    right = np.eye(n)[0] * kept[0] * opening - battery.auxiliary_mw * hours
    floor, top = battery.soc_min * battery.energy_mwh, battery.soc_max * battery.energy_mwh
    bounds = [(floor, top)] * n + [(0, limit) for limit in charge_max] + [(0, None)] * n
    cost = np.concatenate([np.zeros(2 * n), np.ones(n)])
    return float(linprog(cost, A_eq=balance, b_eq=right, bounds=bounds).fun)


def _directions(
    charge: np.ndarray,
    discharge: np.ndarray,
    direction: np.ndarray,
    charge_max: np.ndarray,
    discharge_max: np.ndarray,
    exclusive: bool,
    shared_cap: bool,
) -> list[LinearConstraint]:
    if exclusive:
        return [
            LinearConstraint(charge - charge_max[:, None] * direction, -np.inf, 0),
            LinearConstraint(discharge + discharge_max[:, None] * direction, -np.inf, discharge_max),
        ]
    if not shared_cap:
        return []
    product = charge_max * discharge_max
    return [LinearConstraint(discharge_max[:, None] * charge + charge_max[:, None] * discharge, -np.inf, product)]


def _budgets(
    battery: Battery, hours: np.ndarray, day: np.ndarray, charge: np.ndarray, discharge: np.ndarray
) -> list[LinearConstraint]:
    usable = (battery.soc_max - battery.soc_min) * battery.energy_mwh
    member = (day[None, :] == np.unique(day)[:, None]) * hours
    rows = []
    if battery.max_cycles_per_day is not None:
        rows.append(LinearConstraint(member @ discharge, -np.inf, battery.max_cycles_per_day * usable))
    if battery.max_throughput_mwh_per_day is not None:
        rows.append(LinearConstraint(member @ (charge + discharge), -np.inf, battery.max_throughput_mwh_per_day))
    if battery.warranty_cycles is not None:
        rows.append(LinearConstraint(hours @ discharge, -np.inf, battery.warranty_cycles * usable))
    return rows


def _ramp(
    battery: Battery, hours: np.ndarray, export: np.ndarray, reach: np.ndarray, opening_export: float | None
) -> list[LinearConstraint]:
    """Net export of each period against the one before; free into a period that is cut off, and at an unknown start."""
    limit, rows = battery.ramp_limit_mw_per_hour, []
    if limit is None:
        return []
    for t in range(hours.size):
        if reach[t] <= 0 or (t == 0 and opening_export is None):
            continue
        before, since = (export[t - 1], hours[t - 1]) if t else (np.zeros(export.shape[1]), hours[0])
        start = 0.0 if t else float(opening_export or 0.0)
        rows.append(LinearConstraint(export[t] - before, start - limit * since, start + limit * since))
    return rows
