"""The one partition definition and the one backfill policy that every asset shares.

What belongs here: London days as partitions and how a run's days are read from its context. What
does not: market windows of a day, which come from `gb_time` and never from window arithmetic.

The key is the settlement date for `raw/*` and `market/*` and the EFA date for the rest;
`end_offset=2` gives tomorrow's plan a partition.
"""

from __future__ import annotations

from datetime import date

import dagster as dg

PARTITION_ZONE = "Europe/London"
DAYS_PER_RUN = 31
BACKFILL_POLICY = dg.BackfillPolicy.multi_run(max_partitions_per_run=DAYS_PER_RUN)
RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"


def daily_partitions(first_date: date) -> dg.DailyPartitionsDefinition:
    """London days from `first_date` to the day after tomorrow's start."""
    return dg.DailyPartitionsDefinition(start_date=first_date.isoformat(), timezone=PARTITION_ZONE, end_offset=2)


def requested_days(context: dg.AssetExecutionContext) -> list[date]:
    """The days this run was asked for; one code path for a single day and for a range."""
    return [date.fromisoformat(key) for key in context.partition_keys]


def range_tags(first: date, last: date) -> dict[str, str]:
    """Run tags that ask for the days `first` to `last`, both included, as the UI's backfills do."""
    return {RANGE_START_TAG: first.isoformat(), RANGE_END_TAG: last.isoformat()}
