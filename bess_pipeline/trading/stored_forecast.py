"""The forecaster that plans with stored forecasts: what `forecast/price_forecast` says of the day-ahead price.

What belongs here: from stored rows to a price for each half-hour, and what serves where there are none. What does not:
how forecasts are made (`forecasting/`, `scenarios/gates.py`), and what is planned with them (`rolling.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.forecast_tables import FORECAST
from bess_pipeline.forecasting.baseline import Array, Forecaster
from bess_pipeline.forecasting.streams import horizon_starts
from bess_pipeline.lake import Lake
from bess_pipeline.settings import RollingSettings

STREAM = GATE = "day_ahead"


def planned_with(lake: Lake, rolling: RollingSettings, efa_date: date) -> pd.DataFrame | None:
    """What the day-ahead gate of `efa_date` forecast, as stored; None where plans are made with the baseline."""
    if rolling.forecast != "chosen":
        return None
    return day_ahead_mean(lake.read(FORECAST, efa_date, efa_date), GATE)


def day_ahead_mean(rows: pd.DataFrame, gate: str) -> pd.DataFrame:
    """Day-ahead rows of a gate among rows of `forecast/price_forecast`: start_utc, duration_minutes, mean, model."""
    mine = rows[(rows["gate"] == gate) & (rows["stream"] == STREAM)]
    return mine[["start_utc", "duration_minutes", "mean", "model"]].sort_values("start_utc").reset_index(drop=True)


def stored_mean(forecast: pd.DataFrame, otherwise: Forecaster) -> Forecaster:
    """The forecaster that gives the mean of `day_ahead_mean`, and what `otherwise` gives where there is none."""

    def price(history: pd.DataFrame, days: Sequence[date]) -> Array:
        starts = horizon_starts("half_hour", days)
        period = starts
        if len(forecast):
            period = starts.floor(f"{int(forecast['duration_minutes'].iloc[0])}min")  # London is whole hours from UTC
        found = forecast.set_index("start_utc")["mean"].reindex(period).to_numpy(dtype="float64", copy=True)
        missing = pd.isna(found)
        if missing.any():
            found[missing] = otherwise(history, days)[missing]
        return found

    return price


def described(forecast: pd.DataFrame, efa_date: date, similar_days: int) -> str:
    """Which model the prices of `efa_date` came from, in words."""
    start = gb_time.efa_day_bounds_utc(efa_date)[0]
    if len(forecast) and (forecast["start_utc"] == start).any():
        return str(forecast["model"].iloc[0])
    return f"the mean of the last {similar_days} similar days (no stored forecast of its gate)"
