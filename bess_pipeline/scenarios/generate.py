"""Joint scenarios of a forecast: draws of dependence turned into levels, and levels into values of each stream.

What belongs here: one interface for all methods, stratified levels, seeds. What does not: dependence
(`dependence.py`), forecasts (`forecasting/`), reduction (`reduce.py`).

Levels are **stratified** column by column: of N scenarios one lies in each N-th of the distribution, at a place drawn
within it, in the order that the dependence gave. Each scenario's level is still uniform, so every mean over the
marginals is unbiased, with less noise than plain draws have, and tails are reached in proportion. Two members of a set
are a little more apart than independent draws: for scores that estimate the spread from pairs of members ("fair"
forms) the difference is of order 1/N; with plain forms (division by N squared) there is none to leading order.

The second period of a slot that the day has twice (clocks go back) has a level of its own, correlated with the first
as two periods an hour apart of a stream that stands alone.
"""

from __future__ import annotations

from zlib import crc32

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from bess_pipeline.errors import ScenarioError
from bess_pipeline.forecasting.distribution import ForecastSet
from bess_pipeline.scenarios.columns import NONE, Columns, columns_of
from bess_pipeline.scenarios.dependence import METHODS, Method, draw_scores, own_correlation
from bess_pipeline.scenarios.paths import ScenarioSet
from bess_pipeline.threads import one_thread

Array = npt.NDArray[np.float64]


def generate(forecast: ForecastSet, count: int, method: Method, seed: int) -> ScenarioSet:
    """`count` equally likely joint paths of all streams of a forecast.

    The same forecast, count, method and seed give the same bytes, in any process and with any number of threads;
    the order of the streams in the forecast does not matter. Raises ScenarioError for a count below 1, an unknown
    method, and a forecast without streams or with quantiles that are missing or fall.
    """
    if count < 1:
        raise ScenarioError(f"{count} scenarios cannot be made: ask for 1 or more")
    if method not in METHODS:
        raise ScenarioError(f"unknown scenario method {method!r}: there are {', '.join(METHODS)}")
    columns = columns_of(forecast)
    rng = generator_of(forecast, method, seed)
    with one_thread():
        scores = draw_scores(forecast, columns, method, count, rng)
        level = stratified_levels(scores.value, rng)
        value = {name: _values(forecast, name, columns, level, rng) for name in columns.name}
    return ScenarioSet(
        efa_date=forecast.efa_date,
        gate=forecast.gate,
        gate_utc=forecast.gate_utc,
        method=method,
        seed=seed,
        probability=np.full(count, 1.0 / count),
        streams={name: forecast.marginals[name].stream for name in columns.name},
        start_utc={name: forecast.marginals[name].start_utc for name in columns.name},
        value=value,
        notes=forecast.notes + scores.notes,
    )


def generator_of(forecast: ForecastSet, method: str, seed: int) -> np.random.Generator:
    """Random numbers of one set: no two days, gates or methods share theirs."""
    return np.random.default_rng(
        [seed, forecast.efa_date.toordinal(), crc32(forecast.gate.encode()), crc32(method.encode())]
    )


def stratified_levels(scores: Array, rng: np.random.Generator) -> Array:
    """Levels (N, p) in [0, 1): in each column one in every N-th, in the order of the scores."""
    count = len(scores)
    order = np.argsort(scores, axis=0, kind="stable")
    sorted_levels = (np.arange(count)[:, None] + rng.random(scores.shape)) / count
    level = np.empty_like(scores)
    np.put_along_axis(level, order, sorted_levels, axis=0)
    return level


def _values(forecast: ForecastSet, name: str, columns: Columns, level: Array, rng: np.random.Generator) -> Array:
    """Values (N, periods) of a stream; a period whose forecast is one value has that value."""
    column, again = columns.column[name], columns.again[name]
    own = np.full((len(level), column.size), 0.5)
    own[:, column != NONE] = level[:, column[column != NONE]]
    if again.any():
        own[:, again] = _an_hour_later(own[:, again], rng)
    return forecast.marginals[name].at(own)


def _an_hour_later(level: Array, rng: np.random.Generator) -> Array:
    """Levels for the second periods of repeated slots, given the levels (N, periods) of the first."""
    kept = own_correlation(np.array([0.0, 1.0]))[0, 1]
    first = ndtri(np.clip(level, 1e-12, 1 - 1e-12))
    return stratified_levels(kept * first + np.sqrt(1 - kept**2) * rng.standard_normal(level.shape), rng)
