"""The Schaake shuffle: scenarios take the order that the past had, day by day.

Clark, Gangopadhyay, Hay, Rajagopalan and Wilby 2004, Journal of Hydrometeorology 5.

What belongs here: which past days are the template, and the order they give to scenarios. What does not: the values
that are put into that order (`generate.py`) and streams without enough past (`dependence.py`).

Template days are alike in shape: a working day or not, and the day after it too. Of more days than scenarios those
nearest in season serve, the more recent first. Of fewer, every day serves several scenarios: for each column those
share the stretch of levels that the day's rank stands for, in an order drawn for each column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from bess_pipeline.scenarios.columns import Columns
from bess_pipeline.working_days import is_working_day

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

LEAST_DAYS = 20
LEAST_OBSERVED = 0.5  # share of a stream's columns that a past day must have; gaps are bridged by straight lines
YEAR_DAYS = 365.25


@dataclass(frozen=True)
class Template:
    """Rows of the history, the best first; streams that had to be left out; notes on what was done without."""

    rows: Integers
    left_out: tuple[str, ...]
    notes: tuple[str, ...]


def choose_template(
    rank: Array, days: Sequence[date], efa_date: date, columns: Columns, names: Sequence[str]
) -> Template:
    """Days on which all streams `names` have ranks; the poorest stream is left out while these are too few.

    Every one of `names`, of which there is one at least, has `known_days` on LEAST_DAYS days.
    """
    remaining = list(names)
    has = {name: known_days(rank, columns, name) for name in names}
    left_out: list[str] = []
    while (usable := np.logical_and.reduce([has[name] for name in remaining])).sum() < LEAST_DAYS:
        left_out.append(min(remaining, key=lambda name: (int(has[name].sum()), name)))
        remaining.remove(left_out[-1])
    rows, notes = _alike(np.flatnonzero(usable), days, efa_date)
    order = sorted(rows.tolist(), key=lambda row: (_season_distance(days[row], efa_date), -days[row].toordinal()))
    return Template(np.array(order, dtype=np.int64), tuple(left_out), notes)


def known_days(rank: Array, columns: Columns, name: str) -> Mask:
    """Days (days,) on which a stream has at least LEAST_OBSERVED of its ranks on each day that it is forecast for."""
    own = columns.of([name])
    parts = [own[columns.lead[own] == lead] for lead in np.unique(columns.lead[own])]
    return np.logical_and.reduce([np.isfinite(rank[:, part]).mean(axis=1) >= LEAST_OBSERVED for part in parts])


def template_order(rank: Array, rows: Integers, columns: Columns, count: int, rng: np.random.Generator) -> Array:
    """Numbers (count, columns) whose order within each column is the scenarios' order.

    Scenario i follows template day i modulo their number; days beyond `count` are not used.
    """
    chosen = _bridged(rank[rows[:count]], columns)
    place = np.argsort(np.argsort(chosen, axis=0, kind="stable"), axis=0, kind="stable")
    return np.asarray(place[np.arange(count) % len(chosen)] + rng.random((count, columns.count)))


def _alike(usable: Integers, days: Sequence[date], efa_date: date) -> tuple[Integers, tuple[str, ...]]:
    """The usable days of the same shape; of the same type, or of any, where those are too few."""
    shape, kind = _shape(efa_date), is_working_day(efa_date)
    same_shape = np.array([row for row in usable if _shape(days[row]) == shape], dtype=np.int64)
    if same_shape.size >= LEAST_DAYS:
        return same_shape, ()
    same_type = np.array([row for row in usable if is_working_day(days[row]) == kind], dtype=np.int64)
    words = "working days" if kind else "weekends and bank holidays"
    if same_type.size >= LEAST_DAYS:
        return same_type, (f"only {same_shape.size} past days alike in both days: all {words} are the template",)
    return usable, (f"only {same_type.size} past {words}: all {usable.size} days are the template",)


def _shape(day: date) -> tuple[bool, bool]:
    return is_working_day(day), is_working_day(day + timedelta(days=1))


def _season_distance(day: date, other: date) -> float:
    """Days between two dates on the circle of the year."""
    apart = abs((day - other).days) % YEAR_DAYS
    return min(apart, YEAR_DAYS - apart)


def _bridged(rank: Array, columns: Columns) -> Array:
    """Gaps of each day and stream bridged by straight lines in time, or flat beyond the last known."""
    whole = rank.copy()
    for row in np.flatnonzero(~np.isfinite(rank).all(axis=1)):
        for index in np.unique(columns.stream):
            own = np.flatnonzero(columns.stream == index)
            known = own[np.isfinite(rank[row, own])]
            if known.size < own.size:
                whole[row, own] = np.interp(columns.hour[own], columns.hour[known], rank[row, known])
    return whole
