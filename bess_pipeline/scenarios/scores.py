"""The scores of a day: how forecasts and scenarios of each stream, and of all together, met what came.

What belongs here: rows of `scenario.score` for one gate and day. What does not: the formulas (`univariate.py`,
`multivariate.py`, `codependence.py`), what they come to over a window (`score_window.py`), and who calls with what.

Rows have efa_date, gate, stream, score, value. `stream` is a stream's name, "a|b" for a pair of streams or "all"
for all together. A score of a baseline has the baseline's name behind a colon: "crps:similar_day" (`of_baseline`).

| score | of | value |
|---|---|---|
| periods | stream | periods with an outcome: the others are in no score; 0 and no other row where none has one |
| crps, crps_h00 … crps_h23 | stream | mean over periods, over those that start in a London clock hour; stream's unit |
| coverage_50, _80, _90 | stream | share of periods whose outcome lies in the central interval, ends included |
| width_50, _80, _90 | stream | mean width of that interval, stream's unit |
| rank | stream | rank in (0, 1) of the outcome of one random period |
| energy_score | stream, all | of the path, in root mean square distances: stream's unit; all: yardstick's spreads |
| variogram_score | stream, pair, all | over close pairs of periods; in spreads, order 1/2 |
| cross_variogram_score | all | the mean of pairs of streams: what only the dependence between markets can better |
| average_rank, depth_rank | stream, all | multivariate ranks of the path in (0, 1) |
| streams | all | streams in the joint scores |

In "all" every stream counts alike, however many periods it has: its squared distances are divided by their number,
and variogram scores are means over pairs of streams. Fair versions are used where all scenarios count alike.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from itertools import combinations_with_replacement

import numpy as np
import numpy.typing as npt
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.forecasting.distribution import Marginals
from bess_pipeline.forecasting.streams import Stream
from bess_pipeline.scenarios import multivariate, univariate
from bess_pipeline.scenarios.paths import ScenarioSet, period_hours
from bess_pipeline.scenarios.yardstick import Yardstick
from bess_pipeline.threads import one_thread

Array = npt.NDArray[np.float64]
Row = tuple[str, str, float]

ALL = "all"
COLUMNS = ("efa_date", "gate", "stream", "score", "value")


@dataclass(frozen=True)
class _Scored:
    """One stream's periods with an outcome: values (N, periods), outcome (periods,)."""

    stream: Stream
    start_utc: pd.DatetimeIndex
    values: Array
    outcome: Array


def score_day(scenarios: ScenarioSet, outcomes: Mapping[str, Array], yardstick: Yardstick, seed: int) -> pd.DataFrame:
    """All scores of a scenario set against the outcomes (periods,) of its streams, NaN or absent where none is known.

    Every period of the set that has an outcome is scored; give `paths.trading_day(scenarios)` for the first day alone.
    A stream without a yardstick has no variogram score and no part in "all". `seed` breaks ties and picks the period
    whose rank is stored; the same arguments give the same bytes (matrix products run in one thread). ValueError when
    an outcome has not the periods of its stream.
    """
    with one_thread():
        rows: list[Row] = []
        parts = []
        for name in scenarios.value:
            part = _part(scenarios, name, outcomes.get(name))
            rows.append((name, "periods", float(part.outcome.size)))
            if part.outcome.size:
                parts.append(part)
                rows += _period_rows(part, scenarios.probability, _rng(seed, scenarios.efa_date, name))
        rows += _path_rows(parts, scenarios, yardstick, seed)
    return _frame(scenarios.efa_date, scenarios.gate, rows)


def score_marginals(
    efa_date: date, gate: str, marginals: Mapping[str, Marginals], outcomes: Mapping[str, Array], seed: int
) -> pd.DataFrame:
    """The scores of single periods (periods, crps, coverage, width, rank) of distributions given by quantiles.

    outcomes (periods,) by stream, NaN or absent where none is known; only periods with one are scored.
    """
    rows: list[Row] = []
    for name, one in marginals.items():
        outcome = outcomes.get(name, np.full(one.start_utc.size, np.nan))
        known = _known(name, outcome, one.start_utc)
        rows.append((name, "periods", float(known.sum())))
        if known.any():
            kept = replace(one, start_utc=one.start_utc[known], quantile=one.quantile[known], mean=one.mean[known])
            rows += _quantile_rows(kept, outcome[known], _rng(seed, efa_date, name))
    return _frame(efa_date, gate, rows)


def of_baseline(rows: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """Rows marked as scores of a baseline: "crps" becomes "crps:similar_day". Counts, which are no scores, go."""
    scores = rows[~rows["score"].isin(["periods", "streams"])]
    return scores.assign(score=scores["score"] + ":" + baseline)


def _part(scenarios: ScenarioSet, name: str, outcome: Array | None) -> _Scored:
    starts, values = scenarios.start_utc[name], scenarios.value[name]
    known = _known(name, np.full(starts.size, np.nan) if outcome is None else outcome, starts)
    came = np.empty(0) if outcome is None else outcome[known]
    return _Scored(scenarios.streams[name], starts[known], np.ascontiguousarray(values[:, known]), came)


def _known(name: str, outcome: Array, starts: pd.DatetimeIndex) -> npt.NDArray[np.bool_]:
    if outcome.shape != (starts.size,):
        raise ValueError(f"{name} has {starts.size} periods, but outcomes of shape {outcome.shape}")
    return ~np.isnan(outcome)


def _period_rows(part: _Scored, probability: Array, rng: np.random.Generator) -> list[Row]:
    """Scores of single periods of a stream's scenarios."""
    levels = [(1.0 + side * coverage) / 2.0 for coverage in univariate.COVERAGES for side in (-1, 1)]
    ordered = univariate.ordered(part.values, probability)
    ends = univariate.quantiles(ordered, levels)
    crps = univariate.crps(ordered, part.outcome)
    one = rng.integers(part.outcome.size, size=1)
    rank = univariate.rank(part.values[:, one], part.outcome[one], probability, rng)
    return _single_rows(part.stream.name, part.start_utc, part.outcome, crps, ends, float(rank[0]))


def _quantile_rows(marginals: Marginals, outcome: Array, rng: np.random.Generator) -> list[Row]:
    """Scores of single periods of a stream's quantiles; every period has an outcome."""
    levels = [(1.0 + side * coverage) / 2.0 for coverage in univariate.COVERAGES for side in (-1, 1)]
    ends = marginals.at(np.repeat(np.array(levels)[:, None], outcome.size, axis=1))
    crps = univariate.crps_of_quantiles(marginals.quantile, outcome)
    one = int(rng.integers(outcome.size))
    rank = marginals.rank_of(outcome, rng)[one]
    return _single_rows(marginals.stream.name, marginals.start_utc, outcome, crps, ends, float(rank))


def _single_rows(
    name: str, starts: pd.DatetimeIndex, outcome: Array, crps: Array, ends: Array, rank: float
) -> list[Row]:
    rows: list[Row] = [(name, "crps", float(crps.mean()))]
    hour = np.asarray(starts.tz_convert(gb_time.LONDON).hour)
    rows += [(name, f"crps_h{one:02d}", float(crps[hour == one].mean())) for one in np.unique(hour)]
    for k, coverage in enumerate(univariate.COVERAGES):
        lower, upper = ends[2 * k], ends[2 * k + 1]
        label = f"{round(100 * coverage)}"
        rows.append((name, f"coverage_{label}", float(univariate.inside(lower, upper, outcome).mean())))
        rows.append((name, f"width_{label}", float((upper - lower).mean())))
    return [*rows, (name, "rank", rank)]


def _path_rows(parts: list[_Scored], scenarios: ScenarioSet, yardstick: Yardstick, seed: int) -> list[Row]:
    """Scores of whole paths: by stream, and of the streams with a yardstick together (where they are two or more)."""
    probability, rows = scenarios.probability, list[Row]()
    together = multivariate.no_distances(probability.size)
    levels, joint = [], [part for part in parts if part.stream.name in yardstick.spread]
    for part in parts:
        name, count = part.stream.name, part.outcome.size
        distances = multivariate.squared_distances(part.values / np.sqrt(count), part.outcome / np.sqrt(count))
        rows.append((name, "energy_score", multivariate.energy_score(distances, probability)))
        level = multivariate.pooled_levels(part.values, part.outcome, probability)
        rows += _rank_rows(name, level, probability, _rng(seed, scenarios.efa_date, name, 1))
        if name in yardstick.spread:
            together.add(distances, 1.0 / (yardstick.spread[name] ** 2 * len(joint)))
            levels.append(level)
    rows += _variogram_rows(joint, probability, yardstick)
    if len(joint) > 1:
        rows.append((ALL, "streams", float(len(joint))))
        rows.append((ALL, "energy_score", multivariate.energy_score(together, probability)))
        rows += _rank_rows(ALL, np.hstack(levels), probability, _rng(seed, scenarios.efa_date, ALL, 1))
    return rows


def _rank_rows(name: str, level: Array, probability: Array, rng: np.random.Generator) -> list[Row]:
    average, depth = multivariate.path_ranks(level, probability, rng)
    return [(name, "average_rank", average), (name, "depth_rank", depth)]


def _variogram_rows(parts: list[_Scored], probability: Array, yardstick: Yardstick) -> list[Row]:
    """Variogram scores in spreads: within streams, between each two, over all pairs of streams."""
    if not parts:
        return []
    standard = [yardstick.standardise(p.stream, p.start_utc, np.vstack([p.outcome, p.values])) for p in parts]
    points = np.ascontiguousarray(np.hstack(standard).T)
    outcome, by_dimension = points[:, 0].copy(), np.ascontiguousarray(points[:, 1:])
    origin = min(part.start_utc[0] for part in parts)
    start_h = np.concatenate([np.asarray((p.start_utc - origin) / pd.Timedelta(hours=1)) for p in parts])
    hours = np.concatenate([period_hours(p.stream.clock, p.start_utc) for p in parts])
    places = np.split(np.arange(outcome.size), np.cumsum([p.outcome.size for p in parts])[:-1])
    within, cross = list[Row](), list[Row]()
    for a, b in combinations_with_replacement(range(len(parts)), 2):
        pairs = multivariate.close_pairs(start_h, hours, places[a], places[b])
        if pairs is None:
            continue
        value = multivariate.variogram_score(by_dimension, outcome, probability, pairs)
        names = parts[a].stream.name, parts[b].stream.name
        (within if a == b else cross).append((names[0] if a == b else "|".join(names), "variogram_score", value))
    rows = [*within, *cross]
    if cross:
        rows.append((ALL, "variogram_score", float(np.mean([value for *_, value in rows]))))
        rows.append((ALL, "cross_variogram_score", float(np.mean([value for *_, value in cross]))))
    return rows


def _rng(seed: int, day: date, name: str, use: int = 0) -> np.random.Generator:
    """Random numbers of a day and stream: other streams, days and their order change nothing."""
    return np.random.default_rng([seed, day.toordinal(), zlib.crc32(name.encode()), use])


def _frame(efa_date: date, gate: str, rows: list[Row]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["stream", "score", "value"]).assign(efa_date=efa_date, gate=gate)
    return frame[list(COLUMNS)]
