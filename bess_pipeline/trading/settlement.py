"""Cash of a day's dispatch, per half-hour and stream.

What belongs here: volumes times prices by the settlement rules. What does not: volumes
(`dispatch.py`), sums over days (`risk/pnl.py`).

Signs (design.md 5, domain.md 6): energy positive when exported, cash positive when received.

* day_ahead: energy sold day-ahead x day-ahead price;
* imbalance: (metered - contracted - activation) x system price: long is paid, short pays, and a negative
  price flips both;
* fee, capacity_market: as `[costs]` has them (`settlement_costs.py`), with rows only where they are set;
* wear: -(charged + discharged MWh, AC side) x degradation cost: a cost, not cash.

A volume that is not zero and has no price is left out, and the day is provisional.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.cost_settings import CostSettings
from bess_pipeline.trading.plans import Array, values_at
from bess_pipeline.trading.settlement_costs import cost_cash_gbp

VOLUME_TOLERANCE_MWH = 1e-9  # below a milliwatt-hour: rounding, not a position
NO_COSTS = CostSettings()


@dataclass(frozen=True)
class SettledDay:
    """`trading/cashflow` rows of one day, with `status` complete or provisional and why."""

    cashflow: pd.DataFrame
    status: str
    reason: str

    @property
    def cash_gbp(self) -> float:
        """The day's cash, without wear, GBP."""
        return float(self.cashflow.loc[self.cashflow["stream"] != "wear", "amount_gbp"].sum())


def settle_day(
    dispatch: pd.DataFrame,
    day_ahead_price: pd.DataFrame,
    system_price: pd.DataFrame,
    battery: Battery,
    costs: CostSettings = NO_COSTS,
) -> SettledDay:
    """Cash of one day and strategy.

    `dispatch` is that day's `trading/dispatch` rows; the price frames are
    `market/day_ahead_price` and `market/system_price` rows that may cover more than the day.
    """
    starts = dispatch["start_utc"]
    contracted_mwh = dispatch["contracted_mwh"].to_numpy(dtype="float64")
    imbalance_mwh = dispatch["imbalance_mwh"].to_numpy(dtype="float64")
    throughput_mwh = (dispatch["charge_mw"] + dispatch["discharge_mw"]).to_numpy(dtype="float64") * gb_time.HALF_HOUR_H
    day_ahead, no_day_ahead = cash_of(contracted_mwh, values_at(day_ahead_price, "day_ahead_price_gbp_mwh", starts))
    imbalance, no_system = cash_of(imbalance_mwh, values_at(system_price, "system_price_gbp_mwh", starts))
    amounts = {"day_ahead": day_ahead, "imbalance": imbalance}
    traded = {
        "day_ahead": contracted_mwh,
        "intraday": np.zeros_like(contracted_mwh),
        "metered": dispatch["metered_mwh"].to_numpy(dtype="float64"),
    }
    amounts |= cost_cash_gbp(costs, dispatch["efa_date"].iloc[0], battery.power_mw, traded, amounts)
    amounts["wear"] = -throughput_mwh * battery.degradation_cost_gbp_per_mwh + 0.0
    reasons = [
        missing_sentence(no_day_ahead, "day-ahead price", "energy was sold or bought", starts),
        missing_sentence(no_system, "system price", "there was imbalance", starts),
    ]
    reason = "; ".join(part for part in reasons if part)
    return SettledDay(cashflow_rows(dispatch, amounts), "provisional" if reason else "complete", reason)


def cash_of(volume_mwh: Array, price_gbp_mwh: Array) -> tuple[Array, npt.NDArray[np.bool_]]:
    """GBP per half-hour of volumes at prices (half-hours,), NaN for none; and where a volume has no price."""
    held = np.abs(volume_mwh) > VOLUME_TOLERANCE_MWH
    priced = held & np.isfinite(price_gbp_mwh)
    amount = np.multiply(volume_mwh, price_gbp_mwh, out=np.zeros_like(volume_mwh), where=priced)
    return amount + 0.0, held & ~priced


def missing_sentence(missing: npt.NDArray[np.bool_], what: str, where: str, starts: pd.Series) -> str:
    """How many half-hours lack a price, and the first of them, in words; empty where none does."""
    if not missing.any():
        return ""
    day, period = gb_time.settlement_period_of(starts[missing].min().to_pydatetime())
    count = int(missing.sum())
    periods = "half-hour" if count == 1 else "half-hours"
    return f"no {what} for {count} {periods} in which {where}, the first in settlement date {day} period {period}"


def cashflow_rows(dispatch: pd.DataFrame, amounts: Mapping[str, Array]) -> pd.DataFrame:
    """`trading/cashflow` rows of a day's dispatch and the amounts of each stream, GBP per half-hour."""
    keys = dispatch[["efa_date", "strategy", "start_utc"]]
    rows = keys.take(np.tile(np.arange(len(keys)), len(amounts))).reset_index(drop=True)
    rows["stream"] = np.repeat(list(amounts), len(keys))
    rows["amount_gbp"] = np.concatenate(list(amounts.values()))
    return rows
