"""Pandera models of the strategies of all markets: what their battery did, beside what it was contracted for.

What belongs here: columns, keys and bounds of these tables. What does not: the dispatch of the day-ahead strategies and
their plans (`trading_tables.py`), what is derived from a model (`schemas.py`), and how any of it is computed
(`trading/market_day.py`).
"""

from __future__ import annotations

from typing import Any

import pandera.pandas as pa

from bess_pipeline.schema_fields import amount_field, price_field
from bess_pipeline.trading_tables import Dispatch

MARKET_DISPATCH = "trading/market_dispatch"
WITHOUT_NEXT_DAY = "without_next_day"  # in its stamp: dispatched before the day after was planned


def _service(product: str, direction: str) -> Any:
    return amount_field(f"accepted capacity of {product}, {direction}, MW", lowest=0.0)


def _share(direction: str) -> Any:
    return pa.Field(ge=0.0, le=1.0, description=f"delivered share of {direction} energy asked for; 1 where none was")


class MarketDispatch(Dispatch):
    """What the battery of a strategy of all markets did, per half-hour.

    contracted = day-ahead + intraday; imbalance = metered - contracted - absvd - accepted, of which physics, or
    a trade that was not filled, forced the forced part. The baseline (charge, discharge) holds neither response nor
    reserve energy, but holds acceptances.
    """

    day_ahead_mwh: float = amount_field("net energy sold day-ahead, MWh")
    intraday_mwh: float = amount_field("net energy sold within the day, MWh")
    intraday_price_gbp_mwh: float = price_field(
        "price of that trade, half-spread included, GBP/MWh; null without one", nullable=True
    )
    planned_charge_mw: float = amount_field("charge planned at the last gate, AC, MW", lowest=0.0)
    planned_discharge_mw: float = amount_field("discharge planned at the last gate, AC, MW", lowest=0.0)
    absvd_mwh: float = amount_field("net export taken out of imbalance: reserve, and response where ABSVD applies, MWh")
    reserve_mwh: float = amount_field("net export of reserve called for, part of the activation, MWh")
    accepted_mwh: float = amount_field("volume accepted in the balancing mechanism, + offer, - bid, MWh")
    accepted_price_gbp_mwh: float = price_field("price of that volume, GBP/MWh; null without one", nullable=True)
    dcl_mw: float = _service("DCL", "low")
    dch_mw: float = _service("DCH", "high")
    dml_mw: float = _service("DML", "low")
    dmh_mw: float = _service("DMH", "high")
    drl_mw: float = _service("DRL", "low")
    drh_mw: float = _service("DRH", "high")
    pbr_mw: float = _service("PBR", "low")
    nbr_mw: float = _service("NBR", "high")
    pqr_mw: float = _service("PQR", "low")
    nqr_mw: float = _service("NQR", "high")
    psr_mw: float = _service("PSR", "low")
    nsr_mw: float = _service("NSR", "high")
    missing_low_mwh: float = amount_field(
        "AC energy that low contracts require and the store cannot give at the start, or an outage not at all, MWh",
        lowest=0.0,
    )
    missing_high_mwh: float = amount_field(
        "AC room that high contracts require and the store lacks at the start, or energy that an outage refuses, MWh",
        lowest=0.0,
    )
    delivered_low_share: float = _share("low")
    delivered_high_share: float = _share("high")

    class Config(Dispatch.Config):
        pass
