"""Assets `trading/*`, `risk/daily_pnl` and `risk/degradation`: outages, plans, dispatch, cash, status, P&L, wear.

What belongs here: dependencies, pools and checks. What does not: how a day is traded, and how far back
or ahead a step reads prices (`trading/replay.py`): only the foresight bound may see prices of days to come.

Dependencies are day on day, and only dispatch depends on the day before. The history that a plan reads is
data and no lineage: Dagster's backfill follows mappings downstream, so that with a month of history in
one, a request for two days would plan the whole month after them, in run upon run.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import dagster as dg

from bess_pipeline.forecast_tables import FORECAST
from bess_pipeline.lake import Lake
from bess_pipeline.market_tables import MARKET_DISPATCH
from bess_pipeline.orchestration import metadata
from bess_pipeline.orchestration.partitions import BACKFILL_POLICY, requested_days
from bess_pipeline.orchestration.resources import RUNTIME, one_sentence, restates, skips_finished
from bess_pipeline.orchestration.running import RunningRuntime
from bess_pipeline.runtime import Runtime
from bess_pipeline.trading import checks, market_strategies
from bess_pipeline.trading.chains import is_chain_start
from bess_pipeline.trading.condition import AVAILABILITY, DEGRADATION
from bess_pipeline.trading.replay import Replay
from bess_pipeline.trading.stamps import CASHFLOW, DAILY_PNL, DISPATCH, FORESIGHT, PLAN, RUN_STATUS, outdated
from bess_pipeline.trading.status import DayStatus

CHAIN_POOL = "trading_chain"
DAY_AHEAD, SYSTEM_PRICE = "market/day_ahead_price", "market/system_price"
AUCTIONS = "market/auction_clearing"
HAPPENED = (DAY_AHEAD, SYSTEM_PRICE, AUCTIONS, "market/market_index_price", "market/response_energy")
ENERGY_TOLERANCE_MWH = 1e-6
CASH_TOLERANCE_GBP = 0.005


def trading_assets(partitions: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    """All trading assets, the daily P&L and the wear, in the order of a day."""
    return [
        _availability_asset(partitions),
        _plan_asset(
            partitions,
            PLAN,
            "plan",
            {"python", "pyomo", "highs"},
            "Plans of every strategy that decides at the day-ahead gate, from prices known by then.",
        ),
        _plan_asset(
            partitions,
            FORESIGHT,
            "foresight",
            {"python", "pyomo", "highs"},
            "Upper bound: the schedule a perfect forecast of day-ahead prices would give, one problem over the run's "
            "days and the known days after them.",
        ),
        _dispatch_asset(partitions),
        _cashflow_asset(partitions),
        _run_status_asset(partitions),
        _daily_pnl_asset(partitions),
        _degradation_asset(partitions),
    ]


def common(partitions: dg.PartitionsDefinition, table: str, group: str) -> dict[str, Any]:
    """What the assets of all trading tables are given."""
    return {
        "key": table.split("/"),
        "partitions_def": partitions,
        "backfill_policy": BACKFILL_POLICY,
        "group_name": group,
        "owners": metadata.OWNERS,
        "required_resource_keys": {RUNTIME},
        "metadata": metadata.table_metadata(table),
    }


def _availability_asset(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    @dg.asset(
        **common(partitions, AVAILABILITY, "trading"),
        kinds={"python", "pandas"},
        description=f"{metadata.describe(AVAILABILITY)} From the user's calendar; none without one.",
    )
    @one_sentence
    def availability(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        runtime: Runtime = getattr(context.resources, RUNTIME)
        days = requested_days(context)
        make_replay(runtime).availability(days)
        found = metadata.rows_metadata(context, runtime.workspace.lake, AVAILABILITY, days)
        return dg.MaterializeResult(metadata=found)

    return availability


def _plan_asset(
    partitions: dg.PartitionsDefinition, table: str, step: str, kinds: set[str], description: str
) -> dg.AssetsDefinition:
    @dg.asset(
        **common(partitions, table, "trading"),
        deps=[one.split("/") for one in (DAY_AHEAD, AVAILABILITY, *(() if table == FORESIGHT else (FORECAST,)))],
        pool=CHAIN_POOL,
        kinds=kinds,
        description=f"{description} {metadata.describe(table)}",
    )
    @one_sentence
    def planned(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        runtime: RunningRuntime = getattr(context.resources, RUNTIME)
        runtime.hold_trading_chain()
        replay = make_replay(runtime)
        days = _to_decide(context, replay)
        statuses = replay.plan(days) if step == "plan" else replay.foresight(days)
        return result(context, runtime.workspace.lake, table, days, statuses)

    return planned


def _dispatch_asset(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    key = dg.AssetKey(DISPATCH.split("/"))
    the_day_before = dg.TimeWindowPartitionMapping(
        start_offset=-1, end_offset=-1, allow_nonexistent_upstream_partitions=True
    )

    @dg.asset(
        **common(partitions, DISPATCH, "trading"),
        deps=[
            *(table.split("/") for table in (AVAILABILITY, PLAN, FORESIGHT)),
            dg.AssetDep(key, partition_mapping=the_day_before),
        ],
        pool=CHAIN_POOL,
        kinds={"python", "numpy"},
        description=f"{metadata.describe(DISPATCH)} Each day starts from the closing state of the day before.",
        check_specs=[dg.AssetCheckSpec("energy_balance", asset=key, description="State of energy follows the flows.")],
    )
    @one_sentence
    def dispatch(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        runtime: RunningRuntime = getattr(context.resources, RUNTIME)
        runtime.hold_trading_chain()
        replay = make_replay(runtime)
        days = _to_decide(context, replay)
        statuses = replay.dispatch(days)
        asked = requested_days(context)
        rows = runtime.workspace.lake.read(DISPATCH, asked[0] - timedelta(days=1), asked[-1])
        fades = runtime.settings.degradation.fade_limits_energy
        starts = [day for day in asked if is_chain_start(day, runtime.settings.trading)]
        error = checks.energy_balance_error_mwh(rows, replay.battery, over_midnight=not fades, chain_starts=starts)
        balance = check_result(key, "energy_balance", error <= ENERGY_TOLERANCE_MWH, {"largest_error_mwh": error})
        return result(context, runtime.workspace.lake, DISPATCH, days, statuses, [balance])

    return dispatch


def _cashflow_asset(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    key = dg.AssetKey(CASHFLOW.split("/"))

    @dg.asset(
        **common(partitions, CASHFLOW, "trading"),
        deps=[table.split("/") for table in (DISPATCH, MARKET_DISPATCH, DAY_AHEAD, SYSTEM_PRICE, AUCTIONS)],
        kinds={"python", "pandas"},
        description=metadata.describe(CASHFLOW),
        check_specs=[
            dg.AssetCheckSpec("cash_reconciles", asset=key, description="Cash is volumes times prices, to the penny.")
        ],
    )
    @one_sentence
    def cashflow(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        runtime: RunningRuntime = getattr(context.resources, RUNTIME)
        runtime.hold_trading_chain()
        replay, lake = make_replay(runtime), runtime.workspace.lake
        days = _wanted(context, replay)
        statuses = replay.settle(days)
        asked = requested_days(context)
        before = asked[0] - timedelta(days=1)
        cash = lake.read(CASHFLOW, asked[0], asked[-1])
        day_ahead, system = (lake.read(table, before, asked[-1]) for table in (DAY_AHEAD, SYSTEM_PRICE))
        energy, market = (lake.read(table, asked[0], asked[-1]) for table in (DISPATCH, MARKET_DISPATCH))
        of_all = cash["strategy"].isin(market_strategies.NAMES)
        difference = checks.cash_difference_gbp(cash[~of_all], energy, day_ahead, system, replay.battery)
        difference += checks.market_cash_difference_gbp(cash[of_all], market, day_ahead, system, replay.battery)
        found = check_result(key, "cash_reconciles", difference < CASH_TOLERANCE_GBP, {"difference_gbp": difference})
        return result(context, lake, CASHFLOW, days, statuses, [found])

    return cashflow


def _run_status_asset(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    key = dg.AssetKey(RUN_STATUS.split("/"))

    @dg.asset(
        **common(partitions, RUN_STATUS, "trading"),
        deps=[table.split("/") for table in (DISPATCH, MARKET_DISPATCH, CASHFLOW)],
        kinds={"python", "pandas"},
        description=metadata.describe(RUN_STATUS),
        check_specs=[
            dg.AssetCheckSpec("opening_is_previous_closing", asset=key, description="State carried over midnight.")
        ],
    )
    @one_sentence
    def run_status(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        runtime: RunningRuntime = getattr(context.resources, RUNTIME)
        runtime.hold_trading_chain()
        replay, lake = make_replay(runtime), runtime.workspace.lake
        days = _wanted(context, replay)
        statuses = replay.record_status(days)
        asked = requested_days(context)
        gaps = checks.opening_gaps(lake.read(RUN_STATUS, asked[0] - timedelta(days=1), asked[-1]))
        found = check_result(key, "opening_is_previous_closing", gaps.empty, {"days_that_do_not_continue": len(gaps)})
        return result(context, lake, RUN_STATUS, days, statuses, [found])

    return run_status


def _daily_pnl_asset(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    @dg.asset(
        **common(partitions, DAILY_PNL, "risk"),
        deps=[CASHFLOW.split("/"), RUN_STATUS.split("/")],
        kinds={"python", "pandas"},
        description=metadata.describe(DAILY_PNL),
    )
    @one_sentence
    def daily_pnl(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        runtime: RunningRuntime = getattr(context.resources, RUNTIME)
        runtime.hold_trading_chain()
        replay = make_replay(runtime)
        days = _wanted(context, replay) if restates(context) else requested_days(context)
        replay.pnl(days)
        return dg.MaterializeResult(metadata=metadata.rows_metadata(context, runtime.workspace.lake, DAILY_PNL, days))

    return daily_pnl


def _degradation_asset(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    @dg.asset(
        **common(partitions, DEGRADATION, "risk"),
        deps=[table.split("/") for table in (DISPATCH, MARKET_DISPATCH, CASHFLOW)],
        kinds={"python", "numpy"},
        description=f"{metadata.describe(DEGRADATION)} Rainflow cycles and a semi-empirical LFP model.",
    )
    @one_sentence
    def degradation(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        runtime: Runtime = getattr(context.resources, RUNTIME)
        days = requested_days(context)
        make_replay(runtime).degradation(days)
        found = metadata.rows_metadata(context, runtime.workspace.lake, DEGRADATION, days)
        return dg.MaterializeResult(metadata=found)

    return degradation


def make_replay(runtime: Runtime) -> Replay:
    """A `Replay` on the runtime's workspace."""
    workspace = runtime.workspace

    def chain_starts() -> Sequence[date]:
        stamp = workspace.stamp()
        return stamp.chain_starts if stamp else ()

    return Replay(runtime.settings, workspace.lake, runtime.now, chain_starts, workspace.declare_chain_start)


def _to_decide(context: dg.AssetExecutionContext, replay: Replay) -> list[date]:
    """The requested days, less those on which the strategies of the day-ahead market are complete, where asked to."""
    days = requested_days(context)
    return [day for day in days if not replay.traded(day)] if skips_finished(context) else days


def _wanted(context: dg.AssetExecutionContext, replay: Replay) -> list[date]:
    """The requested days, less the finished ones, or less all whose cash stands, where the run leaves those alone."""
    days = requested_days(context)
    if restates(context):
        return outdated(replay.lake, replay.settings.fingerprint(), days)
    return replay.unfinished(days) if skips_finished(context) else days


def check_result(key: dg.AssetKey, name: str, passed: bool, found: dict[str, Any]) -> dg.AssetCheckResult:
    """A check that fails its run."""
    return dg.AssetCheckResult(
        check_name=name, asset_key=key, passed=bool(passed), severity=dg.AssetCheckSeverity.ERROR, metadata=found
    )


def result(
    context: dg.AssetExecutionContext,
    lake: Lake,
    table: str,
    days: Sequence[date],
    statuses: Sequence[DayStatus],
    check_results: Sequence[dg.AssetCheckResult] = (),
) -> dg.MaterializeResult:
    """What a step over `days` came to; days that are not complete are warnings in its log."""
    lines = [f"{s.day} {s.strategy}: {s.status}: {s.reason}" for s in statuses if s.status != "complete"]
    for line in lines:
        context.log.warning(f"{table} {line}")
    return dg.MaterializeResult(
        metadata=metadata.rows_metadata(context, lake, table, days) | metadata.problems_metadata(lines),
        check_results=list(check_results),
    )
