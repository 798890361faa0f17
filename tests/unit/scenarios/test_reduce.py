"""Reduction against brute force, a linear programme and arithmetic by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations

import numpy as np
import pytest
from scenario_forecasts import (
    CLOCKS_BACK,
    CLOCKS_FORWARD,
    DAY_AHEAD,
    EIGHT,
    RESPONSE,
    SYSTEM_PRICE,
    WEDNESDAY,
    Array,
    Law,
    forecast_set,
)
from scipy.optimize import linprog
from scipy.stats import wasserstein_distance

from bess_pipeline.errors import ScenarioError
from bess_pipeline.forecasting import streams
from bess_pipeline.scenarios.dependence import Method
from bess_pipeline.scenarios.generate import generate
from bess_pipeline.scenarios.medoids import exchange, forward_selection
from bess_pipeline.scenarios.metric import coordinates, distances
from bess_pipeline.scenarios.moments import moment_weights, tail_mean
from bess_pipeline.scenarios.money import functionals
from bess_pipeline.scenarios.paths import ScenarioSet
from bess_pipeline.scenarios.reduce import reduce_scenarios
from bess_pipeline.scenarios.transport import transport_distance

THREE = [DAY_AHEAD, SYSTEM_PRICE, RESPONSE[0]]


def scenarios(count: int, seed: int = 1, chosen: list = EIGHT, method: Method = "schaake") -> ScenarioSet:
    return generate(forecast_set(chosen, Law().history(chosen, 60, seed)), count, method, seed)


def unequal(full: ScenarioSet, seed: int = 1) -> ScenarioSet:
    weight = np.random.default_rng(seed).exponential(size=full.probability.size)
    return replace(full, probability=weight / weight.sum())


def plain_transport(distance: Array, supply: Array, demand: Array) -> float:
    """The textbook linear programme over all arcs."""
    rows, columns = distance.shape
    balance = np.vstack([np.kron(np.eye(rows), np.ones(columns)), np.kron(np.ones(rows), np.eye(columns))])
    solved = linprog(distance.ravel(), A_eq=balance, b_eq=np.r_[supply, demand], method="highs-ipm")
    assert solved.status == 0
    return float(solved.fun)


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_a_small_set_is_reduced_as_well_as_can_be(k: int, seed: int) -> None:
    full = unequal(scenarios(12, seed, THREE), seed)
    reduction = reduce_scenarios(full, k, correct_means=False)
    gap = distances(coordinates(full))
    best = min(full.probability @ gap[:, list(some)].min(axis=1) for some in combinations(range(12), k))
    assert reduction.distance == pytest.approx(best, rel=0.02)  # an exchange search may end one exchange short
    if k == 1:
        assert reduction.distance == pytest.approx(best, rel=1e-12)
        assert reduction.relative_distance == pytest.approx(1.0)


def test_most_small_sets_are_reduced_exactly() -> None:
    exact = 0
    for seed in range(25):
        points = np.random.default_rng(seed).standard_normal((14, 3))
        gap, equal = distances(points), np.full(14, 1 / 14)
        found = exchange(gap, equal, forward_selection(gap, equal, 4))
        best = min(equal @ gap[:, list(some)].min(axis=1) for some in combinations(range(14), 4))
        exact += bool(equal @ gap[:, found].min(axis=1) <= best * (1 + 1e-12))
    assert exact >= 18


def test_forward_selection_is_greedy_and_exchanges_leave_nothing_to_exchange() -> None:
    points = np.random.default_rng(8).standard_normal((60, 4))
    gap, weight = distances(points), np.random.default_rng(9).dirichlet(np.ones(60))
    chosen: list[int] = []
    for _ in range(7):
        costs = {
            j: weight @ gap[:, [*chosen, j]].min(axis=1) for j in range(60) if j not in chosen
        }  # every addition tried
        chosen.append(min(costs, key=lambda j: costs[j]))
    start = forward_selection(gap, weight, 7)
    assert start.tolist() == chosen
    found = exchange(gap, weight, start)
    reached = weight @ gap[:, found].min(axis=1)
    assert reached <= weight @ gap[:, start].min(axis=1)
    for place in range(7):
        for other in set(range(60)) - set(found):
            tried = found.copy()
            tried[place] = other
            assert weight @ gap[:, tried].min(axis=1) >= reached * (1 - 1e-8)


@pytest.mark.parametrize("correct_means", [False, True])
def test_the_distance_is_that_of_the_transport_problem(correct_means: bool) -> None:
    full = unequal(scenarios(60, 3))
    reduction = reduce_scenarios(full, 9, correct_means=correct_means)
    gap = distances(coordinates(full))[:, reduction.chosen]
    programme = plain_transport(gap, full.probability, reduction.scenarios.probability)
    assert reduction.distance == pytest.approx(programme, rel=1e-7)
    nearest = full.probability @ gap.min(axis=1)
    assert reduction.distance >= nearest * (1 - 1e-9)
    assert (reduction.distance == pytest.approx(nearest, rel=1e-9)) != correct_means


@pytest.mark.parametrize("seed", range(5))
def test_transport_between_any_weights(seed: int) -> None:
    rng = np.random.default_rng(seed)
    gap = rng.exponential(size=(30, 8))
    supply, demand = rng.dirichlet(np.ones(30) * 0.3), rng.dirichlet(np.ones(8) * 0.3)
    assert transport_distance(gap, supply, demand) == pytest.approx(plain_transport(gap, supply, demand), rel=1e-6)


def test_weights_may_differ_by_any_factor() -> None:
    """Weights of a heavy tail, the least 1e-9 of the greatest: against the area between two distribution functions."""
    rng = np.random.default_rng(0)
    points = np.sort(rng.standard_normal(200))
    full = replace(scenarios(200, 1, [SYSTEM_PRICE]), probability=(raw := rng.pareto(0.5, 200) + 1e-9) / raw.sum())
    assert reduce_scenarios(full, 10).distance > 0
    demand = np.where(np.arange(200) % 10 == 0, full.probability, 0.0)[::10]
    gap = np.abs(points[:, None] - points[None, ::10])
    found = transport_distance(gap, full.probability, demand / demand.sum())
    exact = wasserstein_distance(points, points[::10], full.probability, demand / demand.sum())
    assert found == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize("k", [20, 99])
def test_all_scenarios_kept_lose_nothing(k: int) -> None:
    full = unequal(scenarios(20))
    reduction = reduce_scenarios(full, k)
    assert reduction.distance == 0
    assert reduction.relative_distance == 0
    assert (reduction.scenarios.probability == full.probability).all()
    assert all((reduction.scenarios.value[name] == full.value[name]).all() for name in full.value)
    assert all(moment.kept for moment in reduction.moments)
    assert reduction.scenarios.notes == full.notes


def test_rows_probabilities_and_means() -> None:
    full = scenarios(1000, 2, method="copula")
    plain, corrected = (reduce_scenarios(full, 50, correct_means=correct) for correct in (False, True))
    assert (np.diff(plain.chosen) > 0).all()
    assert (plain.nearest[plain.chosen] == np.arange(50)).all()
    assert plain.scenarios.probability == pytest.approx(np.bincount(plain.nearest, minlength=50) / 1000)
    for reduction in (plain, corrected):
        assert (reduction.scenarios.value["day_ahead"] == full.value["day_ahead"][reduction.chosen]).all()
        assert reduction.scenarios.probability.sum() == pytest.approx(1.0)

    def worst(reduction) -> float:
        return max(abs(one.full - one.reduced) / one.tolerance for one in reduction.moments if "mean of" in one.name)

    assert worst(corrected) < 0.3 < worst(plain)
    assert all(moment.kept for moment in corrected.moments)
    assert corrected.scenarios.notes == full.notes
    assert corrected.distance < plain.distance * 1.1


def test_what_is_lost_is_named() -> None:
    reduction = reduce_scenarios(scenarios(300, 2), 2)
    lost = [moment.name for moment in reduction.moments if not moment.kept]
    assert len(lost) > 3
    assert reduction.scenarios.notes == (
        f"2 scenarios are not within tolerance of the full set in {', '.join(lost[:3])} and {len(lost) - 3} more",
    )


def test_moments_are_those_of_the_sets() -> None:
    full = unequal(scenarios(200, 4, THREE))
    reduction = reduce_scenarios(full, 20)
    kept = {moment.name: moment for moment in reduction.moments}
    first = full.value["day_ahead"][:, :24].mean(axis=1)
    assert kept["mean of day_ahead mean"].full == pytest.approx(full.probability @ first)
    assert kept["mean of day_ahead mean"].reduced == pytest.approx(
        reduction.scenarios.probability @ first[reduction.chosen]
    )
    other = full.value["system_price"][:, :48].mean(axis=1)
    expected = np.cov(first, other, aweights=full.probability, ddof=0)
    assert kept["correlation of day_ahead and system_price"].full == pytest.approx(
        expected[0, 1] / np.sqrt(expected[0, 0] * expected[1, 1])
    )


def test_no_scenario_loses_all_its_weight_to_correct_means() -> None:
    """Both kept lie far above the mean, one much further: all that can be done is to keep to the nearer one."""
    full = scenarios(1000, 1, [SYSTEM_PRICE])
    far = np.zeros(1000)
    far[2:] = -1000.0 * (np.arange(998) % 2)
    far[:2] = 30_000.0, 60_000.0
    full = replace(full, value={"system_price": np.repeat(far[:, None], 96, axis=1)})
    weight = moment_weights(full, np.array([0, 1]), np.array([0.5, 0.5]))
    assert 0 < weight[1] < 1e-100


def test_a_tail_mean_splits_the_atom_on_its_border() -> None:
    """CVaR of ten profits by hand: the worst is a loss of 20, the next 6, then 2."""
    losses = -np.array([10, 8, 5, 3, -2, -6, -20, 12, 7, 1], dtype=float)
    equal = np.full(10, 0.1)
    assert [tail_mean(losses, equal, tail) for tail in (0.1, 0.15, 0.25)] == pytest.approx([20.0, 46 / 3, 10.8])


@pytest.mark.parametrize(("day", "hours"), [(CLOCKS_FORWARD, 23), (CLOCKS_BACK, 25), (WEDNESDAY, 24)])
def test_money_by_hand(day, hours: int) -> None:
    """Hourly prices 1 … n on the day and absurd ones after it; response at 2 GBP/MW/h for every hour of the day."""
    chosen = [DAY_AHEAD, SYSTEM_PRICE, *RESPONSE[:2]]
    made = generate(forecast_set(chosen, Law().history(chosen, 40, 1, day), day), 1, "copula", 1)
    value = {name: np.full_like(values, 1e6) for name, values in made.value.items()}
    value["day_ahead"][0, :hours] = np.arange(1, hours + 1)
    value["system_price"][0, : 2 * hours] = 3.0
    for name in ("response_DCH", "response_DCL"):
        value[name][0, :6] = 2.0
    found = {name: values[0] for name, values in functionals(replace(made, value=value)).items()}
    assert found == pytest.approx(
        {
            "daily spread, GBP/MWh": hours - 2,
            "day-ahead less system price, GBP/MWh": (hours + 1) / 2 - 3,
            "response revenue, GBP/MW": 2 * hours,
        }
    )


def test_half_hourly_day_ahead_has_the_same_spread_and_a_missing_market_no_functional() -> None:
    stream = streams.day_ahead(30)
    starts = streams.horizon_starts("half_hour", [WEDNESDAY])
    opens, path = datetime(2026, 2, 10, tzinfo=UTC), np.repeat(np.arange(24.0), 2)[None]
    made = ScenarioSet(
        efa_date=WEDNESDAY, gate="day_ahead", gate_utc=opens, method="copula", seed=1, probability=np.ones(1),
        streams={"day_ahead": stream}, start_utc={"day_ahead": starts}, value={"day_ahead": path},
    )  # fmt: skip
    assert {name: values[0] for name, values in functionals(made).items()} == {"daily spread, GBP/MWh": 22.0}
    assert reduce_scenarios(made, 1).distance == 0


def test_the_metric_counts_streams_by_their_weight_whatever_their_unit() -> None:
    full = scenarios(100, 1, [RESPONSE[0], RESPONSE[1], SYSTEM_PRICE])
    dearer = replace(full, value={**full.value, "system_price": full.value["system_price"] * 1000 + 5})
    assert coordinates(dearer) == pytest.approx(coordinates(full))
    square = distances(coordinates(full)) ** 2 / 2  # mean over pairs: the sum of all variances
    assert square.mean() == pytest.approx(1.0 + 1.0 + 2.0)  # system price, both products, response revenue
    heavier = coordinates(full, {"system_price": 5.0})
    assert (distances(heavier) ** 2 / 2).mean() == pytest.approx(5.0 + 1.0 + 2.0)


def test_equal_scenarios_and_streams_without_variance() -> None:
    full = scenarios(30, 1, THREE)
    rows = np.arange(30) % 3
    repeated = replace(full, value={name: values[rows] for name, values in full.value.items()})
    reduction = reduce_scenarios(repeated, 3)
    assert reduction.distance == pytest.approx(0.0, abs=1e-9)
    assert reduction.scenarios.probability == pytest.approx(1 / 3)
    assert reduce_scenarios(repeated, 10).scenarios.probability.sum() == pytest.approx(1.0)
    still = replace(full, value={name: np.full_like(values, 7.0) for name, values in full.value.items()})
    assert reduce_scenarios(still, 4).distance == 0


def test_a_number_below_one_is_refused() -> None:
    with pytest.raises(ScenarioError, match="cannot be reduced to 0 scenarios: ask for 1 or more"):
        reduce_scenarios(scenarios(5), 0)
