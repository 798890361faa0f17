"""Stored plans of all markets, written straight into a lake: few rows, any numbers, valid tables."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from bess_pipeline import gb_time, schemas
from bess_pipeline.lake import Lake
from bess_pipeline.trading.plans import with_all_columns
from bess_pipeline.trading_tables import CO_OPTIMISED_PLAN, EXPLANATION, ORDERS, PLAN_VALUE

Gate = tuple[str, str]  # strategy and gate


def plan_frame(day: date, key: Gate, dcl_mw: float) -> pd.DataFrame:
    """DCL through the day and 7.5 MW sold in the first hour."""
    starts = gb_time.efa_half_hours(day)
    sold = np.where(np.arange(len(starts)) < 2, 7.5, 0.0)
    frame = pd.DataFrame({"efa_date": [day] * len(starts), "strategy": key[0], "gate": key[1], "start_utc": starts})
    frame = frame.assign(day_ahead_mw=sold, discharge_mw=sold, charge_mw=0.0, energy_mwh=50.0, dcl_mw=dcl_mw)
    return with_all_columns(frame.assign(activation_basis="assumed: DCL"))


def explanation_frame(day: date, key: Gate, why: str) -> pd.DataFrame:
    """One sentence about the first hour."""
    row = _row(EXPLANATION, day, key) | {"market": "day_ahead", "product": "hour", "committed_mw": 7.5, "why": why}
    return _frame(EXPLANATION, row | {"start_utc": gb_time.efa_half_hours(day)[0], "displaces": None, "binding": None})


def order_frame(day: date, key: Gate, limit_price: float) -> pd.DataFrame:
    """The offer of the first hour, not cleared yet."""
    start = gb_time.efa_half_hours(day)[0]
    row = _row(ORDERS, day, key) | {"market": "day_ahead", "product": "hour", "start_utc": start, "offered_mw": 7.5}
    known = {"limit_price": limit_price, "clearing_price": np.nan, "accepted_mw": np.nan, "basket": np.nan}
    return _frame(ORDERS, row | known | {"end_utc": start + pd.Timedelta(hours=1)})


def value_frame(day: date, key: Gate, expected_pnl_gbp: float, notes: str) -> pd.DataFrame:
    """What the plan is worth."""
    row = _row(PLAN_VALUE, day, key) | {"expected_pnl_gbp": expected_pnl_gbp, "notes": notes, "confidence": 0.95}
    return _frame(PLAN_VALUE, row | {"method": "extensive_form", "activation_basis": "assumed: DCL", "scenarios": 20})


def store_plans(lake: Lake, day: date, plans: dict[Gate, float], stamp: dict[str, str]) -> None:
    """A day's partitions of plans by (strategy, gate), DCL in MW; texts and numbers name their strategy and gate."""
    frames: dict[str, list[pd.DataFrame]] = {table: [] for table in (ORDERS, EXPLANATION, PLAN_VALUE)}
    frames[CO_OPTIMISED_PLAN] = [plan_frame(day, key, mw) for key, mw in plans.items()]
    for place, key in enumerate(plans):
        name = " ".join(key)
        frames[ORDERS].append(order_frame(day, key, 60.0 + place))
        frames[EXPLANATION].append(explanation_frame(day, key, f"sells because {name} says so"))
        frames[PLAN_VALUE].append(value_frame(day, key, 1000.0 + place, f"a note of {name}"))
    for table, found in frames.items():
        lake.write(table, day, pd.concat(found) if found else schemas.empty_frame(table), stamp)


def gate_stamp(key: Gate, *, reason: str = "", closed: str = "yes", notes: str = "") -> dict[str, str]:
    """What a stamp says of one gate."""
    name = ".".join(key)
    return {f"reason.{name}": reason, f"closed.{name}": closed, f"notes.{name}": notes}


def _row(table: str, day: date, key: Gate) -> dict[str, Any]:
    """Zeros in every number of a table."""
    zeros: dict[str, Any] = dict.fromkeys(schemas.columns(table), 0)
    return zeros | {"efa_date": day, "strategy": key[0], "gate": key[1]}


def _frame(table: str, row: dict[str, Any]) -> pd.DataFrame:
    whole = schemas.empty_frame(table)
    return pd.DataFrame([row], columns=list(whole.columns)).astype(whole.dtypes.to_dict())
