"""Assets behind the system price: its versions, and on demand the settlement stack and the price check.

What belongs here: dependencies and what the UI says. What does not: versions (`ingestion/revisions.py`),
stacks (`ingestion/stack.py`) and recomputed prices (`market_checks/`).

The stack takes about a hundred requests a day: its assets are in a job of their own and in no schedule.
"""

from __future__ import annotations

from typing import Any

import dagster as dg

from bess_pipeline.ingestion.revisions import SYSTEM_PRICE_RAW, Revisions
from bess_pipeline.ingestion.revisions import TABLE as REVISION
from bess_pipeline.ingestion.stack import CHECK, STACK, StackIngestion
from bess_pipeline.ingestion.stack import RAW as STACK_RAW
from bess_pipeline.ingestion.vault import RawVault
from bess_pipeline.market_checks.system_price_check import DIFFERS
from bess_pipeline.orchestration import metadata
from bess_pipeline.orchestration.assets.ingest import INGEST_POOL
from bess_pipeline.orchestration.partitions import BACKFILL_POLICY, requested_days
from bess_pipeline.orchestration.resources import RUNTIME, one_sentence, skips_finished
from bess_pipeline.runtime import Runtime

SYSTEM_PRICE, MARKET_INDEX = "market/system_price", "market/market_index_price"
STACK_ASSETS = (STACK_RAW, STACK, CHECK)


def settlement_assets(partitions: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    """The versions of the system price, and the three assets of the detailed prices."""
    return [_revision(partitions), _stack_raw(partitions), _stack(partitions), _check(partitions)]


def _common(partitions: dg.PartitionsDefinition, name: str, *deps: str) -> dict[str, Any]:
    return {
        "key": name.split("/"),
        "deps": [dep.split("/") for dep in deps],
        "partitions_def": partitions,
        "backfill_policy": BACKFILL_POLICY,
        "group_name": name.split("/")[0],
        "owners": metadata.OWNERS,
        "required_resource_keys": {RUNTIME},
    }


def _table(table: str) -> dict[str, Any]:
    return {
        "kinds": {"pandas", "pandera", "parquet"},
        "description": metadata.describe(table),
        "metadata": metadata.table_metadata(table),
    }


def _revision(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    @dg.asset(**_common(partitions, REVISION, SYSTEM_PRICE_RAW), **_table(REVISION))
    @one_sentence
    def system_price_revision(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        runtime: Runtime = getattr(context.resources, RUNTIME)
        revisions = system_price_revisions(runtime)
        if revisions is None:
            return dg.MaterializeResult(metadata={"note": f"{SYSTEM_PRICE} is not part of mode {runtime.mode}"})
        with runtime.alone_with(SYSTEM_PRICE_RAW):
            rows, problems = revisions.build(requested_days(context))
        for line in problems:
            context.log.warning(f"{REVISION} {line}")
        return dg.MaterializeResult(metadata={"rows_written": rows} | metadata.problems_metadata(problems))

    return system_price_revision


def _stack_raw(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    @dg.asset(
        **_common(partitions, STACK_RAW),
        pool=INGEST_POOL,
        kinds={"python", "http"},
        description="Elexon settlement stack (ISPSTACK): offers and bids of every period, about a hundred paced "
        "requests a day, only when asked for. Every answer is kept as it came.",
    )
    @one_sentence
    def settlement_stack_answers(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        runtime: Runtime = getattr(context.resources, RUNTIME)
        days = requested_days(context)
        if runtime.mode == "files":
            return dg.MaterializeResult(metadata={"asked": 0, "note": "prices of your own files have no stack"})
        with runtime.alone_with(STACK_RAW), runtime.ingestion() as ingestion:
            stacks = StackIngestion(ingestion)
            days = stacks.unfinished(days) if skips_finished(context) else days
            failures = stacks.fetch(days)
        lines = [f"{day}: {failure.status}: {failure.reason}" for day, failure in failures.items() if failure]
        for line in lines:
            context.log.warning(f"{STACK_RAW} {line}")
        return dg.MaterializeResult(metadata={"asked": len(days)} | metadata.problems_metadata(lines))

    return settlement_stack_answers


def _stack(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    @dg.asset(**_common(partitions, STACK, STACK_RAW), **_table(STACK))
    @one_sentence
    def settlement_stack(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        runtime: Runtime = getattr(context.resources, RUNTIME)
        with runtime.alone_with(STACK_RAW), runtime.ingestion() as ingestion:
            stacks = StackIngestion(ingestion)
            days = requested_days(context)
            outcomes = stacks.build(stacks.unfinished(days) if skips_finished(context) else days)
        lines = [f"{o.date}: {o.status}: {o.reason}" for o in outcomes if o.status != "complete"]
        for line in lines:
            context.log.warning(f"{STACK} {line}")
        return dg.MaterializeResult(metadata={"days": len(outcomes)} | metadata.problems_metadata(lines))

    return settlement_stack


def _check(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    @dg.asset(**_common(partitions, CHECK, STACK, SYSTEM_PRICE, MARKET_INDEX), **_table(CHECK))
    @one_sentence
    def system_price_check(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        runtime: Runtime = getattr(context.resources, RUNTIME)
        with runtime.ingestion() as ingestion:
            rows = StackIngestion(ingestion).check(requested_days(context), runtime.settings.stack)
        outcomes = rows["method"].str.cat(rows["status"], sep=" ").value_counts()
        counts = {str(outcome): int(count) for outcome, count in outcomes.items()}
        differing = rows.loc[rows["status"] == DIFFERS, "difference_gbp_mwh"].abs()
        largest = float(differing.max()) if len(differing) else 0.0
        return dg.MaterializeResult(metadata={"rows": len(rows), "largest_difference_gbp_mwh": largest, **counts})

    return system_price_check


def system_price_revisions(runtime: Runtime) -> Revisions | None:
    """The versions of the workspace's system price; None where it ingests none."""
    dataset = next((dataset for dataset in runtime.datasets() if dataset.table == SYSTEM_PRICE), None)
    return None if dataset is None else Revisions(dataset, RawVault(runtime.workspace.raw), runtime.workspace.lake)
