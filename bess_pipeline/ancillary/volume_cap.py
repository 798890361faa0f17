"""How much of an auction one battery may take: a share of the volume expected at the gate.

What belongs here: the expectation from past auctions, and the cap. What does not: reading auctions (the lake) and what
one sell order may hold (`exclusions.py`).

A price-taker must stay small against what clears (domain reference 4.4); the share is a choice. The expectation knows
only EFA days before the first day that is decided: their results were out before its gates (results of EFA day D-1 come
on D-2).
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from bess_pipeline.ancillary.products import Product, table_of
from bess_pipeline.ancillary.rows import Breach, FloatArray, breaches
from bess_pipeline.ancillary.windows import Horizon
from bess_pipeline.gb_time import LONDON


def expected_cleared_mw(
    auctions: pd.DataFrame, products: tuple[str, ...], horizon: Horizon, days: int = 28
) -> FloatArray:
    """Expected cleared volume by product and half-hour, MW, (products, half-hours).

    auctions: rows of `market/auction_clearing` of EFA days before the horizon's first (ValueError for a later one); the
    last `days` EFA days before it count. Response: the mean of the same EFA block. Reserve: the mean of the same
    half-hour on the London clock, a window that is not there having sold nothing on a day that has results. A product
    without results is expected to clear 0, so that nothing of it is offered.
    """
    first = horizon.efa_date[0]
    if len(auctions) and max(auctions["efa_date"]) >= first:
        raise ValueError(
            f"auction results of EFA day {max(auctions['efa_date'])} are not known when {first} is decided"
        )
    known = auctions[auctions["efa_date"] >= first - timedelta(days=days)]
    return np.stack([_expected(known[known["product"] == one.code], one, known, horizon) for one in table_of(products)])


def volume_cap_mw(expected_mw: FloatArray, share: float) -> FloatArray:
    """Most MW to offer: a share of the expected cleared volume, in its shape."""
    return np.asarray(share * expected_mw)


def volume_cap_breaches(products: tuple[str, ...], mw: FloatArray, cap_mw: FloatArray) -> list[Breach]:
    """Half-hours in which more of a product is offered than its cap."""
    return [
        one
        for k, code in enumerate(products)
        for one in breaches("volume cap", "MW", mw[k] - cap_mw[k], f"{code} exceeds its share of the expected volume")
    ]


def _expected(rows: pd.DataFrame, product: Product, known: pd.DataFrame, horizon: Horizon) -> FloatArray:
    slots = _slots(horizon.start_utc, product)
    if rows.empty:
        return np.zeros(horizon.periods)
    volume = rows["cleared_volume_mw"].groupby(_slots(pd.DatetimeIndex(rows["delivery_start_utc"]), product))
    if product.window == "efa_block":
        mean = volume.mean()
    else:
        days: set[date] = set(known["efa_date"])
        mean = volume.sum() / len(days)
    return mean.reindex(slots, fill_value=0.0).to_numpy(dtype="float64")


def _slots(start_utc: pd.DatetimeIndex, product: Product) -> np.ndarray:
    """Place in the day on the London clock: EFA block 0 to 5, or minute."""
    local = start_utc.tz_convert(LONDON)
    if product.window == "efa_block":
        return np.asarray(((local.hour + 1) % 24) // 4)
    return np.asarray(local.hour * 60 + local.minute)
