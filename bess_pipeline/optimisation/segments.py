"""What a path of states costs in depth of discharge, segment by segment, without any optimiser.

What belongs here: the depth segments of Xu et al. 2018 (domain reference 7.2) followed along a schedule. What does
not: their place in the linear problem (`formulation.add_depth_segments`) and rainflow counting after the fact
(`battery/`).
"""

from __future__ import annotations

import numpy as np

from bess_pipeline.optimisation.problem import EnergyProblem, FloatArray


def follow_segments(
    problem: EnergyProblem, charge_mw: FloatArray, discharge_mw: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Energy stored in each segment at the end of each period, and energy drawn from it, (periods, segments) MWh DC.

    The cheapest way to follow a schedule: what comes in and goes out within one period passes through the shallowest
    segment; beyond that, what comes in fills the shallowest with room and what goes out (sold or taken by the standby
    load) empties the shallowest that holds something, because costs never fall with depth.
    """
    battery, hours = problem.battery, problem.durations
    stored, full = problem.opening_segments.copy(), problem.segment_mwh
    filled = battery.charge_efficiency * charge_mw * hours
    drawn = discharge_mw * hours / battery.discharge_efficiency + problem.drawn_by_standby_mwh
    states, draws = np.empty((problem.periods, stored.size)), np.empty((problem.periods, stored.size))
    for t, kept in enumerate(problem.kept_share.tolist()):
        passing = min(filled[t], drawn[t])
        stored = kept * stored
        stored += _shallowest_first(full - stored, filled[t] - passing)
        draws[t] = _shallowest_first(stored, drawn[t] - passing)
        stored -= draws[t]
        draws[t, 0] += passing
        states[t] = stored
    return states, draws


def depth_cost_gbp(problem: EnergyProblem, charge_mw: FloatArray, discharge_mw: FloatArray) -> float:
    """Depth cost of a schedule, GBP: by segment, what was drawn x efficiency (as if sold) x the segment's cost."""
    costs = problem.battery.cycle_depth_cost_gbp_per_mwh
    if not costs:
        return 0.0
    _, draws = follow_segments(problem, charge_mw, discharge_mw)
    return float(problem.battery.discharge_efficiency * draws.sum(axis=0) @ np.asarray(costs))


def _shallowest_first(room: FloatArray, amount: float) -> FloatArray:
    """Parts of `amount`, each at most the room of its segment, shallow segments first."""
    before = np.concatenate([[0.0], np.cumsum(room)[:-1]])
    return np.clip(amount - before, 0.0, room)
