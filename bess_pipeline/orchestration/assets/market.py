"""Assets `trading/market_dispatch` and `trading/foresight_orders`: the dispatch of the strategies of all markets.

What belongs here: dependencies, pool and checks. What does not: how a day is dispatched and carried through the lake
(`trading/market_replay.py`), plans (`co_optimisation.py`), and cash, status and P&L, which are made with those of the
other strategies (`trading.py`).

Dependencies are day on day, but for the state of the day before (`trading.py` says why).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import dagster as dg

from bess_pipeline.forecast_tables import FORECAST
from bess_pipeline.market_tables import MARKET_DISPATCH
from bess_pipeline.orchestration import metadata
from bess_pipeline.orchestration.assets.trading import (
    CHAIN_POOL,
    ENERGY_TOLERANCE_MWH,
    HAPPENED,
    check_result,
    common,
    make_replay,
    result,
)
from bess_pipeline.orchestration.partitions import requested_days
from bess_pipeline.orchestration.resources import RUNTIME, one_sentence, skips_finished
from bess_pipeline.orchestration.running import RunningRuntime
from bess_pipeline.trading import checks
from bess_pipeline.trading.chains import is_chain_start
from bess_pipeline.trading.condition import AVAILABILITY
from bess_pipeline.trading.market_strategies import FORESIGHT_48H
from bess_pipeline.trading_tables import CO_OPTIMISED_PLAN, FORESIGHT_ORDERS, ORDERS

MARKET_ASSETS = (MARKET_DISPATCH, FORESIGHT_ORDERS)
SHARED = ("partitions_def", "backfill_policy", "required_resource_keys")
KNOWN = (AVAILABILITY, CO_OPTIMISED_PLAN, ORDERS, FORECAST)


def market_assets(partitions: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    """The dispatch of the strategies of all markets."""
    return [_dispatch(partitions)]


def _dispatch(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    key = dg.AssetKey(MARKET_DISPATCH.split("/"))
    the_day_before = dg.TimeWindowPartitionMapping(
        start_offset=-1, end_offset=-1, allow_nonexistent_upstream_partitions=True
    )

    shared = {name: value for name, value in common(partitions, MARKET_DISPATCH, "trading").items() if name in SHARED}

    @dg.multi_asset(
        **shared,
        name="market_dispatch",
        pool=CHAIN_POOL,
        specs=[
            _spec(
                MARKET_DISPATCH,
                "One decision for each half-hour, from what was known an hour before it.",
                [
                    *(table.split("/") for table in (*KNOWN, *HAPPENED)),
                    dg.AssetDep(key, partition_mapping=the_day_before),
                ],
            ),
            _spec(FORESIGHT_ORDERS, "Of perfect_foresight_48h.", [MARKET_DISPATCH.split("/")]),
        ],
        check_specs=[dg.AssetCheckSpec("energy_balance", asset=key, description="State of energy follows the flows.")],
    )
    @one_sentence
    def market_dispatch(context: dg.AssetExecutionContext) -> tuple[dg.MaterializeResult, dg.MaterializeResult]:
        runtime: RunningRuntime = getattr(context.resources, RUNTIME)
        runtime.hold_trading_chain()
        replay, lake, asked = make_replay(runtime), runtime.workspace.lake, requested_days(context)
        again = not skips_finished(context)
        days = asked if again else replay.market.unfinished(asked)
        statuses = replay.market.dispatch(days, again=again)
        rows = lake.read(MARKET_DISPATCH, asked[0] - timedelta(days=1), asked[-1])
        fades = runtime.settings.degradation.fade_limits_energy
        starts = [day for day in asked if is_chain_start(day, runtime.settings.trading)]
        error = checks.energy_balance_error_mwh(rows, replay.battery, over_midnight=not fades, chain_starts=starts)
        balance = check_result(key, "energy_balance", error <= ENERGY_TOLERANCE_MWH, {"largest_error_mwh": error})
        made = result(context, lake, MARKET_DISPATCH, days, statuses, [balance])
        foreseen = [one for one in statuses if one.strategy == FORESIGHT_48H]
        orders = result(context, lake, FORESIGHT_ORDERS, days, foreseen)
        return made._replace(asset_key=key), orders._replace(asset_key=dg.AssetKey(FORESIGHT_ORDERS.split("/")))

    return market_dispatch


def _spec(table: str, more: str, deps: list[Any]) -> dg.AssetSpec:
    return dg.AssetSpec(
        key=table.split("/"),
        deps=deps,
        group_name="trading",
        owners=metadata.OWNERS,
        kinds={"python", "highs"},
        metadata=metadata.table_metadata(table),
        description=f"{metadata.describe(table)} {more}",
    )
