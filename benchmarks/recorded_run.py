"""All strategies on recorded GB data: market tables, forecasts, scenarios, plans, dispatch and cash in a lake.

What belongs here: the settings of such a run, its lakes, and the order of steps of a week. What does not: the tables
where they lie (`recorded_tables.py`) and what is measured of it (`recorded_ladder.py`, `market_replay.py`).

A folder holds the market with forecasts and scenarios (`market/`), and beside it a copy for each imbalance cap with
what strategies did under it. Everything that stands is kept, so that a run that was ended goes on where it stopped.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
from recorded_tables import RecordedTables
from stopwatch import Stopwatch

from bess_pipeline import gb_time
from bess_pipeline.lake import Lake
from bess_pipeline.scenarios.daily import GateDays
from bess_pipeline.settings import Settings
from bess_pipeline.trading.bounds import StoredBounds
from bess_pipeline.trading.co_optimised_days import CoOptimisedDays
from bess_pipeline.trading.market_replay import MarketReplay
from bess_pipeline.trading.replay import Replay

ONE_DAY = timedelta(days=1)
WEEK = 7
NOW = datetime(2025, 4, 2, tzinfo=UTC)  # when everything recorded had come out
TIMINGS = "timings.csv"
SHARED = ("market", "forecast", "scenario")  # folders of a lake that do not hang on the imbalance cap
UNKNOWN_OF_SYSTEM_PRICE = {"price_derivation_code": None, "published_utc": pd.NaT}  # not recorded
# Without lasso and trees, so that weeks take minutes.
CHEAP_FORECAST = {
    "models": ("similar_day", "last_7_days", "last_28_days", "ridge", "combination"),
    "cross_validation_folds": 3,
}


def week_of(first: date) -> list[date]:
    """The seven trading days from `first` on."""
    return [first + timedelta(days=k) for k in range(WEEK)]


def settings_of(
    chain_starts: Sequence[date], *, reduced: int, drawn: int, cap_mw: float | None, strategies: bool = True
) -> Settings:
    """Defaults but for cheap forecasts, scenarios, the cap, and what takes long without changing a plan."""
    plain = Settings(_env_file=None)
    return plain.model_copy(
        update={
            "forecast": plain.forecast.model_copy(update=CHEAP_FORECAST),
            "scenarios": plain.scenarios.model_copy(update={"count": drawn, "reduced": reduced, "fresh": 0}),
            "co_optimisation": plain.co_optimisation.model_copy(
                update={
                    "enabled": strategies,
                    "imbalance_limit_mw": cap_mw,
                    "value_weekdays": (),
                    "frontier_weekdays": (),
                }
            ),
            "trading": plain.trading.model_copy(update={"chain_starts": tuple(chain_starts)}),
            "solver": plain.solver.model_copy(update={"guarded": False}),  # processor time is of one process
        }
    )


def write_market(folder: Path, tables: Path) -> Lake:
    """The lake of recorded market tables below `folder`, written where it is not there yet."""
    lake = Lake(folder / "market" / "lake", folder / "market" / "quarantine")
    if (folder / "market" / "whole").is_file():
        return lake
    prices = RecordedTables.read(tables)
    index = pd.read_parquet(tables / "market_index.parquet")
    frames = {
        "market/day_ahead_price": (prices.day_ahead_price, "start_utc"),
        "market/market_index_price": (index, "start_utc"),
        "market/system_price": (prices.system_price.assign(**UNKNOWN_OF_SYSTEM_PRICE), "start_utc"),
        "market/auction_clearing": (pd.read_parquet(tables / "response_auction.parquet"), "delivery_start_utc"),
    }
    for table, (frame, start) in frames.items():
        day = gb_time.settlement_columns(frame[start])["settlement_date"]
        refused = lake.write_days(table, dict(tuple(frame.groupby(day))))
        if refused:
            raise SystemExit(f"{table}: {len(refused)} recorded days are refused, the first: {min(refused.items())}")
    (folder / "market" / "whole").touch()
    return lake


@dataclass(frozen=True)
class RecordedRun:
    """Weeks of all strategies in one folder under one set of settings; `name` is that of the imbalance cap."""

    folder: Path
    settings: Settings
    market: Lake
    name: str
    watch: Stopwatch

    @property
    def lake(self) -> Lake:
        """What strategies did, with a copy of what they knew."""
        return Lake(self.folder / self.name / "lake", self.folder / self.name / "quarantine")

    def week(self, days: Sequence[date]) -> None:
        """Everything of these days that does not stand yet; how long it took is added to the timings."""
        with self.watch.running():
            self._forecast(days)
            self._trade(days)
        self._write_timings(days)

    def bounds(self, days: Sequence[date]) -> None:
        """Upper bounds over each unbroken run of these days, where they do not stand."""
        with self.watch.running(), self.watch.step("bounds"):
            StoredBounds(self.settings, self.lake).make(days)
        self._write_timings(days)

    def timings(self) -> pd.DataFrame:
        """Of all weeks so far, those of earlier calls as well."""
        return pd.read_csv(self.folder / self.name / TIMINGS)

    def _write_timings(self, days: Sequence[date]) -> None:
        file = self.folder / self.name / TIMINGS
        taken = self.watch.taken().assign(first_date=days[0], days=len(days))
        taken.to_csv(file, mode="a", header=not file.is_file(), index=False)

    def _forecast(self, days: Sequence[date]) -> None:
        with self.watch.step("forecasts and scenarios"):
            GateDays(self.settings, self.market, _now).make(days)

    def _trade(self, days: Sequence[date]) -> None:
        lake, settings = self._copied(), self.settings
        starts = settings.trading.chain_starts
        plans = CoOptimisedDays(settings, lake, _now, lambda: starts)
        market = MarketReplay(settings, lake, _now, lambda: starts)
        replay = Replay(settings, lake, _now, lambda: starts, lambda day: None)
        with self.watch.step("plans, stored"):
            plans.plan(plans.unfinished(days))
        left = [day for day in days if not replay.traded(day)]
        with self.watch.step("day-ahead strategies"):
            replay.plan(left)
            replay.foresight(left)
            replay.dispatch(left)
        with self.watch.step("dispatch, stored"):
            market.dispatch(days, again=False)
        with self.watch.step("cash and P&L"):
            replay.settle(days)
            replay.record_status(days)
            replay.pnl(days)

    def _copied(self) -> Lake:
        """The lake of this cap, with the market, forecasts and scenarios as they are now."""
        for name in SHARED:
            source = self.market.root / name
            for file in source.rglob("*.parquet") if source.is_dir() else ():
                copy = self.lake.root / file.relative_to(self.market.root)
                if not copy.is_file() or copy.stat().st_mtime_ns != file.stat().st_mtime_ns:
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(file, copy)
        return self.lake


def _now() -> datetime:
    return NOW
