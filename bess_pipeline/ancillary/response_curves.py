"""How much of its contracted power a response product delivers at a system frequency.

What belongs here: the delivery curves of DC, DM and DR as data, and their evaluation. What does
not: energy over time (`activation.py`) and what a contract reserves of a battery.

Rule (NESO Response Service Terms, table 1; domain reference 5.1): the share of the contracted MW is
piecewise linear in the deviation from 50 Hz, zero inside the deadband and one from full delivery on.
Low products (..L) discharge below 50 Hz, high products (..H) charge above it. Initiation and ramp
(0.5 s to 10 s) are not modelled: they move energy by seconds, not between half-hours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

NOMINAL_HZ = 50.0
_RESOLUTION_DECIMALS = 9  # 50 - 49.985 is the deadband's 0.015, not a hair more


@dataclass(frozen=True)
class ResponseCurve:
    """Corners of a delivery curve: deviations from 50 Hz (Hz, rising) and shares of the contracted MW."""

    deviation_hz: tuple[float, ...]
    share: tuple[float, ...]

    def at(self, deviation_hz: ArrayLike) -> NDArray[np.float64]:
        """Shares at deviations in the product's own direction; zero at those of the other direction."""
        return np.asarray(np.interp(np.asarray(deviation_hz, np.float64), self.deviation_hz, self.share))


CURVES: Mapping[str, ResponseCurve] = {
    "DC": ResponseCurve((0.015, 0.2, 0.5), (0.0, 0.05, 1.0)),
    "DM": ResponseCurve((0.015, 0.1, 0.2), (0.0, 0.05, 1.0)),
    "DR": ResponseCurve((0.015, 0.2), (0.0, 1.0)),
}
PRODUCTS = tuple(f"{service}{direction}" for service in CURVES for direction in "LH")


def delivered_share(product: str, frequency_hz: ArrayLike) -> NDArray[np.float64]:
    """Share (0 to 1) of its contracted MW that `product` (DCL, DCH, DML, DMH, DRL, DRH) delivers.

    Same shape as `frequency_hz`; NaN where the frequency is NaN. Low products deliver by discharging,
    high products by charging. Raises KeyError for another product.
    """
    if product not in PRODUCTS:
        raise KeyError(f"{product!r} is no response product; there are {', '.join(PRODUCTS)}")
    above = np.round(np.asarray(frequency_hz, dtype=np.float64) - NOMINAL_HZ, _RESOLUTION_DECIMALS)
    return CURVES[product[:2]].at(above if product.endswith("H") else -above)
