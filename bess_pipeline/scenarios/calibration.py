"""Do outcomes take every rank as often as they should: rank histograms, chi-square and Holm.

What belongs here: statistics of ranks in (0, 1) of independent days. What does not: the ranks (`univariate.py`,
`multivariate.py`) and the picture (`figures/rank_histograms.py`).

The test needs ranks that are independent under the hypothesis. Periods of a day are not: `scores.py` therefore
stores the rank of one random period a day and stream.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy.stats import binom, chi2

Array = npt.NDArray[np.float64]

BINS = 10
MIN_EXPECTED = 5.0  # a day count below this in a bin makes chi-square a poor law: fewer bins then, or no test


def histogram(rank: Array, bins: int = BINS) -> npt.NDArray[np.int64]:
    """Days (bins,) whose rank lies in each of equal parts of [0, 1]; NaN ranks are left out."""
    known = rank[~np.isnan(rank)]
    return np.bincount(np.minimum((known * bins).astype(np.int64), bins - 1), minlength=bins)


def band(days: int, bins: int = BINS, confidence: float = 0.9) -> tuple[int, int]:
    """Least and most days of one bin of a right forecast: the binomial law's central interval of `confidence`."""
    tail = (1.0 - confidence) / 2.0
    return int(binom.ppf(tail, days, 1.0 / bins)), int(binom.ppf(1.0 - tail, days, 1.0 / bins))


def uniform_p(rank: Array, bins: int = BINS) -> float:
    """p-value of Pearson's chi-square test that ranks (days,) are uniform on (0, 1).

    Bins are halved in number until each may expect MIN_EXPECTED days; NaN when there are not enough for two.
    """
    known = rank[~np.isnan(rank)]
    while bins >= 2 and known.size < MIN_EXPECTED * bins:
        bins //= 2
    if bins < 2:
        return float("nan")
    expected = known.size / bins
    statistic = float(((histogram(known, bins) - expected) ** 2).sum()) / expected
    return float(chi2.sf(statistic, bins - 1))


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """p-values adjusted for testing all together (Holm 1979), never below the raw ones; NaN stays and counts as none.

    Sorted upwards, the k-th of m is multiplied by m - k + 1 and is at least the one before it, at most 1.
    """
    known = sorted((p, name) for name, p in p_values.items() if not np.isnan(p))
    adjusted = dict.fromkeys(p_values, float("nan"))
    highest = 0.0
    for k, (p, name) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - k) * p))
        adjusted[name] = highest
    return adjusted
