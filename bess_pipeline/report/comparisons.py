"""P&L of strategies side by side: over the days that all of them have, and each over all its own days.

What belongs here: which days a table of strategies covers, and where its captures come from. What does not: sums
(`risk/pnl.py`), capture itself (`risk/capture.py`) and the table's format (`tables.py`).
"""

from __future__ import annotations

from datetime import date

import pandas as pd

from bess_pipeline.report.risk_rows import RiskRows
from bess_pipeline.report.tables import Comparison
from bess_pipeline.risk.capture import Capture, capture
from bess_pipeline.trading.strategies import find

SAME_GBP = 0.01
WHOLE_TITLE = "P&L by strategy and stream, £"


def comparisons(
    pnl: pd.DataFrame, run_status: pd.DataFrame, energy_prices: pd.DataFrame, rows: RiskRows
) -> list[Comparison]:
    """One table where all strategies have the same days, else one of the days they share and one of each one's own.

    pnl, run_status: `risk/daily_pnl` and `trading/run_status` of the window; energy_prices: efa_date and price (mean
    day-ahead price of the day) and weight (its half-hours), what stored energy is valued at.
    """
    days = _days_of(pnl)
    if len(set(days.values())) <= 1:
        return [_over(WHOLE_TITLE, pnl, run_status, energy_prices, rows)]
    shared = frozenset.intersection(*days.values())
    found = []
    if shared:
        title = f"P&L by strategy and stream over the {len(shared)} days that all strategies have, £"
        own, status, prices = (frame[frame["efa_date"].isin(shared)] for frame in (pnl, run_status, energy_prices))
        found.append(_over(title, own, status, prices, rows))
    title = "Each strategy over all its own days, £ (compare rows of the same number of days alone)"
    return [*found, _over(title, pnl, run_status, energy_prices, rows)]


def _over(
    title: str, pnl: pd.DataFrame, run_status: pd.DataFrame, energy_prices: pd.DataFrame, rows: RiskRows
) -> Comparison:
    """Captures are made of these rows; where the bound has no days here, of `risk/capture` rows of the same days.

    A strategy has a capture where it has the same days as its bound; all at one price of stored energy.
    """
    price = _mean(energy_prices)
    share: dict[str, float] = {}
    for strategy in sorted(set(pnl["strategy"])):
        known = find(str(strategy))
        pair = pnl[pnl["strategy"].isin([strategy, known.bound if known else None])]
        days = _days_of(pair)
        if len(set(days.values())) == 1:
            share |= capture(pair, run_status[run_status["efa_date"].isin(days[strategy])], price).share
    cap = rows.caps_mw[0] if rows.caps_mw else float("nan")
    others = _of_months(pnl, rows.capture[rows.capture["imbalance_cap_mw"] == cap], set(share))
    return Comparison(title, pnl, Capture(share | others, price), cap if others else None)


def _of_months(pnl: pd.DataFrame, months: pd.DataFrame, done: set[str]) -> dict[str, float]:
    """Captures of whole histories from their months, of strategies whose months hold just the P&L of these days."""
    earned = pnl.groupby("strategy")["pnl_gbp"].sum()
    found = {}
    for strategy, own in months.groupby("strategy"):
        if strategy in done or strategy not in earned or (own["bound_gbp"] + own["bound_stored_gbp"]).sum() <= 0.0:
            continue
        if abs(own["pnl_gbp"].sum() - earned[strategy]) < SAME_GBP:
            found[str(strategy)] = float(
                (own["pnl_gbp"].sum() + own["stored_gbp"].sum()) / (own["bound_gbp"] + own["bound_stored_gbp"]).sum()
            )
    return found


def _days_of(pnl: pd.DataFrame) -> dict[str, frozenset[date]]:
    return {str(strategy): frozenset(own) for strategy, own in pnl.groupby("strategy")["efa_date"]}


def _mean(energy_prices: pd.DataFrame) -> float:
    weight = energy_prices["weight"].sum()
    return float((energy_prices["price"] * energy_prices["weight"]).sum() / weight) if weight else float("nan")
