"""The outcome of a trading day as a row: complete, provisional or refused, with the reason and the state.

What belongs here: building `trading/run_status` rows. What does not: deciding the outcome
(`rule_based.py` and `settlement.py` do, or the orchestration where data is missing).
"""

from __future__ import annotations

from datetime import date

import pandas as pd


def status_row(
    efa_date: date,
    strategy: str,
    status: str,
    reason: str = "",
    *,
    opening_energy_mwh: float | None = None,
    closing_energy_mwh: float | None = None,
    chain_start: date | None = None,
) -> pd.DataFrame:
    """One `trading/run_status` row.

    `status` is complete, not_published, refused, provisional or stale (the lake refuses others);
    `reason` is empty when complete, and a day that is not complete must have one (ValueError).
    """
    if (status == "complete") != (reason == ""):
        raise ValueError(f"{strategy} on {efa_date}: status {status} with reason {reason!r}")
    row = {
        "efa_date": [efa_date],
        "strategy": [strategy],
        "status": [status],
        "reason": [reason],
        "opening_energy_mwh": pd.Series([opening_energy_mwh], dtype="float64"),
        "closing_energy_mwh": pd.Series([closing_energy_mwh], dtype="float64"),
        "chain_start": pd.Series([chain_start], dtype="object"),
    }
    return pd.DataFrame(row)
