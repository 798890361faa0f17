"""A window of trading days as one problem of a bound, from the lake: prices, limits, products, and what was forced.

What belongs here: reading outcomes of a run of days and laying them on the half-hours of a `WindowProblem`. What does
not: which runs there are and what is stored (`bounds.py`), the problem itself (`optimisation/market_window.py`) and
what strategies were forced to (`bound_forced.py`).

A day on which a price of the bound's markets is missing is idle: nothing is traded and the state is carried. Prices
are the latest, as they are settled. Most MW of a service are the larger of both gates' caps, and no less than what a
strategy holds. The energy that several products of one direction must hold is the sum of their own paths, each with its
own cap on recovery, which is never more than the rule asks of them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.ancillary.activation_stream import products_on
from bess_pipeline.ancillary.delivery_path import after_delivery_path
from bess_pipeline.ancillary.exclusions import offer_limits_mw
from bess_pipeline.ancillary.products import Product, table_of
from bess_pipeline.ancillary.rows import FloatArray
from bess_pipeline.ancillary.volume_cap import expected_cleared_mw, volume_cap_mw
from bess_pipeline.ancillary.windows import Horizon, IntArray, horizon_of
from bess_pipeline.battery.limits import Availability, PowerLimits, power_limits
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.errors import UserInputError
from bess_pipeline.gb_time import HALF_HOUR_H
from bess_pipeline.lake import Lake
from bess_pipeline.optimisation.market_window import WindowProblem, WindowService
from bess_pipeline.settings import Settings
from bess_pipeline.trading import timeline
from bess_pipeline.trading.bound_forced import CODES, Forced, forced_of
from bess_pipeline.trading.condition import Condition
from bess_pipeline.trading.foresight import price_products
from bess_pipeline.trading.plans import values_at
from bess_pipeline.trading.service_settlement import clearing_prices
from bess_pipeline.trading.settlement_costs import CAPACITY_MARKET, cost_cash_gbp
from bess_pipeline.trading.stamps import efa_rows
from bess_pipeline.trading.stored_gate import AUCTIONS, DAY_AHEAD_PRICE, day_auctions
from bess_pipeline.trading.stored_market import StoredMarket

ONE_DAY = timedelta(days=1)
SYSTEM_PRICE = "market/system_price"


@dataclass(frozen=True)
class Markets:
    """What a bound may trade beside day-ahead: intraday, imbalance up to a cap (MW), response and reserve."""

    imbalance: bool
    services: bool


class BoundWindow:
    """A run of days of one lake; `opening_mwh` (T,) as of `WindowProblem`, `rows`: what was dispatched, of `table`."""

    def __init__(
        self,
        settings: Settings,
        lake: Lake,
        condition: Condition,
        days: Sequence[date],
        rows: pd.DataFrame,
        table: str,
        opening_mwh: FloatArray,
    ) -> None:
        self.settings = settings
        self.lake = lake
        self.condition = condition
        self.days = list(days)
        self.notes: list[str] = []
        self._rows, self._table, self._opening = rows, table, opening_mwh

    @cached_property
    def horizon(self) -> Horizon:
        """All half-hours of the window."""
        first, last = (gb_time.efa_day_bounds_utc(self.days[at])[at] for at in (0, -1))
        return horizon_of(gb_time.half_hours(first, last))

    @cached_property
    def day_index(self) -> IntArray:
        """(T,): which day each half-hour lies in."""
        return np.array([(one - self.days[0]).days for one in self.horizon.efa_date])

    @cached_property
    def day_ahead_price(self) -> FloatArray:
        """(T,), GBP/MWh, NaN where missing."""
        return values_at(self._day_ahead_rows, "day_ahead_price_gbp_mwh", self.horizon.start_utc)

    @cached_property
    def system_price(self) -> FloatArray:
        """(T,), GBP/MWh, NaN where missing."""
        rows = efa_rows(self.lake, SYSTEM_PRICE, self.days[0], self.days[-1])
        return values_at(rows, "system_price_gbp_mwh", self.horizon.start_utc)

    @property
    def energy_price_gbp_mwh(self) -> float:
        """The stated price of stored energy: the mean day-ahead price of the window; 0 without any."""
        known = self.day_ahead_price[np.isfinite(self.day_ahead_price)]
        return float(known.mean()) if known.size else 0.0

    def idle_days(self, markets: Markets) -> list[date]:
        """Days on which a price of these markets is missing."""
        known = np.isfinite(self.day_ahead_price)
        if markets.imbalance and self._market.forecasts.has_system_price:
            known &= np.isfinite(self.system_price)
        lacking = np.bincount(self.day_index, ~known, minlength=len(self.days))
        return [day for day, count in zip(self.days, lacking, strict=True) if count]

    def problem(self, markets: Markets, cap_mw: float) -> WindowProblem:
        """The one problem at an imbalance cap. UserInputError where inputs do not fit together."""
        forced, limits = self._forced, self._limits
        idle = np.isin(self.day_index, [(day - self.days[0]).days for day in self.idle_days(markets)])
        free = np.where(idle, 0.0, 1.0)
        battery = self.battery
        settled = markets.imbalance and self._market.forecasts.has_system_price  # else there is no imbalance to intend
        capped = (cap_mw if settled else 0.0) * HALF_HOUR_H * free
        day_limit = np.full(len(self.days), np.inf)
        if battery.max_cycles_per_day is not None:
            most = battery.max_cycles_per_day * battery.usable_energy_mwh
            day_limit = np.maximum(most, forced.discharged_mwh)
        index_price, index_most = self._intraday if markets.imbalance else (np.zeros(free.size),) * 2
        return WindowProblem(
            battery=battery,
            day_index=self.day_index,
            opening_energy_mwh=self._opening,
            charge_limit_mw=limits.charge_mw * free,
            discharge_limit_mw=limits.discharge_mw * free,
            contract_charge_mw=limits.charge_mw * free,
            contract_discharge_mw=limits.discharge_mw * free,
            product_of_period=self._products(idle),
            day_ahead_price_gbp_mwh=np.where(idle, 0.0, np.nan_to_num(self.day_ahead_price)),
            system_price_gbp_mwh=np.where(idle, 0.0, np.nan_to_num(self.system_price)),
            imbalance_long_mwh=capped + forced.long_mwh * free,
            imbalance_short_mwh=capped + forced.short_mwh * free,
            intraday_price_gbp_mwh=np.asarray(index_price),
            intraday_limit_mwh=np.asarray(index_most) * free,
            discharge_limit_of_day_mwh=day_limit,
            half_spread_gbp_mwh=self.settings.intraday.half_spread_gbp_mwh,
            services=self._services(free) if markets.services else (),
            closing_value_gbp_mwh=self.energy_price_gbp_mwh,
            baseline_adds_headroom=self.settings.ancillary.baseline_adds_headroom,
            allowance=forced.allowance,
        )

    @cached_property
    def battery(self) -> Battery:
        """The new battery; where fade lowers the lowest state, down to the lowest of any strategy."""
        battery = self.condition.new_battery
        share = min(self._forced.lowest_mwh / battery.energy_mwh, battery.soc_min)
        return replace(battery, soc_min=max(share, 0.0)) if share < battery.soc_min - 1e-9 else battery

    def opening_of(self, first: IntArray) -> FloatArray:
        """State that these half-hours open with where a chain begins, NaN elsewhere."""
        return np.asarray(self._opening[first])

    @property
    def accepted_gbp(self) -> float:
        """By which acceptances in the balancing mechanism can add to the bound at most."""
        return self._forced.accepted_gbp

    def capacity_market_gbp(self, day: date) -> float:
        """Income of the capacity market of a day, which every strategy has alike."""
        count = len(gb_time.efa_half_hours(day))
        none = dict.fromkeys(("day_ahead", "intraday", "metered"), np.zeros(count))
        costs = cost_cash_gbp(self.settings.costs, day, self.condition.new_battery.power_mw, none, {})
        return float(costs.get(CAPACITY_MARKET, np.zeros(1)).sum())

    @cached_property
    def _market(self) -> StoredMarket:
        return StoredMarket(self.settings, self.lake, self.condition, self.days)

    @cached_property
    def _day_ahead_rows(self) -> pd.DataFrame:
        return efa_rows(self.lake, DAY_AHEAD_PRICE, self.days[0], self.days[-1])

    @cached_property
    def _limits(self) -> PowerLimits:
        """Of the baseline, outages in truth."""
        charge, discharge = [], []
        for day in self.days:
            known, shape = self.condition.availability(day), (len(gb_time.efa_half_hours(day)),)
            charge.append(np.broadcast_to(np.asarray(known.charge, dtype=float), shape))
            discharge.append(np.broadcast_to(np.asarray(known.discharge, dtype=float), shape))
        whole = Availability(np.concatenate(charge), np.concatenate(discharge))
        return power_limits(self.condition.new_battery, whole, (self.horizon.periods,))

    @cached_property
    def _forced(self) -> Forced:
        activation = np.zeros((len(CODES), self.horizon.periods))
        for code, energy in self._activation.items():
            activation[CODES.index(code)] = np.nan_to_num(energy)
        return forced_of(
            self._rows,
            self._table,
            self.horizon,
            self._limits,
            activation,
            self.system_price,
            baseline_adds_headroom=self.settings.ancillary.baseline_adds_headroom,
        )

    def _products(self, idle: np.ndarray) -> IntArray:
        """Day-ahead product of each half-hour, -1 on idle days."""
        found = np.full(self.horizon.periods, -1, dtype=np.int64)
        known = price_products(self._day_ahead_rows, self.days)
        place = np.isin(self.day_index, [(day - self.days[0]).days for day in known.days])
        found[place] = known.product_of
        found[idle] = -1
        sold = found >= 0
        found[sold] = np.unique(found[sold], return_inverse=True)[1]
        return found

    @cached_property
    def _intraday(self) -> tuple[FloatArray, FloatArray]:
        """Price and most MWh of a trade within the day, each (T,)."""
        price, most = np.zeros(self.horizon.periods), np.zeros(self.horizon.periods)
        for n, day in enumerate(self.days):
            own = self.day_index == n
            market = self._market.intraday(day, self.horizon.start_utc[own])
            if market is not None:
                price[own], most[own] = np.nan_to_num(market.index_price_gbp_mwh), market.as_it_came_out().most_mwh
        return price, most

    # --- services

    @cached_property
    def _codes(self) -> tuple[str, ...]:
        """Products that the settings offer."""
        return products_on(self.settings.ancillary)[0]

    @cached_property
    def _activation(self) -> dict[str, FloatArray]:
        """Energy that a contracted MW moved, (T,) by code; NaN on days of which it is not known."""
        found = {code: np.full(self.horizon.periods, np.nan) for code in self._codes}
        if self._table == "trading/dispatch":
            return found
        unknown: dict[str, list[date]] = {}
        for n, day in enumerate(self.days):
            own = self.day_index == n
            for code in self._codes:
                try:
                    found[code][own] = self._market.activation(day, (code,), self.horizon.start_utc[own])[0]
                except UserInputError:
                    unknown.setdefault(code, []).append(day)
        self.notes += [
            f"the activation of {code} is not known on {len(days)} days, the first {days[0]}: it is not sold on them"
            for code, days in unknown.items()
        ]
        return found

    @cached_property
    def _cap_mw(self) -> FloatArray:
        """Most MW of each product that a gate of its day could offer, (R, T)."""
        ancillary, back = self.settings.ancillary, timedelta(days=self.settings.ancillary.volume_cap_days + 1)
        past = self.lake.read(AUCTIONS, self.days[0] - back, self.days[-1])
        cap = np.zeros((len(self._codes), self.horizon.periods))
        for n, day in enumerate(self.days):
            own = self.day_index == n
            horizon = horizon_of(self.horizon.start_utc[own])
            known = past[(past["efa_date"] < day) & (past["efa_date"] >= day - back)]
            seen = -1
            for gate in timeline.GATES:
                at_gate = timeline.known_by(known, "auction_clearing", timeline.gate_utc(day, gate))
                if len(at_gate) != seen and len(at_gate):
                    seen = len(at_gate)
                    expected = expected_cleared_mw(at_gate, self._codes, horizon, ancillary.volume_cap_days)
                    cap[:, own] = np.maximum(cap[:, own], volume_cap_mw(expected, ancillary.volume_cap_share))
        return np.minimum(cap, offer_limits_mw(self._codes, self.horizon))

    def _services(self, free: FloatArray) -> tuple[WindowService, ...]:
        if not self._codes:
            return ()
        starts = self.horizon.start_utc
        price = clearing_prices(day_auctions(self.lake, self.days[0], self.days[-1]), starts)
        found = []
        for k, one in enumerate(table_of(self._codes)):
            paid, moved = price[CODES.index(one.code)], self._activation[one.code]
            offered = np.where(np.isfinite(paid) & np.isfinite(moved), self._cap_mw[k], 0.0)
            cap = np.maximum(offered, self._forced.held_mw[CODES.index(one.code)]) * free
            if cap.any():
                found.append(self._service(one, cap, np.nan_to_num(paid), np.nan_to_num(moved)))
        return tuple(found)

    def _service(self, one: Product, cap: FloatArray, paid: FloatArray, moved: FloatArray) -> WindowService:
        horizon = self.horizon
        block = horizon.block if one.window == "efa_block" else np.arange(horizon.periods)
        most = np.zeros(int(block[-1]) + 1)
        np.maximum.at(most, block, cap)
        share = np.array([one.recovery_share_on(day) for day in horizon.efa_date])
        required = np.full(horizon.periods, one.duration_h)
        if one.kind == "response":
            required = after_delivery_path(one.duration_h, moved, horizon.block)
        return WindowService(
            one.code, one.direction, block, most, paid, moved, required, self._energy_price(one), share
        )

    def _energy_price(self, one: Product) -> FloatArray:
        """Cash of a MWh moved: a utilisation price for reserve; nothing, or outside ABSVD the system price, else."""
        ancillary, none = self.settings.ancillary, np.zeros(self.horizon.periods)
        if one.kind == "reserve":
            prices = {str(code): value for code, value in ancillary.reserve_utilisation_price_gbp_mwh.items()}
            return none + prices.get(one.code, 0.0)
        return none if ancillary.absvd_applies else np.nan_to_num(self.system_price)
