"""The energy-only problem of one price path as a readable Pyomo model, one function per constraint.

What belongs here: variables, constraints and objective. What does not: the numbers that fill their bounds,
costs and right-hand sides (`path_numbers.py`), arrays for the solver (`compilation.py`) and the exclusion of
simultaneous charge and discharge (`energy.py`). The mathematics is written out in docs/optimisation.md.

Flows are energies of a period (MWh, AC side), not powers, so that durations stand in bounds and right-hand
sides. The few coefficients that differ between periods have names (`path_coefficients`). What else moves energy
through the same battery (delivery of response, in `stochastic/formulation.py`) comes in as a `Delivery`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import pyomo.environ as pyo

from bess_pipeline.optimisation.path_numbers import (
    DRAWN,
    FILLED,
    SEGMENT,
    PathNumbers,
    path_coefficients,
    path_numbers,
    variable_names,
)
from bess_pipeline.optimisation.problem import EnergyProblem, FloatArray

Coefficients = Mapping[str, FloatArray]


class Delivery(Protocol):
    """Energy that moves through the battery beside its own trade; each is an expression of period t, MWh.

    filled, drawn: into and out of the store (DC side); charged, discharged: AC side, counts towards the daily limits
    and the budget; beyond: what may exceed one of those ("cycle_limit", "throughput_limit", "warranty_budget").
    """

    def filled(self, m: pyo.ConcreteModel, t: int) -> Any: ...
    def drawn(self, m: pyo.ConcreteModel, t: int) -> Any: ...
    def charged(self, m: pyo.ConcreteModel, t: int) -> Any: ...
    def discharged(self, m: pyo.ConcreteModel, t: int) -> Any: ...
    def beyond(self, m: pyo.ConcreteModel, t: int, budget: str) -> Any: ...


class NoDelivery:
    """Nothing but its own trade moves energy through the battery."""

    def filled(self, m: pyo.ConcreteModel, t: int) -> Any:
        return 0.0

    drawn = charged = discharged = filled

    def beyond(self, m: pyo.ConcreteModel, t: int, budget: str) -> Any:
        return 0.0


def build_model(problem: EnergyProblem, coefficients: Coefficients | None = None) -> pyo.ConcreteModel:
    """The whole linear problem: minimise the cost of trading and wear over one price path.

    coefficients: in place of those of the problem (the compiler finds by it where each of them stands).
    """
    numbers = path_numbers(problem)
    coefficients = path_coefficients(problem) if coefficients is None else coefficients
    model = pyo.ConcreteModel()
    add_sets(model, problem)
    add_variables(model, problem, numbers)
    add_battery(model, problem, numbers, coefficients, NoDelivery())
    add_cost(model, problem, numbers)
    return model


def add_sets(model: pyo.ConcreteModel, problem: EnergyProblem) -> None:
    """What constraints repeat over: periods, days of the daily limits, the horizon as a whole."""
    model.PERIODS = pyo.RangeSet(0, problem.periods - 1)
    model.DAYS = pyo.RangeSet(0, int(problem.cycle_groups.max()))
    model.HORIZON = pyo.RangeSet(0, 0)


def add_battery(
    model: pyo.ConcreteModel,
    problem: EnergyProblem,
    numbers: PathNumbers,
    coefficients: Coefficients,
    delivery: Delivery,
) -> None:
    """Every constraint of the battery itself that its data ask for."""
    battery = problem.battery
    add_energy_balance(model, problem, numbers, coefficients, delivery)
    add_shared_power(model, numbers, coefficients)
    if battery.ramp_limit_mw_per_hour is not None:
        add_ramp_limit(model, numbers, coefficients)
    if battery.max_cycles_per_day is not None:
        add_cycle_limit(model, problem, numbers, delivery)
    if battery.max_throughput_mwh_per_day is not None:
        add_throughput_limit(model, problem, numbers, delivery)
    if battery.warranty_cycles is not None:
        add_warranty_budget(model, numbers, delivery)
    if battery.cycle_depth_cost_gbp_per_mwh:
        add_depth_segments(model, problem, numbers, coefficients, delivery)


def add_variables(model: pyo.ConcreteModel, problem: EnergyProblem, numbers: PathNumbers) -> None:
    """Energy charged and discharged in each period and stored at its end, within their bounds.

    Rating, availability and the limits of the grid connection bound the flows; the state-of-charge window, and at the
    end the closing state, bound the store. Depth segments have the same three, on the DC side.
    """
    for name in variable_names(problem):
        lower, upper = numbers.lower[name].tolist(), numbers.upper[name].tolist()
        bounds = {t: (lower[t], upper[t]) for t in model.PERIODS}
        model.add_component(name, pyo.Var(model.PERIODS, bounds=bounds))


def add_energy_balance(
    model: pyo.ConcreteModel,
    problem: EnergyProblem,
    numbers: PathNumbers,
    coefficients: Coefficients,
    delivery: Delivery,
) -> None:
    """Stored = what self-discharge left + efficiency x charged - discharged / efficiency - standby load.

    The standby load, and in the first period the opening state, are the right-hand side.
    """
    battery, kept = problem.battery, coefficients.get("kept_share")

    def balance(m: pyo.ConcreteModel, t: int) -> object:
        left = _left_of(m.energy_mwh, t, kept)
        inflow = battery.charge_efficiency * m.charge_mwh[t] - m.discharge_mwh[t] / battery.discharge_efficiency
        inflow += delivery.filled(m, t) - delivery.drawn(m, t)
        return m.energy_mwh[t] - left - inflow == float(numbers.right_hand_side["energy_balance"][t])

    model.energy_balance = pyo.Constraint(model.PERIODS, rule=balance)


def add_shared_power(model: pyo.ConcreteModel, numbers: PathNumbers, coefficients: Coefficients) -> None:
    """charged / charge limit + discharged / discharge limit <= 1, multiplied by the discharge limit.

    The convex hull of "one direction at a time": it tightens the relaxation and cuts off no exclusive schedule.
    """
    share = coefficients["charge_share"]

    def shared(m: pyo.ConcreteModel, t: int) -> object:
        limit = float(numbers.right_hand_side["shared_power"][t])
        return float(share[t]) * m.charge_mwh[t] + m.discharge_mwh[t] <= limit

    model.shared_power = pyo.Constraint(model.PERIODS, rule=shared)


def add_ramp_limit(model: pyo.ConcreteModel, numbers: PathNumbers, coefficients: Coefficients) -> None:
    """|export power - export power of the period before| <= ramp limit, multiplied by the hours of the period.

    A period without any availability is a disconnection, and getting there is no ramp.
    """
    ratio = coefficients.get("hours_ratio")

    def change(m: pyo.ConcreteModel, t: int) -> Any:
        before: Any = 0.0
        if t > 0:
            before = (1.0 if ratio is None else float(ratio[t])) * (m.discharge_mwh[t - 1] - m.charge_mwh[t - 1])
        return m.discharge_mwh[t] - m.charge_mwh[t] - before

    def up(m: pyo.ConcreteModel, t: int) -> object:
        return change(m, t) <= float(numbers.right_hand_side["ramp_up"][t])

    def down(m: pyo.ConcreteModel, t: int) -> object:
        return -1.0 * change(m, t) <= float(numbers.right_hand_side["ramp_down"][t])

    model.ramp_up = pyo.Constraint(model.PERIODS, rule=up)
    model.ramp_down = pyo.Constraint(model.PERIODS, rule=down)


def add_cycle_limit(model: pyo.ConcreteModel, problem: EnergyProblem, numbers: PathNumbers, delivery: Delivery) -> None:
    """Energy discharged in a day <= cycles a day x usable energy."""
    members = _periods_by_day(problem)

    def limit(m: pyo.ConcreteModel, day: int) -> object:
        total = sum(
            m.discharge_mwh[t] + delivery.discharged(m, t) - delivery.beyond(m, t, "cycle_limit") for t in members[day]
        )
        return total <= float(numbers.right_hand_side["cycle_limit"][day])

    model.cycle_limit = pyo.Constraint(model.DAYS, rule=limit)


def add_throughput_limit(
    model: pyo.ConcreteModel, problem: EnergyProblem, numbers: PathNumbers, delivery: Delivery
) -> None:
    """Energy charged and discharged in a day <= the daily throughput."""
    members = _periods_by_day(problem)

    def limit(m: pyo.ConcreteModel, day: int) -> object:
        beside = sum(
            delivery.charged(m, t) + delivery.discharged(m, t) - delivery.beyond(m, t, "throughput_limit")
            for t in members[day]
        )
        flow = sum(m.charge_mwh[t] + m.discharge_mwh[t] for t in members[day]) + beside
        return flow <= float(numbers.right_hand_side["throughput_limit"][day])

    model.throughput_limit = pyo.Constraint(model.DAYS, rule=limit)


def add_warranty_budget(model: pyo.ConcreteModel, numbers: PathNumbers, delivery: Delivery) -> None:
    """Energy discharged in the whole horizon <= warranted cycles x usable energy; its dual is the budget's price."""

    def budget(m: pyo.ConcreteModel, horizon: int) -> object:
        total = sum(
            m.discharge_mwh[t] + delivery.discharged(m, t) - delivery.beyond(m, t, "warranty_budget") for t in m.PERIODS
        )
        return total <= float(numbers.right_hand_side["warranty_budget"][horizon])

    model.warranty_budget = pyo.Constraint(model.HORIZON, rule=budget)


def add_depth_segments(
    model: pyo.ConcreteModel,
    problem: EnergyProblem,
    numbers: PathNumbers,
    coefficients: Coefficients,
    delivery: Delivery,
) -> None:
    """Each depth segment keeps a balance of its own; together they take in what is charged and give what is drawn.

    What is drawn costs by its segment (Xu et al. 2018, domain reference 7.2), so shallow segments empty first.
    """
    battery, kept = problem.battery, coefficients.get("kept_share")
    segments = range(len(battery.cycle_depth_cost_gbp_per_mwh))

    def filled(m: pyo.ConcreteModel, t: int) -> object:
        total = sum(m.component(f"{FILLED}{j}")[t] for j in segments) - delivery.filled(m, t)
        return total - battery.charge_efficiency * m.charge_mwh[t] == float(numbers.right_hand_side["segments_in"][t])

    def drawn(m: pyo.ConcreteModel, t: int) -> object:
        total = sum(m.component(f"{DRAWN}{j}")[t] for j in segments) - delivery.drawn(m, t)
        sold = m.discharge_mwh[t] / battery.discharge_efficiency
        return total - sold == float(numbers.right_hand_side["segments_out"][t])

    model.segments_in = pyo.Constraint(model.PERIODS, rule=filled)
    model.segments_out = pyo.Constraint(model.PERIODS, rule=drawn)
    for j in segments:
        _add_segment_balance(model, j, kept, numbers.right_hand_side[f"segment_balance_{j}"])


def _add_segment_balance(model: pyo.ConcreteModel, j: int, kept: FloatArray | None, right: FloatArray) -> None:
    stored = model.component(f"{SEGMENT}{j}")
    filled, drawn = model.component(f"{FILLED}{j}"), model.component(f"{DRAWN}{j}")

    def balance(m: pyo.ConcreteModel, t: int) -> object:
        return stored[t] - _left_of(stored, t, kept) - filled[t] + drawn[t] == float(right[t])

    model.add_component(f"segment_balance_{j}", pyo.Constraint(model.PERIODS, rule=balance))


def add_cost(model: pyo.ConcreteModel, problem: EnergyProblem, numbers: PathNumbers) -> None:
    """Minimise energy bought - energy sold + wear per MWh of throughput + depth cost - value of the closing energy."""
    model.cost = pyo.Objective(
        expr=pyo.quicksum(
            cost * model.component(name)[t]
            for name in variable_names(problem)
            for t, cost in enumerate(numbers.cost[name].tolist())
        ),
        sense=pyo.minimize,
    )


def _left_of(stored: pyo.Var, t: int, kept: FloatArray | None) -> object:
    """What is left at the end of period t of the energy stored before it (the opening energy is a right-hand side)."""
    if t == 0:
        return 0.0
    return stored[t - 1] if kept is None else float(kept[t]) * stored[t - 1]


def _periods_by_day(problem: EnergyProblem) -> dict[int, list[int]]:
    members: dict[int, list[int]] = {}
    for period, day in enumerate(problem.cycle_groups.tolist()):
        members.setdefault(day, []).append(period)
    return members
