"""Services added to a small dispatch, for tests of shocks."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.ancillary.products import PRODUCT_TABLE


def with_services(
    dispatch: pd.DataFrame, held: Mapping[str, tuple[float, float]], price: pd.DataFrame, opening_mwh: float = 50.0
) -> tuple[pd.DataFrame, pd.DataFrame, float, pd.DataFrame]:
    """Arguments of `position`: a dispatch that holds `held` (MW, GBP/MW/h by product) and lost nothing of it."""
    mw = {f"{code.lower()}_mw": held.get(code, (0.0, 0.0))[0] for code in PRODUCT_TABLE}
    whole = {"reserve_mwh": 0.0, "accepted_mwh": 0.0, "missing_low_mwh": 0.0, "missing_high_mwh": 0.0}
    shares = {"delivered_low_share": 1.0, "delivered_high_share": 1.0}
    start, last = dispatch["start_utc"].iloc[0], dispatch["start_utc"].iloc[-1]
    auctions = pd.DataFrame(
        [(code, start, last + gb_time.HALF_HOUR, cleared) for code, (_, cleared) in held.items()],
        columns=["product", "delivery_start_utc", "delivery_end_utc", "clearing_price_gbp_mw_h"],
    )
    return dispatch.assign(**mw, **whole, **shares), price, opening_mwh, auctions
