"""A schedule with its accounts, made from a path of states.

What belongs here: `EnergySchedule` and the bookkeeping of cash, wear and value. What does not: how the path was
found (`energy.py`) and whether it is true (`verify.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bess_pipeline.battery.physics import powers_of_change
from bess_pipeline.optimisation.problem import EnergyProblem, FloatArray
from bess_pipeline.optimisation.segments import depth_cost_gbp
from bess_pipeline.optimisation.status import SolveStatus

IDLE_MWH = 1e-9  # a smaller change of stored energy is rounding


@dataclass(frozen=True)
class EnergySchedule:
    """An optimal, re-checked schedule; arrays have one value per period.

    charge_mw, discharge_mw: AC, >= 0, never both above 0; energy_mwh: state at the end of each period;
    cash_gbp: price x (discharge - charge) x hours, wear not included; wear_gbp: total, a cost, of throughput and of
    depth; depth_cost_gbp: the part of it by depth; terminal_value_gbp: value of the closing energy;
    objective_gbp = cash - wear + terminal value; bound_gbp: proven upper bound of the objective;
    gap: (bound - objective) / max(1, |objective|); cycles: discharged MWh over usable MWh;
    unserved_mwh: standby energy that the store could not give (see `EnergyProblem.unserved_mwh`);
    warranty_value_gbp_per_cycle: what one more cycle of the warranty budget would earn, None without a budget;
    binaries: in the mixed-integer problems, 0 without one; method: "lp", "dynamic_programming" or "milp";
    status: not OPTIMAL when the solver left a gap open.
    """

    charge_mw: FloatArray
    discharge_mw: FloatArray
    energy_mwh: FloatArray
    cash_gbp: FloatArray
    wear_gbp: float
    terminal_value_gbp: float
    objective_gbp: float
    bound_gbp: float
    gap: float
    cycles: float
    solve_seconds: float
    binaries: int
    method: str
    status: SolveStatus
    depth_cost_gbp: float
    unserved_mwh: FloatArray
    warranty_value_gbp_per_cycle: float | None = None


def schedule_of_path(
    problem: EnergyProblem, energy_mwh: FloatArray, bound_gbp: float, method: str, binaries: int = 0
) -> EnergySchedule:
    """The exclusive schedule of a path of states, with its accounts; an overlap is undone at equal energy."""
    battery, hours = problem.battery, problem.durations
    energy = np.clip(energy_mwh, battery.energy_min_mwh, battery.energy_max_mwh)
    before = np.concatenate([[problem.opening_mwh], energy[:-1]])
    change = energy - (problem.kept_share * before - problem.auxiliary_mwh)
    change[np.abs(change) < IDLE_MWH] = 0.0
    charge, discharge = powers_of_change(battery, change, hours)
    charge = np.minimum(charge, problem.charge_limit_mwh / hours)
    discharge = np.minimum(discharge, problem.discharge_limit_mwh / hours)
    cash = problem.prices * (discharge - charge) * hours + 0.0
    depth = depth_cost_gbp(problem, charge, discharge)
    wear = battery.degradation_cost_gbp_per_mwh * float(((charge + discharge) * hours).sum()) + depth
    terminal = problem.closing.terminal_value_gbp_mwh * float(energy[-1])
    schedule = EnergySchedule(
        charge_mw=charge,
        discharge_mw=discharge,
        energy_mwh=energy,
        cash_gbp=cash,
        wear_gbp=wear,
        terminal_value_gbp=terminal,
        objective_gbp=float(cash.sum()) - wear + terminal,
        bound_gbp=bound_gbp,
        gap=0.0,
        cycles=float((discharge * hours).sum()) / battery.usable_energy_mwh,
        solve_seconds=0.0,
        binaries=binaries,
        method=method,
        status=SolveStatus.OPTIMAL,
        depth_cost_gbp=depth,
        unserved_mwh=problem.unserved_mwh,
    )
    return with_bound(schedule, bound_gbp)


def with_bound(schedule: EnergySchedule, bound_gbp: float) -> EnergySchedule:
    """The same schedule with another proven bound."""
    gap = (bound_gbp - schedule.objective_gbp) / max(1.0, abs(schedule.objective_gbp))
    return replace(schedule, bound_gbp=bound_gbp, gap=max(gap, 0.0))
