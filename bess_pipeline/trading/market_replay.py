"""Carries the strategies of all markets through the lake: dispatch, day by day and strategy by strategy.

What belongs here: the state carried from the day before, which days stand, the stamp of every partition and the reason
of every day that is not dispatched. What does not: what a day is given (`stored_market.py`), its decisions
(`market_day.py`), plans (`co_optimised_days.py`), cash (`settled_days.py`) and Dagster (`orchestration/`).

A day is dispatched once: anew only where its opening state, its plans and what was accepted of them, outages or
settings have changed, or an input was missing. A day of which no plan was ever tried is not dispatched at all; one
without a plan leaves the battery idle and its state carries on, and so does one with a missing input. A chain begins on
the first day that is dispatched, and where the workspace or the settings declare one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache, partial

import numpy as np
import pandas as pd

from bess_pipeline import __version__, gb_time, schemas
from bess_pipeline.battery.degradation import WearState
from bess_pipeline.battery.limits import ALWAYS, Availability
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.errors import BessError, UserInputError
from bess_pipeline.lake import Lake
from bess_pipeline.market_tables import MARKET_DISPATCH, WITHOUT_NEXT_DAY
from bess_pipeline.settings import Settings
from bess_pipeline.trading.balancing_mechanism import with_acceptances
from bess_pipeline.trading.chain_workers import work_through
from bess_pipeline.trading.chains import chains, is_chain_start, named_starts
from bess_pipeline.trading.condition import Condition, Opening
from bess_pipeline.trading.dispatch import closing_energy_mwh, idle_day
from bess_pipeline.trading.foresight_days import ForesightDays
from bess_pipeline.trading.market_day import (
    decide_market_day,
    dispatch_market_day,
    expected_close_mwh,
    expected_openings,
)
from bess_pipeline.trading.market_inputs import MarketDay
from bess_pipeline.trading.market_status import UNPLANNED, due, planned_with, why_unplanned
from bess_pipeline.trading.market_strategies import FORESIGHT_48H
from bess_pipeline.trading.stamps import efa_rows, vintage
from bess_pipeline.trading.status import DayStatus
from bess_pipeline.trading.stored_market import StoredMarket
from bess_pipeline.trading_tables import FORESIGHT_ORDERS, SERVICE_COLUMNS

ONE_DAY = timedelta(days=1)
COMPLETE, REFUSED, NOT_PUBLISHED = "complete", "refused", "not_published"


@dataclass
class _Done:
    """One strategy's day: rows, None where there is no opening state, and what the stamp says of it."""

    rows: pd.DataFrame | None
    status: str
    reason: str = ""
    expected_opening_mwh: tuple[float, float] | None = None
    orders: pd.DataFrame = field(default_factory=lambda: schemas.empty_frame(FORESIGHT_ORDERS))


class MarketReplay:
    """Dispatched days of one workspace under one set of settings."""

    def __init__(
        self,
        settings: Settings,
        lake: Lake,
        now: Callable[[], datetime],
        chain_starts: Callable[[], Iterable[date]],
    ) -> None:
        self.settings = settings
        self.lake = lake
        self.now = now
        self.condition = Condition(settings, lake)
        self._declared = chain_starts
        self._together: tuple[Sequence[date], Callable[[], StoredMarket]] | None = None

    def unfinished(self, days: Iterable[date]) -> list[date]:
        """The days that are to be dispatched (anew) under these settings; with a day those that open with its close."""
        found: list[date] = []
        for day in sorted(days):
            follows = found and found[-1] == day - ONE_DAY and not is_chain_start(day, self.settings.trading)
            if (follows and due(self.settings, self.lake, day)) or not self.finished(day):
                found.append(day)
        return found

    def finished(self, day: date) -> bool:
        """True when nothing of the day is left to dispatch: all its strategies stand, or it has none."""
        stamp = self.lake.stamp(MARKET_DISPATCH, day)
        strategies = due(self.settings, self.lake, day)
        if not strategies:
            return True
        return (
            stamp.get("settings") == self._fingerprint
            and self.condition.calendar_holds(day, stamp.get("outages", ""))
            and all(self._stands(day, strategy, stamp) for strategy in strategies)
        )

    def dispatch(self, days: Sequence[date], *, again: bool = True) -> list[DayStatus]:
        """Dispatch `days`, each chain in order, those that stand as well unless `again` is False."""
        wanted = sorted(days) if again else self.unfinished(days)
        tried = [day for day in wanted if due(self.settings, self.lake, day)]
        trading, declared = self.settings.trading, tuple(self._declared())
        return [
            status
            for statuses in work_through(
                chains(tried, trading),
                trading.workers,
                self._working_on(tried),
                partial(_in_a_worker, self.settings, self.lake, self.now(), declared, tried),
            )
            for status in statuses
        ]

    def read_together(self, days: Sequence[date]) -> None:
        """Read the market of `days` once, when the first of them is looked at."""
        self._together = days, cache(lambda: StoredMarket(self.settings, self.lake, self.condition, days))

    def expected_close(self, day: date, strategy: str, instant: datetime) -> tuple[float, WearState]:
        """State at the end of a day as it is expected at `instant`, MWh, and the wear that the day began with.

        From the stored state before the day, its plan and accepted orders; of a day without a plan, the idle state.
        UserInputError where one of these or an outcome is not in the lake, or nothing of the day is decided yet.
        """
        opening = self._opening(strategy, day)
        if opening.energy_mwh is None:
            raise UserInputError(opening.reason)
        battery, energy_mwh = self.condition.start(opening.wear, opening.energy_mwh)
        if why_unplanned(self.lake, day, strategy):
            availability = self.condition.availability(day)
            return closing_energy_mwh(idle_market_day(day, strategy, energy_mwh, battery, availability)), opening.wear
        given = self._given(day, strategy, battery, energy_mwh, self._read(day))
        return expected_close_mwh(given, instant), opening.wear

    def stands_on(self, day: date, strategy: str) -> str:
        """What a strategy's dispatch stands on, beside settings and outages."""
        return self._inputs(day, strategy, self._opening(strategy, day))

    def dispatch_one(self, day: date) -> list[DayStatus]:
        """Dispatch one day from what is stored; nothing where it was never planned."""
        return self._dispatch_day(day) if due(self.settings, self.lake, day) else []

    def _read(self, day: date) -> StoredMarket:
        """The market that is read together with a day, read anew where the day is none of those in between."""
        if self._together is None or not min(self._together[0]) <= day <= max(self._together[0]):
            self.read_together([day])
        assert self._together is not None
        return self._together[1]()

    def _working_on(self, tried: Sequence[date]) -> Callable[[date], list[DayStatus]]:
        """Dispatches one of the days `tried`, whose market is read together, once."""
        self.read_together(tried)
        return self._dispatch_day

    def _dispatch_day(self, day: date) -> list[DayStatus]:
        if gb_time.efa_day_bounds_utc(day)[1] > self.now():
            return self._not_ended(day)
        market, stamp = self._read(day), self._stamp(day)
        rows, orders, results = [], [], []
        for strategy in due(self.settings, self.lake, day):
            opening = self._opening(strategy, day)
            done = self._dispatch_strategy(day, strategy, opening, market)
            stamp |= {f"status.{strategy}": done.status, f"reason.{strategy}": done.reason}
            stamp |= {f"inputs.{strategy}": self._inputs(day, strategy, opening)}
            stamp |= {f"{UNPLANNED}.{strategy}": "yes" if why_unplanned(self.lake, day, strategy) else ""}
            if done.status == COMPLETE and market.goes_without_next_day(day, strategy):
                stamp[f"{WITHOUT_NEXT_DAY}.{strategy}"] = "yes"
            if done.rows is not None:
                rows.append(done.rows)
                orders.append(done.orders)
                stamp |= self.condition.state_stamp(strategy, opening, done.rows)
            if done.expected_opening_mwh is not None:
                stamp[f"expected_closing.{strategy}"] = " ".join(map(repr, done.expected_opening_mwh))
            results.append(DayStatus(day, strategy, done.status, done.reason))
        self._write(day, _joined(MARKET_DISPATCH, rows), _joined(FORESIGHT_ORDERS, orders), stamp)
        return results

    def _dispatch_strategy(self, day: date, strategy: str, opening: Opening, market: StoredMarket) -> _Done:
        """A strategy's day; where it cannot be dispatched, the idle day and the reason."""
        if opening.energy_mwh is None:
            return _Done(None, REFUSED, opening.reason)
        battery, energy_mwh = self.condition.start(opening.wear, opening.energy_mwh)
        try:
            return self._dispatched(day, strategy, battery, energy_mwh, market)
        except BessError as error:
            reason = str(error)
        return _Done(
            idle_market_day(day, strategy, energy_mwh, battery, self.condition.availability(day)), REFUSED, reason
        )

    def _dispatched(self, day: date, strategy: str, battery: Battery, energy_mwh: float, market: StoredMarket) -> _Done:
        if strategy == FORESIGHT_48H:
            return self._foreseen(day, battery, energy_mwh, market)
        given = self._given(day, strategy, battery, energy_mwh, market)
        decided = decide_market_day(given)
        rows = decided.rows
        mechanism = self.settings.balancing_mechanism
        if mechanism.enabled:
            rows = with_acceptances(
                rows,
                efa_rows(self.lake, "market/system_price", day, day),
                battery,
                mechanism,
                opening_energy_mwh=energy_mwh,
                seed=self.settings.seed,
                availability=self.condition.availability(day),
            )
        measured_mwh = rows["energy_mwh"].to_numpy(dtype="float64")  # with what was accepted by then
        return _Done(rows, COMPLETE, expected_opening_mwh=expected_openings(given, decided.decided_mwh, measured_mwh))

    def _given(self, day: date, strategy: str, battery: Battery, energy_mwh: float, market: StoredMarket) -> MarketDay:
        """What the dispatch of a strategy that plans with scenarios is given."""
        contract = market.contract(day, strategy)
        expect = market.forecasts.expect(day, contract.horizon)
        expected = self._expected_opening(strategy, day)
        return market.market_day(day, strategy, contract, battery, energy_mwh, expected, expect)

    def _foreseen(self, day: date, battery: Battery, energy_mwh: float, market: StoredMarket) -> _Done:
        """The day of the strategy that knows its outcome: planned here, from the state that it really opens with."""
        plan = ForesightDays(market).plan(day, battery, energy_mwh)
        given = market.market_day(
            day, FORESIGHT_48H, plan.contract, battery, energy_mwh, None, plan.expect, knows_outcome=True
        )
        return _Done(dispatch_market_day(given), COMPLETE, orders=plan.orders)

    def _not_ended(self, day: date) -> list[DayStatus]:
        stamp, results = self._stamp(day), []
        reason = f"the trading day ends at {gb_time.efa_day_bounds_utc(day)[1]:%Y-%m-%dT%H:%MZ}"
        for strategy in due(self.settings, self.lake, day):
            stamp |= {f"status.{strategy}": NOT_PUBLISHED, f"reason.{strategy}": reason}
            results.append(DayStatus(day, strategy, NOT_PUBLISHED, reason))
        self._write(day, schemas.empty_frame(MARKET_DISPATCH), schemas.empty_frame(FORESIGHT_ORDERS), stamp)
        return results

    def _write(self, day: date, rows: pd.DataFrame, orders: pd.DataFrame, stamp: dict[str, str]) -> None:
        """Rows of a day; its dispatch is written last, so that a stop between the two is seen."""
        stated = hashlib.sha256("|".join(f"{name}={stamp[name]}" for name in sorted(stamp)).encode()).hexdigest()[:12]
        stamp["inputs"] = stated + (vintage(rows) if len(rows) else "")
        self.lake.write(FORESIGHT_ORDERS, day, orders, stamp)
        self.lake.write(MARKET_DISPATCH, day, rows, stamp)

    def _stands(self, day: date, strategy: str, stamp: dict[str, str]) -> bool:
        """True when a strategy was dispatched, or left idle for want of a plan, with what the lake holds now."""
        if stamp.get(f"inputs.{strategy}") != self._inputs(day, strategy, self._opening(strategy, day)):
            return False
        return stamp[f"status.{strategy}"] == COMPLETE or stamp.get(f"{UNPLANNED}.{strategy}") == "yes"

    def _inputs(self, day: date, strategy: str, opening: Opening) -> str:
        """What a strategy's dispatch stands on, beside settings and outages."""
        plans = "" if strategy == FORESIGHT_48H else planned_with(self.lake, day, strategy)
        states = f"{opening.energy_mwh!r}|{self._expected_opening(strategy, day)}"
        return f"{plans}|{states}|{opening.chain_start}|{opening.wear.to_text()}"

    def _opening(self, strategy: str, day: date) -> Opening:
        """State at 23:00 on the day before, or the reason why there is none."""
        if is_chain_start(day, self.settings.trading):
            return self.condition.chain_start(day)
        before = day - ONE_DAY
        stamp = self.lake.stamp(MARKET_DISPATCH, before)
        carried = self.condition.carried(strategy, stamp, before)
        if carried is not None:
            return carried
        unknown = bool(stamp) and f"reason.{strategy}" not in stamp  # that day was run before there was this strategy
        named = day in named_starts(self.settings.trading, self._declared())
        if unknown or named or not self._dispatched_before(strategy, day):
            return self.condition.chain_start(day)
        why = f"the day before it, {before}, has no closing state: run that day first, or make {day} a chain start"
        return Opening(None, None, why)

    def _dispatched_before(self, strategy: str, day: date) -> bool:
        earlier = (one for one in reversed(self.lake.days(MARKET_DISPATCH)) if one < day)
        return any(self.lake.stamp(MARKET_DISPATCH, one).get(f"closing.{strategy}") for one in earlier)

    def _expected_opening(self, strategy: str, day: date) -> tuple[float, float] | None:
        """The opening state as the first two decisions expect it, which are made before it; None at a chain's start."""
        if self._opening(strategy, day).chain_start == day:
            return None
        text = self.lake.stamp(MARKET_DISPATCH, day - ONE_DAY).get(f"expected_closing.{strategy}", "")
        first, _, second = text.partition(" ")
        return (float(first), float(second)) if second else None

    @property
    def _fingerprint(self) -> str:
        return self.settings.market_dispatch_fingerprint()

    def _stamp(self, day: date) -> dict[str, str]:
        return {
            "settings": self._fingerprint,
            "code": __version__,
            "seed": str(self.settings.seed),
            "outages": self.condition.vintage(day),
        }


def _in_a_worker(
    settings: Settings, lake: Lake, now: datetime, declared: Sequence[date], tried: Sequence[date]
) -> Callable[[date], list[DayStatus]]:
    """The work of `MarketReplay.dispatch` on a day, in a process of its own."""
    return MarketReplay(settings, lake, lambda: now, lambda: declared)._working_on(tried)


def idle_market_day(
    day: date, strategy: str, energy_mwh: float, battery: Battery, availability: Availability = ALWAYS
) -> pd.DataFrame:
    """`trading/market_dispatch` rows of a day on which nothing is sold and nothing moved, but for losses at rest."""
    rows = idle_day(day, strategy, energy_mwh, battery, availability)
    nothing = dict.fromkeys(
        (
            "day_ahead_mwh",
            "intraday_mwh",
            "planned_charge_mw",
            "planned_discharge_mw",
            "absvd_mwh",
            "reserve_mwh",
            "accepted_mwh",
            *SERVICE_COLUMNS,
            "missing_low_mwh",
            "missing_high_mwh",
        ),
        0.0,
    )
    unpriced = {"intraday_price_gbp_mwh": np.nan, "accepted_price_gbp_mwh": np.nan}
    return rows.assign(**nothing, **unpriced, delivered_low_share=1.0, delivered_high_share=1.0)


def _joined(table: str, frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    held = [frame for frame in frames if len(frame)]
    return pd.concat(held, ignore_index=True) if held else schemas.empty_frame(table)
