"""What a shock would do to a dispatch as it stands: P&L and margin of state of energy.

What belongs here: parametrised shocks on given dispatch, contracts and prices. What does not: the worst days of history
(`attribution.worst_days`), scenarios with a probability (`scenarios/`), and how a strategy would react: contracts and
dispatch stay, except for what the shock itself prevents, so that a P&L here is what it costs before anybody acts.

Signs as everywhere: energy positive when exported, cash positive when received. The change is of cash, not of wear.
Energy that is missing from the store at the end, or too much in it, is bought back or sold (with the battery's losses)
at the mean system price of the rows. The margin is the least distance of the state of energy to its limits; below 0 by
as many MWh the dispatch could not have been carried out, and that many MWh more would be imbalance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.risk.measures import FloatArray
from bess_pipeline.risk_settings import StressSettings


@dataclass(frozen=True)
class Position:
    """Half-hours of one strategy in order, arrays of shape (periods,); at least one.

    charged_mwh, discharged_mwh: AC, with response energy; response_out_mwh, response_in_mwh: response energy alone;
    absvd_mwh: the part of it that settlement takes out of imbalance (net, exported). response_gbp: availability
    payments. system_price_gbp_mwh: NaN where there is none, and then it moves no cash.
    """

    start_utc: pd.DatetimeIndex
    charged_mwh: FloatArray
    discharged_mwh: FloatArray
    response_out_mwh: FloatArray
    response_in_mwh: FloatArray
    absvd_mwh: FloatArray
    metered_mwh: FloatArray
    imbalance_mwh: FloatArray
    energy_mwh: FloatArray
    system_price_gbp_mwh: FloatArray
    response_gbp: FloatArray


@dataclass(frozen=True)
class StressResult:
    """A shock, in words; what it does to cash, GBP; and the margin of state of energy before and after, MWh.

    start_utc is where the shock was put (None: everywhere).
    """

    shock: str
    words: str
    pnl_change_gbp: float
    margin_before_mwh: float
    margin_after_mwh: float
    start_utc: pd.Timestamp | None = None


def position(dispatch: pd.DataFrame, cashflow: pd.DataFrame, system_price: pd.DataFrame) -> Position:
    """Of `trading/dispatch`, `trading/cashflow` (one strategy) and `market/system_price` rows of the same half-hours.

    Raises ValueError for no dispatch or more than one strategy.
    """
    if dispatch.empty or dispatch["strategy"].nunique() != 1:
        raise ValueError("a stress is of the dispatch of one strategy")
    rows = dispatch.sort_values("start_utc")
    starts = pd.DatetimeIndex(rows["start_utc"])
    value = {name: rows[name].to_numpy(dtype="float64") for name in rows.columns if name.endswith(("_mw", "_mwh"))}
    out, back = value["activation_export_mwh"], value["activation_import_mwh"]
    paid = cashflow[cashflow["stream"] == "response"].groupby("start_utc")["amount_gbp"].sum()
    return Position(
        start_utc=starts,
        charged_mwh=value["charge_mw"] * gb_time.HALF_HOUR_H + back,
        discharged_mwh=value["discharge_mw"] * gb_time.HALF_HOUR_H + out,
        response_out_mwh=out,
        response_in_mwh=back,
        absvd_mwh=value["metered_mwh"] - value["contracted_mwh"] - value["imbalance_mwh"],
        metered_mwh=value["metered_mwh"],
        imbalance_mwh=value["imbalance_mwh"],
        energy_mwh=value["energy_mwh"],
        system_price_gbp_mwh=system_price.set_index("start_utc")["system_price_gbp_mwh"]
        .reindex(starts)
        .to_numpy(float),
        response_gbp=paid.reindex(starts, fill_value=0.0).to_numpy(dtype="float64"),
    )


def all_shocks(given: Position, battery: Battery, sizes: StressSettings) -> list[StressResult]:
    """Every shock at the sizes of the settings."""
    return [
        price_spike_while_short(
            given, battery, sizes.spike_gbp_mwh, sizes.spike_half_hours, sizes.spike_short_mw * gb_time.HALF_HOUR_H
        ),
        response_price_collapse(given, battery, sizes.response_price_lost),
        asset_outage(given, battery, sizes.outage_hours),
        efficiency_loss(given, battery, sizes.efficiency_lost),
        activation_increase(given, battery, sizes.activation_factor),
    ]


def price_spike_while_short(
    given: Position, battery: Battery, spike_gbp_mwh: float, half_hours: int, short_mwh: float
) -> StressResult:
    """The system price rises to `spike_gbp_mwh` (it never falls) in the half-hours in which that costs most.

    short_mwh: how much shorter than it was the battery is in each of them: it pays the spike for that too.
    """
    price = _known(given.system_price_gbp_mwh)
    rise = np.maximum(spike_gbp_mwh - price, 0.0)
    change = given.imbalance_mwh * rise - short_mwh * (price + rise)
    hit = np.argsort(change, kind="stable")[:half_hours]
    words = f"system price of £{spike_gbp_mwh:,.0f}/MWh in {len(hit)} half-hours, {short_mwh:g} MWh shorter in each"
    return _result("price_spike_while_short", words, change[hit].sum(), given, battery, start=int(hit.min()))


def response_price_collapse(given: Position, battery: Battery, share_lost: float) -> StressResult:
    """Response is paid `share_lost` less; what was paid for holding it (a negative price) stays."""
    change = -share_lost * np.maximum(given.response_gbp, 0.0).sum()
    return _result("response_price_collapse", f"response prices {share_lost:.0%} lower", change, given, battery)


def asset_outage(given: Position, battery: Battery, hours: float) -> StressResult:
    """The battery stands still for `hours`, when it hurts most; contracts are met at the system price.

    Lost are the metered energy (at the system price, but for what ABSVD took out), availability payments, and the
    state of energy that the later dispatch counted on. A payment that was negative is not waived.
    """
    length = min(max(round(hours / gb_time.HALF_HOUR_H), 1), given.energy_mwh.size)
    delivered = given.metered_mwh - given.absvd_mwh
    per_half_hour = -delivered * _known(given.system_price_gbp_mwh) - np.maximum(given.response_gbp, 0.0)
    stored = _stored(given.charged_mwh, given.discharged_mwh, battery)
    windows = np.lib.stride_tricks.sliding_window_view
    cash, not_stored = windows(per_half_hour, length).sum(axis=1), -windows(stored, length).sum(axis=1)
    change = cash + np.array([_restored_gbp(given, battery, missing) for missing in not_stored])
    worst = int(np.argmin(change))
    shift = np.zeros_like(stored)
    shift[worst : worst + length] = -stored[worst : worst + length]
    words = f"battery out of service for {length * gb_time.HALF_HOUR_H:g} h"
    return _result("asset_outage", words, change[worst], given, battery, np.cumsum(shift), worst)


def efficiency_loss(given: Position, battery: Battery, share_lost: float) -> StressResult:
    """Both ways lose `share_lost` of their efficiency: less is stored of a charge, more is drawn for a discharge."""
    kept = 1.0 - share_lost
    less = battery.charge_efficiency * share_lost * given.charged_mwh
    more = given.discharged_mwh / battery.discharge_efficiency * (1.0 / kept - 1.0)
    shift = -np.cumsum(less + more)
    worse = battery.charge_efficiency * kept
    change = shift[-1] / worse * _mean_price(given)
    return _result("efficiency_loss", f"efficiency {share_lost:.0%} lower each way", change, given, battery, shift)


def activation_increase(given: Position, battery: Battery, factor: float) -> StressResult:
    """Response delivers `factor` times the energy it did; the part that ABSVD does not take out is imbalance."""
    extra_out, extra_in = (factor - 1.0) * given.response_out_mwh, (factor - 1.0) * given.response_in_mwh
    shift = np.cumsum(_stored(extra_in, extra_out, battery))
    extra_imbalance = extra_out - extra_in - (factor - 1.0) * given.absvd_mwh
    change = float(extra_imbalance @ _known(given.system_price_gbp_mwh)) + _restored_gbp(given, battery, shift[-1])
    return _result("activation_increase", f"response energy {factor:g} times as large", change, given, battery, shift)


def _result(
    shock: str,
    words: str,
    change_gbp: float,
    given: Position,
    battery: Battery,
    shift_mwh: FloatArray | float = 0.0,
    start: int | None = None,
) -> StressResult:
    return StressResult(
        shock=shock,
        words=words,
        pnl_change_gbp=float(change_gbp) + 0.0,
        margin_before_mwh=_margin(given.energy_mwh, battery),
        margin_after_mwh=_margin(given.energy_mwh + shift_mwh, battery),
        start_utc=None if start is None else given.start_utc[start],
    )


def _margin(energy_mwh: FloatArray, battery: Battery) -> float:
    return float(np.minimum(energy_mwh - battery.energy_min_mwh, battery.energy_max_mwh - energy_mwh).min())


def _stored(charged_mwh: FloatArray, discharged_mwh: FloatArray, battery: Battery) -> FloatArray:
    return battery.charge_efficiency * charged_mwh - discharged_mwh / battery.discharge_efficiency


def _restored_gbp(given: Position, battery: Battery, stored_mwh: float) -> float:
    """Cash of bringing the store back: what is missing (< 0) is charged for, what is too much is discharged."""
    mwh = stored_mwh / battery.charge_efficiency if stored_mwh < 0.0 else stored_mwh * battery.discharge_efficiency
    return float(mwh) * _mean_price(given)


def _mean_price(given: Position) -> float:
    known = given.system_price_gbp_mwh[np.isfinite(given.system_price_gbp_mwh)]
    return float(known.mean()) if known.size else 0.0


def _known(price_gbp_mwh: FloatArray) -> FloatArray:
    return np.where(np.isfinite(price_gbp_mwh), price_gbp_mwh, 0.0)
