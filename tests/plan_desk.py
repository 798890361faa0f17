"""A small lake with scenario sets, prices and auctions, on which all markets are planned without Dagster."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from gate_cases import DAY, past_auctions, scenario_set
from trading_frames import day_ahead

from bess_pipeline import gb_time
from bess_pipeline.forecast_tables import JUDGEMENT, PATHS
from bess_pipeline.lake import Lake
from bess_pipeline.scenarios.paths import ScenarioSet
from bess_pipeline.scenarios.storage import path_rows
from bess_pipeline.settings import Settings
from bess_pipeline.trading.co_optimised_days import MADE_TABLES, CoOptimisedDays, PlanStatus
from bess_pipeline.trading.co_optimised_frontier import FrontierDays
from bess_pipeline.trading.timeline import GATES, Gate

NEXT, LAST = DAY + timedelta(days=1), DAY + timedelta(days=2)
AFTER = datetime(2026, 2, 16, 12, tzinfo=UTC)  # when all is known
PRODUCTS = ("DCL", "DRH")
SETTINGS: dict[str, Any] = {
    "ancillary": {"response_products": PRODUCTS},
    "rolling": {"look_ahead_hours": 24},
    "co_optimisation": {"value_weekdays": (), "frontier_weekdays": (), "frontier_points": 3},
}
FEW = 2
PRICES, AUCTIONS = "market/day_ahead_price", "market/auction_clearing"


@dataclass
class PlanDesk:
    """One lake; `declared` are the chain starts it was told of, `now` stands still until moved."""

    root: Path
    changes: dict[str, Any] = field(default_factory=dict)
    declared: list[date] = field(default_factory=list)
    now: datetime = AFTER

    @property
    def lake(self) -> Lake:
        return Lake(self.root / "lake", self.root / "quarantine")

    @property
    def settings(self) -> Settings:
        given = {name: SETTINGS.get(name, {}) | self.changes.get(name, {}) for name in {**SETTINGS, **self.changes}}
        return Settings(workspace=self.root, **given)

    @property
    def plans(self) -> CoOptimisedDays:
        return CoOptimisedDays(self.settings, self.lake, lambda: self.now, lambda: self.declared)

    @property
    def frontiers(self) -> FrontierDays:
        return FrontierDays(self.settings, self.lake, self.plans)

    def plan(self, *days: date, again: bool = False) -> list[PlanStatus]:
        return self.plans.plan(days, again=again)

    def hashes(self, tables: Iterable[str] = MADE_TABLES, days: Sequence[date] | None = None) -> dict[str, str]:
        return {table: self.lake.content_hash(table, days) for table in tables}

    def contents(self) -> dict[str, bytes]:
        """Bytes of every partition of plans."""
        files = [file for table in MADE_TABLES for file in self.lake.files(table)]
        return {str(file.relative_to(self.root)): file.read_bytes() for file in files}

    def copy(self, root: Path, **changes: Any) -> PlanDesk:
        """The same lake in another folder, with other settings where they are given."""
        shutil.copytree(self.root, root, dirs_exist_ok=True)
        return PlanDesk(root, changes or dict(self.changes), list(self.declared), self.now)

    def read(self, table: str, day: date, strategy: str = "co_optimised", gate: str = "day_ahead") -> pd.DataFrame:
        rows = self.lake.read(table, day, day)
        return rows[(rows["strategy"] == strategy) & (rows["gate"] == gate)].reset_index(drop=True)

    def set_now(self, text: str) -> None:
        self.now = datetime.fromisoformat(text)


def write_market(lake: Lake, first: date = DAY, last: date = LAST) -> None:
    """Day-ahead prices of EFA days `first` to `last`, and auctions from six days before it."""
    prices = day_ahead(first, last, lambda at: 70.0 + 25.0 * np.sin((at.hour - 12) * np.pi / 12))
    for day, rows in prices.groupby("settlement_date"):
        lake.write(PRICES, day, rows)
    rows = past_auctions(DAY, 6, 3)
    rows = rows[rows["product"].isin(PRODUCTS)].reset_index(drop=True)
    ends = [gb_time.efa_block_bounds_utc(d, b)[1] for d, b in zip(rows["efa_date"], rows["efa_block"], strict=True)]
    rows = rows.assign(delivery_end_utc=pd.to_datetime(pd.Series(ends), utc=True).dt.as_unit("us"))
    for day, part in rows.groupby(gb_time.settlement_columns(rows["delivery_start_utc"])["settlement_date"]):
        lake.write(AUCTIONS, day, part)


def write_scenarios(
    lake: Lake, day: date, gates: Sequence[Gate] = GATES, *, seed: int = 1, stamp: str = "made"
) -> None:
    """Scenario sets of a day's gates, and fresh ones of its day-ahead gate; `stamp` is what they were made from."""
    made = [scenario_set(day, FEW, seed + n, gate=gate) for n, gate in enumerate(gates)]
    stamps = {f"inputs.{gate}": stamp for gate in gates} | {f"closed.{gate}": "yes" for gate in gates}
    write_sets(lake, day, made, stamps | {"settings": "by hand"})
    lake.write(JUDGEMENT, day, path_rows(scenario_set(day, 4, seed + 100)), {})


def write_sets(lake: Lake, day: date, sets: Sequence[ScenarioSet], stamp: dict[str, str]) -> None:
    lake.write(PATHS, day, pd.concat([path_rows(one) for one in sets], ignore_index=True), stamp)


def without_day(lake: Lake, table: str, day: date) -> None:
    """Take a trading day's rows out of a market table."""
    start, end = (pd.Timestamp(at) for at in gb_time.efa_day_bounds_utc(day))
    column = "start_utc" if table == PRICES else "delivery_start_utc"
    for one in (day - timedelta(days=1), day):
        rows = lake.read(table, one, one)
        lake.write(table, one, rows[(rows[column] < start) | (rows[column] >= end)])
