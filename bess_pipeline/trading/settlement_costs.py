"""Fees, charges, the optimiser's contract and capacity market income, per half-hour.

What belongs here: `[costs]` as cash of a day, and the true-up of a month. What does not: cash of markets and services
(`settlement.py`, `market_settlement.py`) and the levels (`cost_settings.py`): no public source gives any.

Where each lands, all signed as cash received:

* stream fee: exchange and clearing fees on |MWh| of each trade; network and supplier charges on metered import and
  export (a half-hour is metered net); the supplier's standing charge, spread over the day; the optimiser's share,
  spread over the day; the true-up of a guaranteed floor, in the last half-hour of its day;
* stream capacity_market: GBP/MW/year x rating / days of the calendar year, spread over the day.

The optimiser has its share of a trading day's cash where that is positive. That cash, and the cash that a floor is
compared with, is every stream but wear and the capacity market, after all other costs.
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd

from bess_pipeline.cost_settings import CostSettings
from bess_pipeline.errors import UserInputError
from bess_pipeline.trading.plans import Array

FEE, CAPACITY_MARKET, WEAR = "fee", "capacity_market", "wear"
NOT_SHARED = (CAPACITY_MARKET, WEAR)


def cost_cash_gbp(
    costs: CostSettings,
    efa_date: date,
    power_mw: float,
    volumes_mwh: Mapping[str, Array],
    earned_gbp: Mapping[str, Array],
) -> dict[str, Array]:
    """Cash of the streams fee and capacity_market per half-hour of a trading day, GBP; a stream that is off is absent.

    `volumes_mwh` has day_ahead, intraday (net sold) and metered (net export); `earned_gbp` holds the day's other
    streams. Each array is (half-hours,).
    """
    found = {}
    if costs.capacity_market_gbp_per_mw_year:
        year_days = 366 if calendar.isleap(efa_date.year) else 365
        count = len(volumes_mwh["metered"])
        found[CAPACITY_MARKET] = np.full(count, costs.capacity_market_gbp_per_mw_year * power_mw / (year_days * count))
    if _off(costs):
        return found
    fee = -_charges_gbp(costs, volumes_mwh)
    cash_gbp = float(fee.sum()) + sum(float(a.sum()) for s, a in earned_gbp.items() if s not in NOT_SHARED)
    fee -= costs.optimiser_share * max(cash_gbp, 0.0) / len(fee)
    return {FEE: fee + 0.0} | found


def month_true_up(cash_gbp: pd.Series, costs: CostSettings, power_mw: float) -> pd.Series:
    """What each trading day of a month adds to the optimiser's guarantee, GBP, under the index of `cash_gbp`.

    `cash_gbp` is the cash of the month's settled days without true-ups (`shared_cash_gbp`), indexed by EFA date in
    order. After every day the sum so far is max(0, floor - cash so far), the floor being the month's, times the days
    so far over the days of the month: a later day takes back what it makes unnecessary, no earlier day changes, and
    the days of a whole month add up to its guarantee. Raises UserInputError when the days are not of one month, or
    not in order.
    """
    days = list(cash_gbp.index)
    if len({(day.year, day.month) for day in days}) > 1 or days != sorted(set(days)):
        raise UserInputError("the optimiser's floor is settled over trading days of one calendar month, each once")
    if costs.optimiser_floor_gbp_per_mw_month is None or not days:
        return pd.Series(0.0, index=cash_gbp.index)
    in_month = calendar.monthrange(days[0].year, days[0].month)[1]
    floor_gbp = costs.optimiser_floor_gbp_per_mw_month * power_mw * np.arange(1, len(days) + 1) / in_month
    owed = np.maximum(floor_gbp - cash_gbp.to_numpy(dtype="float64").cumsum(), 0.0)
    return pd.Series(np.diff(owed, prepend=0.0), index=cash_gbp.index)


def shared_cash_gbp(cashflow: pd.DataFrame) -> float:
    """Cash of `trading/cashflow` rows that the optimiser's contract looks at, GBP."""
    return float(cashflow.loc[~cashflow["stream"].isin(NOT_SHARED), "amount_gbp"].sum())


def _off(costs: CostSettings) -> bool:
    """True where nothing but the capacity market is set: then there is no stream fee."""
    changed = costs.model_dump(exclude_defaults=True)
    return not changed.keys() - {"capacity_market_gbp_per_mw_year"}


def _charges_gbp(costs: CostSettings, volumes_mwh: Mapping[str, Array]) -> Array:
    """Fees and charges per half-hour, GBP, positive when paid."""
    day_ahead, intraday, metered = (volumes_mwh[name] for name in ("day_ahead", "intraday", "metered"))
    imported, exported = np.maximum(-metered, 0.0), np.maximum(metered, 0.0)
    return np.asarray(
        np.abs(day_ahead) * (costs.day_ahead_fee_gbp_per_mwh + costs.clearing_fee_gbp_per_mwh)
        + np.abs(intraday) * (costs.intraday_fee_gbp_per_mwh + costs.clearing_fee_gbp_per_mwh)
        + imported * (costs.network_import_gbp_per_mwh + costs.supplier_import_gbp_per_mwh)
        + exported * costs.network_export_gbp_per_mwh
        + costs.supplier_gbp_per_day / len(metered)
    )
