"""What a plan is worth, what uncertainty and activation cost it: rows held against other ways to the same numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from gate_cases import gate_inputs
from stochastic_oracle import best_objective

from bess_pipeline import schemas
from bess_pipeline.ancillary_settings import AncillarySettings
from bess_pipeline.co_optimisation_settings import CoOptimisationSettings
from bess_pipeline.optimisation.stochastic.policy import Policy
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion
from bess_pipeline.optimisation.stochastic.solve import optimise_plan
from bess_pipeline.risk.measures import tail
from bess_pipeline.risk.plan_values import activation_sensitivity, information_rows, plan_value_rows
from bess_pipeline.settings import RollingSettings
from bess_pipeline.trading.gate_problem import GateProblem, gate_problem

RISK = RiskAversion(0.5, 0.7)
NAMED = ("co_optimised_cvar", "day_ahead")
DAY_ONLY = RollingSettings(look_ahead_hours=24)
PLAN_VALUE = [
    "efa_date",
    "strategy",
    "gate",
    "risk_aversion",
    "confidence",
    "objective_gbp",
    "bound_gbp",
    "gap",
    "expected_pnl_gbp",
    "var_gbp",
    "cvar_gbp",
    "penalty_gbp",
    "oos_expected_pnl_gbp",
    "oos_var_gbp",
    "oos_cvar_gbp",
    "oos_violation_mwh",
    "headroom_day_ahead_mwh",
    "headroom_response_mw_h",
    "headroom_value_gbp",
    "scenarios",
    "fresh_scenarios",
    "method",
    "binaries",
    "activation_basis",
    "notes",
]
INFORMATION = [
    "efa_date",
    "strategy",
    "gate",
    "fixed",
    "risk_aversion",
    "wait_and_see_gbp",
    "recourse_problem_gbp",
    "gap_gbp",
    "mean_scenario_gbp",
    "expected_value_gbp",
    "evpi_gbp",
    "vss_gbp",
    "slack_cost_gbp",
]


def small(count: int = 6, seed: int = 1, **changes: object) -> GateProblem:
    return gate_problem(gate_inputs(count=count, seed=seed, rolling=DAY_ONLY, **changes))


@pytest.fixture(scope="module")
def given() -> GateProblem:
    return small()


def test_the_row_of_a_plan_holds_its_accounts_and_its_judgement(given: GateProblem) -> None:
    fresh, plan = small(20, seed=7), optimise_plan(given.problem, RISK)
    row, outcomes = plan_value_rows(given, fresh, plan, RISK, strategy=NAMED[0], headroom=False)
    assert list(row.columns) == PLAN_VALUE
    (one,) = row.to_dict("records")
    assert one["objective_gbp"] == pytest.approx(best_objective(given.problem, 0.5, 0.7)[0], rel=2e-6)
    assert one["objective_gbp"] == pytest.approx(0.5 * one["expected_pnl_gbp"] - 0.5 * one["cvar_gbp"])
    assert (one["strategy"], one["gate"], one["scenarios"], one["fresh_scenarios"]) == (*NAMED, 6, 20)
    same_worth = replace(fresh.problem, closing=given.problem.closing)
    judged = Policy(given.problem, plan).judge(same_worth, 0.7)
    assert one["oos_expected_pnl_gbp"] == judged.expected_profit_gbp
    assert one["oos_cvar_gbp"] == judged.cvar_gbp > one["cvar_gbp"]
    assert one["oos_violation_mwh"] == pytest.approx(sum(judged.violations_mwh.values()))
    assert list(outcomes.columns) == list(schemas.columns("risk/plan_outcome"))
    assert outcomes["pnl_gbp"].tolist() == (-judged.loss_gbp).tolist()
    assert outcomes["probability"].tolist() == fresh.problem.probability.tolist()
    assert set(outcomes[["efa_date", "strategy", "gate"]].itertuples(index=False)) == {(given.efa_date, *NAMED)}
    again = tail(outcomes["pnl_gbp"], 0.7, outcomes["probability"])
    assert (again.var_gbp, again.cvar_gbp) == pytest.approx((one["oos_var_gbp"], one["oos_cvar_gbp"]))
    assert np.isnan(one["headroom_value_gbp"])
    assert one["activation_basis"] == "assumed: DCL, DCH, DRL, DRH"
    assert one["notes"].splitlines() == list(given.notes)


def test_headroom_is_worth_what_trade_within_the_day_adds(given: GateProblem) -> None:
    """The objective of the plan that knows none, once it may trade, by the plain formulation (a pound for 1 kW)."""
    plan = optimise_plan(given.problem, RISK)
    found, outcomes = plan_value_rows(given, None, plan, RISK, strategy=NAMED[0])
    (row,) = found.to_dict("records")
    assert (list(outcomes.columns), len(outcomes)) == (list(schemas.columns("risk/plan_outcome")), 0)
    blind = optimise_plan(replace(given.problem, imbalance_limit_mw=0.0), RISK)
    fixed = given.problem.with_plan(*given.problem.split_plan(blind.plan))
    best = best_objective(given.problem, 0.5, 0.7)[0]
    assert row["headroom_value_gbp"] == pytest.approx(best - best_objective(fixed, 0.5, 0.7)[0], abs=1.0)
    assert row["headroom_value_gbp"] > 1.0
    assert np.isnan(row["oos_cvar_gbp"])
    assert row["notes"].endswith("there are no fresh scenarios: the plan is not judged out of sample")


def test_without_trade_within_the_day_no_headroom_is_held() -> None:
    none = small(co_optimisation=CoOptimisationSettings(imbalance_limit_mw=0.0))
    plan = optimise_plan(none.problem, RISK)
    (row,) = plan_value_rows(none, None, plan, RISK, strategy=NAMED[0])[0].to_dict("records")
    assert row["headroom_value_gbp"] == pytest.approx(0.0, abs=0.05)
    assert row["headroom_response_mw_h"] == pytest.approx(0.0, abs=1e-3)


def test_what_cannot_be_stated_says_why(given: GateProblem) -> None:
    """A ramp limit, which the policy does not know; a limit of risk that only within-day trade can keep."""
    battery = replace(given.problem.battery, ramp_limit_mw_per_hour=20.0)
    ramped = replace(given, problem=replace(given.problem, battery=battery))
    plan = optimise_plan(given.problem, RISK)
    found, outcomes = plan_value_rows(ramped, ramped, plan, RISK, strategy=NAMED[0], headroom=False)
    (row,) = found.to_dict("records")
    assert outcomes.empty
    assert np.isnan(row["oos_expected_pnl_gbp"])
    assert "the plan is not judged out of sample: the dispatch policy knows neither a ramp limit" in row["notes"]
    least = [optimise_plan(one, RiskAversion(1.0, 0.7)).cvar_gbp for one in (given.problem, _blind(given))]
    assert least[1] > least[0] + 10
    limited, _ = plan_value_rows(given, None, plan, RISK, strategy=NAMED[0], cvar_limit_gbp=sum(least) / 2)
    assert limited["headroom_value_gbp"].isna().all()
    assert "reserved headroom is not stated: no plan keeps the CVaR within" in limited["notes"].iloc[0]


def _blind(given: GateProblem):  # type: ignore[no-untyped-def]
    return replace(given.problem, imbalance_limit_mw=0.0)


def test_values_of_information_at_no_risk_aversion_are_means_of_single_scenarios(given: GateProblem) -> None:
    neutral, problem = RiskAversion(0.0, 0.7), given.problem
    rows = information_rows(given, neutral, strategy=NAMED[0])
    assert list(rows.columns) == INFORMATION
    assert rows["fixed"].tolist() == ["day-ahead", "day-ahead and response"]
    alone = [best_objective(problem.only([n]), 0.0, 0.7)[0] for n in range(problem.scenarios)]
    best, middle = best_objective(problem, 0.0, 0.7)[0], best_objective(problem.mean_scenario(), 0.0, 0.7)[0]
    assert rows["wait_and_see_gbp"].tolist() == pytest.approx([float(problem.probability @ alone)] * 2, rel=1e-6)
    assert rows["recourse_problem_gbp"].tolist() == pytest.approx([best] * 2, rel=2e-6)
    assert rows["mean_scenario_gbp"].tolist() == pytest.approx([middle] * 2, rel=2e-6)
    assert rows["evpi_gbp"].tolist() == pytest.approx([float(problem.probability @ alone) - best] * 2, abs=0.05)
    assert (rows["vss_gbp"] > 1.0).all()
    assert rows["vss_gbp"].is_monotonic_increasing  # the more is fixed, the more it costs
    assert (rows["expected_value_gbp"] + rows["vss_gbp"]).tolist() == pytest.approx([best] * 2, rel=2e-6)


def test_a_plan_that_is_known_changes_no_value_and_another_is_not_mistaken_for_it(given: GateProblem) -> None:
    mine, other = (optimise_plan(given.problem, risk) for risk in (RISK, RiskAversion(0.0, 0.7)))
    anew = information_rows(given, RISK, strategy=NAMED[0])
    numbers = anew.columns[4:]
    for solution in (mine, other, replace(mine, binaries=1), replace(mine, method="extensive_simplex+limit")):
        rows = information_rows(given, RISK, solution, strategy=NAMED[0])
        assert np.allclose(rows[numbers], anew[numbers], rtol=0, atol=0.05)
    for distrusted in (replace(mine, binaries=1, objective_gbp=0.0), replace(mine, objective_gbp=0.0)):
        rows = information_rows(given, RISK, distrusted, strategy=NAMED[0])
        assert rows["recourse_problem_gbp"].min() > 1.0


def test_one_scenario_leaves_nothing_to_learn() -> None:
    rows = information_rows(small(1), RISK, strategy=NAMED[0])
    assert rows[["evpi_gbp", "vss_gbp", "slack_cost_gbp"]].abs().to_numpy().max() < 0.05


def test_activation_at_0_1_and_2_times() -> None:
    """Each row is the plan of a problem with that activation; its cycles are counted half-hour by half-hour."""
    inputs = gate_inputs(count=4, rolling=DAY_ONLY, ancillary=AncillarySettings(activation_basis="simulated"))
    rows = activation_sensitivity(inputs, RISK, strategy=NAMED[0])
    assert rows["multiplier"].tolist() == [0.0, 1.0, 2.0]
    assert rows["activation_basis"].str.contains("x 0").tolist() == [True, False, False]
    for row in rows.to_dict("records"):
        ancillary = inputs.ancillary.model_copy(update={"activation_multiplier": row["multiplier"]})
        problem = gate_problem(replace(inputs, ancillary=ancillary)).problem
        weighed = 0.5 * row["expected_pnl_gbp"] - 0.5 * row["cvar_gbp"]
        assert weighed == pytest.approx(best_objective(problem, 0.5, 0.7)[0], rel=2e-6)
        plan = optimise_plan(problem, RISK)
        _, response = problem.split_plan(plan.plan)
        total = 0.0
        for n, weight in enumerate(problem.probability):
            for t in range(48):
                total += weight * plan.of("discharge_mwh")[n, t]
                for k, one in enumerate(problem.responses):
                    if one.direction == "low":
                        moved = problem.activation_mwh_per_mw[n, t, k]  # type: ignore[index]
                        total += weight * moved * response[k, problem.block_index[t]]
        assert row["equivalent_cycles"] == pytest.approx(total / problem.battery.usable_energy_mwh, abs=1e-9)
        assert row["response_mw_h"] == pytest.approx(float(response.sum()) * 4, rel=1e-9)
    assert rows["equivalent_cycles"].nunique() == 3
