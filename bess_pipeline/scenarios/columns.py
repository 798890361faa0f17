"""The random quantities of a scenario set in one row: a column for each stream, day and slot that is uncertain.

What belongs here: which columns a forecast needs, which periods they serve, and past ranks in the same order. What
does not: how columns depend on each other (`correlation.py`, `template.py`).

Streams keep their own clocks: a column has its middle in hours, and nothing is brought to a common grid. A slot
that the day has not (clocks go forward) has no column; the second period of a slot that it has twice (clocks go
back) shares the column of the first and is set apart by `again`. A period whose forecast is one value has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from bess_pipeline.errors import ScenarioError
from bess_pipeline.forecasting.distribution import LEVELS, ForecastSet, Marginals, RankHistory

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

DAY_H = 24.0
NONE = -1  # the column of a period that has none


@dataclass(frozen=True)
class Columns:
    """p columns, stream by stream in the order of their names, then by time.

    name: the streams in order; stream (p,) an index into `name`; lead (p,) and slot (p,) as in Marginals; hour (p,)
    the middle of the slot, counted from the start of the trading day. column[stream] (periods,) is each period's
    column or NONE; again[stream] (periods,) marks the second period of a repeated slot.
    """

    name: tuple[str, ...]
    stream: Integers
    lead: Integers
    slot: Integers
    hour: Array
    column: Mapping[str, Integers]
    again: Mapping[str, Mask]

    @property
    def count(self) -> int:
        """How many columns there are."""
        return self.stream.size

    def of(self, names: Sequence[str]) -> Integers:
        """The columns of some streams, in order."""
        wanted = np.array([name in names for name in self.name], dtype=bool)
        return np.flatnonzero(wanted[self.stream])


def columns_of(forecast: ForecastSet) -> Columns:
    """The columns of a forecast; ScenarioError when nothing is forecast or a distribution is no distribution."""
    if not forecast.marginals:
        raise ScenarioError(
            f"nothing is forecast for {forecast.efa_date} at the {forecast.gate} gate, so there are no scenarios: "
            f"build its price forecast first"
        )
    names = tuple(sorted(forecast.marginals))
    places: list[tuple[int, int, int, float]] = []
    column, again = {}, {}
    for index, name in enumerate(names):
        marginals = _checked(forecast, name)
        column[name], again[name] = _columns_of_stream(marginals, index, places)
    stream, lead, slot, hour = (np.array(part) for part in zip(*places, strict=True)) if places else (np.empty(0),) * 4
    whole = [part.astype(np.int64) for part in (stream, lead, slot)]
    return Columns(names, whole[0], whole[1], whole[2], hour.astype(np.float64), column, again)


def rank_matrix(history: RankHistory, columns: Columns) -> tuple[Array, tuple[str, ...]]:
    """Past ranks (days, p), NaN where there is none, and notes on what stands in for what.

    A stream without any rank of the second day takes, for the second day of row r, the ranks of the first day of the
    row that belongs to that day. Fewer rows than days mean that the last ones have none.
    """
    rank = np.full((len(history.days), columns.count), np.nan)
    notes = []
    for index, name in enumerate(columns.name):
        for lead in np.unique(columns.lead[columns.stream == index]):
            chosen = np.flatnonzero((columns.stream == index) & (columns.lead == lead))
            known = _known(history, name, int(lead))
            if lead > 0 and not np.isfinite(known).any():
                known = _of_following_day(history, _known(history, name, 0))
                if np.isfinite(known).any():
                    notes.append(f"{name}: no past ranks of the day after next, those of the trading day stand in")
            if known.size:
                rank[:, chosen] = known[:, columns.slot[chosen]]
    return rank, tuple(notes)


def _checked(forecast: ForecastSet, name: str) -> Marginals:
    marginals = forecast.marginals[name]
    shape = (marginals.start_utc.size, LEVELS.size)
    if marginals.quantile.shape != shape:
        raise ValueError(f"{name} has quantiles {marginals.quantile.shape}, not {shape}")
    if not np.isfinite(marginals.quantile).all() or (np.diff(marginals.quantile, axis=1) < 0).any():
        raise ScenarioError(
            f"the forecast of {name} for {forecast.efa_date} at the {forecast.gate} gate has quantiles that are missing "
            f"or fall (model {marginals.model}): forecast it again or leave the stream out"
        )
    return marginals


def _columns_of_stream(
    marginals: Marginals, index: int, places: list[tuple[int, int, int, float]]
) -> tuple[Integers, Mask]:
    """Each period's column, and whether its slot was served before; new columns are added to `places`."""
    width = DAY_H / marginals.stream.slots
    varies = marginals.quantile[:, -1] > marginals.quantile[:, 0]
    column = np.full(varies.size, NONE, dtype=np.int64)
    again = np.zeros(varies.size, dtype=bool)
    seen: dict[tuple[int, int], int] = {}
    for k in np.flatnonzero(varies):
        place = (int(marginals.lead[k]), int(marginals.slot[k]))
        again[k] = place in seen
        if not again[k]:
            seen[place] = len(places)
            places.append((index, *place, DAY_H * place[0] + width * (place[1] + 0.5)))
        column[k] = seen[place]
    return column, again


def _known(history: RankHistory, name: str, lead: int) -> Array:
    """Ranks (days, slots) of one stream and day; no column where the history does not know them."""
    days = len(history.days)
    ranks = history.rank.get((name, lead), np.empty((0, 0)))
    if ranks.shape[0] > days:
        raise ValueError(f"{name} has ranks of {ranks.shape[0]} days in a history of {days}")
    if ranks.shape[1] == 0:
        return np.empty((days, 0))
    return np.vstack([ranks, np.full((days - ranks.shape[0], ranks.shape[1]), np.nan)])


def _of_following_day(history: RankHistory, first_day: Array) -> Array:
    """Row r holds what `first_day` has for the day after `history.days[r]`."""
    row_of = {day: row for row, day in enumerate(history.days)}
    following = np.array([row_of.get(day + timedelta(days=1), NONE) for day in history.days], dtype=np.int64)
    return np.where((following == NONE)[:, None], np.nan, first_day[following]) if first_day.size else first_day
