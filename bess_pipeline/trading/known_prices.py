"""The day-ahead prices that a plan may use: complete recent days, all of them known at its gate.

What belongs here: cutting a frame of prices to what was known. What does not: the instants (`timeline.py`) and
what is made of the history (`rule_based.py`, `rolling.py`, `forecasting/`).
"""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.trading import timeline

MINIMUM_HISTORY_DAYS = 7


def history_window(efa_date: date, history_days: int) -> tuple[date, date]:
    """First and last EFA day whose prices a plan of `efa_date` can use, whatever the source; both included."""
    return efa_date - timedelta(days=history_days + 1), efa_date - timedelta(days=1)


def known_history(
    day_ahead_price: pd.DataFrame, efa_date: date, gate: timeline.Gate, history_days: int
) -> pd.DataFrame:
    """Rows of `market/day_ahead_price`, with `efa_date`, of complete days that were wholly known at the gate.

    Of the last `history_days` EFA days that can be known then: to D-1 for an auction, to D-2 where the within-day
    index stands in. `day_ahead_price` may hold any rows: what was not known is left out here.
    """
    known = timeline.known_by(day_ahead_price, "day_ahead_price", timeline.gate_utc(efa_date, gate))
    frame = known.assign(efa_date=gb_time.efa_columns(known["start_utc"])["efa_date"])
    if frame.empty:
        return frame
    source = str(frame["source"].iloc[int(frame["start_utc"].argmax())])
    last = timeline.last_day_known(efa_date, gate, source)
    window = gb_time.days_between(last - timedelta(days=history_days - 1), last)
    counts = frame["efa_date"].value_counts()
    complete = [day for day in window if counts.get(day, 0) == len(gb_time.efa_half_hours(day))]
    return frame[frame["efa_date"].isin(complete)]


def too_short(history: pd.DataFrame, history_days: int, who: str) -> str:
    """Why `who` cannot decide from this history; empty when it can."""
    days = history["efa_date"].nunique()
    if days >= MINIMUM_HISTORY_DAYS:
        return ""
    return (
        f"{days} complete days of day-ahead prices were known at the day-ahead gate, in the {history_days} "
        f"days before it; {who} needs {MINIMUM_HISTORY_DAYS}"
    )
