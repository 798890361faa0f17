"""Charge and discharge exclude each other in every scenario: what the linear problem leaves to be decided.

What belongs here: finding overlaps, and deciding directions there. What does not: the linear problems.

The linear problem bounds the exclusive one. Where its answer overlaps, the overlap is undone at equal stored energy,
which costs nothing unless burning energy pays or makes room for a plan. What then still overlaps gets binaries there,
is solved again, and so on until nothing overlaps: with the plan free in the extensive form; scenario by scenario at the
plan as it is after a decomposition, where the gap to the linear bound is what is certified.
"""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter

import numpy as np
from scipy.sparse import csc_array, vstack
from scipy.sparse import hstack as beside

from bess_pipeline.errors import SolverError
from bess_pipeline.optimisation.problem import FloatArray, IntArray
from bess_pipeline.optimisation.session import ArraySession, LinearArrays
from bess_pipeline.optimisation.stochastic.extensive import extensive_arrays, extensive_cost
from bess_pipeline.optimisation.stochastic.programme import Programme
from bess_pipeline.optimisation.stochastic.restore import restore
from bess_pipeline.optimisation.stochastic.result import TwoStageSolution, account, with_bound
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion
from bess_pipeline.optimisation.stochastic.structure import CHARGE, DISCHARGE, structure_of

OVERLAP_MWH = 1e-6
NETTING_LOSS = 1e-6  # of a scenario's cost, relative: what undoing overlaps may cost, no more than the gap of a plan
FEW_ROUNDS = 8  # then what overlaps moves from period to period at the same cost: all periods are decided at once
ROUGH_GAP = 0.01  # of that problem, of the scenario's cost: closing it takes minutes where energy has to be burnt
SCENARIO_LIMIT_S = 20.0  # of all rounds of a scenario; then it keeps its exchange with the grid, whatever that costs


def overlaps(programme: Programme, recourse: FloatArray) -> IntArray:
    """(count, 2): scenario and period in which a recourse charges and discharges at once."""
    where = programme.path.columns
    both = np.minimum(recourse[:, where[CHARGE]], recourse[:, where[DISCHARGE]])
    return np.argwhere(both > OVERLAP_MWH)


def netted(programme: Programme, solution: TwoStageSolution) -> FloatArray:
    """The recourse, every overlap undone in the scenarios that this costs next to nothing: at equal stored energy, or
    where that does not do, at equal exchange with the grid, which keeps what is contracted and burns nothing."""
    found = raw = solution.recourse
    efficiency = programme.problem.battery.charge_efficiency, programme.problem.battery.discharge_efficiency
    for way in (efficiency, _EQUAL_EXCHANGE):
        left = np.unique(overlaps(programme, found)[:, 0])
        undone = _undone(programme, solution, *way) if left.size else None
        if undone is not None:
            cheap = left[_cost_of(programme, raw, undone)[left] <= NETTING_LOSS]
            found = found.copy()
            found[cheap] = undone[cheap]
    return found


_EQUAL_EXCHANGE = 1.0, 1.0  # efficiencies at which netted flows exchange with the grid what they did before


def _undone(
    programme: Programme, solution: TwoStageSolution, charge_efficiency: float, discharge_efficiency: float
) -> FloatArray | None:
    """The recourse with one flow where there were two, that would store the same at these efficiencies; every row is
    kept by the excesses. None where the structure is another or the store cannot follow."""
    structure, raw = structure_of(programme), solution.recourse
    if structure is None:
        return None
    charge, discharge = (raw[:, programme.path.columns[name]] for name in (CHARGE, DISCHARGE))
    both = np.minimum(charge, discharge) > 0
    stored = charge_efficiency * charge - discharge / discharge_efficiency
    bought = np.where(both, np.maximum(stored / charge_efficiency, 0.0), charge)
    sold = np.where(both, np.maximum(-stored * discharge_efficiency, 0.0), discharge)
    restored = restore(programme, structure, solution.plan, np.stack([bought.T, sold.T]))
    return None if restored is None else restored[1]


def _cost_of(programme: Programme, before: FloatArray, after: FloatArray) -> FloatArray:
    """By how much another recourse is worse in each scenario (N,), of its cost or its loss, relative."""
    worse = np.zeros(before.shape[0])
    for value in (programme.cost, programme.loss):
        was = (value * before).sum(axis=1)
        worse = np.maximum(worse, ((value * after).sum(axis=1) - was) / np.maximum(1.0, np.abs(was)))
    return worse


def exclude_at_plan(programme: Programme, risk: RiskAversion, solution: TwoStageSolution) -> TwoStageSolution:
    """The same plan with the best recourse that never charges and discharges at once; bound and duals stay."""
    if not overlaps(programme, solution.recourse).size:
        return solution
    recourse, binaries = netted(programme, solution).copy(), 0
    left = np.unique(overlaps(programme, recourse)[:, 0])
    kept = _undone(programme, solution, *_EQUAL_EXCHANGE) if left.size else None
    for n in left:
        single, used = _scenario(programme, risk, solution, int(n))
        if single is None:
            if kept is None:
                raise SolverError(f"no dispatch of scenario {n} was found that never charges and discharges at once")
            single = kept[n]
        recourse[n] = single
        binaries += used
    how = (solution.method, solution.iterations, solution.seconds)
    found = account(programme, risk, solution.plan, recourse, solution.bound_gbp, solution.duals, how)
    return replace(found, binaries=binaries, notes=solution.notes)


def exclude_everywhere(
    programme: Programme, risk: RiskAversion, solution: TwoStageSolution, gap: float, time_limit_s: float
) -> TwoStageSolution:
    """The best plan of the extensive form with binaries where it overlaps, unless the plan as it was is within `gap` of
    the bound with them; at the time limit, the better of both."""
    fallback, started = exclude_at_plan(programme, risk, solution), perf_counter()
    if fallback.gap <= gap or _is_decided(programme):
        return fallback
    (count, columns), size = programme.cost.shape, programme.plan.lower.size
    arrays = replace(extensive_arrays(programme), cost=extensive_cost(programme, risk))
    session, binaries, recourse = ArraySession(arrays, time_limit_s), 0, netted(programme, solution)
    while (left_s := time_limit_s - (perf_counter() - started)) > 0:
        where = overlaps(programme, recourse)
        _decide(session, programme, size + where[:, 0] * columns, where[:, 1])
        binaries += where.shape[0]
        answer = session.solve(left_s)
        if answer.column is None:
            break
        recourse = answer.column[size : size + count * columns].reshape(count, columns)
        if not overlaps(programme, recourse).size:
            bound = min(solution.bound_gbp, -answer.bound)
            how = (f"{solution.method}+milp", 0, perf_counter() - started)
            found = account(programme, risk, answer.column[:size], recourse, bound, solution.duals, how)
            better = found if found.objective_gbp >= fallback.objective_gbp else fallback
            return replace(with_bound(better, bound), binaries=binaries)
    return fallback


def _is_decided(programme: Programme) -> bool:
    """Whether the plan is given and one scenario stands: its recourse at the plan is all there is to decide."""
    return programme.cost.shape[0] == 1 and np.array_equal(programme.plan.lower, programme.plan.upper)


def _decide(session: ArraySession, programme: Programme, offset: IntArray | int, period: IntArray) -> None:
    where, energy = programme.path.columns, programme.problem.energy
    limits = (energy.charge_limit_mwh[period], energy.discharge_limit_mwh[period])
    session.add_exclusivity(offset + where[CHARGE].start + period, offset + where[DISCHARGE].start + period, limits)


def _scenario(
    programme: Programme, risk: RiskAversion, solution: TwoStageSolution, n: int
) -> tuple[FloatArray | None, int]:
    """The best exclusive recourse of one scenario at the plan and its VaR (None: not found in time), and the binaries.

    A vertex of the linear problem comes first: it rarely overlaps where an inner point does a little everywhere.
    """
    session, binaries = ArraySession(_scenario_arrays(programme, risk, solution, n), SCENARIO_LIMIT_S), 0
    started, open_periods = perf_counter(), np.arange(programme.problem.periods)
    for k in range(FEW_ROUNDS + 1):
        left_s = SCENARIO_LIMIT_S - (perf_counter() - started)
        answer = session.solve(left_s) if left_s > 0 else None
        if answer is None or answer.column is None:
            break
        recourse = answer.column[: programme.cost.shape[1]]
        period = overlaps(programme, recourse[None])[:, 1]
        if not period.size:
            return recourse, binaries
        if k == FEW_ROUNDS - 1:
            period = open_periods
            session.set_gap(ROUGH_GAP)
        open_periods = np.setdiff1d(open_periods, period)
        _decide(session, programme, 0, period)
        binaries += period.size
    return None, binaries


def _scenario_arrays(programme: Programme, risk: RiskAversion, solution: TwoStageSolution, n: int) -> LinearArrays:
    rows, width = programme.row_upper.shape[1], programme.plan.lower.size
    taken = programme.technology.of(n, rows, width) @ solution.plan
    loss = csc_array(np.append(programme.loss[n], -1.0)[None, :])
    wider = beside([programme.path.matrix, csc_array((rows, 1))])
    most = solution.value_at_risk_gbp - float(programme.plan_loss[n] @ solution.plan)
    return LinearArrays(
        csc_array(vstack([wider, loss])),
        np.append((1 - risk.weight) * programme.cost[n], risk.weight / (1 - risk.confidence)),
        np.append(programme.lower, 0.0),
        np.append(programme.upper, np.inf),
        np.append(programme.row_lower[n] - taken, -np.inf),
        np.append(programme.row_upper[n] - taken, most),
    )
