"""What a shock would do to a dispatch as it stands: P&L, energy that could not be moved, margin of state of energy.

What belongs here: parametrised shocks on given dispatch, contracts and prices. What does not: the worst days of history
(`attribution.worst_days`), scenarios with a probability (`scenarios/`), and how a strategy would react: contracts and
dispatch stay, so that a P&L here is what the shock costs before anybody acts.

Signs as everywhere: energy positive when exported, cash positive when received. The change is of cash, not of wear.
The dispatch is carried out again by the battery's physics (`battery.physics.simulate`) without and with the shock; what
no longer fits is imbalance at the system price of its half-hour, and what the store holds less or more at the end is
bought or sold (with losses) at the mean system price of the rows. Flows of both directions within a half-hour are
netted for the limits, and their losses counted apart. The margin is the least distance of the state of energy to its
limits; below 0 by as many MWh the dispatch could not be carried out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.battery.physics import simulate
from bess_pipeline.risk.measures import FloatArray
from bess_pipeline.risk_settings import StressSettings


@dataclass(frozen=True)
class Position:
    """Half-hours of one strategy in order, arrays of shape (periods,); at least one.

    charged_mwh, discharged_mwh: AC, with response energy; response_out_mwh, response_in_mwh: response energy alone;
    absvd_mwh: the part of it that settlement takes out of imbalance (net, exported). response_gbp: availability
    payments. system_price_gbp_mwh: NaN where there is none, and then it moves no cash. opening_energy_mwh: stored
    before the first half-hour.
    """

    opening_energy_mwh: float
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

    undelivered_mwh: AC energy of the dispatch that no longer fits into the battery. start_utc is where the shock was
    put (None: everywhere).
    """

    shock: str
    words: str
    pnl_change_gbp: float
    undelivered_mwh: float
    margin_before_mwh: float
    margin_after_mwh: float
    start_utc: pd.Timestamp | None = None


def position(
    dispatch: pd.DataFrame, cashflow: pd.DataFrame, system_price: pd.DataFrame, opening_energy_mwh: float
) -> Position:
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
        opening_energy_mwh=opening_energy_mwh,
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

    Lost are the energy metered in the outage, availability payments, and what the later dispatch counted on having in
    store. A payment that was negative is not waived.
    """
    count = given.energy_mwh.size
    length = min(max(round(hours / gb_time.HALF_HOUR_H), 1), count)
    first = np.arange(count - length + 1)[:, np.newaxis]
    out = (np.arange(count) >= first) & (np.arange(count) < first + length)  # (places of the outage, periods)
    charged, discharged, absvd = (
        np.where(out, 0.0, flow) for flow in (given.charged_mwh, given.discharged_mwh, given.absvd_mwh)
    )
    carried = _carried_out(given, battery, battery, charged, discharged, absvd)
    change = carried.cash_gbp - out @ np.maximum(given.response_gbp, 0.0)
    worst = int(np.argmin(change))
    words = f"battery out of service for {length * gb_time.HALF_HOUR_H:g} h"
    return _result("asset_outage", words, change[worst], given, battery, carried.of(worst), start=worst)


def efficiency_loss(given: Position, battery: Battery, share_lost: float) -> StressResult:
    """Both ways lose `share_lost` of their efficiency: less is stored of a charge, more is drawn for a discharge."""
    kept = 1.0 - share_lost
    worse = replace(
        battery,
        charge_efficiency=battery.charge_efficiency * kept,
        discharge_efficiency=battery.discharge_efficiency * kept,
    )
    carried = _carried_out(
        given,
        battery,
        worse,
        given.charged_mwh[np.newaxis],
        given.discharged_mwh[np.newaxis],
        given.absvd_mwh[np.newaxis],
    ).of(0)
    words = f"efficiency {share_lost:.0%} lower each way"
    return _result("efficiency_loss", words, carried.cash_gbp[0], given, battery, carried)


def activation_increase(given: Position, battery: Battery, factor: float) -> StressResult:
    """Response delivers `factor` times the energy it did; the part that ABSVD does not take out is imbalance."""
    charged = given.charged_mwh + (factor - 1.0) * given.response_in_mwh
    discharged = given.discharged_mwh + (factor - 1.0) * given.response_out_mwh
    absvd = given.absvd_mwh * factor
    carried = _carried_out(given, battery, battery, charged[np.newaxis], discharged[np.newaxis], absvd[np.newaxis]).of(
        0
    )
    words = f"response energy {factor:g} times as large"
    return _result("activation_increase", words, carried.cash_gbp[0], given, battery, carried)


@dataclass(frozen=True)
class _Carried:
    """What came of schedules under a shock, one row each: cash (schedules,), change of the state of energy if nothing
    stopped the dispatch (schedules, periods), and energy that did not fit (schedules,)."""

    cash_gbp: FloatArray
    shift_mwh: FloatArray
    undelivered_mwh: FloatArray

    def of(self, schedule: int) -> _Carried:
        one = slice(schedule, schedule + 1)
        return _Carried(self.cash_gbp[one], self.shift_mwh[one], self.undelivered_mwh[one])


def _carried_out(
    given: Position,
    before: Battery,
    after: Battery,
    charged_mwh: FloatArray,
    discharged_mwh: FloatArray,
    absvd_mwh: FloatArray,
) -> _Carried:
    """Schedules (schedules, periods) by the battery `after` the shock against the given one by the battery `before`."""
    usual, opening = _executed(given.opening_energy_mwh, before, given.charged_mwh, given.discharged_mwh)
    shocked, closing = _executed(given.opening_energy_mwh, after, charged_mwh, discharged_mwh)
    price = _known(given.system_price_gbp_mwh)
    imbalance = (shocked - usual) - (absvd_mwh - given.absvd_mwh)
    losses = _overlap_mwh(after, charged_mwh, discharged_mwh) - _overlap_mwh(
        before, given.charged_mwh, given.discharged_mwh
    )
    left = closing[..., -1] - opening[..., -1] + losses.sum(axis=-1)
    cash = imbalance @ price + np.array([_restored_gbp(given, after, float(mwh)) for mwh in np.atleast_1d(left)])
    stored = _stored(after, charged_mwh, discharged_mwh) - _stored(before, given.charged_mwh, given.discharged_mwh)
    return _Carried(cash, np.cumsum(stored, axis=-1), np.abs(discharged_mwh - charged_mwh - shocked).sum(axis=-1))


def _executed(
    opening_mwh: float, battery: Battery, charged_mwh: FloatArray, discharged_mwh: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Net export (MWh) that the battery manages, and its state of energy."""
    net_mw = (discharged_mwh - charged_mwh) / gb_time.HALF_HOUR_H
    hours = np.full(net_mw.shape[-1], gb_time.HALF_HOUR_H)
    done = simulate(battery, opening_mwh, np.maximum(-net_mw, 0.0), np.maximum(net_mw, 0.0), hours)
    return (done.discharge_mw - done.charge_mw) * gb_time.HALF_HOUR_H, done.energy_mwh


def _result(
    shock: str,
    words: str,
    change_gbp: float,
    given: Position,
    battery: Battery,
    carried: _Carried | None = None,
    start: int | None = None,
) -> StressResult:
    shift = 0.0 if carried is None else carried.shift_mwh[0]
    return StressResult(
        shock=shock,
        words=words,
        pnl_change_gbp=float(change_gbp) + 0.0,
        undelivered_mwh=0.0 if carried is None else float(carried.undelivered_mwh[0]),
        margin_before_mwh=_margin(given.energy_mwh, battery),
        margin_after_mwh=_margin(given.energy_mwh + shift, battery),
        start_utc=None if start is None else given.start_utc[start],
    )


def _margin(energy_mwh: FloatArray, battery: Battery) -> float:
    return float(np.minimum(energy_mwh - battery.energy_min_mwh, battery.energy_max_mwh - energy_mwh).min())


def _stored(battery: Battery, charged_mwh: FloatArray, discharged_mwh: FloatArray) -> FloatArray:
    return battery.charge_efficiency * charged_mwh - discharged_mwh / battery.discharge_efficiency


def _overlap_mwh(battery: Battery, charged_mwh: FloatArray, discharged_mwh: FloatArray) -> FloatArray:
    """What the store loses (<= 0) because energy goes both ways within a half-hour, beyond the loss of the net flow."""
    both = np.minimum(charged_mwh, discharged_mwh)
    return both * (battery.charge_efficiency - 1.0 / battery.discharge_efficiency)


def _restored_gbp(given: Position, battery: Battery, stored_mwh: float) -> float:
    """Cash of bringing the store back: what is missing (< 0) is charged for, what is too much is discharged."""
    mwh = stored_mwh / battery.charge_efficiency if stored_mwh < 0.0 else stored_mwh * battery.discharge_efficiency
    return mwh * _mean_price(given)


def _mean_price(given: Position) -> float:
    known = given.system_price_gbp_mwh[np.isfinite(given.system_price_gbp_mwh)]
    return float(known.mean()) if known.size else 0.0


def _known(price_gbp_mwh: FloatArray) -> FloatArray:
    return np.where(np.isfinite(price_gbp_mwh), price_gbp_mwh, 0.0)
