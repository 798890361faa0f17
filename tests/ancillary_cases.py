"""Horizons, batteries and plain-arithmetic oracles shared by the tests of ancillary rules."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.ancillary.windows import Horizon, horizon_of
from bess_pipeline.battery.parameters import Battery

DAY = date(2025, 1, 15)
RESPONSE = ("DCL", "DCH", "DML", "DMH", "DRL", "DRH")
RESERVE = ("PBR", "NBR", "PQR", "NQR")
ALL = (*RESPONSE, *RESERVE)
DURATION_H = {"DC": 0.25, "DM": 0.5, "DR": 1.0, "BR": 0.5, "QR": 0.5}
RECOVERY = {"DC": 0.1, "DM": 0.2, "DR": 0.4, "BR": 0.0, "QR": 0.0}
BINDING_FROM = date(2024, 11, 15)


def day_of(day: date = DAY) -> Horizon:
    return horizon_of(gb_time.efa_half_hours(day))


def blocks(count: int, day: date = DAY) -> Horizon:
    """The first EFA blocks of a day."""
    end = gb_time.efa_block_bounds_utc(day, count)[1]
    return horizon_of(gb_time.half_hours(gb_time.efa_day_bounds_utc(day)[0], end))


def unit(power_mw: float = 50.0, energy_mwh: float = 100.0, efficiency: float = 1.0, **more: float) -> Battery:
    return Battery(
        energy_mwh=energy_mwh,
        power_mw=power_mw,
        charge_efficiency=efficiency,
        discharge_efficiency=efficiency,
        **more,
    )


def mw_of(products: tuple[str, ...], horizon: Horizon, **mw: float) -> np.ndarray:
    """MW by product through the whole horizon, the rest 0."""
    return np.array([[mw.get(code, 0.0)] * horizon.periods for code in products])


def is_low(code: str) -> bool:
    return code[2] == "L" if code[0] == "D" else code[0] == "P"


def service(code: str) -> str:
    return code[:2] if code[0] == "D" else code[1:]


def path_by_hand(volume: float, delivered: list[float]) -> list[float]:
    """The requirement of one block as the rule's words say it, with lists: no sums in closed form."""
    required, adjustments = [volume], []
    for k in range(len(delivered) - 1):
        adjustment = 0.0
        if k >= 3:
            shortfall = volume - required[k - 3] - sum(adjustments[k - 3 : k])
            adjustment = min(0.2 * volume, max(0.0, shortfall))
        adjustments.append(adjustment)
        required.append(required[k] - delivered[k] + adjustment)
    return required


def auctions(rows: list[tuple[str, str, float]]) -> pd.DataFrame:
    """Rows of market/auction_clearing from (product, start as UTC text, cleared MW)."""
    frame = pd.DataFrame(rows, columns=["product", "delivery_start_utc", "cleared_volume_mw"])
    frame["delivery_start_utc"] = pd.to_datetime(frame["delivery_start_utc"], utc=True).dt.as_unit("us")
    return pd.concat([frame, gb_time.efa_columns(frame["delivery_start_utc"])], axis=1)
