"""Launches Dagster runs in this process on the workspace's Dagster home, with the UI's jobs and tags.

What belongs here: opening the instance, running a job over days, and the order of runs of a
backfill. What does not: the command line (`cli.py`) and what a run does (`assets/`).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
from sqlalchemy.exc import OperationalError

from bess_pipeline import __version__, gb_time
from bess_pipeline.atomic import locked, write_bytes
from bess_pipeline.definitions import build_defs
from bess_pipeline.errors import BessError
from bess_pipeline.ingestion.outcomes import OutcomeStore
from bess_pipeline.ingestion.stack import STACK
from bess_pipeline.optimisation.solver import Solver
from bess_pipeline.orchestration.assets.bounds import make_bounds
from bess_pipeline.orchestration.assets.forecast import FORECAST_POOL, make_gate_days
from bess_pipeline.orchestration.assets.frequency import RESPONSE_ENERGY
from bess_pipeline.orchestration.assets.ingest import FUNDAMENTALS, INGEST_POOL
from bess_pipeline.orchestration.assets.publish import PUBLISH_POOL, VERDICT
from bess_pipeline.orchestration.assets.risk import make_stored_risk
from bess_pipeline.orchestration.assets.settlement import system_price_revisions
from bess_pipeline.orchestration.assets.trading import CHAIN_POOL, make_replay
from bess_pipeline.orchestration.event_log import events_in_batches, open_instance
from bess_pipeline.orchestration.jobs import (
    CO_OPTIMISE,
    DETAILED_PRICES,
    FORECASTS,
    FREQUENCY,
    INGEST,
    INGEST_ASSETS,
    PLAN_AHEAD,
    PRICE_ASSETS,
    PUBLISH,
    RESETTLE,
    REVISE,
    RISK,
    SCENARIOS,
    TRADE,
    asset_key,
    days_to_co_optimise,
    days_to_plan,
    days_to_resettle,
    days_to_revise,
    planned_ahead,
)
from bess_pipeline.orchestration.partitions import DAYS_PER_RUN, chained_days_per_run, range_tags
from bess_pipeline.orchestration.resources import FINISHED_TAG, RESTATE, SKIP_FINISHED
from bess_pipeline.orchestration.running import fail_dead_runs, process_tag
from bess_pipeline.runtime import Runtime
from bess_pipeline.trading.stamps import outdated
from bess_pipeline.verdict import not_complete
from bess_pipeline.warehouse import readable
from bess_pipeline.workspace import Workspace

Progress = Callable[[str], None]
MAX_STALE_PASSES = 50
TURN_TIMEOUT_S = 7200.0  # a month of settlement stacks at two requests a second takes half an hour
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}  # the log is in the UI
ONE_DAY = timedelta(days=1)
_VERDICT_STEP = asset_key(VERDICT).to_python_identifier()  # its failure is the answer, not an error
SIDE_JOBS = {  # how the command line names them -> job, table
    "frequency": (FREQUENCY, RESPONSE_ENERGY),
    "fundamentals": (FORECASTS, FUNDAMENTALS.table),
    "stack": (DETAILED_PRICES, STACK),
}
SOLVING = (INGEST, TRADE, PLAN_AHEAD)
POOLS = (INGEST_POOL, FORECAST_POOL, CHAIN_POOL, PUBLISH_POOL)


def initialise_dagster_home(home: Path) -> None:
    """Create Dagster's storage once (called under the workspace's lock: two creators break it)."""
    with open_instance(home) as instance:
        instance.get_runs_count()
        for pool in POOLS:  # Dagster applies the default limit only to pools that it has met
            instance.event_log_storage.set_concurrency_slots(pool, 1)


@contextmanager
def dagster_instance(workspace: Workspace) -> Iterator[dg.DagsterInstance]:
    """The workspace's Dagster instance, its home made ready and runs that died with their process marked so."""
    workspace.ensure()
    with _records_kept(workspace.dagster_home):
        home = workspace.prepare_dagster_home(initialise_dagster_home)
        with open_instance(home) as instance, events_in_batches():
            fail_dead_runs(instance, workspace)
            yield instance


@contextmanager
def _records_kept(home: Path) -> Iterator[None]:
    """One sentence where Dagster cannot keep its records, as on a full disk."""
    problem = ""
    try:
        yield
    except OperationalError as error:
        problem = f"Dagster cannot write its records in {home}: {error.orig}; all that is stored is intact"
    if problem:
        raise BessError(f"{problem}; {'free some space and ' if 'full' in problem else ''}run again")


class Launcher:
    """Runs jobs for one runtime and says what it does through `progress`."""

    def __init__(self, runtime: Runtime, instance: dg.DagsterInstance, progress: Progress) -> None:
        self.runtime = runtime
        self.instance = instance
        self.progress = progress
        self.definitions = build_defs(runtime.settings, progress)

    def backfill(self, first: date, last: date, *, force: bool = False) -> int:
        """Make the trading days `first` to `last` complete, with the history that plans need; the number of runs.

        Finished days are left alone unless `force`. Raises BessError when a run could not work at all.
        """
        runs = self.ingest(self.history_start(first), last, force=force)
        runs += self.forecast(first, last, force=force) + self.co_optimise(first, last, force=force)
        return runs + self.trade(first, last, force=force)

    def ingest(self, first: date, last: date, *, force: bool = False, forecasts_from: date = date.min) -> int:
        """Fetch and build the market days that are not complete; the number of runs it took.

        Forecasts of fundamentals are fetched with them from `forecasts_from` on: each day of theirs costs as much
        as all prices together.
        """
        days, runs = self.unfetched(first, last, force=force), 0
        early, late = [day for day in days if day < forecasts_from], [day for day in days if day >= forecasts_from]
        for part, assets in ((early, PRICE_ASSETS), (late, INGEST_ASSETS)):
            for chunk in gb_time.consecutive_runs(part, DAYS_PER_RUN):
                with self._turn(f"bringing in {_span(chunk)}"):
                    left = self.unfetched(chunk[0], chunk[-1], force=force)
                    if left:
                        self._run(INGEST, left[0], left[-1], force, assets=assets)
                        runs += 1
        return runs

    def forecast(self, first: date, last: date, *, force: bool = False) -> int:
        """Forecasts, scenarios and scores of the trading days that lack some; the number of runs it took.

        Made before the days are traded: plans may stand on them.
        """
        days, runs = gb_time.days_between(first, last), 0
        for chunk in gb_time.consecutive_runs(self._to_forecast(days, force), DAYS_PER_RUN):
            with self._turn(f"forecasting {_span(chunk)}"):
                for run in gb_time.consecutive_runs(self._to_forecast(chunk, force)):
                    self._run(SCENARIOS, run[0], run[-1], force)
                    runs += 1
        return runs

    def co_optimise(self, first: date, last: date, *, force: bool = False) -> int:
        """Plans of all markets of the trading days that lack some, in order; the number of runs it took."""
        if not self.runtime.settings.co_optimisation.enabled:
            return 0
        days, runs = gb_time.days_between(first, last), 0
        for chunk in gb_time.consecutive_runs(self._to_co_optimise(days, force), self._chained_days):
            with self._turn(f"planning all markets of {_span(chunk)}"):
                for run in gb_time.consecutive_runs(self._to_co_optimise(chunk, force)):
                    self._run(CO_OPTIMISE, run[0], run[-1], force)
                    runs += 1
        return runs

    def trade(self, first: date, last: date, *, force: bool = False) -> int:
        """Replay the trading days that are not finished, in order; the number of runs it took."""
        runs = 0
        for chunk in gb_time.consecutive_runs(self._to_trade(first, last, force), self._chained_days):
            with self._turn(f"trading {_span(chunk)}"):
                for run in gb_time.consecutive_runs(self._to_trade(chunk[0], chunk[-1], force)):
                    self._run(TRADE, run[0], run[-1], force)
                    self._settle_stale(run[-1])
                    runs += 1
        if make_replay(self.runtime).stale_after(last):  # left by a stop
            with self._turn(f"trading the days after {last}"):
                self._settle_stale(last)
        return runs + self._restate(RESETTLE, lambda: self._outdated(first, last))

    def revise(self) -> int:
        """Ask again for system prices that are due, and settle again what they changed; the number of runs.

        Plans and dispatch stay as they are: only cash, status and P&L follow a revision.
        """
        revised = self._restate(REVISE, lambda: days_to_revise(self.runtime))
        return revised + self._restate(RESETTLE, lambda: days_to_resettle(self.runtime))

    def side_table(self, name: str, first: date, last: date, *, force: bool = False) -> str:
        """Fetch, build and publish settlement dates of a table beside the trading days (SIDE_JOBS); its name."""
        job, table = SIDE_JOBS[name]
        for run in gb_time.consecutive_runs(gb_time.days_between(first, last), DAYS_PER_RUN):
            with self._turn(f"fetching {table} of {_span(run)}"):
                self._run(job, run[0], run[-1], force)
        return table

    def plan_ahead(self, *, force: bool = False) -> list[date]:
        """Fetch what is known and plan up to the next trading day; the days planned, none when all were."""
        days = days_to_plan(self.runtime)
        with self._turn(f"planning {_span(days)}"):
            if not force and self.planned_ahead():
                return []
            self._run(PLAN_AHEAD, days[0], days[-1], force)
        return days

    def planned_ahead(self) -> bool:
        """True when every trading day up to the next one has plan, forecasts and scenarios of these settings."""
        return planned_ahead(self.runtime)

    def measure_risk(self) -> bool:
        """Bounds and risk as of the last settled day; False when what is stored stands."""
        stored, bounds = make_stored_risk(self.runtime), make_bounds(self.runtime)
        with self._turn("measuring risk"):
            newest = stored.as_of(date.min, date.max)
            if newest is None or (stored.stands(newest) and not bounds.unfinished([newest])):
                return False
            self._run(RISK, newest, newest, force=False)
        return True

    def publish(self, first: date, last: date) -> bool:
        """Risk, warehouse, figures, report and verdict over the days; False when they show the lake as it is."""
        if self.runtime.workspace.stamp() is None:
            self.progress("nothing to publish: no provider has answered yet")
            return False
        self.measure_risk()
        with self._turn("publishing"):
            if self.published():
                return False
            self.progress("publishing warehouse, figures and report")
            contents = self._contents()
            self._execute(PUBLISH, first, last, force=True)
            write_bytes(self._published_file(), contents)
        return True

    def published(self) -> bool:
        """True when warehouse and report show the lake as it is, under these settings.

        A stop between trading and publishing is caught up by this, and so is a warehouse that cannot be read.
        """
        file = self._published_file()
        shown = file.read_bytes() if file.is_file() else b""
        return shown == self._contents() and readable(self.runtime.workspace.database)

    def history_start(self, first: date) -> date:
        """First settlement date that plans of `first` read, where the data can reach back that far."""
        trading = self.runtime.settings.trading
        wanted = first - timedelta(days=trading.history_days + 2)
        earliest = max(self.runtime.settings.data.first_date, self.runtime.identity.first_date or date.min)
        return max(wanted, min(earliest, first - ONE_DAY))

    def unfetched(self, first: date, last: date, *, force: bool = False) -> list[date]:
        """The days of which some dataset is not complete; all of them with `force`."""
        days = gb_time.days_between(first, last)
        if force:
            return days
        workspace, store = self.runtime.workspace, self._outcomes
        tables = [dataset.table for dataset in self.runtime.datasets()]
        said = {problem.day for problem in not_complete(workspace.lake, days, trading=False)}
        revisions = system_price_revisions(self.runtime)
        behind = said | set(revisions.outdated(days) if revisions else ())
        return [day for day in days if day in behind or not all(store.complete(table, day) for table in tables)]

    @contextmanager
    def _turn(self, doing: str) -> Iterator[None]:
        """Hold the workspace's turn: commands beside each other take turns, run by run, instead of doing all twice.

        What is left to do is to be looked up inside the block. Runs that the Dagster daemon starts take no turn;
        what they and ours would both change is locked step by step.
        """
        with locked(self.runtime.workspace.root / "command.lock", doing, TURN_TIMEOUT_S, self.progress):
            yield

    def _to_trade(self, first: date, last: date, force: bool) -> list[date]:
        """The days that are not finished, those among them whose opening no longer holds; all of them with `force`."""
        days = gb_time.days_between(first, last)
        if force:
            return days
        replay = make_replay(self.runtime)
        for day in days:
            replay.stale_after(day)
        return replay.unfinished(days)

    def _to_forecast(self, days: Sequence[date], force: bool) -> list[date]:
        return list(days) if force else make_gate_days(self.runtime).unfinished(days)

    @property
    def _chained_days(self) -> int:
        return chained_days_per_run(self.runtime.settings.trading)

    def _to_co_optimise(self, days: Sequence[date], force: bool) -> list[date]:
        return list(days) if force else days_to_co_optimise(self.runtime, days)

    def _restate(self, job: str, wanted: Callable[[], list[date]]) -> int:
        """Run a job that settles days again over the days wanted, as long as they are; the number of runs."""
        runs = 0
        for chunk in gb_time.consecutive_runs(wanted(), DAYS_PER_RUN):
            with self._turn(f"settling {_span(chunk)} again"):
                for run in gb_time.consecutive_runs(set(chunk) & set(wanted())):
                    self._run(job, run[0], run[-1], force=False, finished=RESTATE)
                    runs += 1
        return runs

    def _outdated(self, first: date, last: date) -> list[date]:
        """The days whose cash, status or P&L a stop or a revision has left behind."""
        runtime = self.runtime
        return outdated(runtime.workspace.lake, runtime.settings.fingerprint(), gb_time.days_between(first, last))

    def _published_file(self) -> Path:
        return self.runtime.workspace.root / "published.txt"

    def _contents(self) -> bytes:
        settings = self.runtime.settings
        made_with = f"{settings.fingerprint()} {settings.risk_fingerprint()} {__version__}"
        return f"{self.runtime.workspace.lake.vintage()} {made_with}".encode()

    @property
    def _outcomes(self) -> OutcomeStore:
        return OutcomeStore(self.runtime.workspace.raw / "outcomes")

    def _settle_stale(self, last: date) -> None:
        """Re-run days after a changed close until nothing changes."""
        replay, day = make_replay(self.runtime), last
        for _ in range(MAX_STALE_PASSES):
            stale = replay.stale_after(day)[:DAYS_PER_RUN]
            if not stale:
                return
            self._run(TRADE, stale[0], stale[-1], force=False)
            day = stale[-1]

    def _run(
        self,
        job: str,
        first: date,
        last: date,
        force: bool,
        finished: str = SKIP_FINISHED,
        assets: Sequence[str] | None = None,
    ) -> None:
        if job in SOLVING:  # its imports take seconds, which pass while market data is fetched
            Solver(self.runtime.settings.solver).start()
        span = _span([first, last])
        self.progress(f"{job}: {span}")
        if not self._execute(job, first, last, force, finished, assets):
            raise BessError(f"the {job} run of {span} failed; its log is in the Dagster UI (bess ui)")

    def _execute(
        self,
        job: str,
        first: date,
        last: date,
        force: bool,
        finished: str = SKIP_FINISHED,
        assets: Sequence[str] | None = None,
    ) -> bool:
        """One run of a job, or of some of its `assets`; False when it failed by its verdict."""
        tags = range_tags(first, last) | ({} if force else {FINISHED_TAG: finished})
        run_id = str(uuid.uuid4())
        result = self.definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            run_id=run_id,
            tags=tags | process_tag(self.runtime.workspace, run_id),
            raise_on_error=False,
            run_config=_QUIET,
            asset_selection=[asset_key(name) for name in assets] if assets else None,
        )
        for event in result.all_events:
            if event.is_step_failure and event.step_key != _VERDICT_STEP:
                error = event.step_failure_data.error
                if error is not None and error.cls_name == "DagsterExecutionInterruptedError":
                    raise KeyboardInterrupt
                raise BessError(_reason(event))
        return result.success


def _span(days: Sequence[date]) -> str:
    return f"{days[0]}" if days[0] == days[-1] else f"{days[0]} to {days[-1]}"


def _reason(event: dg.DagsterEvent) -> str:
    """Our own sentence where the step failed with one, else what went wrong first of all."""
    data = event.step_failure_data
    if data.user_failure_data is not None:
        return str(data.user_failure_data.description)
    error = data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error is not None else "no reason given"
