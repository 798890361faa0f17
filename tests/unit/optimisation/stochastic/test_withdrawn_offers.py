"""What whole offers displace: against the objective of the plain extensive form without them."""

from __future__ import annotations

import numpy as np
import pytest
from stochastic_oracle import best_objective
from stochastic_problems import with_response

from bess_pipeline.optimisation.stochastic.marginal_values import marginal_values
from bess_pipeline.optimisation.stochastic.programme import compile_programme
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion
from bess_pipeline.optimisation.stochastic.solve import optimise_plan
from bess_pipeline.optimisation.stochastic.withdrawn_offers import withdrawn_values

RISKS = [RiskAversion(0.0, 0.8), RiskAversion(0.6, 0.8)]


@pytest.mark.parametrize("risk", RISKS, ids=["neutral", "averse"])
def test_an_offer_at_the_price_it_displaces_earns_the_plan_nothing(risk: RiskAversion) -> None:
    problem = with_response(3, periods=16, cap_mw=3.0)
    plan = optimise_plan(problem, risk, exclusive=False).plan
    values = withdrawn_values(problem, plan, risk, np.arange(plan.size))
    marginal = marginal_values(compile_programme(problem), optimise_plan(problem, risk, exclusive=False), risk)
    offered = np.abs(plan) > 0.01
    assert (np.isnan(values) == ~offered).all()
    whole = best_objective(problem.with_plan(*problem.split_plan(plan)), risk.weight, risk.confidence)[0]
    for k in np.flatnonzero(offered):
        rest = plan.copy()
        rest[k] = 0.0
        without = best_objective(problem.with_plan(*problem.split_plan(rest)), risk.weight, risk.confidence)[0]
        # the gain of the offer, were it paid what it displaces instead of its price: nothing
        paid_less = (marginal.weighed_price[k] - values[k]) * plan[k] * marginal.weight[k]
        if risk.weight == 0.0:
            assert whole - paid_less == pytest.approx(without, abs=1e-3)
        assert np.sign(plan[k]) * (values[k] - marginal.displaced[k]) <= 0.05
    inside = offered & (np.abs(marginal.margin) < 1e-6)
    assert np.nanmax(np.abs(values - marginal.displaced)[inside]) > 1.0  # the last MW says much more than the whole


def test_columns_of_one_offer_are_withdrawn_together_and_few_scenarios_stand_for_many() -> None:
    problem, risk = with_response(9, periods=16, cap_mw=3.0), RISKS[0]
    plan = np.full(len(problem.plan_names), 2.0)
    group = np.arange(plan.size)
    group[1] = 0
    together = withdrawn_values(problem, plan, risk, group, scenarios=9)
    assert together[0] == together[1]
    rest = plan.copy()
    rest[:2] = 0.0
    whole, without = (best_objective(problem.with_plan(*problem.split_plan(x)), 0.0, 0.8)[0] for x in (plan, rest))
    price = problem.probability @ problem.day_ahead_price_gbp_mwh[:, :4].mean(axis=1)
    assert together[0] == pytest.approx(price - (whole - without) / 4.0, abs=1e-3)
    few = withdrawn_values(problem, plan, risk, group, scenarios=3)
    same = withdrawn_values(problem.only([0, 4, 8]), plan, risk, group)
    np.testing.assert_allclose(few, same)
    assert np.abs(few - together).max() > 0.1
