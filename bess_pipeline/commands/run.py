"""Commands that run the pipeline: demo, refresh, backfill and rebuild.

What belongs here: the steps of these commands and what they say while they work. What does not:
options and exit statuses (`cli.py`), runs themselves (`orchestration/launch.py`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import click
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.errors import UserInputError
from bess_pipeline.ingestion.datasets import check_files
from bess_pipeline.ingestion.outcomes import COMPLETE, OutcomeStore
from bess_pipeline.ingestion.rebuild import rebuild
from bess_pipeline.ingestion.stack import CHECK
from bess_pipeline.ingestion.stack import RAW as STACK_RAW
from bess_pipeline.market_checks.system_price_check import DIFFERS
from bess_pipeline.orchestration.assets.forecast import make_gate_days
from bess_pipeline.orchestration.assets.ingest import SOURCE_STATUS
from bess_pipeline.orchestration.assets.trading import make_replay
from bess_pipeline.orchestration.jobs import days_to_co_optimise, days_to_plan, days_to_settle
from bess_pipeline.orchestration.launch import SIDE_JOBS, Launcher, dagster_instance
from bess_pipeline.report.publish import FORECASTS_NAME, PLANS_NAME, REPORT_NAME, window_comparisons
from bess_pipeline.report.tables import pnl_tables_text
from bess_pipeline.report.window import Window
from bess_pipeline.runtime import Runtime, market_connection
from bess_pipeline.sample_dates import (
    DEMO_CO_OPTIMISED_FIRST_DAY,
    DEMO_FIRST_DAY,
    DEMO_FORECAST_FIRST_DAY,
    DEMO_LAST_DAY,
    FIRST_DATE,
)
from bess_pipeline.settings import ClockSettings, Settings, SourcesSettings
from bess_pipeline.verdict import NotComplete, forecast_words, not_complete, plan_words
from bess_pipeline.warehouse import publish

DEMO_WORKSPACE = Path("data/demo")
# Forecasts and scenarios of the demo are made of fewer days and with less of everything, so that it ends within three
# minutes; it says so.
DEMO_FORECAST: dict[str, Any] = {
    "models": ("similar_day", "last_7_days", "last_28_days", "ridge", "combination"),
    "calibration_days": 140,
    "cross_validation_folds": 3,
    "choice_days": 14,
}
DEMO_SCENARIOS = {"count": 200, "reduced": 20, "fresh": 100}
DEMO_CO_OPTIMISATION: dict[str, Any] = {
    "frontier_points": 6,
    "frontier_weekdays": (3,),
    "value_weekdays": (3,),
}
Say = Callable[[str], None]


def run_demo(settings: Settings, workspace: Path | None, *, force: bool, say: Say) -> None:
    """The demonstration: 28 fixed trading days of the sample market, offline, the same on every machine.

    Raises BessError when a day is not complete, which on the sample market is a defect.
    """
    settings = settings.model_copy(
        update={
            "workspace": workspace or DEMO_WORKSPACE,
            "sources": SourcesSettings(mode="sample", day_ahead="neso_n2ex"),
            "clock": ClockSettings(),
            "forecast": settings.forecast.model_copy(update=DEMO_FORECAST),
            "scenarios": settings.scenarios.model_copy(update=DEMO_SCENARIOS),
            "co_optimisation": settings.co_optimisation.model_copy(update=DEMO_CO_OPTIMISATION),
            "trading": settings.trading.model_copy(update={"workers": min(2, os.cpu_count() or 1)}),
        }
    )
    started = perf_counter()
    with _launcher(settings, say) as launcher:
        runtime = launcher.runtime
        if force or not _demo_is_done(launcher):
            forecasts_from = launcher.history_start(DEMO_FIRST_DAY)
            launcher.ingest(FIRST_DATE, runtime.next_trading_day(), force=force, forecasts_from=forecasts_from)
            next_day = DEMO_LAST_DAY + timedelta(days=1)  # its contracts bind the last hours of the day before
            launcher.forecast(DEMO_FORECAST_FIRST_DAY, next_day, force=force)
            launcher.co_optimise(DEMO_CO_OPTIMISED_FIRST_DAY, next_day, force=force)
            launcher.trade(DEMO_FIRST_DAY, DEMO_LAST_DAY, force=force)
            launcher.plan_ahead(force=force)
            launcher.publish(DEMO_FIRST_DAY, DEMO_LAST_DAY)
        else:
            say("nothing to compute: all 28 days are complete with these settings (--force computes them again)")
    problems = not_complete(runtime.workspace.lake, gb_time.days_between(DEMO_FIRST_DAY, DEMO_LAST_DAY))
    if problems:
        raise UserInputError("the demo is not complete: " + "; ".join(map(str, problems[:3])))
    window = Window(DEMO_FIRST_DAY, DEMO_LAST_DAY)
    click.echo(pnl_tables_text(window_comparisons(runtime.workspace, window)))
    forecast = gb_time.days_between(DEMO_FORECAST_FIRST_DAY, DEMO_LAST_DAY)
    say(
        f"forecast: the last {len(forecast)} of the days, with the models {' and '.join(DEMO_FORECAST['models'])} and "
        f"{DEMO_SCENARIOS['reduced']} scenarios of {DEMO_SCENARIOS['count']} drawn (your own workspaces: all days, "
        "and [forecast] and [scenarios] of bess.toml)"
    )
    say(forecast_words(runtime.workspace.lake, forecast))
    planned = gb_time.days_between(DEMO_CO_OPTIMISED_FIRST_DAY, DEMO_LAST_DAY)
    say(
        f"plans of all markets: made for the last {len(planned)} of the days, with a frontier of "
        f"{DEMO_CO_OPTIMISATION['frontier_points']} points and values of information on Wednesday alone; their "
        "strategies are dispatched on these days (your own workspaces: all days, and [co_optimisation] in bess.toml)"
    )
    say(plan_words(runtime.workspace.lake, planned))
    click.echo(_next_steps(runtime.workspace.root, perf_counter() - started))


def _demo_is_done(launcher: Launcher) -> bool:
    days = gb_time.days_between(DEMO_FIRST_DAY, DEMO_LAST_DAY)
    forecast = gb_time.days_between(DEMO_FORECAST_FIRST_DAY, DEMO_LAST_DAY)
    planned = gb_time.days_between(DEMO_CO_OPTIMISED_FIRST_DAY, DEMO_LAST_DAY)
    return (
        launcher.published()
        and launcher.planned_ahead()
        and not launcher.unfetched(FIRST_DATE, DEMO_LAST_DAY)
        and not make_replay(launcher.runtime).unfinished(days)
        and not make_gate_days(launcher.runtime).unfinished(forecast)
        and not days_to_co_optimise(launcher.runtime, planned)
    )


def run_backfill(settings: Settings, first: date, last: date, *, force: bool, say: Say) -> list[NotComplete]:
    """Make the days `first` to `last` complete; what is not complete after it."""
    if last < first:
        raise UserInputError(f"--to {last} is before --from {first}: give the earlier day first")
    with _launcher(settings, say, lambda probe: _check_first_day(probe, first)) as launcher:
        runtime = launcher.runtime
        end = runtime.last_finished_day()
        say(f"day-ahead price: {_day_ahead_words(runtime)}")
        days = gb_time.days_between(first, last)
        unended = "the trading day has not ended"
        late = [NotComplete(day, "trading", "not_published", unended) for day in days if day > end]
        last = min(last, end)
        return [*_run_days(launcher, gb_time.days_between(first, last), force, say), *late]


def run_side_table(
    settings: Settings, name: str, first: date, last: date, *, force: bool, say: Say
) -> list[NotComplete]:
    """Fetch and build settlement dates of a table beside the trading days; the days of it that are not complete."""
    if last < first:
        raise UserInputError(f"--to {last} is before --from {first}: give the earlier day first")
    with _launcher(settings, say, lambda probe: _check_side_table(probe, name, first)) as launcher:
        days = gb_time.days_between(first, last)
        problems = _side_table(launcher, name, days, force)
        say(f"{len(days) - len(problems)} of {len(days)} days of {SIDE_JOBS[name][1]} are complete")
        return problems


def _agreement(rows: pd.DataFrame) -> str:
    counts = rows["status"].value_counts()
    differing = rows.loc[rows["status"] == DIFFERS]
    largest = float(rows["difference_gbp_mwh"].abs().max())
    return (
        f"agrees in {counts.get('agrees', 0)} of {len(rows)} periods, differs in {len(differing)}, "
        f"not comparable in {counts.get('not_comparable', 0)}; largest difference {largest:.2f} GBP/MWh"
    )


def _side_table(launcher: Launcher, name: str, days: Sequence[date], force: bool) -> list[NotComplete]:
    runtime = launcher.runtime
    table = launcher.side_table(name, days[0], days[-1], force=force)
    store = OutcomeStore(runtime.workspace.raw / "outcomes")
    found = {day: store.get(table, day) for day in days}
    return [
        NotComplete(day, table, outcome.status, outcome.reason)
        if outcome
        else NotComplete(day, table, "refused", f"a {runtime.origin} market has none")
        for day, outcome in found.items()
        if outcome is None or outcome.status != COMPLETE
    ]


def run_rebuild(settings: Settings, first: date, last: date, say: Say) -> list[NotComplete]:
    """Market partitions of `first` to `last` again from the raw vault, offline; what is not complete after it."""
    if last < first:
        raise UserInputError(f"--to {last} is before --from {first}: give the earlier day first")
    runtime = Runtime(settings, say)
    workspace = runtime.workspace
    if workspace.stamp() is None:
        raise UserInputError(f"workspace {workspace.root} holds nothing yet: there are no kept answers to rebuild from")
    datasets = [*runtime.datasets(offline=True), *runtime.side_datasets()]
    with runtime.alone_with(*(dataset.raw for dataset in datasets), STACK_RAW, SOURCE_STATUS):
        done = rebuild(
            workspace.root, workspace.raw, workspace.lake, runtime.now, datasets, first, last, settings.stack
        )
    for table, days in done.never_asked.items():
        say(f"{table}: nothing kept for {len(days)} of the days, first {days[0]}, last {days[-1]}: left as they are")
    if not done.outcomes:
        raise UserInputError(f"workspace {workspace.root} keeps no answer for {first} to {last}: run `bess backfill`")
    say(f"rebuilt {done.partitions} partitions from {workspace.raw}; publishing warehouse")
    publish(workspace, say=say)
    known = {outcome.date for outcome in done.outcomes}
    return not_complete(workspace.lake, sorted(known), trading=False)


def run_refresh(settings: Settings, say: Say) -> list[NotComplete]:
    """Settle what has ended, plan what comes; the ended days that are not complete after it."""
    with _launcher(settings, say) as launcher:
        runtime = launcher.runtime
        days = days_to_settle(runtime)
        for run in gb_time.consecutive_runs(days):
            launcher.backfill(run[0], run[-1])
        revised = launcher.revise()
        planned = launcher.plan_ahead()
        last = runtime.last_finished_day()
        launcher.publish(days[0] if days else last, last)
        if revised:
            say("asked again for system prices that were due, and settled again what they changed")
        say(f"settled {len(days)} days, planned {', '.join(map(str, planned)) or 'none: they were planned already'}")
        _say_what_no_day_waits_for(runtime, [*days, *days_to_plan(runtime)], say)
        return not_complete(runtime.workspace.lake, days)


def run_ingest(settings: Settings, first: date, last: date, *, force: bool, say: Say) -> list[NotComplete]:
    """Fetch and build all market tables of the settlement dates and publish; the dates not complete after it."""
    if last < first:
        raise UserInputError(f"--to {last} is before --from {first}: give the earlier day first")
    with _launcher(settings, say) as launcher:
        workspace = launcher.runtime.workspace
        launcher.runtime.check_first_day(first)
        runs = launcher.ingest(first, last, force=force)
        if runs or not workspace.database.is_file():
            say("publishing warehouse")
            publish(workspace)
        problems = not_complete(workspace.lake, gb_time.days_between(first, last), trading=False)
        say(f"{len(gb_time.days_between(first, last)) - len({one.day for one in problems})} days are complete")
        return problems


def run_price_check(
    settings: Settings, first: date, last: date, *, force: bool, say: Say
) -> tuple[pd.DataFrame, list[NotComplete]]:
    """Fetch the settlement stacks of the dates and check their prices: (rows of the check, stacks not complete)."""
    if last < first:
        raise UserInputError(f"--to {last} is before --from {first}: give the earlier day first")
    with _launcher(settings, say, lambda probe: _check_side_table(probe, "stack", first)) as launcher:
        runtime = launcher.runtime
        days = gb_time.days_between(first, last)
        problems = _side_table(launcher, "stack", days, force)
        columns = ["start_utc", "method", "published_gbp_mwh", "recomputed_gbp_mwh", "difference_gbp_mwh", "status"]
        rows = runtime.workspace.lake.read(CHECK, first, last)
        for method, found in rows.groupby("method"):
            say(f"{method}: {_agreement(found)}")
        return rows[["settlement_date", "settlement_period", *columns, "notes"]], problems


def _run_days(launcher: Launcher, days: Sequence[date], force: bool, say: Say) -> list[NotComplete]:
    lake = launcher.runtime.workspace.lake
    runs = launcher.backfill(days[0], days[-1], force=force)
    if not launcher.publish(days[0], days[-1]) and not runs:
        say(f"nothing to do: all {len(days)} days are complete with these settings")
    problems = not_complete(lake, days)
    bad = {problem.day for problem in problems}
    say(f"{len(days) - len(bad)} of {len(days)} days are complete")
    _say_what_no_day_waits_for(launcher.runtime, days, say)
    return problems


def _say_what_no_day_waits_for(runtime: Runtime, days: Sequence[date], say: Say) -> None:
    """Of forecasts, and of plans of all markets where they are asked for."""
    say(forecast_words(runtime.workspace.lake, days))
    if runtime.settings.co_optimisation.enabled:
        say(plan_words(runtime.workspace.lake, days))


@contextmanager
def _launcher(settings: Settings, say: Say, check: Callable[[Runtime], None] | None = None) -> Iterator[Launcher]:
    """A launcher connected to its market; nothing is written before market, files and `check` let it pass."""
    probe = Runtime(settings)
    probe.check_admission()
    check_files(probe.datasets())
    if check is not None:
        check(probe)
    probe.workspace.ensure()
    with market_connection(settings.sources, probe.mode) as sources:
        if sources is not settings.sources:
            say(f"the sample market listens on {sources.neso_base_url}")
        runtime = Runtime(settings.model_copy(update={"sources": sources.model_copy(update={"mode": probe.mode})}))
        with dagster_instance(runtime.workspace) as instance:
            yield Launcher(runtime, instance, say)


def _check_side_table(runtime: Runtime, name: str, first: date) -> None:
    if runtime.mode == "files":
        raise UserInputError(f"prices of your own files have no {name}: it comes from Elexon and NESO only")
    runtime.check_first_day(first)


def _check_first_day(runtime: Runtime, first: date) -> None:
    runtime.check_first_day(first)
    end, now = runtime.last_finished_day(), runtime.now()
    if first > end:
        raise UserInputError(f"{first} has not ended yet (now is {now:%Y-%m-%dT%H:%MZ}): the last ended day is {end}")


def _day_ahead_words(runtime: Runtime) -> str:
    words = {
        "neso_n2ex": "N2EX, from NESO",
        "entsoe": "ENTSO-E",
        "elexon_mid": "the Elexon market index, a within-day index standing in for day-ahead (labelled elexon_mid)",
        "file": f"your file {runtime.settings.sources.day_ahead_file}",
    }
    return words[runtime.day_ahead]


def _next_steps(workspace: Path, seconds: float) -> str:
    command = Path(sys.argv[0])
    shown = command.name
    if command.is_absolute() and command.is_relative_to(Path.cwd()):
        shown = str(command.relative_to(Path.cwd()))
    return (
        f"\nworkspace {workspace}, {seconds:.0f} s. Simulated data: not real prices."
        f"\n  look:   {workspace / 'reports' / REPORT_NAME}, {FORECASTS_NAME}, {PLANS_NAME} and figures beside them"
        f"\n  open:   {shown} --workspace {workspace} ui"
        f'\n  query:  {shown} --workspace {workspace} query "SELECT * FROM risk.daily_pnl_by_stream ORDER BY ALL"'
        f"\n  plan:   {shown} --workspace {workspace} plan"
    )
