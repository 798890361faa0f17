"""The one partition definition and the one backfill policy that every asset shares.

What belongs here: London days as partitions and how a run's days are read from its context. What
does not: market windows of a day, which come from `gb_time` and never from window arithmetic.

The key is the settlement date for `raw/*` and `market/*` and the EFA date for the rest;
`end_offset=2` gives tomorrow's plan a partition. A sample market has an end, and so have its partitions:
the UI then shows the days that can be filled, and calls the last of them the latest.
"""

from __future__ import annotations

from datetime import date, timedelta

import dagster as dg

from bess_pipeline import sample_dates
from bess_pipeline.errors import OriginError
from bess_pipeline.settings import Settings, TradingSettings
from bess_pipeline.workspace import Workspace, effective_sources

PARTITION_ZONE = "Europe/London"
DAYS_PER_RUN = 31
BACKFILL_POLICY = dg.BackfillPolicy.multi_run(max_partitions_per_run=DAYS_PER_RUN)
RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"


def chained_days_per_run(trading: TradingSettings) -> int:
    """Days of a run that plans or trades: a month, or one for each worker where months start chains of their own."""
    return DAYS_PER_RUN * trading.workers if trading.chain_months else DAYS_PER_RUN


def daily_partitions(first_date: date, last_date: date | None = None) -> dg.DailyPartitionsDefinition:
    """London days from `first_date` to `last_date`, or to tomorrow, always, where the data has no end."""
    if last_date is None:
        return dg.DailyPartitionsDefinition(start_date=first_date.isoformat(), timezone=PARTITION_ZONE, end_offset=2)
    after = last_date + timedelta(days=1)
    return dg.DailyPartitionsDefinition(
        start_date=first_date.isoformat(), end_date=after.isoformat(), timezone=PARTITION_ZONE
    )


def days_of_data(settings: Settings) -> tuple[date, date | None]:
    """First and last day that the workspace's market can have; no last one where the market goes on."""
    first = settings.data.first_date
    try:
        mode = effective_sources(settings, Workspace(settings.workspace).stamp())[0]
    except OriginError:
        mode = "live"  # the settings contradict the workspace; each run says so
    if mode != "sample":
        return first, None
    return max(first, sample_dates.FIRST_DATE), None if settings.clock.now_utc else sample_dates.LAST_DATE


def requested_days(context: dg.AssetExecutionContext) -> list[date]:
    """The days this run was asked for; one code path for a single day and for a range."""
    return [date.fromisoformat(key) for key in context.partition_keys]


def range_tags(first: date, last: date) -> dict[str, str]:
    """Run tags that ask for the days `first` to `last`, both included, as the UI's backfills do."""
    return {RANGE_START_TAG: first.isoformat(), RANGE_END_TAG: last.isoformat()}
