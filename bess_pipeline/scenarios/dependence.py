"""What ties the columns of a scenario set together: a method, and what stands in where the past is too short.

What belongs here: the methods by name, and the fallbacks of streams with few past ranks. What does not: levels and
values (`generate.py`), the correlation itself (`correlation.py`), template days (`template.py`).

* copula: a Gaussian copula over all columns of both days.
* schaake: the order of past days of the same shape.
* independent: the copula without any correlation between markets. An ablation, to measure what dependence is worth.

A stream with ranks of fewer than LEAST_DAYS days (`template.known_days`) stands alone: independent of the others, with
a correlation of exp(-hours apart / OWN_RANGE_H) between its own periods. Two streams with past days enough, but fewer
than LEAST_PAIRS of them in common, have only the correlation that others imply, if any. Notes name them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from bess_pipeline.forecasting.distribution import ForecastSet
from bess_pipeline.scenarios.columns import Columns, rank_matrix
from bess_pipeline.scenarios.correlation import LEAST_PAIRS, normal_scores, shrunk_correlation
from bess_pipeline.scenarios.template import LEAST_DAYS, choose_template, known_days, template_order

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Method = Literal["copula", "schaake", "independent"]

METHODS: tuple[Method, ...] = get_args(Method)
OWN_RANGE_H = 8.0
GROUPS = ("response", "activation")  # products of one market: response_DCL, response_DCH …
KEPT_CORRELATIONS = 4  # of both gates: models, and past ranks with them, are the same for a week


@dataclass(frozen=True)
class Scores:
    """Numbers (count, p) whose order within each column is the scenarios' order; notes on fallbacks."""

    value: Array
    notes: tuple[str, ...]


def market_of(stream: str) -> str:
    """The market a stream belongs to: all response products are one, and so is their activation."""
    group = stream.split("_", 1)[0]
    return group if group in GROUPS else stream


def draw_scores(
    forecast: ForecastSet, columns: Columns, method: Method, count: int, rng: np.random.Generator
) -> Scores:
    """The dependence of a method, drawn for `count` scenarios."""
    rank, notes = rank_matrix(forecast.history, columns)
    known, alone = _streams_by_history(rank, columns)
    value = np.empty((count, columns.count))
    if method == "schaake" and known:
        template = choose_template(rank, forecast.history.days, forecast.efa_date, columns, known)
        known = [name for name in known if name not in template.left_out]
        alone = {**alone, **dict.fromkeys(template.left_out, "too few past days together with the other streams")}
        own = columns.of(known)
        value[:, own] = template_order(rank[:, own], template.rows, _part(columns, own), count, rng)
        notes += template.notes
    elif known:
        own = columns.of(known)
        value[:, own] = _gaussian(rank[:, own], _part(columns, own), method == "independent", count, rng)
        if method == "copula":
            notes += _strangers(rank, columns, known)
    for name in sorted(alone):
        own = columns.of([name])
        value[:, own] = _drawn(own_correlation(columns.hour[own]), count, rng)
    return Scores(value, notes + tuple(f"{name}: {why}, so it stands alone" for name, why in sorted(alone.items())))


def own_correlation(hour: Array) -> Array:
    """Correlation (p, p) of a stream that stands alone, its periods in the middle of `hour` (p,)."""
    return np.asarray(np.exp(-np.abs(hour[:, None] - hour[None, :]) / OWN_RANGE_H))


def correlation_of(rank: Array, columns: Columns, markets_apart: bool = False) -> Array:
    """The copula's correlation (p, p) of past ranks (days, p); read-only."""
    matrix = _shrunk(rank.tobytes(), rank.shape, columns.stream.tobytes(), columns.hour.tobytes())
    if markets_apart:
        market = np.array([market_of(name) for name in columns.name])[columns.stream]
        matrix = np.where(market[:, None] == market[None, :], matrix, 0.0)
    return matrix


@lru_cache(KEPT_CORRELATIONS)
def _shrunk(rank: bytes, shape: tuple[int, int], stream: bytes, hour: bytes) -> Array:
    """Found once for the days of a week and all methods; the arrays of `correlation_of` as bytes."""
    scores, observed = normal_scores(np.frombuffer(rank).reshape(shape))
    matrix = shrunk_correlation(scores, observed, np.frombuffer(stream, np.int64), np.frombuffer(hour)).matrix
    matrix.flags.writeable = False
    return matrix


def _gaussian(rank: Array, columns: Columns, markets_apart: bool, count: int, rng: np.random.Generator) -> Array:
    return _drawn(correlation_of(rank, columns, markets_apart), count, rng)


def _drawn(correlation: Array, count: int, rng: np.random.Generator) -> Array:
    """Normal draws (count, p) through the Cholesky factor, which unlike eigenvectors has one sign only."""
    normal = rng.standard_normal((count, len(correlation)))
    return np.asarray(normal @ np.linalg.cholesky(correlation).T)


def _streams_by_history(rank: Array, columns: Columns) -> tuple[list[str], dict[str, str]]:
    """Streams with enough past, and those without: why."""
    known, alone = [], {}
    for index in np.unique(columns.stream):
        own = rank[:, columns.stream == index]
        name = columns.name[index]
        days = int(known_days(rank, columns, name).sum())
        if days < LEAST_DAYS:
            alone[name] = f"past ranks of {days} days where {LEAST_DAYS} are needed"
        elif np.nanmax(own) > np.nanmin(own):
            known.append(name)
        else:
            alone[name] = "past ranks without any variance"
    return known, alone


def _strangers(rank: Array, columns: Columns, known: Sequence[str]) -> tuple[str, ...]:
    """A note on each stream that has too few past days in common with others."""
    seen = {name: np.isfinite(rank[:, columns.of([name])]).any(axis=1) for name in known}
    notes = []
    for place, name in enumerate(known):
        others = [other for other in known[place + 1 :] if (seen[name] & seen[other]).sum() < LEAST_PAIRS]
        if others:
            words = (
                f"fewer than {LEAST_PAIRS} past days together with {', '.join(others)}, so no correlation of their own"
            )
            notes.append(f"{name}: {words}")
    return tuple(notes)


def _part(columns: Columns, own: Integers) -> Columns:
    """Some of the columns, the streams among them counted anew."""
    present = np.unique(columns.stream[own])
    names: Sequence[str] = [columns.name[index] for index in present]
    stream = np.searchsorted(present, columns.stream[own])
    return Columns(tuple(names), stream, columns.lead[own], columns.slot[own], columns.hour[own], {}, {})
