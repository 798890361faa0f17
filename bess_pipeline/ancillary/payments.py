"""What contracts pay, and what is lost of it.

What belongs here: availability payments, unavailable periods and the two knobs. What does not: when a period is
unavailable (`energy_band.py`), what delivered energy is settled at (`activation_effects.py`) and cash by strategy
(`trading/settlement.py`).

Rules:
* payment = MW x clearing price x hours of the window, 3 h and 5 h blocks included; negative prices are valid and paid
  (domain reference 1.2, 4.3);
* a settlement period that starts outside the requirement of a direction costs its products max(0, payment of the
  window)/periods of the window (Service Terms 6.12, 1/8 of a 4 h block; domain reference 5.2): a negative payment is
  never waived;
* performance bands and availability statistics of NESO were NOT FOUND: `availability_factor` and `perf_penalty_curve`
  are the user's own assumption and off.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from bess_pipeline.ancillary.products import DIRECTIONS, table_of
from bess_pipeline.ancillary.rows import TOLERANCE, FloatArray
from bess_pipeline.ancillary.windows import Horizon
from bess_pipeline.gb_time import HALF_HOUR_H


def payment_gbp(mw: ArrayLike, price_gbp_mw_h: ArrayLike, hours: ArrayLike) -> FloatArray:
    """MW x price x actual hours, GBP, positive when received; 0 where nothing is contracted, whatever the price."""
    volume, price = np.asarray(mw, dtype=float), np.asarray(price_gbp_mw_h, dtype=float)
    return np.asarray(np.where(volume == 0, 0.0, volume * price * np.asarray(hours, dtype=float)))


def window_payments_gbp(
    products: tuple[str, ...], horizon: Horizon, mw: FloatArray, price_gbp_mw_h: FloatArray
) -> FloatArray:
    """Payment of the whole window of each half-hour, GBP, (..., products, half-hours) as the prices.

    mw and price are constant within an EFA block for response products.
    """
    return payment_gbp(mw, price_gbp_mw_h, _periods(products, horizon) * HALF_HOUR_H)


def half_hour_payments_gbp(mw: FloatArray, price_gbp_mw_h: FloatArray) -> FloatArray:
    """Availability cash of each half-hour, GBP; over a window they add up to its payment."""
    return payment_gbp(mw, price_gbp_mw_h, HALF_HOUR_H)


def unavailable_periods(missing_mwh: FloatArray) -> np.ndarray:
    """Half-hours that start outside the requirement by `energy_band.band_shortfall_mwh`, (..., 2, half-hours)."""
    return np.asarray(~(missing_mwh <= TOLERANCE))  # an unknown state is not taken as met


def lost_availability_gbp(
    products: tuple[str, ...], horizon: Horizon, window_payment_gbp: FloatArray, unavailable: np.ndarray
) -> FloatArray:
    """What unavailable half-hours cost, GBP >= 0, (..., products, half-hours).

    window_payment_gbp (..., products, half-hours) of `window_payments_gbp`; unavailable (..., 2, half-hours): low,
    high. A direction's products lose only where that direction's requirement is missed (it is assessed by direction,
    6.11).
    """
    side = [DIRECTIONS.index(one.direction) for one in table_of(products)]
    share = np.maximum(window_payment_gbp, 0.0) / _periods(products, horizon)
    return np.where(unavailable[..., side, :], share, 0.0)


def deduction_gbp(
    payment: ArrayLike,
    availability_factor: float | None = None,
    perf_penalty_curve: Sequence[tuple[float, float]] = (),
    delivered_share: ArrayLike = 1.0,
) -> FloatArray:
    """What the two knobs take off payments, GBP >= 0; nothing by default, and never off a negative payment.

    delivered_share (0 to 1): delivered over asked for; the curve gives the share that is paid for it, constant beyond
    its ends.
    """
    kept = np.ones(np.broadcast_shapes(np.shape(payment), np.shape(delivered_share)))
    if availability_factor is not None:
        kept = kept * availability_factor
    if perf_penalty_curve:
        delivered, paid = zip(*perf_penalty_curve, strict=True)
        kept = kept * np.interp(np.asarray(delivered_share, dtype=float), delivered, paid)
    return np.asarray(np.maximum(np.asarray(payment, dtype=float), 0.0) * (1.0 - kept))


def _periods(products: tuple[str, ...], horizon: Horizon) -> FloatArray:
    """Settlement periods of the window of each product and half-hour, (products, half-hours)."""
    one = np.ones(horizon.periods)
    return np.stack([horizon.periods_in_block * one if p.window == "efa_block" else one for p in table_of(products)])
