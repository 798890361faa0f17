"""Settings of what trading costs, and of acceptances in the balancing mechanism.

What belongs here: names, bounds and defaults of `[costs]` and `[balancing_mechanism]`. What does not: how they become
cash (`trading/settlement_costs.py`) or volumes (`trading/balancing_mechanism.py`), and all other sections
(`settings.py`). No level of any of them was found in a public source: all are off, and a user gives their own.
"""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from bess_pipeline.degradation_settings import Section

PRICE_LIMIT_GBP_MWH = 99_999.0  # the highest and lowest price a bid-offer pair can have


class CostSettings(Section):
    """Costs and side income (docs/settlement.md): they change cash and no decision; all zero by default."""

    day_ahead_fee_gbp_per_mwh: float = Field(0.0, ge=0, description="exchange fee per MWh sold or bought day-ahead")
    intraday_fee_gbp_per_mwh: float = Field(0.0, ge=0, description="exchange fee per MWh sold or bought within the day")
    clearing_fee_gbp_per_mwh: float = Field(0.0, ge=0, description="clearing fee per MWh of either")
    network_import_gbp_per_mwh: float = Field(0.0, description="network charge per MWh imported")
    network_export_gbp_per_mwh: float = Field(0.0, description="network charge per MWh exported; negative = a credit")
    supplier_import_gbp_per_mwh: float = Field(0.0, description="supplier's charge per MWh imported")
    supplier_gbp_per_day: float = Field(0.0, description="supplier's standing charge per trading day")
    optimiser_share: float = Field(
        0.0, ge=0, le=1, description="the optimiser's share of a trading day's cash, where that is positive"
    )
    optimiser_floor_gbp_per_mw_month: float | None = Field(
        None, description="cash that the optimiser guarantees, GBP/MW and calendar month; absent = no guarantee"
    )
    capacity_market_gbp_per_mw_year: float = Field(
        0.0, description="capacity market income per MW of rating and calendar year, de-rating included"
    )


class BalancingMechanismSettings(Section):
    """Acceptances as a replay under assumptions (docs/settlement.md); off by default."""

    enabled: bool = Field(False, description="whether acceptances are replayed")
    offer_price_gbp_mwh: float | None = Field(
        None, ge=-PRICE_LIMIT_GBP_MWH, le=PRICE_LIMIT_GBP_MWH, description="own offer: received per MWh exported more"
    )
    bid_price_gbp_mwh: float | None = Field(
        None, ge=-PRICE_LIMIT_GBP_MWH, le=PRICE_LIMIT_GBP_MWH, description="own bid: paid per MWh exported less"
    )
    skip_rate: float | None = Field(None, ge=0, le=1, description="chance that a price in merit is passed over")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        absent = [name for name in ("offer_price_gbp_mwh", "bid_price_gbp_mwh", "skip_rate") if self._absent(name)]
        if self.enabled and absent:
            raise ValueError(
                f"acceptances are switched on without {', '.join(absent)}: no figure is published, give your own"
            )
        offer, bid = self.offer_price_gbp_mwh, self.bid_price_gbp_mwh
        if offer is not None and bid is not None and bid > offer:
            raise ValueError(f"bid_price_gbp_mwh {bid:g} must not be above offer_price_gbp_mwh {offer:g}")
        return self

    def _absent(self, name: str) -> bool:
        return getattr(self, name) is None
