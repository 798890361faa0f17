"""Assets of plans of all markets: plan, orders, explanation and values of each gate, and the frontier of chosen days.

What belongs here: dependencies, pools, checks and what the UI says. What does not: how a gate is decided and its day
carried through the lake (`trading/co_optimised_days.py`), and the frontier (`trading/co_optimised_frontier.py`).

The tables of a plan are made together, in one step: all of them stand on one solution. Dependencies are day on day, as
those of other plans are (`trading.py` says why); a day also opens with what the day before has done by its gates, so
that days which are over when a later one is planned are dispatched in this step, and found so by `market.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Any

import dagster as dg

from bess_pipeline.forecast_tables import JUDGEMENT, PATHS
from bess_pipeline.orchestration import metadata
from bess_pipeline.orchestration.assets.trading import CHAIN_POOL, HAPPENED
from bess_pipeline.orchestration.partitions import BACKFILL_POLICY, requested_days
from bess_pipeline.orchestration.resources import RUNTIME, one_sentence, skips_finished
from bess_pipeline.orchestration.running import RunningRuntime
from bess_pipeline.runtime import Runtime
from bess_pipeline.trading import plan_checks
from bess_pipeline.trading.co_optimised_days import CoOptimisedDays
from bess_pipeline.trading.co_optimised_frontier import FrontierDays
from bess_pipeline.trading.condition import AVAILABILITY
from bess_pipeline.trading_tables import (
    CO_OPTIMISED_PLAN,
    EXPLANATION,
    FRONTIER,
    INFORMATION_VALUE,
    ORDERS,
    PLAN_OUTCOME,
    PLAN_VALUE,
    SENSITIVITY,
)

Made = dg.MaterializeResult
PLAN_TABLES = (CO_OPTIMISED_PLAN, ORDERS, EXPLANATION, PLAN_VALUE, PLAN_OUTCOME, INFORMATION_VALUE)
FRONTIER_TABLES = (FRONTIER, SENSITIVITY)
CO_OPTIMISED_ASSETS = (*PLAN_TABLES, *FRONTIER_TABLES)
KNOWN = (PATHS, JUDGEMENT, AVAILABILITY, *HAPPENED)


def co_optimisation_assets(partitions: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    """Plans of all markets with what belongs to them, and frontiers."""
    return [_plans(partitions), _frontiers(partitions)]


def make_co_optimised_days(runtime: Runtime) -> CoOptimisedDays:
    """`CoOptimisedDays` on the runtime's workspace."""
    workspace = runtime.workspace

    def chain_starts() -> Sequence[date]:
        stamp = workspace.stamp()
        return stamp.chain_starts if stamp else ()

    return CoOptimisedDays(runtime.settings, workspace.lake, runtime.now, chain_starts)


def make_frontier_days(runtime: Runtime) -> FrontierDays:
    """`FrontierDays` on the runtime's workspace."""
    return FrontierDays(runtime.settings, runtime.workspace.lake, make_co_optimised_days(runtime))


def _common(partitions: dg.PartitionsDefinition) -> dict[str, Any]:
    return {
        "partitions_def": partitions,
        "backfill_policy": BACKFILL_POLICY,
        "required_resource_keys": {RUNTIME},
        "pool": CHAIN_POOL,
    }


def _spec(table: str, more: str, *deps: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        key=table.split("/"),
        deps=[dep.split("/") for dep in deps],
        group_name=table.split("/")[0],
        owners=metadata.OWNERS,
        kinds={"python", "highs"},
        metadata=metadata.table_metadata(table),
        description=f"{metadata.describe(table)} {more}".strip(),
    )


def _plans(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    key = dg.AssetKey(CO_OPTIMISED_PLAN.split("/"))

    @dg.multi_asset(
        **_common(partitions),
        name="co_optimised_plans",
        specs=[
            _spec(CO_OPTIMISED_PLAN, "Day-ahead energy and services together, from scenarios of the gate.", *KNOWN),
            *(_spec(table, "", CO_OPTIMISED_PLAN) for table in PLAN_TABLES[1:]),
        ],
        check_specs=[
            dg.AssetCheckSpec("limits_kept", asset=key, description="Power and energy leave room for what is offered."),
            dg.AssetCheckSpec("never_both", asset=key, description="No half-hour both charges and discharges."),
        ],
    )
    @one_sentence
    def co_optimised_plans(context: dg.AssetExecutionContext) -> tuple[Made, Made, Made, Made, Made, Made]:
        runtime: RunningRuntime = getattr(context.resources, RUNTIME)
        runtime.hold_trading_chain()
        planned, lake = make_co_optimised_days(runtime), runtime.workspace.lake
        asked = requested_days(context)
        days = planned.unfinished(asked) if skips_finished(context) else asked
        statuses = planned.plan(days, again=not skips_finished(context))
        rows = lake.read(CO_OPTIMISED_PLAN, asked[0], asked[-1])
        battery = planned.condition.new_battery
        headroom = runtime.settings.ancillary.baseline_adds_headroom
        beyond = plan_checks.power_beyond_rating_mw(rows, battery, baseline_adds_headroom=headroom)
        both = plan_checks.half_hours_of_both(rows)
        found = [
            _check(key, "limits_kept", beyond <= plan_checks.TOLERANCE_MW, {"most_mw_beyond": beyond}),
            _check(key, "never_both", both == 0, {"half_hours": both}),
        ]
        lines = [str(one) for one in statuses if one.status != "complete"]
        notes = list(dict.fromkeys(f"{one.day} {one.gate}: {note}" for one in statuses for note in one.notes))
        result = partial(_result, context, runtime, days=days, lines=lines, notes=notes)
        return (
            result(CO_OPTIMISED_PLAN, check_results=found),
            result(ORDERS),
            result(EXPLANATION),
            result(PLAN_VALUE),
            result(PLAN_OUTCOME),
            result(INFORMATION_VALUE),
        )

    return co_optimised_plans


def _frontiers(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    @dg.multi_asset(
        **_common(partitions),
        name="frontiers",
        specs=[
            _spec(FRONTIER, "On the weekdays of the settings.", CO_OPTIMISED_PLAN, PATHS, JUDGEMENT),
            _spec(SENSITIVITY, "On the weekdays of the settings.", CO_OPTIMISED_PLAN, PATHS),
        ],
    )
    @one_sentence
    def frontiers(context: dg.AssetExecutionContext) -> tuple[Made, Made]:
        runtime: RunningRuntime = getattr(context.resources, RUNTIME)
        runtime.hold_trading_chain()
        made = make_frontier_days(runtime)
        days = requested_days(context)
        days = made.unfinished(days) if skips_finished(context) else days
        lines = [f"{day}: {reason}" for day, reason in made.make(days).items()]
        result = partial(_result, context, runtime, days=days, lines=lines, notes=())
        return result(FRONTIER), result(SENSITIVITY)

    return frontiers


def _check(key: dg.AssetKey, name: str, passed: bool, found: dict[str, Any]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=name, asset_key=key, passed=bool(passed), severity=dg.AssetCheckSeverity.ERROR, metadata=found
    )


def _result(
    context: dg.AssetExecutionContext,
    runtime: Runtime,
    table: str,
    *,
    days: Sequence[date],
    lines: Sequence[str],
    notes: Sequence[str],
    check_results: Sequence[dg.AssetCheckResult] = (),
) -> dg.MaterializeResult:
    for line in lines:
        context.log.warning(f"{table} {line}")
    return dg.MaterializeResult(
        asset_key=table.split("/"),
        metadata=metadata.rows_metadata(context, runtime.workspace.lake, table, days)
        | metadata.problems_metadata(lines)
        | metadata.notes_metadata(notes),
        check_results=list(check_results),
    )
