"""Scores of many periods together: energy score, variogram score, multivariate ranks.

What belongs here: pure functions of arrays. What does not: which streams and periods are joined (`scores.py`) and on
what scale (`yardstick.py`).

Arrays: scenarios (N, dimensions) with probability (N,) of sum 1, outcome (dimensions,); no NaN anywhere, the caller
leaves out dimensions whose outcome is missing.

Gneiting et al. (2008), Assessing Probabilistic Forecasts of Multivariate Quantities; Scheuerer and Hamill (2015),
Variogram-Based Proper Scoring Rules; Thorarinsdottir, Scheuerer and Heinz (2016), Assessing the Calibration of
High-Dimensional Ensemble Forecasts Using Rank Histograms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bess_pipeline.scenarios.univariate import fair_applies, is_sample, levels_of, spread_rank

Array = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

VARIOGRAM_ORDER = 0.5
MAX_GAP_H = 2.0  # pairs of periods further apart say little of dependence and much noise
MAX_PAIRS = 600  # of one pair of streams; more are thinned evenly
_ROUNDING = 1e-12  # levels closer than this are equal but for rounding
_CHUNK_VALUES = 400_000  # pairs x scenarios handled at once: fits a processor's cache


@dataclass(frozen=True)
class Distances:
    """Squared Euclidean distances: between (N, N) scenarios, and of each (N,) from the outcome."""

    between: Array
    to_outcome: Array

    def add(self, other: Distances, factor: float) -> None:
        """Add `factor` times the distances over other dimensions."""
        np.add(self.between, other.between * factor, out=self.between)
        np.add(self.to_outcome, other.to_outcome * factor, out=self.to_outcome)


def no_distances(count: int) -> Distances:
    """Distances of `count` scenarios over no dimension."""
    return Distances(np.zeros((count, count)), np.zeros(count))


def squared_distances(scenarios: Array, outcome: Array) -> Distances:
    """Distances by one matrix product: |a - b|^2 = |a|^2 + |b|^2 - 2 a b, with the mean taken off before."""
    away = scenarios - scenarios.mean(axis=0)
    size = np.einsum("nd,nd->n", away, away)
    between = away @ away.T
    between *= -2.0
    between += size[:, None]
    between += size[None, :]
    np.maximum(between, 0.0, out=between)
    np.fill_diagonal(between, 0.0)
    return Distances(between, ((scenarios - outcome) ** 2).sum(axis=1))


def energy_score(distances: Distances, probability: Array, fair: bool | None = None) -> float:
    """E||X - y|| - E||X - X'|| / 2 for squared distances from `squared_distances`; smaller is better.

    `fair` as in `univariate.crps`: pairs of different scenarios only, by default where all count alike.
    """
    between = float(probability @ np.sqrt(distances.between) @ probability)
    if fair_applies(is_sample(probability), probability.size, fair):
        between /= 1.0 - 1.0 / probability.size
    return float(probability @ np.sqrt(distances.to_outcome)) - between / 2.0


@dataclass(frozen=True)
class Pairs:
    """Pairs of dimensions (pairs,), (pairs,) with their weights, of sum 1."""

    first: Places
    second: Places
    weight: Array


def close_pairs(start_h: Array, hours: Array, left: Places, right: Places) -> Pairs | None:
    """Pairs of a dimension of `left` with one of `right` whose periods are at most MAX_GAP_H apart; None without any.

    start_h, hours (dimensions,): starts and lengths of their periods. The gap runs from the end of the earlier period
    to the start of the later, 0 where they touch or overlap; the weight falls as 1 / (1 + gap in hours), as Scheuerer
    and Hamill suggest, because distant pairs add noise. Of more than MAX_PAIRS an even choice by order is kept: it
    depends on the periods alone, so every forecast is scored on the same pairs and the score stays proper.
    """
    earlier_end = np.minimum((start_h + hours)[left][:, None], (start_h + hours)[right][None, :])
    later_start = np.maximum(start_h[left][:, None], start_h[right][None, :])
    gap = np.maximum(later_start - earlier_end, 0.0)
    chosen = gap <= MAX_GAP_H
    if np.array_equal(left, right):
        chosen &= np.triu(np.ones_like(chosen), 1)
    a, b = np.nonzero(chosen)
    if a.size == 0:
        return None
    kept = np.unique(np.linspace(0, a.size - 1, min(a.size, MAX_PAIRS)).astype(np.int64))
    a, b = a[kept], b[kept]
    weight = 1.0 / (1.0 + gap[a, b])
    return Pairs(left[a], right[b], weight / weight.sum())


def variogram_score(
    by_dimension: Array, outcome: Array, probability: Array, pairs: Pairs, fair: bool | None = None
) -> float:
    """Weighted mean over pairs (i, j) of (E|X_i - X_j|^p - |y_i - y_j|^p)^2, p = VARIOGRAM_ORDER; smaller is better.

    by_dimension (dimensions, N): scenarios with a row per dimension. `fair` (None: where all scenarios count alike)
    takes off the variance that a mean over N scenarios adds to the square; single scores may then fall below 0.
    """
    corrected = fair_applies(is_sample(probability), probability.size, fair)
    came = np.abs(outcome[pairs.first] - outcome[pairs.second]) ** VARIOGRAM_ORDER
    step = max(1, _CHUNK_VALUES // probability.size)
    score = 0.0
    for start in range(0, came.size, step):
        part = slice(start, start + step)
        distance = np.abs(by_dimension[pairs.first[part]] - by_dimension[pairs.second[part]])
        square = distance @ probability  # of the root, since p = 1/2
        expected = np.sqrt(distance, out=distance) @ probability
        term = (expected - came[part]) ** 2
        if corrected:
            term = term - (square - expected**2) / (probability.size - 1)
        score += float(pairs.weight[part] @ term)
    return score


def path_ranks(level: Array, probability: Array, rng: np.random.Generator) -> tuple[float, float]:
    """The outcome's (average rank, band depth rank) among the scenarios, each in (0, 1), from `pooled_levels`.

    A point's average level says how high it lies as a whole, its mean level x (1 - level) how central it is. The
    outcome's rank by either is uniform when it is drawn like the scenarios. A slope or U in average ranks shows bias
    or wrong spread and correlation; too many low depth ranks show outcomes outside the bundle of paths. Both cost one
    sort a dimension; minimum spanning trees would cost a tree a scenario.
    """
    average = level.mean(axis=1)
    depth = (level * (1.0 - level)).mean(axis=1)
    ranks = []
    for by in (average, depth):
        below = probability @ (by[1:] < by[0] - _ROUNDING)
        tied = probability @ (np.abs(by[1:] - by[0]) <= _ROUNDING)
        ranks.append(float(spread_rank(below, tied, probability, rng)))
    return ranks[0], ranks[1]


def pooled_levels(scenarios: Array, outcome: Array, probability: Array) -> Array:
    """Levels (1 + N, dimensions) of the outcome (row 0) and the scenarios, in (0, 1), all treated alike.

    Share of the pooled weight that lies below, plus half of what is tied, the point itself included. The outcome has
    the weight of a usual scenario: 1 / N_eff, N_eff = 1 / sum of squared probabilities.
    """
    points = np.vstack([outcome[None, :], scenarios])
    weight = np.append((probability**2).sum(), probability)
    return levels_of(points, weight / weight.sum())
