"""Asset `trading/market_dispatch`: the dispatch of the strategies of all markets.

What belongs here: dependencies, pool and checks. What does not: how a day is dispatched and carried through the lake
(`trading/market_replay.py`), plans (`co_optimisation.py`), and cash, status and P&L, which are made with those of the
other strategies (`trading.py`).

Dependencies are day on day, but for the state of the day before (`trading.py` says why).
"""

from __future__ import annotations

from datetime import timedelta

import dagster as dg

from bess_pipeline.forecast_tables import FORECAST
from bess_pipeline.market_tables import MARKET_DISPATCH
from bess_pipeline.orchestration import metadata
from bess_pipeline.orchestration.assets.trading import (
    CHAIN_POOL,
    DAY_AHEAD,
    ENERGY_TOLERANCE_MWH,
    SYSTEM_PRICE,
    check_result,
    common,
    make_replay,
    result,
)
from bess_pipeline.orchestration.partitions import requested_days
from bess_pipeline.orchestration.resources import RUNTIME, one_sentence, skips_finished
from bess_pipeline.orchestration.running import RunningRuntime
from bess_pipeline.trading import checks
from bess_pipeline.trading.condition import AVAILABILITY
from bess_pipeline.trading_tables import CO_OPTIMISED_PLAN, ORDERS

MARKET_ASSETS = (MARKET_DISPATCH,)
KNOWN = (AVAILABILITY, CO_OPTIMISED_PLAN, ORDERS, FORECAST)
HAPPENED = (DAY_AHEAD, SYSTEM_PRICE, "market/market_index_price", "market/auction_clearing", "market/response_energy")


def market_assets(partitions: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    """The dispatch of the strategies of all markets."""
    return [_dispatch(partitions)]


def _dispatch(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    key = dg.AssetKey(MARKET_DISPATCH.split("/"))
    the_day_before = dg.TimeWindowPartitionMapping(
        start_offset=-1, end_offset=-1, allow_nonexistent_upstream_partitions=True
    )

    @dg.asset(
        **common(partitions, MARKET_DISPATCH, "trading"),
        deps=[
            *(table.split("/") for table in (*KNOWN, *HAPPENED)),
            dg.AssetDep(key, partition_mapping=the_day_before),
        ],
        pool=CHAIN_POOL,
        kinds={"python", "highs"},
        description=f"{metadata.describe(MARKET_DISPATCH)} One decision for each half-hour, from what was known an "
        "hour before it.",
        check_specs=[dg.AssetCheckSpec("energy_balance", asset=key, description="State of energy follows the flows.")],
    )
    @one_sentence
    def market_dispatch(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        runtime: RunningRuntime = getattr(context.resources, RUNTIME)
        runtime.hold_trading_chain()
        replay, lake, asked = make_replay(runtime), runtime.workspace.lake, requested_days(context)
        again = not skips_finished(context)
        days = asked if again else replay.market.unfinished(asked)
        statuses = replay.market.dispatch(days, again=again)
        rows = lake.read(MARKET_DISPATCH, asked[0] - timedelta(days=1), asked[-1])
        fades = runtime.settings.degradation.fade_limits_energy
        error = checks.energy_balance_error_mwh(rows, replay.battery, over_midnight=not fades)
        balance = check_result(key, "energy_balance", error <= ENERGY_TOLERANCE_MWH, {"largest_error_mwh": error})
        return result(context, lake, MARKET_DISPATCH, days, statuses, [balance])

    return market_dispatch
