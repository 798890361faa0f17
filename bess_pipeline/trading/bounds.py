"""The bounds of stored trading days: one problem over each run of days, written as `risk/bound`.

What belongs here: which days make a window, with which opening state, at which caps, the rows and their stamps. What
does not: the problem (`bound_window.py`, `optimisation/market_window.py`) and whether strategies stay below their bound
(`bound_checks.py`).

A window is a run of consecutive days that strategies were dispatched on: those of all markets for
`energy_perfect_foresight` and `perfect_foresight`, at the imbalance cap of the settings and at cap 0; those of the
day-ahead market for `day_ahead_perfect_foresight`, at cap 0. It opens as the chain of its strategies does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from bess_pipeline import __version__, gb_time
from bess_pipeline.ancillary.rows import FloatArray
from bess_pipeline.bound_tables import BOUND_TABLE
from bess_pipeline.lake import Lake
from bess_pipeline.market_tables import MARKET_DISPATCH
from bess_pipeline.optimisation.market_window import WindowSchedule
from bess_pipeline.optimisation.market_window_solve import optimise_window
from bess_pipeline.settings import Settings
from bess_pipeline.trading import foresight, market_strategies, strategies
from bess_pipeline.trading.bound_window import BoundWindow, Markets
from bess_pipeline.trading.condition import Condition
from bess_pipeline.trading.market_strategies import BOUND, ENERGY_BOUND
from bess_pipeline.trading.stamps import DISPATCH, STATE_TOLERANCE_MWH

ONE_DAY = timedelta(days=1)
READ = (
    "market/day_ahead_price",
    "market/system_price",
    "market/market_index_price",
    "market/auction_clearing",
    "market/response_energy",
)
MARKETS = {
    foresight.STRATEGY: Markets(imbalance=False, services=False),
    ENERGY_BOUND: Markets(imbalance=True, services=False),
    BOUND: Markets(imbalance=True, services=True),
}


@dataclass(frozen=True)
class Window:
    """A run of days of strategies of one table, and the bounds over it."""

    table: str
    days: tuple[date, ...]

    @property
    def label(self) -> str:
        """As in the column `window`."""
        return f"{self.days[0]}..{self.days[-1]}"

    @property
    def bounds(self) -> tuple[str, ...]:
        """Names."""
        return (ENERGY_BOUND, BOUND) if self.table == MARKET_DISPATCH else (foresight.STRATEGY,)


@dataclass(frozen=True)
class SolvedBound:
    """A bound at a cap over a window: value of its schedule (closing energy included) and certified gap, GBP."""

    window: str
    bound: str
    imbalance_cap_mw: float
    value_gbp: float
    gap_gbp: float
    seconds: float
    notes: tuple[str, ...]


class StoredBounds:
    """Bounds of one workspace under one set of settings."""

    def __init__(self, settings: Settings, lake: Lake) -> None:
        self.settings = settings
        self.lake = lake
        self.condition = Condition(settings, lake)

    def windows(self, days: Iterable[date] | None = None) -> list[Window]:
        """The windows that hold one of `days`, all by default."""
        wanted = None if days is None else set(days)
        found = []
        for table in (DISPATCH, MARKET_DISPATCH):
            held = [day for day in self.lake.days(table) if self.lake.count(table, [day])]
            runs = (Window(table, tuple(run)) for run in gb_time.consecutive_runs(held))
            found += [one for one in runs if wanted is None or wanted & set(one.days)]
        return found

    def stands(self, window: Window) -> bool:
        """Whether what is stored of all days of a window was computed of what the lake holds now."""
        stated = self._inputs(window)
        return all(self.lake.stamp(BOUND_TABLE, day).get(window.table) == stated for day in window.days)

    def unfinished(self, days: Iterable[date] | None = None) -> list[Window]:
        """Windows that hold one of `days` and do not stand."""
        return [one for one in self.windows(days) if not self.stands(one)]

    def make(self, days: Iterable[date] | None = None, *, again: bool = False) -> list[SolvedBound]:
        """Compute and write the windows that hold one of `days`, those that stand only with `again`.

        Raises SolverError or UserInputError in one sentence where a window has no bound.
        """
        solved: list[SolvedBound] = []
        for window in self.windows(days) if again else self.unfinished(days):
            made, rows = self.solve(window)
            self._write(window, rows)
            solved += made
        return solved

    def solve(self, window: Window) -> tuple[list[SolvedBound], pd.DataFrame]:
        """All bounds over a window, and their rows of `risk/bound`."""
        of = self.lake.read(window.table, window.days[0], window.days[-1])
        opening, notes = self.opening_mwh(window)
        solved, frames = [], []
        for bound in window.bounds:
            rows = of[of["strategy"].isin(compared(bound))]
            given = BoundWindow(self.settings, self.lake, self.condition, window.days, rows, window.table, opening)
            for cap_mw in self._caps_mw(bound):
                schedule = optimise_window(given.problem(MARKETS[bound], cap_mw))
                said = (*notes, *given.notes, *_idle_words(given.idle_days(MARKETS[bound])))
                gap = schedule.gap_gbp + given.accepted_gbp
                solved.append(SolvedBound(window.label, bound, cap_mw, schedule.value_gbp, gap, schedule.seconds, said))
                frames.append(_rows(window, bound, cap_mw, given, schedule, gap, said))
        return solved, pd.concat(frames, ignore_index=True)

    def opening_mwh(self, window: Window) -> tuple[FloatArray, tuple[str, ...]]:
        """State that each half-hour opens with where the chain of the strategies begins (T,), NaN elsewhere; notes."""
        first = self.opening_chain(window)
        chains = {name: self.chain(window, name) for name in _names(window.table)}
        other = sorted(name for name, chain in chains.items() if chain and not same_chain(chain, first))
        notes = tuple(f"{name} opened with another state than this bound" for name in other)
        opening, begins = [], dict(first)
        for day in window.days:
            own = np.full(len(gb_time.efa_half_hours(day)), np.nan)
            own[0] = begins.get(day, np.nan)
            opening.append(own)
        return np.concatenate(opening), notes

    def opening_chain(self, window: Window) -> tuple[tuple[date, float], ...]:
        """The days on which the bounds open with a state of their own: those of the first strategy with one."""
        chains = (self.chain(window, name) for name in _names(window.table))
        fallback = self.condition.new_battery.initial_energy_mwh
        return next((chain for chain in chains if chain), ((window.days[0], fallback),))

    def chain(self, window: Window, strategy: str) -> tuple[tuple[date, float], ...]:
        """The days of a window on which a strategy opens with a state of its own: (day, MWh); empty without a state."""
        found = self.starts(window, strategy)
        return found if found and found[0][0] == window.days[0] else ()

    def starts(self, window: Window, strategy: str) -> tuple[tuple[date, float], ...]:
        """The same where the first day of the window has no state, too."""
        found = []
        for day in window.days:
            stamp = self.lake.stamp(window.table, day)
            text = stamp.get(f"opening.{strategy}")
            begins = stamp.get(f"chain_start.{strategy}") == day.isoformat()
            if text and text != "None" and (begins or day == window.days[0]):
                found.append((day, float(text)))
        return tuple(found)

    def _caps_mw(self, bound: str) -> tuple[float, ...]:
        limit = self.settings.co_optimisation.imbalance_limit_of(self.condition.new_battery.power_mw)
        return (0.0,) if bound == foresight.STRATEGY or limit == 0 else (limit, 0.0)

    def _write(self, window: Window, rows: pd.DataFrame) -> None:
        frames, stamps, stated = {}, {}, self._inputs(window)
        for day in window.days:
            stored = self.lake.read(BOUND_TABLE, day, day)
            kept = stored[~stored["bound"].isin(window.bounds)]
            own = rows[rows["efa_date"] == day]
            frames[day] = pd.concat([kept, own], ignore_index=True) if len(kept) else own
            stamp = self.lake.stamp(BOUND_TABLE, day)
            before = {table: stamp[table] for table in (DISPATCH, MARKET_DISPATCH) if table in stamp}
            made = before | {window.table: stated}
            stamps[day] = made | {
                "settings": self.settings.market_dispatch_fingerprint(),
                "code": __version__,
                "seed": str(self.settings.seed),
                "inputs": _digest(*(made[table] for table in sorted(made))),
            }
        for refusal in self.lake.write_days(BOUND_TABLE, frames, stamps).values():
            raise refusal

    def _inputs(self, window: Window) -> str:
        """What the bounds over a window stand on."""
        back = timedelta(days=max(self.settings.ancillary.volume_cap_days, 28) + 2)
        days = gb_time.days_between(window.days[0] - back, window.days[-1])
        settings = self.settings.market_dispatch_fingerprint(), self.settings.cost_fingerprint()
        outages = [self.condition.vintage(day) for day in window.days]
        hashes = [self.lake.content_hash(table, days) for table in READ]
        own = self.lake.content_hash(window.table, window.days)
        return _digest(__version__, window.label, *settings, *outages, *hashes, own)


def compared(bound: str) -> tuple[str, ...]:
    """The strategies that a bound must not fall below: all that trade in no other market than it does."""
    if bound == foresight.STRATEGY:
        return strategies.NAMES
    of = {ENERGY_BOUND: (ENERGY_BOUND,), BOUND: (ENERGY_BOUND, BOUND)}[bound]
    return tuple(one.name for one in market_strategies.STRATEGIES if one.bound in of)


def same_chain(one: Sequence[tuple[date, float]], other: Sequence[tuple[date, float]]) -> bool:
    """Whether two strategies open with the same states on the same days."""
    return [day for day, _ in one] == [day for day, _ in other] and all(
        abs(a - b) <= STATE_TOLERANCE_MWH for (_, a), (_, b) in zip(one, other, strict=True)
    )


def _names(table: str) -> tuple[str, ...]:
    return market_strategies.NAMES if table == MARKET_DISPATCH else strategies.NAMES


def _rows(
    window: Window,
    bound: str,
    cap_mw: float,
    given: BoundWindow,
    schedule: WindowSchedule,
    gap_gbp: float,
    notes: tuple[str, ...],
) -> pd.DataFrame:
    """`risk/bound` rows; cash and wear of the days add up to the schedule's, and to the capacity market's income."""
    index, count = given.day_index, len(window.days)
    last = np.flatnonzero(np.diff(index, append=count))
    first = np.append(0, last[:-1] + 1)
    cash, wear = (np.bincount(index, one, minlength=count) for one in (schedule.cash_gbp, schedule.wear_gbp))
    cash = cash + np.array([given.capacity_market_gbp(day) for day in window.days])
    closing = schedule.energy_mwh[last]
    pinned = given.opening_of(first)
    opening = np.where(np.isnan(pinned), np.append(0.0, closing[:-1]), pinned)
    idle = set(given.idle_days(MARKETS[bound]))
    return pd.DataFrame(
        {
            "window": window.label,
            "bound": bound,
            "imbalance_cap_mw": cap_mw,
            "efa_date": list(window.days),
            "pnl_gbp": cash - wear,
            "cash_gbp": cash,
            "wear_gbp": wear,
            "opening_energy_mwh": np.maximum(opening, 0.0),
            "closing_energy_mwh": np.maximum(closing, 0.0),
            "energy_price_gbp_mwh": given.energy_price_gbp_mwh,
            "gap_gbp": gap_gbp,
            "status": ["idle" if day in idle else "complete" for day in window.days],
            "notes": "; ".join(notes) or None,
        }
    )


def _idle_words(days: Sequence[date]) -> tuple[str, ...]:
    if not days:
        return ()
    return (f"a price is missing on {len(days)} days, the first {days[0]}: nothing is traded on them",)


def _digest(*parts: str) -> str:
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:12]
