"""The numbers of a scenario problem by name of variable and constraint, for all scenarios at once.

What belongs here: bounds, costs (of the horizon and of the committed day), right-hand sides, and the coefficients that
differ between periods or scenarios. What does not: which variable stands in which constraint (`formulation.py`).

Costs follow from settlement (domain reference 6): plan x day-ahead price + (dispatch - plan) x system price. So the
charge and discharge of a period cost at its system price, and a MW of the plan earns the difference of both prices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from bess_pipeline.optimisation.path_numbers import DRAWN, FILLED, PathNumbers, path_costs, path_numbers
from bess_pipeline.optimisation.problem import FloatArray
from bess_pipeline.optimisation.stochastic.problem import StochasticProblem

DAY_AHEAD, RESPONSE, IMBALANCE = "day_ahead_mw", "response_mw_", "imbalance_mwh"
BEYOND = ("long_beyond_mwh", "short_beyond_mwh")
RESPONSE_EXCESS = ("rating_low_beyond_mwh", "rating_high_beyond_mwh", "band_low_short_mwh", "band_high_short_mwh")
BUDGETS = {
    "cycle_limit": "cycles_beyond_mwh",
    "throughput_limit": "throughput_beyond_mwh",
    "warranty_budget": "warranty_beyond_mwh",
}
OUTSIDE = ("from_outside_in_mwh", "from_outside_out_mwh")
ELASTIC = frozenset((*BEYOND, *RESPONSE_EXCESS, *BUDGETS.values(), *OUTSIDE))


@dataclass(frozen=True)
class ScenarioNumbers:
    """By name: bounds (T,), costs of the horizon and of the committed day (N or 1, T), right-hand sides (rows,).

    plan: names of the plan's columns as seen in each period; recourse: names beside those of the battery; opening: what
    the opening energy of each scenario adds to the first right-hand side of a constraint (N,).
    """

    plan: tuple[str, ...]
    recourse: tuple[str, ...]
    lower: Mapping[str, FloatArray]
    upper: Mapping[str, FloatArray]
    cost: Mapping[str, FloatArray]
    loss: Mapping[str, FloatArray]
    right_hand_side: Mapping[str, FloatArray]
    opening: Mapping[str, FloatArray]

    def with_opening(self, battery: PathNumbers, scenario: int) -> PathNumbers:
        """The battery's numbers with the right-hand sides of one scenario's opening energy."""
        right = {name: self.row_limit(name, scenario) for name in battery.right_hand_side}
        return replace(battery, right_hand_side=right)

    def row_limit(self, name: str, scenario: int) -> FloatArray:
        """The right-hand side of a constraint in one scenario."""
        values = self.right_hand_side[name].copy()
        if name in self.opening:
            values[0] += self.opening[name][scenario]
        return values


def elastic_balance(problem: StochasticProblem) -> bool:
    """Whether energy may come from outside at a penalty: where activation or a standby load could leave no schedule."""
    battery = problem.battery
    return bool(problem.responses) or battery.auxiliary_mw > 0 or battery.self_discharge_per_hour > 0


def recourse_names(problem: StochasticProblem) -> tuple[str, ...]:
    """Columns of a scenario beside the battery's own and the plan."""
    names: tuple[str, ...] = (IMBALANCE, *BEYOND)
    if problem.responses:
        names += RESPONSE_EXCESS + tuple(BUDGETS[name] for name in BUDGETS if name in _budget_rows(problem))
    return names + (OUTSIDE if elastic_balance(problem) else ())


def plan_columns(problem: StochasticProblem) -> tuple[str, ...]:
    """Columns of the plan as seen in each period."""
    return (DAY_AHEAD, *(RESPONSE + one.code for one in problem.responses))


def scenario_coefficients(problem: StochasticProblem) -> dict[str, FloatArray]:
    """Coefficients beside the battery's own, (N or 1 repeated to N, T) each.

    plan_hours, response_hours: hours of a period in which a product, a block stands; activation_<code>,
    required_<code>: MWh per contracted MW.
    """
    count, hours = problem.scenarios, problem.energy.durations
    shape = (count, problem.periods)
    found = {"plan_hours": np.broadcast_to(np.where(problem.product_index >= 0, hours, 0.0), shape)}
    if problem.responses:
        found["response_hours"] = np.broadcast_to(np.where(problem.block_index >= 0, hours, 0.0), shape)
    within = problem.block_index >= 0
    for k, one in enumerate(problem.responses):
        found[f"activation_{one.code}"] = np.where(within, _array(problem.activation_mwh_per_mw)[:, :, k], 0.0)
        found[f"required_{one.code}"] = np.where(within, _array(problem.required_mwh_per_mw)[:, :, k], 0.0)
    return found


def scenario_numbers(problem: StochasticProblem) -> ScenarioNumbers:
    """Everything of a problem but its coefficients."""
    battery, recourse, plan = path_numbers(problem.energy), recourse_names(problem), plan_columns(problem)
    lower, upper = dict(battery.lower), dict(battery.upper)
    for name in upper:
        if problem.responses and name.startswith((FILLED, DRAWN)):
            upper[name] = np.full(problem.periods, np.inf)  # activation fills and draws beyond the baseline
    zeros = np.zeros(problem.periods)
    lower |= dict.fromkeys(recourse, zeros)
    upper |= dict.fromkeys(recourse, zeros + np.inf)
    lower[IMBALANCE], upper[IMBALANCE] = -problem.imbalance_limit_mwh, problem.imbalance_limit_mwh
    for name in plan:
        lower[name], upper[name] = zeros - np.inf, zeros + np.inf  # the plan's own bounds are data of the first stage
    right = dict(battery.right_hand_side)
    right["imbalance"] = zeros
    if problem.responses:
        right |= _response_right_hand_sides(problem)
    cost = _costs(problem, recourse)
    return ScenarioNumbers(plan, recourse, lower, upper, cost, _losses(problem, cost), right, _opening(problem))


def _costs(problem: StochasticProblem, recourse: tuple[str, ...]) -> dict[str, FloatArray]:
    energy, sold = problem.energy, problem.product_index >= 0
    day_ahead, system = problem.day_ahead_price_gbp_mwh, problem.system_price_gbp_mwh
    at_price = path_costs(energy, np.zeros(problem.periods))
    cost = {name: values[None] for name, values in at_price.items()}
    dispatch_price = np.where(sold, system, day_ahead)
    cost["charge_mwh"] = cost["charge_mwh"] + dispatch_price
    cost["discharge_mwh"] = cost["discharge_mwh"] - dispatch_price
    cost[DAY_AHEAD] = np.where(sold, -energy.durations * (day_ahead - system), 0.0)
    for k, one in enumerate(problem.responses):
        cost[RESPONSE + one.code] = _response_cost(problem, k)
    for name in recourse:
        cost[name] = np.full((1, problem.periods), problem.penalty if name in ELASTIC else 0.0)
    return cost


def _response_cost(problem: StochasticProblem, k: int) -> FloatArray:
    """Cost of a contracted MW in each period, (N, T): wear of its activation - payment (- sale of what it delivers)."""
    block, one = problem.block_index, problem.responses[k]
    within = block >= 0
    price = _array(problem.response_price_gbp_mw_h)[:, k, :][:, np.maximum(block, 0)]
    activation = _array(problem.activation_mwh_per_mw)[:, :, k]
    cost = problem.battery.degradation_cost_gbp_per_mwh * activation - price * problem.energy.durations
    if not problem.absvd_applies:
        sign = 1.0 if one.direction == "low" else -1.0
        cost = cost - sign * problem.system_price_gbp_mwh * activation
    return np.asarray(np.where(within, cost, 0.0))


def _losses(problem: StochasticProblem, cost: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """The costs of the committed day, its closing energy valued as that of the horizon is."""
    within = np.arange(problem.periods) < problem.committed_periods
    loss = {name: np.where(within, values, 0.0) for name, values in cost.items()}
    loss["energy_mwh"] = np.zeros((1, problem.periods))
    loss["energy_mwh"][0, problem.committed_periods - 1] = -problem.closing.terminal_value_gbp_mwh
    return loss


def _response_right_hand_sides(problem: StochasticProblem) -> dict[str, FloatArray]:
    energy, battery = problem.energy, problem.battery
    low, high = np.full(problem.periods, -battery.energy_min_mwh), np.full(problem.periods, battery.energy_max_mwh)
    low[0] += energy.opening_mwh
    high[0] -= energy.opening_mwh
    return {
        "rating_low": energy.discharge_limit_mwh,
        "rating_high": energy.charge_limit_mwh,
        "band_low": low,
        "band_high": high,
    }


def _opening(problem: StochasticProblem) -> dict[str, FloatArray]:
    energy, kept = problem.energy, float(problem.energy.kept_share[0])
    change = problem.opening - energy.opening_mwh
    shift = {"energy_balance": kept * change}
    if problem.responses:
        shift |= {"band_low": change, "band_high": -change}
    segments = len(problem.battery.cycle_depth_cost_gbp_per_mwh)
    below = energy.segment_mwh * np.arange(segments)
    filled = np.clip(problem.opening[:, None] - problem.battery.energy_min_mwh - below, 0.0, energy.segment_mwh)
    for j in range(segments):
        shift[f"segment_balance_{j}"] = kept * (filled[:, j] - energy.opening_segments[j])
    return shift


def _budget_rows(problem: StochasticProblem) -> set[str]:
    battery = problem.battery
    limits = {
        "cycle_limit": battery.max_cycles_per_day,
        "throughput_limit": battery.max_throughput_mwh_per_day,
        "warranty_budget": battery.warranty_cycles,
    }
    return {name for name, limit in limits.items() if limit is not None}


def _array(values: object) -> FloatArray:
    return np.asarray(values, dtype=float)
