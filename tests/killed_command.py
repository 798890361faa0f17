"""`bess` as a process that is ended by SIGKILL after a time: forked from a warmed one, or started anew.

Used by the tests of promises P2 and P8. No test depends on what is reached in that time; it only spreads the kills.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bess_pipeline.sample_market import MarketServer

TESTS = Path(__file__).resolve().parent
LIFE_LIMIT_S = 300.0
PHASES = ("start-up", "ingest", "trade", "publish")


@dataclass(frozen=True)
class Life:
    """How a process ended, what it printed and how long it lived."""

    killed: bool
    status: int
    printed: str
    seconds: float

    @property
    def phase(self) -> str:
        """What it said last that it does; start-up before it has said anything."""
        said = [line[: len(phase)] for line in self.printed.splitlines() for phase in PHASES if line.startswith(phase)]
        return said[-1] if said else PHASES[0]


def environment(server: MarketServer, **more: str) -> dict[str, str]:
    """The settings of a `bess` process that asks `server`, with seven days of history and no copies of figures."""
    urls = {f"BESS_SOURCES__{name.upper()}": url for name, url in server.base_urls.items()}
    return os.environ | urls | {
        "BESS_SOURCES__MODE": "sample",
        "BESS_TRADING__HISTORY_DAYS": "7",
        "BESS_REPORT__COPY_FIGURES_TO": "",
        "PYTHONPATH": os.pathsep.join((str(TESTS.parent), str(TESTS))),
        "PYTHONWARNINGS": "ignore",
    } | more  # fmt: skip


def bess(arguments: Sequence[str]) -> list[str]:
    """The command line of a `bess` process."""
    return [sys.executable, "-c", "from bess_pipeline.cli import main; main()", *arguments]


class WarmBess:
    """Starts `bess` processes in `folder`; one started anew takes `import_seconds` more than a forked one."""

    def __init__(self, settings: dict[str, str], folder: Path) -> None:
        self._settings, self._folder = settings, folder
        started = time.monotonic()
        command = [sys.executable, str(TESTS / "warm_bess.py")]
        self._parent = subprocess.Popen(
            command, env=settings, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        assert self._answer() == "ready"
        self.import_seconds = time.monotonic() - started

    def forked(self, arguments: Sequence[str], kill_after_s: float = LIFE_LIMIT_S) -> Life:
        """A process with everything imported; ended by SIGKILL unless it ended in time by itself."""
        log = self._folder / "forked.log"
        order = {"arguments": list(arguments), "folder": str(self._folder), "log": str(log)}
        assert self._parent.stdin is not None
        started = time.monotonic()
        self._parent.stdin.write(f"{json.dumps(order)}\n".encode())
        process = int(self._answer())
        if not select.select([self._parent.stdout], [], [], kill_after_s)[0]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        status = int(self._answer())
        return _life(status, log.read_text(), time.monotonic() - started)

    def anew(self, arguments: Sequence[str], kill_after_s: float = LIFE_LIMIT_S) -> Life:
        """A process of its own from the start; ended by SIGKILL unless it ended in time by itself."""
        log = self._folder / "anew.log"
        started = time.monotonic()
        with log.open("wb") as file:
            process = subprocess.Popen(bess(arguments), env=self._settings, cwd=self._folder, stdout=file, stderr=file)
        try:
            process.wait(kill_after_s)
        except subprocess.TimeoutExpired:
            process.kill()
        return _life(process.wait(), log.read_text(), time.monotonic() - started)

    def close(self) -> None:
        assert self._parent.stdin is not None
        self._parent.stdin.close()
        assert self._parent.stdout is not None
        self._parent.stdout.close()
        self._parent.wait()

    def _answer(self) -> str:
        assert self._parent.stdout is not None
        return self._parent.stdout.readline().decode().strip()  # unbuffered: `select` sees what is left


@contextlib.contextmanager
def warm_bess(settings: dict[str, str], folder: Path) -> Iterator[WarmBess]:
    warm = WarmBess(settings, folder)
    try:
        yield warm
    finally:
        warm.close()


def _life(status: int, printed: str, seconds: float) -> Life:
    return Life(status == -signal.SIGKILL, status, printed, seconds)
