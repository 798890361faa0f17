"""The product table against domain reference 5.1 to 5.4, written out again by hand."""

from __future__ import annotations

from datetime import date

import pytest

from bess_pipeline.ancillary.products import PRODUCT_TABLE, RESERVE_PRODUCTS, table_of
from bess_pipeline.ancillary.response_curves import PRODUCTS

# code: direction, duration h, share of the opposite rating, window, published throughput
EXPECTED = {
    "DCL": ("low", 0.25, 0.1, "efa_block", (0.13, 0.18)),
    "DCH": ("high", 0.25, 0.1, "efa_block", (0.13, 0.18)),
    "DML": ("low", 0.5, 0.2, "efa_block", None),
    "DMH": ("high", 0.5, 0.2, "efa_block", None),
    "DRL": ("low", 1.0, 0.4, "efa_block", (2.5, 3.6)),
    "DRH": ("high", 1.0, 0.4, "efa_block", (2.5, 3.6)),
    "PBR": ("low", 0.5, 0.0, "half_hour", None),
    "NBR": ("high", 0.5, 0.0, "half_hour", None),
    "PQR": ("low", 0.5, 0.0, "half_hour", None),
    "NQR": ("high", 0.5, 0.0, "half_hour", None),
    "PSR": ("low", 0.5, 0.0, "half_hour", None),
    "NSR": ("high", 0.5, 0.0, "half_hour", None),
}


def test_every_product_has_the_published_terms() -> None:
    found = {
        code: (one.direction, one.duration_h, one.recovery_share, one.window, one.published_throughput_mwh_per_mw_day)
        for code, one in PRODUCT_TABLE.items()
    }
    assert found == EXPECTED
    assert all("domain reference 5" in one.source for one in PRODUCT_TABLE.values())
    assert [code for code, one in PRODUCT_TABLE.items() if one.kind == "response"] == list(PRODUCTS)
    assert tuple(code for code in EXPECTED if code not in PRODUCTS) == RESERVE_PRODUCTS


@pytest.mark.parametrize("code", PRODUCTS)
def test_the_share_is_what_recovering_a_fifth_of_the_volume_in_half_an_hour_takes(code: str) -> None:
    one = PRODUCT_TABLE[code]
    assert one.recovery_share == pytest.approx(one.duration_h * 0.2 * 2)
    assert one.recovery_mwh_per_mw() == pytest.approx(0.2 * one.duration_h)


def test_the_share_binds_from_15_november_2024() -> None:
    assert [PRODUCT_TABLE["DRH"].recovery_share_on(date(2024, 11, day)) for day in (14, 15, 16)] == [0.0, 0.4, 0.4]


def test_products_are_offered_from_their_first_auction_and_slow_reserve_at_its_word() -> None:
    first = {"DCL": date(2021, 9, 16), "PBR": date(2024, 3, 13), "NQR": date(2024, 12, 4)}
    for code, day in first.items():
        assert PRODUCT_TABLE[code].auctioned_on(day)
        assert not PRODUCT_TABLE[code].auctioned_on(date.fromordinal(day.toordinal() - 1))
    assert PRODUCT_TABLE["PSR"].first_efa_date is None
    assert PRODUCT_TABLE["PSR"].auctioned_on(date(2020, 1, 1))


def test_assumed_throughput_is_the_upper_end_and_dm_has_none() -> None:
    assumed = {code: PRODUCT_TABLE[code].assumed_throughput_mwh_per_mw_day for code in PRODUCTS}
    assert assumed == {"DCL": 0.18, "DCH": 0.13, "DML": None, "DMH": None, "DRL": 3.6, "DRH": 2.5}


@pytest.mark.parametrize("codes", [("DCL", "XYZ"), ("DCL", "DCL")])
def test_unknown_or_repeated_codes_are_refused(codes: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="once"):
        table_of(codes)
