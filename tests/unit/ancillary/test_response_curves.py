"""Delivery curves against the values the domain reference computed (section 5.1)."""

from __future__ import annotations

import numpy as np
import pytest

from bess_pipeline.ancillary.response_curves import PRODUCTS, delivered_share

DEVIATIONS = [0.01, 0.015, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.6]
EXPECTED = {
    "DC": [0, 0, 0.00946, 0.02297, 0.03649, 0.05, 0.36667, 1, 1],
    "DM": [0, 0, 0.02059, 0.05, 0.525, 1, 1, 1, 1],
    "DR": [0, 0, 0.18919, 0.45946, 0.72973, 1, 1, 1, 1],
}


@pytest.mark.parametrize("product", PRODUCTS)
def test_values_of_the_reference_in_the_products_direction_and_none_in_the_other(product: str) -> None:
    sign = -1.0 if product.endswith("L") else 1.0
    frequency = 50.0 + sign * np.array(DEVIATIONS)
    assert delivered_share(product, frequency) == pytest.approx(EXPECTED[product[:2]], abs=5e-6)
    assert (delivered_share(product, 100.0 - frequency) == 0).all()


def test_products_are_the_six_of_the_market() -> None:
    assert sorted(PRODUCTS) == ["DCH", "DCL", "DMH", "DML", "DRH", "DRL"]
    with pytest.raises(KeyError, match="XYL"):
        delivered_share("XYL", [50.0])


def test_shares_are_exactly_zero_inside_the_deadband_and_exactly_one_from_full_delivery() -> None:
    inside = np.round(np.arange(49.985, 50.0151, 0.001), 3)
    assert all((delivered_share(product, inside) == 0.0).all() for product in PRODUCTS)
    assert delivered_share("DRL", 49.8) == 1.0
    assert delivered_share("DMH", 50.2) == 1.0
    assert delivered_share("DCL", 49.5) == 1.0


def test_shape_is_kept_and_unknown_stays_unknown() -> None:
    grid = np.array([[49.9, np.nan], [50.0, 50.1]])
    share = delivered_share("DRL", grid)
    assert share.shape == grid.shape
    assert np.isnan(share).tolist() == [[False, True], [False, False]]
