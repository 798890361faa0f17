"""Rows of the tables about bad days: attribution of CVaR, the worst days, shocks, and why P&L changed from day to day.

What belongs here: from a `History` and half-hours to rows. What does not: the formulas (`attribution.py`, `stress.py`,
`explain.py`), whole histories (`stored_measures.py`) and writing (`stored.py`).

P&L is after wear; a tail is that of the headline confidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, cast

import numpy as np
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.ancillary.products import PRODUCT_TABLE
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.errors import BessError
from bess_pipeline.lake import Lake
from bess_pipeline.risk import attribution as euler
from bess_pipeline.risk import stress
from bess_pipeline.risk.day_parts import (
    DAY_AHEAD,
    DAY_AHEAD_COLUMN,
    SYSTEM,
    SYSTEM_COLUMN,
    DayParts,
    HalfHours,
    read_half_hours,
)
from bess_pipeline.risk.explain import explain
from bess_pipeline.risk.history import History
from bess_pipeline.risk.stressed import Position, position
from bess_pipeline.risk_settings import RiskSettings
from bess_pipeline.settings import Settings
from bess_pipeline.trading.service_settlement import PRODUCTS, clearing_prices
from bess_pipeline.trading.stamps import efa_rows
from bess_pipeline.trading.stored_gate import day_auctions

REVISION = "market/system_price_revision"
PRICE_COLUMNS = (DAY_AHEAD_COLUMN, SYSTEM_COLUMN)
AS_IT_WAS = "as_it_was"


def attribution(history: History, parts: DayParts, settings: RiskSettings) -> pd.DataFrame:
    """`risk/attribution` rows by stream, block and driver; drivers only where every counted day has them.

    BessError where daily P&L is not the sum of the cash that the other kinds are made of.
    """
    rows: list[pd.DataFrame] = []
    problem = ""
    for name in history.strategies:
        kinds = {"stream": euler.by_stream(history.of(name))}
        for kind, table in (("block", parts.blocks), ("driver", parts.drivers)):
            part = _wide(table[table["strategy"] == name])
            if list(part.index) == list(kinds["stream"].index):
                kinds[kind] = part
        try:
            rows += [euler.attribution_rows(kinds, history.as_of, name, level) for level in settings.confidences]
        except ValueError as error:
            problem = f"risk of {name} cannot be attributed: {error}: run the days up to {history.as_of} again"
    if problem:
        raise BessError(problem)
    return _joined(rows)


def tail_days(history: History, parts: DayParts, lake: Lake, settings: RiskSettings) -> pd.DataFrame:
    """`risk/tail_day` rows: the worst days of every strategy, at least those in its tail."""
    if not history.strategies:
        return pd.DataFrame()
    prices = _prices(lake, history.days)
    imbalance = parts.days.set_index(["strategy", "efa_date"])["imbalance_mwh"]
    rows = []
    for name in history.strategies:
        streams = euler.by_stream(history.of(name))
        tail = euler.tail_days(streams, settings.headline_confidence, prices, PRICE_COLUMNS)
        worst = euler.worst_days(streams, settings.worst_days, prices, PRICE_COLUMNS)
        others = worst[~worst["efa_date"].isin(tail["efa_date"])].assign(tail_weight=0.0, share_of_cvar=0.0)
        found = pd.concat([tail, others], ignore_index=True) if len(others) else tail
        found = found.assign(strategy=name, place=range(1, len(found) + 1))
        keys = pd.MultiIndex.from_arrays([found["strategy"], found["efa_date"]])
        rows.append(found.assign(imbalance_mwh=imbalance.reindex(keys).to_numpy(dtype="float64")))
    joined = _joined(rows).assign(as_of=history.as_of, confidence=settings.headline_confidence)
    joined["weekday"] = [f"{day:%A}" for day in joined["efa_date"]]
    return joined.assign(words=[_in_words(row) for row in joined.to_dict("records")])


def stresses(history: History, worst: pd.DataFrame, lake: Lake, battery: Battery, settings: Settings) -> pd.DataFrame:
    """`risk/stress` rows: the last counted day and the worst days (`risk/tail_day` rows) of every strategy."""
    wanted: dict[date, set[str]] = {}
    for name in history.strategies:
        listed = worst.loc[worst["strategy"] == name].nsmallest(settings.risk.worst_days, "place")["efa_date"]
        for day in {history.days_of(name)["efa_date"].iloc[-1], *listed}:
            wanted.setdefault(day, set()).add(name)
    opening = history.status.set_index(["strategy", "efa_date"])["opening_energy_mwh"]
    rows = []
    for day, names in sorted(wanted.items()):
        system, auctions = efa_rows(lake, SYSTEM, day, day), day_auctions(lake, day)
        for given in read_half_hours(lake, history, day, day):
            at = (given.strategy, day)
            if given.strategy in names and at in opening.index and np.isfinite(opening[at]):
                held = position(given.dispatch, system, float(opening[at]), auctions, settings.ancillary)
                rows += _shocks(given, held, day, battery, settings.risk)
    return pd.DataFrame(rows).assign(as_of=history.as_of) if rows else pd.DataFrame()


def explains(history: History, lake: Lake, battery: Battery, settings: RiskSettings) -> pd.DataFrame:
    """`risk/explain` rows: the last days of every strategy against the counted day before each."""
    days = history.days[-settings.explain_days - 1 :]
    cost = battery.degradation_cost_gbp_per_mwh
    if len(days) < 2:
        return pd.DataFrame()
    first_price = _first_prices(lake, days)
    auctions = day_auctions(lake, days[0], days[-1])
    held: dict[str, dict[date, pd.DataFrame]] = {}
    for given in read_half_hours(lake, history, days[0], days[-1]):
        volumes = _volumes(given, auctions, cost).assign(first_price=np.nan)
        seen = volumes["start_utc"].map(first_price)
        volumes["first_price"] = volumes["first_price"].mask(volumes["stream"] == "imbalance", seen)
        held[given.strategy] = {cast("date", day): rows for day, rows in volumes.groupby("efa_date")}
    rows = []
    for name, by_day in held.items():
        known = sorted(by_day)
        for before, day in pairwise(known):
            found = explain(by_day[before], by_day[day])
            rows.append(found.assign(strategy=name, efa_date=day, before_date=before))
    return _joined(rows).assign(as_of=history.as_of) if rows else pd.DataFrame()


def _shocks(
    given: HalfHours, held: Position, day: date, battery: Battery, settings: RiskSettings
) -> list[dict[str, object]]:
    cash = given.cashflow[given.cashflow["stream"] != "wear"]["amount_gbp"].sum()
    results = stress.all_shocks(held, battery, settings.stress)
    margin = results[0].margin_before_mwh
    usual = replace(
        results[0],
        shock=AS_IT_WAS,
        words="the day as it was",
        pnl_change_gbp=0.0,
        surplus_gbp=0.0,
        undelivered_mwh=0.0,
        margin_after_mwh=margin,
        start_utc=None,
    )
    return [
        {
            "strategy": given.strategy,
            "efa_date": day,
            "shock": one.shock,
            "words": one.words,
            "cash_gbp": float(cash),
            "pnl_change_gbp": one.pnl_change_gbp,
            "undelivered_mwh": one.undelivered_mwh,
            "margin_before_mwh": one.margin_before_mwh,
            "margin_after_mwh": one.margin_after_mwh,
            "start_utc": pd.NaT if one.start_utc is None else one.start_utc,
            "surplus_gbp": one.surplus_gbp,
        }
        for one in (usual, *results)
    ]


def _volumes(given: HalfHours, auctions: pd.DataFrame, wear_gbp_per_mwh: float) -> pd.DataFrame:
    """Volume and price of every stream, product and half-hour that multiply to its cash.

    Energy has its volume and its price, services their MW h and clearing prices (`product`), wear its throughput; other
    amounts, and what services are paid for energy, are volumes at a price of 1.
    """
    rows = given.dispatch
    intraday = rows["intraday_mwh"] if "intraday_mwh" in rows else pd.Series(0.0, index=rows.index)
    at = rows.get("intraday_price_gbp_mwh", pd.Series(np.nan, index=rows.index))
    priced = {
        "day_ahead": (rows["contracted_mwh"] - intraday, given.day_ahead_price_gbp_mwh),
        "intraday": (intraday, at),
        "imbalance": (rows["imbalance_mwh"], given.system_price_gbp_mwh),
    }
    frames = []
    for stream, (volume, price) in priced.items():
        frame = rows[["efa_date", "start_utc"]].assign(stream=stream, volume=volume, price=price)
        frames.append(frame[np.isfinite(frame["price"].astype("float64"))])
    cash = given.cashflow[~given.cashflow["stream"].isin(priced)]
    services = _service_volumes(rows, auctions)
    amounts = cash[["efa_date", "start_utc", "stream"]].assign(volume=cash["amount_gbp"], price=1.0)
    if len(services):
        amounts = _without(amounts, services)
    if wear_gbp_per_mwh > 0.0:
        worn = amounts["stream"] == "wear"
        amounts.loc[worn, "volume"] /= -wear_gbp_per_mwh
        amounts.loc[worn, "price"] = -wear_gbp_per_mwh
    held = [frame for frame in (*frames, amounts, services) if len(frame)]
    return pd.concat(held, ignore_index=True).fillna({"product": ""})


def _service_volumes(dispatch: pd.DataFrame, auctions: pd.DataFrame) -> pd.DataFrame:
    """MW h and clearing price of each product that is held on some day, also where it is not held; none without."""
    codes = tuple(code for code in PRODUCTS if (dispatch.get(f"{code.lower()}_mw", pd.Series(0.0)) > 0.0).any())
    prices = clearing_prices(auctions, pd.DatetimeIndex(dispatch["start_utc"]), codes)
    frames = []
    for code, price in zip(codes, prices, strict=True):
        mw_h = dispatch[f"{code.lower()}_mw"] * gb_time.HALF_HOUR_H
        frame = dispatch[["efa_date", "start_utc"]].assign(volume=mw_h, price=price, product=code)
        frames.append(frame.assign(stream=PRODUCT_TABLE[code].kind)[np.isfinite(price)])
    return _joined(frames)


def _without(amounts: pd.DataFrame, services: pd.DataFrame) -> pd.DataFrame:
    """Amounts less what capacity was paid: the energy of reserve, and nothing of response."""
    keys = ["stream", "start_utc"]
    paid = (services["volume"] * services["price"]).groupby([services[key] for key in keys]).sum()
    at = pd.MultiIndex.from_frame(amounts[keys])
    return amounts.assign(volume=amounts["volume"] - paid.reindex(at, fill_value=0.0).to_numpy())


def _first_prices(lake: Lake, days: list[date]) -> pd.Series:
    """System price of the first version of each half-hour, by its start."""
    rows = efa_rows(lake, SYSTEM, days[0], days[-1])
    keys = ["settlement_date", "settlement_period"]
    versions = lake.read(REVISION, days[0] - timedelta(days=1), days[-1])
    first = versions[versions["version"] == 1].rename(columns={SYSTEM_COLUMN: "first"})
    return rows.merge(first[[*keys, "first"]], on=keys, how="left").set_index("start_utc")["first"]


def _prices(lake: Lake, days: list[date]) -> pd.DataFrame:
    """Half-hours with day-ahead and system price; NaN where one is missing."""
    day_ahead = efa_rows(lake, DAY_AHEAD, days[0], days[-1])[["start_utc", DAY_AHEAD_COLUMN]]
    system = efa_rows(lake, SYSTEM, days[0], days[-1])[["start_utc", SYSTEM_COLUMN]]
    return day_ahead.merge(system, on="start_utc", how="outer")


def _in_words(row: Mapping[Any, Any]) -> str:
    pnl = float(row["pnl_gbp"])
    amount = f"earned £{pnl:,.0f}" if pnl >= 0.0 else f"lost £{-pnl:,.0f}"
    parts = [
        f"{row['weekday']} {row['efa_date']}: {amount}",
        f"losses: {row['lost']}" if row["lost"] else "no stream lost",
    ]
    for name, column in (("day-ahead", DAY_AHEAD_COLUMN), ("system price", SYSTEM_COLUMN)):
        low, high = (float(row[f"{end}_{column}"]) for end in ("lowest", "highest"))
        if np.isfinite([low, high]).all():
            parts.append(f"{name} {low:,.0f} to {high:,.0f} £/MWh")
    if np.isfinite(row["imbalance_mwh"]):
        parts.append(f"imbalance {row['imbalance_mwh']:,.1f} MWh")
    return "; ".join(parts)


def _wide(rows: pd.DataFrame) -> pd.DataFrame:
    table = rows.pivot_table(index="efa_date", columns="component", values="amount_gbp", aggfunc="sum", fill_value=0.0)
    return table.rename_axis(columns=None).sort_index()


def _joined(frames: list[pd.DataFrame]) -> pd.DataFrame:
    held = [frame for frame in frames if len(frame)]
    return pd.concat(held, ignore_index=True) if held else pd.DataFrame()
