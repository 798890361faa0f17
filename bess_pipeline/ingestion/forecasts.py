"""What the forecasts of fundamentals are as a dataset: asked for and stored by the day of publication.

What belongs here: the dataset of `market/fundamental_forecast` and when a day of it is complete. What
does not: wire formats (`sources/elexon_forecasts.py`) and what a gate sees (`forecasting/fundamentals.py`).

A partition holds what was published on a settlement date, whatever it forecasts: an answer then fills
whole partitions, and a later publication never touches an older day. Publication day P is complete when
the day is over and the series of GATE_SERIES published before the day-ahead gate of trading day P+1
cover all of it. The other series are kept and not judged: DGWS comes out after that gate (about 16:45
UTC), and how far the indicated margin reaches at the gate is not documented.
"""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.ingestion.datasets import Dataset
from bess_pipeline.sources.elexon_forecasts import CHUNK_DAYS, TABLE, fetch_forecasts, parse_forecasts
from bess_pipeline.trading.timeline import gate_utc

RAW = "raw/elexon_forecasts"
GATE_SERIES = {"wind": 2, "demand": 1}  # series -> half-hours a value covers
ONE_DAY = timedelta(days=1)


def fundamental_forecast() -> Dataset:
    """Elexon's forecasts with their publication times, by day of publication."""
    return Dataset(
        table=TABLE,
        raw=RAW,
        source="elexon",
        fetch=fetch_forecasts,
        parse=parse_forecasts,
        grid=_grid,
        partition_start="published_utc",
        chunk_days=CHUNK_DAYS,
        due_utc=lambda day: gate_utc(day + ONE_DAY, "day_ahead"),
        final_utc=lambda day: gb_time.settlement_day_bounds_utc(day)[1],
        judged=_before_the_gate,
    )


def _grid(day: date) -> pd.DataFrame:
    starts = gb_time.efa_half_hours(day + ONE_DAY)
    parts = [pd.DataFrame({"series": name, "start_utc": starts[::step]}) for name, step in GATE_SERIES.items()]
    return pd.concat(parts, ignore_index=True)


def _before_the_gate(rows: pd.DataFrame, day: date) -> pd.DataFrame:
    start, end = gb_time.efa_day_bounds_utc(day + ONE_DAY)
    known = rows[rows["published_utc"] <= gate_utc(day + ONE_DAY, "day_ahead")]
    return known[known["series"].isin(list(GATE_SERIES)) & (known["start_utc"] >= start) & (known["start_utc"] < end)]
