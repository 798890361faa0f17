"""What it is worth that chains of trading days begin anew, and which days knew nothing of the next, for the report.

What belongs here: the sum over a window and its share of the P&L, and the days. What does not: each seam (view
`trading.seam`) and which days start a chain (`trading/chains.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pandas as pd

from bess_pipeline.report.tables import number

NEXT_DAY_UNPLANNED = "next day unplanned"  # a kind of seam
NAMED = 5  # days that are named one by one


def seam_sentences(seams: pd.DataFrame, pnl: pd.DataFrame, named: Callable[[str], str]) -> list[str]:
    """What to say of a window, nothing where one chain knew all its days.

    seams: rows of `trading.seam` with both sides in the window; pnl: its `risk/daily_pnl` rows, GBP after wear when
    summed; named: what a strategy is called.
    """
    if seams.empty:
        return []
    unseen = seams.get("kind", pd.Series("", index=seams.index)) == NEXT_DAY_UNPLANNED
    return [*_chain_starts(seams[~unseen], pnl, named), *_unseen(seams[unseen], named)]


def _chain_starts(seams: pd.DataFrame, pnl: pd.DataFrame, named: Callable[[str], str]) -> list[str]:
    if seams.empty:
        return []
    earned = pnl.groupby("strategy")["pnl_gbp"].sum()
    parts = [
        _part(named(str(strategy)), own, float(earned.get(strategy, 0.0)))
        for strategy, own in seams.groupby("strategy", sort=True)
    ]
    starts = seams["efa_date"].nunique()
    times = "once" if starts == 1 else f"{starts} times"
    return [
        f"Chains of trading days begin anew {times} in this window: a battery opens there with the initial state, not "
        "with what it closed with. That energy was not paid for, and what it earned is in the P&L of strategies and "
        "bounds. "
        f"Given (lost where negative), at the day's mean day-ahead price: {'; '.join(parts)}."
    ]


def _unseen(seams: pd.DataFrame, named: Callable[[str], str]) -> list[str]:
    """Days dispatched before the day after was planned, by strategy."""
    if seams.empty:
        return []
    days = [
        f"{named(str(strategy))} {_listed(sorted(own['closed_on']))}"
        for strategy, own in seams.groupby("strategy", sort=True)
    ]
    return [
        "Days dispatched before the day after was planned, without its contracts, as the last day of a range is: a "
        f"replay with both in one range does otherwise from there on: {'; '.join(days)}."
    ]


def _listed(days: list[date]) -> str:
    """The days, or how many and from when to when where they are more than `NAMED`."""
    if len(days) <= NAMED:
        return ", ".join(f"{day}" for day in days)
    return f"on {len(days)} days from {days[0]} to {days[-1]}"


def _part(name: str, own: pd.DataFrame, pnl_gbp: float) -> str:
    """A strategy's seams: energy, worth and share of its P&L."""
    energy = f"{name} {number(own['difference_mwh'].sum(), 1)} MWh"
    unknown = int(own["worth_gbp"].isna().sum())
    if unknown:
        return f"{energy}, {unknown} of {len(own)} without a price"
    worth_gbp = float(own["worth_gbp"].sum())
    share = f" ({worth_gbp / abs(pnl_gbp):.1%} of its P&L after wear)" if pnl_gbp else ""
    return f"{energy}, £{number(worth_gbp)}{share}"
