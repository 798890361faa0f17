"""A small lake on which strategies of all markets are planned, dispatched and settled without Dagster."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from gate_cases import DAY
from plan_desk import AFTER, LAST, NEXT, PlanDesk, write_market, write_scenarios
from scenario_forecasts import marginals
from trading_frames import efa_starts, system_price

from bess_pipeline import gb_time, schemas
from bess_pipeline.forecast_tables import FORECAST
from bess_pipeline.forecasting import streams
from bess_pipeline.forecasting.distribution import ForecastSet, Marginals, RankHistory
from bess_pipeline.lake import Lake
from bess_pipeline.market_tables import MARKET_DISPATCH
from bess_pipeline.scenarios.storage import forecast_rows
from bess_pipeline.trading import timeline
from bess_pipeline.trading.market_replay import MarketReplay
from bess_pipeline.trading.replay import Replay
from bess_pipeline.trading.status import DayStatus
from bess_pipeline.trading.timeline import GATES

DAYS = (DAY, NEXT)
SYSTEM, INDEX = "market/system_price", "market/market_index_price"
REVISION = "market/system_price_revision"
FIRST_PRICES = DAY - timedelta(days=10)
SCALE_GBP_MWH, LASTING = 15.0, 0.9


@dataclass
class MarketDesk(PlanDesk):
    """A `PlanDesk` that dispatches and settles, too."""

    @property
    def market(self) -> MarketReplay:
        return MarketReplay(self.settings, self.lake, lambda: self.now, lambda: self.declared)

    @property
    def replay(self) -> Replay:
        return Replay(self.settings, self.lake, lambda: self.now, lambda: self.declared, self.declared.append)

    def settle(self, *days: date) -> None:
        self.replay.settle(days)
        self.replay.record_status(days)
        self.replay.pnl(days)

    def run(self, days: Sequence[date] = DAYS) -> list[DayStatus]:
        statuses = self.market.dispatch(days)
        self.settle(*days)
        return statuses

    def copy(self, root: Path, **changes: Any) -> MarketDesk:
        shutil.copytree(self.root, root, dirs_exist_ok=True)
        return MarketDesk(root, changes or dict(self.changes), list(self.declared), self.now)

    def rows(self, day: date, strategy: str = "co_optimised") -> pd.DataFrame:
        rows = self.lake.read(MARKET_DISPATCH, day, day)
        return rows[rows["strategy"] == strategy].reset_index(drop=True)


def unplanned_desk(root: Path, days: Sequence[date] = DAYS, **changes: Any) -> MarketDesk:
    """Days with scenarios, forecasts and the outcome of all prices, nothing planned."""
    desk = MarketDesk(root, changes)
    write_market(desk.lake, first=FIRST_PRICES)
    for day in gb_time.days_between(FIRST_PRICES, max(days)):
        write_forecasts(desk.lake, day)
    for day in days:
        write_scenarios(desk.lake, day)
    write_outcome(desk.lake)
    return desk


def planned_desk(root: Path, **changes: Any) -> MarketDesk:
    """Two days planned, nothing dispatched."""
    desk = unplanned_desk(root, **changes)
    desk.plan(*DAYS)
    return desk


def write_forecasts(lake: Lake, day: date) -> None:
    """What both gates of a day forecast: the shape of the prices that come, at other levels."""
    made = []
    for gate in GATES:
        known = [streams.day_ahead(60), streams.SYSTEM_PRICE, streams.MARKET_INDEX]
        forecasts = {one.name: _shaped(marginals(one, day, 0.0, SCALE_GBP_MWH)) for one in known}
        history = RankHistory((), {})
        made.append(forecast_rows(ForecastSet(day, gate, timeline.gate_utc(day, gate), forecasts, history)))
    lake.write(FORECAST, day, pd.concat(made, ignore_index=True), {})


def _shaped(given: Marginals) -> Marginals:
    level = _evening(given.start_utc) - given.mean
    return Marginals(
        given.stream,
        given.start_utc,
        given.slot,
        given.lead,
        given.quantile + level[:, None],
        given.mean + level,
        given.model,
    )


def write_outcome(lake: Lake, first: date = FIRST_PRICES, last: date = LAST) -> None:
    """System price and market index of EFA days around the shape of the forecasts: errors that last."""
    starts = efa_starts(first, last)
    rng = np.random.default_rng(7)
    error = rng.normal(0.0, SCALE_GBP_MWH, len(starts))
    for t in range(1, error.size):
        error[t] = LASTING * error[t - 1] + (1.0 - LASTING**2) ** 0.5 * error[t]
    system = system_price(first, last, np.round(_evening(starts) + error, 2))
    index = gb_time.settlement_columns(starts).assign(
        start_utc=starts,
        market_index_price_gbp_mwh=np.round(_evening(starts) + rng.normal(0.0, 5.0, len(starts)), 2),
        market_index_volume_mwh=400.0,
    )
    for table, rows in ((SYSTEM, system), (REVISION, _first_versions(system)), (INDEX, schemas.validate(INDEX, index))):
        for day, part in rows.groupby("settlement_date"):
            lake.write(table, day, part)


def raise_system_price(lake: Lake, start_utc: pd.Timestamp, by_gbp_mwh: float) -> None:
    """Another first version of one half-hour's system price."""
    key = gb_time.settlement_columns(pd.DatetimeIndex([start_utc])).iloc[0]
    for table in (SYSTEM, REVISION):
        rows = lake.read(table, key["settlement_date"], key["settlement_date"])
        rows.loc[rows["settlement_period"] == key["settlement_period"], "system_price_gbp_mwh"] += by_gbp_mwh
        lake.write(table, key["settlement_date"], rows)


def _first_versions(system: pd.DataFrame) -> pd.DataFrame:
    """The prices as they were fetched in the end: the first version of each, so that a later one is told from it."""
    rows = system.assign(version=1, published_utc=pd.Timestamp(AFTER), fetched_utc=pd.Timestamp(AFTER))
    return schemas.validate(REVISION, rows[list(schemas.columns(REVISION))])


def _evening(starts: pd.DatetimeIndex) -> np.ndarray:
    hour = starts.tz_convert(gb_time.LONDON).hour
    return np.asarray(70.0 + 25.0 * np.sin((hour - 12) * np.pi / 12))
