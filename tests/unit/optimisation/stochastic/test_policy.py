"""Judgement by the policy that knows no future: blind to what is not known yet, true to physics, honest accounts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from stochastic_physics import promises_broken, violations
from stochastic_problems import BATTERY, coupled, price_paths, with_response

from bess_pipeline.errors import UserInputError
from bess_pipeline.optimisation.problem import ClosingState
from bess_pipeline.optimisation.stochastic.frontier import frontier
from bess_pipeline.optimisation.stochastic.policy import LAG_PERIODS, Policy, judge_frontier
from bess_pipeline.optimisation.stochastic.problem import StochasticProblem
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion
from bess_pipeline.optimisation.stochastic.solve import optimise_plan
from bess_pipeline.optimisation.stochastic.value_of_state import Forecast

CALM = ClosingState.at_least(30.0, 40.0)


def correlated(scenarios: int, seed: int, persistence: float = 0.9) -> StochasticProblem:
    """Hourly day-ahead prices known, and a spread to them that lasts."""
    rng = np.random.default_rng(seed)
    day_ahead = np.broadcast_to(price_paths(1, seed=1)[0], (scenarios, 48)).copy()
    spread = np.zeros((scenarios, 48))
    spread[:, 0] = 30 * rng.standard_normal(scenarios)
    for t in range(1, 48):
        noise = np.sqrt(1 - persistence**2) * 30 * rng.standard_normal(scenarios)
        spread[:, t] = persistence * spread[:, t - 1] + noise
    weight = np.full(scenarios, 1 / scenarios)
    return coupled(
        scenarios,
        day_ahead_price_gbp_mwh=day_ahead,
        system_price_gbp_mwh=day_ahead + spread + 2.0,
        probability=weight,
        closing=CALM,
    )


def net(judged: object) -> np.ndarray:
    return judged.of("discharge_mwh") - judged.of("charge_mwh")  # type: ignore[attr-defined]


def test_the_last_price_known_is_one_that_was_published() -> None:
    """Period t is decided at 30 t - 60 minutes, and the price of period u is known at 30 (u + 1) + 60."""
    assert min(lag for lag in range(20) if 30 * (-lag + 1) + 60 <= -60) == LAG_PERIODS


def test_what_is_not_known_yet_changes_no_dispatch_and_what_is_known_does() -> None:
    problem = correlated(40, 1)
    policy = Policy(problem, optimise_plan(problem, RiskAversion(0.3), exclusive=False))
    fresh = correlated(6, 2)
    before = net(policy.judge(fresh))
    for t in (0, 7, 20, 40):
        poisoned = fresh.system_price_gbp_mwh.copy()
        poisoned[:, t:] = 9_000.0 * np.random.default_rng(t).standard_normal(poisoned[:, t:].shape)
        after = net(policy.judge(replace(fresh, system_price_gbp_mwh=poisoned)))
        assert (after[:, : t + LAG_PERIODS] == before[:, : t + LAG_PERIODS]).all()
        if t + LAG_PERIODS < 40:
            assert np.abs(after[:, t + LAG_PERIODS :] - before[:, t + LAG_PERIODS :]).max() > 1.0


def test_activation_to_come_changes_no_dispatch() -> None:
    problem = with_response(20, closing=CALM)
    policy = Policy(problem, optimise_plan(problem, exclusive=False))
    fresh = with_response(4, seed=5, closing=CALM)
    poisoned = np.asarray(fresh.activation_mwh_per_mw).copy()
    poisoned[:, 20:] *= 4.0
    after = net(policy.judge(replace(fresh, activation_mwh_per_mw=poisoned)))
    assert (after[:, :20] == net(policy.judge(fresh))[:, :20]).all()  # period 20 itself may be cut by what happens


def test_nothing_unknown_leaves_nothing_to_lose() -> None:
    day_ahead, _ = price_paths(1)
    problem = coupled(1, day_ahead_price_gbp_mwh=day_ahead, system_price_gbp_mwh=day_ahead + 3.0, closing=CALM)
    found = optimise_plan(problem)
    judged = Policy(problem, found).judge(problem)
    assert found.expected_profit_gbp * 0.995 <= judged.expected_profit_gbp <= found.expected_profit_gbp + 1e-6
    assert max(judged.violations_mwh.values()) <= 1e-6


@pytest.mark.parametrize("responsive", [False, True])
def test_no_policy_earns_more_than_recourse_that_sees_its_path(responsive: bool) -> None:
    problem = with_response(12, closing=CALM) if responsive else correlated(12, 3)
    found = optimise_plan(problem, exclusive=False)
    judged = Policy(problem, found).judge(problem)
    broken = sum(by for name, by in judged.violations_mwh.items() if not name.startswith("closing"))
    assert judged.expected_profit_gbp - problem.penalty * broken <= found.expected_profit_gbp + 1e-6
    assert judged.expected_profit_gbp > 0


def test_a_spread_that_lasts_is_worth_knowing() -> None:
    problem, fresh = correlated(60, 4), correlated(200, 5)
    found = optimise_plan(problem, exclusive=False)
    policy = Policy(problem, found)
    blind = Policy(problem, found, lag_periods=48)
    gained = policy.judge(fresh).expected_profit_gbp - blind.judge(fresh).expected_profit_gbp
    assert gained > 10.0
    learned = Forecast.learned(problem, LAG_PERIODS)
    assert learned.persistence == pytest.approx(0.9, abs=0.05)
    assert learned.spread_gbp_mwh.mean() == pytest.approx(2.0, abs=4.0)


@pytest.mark.parametrize("responsive", [False, True])
def test_physics_holds_and_every_broken_promise_is_stored(responsive: bool) -> None:
    battery = replace(BATTERY, max_cycles_per_day=0.8, auxiliary_mw=0.05 if responsive else 0.0)
    make = with_response if responsive else coupled
    problem, fresh = make(10, closing=CALM, battery=battery), make(15, seed=6, closing=CALM, battery=battery)
    found = optimise_plan(problem, RiskAversion(0.5), exclusive=False)
    judged = Policy(problem, found).judge(fresh)
    carried = replace(found, recourse=judged.recourse)
    assert violations(fresh, carried) == []
    assert max(promises_broken(fresh, carried).values()) <= 2e-6
    spent = judged.of("discharge_mwh").sum(axis=1)
    beyond = judged.of("cycles_beyond_mwh").sum(axis=1) if responsive else 0.0
    assert (spent <= 80.0 + beyond + 1e-6).all()


def test_profit_is_cash_after_wear_with_the_closing_energy_and_no_penalties() -> None:
    problem, fresh = correlated(20, 7), correlated(9, 8)
    found = optimise_plan(problem, exclusive=False)
    judged = Policy(problem, found).judge(fresh, confidence=0.7)
    planned = 0.5 * found.plan[fresh.product_index]
    cash = (planned * fresh.day_ahead_price_gbp_mwh + (net(judged) - planned) * fresh.system_price_gbp_mwh).sum(axis=1)
    cash -= 3.0 * (judged.of("charge_mwh") + judged.of("discharge_mwh")).sum(axis=1)
    np.testing.assert_allclose(judged.profit_gbp, cash + 40.0 * judged.of("energy_mwh")[:, -1], rtol=1e-9)
    np.testing.assert_allclose(judged.loss_gbp, -judged.profit_gbp, rtol=1e-9)  # all of the horizon is committed
    assert judged.cvar_gbp == pytest.approx(np.sort(judged.loss_gbp)[::-1][:3] @ [1, 1, 0.7] / 2.7)


def test_every_point_of_a_frontier_is_judged_on_fresh_scenarios() -> None:
    problem, fresh = correlated(20, 9), correlated(50, 10)
    points = frontier(problem, (0.0, 0.5, 1.0), confidence=0.8)
    judged = judge_frontier(problem, points, fresh, confidence=0.8)
    assert len(judged) == 3
    for point, one in zip(points, judged, strict=True):
        assert one.expected_profit_gbp < point.expected_profit_gbp  # recourse that sees its path flatters
        assert one.profit_gbp.shape == (50,)


def test_what_the_policy_cannot_do_is_refused() -> None:
    problem = coupled(2, periods=8, battery=replace(BATTERY, ramp_limit_mw_per_hour=40.0))
    with pytest.raises(UserInputError, match="neither a ramp limit nor costs by depth"):
        Policy(problem, optimise_plan(problem))
    plain = coupled(2, periods=8)
    with pytest.raises(UserInputError, match="would see the future"):
        Policy(plain, optimise_plan(plain), lag_periods=0)
