"""Pandera models of the tables behind the system price: its versions, the settlement stack, its recomputation.

What belongs here: columns, keys and bounds of these tables. What does not: other tables and what is
derived from a model (`schemas.py`).
"""

from __future__ import annotations

from typing import ClassVar

import pandas as pd
import pandera.pandas as pa
from pandera.engines import pandas_engine

from bess_pipeline.schema_fields import (
    Table,
    action_price_field,
    amount_field,
    date_field,
    flag_field,
    period_field,
    price_field,
    utc_field,
)


class SystemPriceRevision(Table):
    """Every version of the system price that was ever fetched, in the order in which it was seen."""

    settlement_date: pandas_engine.Date = date_field("settlement date, Europe/London")
    settlement_period: int = period_field()
    version: int = pa.Field(ge=1, description="1 = the first version seen of this period")
    published_utc: pandas_engine.DateTime = utc_field("version key of the publication", nullable=True)
    fetched_utc: pandas_engine.DateTime = utc_field("when this version was first fetched")
    system_price_gbp_mwh: float = price_field("single imbalance price of this version, GBP/MWh")
    net_imbalance_volume_mwh: float = amount_field(
        "net imbalance volume of this version, positive = system short, MWh", nullable=True
    )

    class Config(Table.Config):
        unique: ClassVar = ["settlement_date", "settlement_period", "version"]


class SettlementStack(Table):
    """Balancing actions behind the system price (ISPSTACK), one row per action, side and period."""

    settlement_date: pandas_engine.Date = date_field("settlement date, Europe/London")
    settlement_period: int = period_field()
    start_utc: pandas_engine.DateTime = utc_field("start of the half-hour, UTC")
    side: str = pa.Field(isin=["bid", "offer"], description="offer = bought by the system, bid = sold by it")
    sequence_number: int = pa.Field(description="place in the published stack")
    action_id: str = pa.Field(nullable=True, description="BM unit or balancing services adjustment action")
    acceptance_id: str = pa.Field(nullable=True, description="bid-offer acceptance number, null outside the mechanism")
    bid_offer_pair_id: str = pa.Field(nullable=True, description="bid-offer pair, -5 to 5")
    cadl_flag: pd.BooleanDtype = flag_field("shorter than the continuous acceptance duration limit")
    so_flag: pd.BooleanDtype = flag_field("flagged by the system operator")
    stor_flag: pd.BooleanDtype = flag_field("short term operating reserve provider")
    repriced: pd.BooleanDtype = flag_field("its price was replaced in the published calculation")
    reserve_scarcity_price_gbp_mwh: float = action_price_field("reserve scarcity price, GBP/MWh")
    original_price_gbp_mwh: float = action_price_field("price before the calculation, GBP/MWh")
    volume_mwh: float = amount_field("accepted volume, bids negative, MWh")
    dmat_adjusted_volume_mwh: float = amount_field("volume after de minimis tagging, MWh", nullable=True)
    arbitrage_adjusted_volume_mwh: float = amount_field("volume after arbitrage tagging, MWh", nullable=True)
    niv_adjusted_volume_mwh: float = amount_field("volume after net imbalance volume tagging, MWh", nullable=True)
    par_adjusted_volume_mwh: float = amount_field("volume after price average reference tagging, MWh", nullable=True)
    final_price_gbp_mwh: float = action_price_field("price in the published calculation, GBP/MWh")
    transmission_loss_multiplier: float = amount_field("transmission loss multiplier", lowest=0.0, nullable=True)
    tlm_adjusted_volume_mwh: float = amount_field("PAR volume times loss multiplier, MWh", nullable=True)
    tlm_adjusted_cost_gbp: float = pa.Field(nullable=True, description="that volume times the final price, GBP")
    published_utc: pandas_engine.DateTime = utc_field("version key of the publication", nullable=True)

    class Config(Table.Config):
        unique: ClassVar = ["settlement_date", "settlement_period", "side", "sequence_number"]


class SystemPriceCheck(Table):
    """The system price recomputed from the settlement stack beside the published one, per period and method."""

    settlement_date: pandas_engine.Date = date_field("settlement date, Europe/London")
    settlement_period: int = period_field()
    start_utc: pandas_engine.DateTime = utc_field("start of the half-hour, UTC")
    method: str = pa.Field(
        isin=["published_volumes", "own_tagging"],
        description="published_volumes: from the rows' PAR-adjusted volumes; own_tagging: from raw volumes",
    )
    published_gbp_mwh: float = price_field("published system price, GBP/MWh", nullable=True)
    recomputed_gbp_mwh: float = action_price_field("price recomputed from the stack, GBP/MWh")
    difference_gbp_mwh: float = action_price_field("recomputed - published, GBP/MWh")
    published_niv_mwh: float = amount_field("published net imbalance volume, + = short, MWh", nullable=True)
    recomputed_niv_mwh: float = amount_field("net imbalance volume of the stack, + = short, MWh", nullable=True)
    tagging_difference_mwh: float = amount_field(
        "own tagging: largest difference from the adjusted volumes published at one price, MWh",
        lowest=0.0,
        nullable=True,
    )
    status: str = pa.Field(isin=["agrees", "differs", "not_comparable"], description="outcome of the comparison")
    notes: str = pa.Field(description="what the price stands on, or why there is none")

    class Config(Table.Config):
        unique: ClassVar = ["settlement_date", "settlement_period", "method"]
