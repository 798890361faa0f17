"""Assets `warehouse` and `report/*`: the DuckDB file, figures, the report page and the verdict on the run.

What belongs here: publishing at the end of a run and failing the run when a requested day is not
complete. What does not: how any of it is made (`warehouse.py`, `report/publish.py`, `verdict.py`).
"""

from __future__ import annotations

from typing import Any

import dagster as dg

from bess_pipeline.orchestration import metadata
from bess_pipeline.orchestration.assets.ingest import SOURCE_STATUS
from bess_pipeline.orchestration.partitions import BACKFILL_POLICY, requested_days
from bess_pipeline.orchestration.resources import RUNTIME, one_sentence
from bess_pipeline.runtime import Runtime
from bess_pipeline.schemas import TABLES
from bess_pipeline.verdict import not_complete
from bess_pipeline.warehouse import publish

WAREHOUSE, FIGURES, REPORT, VERDICT = "warehouse", "report/figures", "report/summary", "report/verdict"
DATA_QUALITY, FORECAST_PAGE, PLAN_PAGE = "report/data_quality", "report/forecasts", "report/plans"
PUBLISH_POOL = "publish"


def publish_assets(partitions: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    """The warehouse, the figures, the pages, and the verdict as the last asset of a run."""
    return [
        _warehouse(partitions),
        _figures(partitions),
        _summary(partitions),
        _forecasts(partitions),
        _plans(partitions),
        _data_quality(partitions),
        _verdict(partitions),
    ]


def _common(partitions: dg.PartitionsDefinition, name: str, *deps: str) -> dict[str, Any]:
    return {
        "key": name.split("/"),
        "deps": [dep.split("/") for dep in deps],
        "partitions_def": partitions,
        "backfill_policy": BACKFILL_POLICY,
        "group_name": "publish",
        "owners": metadata.OWNERS,
        "required_resource_keys": {RUNTIME},
    }


def _warehouse(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    @dg.asset(
        **_common(partitions, WAREHOUSE, *TABLES),
        pool=PUBLISH_POOL,
        kinds={"duckdb", "sql"},
        description="bess.duckdb: all tables of the lake with the views of sql/, rebuilt and published by one rename.",
    )
    @one_sentence
    def warehouse(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        runtime: Runtime = getattr(context.resources, RUNTIME)
        path = publish(runtime.workspace, say=runtime.say)
        return dg.MaterializeResult(metadata={"path": dg.MetadataValue.path(path), "bytes": path.stat().st_size})

    return warehouse


def _figures(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    @dg.asset(
        **_common(partitions, FIGURES, WAREHOUSE),
        pool=PUBLISH_POOL,
        kinds={"matplotlib"},
        description="Cumulative P&L with drawdown, streams over time, ladder, waterfall, capture by month, what bad "
        "days are made of, wear, and dispatch overlays of telling days.",
    )
    @one_sentence
    def figures(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        from bess_pipeline.report.publish import (  # matplotlib: paid where figures are drawn
            settled_window,
            write_figures,
        )

        runtime: Runtime = getattr(context.resources, RUNTIME)
        window = settled_window(runtime.workspace)
        if window is None:
            return dg.MaterializeResult(metadata={"figures": 0, "note": "no trading day has been run yet"})
        written = write_figures(runtime.settings, runtime.workspace, window, runtime.now())
        return dg.MaterializeResult(metadata={"figures": len(written)} | metadata.picture_metadata(written))

    return figures


def _summary(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    @dg.asset(
        **_common(partitions, REPORT, WAREHOUSE, FIGURES),
        pool=PUBLISH_POOL,
        kinds={"html"},
        description="The report page: P&L by strategy and stream, ladder, waterfall, risk, days that are not complete, "
        "what is not included, figures.",
    )
    @one_sentence
    def summary(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        from bess_pipeline.report.publish import newest_figures, settled_window, write_report

        runtime: Runtime = getattr(context.resources, RUNTIME)
        window = settled_window(runtime.workspace)
        if window is None:
            return dg.MaterializeResult(metadata={"note": "no trading day has been run yet"})
        pictures = newest_figures(runtime.workspace)
        path = write_report(runtime.settings, runtime.workspace, window, pictures, runtime.now())
        return dg.MaterializeResult(metadata={"page": dg.MetadataValue.path(path)})

    return summary


def _forecasts(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    @dg.asset(
        **_common(partitions, FORECAST_PAGE, WAREHOUSE),
        pool=PUBLISH_POOL,
        kinds={"matplotlib", "html"},
        description="The page of forecasts and scenarios: fan charts, dependence, ranks, skill, and a table of scores.",
    )
    @one_sentence
    def forecasts(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        from bess_pipeline.report.forecasts import write_forecast_page
        from bess_pipeline.report.publish import copy_figures, settled_window

        runtime: Runtime = getattr(context.resources, RUNTIME)
        window = settled_window(runtime.workspace)
        written = window and write_forecast_page(runtime.settings, runtime.workspace, window, runtime.now())
        if not written:
            return dg.MaterializeResult(
                metadata={"note": "no forecast of a trading day that was run has been made yet"}
            )
        copy_figures(written.figures.values(), runtime.settings.report.copy_figures_to)
        found: dict[str, Any] = {"page": dg.MetadataValue.path(written.page)}
        return dg.MaterializeResult(metadata=found | metadata.picture_metadata(written.figures))

    return forecasts


def _plans(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    @dg.asset(
        **_common(partitions, PLAN_PAGE, WAREHOUSE),
        pool=PUBLISH_POOL,
        kinds={"matplotlib", "html"},
        description="The page of plans of all markets: overlay, bid curve, why each volume is held, risk and frontier.",
    )
    @one_sentence
    def plans(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        from bess_pipeline.report.plans import write_plans_page
        from bess_pipeline.report.publish import copy_figures

        runtime: Runtime = getattr(context.resources, RUNTIME)
        written = write_plans_page(runtime.settings, runtime.workspace, runtime.now())
        copy_figures(written.figures.values(), runtime.settings.report.copy_figures_to)
        found: dict[str, Any] = {
            "page": dg.MetadataValue.path(written.page),
            "planned_day": "none" if written.day is None else str(written.day),
        }
        return dg.MaterializeResult(metadata=found | metadata.picture_metadata(written.figures))

    return plans


def _data_quality(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    @dg.asset(
        **_common(partitions, DATA_QUALITY, SOURCE_STATUS),
        pool=PUBLISH_POOL,
        kinds={"matplotlib", "html"},
        description="The data-quality page: coverage calendar of all known days, lateness, revisions, quarantine.",
    )
    @one_sentence
    def data_quality(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        from bess_pipeline.report.data_quality import write_data_quality
        from bess_pipeline.report.publish import copy_figures

        runtime: Runtime = getattr(context.resources, RUNTIME)
        written = write_data_quality(runtime.workspace, runtime.watched(), runtime.settings.revisions, runtime.now())
        if written is None:
            return dg.MaterializeResult(metadata={"note": "no day has been asked for yet"})
        copy_figures([written.picture], runtime.settings.report.copy_figures_to)
        found: dict[str, Any] = {
            "page": dg.MetadataValue.path(written.page),
            "summary": dg.MetadataValue.md("\n".join(f"- {one.dataset}: {one}" for one in written.summaries)),
            "revisions": str(written.revisions),
            "quarantined_days_open": written.open_quarantine,
        }
        return dg.MaterializeResult(metadata=found | metadata.picture_metadata({"coverage": written.picture}))

    return data_quality


def _verdict(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    @dg.asset(
        **_common(partitions, VERDICT, REPORT, SOURCE_STATUS, "trading/run_status"),
        kinds={"python"},
        description="Fails the run when a requested day that has ended is not complete, and lists which and why.",
    )
    @one_sentence
    def verdict(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        runtime: Runtime = getattr(context.resources, RUNTIME)
        days = [day for day in requested_days(context) if day <= runtime.last_finished_day()]
        lines = [str(problem) for problem in not_complete(runtime.workspace.lake, days)]
        if lines:
            bad = len({line[:10] for line in lines})
            raise dg.Failure(
                description=f"{bad} of {len(days)} days are not complete:\n" + "\n".join(lines),
                metadata=metadata.problems_metadata(lines),
                allow_retries=False,
            )
        return dg.MaterializeResult(metadata={"days_complete": len(days)})

    return verdict
