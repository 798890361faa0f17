"""Reserve auctions of the sample market: sparse half-hour windows of quick and balancing reserve.

What belongs here: the law of the four reserve products. What does not: response products
(`response.py`) and the portal's resources (`wire_neso.py`).

The law, per half-hour of London clock time c and product p: the window is bought with probability
share[p] b(c), where b is 1 inside the hours `[first_h, last_h)` of the product and 0 outside; its
price in GBP/MW/h is level[p] exp(spread[p] e), its volume whole MW around volume[p]. Nothing is bought
before the product's first auction (domain reference, section 5.3: balancing reserve from
12 March 2024, quick reserve from 3 December 2024, each first delivered at 23:00). Levels are those of
the first months that the reference gives.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pandas as pd

from bess_pipeline.gb_time import LONDON, efa_columns, efa_day_bounds_utc, half_hours


@dataclass(frozen=True)
class ReserveProductLaw:
    """Parameters of one product; prices in GBP/MW/h, volumes in MW."""

    first_efa_date: date
    first_h: int
    last_h: int
    share: float
    level: float
    spread: float
    volume_mw: float


def _products() -> dict[str, ReserveProductLaw]:
    balancing, quick = date(2024, 3, 13), date(2024, 12, 4)
    return {
        "NBR": ReserveProductLaw(balancing, 1, 6, 0.10, 1.07, 0.5, 200.0),
        "NQR": ReserveProductLaw(quick, 0, 16, 0.20, 6.3, 0.4, 250.0),
        "PBR": ReserveProductLaw(balancing, 15, 21, 0.60, 6.0, 0.5, 700.0),
        "PQR": ReserveProductLaw(quick, 6, 22, 0.25, 10.9, 0.4, 400.0),
    }


@dataclass(frozen=True)
class ReserveLaw:
    """The law of all four products."""

    products: dict[str, ReserveProductLaw] = field(default_factory=_products)


def reserve_auction(law: ReserveLaw, first: date, last: date, rng: np.random.Generator) -> pd.DataFrame:
    """Auction results of the EFA days `first` to `last`, in the columns of `MarketTables.reserve_auction`."""
    starts = half_hours(efa_day_bounds_utc(first)[0], efa_day_bounds_utc(last)[1])
    grid = pd.DataFrame({"delivery_start_utc": starts, "delivery_end_utc": starts + pd.Timedelta(minutes=30)})
    grid = pd.concat([grid, efa_columns(grid["delivery_start_utc"])], axis=1)
    hour = starts.tz_convert(LONDON).hour.to_numpy()
    frames = [
        _one_product(product, one, grid, hour, child)
        for (product, one), child in zip(law.products.items(), rng.spawn(len(law.products)), strict=True)
    ]
    return pd.concat(frames).sort_values(["delivery_start_utc", "product"], kind="stable").reset_index(drop=True)


def _one_product(
    product: str, law: ReserveProductLaw, grid: pd.DataFrame, hour: np.ndarray, rng: np.random.Generator
) -> pd.DataFrame:
    count = len(grid)
    bought = (rng.random(count) < law.share) & (hour >= law.first_h) & (hour < law.last_h)
    bought &= (grid["efa_date"] >= law.first_efa_date).to_numpy()
    price = law.level * np.exp(law.spread * rng.standard_normal(count))
    volume = law.volume_mw * np.exp(0.2 * rng.standard_normal(count))
    frame = grid.assign(product=product, clearing_price_gbp_mw_h=np.round(price, 2), cleared_volume_mw=np.round(volume))
    columns = ["product", *grid.columns, "clearing_price_gbp_mw_h", "cleared_volume_mw"]
    return frame.loc[bought, columns]
