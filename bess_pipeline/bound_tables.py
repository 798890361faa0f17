"""Pandera model of the upper bounds that strategies are compared with.

What belongs here: columns, keys and limits of `risk/bound`. What does not: other tables and what is derived from a
model (`schemas.py`), and how a bound is computed (`trading/bounds.py`).
"""

from __future__ import annotations

from typing import ClassVar

import pandera.pandas as pa
from pandera.engines import pandas_engine

from bess_pipeline.schema_fields import (
    CASH_LIMIT_GBP,
    Table,
    amount_field,
    cash_field,
    date_field,
    number_field,
    price_field,
)

BOUND_TABLE = "risk/bound"


class Bound(Table):
    """Each day's part of the one problem over a window that no strategy of its markets can beat."""

    window: str = pa.Field(description="first and last trading day of the one problem, as 2026-03-22..2026-03-28")
    bound: str = pa.Field(
        isin=["day_ahead_perfect_foresight", "energy_perfect_foresight", "perfect_foresight"],
        description="which markets it trades in",
    )
    imbalance_cap_mw: float = amount_field("most intended imbalance, MW", lowest=0.0)
    efa_date: pandas_engine.Date = date_field("trading day")
    pnl_gbp: float = cash_field("cash less wear of the day, GBP")
    cash_gbp: float = cash_field("cash of the day, GBP")
    wear_gbp: float = cash_field("wear of the day, positive = a cost, GBP")
    opening_energy_mwh: float = amount_field("state of energy at the start of the day, MWh", lowest=0.0)
    closing_energy_mwh: float = amount_field("state of energy at the end of the day, MWh", lowest=0.0)
    energy_price_gbp_mwh: float = price_field("worth of a MWh stored at the end of the window, GBP/MWh")
    gap_gbp: float = number_field(
        "by how much more any schedule of the whole window can be worth, the same in all rows, GBP",
        limit=CASH_LIMIT_GBP,
        lowest=0.0,
    )
    status: str = pa.Field(isin=["complete", "idle"], description="idle: prices were missing, the state was carried")
    notes: str = pa.Field(nullable=True, description="what was missing or forced")

    class Config(Table.Config):
        unique: ClassVar = ["window", "bound", "imbalance_cap_mw", "efa_date"]
