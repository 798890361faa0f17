"""Forecasts and scenario sets as stored rows, and back.

What belongs here: turning `ForecastSet` and `ScenarioSet` into rows of `forecast/price_forecast` and
`scenario/price_path`, and reading them back into the same objects. What does not: the columns (`forecast_tables.py`),
and when a day is made (`daily.py`).

Values are stored as finely as their markets publish them, to a penny (energy per MW: to 1e-5 MWh): whatever reads a
set reads the stored one, and years of them stay small.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.forecast_tables import quantile_column
from bess_pipeline.forecasting import streams
from bess_pipeline.forecasting.distribution import LEVELS, ForecastSet, Marginals
from bess_pipeline.forecasting.information import LEADS
from bess_pipeline.forecasting.streams import Clock, Stream
from bess_pipeline.scenarios.paths import ScenarioSet

Array = npt.NDArray[np.float64]
COLUMNS = [quantile_column(level) for level in LEVELS]
_DECIMALS = {"MWh/MW": 5}
_PENCE = 2
_HOUR_MINUTES = 60


def forecast_rows(forecasts: ForecastSet) -> pd.DataFrame:
    """Rows of `forecast/price_forecast`: one a stream and period of the trading day and the day after it."""
    parts = []
    for name, one in forecasts.marginals.items():
        numbers = _stored(one.stream, np.column_stack([one.mean, one.quantile]))
        rows = pd.DataFrame(numbers, columns=["mean", *COLUMNS])
        rows.insert(0, "model", one.model)
        rows.insert(0, "unit", one.stream.unit)
        rows.insert(0, "duration_minutes", duration_minutes(one.stream.clock, forecasts.efa_date, one.start_utc))
        rows.insert(0, "start_utc", one.start_utc)
        rows.insert(0, "stream", name)
        parts.append(rows)
    whole = pd.concat(parts, ignore_index=True)
    whole.insert(0, "gate", forecasts.gate)
    whole.insert(0, "efa_date", pd.Series([forecasts.efa_date] * len(whole), dtype=object))
    return whole


def path_rows(scenarios: ScenarioSet) -> pd.DataFrame:
    """Rows of `scenario/price_path`: one a path, stream and period."""
    count = scenarios.probability.size
    parts = []
    for name, values in scenarios.value.items():
        periods = scenarios.start_utc[name]
        parts.append(
            pd.DataFrame(
                {
                    "scenario": np.repeat(np.arange(count), len(periods)),
                    "probability": np.repeat(scenarios.probability, len(periods)),
                    "stream": name,
                    "start_utc": np.tile(periods, count) if count == 1 else periods.append([periods] * (count - 1)),
                    "value": _stored(scenarios.streams[name], values).ravel(),
                }
            )
        )
    whole = pd.concat(parts, ignore_index=True)
    whole.insert(0, "gate", scenarios.gate)
    whole.insert(0, "efa_date", pd.Series([scenarios.efa_date] * len(whole), dtype=object))
    return whole


def marginals_from(rows: pd.DataFrame, efa_date: date) -> dict[str, Marginals]:
    """The distributions of one day and gate by stream, from rows of `forecast/price_forecast`."""
    found = {}
    for name, part in rows.groupby("stream", sort=True):
        part = part.sort_values("start_utc")
        stream = stream_named(str(name), int(part["duration_minutes"].iloc[0]))
        starts = pd.DatetimeIndex(part["start_utc"])
        lead = np.asarray(starts >= pd.Timestamp(gb_time.efa_day_bounds_utc(efa_date)[1]), dtype=np.int64)
        slot = streams.slots_of(stream.clock, starts)
        found[stream.name] = Marginals(
            stream,
            starts,
            slot,
            lead,
            part[COLUMNS].to_numpy(dtype="float64"),
            part["mean"].to_numpy(dtype="float64"),
            str(part["model"].iloc[0]),
        )
    return found


def scenarios_from(
    rows: pd.DataFrame,
    known: Mapping[str, Stream],
    efa_date: date,
    gate: str,
    gate_utc: datetime,
    method: str,
    seed: int,
) -> ScenarioSet:
    """The set of one day and gate, from rows of `scenario/price_path`; `known` are its streams by name."""
    ordered = rows.sort_values(["stream", "scenario", "start_utc"], kind="stable")
    probability = ordered.drop_duplicates("scenario").set_index("scenario")["probability"].sort_index()
    count = len(probability)
    value, start_utc = {}, {}
    for name, part in ordered.groupby("stream", sort=True):
        value[str(name)] = part["value"].to_numpy(dtype="float64").reshape(count, -1)
        start_utc[str(name)] = pd.DatetimeIndex(part["start_utc"].iloc[: len(part) // count])
    named = {name: known[name] for name in value}
    return ScenarioSet(efa_date, gate, gate_utc, method, seed, probability.to_numpy(), named, start_utc, value)


def duration_minutes(clock: Clock, efa_date: date, starts: pd.DatetimeIndex) -> npt.NDArray[np.int64]:
    """Length of each period of the horizon: an hour, a half-hour, or an EFA block's 180, 240 or 300 minutes."""
    if clock != "efa_block":
        return np.full(len(starts), _HOUR_MINUTES if clock == "hour" else _HOUR_MINUTES // 2, dtype=np.int64)
    days = [efa_date + timedelta(days=lead) for lead in LEADS]
    bounds = [gb_time.efa_block_bounds_utc(day, block) for day in days for block in range(1, streams.SLOTS[clock] + 1)]
    minutes = {start: int((end - start).total_seconds()) // 60 for start, end in bounds}
    return np.array([minutes[start.to_pydatetime()] for start in starts], dtype=np.int64)


def stream_named(name: str, minutes: int) -> Stream:
    """The stream of a stored name; `minutes` are the length of its periods, which the day-ahead price needs."""
    if name == "day_ahead":
        return streams.day_ahead(minutes)
    known = [
        streams.SYSTEM_PRICE,
        streams.NET_IMBALANCE,
        streams.MARKET_INDEX,
        *streams.RESPONSE.values(),
        *streams.ACTIVATION.values(),
    ]
    return next(one for one in known if one.name == name)


def _stored(stream: Stream, values: Array) -> Array:
    return np.round(values, _DECIMALS.get(stream.unit, _PENCE)) + 0.0  # + 0.0: no minus zero
