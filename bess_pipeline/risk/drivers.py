"""Cash by driver: what the plan earned, and what re-dispatch, the spread position and activation added to it.

What belongs here: cutting the cash of `trading/cashflow` at the points where decisions were made. What does not: cash
itself (`trading/settlement.py`) and how drivers share the risk (`attribution.py`).

With, per half-hour and in MWh exported, the day-ahead contract a, all contracts c, the planned dispatch p, the baseline
b that was dispatched, the metered m and the response energy v that ABSVD takes out of imbalance, the day-ahead price D
and the system price S, the imbalance m - c - v telescopes into three volumes (domain reference 6), and every GBP has
one driver:

* plan: p D, the intended dispatch as if all of it had been sold day-ahead; response, reserve, fees; wear of the plan;
* spread_position: (p - a)(S - D), what it earned to leave a part of the plan to the system price instead: day-ahead
  cash is a D, so the two together are day-ahead cash and (p - a) S;
* re_dispatch: intraday cash, (b - p - (c - a)) S, and wear of b less that of the plan: decided within the day;
* activation: (m - b - v) S, penalties, and wear of the response energy: what the system and physics did.

Intraday trade has both of its legs in re_dispatch. In a half-hour that lacks one of the two prices the two legs of the
spread position cannot be held against each other: plan keeps the day-ahead cash, and spread_position is (p - a) S.

Strategies of all markets also have capacity market income (plan) and acceptances in the balancing mechanism
(activation: the system called them). Accepted energy is metered and outside imbalance, so it is part of v, and b is
taken without it; the wear that it adds belongs to activation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.risk.measures import FloatArray

DRIVERS = ("plan", "spread_position", "re_dispatch", "activation")
OF_STREAM = {
    "day_ahead": "plan",
    "response": "plan",
    "reserve": "plan",
    "fee": "plan",
    "capacity_market": "plan",
    "intraday": "re_dispatch",
    "penalty": "activation",
    "balancing_mechanism": "activation",
}
SPLIT_STREAMS = ("imbalance", "wear")
AGREEMENT_GBP = 1e-6
_MARKET_COLUMNS = (
    "planned_charge_mw",
    "planned_discharge_mw",
    "charge_mw",
    "discharge_mw",
    "day_ahead_mwh",
    "contracted_mwh",
    "metered_mwh",
    "imbalance_mwh",
    "accepted_mwh",
)


@dataclass(frozen=True)
class Volumes:
    """Volumes of one strategy's half-hours, MWh exported (imports negative), arrays of shape (periods,).

    day_ahead, contracted: sold; planned, baseline: intended at the last gate and dispatched, without activation;
    metered: with it; absvd: response, reserve and accepted energy that settlement takes out of imbalance.
    planned_throughput, baseline_throughput: charged plus discharged, AC.
    """

    day_ahead: FloatArray
    contracted: FloatArray
    planned: FloatArray
    baseline: FloatArray
    metered: FloatArray
    absvd: FloatArray
    planned_throughput: FloatArray
    baseline_throughput: FloatArray


def volumes(plan: pd.DataFrame, dispatch: pd.DataFrame) -> Volumes:
    """Volumes of `trading/plan` rows (of one gate, the last) and `trading/dispatch` rows of the same half-hours.

    Raises ValueError where a half-hour of the dispatch has no plan. The response energy taken out of imbalance is
    metered - contracted - imbalance, as it was settled.
    """
    planned = plan.set_index("start_utc").reindex(dispatch["start_utc"])
    if planned["day_ahead_mw"].isna().any():
        raise ValueError(f"{int(planned['day_ahead_mw'].isna().sum())} half-hours were dispatched without a plan")
    hours = gb_time.HALF_HOUR_H
    pc, pd_, da = (planned[c].to_numpy(dtype=float) * hours for c in ("charge_mw", "discharge_mw", "day_ahead_mw"))
    c, d = (dispatch[name].to_numpy(dtype=float) * hours for name in ("charge_mw", "discharge_mw"))
    contracted, metered, imbalance = (
        dispatch[f"{name}_mwh"].to_numpy(dtype=float) for name in ("contracted", "metered", "imbalance")
    )
    return Volumes(
        day_ahead=da,
        contracted=contracted,
        planned=pd_ - pc,
        baseline=d - c,
        metered=metered,
        absvd=metered - contracted - imbalance,
        planned_throughput=pc + pd_,
        baseline_throughput=c + d,
    )


def market_volumes(dispatch: pd.DataFrame) -> Volumes:
    """Volumes of `trading/market_dispatch` rows, in their order: they hold what was planned at the last gate."""
    hours = gb_time.HALF_HOUR_H
    named = {name: dispatch[name].to_numpy(dtype=float) for name in _MARKET_COLUMNS}
    pc, pd_, c, d = (named[name] * hours for name in _MARKET_COLUMNS[:4])
    accepted = named["accepted_mwh"]
    return Volumes(
        day_ahead=named["day_ahead_mwh"],
        contracted=named["contracted_mwh"],
        planned=pd_ - pc,
        baseline=d - c - accepted,
        metered=named["metered_mwh"],
        absvd=named["metered_mwh"] - named["contracted_mwh"] - named["imbalance_mwh"],
        planned_throughput=pc + pd_,
        baseline_throughput=np.where(accepted == 0.0, c + d, np.abs(d - c - accepted)),
    )


def driver_cash(
    volume: Volumes,
    cashflow: pd.DataFrame,
    start_utc: pd.Series,
    day_ahead_price_gbp_mwh: FloatArray,
    system_price_gbp_mwh: FloatArray,
    wear_gbp_per_mwh: float,
) -> pd.DataFrame:
    """Rows efa_date, start_utc, driver, amount_gbp whose sum per half-hour is that of the cash.

    Parameters
    ----------
    volume : of the half-hours `start_utc`.
    cashflow : `trading/cashflow` rows of one strategy and those half-hours.
    day_ahead_price_gbp_mwh : (periods,), that of the settled day-ahead cash; NaN where there is none.
    system_price_gbp_mwh : (periods,); NaN where there is none yet, and then no imbalance was paid.
    wear_gbp_per_mwh : cost of wear per MWh charged and per MWh discharged, as it was settled.

    Raises
    ------
    ValueError
        A stream that no driver owns, or cash that the volumes do not explain to 1e-6 GBP in every half-hour: the rows
        are not of one replay.
    """
    unknown = sorted(set(cashflow["stream"]) - set(OF_STREAM) - set(SPLIT_STREAMS))
    if unknown:
        raise ValueError(f"no driver owns the stream {', '.join(unknown)}")
    paid = cashflow.pivot_table(index="start_utc", columns="stream", values="amount_gbp", aggfunc="sum", fill_value=0.0)
    paid = paid.reindex(pd.DatetimeIndex(start_utc), fill_value=0.0)
    stream = {name: paid[name].to_numpy(dtype=float) for name in paid.columns}
    nothing = np.zeros(len(paid))
    price = np.where(np.isfinite(system_price_gbp_mwh), system_price_gbp_mwh, 0.0)
    amount = {driver: nothing.copy() for driver in DRIVERS}
    for name, driver in OF_STREAM.items():
        amount[driver] += stream.get(name, nothing)
    for driver, mwh in _imbalance_by_driver(volume).items():
        amount[driver] += mwh * price
    unsold = _unsold_gbp(volume, day_ahead_price_gbp_mwh, system_price_gbp_mwh)
    amount["plan"] += unsold
    amount["spread_position"] -= unsold
    for driver, wear in _wear_by_driver(volume, stream.get("wear", nothing), wear_gbp_per_mwh).items():
        amount[driver] += wear
    unexplained = np.abs(sum(amount.values()) - sum(stream.values(), nothing))
    if unexplained.max(initial=0.0) > AGREEMENT_GBP:
        worst = pd.DatetimeIndex(start_utc)[int(unexplained.argmax())]
        raise ValueError(f"volumes leave £{unexplained.max():,.6f} of cash unexplained at {worst}: not of one replay")
    days = gb_time.efa_columns(pd.DatetimeIndex(start_utc))["efa_date"].to_numpy()
    frames = [
        pd.DataFrame({"efa_date": days, "start_utc": paid.index, "driver": driver, "amount_gbp": amount[driver] + 0.0})
        for driver in DRIVERS
    ]
    return pd.concat(frames, ignore_index=True)


def _imbalance_by_driver(volume: Volumes) -> dict[str, FloatArray]:
    intraday = volume.contracted - volume.day_ahead
    return {
        "spread_position": volume.planned - volume.day_ahead,
        "re_dispatch": volume.baseline - volume.planned - intraday,
        "activation": volume.metered - volume.baseline - volume.absvd,
    }


def _unsold_gbp(volume: Volumes, day_ahead_price_gbp_mwh: FloatArray, system_price_gbp_mwh: FloatArray) -> FloatArray:
    """Day-ahead value of what was planned and not contracted, GBP; 0 where one of the two prices is missing."""
    both = np.isfinite(day_ahead_price_gbp_mwh) & np.isfinite(system_price_gbp_mwh)
    return (volume.planned - volume.day_ahead) * np.where(both, day_ahead_price_gbp_mwh, 0.0)


def _wear_by_driver(volume: Volumes, wear_gbp: FloatArray, wear_gbp_per_mwh: float) -> dict[str, FloatArray]:
    plan = -wear_gbp_per_mwh * volume.planned_throughput
    baseline = -wear_gbp_per_mwh * volume.baseline_throughput
    return {"plan": plan, "re_dispatch": baseline - plan, "activation": wear_gbp - baseline}
