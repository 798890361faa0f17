"""Cash of ancillary services on a trading day: what was contracted, called for, and lost.

What belongs here: clearing prices laid on half-hours, payments, reserve energy, and what is deducted. What does not:
the rules of payment (`ancillary/payments.py`), what was delivered (`market_day.py`) and cash of energy
(`market_settlement.py`).

* response and reserve: accepted MW x clearing price x hours, half-hour by half-hour, so that windows of 3 h and 5 h are
  paid by their real length; a negative price is paid by the battery;
* reserve energy: at the utilisation prices of `[ancillary]`, received when exported, paid when imported. Rows hold its
  net export only: each direction is taken as its expected energy x delivered share, as dispatch has it; where the net
  is another, less was delivered in the direction that has too much, or else more in the other;
* penalty: a half-hour that starts outside a direction's requirement loses the payment of that direction's products,
  where it is positive (Service Terms 6.12); the two knobs then take their part of what is left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from bess_pipeline.ancillary.activation_stream import assumed_activation
from bess_pipeline.ancillary.payments import (
    deduction_gbp,
    half_hour_payments_gbp,
    lost_availability_gbp,
    unavailable_periods,
    window_payments_gbp,
)
from bess_pipeline.ancillary.products import DIRECTIONS, PRODUCT_TABLE, Direction, table_of
from bess_pipeline.ancillary.rows import FloatArray
from bess_pipeline.ancillary.windows import Horizon, horizon_of
from bess_pipeline.ancillary_settings import AncillarySettings
from bess_pipeline.errors import BessError

PRODUCTS = tuple(PRODUCT_TABLE)
VOLUME_TOLERANCE_MWH = 1e-9


@dataclass(frozen=True)
class ServiceCash:
    """Cash per half-hour, GBP, and where an accepted MW has no clearing price, each (half-hours,)."""

    response: FloatArray
    reserve: FloatArray
    penalty: FloatArray
    unpriced: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class PricedContracts:
    """MW of services on half-hours that begin an EFA block and follow each other, and what they cleared at.

    mw, price_gbp_mw_h (products, half-hours) in the order of `PRODUCTS`, prices NaN where nothing is held or none was
    published; unpriced (half-hours,): where an accepted MW has no price.
    """

    horizon: Horizon
    mw: FloatArray
    price_gbp_mw_h: FloatArray
    unpriced: npt.NDArray[np.bool_]


def service_cash(dispatch: pd.DataFrame, auctions: pd.DataFrame, settings: AncillarySettings) -> ServiceCash:
    """Cash of `trading/market_dispatch` rows of one trading day, in the order of time.

    `auctions` are `market/auction_clearing` rows that may cover more than the day. Raises BessError where reserve
    energy has no product or no utilisation price.
    """
    return cash_of_contracts(dispatch, priced_contracts(dispatch, auctions), settings)


def priced_contracts(dispatch: pd.DataFrame, auctions: pd.DataFrame) -> PricedContracts:
    """What `service_cash` pays for, of the same rows."""
    starts = pd.DatetimeIndex(dispatch["start_utc"])
    mw = np.stack([dispatch[f"{code.lower()}_mw"].to_numpy(dtype="float64") for code in PRODUCTS])
    held = np.flatnonzero((mw > 0).any(axis=1))
    price = np.full(mw.shape, np.nan)
    price[held] = clearing_prices(auctions, starts, tuple(PRODUCTS[k] for k in held))
    unpriced = ((mw > 0) & ~np.isfinite(price)).any(axis=0)
    return PricedContracts(horizon_of(starts), mw, price, np.asarray(unpriced))


def cash_of_contracts(dispatch: pd.DataFrame, contracts: PricedContracts, settings: AncillarySettings) -> ServiceCash:
    """`service_cash` of contracts whose prices are known, or are others; of the rows, only what was delivered."""
    mw, price = contracts.mw, contracts.price_gbp_mw_h
    price = np.where(np.isfinite(price), price, 0.0)
    paid = half_hour_payments_gbp(mw, price)
    is_response = np.array([one.kind == "response" for one in table_of(PRODUCTS)])
    return ServiceCash(
        response=paid[is_response].sum(axis=0) + 0.0,
        reserve=paid[~is_response].sum(axis=0) + reserve_energy_gbp(dispatch, mw, settings),
        penalty=-_lost_gbp(dispatch, contracts.horizon, mw, price, paid, settings) + 0.0,
        unpriced=contracts.unpriced,
    )


def clearing_prices(auctions: pd.DataFrame, starts: pd.DatetimeIndex, codes: tuple[str, ...] = PRODUCTS) -> FloatArray:
    """Clearing price of the window that each half-hour lies in, GBP/MW/h, (codes, half-hours); NaN without one."""
    price = np.full((len(codes), len(starts)), np.nan)
    at, product = starts.as_unit("us").asi8, auctions["product"].to_numpy()
    begin, end = (
        pd.DatetimeIndex(auctions[column]).as_unit("us").asi8 for column in ("delivery_start_utc", "delivery_end_utc")
    )
    cleared = auctions["clearing_price_gbp_mw_h"].to_numpy(dtype="float64")
    for k, code in enumerate(codes):
        rows = np.flatnonzero(product == code)
        rows = rows[np.argsort(begin[rows], kind="stable")]
        place = np.searchsorted(begin[rows], at, side="right") - 1
        inside = place >= 0
        inside[inside] = at[inside] < end[rows[place[inside]]]
        price[k, inside] = cleared[rows[place[inside]]]
    return price


def reserve_energy_gbp(dispatch: pd.DataFrame, mw: FloatArray, settings: AncillarySettings) -> FloatArray:
    """Cash of reserve called for per half-hour, GBP; MW (products, half-hours) in the order of `PRODUCTS`."""
    net_mwh = dispatch["reserve_mwh"].to_numpy(dtype="float64")
    called = np.abs(net_mwh) > VOLUME_TOLERANCE_MWH
    if not called.any():
        return np.zeros(len(net_mwh))
    low, high = DIRECTIONS
    (exported, export_gbp), (imported, import_gbp) = (
        _expected_energy(one, dispatch, mw, settings) for one in (low, high)
    )
    beyond = net_mwh - (exported - imported)
    less = np.maximum(exported + np.minimum(beyond, 0.0), 0.0), np.maximum(imported - np.maximum(beyond, 0.0), 0.0)
    left = net_mwh - (less[0] - less[1])
    out = _priced(low, less[0] + np.maximum(left, 0.0), exported, export_gbp)
    return out - _priced(high, less[1] + np.maximum(-left, 0.0), imported, import_gbp)


def _expected_energy(
    direction: Direction, dispatch: pd.DataFrame, mw: FloatArray, settings: AncillarySettings
) -> tuple[FloatArray, FloatArray]:
    """Energy that contracts of a direction were called for as expected and delivered, MWh, and its value, GBP."""
    energy, value = np.zeros(mw.shape[1]), np.zeros(mw.shape[1])
    share = dispatch[f"delivered_{direction}_share"].to_numpy(dtype="float64")
    prices = {str(code): price for code, price in settings.reserve_utilisation_price_gbp_mwh.items()}
    for k, one in enumerate(table_of(PRODUCTS)):
        if one.kind == "reserve" and one.direction == direction and (mw[k] > 0).any():
            if one.code not in prices:
                raise BessError(f"{one.code} was called for and has no utilisation price: give it in [ancillary]")
            called = mw[k] * assumed_activation((one.code,), 1, settings).energy_mwh_per_mw[0, 0, 0] * share
            energy += called
            value += called * prices[one.code]
    return energy, value


def _priced(direction: Direction, volume: FloatArray, expected: FloatArray, value: FloatArray) -> FloatArray:
    """GBP of a volume at the mean price of the energy expected."""
    held = volume > VOLUME_TOLERANCE_MWH
    if (held & (expected <= 0)).any():
        raise BessError(f"reserve energy of {volume[held & (expected <= 0)][0]:g} MWh has no {direction} contract")
    price = np.divide(value, expected, out=np.zeros_like(value), where=expected > 0)
    return np.asarray(np.where(held, volume * price, 0.0))


def _lost_gbp(
    dispatch: pd.DataFrame,
    horizon: Horizon,
    mw: FloatArray,
    price: FloatArray,
    paid: FloatArray,
    settings: AncillarySettings,
) -> FloatArray:
    """What is lost of the payments per half-hour, GBP >= 0."""
    missing = np.stack([dispatch[f"missing_{one}_mwh"].to_numpy(dtype="float64") for one in DIRECTIONS])
    share = np.stack([dispatch[f"delivered_{one}_share"].to_numpy(dtype="float64") for one in DIRECTIONS])
    windows = window_payments_gbp(PRODUCTS, horizon, mw, price)
    lost = lost_availability_gbp(PRODUCTS, horizon, windows, unavailable_periods(missing))
    side = [DIRECTIONS.index(one.direction) for one in table_of(PRODUCTS)]
    curve = settings.perf_penalty_curve
    deducted = deduction_gbp(paid - lost, settings.availability_factor, curve, share[side])
    return np.asarray((lost + deducted).sum(axis=0))
