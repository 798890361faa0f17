"""The one resource of the graph: a `Runtime` made anew for each run.

What belongs here: handing settings to runs, and turning a user's mistake into a failed step with
one sentence. What does not: resolving settings (`runtime.py`).
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import dagster as dg

from bess_pipeline.errors import BessError
from bess_pipeline.orchestration.running import RunningRuntime, note_process
from bess_pipeline.settings import Settings

RUNTIME = "runtime"
FINISHED_TAG = "bess/finished"
SKIP_FINISHED = "skip"
RESTATE = "restate"


def runtime_resource(settings: Settings, say: Callable[[str], None] | None = None) -> dg.ResourceDefinition:
    """A resource that gives every run its own view of settings and workspace.

    `say` is told when the run has to wait for another process; without it the run's log is.
    """

    def make(context: dg.InitResourceContext) -> Iterator[RunningRuntime]:
        with ExitStack() as held:
            runtime = RunningRuntime(settings, held, say or (context.log or logging.getLogger(__name__)).info)
            if context.instance is not None and context.run is not None:
                note_process(context.instance, runtime.workspace, context.run.run_id)
            yield runtime

    return dg.ResourceDefinition(make, description="Settings and workspace, resolved for this run.")


def one_sentence(compute: Callable[..., Any]) -> Callable[..., Any]:
    """Let a `BessError` fail the step with its sentence and without a traceback of ours.

    The failure is raised outside the `except` block, so that nothing of the original exception
    (which may quote a URL) follows it into the event log.
    """

    @functools.wraps(compute)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return compute(*args, **kwargs)
        except BessError as error:
            sentence = str(error)
        raise dg.Failure(description=sentence, allow_retries=False)

    wrapped.__signature__ = inspect.signature(compute, eval_str=True)  # type: ignore[attr-defined]  # Dagster reads it
    return wrapped


def skips_finished(context: dg.AssetExecutionContext) -> bool:
    """True when the run was told to leave finished days alone (`bess backfill`, `bess refresh`)."""
    return context.run.tags.get(FINISHED_TAG) == SKIP_FINISHED


def restates(context: dg.AssetExecutionContext) -> bool:
    """True when the run was told to settle again only what a revised system price has overtaken."""
    return context.run.tags.get(FINISHED_TAG) == RESTATE
