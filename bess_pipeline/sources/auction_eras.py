"""Which ancillary products were auctioned when: the dates on which NESO's auctions changed.

What belongs here: product codes and dates, each with where it is from. What does not: the forms of
the answers (`neso_auctions.py`), the portal's resources (`neso_resources.py`) and what a contract
asks of a battery (`ancillary/`).

Sources: domain reference 4.1, 4.3 and 5.3. Where a first day is public to the month or the quarter
only, the product is *expected* from the end of that span: rows before it are stored when they are
published, and nobody is told that they are missing. The go-live of slow reserve was not found.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime

RESPONSE_PRODUCTS = frozenset({"DCL", "DCH", "DML", "DMH", "DRL", "DRH"})
RESERVE_PRODUCTS = frozenset({"PQR", "NQR", "PBR", "NBR", "PSR", "NSR"})
AUCTION_PRODUCTS = RESPONSE_PRODUCTS | RESERVE_PRODUCTS

FIRST_BLOCK_EFA_DATE = date(2021, 9, 16)  # first row of the pre-EAC resource: 2021-09-15T23:00 London
EAC_START_UTC = datetime(2023, 11, 2, 23, tzinfo=UTC)  # EFA day 2023-11-03
# The resource of balancing reserve alone: deliveries from 2024-03-12T23:00Z, the last start 2025-10-29T22:30Z.
BALANCING_RESERVE_UTC = (datetime(2024, 3, 12, 23, tzinfo=UTC), datetime(2025, 10, 29, 23, tzinfo=UTC))

# First EFA day from which every block must have the product.
RESPONSE_EXPECTED_FROM = {
    "DCL": FIRST_BLOCK_EFA_DATE,
    "DCH": date(2021, 12, 1),  # introduced in November 2021 (Timera Energy)
    "DML": date(2022, 7, 1),  # introduced in the second quarter of 2022 (Timera Energy)
    "DMH": date(2022, 7, 1),
    "DRL": date(2022, 7, 1),
    "DRH": date(2022, 7, 1),
}
# First EFA day that the go-live auction sold (the day after it); absent: not found.
RESERVE_GO_LIVE = {
    "PBR": date(2024, 3, 13),
    "NBR": date(2024, 3, 13),
    "PQR": date(2024, 12, 4),
    "NQR": date(2024, 12, 4),
}


def expected_response(efa_date: date) -> list[str]:
    """Response products that every block of an EFA day must have, in order of code."""
    return sorted(product for product, first in RESPONSE_EXPECTED_FROM.items() if efa_date >= first)


def expected_reserve(efa_date: date, wanted: Collection[str]) -> list[str]:
    """Those of `wanted` that were auctioned for an EFA day; one whose go-live is not known is taken at its word."""
    return sorted(product for product in wanted if efa_date >= RESERVE_GO_LIVE.get(product, date.min))
