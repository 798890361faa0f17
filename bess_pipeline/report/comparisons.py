"""P&L of strategies side by side: over the days that all of them have, and each over all its own days.

What belongs here: which days a table of strategies covers, and which stored captures are of those days. What does not:
sums (`risk/pnl.py`), captures themselves (`risk/stored_measures.py`) and the table's format (`tables.py`).
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from bess_pipeline.report.risk_rows import AFTER_WEAR, RiskRows
from bess_pipeline.report.tables import Comparison
from bess_pipeline.risk.pnl import DAYS_PER_YEAR

SAME_GBP = 0.01
WHOLE_TITLE = "P&L by strategy and stream, £"


def comparisons(pnl: pd.DataFrame, rows: RiskRows) -> list[Comparison]:
    """One table where all strategies have the same days, else one of the days they share and one of each one's own.

    pnl: `risk/daily_pnl` of the window.
    """
    days = _days_of(pnl)
    if len(set(days.values())) <= 1:
        return [_over(WHOLE_TITLE, pnl, rows)]
    shared = frozenset.intersection(*days.values())
    found = []
    if shared:
        title = f"P&L by strategy and stream over the {len(shared)} days that all strategies have, £"
        found.append(_over(title, pnl[pnl["efa_date"].isin(shared)], rows))
    title = "Each strategy over all its own days, £ (compare rows of the same number of days alone)"
    return [*found, _over(title, pnl, rows)]


def _over(title: str, pnl: pd.DataFrame, rows: RiskRows) -> Comparison:
    """With the captures that are stored of just the days of each strategy: months of its own, or the ladder's days."""
    months, ladder = _traded(rows.capture), _traded(rows.ladder[rows.ladder["basis"] == AFTER_WEAR])
    share = _of_ladder(pnl, ladder) | _of_months(pnl, months)
    held = pd.concat([frame[frame["strategy"].isin(share)]["traded_cap_mw"] for frame in (months, ladder)]).dropna()
    return Comparison(title, pnl, share, float(held.max()) if len(held) else None)


def _traded(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of bounds at the cap that the strategy traded under; where none applied, those of one cap."""
    own = rows[rows["traded_cap_mw"].isna() | (rows["traded_cap_mw"] == rows["imbalance_cap_mw"])]
    keys = [name for name in ("strategy", "month") if name in own]
    return own.sort_values("imbalance_cap_mw", kind="stable").drop_duplicates(keys)


def _of_months(pnl: pd.DataFrame, months: pd.DataFrame) -> dict[str, float]:
    """Captures of whole histories from their months, of strategies whose months hold just the P&L of these days."""
    earned = pnl.groupby("strategy")["pnl_gbp"].sum()
    found = {}
    for strategy, own in months.groupby("strategy"):
        bound = (own["bound_gbp"] + own["bound_stored_gbp"]).sum()
        if strategy in earned and bound > 0.0 and abs(own["pnl_gbp"].sum() - earned[strategy]) < SAME_GBP:
            found[str(strategy)] = float((own["pnl_gbp"] + own["stored_gbp"]).sum() / bound)
    return found


def _of_ladder(pnl: pd.DataFrame, ladder: pd.DataFrame) -> dict[str, float]:
    """Captures of the ladder, of strategies whose days here are as many and earned as much as those of the ladder."""
    days = pnl.groupby("strategy")["efa_date"].nunique()
    yearly = pnl.groupby("strategy")["pnl_gbp_per_mw"].sum() / days * DAYS_PER_YEAR
    return {
        str(row["strategy"]): float(row["capture"])
        for row in ladder.dropna(subset="capture").to_dict("records")
        if days.get(row["strategy"]) == row["days"] and np.isclose(yearly[row["strategy"]], row["value"], atol=SAME_GBP)
    }


def _days_of(pnl: pd.DataFrame) -> dict[str, frozenset[date]]:
    return {str(strategy): frozenset(own) for strategy, own in pnl.groupby("strategy")["efa_date"]}
