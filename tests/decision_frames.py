"""Made-up plans, orders and frontiers of one EFA day, as the tables hold them; values are plain enough to check."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd
from trading_frames import BATTERY

from bess_pipeline import gb_time
from bess_pipeline.ancillary.products import PRODUCT_TABLE

STRATEGY = "co_optimised"


def shape(starts: pd.DatetimeIndex) -> np.ndarray:
    """A day's usual price: low at night and noon, a peak in the evening; GBP/MWh."""
    local = starts.tz_convert(gb_time.LONDON)
    hour = (local.hour + local.minute / 60).to_numpy(dtype="float64")
    return 70 + 45 * np.exp(-(((hour - 18) / 2.2) ** 2)) + 18 * np.exp(-(((hour - 8) / 1.6) ** 2)) - 25 * (hour < 6)


def plan_rows(day: date, capacity: Mapping[str, float] | None = None, gate: str = "day_ahead") -> pd.DataFrame:
    """Charge 00:00 to 02:00 and discharge 17:00 to 19:00 at 30 MW; capacity by product in blocks 2 and 3."""
    starts = gb_time.efa_half_hours(day)
    local = starts.tz_convert(gb_time.LONDON)
    block = gb_time.efa_columns(starts)["efa_block"].to_numpy()
    charge = np.where(np.isin(local.hour, (0,)), 30.0, 0.0)
    discharge = np.where(np.isin(local.hour, (17,)), 30.0, 0.0)
    energy = 50.0 + np.cumsum(charge * BATTERY.charge_efficiency - discharge / BATTERY.discharge_efficiency) / 2
    held = np.isin(block, (2, 3))
    frame = pd.DataFrame(
        {
            "efa_date": [day] * len(starts),
            "strategy": STRATEGY,
            "gate": gate,
            "start_utc": starts,
            "day_ahead_mw": discharge - charge,
            "charge_mw": charge,
            "discharge_mw": discharge,
            "energy_mwh": energy,
            "energy_floor_mwh": 5.0,
            "energy_ceiling_mwh": 95.0,
            "energy_q05_mwh": energy - 3.0,
            "energy_q95_mwh": energy + 3.0,
            "activation_basis": "assumed",
        }
    )
    for code, product in PRODUCT_TABLE.items():
        amount = np.where(held, (capacity or {}).get(code, 0.0), 0.0)
        frame[f"{code.lower()}_mw"] = amount
        if product.direction == "low":
            frame["energy_floor_mwh"] += amount * product.duration_h
        else:
            frame["energy_ceiling_mwh"] -= amount * product.duration_h
    return frame


def price_rows(day: date, shift: float = 0.0, gate: str = "day_ahead") -> pd.DataFrame:
    """Hourly day-ahead and half-hourly system price over the day and the one after it, GBP/MWh."""
    first, last = gb_time.efa_day_bounds_utc(day)
    starts = gb_time.half_hours(first, last + (last - first))
    parts = []
    for stream, every, spread in (("day_ahead", 2, 12.0), ("system_price", 1, 35.0)):
        at = starts[::every]
        mean = shape(at) + shift
        columns = {"mean": mean, "q05": mean - spread, "q50": mean, "q95": mean + 1.5 * spread}
        parts.append(pd.DataFrame({"stream": stream, "gate": gate, "start_utc": at, **columns}))
    return pd.concat(parts, ignore_index=True).assign(efa_date=day)


ORDER_COLUMNS = (
    "efa_date", "strategy", "gate", "market", "product", "start_utc", "end_utc", "step", "basket",
    "limit_price", "offered_mw", "clearing_price", "accepted_mw",
)  # fmt: skip


def hourly_orders(day: date, limits: Mapping[int, tuple[float, float]], clearing: np.ndarray | None) -> pd.DataFrame:
    """A single volume in each hour (counted from 23:00) of `limits`: (limit, MW), cleared at `clearing`."""
    hours = gb_time.efa_half_hours(day)[::2]
    rows = []
    for hour, (limit, offered) in limits.items():
        price = np.nan if clearing is None else float(clearing[2 * hour])
        rows.append(_energy_row(day, hours[hour], 0, limit, offered, price))
    return _orders(rows)


def step_orders(day: date, sell: list[float], buy: list[float], mw: float, clearing: np.ndarray | None) -> pd.DataFrame:
    """In each hour the same steps: `mw` more is sold at each price of `sell`, and bought at each of `buy`."""
    rows = []
    for hour, start in enumerate(gb_time.efa_half_hours(day)[::2]):
        price = np.nan if clearing is None else float(clearing[2 * hour])
        signed = [(limit, mw) for limit in sell] + [(limit, -mw) for limit in buy]
        rows += [
            _energy_row(day, start, n, limit, offered, price) for n, (limit, offered) in enumerate(signed, start=1)
        ]
    return _orders(rows)


def response_orders(
    day: date,
    offers: Mapping[tuple[int, str], tuple[float, float]],
    clearing: float = np.nan,
    basket: int | None = None,
) -> pd.DataFrame:
    """Offers by (EFA block, product): (limit, MW), all cleared at one price."""
    rows = []
    for (block, code), (limit, offered) in offers.items():
        start, end = gb_time.efa_block_bounds_utc(day, block)
        accepted = np.nan if np.isnan(clearing) else offered * float(limit <= clearing)
        rows.append(
            (day, STRATEGY, "response", "response", code, start, end, 0, basket, limit, offered, clearing, accepted)
        )
    return _orders(rows)


def _energy_row(
    day: date, start: pd.Timestamp, step: int, limit: float, offered: float, price: float
) -> tuple[object, ...]:
    runs = limit <= price if offered > 0 else limit >= price
    accepted = np.nan if np.isnan(price) else offered * float(runs)
    end = start + pd.Timedelta(hours=1)
    return (day, STRATEGY, "day_ahead", "day_ahead", "hour", start, end, step, None, limit, offered, price, accepted)


def _orders(rows: list[tuple[object, ...]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(ORDER_COLUMNS)).astype({"basket": "Int64"})
    for name in ("start_utc", "end_utc"):
        frame[name] = pd.to_datetime(frame[name], utc=True).astype(gb_time.UTC_DTYPE)
    return frame
