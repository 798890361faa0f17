"""Energy and variogram scores against double loops and the library, and multivariate ranks."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import scoringrules
from scipy.stats import kstest

from bess_pipeline.scenarios import multivariate
from bess_pipeline.scenarios.multivariate import (
    Pairs,
    close_pairs,
    energy_score,
    path_ranks,
    pooled_levels,
    squared_distances,
    variogram_score,
)

RNG = np.random.default_rng(7)
X, Y = RNG.normal(size=(9, 5)) * 30.0, RNG.normal(size=5) * 30.0
W = RNG.dirichlet(np.ones(9))
ALIKE = np.full(9, 1.0 / 9)
ALL_PAIRS = Pairs(*np.triu_indices(5, 1), weight=np.full(10, 0.1))


def brute_energy(x: np.ndarray, y: np.ndarray, w: np.ndarray, same: float) -> float:
    """Double loop; `same` is what the second term is divided by."""
    to_y = sum(wi * np.linalg.norm(xi - y) for wi, xi in zip(w, x, strict=True))
    both = sum(w[i] * w[j] * np.linalg.norm(x[i] - x[j]) for i, j in product(range(len(w)), repeat=2))
    return float(to_y - both / same / 2.0)


def brute_variogram(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> float:
    terms = []
    for i in range(y.size):
        for j in range(i + 1, y.size):
            expected = sum(wk * abs(xk[i] - xk[j]) ** 0.5 for wk, xk in zip(w, x, strict=True))
            terms.append((expected - abs(y[i] - y[j]) ** 0.5) ** 2)
    return float(np.mean(terms))


def test_energy_score_is_the_double_loop() -> None:
    found = energy_score(squared_distances(X, Y), W)
    assert found == pytest.approx(brute_energy(X, Y, W, 1.0))
    assert found == pytest.approx(float(scoringrules.es_ensemble(Y, X, ens_w=W, backend="numpy")))
    assert energy_score(squared_distances(X, Y), ALIKE) == pytest.approx(brute_energy(X, Y, ALIKE, 8 / 9))
    assert energy_score(squared_distances(X, Y), ALIKE, fair=False) == pytest.approx(brute_energy(X, Y, ALIKE, 1.0))
    with pytest.raises(ValueError, match="equal probability"):
        energy_score(squared_distances(X, Y), W, fair=True)


def test_distances_over_more_dimensions_are_sums() -> None:
    total = multivariate.no_distances(9)
    total.add(squared_distances(X[:, :2], Y[:2]), 1.0)
    total.add(squared_distances(X[:, 2:], Y[2:]), 0.25)
    scale = np.array([1.0, 1.0, 0.5, 0.5, 0.5])
    whole = squared_distances(X * scale, Y * scale)
    assert total.between == pytest.approx(whole.between)
    assert total.to_outcome == pytest.approx(whole.to_outcome)


def test_distances_far_from_zero_do_not_cancel() -> None:
    near = squared_distances(1e6 + X, 1e6 + Y)
    assert near.between == pytest.approx(squared_distances(X, Y).between, rel=1e-6, abs=1e-6)


def test_variogram_score_is_the_double_loop() -> None:
    rows = np.ascontiguousarray(X.T)
    found = variogram_score(rows, Y, W, ALL_PAIRS)
    assert found == pytest.approx(brute_variogram(X, Y, W))
    library = scoringrules.vs_ensemble(Y, X, ens_w=W, p=0.5, backend="numpy")
    assert found == pytest.approx(float(library) / 20.0), "the library sums over ordered pairs"
    assert variogram_score(rows, Y, ALIKE, ALL_PAIRS, fair=False) == pytest.approx(brute_variogram(X, Y, ALIKE))


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.ascontiguousarray(X.T)
    whole = variogram_score(rows, Y, ALIKE, ALL_PAIRS)
    monkeypatch.setattr(multivariate, "_CHUNK_VALUES", 20)
    assert variogram_score(rows, Y, ALIKE, ALL_PAIRS) == pytest.approx(whole)


def test_fair_scores_of_small_samples_are_those_of_the_law_in_the_mean() -> None:
    """Mean over many samples of 4 of the fair score, beside a sample of 3,000 of the same law."""
    rng = np.random.default_rng(8)
    y, pairs = np.array([0.5, -1.0, 2.0]), Pairs(*np.triu_indices(3, 1), weight=np.full(3, 1 / 3))
    large, few, w = rng.normal(size=(3000, 3)), rng.normal(size=(2500, 4, 3)), np.full(4, 0.25)
    energy = [energy_score(squared_distances(x, y), w) for x in few]
    variogram = [variogram_score(np.ascontiguousarray(x.T), y, w, pairs) for x in few]
    wide = np.full(3000, 1 / 3000)
    assert np.mean(energy) == pytest.approx(energy_score(squared_distances(large, y), wide), abs=0.04)
    truth = variogram_score(np.ascontiguousarray(large.T), y, wide, pairs)
    assert np.mean(variogram) == pytest.approx(truth, abs=0.04)
    plain = [variogram_score(np.ascontiguousarray(x.T), y, w, pairs, fair=False) for x in few]
    assert np.mean(plain) > truth + 0.03


def test_close_pairs_weigh_by_their_gap_and_stop_at_the_limit() -> None:
    """A block 0 to 4 h, and half-hours at 3.5, 4, 5 and 6.6 h: gaps 0, 0, 1 and 2.6 h."""
    start, hours = np.array([0.0, 3.5, 4.0, 5.0, 6.6]), np.array([4.0, 0.5, 0.5, 0.5, 0.5])
    pairs = close_pairs(start, hours, np.array([0]), np.array([1, 2, 3, 4]))
    assert pairs is not None
    assert pairs.second.tolist() == [1, 2, 3]
    assert pairs.weight == pytest.approx(np.array([1.0, 1.0, 0.5]) / 2.5)
    within = close_pairs(start, hours, np.arange(1, 5), np.arange(1, 5))
    assert within is not None
    assert list(zip(within.first.tolist(), within.second.tolist(), strict=True)) == [(1, 2), (1, 3), (2, 3), (3, 4)]
    assert close_pairs(start, hours, np.array([0]), np.array([4])) is None


def test_many_pairs_are_thinned_evenly_and_always_to_the_same() -> None:
    start, hours = np.arange(0.0, 200.0, 0.5), np.full(400, 0.5)
    pairs = close_pairs(start, hours, np.arange(400), np.arange(400))
    again = close_pairs(start, hours, np.arange(400), np.arange(400))
    assert pairs is not None
    assert again is not None
    assert pairs.first.size == multivariate.MAX_PAIRS
    assert (pairs.first == again.first).all()
    per_quarter = np.bincount(pairs.first // 100)
    assert per_quarter.min() > 0.9 * per_quarter.max()


@pytest.mark.parametrize("tied", [False, True])
def test_path_ranks_are_uniform_for_paths_of_the_law(tied: bool) -> None:
    rng = np.random.default_rng(9)
    points = rng.normal(size=(1500, 12, 1)) + rng.normal(size=(1500, 12, 6))
    points = np.maximum(points, 0.0) if tied else points
    w = np.full(11, 1 / 11)
    ranks = np.array([path_ranks(pooled_levels(p[1:], p[0], w), w, rng) for p in points])
    assert kstest(ranks[:, 0], "uniform").pvalue > 0.01
    assert kstest(ranks[:, 1], "uniform").pvalue > 0.01


def test_path_ranks_see_bias_and_missing_dependence() -> None:
    """A shifted law fails by both ranks; without the outcome's dependence means are extreme: the average rank fails."""
    rng = np.random.default_rng(10)
    w = np.full(20, 1 / 20)
    shifted, loose = [], []
    for _ in range(300):
        truth, common = rng.normal() + rng.normal(size=8), rng.normal(size=(20, 1))
        together, apart = common + rng.normal(size=(20, 8)), np.sqrt(2.0) * rng.normal(size=(20, 8))
        shifted.append(path_ranks(pooled_levels(together - 1.0, truth, w), w, rng))
        loose.append(path_ranks(pooled_levels(apart, truth, w), w, rng))
    assert kstest(np.array(shifted)[:, 0], "uniform").pvalue < 1e-6
    assert kstest(np.array(shifted)[:, 1], "uniform").pvalue < 1e-6
    assert kstest(np.array(loose)[:, 0], "uniform").pvalue < 1e-6


def test_levels_of_a_sample_treat_the_outcome_as_one_of_it() -> None:
    level = pooled_levels(np.array([[1.0], [2.0], [2.0]]), np.array([2.0]), np.full(3, 1 / 3))
    assert level.ravel().tolist() == [0.625, 0.125, 0.625, 0.625]
