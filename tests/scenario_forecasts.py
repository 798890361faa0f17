"""Forecasts made by hand for tests of scenarios: distributions that are known, and past ranks of a known law.

A law here is Gaussian: scores of every stream are a day effect common to all, a first-order autoregression over the
hours of both days that is partly shared, and noise. Ranks are their normal distribution function, so that the true
correlation of any two periods is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from bess_pipeline.forecasting import streams
from bess_pipeline.forecasting.distribution import LEVELS, ForecastSet, Marginals, RankHistory
from bess_pipeline.forecasting.streams import Stream

Array = npt.NDArray[np.float64]

WEDNESDAY = date(2026, 2, 11)
CLOCKS_FORWARD, CLOCKS_BACK = date(2026, 3, 29), date(2025, 10, 26)
DAY_AHEAD, SYSTEM_PRICE = streams.day_ahead(60), streams.SYSTEM_PRICE
RESPONSE, ACTIVATION = list(streams.RESPONSE.values()), list(streams.ACTIVATION.values())
EIGHT = [DAY_AHEAD, SYSTEM_PRICE, *RESPONSE]


def marginals(
    stream: Stream, efa_date: date, location: float = 50.0, scale: float = 20.0, leads: tuple[int, ...] = (0, 1)
) -> Marginals:
    """Normal distributions of one spread, the mean rising by 1 from slot to slot; a scale of 0 makes them points."""
    days = [efa_date + timedelta(days=lead) for lead in leads]
    slot = np.concatenate([streams.period_slots(stream.clock, day) for day in days])
    lead = np.concatenate(
        [np.full(len(streams.period_slots(stream.clock, day)), k) for day, k in zip(days, leads, strict=True)]
    )
    mean = location + slot.astype(float)
    quantile = mean[:, None] + scale * ndtri(LEVELS)[None, :]
    return Marginals(stream, streams.horizon_starts(stream.clock, days), slot, lead, quantile, mean, "by hand")


@dataclass(frozen=True)
class Law:
    """Shares of a score's variance: the day's level, hours shared by all streams, own hours, and noise (the rest).

    sign[stream]: which way it follows what is shared (1 or -1).
    """

    level: float = 0.3
    shared: float = 0.3
    own: float = 0.3
    range_h: float = 5.0
    sign: Mapping[str, float] | None = None

    def correlation(self, chosen: list[Stream], leads: tuple[int, ...] = (0, 1)) -> Array:
        """True correlation of the scores of all periods, stream by stream, lead by lead, slot by slot."""
        hour, stream, sign = self._places(chosen, leads)
        near = np.exp(-np.abs(hour[:, None] - hour[None, :]) / self.range_h)
        same = stream[:, None] == stream[None, :]
        matrix = (self.level + self.shared * near) * sign[:, None] * sign[None, :] + self.own * near * same
        np.fill_diagonal(matrix, 1.0)
        return matrix

    def scores(self, chosen: list[Stream], days: int, seed: int, leads: tuple[int, ...] = (0, 1)) -> Array:
        """Independent days of normal scores (days, periods)."""
        factor = np.linalg.cholesky(self.correlation(chosen, leads))
        return np.random.default_rng(seed).standard_normal((days, len(factor))) @ factor.T

    def history(self, chosen: list[Stream], days: int, seed: int, efa_date: date = WEDNESDAY) -> RankHistory:
        """Ranks of so many days before `efa_date`, none missing."""
        rank, start = {}, 0
        scores = self.scores(chosen, days, seed)
        for stream in chosen:
            for lead in (0, 1):
                rank[stream.name, lead] = ndtr(scores[:, start : start + stream.slots])
                start += stream.slots
        return RankHistory(tuple(efa_date - timedelta(days=days - row) for row in range(days)), rank)

    def _places(self, chosen: list[Stream], leads: tuple[int, ...]) -> tuple[Array, Array, Array]:
        hour, stream, sign = [], [], []
        for index, one in enumerate(chosen):
            for lead in leads:
                hour.append(24.0 * lead + 24.0 / one.slots * (np.arange(one.slots) + 0.5))
                stream.append(np.full(one.slots, float(index)))
                sign.append(np.full(one.slots, (self.sign or {}).get(one.name, 1.0)))
        return np.concatenate(hour), np.concatenate(stream), np.concatenate(sign)


def forecast_set(
    chosen: list[Stream],
    history: RankHistory,
    efa_date: date = WEDNESDAY,
    gate: str = "day_ahead",
    notes: tuple[str, ...] = (),
) -> ForecastSet:
    """Forecasts of some streams for a day and the one after it."""
    made = {stream.name: marginals(stream, efa_date) for stream in chosen}
    opens = datetime(efa_date.year, efa_date.month, efa_date.day, 9, 50, tzinfo=UTC) - timedelta(days=1)
    return ForecastSet(efa_date, gate, opens, made, history, notes)


def ranks_of(values: Array) -> Array:
    """Ranks 0 … N - 1 down each column."""
    return np.argsort(np.argsort(values, axis=0), axis=0).astype(float)


def rank_correlation(first: Array, second: Array) -> float:
    """Spearman's."""
    return float(np.corrcoef(ranks_of(first[:, None])[:, 0], ranks_of(second[:, None])[:, 0])[0, 1])
