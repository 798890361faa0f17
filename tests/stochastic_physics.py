"""What the physics engine says of every scenario of a plan, and what a plan promises that a scenario must keep."""

from __future__ import annotations

import numpy as np

from bess_pipeline.battery.physics import Violation, check
from bess_pipeline.optimisation.stochastic.problem import StochasticProblem
from bess_pipeline.optimisation.stochastic.result import TwoStageSolution

TOLERANCE = 2e-6


def delivered_mwh(problem: StochasticProblem, response_mw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Energy that activation exports and imports, AC, (N, T) each."""
    out, into = np.zeros((2, problem.scenarios, problem.periods))
    for k, one in enumerate(problem.responses):
        mw = np.where(problem.block_index >= 0, response_mw[k][np.maximum(problem.block_index, 0)], 0.0)
        moved = np.asarray(problem.activation_mwh_per_mw)[:, :, k] * mw
        out, into = (out + moved, into) if one.direction == "low" else (out, into + moved)
    return out, into


def violations(problem: StochasticProblem, found: TwoStageSolution) -> list[Violation]:
    """All scenarios in the battery's physics; activation and energy from outside enter as stored energy."""
    battery, hours = problem.battery, problem.energy.durations
    slack = {"from_outside_in_mwh": 0.0, "from_outside_out_mwh": 0.0} | found.slack_mwh
    out, into = delivered_mwh(problem, problem.split_plan(found.plan)[1])
    beside = battery.charge_efficiency * into - out / battery.discharge_efficiency
    return check(
        battery,
        problem.opening,
        found.of("charge_mwh") / hours,
        found.of("discharge_mwh") / hours,
        found.of("energy_mwh"),
        hours,
        TOLERANCE,
        unserved_mwh=beside + slack["from_outside_in_mwh"] - slack["from_outside_out_mwh"],
    )


def promises_broken(problem: StochasticProblem, found: TwoStageSolution) -> dict[str, float]:
    """By how much each promise of the plan is broken beyond the slack stored for it, MWh, at worst."""
    battery, hours = problem.battery, problem.energy.durations
    sold, response = problem.split_plan(found.plan)
    slack = dict.fromkeys(
        ("rating_low_beyond_mwh", "rating_high_beyond_mwh", "band_low_short_mwh", "band_high_short_mwh"), 0.0
    )
    slack |= found.slack_mwh
    charge, discharge = found.of("charge_mwh"), found.of("discharge_mwh")
    planned = np.where(problem.product_index >= 0, np.append(sold, 0.0)[problem.product_index] * hours, 0.0)
    apart = np.where(problem.product_index >= 0, discharge - charge - planned, 0.0)
    limit = np.asarray(problem.imbalance_limit_mw) * hours
    low, high = np.zeros((2, problem.periods))
    needs = np.zeros((2, problem.scenarios, problem.periods))
    for k, one in enumerate(problem.responses):
        mw = np.where(problem.block_index >= 0, response[k][np.maximum(problem.block_index, 0)], 0.0)
        share = (1.0, one.recovery_share) if one.direction == "low" else (one.recovery_share, 1.0)
        low, high = low + share[0] * mw * hours, high + share[1] * mw * hours
        needs[int(one.direction == "high")] += np.asarray(problem.required_mwh_per_mw)[:, :, k] * mw
    room = float(problem.baseline_adds_headroom)
    before = np.column_stack([problem.opening, found.of("energy_mwh")[:, :-1]])
    rating = battery.power_mw * hours
    return {
        "long": float((apart - limit - slack["long_beyond_mwh"]).max()),
        "short": float((-apart - limit - slack["short_beyond_mwh"]).max()),
        "low rating": float((discharge - room * charge + low - rating - slack["rating_low_beyond_mwh"]).max()),
        "high rating": float((charge - room * discharge + high - rating - slack["rating_high_beyond_mwh"]).max()),
        "energy to discharge": float(
            (
                needs[0] / battery.discharge_efficiency
                - (before - battery.energy_min_mwh)
                - slack["band_low_short_mwh"]
            ).max()
        ),
        "room to charge": float(
            (
                battery.charge_efficiency * needs[1] - (battery.energy_max_mwh - before) - slack["band_high_short_mwh"]
            ).max()
        ),
    }
