"""Optimise the energy-only problem: linear problem first, exclusivity exactly, everything re-checked.

What belongs here: the path from an `EnergyProblem` to an `EnergySchedule` with its certified gap. What
does not: the formulation, the solver session and the dynamic programme (their own modules), and what
the schedule means for a trading day (`trading/`).

1. The linear problem with the shared power cap gives an upper bound and a path of the state of energy.
2. Exclusive powers are unique for a path, so the path becomes a schedule by undoing every overlap; when
   that loses nothing (always, above the price of `exclusive_above_gbp_mwh`) the linear answer is exact.
3. Otherwise dynamic programming gives the exact optimum. With a daily cycle limit it gives a bound
   (the limit priced by its shadow price) and, where that does not close the gap, binaries in the periods
   whose price allows overlap decide.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np

from bess_pipeline.battery.physics import check, powers_of_change
from bess_pipeline.errors import SolverError
from bess_pipeline.optimisation.compilation import CompiledPath, compile_path
from bess_pipeline.optimisation.exact_path import optimise_path
from bess_pipeline.optimisation.formulation import PathNumbers, path_numbers
from bess_pipeline.optimisation.problem import ClosingKind, EnergyProblem, FloatArray, exclusive_above_gbp_mwh
from bess_pipeline.optimisation.session import HighsSession, Solution, SolveStatus

TOLERANCE = 1e-6  # MW, MWh, and GBP relative to the size of the objective
CLOSED_GAP = 1e-9  # relative: below it the answer is optimal
IDLE_MWH = 1e-9  # a smaller change of stored energy is rounding


@dataclass(frozen=True)
class EnergySchedule:
    """An optimal, re-checked schedule; arrays have one value per period.

    charge_mw, discharge_mw: AC, >= 0, never both above 0; energy_mwh: state at the end of each period;
    cash_gbp: price x (discharge - charge) x hours, wear not included; wear_gbp: total, a cost;
    terminal_value_gbp: value of the closing energy; objective_gbp = cash - wear + terminal value;
    bound_gbp: proven upper bound of the objective; gap: (bound - objective) / max(1, |objective|);
    cycles: discharged MWh over usable MWh; binaries: in the mixed-integer problem, 0 without one;
    method: "lp", "dynamic_programming" or "milp"; status: not OPTIMAL when the solver left a gap open.
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


def optimise_energy(problem: EnergyProblem, *, time_limit_s: float = 60.0) -> EnergySchedule:
    """The most profitable feasible schedule of one price path.

    time_limit_s: for each call of the solver. Raises SolverError with one sentence when there is no
    schedule (what is infeasible, or that time ran out) or when the re-check finds one that is not true.
    """
    started = perf_counter()
    path, numbers = compile_path(problem), path_numbers(problem)
    relaxed = HighsSession(path, numbers, time_limit_s).solve()
    if relaxed.status is not SolveStatus.OPTIMAL or relaxed.column is None:
        raise SolverError(_why_not(problem, relaxed.status, time_limit_s))
    schedule = _schedule(problem, relaxed.column[path.columns["energy_mwh"]], -relaxed.cost, "lp")
    if schedule.gap > CLOSED_GAP:
        schedule = _exclude_overlap(problem, path, numbers, relaxed, schedule, time_limit_s)
    _recheck(problem, schedule)
    return replace(schedule, solve_seconds=perf_counter() - started)


def _exclude_overlap(
    problem: EnergyProblem,
    path: CompiledPath,
    numbers: PathNumbers,
    relaxed: Solution,
    netted: EnergySchedule,
    time_limit_s: float,
) -> EnergySchedule:
    """The optimum where undoing the overlap of the linear answer costs something."""
    if "cycle_limit" not in path.rows:
        exact = optimise_path(problem)
        return _schedule(problem, exact.energy_mwh, exact.value_gbp, "dynamic_programming")
    priced = _cycle_limit_priced(problem, path, numbers, relaxed)
    bound = min(netted.bound_gbp, priced.bound_gbp)
    candidates = [netted, priced] if _within_cycle_limit(problem, priced) else [netted]
    best = max(candidates, key=lambda s: s.objective_gbp)
    best = _with_bound(best, bound)
    if best.gap <= CLOSED_GAP:
        return best
    return _decide_by_binaries(problem, path, numbers, best, time_limit_s)


def _cycle_limit_priced(
    problem: EnergyProblem, path: CompiledPath, numbers: PathNumbers, relaxed: Solution
) -> EnergySchedule:
    """Lagrangian relaxation: the limit's shadow price is paid per MWh discharged, and refunded as a constant."""
    if relaxed.row_dual is None:
        raise SolverError("the linear problem has no shadow prices")
    shadow_price = np.maximum(-relaxed.row_dual[path.rows["cycle_limit"]], 0.0)
    refund = float(shadow_price @ numbers.right_hand_side["cycle_limit"])
    exact = optimise_path(problem, shadow_price[problem.cycle_groups])
    return _schedule(problem, exact.energy_mwh, exact.value_gbp + refund, "dynamic_programming")


def _decide_by_binaries(
    problem: EnergyProblem, path: CompiledPath, numbers: PathNumbers, best: EnergySchedule, time_limit_s: float
) -> EnergySchedule:
    """The mixed-integer problem with binaries only where the price allows overlap, started from `best`."""
    periods = np.flatnonzero(problem.prices <= exclusive_above_gbp_mwh(problem.battery))
    session = HighsSession(path, numbers, time_limit_s)
    session.add_exclusivity(periods, numbers)
    flows = {
        "charge_mwh": best.charge_mw * problem.durations,
        "discharge_mwh": best.discharge_mw * problem.durations,
        "energy_mwh": best.energy_mwh,
    }
    charging = (best.charge_mw[periods] > 0).astype(float)
    session.start_from(np.concatenate([path.column_vector(flows), charging]))
    answer = session.solve()
    if answer.column is not None:
        found = _schedule(problem, answer.column[path.columns["energy_mwh"]], -answer.bound, "milp")
        bound = min(best.bound_gbp, found.bound_gbp)
        best = max([found, best], key=lambda s: s.objective_gbp)
        best = _with_bound(best, bound)
    status = SolveStatus.OPTIMAL if best.gap <= TOLERANCE else answer.status
    return replace(best, binaries=int(periods.size), method="milp", status=status)


def _schedule(problem: EnergyProblem, energy_mwh: FloatArray, bound_gbp: float, method: str) -> EnergySchedule:
    """The exclusive schedule of a path of states, with its accounts; an overlap is undone at equal energy."""
    battery, hours = problem.battery, problem.durations
    low, high = battery.energy_min_mwh, battery.energy_max_mwh
    energy = np.clip(energy_mwh, low, high)
    change = np.diff(energy, prepend=min(max(problem.opening_energy_mwh, low), high))
    change[np.abs(change) < IDLE_MWH] = 0.0
    charge, discharge = powers_of_change(battery, change, hours)
    charge, discharge = np.minimum(charge, battery.power_mw), np.minimum(discharge, battery.power_mw)
    cash = problem.prices * (discharge - charge) * hours + 0.0
    wear = battery.degradation_cost_gbp_per_mwh * float(((charge + discharge) * hours).sum())
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
        binaries=0,
        method=method,
        status=SolveStatus.OPTIMAL,
    )
    return _with_bound(schedule, bound_gbp)


def _with_bound(schedule: EnergySchedule, bound_gbp: float) -> EnergySchedule:
    gap = (bound_gbp - schedule.objective_gbp) / max(1.0, abs(schedule.objective_gbp))
    return replace(schedule, bound_gbp=bound_gbp, gap=max(gap, 0.0))


def _within_cycle_limit(problem: EnergyProblem, schedule: EnergySchedule) -> bool:
    return problem.cycle_limit_mwh is None or _excess_cycles_mwh(problem, schedule) <= TOLERANCE


def _excess_cycles_mwh(problem: EnergyProblem, schedule: EnergySchedule) -> float:
    discharged = np.bincount(problem.cycle_groups, weights=schedule.discharge_mw * problem.durations)
    return float(discharged.max()) - (problem.cycle_limit_mwh or 0.0)


def _recheck(problem: EnergyProblem, schedule: EnergySchedule) -> None:
    """Physics, closing state, cycle limit and bound, from the numbers of the schedule alone."""
    opening = problem.opening_energy_mwh
    violations = check(
        problem.battery,
        opening,
        schedule.charge_mw,
        schedule.discharge_mw,
        schedule.energy_mwh,
        problem.durations,
        TOLERANCE,
    )
    if violations:
        worst = max(violations, key=lambda v: v.amount)
        raise SolverError(
            f"the schedule found breaks the limit '{worst.reason}' in period {worst.period} by {worst.amount:g} "
            "and is not used"
        )
    lowest, highest = problem.closing.bounds_mwh(problem.battery)
    if not lowest - TOLERANCE <= schedule.energy_mwh[-1] <= highest + TOLERANCE:
        raise SolverError(f"the schedule found ends at {schedule.energy_mwh[-1]:g} MWh, not as asked, and is not used")
    if not _within_cycle_limit(problem, schedule):
        raise SolverError("the schedule found breaks the daily cycle limit and is not used")
    if schedule.objective_gbp - schedule.bound_gbp > TOLERANCE * max(1.0, abs(schedule.bound_gbp)):
        raise SolverError(
            f"the schedule found accounts for {schedule.objective_gbp:.6f} GBP, above its proven bound of "
            f"{schedule.bound_gbp:.6f}, and is not used"
        )
    if schedule.method == "dynamic_programming" and schedule.gap > TOLERANCE:
        raise SolverError(f"the schedule found is {schedule.gap:.2g} below its exact value and is not used")


def _why_not(problem: EnergyProblem, status: SolveStatus, time_limit_s: float) -> str:
    if status is SolveStatus.TIME_LIMIT:
        return (
            f"the solver reached its time limit of {time_limit_s:g} s on {problem.periods} periods without a schedule"
        )
    if status is not SolveStatus.INFEASIBLE:
        return f"the solver ended with status {status.value} and without a schedule"
    battery, closing = problem.battery, problem.closing
    rise = float((problem.charge_limit_mwh * battery.charge_efficiency).sum())
    fall = float((problem.discharge_limit_mwh / battery.discharge_efficiency).sum())
    needed = closing.bounds_mwh(battery)[0] - problem.opening_energy_mwh
    reachable = -fall <= needed <= rise if closing.kind is ClosingKind.FIXED else needed <= rise
    limit = "the daily cycle limit" if reachable else "the power limit"
    return (
        f"the closing state of {closing.energy_mwh:g} MWh cannot be reached from the opening "
        f"{problem.opening_energy_mwh:g} MWh within {limit} over {problem.periods} periods"
    )
