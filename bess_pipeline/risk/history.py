"""The trading days that risk is measured of: settled P&L by day, strategy and bound, as the lake holds it.

What belongs here: which days count, and P&L in the forms that several measures share. What does not: half-hours
(`day_parts.py`), the measures, and writing (`stored.py`).

A day counts for a strategy when its `trading/run_status` is complete or provisional (cash that still lacks a price; how
many there are is warned of). A refused, stale or missing day is left out for that strategy, and never a zero.
"""

from __future__ import annotations

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

    def wide(self, basis: str, cap_mw: float | None) -> pd.DataFrame:
        """P&L in GBP, a row per day and a column per strategy and bound at a cap; NaN where one has no such day.

        The bound of the day-ahead market is both a strategy of the replay and a bound: where it was computed as one
        problem over the window, it is that.
        """
        table = wide(self.totals, f"{basis}_gbp")
        rows = self.bound[self.bound["imbalance_cap_mw"] == cap_mw]
        if cap_mw is None or rows.empty:
            return table
        bounds = rows.pivot(index="efa_date", columns="bound", values=BASIS_COLUMNS[basis]).rename_axis(columns=None)
        return table.drop(columns=bounds.columns, errors="ignore").join(bounds, how="left").sort_index()

    def stored_gbp(self, cap_mw: float | None) -> pd.DataFrame:
        """What each day adds to the worth of stored energy, GBP, in the form of `wide`: nobody gains by ending full.

        (closing - opening) x the price that the bounds of the day's window value it at; 0 where none is stored, or a
        day has no states.
        """
        rows = self.bound[self.bound["imbalance_cap_mw"] == cap_mw]
        price = rows.groupby("efa_date")["energy_price_gbp_mwh"].first()
        parts = [
            (self.status, "strategy", self.status["efa_date"].map(price)),
            (rows, "bound", rows["energy_price_gbp_mwh"]),
        ]
        tables = []
        for part, name, worth in parts:
            change = (part["closing_energy_mwh"] - part["opening_energy_mwh"]) * worth
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
