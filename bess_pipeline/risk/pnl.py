"""Profit and loss per day, strategy and stream; totals of a window.

What belongs here: sums of `trading/cashflow`. What does not: cash per half-hour
(`trading/settlement.py`), measures of risk (`measures.py`, `drawdown.py`) and how the numbers are shown (`figures/`,
`report/`).

Two bases: *cash* is every stream but wear; *after wear* counts wear as a cost (design.md 5). Per-MW
figures divide by the battery's rating. A year is 365 days: GBP/MW/day is the total over rating and days of
the window, idle and refused days included; the annualised figure is that times 365, in k GBP/MW/year.
"""

from __future__ import annotations

import pandas as pd

from bess_pipeline import schemas

NON_CASH_STREAMS = ("wear",)
DAYS_PER_YEAR = 365


def daily_pnl(cashflow: pd.DataFrame, power_mw: float) -> pd.DataFrame:
    """`risk/daily_pnl` rows: the sum of `trading/cashflow` rows per day, strategy and stream."""
    keys = ["efa_date", "strategy", "stream"]
    if cashflow.empty:
        return schemas.empty_frame("risk/daily_pnl")
    total = cashflow.groupby(keys)["amount_gbp"].sum().rename("pnl_gbp").reset_index()
    return total.assign(pnl_gbp_per_mw=total["pnl_gbp"] / power_mw)


def daily_totals(pnl: pd.DataFrame) -> pd.DataFrame:
    """Columns efa_date, strategy, cash_gbp, after_wear_gbp of `risk/daily_pnl` rows; a row per day and strategy."""
    cash = pnl["pnl_gbp"].where(~pnl["stream"].isin(NON_CASH_STREAMS), 0.0)
    frame = pnl[["efa_date", "strategy"]].assign(cash_gbp=cash, after_wear_gbp=pnl["pnl_gbp"])
    return frame.groupby(["efa_date", "strategy"], as_index=False)[["cash_gbp", "after_wear_gbp"]].sum()


def totals(pnl: pd.DataFrame) -> pd.DataFrame:
    """Sums over the window: a row per strategy (the index), GBP.

    Columns: a column for each stream present, in the order of the schema; cash_gbp, after_wear_gbp, days
    (EFA days in `pnl`), after_wear_gbp_per_mw_day, after_wear_kgbp_per_mw_year. Strategies are ordered by
    what they earned after wear, the least first.
    """
    by_stream = pnl.pivot_table(
        index="strategy", columns="stream", values="pnl_gbp", aggfunc="sum", fill_value=0.0, observed=True
    )
    table = by_stream[[s for s in _stream_order() if s in by_stream]].rename_axis(columns=None)
    daily = daily_totals(pnl).groupby("strategy")[["cash_gbp", "after_wear_gbp"]].sum()
    per_mw = pnl.groupby("strategy")["pnl_gbp_per_mw"].sum()
    days = pnl.groupby("strategy")["efa_date"].nunique()
    table = table.assign(
        cash_gbp=daily["cash_gbp"],
        after_wear_gbp=daily["after_wear_gbp"],
        days=days,
        after_wear_gbp_per_mw_day=per_mw / days,
        after_wear_kgbp_per_mw_year=per_mw / days * DAYS_PER_YEAR / 1000.0,
    )
    return table.sort_values("after_wear_gbp", kind="stable")


def _stream_order() -> list[str]:
    (one_of,) = schemas.columns("trading/cashflow")["stream"].checks
    return list(one_of.statistics["allowed_values"])
