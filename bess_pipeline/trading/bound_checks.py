"""Whether the strategies of a window stay below their bound.

What belongs here: the comparison over the whole window and by month, in sentences. What does not: the bound
(`bounds.py`).

Both sides are P&L after wear plus the change of stored energy over the window at one price, which the bound states.
Fees are left out: the bound pays none, and a guaranteed floor is no market. A strategy is compared where all its days
are there and settled, it opened as the bound did, and it traded on no day on which the bound was idle. By month a
strategy may be ahead by no more than a full battery at the largest price of the month, which is what its state at an
end of the month may be worth.
"""

from __future__ import annotations

from datetime import date
from typing import cast

import numpy as np
import pandas as pd

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.lake import Lake
from bess_pipeline.trading.bounds import StoredBounds, Window, compared, same_chain
from bess_pipeline.trading.settlement_costs import FEE
from bess_pipeline.trading.stamps import DAILY_PNL, RUN_STATUS, efa_rows

TOLERANCE_GBP = 0.01  # a day: rounding of volumes at 1e-6 MWh
PRICES = {
    "market/day_ahead_price": "day_ahead_price_gbp_mwh",
    "market/system_price": "system_price_gbp_mwh",
}


def bound_failures(bounds: StoredBounds, window: Window) -> list[str]:
    """A sentence for each strategy that earned more than its bound and gap over a window, or over a month of it."""
    lake, (first, last) = bounds.lake, (window.days[0], window.days[-1])
    rows = lake.read("risk/bound", first, last)
    rows = rows[rows["window"] == window.label]
    pnl = lake.read(DAILY_PNL, first, last)
    daily = pnl[pnl["stream"] != FEE].groupby(["strategy", "efa_date"])["pnl_gbp"].sum()
    status = lake.read(RUN_STATUS, first, last)
    found: list[str] = []
    for bound in window.bounds:
        own = rows[rows["bound"] == bound]
        own = own[own["imbalance_cap_mw"] == own["imbalance_cap_mw"].max()].sort_values("efa_date")
        if len(own) != len(window.days):
            continue
        for strategy in compared(bound):
            days = status[status["strategy"] == strategy].sort_values("efa_date")
            if strategy in daily.index and _comparable(bounds, window, strategy, days, own):
                earned = daily[strategy].reindex(window.days)
                found += _window_failure(strategy, earned, days, own)
                found += _month_failures(strategy, earned, own, lake, bounds.condition.new_battery)
    return found


def _comparable(bounds: StoredBounds, window: Window, strategy: str, days: pd.DataFrame, bound: pd.DataFrame) -> bool:
    chain = bounds.chain(window, strategy)
    opening = bound["opening_energy_mwh"].to_numpy(dtype="float64")
    pinned = tuple((day, float(opening[window.days.index(day)])) for day, _ in chain)
    if not chain or not same_chain(chain, pinned) or list(days["efa_date"]) != list(window.days):
        return False
    if not days["status"].isin(["complete", "refused"]).all():
        return False
    idle = set(bound.loc[bound["status"] == "idle", "efa_date"])
    return bool((days.loc[days["efa_date"].isin(idle), "status"] == "refused").all())


def _window_failure(strategy: str, earned: pd.Series, days: pd.DataFrame, bound: pd.DataFrame) -> list[str]:
    price = float(bound["energy_price_gbp_mwh"].iloc[0])
    worth = float(earned.sum()) + price * _change(days)
    most = float(bound["pnl_gbp"].sum()) + price * _change(bound) + float(bound["gap_gbp"].iloc[0])
    if worth <= most + TOLERANCE_GBP * len(bound):
        return []
    name, window = bound["bound"].iloc[0], bound["window"].iloc[0]
    return [
        f"{strategy} earned {worth:,.2f} GBP over {window}, stored energy at {price:.2f} GBP/MWh included, and its "
        f"bound {name} with its gap {most:,.2f} GBP: that is {worth - most:,.2f} GBP less"
    ]


def _month_failures(strategy: str, earned: pd.Series, bound: pd.DataFrame, lake: Lake, battery: Battery) -> list[str]:
    found = []
    months = pd.Index([day.replace(day=1) for day in bound["efa_date"]], dtype=object)
    gap = float(bound["gap_gbp"].iloc[0])
    for key, part in bound.groupby(months):
        month = cast("date", key)
        days = list(part["efa_date"])
        own, most = float(earned[days].sum()), float(part["pnl_gbp"].sum()) + gap
        slack = battery.usable_energy_mwh * _largest_price(lake, days[0], days[-1]) + TOLERANCE_GBP * len(days)
        if own > most + slack:
            found.append(
                f"{strategy} earned {own:,.2f} GBP in {month:%Y-%m} and its bound {part['bound'].iloc[0]} with its gap "
                f"{most:,.2f} GBP: that is {own - most:,.2f} GBP less, more than the {slack:,.2f} GBP that stored "
                f"energy may explain"
            )
    return found


def _change(rows: pd.DataFrame) -> float:
    """Change of stored energy from the first day to the last, MWh."""
    return float(rows["closing_energy_mwh"].iloc[-1]) - float(rows["opening_energy_mwh"].iloc[0])


def _largest_price(lake: Lake, first: date, last: date) -> float:
    """The largest price of energy, either sign, GBP/MWh; 0 without any."""
    prices = [efa_rows(lake, table, first, last)[column].abs().max() for table, column in PRICES.items()]
    return float(np.nanmax([0.0, *prices]))
