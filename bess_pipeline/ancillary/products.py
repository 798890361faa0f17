"""The ancillary products: what each asks for, as data with its source.

What belongs here: one `Product` per auction code and the dates from which its rules hold. What does not: delivery
curves (`response_curves.py`), first auctions (`sources/auction_eras.py`) and the rules that use these numbers
(`rating.py`, `energy_band.py`, `exclusions.py`, `reserve.py`).

The sources of domain reference 5.2 are NESO's Response Service Terms (in force 31 July 2026), Procurement Rules v5 and
State of Energy guidance V2, all read through a secondary source: verify before commercial use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from bess_pipeline.gb_time import HALF_HOUR_H
from bess_pipeline.sources.auction_eras import RESERVE_GO_LIVE, RESPONSE_EXPECTED_FROM

Direction = Literal["low", "high"]
Window = Literal["efa_block", "half_hour"]

DIRECTIONS: tuple[Direction, Direction] = ("low", "high")
RECOVERY_PER_PERIOD = 0.2  # of the response energy volume, per settlement period (Service Terms; domain reference 5.2)
RECOVERY_RATING_FROM = date(2024, 11, 15)  # Procurement Rules v2.0: the rating it takes is binding from this EFA day
SPLITTING_FROM = date(2023, 11, 2)  # Enduring Auction Capability: DC, DM and DR on one unit in one window
MAX_OFFER_MW = 100.0  # per product and sell order (EAC design; domain reference 4.4)
OFFER_STEP_MW = 1.0  # whole MW (domain reference 4.4)


@dataclass(frozen=True)
class Product:
    """One auction product.

    code, service (DC, DM, DR, BR, QR, SR) and kind; direction: low discharges, high charges; duration_h: hours of full
    delivery a MW needs energy for (a MW's response energy volume, MWh); recovery_share: MW per MW taken of the rating
    in the opposite direction once that rule binds; window: how long an award lasts; sustain: the published text;
    published_throughput_mwh_per_mw_day: lowest and highest published energy of one direction, or None; first_efa_date:
    first EFA day that is sure to be auctioned, None where it was not found; source: where these come from.
    """

    code: str
    service: str
    kind: Literal["response", "reserve"]
    direction: Direction
    duration_h: float
    recovery_share: float
    window: Window
    sustain: str
    published_throughput_mwh_per_mw_day: tuple[float, float] | None
    first_efa_date: date | None
    source: str

    def recovery_share_on(self, efa_date: date) -> float:
        """MW per MW taken of the opposite direction's rating on an EFA day: none before the rule became binding."""
        return self.recovery_share if efa_date >= RECOVERY_RATING_FROM else 0.0

    def recovery_mwh_per_mw(self) -> float:
        """Energy that one contracted MW must be able to recover in a settlement period, MWh."""
        return self.recovery_share * HALF_HOUR_H

    def auctioned_on(self, efa_date: date) -> bool:
        """Whether it may be offered for an EFA day; one whose first day was not found is taken at its word."""
        return self.first_efa_date is None or efa_date >= self.first_efa_date

    @property
    def assumed_throughput_mwh_per_mw_day(self) -> float | None:
        """The end of what was published that flatters least, MWh a MW and day.

        Of low products the highest: energy that leaves unpaid and must be bought back. Of high products the lowest:
        energy that comes in unpaid and can be sold.
        """
        published = self.published_throughput_mwh_per_mw_day
        if published is None:
            return None
        return max(published) if self.direction == "low" else min(published)


_RESPONSE_TERMS = "Response Service Terms and Procurement Rules (domain reference 5.1, 5.2)"
_DC_ENERGY = "Halfcell: DC 0.13 to 0.18 MWh/MW/day (domain reference 5.4)"
_DR_ENERGY = "Halfcell: DR 2.5 (2021) to 3.6 (2026) MWh/MW/day each direction (domain reference 5.4)"
_DM_ENERGY = "no throughput was found (domain reference 5.4)"
_RESERVE_DEFAULT = "energy for 30 minutes is a modelling default (domain reference 5.3)"


def _response(
    service: str, duration_h: float, share: float, energy: tuple[float, float] | None, note: str
) -> dict[str, Product]:
    names: tuple[tuple[str, Direction], ...] = (("L", "low"), ("H", "high"))
    return {
        f"{service}{letter}": Product(
            code=f"{service}{letter}",
            service=service,
            kind="response",
            direction=direction,
            duration_h=duration_h,
            recovery_share=share,
            window="efa_block",
            sustain=f"{duration_h * 60:g} minutes at full delivery",
            published_throughput_mwh_per_mw_day=energy,
            first_efa_date=RESPONSE_EXPECTED_FROM[f"{service}{letter}"],
            source=f"{_RESPONSE_TERMS}; {note}",
        )
        for letter, direction in names
    }


def _reserve(service: str, sustain: str) -> dict[str, Product]:
    names: tuple[tuple[str, Direction], ...] = (("P", "low"), ("N", "high"))
    return {
        f"{sign}{service}": Product(
            code=f"{sign}{service}",
            service=service,
            kind="reserve",
            direction=direction,
            duration_h=0.5,
            recovery_share=0.0,
            window="half_hour",
            sustain=sustain,
            published_throughput_mwh_per_mw_day=None,
            first_efa_date=RESERVE_GO_LIVE.get(f"{sign}{service}"),
            source=_RESERVE_DEFAULT,
        )
        for sign, direction in names
    }


PRODUCT_TABLE: Mapping[str, Product] = {
    **_response("DC", 0.25, 0.1, (0.13, 0.18), _DC_ENERGY),
    **_response("DM", 0.5, 0.2, None, _DM_ENERGY),
    **_response("DR", 1.0, 0.4, (2.5, 3.6), _DR_ENERGY),
    **_reserve("BR", "30 minutes"),
    **_reserve("QR", "sources differ: 15 minutes (draft), 1 minute ramp and 13 minutes hold, 5 minutes (press)"),
    **_reserve("SR", "not found"),
}
RESERVE_PRODUCTS = tuple(code for code, product in PRODUCT_TABLE.items() if product.kind == "reserve")


def table_of(products: tuple[str, ...]) -> tuple[Product, ...]:
    """The products of some codes in order; ValueError for one that does not exist or comes twice."""
    unknown = [code for code in products if code not in PRODUCT_TABLE]
    if unknown or len(set(products)) != len(products):
        raise ValueError(f"{', '.join(products)}: each must be one of {', '.join(PRODUCT_TABLE)}, once")
    return tuple(PRODUCT_TABLE[code] for code in products)
