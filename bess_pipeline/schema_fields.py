"""Kinds of columns that the table models share: dates, instants, prices, volumes, cash, flags, with their bounds.

What belongs here: a field and its bound that more than one table uses, and the base of all models. What
does not: the tables themselves (`schemas.py`, `settlement_tables.py`).
"""

from __future__ import annotations

from typing import Any

import pandera.pandas as pa

PRICE_LIMIT_GBP_MWH = 20_000.0  # beyond any GB auction or cash-out price: such a value is a fault, not a market
CAPACITY_PRICE_LIMIT_GBP_MW_H = 1_000.0  # auction limits are +/-999.99 (Aurora, EAC price limits)
VOLUME_LIMIT = 1e6
CASH_LIMIT_GBP = 1e9  # a day at the price cap can pay or cost a large battery millions


def date_field(description: str) -> Any:
    """A calendar date."""
    return pa.Field(description=description)


def utc_field(description: str, *, nullable: bool = False) -> Any:
    """A zone-aware UTC instant."""
    return pa.Field(description=description, nullable=nullable, dtype_kwargs={"unit": "us", "tz": "UTC"})


def number_field(description: str, *, limit: float, lowest: float | None = None, nullable: bool = False) -> Any:
    """A number within +/- `limit`, or from `lowest` to `limit`."""
    bounds = {"min_value": -limit if lowest is None else lowest, "max_value": limit}
    return pa.Field(description=description, nullable=nullable, in_range=bounds)


def price_field(description: str, *, nullable: bool = False) -> Any:
    """A market price, GBP/MWh."""
    return number_field(description, limit=PRICE_LIMIT_GBP_MWH, nullable=nullable)


def amount_field(description: str, *, lowest: float | None = None, nullable: bool = False) -> Any:
    """A power or energy."""
    return number_field(description, limit=VOLUME_LIMIT, lowest=lowest, nullable=nullable)


def action_price_field(description: str) -> Any:
    """Prices of single actions are whatever was bid: sentinels such as -99,999 are published."""
    return number_field(description, limit=VOLUME_LIMIT, nullable=True)


def flag_field(description: str) -> Any:
    """A flag that may be null."""
    return pa.Field(description=f"{description}; null where not published", nullable=True)


def cash_field(description: str) -> Any:
    """An amount of money, GBP."""
    return number_field(description, limit=CASH_LIMIT_GBP)


def strategy_field() -> Any:
    """The name of a strategy."""
    return pa.Field(description="strategy name")


def period_field() -> Any:
    """A settlement period."""
    return pa.Field(ge=1, le=50, description="1 to 46, 48 or 50")


class Table(pa.DataFrameModel):
    """Base of all tables: no unknown column, values coerced to their types."""

    class Config:
        strict = True
        coerce = True
