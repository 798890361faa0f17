"""A revised system price settles cash, status and P&L again, and changes neither a plan nor a dispatch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from bess_pipeline import gb_time
from bess_pipeline.co_optimisation_settings import CoOptimisationSettings
from bess_pipeline.forecast_settings import ForecastSettings
from bess_pipeline.lake import Lake
from bess_pipeline.orchestration.assets.trading import make_replay
from bess_pipeline.orchestration.jobs import days_to_resettle, days_to_revise, refresh_requests
from bess_pipeline.orchestration.launch import Launcher, dagster_instance
from bess_pipeline.runtime import Runtime
from bess_pipeline.sample_market import MarketServer, MarketTables, simulate
from bess_pipeline.scenario_settings import ScenarioSettings
from bess_pipeline.settings import ClockSettings, Settings, SourcesSettings, TradingSettings
from bess_pipeline.trading.stamps import CASHFLOW, DAILY_PNL, DISPATCH, FORESIGHT, PLAN, RUN_STATUS
from bess_pipeline.trading.strategies import STRATEGIES

pytestmark = pytest.mark.slow

DAYS = gb_time.days_between(date(2026, 3, 29), date(2026, 3, 31))
CHANGED = date(2026, 3, 30)
NOW = datetime(2026, 4, 1, 11, 30, tzinfo=UTC)
CHANGE_GBP_MWH = 7.5
DECIDED, RESTATED = (PLAN, FORESIGHT, DISPATCH), (CASHFLOW, RUN_STATUS, DAILY_PNL)


def revised(market: MarketTables) -> MarketTables:
    """The price of settlement date CHANGED, period 10, is published again a day later, GBP 7.50 higher."""
    prices = market.system_price.copy()
    row = (prices["settlement_date"] == CHANGED) & (prices["settlement_period"] == 10)
    prices.loc[row, "system_price_gbp_mwh"] += CHANGE_GBP_MWH
    prices.loc[row, "published_utc"] += pd.Timedelta(days=1)
    return replace(market, system_price=prices)


@contextmanager
def launcher(root: Path, market: MarketTables, now: datetime) -> Iterator[Launcher]:
    with MarketServer(market) as server:
        settings = Settings(
            workspace=root,
            sources=SourcesSettings(mode="sample", day_ahead="neso_n2ex", **server.base_urls),
            clock=ClockSettings(now_utc=now),
            trading=TradingSettings(history_days=7, foresight_margin_days=1),
            forecast=ForecastSettings(models=("similar_day",), calibration_days=14, minimum_history_days=14),
            scenarios=ScenarioSettings(count=20, reduced=5, fresh=10),
            co_optimisation=CoOptimisationSettings(enabled=False),
        )
        runtime = Runtime(settings)
        with dagster_instance(runtime.workspace) as instance:
            yield Launcher(runtime, instance, lambda text: None)


def force_imbalance(lake: Lake) -> None:
    """10 MWh more metered than contracted in every half-hour, as an outage or response would leave it."""
    for day in DAYS:
        rows = lake.read(DISPATCH, day, day)
        rows["contracted_mwh"] -= 10.0
        rows["imbalance_mwh"] += 10.0
        lake.write(DISPATCH, day, rows, lake.stamp(DISPATCH, day))


def contents(lake: Lake, tables: tuple[str, ...]) -> dict[Path, tuple[bytes, int]]:
    files = [file for table in tables for file in lake.files(table)]
    return {file: (file.read_bytes(), os.stat(file).st_mtime_ns) for file in files}


def cash(lake: Lake) -> pd.DataFrame:
    return lake.read_all(CASHFLOW).set_index(["efa_date", "strategy", "stream", "start_utc"])["amount_gbp"]


@pytest.fixture(scope="module")
def market() -> MarketTables:
    return replace(simulate(), now_utc=None)


def test_fault_20_a_revision_changes_cash_and_risk_and_nothing_that_was_decided(
    tmp_path: Path, market: MarketTables
) -> None:
    with launcher(tmp_path, market, NOW) as first:
        first.backfill(DAYS[0], DAYS[-1])
        lake = first.runtime.workspace.lake
        force_imbalance(lake)
        replay = make_replay(first.runtime)
        replay.settle(DAYS), replay.record_status(DAYS), replay.pnl(DAYS)
        assert first.revise() == 0  # all was fetched today
    decided, before, settled = contents(lake, DECIDED), cash(lake), contents(lake, RESTATED)
    hashes = {table: lake.content_hash(table) for table in DECIDED}
    pnl = lake.read_all(DAILY_PNL)["pnl_gbp"].sum()

    with launcher(tmp_path, revised(market), NOW + timedelta(days=1)) as second:
        due = days_to_revise(second.runtime)
        assert {CHANGED, *DAYS} <= set(due)
        assert days_to_resettle(second.runtime) == []
        requests = refresh_requests(second.runtime)
        assert isinstance(requests, list)
        assert isinstance(requests[0], dg.RunRequest)
        assert requests[0].tags["bess/finished"] == "restate"
        assert dg.AssetKey(PLAN.split("/")) not in (requests[0].asset_selection or [])
        assert second.revise() == 1
        assert second.revise() == 0  # asked once a day

    versions = lake.read("market/system_price_revision", CHANGED, CHANGED)
    changed = versions[versions["settlement_period"] == 10]
    assert changed["version"].tolist() == [1, 2]
    assert changed["system_price_gbp_mwh"].diff().iloc[1] == pytest.approx(CHANGE_GBP_MWH)
    assert (versions[versions["settlement_period"] != 10]["version"] == 1).all()
    latest = lake.read("market/system_price", CHANGED, CHANGED).set_index("settlement_period")
    assert latest["system_price_gbp_mwh"].loc[10] == changed["system_price_gbp_mwh"].iloc[1]

    moved = (cash(lake) - before)[lambda difference: difference.abs() > 1e-9]
    start = pd.Timestamp(gb_time.period_start_utc(CHANGED, 10))
    assert {(day, stream, at) for day, _, stream, at in moved.index} == {(CHANGED, "imbalance", start)}
    assert moved.tolist() == pytest.approx([10.0 * CHANGE_GBP_MWH] * len(STRATEGIES))
    assert lake.read_all(DAILY_PNL)["pnl_gbp"].sum() - pnl == pytest.approx(len(STRATEGIES) * 10.0 * CHANGE_GBP_MWH)

    assert contents(lake, DECIDED) == decided
    assert {table: lake.content_hash(table) for table in DECIDED} == hashes
    other = {file: content for file, content in settled.items() if file.stem != CHANGED.isoformat()}
    assert {file: content for file, content in contents(lake, RESTATED).items() if file in other} == other
    assert make_replay(second.runtime).unfinished(DAYS) == []


def test_a_stop_between_new_price_and_new_cash_is_caught_up(tmp_path: Path, market: MarketTables) -> None:
    days = DAYS[1:2]
    with launcher(tmp_path, market, NOW) as first:
        first.backfill(days[0], days[-1])
        lake = first.runtime.workspace.lake
        rows = lake.read("market/system_price", CHANGED, CHANGED)
        rows["system_price_gbp_mwh"] += 1.0
        lake.write("market/system_price", CHANGED, rows)
        assert days_to_resettle(first.runtime) == [CHANGED]
        replay = make_replay(first.runtime)
        replay.settle(days)
        assert days_to_resettle(first.runtime) == [CHANGED]  # status and P&L still stand on the old cash
        replay.record_status(days)
        assert days_to_resettle(first.runtime) == [CHANGED]
        requests = refresh_requests(first.runtime)
        assert isinstance(requests, list)
        assert requests[0].run_key is not None
        assert requests[0].run_key.startswith(f"resettle {CHANGED}")
        assert first.revise() == 1
        assert days_to_resettle(first.runtime) == []
        republished = rows.assign(published_utc=rows["published_utc"] + pd.Timedelta(days=1))
        lake.write("market/system_price", CHANGED, republished)
        assert days_to_resettle(first.runtime) == []  # the same prices, created again
