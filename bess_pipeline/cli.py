"""The `bess` command: arguments in, one call into the package, text out.

What belongs here: options, what is printed and exit statuses. What does not: anything that
computes. A user's mistake ends with one sentence on stderr and exit status 1 (2 for a wrong
command line); so does a requested day that is not complete.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bess_pipeline import __version__
from bess_pipeline.errors import BessError
from bess_pipeline.logs import configure_logging, redact
from bess_pipeline.settings import Settings, load_settings

if TYPE_CHECKING:
    import pandas as pd

DAY = click.DateTime(formats=["%Y-%m-%d"])
FORMATS = click.Choice(["table", "json", "csv"])


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--workspace",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the data (BESS_WORKSPACE; default data/live).",
)
@click.option("--verbose", is_flag=True, help="Log what happens to stderr.")
@click.version_option(__version__, prog_name="bess")
@click.pass_context
def bess(context: click.Context, workspace: Path | None, verbose: bool) -> None:
    """A risk-aware digital twin of a battery trading in Great Britain.

    Today: ingests day-ahead, system, market-index, response and reserve prices with their revisions, forecasts them as
    distributions and joint scenarios, and plans day-ahead energy and response together under CVaR, with orders,
    reasons and a frontier. Strategies from a rule to 48 h foresight are dispatched half-hour by half-hour from what
    was known, settled by stream, and held against certified bounds; risk, capture and attribution are in a report.
    Sending orders or dispatch signals to an exchange, an auction platform or an asset is not part of it.
    """
    configure_logging("INFO" if verbose else "WARNING")
    context.obj = workspace


_retry_now = click.option(
    "--retry-now", is_flag=True, help="Try providers at once whose circuit breaker is open (see bess doctor)."
)


def _settings(workspace: Path | None, *, retry_now: bool = False) -> Settings:
    settings = load_settings(**({"workspace": workspace} if workspace else {}))
    if retry_now:
        from bess_pipeline.sources.breaker import end_cool_downs

        end_cool_downs(settings.sources)
    return settings


def _say(text: str) -> None:
    click.echo(text, err=True)


@bess.command()
@click.option("--force", is_flag=True, help="Compute everything again, to the same tables.")
@click.pass_obj
def demo(workspace: Path | None, force: bool) -> None:
    """Replay 28 fixed days of the sample market, offline, into data/demo.

    Starts the sample market on a loopback port, ingests its history over HTTP, replays the trading days
    around the clock change of 2026-03-29 through Dagster, publishes bess.duckdb, figures and a report.
    """
    from bess_pipeline.commands.run import run_demo

    run_demo(load_settings(), workspace, force=force, say=_say)


@bess.command()
@click.option("--port", default=3000, show_default=True, type=click.IntRange(1, 65535))
@click.pass_obj
def ui(workspace: Path | None, port: int) -> None:
    """Dagster UI and daemon for the workspace on 127.0.0.1; Ctrl-C ends all its processes."""
    from bess_pipeline.commands.ui import serve_ui

    serve_ui(_settings(workspace), port, _say)


@bess.command()
@_retry_now
@click.pass_obj
def refresh(workspace: Path | None, retry_now: bool) -> None:
    """Fetch what is missing up to now, settle ended days, plan up to the next trading day."""
    from bess_pipeline.commands.run import run_refresh

    _exit_by(run_refresh(_settings(workspace, retry_now=retry_now), say=_say))


@bess.command()
@click.option("--from", "first", required=True, type=DAY, help="First trading day (EFA date).")
@click.option("--to", "last", required=True, type=DAY, help="Last trading day, included.")
@click.option("--force", is_flag=True, help="Fetch and compute complete days again too.")
@click.option(
    "--only",
    type=click.Choice(["frequency", "fundamentals", "stack"]),
    help="One table beside the trading days instead; --from and --to are settlement dates then.",
)
@_retry_now
@click.pass_obj
def backfill(
    workspace: Path | None, first: datetime, last: datetime, force: bool, only: str | None, retry_now: bool
) -> None:
    """Ingest and replay trading days in order; stopped, it resumes where it was.

    Prints a line for each day that is not complete, with the reason; the exit status is then 1. No trading day
    waits for the tables that --only names: one-second frequency as energy of response (NESO's monthly files, about
    75 MB each), forecasts of wind, demand and margin (Elexon; the daily run fetches them too), and settlement
    stacks with their price check (Elexon; about a hundred paced requests a day).
    """
    from bess_pipeline.commands.run import run_backfill, run_side_table

    settings = _settings(workspace, retry_now=retry_now)
    if only:
        _exit_by(run_side_table(settings, only, first.date(), last.date(), force=force, say=_say))
        return
    _exit_by(run_backfill(settings, first.date(), last.date(), force=force, say=_say))


@bess.command()
@click.option("--from", "first", required=True, type=DAY, help="First settlement date.")
@click.option("--to", "last", required=True, type=DAY, help="Last settlement date, included.")
@click.option("--force", is_flag=True, help="Fetch complete days again too.")
@click.pass_obj
def ingest(workspace: Path | None, first: datetime, last: datetime, force: bool) -> None:
    """Fetch and build all market tables of settlement dates, forecasts included, without trading; then publish.

    Stopped, it resumes where it was. Prints a line for each date that is not complete, with the reason;
    the exit status is then 1.
    """
    from bess_pipeline.commands.run import run_ingest

    _exit_by(run_ingest(_settings(workspace), first.date(), last.date(), force=force, say=_say))


@bess.command("price-check")
@click.option("--from", "first", required=True, type=DAY, help="First settlement date.")
@click.option("--to", "last", type=DAY, help="Last settlement date, included; default: the first.")
@click.option("--force", is_flag=True, help="Fetch stacks that are complete again too.")
@click.option("--format", "form", type=FORMATS, default="table", show_default=True)
@_retry_now
@click.pass_obj
def price_check(
    workspace: Path | None, first: datetime, last: datetime | None, force: bool, form: str, retry_now: bool
) -> None:
    """Recompute system prices from the settlement stack and print the difference of each period.

    Asks Elexon for about a hundred answers a day, two a second. The dates must have been ingested before.
    """
    from bess_pipeline.commands.run import run_price_check

    settings = _settings(workspace, retry_now=retry_now)
    table, problems = run_price_check(settings, first.date(), (last or first).date(), force=force, say=_say)
    _print(table, form)
    _exit_by(problems)


@bess.command()
@click.option("--from", "first", required=True, type=DAY, help="First settlement date.")
@click.option("--to", "last", required=True, type=DAY, help="Last settlement date, included.")
@click.pass_obj
def rebuild(workspace: Path | None, first: datetime, last: datetime) -> None:
    """Build market tables again from the kept answers (raw/), without the network, and publish.

    For a lake that was lost or damaged, or after a newer version reads answers better. Every market table comes back,
    those that --only of backfill names included. Asks no provider; days of which no answer is kept stay as they are.
    Plans and dispatch are not touched. Prints a line for each day that is not complete, with the reason; the exit
    status is then 1.
    """
    from bess_pipeline.commands.run import run_rebuild

    _exit_by(run_rebuild(_settings(workspace), first.date(), last.date(), _say))


@bess.command()
@click.option("--date", "day", type=DAY, help="Trading day (EFA date); default: the next one.")
@click.option("--strategy", help="Default: co_optimised_cvar where the day has a plan of it, else day_ahead_rolling.")
@click.option("--gate", type=click.Choice(["day_ahead", "response"]), help="Default: the last one that has a plan.")
@click.option("--format", "form", type=FORMATS, default="table", show_default=True)
@click.pass_obj
def plan(workspace: Path | None, day: datetime | None, strategy: str | None, gate: str | None, form: str) -> None:
    """The stored plan of a trading day: volumes and stored energy, with reasons, orders and risk where there are any.

    co_optimised and co_optimised_cvar plan day-ahead energy and services together, at two gates (09:50 and 14:00 London
    on the day before); day_ahead_imbalance plans energy with the same scenarios at the first of them. rule_based and
    day_ahead_rolling plan day-ahead energy alone; of day_ahead_rolling it is said which forecast it used. json and csv
    give one record per half-hour.
    """
    from bess_pipeline.commands.plans import stored_plan

    found = stored_plan(_settings(workspace), day.date() if day else None, strategy, gate)
    if form == "table" and found.text:
        click.echo(found.text)
        return
    _print(found.rows, form)
    for remark in found.remarks:
        _say(remark)


@bess.command()
@click.option("--prices", required=True, type=click.Path(path_type=Path), help="CSV with start_utc, price_gbp_mwh.")
@click.option(
    "--battery", type=click.Path(path_type=Path), help="TOML; a key absent from it means no limit and no loss."
)
@click.option("--output", type=click.Path(path_type=Path), help="Write the schedule to this CSV.")
@click.option("--figure", type=click.Path(path_type=Path), help="Draw the schedule into this PNG.")
@click.option("--shadow-prices", is_flag=True, help="Also what 1 MW, 1 MWh, 0.1 cycle a day, 1 point efficiency earn.")
@click.option("--time-limit", type=float, help="Seconds for each call of the solver ([solver] time_limit_s).")
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def optimise(
    workspace: Path | None,
    prices: Path,
    battery: Path | None,
    output: Path | None,
    figure: Path | None,
    shadow_prices: bool,
    time_limit: float | None,
    as_json: bool,
) -> None:
    """Perfect-foresight schedule of a price CSV: any uniform step, any battery (default: the settings')."""
    from bess_pipeline.commands.show import optimise_prices

    summary = optimise_prices(
        _settings(workspace),
        prices,
        battery,
        output,
        figure,
        with_shadow_prices=shadow_prices,
        time_limit_s=time_limit,
    )
    click.echo(json.dumps(summary, indent=1) if as_json else _pairs(summary))


@bess.command()
@click.option("--from", "first", type=DAY, help="First trading day; default: the first stored.")
@click.option("--to", "last", type=DAY, help="Last trading day; default: the last stored.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def report(workspace: Path | None, first: datetime | None, last: datetime | None, as_json: bool) -> None:
    """Write figures and the report page of stored days, and print P&L by strategy and stream."""
    from bess_pipeline.commands.show import make_report

    page, text, records = make_report(_settings(workspace), first and first.date(), last and last.date())
    if as_json:
        click.echo(json.dumps({"report": str(page), "pnl": records}, indent=1))
    else:
        click.echo(text)
        click.echo(f"\nreport: {page}")


@bess.command()
@click.argument("sql", required=False)
@click.option("--file", "file", type=click.Path(path_type=Path), help="Read the SQL from a file (see sql/queries).")
@click.option("--format", "form", type=FORMATS, default="table", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Same as --format json.")
@click.pass_obj
def query(workspace: Path | None, sql: str | None, file: Path | None, form: str, as_json: bool) -> None:
    """Query the published warehouse, read-only."""
    from bess_pipeline.commands.show import run_query

    _print(run_query(_settings(workspace), sql, file), "json" if as_json else form)


@bess.command("serve-market")
@click.option("--tables", type=click.Path(path_type=Path), help="Replay recorded tables; default: the sample market.")
@click.option("--port", default=0, show_default=True, type=click.IntRange(0, 65535), help="0 = any free port.")
def serve_market(tables: Path | None, port: int) -> None:
    """Serve a market on loopback in the exact wire formats of Elexon, NESO and ENTSO-E."""
    from bess_pipeline.commands.market import serve

    serve(tables, port, click.echo, _say)


@bess.command()
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def doctor(workspace: Path | None, as_json: bool) -> None:
    """Check settings, workspace, data, database and providers, and say what to do; exit status 1 where one is bad."""
    from bess_pipeline.commands.doctor import examine

    findings = examine(_settings(workspace))
    if as_json:
        click.echo(json.dumps([finding.__dict__ for finding in findings], indent=1))
    else:
        for finding in findings:
            click.echo(f"{'ok  ' if finding.ok else 'BAD '} {finding.what}: {finding.text}")
    sys.exit(0 if all(finding.ok for finding in findings) else 1)


@bess.command()
@click.pass_obj
def env(workspace: Path | None) -> None:
    """Shell exports for plain `dagster dev` on the workspace: eval "$(bess env)"."""
    from bess_pipeline.commands.ui import shell_exports

    for line in shell_exports(_settings(workspace)):
        click.echo(line)


def _exit_by(problems: Sequence[object]) -> None:
    for problem in problems:
        click.echo(str(problem))
    if problems:
        sys.exit(1)


def _print(frame: pd.DataFrame, form: str) -> None:
    if form == "json":
        click.echo(frame.to_json(orient="records", date_format="iso", indent=1, default_handler=str))
    elif form == "csv":
        click.echo(frame.to_csv(index=False), nl=False)
    else:
        click.echo(frame.to_string(index=False) if len(frame) else "no rows")


def _pairs(summary: dict[str, Any]) -> str:
    width = max(map(len, summary))
    return "\n".join(f"{name:<{width}}  {value}" for name, value in summary.items())


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of `bess`: runs a command and turns a user's mistake into one sentence."""
    try:
        bess.main(args=list(arguments) if arguments is not None else None, prog_name="bess", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except (BessError, OSError) as error:
        click.echo(redact(f"bess: {error}"), err=True)
        status = 1
    except (KeyboardInterrupt, click.Abort):
        click.echo("bess: stopped; the same command goes on from here", err=True)
        status = 130
    else:
        status = 0
    sys.exit(status)
