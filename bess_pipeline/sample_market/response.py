"""Response auctions of the sample market: clearing prices and volumes per product and EFA block.

What belongs here: the law of the six response products. What does not: energy prices
(`simulate.py`) and what a response contract asks of a battery (`ancillary/`).

The law, for product p in block b of EFA day d, prices in GBP/MW/h:

    price = level[p, b] + price_effect[p] x + spread_effect[p] y
            + noise_sd[p] (0.6 A + 0.55 B[p] + 0.58 e) + tail[p] (exp(0.7 z) - 1) (b = 5 or 6)

where x is the block's mean day-ahead price minus its calendar expectation, divided by its standard
deviation; y the day's day-ahead spread (highest minus lowest hour), standardised and capped at
-2 and +3; A one AR(0.8) over days common to all products, B[p] one of its own, e a draw of its own
and z = max(x, 0) + max(e, 0), at most 3.5. The price is rounded to GBP 0.01 and never below `floor`. Volume =
volume[p] + volume_sd[p] (0.8 AR(0.9) over days + 0.6 e'), whole MW, between `lowest_mw` and
`highest_mw`. Levels by block follow the GB auctions of April 2024 to March 2025, scaled to the
means the domain reference (section 5.3) gives for 2025-26.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bess_pipeline.gb_time import efa_block_bounds_utc, efa_columns
from bess_pipeline.sample_market.autoregression import autoregression

Values = NDArray[np.float64]
BLOCKS = range(1, 7)


@dataclass(frozen=True)
class ProductLaw:
    """Parameters of one product; prices in GBP/MW/h, volumes in MW."""

    level: tuple[float, float, float, float, float, float]
    price_effect: float
    spread_effect: float
    noise_sd: float
    tail: float
    volume_mw: float
    volume_sd_mw: float
    lowest_mw: float
    highest_mw: float


def _products() -> dict[str, ProductLaw]:
    return {
        "DCH": ProductLaw((2.0, 3.2, 1.7, 2.6, 2.5, 1.3), -0.15, 0.45, 0.95, 0.0, 1220.0, 110.0, 900.0, 1500.0),
        "DCL": ProductLaw((2.0, 1.9, 3.0, 2.1, 4.3, 3.0), 0.60, 0.40, 0.80, 0.7, 1160.0, 80.0, 1000.0, 1300.0),
        "DMH": ProductLaw((1.8, 3.8, 1.7, 2.6, 3.0, 0.9), -0.60, 0.50, 1.60, 0.0, 210.0, 45.0, 150.0, 500.0),
        "DML": ProductLaw((4.8, 4.5, 5.8, 4.6, 6.3, 6.4), 1.00, 0.20, 1.60, 0.0, 190.0, 35.0, 150.0, 500.0),
        "DRH": ProductLaw((-5.6, -2.6, -6.0, -4.7, -4.4, -7.6), -2.00, 0.50, 2.60, 0.0, 360.0, 45.0, 150.0, 500.0),
        "DRL": ProductLaw((11.0, 10.8, 12.4, 10.8, 15.4, 13.8), 2.00, 1.10, 2.60, 1.2, 335.0, 45.0, 150.0, 500.0),
    }


@dataclass(frozen=True)
class ResponseLaw:
    """The law of all six products; `floor` is the lowest price that can clear."""

    products: dict[str, ProductLaw] = field(default_factory=_products)
    floor: float = -20.0


def response_auction(
    law: ResponseLaw,
    days: list[date],
    day_ahead: pd.DataFrame,
    expected_hourly: Values,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Auction results of whole EFA days, in the columns of `MarketTables.response_auction`.

    `day_ahead` holds start_utc (hourly) and day_ahead_price_gbp_mwh for exactly `days`;
    `expected_hourly` its calendar expectation, row by row.
    """
    windows = _windows(days)
    anomaly, spread = _drivers(day_ahead, expected_hourly)
    common = _by_day(rng, len(days), 0.8)
    frames = [
        _one_product(product, one, law.floor, windows, anomaly, spread, common, child)
        for (product, one), child in zip(law.products.items(), rng.spawn(len(law.products)), strict=True)
    ]
    return pd.concat(frames).sort_values(["delivery_start_utc", "product"], kind="stable").reset_index(drop=True)


def _windows(days: list[date]) -> pd.DataFrame:
    bounds = [(*efa_block_bounds_utc(day, block), day, block) for day in days for block in BLOCKS]
    frame = pd.DataFrame(bounds, columns=["delivery_start_utc", "delivery_end_utc", "efa_date", "efa_block"])
    for column in ("delivery_start_utc", "delivery_end_utc"):
        frame[column] = pd.to_datetime(frame[column], utc=True).dt.as_unit("us")
    return frame


def _drivers(day_ahead: pd.DataFrame, expected_hourly: Values) -> tuple[Values, Values]:
    """x and y of the law, per window in the order of `_windows`."""
    price = day_ahead["day_ahead_price_gbp_mwh"]
    table = efa_columns(day_ahead["start_utc"]).assign(price=price, anomaly=price - expected_hourly)
    by_block = table.groupby(["efa_date", "efa_block"])["anomaly"].mean().to_numpy()
    by_day = table.groupby("efa_date")["price"].agg(["max", "min"])
    spread = (by_day["max"] - by_day["min"]).to_numpy()
    y = np.clip((spread - spread.mean()) / spread.std(), -2.0, 3.0)
    return (by_block - by_block.mean()) / by_block.std(), np.repeat(y, len(BLOCKS))


def _one_product(
    product: str,
    law: ProductLaw,
    floor: float,
    windows: pd.DataFrame,
    anomaly: Values,
    spread: Values,
    common: Values,
    rng: np.random.Generator,
) -> pd.DataFrame:
    days, count = len(common) // len(BLOCKS), len(windows)
    own, draw = _by_day(rng, days, 0.8), rng.standard_normal(count)
    late = windows["efa_block"].to_numpy() >= 5
    tail = law.tail * np.expm1(0.7 * np.minimum(np.maximum(anomaly, 0.0) + np.maximum(draw, 0.0), 3.5)) * late
    price = np.tile(law.level, days) + law.price_effect * anomaly + law.spread_effect * spread
    price += law.noise_sd * (0.6 * common + 0.55 * own + 0.58 * draw) + tail
    volume = law.volume_mw + law.volume_sd_mw * (0.8 * _by_day(rng, days, 0.9) + 0.6 * rng.standard_normal(count))
    return windows.assign(
        product=product,
        clearing_price_gbp_mw_h=np.round(np.maximum(price, floor), 2) + 0.0,
        cleared_volume_mw=np.round(np.clip(volume, law.lowest_mw, law.highest_mw)),
    )[["product", *windows.columns, "clearing_price_gbp_mw_h", "cleared_volume_mw"]]


def _by_day(rng: np.random.Generator, days: int, persistence: float) -> Values:
    """A unit-variance AR(1) over days, repeated for each block."""
    return np.repeat(autoregression(rng, days, persistence), len(BLOCKS))
