"""The correlation of normal scores across periods and markets, from fewer days than it has columns.

What belongs here: scores from ranks, the smooth model that the sample is drawn towards, and how far. What does not:
which streams have enough days, and what is done with the matrix (`dependence.py`).

Shrinkage (Ledoit and Wolf 2004, J. Multivariate Analysis 88; any target: Schäfer and Strimmer 2005) mixes the sample
with a target by the share that minimises the expected squared error. Their target, the identity, adds white noise to
every path and takes the same share from all correlations across markets. Ours is the linear model of coregionalisation

    corr(stream a at hour t, stream b at hour u) = sum over k of B_k[a, b] exp(-|t - u| / range_k),

with positive semidefinite B_k fitted to the sample by least squares (as Goulard and Voltz 1992, Mathematical Geology
24), so that what is common to the hours of a day, and to markets, is in the target as much as in the sample.

Where correlations change with the hour of the day, the smooth model is off. What plans live on most, the means of days
and their correlation across markets, is few numbers that the past knows well: the sample's covariance of m means over n
days, with a share m / n of the mixed matrix's, takes the place of the latter; deviations from the means stay as they
are. (The share that minimises the squared error of all entries leaves a bias where the model is off, which here has to
be smaller than the sampling error: `tests/unit/scenarios/test_correlation.py` holds that, for laws of either kind.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]

RANGES_H = (1.0, 4.0, 16.0, 96.0)  # within an hour or two, an EFA block, a day, and nearly constant over 48 h
OWN_SHARE = 0.01  # least share of a column's variance that nothing else explains: keeps matrices invertible
STEPS = 120  # of the fit: its sum of squares is then within 1 % of the least
LEAST_SEEN = 0.5  # share of a day's periods that its mean is made of at least
DAY_H = 24.0
LEAST_PAIRS = 10  # days that two columns must share for their sample correlation to count


@dataclass(frozen=True)
class ShrunkCorrelation:
    """matrix (p, p), positive definite with unit diagonal, and the share of the target in it."""

    matrix: Array
    shrinkage: float


def normal_scores(rank: Array) -> tuple[Array, Mask]:
    """Van der Waerden scores of ranks (days, p) column by column, zero where missing, and where they were observed.

    Ranks are ranked again, so that a forecast too wide or too narrow in the past changes nothing; scores have mean 0
    and variance 1. A column with no variance counts as not observed.
    """
    scores, observed = np.zeros_like(rank), np.isfinite(rank)
    for k in range(rank.shape[1]):
        rows = np.flatnonzero(observed[:, k])
        _, place, ties = np.unique(rank[rows, k], return_inverse=True, return_counts=True)
        if ties.size < 2:
            observed[:, k] = False
            continue
        middle = np.cumsum(ties) - (ties - 1) / 2
        column = ndtri(middle[place] / (rows.size + 1))
        scores[rows, k] = (column - column.mean()) / column.std()
    return scores, observed


def shrunk_correlation(scores: Array, observed: Mask, stream: Integers, hour: Array) -> ShrunkCorrelation:
    """Correlation (p, p) of scores (days, p), zero where not observed, shrunk to the smooth model.

    stream (p,) counts from 0 and never falls; hour (p,) is the middle of each column's period.
    """
    pairs = observed.astype(np.float64).T @ observed
    sample = _pairwise_correlation(scores, observed, pairs)
    weight = np.where(pairs >= LEAST_PAIRS, pairs, 0.0)
    np.fill_diagonal(weight, 0.0)
    target = smooth_target(sample, weight, stream, hour)
    sample = np.where(weight > 0, sample, target)
    variance = np.where(weight > 0, sampling_variance(scores, sample, np.maximum(pairs, 1.0)), 0.0)
    mixed, share = _mixed(sample, target, shrinkage_intensity(sample, target, variance))
    return ShrunkCorrelation(_with_means_of_days(mixed, scores, observed, stream, hour), share)


def sampling_variance(scores: Array, sample: Array, pairs: Array | float) -> Array:
    """Estimated variance of each entry of the sample covariance of centred scores with 0 for what is missing."""
    squares = scores**2
    return np.asarray((squares.T @ squares / pairs - sample**2) / pairs)


def shrinkage_intensity(sample: Array, target: Array, variance: Array) -> float:
    """The target's share in [0, 1]: total sampling variance over the squared distance of sample and target."""
    distance = float(((sample - target) ** 2).sum())
    return float(np.clip(variance.sum() / distance, 0.0, 1.0)) if distance > 0 else 1.0


def smooth_target(sample: Array, weight: Array, stream: Integers, hour: Array) -> Array:
    """The linear model of coregionalisation (p, p) nearest to the sample off its diagonal; unit diagonal.

    Pairs of streams of weight 0 throughout have the correlation that other pairs imply, else none.
    """
    distance = np.abs(hour[:, None] - hour[None, :])
    kernels = [np.exp(-distance / length) for length in RANGES_H]
    shares = _coregionalisation(sample, weight, kernels, stream)
    target = np.zeros_like(sample)
    for share, kernel in zip(shares, kernels, strict=True):
        target += share[np.ix_(stream, stream)] * kernel
    scale = np.sqrt((1 - OWN_SHARE) / np.maximum(np.diag(target), 1 - OWN_SHARE))
    target *= scale[:, None] * scale[None, :]
    np.fill_diagonal(target, 1.0)
    return target


def _pairwise_correlation(scores: Array, observed: Mask, pairs: Array) -> Array:
    """Over the days that both columns have; within [-1, 1]."""
    square = (scores**2).T @ observed
    scale = np.sqrt(square * square.T)
    product = scores.T @ scores
    enough = (pairs >= LEAST_PAIRS) & (scale > 0)
    sample = np.divide(product, scale, out=np.zeros_like(product), where=enough)
    np.fill_diagonal(sample, 1.0)
    return np.clip((sample + sample.T) / 2, -1.0, 1.0)


def _mixed(sample: Array, target: Array, share: float) -> tuple[Array, float]:
    """Sample and positive definite target mixed, and the target's share: the one asked for or the least that serves."""
    share = min(max(share, OWN_SHARE), 1.0)
    while not _positive_definite(mixed := share * target + (1 - share) * sample):
        share = min(1.0, share + 0.05)  # of pairs with different days no sample need be a covariance
    return mixed, share


def _with_means_of_days(matrix: Array, scores: Array, observed: Mask, stream: Integers, hour: Array) -> Array:
    """`matrix` with the covariance of the means of days replaced: z = G mean + rest, the rest left alone."""
    _, block = np.unique(np.stack([stream, np.floor(hour / DAY_H)]), axis=1, return_inverse=True)
    member = (block[:, None] == np.arange(block.max() + 1)[None, :]).astype(np.float64)
    seen = observed @ member
    enough = seen >= LEAST_SEEN * member.sum(axis=0)
    mean = np.where(enough, (scores @ member) / np.maximum(seen, 1.0), 0.0)
    pairs = enough.astype(np.float64).T @ enough
    sample = (mean.T @ mean) / np.maximum(pairs, 1.0)
    average = member / member.sum(axis=0)
    target = average.T @ matrix @ average
    days = max(float(np.diag(pairs).mean()), 1.0)
    wanted, _ = _mixed(np.where(pairs >= LEAST_PAIRS, sample, target), target, len(target) / days)
    gain = np.linalg.solve(target, average.T @ matrix)
    changed = matrix + gain.T @ (wanted - target) @ gain
    scale = np.sqrt(np.diag(changed))
    changed = changed / (scale[:, None] * scale[None, :])
    np.fill_diagonal(changed, 1.0)
    return np.asarray((changed + changed.T) / 2)


def _coregionalisation(sample: Array, weight: Array, kernels: list[Array], stream: Integers) -> Array:
    """B_k (ranges, streams, streams), positive semidefinite, of least squares; every pair of streams counts alike."""
    starts = np.flatnonzero(np.diff(stream, prepend=-1))

    def block_means(values: Array) -> Array:
        total = np.add.reduceat(np.add.reduceat(values, starts, axis=0), starts, axis=1)
        return np.asarray(np.divide(total, weights, out=np.zeros_like(total), where=weights > 0))

    weights = np.add.reduceat(np.add.reduceat(weight, starts, axis=0), starts, axis=1)
    weighted = [weight * kernel for kernel in kernels]
    gram = np.empty((len(kernels), len(kernels), starts.size, starts.size))
    for k, one in enumerate(weighted):
        for m, other in enumerate(kernels[: k + 1]):
            gram[k, m] = gram[m, k] = block_means(one * other)
    aim = np.array([block_means(one * sample) for one in weighted])
    return _least_squares(gram, aim)


def _least_squares(gram: Array, aim: Array) -> Array:
    """B_k that minimise sum over pairs of B' gram B / 2 - aim' B, by accelerated projected gradients (FISTA).

    A variance sum over k of B_k[a, a] beyond 1 is penalised by its square: nothing else holds what is common to
    streams within an hour where a stream has only blocks of four.
    """
    own = np.arange(aim.shape[1])
    steepest = float(np.linalg.eigvalsh(np.moveaxis(gram, (0, 1), (2, 3))).max()) + len(aim)
    shares = ahead = np.zeros_like(aim)
    pace = 1.0
    for _ in range(STEPS):
        slope = np.einsum("klab,lab->kab", gram, ahead) - aim
        slope[:, own, own] += np.maximum(ahead[:, own, own].sum(axis=0) - (1 - OWN_SHARE), 0.0)
        before, shares = shares, _positive_part(ahead - slope / steepest)
        faster = (1 + np.sqrt(1 + 4 * pace**2)) / 2
        ahead = shares + (pace - 1) / faster * (shares - before)
        pace = faster
    return shares


def _positive_part(matrices: Array) -> Array:
    """The nearest positive semidefinite matrices (…, m, m); the same whatever signs the eigenvectors come with."""
    value, vector = np.linalg.eigh((matrices + np.swapaxes(matrices, -1, -2)) / 2)
    return np.asarray((vector * np.maximum(value, 0.0)[..., None, :]) @ np.swapaxes(vector, -1, -2))


def _positive_definite(matrix: Array) -> bool:
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return False
    return True
