"""What a plan is worth in each scenario, and the answer of a solver.

What belongs here: `TwoStageSolution` and the accounts of a plan with its recourse. What does not: how
either was found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from bess_pipeline.optimisation.problem import FloatArray
from bess_pipeline.optimisation.stochastic.certificate import Duals
from bess_pipeline.optimisation.stochastic.numbers import ELASTIC
from bess_pipeline.optimisation.stochastic.programme import Programme
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion
from bess_pipeline.risk.measures import tail


@dataclass(frozen=True)
class TwoStageSolution:
    """A plan with its recourse in every scenario.

    plan (columns of the plan), MW; recourse (N, columns of a scenario), MWh; profit_gbp (N,): of the horizon, after
    wear, with the value of the closing energy; loss_gbp (N,): of the committed day; objective_gbp, maximised, and
    bound_gbp, a proven upper bound of it (of the linear problem); gap: (bound - objective) / max(1, |objective|);
    penalty_gbp: expected cost of broken limits, part of the profit; duals: of the linear problem; method, iterations
    and seconds: how it was found; columns: of the recourse by name; binaries: directions of charge and discharge that
    had to be decided, in all scenarios; notes: sentences a reader of the plan must see.
    """

    plan: FloatArray
    recourse: FloatArray
    profit_gbp: FloatArray
    loss_gbp: FloatArray
    expected_profit_gbp: float
    cvar_gbp: float
    value_at_risk_gbp: float
    penalty_gbp: float
    objective_gbp: float
    bound_gbp: float
    gap: float
    duals: Duals
    method: str
    iterations: int
    seconds: float
    columns: Mapping[str, slice]
    binaries: int = 0
    notes: tuple[str, ...] = ()

    def of(self, name: str) -> FloatArray:
        """A quantity of the recourse by its name in the formulation, (N, T), MWh (e.g. "charge_mwh")."""
        return self.recourse[:, self.columns[name]]

    @property
    def slack_mwh(self) -> dict[str, FloatArray]:
        """Energy by which each limit is broken, by the name of its excess, (N, T)."""
        return {name: self.of(name) for name in self.columns if name in ELASTIC}


def account(
    programme: Programme,
    risk: RiskAversion,
    plan: FloatArray,
    recourse: FloatArray,
    bound_gbp: float,
    duals: Duals,
    how: tuple[str, int, float],
) -> TwoStageSolution:
    """The accounts of a plan and its recourse; bound_gbp: proven upper bound of the objective, maximised."""
    cost = scenario_costs(programme, plan, recourse)
    loss = (programme.loss * recourse).sum(axis=1) + programme.plan_loss @ plan
    worst = tail(-loss, risk.confidence, programme.probability)
    mean = -float(programme.probability @ cost)
    objective = (1 - risk.weight) * mean - risk.weight * worst.cvar_gbp
    return TwoStageSolution(
        plan=plan,
        recourse=recourse,
        profit_gbp=-cost,
        loss_gbp=loss,
        expected_profit_gbp=mean,
        cvar_gbp=worst.cvar_gbp,
        value_at_risk_gbp=worst.var_gbp,
        penalty_gbp=float(programme.probability @ penalties(programme, recourse)),
        objective_gbp=objective,
        bound_gbp=bound_gbp,
        gap=relative_gap(objective, bound_gbp),
        duals=duals,
        method=how[0],
        iterations=how[1],
        seconds=how[2],
        columns=programme.path.columns,
    )


def with_bound(solution: TwoStageSolution, bound_gbp: float) -> TwoStageSolution:
    """The same answer with another proven bound."""
    return replace(solution, bound_gbp=bound_gbp, gap=relative_gap(solution.objective_gbp, bound_gbp))


def relative_gap(objective_gbp: float, bound_gbp: float) -> float:
    """(bound - objective) / max(1, |objective|), not below 0."""
    return max((bound_gbp - objective_gbp) / max(1.0, abs(objective_gbp)), 0.0)


def scenario_costs(programme: Programme, plan: FloatArray, recourse: FloatArray) -> FloatArray:
    """Cost of the horizon in each scenario, (N,), GBP."""
    return np.asarray((programme.cost * recourse).sum(axis=1) + programme.plan_cost @ plan)


def penalties(programme: Programme, recourse: FloatArray) -> FloatArray:
    """Cost of broken limits in each scenario, (N,), GBP."""
    found = np.zeros(recourse.shape[0])
    for name, where in programme.path.columns.items():
        if name in ELASTIC:
            found += (programme.cost[:, where] * recourse[:, where]).sum(axis=1)
    return found
