"""Bid curves of price-quantity steps against an independent form of sales and purchases, and against one volume."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stochastic_oracle import Rows, best_objective
from stochastic_problems import coupled, price_paths, problems, with_response

from bess_pipeline.errors import UserInputError
from bess_pipeline.optimisation.problem import ClosingState
from bess_pipeline.optimisation.stochastic.problem import PlanRows, StochasticProblem
from bess_pipeline.optimisation.stochastic.programme import compile_programme
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion
from bess_pipeline.optimisation.stochastic.solve import optimise_plan
from bess_pipeline.optimisation.stochastic.steps import (
    StepPlan,
    optimise_steps,
    price_levels,
    product_prices,
    step_columns,
    stepped_programme,
)
from bess_pipeline.optimisation.stochastic.structure import structure_of


def apart(scenarios: int, periods: int = 16, seed: int = 5) -> np.ndarray:
    """Hourly prices (N, T) that tell scenarios apart: what is the best hour differs between them."""
    rng = np.random.default_rng(seed)
    change = 40 * rng.standard_normal((scenarios, periods // 2)).repeat(2, axis=1)
    return np.asarray(price_paths(scenarios, periods, seed)[0] + change)


TIGHT = {"cap_mw": 1.0, "periods": 16}
CASES: dict[str, StochasticProblem] = {
    "ten scenarios": coupled(10, **TIGHT, day_ahead_price_gbp_mwh=apart(10)),
    "no imbalance": coupled(5, cap_mw=0.0, periods=16, day_ahead_price_gbp_mwh=apart(5)),
    "response": with_response(4, **TIGHT, day_ahead_price_gbp_mwh=apart(4)),
    "two days": with_response(
        3,
        periods=32,
        committed_periods=16,
        cap_mw=1.0,
        closing=ClosingState.at_least(40.0, 30.0),
        day_ahead_price_gbp_mwh=apart(3, 32),
    ),
    "negative prices": coupled(6, **TIGHT, day_ahead_price_gbp_mwh=apart(6) - 90),
}


class SalesAndPurchases:
    """Steps written the other way: sales accepted at a level and above, purchases at it and below, one of each at any
    price; their sums within the rating."""

    def __init__(self, problem: StochasticProblem, levels: np.ndarray) -> None:
        self._problem, self._levels = problem, [[-np.inf, *row[~np.isnan(row)], np.inf] for row in levels]
        self._columns: list[list[tuple[int, float, float]]] = []

    def __call__(self, rows: Rows, n: int, day_ahead: list[int]) -> list[int]:
        if not self._columns:
            self._columns = [self._offer(rows, p, low=rows.low[c], high=rows.high[c]) for p, c in enumerate(day_ahead)]
        seen = []
        for p, offered in enumerate(self._columns):
            price = self._problem.day_ahead_price_gbp_mwh[n, np.flatnonzero(self._problem.product_index == p)].mean()
            sold = rows.column(-np.inf, np.inf)
            accepted = [(column, -sign) for column, sign, level in offered if sign * (price - level) >= 0]
            rows.row([(sold, 1.0), *accepted], 0.0, 0.0)
            seen.append(sold)
        return seen

    def _offer(self, rows: Rows, p: int, *, low: float, high: float) -> list[tuple[int, float, float]]:
        sales = [(rows.column(), 1.0, level) for level in self._levels[p][:-1]]
        purchases = [(rows.column(), -1.0, level) for level in self._levels[p][1:]]
        rows.row([(column, 1.0) for column, _, _ in sales], -np.inf, high)
        rows.row([(column, 1.0) for column, _, _ in purchases], -np.inf, -low)
        return sales + purchases


@pytest.mark.parametrize("weight", [0.0, 0.35, 1.0])
@pytest.mark.parametrize("name", CASES)
def test_the_objective_is_that_of_sales_and_purchases_written_out(name: str, weight: float) -> None:
    problem, risk = CASES[name], RiskAversion(weight, 0.8)
    levels = price_levels(problem, 3)
    expected, _ = best_objective(problem, risk.weight, risk.confidence, contracted=SalesAndPurchases(problem, levels))
    found = optimise_steps(problem, levels, risk, method="extensive", exclusive=False).solution
    assert found.objective_gbp == pytest.approx(expected, rel=1e-6, abs=1e-5)
    assert found.bound_gbp == pytest.approx(expected, rel=1e-6, abs=1e-5)


def test_steps_gain_where_prices_tell_scenarios_apart() -> None:
    problem = CASES["no imbalance"]
    volume = optimise_plan(problem, exclusive=False).objective_gbp
    assert optimise_steps(problem, 3, exclusive=False).solution.objective_gbp > volume + 1.0


def test_steps_are_one_volume_where_no_scenario_differs() -> None:
    problem = CASES["no imbalance"].only(0)
    expected = optimise_plan(problem, exclusive=False).objective_gbp
    assert optimise_steps(problem, 3, exclusive=False).solution.objective_gbp == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_a_single_level_below_all_prices_is_one_volume(name: str) -> None:
    problem = CASES[name]
    levels = np.full((problem.products, 1), problem.day_ahead_price_gbp_mwh.min() - 1.0)
    expected = optimise_plan(problem, RiskAversion(0.35, 0.8), exclusive=False)
    found = optimise_steps(problem, levels, RiskAversion(0.35, 0.8), exclusive=False)
    assert found.solution.objective_gbp == pytest.approx(expected.objective_gbp, rel=1e-6)
    assert np.ptp(found.contracted_mw, axis=0).max() == 0.0


@settings(max_examples=12, deadline=None)
@given(problem=problems(), weight=st.sampled_from([0.0, 0.5]), count=st.integers(1, 3))
def test_steps_never_earn_less_than_one_volume_and_contract_what_the_curve_says(
    problem: StochasticProblem, weight: float, count: int
) -> None:
    risk = RiskAversion(weight, 0.8)
    volume = optimise_plan(problem, risk, method="extensive", exclusive=False).objective_gbp
    found = optimise_steps(problem, count, risk, method="extensive", exclusive=False)
    assert found.solution.objective_gbp >= volume - 1e-6 * max(1.0, abs(volume))
    _check_curve(problem, found)


def _check_curve(problem: StochasticProblem, found: StepPlan) -> None:
    """Offers, steps and volumes say the same; volumes rise with the price and keep the rating; no offer is against
    another one of its product."""
    prices, offers = product_prices(problem), found.offers
    np.testing.assert_allclose(offers.accepted_mw(prices), found.contracted_mw, rtol=0, atol=2e-6)
    plan = compile_programme(problem).plan
    assert (found.contracted_mw >= plan.lower[: problem.products] - 1e-6).all()
    assert (found.contracted_mw <= plan.upper[: problem.products] + 1e-6).all()
    for p in range(problem.products):
        order = np.argsort(prices[:, p], kind="stable")
        assert (np.diff(found.contracted_mw[order, p]) >= -1e-9).all()
        sale = offers.limit_price_gbp_mwh[(offers.product == p) & (offers.offered_mw > 0)]
        purchase = offers.limit_price_gbp_mwh[(offers.product == p) & (offers.offered_mw < 0)]
        assert not sale.size or not purchase.size or purchase.max() < sale.min()
    assert (np.abs(offers.offered_mw) > 0).all()


@pytest.mark.parametrize("method", ["decomposition", "multicut"])
def test_decompositions_reach_the_extensive_form_within_their_gap(method: Any) -> None:
    problem, risk = with_response(30, **TIGHT, day_ahead_price_gbp_mwh=apart(30)), RiskAversion(0.35, 0.8)
    expected = optimise_steps(problem, 4, risk, method="extensive", exclusive=False).solution.objective_gbp
    found = optimise_steps(problem, 4, risk, method=method, gap=1e-5, exclusive=False)
    assert found.solution.gap <= 1e-5
    assert found.solution.objective_gbp <= expected + 1e-6 * abs(expected)
    assert found.solution.bound_gbp >= expected - 1e-6 * abs(expected)
    _check_curve(problem, found)


def test_the_interior_point_takes_steps_itself() -> None:
    problem = coupled(30, periods=16)
    found = optimise_steps(problem, 4, method="decomposition", exclusive=False)
    assert found.solution.method == "interior_point"
    assert found.solution.gap <= 1e-6


def test_periods_see_the_same_steps_as_the_arrays() -> None:
    problem = with_response(5, **TIGHT)
    programme = stepped_programme(problem, step_columns(problem, price_levels(problem, 3)))
    structure = structure_of(programme)
    assert structure is not None
    row = next(one for one in structure.rows if one.name == "imbalance")
    rows, width = programme.row_upper.shape[1], programme.plan.lower.size
    for n in range(problem.scenarios):
        expected = programme.technology.of(n, rows, width).toarray()[programme.path.rows["imbalance"]]
        seen = np.zeros_like(expected)
        for j, value in row.plan.items():
            for t, column in enumerate(structure.plan_column[j]):
                if column >= 0:
                    seen[t, column] += np.broadcast_to(value, (problem.periods, problem.scenarios))[t, n]
        np.testing.assert_allclose(seen, expected)


def test_equal_prices_leave_one_volume_and_no_step() -> None:
    problem = coupled(4, **TIGHT, day_ahead_price_gbp_mwh=np.full((4, 16), 50.0))
    assert np.isnan(price_levels(problem, 4)).all()
    found = optimise_steps(problem, 4, exclusive=False)
    assert found.step_mw.size == 0
    assert set(found.offers.limit_price_gbp_mwh) <= {50.0}
    expected = optimise_plan(problem, exclusive=False).objective_gbp
    assert found.solution.objective_gbp == pytest.approx(expected, rel=1e-6)
    _check_curve(problem, found)


def test_a_level_that_is_a_scenario_price_is_reached_by_it() -> None:
    problem = coupled(6, **TIGHT)
    prices = product_prices(problem)
    levels = np.sort(prices, axis=0)[[2, 4]].T
    columns = step_columns(problem, levels)
    expected = [prices[:, p] >= level for p, level in zip(columns.product, columns.level_gbp_mwh, strict=True)]
    assert (columns.accepted == np.array(expected).T).all()
    assert (columns.accepted.sum(axis=0) == np.tile([4, 2], problem.products)).all()
    _check_curve(problem, optimise_steps(problem, levels, exclusive=False))


def test_levels_without_effect_make_no_column() -> None:
    problem = coupled(3, **TIGHT)
    low, high = np.sort(product_prices(problem), axis=0)[[0, 1]]
    same = np.column_stack([low - 5, (2 * low + high) / 3, (low + 2 * high) / 3, np.full_like(low, 1e4)])
    columns = step_columns(problem, same)
    assert (columns.product == np.arange(problem.products)).all()


def test_levels_are_weighted_quantiles_moved_between_prices() -> None:
    price = np.array([[10.0], [40.0], [20.0], [80.0]]).repeat(2, axis=1)
    problem = coupled(
        4,
        periods=2,
        day_ahead_price_gbp_mwh=price,
        system_price_gbp_mwh=price,
        probability=np.array([0.1, 0.2, 0.6, 0.1]),
    )
    # in order 10, 20, 40, 80 with 0.1, 0.7, 0.9, 1.0 in sum: 1/4 and 1/2 fall on 20, 3/4 on 40
    np.testing.assert_array_equal(price_levels(problem, 3), [[15.0, 30.0, np.nan]])


def test_given_volumes_stay_single_and_are_not_offered() -> None:
    fixed = np.full(8, np.nan)
    fixed[2] = 7.0
    problem = replace(coupled(5, **TIGHT), day_ahead_fixed_mw=fixed)
    found = optimise_steps(problem, 3, exclusive=False)
    np.testing.assert_allclose(found.contracted_mw[:, 2], 7.0)
    assert 2 not in found.offers.product
    assert set(found.offers.product) >= {0, 1}


def test_further_rules_on_volumes_hold_in_every_scenario() -> None:
    problem = CASES["ten scenarios"]
    matrix = np.zeros((1, 8))
    matrix[0, [3, 4, 5]] = 1.0
    free = optimise_steps(problem, 3, exclusive=False).contracted_mw @ matrix[0]
    limit = float(np.median(free)) - 5.0
    ruled = replace(problem, plan_rows=PlanRows(matrix, np.array([limit]), ("little",)))
    for method in ("extensive", "decomposition"):
        found = optimise_steps(ruled, 3, method=method, exclusive=False)
        assert (found.contracted_mw @ matrix[0]).max() == pytest.approx(limit, abs=1e-5)


def test_overlaps_are_undone_with_steps_too() -> None:
    problem = CASES["negative prices"]
    found = optimise_steps(problem, 3)
    both = np.minimum(found.solution.of("charge_mwh"), found.solution.of("discharge_mwh"))
    assert both.max() <= 1e-6
    _check_curve(problem, found)


@pytest.mark.parametrize(
    ("levels", "words"),
    [(0, "at least 1"), (np.zeros((3, 2)), "shape"), (np.full((8, 1), np.inf), "finite")],
)
def test_levels_that_cannot_be_used_are_refused(levels: Any, words: str) -> None:
    with pytest.raises(UserInputError, match=words):
        optimise_steps(coupled(2, **TIGHT), levels)
