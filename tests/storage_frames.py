"""Small valid frames of market and risk tables for the tests of storage; the numbers are the caller's."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd

from bess_pipeline import gb_time

PRODUCTS = ("DCL", "DCH", "DML", "DMH", "DRL", "DRH")


def system_price(day: date, price_gbp_mwh: float | Iterable[float] = 50.0, **columns: object) -> pd.DataFrame:
    """market/system_price of a settlement date: every second derivation code and volume is null."""
    starts = gb_time.settlement_half_hours(day)
    frame = gb_time.settlement_columns(starts).assign(
        start_utc=starts,
        system_price_gbp_mwh=price_gbp_mwh if isinstance(price_gbp_mwh, float) else list(price_gbp_mwh),
        net_imbalance_volume_mwh=[np.nan if n % 2 else float(n) for n in range(len(starts))],
        price_derivation_code=[None if n % 2 else "P" for n in range(len(starts))],
        published_utc=pd.Timestamp("2024-01-05T00:00:00Z"),
    )
    return frame.assign(**columns)


def day_ahead_price(day: date, price_gbp_mwh: float | Iterable[float] = 60.0) -> pd.DataFrame:
    """market/day_ahead_price of a settlement date."""
    starts = gb_time.settlement_half_hours(day)
    return gb_time.settlement_columns(starts).assign(
        start_utc=starts,
        day_ahead_price_gbp_mwh=price_gbp_mwh if isinstance(price_gbp_mwh, float) else list(price_gbp_mwh),
        source="neso_n2ex",
        native_resolution_minutes=60,
    )


def auction_clearing(day: date) -> pd.DataFrame:
    """market/auction_clearing of the windows that start on a settlement date; price = 10 x product + block."""
    rows = []
    for efa_date in gb_time.days_between(day, day + (date(2024, 1, 2) - date(2024, 1, 1))):
        for block in range(1, 7):
            start, end = gb_time.efa_block_bounds_utc(efa_date, block)
            if gb_time.settlement_date_of(start) == day:
                rows += [
                    (product, start, end, efa_date, block, 10.0 * n + block, 100.0)
                    for n, product in enumerate(PRODUCTS)
                ]
    names = ["product", "delivery_start_utc", "delivery_end_utc", "efa_date", "efa_block"]
    return pd.DataFrame(rows, columns=[*names, "clearing_price_gbp_mw_h", "cleared_volume_mw"])


def daily_pnl(day: date, streams_gbp: dict[str, float], strategy: str = "rule_based") -> pd.DataFrame:
    """risk/daily_pnl of a trading day, for a battery of 50 MW."""
    frame = pd.DataFrame({"stream": list(streams_gbp), "pnl_gbp": list(streams_gbp.values())})
    return frame.assign(efa_date=day, strategy=strategy, pnl_gbp_per_mw=frame["pnl_gbp"] / 50.0)


def source_status(day: date, status: str = "complete", reason: str = "") -> pd.DataFrame:
    """market/source_status of one dataset and day."""
    row = {
        "source": "elexon",
        "dataset": "market/system_price",
        "date": day,
        "status": status,
        "reason": reason,
        "expected_rows": 48,
        "rows": 48 if status == "complete" else 0,
        "fetched_utc": datetime(2024, 1, 5, tzinfo=UTC),
    }
    return pd.DataFrame([row])
