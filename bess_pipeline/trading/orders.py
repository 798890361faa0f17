"""What a committed plan offers in the auctions, and what of it the realised prices accept.

What belongs here: rows of orders, clearing, and accepted volumes read back. What does not: how much is best and at
which steps (`optimisation/stochastic/`), limit prices (duals of the plan), and what accepted volumes earn
(`settlement.py`).

A price taker: clearing prices are as published, whatever is offered (docs/orders.md says what of that is a choice).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.typing import ArrayLike

from bess_pipeline import gb_time
from bess_pipeline.ancillary.products import PRODUCT_TABLE
from bess_pipeline.ancillary.rounding import ENERGY_STEP_MW, whole_offers_mw
from bess_pipeline.errors import UserInputError

Array = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
DAY_AHEAD, RESPONSE, RESERVE = "day_ahead", "response", "reserve"
ENERGY_PRODUCTS = {60: "hour", 30: "half_hour"}
PRICE_DECIMALS = 2  # prices of orders are in pence
REACHED = 1e-6  # GBP per MWh or MW/h: a price this near to a limit reaches it
KEY = ("efa_date", "strategy", "gate")
COLUMNS = (
    *KEY,
    "market",
    "product",
    "start_utc",
    "end_utc",
    "step",
    "basket",
    "limit_price",
    "offered_mw",
    "clearing_price",
    "accepted_mw",
)


# --- offers -------------------------------------------------------------------------------------------------


def day_ahead_orders(
    key: Mapping[str, Any], start_utc: pd.DatetimeIndex, minutes: int, offered_mw: ArrayLike, limit_price: ArrayLike
) -> pd.DataFrame:
    """One volume per day-ahead product: a sale is accepted at `limit_price` and above, a purchase at it and below.

    key: efa_date, strategy, gate; start_utc (P,); minutes: 60 (product "hour") or 30 ("half_hour"); offered_mw (P,), +
    sells; limit_price (P,), GBP/MWh, offered in whole pence. No row for an offer of 0 or outside the EFA day of the key
    (the look-ahead is not committed). UserInputError for shapes, minutes or an offer without a finite limit price.
    """
    count = len(start_utc)
    volume, limit = _vector(offered_mw, count, "offered_mw"), _vector(limit_price, count, "limit_price")
    return _day_ahead_rows(key, start_utc, minutes, np.arange(count), np.zeros(count, dtype=np.int64), volume, limit)


def stepped_orders(
    key: Mapping[str, Any],
    start_utc: pd.DatetimeIndex,
    minutes: int,
    product: ArrayLike,
    offered_mw: ArrayLike,
    limit_price: ArrayLike,
) -> pd.DataFrame:
    """Price-quantity steps of day-ahead products, each an order of its own.

    product (S,): the place in `start_utc` (P,) that a step belongs to; offered_mw, limit_price (S,), as
    `day_ahead_orders`. Cumulated volumes are offered in steps of 0.1 MW. `step` counts from 1 in a product: sales from
    the lowest limit up, then purchases from the highest down.
    """
    place = np.asarray(product, dtype=np.int64)
    volume, limit = _vector(offered_mw, place.size, "offered_mw"), _vector(limit_price, place.size, "limit_price")
    if place.size and not ((place >= 0) & (place < len(start_utc))).all():
        raise UserInputError(f"a step of a bid curve belongs to none of the {len(start_utc)} day-ahead products")
    order = np.lexsort((np.where(volume > 0, limit, -limit), volume <= 0, place))
    place, volume, limit = place[order], volume[order], limit[order]
    side = pd.DataFrame({"place": place, "sale": volume > 0})
    total = pd.Series(volume).groupby([side["place"], side["sale"]]).cumsum()
    offered = (total / ENERGY_STEP_MW).round() * ENERGY_STEP_MW
    before = offered.groupby([side["place"], side["sale"]]).shift(fill_value=0.0)
    rounded = np.asarray((offered - before).round(1), dtype=np.float64)
    kept = np.flatnonzero(rounded)
    step = np.asarray(1 + pd.Series(place[kept]).groupby(place[kept]).cumcount(), dtype=np.int64)
    return _day_ahead_rows(key, start_utc, minutes, place[kept], step, rounded[kept], limit[kept])


def capacity_orders(
    key: Mapping[str, Any],
    codes: tuple[str, ...],
    offered_mw: ArrayLike,
    limit_price: ArrayLike,
    start_utc: pd.DatetimeIndex,
    end_utc: pd.DatetimeIndex,
) -> pd.DataFrame:
    """Response and reserve, each product and window an offer of its own, accepted at its limit price and above.

    codes (R,): product codes; offered_mw (R, B), rounded down to whole MW; limit_price (R, B), GBP/MW/h, in whole
    pence; start_utc, end_utc (B,): the blocks. Response is sold by EFA block: half-hours of one block make one offer of
    the least MW among them at their mean limit. No row for less than 1 MW or outside the EFA day of the key.
    UserInputError as `day_ahead_orders`, and for an unknown code.
    """
    found = _windows(key, codes, offered_mw, limit_price, start_utc, end_utc)
    return _orders(key, found.assign(step=0, basket=None, limit_price=found["limit_price"].round(PRICE_DECIMALS)))


def basket_orders(
    key: Mapping[str, Any],
    codes: tuple[str, ...],
    offered_mw: ArrayLike,
    limit_price: ArrayLike,
    start_utc: pd.DatetimeIndex,
    end_utc: pd.DatetimeIndex,
) -> pd.DataFrame:
    """The products of each window as one basket at one price: accepted all or nothing.

    Arguments as `capacity_orders`. NESO's auction takes a vector of volumes at one price (domain reference 4.4). The
    price of a basket is the mean of its parts' limits, weighed by MW, in whole pence: it stands in every part, and the
    basket is accepted where sum(MW x clearing price) >= sum(MW x limit price). Choices of this model: one basket a
    window, without child or substitutable orders and without loops across windows, and no paradoxical rejection.
    """
    found = _windows(key, codes, offered_mw, limit_price, start_utc, end_utc)
    window = found.groupby(["start_utc", "end_utc"], sort=True)
    asked = (found["offered_mw"] * found["limit_price"]).groupby([found["start_utc"], found["end_utc"]])
    price = asked.transform("sum") / window["offered_mw"].transform("sum")
    return _orders(key, found.assign(step=0, basket=window.ngroup(), limit_price=price.round(PRICE_DECIMALS)))


def _day_ahead_rows(
    key: Mapping[str, Any],
    start_utc: pd.DatetimeIndex,
    minutes: int,
    place: Places,
    step: Places,
    volume: Array,
    limit: Array,
) -> pd.DataFrame:
    if minutes not in ENERGY_PRODUCTS:
        raise UserInputError(f"a day-ahead product of {minutes} minutes is neither an hour nor a half-hour")
    start = pd.DatetimeIndex(start_utc)[place]
    found = pd.DataFrame(
        {
            "market": DAY_AHEAD,
            "product": ENERGY_PRODUCTS[minutes],
            "start_utc": start,
            "end_utc": start + pd.Timedelta(minutes=minutes),
            "step": step,
            "basket": pd.NA,
            "limit_price": limit.round(PRICE_DECIMALS),
            "offered_mw": volume,
        }
    )
    return _orders(key, _within_day(key, found[found["offered_mw"] != 0]))


def _windows(
    key: Mapping[str, Any],
    codes: tuple[str, ...],
    offered_mw: ArrayLike,
    limit_price: ArrayLike,
    start_utc: pd.DatetimeIndex,
    end_utc: pd.DatetimeIndex,
) -> pd.DataFrame:
    """Offers by product and window of its auction, of at least 1 MW: columns of orders up to `offered_mw`."""
    count = len(start_utc)
    unknown = [code for code in codes if code.upper() not in PRODUCT_TABLE]
    if unknown or len(end_utc) != count:
        what = f"{', '.join(unknown)} is no ancillary product" if unknown else "every block needs a start and an end"
        raise UserInputError(f"capacity cannot be offered: {what}")
    shape = (len(codes), count)
    volume, limit = (
        np.asarray(values, dtype=float)
        for values in (np.broadcast_to(offered_mw, shape), np.broadcast_to(limit_price, shape))
    )
    _require_offers(volume, limit)
    efa = gb_time.efa_columns(pd.DatetimeIndex(start_utc))
    frames = []
    for code, mw, price in zip(codes, whole_offers_mw(volume), limit, strict=True):
        one = PRODUCT_TABLE[code.upper()]
        rows = pd.DataFrame({"start_utc": start_utc, "end_utc": end_utc, "offered_mw": mw, "limit_price": price})
        by = [efa["efa_date"].to_numpy(), efa["efa_block"].to_numpy()] if one.window == "efa_block" else rows.index
        grouped = rows.groupby(by, sort=False)
        merged = grouped.agg({"start_utc": "min", "end_utc": "max", "offered_mw": "min", "limit_price": "mean"})
        frames.append(merged.assign(product=one.code, market=RESERVE if one.kind == "reserve" else RESPONSE))
    found = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(COLUMNS))
    return _within_day(key, found[found["offered_mw"] > 0])


def _vector(values: ArrayLike, count: int, name: str) -> Array:
    array = np.asarray(values, dtype=float)
    if array.shape != (count,):
        raise UserInputError(f"{name} of day-ahead orders has the shape {array.shape}, not ({count},)")
    return array


def _require_offers(volume: Array, limit: Array) -> None:
    if not np.isfinite(volume).all():
        raise UserInputError("an offered volume is not a finite number of MW")
    if not np.isfinite(limit[volume != 0]).all():
        raise UserInputError("every offer needs a finite limit price: a volume without one was given")


def _within_day(key: Mapping[str, Any], found: pd.DataFrame) -> pd.DataFrame:
    _require_offers(found["offered_mw"].to_numpy(dtype="float64"), found["limit_price"].to_numpy(dtype="float64"))
    first, last = gb_time.efa_day_bounds_utc(key["efa_date"])
    return found[(found["start_utc"] >= first) & (found["start_utc"] < last)]


def _orders(key: Mapping[str, Any], found: pd.DataFrame) -> pd.DataFrame:
    """Rows of orders, not cleared, in the order of the market, time and step."""
    found = found.assign(**{name: key[name] for name in KEY}, clearing_price=np.nan, accepted_mw=np.nan)
    found = found[list(COLUMNS)].astype({"step": "int64", "basket": "Int64", "offered_mw": "float64"})
    for name in ("start_utc", "end_utc"):
        found[name] = pd.to_datetime(found[name], utc=True).dt.as_unit("us")
    return found.sort_values(["market", "start_utc", "product", "step"], ignore_index=True)


# --- clearing -----------------------------------------------------------------------------------------------


def clear(
    orders: pd.DataFrame,
    day_ahead_price: pd.DataFrame,
    auctions: pd.DataFrame,
    *,
    volumes_as_offered: bool = False,
) -> pd.DataFrame:
    """The orders with `clearing_price` and `accepted_mw` wherever the result is given.

    day_ahead_price, auctions: rows of `market/day_ahead_price` and `market/auction_clearing`, of any days. An hour
    clears at the mean of its half-hours, once both are there. A price exactly at the limit accepts. Where an auction of
    the product ran in the window and nothing cleared, its price stays null and nothing is accepted; without a result
    both stay null. A basket waits until all its parts have a result, and a part that did not clear refuses it.
    volumes_as_offered: single volumes of energy are accepted whatever their limit, once there is a price. For a
    within-day index: it comes out half-hour by half-hour, so that what it refuses would be told a day too early.
    """
    cleared = orders.copy()
    energy = (cleared["market"] == DAY_AHEAD).to_numpy()
    price, known = np.full(len(cleared), np.nan), np.zeros(len(cleared), dtype=bool)
    price[energy] = _energy_prices(cleared[energy], day_ahead_price)
    known[energy] = ~np.isnan(price[energy])
    price[~energy], known[~energy] = _auction_results(cleared[~energy], auctions)
    offered = cleared["offered_mw"].to_numpy(dtype="float64")
    surplus = np.sign(offered) * (price - cleared["limit_price"].to_numpy(dtype="float64"))
    reached = (surplus >= -REACHED) | (volumes_as_offered & energy & (cleared["step"] == 0).to_numpy())
    accepted = np.where(known, np.where(reached, offered, 0.0), np.nan)
    cleared["clearing_price"], cleared["accepted_mw"] = price, accepted
    return _clear_baskets(cleared, surplus, known)


def _energy_prices(orders: pd.DataFrame, day_ahead_price: pd.DataFrame) -> Array:
    half_hours = day_ahead_price.set_index("start_utc")["day_ahead_price_gbp_mwh"]
    start = pd.DatetimeIndex(orders["start_utc"])
    first = half_hours.reindex(start).to_numpy(dtype="float64")
    second = half_hours.reindex(start + gb_time.HALF_HOUR).to_numpy(dtype="float64")
    return np.asarray(np.where(orders["product"] == "hour", (first + second) / 2, first))


def _auction_results(orders: pd.DataFrame, auctions: pd.DataFrame) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Clearing price, and whether an auction of the product's window ran."""
    result = auctions[["product", "delivery_start_utc", "clearing_price_gbp_mw_h"]].assign(ran=True)
    result = result.astype({"product": "str", "delivery_start_utc": gb_time.UTC_DTYPE})  # no rows have no types
    asked = orders[["product", "start_utc"]].rename(columns={"start_utc": "delivery_start_utc"})
    asked = asked.astype({"product": "str"})
    found = asked.merge(result, on=["product", "delivery_start_utc"], how="left", validate="many_to_one")
    return found["clearing_price_gbp_mw_h"].to_numpy(dtype="float64"), found["ran"].notna().to_numpy()


def _clear_baskets(cleared: pd.DataFrame, surplus: Array, known: npt.NDArray[np.bool_]) -> pd.DataFrame:
    in_basket = cleared["basket"].notna()
    if not in_basket.any():
        return cleared
    parts = cleared.assign(surplus=surplus * cleared["offered_mw"], known=known, missing=np.isnan(surplus))[in_basket]
    basket = parts.groupby([*KEY, "basket"])
    total, volume = basket["surplus"].transform("sum"), basket["offered_mw"].transform("sum")
    taken = (total >= -REACHED * volume) & ~basket["missing"].transform("any")
    result = parts["offered_mw"].where(taken, 0.0).where(basket["known"].transform("all"))
    cleared.loc[in_basket, "accepted_mw"] = result
    return cleared


# --- read back ----------------------------------------------------------------------------------------------


def accepted_day_ahead_mw(orders: pd.DataFrame, start_utc: pd.DatetimeIndex) -> Array:
    """Net accepted MW (P,), + sold, at each start of a day-ahead product (or half-hour in it): 0 without an order, NaN
    while one of its orders is not cleared."""
    return _accepted_at(orders[orders["market"] == DAY_AHEAD], start_utc)


def accepted_capacity_mw(orders: pd.DataFrame, codes: tuple[str, ...], block_start_utc: pd.DatetimeIndex) -> Array:
    """Accepted MW (R, B) of each product at each start of a block; 0 without an order, NaN while not cleared."""
    capacity = orders[orders["market"] != DAY_AHEAD]
    rows = [_accepted_at(capacity[capacity["product"] == code.upper()], block_start_utc) for code in codes]
    return np.array(rows).reshape(len(codes), len(block_start_utc))


def _accepted_at(orders: pd.DataFrame, start_utc: pd.DatetimeIndex) -> Array:
    instant = pd.DatetimeIndex(start_utc).as_unit("us").asi8[:, None]
    start = pd.DatetimeIndex(orders["start_utc"]).as_unit("us").asi8
    end = pd.DatetimeIndex(orders["end_utc"]).as_unit("us").asi8
    covers = (start <= instant) & (instant < end)
    accepted = orders["accepted_mw"].to_numpy(dtype="float64")
    return np.asarray(np.where(covers, accepted, 0.0).sum(axis=1))


def bid_curve(orders: pd.DataFrame) -> pd.DataFrame:
    """The day-ahead bid curves of a day: columns start_utc, end_utc, side, limit_price, cumulated_mw, clearing_price.

    One row an order: side "sale" cumulates from the lowest limit up (MW sold at that price or above), "purchase" from
    the highest down (MW bought, negative).
    """
    energy = orders[orders["market"] == DAY_AHEAD]
    sale = energy["offered_mw"] > 0
    merit = energy["limit_price"].where(sale, -energy["limit_price"])
    curve = energy.assign(side=np.where(sale, "sale", "purchase"), merit=merit)
    curve = curve.sort_values(["start_utc", "side", "merit"], ignore_index=True)
    curve["cumulated_mw"] = curve.groupby(["start_utc", "side"])["offered_mw"].cumsum()
    return curve[["start_utc", "end_utc", "side", "limit_price", "cumulated_mw", "clearing_price"]]
