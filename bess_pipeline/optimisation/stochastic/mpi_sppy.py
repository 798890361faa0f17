"""Our scenarios as mpi-sppy wants them, for problems that outgrow one machine.

What belongs here: `scenario_creator` and its keyword arguments (mpi-sppy's interface, Knueven et al. 2023). What does
not: the formulation, which is that of every other solver here, and mpi-sppy itself, which is optional:

    from mpisppy.opt.ef import ExtensiveForm
    ExtensiveForm({"solver": "appsi_highs"}, scenario_names(problem), scenario_creator,
                  scenario_creator_kwargs={"problem": problem, "risk": RiskAversion(0.5)})

First stage: the columns of the plan and, when risk weighs anything, the VaR. Every scenario carries the plan's own
rows, and ties what it sees of the plan in a period to the plan's column.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyomo.environ as pyo

from bess_pipeline.errors import BessError, UserInputError
from bess_pipeline.optimisation.stochastic.formulation import build_scenario_model
from bess_pipeline.optimisation.stochastic.problem import StochasticProblem
from bess_pipeline.optimisation.stochastic.programme import Programme, compile_programme
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion

PREFIX = "scenario"


def scenario_names(problem: StochasticProblem) -> list[str]:
    """Names of all scenarios, in order."""
    return [f"{PREFIX}{n}" for n in range(problem.scenarios)]


def scenario_creator(
    scenario_name: str,
    *,
    problem: StochasticProblem,
    risk: RiskAversion = RiskAversion(),  # noqa: B008 - frozen
) -> pyo.ConcreteModel:
    """One scenario with its probability and its root node. BessError where mpi-sppy is not installed."""
    try:
        from mpisppy.utils.sputils import attach_root_node
    except ImportError:
        raise BessError("mpi-sppy is not installed: python -m pip install mpi-sppy") from None
    number = scenario_name.removeprefix(PREFIX)
    if not number.isdigit() or int(number) >= problem.scenarios:
        raise UserInputError(
            f"there is no scenario {scenario_name}: they are {PREFIX}0 to {PREFIX}{problem.scenarios - 1}"
        )
    model = two_stage_scenario(problem, int(number), risk)
    model._mpisppy_probability = float(problem.probability[int(number)])
    first: list[Any] = [model.plan]
    if risk.weight > 0:
        first.append(model.value_at_risk)
    attach_root_node(model, model.first_stage_cost, first)
    return model


def two_stage_scenario(problem: StochasticProblem, scenario: int, risk: RiskAversion) -> pyo.ConcreteModel:
    """A scenario with the plan as variables of its own: minimise (1 - a) cost + a (VaR + excess / (1 - confidence))."""
    programme, model = compile_programme(problem), build_scenario_model(problem, scenario)
    plan = programme.plan
    columns = range(len(plan.names))
    model.plan = pyo.Var(columns, bounds=lambda _, k: (float(plan.lower[k]), float(plan.upper[k])))
    model.plan_rows = pyo.Constraint(range(plan.limit.size), rule=lambda m, k: _plan_row(m, programme, k))
    for name, column in programme.plan_column.items():
        _tie(model, name, column)
    model.first_stage_cost = pyo.Expression(expr=risk.weight * _value_at_risk(model, risk))
    cost = model.cost.expr
    model.cost.deactivate()
    excess = 0.0
    if risk.weight > 0:
        model.excess = pyo.Var(within=pyo.NonNegativeReals)
        model.tail = pyo.Constraint(expr=_loss(model, programme, scenario) - model.value_at_risk <= model.excess)
        excess = model.excess / (1 - risk.confidence)
    second = (1 - risk.weight) * cost + risk.weight * excess
    model.weighed_cost = pyo.Objective(expr=model.first_stage_cost + second, sense=pyo.minimize)
    return model


def _plan_row(model: pyo.ConcreteModel, programme: Programme, k: int) -> Any:
    row = programme.plan.matrix[k]
    used = sum(float(row[column]) * model.plan[column] for column in np.flatnonzero(row).tolist())
    return used <= float(programme.plan.limit[k]) if row.any() else pyo.Constraint.Feasible


def _tie(model: pyo.ConcreteModel, name: str, column: np.ndarray) -> None:
    """What a period sees of the plan is the plan's; where it sees nothing, nothing."""
    seen = model.component(name)

    def tie(m: pyo.ConcreteModel, t: int) -> Any:
        return seen[t] == (m.plan[int(column[t])] if column[t] >= 0 else 0.0)

    model.add_component(f"{name}_of_plan", pyo.Constraint(model.PERIODS, rule=tie))


def _value_at_risk(model: pyo.ConcreteModel, risk: RiskAversion) -> Any:
    if risk.weight == 0:
        return 0.0
    model.value_at_risk = pyo.Var()
    return model.value_at_risk


def _loss(model: pyo.ConcreteModel, programme: Programme, scenario: int) -> Any:
    return pyo.quicksum(
        value * model.component(name)[t]
        for name, values in programme.numbers.loss.items()
        for t, value in enumerate(values[scenario if values.shape[0] > 1 else 0].tolist())
        if value
    )
