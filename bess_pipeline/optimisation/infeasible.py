"""Why a problem has no schedule, in one sentence that names the limit and where it binds.

What belongs here: the diagnosis after a solver said "infeasible". What does not: input that is wrong by itself
(`problem.py` refuses it before solving).
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array, csc_array, hstack

from bess_pipeline.optimisation.compilation import compile_path
from bess_pipeline.optimisation.path_numbers import path_numbers
from bess_pipeline.optimisation.problem import ClosingKind, EnergyProblem, IntArray
from bess_pipeline.optimisation.session import ArraySession, LinearArrays, path_arrays
from bess_pipeline.optimisation.status import SolveStatus

EXCESS_TOLERANCE = 1e-6
DIAGNOSIS_LIMIT_S = 60.0
_LIMITS = {  # constraint(s) -> its name in a sentence, and what its rows are
    "the daily cycle limit": (("cycle_limit",), "day"),
    "the daily throughput limit": (("throughput_limit",), "day"),
    "the warranty budget": (("warranty_budget",), None),
    "the ramp limit": (("ramp_up", "ramp_down"), "period"),
}


def why_no_schedule(problem: EnergyProblem, status: SolveStatus, time_limit_s: float) -> str:
    """One sentence for a solve of the linear problem that ended with another status than optimal."""
    if status is SolveStatus.INFEASIBLE:
        return why_infeasible(problem)
    if status is SolveStatus.TIME_LIMIT:
        return (
            f"the solver reached its time limit of {time_limit_s:g} s on {problem.periods} periods without a schedule"
        )
    return f"the solver ended with status {status.value} and without a schedule"


def why_infeasible(problem: EnergyProblem) -> str:
    """One sentence: the closing state out of reach by power alone, or the limit that must give way, and where."""
    closing = problem.closing
    ends = f"the closing state of {closing.energy_mwh:g} MWh cannot be reached from the opening "
    ends += f"{problem.opening_energy_mwh:g} MWh within"
    if not _reachable(problem):
        return f"{ends} the power limit over {problem.periods} periods"
    for name, (rows, unit) in _LIMITS.items():
        at = _must_give_way(problem, rows)
        if at is not None:
            where = "" if unit is None else f" ({unit} {_label(problem, unit, at)})"
            if closing.kind is ClosingKind.FREE:
                return f"{name}{where} leaves no schedule: the standby load and the limits of the state need more"
            return f"{ends} {name}{where} over {problem.periods} periods"
    return f"{ends} all limits together over {problem.periods} periods"


def _label(problem: EnergyProblem, unit: str, at: int) -> int:
    """The day's own number, as the problem names it, or the period's."""
    if unit == "period":
        return at
    return int(np.asarray(problem.day_index)[np.flatnonzero(problem.cycle_groups == at)[0]])


def _reachable(problem: EnergyProblem) -> bool:
    """Whether power and energy limits alone allow the closing state: the states that can be reached are an interval."""
    battery = problem.battery
    up = battery.charge_efficiency * problem.charge_limit_mwh - problem.auxiliary_mwh
    down = -problem.discharge_limit_mwh / battery.discharge_efficiency - problem.auxiliary_mwh
    low = high = problem.opening_mwh
    for kept, most, least in zip(problem.kept_share.tolist(), up.tolist(), down.tolist(), strict=True):
        low = max(kept * low + least, battery.energy_min_mwh)
        high = min(kept * high + most, battery.energy_max_mwh)
    first, last = problem.closing.bounds_mwh(battery)
    return low <= last + 1e-9 and high >= first - 1e-9


def _must_give_way(problem: EnergyProblem, rows: tuple[str, ...]) -> int | None:
    """Index of the first row of these constraints that the least excess needs; None when excess does not help."""
    path = compile_path(problem)
    slices = [path.rows[name] for name in rows if name in path.rows]
    if not slices:
        return None
    slack = np.concatenate([np.arange(where.start, where.stop) for where in slices])
    arrays = _with_excess(path_arrays(path, path_numbers(problem)), slack)
    solution = ArraySession(arrays, DIAGNOSIS_LIMIT_S).solve()
    if solution.status is not SolveStatus.OPTIMAL or solution.column is None:
        return None
    used = slack[solution.column[-slack.size :] > EXCESS_TOLERANCE]
    return min(
        (int(row - where.start) for row in used for where in slices if where.start <= row < where.stop), default=0
    )


def _with_excess(arrays: LinearArrays, rows: IntArray) -> LinearArrays:
    """The least total excess over the upper bounds of these rows, instead of the cost."""
    size, count = arrays.cost.size, rows.size
    excess = coo_array((-np.ones(count), (rows, np.arange(count))), shape=(arrays.matrix.shape[0], count))
    return LinearArrays(
        csc_array(hstack([arrays.matrix, excess])),
        np.concatenate([np.zeros(size), np.ones(count)]),
        np.concatenate([arrays.lower, np.zeros(count)]),
        np.concatenate([arrays.upper, np.full(count, np.inf)]),
        arrays.row_lower,
        arrays.row_upper,
    )
