"""The code location that Dagster loads: all assets, jobs and the schedule.

What belongs here: assembling definitions from settings. What does not: anything else.
`defs` is made at import, which is what Dagster asks of this one module.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import dagster as dg

from bess_pipeline.orchestration.assets.bounds import bound_assets
from bess_pipeline.orchestration.assets.co_optimisation import co_optimisation_assets
from bess_pipeline.orchestration.assets.forecast import forecast_assets
from bess_pipeline.orchestration.assets.frequency import frequency_assets
from bess_pipeline.orchestration.assets.ingest import ingest_assets
from bess_pipeline.orchestration.assets.market import market_assets
from bess_pipeline.orchestration.assets.publish import publish_assets
from bess_pipeline.orchestration.assets.risk import risk_assets
from bess_pipeline.orchestration.assets.settlement import settlement_assets
from bess_pipeline.orchestration.assets.trading import trading_assets
from bess_pipeline.orchestration.jobs import daily_schedule, jobs
from bess_pipeline.orchestration.partitions import daily_partitions, days_of_data
from bess_pipeline.orchestration.resources import RUNTIME, runtime_resource
from bess_pipeline.settings import Settings, load_settings


def build_defs(
    settings: Settings | None = None, say: Callable[[str], None] | None = None, **overrides: Any
) -> dg.Definitions:
    """The definitions under `settings`, or under the settings of the environment with `overrides`.

    `say` is told when a run has to wait for another process.
    """
    chosen = settings or load_settings(**overrides)
    partitions = daily_partitions(*days_of_data(chosen))
    with warnings.catch_warnings():
        # Backfill policies and offsets of partition mappings: in every release of Dagster since 1.5, still called beta.
        warnings.simplefilter("ignore", dg.BetaWarning)
        assets = [
            *ingest_assets(partitions),
            *settlement_assets(partitions),
            *frequency_assets(partitions),
            *forecast_assets(partitions),
            *trading_assets(partitions),
            *co_optimisation_assets(partitions),
            *market_assets(partitions),
            *bound_assets(partitions),
            *risk_assets(partitions),
            *publish_assets(partitions),
        ]
    return dg.Definitions(
        assets=assets,
        jobs=jobs(),
        schedules=[daily_schedule(chosen)],
        resources={RUNTIME: runtime_resource(chosen, say)},
        executor=dg.in_process_executor,
    )


defs = build_defs()
