"""Re-check of a finished schedule from its own numbers, knowing nothing of the optimiser.

What belongs here: every limit a schedule may break, and the refusal of one that does. What does not: physics without
prices or budgets (`battery.physics.check`, called here) and why a problem has no schedule (`infeasible.py`).
"""

from __future__ import annotations

import numpy as np

from bess_pipeline.battery.limits import Availability, Clip
from bess_pipeline.battery.physics import Violation, check
from bess_pipeline.errors import SolverError
from bess_pipeline.optimisation.path_numbers import ramp_limit_mw
from bess_pipeline.optimisation.problem import EnergyProblem, FloatArray
from bess_pipeline.optimisation.schedule import EnergySchedule

TOLERANCE = 1e-6  # MW, MWh, and GBP relative to the size of the objective


def verify(problem: EnergyProblem, schedule: EnergySchedule) -> None:
    """Physics, grid connection, ramp, budgets, closing state and bound; SolverError with one sentence otherwise."""
    violations = [*_physics(problem, schedule), *_ramp(problem, schedule)]
    if violations:
        worst = max(violations, key=lambda v: v.amount)
        raise SolverError(
            f"the schedule found breaks the limit '{worst.reason}' in period {worst.period} by {worst.amount:g} "
            "and is not used"
        )
    lowest, highest = problem.closing.bounds_mwh(problem.battery)
    if not lowest - TOLERANCE <= schedule.energy_mwh[-1] <= highest + TOLERANCE:
        raise SolverError(f"the schedule found ends at {schedule.energy_mwh[-1]:g} MWh, not as asked, and is not used")
    for name, excess in budget_excess_mwh(problem, schedule).items():
        if excess > TOLERANCE:
            raise SolverError(f"the schedule found breaks {name} by {excess:g} MWh and is not used")
    if schedule.objective_gbp - schedule.bound_gbp > TOLERANCE * max(1.0, abs(schedule.bound_gbp)):
        raise SolverError(
            f"the schedule found accounts for {schedule.objective_gbp:.6f} GBP, above its proven bound of "
            f"{schedule.bound_gbp:.6f}, and is not used"
        )
    if schedule.method == "dynamic_programming" and schedule.gap > TOLERANCE:
        raise SolverError(f"the schedule found is {schedule.gap:.2g} below its exact value and is not used")


def ramp_excess_mw(problem: EnergyProblem, schedule: EnergySchedule) -> FloatArray:
    """By how much net export moves beyond the ramp limit into each period, MW; not above 0 where it does not."""
    net = schedule.discharge_mw - schedule.charge_mw
    before = problem.opening_export_mw if problem.opening_export_mw is not None else net[0]
    return np.abs(np.diff(net, prepend=before)) - ramp_limit_mw(problem)


def budget_excess_mwh(problem: EnergyProblem, schedule: EnergySchedule) -> dict[str, float]:
    """By how much each budget of energy is overdrawn in its worst day (or in the horizon), MWh."""
    charged, discharged = schedule.charge_mw * problem.durations, schedule.discharge_mw * problem.durations
    excess = {}
    if problem.cycle_limit_mwh is not None:
        by_day = np.bincount(problem.cycle_groups, weights=discharged)
        excess["the daily cycle limit"] = float(by_day.max()) - problem.cycle_limit_mwh
    if problem.battery.max_throughput_mwh_per_day is not None:
        by_day = np.bincount(problem.cycle_groups, weights=charged + discharged)
        excess["the daily throughput limit"] = float(by_day.max()) - problem.battery.max_throughput_mwh_per_day
    if problem.warranty_mwh is not None:
        excess["the warranty budget"] = float(discharged.sum()) - problem.warranty_mwh
    return excess


def _physics(problem: EnergyProblem, schedule: EnergySchedule) -> list[Violation]:
    """What `battery.physics` finds; the ramp limit it knows only within the horizon, so it is looked at here too."""
    availability = Availability(problem.charge_availability, problem.discharge_availability)
    found = check(
        problem.battery,
        problem.opening_energy_mwh,
        schedule.charge_mw,
        schedule.discharge_mw,
        schedule.energy_mwh,
        problem.durations,
        TOLERANCE,
        availability=availability,
        unserved_mwh=schedule.unserved_mwh,
    )
    return [violation for violation in found if violation.reason != Clip.RAMP]


def _ramp(problem: EnergyProblem, schedule: EnergySchedule) -> list[Violation]:
    if problem.battery.ramp_limit_mw_per_hour is None:
        return []
    excess = ramp_excess_mw(problem, schedule)
    return [Violation("ramp", int(t), float(excess[t])) for t in np.flatnonzero(~(excess <= TOLERANCE))]
