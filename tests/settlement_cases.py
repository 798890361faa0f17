"""Days of a strategy of all markets for tests of settlement: rows that move nothing, and rows in which all differs."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from trading_frames import day_ahead, system_price

from bess_pipeline import gb_time, schemas
from bess_pipeline.settings import Settings
from bess_pipeline.trading.market_settlement import MarketPrices

RESPONSE = ("DCL", "DCH", "DML", "DMH", "DRL", "DRH")
RESERVE = ("PBR", "NBR", "PQR", "NQR", "PSR", "NSR")
LOW = ("DCL", "DML", "DRL", "PBR", "PQR", "PSR")
CALLED = {"PBR": 0.05, "NBR": 0.1, "PQR": 0.2, "NQR": 0.15, "PSR": 0.3, "NSR": 0.25}  # share of the energy
CALL_PRICE = {"PBR": 90.0, "NBR": 20.0, "PQR": 120.0, "NQR": -15.0, "PSR": 80.0, "NSR": 35.0}
RESERVE_SETTINGS = {
    "reserve_products": RESERVE,
    "reserve_utilisation_probability": CALLED,
    "reserve_utilisation_price_gbp_mwh": CALL_PRICE,
}


def settings(**sections: Any) -> Settings:
    return Settings(**{"ancillary": RESERVE_SETTINGS} | sections)


def still_day(day: date, **columns: Any) -> pd.DataFrame:
    """`trading/market_dispatch` rows of a day on which nothing is sold or moved, apart from `columns`."""
    starts = gb_time.efa_half_hours(day)
    frame = pd.DataFrame({"efa_date": [day] * len(starts), "strategy": "co_optimised", "start_utc": starts})
    zero = [name for name in schemas.columns("trading/market_dispatch") if name not in frame]
    frame = frame.assign(**dict.fromkeys(zero, 0.0)).assign(energy_mwh=50.0)
    frame = frame.assign(intraday_price_gbp_mwh=np.nan, accepted_price_gbp_mwh=np.nan)
    frame = frame.assign(delivered_low_share=1.0, delivered_high_share=1.0).assign(**columns)
    return frame[list(schemas.columns("trading/market_dispatch"))]


def one_half_hour(day: date, at: int, **columns: float) -> pd.DataFrame:
    """A still day with values in half-hour `at` only."""
    rows = still_day(day)
    rows.loc[at, list(columns)] = list(columns.values())
    return rows


def auctions(day: date, price_gbp_mw_h: dict[str, float | list[float]]) -> pd.DataFrame:
    """`market/auction_clearing` of an EFA day: a price, or one per window, by product."""
    rows = []
    for code, given in price_gbp_mw_h.items():
        windows = [gb_time.efa_block_bounds_utc(day, block) for block in range(1, 7)]
        if code in RESERVE:
            windows = [(start, start + gb_time.HALF_HOUR) for start in gb_time.efa_half_hours(day).to_pydatetime()]
        prices = given if isinstance(given, list) else [given] * len(windows)
        for (start, end), price in zip(windows, prices, strict=True):
            rows.append((code, start, end, *gb_time.efa_block_of(start), price, 500.0))
    names = list(schemas.columns("market/auction_clearing"))
    return schemas.validate("market/auction_clearing", pd.DataFrame(rows, columns=names)) if rows else (
        schemas.empty_frame("market/auction_clearing")
    )  # fmt: skip


def prices(
    day: date, *, energy: float = 70.0, cash_out: np.ndarray | float = 100.0, **services: float | list[float]
) -> MarketPrices:
    """Prices of a day: one day-ahead price, one system price (or one per half-hour), clearing prices by product."""
    return MarketPrices(
        day_ahead(day, day, lambda _: energy), system_price(day, day, cash_out), auctions(day, services)
    )


def random_day(day: date, seed: int, *, absvd_applies: bool = True) -> tuple[pd.DataFrame, MarketPrices]:
    """A day in which everything differs, and its prices: rows that keep the identities of the table, nothing more."""
    draw = np.random.default_rng(seed)
    starts = gb_time.efa_half_hours(day)
    n = len(starts)
    block = gb_time.efa_columns(starts)["efa_block"].to_numpy() - 1
    mw = {code: np.rint(draw.uniform(0, 12, 6))[block] * draw.integers(0, 2) for code in RESPONSE}
    mw |= {code: np.rint(draw.uniform(0, 5, n)) * draw.integers(0, 2) for code in RESERVE}
    called = {code: mw[code] * 0.5 * CALLED[code] for code in RESERVE}
    low, high = (sum((called[c] for c in RESERVE if (c in LOW) == side), np.zeros(n)) for side in (True, False))
    share = np.where(draw.random((2, n)) < 0.2, draw.random((2, n)), 1.0)  # of low and high energy, delivered
    low, high = low * share[0], high * share[1]
    response_out, response_in = draw.uniform(0, 2, (2, n))
    net = np.where(draw.random(n) < 0.2, 0.0, draw.uniform(-40, 40, n))
    da, intraday, accepted = draw.uniform(-20, 20, n), draw.uniform(-3, 3, n), draw.uniform(-2, 2, n)
    intraday[draw.random(n) < 0.5] = 0.0
    accepted[draw.random(n) < 0.7] = 0.0
    out, back = response_out + low, response_in + high
    metered = net * 0.5 + out - back
    absvd = low - high + (response_out - response_in if absvd_applies else 0.0)
    imbalance = metered - da - intraday - absvd - accepted
    rows = still_day(
        day,
        charge_mw=np.maximum(-net, 0.0),
        discharge_mw=np.maximum(net, 0.0),
        planned_charge_mw=draw.uniform(0, 20, n),
        planned_discharge_mw=draw.uniform(0, 20, n),
        activation_export_mwh=out,
        activation_import_mwh=back,
        day_ahead_mwh=da,
        intraday_mwh=intraday,
        contracted_mwh=da + intraday,
        metered_mwh=metered,
        absvd_mwh=absvd,
        reserve_mwh=low - high,
        accepted_mwh=accepted,
        imbalance_mwh=imbalance,
        forced_imbalance_mwh=np.where(draw.random(n) < 0.1, draw.uniform(-1, 1, n), 0.0),
        intraday_price_gbp_mwh=np.where(intraday == 0, np.nan, draw.uniform(-50, 200, n)),
        accepted_price_gbp_mwh=np.where(accepted == 0, np.nan, draw.uniform(-50, 200, n)),
        missing_low_mwh=np.where(draw.random(n) < 0.1, 0.5, 0.0),
        missing_high_mwh=np.where(draw.random(n) < 0.1, 0.5, 0.0),
        delivered_low_share=share[0],
        delivered_high_share=share[1],
        **{f"{code.lower()}_mw": values for code, values in mw.items()},
    )
    cleared = {code: list(draw.normal(4, 6, n if code in RESERVE else 6)) for code in (*RESPONSE, *RESERVE)}
    found = MarketPrices(
        day_ahead(day, day, lambda t: 40.0 + 3.0 * t.hour),
        system_price(day, day, draw.uniform(-80, 400, n)),
        auctions(day, cleared),
    )
    return rows, found
