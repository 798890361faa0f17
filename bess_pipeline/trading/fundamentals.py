"""What a gate knows of the fundamentals: the newest publication at or before it.

What belongs here: the rule that picks publications by time. What does not: fetching and storing them
(`ingestion/forecasts.py`), and features made of them.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.lake import Lake

TABLE = "market/fundamental_forecast"
LOOK_BACK = timedelta(days=3)  # forecasts reach about two days ahead


def known_at(frame: pd.DataFrame, gate_utc: datetime) -> pd.DataFrame:
    """One row a series and start: its newest publication at or before `gate_utc`.

    `frame` has the columns of `market/fundamental_forecast`; so has the result, sorted by series and
    start. Nothing published after the gate is looked at. Raises ValueError when the gate has no zone.
    """
    known = frame[frame["published_utc"] <= gb_time.require_utc(gate_utc)]
    newest = known.sort_values(["series", "start_utc", "published_utc"], kind="stable")
    return newest.drop_duplicates(["series", "start_utc"], keep="last").reset_index(drop=True)


def read_known(lake: Lake, gate_utc: datetime) -> pd.DataFrame:
    """`known_at` of what the lake holds; publications older than LOOK_BACK are not read."""
    first, last = (gb_time.settlement_date_of(instant) for instant in (gate_utc - LOOK_BACK, gate_utc))
    return known_at(lake.read(TABLE, first, last), gate_utc)
