"""Cash of a trading day of a strategy of all markets, per half-hour and stream.

What belongs here: volumes of `trading/market_dispatch` times prices by the settlement rules (domain reference 6). What
does not: volumes (`market_day.py`), services (`service_settlement.py`), costs (`settlement_costs.py`), the day-ahead
strategies (`settlement.py`) and sums over days (`risk/pnl.py`).

* day_ahead, intraday: MWh sold x day-ahead price, and x the price of the trade;
* imbalance: (metered - contracted - absvd - accepted) x system price: long is paid, short pays, and a negative price
  flips both. Response energy is in absvd where ABSVD applies, reserve energy always, an acceptance in accepted, so that
  no MWh is paid twice;
* balancing_mechanism: accepted MWh x its own price (transmission loss multiplier taken as 1);
* response, reserve, penalty, and fee, capacity_market: see those modules;
* wear: -(all MWh charged and discharged, activation included, AC side) x degradation cost: a cost, not cash.

The streams fee, balancing_mechanism and capacity_market have rows only where they are switched on or hold something.
A volume that is not zero and has no price is left out, and the day is provisional.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.errors import BessError
from bess_pipeline.settings import Settings
from bess_pipeline.trading.plans import Array, values_at
from bess_pipeline.trading.service_settlement import service_cash
from bess_pipeline.trading.settlement import SettledDay, cash_of, cashflow_rows, missing_sentence
from bess_pipeline.trading.settlement_costs import FEE, cost_cash_gbp

IDENTITY_TOLERANCE_MWH = 1e-6


@dataclass(frozen=True)
class MarketPrices:
    """`market/day_ahead_price`, `market/system_price` and `market/auction_clearing` rows; they may cover more days."""

    day_ahead_price: pd.DataFrame
    system_price: pd.DataFrame
    auctions: pd.DataFrame


def settle_market_day(dispatch: pd.DataFrame, prices: MarketPrices, battery: Battery, settings: Settings) -> SettledDay:
    """Cash of one trading day and strategy.

    `dispatch` holds that day's `trading/market_dispatch` rows, all of them, in any order. A guaranteed floor is not in
    it: it needs the month (`settled_days.py`). Raises BessError when the rows are not of one day and strategy, or their
    imbalance is not metered - contracted - absvd - accepted to within 1e-6 MWh.
    """
    dispatch = dispatch.sort_values("start_utc", ignore_index=True)
    volume = {name: dispatch[f"{name}_mwh"].to_numpy(dtype="float64") for name in _VOLUMES}
    _require_consistent(dispatch, volume)
    starts = dispatch["start_utc"]
    services = service_cash(dispatch, prices.auctions, settings.ancillary)
    day_ahead, no_day_ahead = cash_of(
        volume["day_ahead"], values_at(prices.day_ahead_price, "day_ahead_price_gbp_mwh", starts)
    )
    intraday, no_intraday = cash_of(volume["intraday"], dispatch["intraday_price_gbp_mwh"].to_numpy(dtype="float64"))
    imbalance, no_system = cash_of(volume["imbalance"], values_at(prices.system_price, "system_price_gbp_mwh", starts))
    accepted, no_accepted = cash_of(volume["accepted"], dispatch["accepted_price_gbp_mwh"].to_numpy(dtype="float64"))
    amounts = {"day_ahead": day_ahead, "intraday": intraday, "imbalance": imbalance}
    if settings.balancing_mechanism.enabled or volume["accepted"].any():
        amounts["balancing_mechanism"] = accepted
    amounts |= {"response": services.response, "reserve": services.reserve, "penalty": services.penalty}
    day = dispatch["efa_date"].iloc[0]
    amounts |= cost_cash_gbp(settings.costs, day, battery.power_mw, volume, amounts)
    amounts["wear"] = -throughput_mwh(dispatch) * battery.degradation_cost_gbp_per_mwh + 0.0
    reasons = [
        missing_sentence(no_day_ahead, "day-ahead price", "energy was sold or bought", starts),
        missing_sentence(no_intraday, "intraday price", "energy was traded within the day", starts),
        missing_sentence(no_system, "system price", "there was imbalance", starts),
        missing_sentence(no_accepted, "acceptance price", "energy was accepted", starts),
        missing_sentence(services.unpriced, "clearing price", "capacity was accepted", starts),
    ]
    reason = "; ".join(part for part in reasons if part)
    return SettledDay(cashflow_rows(dispatch, amounts), "provisional" if reason else "complete", reason)


def throughput_mwh(dispatch: pd.DataFrame) -> Array:
    """Energy charged and discharged per half-hour with activation, AC, MWh."""
    baseline = (dispatch["charge_mw"] + dispatch["discharge_mw"]).to_numpy(dtype="float64") * gb_time.HALF_HOUR_H
    activation = dispatch["activation_export_mwh"] + dispatch["activation_import_mwh"]
    return np.asarray(baseline + activation.to_numpy(dtype="float64"))


_VOLUMES = ("day_ahead", "intraday", "contracted", "metered", "absvd", "accepted", "imbalance")


def with_fee(settled: SettledDay, amount_gbp: float) -> SettledDay:
    """A settled day with an amount more, GBP, in the stream fee of its last half-hour."""
    rows = settled.cashflow.copy()
    last = rows["start_utc"] == rows["start_utc"].max()
    rows.loc[last & (rows["stream"] == FEE), "amount_gbp"] += amount_gbp
    return replace(settled, cashflow=rows)


def _require_consistent(dispatch: pd.DataFrame, volume: dict[str, Array]) -> None:
    if any(dispatch[name].nunique() != 1 for name in ("efa_date", "strategy")):
        raise BessError("a day is settled from the dispatch rows of one trading day and strategy")
    day, strategy = dispatch["efa_date"].iloc[0], dispatch["strategy"].iloc[0]
    if not pd.DatetimeIndex(dispatch["start_utc"]).equals(gb_time.efa_half_hours(day)):
        raise BessError(f"{strategy} on {day} cannot be settled: its dispatch rows are not the half-hours of that day")
    contracted = volume["day_ahead"] + volume["intraday"]
    imbalance = volume["metered"] - volume["contracted"] - volume["absvd"] - volume["accepted"]
    for what, found, stored in (
        ("contracted energy is not what was sold day-ahead and within the day", contracted, volume["contracted"]),
        ("imbalance is not metered - contracted - absvd - accepted", imbalance, volume["imbalance"]),
    ):
        wrong = np.abs(found - stored)
        if not wrong.max() <= IDENTITY_TOLERANCE_MWH:
            at = dispatch["start_utc"].iloc[int(wrong.argmax())]
            raise BessError(f"{strategy} on {day} cannot be settled: its {what} at {at}, by {wrong.max():g} MWh")
