"""CRPS, intervals and ranks against closed forms, brute force and the library's other estimators."""

from __future__ import annotations

import numpy as np
import pytest
import scoringrules
from scipy.stats import kstest, norm

from bess_pipeline.forecasting.distribution import LEVELS
from bess_pipeline.scenarios.univariate import (
    crps,
    crps_of_quantiles,
    inside,
    levels_of,
    ordered,
    quantiles,
    rank,
)


def brute_crps(x: np.ndarray, y: float, w: np.ndarray) -> float:
    pairs = sum(w[i] * w[j] * abs(x[i] - x[j]) for i in range(x.size) for j in range(x.size))
    return float(sum(w * abs(x - y)) - pairs / 2.0)


def equal(count: int) -> np.ndarray:
    return np.full(count, 1.0 / count)


def test_crps_of_a_normal_sample_is_the_closed_form() -> None:
    """Quantiles of the normal law as scenarios: the closed form of Gneiting and Raftery to 1e-4."""
    mean, spread, y = np.array([0.0, 50.0]), np.array([1.0, 20.0]), np.array([0.7, 10.0])
    z = norm.ppf((np.arange(4000) + 0.5) / 4000)
    found = crps(ordered(mean + spread * z[:, None], equal(4000)), y)
    u = (y - mean) / spread
    exact = spread * (u * (2 * norm.cdf(u) - 1) + 2 * norm.pdf(u) - 1 / np.sqrt(np.pi))
    assert found == pytest.approx(exact, rel=1e-3)


def test_crps_weighted_is_brute_force_and_the_sum_of_repeated_scenarios() -> None:
    rng = np.random.default_rng(1)
    x, y, w = rng.normal(size=(7, 3)).round(1), rng.normal(size=3), rng.dirichlet(np.ones(7))
    found = crps(ordered(x, w), y)
    assert found == pytest.approx([brute_crps(x[:, k], y[k], w) for k in range(3)])
    times = np.array([1, 3, 2])
    repeated = crps(ordered(np.repeat(x[:3], times, axis=0), equal(6)), y, fair=False)
    assert crps(ordered(x[:3], times / 6), y) == pytest.approx(repeated)


def test_a_small_sample_scores_fairly_and_only_where_that_is_defined() -> None:
    """Mean over many samples of 3: the score of the law itself; without the correction it is higher."""
    rng = np.random.default_rng(2)
    draws, y = rng.normal(size=(3, 60_000)), rng.normal(size=60_000)
    law = 1 / np.sqrt(np.pi)  # E of the CRPS of N(0, 1) under itself
    assert crps(ordered(draws, equal(3)), y).mean() == pytest.approx(law, abs=0.01)
    assert crps(ordered(draws, equal(3)), y, fair=False).mean() > law + 0.1
    assert crps(ordered(draws, equal(3)), y)[:5] == pytest.approx(
        scoringrules.crps_ensemble(y[:5], draws.T[:5], estimator="fair", backend="numpy")
    )
    with pytest.raises(ValueError, match="two or more scenarios of equal probability"):
        crps(ordered(draws[:, :1], np.array([0.5, 0.3, 0.2])), y[:1], fair=True)


def test_one_scenario_scores_its_distance_and_a_missing_outcome_is_nan() -> None:
    found = crps(ordered(np.array([[5.0, -3.0]]), equal(1)), np.array([7.5, np.nan]))
    assert found[0] == 2.5
    assert np.isnan(found[1])


def test_crps_of_quantiles_is_that_of_a_large_sample_of_the_same_law() -> None:
    rng = np.random.default_rng(3)
    rows = np.sort(rng.normal(40.0, 30.0, size=(4, LEVELS.size)), axis=1)
    rows[2] = 12.0  # no spread: the distance
    rows[3, :20] = 0.0  # an atom at zero, as of activation
    rows[3, 20:] = np.abs(rows[3, 20:])
    rows[3].sort()
    level = (np.arange(20_000) + 0.5) / 20_000
    for y in (-200.0, 0.0, 12.0, 41.0, 400.0):
        sample = np.stack([np.interp(level, LEVELS, row) for row in rows], axis=1)
        expected = crps(ordered(sample, equal(level.size)), np.full(4, y), fair=False)
        assert crps_of_quantiles(rows, np.full(4, y)) == pytest.approx(expected, rel=2e-3, abs=2e-3)
    assert np.isnan(crps_of_quantiles(rows, np.array([1.0, np.nan, 1.0, 1.0]))).tolist() == [False, True, False, False]


def test_quantiles_are_the_lowest_scenario_that_reaches_the_level() -> None:
    x = np.array([[3.0], [1.0], [2.0], [4.0]])
    w = np.array([0.1, 0.4, 0.3, 0.2])
    assert quantiles(ordered(x, w), (0.05, 0.4, 0.41, 0.7, 0.8, 0.99)).ravel().tolist() == [1, 1, 2, 2, 3, 4]
    assert quantiles(ordered(x, equal(4)), (0.25, 0.5, 0.9)).ravel().tolist() == [1, 2, 4]


def test_inside_counts_the_ends_and_knows_no_missing_outcome() -> None:
    found = inside(np.array([0.0, 0.0, 0.0, 0.0]), np.array([0.0, 5.0, 5.0, 5.0]), np.array([0.0, 5.0, 5.1, np.nan]))
    assert found[:3].tolist() == [1.0, 1.0, 0.0]
    assert np.isnan(found[3])


def test_ranks_are_uniform_for_draws_of_the_law_ties_included_and_not_for_a_shifted_law() -> None:
    rng = np.random.default_rng(4)
    points = np.maximum(rng.normal(size=(10, 20_000)), 0.0)  # half of all values are tied at zero
    right = rank(points[1:], points[0], equal(9), np.random.default_rng(5))
    assert kstest(right, "uniform").pvalue > 0.01
    assert ((right > 0.0) & (right < 1.0)).all()
    wrong = rank(points[1:], points[0] + 0.2, equal(9), np.random.default_rng(5))
    assert kstest(wrong, "uniform").pvalue < 1e-6
    assert np.isnan(rank(points[1:, :1], np.array([np.nan]), equal(9), rng)).all()


def test_levels_of_weighted_scenarios_are_those_of_repeated_ones() -> None:
    x = np.array([[2.0], [1.0], [2.0], [5.0]])
    level = levels_of(x, np.array([0.25, 0.5, 0.125, 0.125]))
    assert level.ravel().tolist() == [0.6875, 0.25, 0.6875, 0.9375]
    repeated = levels_of(np.repeat(x, [2, 4, 1, 1], axis=0), equal(8))
    assert repeated[[0, 2, 6, 7]].ravel() == pytest.approx(level.ravel())
