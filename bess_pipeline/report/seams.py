"""What it is worth that chains of trading days begin anew, in a sentence of the report.

What belongs here: the sum over a window and its share of the P&L. What does not: each seam (view `trading.seam`) and
which days start a chain (`trading/chains.py`).
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from bess_pipeline.report.tables import number


def seam_sentences(seams: pd.DataFrame, pnl: pd.DataFrame, named: Callable[[str], str]) -> list[str]:
    """What to say of a window, nothing where no chain begins anew within it.

    seams: rows of `trading.seam` with both sides in the window; pnl: its `risk/daily_pnl` rows, GBP after wear when
    summed; named: what a strategy is called.
    """
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


def _part(name: str, own: pd.DataFrame, pnl_gbp: float) -> str:
    """A strategy's seams: energy, worth and share of its P&L."""
    energy = f"{name} {number(own['difference_mwh'].sum(), 1)} MWh"
    unknown = int(own["worth_gbp"].isna().sum())
    if unknown:
        return f"{energy}, {unknown} of {len(own)} without a price"
    worth_gbp = float(own["worth_gbp"].sum())
    share = f" ({worth_gbp / abs(pnl_gbp):.1%} of its P&L after wear)" if pnl_gbp else ""
    return f"{energy}, £{number(worth_gbp)}{share}"
