"""A small lake of settled trading days of several strategies, with everything that risk is measured of.

The numbers are drawn, but settled by hand here: cash is volume times price, imbalance is metered - contracted - absvd.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from storage_frames import day_ahead_price, system_price

from bess_pipeline import gb_time, schemas
from bess_pipeline.lake import Lake
from bess_pipeline.risk.pnl import daily_pnl
from bess_pipeline.trading.status import status_row

POWER_MW, WEAR, ETA = 50.0, 5.0, 0.88**0.5
DAY_AHEAD_STRATEGIES = ("rule_based", "day_ahead_rolling", "day_ahead_perfect_foresight")
MARKET_STRATEGIES = ("day_ahead_imbalance", "co_optimised", "co_optimised_cvar", "perfect_foresight_48h")
SKILL = {
    "rule_based": 0.3,
    "day_ahead_rolling": 0.5,
    "day_ahead_perfect_foresight": 0.8,
    "day_ahead_imbalance": 0.6,
    "co_optimised": 0.9,
    "co_optimised_cvar": 0.85,
    "perfect_foresight_48h": 1.0,
}


def risk_lake(root: Path, days: Sequence[date], strategies: Iterable[str] = tuple(SKILL), seed: int = 1) -> Lake:
    """A lake in which every strategy has settled every day."""
    lake = Lake(root / "lake", root / "quarantine")
    draw = np.random.default_rng(seed)
    write_prices(lake, days, draw)
    write_auctions(lake, days)
    for day in days:
        write_day(lake, day, strategies, draw)
    return lake


def write_prices(lake: Lake, days: Sequence[date], draw: np.random.Generator) -> None:
    """Prices of the settlement dates that the trading days lie in; each fourth hour is negative."""
    for day in gb_time.days_between(min(days) - timedelta(days=1), max(days)):
        count = len(gb_time.settlement_half_hours(day))
        shape = 60.0 + 60.0 * np.sin(np.arange(count) / 4.0)
        lake.write("market/day_ahead_price", day, day_ahead_price(day, shape - 10.0))
        price = shape + draw.normal(0.0, 30.0, count).round(2)
        system = system_price(day, price)
        lake.write("market/system_price", day, system)
        first = system[["settlement_date", "settlement_period", "system_price_gbp_mwh", "net_imbalance_volume_mwh"]]
        first = first.assign(version=1, published_utc=pd.NaT, fetched_utc=pd.Timestamp("2024-01-05T00:00:00Z"))
        first["published_utc"] = pd.to_datetime(first["published_utc"], utc=True)
        first["system_price_gbp_mwh"] -= 1.0  # every price was revised upwards by £1
        lake.write("market/system_price_revision", day, first)


def clearing_prices(day: date) -> dict[str, float]:
    """What a day's services cleared at, GBP/MW/h: other prices each day."""
    return {"DCL": 4.0 + 0.5 * (day.day % 4), "DML": 3.0 - 0.25 * (day.day % 3)}


def write_auctions(lake: Lake, days: Sequence[date]) -> None:
    """Clearing prices as `_cash` has them; the first block of a day begins on the date before."""
    rows = [
        (product, *gb_time.efa_block_bounds_utc(day, block), day, block, price, 500.0)
        for day in days
        for block in range(1, 7)
        for product, price in clearing_prices(day).items()
    ]
    names = ["product", "delivery_start_utc", "delivery_end_utc", "efa_date", "efa_block"]
    frame = pd.DataFrame(rows, columns=[*names, "clearing_price_gbp_mw_h", "cleared_volume_mw"])
    for day, part in frame.groupby(frame["delivery_start_utc"].dt.tz_convert(gb_time.LONDON).dt.date):
        lake.write("market/auction_clearing", day, part)


def write_day(lake: Lake, day: date, strategies: Iterable[str], draw: np.random.Generator) -> None:
    """Dispatch, plan, cash, status and P&L of a day."""
    starts = gb_time.efa_half_hours(day)
    day_ahead = _price(lake, "market/day_ahead_price", "day_ahead_price_gbp_mwh", starts)
    system = _price(lake, "market/system_price", "system_price_gbp_mwh", starts)
    own, market, plans, bounds, cash = [], [], [], [], []
    for name in strategies:
        rows = _dispatch(day, name, starts, day_ahead, draw)
        cash.append(_cash(rows, day_ahead, system, name in MARKET_STRATEGIES))
        if name in MARKET_STRATEGIES:
            market.append(rows)
        else:
            own.append(rows[list(schemas.columns("trading/dispatch"))])
            (bounds if name == "day_ahead_perfect_foresight" else plans).append(_plan(rows))
    _write(lake, "trading/dispatch", day, own)
    _write(lake, "trading/market_dispatch", day, market)
    _write(lake, "trading/plan", day, plans)
    _write(
        lake, "trading/foresight_plan", day, [one[list(schemas.columns("trading/foresight_plan"))] for one in bounds]
    )
    _write(lake, "trading/cashflow", day, cash)
    states = {row.strategy: row.energy_mwh for row in pd.concat([*own, *market]).itertuples()}
    status = [
        status_row(day, name, "complete", opening_energy_mwh=50.0, closing_energy_mwh=states[name], chain_start=day)
        for name in strategies
    ]
    _write(lake, "trading/run_status", day, status)
    lake.write("risk/daily_pnl", day, daily_pnl(lake.read("trading/cashflow", day, day), POWER_MW))


def set_status(lake: Lake, day: date, strategy: str, status: str) -> None:
    """Mark a stored day of a strategy."""
    rows = lake.read("trading/run_status", day, day)
    rows.loc[rows["strategy"] == strategy, "status"] = status
    rows.loc[rows["strategy"] == strategy, "reason"] = "" if status == "complete" else "for a reason"
    lake.write("trading/run_status", day, rows)


def _price(lake: Lake, table: str, column: str, starts: pd.DatetimeIndex) -> np.ndarray:
    first = starts[0].date() - timedelta(days=1)
    rows = lake.read(table, first, first + timedelta(days=3))
    return rows.set_index("start_utc")[column].reindex(starts).to_numpy(dtype=float)


def _dispatch(
    day: date, name: str, starts: pd.DatetimeIndex, price: np.ndarray, draw: np.random.Generator
) -> pd.DataFrame:
    """Sells where the price is high and buys where it is low; with noise, small activation, imbalance and trades."""
    count = len(starts)
    ranked = np.argsort(np.argsort(price + draw.normal(0.0, 20.0 / SKILL[name], count)))
    charge = np.where(ranked < 4, 9.0, 0.0)
    discharge = np.where(ranked >= count - 4, 9.0 * ETA**2, 0.0)
    services = name in MARKET_STRATEGIES[1:]
    back = draw.uniform(0.0, 0.4, count) * services
    out = back * ETA**2  # every day ends with what it began with
    intraday = np.where(draw.random(count) < 0.2, 1.0, 0.0) * (name in MARKET_STRATEGIES)
    sold = (discharge - charge) * 0.5 + draw.normal(0.0, 0.2, count) * (name in MARKET_STRATEGIES)
    metered = (discharge - charge) * 0.5 + out - back
    contracted, absvd = sold + intraday, (out - back) * 0.5
    energy = 50.0 + np.cumsum(ETA * (charge * 0.5 + back) - (discharge * 0.5 + out) / ETA)
    frame = pd.DataFrame({"start_utc": starts, "charge_mw": charge, "discharge_mw": discharge})
    frame = frame.assign(efa_date=day, strategy=name, activation_export_mwh=out, activation_import_mwh=back)
    frame = frame.assign(contracted_mwh=contracted, metered_mwh=metered, forced_imbalance_mwh=0.0, energy_mwh=energy)
    frame = frame.assign(imbalance_mwh=metered - contracted - absvd, day_ahead_mwh=sold, intraday_mwh=intraday)
    frame = frame.assign(intraday_price_gbp_mwh=np.where(intraday > 0, price + 3.0, np.nan), absvd_mwh=absvd)
    frame = frame.assign(planned_charge_mw=charge, planned_discharge_mw=discharge * 0.9, reserve_mwh=0.0)
    frame = frame.assign(accepted_mwh=0.0, accepted_price_gbp_mwh=np.nan, missing_low_mwh=0.0, missing_high_mwh=0.0)
    frame = frame.assign(delivered_low_share=1.0, delivered_high_share=1.0)
    held = {f"{code}_mw": 0.0 for code in ("dch", "dmh", "drl", "drh", "pbr", "nbr", "pqr", "nqr", "psr", "nsr")}
    return frame.assign(**held, dcl_mw=10.0 * services, dml_mw=5.0 * services)


def _cash(rows: pd.DataFrame, day_ahead: np.ndarray, system: np.ndarray, market: bool) -> pd.DataFrame:
    throughput = (rows["charge_mw"] + rows["discharge_mw"]) * 0.5
    throughput += (rows["activation_export_mwh"] + rows["activation_import_mwh"]) * market
    amounts = {"day_ahead": rows["day_ahead_mwh"] * day_ahead, "imbalance": rows["imbalance_mwh"] * system}
    if market:
        amounts["intraday"] = rows["intraday_mwh"] * rows["intraday_price_gbp_mwh"].fillna(0.0)
        cleared = clearing_prices(rows["efa_date"].iloc[0])
        amounts["response"] = (rows["dcl_mw"] * cleared["DCL"] + rows["dml_mw"] * cleared["DML"]) * 0.5
    keys = rows[["efa_date", "strategy", "start_utc"]]
    amounts["wear"] = -WEAR * throughput
    return pd.concat([keys.assign(stream=name, amount_gbp=amount) for name, amount in amounts.items()])


def _plan(rows: pd.DataFrame) -> pd.DataFrame:
    frame = rows[["efa_date", "strategy", "start_utc", "energy_mwh"]].assign(gate="day_ahead")
    frame = frame.assign(day_ahead_mw=rows["day_ahead_mwh"] * 2.0)
    frame = frame.assign(charge_mw=rows["planned_charge_mw"], discharge_mw=rows["planned_discharge_mw"])
    return frame.reindex(columns=list(schemas.columns("trading/plan")))


def _write(lake: Lake, table: str, day: date, frames: list[pd.DataFrame]) -> None:
    lake.write(table, day, pd.concat(frames, ignore_index=True) if frames else schemas.empty_frame(table))
