"""Gates of a trading day, and when each market value becomes known.

What belongs here: the instants at which decisions are taken, and the rule that gives each row of a
market table the instant from which a decision may use it. What does not: the market calendars
(`gb_time.py`), nor what a strategy does with what it knows (`rule_based.py`, `foresight.py`).

The gates of EFA day D, London time (design.md 6; N2EX gate 09:50 and results 10:00, Nord Pool; NESO EAC
gate 14:00):

* day-ahead: 09:50 on D-1;
* response and quick reserve: 14:00 on D-1;
* dispatch of the half-hour starting at T: T-60 minutes (gate closure).

A published day-ahead price of EFA day D is known at 10:00 on D-1. The market index is a within-day price:
where it stands in for day-ahead it is known only when its half-hour has ended. The system price is known a
set lag after its half-hour has ended; its publication stamp is no proof of an earlier time, because rows are
created anew the next day (domain.md 2.6).
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Literal

import pandas as pd

from bess_pipeline import gb_time

Gate = Literal["day_ahead", "response"]
Kind = Literal["day_ahead_price", "system_price", "market_index_price"]

GATE_CLOCKS: dict[str, time] = {"day_ahead": time(9, 50), "response": time(14, 0)}
DAY_AHEAD_RESULT_CLOCK = time(10, 0)
DECISION_LEAD = timedelta(minutes=60)
DEFAULT_SYSTEM_PRICE_LAG_MINUTES = 60
WITHIN_DAY_SOURCES = frozenset({"elexon_mid"})


def gate_utc(efa_date: date, gate: Gate) -> datetime:
    """The instant on the day before `efa_date` at which `gate` closes, UTC."""
    return gb_time.london_to_utc(efa_date - timedelta(days=1), GATE_CLOCKS[gate])


def decision_utc(start_utc: datetime) -> datetime:
    """The instant at which the dispatch of the half-hour starting at `start_utc` is fixed, UTC."""
    return gb_time.require_utc(start_utc) - DECISION_LEAD


def day_ahead_result_utc(efa_date: date) -> datetime:
    """The instant at which the day-ahead auction's prices of `efa_date` are published, UTC."""
    return gb_time.london_to_utc(efa_date - timedelta(days=1), DAY_AHEAD_RESULT_CLOCK)


def known_utc(
    frame: pd.DataFrame, kind: Kind, *, system_price_lag_minutes: int = DEFAULT_SYSTEM_PRICE_LAG_MINUTES
) -> pd.Series:
    """When each row of a market table became known: UTC instants on the index of `frame`.

    `frame` has `start_utc` (half-hours); a `day_ahead_price` frame also has `source`.
    Raises ValueError for an unknown kind or starts without a time zone.
    """
    period_end = frame["start_utc"].dt.tz_convert("UTC") + gb_time.HALF_HOUR
    if kind == "market_index_price":
        return period_end.rename("known_utc")
    if kind == "system_price":
        return (period_end + pd.Timedelta(minutes=system_price_lag_minutes)).rename("known_utc")
    if kind == "day_ahead_price":
        within_day = frame["source"].isin(WITHIN_DAY_SOURCES)
        return _auction_known_utc(frame["start_utc"]).where(~within_day, period_end).rename("known_utc")
    raise ValueError(f"no rule says when a {kind} becomes known")


def known_by(
    frame: pd.DataFrame,
    kind: Kind,
    gate: datetime,
    *,
    system_price_lag_minutes: int = DEFAULT_SYSTEM_PRICE_LAG_MINUTES,
) -> pd.DataFrame:
    """The rows of `frame` that were known at the instant `gate`, their index unchanged."""
    known = known_utc(frame, kind, system_price_lag_minutes=system_price_lag_minutes)
    return frame[known <= gb_time.require_utc(gate)]


def last_day_known(efa_date: date, gate: Gate, source: str) -> date:
    """The last EFA day before `efa_date` all of whose day-ahead prices may be known at the gate."""
    instant = gate_utc(efa_date, gate)
    day = efa_date - timedelta(days=1)
    while _whole_day_known_utc(day, source) > instant:
        day -= timedelta(days=1)
    return day


def _whole_day_known_utc(efa_date: date, source: str) -> datetime:
    return gb_time.efa_day_bounds_utc(efa_date)[1] if source in WITHIN_DAY_SOURCES else day_ahead_result_utc(efa_date)


def _auction_known_utc(start_utc: pd.Series) -> pd.Series:
    days = gb_time.efa_columns(start_utc)["efa_date"]
    instants = {day: day_ahead_result_utc(day) for day in days.unique()}
    return pd.to_datetime(days.map(instants), utc=True).dt.as_unit("us")
