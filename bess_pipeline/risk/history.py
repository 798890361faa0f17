"""The trading days that risk is measured of: settled P&L by day, strategy and bound, as the lake holds it.

What belongs here: which days count, and P&L in the forms that several measures share. What does not: half-hours
(`day_parts.py`), the measures, and writing (`stored.py`).

A day counts for a strategy when its `trading/run_status` is complete or provisional (cash that still lacks a price; how
many there are is warned of). A refused, stale or missing day is left out for that strategy, and never a zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import pandas as pd

from bess_pipeline.bound_tables import BOUND_TABLE
from bess_pipeline.lake import Lake
from bess_pipeline.risk.ladder import wide
from bess_pipeline.risk.pnl import daily_totals
from bess_pipeline.trading import foresight
from bess_pipeline.trading.market_strategies import BOUND, ENERGY_BOUND
from bess_pipeline.trading.stamps import DAILY_PNL, RUN_STATUS
from bess_pipeline.trading.strategies import find

COUNTED = ("complete", "provisional")
BOUND_NAMES = (foresight.STRATEGY, ENERGY_BOUND, BOUND)
BASIS_COLUMNS = {"cash": "cash_gbp", "after_wear": "pnl_gbp"}  # of risk/bound
KEYS = ["efa_date", "strategy"]
BOUND_COLUMNS = ["window", "bound", "imbalance_cap_mw", "efa_date", "pnl_gbp", "cash_gbp", "gap_gbp", "status"]
BOUND_COLUMNS += ["opening_energy_mwh", "closing_energy_mwh", "energy_price_gbp_mwh"]


@dataclass(frozen=True)
class History:
    """Counted days up to `as_of`, both included.

    daily: `risk/daily_pnl` rows; totals: `pnl.daily_totals` of them; status: `trading/run_status` rows, all of counted
    days alone. bound: `risk/bound` rows, one a bound, cap and day: that of the longest window. Days on which a bound
    had no prices are left out of it.
    """

    as_of: date
    daily: pd.DataFrame
    totals: pd.DataFrame
    status: pd.DataFrame
    bound: pd.DataFrame

    @property
    def strategies(self) -> list[str]:
        """Strategies with at least one counted day."""
        return sorted(self.totals["strategy"].unique())

    @property
    def days(self) -> list[date]:
        """Days that count for at least one strategy, in order."""
        return sorted(self.totals["efa_date"].unique())

    @property
    def caps_mw(self) -> list[float]:
        """The imbalance caps that bounds were computed at, MW, in order."""
        return sorted(float(cap) for cap in self.bound["imbalance_cap_mw"].unique())

    def days_of(self, strategy: str) -> pd.DataFrame:
        """Rows of `totals` of a strategy, in the order of days."""
        rows = self.totals[self.totals["strategy"] == strategy]
        return rows.sort_values("efa_date", ignore_index=True)

    def of(self, strategy: str) -> pd.DataFrame:
        """`risk/daily_pnl` rows of a strategy."""
        return self.daily[self.daily["strategy"] == strategy]

    def bounds_at(self, cap_mw: float | None) -> pd.DataFrame:
        """Rows of `bound` at a cap, one a bound and day.

        No cap applies to the day-ahead market alone: its bound is the same at every cap.
        """
        everywhere = self.bound["bound"] == foresight.STRATEGY
        rows = self.bound[everywhere | (self.bound["imbalance_cap_mw"] == cap_mw)]
        return rows.sort_values("imbalance_cap_mw", kind="stable").drop_duplicates(["bound", "efa_date"])

    def wide(self, basis: str, cap_mw: float | None) -> pd.DataFrame:
        """P&L in GBP, a row per day and a column per strategy and bound at a cap; NaN where one has no such day.

        The bound of the day-ahead market is both a strategy of the replay and a bound: where it was computed as one
        problem over the window, it is that.
        """
        table = wide(self.totals, f"{basis}_gbp")
        rows = self.bounds_at(cap_mw)
        if rows.empty:
            return table
        bounds = rows.pivot(index="efa_date", columns="bound", values=BASIS_COLUMNS[basis]).rename_axis(columns=None)
        return table.drop(columns=bounds.columns, errors="ignore").join(bounds, how="left").sort_index()

    def stored_gbp(self, cap_mw: float | None, valuing: str | None) -> pd.DataFrame:
        """What each day adds to the worth of stored energy, GBP, in the form of `wide`: nobody gains by ending full.

        (closing - opening) x the price that the bound `valuing` values it at on that day, the same for all columns; 0
        where there is no such price, or a day has no states.
        """
        rows = self.bounds_at(cap_mw)
        price = rows[rows["bound"] == valuing].set_index("efa_date")["energy_price_gbp_mwh"].astype("float64")
        tables = []
        for part, name in ((self.status, "strategy"), (rows, "bound")):
            change = (part["closing_energy_mwh"] - part["opening_energy_mwh"]) * part["efa_date"].map(price)
            one = part[["efa_date"]].assign(column=part[name], change=change.astype("float64"))
            tables.append(one.pivot(index="efa_date", columns="column", values="change"))
        bounds = tables[1].columns
        table = tables[0].drop(columns=bounds, errors="ignore").join(tables[1], how="outer")
        return table.rename_axis(columns=None).fillna(0.0).sort_index()


def read_history(lake: Lake, as_of: date) -> History:
    """The counted days up to `as_of`."""
    status = lake.read(RUN_STATUS, date.min, as_of)
    status = status[status["status"].isin(COUNTED)].reset_index(drop=True)
    daily = lake.read(DAILY_PNL, date.min, as_of).merge(status[KEYS], on=KEYS).reset_index(drop=True)
    return History(as_of, daily, daily_totals(daily), status, _bounds(lake, as_of))


def bounds_of(strategies: list[str]) -> dict[str, str]:
    """Strategy to the bound that it is compared with; bounds and unknown names have none."""
    known = {name: find(name) for name in strategies if name not in BOUND_NAMES}
    return {name: one.bound for name, one in known.items() if one is not None and one.bound is not None}


def widest_bound(names: Iterable[str]) -> str | None:
    """The bound of the most markets among these columns: its price of stored energy serves to compare them all."""
    there = set(names)
    return next((name for name in reversed(BOUND_NAMES) if name in there), None)


def traded_caps_mw(strategies: Iterable[str], cap_mw: float) -> dict[str, float]:
    """The imbalance cap that each strategy trades under, MW: `cap_mw`, or NaN for bounds and where none applies."""
    known = {name: find(name) for name in strategies}
    capped = {name for name, one in known.items() if one and one.bound and "imbalance" in one.markets}
    return {name: cap_mw if name in capped else float("nan") for name in known}


def is_bound(name: str) -> bool:
    """Whether a column of `History.wide` is an upper bound and no strategy."""
    return name in BOUND_NAMES


def last_counted_day(lake: Lake, first: date, last: date) -> date | None:
    """The last day of a range that counts for some strategy; None where none does."""
    for day in reversed([day for day in lake.days(DAILY_PNL) if first <= day <= last and lake.has(RUN_STATUS, day)]):
        status = lake.read(RUN_STATUS, day, day)
        if status["status"].isin(COUNTED).any() and lake.count(DAILY_PNL, [day]):
            return day
    return None


def _bounds(lake: Lake, as_of: date) -> pd.DataFrame:
    """`risk/bound` rows up to a day, of the longest window that holds each day."""
    rows = lake.read(BOUND_TABLE, date.min, as_of)
    rows = rows[rows["status"] == COUNTED[0]]
    ends = rows["window"].str.split(r"\.\.", expand=True, regex=True).reindex(columns=[0, 1])
    length = (pd.to_datetime(ends[1]) - pd.to_datetime(ends[0])).dt.days
    rows = rows.assign(length=length).sort_values(["length", "window"], kind="stable")
    rows = rows.drop_duplicates(["bound", "imbalance_cap_mw", "efa_date"], keep="last")
    return rows.drop(columns="length").sort_values(["bound", "imbalance_cap_mw", "efa_date"], ignore_index=True)
