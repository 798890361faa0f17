"""Made-up days of strategies of all markets for tests of their dispatch."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.ancillary.rows import FloatArray
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.intraday_settings import IntradaySettings
from bess_pipeline.trading.intraday import IntradayMarket
from bess_pipeline.trading.market_day import Expectation, MarketDay

DAY = date(2026, 4, 14)
BATTERY = Battery(
    energy_mwh=100.0,
    power_mw=50.0,
    charge_efficiency=0.9,
    discharge_efficiency=0.95,
    soc_min=0.05,
    soc_max=0.95,
    initial_soc=0.5,
    final_soc=0.5,
    degradation_cost_gbp_per_mwh=5.0,
)


def half_hours(day: date, days: int = 2) -> pd.DatetimeIndex:
    """The half-hours of some EFA days."""
    last = day + timedelta(days=days - 1)
    return gb_time.half_hours(gb_time.efa_day_bounds_utc(day)[0], gb_time.efa_day_bounds_utc(last)[1])


def shape_of_day(periods: int) -> FloatArray:
    """Prices with a night, a morning peak and an evening peak, GBP/MWh."""
    hour = (np.arange(periods) / 2 - 1) % 24
    return np.asarray(70 - 30 * np.cos((hour - 4) / 12 * np.pi) + 25 * np.exp(-((hour - 18) ** 2) / 4))


def knowing(day_ahead: FloatArray, system: FloatArray, index: FloatArray) -> Callable[[int], Expectation]:
    """Decisions that know all prices."""
    return lambda k: Expectation(day_ahead, system, index)


def market(index: FloatArray, volume_mwh: float = 1000.0, *, share: float = 0.05, **settings: Any) -> IntradayMarket:
    """A market within the day of this index, with the same volume expected, and coming out, in every half-hour."""
    given = IntradaySettings(max_share_of_index_volume=share, **settings)
    volume = np.full(index.size, volume_mwh)
    return IntradayMarket(given, index, volume, volume)


def a_day(day: date = DAY, **changes: Any) -> MarketDay:
    """A day without contracts, services or trade within the day, where every price is known."""
    start = changes.pop("start_utc", half_hours(day))
    periods, own = len(start), len(gb_time.efa_half_hours(day))
    price = shape_of_day(periods)
    usual: dict[str, Any] = {
        "efa_date": day,
        "strategy": "co_optimised",
        "start_utc": start,
        "battery": BATTERY,
        "opening_energy_mwh": 50.0,
        "day_ahead_mw": np.zeros(periods),
        "planned_charge_mw": np.zeros(own),
        "planned_discharge_mw": np.zeros(own),
        "expect": knowing(price, price, price),
        "imbalance_cap_mw": 2.5,
        "terminal_value_gbp_mwh": 60.0,
    }
    return MarketDay(**(usual | changes))
