"""A trading desk without Dagster or a market: a lake with simulated prices, and a `Replay` on it.

Shared by the tests of the replay and of the promises.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.lake import Lake
from bess_pipeline.optimisation.solver import Solver
from bess_pipeline.sample_market import MarketTables
from bess_pipeline.settings import Settings
from bess_pipeline.trading.condition import AVAILABILITY, DEGRADATION
from bess_pipeline.trading.replay import Replay
from bess_pipeline.trading.stamps import CASHFLOW, DAILY_PNL, DISPATCH, FORESIGHT, PLAN, RUN_STATUS
from bess_pipeline.trading.status import DayStatus

DEFAULTS = {"trading": {"history_days": 7}, "solver": {"guarded": False}}  # a test of the guard says so
RESULTS = (AVAILABILITY, PLAN, FORESIGHT, DISPATCH, CASHFLOW, RUN_STATUS, DAILY_PNL, DEGRADATION)


@dataclass
class Desk:
    """One workspace folder; `declared` are the chain starts it was told of, `now` stands still until moved."""

    root: Path
    changes: dict[str, Any] = field(default_factory=dict)
    declared: list[date] = field(default_factory=list)
    now: datetime = datetime(2026, 4, 12, 8, 50, tzinfo=UTC)
    solver: Solver | None = None

    @property
    def lake(self) -> Lake:
        return Lake(self.root / "lake", self.root / "quarantine")

    @property
    def settings(self) -> Settings:
        return Settings(workspace=self.root, **(DEFAULTS | self.changes))

    @property
    def replay(self) -> Replay:
        declared = self.declared
        return Replay(self.settings, self.lake, lambda: self.now, lambda: declared, declared.append, self.solver)

    def run(self, days: Sequence[date]) -> list[DayStatus]:
        """All steps of a run over `days`, in the order of the trade job."""
        replay = self.replay
        replay.availability(days)
        replay.plan(days)
        replay.foresight(days)
        replay.dispatch(days)
        replay.settle(days)
        statuses = replay.record_status(days)
        replay.pnl(days)
        replay.degradation(days)
        return statuses

    def statuses(self, days: Sequence[date]) -> dict[tuple[date, str], tuple[str, str]]:
        """(status, reason) by day and strategy, as stored."""
        rows = self.lake.read(RUN_STATUS, days[0], days[-1]).to_dict("records")
        return {(row["efa_date"], row["strategy"]): (row["status"], row["reason"]) for row in rows}

    def hashes(self, tables: Iterable[str] = RESULTS) -> dict[str, str]:
        return {table: self.lake.content_hash(table) for table in tables}

    def copy(self, root: Path, **changes: Any) -> Desk:
        """The same workspace in another folder, with other settings where they are given."""
        shutil.copytree(self.root, root, dirs_exist_ok=True)
        return Desk(root, changes or dict(self.changes), list(self.declared), self.now)


def write_prices(lake: Lake, market: MarketTables, first: date, last: date) -> None:
    """Day-ahead and system prices of the market's settlement dates, laid on the half-hours here."""
    days = gb_time.days_between(first, last)
    assert market.day_ahead is not None
    hourly = market.day_ahead.set_index("start_utc")["day_ahead_price_gbp_mwh"]
    day_ahead, system = {}, {}
    for day in days:
        starts = pd.Series(gb_time.settlement_half_hours(day))
        day_ahead[day] = gb_time.settlement_columns(starts).assign(
            start_utc=starts,
            day_ahead_price_gbp_mwh=hourly.reindex(starts.dt.floor("h")).to_numpy(),
            source="neso_n2ex",
            native_resolution_minutes=60,
        )
        system[day] = market.system_price[market.system_price["settlement_date"] == day]
    assert lake.write_days("market/day_ahead_price", day_ahead) == {}
    assert lake.write_days("market/system_price", system) == {}
