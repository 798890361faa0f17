"""Jobs over the assets, and the one schedule that keeps a workspace current.

What belongs here: which assets a job runs and what the schedule asks for. What does not: what the
assets do (`assets/`) and launching runs from the command line (`launch.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import dagster as dg

from bess_pipeline import gb_time
from bess_pipeline.bound_tables import BOUND_TABLE
from bess_pipeline.forecast_tables import BASELINE, FORECAST, GATE_STATUS, JUDGEMENT, PATHS, SCORE
from bess_pipeline.ingestion.outcomes import OutcomeStore
from bess_pipeline.ingestion.revisions import SYSTEM_PRICE_RAW, due_days, last_fetched_utc
from bess_pipeline.ingestion.vault import RawVault
from bess_pipeline.orchestration.assets.co_optimisation import (
    CO_OPTIMISED_ASSETS,
    make_co_optimised_days,
    make_frontier_days,
)
from bess_pipeline.orchestration.assets.forecast import make_gate_days
from bess_pipeline.orchestration.assets.frequency import RAW_FREQUENCY, RESPONSE_ENERGY
from bess_pipeline.orchestration.assets.ingest import FEEDS, FUNDAMENTALS, SOURCE_STATUS
from bess_pipeline.orchestration.assets.market import MARKET_ASSETS
from bess_pipeline.orchestration.assets.publish import (
    DATA_QUALITY,
    FIGURES,
    FORECAST_PAGE,
    PLAN_PAGE,
    REPORT,
    VERDICT,
    WAREHOUSE,
)
from bess_pipeline.orchestration.assets.risk import RISK_ASSETS as MEASURED
from bess_pipeline.orchestration.assets.settlement import REVISION, STACK_ASSETS, SYSTEM_PRICE
from bess_pipeline.orchestration.assets.trading import make_replay
from bess_pipeline.orchestration.partitions import DAYS_PER_RUN, PARTITION_ZONE, range_tags
from bess_pipeline.orchestration.resources import FINISHED_TAG, RESTATE, SKIP_FINISHED
from bess_pipeline.runtime import Runtime
from bess_pipeline.settings import Settings
from bess_pipeline.trading.condition import AVAILABILITY, DEGRADATION
from bess_pipeline.trading.stamps import CASHFLOW, DAILY_PNL, DISPATCH, FORESIGHT, PLAN, RESTATED, RUN_STATUS, outdated

EVERYTHING, INGEST, TRADE, PLAN_AHEAD, PUBLISH = "everything", "ingest", "trade", "plan_ahead", "publish"
REVISE, RESETTLE, DETAILED_PRICES = "revise", "resettle", "detailed_prices"
FREQUENCY, FORECASTS, SCENARIOS, CO_OPTIMISE = "frequency", "fundamentals", "scenarios", "co_optimise"
RISK = "risk"
SCHEDULE = "daily_refresh"

PRICE_ASSETS = (
    *sorted({raw for feed in FEEDS for raw in feed.raw}),
    *(feed.table for feed in FEEDS),
    REVISION,
    SOURCE_STATUS,
)
INGEST_ASSETS = (*PRICE_ASSETS, *FUNDAMENTALS.raw, FUNDAMENTALS.table)
SCENARIO_ASSETS = (FORECAST, BASELINE, PATHS, JUDGEMENT, SCORE, GATE_STATUS)
SETTLED_ASSETS = (CASHFLOW, RUN_STATUS, DAILY_PNL, DEGRADATION)
RISK_ASSETS = (BOUND_TABLE, *MEASURED)
TRADE_ASSETS = (AVAILABILITY, PLAN, FORESIGHT, DISPATCH, *MARKET_ASSETS, *SETTLED_ASSETS)
PUBLISH_ASSETS = (WAREHOUSE, FIGURES, REPORT, FORECAST_PAGE, PLAN_PAGE, DATA_QUALITY, VERDICT)
REVISE_ASSETS = (SYSTEM_PRICE_RAW, SYSTEM_PRICE, REVISION, SOURCE_STATUS, *RESTATED)
SHOWN = (SOURCE_STATUS, WAREHOUSE, DATA_QUALITY)
FREQUENCY_ASSETS = (RAW_FREQUENCY, RESPONSE_ENERGY, *SHOWN)
FORECAST_ASSETS = (*FUNDAMENTALS.raw, FUNDAMENTALS.table, *SHOWN)
DETAILED_ASSETS = (*STACK_ASSETS, *SHOWN)
PLAN_ASSETS = (*INGEST_ASSETS, *SCENARIO_ASSETS, AVAILABILITY, PLAN, *CO_OPTIMISED_ASSETS, WAREHOUSE)
PLAN_AND_SHOW = (*PLAN_ASSETS, PLAN_PAGE)  # for the schedule: commands publish after they have planned

_JOBS = {
    EVERYTHING: (
        (*INGEST_ASSETS, *SCENARIO_ASSETS, *TRADE_ASSETS, *CO_OPTIMISED_ASSETS, *RISK_ASSETS, *PUBLISH_ASSETS),
        "All assets for days that have ended.",
    ),
    INGEST: (INGEST_ASSETS, "Fetch answers and build the market tables."),
    SCENARIOS: (SCENARIO_ASSETS, "Forecasts and scenarios of each gate, scored where the day has ended."),
    CO_OPTIMISE: (
        (AVAILABILITY, *CO_OPTIMISED_ASSETS),
        "Plans of all markets from stored scenarios, their orders, explanation, values and frontier.",
    ),
    TRADE: (TRADE_ASSETS, "Plan, dispatch, settle and sum up days whose market data is in the lake."),
    PLAN_AHEAD: (PLAN_ASSETS, "Fetch what is known, forecast and plan coming trading days."),
    RISK: (RISK_ASSETS, "Bounds, and risk as of the last settled day of the range, from what is in the lake."),
    REVISE: (REVISE_ASSETS, "Ask again for system prices and settle again what they changed; plans stay."),
    RESETTLE: (RESTATED, "Settle again the days whose system price has changed since; plans and dispatch stay."),
    DETAILED_PRICES: (DETAILED_ASSETS, "Fetch settlement stacks and recompute the system price from them, on demand."),
    FREQUENCY: (FREQUENCY_ASSETS, "Fetch monthly files of one-second frequency and build the response energy of days."),
    FORECASTS: (FORECAST_ASSETS, "Fetch and keep forecasts of wind, demand and margin with their publication times."),
    PUBLISH: (PUBLISH_ASSETS, "Rebuild the warehouse, figures and report; fail when a requested day is not complete."),
}


def asset_key(name: str) -> dg.AssetKey:
    """`market/system_price` as Dagster's key."""
    return dg.AssetKey(name.split("/"))


def jobs() -> list[dg.UnresolvedAssetJobDefinition]:
    """The jobs that the command line, the UI and the schedule share; partitioned as their assets are."""
    return [
        dg.define_asset_job(name, selection=[asset_key(asset) for asset in assets], description=text)
        for name, (assets, text) in _JOBS.items()
    ]


def daily_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """Once a day: settle what has become final, then plan the next trading day."""

    @dg.schedule(
        name=SCHEDULE,
        job_name=EVERYTHING,
        cron_schedule=settings.schedule.cron,
        execution_timezone=PARTITION_ZONE,
        description="Two runs: settle every ended day that is not complete yet, then plan up to the next trading day.",
    )
    def daily_refresh() -> list[dg.RunRequest] | dg.SkipReason:
        return refresh_requests(Runtime(settings))

    return daily_refresh


def refresh_requests(runtime: Runtime) -> list[dg.RunRequest] | dg.SkipReason:
    """The schedule's runs at the runtime's `now`; all days missed since the last one are in them."""
    plan = [] if planned_ahead(runtime) else days_to_plan(runtime)
    stamp = runtime.now().isoformat(timespec="minutes")
    requests = _revision_requests(runtime, stamp)
    requests += [
        _request(f"settle {run[0]} {run[-1]} {stamp}", run[0], run[-1], None)
        for run in gb_time.consecutive_runs(days_to_settle(runtime), DAYS_PER_RUN)
    ]
    if plan:
        requests.append(_request(f"plan {plan[0]} {plan[-1]} {stamp}", plan[0], plan[-1], PLAN_AND_SHOW))
    return requests or dg.SkipReason("every ended day is complete and the next trading day is planned")


def _revision_requests(runtime: Runtime, stamp: str) -> list[dg.RunRequest]:
    """Runs that settle again what is outdated already, and that ask again for the days that are due."""
    shown = (*RISK_ASSETS, WAREHOUSE, FIGURES, REPORT, DATA_QUALITY)
    wanted = ((RESETTLE, days_to_resettle(runtime), RESTATED), (REVISE, days_to_revise(runtime), REVISE_ASSETS))
    return [
        _request(f"{name} {run[0]} {run[-1]} {stamp}", run[0], run[-1], (*assets, *shown), RESTATE)
        for name, days, assets in wanted
        for run in gb_time.consecutive_runs(days, DAYS_PER_RUN)
    ]


def days_to_revise(runtime: Runtime) -> list[date]:
    """The settlement dates whose system price is due to be asked for again, each with the day after it.

    Trading days reach over midnight: a price of settlement date D may settle trading day D+1.
    """
    stored = runtime.workspace.lake.days(SYSTEM_PRICE)
    if not stored or runtime.mode == "files":  # the user's own file has no revisions
        return []
    vault = RawVault(runtime.workspace.raw)
    outcomes = OutcomeStore(runtime.workspace.raw / "outcomes")
    due = due_days(runtime.now(), runtime.settings.revisions, stored, lambda day: last_fetched_utc(vault, day))
    behind = [day for day in stored if _waits(vault, outcomes, day)]
    return sorted({day for one in (*due, *behind) for day in (one, one + timedelta(days=1))})


def _waits(vault: RawVault, outcomes: OutcomeStore, day: date) -> bool:
    """True when an answer came after the day was last built, as a stop between the two leaves it."""
    answered, outcome = last_fetched_utc(vault, day), outcomes.get(SYSTEM_PRICE, day)
    built = outcome.fetched_utc if outcome else None
    return answered is not None and (built is None or built < answered)


def days_to_resettle(runtime: Runtime) -> list[date]:
    """The settled trading days whose cash stands on another version of the system price than the lake holds."""
    return outdated(runtime.workspace.lake, runtime.settings.fingerprint())


def days_to_settle(runtime: Runtime) -> list[date]:
    """Ended trading days that are not complete, looking back no further than the setting says.

    In a new workspace that is the last ended day alone; a history is asked for with `bess backfill`.
    """
    last = runtime.last_finished_day()
    ran = runtime.workspace.lake.days(RUN_STATUS)
    earliest = last - timedelta(days=runtime.settings.schedule.look_back_days)
    first = max(ran[0], earliest) if ran else last
    return make_replay(runtime).unfinished(gb_time.days_between(first, last))


def days_to_plan(runtime: Runtime) -> list[date]:
    """From the first trading day that has not ended to the next one."""
    return gb_time.days_between(runtime.last_finished_day() + timedelta(days=1), runtime.next_trading_day())


def planned_ahead(runtime: Runtime) -> bool:
    """True when every trading day up to the next one has plans, forecasts and scenarios made with these settings."""
    replay, days = make_replay(runtime), days_to_plan(runtime)
    return (
        all(replay.planned(day) for day in days)
        and not make_gate_days(runtime).unfinished(days)
        and not days_to_co_optimise(runtime, days)
    )


def days_to_co_optimise(runtime: Runtime, days: Sequence[date]) -> list[date]:
    """The days of `days` with a plan of all markets, its orders or a frontier left to make."""
    plans, frontiers = make_co_optimised_days(runtime), make_frontier_days(runtime)
    return sorted({*plans.unfinished(days), *frontiers.unfinished(days)})


def _request(
    run_key: str, first: date, last: date, assets: tuple[str, ...] | None, finished: str = SKIP_FINISHED
) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=run_key,
        tags=range_tags(first, last) | {FINISHED_TAG: finished},
        asset_selection=[asset_key(asset) for asset in assets] if assets else None,
    )
