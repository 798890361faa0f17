"""Settings of ancillary services.

What belongs here: names, bounds and defaults of `[ancillary]`. What does not: the rules themselves, which are no
settings (`ancillary/`, docs/ancillary.md), and all other sections (`settings.py`).
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from bess_pipeline.degradation_settings import Section

ResponseProduct = Literal["DCL", "DCH", "DML", "DMH", "DRL", "DRH"]
ReserveProduct = Literal["PBR", "NBR", "PQR", "NQR", "PSR", "NSR"]
ActivationBasis = Literal["assumed", "measured", "simulated"]
Share = Annotated[float, Field(ge=0, le=1)]


class AncillarySettings(Section):
    """Which services are offered, and what no published rule says; products of reserve are off."""

    response_products: tuple[ResponseProduct, ...] = Field(
        ("DCL", "DCH", "DML", "DMH", "DRL", "DRH"), description="response products that may be offered"
    )
    reserve_products: tuple[ReserveProduct, ...] = Field(
        (), description="reserve products that may be offered; each needs both reserve_utilisation settings"
    )
    reserve_utilisation_probability: dict[ReserveProduct, Share] = Field(
        {}, description="share of the contracted energy (30 minutes a window) that is called for"
    )
    reserve_utilisation_price_gbp_mwh: dict[ReserveProduct, float] = Field(
        {}, description="price of a MWh called for: received when exported, paid when imported; may be negative"
    )
    volume_cap_share: Share = Field(0.1, description="most of the expected cleared volume that is offered")
    volume_cap_days: int = Field(
        28, ge=1, le=366, description="EFA days of past auctions that the expectation averages"
    )
    baseline_adds_headroom: bool = Field(
        False, description="a charging baseline makes room for low response, a discharging one for high"
    )
    balancing_reserve_beside_response: bool = Field(
        False, description="balancing reserve may stand beside response of its own direction"
    )
    availability_factor: Share | None = Field(
        None, description="share of positive payments kept after unavailability; absent = all of them"
    )
    perf_penalty_curve: tuple[tuple[Share, Share], ...] = Field(
        (), description="(delivered share, paid share) points, both rising; empty = no penalty"
    )
    absvd_applies: bool = Field(
        True, description="response energy is taken out of imbalance (a BM unit); false: it meets the system price"
    )
    activation_basis: ActivationBasis = Field("assumed", description="where the energy that response moves comes from")
    activation_multiplier: float = Field(1.0, ge=0, le=10, description="sensitivity: all of that energy times this")
    assumed_throughput_mwh_per_mw_day: dict[ResponseProduct, Annotated[float, Field(ge=0, le=24)]] = Field(
        {}, description="energy of one contracted MW in a day when assumed; absent = as published, DM: off"
    )

    @model_validator(mode="after")
    def _reserve_is_priced(self) -> Self:
        for product in self.reserve_products:
            for key in ("reserve_utilisation_probability", "reserve_utilisation_price_gbp_mwh"):
                if product not in getattr(self, key):
                    raise ValueError(
                        f"reserve product {product} is switched on without {key}: no figure is published, give one "
                        "or take it out of reserve_products"
                    )
        return self

    @model_validator(mode="after")
    def _once_and_rising(self) -> Self:
        for name in ("response_products", "reserve_products"):
            products = getattr(self, name)
            if len(set(products)) != len(products):
                raise ValueError(f"{name} names a product twice")
        delivered, paid = [p[0] for p in self.perf_penalty_curve], [p[1] for p in self.perf_penalty_curve]
        if delivered != sorted(set(delivered)) or paid != sorted(paid):
            raise ValueError("perf_penalty_curve must rise: delivered shares strictly, paid shares never falling")
        return self
