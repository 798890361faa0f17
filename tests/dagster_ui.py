"""Drives Dagster's web page as a user does, and asks its GraphQL service what came of it.

What belongs here: starting and ending `bess ui`, and clicks that several tests make. What does not: what
the tests expect. The checks look at processes through /proc, so they run on Linux.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page

POLL_S = 0.5
START_S = 180.0
END_S = 60.0
RUN_S = 420.0
ENDED = {"SUCCESS", "FAILURE", "CANCELED"}

_RUNS = """{ runsOrError(limit: 100) { ... on Runs { results {
  runId jobName status startTime endTime assetSelection { path } tags { key value } } } } }"""
_BACKFILLS = "{ partitionBackfillsOrError(limit: 20) { ... on PartitionBackfills { results { id status } } } }"


@dataclass(frozen=True)
class Run:
    """A Dagster run: its id and job, the assets and tags it was asked for, its status and times (s, or None)."""

    id: str
    job: str
    status: str
    start: float | None
    end: float | None
    assets: frozenset[str]
    tags: Mapping[str, str]

    @property
    def days(self) -> tuple[str, str]:
        """First and last partition asked for."""
        one = self.tags.get("dagster/partition", "")
        first = self.tags.get("dagster/asset_partition_range_start", one)
        return first, self.tags.get("dagster/asset_partition_range_end", one)


class Ui:
    """A running `bess ui`."""

    def __init__(self, url: str, process: subprocess.Popen[str], workspace: Path) -> None:
        self.url = url
        self.process = process
        self.workspace = workspace

    def ask(self, query: str) -> Any:
        """The data of a GraphQL answer."""
        request = urllib.request.Request(
            f"{self.url}/graphql", json.dumps({"query": query}).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["data"]

    def runs(self) -> list[Run]:
        """The newest hundred runs, oldest first."""
        found = self.ask(_RUNS)["runsOrError"]["results"]
        return [
            Run(
                run["runId"],
                run["jobName"],
                run["status"],
                run["startTime"],
                run["endTime"],
                frozenset("/".join(key["path"]) for key in run["assetSelection"] or []),
                {tag["key"]: tag["value"] for tag in run["tags"]},
            )
            for run in reversed(found)
        ]

    def backfills(self) -> dict[str, str]:
        """Status of each backfill by its id."""
        return {b["id"]: b["status"] for b in self.ask(_BACKFILLS)["partitionBackfillsOrError"]["results"]}

    def ended_run(self, known: set[str]) -> Run:
        """The one run that is not among `known`, when it has ended."""
        return wait(lambda: _only([r for r in self.runs() if r.id not in known and r.status in ENDED]), RUN_S, "a run")

    def ended_backfill(self, known: set[str]) -> tuple[str, str]:
        """Id and status of the one backfill that is not among `known`, when it has ended."""

        def ended() -> tuple[str, str] | None:
            return _only([b for b in self.backfills().items() if b[0] not in known and b[1] not in _GOING_ON])

        return wait(ended, RUN_S, "a backfill")

    def processes(self) -> list[int]:
        """Processes whose environment names this workspace's Dagster home."""
        home = f"DAGSTER_HOME={self.workspace.absolute() / 'dagster_home'}".encode()
        return [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if home in _environment(folder)]


_GOING_ON = {"REQUESTED", "CANCELING", "FAILING"}


@contextmanager
def running_ui(workspace: Path, settings: Mapping[str, str], log: Path) -> Iterator[Ui]:
    """`bess ui` on a free port with these settings; ended hard, with all its processes, if the test did not."""
    port = free_port()
    with log.open("w") as output:
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name("bess")), "--workspace", str(workspace), "ui", "--port", str(port)],
            env={**os.environ, **settings},
            cwd=workspace.parent,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
        ui = Ui(f"http://127.0.0.1:{port}", process, workspace)
        try:
            yield ui
        finally:
            process.terminate()
            try:
                process.wait(END_S)
            finally:
                for left in {*ui.processes(), *([process.pid] if process.poll() is None else [])}:
                    os.kill(left, signal.SIGKILL)


def wait_until_ready(ui: Ui, log: Path) -> None:
    """Wait for the line that says the UI is ready."""
    wait(lambda: "(Ctrl-C ends it)" in log.read_text() or ui.process.poll() is not None, START_S, "bess ui")
    assert ui.process.poll() is None, log.read_text()


def open_materialise_dialog(page: Page, url: str) -> Locator:
    """Open a page with a Materialize button and press it; the dialog that asks for partitions."""
    page.goto(url)
    page.get_by_role("button", name=re.compile("Materialize")).first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_placeholder(re.compile("^ex: ")).wait_for()
    return dialog


def choose_partitions(dialog: Locator, text: str) -> None:
    """Type partitions as Dagster writes them: `day`, `[first...last]`, separated by commas."""
    field = dialog.get_by_placeholder(re.compile("^ex: "))
    field.fill(text)
    field.press("Enter")


def launch(dialog: Locator) -> None:
    """Press the dialog's launch button."""
    dialog.get_by_role("button", name=re.compile("Launch (1 run|backfill)$")).click()
    dialog.wait_for(state="hidden")


def wait(found: Callable[[], Any], seconds: float, what: str) -> Any:
    """The first true value of `found()`; AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = found()
        if value:
            return value
        time.sleep(POLL_S)
    raise AssertionError(f"{what} did not come within {seconds:.0f} s")


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _only(found: list[Any]) -> Any:
    assert len(found) < 2, f"one was asked for: {found}"
    return found[0] if found else None


def _environment(folder: Path) -> bytes:
    try:
        return (folder / "environ").read_bytes()
    except OSError:
        return b""
