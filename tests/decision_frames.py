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
HOURS = np.array([0.5])


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
