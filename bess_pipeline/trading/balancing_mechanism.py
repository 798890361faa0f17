"""Acceptances in the balancing mechanism as a replay under assumptions; off by default.

What belongs here: which own bids and offers are taken as accepted, how much, and a day's dispatch with them. What does
not: prices and the skip rate (`cost_settings.py`: no published figure), cash (`market_settlement.py`) and the physics
(`battery/physics.py`).

Rule, per half-hour, once its outcome is known and its own dispatch is done:

* an offer is in merit when the system was short (net imbalance volume > 0) and the system price reached the offer
  price; a bid when the system was long and the system price was at or below the bid price;
* a price in merit is passed over with probability `skip_rate`, drawn from the seed, the day and the half-hour: the same
  for every strategy and every path;
* what is accepted is all that is spare, for the whole half-hour, up to the net imbalance volume: power within the
  limits that services leave and the ramp, energy that no service, and nothing of the rest of the day's dispatch,
  needs, discharge within the day's cycles and throughput.

Real acceptances follow the control room's needs within the half-hour, other prices, constraints and notice times. The
system price here already holds what was really accepted. So this is an illustration: `ASSUMPTION` says so wherever it
is switched on. A bound does not trade in the mechanism and is no bound of results with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.ancillary.energy_band import band_mwh, required_by_direction
from bess_pipeline.ancillary.products import PRODUCT_TABLE
from bess_pipeline.ancillary.rating import committed_mw
from bess_pipeline.ancillary.windows import horizon_of
from bess_pipeline.battery.limits import ALWAYS, Availability, power_limits
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.battery.physics import after_standing_losses_mwh, powers_of_change, stored_change_mwh
from bess_pipeline.cost_settings import BalancingMechanismSettings
from bess_pipeline.trading.plans import Array, values_at

ASSUMPTION = (
    "Balancing Mechanism acceptances are a replay under assumptions (own prices met by the system price of the "
    "half-hour, the rest by a skip rate): results with them compare with no bound and no public index."
)
VOLUME_TOLERANCE_MWH = 1e-9
PATH_TOLERANCE_MWH = 1e-6
HALF_HOUR_H = gb_time.HALF_HOUR_H
_HOURS = np.asarray(HALF_HOUR_H)


@dataclass(frozen=True)
class Spare:
    """What an acceptance may change in one half-hour.

    net_mw: baseline (discharge - charge, AC); lowest_mw, highest_mw: what it may become; below_mwh, above_mwh: by how
    much the stored energy at the end of the half-hour may fall and rise (>= 0); discharge_mwh, throughput_mwh: what is
    left of the day's limits, AC, infinite without one.
    """

    net_mw: float
    lowest_mw: float
    highest_mw: float
    below_mwh: float
    above_mwh: float
    discharge_mwh: float = np.inf
    throughput_mwh: float = np.inf


@dataclass(frozen=True)
class Acceptance:
    """Accepted energy, MWh, + offer (exported more), - bid; and its price, GBP/MWh, NaN without one."""

    volume_mwh: float
    price_gbp_mwh: float


NOTHING = Acceptance(0.0, float("nan"))


def skipped(seed: int, efa_date: date, half_hour: int, skip_rate: float) -> bool:
    """Whether a price in merit is passed over in a half-hour (from 0) of a trading day."""
    draw = np.random.default_rng([seed, efa_date.toordinal(), half_hour]).random()
    return bool(draw < skip_rate)


def accept(
    spare: Spare,
    system_price_gbp_mwh: float,
    net_imbalance_volume_mwh: float,
    battery: Battery,
    settings: BalancingMechanismSettings,
    *,
    skip: bool,
) -> Acceptance:
    """What is accepted in one half-hour; nothing where the outcome is not known (NaN) or the mechanism is off."""
    if not settings.enabled or skip or not np.isfinite([system_price_gbp_mwh, net_imbalance_volume_mwh]).all():
        return NOTHING
    offer, bid = settings.offer_price_gbp_mwh, settings.bid_price_gbp_mwh
    if net_imbalance_volume_mwh > 0 and offer is not None and system_price_gbp_mwh >= offer:
        price, net_mw = offer, _highest_net_mw(spare, battery)
    elif net_imbalance_volume_mwh < 0 and bid is not None and system_price_gbp_mwh <= bid:
        price, net_mw = bid, _lowest_net_mw(spare, battery)
    else:
        return NOTHING
    wanted = (net_mw - spare.net_mw) * HALF_HOUR_H
    volume = float(np.clip(wanted, -abs(net_imbalance_volume_mwh), abs(net_imbalance_volume_mwh)))
    return Acceptance(volume, price) if abs(volume) > VOLUME_TOLERANCE_MWH else NOTHING


def with_acceptances(
    dispatch: pd.DataFrame,
    system_price: pd.DataFrame,
    battery: Battery,
    settings: BalancingMechanismSettings,
    *,
    opening_energy_mwh: float,
    seed: int,
    availability: Availability = ALWAYS,
    required_mwh: Array | None = None,
) -> pd.DataFrame:
    """`trading/market_dispatch` rows of one day with acceptances in them; the same rows where the mechanism is off.

    Parameters
    ----------
    dispatch : rows of one trading day and strategy without acceptances; returned in the order of time.
    system_price : `market/system_price` rows that may cover more than the day.
    opening_energy_mwh : stored energy at the start of the day.
    availability : what the day's half-hours really had.
    required_mwh : (2, half-hours), AC energy that low and high contracts require at the start of each half-hour; by
        default that of the accepted MW with nothing delivered, which is never too little.

    Every half-hour keeps its own dispatch apart from its acceptance, the energy path is run again, and no later
    half-hour is left without the energy or the room that it uses or must hold. Imbalance does not change: what is
    accepted is metered too.
    """
    rows = dispatch.sort_values("start_utc", ignore_index=True)
    if not settings.enabled:
        return rows
    book = _Book.of(rows, battery, opening_energy_mwh, availability, required_mwh)
    price = values_at(system_price, "system_price_gbp_mwh", rows["start_utc"])
    volume = values_at(system_price, "net_imbalance_volume_mwh", rows["start_utc"])
    day, skip_rate = rows["efa_date"].iloc[0], settings.skip_rate or 0.0
    accepted = []
    for t in range(len(rows)):
        skip = skipped(seed, day, t, skip_rate)
        accepted.append(accept(book.spare(t), price[t], volume[t], battery, settings, skip=skip))
        book.add(t, accepted[-1].volume_mwh)
    return book.rows(rows, accepted)


@dataclass
class _Book:
    """A day being rewritten half-hour by half-hour: baselines, states at the ends, and what each must stay within."""

    battery: Battery
    net_mw: Array
    lowest_mw: Array
    highest_mw: Array
    energy_mwh: Array
    floor_mwh: Array
    ceiling_mwh: Array
    activation_mwh: Array
    exported_mwh: float

    @classmethod
    def of(
        cls,
        rows: pd.DataFrame,
        battery: Battery,
        opening_energy_mwh: float,
        availability: Availability,
        required_mwh: Array | None,
    ) -> _Book:
        codes = tuple(PRODUCT_TABLE)
        horizon = horizon_of(pd.DatetimeIndex(rows["start_utc"]))
        mw = np.stack([_column(rows, f"{code.lower()}_mw") for code in codes])
        required = required_by_direction(codes, horizon, mw) if required_mwh is None else required_mwh
        low, high = band_mwh(battery, required)
        limits = power_limits(battery, availability, (len(rows),))
        export, imported = _column(rows, "activation_export_mwh"), _column(rows, "activation_import_mwh")
        net = _column(rows, "discharge_mw") - _column(rows, "charge_mw")
        book = cls(
            battery=battery,
            net_mw=net,
            lowest_mw=committed_mw(codes, horizon, mw, "high") - limits.charge_mw,
            highest_mw=limits.discharge_mw - committed_mw(codes, horizon, mw, "low"),
            energy_mwh=_column(rows, "energy_mwh").copy(),
            floor_mwh=np.append(low[1:], battery.energy_min_mwh),  # at the end of a half-hour: the start of the next
            ceiling_mwh=np.append(high[1:], battery.energy_max_mwh),
            activation_mwh=export + imported,
            exported_mwh=float(export.sum()),
        )
        book._require_path(opening_energy_mwh, export, imported)
        return book

    def spare(self, t: int) -> Spare:
        """What half-hour `t` may still change, everything before it being as it was decided."""
        battery, ramp = self.battery, self.battery.ramp_limit_mw_per_hour
        lowest, highest = self.lowest_mw[t], self.highest_mw[t]
        if ramp is not None:
            beside = [self.net_mw[s] for s in (t - 1, t + 1) if 0 <= s < len(self.net_mw)]
            lowest = max(lowest, *(one - ramp * HALF_HOUR_H for one in beside))
            highest = min(highest, *(one + ramp * HALF_HOUR_H for one in beside))
        discharged = float(np.maximum(self.net_mw, 0.0).sum()) * HALF_HOUR_H + self.exported_mwh
        moved = float(np.abs(self.net_mw).sum()) * HALF_HOUR_H + float(self.activation_mwh.sum())
        cycles, most = battery.max_cycles_per_day, battery.max_throughput_mwh_per_day
        return Spare(
            net_mw=float(self.net_mw[t]),
            lowest_mw=float(lowest),
            highest_mw=float(highest),
            below_mwh=max(float((self.energy_mwh - self.floor_mwh)[t:].min()), 0.0),
            above_mwh=max(float((self.ceiling_mwh - self.energy_mwh)[t:].min()), 0.0),
            discharge_mwh=np.inf if cycles is None else max(cycles * battery.usable_energy_mwh - discharged, 0.0),
            throughput_mwh=np.inf if most is None else max(most - moved, 0.0),
        )

    def add(self, t: int, volume_mwh: float) -> None:
        """Put an acceptance into half-hour `t` and carry what it changes to the end of the day."""
        if not volume_mwh:
            return
        before = _stored(self.battery, float(self.net_mw[t]))
        self.net_mw[t] += volume_mwh / HALF_HOUR_H
        shift = _stored(self.battery, float(self.net_mw[t])) - before
        for s in range(t, len(self.energy_mwh)):
            self.energy_mwh[s] += shift
            shift *= max(1.0 - self.battery.self_discharge_per_hour * HALF_HOUR_H, 0.0)

    def rows(self, rows: pd.DataFrame, accepted: list[Acceptance]) -> pd.DataFrame:
        """The day's rows as they are now."""
        volume = np.array([one.volume_mwh for one in accepted])
        gained = np.append(0.0, (self.energy_mwh - _column(rows, "energy_mwh"))[:-1])  # at the start of the half-hour
        battery = self.battery
        changed = volume != 0
        charge, discharge = np.maximum(-self.net_mw, 0.0), np.maximum(self.net_mw, 0.0)
        return rows.assign(
            charge_mw=np.where(changed, charge, rows["charge_mw"]),
            discharge_mw=np.where(changed, discharge, rows["discharge_mw"]),
            metered_mwh=rows["metered_mwh"] + volume,
            energy_mwh=self.energy_mwh,
            accepted_mwh=volume,
            accepted_price_gbp_mwh=[one.price_gbp_mwh for one in accepted],
            missing_low_mwh=_still_missing(rows["missing_low_mwh"], battery.discharge_efficiency * gained),
            missing_high_mwh=_still_missing(rows["missing_high_mwh"], -gained / battery.charge_efficiency),
        )

    def _require_path(self, opening_energy_mwh: float, export: Array, imported: Array) -> None:
        """ValueError where the rows' energy path is not that of their powers: they could not be rewritten.

        An empty store keeps what standing losses could not take from it.
        """
        charge, discharge = np.maximum(-self.net_mw, 0.0), np.maximum(self.net_mw, 0.0)
        flows = (charge + imported / HALF_HOUR_H, discharge + export / HALF_HOUR_H)
        before = np.append(opening_energy_mwh, self.energy_mwh[:-1])
        left = after_standing_losses_mwh(self.battery, before, HALF_HOUR_H)
        wrong = self.energy_mwh - left - stored_change_mwh(self.battery, *flows, _HOURS)
        unserved = (self.energy_mwh <= self.battery.energy_min_mwh + PATH_TOLERANCE_MWH) & (wrong > 0)
        wrong = np.abs(np.where(unserved, 0.0, wrong))
        if not wrong.max() <= PATH_TOLERANCE_MWH:
            raise ValueError(f"the state of energy of half-hour {int(wrong.argmax())} does not follow from its powers")


def _highest_net_mw(spare: Spare, battery: Battery) -> float:
    """The highest baseline that an offer may lead to, MW; never below the one there is."""
    limits = [spare.highest_mw, _net_at(battery, _stored(battery, spare.net_mw) - spare.below_mwh)]
    limits.append(max(spare.net_mw, 0.0) + spare.discharge_mwh / HALF_HOUR_H)
    limits.append(abs(spare.net_mw) + spare.throughput_mwh / HALF_HOUR_H)
    return max(min(limits), spare.net_mw)


def _lowest_net_mw(spare: Spare, battery: Battery) -> float:
    """The lowest baseline that a bid may lead to, MW; never above the one there is."""
    limits = [spare.lowest_mw, _net_at(battery, _stored(battery, spare.net_mw) + spare.above_mwh)]
    limits.append(-abs(spare.net_mw) - spare.throughput_mwh / HALF_HOUR_H)
    return min(max(limits), spare.net_mw)


def _stored(battery: Battery, net_mw: float) -> float:
    """Change of stored energy over a half-hour, MWh."""
    flows = (np.asarray(max(-net_mw, 0.0)), np.asarray(max(net_mw, 0.0)))
    return float(stored_change_mwh(battery, *flows, _HOURS))


def _net_at(battery: Battery, change_mwh: float) -> float:
    """The baseline that changes the stored energy so over a half-hour, MW."""
    charge, discharge = powers_of_change(battery, np.asarray(change_mwh), _HOURS)
    return float(discharge - charge)


def _still_missing(missing_mwh: pd.Series, gained_mwh: Array) -> Array:
    missing = missing_mwh.to_numpy(dtype="float64")
    return np.where(missing > 0, np.maximum(missing - gained_mwh, 0.0), 0.0)


def _column(rows: pd.DataFrame, name: str) -> Array:
    return np.asarray(rows[name].to_numpy(dtype="float64"))
