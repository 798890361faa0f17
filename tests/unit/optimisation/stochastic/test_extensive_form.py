"""The extensive form against an independent SciPy formulation; accounts, CVaR and proven bounds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from stochastic_oracle import best_objective, sorted_tail_loss
from stochastic_problems import BATTERY, coupled, with_response

from bess_pipeline.errors import UserInputError
from bess_pipeline.optimisation.problem import ClosingState
from bess_pipeline.optimisation.stochastic.certificate import Duals, cost_bound
from bess_pipeline.optimisation.stochastic.problem import StochasticProblem
from bess_pipeline.optimisation.stochastic.programme import compile_programme
from bess_pipeline.optimisation.stochastic.risk_aversion import LEAST_MEAN_WEIGHT, RiskAversion
from bess_pipeline.optimisation.stochastic.solve import optimise_plan, solve_linear

LOSSY = replace(BATTERY, max_cycles_per_day=1.0, self_discharge_per_hour=0.001, auxiliary_mw=0.1)
LINKED = replace(
    BATTERY,
    max_throughput_mwh_per_day=150.0,
    warranty_cycles=1.2,
    import_limit_mw=40.0,
    export_limit_mw=45.0,
)
TWO_DAYS = {"periods": 96, "committed_periods": 48, "closing": ClosingState.at_least(40.0, 30.0)}
CASES: dict[str, StochasticProblem] = {
    "coupled": coupled(4),
    "twenty scenarios": coupled(20, periods=24),
    "no cap": coupled(3, cap_mw=1000.0),
    "response": with_response(4),
    "settled activation": with_response(3, absvd_applies=False, baseline_adds_headroom=True),
    "two days, every loss": with_response(3, **TWO_DAYS, battery=LOSSY),
    "budgets and connection": with_response(3, periods=24, battery=LINKED),
    "opening states": coupled(3, opening_energy_mwh=np.array([20.0, 50.0, 90.0]), closing=ClosingState.free(45.0)),
    "no imbalance": coupled(2, cap_mw=0.0),
    "response from several states": with_response(
        3, periods=16, opening_energy_mwh=np.array([5.0, 50.0, 98.0]), closing=ClosingState.free(45.0)
    ),
    "response worth more than its penalties": with_response(
        3,
        periods=16,
        response_cap_mw=np.full((2, 2), 80.0),
        response_price_gbp_mw_h=np.full((3, 2, 2), 50.0),
        penalty_gbp_mwh=1.0,
    ),
}


@pytest.mark.parametrize("weight", [0.0, 0.35, 1.0])
@pytest.mark.parametrize("name", CASES)
def test_the_objective_is_that_of_an_independent_formulation(name: str, weight: float) -> None:
    problem, risk = CASES[name], RiskAversion(weight, 0.8)
    expected, _ = best_objective(problem, risk.weight, risk.confidence)
    found = solve_linear(compile_programme(problem), risk, method="extensive")
    assert found.objective_gbp == pytest.approx(expected, rel=1e-6, abs=1e-5)
    assert found.bound_gbp == pytest.approx(expected, rel=1e-6, abs=1e-5)
    assert found.cvar_gbp == pytest.approx(sorted_tail_loss(found.loss_gbp, problem.probability, 0.8), rel=1e-9)


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_charge_and_discharge_exclude_each_other_as_an_independent_mixed_integer_program_says(weight: float) -> None:
    paths = coupled(3, periods=12).day_ahead_price_gbp_mwh
    problem = coupled(3, periods=12, day_ahead_price_gbp_mwh=paths - 110.0, system_price_gbp_mwh=paths - 130.0)
    risk = RiskAversion(weight, 0.6)
    expected, _ = best_objective(problem, risk.weight, risk.confidence, exclusive=True)
    found = optimise_plan(problem, risk)
    assert found.binaries > 0
    assert np.minimum(found.of("charge_mwh"), found.of("discharge_mwh")).max() <= 1e-6
    assert found.objective_gbp == pytest.approx(expected, rel=1e-6)
    assert found.bound_gbp >= expected - 1e-6 * abs(expected)


@pytest.mark.parametrize("name", ["coupled", "response", "two days, every loss"])
def test_any_duals_prove_a_bound(name: str) -> None:
    problem, risk = CASES[name], RiskAversion(0.35, 0.8)
    programme = compile_programme(problem)
    expected, _ = best_objective(problem, risk.weight, risk.confidence)
    duals, rng = solve_linear(programme, risk, method="extensive").duals, np.random.default_rng(3)
    for size in (0.0, 1e-6, 1e-2, 1.0, 100.0):
        noise = [size * rng.standard_normal(one.shape) for one in (duals.rows, duals.plan_rows, duals.tail)]
        changed = Duals(duals.rows + noise[0], duals.plan_rows + noise[1], duals.tail + noise[2])
        assert -cost_bound(programme, risk, changed) >= expected - 1e-6 * abs(expected)
    assert -cost_bound(programme, risk, duals) == pytest.approx(expected, rel=1e-7)


def test_duals_beyond_the_penalty_prove_no_more_than_is_true() -> None:
    sold = coupled(3, periods=8, cap_mw=0.0, penalty_gbp_mwh=20.0)
    problem, risk = sold.with_plan(np.full(4, 50.0), None), RiskAversion(0.35, 0.8)
    programme = compile_programme(problem)
    expected, _ = best_objective(problem, risk.weight, risk.confidence)
    found = solve_linear(programme, risk, method="extensive")
    assert found.penalty_gbp > 100.0  # the store cannot give all that was sold
    for factor in (1.001, 1.1, 2.0):
        rows = found.duals.rows.copy()
        rows[:, programme.path.rows["imbalance"]] *= factor
        assert -cost_bound(programme, risk, replace(found.duals, rows=rows)) >= expected - 1e-9 * abs(expected)


def test_cvar_splits_the_atom_at_value_at_risk() -> None:
    # worst first: 30 at 0.2, 20 at 0.5, 0 at 0.3; the worst 0.4 is all of the 30 and 0.2 of the 20
    problem = coupled(3, periods=2, probability=np.array([0.5, 0.2, 0.3]))
    found = optimise_plan(problem, RiskAversion(0.5, 0.6))
    worst = sorted_tail_loss(np.array([20.0, 30.0, 0.0]), problem.probability, 0.6)
    assert worst == pytest.approx((0.2 * 30 + 0.2 * 20) / 0.4)
    assert found.cvar_gbp == pytest.approx(sorted_tail_loss(found.loss_gbp, problem.probability, 0.6))


def test_profit_is_the_cash_of_plan_and_dispatch_settled_apart() -> None:
    problem = with_response(3, closing=ClosingState.free(45.0))
    found = optimise_plan(problem, RiskAversion(0.3))
    day_ahead, response = problem.split_plan(found.plan)
    planned = 0.5 * day_ahead[problem.product_index]
    net = found.of("discharge_mwh") - found.of("charge_mwh")
    cash = (planned * problem.day_ahead_price_gbp_mwh).sum(axis=1)
    cash += ((net - planned) * problem.system_price_gbp_mwh).sum(axis=1)
    mw = response[:, problem.block_index].T
    paid = np.asarray(problem.response_price_gbp_mw_h)[:, :, problem.block_index].transpose(0, 2, 1)
    cash += (0.5 * mw * paid).sum(axis=(1, 2))
    delivered = (np.asarray(problem.activation_mwh_per_mw) * mw).sum(axis=2)
    wear = 3.0 * (found.of("charge_mwh") + found.of("discharge_mwh") + delivered).sum(axis=1)
    slack = problem.penalty * sum(values.sum(axis=1) for values in found.slack_mwh.values())
    np.testing.assert_allclose(found.profit_gbp, cash - wear - slack + 45.0 * found.of("energy_mwh")[:, -1], rtol=1e-9)


def test_risk_aversion_outside_its_range_is_refused_and_the_mean_always_weighs_a_little() -> None:
    for arguments in ((-0.1, 0.95), (1.1, 0.95), (0.5, 0.0), (0.5, 1.0)):
        with pytest.raises(UserInputError, match="does not lie"):
            RiskAversion(*arguments)
    assert RiskAversion(1.0).weight == 1 - LEAST_MEAN_WEIGHT
