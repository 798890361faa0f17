"""The state that a plan opens with: what is known of the battery at a gate, rolled forward to the trading day.

What belongs here: which state a gate of a day starts from, on what that state stands, and whether it still does. What
does not: the dispatch that the state is read from (`market_replay.py`), and the decision made of it (`gate_plan.py`).

At both gates of day D the battery is in the middle of day D-1 (design.md 6). Its state is that of the dispatch of D-1
as far as it has been decided by the gate, which knows nothing that the gate is about to decide; the rest of D-1 is what
the newest of these decisions expects where D is free to be sold, with expected activation. The realised close of D-1 is
known to D's dispatch alone. Where the lake does not hold what the dispatch of D-1 takes, its plan counts as carried
out, and a note says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from bess_pipeline.battery.degradation import WearState
from bess_pipeline.errors import BessError, UserInputError
from bess_pipeline.lake import Lake
from bess_pipeline.market_tables import MARKET_DISPATCH
from bess_pipeline.settings import Settings
from bess_pipeline.trading import timeline
from bess_pipeline.trading.chains import is_chain_start, named_starts
from bess_pipeline.trading.condition import Condition
from bess_pipeline.trading.market_replay import COMPLETE, MarketReplay
from bess_pipeline.trading.market_status import why_unplanned
from bess_pipeline.trading_tables import CO_OPTIMISED_PLAN

ONE_DAY = timedelta(days=1)
DISABLED = "co_optimisation.enabled is false"
MEASURED = "measured "  # before what such a state stands on


@dataclass(frozen=True)
class GateOpening:
    """The state at 23:00 before a day as expected at a gate, MWh, with its wear; None and the reason without one.

    stands_on: changes where the state may have. note: what a reader of the plan must know of it.
    """

    energy_mwh: float | None
    wear: WearState
    stands_on: str = ""
    reason: str = ""
    note: str = ""


class GateStates:
    """States at the gates of one workspace's trading days under one set of settings."""

    def __init__(
        self,
        settings: Settings,
        lake: Lake,
        now: Callable[[], datetime],
        chain_starts: Callable[[], Iterable[date]],
        condition: Condition,
    ) -> None:
        self.settings = settings
        self.lake = lake
        self.now = now
        self.condition = condition
        self._declared = chain_starts
        self._replay = MarketReplay(settings, lake, now, chain_starts)

    def read_together(self, days: Sequence[date]) -> None:
        """Read the market of `days`, which are planned one after the other, once."""
        if days:
            self._replay.read_together([*(one - ahead * ONE_DAY for one in days[:1] for ahead in (2, 1)), *days])

    def carry_to(self, day: date) -> None:
        """Dispatch the day that is over at the gates of `day`, where that follows on it and it does not stand.

        What comes after it is planned by then, so that its last decisions know those contracts.
        """
        between, ended, trading = day - ONE_DAY, day - 2 * ONE_DAY, self.settings.trading
        follows = not is_chain_start(day, trading) and not is_chain_start(between, trading)
        if follows and self.lake.has(CO_OPTIMISED_PLAN, between) and not self._replay.finished(ended):
            self._replay.dispatch_one(ended)

    def opening(self, day: date, strategy: str, gate: timeline.Gate) -> GateOpening:
        """The state that a strategy's plan of a day opens with at a gate."""
        planned = self._as_planned(day, strategy)
        if not self._follows(day, strategy):
            return planned
        before, instant = day - ONE_DAY, min(self.now(), timeline.gate_utc(day, gate))
        try:
            if self._follows(before, strategy) and not self._dispatched(before - ONE_DAY, strategy):
                raise UserInputError(f"{before - ONE_DAY} is not dispatched")
            energy, wear = self._replay.expected_close(before, strategy, instant)
        except BessError as error:
            return GateOpening(planned.energy_mwh, planned.wear, planned.stands_on, note=_as_if_planned(day, error))
        return GateOpening(energy, wear, self._measured_on(day, strategy, gate))

    def holds(self, day: date, strategy: str, gate: timeline.Gate, stands_on: str) -> bool:
        """Whether a state is what it was when it stood on this."""
        if stands_on.startswith(MEASURED) and self._follows(day, strategy):
            return stands_on == self._measured_on(day, strategy, gate)
        return stands_on == self._as_planned(day, strategy).stands_on and not self._carried_out(day, strategy)

    def _dispatched(self, day: date, strategy: str) -> bool:
        return bool(self.lake.stamp(MARKET_DISPATCH, day).get(f"closing.{strategy}"))

    def _follows(self, day: date, strategy: str) -> bool:
        """Whether the day opens with what the day before it leaves, and that day was planned or left idle."""
        enabled = self.settings.co_optimisation.enabled and not is_chain_start(day, self.settings.trading)
        return enabled and self._planned_close(day, strategy) is not None

    def _measured_on(self, day: date, strategy: str, gate: timeline.Gate) -> str:
        """What the dispatch of the day before stands on as far as the gate knows it."""
        before = day - ONE_DAY
        known = self.condition.vintage(before, timeline.gate_utc(day, gate))
        parts = (self.settings.market_dispatch_fingerprint(), self._replay.stands_on(before, strategy), known)
        return MEASURED + hashlib.sha256("|".join(parts).encode()).hexdigest()[:12]

    def _carried_out(self, day: date, strategy: str) -> bool:
        """Whether the day before has been dispatched since, so that its state at the gate is known."""
        if not self._follows(day, strategy) or why_unplanned(self.lake, day - ONE_DAY, strategy):
            return False
        return self.lake.stamp(MARKET_DISPATCH, day - ONE_DAY).get(f"status.{strategy}") == COMPLETE

    def _as_planned(self, day: date, strategy: str) -> GateOpening:
        """The state where every plan is carried out as it was made."""
        wear, trading = self.condition.initial_wear, self.settings.trading
        if not self.settings.co_optimisation.enabled:
            return GateOpening(None, wear, reason=DISABLED)
        initial = self.condition.new_battery.initial_energy_mwh
        if is_chain_start(day, trading):
            return GateOpening(initial, wear, repr(initial))
        closing = self._planned_close(day, strategy)
        if closing is not None:
            return GateOpening(closing, wear, repr(closing))
        if day in named_starts(trading, self._declared()) or not self._closed_before(day, strategy):
            return GateOpening(initial, wear, repr(initial))
        why = f"the day before it, {day - ONE_DAY}, has no plan: run that day first, or make {day} a chain start"
        return GateOpening(None, wear, reason=why)

    def _planned_close(self, day: date, strategy: str) -> float | None:
        text = self.lake.stamp(CO_OPTIMISED_PLAN, day - ONE_DAY).get(f"closing.{strategy}", repr(None))
        return None if text == repr(None) else float(text)

    def _closed_before(self, day: date, strategy: str) -> bool:
        """True when some day before has a closing state, so that a chain is broken where the last one has none."""
        earlier = (self.lake.stamp(CO_OPTIMISED_PLAN, one) for one in self.lake.days(CO_OPTIMISED_PLAN) if one < day)
        return any(stamp.get(f"closing.{strategy}", repr(None)) != repr(None) for stamp in earlier)


def _as_if_planned(day: date, error: BessError) -> str:
    before = day - ONE_DAY
    return f"it opens as the plan of {before} is expected to end: what {before} did by the gate is not known ({error})"
