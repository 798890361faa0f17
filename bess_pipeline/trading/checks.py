"""Re-checks of stored trading tables against first principles, independent of the code that wrote them.

What belongs here: identities that must hold in what is stored. What does not: the physics that
produced a dispatch (`battery/physics.py`) and settlement (`settlement.py`).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.battery.parameters import Battery

LOWEST_TOLERANCE_MWH = 1e-6


def energy_balance_error_mwh(
    dispatch: pd.DataFrame, battery: Battery, *, over_midnight: bool = True, chain_starts: Collection[date] = ()
) -> float:
    """Largest |energy step - (eta_c charge - discharge / eta_d) h + losses at rest| between half-hours, MWh.

    Charge and discharge with activation, which nets with nothing. `dispatch` holds rows of `trading/dispatch` or
    `trading/market_dispatch` of any days and strategies; steps over a gap are not compared. At
    its lowest state a battery may lose less than its losses at rest, where it could not be fed (unserved).
    over_midnight: False leaves out steps from one trading day to the next, where fade may take energy away.
    chain_starts: EFA days into which there is no step, because they open with the initial state.
    """
    worst = 0.0
    floor_mwh = battery.energy_min_mwh + LOWEST_TOLERANCE_MWH
    for _, rows in dispatch.groupby("strategy"):
        ordered = rows.sort_values("start_utc")
        adjacent = ordered["start_utc"].diff() == pd.Timedelta(minutes=30)
        follows = over_midnight & ~ordered["efa_date"].isin(list(chain_starts))
        adjacent &= follows | (ordered["efa_date"] == ordered["efa_date"].shift())
        charge = ordered["charge_mw"] + ordered["activation_import_mwh"] / gb_time.HALF_HOUR_H
        discharge = ordered["discharge_mw"] + ordered["activation_export_mwh"] / gb_time.HALF_HOUR_H
        flow = charge * battery.charge_efficiency - discharge / battery.discharge_efficiency
        losses = ordered["energy_mwh"].shift() * battery.self_discharge_per_hour + battery.auxiliary_mw
        above = ordered["energy_mwh"].diff() - (flow - losses) * gb_time.HALF_HOUR_H
        unserved = above.clip(lower=0.0, upper=losses * gb_time.HALF_HOUR_H)
        error = above.sub(unserved.where(ordered["energy_mwh"] <= floor_mwh, 0.0)).abs()[adjacent]
        worst = max(worst, float(error.max()) if len(error) else 0.0)
    return worst


def cash_difference_gbp(
    cashflow: pd.DataFrame, dispatch: pd.DataFrame, day_ahead: pd.DataFrame, system: pd.DataFrame, battery: Battery
) -> float:
    """Sum of |stored cash - cash recomputed from dispatch and prices| over strategies and streams, GBP.

    Each stream of each strategy is compared by itself, so that no error hides behind another. Half-hours
    without a price are left out on both sides, as settlement leaves them out.
    """
    rows = dispatch.merge(day_ahead[["start_utc", "day_ahead_price_gbp_mwh"]], on="start_utc", how="left")
    rows = rows.merge(system[["start_utc", "system_price_gbp_mwh"]], on="start_utc", how="left")
    throughput_mwh = (rows["charge_mw"] + rows["discharge_mw"]) * gb_time.HALF_HOUR_H
    recomputed = pd.DataFrame(
        {
            "strategy": rows["strategy"],
            "day_ahead": rows["contracted_mwh"] * rows["day_ahead_price_gbp_mwh"],
            "imbalance": (rows["metered_mwh"] - rows["contracted_mwh"]) * rows["system_price_gbp_mwh"],
            "wear": -throughput_mwh * battery.degradation_cost_gbp_per_mwh,
        }
    )
    return _difference_gbp(cashflow, recomputed)


def market_cash_difference_gbp(
    cashflow: pd.DataFrame, dispatch: pd.DataFrame, day_ahead: pd.DataFrame, system: pd.DataFrame, battery: Battery
) -> float:
    """The same of `trading/market_dispatch` rows, over day_ahead, intraday, imbalance and wear; services left out."""
    rows = dispatch.merge(day_ahead[["start_utc", "day_ahead_price_gbp_mwh"]], on="start_utc", how="left")
    rows = rows.merge(system[["start_utc", "system_price_gbp_mwh"]], on="start_utc", how="left")
    throughput_mwh = (rows["charge_mw"] + rows["discharge_mw"]) * gb_time.HALF_HOUR_H
    throughput_mwh += rows["activation_export_mwh"] + rows["activation_import_mwh"]
    imbalance_mwh = rows["metered_mwh"] - rows["contracted_mwh"] - rows["absvd_mwh"] - rows["accepted_mwh"]
    recomputed = pd.DataFrame(
        {
            "strategy": rows["strategy"],
            "day_ahead": (rows["contracted_mwh"] - rows["intraday_mwh"]) * rows["day_ahead_price_gbp_mwh"],
            "intraday": rows["intraday_mwh"] * rows["intraday_price_gbp_mwh"],
            "imbalance": imbalance_mwh * rows["system_price_gbp_mwh"],
            "wear": -throughput_mwh * battery.degradation_cost_gbp_per_mwh,
        }
    )
    return _difference_gbp(cashflow[cashflow["stream"].isin(recomputed.columns)], recomputed)


def _difference_gbp(cashflow: pd.DataFrame, recomputed: pd.DataFrame) -> float:
    """By strategy and stream."""
    expected = recomputed.groupby("strategy").sum().stack().rename_axis(["strategy", "stream"])
    stored = cashflow.groupby(["strategy", "stream"])["amount_gbp"].sum()
    return float(stored.sub(expected, fill_value=0.0).abs().to_numpy(dtype="float64").sum())


def opening_gaps(run_status: pd.DataFrame, tolerance_mwh: float = 1e-6) -> pd.DataFrame:
    """Rows of `trading/run_status` whose opening differs from the strategy's close on the day before.

    Chain starts and days whose predecessor is not in the frame are not compared.
    """
    before = run_status[["efa_date", "strategy", "closing_energy_mwh"]].copy()
    before["efa_date"] = [day + pd.Timedelta(days=1) for day in before["efa_date"]]
    before["efa_date"] = pd.to_datetime(before["efa_date"]).dt.date
    joined = run_status.merge(before, on=["efa_date", "strategy"], suffixes=("", "_before"))
    continues = joined["chain_start"] != joined["efa_date"]
    moved = (joined["opening_energy_mwh"] - joined["closing_energy_mwh_before"]).abs() > tolerance_mwh
    return joined[continues & moved]
