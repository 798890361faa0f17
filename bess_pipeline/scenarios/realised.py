"""The ranks that outcomes took in stored forecasts: dependence as it came, to hold scenarios against.

What belongs here: from stored rows and outcomes to a `RankHistory`. What does not: the history that scenarios are drawn
from, which models make of forecasts without the day itself (`forecasting/`), and measures of dependence
(`codependence.py`).
"""

from __future__ import annotations

from datetime import date
from typing import cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from bess_pipeline.forecasting.distribution import Marginals, RankHistory
from bess_pipeline.forecasting.streams import Stream
from bess_pipeline.scenarios.storage import marginals_from

Array = npt.NDArray[np.float64]


def realised_ranks(forecast: pd.DataFrame, outcome: pd.DataFrame, seed: int) -> tuple[RankHistory, dict[str, Stream]]:
    """Ranks of one gate's trading days, and the streams: rows are days with a forecast and any outcome.

    forecast: rows of `forecast/price_forecast` of one gate; outcome: stream, start_utc, value. A slot that the day has
    twice keeps its second rank; NaN where there is no outcome, or the forecast was one value.
    """
    came = outcome.set_index(["stream", "start_utc"])["value"]
    by_day = {cast("date", day): part for day, part in forecast.groupby("efa_date", sort=True)}
    days = list(by_day)
    found: dict[str, list[Array]] = {}
    streams: dict[str, Stream] = {}
    for row, (day, part) in enumerate(by_day.items()):
        marginals = marginals_from(part, day)
        for name, one in marginals.items():
            streams[name] = one.stream
            kept = found.setdefault(name, [np.full(one.stream.slots, np.nan) for _ in days])
            values = came.reindex(pd.MultiIndex.from_product([[name], one.start_utc])).to_numpy(dtype="float64")
            kept[row] = _by_slot(one, values, np.random.default_rng([seed, day.toordinal(), row]))
    known = np.array(
        [any(not np.isnan(rows[k]).all() for rows in found.values()) for k in range(len(days))], dtype=bool
    )
    kept_days: tuple[date, ...] = tuple(day for day, there in zip(days, known, strict=True) if there)
    rank = {(name, 0): np.stack(rows)[known] for name, rows in found.items()}
    return RankHistory(kept_days, rank), streams


def _by_slot(marginals: Marginals, outcome: Array, rng: np.random.Generator) -> Array:
    """Ranks (slots,) of the trading day's outcomes."""
    rank = marginals.rank_of(outcome, rng)
    certain = marginals.quantile[:, 0] == marginals.quantile[:, -1]
    today = (marginals.lead == 0) & ~certain
    slots = np.full(marginals.stream.slots, np.nan)
    slots[marginals.slot[today]] = rank[today]
    return slots
