"""What trading partitions stand on: vintages of prices, and which settled days a revision has overtaken.

What belongs here: the names of trading tables, vintages, and the comparison of a partition's stamp with the
lake as it is. What does not: writing any of these partitions (`replay.py`) and the versions of the system
price themselves (`ingestion/revisions.py`).

A revised system price makes cash, status and P&L of a day outdated, and nothing else: plans and dispatch stay
as they were decided, stamped with the vintage they used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.lake import Lake
from bess_pipeline.market_tables import MARKET_DISPATCH

PLAN, FORESIGHT, DISPATCH = "trading/plan", "trading/foresight_plan", "trading/dispatch"
CASHFLOW, RUN_STATUS, DAILY_PNL = "trading/cashflow", "trading/run_status", "risk/daily_pnl"
RESTATED = (CASHFLOW, RUN_STATUS, DAILY_PNL)  # what a revised system price may change
SYSTEM_PRICE_STAMP, CASH_STAMP, MARKET_STAMP = "system_price", "cash", "market_dispatch"
DISPATCH_STAMP, COST_STAMP, MONTH_STAMP = "dispatch", "costs", "month"
SHARED_STAMP = "shared_cash."  # and the strategy: cash that the optimiser's contract looks at, without its guarantee
HALF_A_PENNY_GBP = 0.005
RESETTLED_COLUMNS = ("efa_date", "strategy", "first_cash_gbp", "cash_gbp", "change_gbp")
STATE_TOLERANCE_MWH = 1e-6


def vintage(frame: pd.DataFrame) -> str:
    """Twelve hex digits of a market frame's content: which version of the data a result stands on."""
    hashed = pd.util.hash_pandas_object(frame, index=False)
    return hashlib.sha256(hashed.to_numpy().tobytes()).hexdigest()[:12]


def price_vintage(system_price: pd.DataFrame) -> str:
    """The vintage of what cash depends on: times and prices, not when or how often they were published."""
    return vintage(system_price[["start_utc", "system_price_gbp_mwh"]])


def status_inputs(dispatched: Mapping[str, str], settled: Mapping[str, str], market: Mapping[str, str]) -> str:
    """What trading.run_status stands on, from the stamps of a day's dispatch, cash and dispatch of all markets."""
    return dispatched.get("inputs", "") + settled.get("inputs", "") + market.get("inputs", "")


def cash_stamp(before: Mapping[str, str], dispatch: str, settled: Mapping[str, tuple[str, float]]) -> dict[str, str]:
    """What a day's cash keeps of its first settlement: cash (GBP, without wear) then and now, by strategy.

    `before` is the stamp that is replaced, `dispatch` the content hash of the day's dispatch, `settled` gives
    status and cash by strategy. The first complete settlement of a dispatch is its first; another dispatch
    starts anew, because its cash is another day's work and no effect of a revision.
    """
    stamp = {DISPATCH_STAMP: dispatch}
    kept = before if before.get(DISPATCH_STAMP) == dispatch else {}
    for strategy, (status, cash_gbp) in settled.items():
        first = kept.get(f"first_cash.{strategy}") or (repr(cash_gbp) if status == "complete" else "")
        stamp |= {f"first_cash.{strategy}": first, f"cash.{strategy}": repr(cash_gbp)}
    return stamp


def month_cash_gbp(lake: Lake, day: date, strategy: str) -> pd.Series:
    """What the optimiser's guarantee has to look at of the month's days before `day`, GBP, by EFA date in order."""
    found = {}
    for one in gb_time.days_between(day.replace(day=1), day - timedelta(days=1)):
        text = lake.stamp(CASHFLOW, one).get(f"{SHARED_STAMP}{strategy}")
        if text is not None:
            found[one] = float(text)
    return pd.Series(found, dtype="float64")


def month_stamp(lake: Lake, day: date) -> str:
    """Stands for the cash of the month's days before `day`, of all strategies."""
    text = [
        f"{one} {name} {value}"
        for one in gb_time.days_between(day.replace(day=1), day - timedelta(days=1))
        for name, value in sorted(lake.stamp(CASHFLOW, one).items())
        if name.startswith(SHARED_STAMP)
    ]
    return hashlib.sha256("\n".join(text).encode()).hexdigest()[:12]


def resettled(lake: Lake) -> pd.DataFrame:
    """Settled days whose cash has moved since it was first settled: RESETTLED_COLUMNS, a row a day and strategy."""
    rows = []
    for day in lake.days(CASHFLOW):
        stamp = lake.stamp(CASHFLOW, day)
        for name in (key for key in stamp if key.startswith("first_cash.") and stamp[key]):
            strategy = name.removeprefix("first_cash.")
            first, now = float(stamp[name]), float(stamp[f"cash.{strategy}"])
            if abs(now - first) >= HALF_A_PENNY_GBP:
                rows.append((day, strategy, first, now, now - first))
    return pd.DataFrame(rows, columns=list(RESETTLED_COLUMNS))


def closes(stamp: Mapping[str, str]) -> bool:
    """True for the stamp of a day that some strategy carries a closing state from."""
    return any(name.startswith("closing.") for name in stamp)


def broken_opening(row: Mapping[Any, Any], closing: str | None, chain_start: str | None) -> str:
    """Why the opening of a stored day no longer holds, from its status and the day before it; empty when it does."""
    opening_mwh, before = row["opening_energy_mwh"], row["efa_date"] - timedelta(days=1)
    if not closing or pd.isna(opening_mwh):
        return ""
    if abs(opening_mwh - float(closing)) > STATE_TOLERANCE_MWH:
        return (
            f"it opened with {opening_mwh:.3f} MWh but {before} now closes with {float(closing):.3f} MWh: run it again"
        )
    if chain_start and row["chain_start"] != date.fromisoformat(chain_start):
        return f"its chain started on {row['chain_start']} and now starts on {chain_start}: run it again"
    return ""


def efa_rows(lake: Lake, table: str, first: date, last: date) -> pd.DataFrame:
    """Rows of a half-hourly market table in the EFA days `first` to `last`: settlement dates from the day before."""
    rows = lake.read(table, first - timedelta(days=1), last)
    start, end = gb_time.efa_day_bounds_utc(first)[0], gb_time.efa_day_bounds_utc(last)[1]
    inside = (rows["start_utc"] >= start) & (rows["start_utc"] < end)
    return rows[inside].reset_index(drop=True)


def outdated(lake: Lake, fingerprint: str, days: Iterable[date] | None = None) -> list[date]:
    """The settled days (of `days`; all by default) whose cash, status or P&L do not stand on the lake's prices.

    Only days that were dispatched under the settings of `fingerprint`: others are run again as a whole.
    """
    settled = set(lake.days(CASHFLOW)) & set(lake.days(DISPATCH)) & set(lake.days(RUN_STATUS))
    chosen = sorted(settled if days is None else settled & set(days))
    wanted = [day for day in chosen if lake.stamp(DISPATCH, day).get("settings") == fingerprint]
    if not wanted:
        return []
    system = efa_rows(lake, "market/system_price", wanted[0], wanted[-1])
    by_day = dict(tuple(system.groupby(gb_time.efa_columns(system["start_utc"])["efa_date"])))
    found = [day for day in wanted if not _stands(lake, day, by_day.get(day, system.iloc[:0]))]
    return sorted({*found, *(day for day in wanted if _follows_in_month(lake, day, found))})


def _follows_in_month(lake: Lake, day: date, changed: Sequence[date]) -> bool:
    """Whether a guarantee of the month makes a day's cash hang on an earlier one that is settled again."""
    month = day.replace(day=1)
    return bool(lake.stamp(CASHFLOW, day).get(MONTH_STAMP)) and any(month <= one < day for one in changed)


def _stands(lake: Lake, day: date, system_price: pd.DataFrame) -> bool:
    cash, dispatch, market = (lake.stamp(table, day) for table in (CASHFLOW, DISPATCH, MARKET_DISPATCH))
    return (
        cash.get(SYSTEM_PRICE_STAMP) == price_vintage(system_price)
        and cash.get(MARKET_STAMP, "") == market.get("inputs", "")
        and cash.get(MONTH_STAMP, "") in ("", month_stamp(lake, day))
        and lake.stamp(RUN_STATUS, day).get("inputs") == status_inputs(dispatch, cash, market)
        and lake.stamp(DAILY_PNL, day).get(CASH_STAMP) == cash.get("inputs")
    )
