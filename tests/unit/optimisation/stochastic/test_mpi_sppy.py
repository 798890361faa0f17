"""Scenarios for mpi-sppy: their extensive form is ours, and mpi-sppy finds our optimum in them."""

from __future__ import annotations

import warnings

import pyomo.environ as pyo
import pytest
from stochastic_problems import coupled, with_response

from bess_pipeline.errors import BessError
from bess_pipeline.optimisation.stochastic.mpi_sppy import scenario_creator, scenario_names, two_stage_scenario
from bess_pipeline.optimisation.stochastic.problem import StochasticProblem
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion
from bess_pipeline.optimisation.stochastic.solve import optimise_plan

CASES = [
    (coupled(3, periods=12), RiskAversion(0.0)),
    (coupled(3, periods=12), RiskAversion(0.5, 0.7)),
    (with_response(3, periods=16), RiskAversion(0.5, 0.7)),
]


def solver() -> object:
    return pyo.SolverFactory("appsi_highs")


@pytest.mark.parametrize(("problem", "risk"), CASES)
def test_scenarios_tied_at_their_first_stage_are_the_extensive_form(
    problem: StochasticProblem, risk: RiskAversion
) -> None:
    whole = pyo.ConcreteModel()
    whole.scenario = pyo.Block(range(problem.scenarios))
    for n in range(problem.scenarios):
        whole.scenario[n].transfer_attributes_from(two_stage_scenario(problem, n, risk).clone())
        whole.scenario[n].weighed_cost.deactivate()
    first = whole.scenario[0]
    whole.tie = pyo.ConstraintList()
    for n in range(1, problem.scenarios):
        for k in first.plan:
            whole.tie.add(whole.scenario[n].plan[k] == first.plan[k])
        if risk.weight > 0:
            whole.tie.add(whole.scenario[n].value_at_risk == first.value_at_risk)
    weighed = sum(float(p) * whole.scenario[n].weighed_cost.expr for n, p in enumerate(problem.probability))
    whole.cost = pyo.Objective(expr=weighed)
    solver().solve(whole)  # type: ignore[attr-defined]
    assert -pyo.value(whole.cost) == pytest.approx(
        optimise_plan(problem, risk, exclusive=False).objective_gbp, rel=1e-6
    )


@pytest.mark.parametrize(("problem", "risk"), CASES)
def test_mpi_sppy_finds_our_optimum(problem: StochasticProblem, risk: RiskAversion) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of mpi-sppy's own making
        from mpisppy.opt.ef import ExtensiveForm

        form = ExtensiveForm(
            {"solver": "appsi_highs"},
            scenario_names(problem),
            scenario_creator,
            scenario_creator_kwargs={"problem": problem, "risk": risk},
        )
        form.solve_extensive_form()
    assert -form.get_objective_value() == pytest.approx(
        optimise_plan(problem, risk, exclusive=False).objective_gbp, rel=1e-6
    )


def test_a_scenario_that_does_not_exist_or_a_missing_library_is_one_sentence() -> None:
    with pytest.raises(BessError, match=r"there is no scenario scenario7|mpi-sppy is not installed"):
        scenario_creator("scenario7", problem=CASES[0][0])
