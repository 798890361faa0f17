"""What half-hours say about a trading day's risk: P&L by EFA block and driver, open position, imbalance, cycles.

What belongs here: one pass over the half-hours of the lake, a month at a time, that leaves rows per day. What does not:
which days count (`history.py`), how drivers are cut (`drivers.py`) and what is made of the days (`stored.py`).

A driver needs the plan of a half-hour: `trading/market_dispatch` carries it, strategies of the day-ahead market have
it in `trading/plan` and `trading/foresight_plan`. Days without one have no drivers, and the reason is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import groupby

import numpy as np
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.lake import Lake
from bess_pipeline.market_tables import MARKET_DISPATCH
from bess_pipeline.risk import drivers, limits, reject_if
from bess_pipeline.risk.history import KEYS, History
from bess_pipeline.trading.stamps import CASHFLOW, DISPATCH, FORESIGHT, PLAN, efa_rows

RESPONSE_COLUMNS = tuple(f"{code}_mw" for code in ("dcl", "dch", "dml", "dmh", "drl", "drh"))
DAY_AHEAD, SYSTEM = "market/day_ahead_price", "market/system_price"
SYSTEM_COLUMN, DAY_AHEAD_COLUMN = "system_price_gbp_mwh", "day_ahead_price_gbp_mwh"
ONE_DAY = timedelta(days=1)


@dataclass
class DayParts:
    """Rows per day and strategy, and what was noticed.

    blocks, drivers: efa_date, strategy, component, amount_gbp; days: efa_date, strategy, imbalance_mwh,
    open_day_ahead_mwh, response_share (NaN where a strategy has no plan, or offers no response).
    warnings: (kind, strategy, words).
    """

    blocks: pd.DataFrame
    drivers: pd.DataFrame
    days: pd.DataFrame
    warnings: list[tuple[str, str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class HalfHours:
    """Half-hours of one strategy in order: dispatch with plan columns where they are known, cash, and prices.

    dispatch has, beside its own columns, day_ahead_mwh, planned_charge_mw, planned_discharge_mw and accepted_mwh.
    """

    strategy: str
    dispatch: pd.DataFrame
    cashflow: pd.DataFrame
    system_price_gbp_mwh: np.ndarray
    day_ahead_price_gbp_mwh: np.ndarray


def read_parts(lake: Lake, history: History, battery: Battery) -> DayParts:
    """All counted days of a history, read a month at a time."""
    blocks, by_driver, days, warnings = [], [], [], []
    opening = history.status.set_index(["strategy", "efa_date"])["opening_energy_mwh"]
    for month in months_of(history.days):
        for half_hours in read_half_hours(lake, history, month[0], month[-1]):
            name = half_hours.strategy
            blocks.append(_blocks(half_hours).assign(strategy=name))
            days.append(_position(half_hours, battery).assign(strategy=name))
            found, why_not = _drivers(half_hours, battery)
            by_driver.append(found.assign(strategy=name))
            warnings += [("no_drivers", name, f"{month[0]:%Y-%m}: {why}") for why in why_not]
            warnings += _rejected(half_hours, battery, opening[name])
    columns = ["efa_date", "strategy", "component", "amount_gbp"]
    return DayParts(
        _joined(blocks, columns),
        _joined(by_driver, columns),
        _joined(days, [*KEYS, "imbalance_mwh", "open_day_ahead_mwh", "response_share"]),
        warnings,
    )


def months_of(days: Sequence[date]) -> Iterator[list[date]]:
    """Days in order, in lists of one calendar month each."""
    for _, month in groupby(days, key=lambda day: (day.year, day.month)):
        yield list(month)


def read_half_hours(lake: Lake, history: History, first: date, last: date) -> Iterator[HalfHours]:
    """Half-hours of each strategy on its counted days from `first` to `last`; none where it was not dispatched."""
    counted = history.status.loc[history.status["efa_date"].between(first, last), KEYS]
    cash = lake.read(CASHFLOW, first, last).merge(counted, on=KEYS)
    system = efa_rows(lake, SYSTEM, first, last).set_index("start_utc")[SYSTEM_COLUMN]
    day_ahead = efa_rows(lake, DAY_AHEAD, first, last).set_index("start_utc")[DAY_AHEAD_COLUMN]
    market = lake.read(MARKET_DISPATCH, first, last).merge(counted, on=KEYS)
    own = _with_plan(lake, lake.read(DISPATCH, first, last).merge(counted, on=KEYS), first, last)
    paid = dict(tuple(cash.groupby("strategy")))
    for table in (own, market):
        for strategy, rows in table.groupby("strategy"):
            rows = rows.sort_values("start_utc", ignore_index=True)
            starts = rows["start_utc"]
            prices = (one.reindex(starts).to_numpy(dtype="float64") for one in (system, day_ahead))
            yield HalfHours(str(strategy), rows, paid.get(strategy, cash.iloc[:0]), *prices)


def _with_plan(lake: Lake, dispatch: pd.DataFrame, first: date, last: date) -> pd.DataFrame:
    """`trading/dispatch` rows with what was planned for them; NaN without a plan."""
    keys = [*KEYS, "start_utc"]
    held = ["day_ahead_mw", "charge_mw", "discharge_mw"]
    plans = pd.concat([lake.read(table, first, last)[[*keys, *held]] for table in (PLAN, FORESIGHT)])
    named = {"charge_mw": "planned_charge_mw", "discharge_mw": "planned_discharge_mw"}
    rows = dispatch.merge(plans.rename(columns=named), on=keys, how="left")
    return rows.assign(day_ahead_mwh=rows.pop("day_ahead_mw") * gb_time.HALF_HOUR_H, accepted_mwh=0.0)


def _blocks(given: HalfHours) -> pd.DataFrame:
    """P&L by day and EFA block."""
    totals = given.cashflow.groupby(["efa_date", "start_utc"], as_index=False)["amount_gbp"].sum()
    block = gb_time.efa_columns(totals["start_utc"])["efa_block"].to_numpy()
    named = totals.assign(component=[f"EFA block {number}" for number in block])
    return named.groupby(["efa_date", "component"], as_index=False)["amount_gbp"].sum()


def _drivers(given: HalfHours, battery: Battery) -> tuple[pd.DataFrame, list[str]]:
    """P&L by day and driver of the days that have a plan throughout, and why others have none."""
    planned = given.dispatch["day_ahead_mwh"].notna().groupby(given.dispatch["efa_date"]).transform("all")
    rows = given.dispatch[planned].reset_index(drop=True)
    nothing = pd.DataFrame({"efa_date": [], "component": [], "amount_gbp": []}).astype({"component": "str"})
    why = [] if planned.all() else [f"{given.dispatch.loc[~planned, 'efa_date'].nunique()} days have no plan"]
    if rows.empty:
        return nothing, why
    cash = given.cashflow[given.cashflow["efa_date"].isin(rows["efa_date"].unique())]
    volume = drivers.market_volumes(rows)
    day_ahead, system = (one[planned.to_numpy()] for one in (given.day_ahead_price_gbp_mwh, given.system_price_gbp_mwh))
    wear = battery.degradation_cost_gbp_per_mwh
    try:
        found = drivers.driver_cash(volume, cash, rows["start_utc"], day_ahead, system, wear)
    except ValueError as error:
        return nothing, [*why, str(error)]
    found = found.assign(component=found["driver"])
    return found.groupby(["efa_date", "component"], as_index=False)[["amount_gbp"]].sum(), why


def _position(given: HalfHours, battery: Battery) -> pd.DataFrame:
    """Volumes of each day that limits look at."""
    rows = given.dispatch
    planned = (rows["planned_discharge_mw"] - rows["planned_charge_mw"]) * gb_time.HALF_HOUR_H
    offers = [name for name in RESPONSE_COLUMNS if name in rows]
    volumes = pd.DataFrame(
        {
            "efa_date": rows["efa_date"],
            "imbalance_mwh": rows["imbalance_mwh"].abs(),
            "open_day_ahead_mwh": (rows["day_ahead_mwh"] - planned).abs(),
            "response_mw_h": rows[offers].sum(axis=1) * gb_time.HALF_HOUR_H if offers else np.nan,
            "hours": gb_time.HALF_HOUR_H,
        }
    )
    days = volumes.groupby("efa_date").sum(min_count=1)
    missing = volumes.isna().groupby(volumes["efa_date"]).any()  # what is not known all day is not measured
    days = days.mask(missing[days.columns])
    share = [
        limits.response_share(mw_h, battery.power_mw, hours)
        for mw_h, hours in zip(days["response_mw_h"], days["hours"], strict=True)
    ]
    return days.assign(response_share=share).reset_index().drop(columns=["response_mw_h", "hours"])


def _rejected(given: HalfHours, battery: Battery, opening_mwh: pd.Series) -> list[tuple[str, str, str]]:
    """Warnings of the reject-if list that half-hours give: too many cycles, and being paid for burning energy."""
    rows, found = given.dispatch, []
    usable = battery.usable_energy_mwh
    month = f"in {rows['efa_date'].iloc[0]:%Y-%m}"
    for words in reject_if.cycles_too_much(given.strategy, rows, usable):
        found.append(("cycles_too_much", given.strategy, f"{month}: {words}"))
    price = np.fmin(given.system_price_gbp_mwh, given.day_ahead_price_gbp_mwh)
    for run in gb_time.consecutive_runs(rows["efa_date"].unique()):
        here = rows["efa_date"].between(run[0], run[-1]).to_numpy()
        opening = float(opening_mwh.get(run[0], np.nan))
        for words in reject_if.free_lunch(given.strategy, rows[here], price[here], battery, opening):
            found.append(("free_lunch", given.strategy, words))
    return found


def _joined(frames: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    held = [frame for frame in frames if len(frame)]
    return pd.concat(held, ignore_index=True)[columns] if held else pd.DataFrame(columns=columns)
