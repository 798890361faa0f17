"""Values of first-stage volumes: against the objective of the same problem with a little more or less of a volume."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from stochastic_oracle import best_objective
from stochastic_problems import coupled, with_response

from bess_pipeline.optimisation.problem import ClosingState
from bess_pipeline.optimisation.stochastic.marginal_values import MarginalValues, marginal_values
from bess_pipeline.optimisation.stochastic.problem import PlanRows, StochasticProblem
from bess_pipeline.optimisation.stochastic.programme import compile_programme
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion
from bess_pipeline.optimisation.stochastic.solve import optimise_plan

RISKS = [RiskAversion(0.0, 0.8), RiskAversion(0.6, 0.8)]
STEP_MW = 0.01


def values_of(problem: StochasticProblem, risk: RiskAversion, method: str = "extensive") -> MarginalValues:
    found = optimise_plan(problem, risk, method=method, exclusive=False)  # type: ignore[arg-type]
    return marginal_values(compile_programme(problem), found, risk)


def objective_at(problem: StochasticProblem, risk: RiskAversion, plan: np.ndarray) -> float:
    """The best objective with all volumes given, by the plain extensive form of the tests."""
    return best_objective(problem.with_plan(*problem.split_plan(plan)), risk.weight, risk.confidence)[0]


def some_plan(problem: StochasticProblem, seed: int) -> np.ndarray:
    """Volumes well within their bounds and rows, and far from the best."""
    rng = np.random.default_rng(seed)
    sold = rng.uniform(-12, 12, problem.products)
    response = rng.uniform(0.5, 5, (len(problem.responses), problem.blocks))
    return problem.plan_vector(sold, response)


@pytest.mark.parametrize("absvd", [True, False])
@pytest.mark.parametrize("risk", RISKS, ids=["neutral", "averse"])
def test_the_margin_lies_between_what_a_little_more_and_a_little_less_change(risk: RiskAversion, absvd: bool) -> None:
    cycles = replace(coupled(1).battery, max_cycles_per_day=0.4)
    problem = with_response(
        3, periods=16, cap_mw=4.0, absvd_applies=absvd, committed_periods=10, closing=ClosingState.at_least(50.0),
        battery=cycles,
    )  # fmt: skip
    plan = some_plan(problem, 5)
    values = values_of(problem.with_plan(*problem.split_plan(plan)), risk)
    here, exact, apart = objective_at(problem, risk, plan), 0, []
    for k in range(plan.size):
        step = np.zeros(plan.size)
        step[k] = STEP_MW
        more = (objective_at(problem, risk, plan + step) - here) / STEP_MW
        less = (here - objective_at(problem, risk, plan - step)) / STEP_MW
        margin = values.margin[k] * values.weight[k]
        assert more - 1e-3 <= margin <= less + 1e-3, problem.plan_names[k]
        exact += abs(less - more) < 1e-3
        apart.append(abs(margin))
    assert exact >= plan.size / 2  # where both sides agree the margin is their change to the digit
    assert max(apart) > 1.0


@pytest.mark.parametrize("method", ["extensive", "decomposition"])
@pytest.mark.parametrize("risk", RISKS, ids=["neutral", "averse"])
def test_price_less_displaced_value_is_the_margin_and_its_sign_tells_where_the_volume_stands(
    risk: RiskAversion, method: str
) -> None:
    problem = with_response(6, cap_mw=2.5, committed_periods=32, response_cap_mw=np.full((2, 6), 6.0))
    values = values_of(problem, risk, method)
    plan, bounds = values.mw, values.programme.plan
    np.testing.assert_allclose(values.weighed_price - values.displaced, values.margin, atol=1e-9)
    room = 1e-4 * np.maximum(bounds.upper - bounds.lower, 1e-9)
    low, high = plan <= bounds.lower + room, plan >= bounds.upper - room
    assert (low | high).sum() > 3
    assert (~low & ~high).sum() > 3
    np.testing.assert_allclose(values.margin[~low & ~high], 0.0, atol=0.05)
    assert (values.margin[low & ~high] <= 0.05).all()
    assert (values.margin[high & ~low] >= -0.05).all()


def test_prices_are_hours_times_weights_of_every_scenario() -> None:
    problem, risk = with_response(5, committed_periods=32), RISKS[1]
    values = values_of(problem, risk)
    sold, response = values.split(values.expected_price)
    pair = problem.day_ahead_price_gbp_mwh.reshape(5, -1, 2).mean(axis=2)
    np.testing.assert_allclose(sold, problem.probability @ pair)
    block = np.tensordot(problem.probability, np.asarray(problem.response_price_gbp_mw_h), axes=1)
    np.testing.assert_allclose(response, block)
    np.testing.assert_allclose(values.hours, [1.0] * 24 + [4.0] * 12)
    within = 0.4 * problem.probability + values.duals.tail  # of the committed day; after it the mean alone
    assert within.sum() == pytest.approx(1.0)
    sold = values.split(values.weighed_price)[0]
    np.testing.assert_allclose(sold[:16], within @ pair[:, :16])
    np.testing.assert_allclose(sold[16:], problem.probability @ pair[:, 16:])
    worst = np.argmax(values.solution.loss_gbp)
    assert within[worst] > problem.probability[worst]


def test_the_displaced_value_knows_nothing_of_its_own_price() -> None:
    problem, risk = with_response(3, periods=16, cap_mw=4.0), RISKS[0]
    plan = some_plan(problem, 7)
    price = problem.day_ahead_price_gbp_mwh.copy()
    price[:, 4:6] += 25.0
    before = values_of(problem.with_plan(*problem.split_plan(plan)), risk)
    dearer = replace(problem, day_ahead_price_gbp_mwh=price, penalty_gbp_mwh=problem.penalty)
    after = values_of(dearer.with_plan(*problem.split_plan(plan)), risk)
    np.testing.assert_allclose(after.displaced, before.displaced, atol=1e-7)
    assert after.margin[2] - before.margin[2] == pytest.approx(25.0)


def test_without_a_within_day_trade_a_sale_displaces_what_the_store_holds_and_wear() -> None:
    prices = np.array([[20.0, 20.0, 100.0, 100.0]])
    problem = coupled(
        1,
        periods=4,
        cap_mw=0.0,
        probability=np.ones(1),
        day_ahead_price_gbp_mwh=prices,
        closing=ClosingState.free(30.0),
        system_price_gbp_mwh=np.full((1, 4), 60.0),
    )
    values = values_of(problem.with_plan(np.array([-40.0, 30.0]), np.zeros((0, 0))), RISKS[0])
    # both are given within the rating, so the closing energy alone gives way: 30 GBP/MWh in store
    battery = problem.battery
    np.testing.assert_allclose(values.stored_gbp_mwh, 30.0)
    np.testing.assert_allclose(values.by_kind["wear"], [-3.0, 3.0])
    stored = [30.0 * battery.charge_efficiency, 30.0 / battery.discharge_efficiency]
    np.testing.assert_allclose(values.by_kind["stored energy"], stored)
    np.testing.assert_allclose(values.displaced, np.add(stored, [-3.0, 3.0]))
    np.testing.assert_allclose(values.margin, [20.0, 100.0] - values.displaced)


def test_a_further_rule_of_the_plan_takes_what_it_is_worth() -> None:
    problem = with_response(4, periods=16, cap_mw=2.5)
    row = np.zeros((1, len(problem.plan_names)))
    row[0, [problem.products, problem.products + 1]] = 1.0
    limited = replace(problem, plan_rows=PlanRows(row, np.array([4.0]), ("exclusion[0]",)))
    values = values_of(limited, RISKS[0])
    wider = replace(limited, plan_rows=PlanRows(row, np.array([4.0 + STEP_MW]), ("exclusion[0]",)))
    gained = (optimise_plan(wider, exclusive=False).objective_gbp - values.solution.objective_gbp) / STEP_MW
    assert gained > 1.0
    rule = values.by_kind["rules of the offer"] * values.weight
    np.testing.assert_allclose(rule[problem.products : problem.products + 2], gained, atol=1e-3)
    assert rule[problem.products + 2 :].max() == 0.0


def test_a_plan_under_a_limit_of_risk_is_valued_at_the_weight_that_the_limit_has() -> None:
    problem, risk = with_response(6, cap_mw=10.0), RiskAversion(0.0, 0.8)
    bold, careful = (optimise_plan(problem, RiskAversion(a, 0.8)) for a in (0.0, 1.0))
    limit = 0.5 * (bold.cvar_gbp + careful.cvar_gbp)
    found = optimise_plan(problem, risk, cvar_limit_gbp=limit, exclusive=False)
    values = marginal_values(compile_programme(problem), found, risk)
    assert values.duals.tail.sum() > 0.01
    np.testing.assert_allclose(values.weighed_price - values.displaced, values.margin, atol=1e-9)
    assert np.abs(values.weighed_price - values.expected_price).max() > 0.1
