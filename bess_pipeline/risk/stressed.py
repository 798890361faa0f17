"""What comes of a dispatch that a shock changes: energy that is moved, imbalance, and what services then pay.

What belongs here: a day's position, and carrying out and settling another schedule in its place. What does not: the
shocks (`stress.py`), physics (`trading/market_physics.py`) and the rules that services are paid by
(`trading/service_settlement.py`), both of which are used as they are.

Signs as everywhere: energy positive when exported, cash positive when received. A schedule and the given dispatch are
both carried out from the same state, and settled alike:

* services come first and the baseline gives way, as on a trading day; what is not moved is imbalance at the system
  price of its half-hour, and ABSVD takes out delivered response and reserve energy, not what was asked for;
* a half-hour that starts outside the requirement of its contracts, or lies in an outage, loses their payment;
* energy that the store lacks at the end is bought (with losses) at the mean system price of the rows. What it holds
  more is no cash of the day: it is stated apart, at what it would fetch at that price.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bess_pipeline.ancillary.energy_band import band_shortfall_mwh, required_by_direction
from bess_pipeline.ancillary.products import DIRECTIONS, table_of
from bess_pipeline.ancillary_settings import AncillarySettings
from bess_pipeline.battery.limits import ALWAYS, power_limits
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.gb_time import HALF_HOUR_H
from bess_pipeline.risk.measures import FloatArray
from bess_pipeline.trading.market_physics import Asked, carry_out
from bess_pipeline.trading.service_settlement import PRODUCTS, PricedContracts, cash_of_contracts, priced_contracts


@dataclass(frozen=True)
class Contracts:
    """Services of a position: `trading/market_dispatch` rows of whole EFA blocks in order, what is held and at which
    prices, and the rules of `[ancillary]`."""

    rows: pd.DataFrame
    priced: PricedContracts
    settings: AncillarySettings


@dataclass(frozen=True)
class Schedule:
    """What is asked of each half-hour, AC, MWh >= 0, arrays of shape (periods,): baseline, response and reserve energy;
    in_service: 1 where the battery is there at all, 0 where it is out."""

    charged: FloatArray
    discharged: FloatArray
    response_out: FloatArray
    response_in: FloatArray
    reserve_out: FloatArray
    reserve_in: FloatArray
    in_service: FloatArray

    def stored_mwh(self, battery: Battery) -> FloatArray:
        """Change of stored energy of each half-hour if nothing but an outage stopped it."""
        into = self.charged + self.response_in + self.reserve_in
        out = self.discharged + self.response_out + self.reserve_out
        return self.in_service * (battery.charge_efficiency * into - out / battery.discharge_efficiency)


@dataclass(frozen=True)
class Position:
    """Half-hours of one strategy in order, arrays of shape (periods,); at least one.

    absvd_share: part of the response energy that settlement takes out of imbalance. system_price_gbp_mwh: NaN where
    there is none, and then it moves no cash. opening_energy_mwh: stored before the first half-hour. contracts: None for
    a strategy without services.
    """

    opening_energy_mwh: float
    start_utc: pd.DatetimeIndex
    schedule: Schedule
    absvd_share: float
    imbalance_mwh: FloatArray
    energy_mwh: FloatArray
    system_price_gbp_mwh: FloatArray
    contracts: Contracts | None


@dataclass(frozen=True)
class Outcome:
    """What another schedule changes: cash, GBP; what surplus stored energy at the end would fetch, GBP >= 0 (not in
    cash); AC energy that was asked for and not moved, MWh; the state of energy if only an outage stopped it, MWh."""

    change_gbp: float
    surplus_gbp: float
    undelivered_mwh: float
    shift_mwh: FloatArray


@dataclass(frozen=True)
class _Run:
    """A schedule carried out: net export and what ABSVD takes out of it, and the state at the end of each half-hour,
    (periods,), MWh; energy that was asked for and not moved; cash of services, GBP."""

    metered_mwh: FloatArray
    absvd_mwh: FloatArray
    energy_mwh: FloatArray
    undelivered_mwh: float
    services_gbp: float


def position(
    dispatch: pd.DataFrame,
    system_price: pd.DataFrame,
    opening_energy_mwh: float,
    auctions: pd.DataFrame | None = None,
    settings: AncillarySettings | None = None,
) -> Position:
    """Of `trading/dispatch` or `trading/market_dispatch` rows of one strategy and `market/system_price` rows.

    auctions, settings: of the services that `trading/market_dispatch` rows hold. Raises ValueError for no dispatch or
    more than one strategy.
    """
    if dispatch.empty or dispatch["strategy"].nunique() != 1:
        raise ValueError("a stress is of the dispatch of one strategy")
    rows = dispatch.sort_values("start_utc", ignore_index=True)
    starts = pd.DatetimeIndex(rows["start_utc"])
    value = {name: rows[name].to_numpy(dtype="float64") for name in rows.columns if name.endswith(("_mw", "_mwh"))}
    nothing = np.zeros(len(rows))
    reserve = value.get("reserve_mwh", nothing)
    out, back = value["activation_export_mwh"], value["activation_import_mwh"]
    reserve_out, reserve_in = np.clip(reserve, 0.0, out), np.clip(-reserve, 0.0, back)
    net = out - reserve_out - (back - reserve_in)
    taken_out = value["metered_mwh"] - value["contracted_mwh"] - value["imbalance_mwh"]
    taken_out = taken_out - value.get("accepted_mwh", nothing) - reserve
    schedule = Schedule(
        charged=value["charge_mw"] * HALF_HOUR_H,
        discharged=value["discharge_mw"] * HALF_HOUR_H,
        response_out=out - reserve_out,
        response_in=back - reserve_in,
        reserve_out=reserve_out,
        reserve_in=reserve_in,
        in_service=np.ones(len(rows)),
    )
    contracts = None
    if auctions is not None and settings is not None and f"{PRODUCTS[0].lower()}_mw" in rows:
        contracts = Contracts(rows, priced_contracts(rows, auctions), settings)
    return Position(
        opening_energy_mwh=opening_energy_mwh,
        start_utc=starts,
        schedule=schedule,
        absvd_share=float(taken_out @ net / (net @ net)) if net.any() else 1.0,
        imbalance_mwh=value["imbalance_mwh"],
        energy_mwh=value["energy_mwh"],
        system_price_gbp_mwh=system_price.set_index("start_utc")["system_price_gbp_mwh"]
        .reindex(starts)
        .to_numpy(float),
        contracts=contracts,
    )


def outcomes(given: Position, before: Battery, after: Battery, schedules: list[Schedule]) -> list[Outcome]:
    """Schedules by the battery `after` a shock, each against the given one by the battery `before`."""
    usual = _run(given, before, given.schedule)
    price, mean = known(given.system_price_gbp_mwh), mean_price(given)
    stored = given.schedule.stored_mwh(before)
    found = []
    for schedule in schedules:
        run = _run(given, after, schedule)
        imbalance = run.metered_mwh - usual.metered_mwh - (run.absvd_mwh - usual.absvd_mwh)
        left = float(run.energy_mwh[-1] - usual.energy_mwh[-1])
        bought = min(left, 0.0) / after.charge_efficiency * mean
        found.append(
            Outcome(
                change_gbp=float(imbalance @ price) + bought + run.services_gbp - usual.services_gbp,
                surplus_gbp=max(left * after.discharge_efficiency * mean, 0.0) if left > 0.0 else 0.0,
                undelivered_mwh=run.undelivered_mwh,
                shift_mwh=np.cumsum(schedule.stored_mwh(after) - stored),
            )
        )
    return found


def cheaper_services_gbp(given: Position, share_lost: float) -> float:
    """Change of the cash of services if every clearing price falls by a share of its absolute value."""
    if given.contracts is None:
        return 0.0
    held, price = given.contracts, given.contracts.priced.price_gbp_mw_h
    fallen = replace(held.priced, price_gbp_mw_h=price - share_lost * np.abs(price))
    return _paid_gbp(replace(held, priced=fallen)) - _paid_gbp(held)


def known(price_gbp_mwh: FloatArray) -> FloatArray:
    """Prices with 0 where there is none."""
    return np.where(np.isfinite(price_gbp_mwh), price_gbp_mwh, 0.0)


def mean_price(given: Position) -> float:
    """Mean of the system prices that there are, GBP/MWh; 0 without any."""
    prices = given.system_price_gbp_mwh[np.isfinite(given.system_price_gbp_mwh)]
    return float(prices.mean()) if prices.size else 0.0


def _run(given: Position, battery: Battery, schedule: Schedule) -> _Run:
    limits = power_limits(battery, ALWAYS, schedule.in_service.shape)
    low, high = schedule.response_out + schedule.reserve_out, schedule.response_in + schedule.reserve_in
    asked = np.stack([schedule.charged, schedule.discharged, low, high])
    most = np.stack([limits.charge_mw, limits.discharge_mw]) * HALF_HOUR_H * schedule.in_service
    done, energy, state = np.empty_like(asked), np.empty(asked.shape[1]), given.opening_energy_mwh
    for t in range(asked.shape[1]):
        one = carry_out(battery, state, Asked(*asked[:, t].tolist()), float(most[0, t]), float(most[1, t]))
        done[:, t] = one.charge_mwh, one.discharge_mwh, one.low_mwh, one.high_mwh
        energy[t] = state = one.energy_mwh
    share = np.divide(done[2:], asked[2:], out=np.ones_like(done[2:]), where=asked[2:] > 0.0)
    reserve = schedule.reserve_out * share[0] - schedule.reserve_in * share[1]
    response = done[2] - done[3] - reserve
    at_start = np.append(given.opening_energy_mwh, energy[:-1])
    return _Run(
        metered_mwh=done[1] - done[0] + done[2] - done[3],
        absvd_mwh=reserve + given.absvd_share * response,
        energy_mwh=energy,
        undelivered_mwh=float(np.maximum(asked - done, 0.0).sum()),
        services_gbp=_services_gbp(given.contracts, battery, schedule, share, reserve, at_start),
    )


def _services_gbp(
    contracts: Contracts | None,
    battery: Battery,
    schedule: Schedule,
    share: FloatArray,
    reserve_mwh: FloatArray,
    at_start_mwh: FloatArray,
) -> float:
    if contracts is None:
        return 0.0
    delivered = np.stack([schedule.response_out, schedule.response_in]) * share
    missing = _missing_mwh(contracts, battery, delivered, at_start_mwh)
    missing = np.where(schedule.in_service > 0.0, missing, np.inf)
    names = {side: f"delivered_{side}_share" for side in DIRECTIONS}
    changed = {names[side]: contracts.rows[names[side]] * share[n] for n, side in enumerate(DIRECTIONS)}
    changed |= {f"missing_{side}_mwh": missing[n] for n, side in enumerate(DIRECTIONS)}
    return _paid_gbp(replace(contracts, rows=contracts.rows.assign(reserve_mwh=reserve_mwh, **changed)))


def _missing_mwh(
    contracts: Contracts, battery: Battery, delivered_mwh: FloatArray, at_start_mwh: FloatArray
) -> FloatArray:
    """AC energy and room missing at the start of each half-hour, (2, periods); at least what was missing on the day."""
    mw, table = contracts.priced.mw, table_of(PRODUCTS)
    energy = np.zeros_like(mw)
    for n, side in enumerate(DIRECTIONS):
        own = np.array([one.kind == "response" and one.direction == side for one in table])
        held = mw[own].sum(axis=0)  # the requirement knows one volume and one delivery of each direction
        energy[own] = np.divide(delivered_mwh[n], held, out=np.zeros_like(held), where=held > 0.0)
    required = required_by_direction(PRODUCTS, contracts.priced.horizon, mw, energy)
    short = np.where(required > 0.0, band_shortfall_mwh(battery, required, at_start_mwh), 0.0)
    stored = np.stack([contracts.rows[f"missing_{side}_mwh"].to_numpy(dtype="float64") for side in DIRECTIONS])
    return np.asarray(np.maximum(short, stored))


def _paid_gbp(contracts: Contracts) -> float:
    cash = cash_of_contracts(contracts.rows, contracts.priced, contracts.settings)
    return float((cash.response + cash.reserve + cash.penalty).sum())
