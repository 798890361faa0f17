"""The battery's physics again, one period and one number at a time: the oracle of its tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bess_pipeline.battery.parameters import Battery

ROUNDING = 1e-9


@dataclass
class Executed:
    """Net export (MW), state at the end (MWh), reason and unserved energy (MWh) of one period."""

    net_mw: float
    energy_mwh: float
    reason: str
    unserved_mwh: float


def execute(
    battery: Battery,
    opening_mwh: float,
    asked: Sequence[tuple[float, float, float]],
    availability: Sequence[tuple[float, float]] | None = None,
) -> list[Executed]:
    """`asked` and `availability` are (charge, discharge, hours) and (charge, discharge) per period."""
    done: list[Executed] = []
    state = opening_mwh
    for t, (charge, discharge, h) in enumerate(asked):
        share = availability[t] if availability else (1.0, 1.0)
        before = (done[-1].net_mw, asked[t - 1][2]) if done else None
        one = _period(battery, state, charge, discharge, h, share, before)
        done.append(one)
        state = one.energy_mwh
    return done


def _period(
    b: Battery,
    state: float,
    charge: float,
    discharge: float,
    h: float,
    share: tuple[float, float],
    before: tuple[float, float] | None,
) -> Executed:
    most_in, in_reason = _most(b.power_mw, share[0], b.import_limit_mw, "import limit")
    most_out, out_reason = _most(b.power_mw, share[1], b.export_limit_mw, "export limit")
    reason = "simultaneous" if charge > 0 and discharge > 0 else ""
    net = discharge - charge
    if net > most_out * (1 + 1e-12):
        net, reason = most_out, out_reason
    if -net > most_in * (1 + 1e-12):
        net, reason = -most_in, in_reason
    if b.ramp_limit_mw_per_hour is not None and before is not None:
        window = b.ramp_limit_mw_per_hour * before[1]
        slow = min(max(net, before[0] - window), before[0] + window)
        slow = min(max(slow, -most_in), most_out)
        if abs(slow - net) > ROUNDING:
            reason = "ramp"
        net = slow
    left = state * max(1 - b.self_discharge_per_hour * h, 0) - b.auxiliary_mw * h
    low, high = b.soc_min * b.energy_mwh, b.soc_max * b.energy_mwh
    gained = -net * h * b.charge_efficiency if net < 0 else -net * h / b.discharge_efficiency
    if left + gained > high + ROUNDING:
        return Executed(-(high - left) / b.charge_efficiency / h, high, "full", 0.0)
    if left + gained >= low - ROUNDING:
        return Executed(net, min(max(left + gained, low), high), reason, 0.0)
    if left >= low:
        return Executed((left - low) * b.discharge_efficiency / h, low, "empty", 0.0)
    needed = (low - left) / b.charge_efficiency / h
    fed = min(needed, most_in)
    reason = "standby" if low - left > ROUNDING else "empty"
    return Executed(-fed, low, reason, (needed - fed) * b.charge_efficiency * h)


def _most(rating: float, share: float, grid: float | None, grid_reason: str) -> tuple[float, str]:
    most = rating * share if share > 0 else 0.0
    if grid is not None and grid < most:
        return grid, grid_reason
    return (most, "power") if share == 1 else (most, "availability")
