"""The numbers of a problem by name of variable and constraint: bounds, costs, right-hand sides, coefficients.

What belongs here: everything of an `EnergyProblem` that a live solver may change without a new matrix
(`PathNumbers`), and the few coefficients that differ between periods. What does not: which variable stands in
which constraint (`formulation.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bess_pipeline.optimisation.problem import EnergyProblem, FloatArray

FLOWS = ("charge_mwh", "discharge_mwh", "energy_mwh")
FILLED, DRAWN, SEGMENT = "filled_mwh_", "drawn_mwh_", "segment_mwh_"  # of a depth segment, DC side; + its number


@dataclass(frozen=True)
class PathNumbers:
    """Everything that may change without a change of the matrix, by name of variable or constraint.

    lower, upper: bounds of a variable per period, MWh; cost: its cost in the minimised objective,
    GBP/MWh; right_hand_side: of a constraint per period (per day for daily limits, one for the warranty budget).
    """

    lower: Mapping[str, FloatArray]
    upper: Mapping[str, FloatArray]
    cost: Mapping[str, FloatArray]
    right_hand_side: Mapping[str, FloatArray]


def variable_names(problem: EnergyProblem) -> tuple[str, ...]:
    """Names of the variables, one value per period each, in the order of the columns."""
    segments = range(len(problem.battery.cycle_depth_cost_gbp_per_mwh))
    return FLOWS + tuple(f"{kind}{j}" for j in segments for kind in (FILLED, DRAWN, SEGMENT))


def path_coefficients(problem: EnergyProblem) -> dict[str, FloatArray]:
    """Coefficients that differ between periods, by name, one value per period; a name is absent where it is 1.

    kept_share: what self-discharge leaves of a MWh; charge_share: discharge limit over charge limit (1 where one of
    them is 0); hours_ratio: hours of the period over those of the one before (with a ramp limit).
    """
    charge, discharge, hours = problem.charge_limit_mwh, problem.discharge_limit_mwh, problem.durations
    both = (charge > 0) & (discharge > 0)
    share = np.ones(problem.periods)
    np.divide(discharge, charge, out=share, where=both)
    coefficients = {"charge_share": share}
    if problem.battery.self_discharge_per_hour > 0:
        coefficients["kept_share"] = problem.kept_share
    if problem.battery.ramp_limit_mw_per_hour is not None:
        coefficients["hours_ratio"] = np.concatenate([[1.0], hours[1:] / hours[:-1]])
    return coefficients


def path_numbers(problem: EnergyProblem) -> PathNumbers:
    """Bounds, costs and right-hand sides of a problem."""
    battery, zeros = problem.battery, np.zeros(problem.periods)
    energy_low, energy_high = zeros + battery.energy_min_mwh, zeros + battery.energy_max_mwh
    energy_low[-1], energy_high[-1] = problem.closing.bounds_mwh(battery)
    lower = {"charge_mwh": zeros, "discharge_mwh": zeros, "energy_mwh": energy_low}
    upper = {
        "charge_mwh": problem.charge_limit_mwh,
        "discharge_mwh": problem.discharge_limit_mwh,
        "energy_mwh": energy_high,
    }
    for j in range(len(battery.cycle_depth_cost_gbp_per_mwh)):
        lower |= {f"{FILLED}{j}": zeros, f"{DRAWN}{j}": zeros, f"{SEGMENT}{j}": zeros}
        upper |= {
            f"{FILLED}{j}": battery.charge_efficiency * problem.charge_limit_mwh,
            f"{DRAWN}{j}": problem.discharge_limit_mwh / battery.discharge_efficiency + problem.drawn_by_standby_mwh,
            f"{SEGMENT}{j}": zeros + problem.segment_mwh,
        }
    return PathNumbers(lower, upper, path_costs(problem, problem.prices), _right_hand_sides(problem))


def path_costs(problem: EnergyProblem, price_gbp_mwh: FloatArray) -> dict[str, FloatArray]:
    """Cost of each variable in the minimised objective at these prices, GBP/MWh."""
    battery, zeros = problem.battery, np.zeros(problem.periods)
    wear = battery.degradation_cost_gbp_per_mwh
    energy_cost = zeros.copy()
    energy_cost[-1] = -problem.closing.terminal_value_gbp_mwh
    cost = {"charge_mwh": price_gbp_mwh + wear, "discharge_mwh": wear - price_gbp_mwh, "energy_mwh": energy_cost}
    for j, depth_cost in enumerate(battery.cycle_depth_cost_gbp_per_mwh):
        drawn = zeros + depth_cost * battery.discharge_efficiency
        cost |= {f"{FILLED}{j}": zeros, f"{DRAWN}{j}": drawn, f"{SEGMENT}{j}": zeros}
    return cost


def _right_hand_sides(problem: EnergyProblem) -> dict[str, FloatArray]:
    battery, days = problem.battery, int(problem.cycle_groups.max()) + 1
    balance = -problem.auxiliary_mwh
    balance[0] += problem.kept_share[0] * problem.opening_mwh
    right = {
        "energy_balance": balance,
        "shared_power": np.maximum(
            problem.discharge_limit_mwh, np.where(problem.discharge_limit_mwh > 0, 0.0, problem.charge_limit_mwh)
        ),
    }
    if battery.ramp_limit_mw_per_hour is not None:
        right |= _ramp_limits(problem)
    for name, limit in (
        ("cycle_limit", problem.cycle_limit_mwh),
        ("throughput_limit", battery.max_throughput_mwh_per_day),
    ):
        if limit is not None:
            right[name] = np.full(days, limit)
    if problem.warranty_mwh is not None:
        right["warranty_budget"] = np.array([problem.warranty_mwh])
    if battery.cycle_depth_cost_gbp_per_mwh:
        right |= {"segments_in": np.zeros(problem.periods), "segments_out": problem.drawn_by_standby_mwh}
        for j, opening in enumerate(problem.opening_segments.tolist()):
            right[f"segment_balance_{j}"] = np.zeros(problem.periods)
            right[f"segment_balance_{j}"][0] = problem.kept_share[0] * opening
    return right


def _ramp_limits(problem: EnergyProblem) -> dict[str, FloatArray]:
    """Most that net export may rise and fall into each period, MWh; beyond any flow where the limit does not apply."""
    allowed = ramp_limit_mw(problem) * problem.durations
    opening = (problem.opening_export_mw or 0.0) * problem.durations[0]
    first = np.concatenate([[opening], np.zeros(problem.periods - 1)])
    ratio = path_coefficients(problem)["hours_ratio"]
    anything = problem.charge_limit_mwh + problem.discharge_limit_mwh
    anything[1:] += ratio[1:] * (problem.charge_limit_mwh + problem.discharge_limit_mwh)[:-1]
    free = ~np.isfinite(allowed)
    return {
        "ramp_up": np.where(free, anything, allowed + first),
        "ramp_down": np.where(free, anything, allowed - first),
    }


def ramp_limit_mw(problem: EnergyProblem) -> FloatArray:
    """Largest change of net export into each period, MW; infinite where none applies.

    The limit is per hour between the starts of both periods. It does not apply to the first period when the export
    before it is unknown, nor to getting into a period without any availability: that is a disconnection.
    """
    limit = problem.battery.ramp_limit_mw_per_hour
    if limit is None:
        return np.full(problem.periods, np.inf)
    between = np.concatenate([problem.durations[:1], problem.durations[:-1]])
    disconnected = (problem.charge_limit_mwh <= 0) & (problem.discharge_limit_mwh <= 0)
    unknown = np.arange(problem.periods) < int(problem.opening_export_mw is None)
    return np.where(disconnected | unknown, np.inf, limit * between)
