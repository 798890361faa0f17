"""Assets `forecast/price_forecast` and `scenario/*`: what gates expected, joint paths, scores, and how each day went.

What belongs here: dependencies, checks and what the UI says. What does not: how a gate's forecasts and scenarios are
made and scored (`scenarios/daily.py`).

Forecasts and paths of a gate are made together, in one step with two assets: paths stand on more of a forecast than
is stored of it. Dependencies are day on day, as those of plans are (`trading.py` says why): the year of history that
models are fitted on is data and no lineage.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import dagster as dg

from bess_pipeline.forecast_tables import BASELINE, FORECAST, GATE_STATUS, JUDGEMENT, PATHS, SCORE
from bess_pipeline.orchestration import metadata
from bess_pipeline.orchestration.partitions import BACKFILL_POLICY, requested_days
from bess_pipeline.orchestration.resources import RUNTIME, one_sentence, skips_finished
from bess_pipeline.runtime import Runtime
from bess_pipeline.scenarios import checks
from bess_pipeline.scenarios.daily import GateDays, GateStatus

FORECAST_POOL = "forecasts"
MARKETS = (
    "market/day_ahead_price",
    "market/system_price",
    "market/market_index_price",
    "market/auction_clearing",
    "market/response_energy",
    "market/fundamental_forecast",
)


def forecast_assets(partitions: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    """Forecasts with scenario sets, their scores, and the status of each gate."""
    return [_gates(partitions), _score(partitions), _gate_status(partitions)]


def make_gate_days(runtime: Runtime) -> GateDays:
    """`GateDays` on the runtime's workspace."""
    return GateDays(runtime.settings, runtime.workspace.lake, runtime.now)


def _common(partitions: dg.PartitionsDefinition) -> dict[str, Any]:
    return {
        "partitions_def": partitions,
        "backfill_policy": BACKFILL_POLICY,
        "required_resource_keys": {RUNTIME},
        "pool": FORECAST_POOL,
    }


def _described(table: str, more: str, *deps: str, kind: str = "numpy") -> dict[str, Any]:
    return {
        "key": table.split("/"),
        "deps": [dep.split("/") for dep in deps],
        "group_name": table.split("/")[0],
        "owners": metadata.OWNERS,
        "kinds": {"python", kind},
        "metadata": metadata.table_metadata(table),
        "description": f"{metadata.describe(table)} {more}".strip(),
    }


def _gates(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    forecast_key, path_key = dg.AssetKey(FORECAST.split("/")), dg.AssetKey(PATHS.split("/"))

    @dg.multi_asset(
        **_common(partitions),
        name="forecasts_and_scenarios",
        specs=[
            dg.AssetSpec(
                **_described(FORECAST, "From what was known at it, and nothing later.", *MARKETS, kind="scikitlearn")
            ),
            dg.AssetSpec(
                **_described(BASELINE, "By the similar-day baseline, the yardstick of every other.", *MARKETS)
            ),
            dg.AssetSpec(**_described(PATHS, "", FORECAST)),
            dg.AssetSpec(**_described(JUDGEMENT, "", FORECAST)),
        ],
        check_specs=[
            dg.AssetCheckSpec("quantiles_ordered", asset=forecast_key, description="Quantiles never fall."),
            dg.AssetCheckSpec(
                "known_at_the_gate", asset=forecast_key, description="No value used became known after its gate."
            ),
            dg.AssetCheckSpec("probabilities_sum_to_1", asset=path_key, description="Over the paths of each gate."),
        ],
    )
    @one_sentence
    def forecasts_and_scenarios(
        context: dg.AssetExecutionContext,
    ) -> tuple[dg.MaterializeResult, dg.MaterializeResult, dg.MaterializeResult, dg.MaterializeResult]:
        runtime: Runtime = getattr(context.resources, RUNTIME)
        gate_days, lake = make_gate_days(runtime), runtime.workspace.lake
        days, again = _wanted(context, gate_days)
        statuses = gate_days.make(days, again=again)
        asked = requested_days(context)
        found = checks.look(lake, asked)
        quantiles = [
            _check(forecast_key, "quantiles_ordered", not found.falling, {"rows_that_fall": found.falling}),
            _check(forecast_key, "known_at_the_gate", not found.too_late, {"days": ", ".join(found.too_late)}),
        ]
        sums = [_check(path_key, "probabilities_sum_to_1", found.gap <= checks.TOLERANCE, {"gap": found.gap})]
        step = {name: [one for one in statuses if one.step == name] for name in ("forecast", "scenarios")}
        return (
            _result(context, runtime, FORECAST, days, step["forecast"], quantiles),
            _result(context, runtime, BASELINE, days, ()),
            _result(context, runtime, PATHS, days, step["scenarios"], sums),
            _result(context, runtime, JUDGEMENT, days, ()),
        )

    return forecasts_and_scenarios


def _score(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    @dg.asset(
        **_common(partitions),
        **_described(SCORE, "A day is scored when it has ended.", FORECAST, BASELINE, PATHS, *MARKETS),
    )
    @one_sentence
    def score(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        runtime: Runtime = getattr(context.resources, RUNTIME)
        gate_days = make_gate_days(runtime)
        days, again = _wanted(context, gate_days)
        return _result(context, runtime, SCORE, days, gate_days.score(days, again=again))

    return score


def _gate_status(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    @dg.asset(**_common(partitions), **_described(GATE_STATUS, "", FORECAST, PATHS, SCORE))
    @one_sentence
    def gate_status(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        runtime: Runtime = getattr(context.resources, RUNTIME)
        gate_days = make_gate_days(runtime)
        days, _ = _wanted(context, gate_days)
        return _result(context, runtime, GATE_STATUS, days, gate_days.record_status(days))

    return gate_status


def _wanted(context: dg.AssetExecutionContext, gate_days: GateDays) -> tuple[list[date], bool]:
    """The days to work on, and whether gates that stand are made again."""
    days = requested_days(context)
    return (gate_days.unfinished(days), False) if skips_finished(context) else (days, True)


def _check(key: dg.AssetKey, name: str, passed: bool, found: dict[str, Any]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=name, asset_key=key, passed=bool(passed), severity=dg.AssetCheckSeverity.ERROR, metadata=found
    )


def _result(
    context: dg.AssetExecutionContext,
    runtime: Runtime,
    table: str,
    days: Sequence[date],
    statuses: Sequence[GateStatus],
    check_results: Sequence[dg.AssetCheckResult] = (),
) -> dg.MaterializeResult:
    lines = [str(status) for status in statuses if status.status != "complete"]
    for line in lines:
        context.log.warning(f"{table} {line}")
    notes = [f"{s.day} {s.gate}: {note}" for s in statuses for note in s.notes]
    return dg.MaterializeResult(
        asset_key=table.split("/"),
        metadata=metadata.rows_metadata(context, runtime.workspace.lake, table, days)
        | metadata.problems_metadata(lines)
        | metadata.notes_metadata(notes),
        check_results=list(check_results),
    )
