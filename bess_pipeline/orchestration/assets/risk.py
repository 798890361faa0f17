"""Assets `risk/*` of what is known about risk: measures, back-tests, attribution, ladder, waterfall, limits, stress.

What belongs here: dependencies, the pool, which day is measured and what the UI says. What does not: the measuring
(`risk/stored.py`), and the daily P&L, wear and outcomes of plans, which other assets write.

All of them are one step, because they are measured of one reading of the history up to the last settled day of the
run's range. Dependencies are day on day (`trading.py` says why): the days before are data and no lineage.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import dagster as dg

from bess_pipeline.bound_tables import BOUND_TABLE
from bess_pipeline.orchestration import metadata
from bess_pipeline.orchestration.assets.publish import PUBLISH_POOL
from bess_pipeline.orchestration.partitions import BACKFILL_POLICY, requested_days
from bess_pipeline.orchestration.resources import RUNTIME, one_sentence, restates, skips_finished
from bess_pipeline.risk.stored import StoredRisk
from bess_pipeline.risk_tables import RISK_TABLES
from bess_pipeline.runtime import Runtime
from bess_pipeline.trading.stamps import CASHFLOW, DAILY_PNL, RUN_STATUS
from bess_pipeline.trading_tables import PLAN_OUTCOME

RISK_ASSETS = tuple(RISK_TABLES)
MEASURED_OF = (DAILY_PNL, CASHFLOW, RUN_STATUS, PLAN_OUTCOME, BOUND_TABLE, "market/system_price_revision")
if TYPE_CHECKING:
    Outputs = tuple[dg.MaterializeResult, ...]
else:
    Outputs = tuple[(dg.MaterializeResult,) * len(RISK_ASSETS)]  # Dagster reads one type for each asset


def risk_assets(partitions: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    """The tables of risk, written by one step."""
    return [_risk(partitions)]


def make_stored_risk(runtime: Runtime) -> StoredRisk:
    """`StoredRisk` on the runtime's workspace."""
    return StoredRisk(runtime.settings, runtime.workspace.lake)


def _risk(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="measured_risk",
        specs=[_spec(table) for table in RISK_ASSETS],
        partitions_def=partitions,
        backfill_policy=BACKFILL_POLICY,
        required_resource_keys={RUNTIME},
        pool=PUBLISH_POOL,
    )
    @one_sentence
    def measured_risk(context: dg.AssetExecutionContext) -> Outputs:
        runtime: Runtime = getattr(context.resources, RUNTIME)
        stored, days = make_stored_risk(runtime), requested_days(context)
        # where days were settled again, all that came after them is measured anew, as of the newest day
        as_of = stored.as_of(date.min, date.max) if restates(context) else stored.as_of(days[0], days[-1])
        worked = [] if as_of is None or (skips_finished(context) and stored.stands(as_of)) else [as_of]
        notes = [] if as_of is not None else ["no requested day has settled: there is no risk to measure"]
        for day in worked:
            measured = stored.measure(day)
            notes = [f"as of {day}, {measured.days} days of {', '.join(measured.strategies)}", *measured.warnings]
            for words in measured.warnings:
                context.log.warning(words)
        lake = runtime.workspace.lake
        return tuple(
            dg.MaterializeResult(
                asset_key=table.split("/"),
                metadata=metadata.rows_metadata(context, lake, table, worked) | metadata.notes_metadata(notes),
            )
            for table in RISK_ASSETS
        )

    return measured_risk


def _spec(table: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        key=table.split("/"),
        deps=[name.split("/") for name in MEASURED_OF],
        group_name="risk",
        owners=metadata.OWNERS,
        kinds={"python", "numpy"},
        metadata=metadata.table_metadata(table),
        description=f"{metadata.describe(table)} As known on the last settled day of the run.",
    )
