"""What is expected of prices, and what stored energy is worth under a given plan: a dynamic programme over states.

What belongs here: the forecast of the policy, the value of each state at each period, and the best dispatch for both.
What does not: scenarios the plan has not seen (`policy.py`) and the optimum that knows its path (`solve.py`).

    V_t(s) = sum_k w_k  max over dispatch of  [ cash at expected price k + V_{t+1}(state after) ]  -  penalty x short

Expected prices k of a period are what the policy would expect in the scenarios of the plan, in groups; those of
different periods are taken as independent, and activation at its mean. Broken promises cost the problem's penalty.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bess_pipeline.optimisation.problem import EnergyProblem, FloatArray
from bess_pipeline.optimisation.stochastic.problem import StochasticProblem
from bess_pipeline.optimisation.stochastic.programme import compile_programme
from bess_pipeline.optimisation.stochastic.result import TwoStageSolution

STATES, DISPATCHES, PRICES = 101, 33, 15
Flows = tuple[FloatArray, FloatArray]


@dataclass(frozen=True)
class Forecast:
    """Expected system price: day-ahead price + mean spread (T,) of the period + persistence^lag x the last known
    deviation from it. Where no day-ahead product is sold, dispatch is sold at the day-ahead price, known."""

    spread_gbp_mwh: FloatArray
    persistence: float
    lag_periods: int

    @classmethod
    def learned(cls, problem: StochasticProblem, lag_periods: int) -> Forecast:
        """Mean and first autocorrelation of the spread in the scenarios, weighted."""
        weight = problem.probability
        apart = problem.system_price_gbp_mwh - problem.day_ahead_price_gbp_mwh
        mean = weight @ apart
        rest = apart - mean
        before = float(weight @ (rest[:, :-1] ** 2).sum(axis=1))
        shared = float(weight @ (rest[:, 1:] * rest[:, :-1]).sum(axis=1))
        persistence = float(np.clip(shared / before, 0.0, 1.0)) if before > 1e-12 else 0.0
        return cls(mean, persistence, lag_periods)

    def expected_price(self, problem: StochasticProblem) -> FloatArray:
        """(N, T), each period's from prices at least `lag_periods` before it."""
        expected = problem.day_ahead_price_gbp_mwh + self.spread_gbp_mwh
        rest, lag = problem.system_price_gbp_mwh - expected, self.lag_periods
        expected = expected.copy()
        expected[:, lag:] += self.persistence**lag * rest[:, : rest.shape[1] - lag]
        return np.where(problem.product_index >= 0, expected, problem.day_ahead_price_gbp_mwh)


@dataclass(frozen=True)
class Promises:
    """A plan by period: planned_mwh (T,), rating taken by low and high response (T,), MWh; energy that activation
    exports and imports (N, T), AC; stored energy that low and high contracts need at the start (N, T)."""

    planned_mwh: FloatArray
    low_mwh: FloatArray
    high_mwh: FloatArray
    exported_mwh: FloatArray
    imported_mwh: FloatArray
    needed_low_mwh: FloatArray
    needed_high_mwh: FloatArray


def promises_of(problem: StochasticProblem, plan: FloatArray) -> Promises:
    """The promises of a plan in the scenarios of a problem."""
    sold, response = problem.split_plan(plan)
    hours, battery, shape = problem.energy.durations, problem.battery, (problem.scenarios, problem.periods)
    rating = {"low": np.zeros(problem.periods), "high": np.zeros(problem.periods)}
    moved = {"low": np.zeros(shape), "high": np.zeros(shape)}
    needed = {"low": np.zeros(shape), "high": np.zeros(shape)}
    for k, one in enumerate(problem.responses):
        mw = np.append(response[k], 0.0)[problem.block_index]  # block -1, none, sees the 0
        other = "high" if one.direction == "low" else "low"
        rating[one.direction] += mw * hours
        rating[other] += one.recovery_share * mw * hours
        moved[one.direction] += np.asarray(problem.activation_mwh_per_mw)[:, :, k] * mw
        needed[one.direction] += np.asarray(problem.required_mwh_per_mw)[:, :, k] * mw
    return Promises(
        np.append(sold, 0.0)[problem.product_index] * hours,
        rating["low"],
        rating["high"],
        moved["low"],
        moved["high"],
        needed["low"] / battery.discharge_efficiency,
        needed["high"] * battery.charge_efficiency,
    )


def carried_out(energy: EnergyProblem, t: int, state: FloatArray, flows: Flows, moved: Flows) -> tuple[FloatArray, ...]:
    """Charge, discharge and the state they and the activation moved (exported, imported) lead to.

    Flows give way where the state would leave its limits; what activation alone takes beyond them is cut.
    """
    battery, (charge, discharge), (exported, imported) = energy.battery, flows, moved
    into, out = battery.charge_efficiency, 1.0 / battery.discharge_efficiency
    rest = energy.kept_share[t] * state - energy.auxiliary_mwh[t] + into * imported - out * exported
    low, high = battery.energy_min_mwh, battery.energy_max_mwh
    charge = np.clip(charge, 0.0, np.maximum((high - rest + out * discharge) / into, 0.0))
    discharge = np.clip(discharge, 0.0, np.maximum((rest + into * charge - low) / out, 0.0))
    return charge, discharge, np.clip(rest + into * charge - out * discharge, low, high)


@dataclass(frozen=True)
class Budget:
    """A limit of energy over some periods; worth_gbp_mwh: what the plan's duals say a MWh of it is worth."""

    member: NDArray[np.bool_]
    most_mwh: float
    counts_charge: bool
    worth_gbp_mwh: float

    def used(self, flows: Flows) -> FloatArray:
        """What flows take of it."""
        return flows[1] + flows[0] if self.counts_charge else flows[1]

    def within(self, flows: Flows, left: FloatArray) -> Flows:
        """Flows scaled down to what is left."""
        share = np.clip(np.maximum(left, 0.0) / np.maximum(self.used(flows), 1e-12), 0.0, 1.0)
        return (flows[0] * share if self.counts_charge else flows[0]), flows[1] * share


@dataclass(frozen=True)
class StateValues:
    """value (T + 1, states) of the states, GBP; dispatches of a period to choose from; the promises they are to keep,
    at their means over the scenarios of the plan."""

    problem: StochasticProblem
    promises: Promises
    budgets: tuple[Budget, ...]
    states: FloatArray
    value: FloatArray

    def choose(self, t: int, state: FloatArray, price: FloatArray) -> Flows:
        """The best charge and discharge, MWh, of each state at the price expected there, (N,) each."""
        value, flows = self._of_dispatches(t, state)
        best = np.argmax(value + price[:, None] * (flows[1] - flows[0]), axis=1)[:, None]
        return np.take_along_axis(flows[0], best, axis=1)[:, 0], np.take_along_axis(flows[1], best, axis=1)[:, 0]

    def fill(self, t: int, price: FloatArray, weight: FloatArray) -> None:
        """The value of every state at a period from that at the next, at some expected prices."""
        value, flows = self._of_dispatches(t, self.states)
        best = [(value + one * (flows[1] - flows[0])).max(axis=1) for one in price.tolist()]
        battery, promises = self.problem.battery, self.promises
        short = np.maximum(promises.needed_low_mwh[0, t] - (self.states - battery.energy_min_mwh), 0.0)
        short += np.maximum(promises.needed_high_mwh[0, t] - (battery.energy_max_mwh - self.states), 0.0)
        self.value[t] = weight @ np.array(best) - self.problem.penalty * short

    def _of_dispatches(self, t: int, state: FloatArray) -> tuple[FloatArray, Flows]:
        """Value but for the price, and flows, of every dispatch at every state, (states, dispatches)."""
        problem, promises = self.problem, self.promises
        energy, battery = problem.energy, problem.battery
        most = energy.charge_limit_mwh[t], energy.discharge_limit_mwh[t]
        planned, limit = promises.planned_mwh[t], problem.imbalance_limit_mwh[t]
        moved = (promises.exported_mwh[0, t : t + 1], promises.imported_mwh[0, t : t + 1])
        net = np.concatenate(
            [np.linspace(-most[0], most[1], DISPATCHES), [0.0, planned, planned - limit, planned + limit]]
        )
        rest = energy.kept_share[t] * state - energy.auxiliary_mwh[t]
        rest = rest + battery.charge_efficiency * moved[1] - moved[0] / battery.discharge_efficiency
        to_close = problem.closing.bounds_mwh(battery)[0] - rest
        reach = np.where(to_close > 0, -to_close / battery.charge_efficiency, -to_close * battery.discharge_efficiency)
        asked = np.clip(np.column_stack([np.broadcast_to(net, (state.size, net.size)), reach]), -most[0], most[1])
        flows = np.maximum(-asked, 0.0), np.maximum(asked, 0.0)
        charge, discharge, after = carried_out(energy, t, state[:, None], flows, moved)
        room = float(problem.baseline_adds_headroom)
        apart = np.abs(discharge - charge - planned) - limit if problem.product_index[t] >= 0 else np.zeros(1)
        broken = np.maximum(apart, 0.0)
        broken = broken + np.maximum(discharge - room * charge + promises.low_mwh[t] - most[1], 0.0)
        broken = broken + np.maximum(charge - room * discharge + promises.high_mwh[t] - most[0], 0.0)
        cost = battery.degradation_cost_gbp_per_mwh * (charge + discharge) + problem.penalty * broken
        for budget in self.budgets:
            if budget.member[t]:
                cost = cost + budget.worth_gbp_mwh * budget.used((charge, discharge))
        return np.interp(after, self.states, self.value[t + 1]) - cost, (charge, discharge)


def state_values(problem: StochasticProblem, solution: TwoStageSolution, forecast: Forecast) -> StateValues:
    """Values of a plan's states, from the scenarios that it was made from."""
    battery, periods = problem.battery, problem.periods
    states = np.linspace(battery.energy_min_mwh, battery.energy_max_mwh, STATES)
    promises = promises_of(problem.mean_scenario(), solution.plan)
    values = StateValues(problem, promises, _budgets(problem, solution), states, np.zeros((periods + 1, STATES)))
    low, high = problem.closing.bounds_mwh(battery)
    missed = np.maximum(low - states, 0.0) + np.maximum(states - high, 0.0)
    values.value[-1] = problem.closing.terminal_value_gbp_mwh * states - problem.penalty * missed
    expected = forecast.expected_price(problem)
    for t in range(periods - 1, -1, -1):
        values.fill(t, *_grouped(expected[:, t], problem.probability))
    return values


def _grouped(price: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """At most `PRICES` prices with their weights: means of neighbours."""
    order = np.argsort(price)
    middle = np.cumsum(weight[order]) - weight[order] / 2
    group = np.minimum((middle * PRICES).astype(int), PRICES - 1)
    total = np.bincount(group, weights=weight[order], minlength=PRICES)
    mean = np.bincount(group, weights=weight[order] * price[order], minlength=PRICES)
    used = total > 0
    share = np.asarray(total[used], dtype=float)
    return np.asarray(mean[used] / share), share


def _budgets(problem: StochasticProblem, solution: TwoStageSolution) -> tuple[Budget, ...]:
    rows, energy = compile_programme(problem).path.rows, problem.energy
    groups = energy.cycle_groups
    limits = {
        "cycle_limit": (energy.cycle_limit_mwh, False, groups),
        "throughput_limit": (problem.battery.max_throughput_mwh_per_day, True, groups),
        "warranty_budget": (energy.warranty_mwh, False, np.zeros_like(groups)),
    }
    found = []
    for name, (most, counts_charge, group) in limits.items():
        for k in range(int(group.max()) + 1 if most is not None else 0):
            worth = -float(solution.duals.rows[:, rows[name].start + k].sum())
            found.append(Budget(group == k, float(most or 0.0), counts_charge, max(worth, 0.0)))
    return tuple(found)
