"""First-order autoregressions, the only dependence in time that the sample market knows.

What belongs here: paths from shocks. What does not: what they mean (`simulate.py` and the other laws).
"""

from __future__ import annotations

from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def autoregression(rng: np.random.Generator, count: int, persistence: float) -> Values:
    """A stationary AR(1) of unit variance."""
    shocks = rng.standard_normal(count)
    shocks[1:] *= np.sqrt(1.0 - persistence**2)
    return path_of(shocks, persistence)


def path_of(shocks: Values, persistence: float, before: float = 0.0) -> Values:
    """x[t] = persistence x[t-1] + shocks[t], from the value `before` the first.

    Without SciPy's filter on purpose: it gives the same bits, and importing it takes longer than simulating.
    """
    decay = float(persistence)
    path = accumulate(shocks.tolist(), lambda last, shock: decay * last + shock, initial=float(before))
    return np.fromiter(path, dtype=np.float64, count=len(shocks) + 1)[1:]
