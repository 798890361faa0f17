"""Capture: what a strategy earned of what its upper bound did, over a window.

What belongs here: the ratio. What does not: which bound a strategy has (`trading/strategies.py`), the sums of P&L
(`pnl.py`) and how it is shown (`report/`).

Both sides are P&L after wear plus the change of stored energy over the window at one price, so that nobody gains
by ending full or empty. There is no capture where the bound is not positive.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from bess_pipeline.trading.strategies import find


@dataclass(frozen=True)
class Capture:
    """share: strategy -> fraction of its bound, for strategies that have both; energy_price_gbp_mwh: worth of a
    stored MWh on both sides, NaN where there is no price."""

    share: Mapping[str, float]
    energy_price_gbp_mwh: float


def capture(pnl: pd.DataFrame, run_status: pd.DataFrame, energy_price_gbp_mwh: float) -> Capture:
    """Of `risk/daily_pnl` and `trading/run_status` rows of the same window."""
    value = {
        str(strategy): float(rows["pnl_gbp"].sum()) + _stored_mwh(run_status, str(strategy)) * energy_price_gbp_mwh
        for strategy, rows in pnl.groupby("strategy")
    }
    bounds = {name: known.bound for name in value if (known := find(name)) and known.bound in value}
    share = {name: value[name] / value[bound] for name, bound in bounds.items() if bound and value[bound] > 0}
    return Capture({name: one for name, one in share.items() if math.isfinite(one)}, energy_price_gbp_mwh)


def _stored_mwh(run_status: pd.DataFrame, strategy: str) -> float:
    """Change of stored energy over the window; NaN where a strategy had no state at an end of it."""
    days = run_status[run_status["strategy"] == strategy].sort_values("efa_date")
    if days.empty:
        return math.nan
    return float(days["closing_energy_mwh"].iloc[-1]) - float(days["opening_energy_mwh"].iloc[0])
