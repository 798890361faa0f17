"""How markets and periods hang together, in scenarios and in the past: Kendall's tau and tail dependence.

What belongs here: dependence of columns, and the columns of a scenario set and of a history of ranks. What does not:
making dependent scenarios (`generate.py`) and the heat map (`figures/dependence_map.py`).

What is compared is what a forecast leaves open: ranks in the forecast distribution, not prices, because prices also
move together as their forecasts do. A column is a stream's EFA block: the mean of the normal scores of its ranks.

Kendall (1945), ties by tau-b; Coles, Heffernan and Tawn (1999), Dependence Measures for Extreme Value Analyses.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri
from threadpoolctl import threadpool_limits

from bess_pipeline.forecasting.distribution import RankHistory
from bess_pipeline.forecasting.streams import SLOTS, Stream, slots_of
from bess_pipeline.scenarios.paths import ScenarioSet, trading_day
from bess_pipeline.scenarios.univariate import levels_of

Array = npt.NDArray[np.float64]

BLOCKS = SLOTS["efa_block"]
TAIL_LEVELS = (0.95, 0.9, 0.1, 0.05)
_ROW_VALUES = 2_000_000  # pairs x columns handled at once


def kendall_tau(columns: Array, probability: Array | None = None) -> Array:
    """Tau-b (k, k) of columns (rows, k); rows count by probability (alike when None); a pair with a NaN is left out.

    Sum over pairs of rows of w w' sign(x - x') sign(y - y') over the square root of the same sums of squared signs.
    NaN for a column that does not vary, the diagonal included.
    """
    rows, count = columns.shape
    weight = np.full(rows, 1.0 / max(rows, 1)) if probability is None else probability
    together, free = np.zeros((count, count)), np.zeros((count, count))
    by_column = np.ascontiguousarray(columns.T)
    gaps = bool(np.isnan(columns).any())
    step = max(1, _ROW_VALUES // max(rows * count, 1))
    with threadpool_limits(limits=1):
        for start in range(0, rows, step):
            stop = min(start + step, rows)
            sign = np.sign(by_column[:, start:stop, None] - by_column[:, None, start:]).reshape(count, -1)
            other = np.concatenate([weight[start:stop] / 2.0, weight[stop:]])  # pairs within the part come twice
            seen = (~np.isnan(sign)).astype(np.float64) if gaps else None
            if seen is not None:
                np.nan_to_num(sign, copy=False)
            weighted = sign * np.outer(weight[start:stop], other).reshape(1, -1)
            together += weighted @ sign.T
            if seen is not None:
                free += (weighted * sign) @ seen.T  # [a, b]: pairs that a tells apart, where b is seen
    varied = free * free.T if gaps else np.outer(np.diag(together), np.diag(together))
    return np.divide(together, np.sqrt(varied), out=np.full_like(varied, np.nan), where=varied > 0.0)


def tail_dependence(columns: Array, level: float, probability: Array | None = None) -> Array:
    """Share (k, k) of the time that one column is beyond its quantile `level` when another is; columns (rows, k).

    Empirical lambda at a finite level: P(U > q, V > q) / (1 - q) above 1/2, P(U < q, V < q) / q below; ranks U, V
    are taken within each column, the denominator is the mean of what was found beyond q in either. Independence
    gives 1 - q (or q), comonotone columns 1. Rows with a NaN in one of both are left out; NaN where nothing is beyond.
    """
    rows, count = columns.shape
    weight = np.full(rows, 1.0 / max(rows, 1)) if probability is None else probability
    value = np.full((count, count), np.nan)
    if not np.isnan(columns).any():
        beyond = _beyond(levels_of(columns, weight), level)
        return _joint_share(beyond, weight)
    for a, b in combinations(range(count), 2):
        both = ~np.isnan(columns[:, [a, b]]).any(axis=1)
        if both.any():
            kept = weight[both] / weight[both].sum()
            share = _joint_share(_beyond(levels_of(columns[both][:, [a, b]], kept), level), kept)
            value[a, b] = value[b, a] = share[0, 1]
    return value


def blocks_of_scenarios(scenarios: ScenarioSet) -> dict[str, Array]:
    """Columns (N, BLOCKS) of each stream on the trading day: mean normal score of its periods' ranks in each block.

    NaN for a block without periods. A period in which all scenarios agree says nothing and counts as its middle.
    """
    today = trading_day(scenarios)
    columns = {}
    for name, values in today.value.items():
        score = ndtri(levels_of(values, today.probability))
        stream = today.streams[name]
        columns[name] = _block_means(score, _block_of(slots_of(stream.clock, today.start_utc[name]), stream))
    return columns


def blocks_of_history(history: RankHistory, streams: Mapping[str, Stream], lead: int = 0) -> dict[str, Array]:
    """Columns (days, BLOCKS) of each stream that has a history at this lead, NaN where no rank is known."""
    columns = {}
    for (name, its_lead), rank in history.rank.items():
        if its_lead == lead and name in streams:
            columns[name] = _block_means(ndtri(rank), _block_of(np.arange(rank.shape[1]), streams[name]))
    return columns


def dependence_rows(blocks: Mapping[str, Array], probability: Array | None = None) -> list[tuple[str, str, float]]:
    """(pair of streams as "a|b", score, value) for each pair in the order of `blocks`; what is undefined is left out.

    kendall_tau: of daily means (over blocks). upper_tail_95, upper_tail_90, lower_tail_10, lower_tail_05: the mean
    over EFA blocks of the tail dependence of the same block.
    """
    names = list(blocks)
    if len(names) < 2:
        return []
    tau = kendall_tau(np.column_stack([_known_mean(blocks[name]) for name in names]), probability)
    tails = {level: _mean_tail(blocks, level, probability) for level in TAIL_LEVELS}
    rows = []
    for a, b in combinations(range(len(names)), 2):
        pair = f"{names[a]}|{names[b]}"
        rows.append((pair, "kendall_tau", float(tau[a, b])))
        for level, tail in tails.items():
            side = "upper" if level > 0.5 else "lower"
            rows.append((pair, f"{side}_tail_{round(100 * level):02d}", float(tail[a, b])))
    return [row for row in rows if not np.isnan(row[2])]


def dependence_frame(
    efa_date: date, gate: str, scenarios: Mapping[str, Array], probability: Array, history: Mapping[str, Array]
) -> pd.DataFrame:
    """Rows of scenario.score: `dependence_rows` of the scenarios, and of the history with the suffix ":history"."""
    rows = dependence_rows(scenarios, probability)
    shared = {name: history[name] for name in scenarios if name in history}
    rows += [(pair, f"{score}:history", value) for pair, score, value in dependence_rows(shared)]
    frame = pd.DataFrame(rows, columns=["stream", "score", "value"])
    return frame.assign(efa_date=efa_date, gate=gate)[["efa_date", "gate", "stream", "score", "value"]]


def _beyond(level: Array, limit: float) -> Array:
    return np.asarray(level > limit if limit > 0.5 else level < limit, dtype=np.float64)


def _joint_share(beyond: Array, weight: Array) -> Array:
    joint = beyond.T @ (beyond * weight[:, None])
    own = np.diag(joint)
    mean = (own[:, None] + own[None, :]) / 2.0
    return np.divide(joint, mean, out=np.full_like(joint, np.nan), where=mean > 0.0)


def _mean_tail(blocks: Mapping[str, Array], level: float, probability: Array | None) -> Array:
    parts = []
    for block in range(BLOCKS):
        parts.append(tail_dependence(np.column_stack([one[:, block] for one in blocks.values()]), level, probability))
    stacked = np.stack(parts)
    known = ~np.isnan(stacked)
    total, count = np.where(known, stacked, 0.0).sum(axis=0), known.sum(axis=0)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def _block_of(slot: npt.NDArray[np.int64], stream: Stream) -> npt.NDArray[np.int64]:
    return slot * BLOCKS // stream.slots


def _block_means(score: Array, block: npt.NDArray[np.int64]) -> Array:
    """Means (rows, BLOCKS) over the columns of each block, of what is not NaN."""
    means = np.full((score.shape[0], BLOCKS), np.nan)
    for k in np.unique(block):
        means[:, k] = _known_mean(score[:, block == k])
    return means


def _known_mean(values: Array) -> Array:
    known = ~np.isnan(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
