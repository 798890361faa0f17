"""Small market frames and batteries that several test files share; the values are the caller's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

import numpy as np
import pandas as pd

from bess_pipeline import gb_time, schemas
from bess_pipeline.battery.parameters import Battery

BATTERY = Battery(
    power_mw=50.0,
    energy_mwh=100.0,
    charge_efficiency=0.88**0.5,
    discharge_efficiency=0.88**0.5,
    soc_min=0.05,
    soc_max=0.95,
    initial_soc=0.5,
    final_soc=0.5,
    degradation_cost_gbp_per_mwh=5.0,
    max_cycles_per_day=1.5,
)


def efa_starts(first: date, last: date) -> pd.DatetimeIndex:
    return gb_time.half_hours(gb_time.efa_day_bounds_utc(first)[0], gb_time.efa_day_bounds_utc(last)[1])


def day_ahead(
    first: date,
    last: date,
    price: Callable[[datetime], float],
    *,
    source: str = "neso_n2ex",
    resolution: int = 60,
) -> pd.DataFrame:
    """market/day_ahead_price over EFA days; `price` is a function of London time."""
    starts = efa_starts(first, last)
    local = starts.tz_convert(gb_time.LONDON)
    frame = gb_time.settlement_columns(starts).assign(
        start_utc=starts,
        day_ahead_price_gbp_mwh=[float(price(t.to_pydatetime())) for t in local],
        source=source,
        native_resolution_minutes=resolution,
    )
    return schemas.validate("market/day_ahead_price", frame)


def system_price(first: date, last: date, values: np.ndarray | float) -> pd.DataFrame:
    """market/system_price over EFA days."""
    starts = efa_starts(first, last)
    frame = gb_time.settlement_columns(starts).assign(
        start_utc=starts,
        system_price_gbp_mwh=values,
        net_imbalance_volume_mwh=np.nan,
        price_derivation_code="P",
        published_utc=pd.Series(pd.NaT, index=range(len(starts)), dtype=gb_time.UTC_DTYPE),
    )
    return schemas.validate("market/system_price", frame)


def recorded_index_as_day_ahead(table: pd.DataFrame) -> pd.DataFrame:
    """Recorded market index rows in the form of market/day_ahead_price, labelled as standing in."""
    frame = table.rename(columns={"market_index_price_gbp_mwh": "day_ahead_price_gbp_mwh"}).drop(
        columns="market_index_volume_mwh"
    )
    return schemas.validate("market/day_ahead_price", frame.assign(source="elexon_mid", native_resolution_minutes=30))
