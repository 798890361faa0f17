"""Histories of risk made of P&L by strategy, for tests that need no lake."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from bess_pipeline.risk.history import BOUND_COLUMNS, History
from bess_pipeline.risk.pnl import daily_totals


def history_of(
    after_wear_gbp: Mapping[str, pd.Series],
    *,
    wear_gbp: float = 0.0,
    bound: pd.DataFrame | None = None,
    status: str = "complete",
    closing_mwh: float = 50.0,
) -> History:
    """Series of P&L after wear by EFA day and strategy; wear (a cost, >= 0) is the same on every day."""
    rows = []
    for name, series in after_wear_gbp.items():
        for day, amount in series.items():
            rows.append((day, name, "day_ahead", float(amount) + wear_gbp))
            rows.append((day, name, "wear", -wear_gbp))
    daily = pd.DataFrame(rows, columns=["efa_date", "strategy", "stream", "pnl_gbp"])
    daily["pnl_gbp_per_mw"] = daily["pnl_gbp"] / 50.0
    states = daily[["efa_date", "strategy"]].drop_duplicates(ignore_index=True)
    states = states.assign(status=status, reason="", opening_energy_mwh=50.0, closing_energy_mwh=closing_mwh)
    bounds = pd.DataFrame(columns=BOUND_COLUMNS) if bound is None else bound
    return History(daily["efa_date"].max(), daily, daily_totals(daily), states, bounds)


def bound_rows(name: str, after_wear_gbp: pd.Series, *, cap_mw: float = 2.5, gap_gbp: float = 0.0) -> pd.DataFrame:
    """`risk/bound` rows of one window; cash is £10 a day above P&L after wear."""
    days = list(after_wear_gbp.index)
    rows = pd.DataFrame({"efa_date": days, "pnl_gbp": after_wear_gbp.to_numpy()})
    rows = rows.assign(window=f"{days[0]}..{days[-1]}", bound=name, imbalance_cap_mw=cap_mw, gap_gbp=gap_gbp)
    rows = rows.assign(opening_energy_mwh=50.0, closing_energy_mwh=50.0, energy_price_gbp_mwh=80.0)
    return rows.assign(cash_gbp=rows["pnl_gbp"] + 10.0, status="complete")[BOUND_COLUMNS]
