"""The simulated market as a panel of what gates knew, with its published wind, demand and margin forecasts."""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.forecasting.market_panel import MarketPanel, panel_of_frames
from bess_pipeline.sample_market.simulate import simulate

SERIES = {"WINDFOR": "wind", "NDF": "demand", "MELNGC": "margin"}


def sample_panel(seed: int, first: date, last: date) -> MarketPanel:
    """EFA days `first` to `last` of the market of a seed."""
    market = simulate(seed, None, first - timedelta(days=1), last + timedelta(days=1))
    assert market.day_ahead is not None
    assert market.forecasts is not None
    hourly = market.day_ahead.assign(source="neso_n2ex", native_resolution_minutes=60)
    later = hourly.assign(start_utc=hourly["start_utc"] + gb_time.HALF_HOUR)
    known = market.forecasts[market.forecasts["dataset"].isin(SERIES)]
    return panel_of_frames(
        first,
        last,
        day_ahead_price=pd.concat([hourly, later]).sort_values("start_utc"),
        system_price=market.system_price,
        market_index_price=market.market_index,
        auction_clearing=market.response_auction,
        fundamental_forecast=known.assign(series=known["dataset"].map(SERIES)),
    )
