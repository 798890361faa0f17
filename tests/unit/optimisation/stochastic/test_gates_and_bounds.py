"""Two gates in order, reserved headroom, and what uncertainty costs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from stochastic_oracle import best_objective
from stochastic_problems import coupled, with_response

from bess_pipeline.errors import UserInputError
from bess_pipeline.optimisation.problem import ClosingState
from bess_pipeline.optimisation.stochastic.bounds import BOTH, DAY_AHEAD, information_values, wait_and_see
from bess_pipeline.optimisation.stochastic.gates import at_response_gate, reserved_headroom
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion
from bess_pipeline.optimisation.stochastic.solve import optimise_plan

RISKS = [RiskAversion(0.0, 0.8), RiskAversion(0.6, 0.8)]


def test_the_response_gate_decides_response_anew_around_what_the_auction_accepted() -> None:
    problem, risk = with_response(4), RISKS[1]
    first = optimise_plan(problem, risk)
    volumes, _ = problem.split_plan(first.plan)
    accepted = np.where(np.arange(volumes.size) % 3 == 0, 0.0, volumes)  # some offers were not reached
    cleared = problem.day_ahead_price_gbp_mwh.mean(axis=0) + 5.0
    later = at_response_gate(problem, accepted, cleared)
    assert (later.day_ahead_price_gbp_mwh == cleared).all()
    second = optimise_plan(later, risk)
    np.testing.assert_allclose(later.split_plan(second.plan)[0], accepted, atol=1e-9)
    expected, _ = best_objective(later, risk.weight, risk.confidence)
    assert second.objective_gbp == pytest.approx(expected, rel=1e-6)
    stale = optimise_plan(later.with_plan(accepted, problem.split_plan(first.plan)[1]), risk)
    assert second.objective_gbp >= stale.objective_gbp - 1e-6 * abs(stale.objective_gbp)


def test_products_without_a_result_stay_free_and_half_a_result_is_refused() -> None:
    problem = with_response(2)
    accepted, cleared = np.full(24, np.nan), np.full(48, np.nan)
    accepted[:12], cleared[:24] = 1.0, 50.0
    later = at_response_gate(problem, accepted, cleared)
    assert (later.day_ahead_price_gbp_mwh[:, 24:] == problem.day_ahead_price_gbp_mwh[:, 24:]).all()
    found = optimise_plan(later)
    np.testing.assert_allclose(found.plan[:12], 1.0, atol=1e-9)
    assert np.abs(found.plan[12:24] - 1.0).max() > 1.0
    cleared[0] = np.nan
    with pytest.raises(UserInputError, match="period 0 has a day-ahead volume or a price, but not both"):
        at_response_gate(problem, accepted, cleared)
    with pytest.raises(UserInputError, match="needs 24 volumes and 48 prices"):
        at_response_gate(problem, accepted[:3], cleared)


def test_headroom_is_held_back_exactly_where_within_day_prices_are_worth_it() -> None:
    flat = np.full((2, 8), 50.0)
    flat[:, 4:] = 80.0
    system = flat.copy()
    system[0, 6:], system[1, 6:] = 400.0, 70.0  # the last hour may be dear within the day
    even = {"periods": 8, "closing": ClosingState.free(), "probability": np.array([0.5, 0.5])}
    problem = coupled(2, **even, day_ahead_price_gbp_mwh=flat, system_price_gbp_mwh=system)
    risk = RISKS[0]
    found = optimise_plan(problem, risk)
    kept = reserved_headroom(problem, found, risk)
    idle, _ = best_objective(replace(problem, imbalance_limit_mw=0.0), 0.0, 0.8)
    assert kept.value_gbp > 0
    assert kept.day_ahead_mw.sum() > 0
    assert found.objective_gbp - kept.value_gbp >= idle - 1e-6
    nothing = coupled(2, **even, day_ahead_price_gbp_mwh=flat, system_price_gbp_mwh=flat)
    calm = reserved_headroom(nothing, optimise_plan(nothing, risk), risk)
    assert calm.value_gbp == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("risk", RISKS, ids=["neutral", "averse"])
@pytest.mark.parametrize("responsive", [False, True])
def test_what_uncertainty_costs_is_ordered_and_says_what_is_fixed(risk: RiskAversion, responsive: bool) -> None:
    problem = with_response(5) if responsive else coupled(5)
    values = information_values(problem, risk)
    assert [one.fixed for one in values.fixed] == ([DAY_AHEAD, BOTH] if responsive else [DAY_AHEAD])
    expected, _ = best_objective(problem, risk.weight, risk.confidence)
    assert values.recourse_problem_gbp == pytest.approx(expected, rel=1e-6)
    assert values.evpi_gbp >= -1e-6
    assert values.fixed[0].vss_gbp >= -1e-6
    assert values.fixed[-1].vss_gbp >= values.fixed[0].vss_gbp - 1e-6
    day_ahead, response = problem.split_plan(optimise_plan(problem.mean_scenario(), exclusive=False).plan)
    for one, contracts in zip(values.fixed, (None, response), strict=False):
        given, _ = best_objective(problem.with_plan(day_ahead, contracts), risk.weight, risk.confidence)
        assert one.objective_gbp == pytest.approx(given, rel=1e-6)


def test_wait_and_see_is_the_mean_of_every_scenario_on_its_own() -> None:
    problem = with_response(4)
    alone = [best_objective(problem.only(n), 0.0, 0.8)[0] for n in range(4)]
    assert wait_and_see(problem, RISKS[0]) == pytest.approx(float(problem.probability @ alone), rel=1e-7)
    # all of the horizon is committed, so the best plan of a scenario is best for its loss too
    worst = -float(np.sort(alone)[0])
    averse = RiskAversion(0.6, 1 - float(problem.probability.min()) / 2)
    mean = float(problem.probability @ alone)
    assert wait_and_see(problem, averse) == pytest.approx(0.4 * mean - 0.6 * worst, rel=1e-7)
