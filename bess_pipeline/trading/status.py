"""The outcome of a trading day as a row: complete, provisional or refused, with the reason and the state.

What belongs here: building `trading/run_status` rows, also from the stamps of a day's tables. What does not:
deciding the outcome (`rule_based.py` and `settlement.py` do, or the orchestration where data is missing).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import pandas as pd


@dataclass(frozen=True)
class DayStatus:
    """How a table's partition of a day ended for a strategy; empty reason = as it should be."""

    day: date
    strategy: str
    status: str
    reason: str


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


def standing(day: date, strategy: str, stamps: Mapping[str, Mapping[str, str]]) -> tuple[str, str]:
    """Status and reason of a day: those of the first table, in the order of `stamps`, that is not complete."""
    for table, stamp in stamps.items():
        status = stamp.get(f"status.{strategy}")
        if not status:
            return "refused", f"{table} of {day} was never run"
        if status != "complete":
            return status, stamp[f"reason.{strategy}"]
    return "complete", ""


def stamped_status_row(day: date, strategy: str, status: str, reason: str, stamp: Mapping[str, str]) -> pd.DataFrame:
    """`status_row` with the states that the stamp of the day's dispatch holds."""
    opening, closing = stamp.get(f"opening.{strategy}"), stamp.get(f"closing.{strategy}")
    chain = stamp.get(f"chain_start.{strategy}")
    return status_row(
        day,
        strategy,
        status,
        reason,
        opening_energy_mwh=float(opening) if opening else None,
        closing_energy_mwh=float(closing) if closing else None,
        chain_start=date.fromisoformat(chain) if chain else None,
    )
