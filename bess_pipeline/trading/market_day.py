"""A trading day of a strategy of all markets: one decision for each half-hour, then what physics makes of it.

What belongs here: what a decision knows, the order of decisions and outcomes, and the rows of
`trading/market_dispatch`. What does not: the problem of one decision (`dispatch_problem.py`), physics
(`market_physics.py`), trade within the day (`intraday.py`), acceptances in the balancing mechanism
(`balancing_mechanism.py`, made of these rows), cash (`market_settlement.py`) and the lake.

The decision for the half-hour that starts at T is made at T - 60 minutes (design.md 6). The state is measured then; the
two half-hours that lie between are fixed and rolled forward at their decided dispatch with expected activation; prices
are those known then, and forecasts. The band of services is kept with a margin for activation that is not expected. Of
the optimum over the look-ahead only the dispatch of T is kept, and the trade of the half-hour whose notification
deadline is next. Then activation and outages happen. What the battery cannot do of its baseline is forced
imbalance; so is what a decision had to leave beyond the imbalance cap, which it does only where physics as expected
leaves no other way:

    imbalance = metered - contracted - absvd,    |imbalance - forced - response outside ABSVD| <= cap
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bess_pipeline import gb_time
from bess_pipeline.ancillary.activation_effects import flows_of
from bess_pipeline.ancillary.products import table_of
from bess_pipeline.ancillary.rows import FloatArray
from bess_pipeline.battery.limits import Availability, PowerLimits, power_limits
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.errors import UserInputError
from bess_pipeline.gb_time import HALF_HOUR_H
from bess_pipeline.trading.delivery_record import DeliveryRecord
from bess_pipeline.trading.dispatch_problem import Decision, DispatchProblem, budgets_of
from bess_pipeline.trading.market_inputs import Expectation, MarketDay
from bess_pipeline.trading.market_physics import Asked, Done, carry_out, require_physical
from bess_pipeline.trading.timeline import DECISION_LEAD
from bess_pipeline.trading_tables import SERVICE_COLUMNS

__all__ = [
    "DecidedDay",
    "Expectation",
    "MarketDay",
    "decide_market_day",
    "dispatch_market_day",
    "expected_close_mwh",
    "expected_openings",
]

FIXED_AHEAD = DECISION_LEAD // gb_time.HALF_HOUR  # half-hours between the measured state and the one that is decided
ROUNDING_MWH = 1e-9
SNAP_MWH = 1e-6  # the solver's rounding: a dispatch so near to the contract is the contract, a trade so small is none


def dispatch_market_day(day: MarketDay) -> pd.DataFrame:
    """The rows of `decide_market_day`."""
    return decide_market_day(day).rows


@dataclass(frozen=True, eq=False)
class DecidedDay:
    """`trading/market_dispatch` rows, and what was decided before physics: charge and discharge (T, 2), MWh."""

    rows: pd.DataFrame
    decided_mwh: FloatArray


def decide_market_day(day: MarketDay) -> DecidedDay:
    """A day, half-hour by half-hour.

    Raises UserInputError in one sentence for inputs that do not fit together, SolverError where a decision has no
    answer or where the result breaks a limit of the battery by more than 1e-6.
    """
    run = _Run(day)
    for k in range(day.periods):
        run.step(k)
    for k in range(len(run.done), day.periods):
        run.happen(k)
    return DecidedDay(run.rows(), run.decided)


def expected_close_mwh(day: MarketDay, instant: datetime) -> float:
    """The state at the end of a day as it is expected at `instant`, MWh.

    The newest decision by then is made once more as if the day after had no contracts yet and could be sold at its
    expected day-ahead price, which is what a gate of the day after decides: the state at the end of the day in that
    optimum, with expected activation. UserInputError where nothing is decided by then.
    """
    decisions = int((day.start_utc[: day.periods] <= pd.Timestamp(instant + DECISION_LEAD)).sum())
    if not decisions:
        raise UserInputError(f"nothing of EFA day {day.efa_date} is decided by {instant:%Y-%m-%dT%H:%MZ}")
    run = _Run(day)
    for k in range(decisions):
        run.step(k)
    return run.expected_close_mwh(decisions - 1)


def expected_openings(day: MarketDay, decided_mwh: FloatArray, energy_mwh: FloatArray) -> tuple[float, float]:
    """The state at the end of a day as its next day's first two decisions expect it, MWh.

    They are made when the last two and the last half-hour of `day` are fixed but not over: rolled forward from the
    state `energy_mwh` (T,) at the end of what is over, with what was decided (T, 2), expected activation and outages as
    announced by then.
    """
    record, last = _record(day), len(day.start_utc) - 1
    found = []
    for ahead in range(FIXED_AHEAD, 0, -1):
        over = day.periods - ahead
        announced = day.announced(min(over + FIXED_AHEAD, last))
        limits = power_limits(day.battery, announced, (len(day.start_utc),))
        state = float(energy_mwh[over - 1])
        for t in range(over, day.periods):
            state = _rolled(day.battery, state, decided_mwh[t], record, limits, t).energy_mwh
        found.append(state)
    return found[0], found[1]


class _Run:
    """One day while it is carried out."""

    def __init__(self, day: MarketDay) -> None:
        self.day = day
        periods, horizon = day.periods, len(day.start_utc)
        self.record = _record(day)
        self._services_known = False
        self._budgets = budgets_of(day.battery, day.day_index)
        self._spread = day.intraday.settings.half_spread_gbp_mwh if day.intraday else 0.0
        self._problem = DispatchProblem(
            day.battery,
            horizon,
            self._budgets,
            day.imbalance_cap_mw * HALF_HOUR_H,
            self._spread,
            day.terminal_value_gbp_mwh,
            baseline_adds_headroom=day.baseline_adds_headroom,
            time_limit_s=day.time_limit_s,
        )
        self._limits = power_limits(day.battery, day.available, (periods,))
        self._asked = flows_of(day.codes, day.services[:, :periods], day.activation)
        self._announced: tuple[Availability, PowerLimits] | None = None
        self._trade_most = day.intraday.most_mwh if day.intraday else np.zeros(horizon)
        self.traded = np.zeros(horizon)
        self.decided = np.zeros((periods, 2))  # charge and discharge, MWh
        self.done: list[Done] = []

    def step(self, k: int) -> None:
        """The decision for half-hour k, with the half-hour that ends before it."""
        if k > FIXED_AHEAD:
            self.happen(k - FIXED_AHEAD - 1)
        self.decide(k)

    # --- a decision

    def decide(self, k: int) -> None:
        """The dispatch of half-hour k, and the trade that is decided with it."""
        day, limits = self.day, self._limits_announced(k)
        if not self._services_known and day.services_known_from is not None and k >= day.services_known_from:
            self.record.set_contracts(day.services)
            self._services_known = True
        fixed = self._fixed(k, limits)
        given = self._given(k, fixed[-1].energy_mwh if fixed else self._measured(k), limits, fixed)
        chosen = self._problem.decide(given)
        charge, discharge = _exclusive(float(chosen.charge_mwh[k]), float(chosen.discharge_mwh[k]))
        traded_at = k + self._lead
        if traded_at < day.periods:
            sold = float(chosen.sold_mwh[traded_at])
            self.traded[traded_at] = sold if abs(sold) > SNAP_MWH else 0.0
        contract = self._contract()[k]
        if abs(discharge - charge - contract) <= SNAP_MWH:
            charge, discharge = _exclusive(0.0, float(contract))
        self.decided[k] = charge, discharge

    def _given(
        self, k: int, energy_mwh: float, limits: PowerLimits, fixed: list[Done], *, after_day_open: bool = False
    ) -> Decision:
        day, battery, taken = self.day, self.day.battery, self.record.committed
        expected, open_market = day.expect(k), self._after_day if after_day_open else self._open_market(k)
        price = np.where(open_market, expected.day_ahead_gbp_mwh, expected.system_gbp_mwh)
        t = np.arange(price.size)
        trade = np.where((t >= k + self._lead) & ~open_market, self._trade_most, 0.0)
        _require_finite(k, price, np.where(trade > 0, expected.index_gbp_mwh, 0.0))
        charge, discharge = limits.charge_mw * HALF_HOUR_H, limits.discharge_mw * HALF_HOUR_H
        net_low, net_high = taken.charge_rating_mwh - charge, discharge - taken.discharge_rating_mwh
        if not day.baseline_adds_headroom:
            charge, discharge = np.maximum(-net_low, 0.0), np.maximum(net_high, 0.0)
        held = net_low <= net_high
        net_low, net_high = (np.where(held, np.clip(net, -charge, discharge), 0.0) for net in (net_low, net_high))
        filled, drawn = battery.charge_efficiency * taken.high_mwh, taken.low_mwh / battery.discharge_efficiency
        floor, ceiling = self.record.band_mwh(day.margin_half_hours)
        return Decision(
            k,
            energy_mwh,
            np.where(open_market, 0.0, self._contract()),
            open_market,
            price,
            expected.index_gbp_mwh,
            trade,
            filled - drawn,
            floor,
            ceiling,
            charge,
            discharge,
            net_low,
            net_high,
            self._left(k, fixed),
        )

    def _left(self, k: int, fixed: list[Done]) -> list[float]:
        """What the past, the fixed half-hours and expected activation leave of each budget, MWh."""
        charged, discharged = self.record.committed.high_mwh.copy(), self.record.committed.low_mwh.copy()
        past = [*self.done[: k - len(fixed)], *fixed]
        charged[:k] = [one.charge_mwh + one.high_mwh for one in past]
        discharged[:k] = [one.discharge_mwh + one.low_mwh for one in past]
        return [budget.most_mwh - budget.used(charged, discharged) for budget in self._budgets]

    def _measured(self, k: int) -> float:
        """The state at the start of the first half-hour that is not over at decision k, MWh."""
        if k > FIXED_AHEAD:
            return self.done[k - FIXED_AHEAD - 1].energy_mwh
        expected = self.day.expected_opening_mwh
        return self.day.opening_energy_mwh if expected is None or k >= FIXED_AHEAD else expected[k]

    def _fixed(self, k: int, limits: PowerLimits) -> list[Done]:
        """The half-hours between, as expected."""
        state, found = self._measured(k), []
        for t in range(max(k - FIXED_AHEAD, 0), k):
            found.append(_rolled(self.day.battery, state, self.decided[t], self.record, limits, t))
            state = found[-1].energy_mwh
        return found

    def _contract(self) -> FloatArray:
        return self.day.day_ahead_mwh + self.traded

    def _open_market(self, k: int) -> NDArray[np.bool_]:
        """Half-hours whose day-ahead contract is not known at decision k."""
        known = self.day.day_ahead_known_from is not None and k >= self.day.day_ahead_known_from
        return self._after_day & (not known)

    @cached_property
    def _after_day(self) -> NDArray[np.bool_]:
        return np.arange(len(self.day.start_utc)) >= self.day.periods

    @property
    def _lead(self) -> int:
        return self.day.intraday.lead_periods if self.day.intraday else 0

    def _limits_announced(self, k: int) -> PowerLimits:
        announced = self.day.announced(k)
        if self._announced is None or self._announced[0] is not announced:
            self._announced = announced, power_limits(self.day.battery, announced, (len(self.day.start_utc),))
        return self._announced[1]

    def expected_close_mwh(self, k: int) -> float:
        """The state at the end of the day as decision k, just made, would have it without contracts after the day."""
        limits = self._limits_announced(k)
        fixed = self._fixed(k, limits)
        state = fixed[-1].energy_mwh if fixed else self._measured(k)
        chosen = self._problem.decide(self._given(k, state, limits, fixed, after_day_open=True))
        return float(chosen.energy_mwh[self.day.periods])

    # --- what happens

    def happen(self, k: int) -> None:
        """Half-hour k as it turns out."""
        day = self.day
        state = self.done[-1].energy_mwh if self.done else day.opening_energy_mwh
        low, high = float(self._asked.export_mwh[k]), float(self._asked.import_mwh[k])
        limits = tuple(float(one[k]) * HALF_HOUR_H for one in (self._limits.charge_mw, self._limits.discharge_mw))
        charge, discharge = self.decided[k]
        done = carry_out(day.battery, state, Asked(charge, discharge, low, high), *limits)
        self.done.append(done)
        self.record.delivered(k, day.activation[:, k], _share(done.low_mwh, low), _share(done.high_mwh, high))

    # --- the record

    def rows(self) -> pd.DataFrame:
        """The day, re-checked."""
        day, periods, done = self.day, self.day.periods, self.done
        charge_most, discharge_most = self._limits.charge_mw * HALF_HOUR_H, self._limits.discharge_mw * HALF_HOUR_H
        starts = day.start_utc[:periods]
        require_physical(day.battery, day.opening_energy_mwh, done, charge_most, discharge_most, list(starts))
        low, high, energy, net = (
            np.array([getattr(one, name) for one in done]) for name in ("low_mwh", "high_mwh", "energy_mwh", "net_mwh")
        )
        shares = [
            np.array([_share(*pair) for pair in zip(given, asked[:periods], strict=True)])
            for given, asked in ((low, self._asked.export_mwh), (high, self._asked.import_mwh))
        ]
        reserve = self._asked.reserve_export_mwh * shares[0] - self._asked.reserve_import_mwh * shares[1]
        absvd = reserve + ((low - high - reserve) if day.absvd_applies else 0.0)
        day_ahead, wanted = day.day_ahead_mwh[:periods], self.traded[:periods]
        traded = day.intraday.filled_mwh(wanted) if day.intraday else wanted
        metered = net + low - high
        decided = self.decided[:, 1] - self.decided[:, 0]
        cap = day.imbalance_cap_mw * HALF_HOUR_H
        deviation = decided - day_ahead - wanted
        beyond = deviation - np.clip(deviation, -cap, cap)
        forced = net - decided + np.where(np.abs(beyond) > SNAP_MWH, beyond, 0.0) + (wanted - traded)
        missing = np.maximum(
            self.record.missing_mwh(np.append(day.opening_energy_mwh, energy[:-1])),
            self._without_power_mwh(discharge_most, charge_most),
        )
        fills = [day.intraday.fill_price_gbp_mwh(k, traded[k]) if day.intraday else np.nan for k in range(periods)]
        columns = {
            "efa_date": [day.efa_date] * periods,
            "strategy": day.strategy,
            "start_utc": starts,
            "charge_mw": np.array([one.charge_mwh for one in done]) / HALF_HOUR_H,
            "discharge_mw": np.array([one.discharge_mwh for one in done]) / HALF_HOUR_H,
            "activation_export_mwh": low,
            "activation_import_mwh": high,
            "contracted_mwh": day_ahead + traded,
            "metered_mwh": metered,
            "imbalance_mwh": _without_rounding(metered - day_ahead - traded - absvd),
            "forced_imbalance_mwh": _without_rounding(forced),
            "energy_mwh": energy,
            "day_ahead_mwh": day_ahead,
            "intraday_mwh": traded,
            "intraday_price_gbp_mwh": np.array(fills, dtype=float),
            "planned_charge_mw": day.planned_charge_mw,
            "planned_discharge_mw": day.planned_discharge_mw,
            "absvd_mwh": absvd + 0.0,
            "reserve_mwh": reserve + 0.0,
            "accepted_mwh": 0.0,
            "accepted_price_gbp_mwh": np.nan,
            **_service_columns(day),
            "missing_low_mwh": missing[0],
            "missing_high_mwh": missing[1],
            "delivered_low_share": shares[0],
            "delivered_high_share": shares[1],
        }
        return pd.DataFrame(columns)

    def _without_power_mwh(self, discharge_most_mwh: FloatArray, charge_most_mwh: FloatArray) -> FloatArray:
        """AC energy of a half-hour that contracts may ask for beyond what an outage or the grid leaves, (2, T), MWh."""
        day = self.day
        low = np.array([one.direction == "low" for one in table_of(day.codes)], dtype=bool)
        sold = np.stack([day.services[side, : day.periods].sum(axis=0) for side in (low, ~low)]) * HALF_HOUR_H
        most = np.stack([discharge_most_mwh, charge_most_mwh])
        if day.baseline_adds_headroom:
            done = [[one.charge_mwh for one in self.done], [one.discharge_mwh for one in self.done]]
            most = most + np.array(done)
        beyond = sold - most
        return np.asarray(np.where(beyond > SNAP_MWH, beyond, 0.0))


def _record(day: MarketDay) -> DeliveryRecord:
    return DeliveryRecord(day.battery, day.codes, day.horizon, day.services_of_day, day.expected_activation)


def _rolled(
    battery: Battery, state: float, flow_mwh: FloatArray, record: DeliveryRecord, limits: PowerLimits, t: int
) -> Done:
    """A fixed half-hour as expected: charge and discharge (2,) as decided, activation as expected."""
    taken = record.committed
    asked = Asked(float(flow_mwh[0]), float(flow_mwh[1]), float(taken.low_mwh[t]), float(taken.high_mwh[t]))
    return carry_out(
        battery, state, asked, float(limits.charge_mw[t]) * HALF_HOUR_H, float(limits.discharge_mw[t]) * HALF_HOUR_H
    )


def _exclusive(charge_mwh: float, discharge_mwh: float) -> tuple[float, float]:
    """Without the solver's rounding: none of the smaller one, of which `DispatchProblem` leaves no more than that."""
    net = discharge_mwh - charge_mwh
    net = net if abs(net) > ROUNDING_MWH else 0.0
    return max(-net, 0.0) + 0.0, max(net, 0.0) + 0.0


def _share(done_mwh: float, asked_mwh: float) -> float:
    return min(max(done_mwh / asked_mwh, 0.0), 1.0) if asked_mwh > 0 else 1.0


def _without_rounding(volume_mwh: FloatArray) -> FloatArray:
    return np.asarray(np.where(np.abs(volume_mwh) > ROUNDING_MWH, volume_mwh, 0.0))


def _require_finite(k: int, price_gbp_mwh: FloatArray, index_gbp_mwh: FloatArray) -> None:
    for name, values in (("price", price_gbp_mwh), ("market index", index_gbp_mwh)):
        missing = np.flatnonzero(~np.isfinite(values[k:]))
        if missing.size:
            raise UserInputError(
                f"the decision for half-hour {k} has no expected {name} of half-hour {k + int(missing[0])}"
            )


def _service_columns(day: MarketDay) -> dict[str, FloatArray]:
    none = np.zeros(day.periods)
    held = {f"{code.lower()}_mw": day.services[n, : day.periods] for n, code in enumerate(day.codes)}
    return {name: held.get(name, none) for name in SERVICE_COLUMNS}
