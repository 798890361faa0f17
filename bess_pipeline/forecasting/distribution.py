"""The forecast of one stream: a distribution for each of its periods.

What belongs here: quantiles, sampling by rank, and the rank an outcome took. What does not: how a distribution is
found (the models), how periods depend on each other (`scenarios/`), scores (`scenarios/scores.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from bess_pipeline.forecasting.streams import Stream

Array = npt.NDArray[np.float64]

# where a distribution is given: every 5 %, and the tails finer, because spikes are what risk is made of
LEVELS: Array = np.concatenate(
    [[0.001, 0.0025, 0.005, 0.01, 0.02, 0.03], np.arange(1, 20) / 20, [0.97, 0.98, 0.99, 0.995, 0.9975, 0.999]]
)
STORED_LEVELS = (0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95)  # columns q05 … q95 of forecast.price_forecast


@dataclass(frozen=True)
class Marginals:
    """Distributions of one stream over the periods of its horizon.

    start_utc (n,), slot (n,) and lead (n,) say which periods; quantile (n, LEVELS), never falling along a row;
    mean (n,); `model` names what made it.
    """

    stream: Stream
    start_utc: pd.DatetimeIndex
    slot: npt.NDArray[np.int64]
    lead: npt.NDArray[np.int64]
    quantile: Array
    mean: Array
    model: str

    def at(self, level: Array) -> Array:
        """Values (m, n) at the levels (m, n) in [0, 1]: linear between LEVELS, flat beyond the first and last."""
        return np.stack([np.interp(level[:, k], LEVELS, row) for k, row in enumerate(self.quantile)], axis=1)

    def rank_of(self, outcome: Array, rng: np.random.Generator) -> Array:
        """The level (n,) in (0, 1) that each outcome took, NaN where it is NaN.

        Drawn from the levels that share its value, and from those beyond the outermost quantile where it lies there
        (randomised probability integral transform): ranks of right forecasts are uniform.
        """
        return ranks_in(self.quantile, outcome, rng)


def ranks_in(quantile: Array, outcome: Array, rng: np.random.Generator) -> Array:
    """`Marginals.rank_of` for quantiles (n, LEVELS) alone."""
    edges = np.concatenate([[0.0], LEVELS, [1.0]])
    below = (quantile < outcome[:, None]).sum(axis=1)
    through = (quantile <= outcome[:, None]).sum(axis=1)
    tied = through > below
    low = edges[np.where(tied & (below > 0), below + 1, below)]
    high = edges[np.where(tied, np.where(through == LEVELS.size, LEVELS.size + 1, through), below + 1)]
    rank = low + (high - low) * rng.random(outcome.size)
    k = np.flatnonzero(~tied & (below > 0) & (below < LEVELS.size))
    left, right = quantile[k, below[k] - 1], quantile[k, below[k]]
    rank[k] = low[k] + (high[k] - low[k]) * (outcome[k] - left) / (right - left)
    return np.where(np.isnan(outcome), np.nan, rank)


@dataclass(frozen=True)
class RankHistory:
    """Ranks that outcomes of past days took in forecasts made without them: the raw material of dependence.

    rank[stream, lead]: (days, slots), in (0, 1), NaN where there is none; row r belongs to the gate of `days[r]`.
    """

    days: tuple[date, ...]
    rank: Mapping[tuple[str, int], Array]


@dataclass(frozen=True)
class ForecastSet:
    """Everything forecast at one gate for a trading day and the day after it.

    notes: fallbacks and other weaknesses, in words, stored with the forecasts.
    """

    efa_date: date
    gate: str
    gate_utc: datetime
    marginals: Mapping[str, Marginals]
    history: RankHistory
    notes: tuple[str, ...] = field(default=())
