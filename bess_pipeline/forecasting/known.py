"""When what a gate used became known: found again from its values, to be recorded and checked against the gate.

What belongs here: the way back from arrays of an `Information` to the instants of the periods they came from. What
does not: the cut itself (`observation.py`), which never looks at the result of this.
"""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from bess_pipeline.forecasting.fundamentals import Publications
from bess_pipeline.forecasting.information import LAGS, LEADS, Information
from bess_pipeline.forecasting.market_panel import Grid, MarketPanel
from bess_pipeline.forecasting.streams import Stream

Array = npt.NDArray[np.float64]
Instants = npt.NDArray[np.int64]
NEVER = np.iinfo(np.int64).max


def newest_known_utc(panel: MarketPanel, information: Information) -> datetime | None:
    """The newest instant from which a value that `information` holds was known; None where it holds none.

    Of all outcomes that models are fitted on, and of what the day itself is forecast from: its row of lagged values and
    of forecasts of fundamentals. Of several periods in one slot the first to be known counts.
    """
    row = (information.efa_date - panel.first_day).days
    found: list[int] = []
    for name, stream in information.streams.items():
        earliest = _earliest(panel.grid(stream), stream, panel.values[name].known_us, row + 1)
        outcome = information.outcome[name, 0]
        found.append(_newest(earliest[row + 1 - len(outcome) :], outcome))
        found += [_newest(earliest[row - lag], information.lagged[name, lag][-1]) for lag in LAGS]
    for (series, lead), values in information.fundamental.items():
        if lead in LEADS:
            found += _publications(panel.publications[series], panel.half_hours, row + lead, values[-1])
    newest = max(found, default=-1)
    return datetime.fromtimestamp(newest / 1e6, tz=UTC) if newest >= 0 else None


def _earliest(grid: Grid, stream: Stream, known_us: Instants, days: int) -> Instants:
    """When the first period of each of the panel's first days and slots (days, slots) became known."""
    periods = slice(0, int(grid.first[days]))
    earliest = np.full((days, stream.slots), NEVER)
    np.minimum.at(earliest, (grid.day[periods], grid.slot[periods] * stream.slots // grid.slots), known_us[periods])
    return earliest


def _newest(earliest: Instants, values: Array) -> int:
    """When the last of the values that there are became known; -1 where there is none."""
    held = earliest[~np.isnan(values)]
    return int(held.max()) if held.size else -1


def _publications(published: Publications, grid: Grid, day: int, values: Array) -> list[int]:
    """When each of a day's forecasts (half-hours,) was first published with the value that is held."""
    start_of_row = published.start_us[published.place // published.published_us.size]
    found = []
    for period in range(int(grid.first[day]), int(grid.first[day + 1])):
        start = int(grid.start_us[period])
        start -= start % 3_600_000_000 if published.hourly else 0
        rows = slice(*np.searchsorted(start_of_row, [start, start + 1]))
        same = published.row_published_us[rows][published.value[rows] == values[grid.slot[period]]]
        found += [int(same.min())] if same.size else []
    return found
