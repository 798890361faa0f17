"""Information with a law planted in it, for tests of models."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import numpy.typing as npt

from bess_pipeline.forecasting.information import LAGS, LEADS, Information
from bess_pipeline.forecasting.streams import Stream, day_ahead

Array = npt.NDArray[np.float64]

LAST_DAY = date(2025, 6, 2)  # a Monday, on which models are trained
HOURLY = day_ahead(60)


def information(
    values: dict[Stream, Array],
    fundamental: dict[str, Array] | None = None,
    *,
    last: date = LAST_DAY,
    gate: str = "day_ahead",
    freshest: dict[str, int] | None = None,
) -> Information:
    """Rows of `values` (days, slots), the last the day forecast: gates know days whole from `freshest` (default 1) on.

    Outcomes of the last row, and of those too fresh, are NaN whatever `values` holds there.
    """
    count = next(iter(values.values())).shape[0]
    days = tuple(last - timedelta(days=count - 1 - row) for row in range(count))
    lagged, outcome = {}, {}
    for stream, known in values.items():
        lag_known = (freshest or {}).get(stream.name, 1)
        for lag in LAGS:
            lagged[stream.name, lag] = _moved(known, -lag) if lag >= lag_known else np.full(known.shape, np.nan)
        for lead in LEADS:
            came = _moved(known, lead)
            came[max(0, count - lag_known - lead) :] = np.nan
            outcome[stream.name, lead] = came
    forecast = {(name, lead): _moved(one, lead) for name, one in (fundamental or {}).items() for lead in LEADS}
    at = datetime(last.year, last.month, last.day, tzinfo=UTC) - timedelta(hours=14)
    return Information(last, gate, at, days, {one.name: one for one in values}, lagged, outcome, forecast)


def _moved(values: Array, ahead: int) -> Array:
    found = np.full(values.shape, np.nan)
    if ahead >= 0:
        found[: values.shape[0] - ahead] = values[ahead:]
    else:
        found[-ahead:] = values[:ahead]
    return found


def daily_shape(slots: int = 24) -> Array:
    """A price shape with a morning and an evening, mean 70."""
    clock = np.arange(slots) * 24.0 / slots
    return 70.0 + 15.0 * np.sin((clock - 9.0) * np.pi / 12.0) + 8.0 * np.cos(clock * np.pi / 3.0)
