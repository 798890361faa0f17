"""Problems whose answer is known from elsewhere: perfect foresight, the two-market model, no within-day trade."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from stochastic_problems import BATTERY, coupled, price_paths, with_response

from bess_pipeline.errors import BessError, SolverError, UserInputError
from bess_pipeline.optimisation.energy import optimise_energy
from bess_pipeline.optimisation.problem import ClosingState
from bess_pipeline.optimisation.stochastic import solve as solve_module
from bess_pipeline.optimisation.stochastic.problem import StochasticProblem
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion
from bess_pipeline.optimisation.stochastic.solve import VAR_NOTE, optimise_plan

TWO_DAYS = {"periods": 96, "committed_periods": 48}


@pytest.mark.parametrize("shift", [0.0, -75.0])
@pytest.mark.parametrize(
    "limits", [{}, {"max_cycles_per_day": 1.0, "ramp_limit_mw_per_hour": 60.0}], ids=["plain", "linked"]
)
def test_one_scenario_that_is_the_outcome_earns_what_perfect_foresight_earns(shift: float, limits: dict) -> None:
    battery = replace(BATTERY, **limits)
    given = {"closing": ClosingState.at_least(40.0, 30.0), "battery": battery}
    problem = coupled(1, **TWO_DAYS, **given, cap_mw=0.0)
    paths = problem.day_ahead_price_gbp_mwh + shift
    problem = replace(problem, day_ahead_price_gbp_mwh=paths, product_of_period=np.arange(96))
    expected = optimise_energy(replace(problem.energy, price_gbp_mwh=paths[0]))
    found = optimise_plan(problem)
    assert found.objective_gbp == pytest.approx(expected.objective_gbp, rel=1e-6)
    # without a product, dispatch itself is sold at the scenario's price
    alone = optimise_plan(replace(problem, product_of_period=np.full(96, -1), imbalance_limit_mw=25.0))
    assert alone.objective_gbp == pytest.approx(expected.objective_gbp, rel=1e-6)
    if not limits and not shift:
        inner = optimise_plan(replace(problem, product_of_period=np.full(96, -1)), method="decomposition")
        assert inner.objective_gbp == pytest.approx(expected.objective_gbp, rel=2e-6)


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_a_response_cap_of_zero_is_the_two_market_model(weight: float) -> None:
    given = {"closing": ClosingState.at_least(40.0, 30.0), "seed": 3}
    none = with_response(5, response_cap_mw=np.zeros((2, 6)), **given)
    risk = RiskAversion(weight, 0.8)
    expected = optimise_plan(coupled(5, **given), risk).objective_gbp
    assert optimise_plan(none, risk).objective_gbp == pytest.approx(expected, rel=1e-6)
    assert optimise_plan(none, risk, method="decomposition").objective_gbp == pytest.approx(expected, rel=2e-6)
    assert optimise_plan(with_response(5, **given), risk).objective_gbp > expected + 1.0


@pytest.mark.parametrize("method", ["extensive", "decomposition"])
def test_without_within_day_trade_and_activation_contracted_is_dispatched(method: str) -> None:
    problem = with_response(4, activation_mwh_per_mw=np.zeros((4, 48, 2)), cap_mw=0.0)
    found = optimise_plan(problem, RiskAversion(0.5, 0.8), method=method, gap=1e-8)  # type: ignore[arg-type]
    contracted = 0.5 * problem.split_plan(found.plan)[0][problem.product_index]
    dispatched = found.of("discharge_mwh") - found.of("charge_mwh")
    np.testing.assert_allclose(dispatched, np.broadcast_to(contracted, dispatched.shape), atol=1e-6)
    assert np.abs(contracted).max() > 1.0


def test_with_within_day_trade_dispatch_leaves_the_plan() -> None:
    """The control of the test above."""
    problem = coupled(4)
    found = optimise_plan(problem, RiskAversion(0.5, 0.8))
    apart = found.of("discharge_mwh") - found.of("charge_mwh") - 0.5 * found.plan[problem.product_index]
    assert np.abs(apart).max() == pytest.approx(12.5)


def spike(paths: np.ndarray) -> np.ndarray:
    paths = paths.copy()
    paths[:, 30] = 6000.0
    return paths


PATHOLOGIES = {
    "all equal": lambda paths: np.full_like(paths, 42.0),
    "all zero": np.zeros_like,
    "all negative": lambda paths: -np.abs(paths) - 5.0,
    "one spike": spike,
}


@pytest.mark.parametrize("method", ["auto", "decomposition"])
@pytest.mark.parametrize("name", PATHOLOGIES)
def test_pathological_prices_give_a_defined_plan(name: str, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solve_module, "DIRECTIONS_LIMIT_S", 1.0)
    day_ahead, system = (PATHOLOGIES[name](paths) for paths in price_paths(4))
    problem = with_response(
        4, day_ahead_price_gbp_mwh=day_ahead, system_price_gbp_mwh=system, closing=ClosingState.at_least(40.0, 30.0)
    )
    found = optimise_plan(problem, RiskAversion(0.5, 0.8), method=method)  # type: ignore[arg-type]
    assert np.isfinite(found.plan).all()
    assert np.minimum(found.of("charge_mwh"), found.of("discharge_mwh")).max() <= 1e-6
    assert found.objective_gbp <= found.bound_gbp + 1e-6 * abs(found.bound_gbp)
    assert found.gap < (0.2 if name == "all negative" else 1e-4)


def test_equal_prices_leave_nothing_to_trade() -> None:
    flat = np.full((3, 48), 42.0)
    found = optimise_plan(coupled(3, day_ahead_price_gbp_mwh=flat, system_price_gbp_mwh=flat))
    assert found.objective_gbp == pytest.approx(0.0, abs=1e-6)
    assert (found.of("charge_mwh") + found.of("discharge_mwh")).max() <= 1e-6


def test_response_at_a_negative_price_is_left_and_at_a_high_one_taken() -> None:
    paid = np.full((3, 2, 6), -50.0)
    paid[:, 0] = 40.0
    problem = with_response(3, response_price_gbp_mw_h=paid)
    response = problem.split_plan(optimise_plan(problem).plan)[1]
    assert response[1] == pytest.approx(0.0, abs=1e-7)
    assert response[0] == pytest.approx(20.0, abs=1e-6)


def test_a_product_that_is_absent_changes_nothing_of_the_others() -> None:
    both = with_response(3, response_cap_mw=np.array([[20.0] * 6, [0.0] * 6]))
    one = with_response(
        3,
        responses=both.responses[:1],
        response_price_gbp_mw_h=np.asarray(both.response_price_gbp_mw_h)[:, :1],
        response_cap_mw=np.full((1, 6), 20.0),
        activation_mwh_per_mw=np.asarray(both.activation_mwh_per_mw)[:, :, :1],
        required_mwh_per_mw=np.asarray(both.required_mwh_per_mw)[:, :, :1],
    )
    assert optimise_plan(one).objective_gbp == pytest.approx(optimise_plan(both).objective_gbp, rel=1e-7)


@pytest.mark.parametrize("periods", [46, 50])
def test_days_of_a_clock_change(periods: int) -> None:
    found = optimise_plan(with_response(3, periods=periods), RiskAversion(0.3, 0.8))
    assert found.recourse.shape[0] == 3
    assert found.of("energy_mwh").shape == (3, periods)
    assert found.gap <= 1e-6


def test_a_closing_state_out_of_reach_is_refused_in_one_sentence() -> None:
    tiny = replace(BATTERY, power_mw=1.0)
    with pytest.raises(SolverError, match="cannot be reached") as caught:
        optimise_plan(coupled(2, periods=4, battery=tiny, closing=ClosingState.fixed(90.0)))
    assert str(caught.value).count(". ") == 0


WRONG = {
    "not finite": ({"day_ahead_price_gbp_mwh": np.full((2, 48), np.nan)}, "day-ahead price at"),
    "shape": ({"system_price_gbp_mwh": np.zeros((2, 47))}, "system prices have the shape"),
    "probability": ({"probability": np.array([0.7, 0.7])}, "probabilities"),
    "committed": ({"committed_periods": 49}, "committed periods"),
    "limit": ({"cap_mw": -1.0}, "imbalance limit"),
    "penalty": ({"penalty_gbp_mwh": 0.0}, "penalty"),
    "fixed": ({"day_ahead_fixed_mw": np.zeros(3)}, "day_ahead_fixed_mw has the shape"),
    "opening": ({"opening_energy_mwh": np.array([50.0, 500.0])}, "opening state"),
    "response": ({"response_cap_mw": np.full((2, 6), -1.0)}, "response_cap_mw must be 0 or more"),
    "activation": ({"activation_mwh_per_mw": np.zeros((2, 7, 2))}, "activation_mwh_per_mw has the shape"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_used_is_refused_in_one_sentence(name: str) -> None:
    change, says = WRONG[name]
    make = with_response if name in ("response", "activation") else coupled
    with pytest.raises(UserInputError, match=says):
        make(2, **change)  # type: ignore[operator]


def test_limits_of_risk() -> None:
    problem, neutral = coupled(12, periods=24), RiskAversion(0.0, 0.8)
    free = optimise_plan(problem, neutral, exclusive=False)
    least = optimise_plan(problem, RiskAversion(1.0, 0.8), exclusive=False)
    limit = (free.cvar_gbp + least.cvar_gbp) / 2
    kept = optimise_plan(problem, neutral, cvar_limit_gbp=limit, exclusive=False)
    assert kept.cvar_gbp <= limit + 1e-6
    assert least.expected_profit_gbp - 1e-6 <= kept.expected_profit_gbp <= free.expected_profit_gbp + 1e-6
    expected = _best_within(problem, limit)
    assert kept.objective_gbp == pytest.approx(expected, rel=1e-6)
    assert kept.bound_gbp >= expected - 1e-6 * abs(expected)
    by_var = optimise_plan(problem, neutral, var_limit_gbp=limit)
    assert by_var.value_at_risk_gbp <= by_var.cvar_gbp <= limit + 1e-3
    assert VAR_NOTE in by_var.notes
    assert optimise_plan(problem, neutral, cvar_limit_gbp=free.cvar_gbp + 1.0, exclusive=False).objective_gbp == (
        pytest.approx(free.objective_gbp)
    )
    with pytest.raises(BessError, match="no plan keeps the CVaR within"):
        optimise_plan(problem, neutral, cvar_limit_gbp=least.cvar_gbp - 100.0)


def _best_within(problem: StochasticProblem, limit_gbp: float) -> float:
    """Most mean profit with CVaR at most the limit, by Lagrangian duality over the independent formulation."""
    from scipy.optimize import minimize_scalar
    from stochastic_oracle import best_objective

    def dual(weight: float) -> float:
        return best_objective(problem, weight, 0.8)[0] / (1 - weight) + weight / (1 - weight) * limit_gbp

    return float(minimize_scalar(dual, bounds=(0.0, 0.98), method="bounded", options={"xatol": 1e-7}).fun)
