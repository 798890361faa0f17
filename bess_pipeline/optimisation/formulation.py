"""The energy-only problem of one price path as a readable Pyomo model, one function per constraint.

What belongs here: variables, constraints and objective, and the numbers that fill their bounds, costs
and right-hand sides. What does not: arrays for the solver (`compilation.py`) and the exclusion of
simultaneous charge and discharge (`energy.py`). The mathematics is written out in docs/optimisation.md.

Flows are energies of a period (MWh, AC side), not powers, so that durations stand in bounds and
right-hand sides only and the constraint matrix is the same for every period.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyomo.environ as pyo

from bess_pipeline.optimisation.problem import EnergyProblem, FloatArray

VARIABLES = ("charge_mwh", "discharge_mwh", "energy_mwh")


@dataclass(frozen=True)
class PathNumbers:
    """Everything that may change without a change of the matrix, by name of variable or constraint.

    lower, upper: bounds of a variable per period, MWh; cost: its cost in the minimised objective,
    GBP/MWh; right_hand_side: of a constraint per period (or per day for the cycle limit).
    """

    lower: Mapping[str, FloatArray]
    upper: Mapping[str, FloatArray]
    cost: Mapping[str, FloatArray]
    right_hand_side: Mapping[str, FloatArray]


def path_numbers(problem: EnergyProblem) -> PathNumbers:
    """Bounds, costs and right-hand sides of a problem."""
    battery, zeros = problem.battery, np.zeros(problem.periods)
    wear = battery.degradation_cost_gbp_per_mwh
    energy_low, energy_high, energy_cost = zeros + battery.energy_min_mwh, zeros + battery.energy_max_mwh, zeros.copy()
    energy_low[-1], energy_high[-1] = problem.closing.bounds_mwh(battery)
    energy_cost[-1] = -problem.closing.terminal_value_gbp_mwh
    opening = zeros.copy()
    opening[0] = min(max(problem.opening_energy_mwh, battery.energy_min_mwh), battery.energy_max_mwh)
    right_hand_side = {"energy_balance": opening, "shared_power": problem.discharge_limit_mwh}
    if problem.cycle_limit_mwh is not None:
        right_hand_side["cycle_limit"] = np.full(int(problem.cycle_groups.max()) + 1, problem.cycle_limit_mwh)
    return PathNumbers(
        lower={"charge_mwh": zeros, "discharge_mwh": zeros, "energy_mwh": energy_low},
        upper={
            "charge_mwh": problem.charge_limit_mwh,
            "discharge_mwh": problem.discharge_limit_mwh,
            "energy_mwh": energy_high,
        },
        cost={"charge_mwh": problem.prices + wear, "discharge_mwh": wear - problem.prices, "energy_mwh": energy_cost},
        right_hand_side=right_hand_side,
    )


def build_model(problem: EnergyProblem) -> pyo.ConcreteModel:
    """The whole linear problem: minimise the cost of trading and wear over one price path."""
    numbers = path_numbers(problem)
    model = pyo.ConcreteModel()
    model.PERIODS = pyo.RangeSet(0, problem.periods - 1)
    model.DAYS = pyo.RangeSet(0, int(problem.cycle_groups.max()))
    add_variables(model, numbers)
    add_energy_balance(model, problem, numbers)
    add_shared_power(model, problem, numbers)
    if problem.cycle_limit_mwh is not None:
        add_cycle_limit(model, problem, numbers)
    add_cost(model, numbers)
    return model


def add_variables(model: pyo.ConcreteModel, numbers: PathNumbers) -> None:
    """Energy charged and discharged in each period and stored at its end, within their bounds.

    Power ratings bound the flows; the state-of-charge window, and at the end the closing state, bound the store.
    """
    for name in VARIABLES:
        lower, upper = numbers.lower[name].tolist(), numbers.upper[name].tolist()
        bounds = {t: (lower[t], upper[t]) for t in model.PERIODS}
        model.add_component(name, pyo.Var(model.PERIODS, bounds=bounds))


def add_energy_balance(model: pyo.ConcreteModel, problem: EnergyProblem, numbers: PathNumbers) -> None:
    """Stored energy = stored before + efficiency x charged - discharged / efficiency (opening state first)."""
    battery = problem.battery

    def balance(m: pyo.ConcreteModel, t: int) -> object:
        stored_before = m.energy_mwh[t - 1] if t > 0 else 0.0
        inflow = battery.charge_efficiency * m.charge_mwh[t] - m.discharge_mwh[t] / battery.discharge_efficiency
        return m.energy_mwh[t] - stored_before - inflow == float(numbers.right_hand_side["energy_balance"][t])

    model.energy_balance = pyo.Constraint(model.PERIODS, rule=balance)


def add_shared_power(model: pyo.ConcreteModel, problem: EnergyProblem, numbers: PathNumbers) -> None:
    """charged / charge limit + discharged / discharge limit <= 1, multiplied by the discharge limit.

    The convex hull of "one direction at a time": it tightens the relaxation and cuts off no exclusive schedule.
    """
    share = float(problem.discharge_limit_mwh[0] / problem.charge_limit_mwh[0])

    def shared(m: pyo.ConcreteModel, t: int) -> object:
        return share * m.charge_mwh[t] + m.discharge_mwh[t] <= float(numbers.right_hand_side["shared_power"][t])

    model.shared_power = pyo.Constraint(model.PERIODS, rule=shared)


def add_cycle_limit(model: pyo.ConcreteModel, problem: EnergyProblem, numbers: PathNumbers) -> None:
    """Energy discharged in a day <= cycles a day x usable energy."""
    members: dict[int, list[int]] = {}
    for period, day in enumerate(problem.cycle_groups.tolist()):
        members.setdefault(day, []).append(period)

    def limit(m: pyo.ConcreteModel, day: int) -> object:
        return sum(m.discharge_mwh[t] for t in members[day]) <= float(numbers.right_hand_side["cycle_limit"][day])

    model.cycle_limit = pyo.Constraint(model.DAYS, rule=limit)


def add_cost(model: pyo.ConcreteModel, numbers: PathNumbers) -> None:
    """Minimise energy bought - energy sold + wear per MWh of throughput - value of the closing energy."""
    model.cost = pyo.Objective(
        expr=pyo.quicksum(
            cost * model.component(name)[t] for name in VARIABLES for t, cost in enumerate(numbers.cost[name].tolist())
        ),
        sense=pyo.minimize,
    )
