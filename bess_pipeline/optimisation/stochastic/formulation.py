"""One scenario of the coupled problem as a readable Pyomo model: plan, imbalance, response and the battery under them.

What belongs here: variables, constraints and objective of one price path. What does not: the battery's own constraints
(`optimisation/formulation.py`, used as they are), numbers (`numbers.py`), N scenarios (`programme.py`) and solvers.

The plan stands here as it is seen in each period: `day_ahead_mw[t]` and `response_mw_<code>[t]`. Periods of one
product or block share one value; that tie is data (`programme.py`), not a constraint. Every limit that a plan could
drive a scenario against has an excess at a penalty (`ELASTIC`), so recourse exists whatever is planned.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyomo.environ as pyo

from bess_pipeline.optimisation.formulation import add_battery, add_sets, add_variables
from bess_pipeline.optimisation.path_numbers import path_coefficients, path_numbers
from bess_pipeline.optimisation.problem import FloatArray
from bess_pipeline.optimisation.stochastic.numbers import (
    BUDGETS,
    DAY_AHEAD,
    IMBALANCE,
    RESPONSE,
    ScenarioNumbers,
    elastic_balance,
    scenario_coefficients,
    scenario_numbers,
)
from bess_pipeline.optimisation.stochastic.problem import StochasticProblem

Coefficients = Mapping[str, FloatArray]


def build_scenario_model(
    problem: StochasticProblem, scenario: int = 0, coefficients: Coefficients | None = None
) -> pyo.ConcreteModel:
    """The whole linear problem of one scenario: minimise what its trading, response, wear and excesses cost.

    coefficients: in place of those of the scenario (the compiler finds by it where each of them stands).
    """
    energy = problem.energy
    battery_numbers, numbers = path_numbers(energy), scenario_numbers(problem)
    if coefficients is None:
        own = {name: values[scenario] for name, values in scenario_coefficients(problem).items()}
        coefficients = path_coefficients(energy) | own
    model = pyo.ConcreteModel()
    add_sets(model, energy)
    add_variables(model, energy, battery_numbers)
    add_plan_and_excess(model, numbers)
    opened = numbers.with_opening(battery_numbers, scenario)
    add_battery(model, energy, opened, coefficients, _ResponseDelivery(problem, coefficients))
    add_imbalance(model, coefficients)
    if problem.responses:
        add_rating(model, problem, numbers, coefficients)
        add_energy_band(model, problem, numbers, coefficients, scenario)
    add_scenario_cost(model, numbers, scenario)
    return model


def add_plan_and_excess(model: pyo.ConcreteModel, numbers: ScenarioNumbers) -> None:
    """The plan as seen in each period, the imbalance, and one excess per limit that a plan could break."""
    for name in (*numbers.plan, *numbers.recourse):
        lower, upper = numbers.lower[name].tolist(), numbers.upper[name].tolist()
        bounds = {t: (lower[t], upper[t] if upper[t] < float("inf") else None) for t in model.PERIODS}
        model.add_component(name, pyo.Var(model.PERIODS, bounds=bounds))


def add_imbalance(model: pyo.ConcreteModel, coefficients: Coefficients) -> None:
    """dispatch - plan = imbalance within its limit, + what is beyond it on the long side - on the short side."""
    hours = coefficients["plan_hours"]

    def deviation(m: pyo.ConcreteModel, t: int) -> object:
        planned = float(hours[t]) * m.component(DAY_AHEAD)[t]
        beyond = m.component("long_beyond_mwh")[t] - m.component("short_beyond_mwh")[t]
        return m.discharge_mwh[t] - m.charge_mwh[t] - planned - m.component(IMBALANCE)[t] - beyond == 0.0

    model.imbalance = pyo.Constraint(model.PERIODS, rule=deviation)


def add_rating(
    model: pyo.ConcreteModel, problem: StochasticProblem, numbers: ScenarioNumbers, coefficients: Coefficients
) -> None:
    """discharge + low MW + recovery share x high MW <= discharge rating, and the mirror.

    With `baseline_adds_headroom` charging is taken off the first, discharging off the second.
    """
    hours, room = coefficients["response_hours"], float(problem.baseline_adds_headroom)

    def taken(m: pyo.ConcreteModel, t: int, direction: str) -> Any:
        return sum(
            (1.0 if one.direction == direction else one.recovery_share)
            * float(hours[t])
            * m.component(RESPONSE + one.code)[t]
            for one in problem.responses
        )

    def low(m: pyo.ConcreteModel, t: int) -> object:
        own = m.discharge_mwh[t] - room * m.charge_mwh[t] - m.component("rating_low_beyond_mwh")[t]
        return own + taken(m, t, "low") <= float(numbers.right_hand_side["rating_low"][t])

    def high(m: pyo.ConcreteModel, t: int) -> object:
        own = m.charge_mwh[t] - room * m.discharge_mwh[t] - m.component("rating_high_beyond_mwh")[t]
        return own + taken(m, t, "high") <= float(numbers.right_hand_side["rating_high"][t])

    model.rating_low = pyo.Constraint(model.PERIODS, rule=low)
    model.rating_high = pyo.Constraint(model.PERIODS, rule=high)


def add_energy_band(
    model: pyo.ConcreteModel,
    problem: StochasticProblem,
    numbers: ScenarioNumbers,
    coefficients: Coefficients,
    scenario: int,
) -> None:
    """At the start of a period: required by low MW <= what can be exported; required by high MW <= room to import."""
    battery = problem.battery

    def required(m: pyo.ConcreteModel, t: int, direction: str, per_stored: float) -> Any:
        return sum(
            per_stored * float(coefficients[f"required_{one.code}"][t]) * m.component(RESPONSE + one.code)[t]
            for one in problem.responses
            if one.direction == direction
        )

    def low(m: pyo.ConcreteModel, t: int) -> object:
        stored = m.energy_mwh[t - 1] if t > 0 else 0.0
        needed = required(m, t, "low", 1.0 / battery.discharge_efficiency) - m.component("band_low_short_mwh")[t]
        return needed - stored <= float(numbers.row_limit("band_low", scenario)[t])

    def high(m: pyo.ConcreteModel, t: int) -> object:
        stored = m.energy_mwh[t - 1] if t > 0 else 0.0
        needed = required(m, t, "high", battery.charge_efficiency) - m.component("band_high_short_mwh")[t]
        return needed + stored <= float(numbers.row_limit("band_high", scenario)[t])

    model.band_low = pyo.Constraint(model.PERIODS, rule=low)
    model.band_high = pyo.Constraint(model.PERIODS, rule=high)


def add_scenario_cost(model: pyo.ConcreteModel, numbers: ScenarioNumbers, scenario: int) -> None:
    """Minimise minus the cash of the scenario + wear + penalties - value of the closing energy."""
    model.cost = pyo.Objective(
        expr=pyo.quicksum(
            cost * model.component(name)[t]
            for name, values in numbers.cost.items()
            for t, cost in enumerate(values[scenario if values.shape[0] > 1 else 0].tolist())
        ),
        sense=pyo.minimize,
    )


class _ResponseDelivery:
    """Energy that activation moves through the battery, and what is moved or counted beyond a limit at a penalty."""

    def __init__(self, problem: StochasticProblem, coefficients: Coefficients) -> None:
        self._problem, self._coefficients = problem, coefficients
        self._elastic = elastic_balance(problem)

    def filled(self, m: pyo.ConcreteModel, t: int) -> Any:
        return self._problem.battery.charge_efficiency * self._activated(m, t, "high") + self._outside(m, t, "in")

    def drawn(self, m: pyo.ConcreteModel, t: int) -> Any:
        return self._activated(m, t, "low") / self._problem.battery.discharge_efficiency + self._outside(m, t, "out")

    def charged(self, m: pyo.ConcreteModel, t: int) -> Any:
        return self._activated(m, t, "high")

    def discharged(self, m: pyo.ConcreteModel, t: int) -> Any:
        return self._activated(m, t, "low")

    def beyond(self, m: pyo.ConcreteModel, t: int, budget: str) -> Any:
        """Energy counted beyond a daily limit or the budget."""
        return m.component(BUDGETS[budget])[t] if self._problem.responses else 0.0

    def _activated(self, m: pyo.ConcreteModel, t: int, direction: str) -> Any:
        return sum(
            float(self._coefficients[f"activation_{one.code}"][t]) * m.component(RESPONSE + one.code)[t]
            for one in self._problem.responses
            if one.direction == direction
        )

    def _outside(self, m: pyo.ConcreteModel, t: int, side: str) -> Any:
        return m.component(f"from_outside_{side}_mwh")[t] if self._elastic else 0.0
