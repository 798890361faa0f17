"""Assets `raw/*` (providers' answers as they came) and `market/*` (validated tables built from them).

What belongs here: which asset feeds which, and what the UI says of them. What does not: fetching,
parsing, completeness (`ingestion/`, `sources/`). A bad day never raises here: it is an outcome in
market.source_status.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg

from bess_pipeline import schemas
from bess_pipeline.ingestion.datasets import Dataset
from bess_pipeline.ingestion.outcomes import OutcomeStore, source_status_frame, standings
from bess_pipeline.orchestration import metadata
from bess_pipeline.orchestration.partitions import BACKFILL_POLICY, requested_days
from bess_pipeline.orchestration.resources import RUNTIME, one_sentence, skips_finished
from bess_pipeline.runtime import Runtime
from bess_pipeline.verdict import NOT_NEEDED

INGEST_POOL = "provider_requests"
SOURCE_STATUS = "market/source_status"


@dataclass(frozen=True)
class Feed:
    """A market table, the raw assets it is built from, its provider and its plausible values."""

    table: str
    raw: tuple[str, ...]
    provider: str
    asks: str
    value_column: str
    plausible: tuple[float, float]


FEEDS = (
    Feed(
        "market/system_price",
        ("raw/elexon_system_price",),
        "elexon",
        "Elexon Insights system prices (DISEBSP), one answer a settlement date.",
        "system_price_gbp_mwh",
        (-6000.0, 6000.0),
    ),
    Feed(
        "market/market_index_price",
        ("raw/elexon_market_index",),
        "elexon",
        "Elexon market index (APXMIDP): a within-day index, known only after trading.",
        "market_index_price_gbp_mwh",
        (-1000.0, 6000.0),
    ),
    Feed(
        "market/auction_clearing",
        ("raw/neso_response_auction",),
        "neso",
        "NESO auction results: response products by EFA block, reserve products by half-hour, before and since EAC.",
        "clearing_price_gbp_mw_h",
        (-999.99, 999.99),
    ),
    Feed(
        "market/day_ahead_price",
        ("raw/day_ahead_price", "raw/elexon_market_index"),
        "neso",
        "Day-ahead price from the configured source: NESO's N2EX resource by default (ENTSO-E carries no GB "
        "price after 2020), ENTSO-E, a file, or the market index standing in, as `source` says.",
        "day_ahead_price_gbp_mwh",
        (-500.0, 4000.0),
    ),
)

FUNDAMENTALS = Feed(
    "market/fundamental_forecast",
    ("raw/elexon_forecasts",),
    "elexon",
    "Elexon forecasts by day of publication: WINDFOR, NDF, DGWS, INDDEM, INDGEN, IMBALNGC, MELNGC.",
    "value",
    (-200_000.0, 200_000.0),
)


def ingest_assets(partitions: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    """The `raw/*` and `market/*` assets of the daily run."""
    feeds = (*FEEDS, FUNDAMENTALS)
    raw = [_raw_asset(partitions, feed) for feed in feeds]
    market = [_market_asset(partitions, feed) for feed in feeds]
    return [*raw, *market, _source_status_asset(partitions)]


def _raw_asset(partitions: dg.PartitionsDefinition, feed: Feed) -> dg.AssetsDefinition:
    @dg.asset(
        key=feed.raw[0].split("/"),
        partitions_def=partitions,
        backfill_policy=BACKFILL_POLICY,
        group_name="raw",
        pool=INGEST_POOL,
        owners=metadata.OWNERS,
        kinds={"python", "http"},
        required_resource_keys={RUNTIME},
        description=f"{feed.asks} Every answer is kept as it came: bytes, URL without token, fetch time, SHA-256.",
    )
    @one_sentence
    def raw(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        runtime: Runtime = getattr(context.resources, RUNTIME)
        dataset = _dataset(runtime, feed.table)
        if dataset is None or dataset.raw != feed.raw[0]:
            instead = f"read from {dataset.raw}" if dataset else "no part of this market"
            return dg.MaterializeResult(metadata={"asked": 0, "note": f"{feed.table} is {instead}"})
        days = requested_days(context)
        with runtime.alone_with(dataset.raw), runtime.ingestion() as ingestion:
            if skips_finished(context):
                days = ingestion.unanswered(dataset, days)
            failures = ingestion.fetch(dataset, days)
        lines = [f"{day}: {failure.status}: {failure.reason}" for day, failure in failures.items() if failure]
        for line in lines:
            context.log.warning(f"{feed.raw[0]} {line}")
        return dg.MaterializeResult(metadata={"asked": len(days)} | metadata.problems_metadata(lines))

    return raw


def _market_asset(partitions: dg.PartitionsDefinition, feed: Feed) -> dg.AssetsDefinition:
    key = dg.AssetKey(feed.table.split("/"))

    @dg.asset(
        key=key,
        deps=[raw.split("/") for raw in feed.raw],
        partitions_def=partitions,
        backfill_policy=BACKFILL_POLICY,
        group_name="market",
        owners=metadata.OWNERS,
        kinds={"pandas", "pandera", "parquet"},
        required_resource_keys={RUNTIME},
        description=metadata.describe(feed.table),
        metadata=metadata.table_metadata(feed.table),
        check_specs=[
            dg.AssetCheckSpec("period_counts", asset=key, description="Every requested day has its expected rows."),
            dg.AssetCheckSpec("price_bounds", asset=key, description="Values lie within what is plausible for GB."),
        ],
    )
    @one_sentence
    def market(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        runtime: Runtime = getattr(context.resources, RUNTIME)
        dataset = _dataset(runtime, feed.table)
        days = requested_days(context) if dataset else []
        with runtime.alone_with(*([dataset.raw] if dataset else [])), runtime.ingestion() as ingestion:
            if dataset and skips_finished(context):
                days = ingestion.unfinished(dataset, days)
            outcomes = ingestion.build(dataset, days) if dataset else []
        lines = [f"{o.date}: {o.status}: {o.reason}" for o in outcomes if o.status != "complete"]
        for line in lines:
            context.log.warning(f"{feed.table} {line}")
        return dg.MaterializeResult(
            metadata=metadata.rows_metadata(context, runtime.workspace.lake, feed.table, days)
            | metadata.problems_metadata(lines),
            check_results=[
                _period_counts(key, lines, days),
                _price_bounds(key, runtime, feed, requested_days(context)),
            ],
        )

    return market


def _source_status_asset(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    @dg.asset(
        key=SOURCE_STATUS.split("/"),
        deps=[table.split("/") for table in (*(feed.table for feed in FEEDS), *sorted(NOT_NEEDED))],
        partitions_def=partitions,
        backfill_policy=BACKFILL_POLICY,
        group_name="market",
        owners=metadata.OWNERS,
        kinds={"pandas", "pandera", "parquet"},
        required_resource_keys={RUNTIME},
        description=metadata.describe(SOURCE_STATUS),
        metadata=metadata.table_metadata(SOURCE_STATUS),
    )
    @one_sentence
    def source_status(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        runtime: Runtime = getattr(context.resources, RUNTIME)
        days, lake = requested_days(context), runtime.workspace.lake
        store = OutcomeStore(runtime.workspace.raw / "outcomes")
        datasets = runtime.datasets()
        with runtime.alone_with(SOURCE_STATUS):  # else an older outcome could be written over a newer one
            frames = {day: source_status_frame(standings(store, datasets, day)) for day in days}
            for refusal in lake.write_days(SOURCE_STATUS, frames).values():
                raise refusal
        return dg.MaterializeResult(metadata=metadata.rows_metadata(context, lake, SOURCE_STATUS, days))

    return source_status


def _dataset(runtime: Runtime, table: str) -> Dataset | None:
    known = (*runtime.datasets(), *runtime.side_datasets())
    return next((dataset for dataset in known if dataset.table == table), None)


def _period_counts(key: dg.AssetKey, lines: Sequence[str], days: Sequence[date]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name="period_counts",
        asset_key=key,
        passed=not lines,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"days": len(days)} | metadata.problems_metadata(lines),
    )


def _price_bounds(key: dg.AssetKey, runtime: Runtime, feed: Feed, days: Sequence[date]) -> dg.AssetCheckResult:
    frame = runtime.workspace.lake.read(feed.table, days[0], days[-1]) if days else schemas.empty_frame(feed.table)
    values = frame[feed.value_column].dropna()
    low, high = feed.plausible
    outside = int(((values < low) | (values > high)).sum())
    found: dict[str, Any] = {"outside": outside, "plausible": f"{low:g} to {high:g}"}
    if len(values):
        found |= {"lowest": float(values.min()), "highest": float(values.max())}
    return dg.AssetCheckResult(
        check_name="price_bounds",
        asset_key=key,
        passed=outside == 0,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=found,
    )
