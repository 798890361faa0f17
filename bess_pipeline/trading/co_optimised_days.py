"""Carries plans of all markets through the lake, day by day and gate by gate.

What belongs here: which gates are left to decide, the state carried from day to day, the stamp of every partition and
the reason of every gate without a plan. What does not: the decision (`co_optimised.py`), orders (`orders.py`), what a
plan is worth (`risk/plan_values.py`) and Dagster (`orchestration/`).

A gate that has closed is decided once: it is decided anew only where its scenarios, its opening state, what was
announced of outages, settings or the gate before it have changed, or a day-ahead result that it went without has come
in (a revised one changes nothing). A gate that is still open is decided from what is known so far, and once
more when it has closed. A day opens with the state that the plan of the day before is expected to end with; a day
without a plan leaves the battery idle. Orders are cleared as results come in. What cannot be planned is recorded with
its reason and never raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial

import pandas as pd

from bess_pipeline import __version__, schemas
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.errors import BessError
from bess_pipeline.forecast_tables import PATHS
from bess_pipeline.lake import Lake
from bess_pipeline.settings import Settings
from bess_pipeline.trading import timeline
from bess_pipeline.trading.chain_workers import work_through
from bess_pipeline.trading.chains import chains, is_chain_start, named_starts
from bess_pipeline.trading.co_optimised_names import PLANNED, PLANNED_GATES, gates_of
from bess_pipeline.trading.condition import Condition
from bess_pipeline.trading.dispatch import closing_energy_mwh, idle_day
from bess_pipeline.trading.gate_plan import GatePlan, GatePlanner
from bess_pipeline.trading.plan_status import PlanStatus, plan_status
from bess_pipeline.trading.stamps import vintage
from bess_pipeline.trading.stored_gate import StoredGates
from bess_pipeline.trading_tables import CO_OPTIMISED_PLAN, EXPLANATION, INFORMATION_VALUE, ORDERS, PLAN_VALUE

ONE_DAY = timedelta(days=1)
MADE_TABLES = (ORDERS, EXPLANATION, PLAN_VALUE, INFORMATION_VALUE, CO_OPTIMISED_PLAN)  # the plan is written last
DISABLED = "co_optimisation.enabled is false"


@dataclass
class _Day:
    """What is written of one day: rows by table and the stamp."""

    stamp: dict[str, str]
    rows: dict[str, list[pd.DataFrame]] = field(default_factory=lambda: {table: [] for table in MADE_TABLES})


class CoOptimisedDays:
    """Plans of all markets of one workspace under one set of settings."""

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
        self.gates = StoredGates(settings, lake, self.condition)
        self._declared = chain_starts
        self._planner = GatePlanner(settings, self.gates)

    def unfinished(self, days: Iterable[date]) -> list[date]:
        """The days with a gate to decide (anew) under these settings, or with orders to clear.

        With a day that is decided anew the one after it may open otherwise: it is among them.
        """
        found: list[date] = []
        moved: date | None = None
        for day in sorted(days):
            follows = moved == day - ONE_DAY and not is_chain_start(day, self.settings.trading)
            decided = not follows and self._decided(day)
            moved = moved if decided else day
            if not decided or not self._cleared(day):
                found.append(day)
        return found

    def finished(self, day: date) -> bool:
        """True when every gate of the day stands and its orders know all results that there are."""
        return self._decided(day) and self._cleared(day)

    def plan(self, days: Sequence[date], *, again: bool = False) -> list[PlanStatus]:
        """Decide the gates of `days` that do not stand yet, of all with `again`, and clear their orders."""
        settings, declared = self.settings, tuple(self._declared())
        work_through(
            chains(days, settings.trading),
            settings.trading.workers,
            lambda day: self._plan_day(day, again),
            partial(_in_a_worker, settings, self.lake, self.now(), declared, again),
        )
        return [plan_status(self.lake, day, strategy, gate) for day in sorted(days) for strategy, gate in PLANNED_GATES]

    def status(self, day: date, strategy: str, gate: timeline.Gate) -> PlanStatus:
        """How a gate stands, from its stamp."""
        return plan_status(self.lake, day, strategy, gate)

    def opening_energy_mwh(self, strategy: str, day: date) -> float | None:
        """The state that a strategy's plan of a day opens with, MWh; None where that is not known."""
        return self._opening(strategy, day)[0]

    def _plan_day(self, day: date, again: bool) -> None:
        made, again = _Day(self._stamp()), again or not self._whole(day)
        for strategy in PLANNED:
            opening, why_not = self._opening(strategy, day)
            anew = again
            closing: float | None = None
            sold: GatePlan | None = None
            for gate in gates_of(strategy):
                anew = anew or not self._stands(day, strategy, gate, opening)
                if not anew:
                    found = self._kept(day, strategy, gate, made)
                else:
                    found = self._decide(day, strategy, gate, opening, why_not, sold, made)
                sold = found if gate == "day_ahead" else sold
                closing = closing if found.closing_mwh is None else found.closing_mwh
            if opening is not None and closing is None:
                closing = self._idle_closing(day, strategy, opening)
            made.stamp |= {f"opening.{strategy}": repr(opening), f"closing.{strategy}": repr(closing)}
        self._write(day, made)

    def _decide(
        self,
        day: date,
        strategy: str,
        gate: timeline.Gate,
        opening: float | None,
        why_not: str,
        sold: GatePlan | None,
        made: _Day,
    ) -> GatePlan:
        """A gate's plan, its rows and its stamp; without a plan the reason."""
        key, reason = f"{strategy}.{gate}", why_not
        found = GatePlan({})
        if opening is not None:
            try:
                battery, energy = self._start(opening)
                found = self._planner.plan(day, strategy, gate, battery, energy, sold)
            except BessError as error:
                reason = str(error)
        for table, rows in found.rows.items():
            made.rows[table].append(rows)
        made.stamp |= {
            f"reason.{key}": reason,
            f"notes.{key}": "\n".join(found.notes),
            f"closing.{key}": "" if found.closing_mwh is None else repr(found.closing_mwh),
            f"closed.{key}": self._closed(day, gate),
            f"inputs.{key}": self._inputs(day, gate, opening),
        }
        return found

    def _kept(self, day: date, strategy: str, gate: timeline.Gate, made: _Day) -> GatePlan:
        """What is stored of a gate that stands."""
        key, before = f"{strategy}.{gate}", self.lake.stamp(CO_OPTIMISED_PLAN, day)
        made.stamp |= {name: text for name, text in before.items() if name.endswith(f".{key}")}
        rows = {}
        for table in MADE_TABLES:
            stored = self.lake.read(table, day, day)
            rows[table] = stored[(stored["strategy"] == strategy) & (stored["gate"] == gate)]
            made.rows[table].append(rows[table])
        closing = before.get(f"closing.{key}")
        return GatePlan(rows, float(closing)) if closing else GatePlan({})

    def _write(self, day: date, made: _Day) -> None:
        day_ahead, auctions = self.gates.results(day)
        offered = _joined(ORDERS, made.rows[ORDERS])
        made.rows[ORDERS] = [self._planner.cleared(offered, day_ahead, auctions)]
        made.stamp["results"] = self._results(day)
        for table in MADE_TABLES:
            self.lake.write(table, day, _joined(table, made.rows[table]), made.stamp)

    def _decided(self, day: date) -> bool:
        """True when every gate of the day stands."""
        opening = {strategy: self._opening(strategy, day)[0] for strategy in PLANNED}
        return self._whole(day) and all(self._stands(day, s, gate, opening[s]) for s, gate in PLANNED_GATES)

    def _whole(self, day: date) -> bool:
        """True when all tables of the day were written together: a stop may lie between them."""
        stamps = [self.lake.stamp(table, day) for table in MADE_TABLES]
        return all(stamp == stamps[0] for stamp in stamps)

    def _stands(self, day: date, strategy: str, gate: timeline.Gate, opening: float | None) -> bool:
        stamp, key = self.lake.stamp(CO_OPTIMISED_PLAN, day), f"{strategy}.{gate}"
        return (
            stamp.get("settings") == self._fingerprint
            and f"reason.{key}" in stamp
            and stamp.get(f"inputs.{key}") == self._inputs(day, gate, opening)
            and stamp.get(f"closed.{key}") == self._closed(day, gate)
        )

    def _inputs(self, day: date, gate: timeline.Gate, opening: float | None) -> str:
        """What the decision of a gate stands on, beside settings."""
        paths, instant = self.lake.stamp(PATHS, day), timeline.gate_utc(day, gate)
        announced = [self.condition.vintage(one, instant) for one in (day, day + ONE_DAY)]
        known = [paths.get(f"{name}.{gate}", "") for name in ("inputs", "closed", "reason")]
        result = gate == "response" and self.gates.day_ahead_result(day) is not None
        return "|".join([paths.get("settings", ""), *known, repr(opening), *announced, "cleared" if result else ""])

    def _opening(self, strategy: str, day: date) -> tuple[float | None, str]:
        """(state at 23:00 on the day before as planned, MWh, or None and the reason)."""
        if not self.settings.co_optimisation.enabled:
            return None, DISABLED
        initial, trading = self.condition.new_battery.initial_energy_mwh, self.settings.trading
        if is_chain_start(day, trading):
            return initial, ""
        closing = self.lake.stamp(CO_OPTIMISED_PLAN, day - ONE_DAY).get(f"closing.{strategy}", repr(None))
        if closing != repr(None):
            return float(closing), ""
        if day in named_starts(trading, self._declared()) or not self._carried(strategy, day):
            return initial, ""
        return None, f"the day before it, {day - ONE_DAY}, has no plan: run that day first, or make {day} a chain start"

    def _carried(self, strategy: str, day: date) -> bool:
        """True when some day before has a closing state, so that a chain is broken where the last one has none."""
        earlier = (self.lake.stamp(CO_OPTIMISED_PLAN, one) for one in self.lake.days(CO_OPTIMISED_PLAN) if one < day)
        return any(stamp.get(f"closing.{strategy}", repr(None)) != repr(None) for stamp in earlier)

    def _start(self, opening: float) -> tuple[Battery, float]:
        return self.condition.start(self.condition.initial_wear, opening)

    def _idle_closing(self, day: date, strategy: str, opening: float) -> float:
        battery, energy = self._start(opening)
        return closing_energy_mwh(idle_day(day, strategy, energy, battery))

    def _cleared(self, day: date) -> bool:
        return self.lake.stamp(ORDERS, day).get("results") == self._results(day)

    def _results(self, day: date) -> str:
        """Stands for the results that orders of a day may be cleared against, whatever its partitions hold beside."""
        return "|".join(vintage(rows) for rows in self.gates.results(day))

    def _closed(self, day: date, gate: timeline.Gate) -> str:
        return "yes" if timeline.gate_utc(day, gate) <= self.now() else ""

    @property
    def _fingerprint(self) -> str:
        return self.settings.co_optimisation_fingerprint()

    def _stamp(self) -> dict[str, str]:
        return {"settings": self._fingerprint, "code": __version__, "seed": str(self.settings.seed)}


def _in_a_worker(
    settings: Settings, lake: Lake, now: datetime, declared: Sequence[date], again: bool
) -> Callable[[date], None]:
    """The work of `CoOptimisedDays.plan` on a day, in a process of its own."""
    days = CoOptimisedDays(settings, lake, lambda: now, lambda: declared)
    return lambda day: days._plan_day(day, again)


def _joined(table: str, frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    held = [frame for frame in frames if len(frame)]
    return pd.concat(held, ignore_index=True) if held else schemas.empty_frame(table)
