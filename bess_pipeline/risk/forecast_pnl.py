"""What was expected of each day's P&L before it came: scenario P&L with probabilities, its mean, VaR and CVaR.

What belongs here: the form of ex-ante risk, made of scenarios or of the days before (historical). What does not: where
scenarios come from (`scenarios/`) and whether they were right (`backtests.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bess_pipeline.risk.measures import tail

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class ForecastPnl:
    """Distributions of T days' P&L, GBP, one row per day.

    outcome_gbp, probability: (T, N); a day with fewer outcomes than others is filled up with probability 0.
    mean_gbp, var_gbp, cvar_gbp: (T,), VaR and CVaR at `confidence`, losses. Build it with `of_scenarios` or
    `historical`.
    """

    confidence: float
    outcome_gbp: FloatArray
    probability: FloatArray
    mean_gbp: FloatArray
    var_gbp: FloatArray
    cvar_gbp: FloatArray

    @property
    def days(self) -> int:
        """Number of days."""
        return int(self.var_gbp.size)

    @classmethod
    def of_scenarios(cls, days: Sequence[tuple[ArrayLike, ArrayLike | None]], confidence: float) -> ForecastPnl:
        """From (outcomes, probabilities) of each day; None for equal ones. ValueError as in `measures.tail`."""
        tails = [tail(outcomes, confidence, chance) for outcomes, chance in days]
        widest = max((one.weights.size for one in tails), default=0)
        outcome, probability = np.zeros((len(tails), widest)), np.zeros((len(tails), widest))
        for row, (outcomes, chance) in enumerate(days):
            values = np.asarray(outcomes, dtype="float64")
            outcome[row, : values.size] = values
            probability[row, : values.size] = 1.0 / values.size if chance is None else np.asarray(chance)
        var, cvar = (np.array([getattr(one, name) for one in tails]) for name in ("var_gbp", "cvar_gbp"))
        return cls(confidence, outcome, probability, (outcome * probability).sum(axis=1), var, cvar)

    @classmethod
    def historical(cls, daily_pnl_gbp: ArrayLike, window_days: int, confidence: float) -> ForecastPnl:
        """Each day from `window_days` on, expected to be one of the `window_days` before it, equally likely.

        The first `window_days` days have no forecast: compare with `daily_pnl_gbp[window_days:]`.
        """
        daily = np.asarray(daily_pnl_gbp, dtype="float64")
        if not 1 <= window_days < daily.size:
            raise ValueError(f"{daily.size} days have no window of {window_days} days before them")
        windows = np.lib.stride_tricks.sliding_window_view(daily[:-1], window_days)
        return cls.of_scenarios([(window, None) for window in windows], confidence)

    def draw(self, samples: int, seed: int) -> FloatArray:
        """(samples, T) P&L, each day drawn from its own distribution, independently."""
        chance = np.random.default_rng(seed).random((samples, self.days))
        reached = np.cumsum(self.probability, axis=1)
        reached /= reached[:, -1:]
        place = np.empty(chance.shape, dtype=np.intp)
        for day in range(self.days):
            place[:, day] = np.searchsorted(reached[day], chance[:, day], side="right")
        return self.outcome_gbp[np.arange(self.days), place]
