"""Carries trading days through the lake: plan, foresight, dispatch, cash, status and P&L, day by day.

What belongs here: reading a day's inputs from the lake, the state carried from the day before, the
stamp of every partition and the reason of every day that is not complete. What does not: the
decisions and formulas themselves (`strategies.py` and what it lists, `dispatch.py`, `settlement.py`)
and Dagster (`orchestration/`).

The chain: a day starts from the closing state of the day before in the same table. A day without
one is refused, unless it is a declared chain start or lies before all that has been traded. A refused
day leaves the battery idle and its state carries on. What cannot be done for one day is written as that
day's reason and never raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta

import pandas as pd

from bess_pipeline import __version__, gb_time, schemas
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.errors import BessError
from bess_pipeline.lake import Lake
from bess_pipeline.optimisation.solver import Solver
from bess_pipeline.settings import Settings
from bess_pipeline.trading import foresight, market_status, timeline
from bess_pipeline.trading.chains import chains, is_chain_start, named_starts
from bess_pipeline.trading.condition import Condition, Opening
from bess_pipeline.trading.dispatch import dispatch_day, idle_day
from bess_pipeline.trading.known_prices import history_window
from bess_pipeline.trading.market_replay import MarketReplay
from bess_pipeline.trading.plans import PlanOutcome, PlanRequest, with_all_columns
from bess_pipeline.trading.settled_days import SettledDays
from bess_pipeline.trading.stamps import (
    CASHFLOW,
    COST_STAMP,
    DISPATCH,
    FORESIGHT,
    PLAN,
    RUN_STATUS,
    closes,
    efa_rows,
    vintage,
)
from bess_pipeline.trading.status import DayStatus
from bess_pipeline.trading.stored_forecast import planned_with
from bess_pipeline.trading.strategies import DECIDING, NAMES, STRATEGIES, Strategy

ONE_DAY = timedelta(days=1)


class Replay:
    """Trading days of one workspace under one set of settings."""

    def __init__(
        self,
        settings: Settings,
        lake: Lake,
        now: Callable[[], datetime],
        chain_starts: Callable[[], Iterable[date]],
        declare_chain_start: Callable[[date], object],
        solver: Solver | None = None,
    ) -> None:
        self.settings = settings
        self.lake = lake
        self.now = now
        self.battery = Battery.from_settings(settings.battery)
        self.condition = Condition(settings, lake)
        self.market = MarketReplay(settings, lake, now, chain_starts)
        self._settled = SettledDays(settings, lake, self.battery)
        # where a final state is set, the bound must reach it; else it ends free, as the strategies do
        self._closing_mwh = None if settings.battery.final_soc is None else self.battery.final_energy_mwh
        self._declared = chain_starts
        self._declare = declare_chain_start
        self._solver = solver or Solver(settings.solver)

    def availability(self, days: Sequence[date]) -> int:
        """Write trading.availability of `days` from the user's calendar; the number of rows."""
        return self.condition.record_availability(sorted(days), self._stamp(""))

    def degradation(self, days: Sequence[date]) -> int:
        """Write risk.degradation of `days` from their dispatch and cash; the number of rows."""
        return self.condition.write_degradation(sorted(days), self._stamp(""))

    def plan(self, days: Sequence[date]) -> list[DayStatus]:
        """Plans of `days` by every strategy that decides at a gate, each from what was known at it."""
        return [status for day in sorted(days) for status in self._plan_day(day)]

    def foresight(self, days: Sequence[date]) -> list[DayStatus]:
        """The perfect-foresight bound over each unbroken run of `days` in one chain as one problem."""
        parts = chains(days, self.settings.trading)
        runs = [run for part in parts for run in gb_time.consecutive_runs(part)]
        return [status for run in runs for status in self._foresight_run(run)]

    def dispatch(self, days: Sequence[date]) -> list[DayStatus]:
        """Carry out the plans of `days` in order; the battery idles where there is no plan."""
        return [status for day in sorted(days) for status in self._dispatch_day(day)]

    def settle(self, days: Sequence[date]) -> list[DayStatus]:
        """Cash of `days` from their dispatch and the prices in the lake."""
        return [status for day in sorted(days) for status in self._settled.settle(day)]

    def record_status(self, days: Sequence[date]) -> list[DayStatus]:
        """Write trading.run_status of `days`; later days whose opening state no longer holds become stale."""
        results = [status for day in sorted(days) for status in self._settled.record_status(day)]
        for run in gb_time.consecutive_runs(days):
            self.stale_after(run[-1])
        return results

    def pnl(self, days: Sequence[date]) -> int:
        """Write risk.daily_pnl of `days`; the number of rows."""
        return sum(self._settled.pnl(day) for day in sorted(days))

    def unfinished(self, days: Iterable[date]) -> list[date]:
        """The days that are not complete under these settings: never run, refused, provisional or stale."""
        return [day for day in days if not self.finished(day)]

    def finished(self, day: date) -> bool:
        """True when every strategy of the day is complete and was run with these settings and outages.

        A strategy of all markets that had no plan of the day is left out.
        """
        if not (self.traded(day) and self.market.finished(day)):
            return False
        if self.lake.stamp(CASHFLOW, day).get(COST_STAMP, "") != self.settings.cost_fingerprint():
            return False
        status = self.lake.read(RUN_STATUS, day, day)
        due = market_status.due(self.settings, self.lake, day)
        waits = [market_status.waits(self.lake, day, str(name)) for name in status["strategy"]]
        return {*due} <= {*status["strategy"]} and bool((status["status"] == "complete")[waits].all())

    def traded(self, day: date) -> bool:
        """True when every strategy of the day-ahead market is complete, with these settings and outages."""
        if not self.lake.has(RUN_STATUS, day):
            return False
        if not self.condition.calendar_holds(day, self.lake.stamp(DISPATCH, day).get("outages", "")):
            return False
        if self.lake.stamp(RUN_STATUS, day).get("settings") != self.settings.fingerprint():
            return False
        status = self.lake.read(RUN_STATUS, day, day)
        own = status[status["strategy"].isin(NAMES)]
        return set(own["strategy"]) == set(NAMES) and bool((own["status"] == "complete").all())

    def planned(self, day: date) -> bool:
        """True when a plan of the day is stored that was made with these settings and known outages."""
        stamp = self.lake.stamp(PLAN, day)
        return (
            stamp.get("settings") == self.settings.fingerprint()
            and self.condition.calendar_holds(day, stamp.get("outages", ""), _plan_gate(day))
            and all(stamp.get(f"reason.{strategy.name}") == "" for strategy in DECIDING)
        )

    def stale_after(self, day: date) -> list[date]:
        """As `SettledDays.stale_after`."""
        return self._settled.stale_after(day)

    def _plan_day(self, day: date) -> list[DayStatus]:
        prices = self._day_ahead(*history_window(day, self.settings.trading.history_days))
        forecast = planned_with(self.lake, self.settings.rolling, day)
        results, frames, stamp = [], [], self._stamp(vintage(prices) + ("" if forecast is None else vintage(forecast)))
        stamp["outages"] = self.condition.vintage(day, _plan_gate(day))
        for strategy in DECIDING:
            opening = self._opening(PLAN, strategy.name, day)
            made = self._decide(strategy, day, prices, forecast, opening)
            if made.frame is not None:
                frames.append(made.frame)
            stamp |= self._plan_stamp(strategy.name, day, made.frame, opening, made.reason)
            stamp[f"forecast.{strategy.name}"] = made.forecast
            results.append(DayStatus(day, strategy.name, "refused" if made.reason else "complete", made.reason))
        self.lake.write(PLAN, day, with_all_columns(_concat(PLAN, frames)), stamp)
        return results

    def _decide(
        self, strategy: Strategy, day: date, prices: pd.DataFrame, forecast: pd.DataFrame | None, opening: Opening
    ) -> PlanOutcome:
        """A strategy's plan of a day, or None and the reason: a solver that fails costs this day of this strategy."""
        if opening.energy_mwh is None or strategy.plan is None:
            return PlanOutcome(None, opening.reason)
        battery, energy_mwh = self.condition.start(opening.wear, opening.energy_mwh)
        known, gate = self.condition.availability, _plan_gate(day)
        request = PlanRequest(
            day, prices, battery, energy_mwh, lambda one: known(one, gate), self.settings, self._solver, forecast
        )
        try:
            return strategy.plan(request)
        except BessError as error:
            return PlanOutcome(None, str(error))

    def _foresight_run(self, days: list[date]) -> list[DayStatus]:
        strategy = foresight.STRATEGY
        opening = self._opening(FORESIGHT, strategy, days[0])
        margin = timedelta(days=self.settings.trading.foresight_margin_days)
        prices = self._day_ahead(days[0], days[-1] + margin)
        plans: dict[date, pd.DataFrame] = {}
        problem = opening.reason
        held_mwh = repr(self.condition.battery(opening.wear).energy_mwh)
        if opening.energy_mwh is not None:
            try:
                plans = foresight.plan_days(
                    days,
                    prices,
                    *self.condition.start(opening.wear, opening.energy_mwh),
                    margin_days=margin.days,
                    solver=self._solver,
                    closing_energy_mwh=self._closing_mwh,
                    availability=self.condition.availability,
                )
            except BessError as error:
                problem = str(error)
        results = []
        for day in days:
            frame = plans.get(day)
            reason = "" if frame is not None else problem or self._no_price_reason(day, prices)
            here = opening if day == days[0] else self._opening(FORESIGHT, strategy, day)
            stamp = self._stamp(vintage(prices)) | {"outages": self.condition.vintage(day)}
            stamp |= {f"capacity.{strategy}": held_mwh}
            stamp |= self._plan_stamp(strategy, day, frame, here, reason, held_mwh)
            self.lake.write(FORESIGHT, day, frame if frame is not None else schemas.empty_frame(FORESIGHT), stamp)
            results.append(DayStatus(day, strategy, "refused" if reason else "complete", reason))
        return results

    def _dispatch_day(self, day: date) -> list[DayStatus]:
        results, frames, stamp = [], [], self._stamp("")
        if gb_time.efa_day_bounds_utc(day)[1] > self.now():
            end = gb_time.efa_day_bounds_utc(day)[1]
            reason = f"the trading day ends at {end:%Y-%m-%dT%H:%MZ}"
            for strategy in NAMES:
                stamp |= {f"status.{strategy}": "not_published", f"reason.{strategy}": reason}
                results.append(DayStatus(day, strategy, "not_published", reason))
            self.lake.write(DISPATCH, day, schemas.empty_frame(DISPATCH), stamp)
            return results
        for strategy, plan_table in ((one.name, one.plan_table) for one in STRATEGIES):
            opening = self._opening(DISPATCH, strategy, day)
            frame, reason = self._dispatch_strategy(day, strategy, plan_table, opening)
            if frame is not None:
                frames.append(frame)
                stamp |= self.condition.state_stamp(strategy, opening, frame)
            status = "refused" if reason else "complete"
            stamp |= {f"status.{strategy}": status, f"reason.{strategy}": reason}
            results.append(DayStatus(day, strategy, status, reason))
        stamp["outages"] = self.condition.vintage(day)
        stamp["inputs"] = self.lake.content_hash(PLAN, [day]) + self.lake.content_hash(FORESIGHT, [day])
        self.lake.write(DISPATCH, day, _concat(DISPATCH, frames), stamp)
        return results

    def _dispatch_strategy(
        self, day: date, strategy: str, plan_table: str, opening: Opening
    ) -> tuple[pd.DataFrame | None, str]:
        if opening.energy_mwh is None:
            return None, opening.reason
        plan, stamp = self.lake.read(plan_table, day, day), self.lake.stamp(plan_table, day)
        plan = plan[plan["strategy"] == strategy]
        held_mwh = stamp.get(f"capacity.{strategy}")
        battery, energy_mwh = self.condition.start(opening.wear, opening.energy_mwh, held_mwh)
        availability = self.condition.availability(day)
        if plan.empty:
            reason = stamp.get(f"reason.{strategy}") or f"{plan_table} has no plan for {day}: materialise it first"
            return idle_day(day, strategy, energy_mwh, battery, availability), reason
        return dispatch_day(battery, plan, energy_mwh, availability), ""

    def _opening(self, table: str, strategy: str, day: date) -> Opening:
        if is_chain_start(day, self.settings.trading):
            return self.condition.chain_start(day)
        before = day - ONE_DAY
        stamp = self.lake.stamp(table, before)
        carried = self.condition.carried(strategy, stamp, before)
        if carried is not None:
            return carried
        unknown = bool(stamp) and f"reason.{strategy}" not in stamp  # that day was run before there was this strategy
        named = day in named_starts(self.settings.trading, self._declared())
        if unknown or named or self._begins(day):
            return self.condition.chain_start(day)
        why = f"the day before it, {before}, has no closing state: run that day first, or make {day} a chain start"
        return Opening(None, None, why)

    def _begins(self, day: date) -> bool:
        """Declare `day` the start of a chain where it has prices and lies before all that is traded; whether it does.

        So the order in which ranges are asked for does not count: a chain begins on the first of its days.
        """
        traded = (other for other in self.lake.days(DISPATCH) if closes(self.lake.stamp(DISPATCH, other)))
        known = [*named_starts(self.settings.trading, self._declared()), next(traded, day)]
        if min(known) < day or not self._has_prices(day):
            return False
        self._declare(day)
        return True

    def _plan_stamp(
        self,
        strategy: str,
        day: date,
        frame: pd.DataFrame | None,
        opening: Opening,
        reason: str,
        held_mwh: str | None = None,
    ) -> dict[str, str]:
        """Reason and planned states of a strategy's day; without a plan the battery is taken to idle."""
        stamp = {f"reason.{strategy}": reason}
        if opening.energy_mwh is None:
            return stamp
        if frame is None:
            battery, energy_mwh = self.condition.start(opening.wear, opening.energy_mwh, held_mwh)
            frame = idle_day(day, strategy, energy_mwh, battery)
        return stamp | self.condition.state_stamp(strategy, opening, frame)

    def _day_ahead(self, first: date, last: date) -> pd.DataFrame:
        """Day-ahead rows of EFA days `first` to `last`: settlement dates from the day before."""
        return efa_rows(self.lake, "market/day_ahead_price", first, last)

    def _has_prices(self, day: date) -> bool:
        return not self.lake.read("market/day_ahead_price", day - ONE_DAY, day).empty

    def _no_price_reason(self, day: date, prices: pd.DataFrame) -> str:
        grid = gb_time.efa_half_hours(day)
        held = prices["start_utc"].isin(grid).sum()
        return f"{len(grid) - held} of {len(grid)} day-ahead prices of the trading day are missing"

    def _stamp(self, inputs: str) -> dict[str, str]:
        return {
            "settings": self.settings.fingerprint(),
            "code": __version__,
            "seed": str(self.settings.seed),
            "inputs": inputs,
        }


def _plan_gate(day: date) -> datetime:
    return timeline.gate_utc(day, "day_ahead")


def _concat(table: str, frames: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(frames, ignore_index=True) if frames else schemas.empty_frame(table)
