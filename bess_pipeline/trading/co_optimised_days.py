"""Carries plans of all markets through the lake, day by day and gate by gate.

What belongs here: which gates are left to decide, the order of gates, dispatch and orders, the stamp of every partition
and the reason of every gate without a plan. What does not: the state that a gate opens with (`gate_state.py`), the
decision (`co_optimised.py`), orders (`orders.py`), what a plan is worth (`risk/plan_values.py`) and Dagster
(`orchestration/`).

A gate that has closed is decided once: it is decided anew only where its scenarios, what its opening state stands on,
what was announced of outages, settings or the gate before it have changed, or a day-ahead result that it went without
has come in (a revised one changes nothing). A gate that is still open is decided from what is known so far, and once
more when it has closed. A day opens with the state known at its gate, so days are planned and dispatched in turn: when
a day is planned the day before the last one is over. A day without a plan leaves the battery idle. Orders are
cleared as results come in; what the day-ahead gate has sold is stored before the response gate is decided. What cannot
be planned is recorded with its reason and never raises.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial

import pandas as pd

from bess_pipeline import __version__, schemas
from bess_pipeline.errors import BessError
from bess_pipeline.forecast_tables import PATHS
from bess_pipeline.lake import Lake
from bess_pipeline.settings import Settings
from bess_pipeline.trading import timeline
from bess_pipeline.trading.chain_workers import at_once, work_through
from bess_pipeline.trading.chains import chains, is_chain_start
from bess_pipeline.trading.co_optimised_names import PLANNED, PLANNED_GATES, gates_of
from bess_pipeline.trading.condition import Condition
from bess_pipeline.trading.dispatch import closing_energy_mwh, idle_day
from bess_pipeline.trading.gate_plan import GatePlan, GatePlanner
from bess_pipeline.trading.gate_state import GateStates
from bess_pipeline.trading.plan_status import PlanStatus, plan_status
from bess_pipeline.trading.stamps import vintage
from bess_pipeline.trading.stored_gate import StoredGates
from bess_pipeline.trading_tables import (
    CO_OPTIMISED_PLAN,
    EXPLANATION,
    INFORMATION_VALUE,
    ORDERS,
    PLAN_OUTCOME,
    PLAN_VALUE,
)

ONE_DAY = timedelta(days=1)
# the plan is written last
MADE_TABLES = (ORDERS, EXPLANATION, PLAN_VALUE, PLAN_OUTCOME, INFORMATION_VALUE, CO_OPTIMISED_PLAN)


_Decided = tuple[GatePlan, dict[str, str]]  # of one strategy at one gate: its plan, and its part of the stamp
_DecideAll = Callable[[Sequence[tuple[date, str, timeline.Gate, GatePlan | None]]], list[_Decided]]


@dataclass
class _Day:
    """What is written of one day: rows by table and the stamp."""

    stamp: dict[str, str]
    rows: dict[str, list[pd.DataFrame]] = field(default_factory=lambda: {table: [] for table in MADE_TABLES})

    def add(self, found: GatePlan, stamp: Mapping[str, str]) -> None:
        """Take in a gate's plan."""
        for table, rows in found.rows.items():
            self.rows[table].append(rows)
        self.stamp |= stamp


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
        self.states = GateStates(settings, lake, now, chain_starts, self.condition)
        self._declared = chain_starts
        self._planner = GatePlanner(settings, self.gates)
        self._decide_all: _DecideAll = lambda tasks: [self._decide(*task) for task in tasks]

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
        """Decide the gates of `days` that do not stand yet, of all with `again`, and clear their orders.

        A day before them is dispatched where one of them opens with what it did. Chains are planned beside one another
        where there are several workers; in a single chain the strategies of a gate are.
        """
        settings, declared = self.settings, tuple(self._declared())
        apart, workers = chains(days, settings.trading), settings.trading.workers
        given = settings, self.lake, self.now(), declared, days
        beside = workers if len(apart) == 1 else 1
        with at_once(beside, self._decide, partial(_deciding_in_a_worker, *given), "a strategy's plan") as decide_all:
            self._decide_all = decide_all
            work_through(apart, workers, self._working_on(days, again), partial(_planning_in_a_worker, *given, again))
        return [plan_status(self.lake, day, strategy, gate) for day in sorted(days) for strategy, gate in PLANNED_GATES]

    def status(self, day: date, strategy: str, gate: timeline.Gate) -> PlanStatus:
        """How a gate stands, from its stamp."""
        return plan_status(self.lake, day, strategy, gate)

    def _working_on(self, days: Sequence[date], again: bool) -> Callable[[date], None]:
        """Plans one of `days`, after the dispatch that it opens with."""
        self.states.read_together(sorted(days))

        def work(day: date) -> None:
            self.states.carry_to(day)
            self._plan_day(day, again)

        return work

    def _plan_day(self, day: date, again: bool) -> None:
        before, made = self._stored(day), _Day(self._stamp())
        anew = {strategy: again or not self._whole(day) for strategy in PLANNED}
        sold: dict[str, GatePlan] = {}
        for gate in timeline.GATES:
            asked = [one for one in PLANNED if gate in gates_of(one)]
            for one in asked:
                anew[one] = anew[one] or not self._stands(before.stamp, day, one, gate)
            tasks = [(day, one, gate, sold.get(one)) for one in reversed(asked) if anew[one]]  # the longest first
            decided = {task[1]: done for task, done in zip(tasks, self._decide_all(tasks), strict=True)}
            for one in asked:
                found, stamp = decided.get(one) or _kept(before, one, gate)
                sold.setdefault(one, found if found.closing_mwh is not None else GatePlan({}))
                made.add(found, stamp)
            if gate != timeline.GATES[-1] and any(anew.values()):
                self._write(day, made)
        self._write(day, made)

    def _stored(self, day: date) -> _Day:
        """What the lake holds of a day."""
        rows = {table: [self.lake.read(table, day, day)] for table in MADE_TABLES}
        return _Day(self.lake.stamp(CO_OPTIMISED_PLAN, day), rows)

    def _decide(self, day: date, strategy: str, gate: timeline.Gate, sold: GatePlan | None) -> _Decided:
        """A gate's plan and its part of the stamp; without a plan the reason.

        The stamp says in `closing.` and the strategy how the day ends where its newest plan is carried out. sold: the
        plan of the day-ahead gate, which is the first.
        """
        key, opening = f"{strategy}.{gate}", self.states.opening(day, strategy, gate)
        reason, found, held_mwh = opening.reason, GatePlan({}), ""
        closing = {f"closing.{strategy}": repr(None)} if sold is None else {}
        if opening.energy_mwh is not None:
            battery, energy = self.condition.start(opening.wear, opening.energy_mwh)
            held_mwh = repr(battery.energy_mwh)
            try:
                found = self._planner.plan(day, strategy, gate, battery, energy, sold)
            except BessError as error:
                reason = str(error)
            if found.closing_mwh is not None:
                closing = {f"closing.{strategy}": repr(found.closing_mwh)}
            elif sold is None or sold.closing_mwh is None:
                closing = {f"closing.{strategy}": repr(closing_energy_mwh(idle_day(day, strategy, energy, battery)))}
        return found, closing | {
            f"reason.{key}": reason,
            f"notes.{key}": "\n".join([*found.notes, *([opening.note] if opening.note else [])]),
            f"closing.{key}": "" if found.closing_mwh is None else repr(found.closing_mwh),
            f"opening.{key}": repr(opening.energy_mwh),
            f"capacity.{key}": held_mwh,
            f"state.{key}": opening.stands_on,
            f"closed.{key}": self._closed(day, gate),
            f"inputs.{key}": self._inputs(day, gate),
        }

    def _write(self, day: date, made: _Day) -> None:
        day_ahead, auctions = self.gates.results(day)
        offered = _joined(ORDERS, made.rows[ORDERS])
        cleared = self._planner.cleared(offered, day_ahead, auctions)
        made.rows[ORDERS] = [cleared]
        made.stamp["results"] = self._results(day)
        made.stamp |= {f"accepted.{one}": _accepted(cleared[cleared["strategy"] == one]) for one in PLANNED}
        stamp = dict(sorted(made.stamp.items()))
        for table in MADE_TABLES:
            self.lake.write(table, day, _joined(table, made.rows[table]), stamp)

    def _decided(self, day: date) -> bool:
        """True when every gate of the day stands."""
        stamp = self.lake.stamp(CO_OPTIMISED_PLAN, day)
        return self._whole(day) and all(self._stands(stamp, day, s, gate) for s, gate in PLANNED_GATES)

    def _whole(self, day: date) -> bool:
        """True when all tables of the day were written together: a stop may lie between them."""
        stamps = [self.lake.stamp(table, day) for table in MADE_TABLES]
        return all(stamp == stamps[0] for stamp in stamps)

    def _stands(self, stamp: Mapping[str, str], day: date, strategy: str, gate: timeline.Gate) -> bool:
        key = f"{strategy}.{gate}"
        return (
            stamp.get("settings") == self._fingerprint
            and f"reason.{key}" in stamp
            and stamp.get(f"inputs.{key}") == self._inputs(day, gate)
            and stamp.get(f"closed.{key}") == self._closed(day, gate)
            and self.states.holds(day, strategy, gate, stamp.get(f"state.{key}", ""))
        )

    def _inputs(self, day: date, gate: timeline.Gate) -> str:
        """What the decision of a gate stands on, beside settings and its opening state."""
        paths, instant = self.lake.stamp(PATHS, day), timeline.gate_utc(day, gate)
        announced = [self.condition.vintage(one, instant) for one in (day, day + ONE_DAY)]
        known = [paths.get(f"{name}.{gate}", "") for name in ("inputs", "closed", "reason")]
        result = gate == "response" and self.gates.day_ahead_result(day) is not None
        return "|".join([paths.get("settings", ""), *known, *announced, "cleared" if result else ""])

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


def _accepted(orders: pd.DataFrame) -> str:
    """Stands for the volumes that were accepted, whatever the price."""
    columns = (orders[name] for name in ("gate", "market", "product", "step"))
    starts, volumes = orders["start_utc"].map(pd.Timestamp.isoformat), orders["accepted_mw"].astype("float64")
    rows = sorted(map(repr, zip(*columns, starts, volumes, strict=True)))
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()[:12]


def _kept(before: _Day, strategy: str, gate: timeline.Gate) -> _Decided:
    """What is stored of a gate that stands."""
    key = f"{strategy}.{gate}"
    stamp = {name: text for name, text in before.stamp.items() if name.endswith(f".{key}")}
    closing = before.stamp[f"closing.{key}"]
    stamp[f"closing.{strategy}"] = closing or before.stamp[f"closing.{strategy}"]
    rows = {
        table: stored[(stored["strategy"] == strategy) & (stored["gate"] == gate)]
        for table, (stored,) in before.rows.items()
    }
    return GatePlan(rows, float(closing) if closing else None), stamp


def _planning_in_a_worker(
    settings: Settings,
    lake: Lake,
    now: datetime,
    declared: Sequence[date],
    days: Sequence[date],
    again: bool,
) -> Callable[[date], None]:
    """The work of `CoOptimisedDays.plan` on a day, in a process of its own."""
    plans = CoOptimisedDays(settings, lake, lambda: now, lambda: declared)
    return plans._working_on(days, again)


def _deciding_in_a_worker(
    settings: Settings, lake: Lake, now: datetime, declared: Sequence[date], days: Sequence[date]
) -> Callable[..., _Decided]:
    """The decision of one strategy at one gate of one of `days`, in a process of its own."""
    plans = CoOptimisedDays(settings, lake, lambda: now, lambda: declared)
    plans.states.read_together(sorted(days))
    return plans._decide


def _joined(table: str, frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    held = [frame for frame in frames if len(frame)]
    return pd.concat(held, ignore_index=True) if held else schemas.empty_frame(table)
