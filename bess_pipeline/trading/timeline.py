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
created anew the next day (domain.md 2.6). Results of the response auction of D are known at 15:00 on D-1 (16:00 at
the latest by NESO's Procurement Rules: a setting); those of balancing reserve, which come earlier, count as known
then too. Response energy follows from system frequency, whose file of a month is published after the month has ended.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Literal

import pandas as pd

from bess_pipeline import gb_time

Gate = Literal["day_ahead", "response"]
Kind = Literal["day_ahead_price", "system_price", "market_index_price", "auction_clearing", "response_energy"]

GATES: tuple[Gate, ...] = ("day_ahead", "response")
GATE_CLOCKS: dict[str, time] = {"day_ahead": time(9, 50), "response": time(14, 0)}
DAY_AHEAD_RESULT_CLOCK = time(10, 0)
DECISION_LEAD = timedelta(minutes=60)
DEFAULT_SYSTEM_PRICE_LAG_MINUTES = 60
DEFAULT_RESPONSE_RESULT_CLOCK = time(15, 0)
DEFAULT_FREQUENCY_PUBLICATION_DAYS = 15
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


def response_result_utc(efa_date: date, clock: time = DEFAULT_RESPONSE_RESULT_CLOCK) -> datetime:
    """The instant at which the response auction's results of `efa_date` are published, UTC."""
    return gb_time.london_to_utc(efa_date - timedelta(days=1), clock)


def known_utc(
    frame: pd.DataFrame,
    kind: Kind,
    *,
    system_price_lag_minutes: int = DEFAULT_SYSTEM_PRICE_LAG_MINUTES,
    response_result_clock: time = DEFAULT_RESPONSE_RESULT_CLOCK,
    frequency_publication_days: int = DEFAULT_FREQUENCY_PUBLICATION_DAYS,
) -> pd.Series:
    """When each row of a market table became known: UTC instants on the index of `frame`.

    `frame` has `start_utc` (half-hours); a `day_ahead_price` frame also has `source`, an `auction_clearing` frame has
    `efa_date` alone. `frequency_publication_days` are counted from the end of the UTC month.
    Raises ValueError for an unknown kind or starts without a time zone.
    """
    if kind == "auction_clearing":
        return _by_day(frame["efa_date"], lambda day: response_result_utc(day, response_result_clock))
    start = frame["start_utc"].dt.tz_convert("UTC")
    period_end = start + gb_time.HALF_HOUR
    if kind == "market_index_price":
        return period_end.rename("known_utc")
    if kind == "system_price":
        return (period_end + pd.Timedelta(minutes=system_price_lag_minutes)).rename("known_utc")
    if kind == "day_ahead_price":
        within_day = frame["source"].isin(WITHIN_DAY_SOURCES)
        auction = _by_day(gb_time.efa_columns(start)["efa_date"], day_ahead_result_utc)
        return auction.where(~within_day, period_end).rename("known_utc")
    if kind == "response_energy":
        return _month_end_utc(start) + pd.Timedelta(days=frequency_publication_days)
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


def _by_day(days: pd.Series, instant: Callable[[date], datetime]) -> pd.Series:
    instants = {day: instant(day) for day in days.unique()}
    return pd.to_datetime(days.map(instants), utc=True).dt.as_unit("us").rename("known_utc")


def _month_end_utc(start: pd.Series) -> pd.Series:
    """The end of the UTC month that each instant lies in."""
    month = start.dt.tz_localize(None).to_numpy().astype("datetime64[M]")
    end = pd.DatetimeIndex((month + 1).astype("datetime64[us]"), tz="UTC")
    return pd.Series(end, index=start.index, name="known_utc")
