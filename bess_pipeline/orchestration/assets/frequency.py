"""Assets `raw/neso_frequency` (monthly files) and `market/response_energy` (built from them).

What belongs here: their keys and what the UI says of them. What does not: fetching, parsing and
judging (`ingestion/frequency.py`). They have a job of their own: a month is a large file, and no
trading day waits for it. A bad day never raises here: it is an outcome in market.source_status.
"""

from __future__ import annotations

from typing import Any

import dagster as dg

from bess_pipeline.ingestion.frequency import RAW, TABLE, FrequencyRows, fetch_frequency, response_energy_dataset
from bess_pipeline.orchestration import metadata
from bess_pipeline.orchestration.assets.ingest import INGEST_POOL
from bess_pipeline.orchestration.partitions import BACKFILL_POLICY, requested_days
from bess_pipeline.orchestration.resources import RUNTIME, one_sentence, skips_finished
from bess_pipeline.runtime import Runtime

RAW_FREQUENCY, RESPONSE_ENERGY = RAW, TABLE


def frequency_assets(partitions: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    """The monthly files and the energy built from them."""
    return [_raw_asset(partitions), _energy_asset(partitions)]


def _raw_asset(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    @dg.asset(
        key=RAW_FREQUENCY.split("/"),
        partitions_def=partitions,
        backfill_policy=BACKFILL_POLICY,
        group_name="raw",
        pool=INGEST_POOL,
        owners=metadata.OWNERS,
        kinds={"python", "http"},
        required_resource_keys={RUNTIME},
        description="NESO one-second system frequency: monthly files of about 75 MB, streamed to disk as they came.",
    )
    @one_sentence
    def neso_frequency(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        runtime: Runtime = getattr(context.resources, RUNTIME)
        days = requested_days(context)
        if runtime.mode == "files":
            return dg.MaterializeResult(metadata={"asked": 0, "note": "not part of mode files"})
        with runtime.alone_with(RAW_FREQUENCY), runtime.ingestion() as ingestion:
            if skips_finished(context):
                days = ingestion.unanswered(response_energy_dataset(), days)
            failures = fetch_frequency(ingestion, days)
        lines = [f"{month}: {failure.status}: {failure.reason}" for month, failure in failures.items() if failure]
        for line in lines:
            context.log.warning(f"{RAW_FREQUENCY} {line}")
        return dg.MaterializeResult(metadata={"asked": len(failures)} | metadata.problems_metadata(lines))

    return neso_frequency


def _energy_asset(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    @dg.asset(
        key=RESPONSE_ENERGY.split("/"),
        deps=[RAW_FREQUENCY.split("/")],
        partitions_def=partitions,
        backfill_policy=BACKFILL_POLICY,
        group_name="market",
        owners=metadata.OWNERS,
        kinds={"numpy", "pandera", "parquet"},
        required_resource_keys={RUNTIME},
        description=metadata.describe(RESPONSE_ENERGY),
        metadata=metadata.table_metadata(RESPONSE_ENERGY),
    )
    @one_sentence
    def response_energy(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        runtime: Runtime = getattr(context.resources, RUNTIME)
        dataset = response_energy_dataset(runtime.frequency_basis)
        days = [] if runtime.mode == "files" else requested_days(context)
        with runtime.alone_with(RAW_FREQUENCY), runtime.ingestion() as ingestion:
            if skips_finished(context):
                days = ingestion.unfinished(dataset, days)
            rows = FrequencyRows(ingestion.vault, runtime.frequency_basis)
            outcomes = ingestion.build(dataset, days, rows)
        lines = [f"{o.date}: {o.status}: {o.reason}" for o in outcomes if o.status != "complete"]
        for line in lines:
            context.log.warning(f"{RESPONSE_ENERGY} {line}")
        counts: dict[str, Any] = {f"file {month}": str(found) for month, found in sorted(rows.counts.items())}
        return dg.MaterializeResult(
            metadata=metadata.rows_metadata(context, runtime.workspace.lake, RESPONSE_ENERGY, days)
            | metadata.problems_metadata(lines)
            | counts
        )

    return response_energy
