"""P&L of strategies side by side: over the days that all of them have, and each over all its own days.

What belongs here: which days a table of strategies covers, and where its captures come from. What does not: sums
(`risk/pnl.py`), capture itself (`risk/capture.py`, `risk/ladder.py`) and the table's format (`tables.py`).
"""

from __future__ import annotations

from datetime import date

import pandas as pd

from bess_pipeline.report.risk_rows import AFTER_WEAR, RiskRows
from bess_pipeline.report.tables import Comparison
from bess_pipeline.risk.capture import Capture, capture
from bess_pipeline.trading.strategies import find

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
    return [*found, Comparison(title, pnl, _own_days(pnl, run_status, energy_prices))]


def _over(
    title: str, pnl: pd.DataFrame, run_status: pd.DataFrame, energy_prices: pd.DataFrame, rows: RiskRows
) -> Comparison:
    """Captures are made of these rows; with bounds that have no days here, those of the ladder over the same days."""
    own = Comparison(title, pnl, capture(pnl, run_status, _mean(energy_prices)))
    strategies, days = set(pnl["strategy"]), pnl["efa_date"].nunique()
    if all(one is None or one.bound is None or one.bound in strategies for one in map(find, strategies)):
        return own
    cap = rows.caps_mw[0] if rows.caps_mw else float("nan")
    ladder = rows.ladder[(rows.ladder["basis"] == AFTER_WEAR) & (rows.ladder["imbalance_cap_mw"] == cap)]
    stands_on_them = rows.as_of == pnl["efa_date"].max() and strategies <= set(ladder["strategy"])
    if not stands_on_them or (ladder["days"] != days).any():
        return own
    captured = ladder.dropna(subset=["capture"]).set_index("strategy")["capture"]
    share = {str(name): float(value) for name, value in captured.items()}
    return Comparison(title, pnl, Capture(share, _mean(energy_prices)), cap)


def _own_days(pnl: pd.DataFrame, run_status: pd.DataFrame, energy_prices: pd.DataFrame) -> Capture:
    """Capture of each strategy that has the same days as its bound, all at one price of stored energy."""
    price = _mean(energy_prices)
    share: dict[str, float] = {}
    for strategy in sorted(set(pnl["strategy"])):
        known = find(str(strategy))
        pair = pnl[pnl["strategy"].isin([strategy, known.bound if known else None])]
        days = _days_of(pair)
        if len(set(days.values())) == 1:
            share |= capture(pair, run_status[run_status["efa_date"].isin(days[strategy])], price).share
    return Capture(share, price)


def _days_of(pnl: pd.DataFrame) -> dict[str, frozenset[date]]:
    return {str(strategy): frozenset(own) for strategy, own in pnl.groupby("strategy")["efa_date"]}


def _mean(energy_prices: pd.DataFrame) -> float:
    weight = energy_prices["weight"].sum()
    return float((energy_prices["price"] * energy_prices["weight"]).sum() / weight) if weight else float("nan")
