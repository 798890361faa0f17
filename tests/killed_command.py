"""`bess` as a process that is ended by SIGKILL at a moment of its work: forked from a warmed one, or started anew.

Used by the tests of promises P2 and P8. A moment is a phase, which the process itself names as it begins it, and
some time after that: a busy machine pushes no kill out of its phase. What must hold depends on no moment.
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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from small_workspace import CHEAP_FORECASTS

from bess_pipeline.sample_market import MarketServer

TESTS = Path(__file__).resolve().parent
LIFE_LIMIT_S, POLL_S = 300.0, 0.01
PHASES = ("start-up", "ingest", "scenarios", "trade", "publish")  # what it prints as it begins them


@dataclass(frozen=True)
class Moment:
    """So many seconds after a process began a phase, or, where it has nothing to do in it, the next one."""

    phase: str
    after_s: float

    def is_past(self, entered: dict[str, float], now_s: float) -> bool:
        begun = [entered[phase] for phase in PHASES[PHASES.index(self.phase) :] if phase in entered]
        return bool(begun) and now_s > min(begun) + self.after_s


@dataclass(frozen=True)
class Life:
    """How a process ended, what it printed, and its seconds in each phase that it began, in their order."""

    status: int
    printed: str
    seconds: dict[str, float]

    @property
    def killed(self) -> bool:
        return self.status == -signal.SIGKILL

    @property
    def phase(self) -> str:
        """What it did last."""
        return list(self.seconds)[-1]


def environment(server: MarketServer, **more: str) -> dict[str, str]:
    """Settings of a `bess` process that asks `server`: seven days of history, cheap forecasts, no copied figures."""
    urls = {f"BESS_SOURCES__{name.upper()}": url for name, url in server.base_urls.items()}
    return os.environ | urls | CHEAP_FORECASTS | {
        "BESS_SOURCES__MODE": "sample",
        "BESS_TRADING__HISTORY_DAYS": "7",
        "BESS_REPORT__COPY_FIGURES_TO": "",
        "PYTHONPATH": os.pathsep.join((str(TESTS.parent), str(TESTS))),
        "PYTHONWARNINGS": "ignore",
    } | more  # fmt: skip


def bess(arguments: Sequence[str]) -> list[str]:
    """The command line of a `bess` process."""
    return [sys.executable, "-c", "from bess_pipeline.cli import main; main()", *arguments]


NEVER = Moment(PHASES[0], LIFE_LIMIT_S)


class WarmBess:
    """Starts `bess` processes in `folder`; one started anew takes `import_seconds` more."""

    def __init__(self, settings: dict[str, str], folder: Path) -> None:
        self._settings, self._folder = settings, folder
        command = [sys.executable, str(TESTS / "warm_bess.py")]
        self._parent = subprocess.Popen(
            command, env=settings, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        started = time.monotonic()
        assert self._answer() == "ready"
        self.import_seconds = time.monotonic() - started

    def forked(self, arguments: Sequence[str], kill: Moment = NEVER) -> Life:
        """A process with everything imported; ended by SIGKILL unless it ended by itself before."""
        log = self._folder / "forked.log"
        log.write_bytes(b"")
        order = {"arguments": list(arguments), "folder": str(self._folder), "log": str(log)}
        assert self._parent.stdin is not None
        self._parent.stdin.write(f"{json.dumps(order)}\n".encode())
        process = int(self._answer())
        seconds = _watch(
            lambda: bool(select.select([self._parent.stdout], [], [], POLL_S)[0]),
            lambda: os.kill(process, signal.SIGKILL),
            log,
            kill,
        )
        return Life(int(self._answer()), log.read_text(), seconds)

    def anew(self, arguments: Sequence[str], kill: Moment = NEVER) -> Life:
        """A process of its own from the start; ended by SIGKILL unless it ended by itself before."""
        log = self._folder / "anew.log"
        with log.open("wb") as file:
            process = subprocess.Popen(bess(arguments), env=self._settings, cwd=self._folder, stdout=file, stderr=file)

        def ended() -> bool:
            time.sleep(POLL_S)
            return process.poll() is not None

        seconds = _watch(ended, process.kill, log, kill)
        return Life(process.wait(), log.read_text(), seconds)

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


def _watch(ended: Callable[[], bool], end: Callable[[], None], log: Path, kill: Moment) -> dict[str, float]:
    """Ends a process at a moment, unless it ends by itself before; its seconds in each phase."""
    started = time.monotonic()
    entered, now_s = {PHASES[0]: 0.0}, 0.0
    while not ended():
        now_s = time.monotonic() - started
        for line in log.read_text().splitlines():
            for phase in PHASES:
                if line.startswith(phase):
                    entered.setdefault(phase, now_s)
        if kill.is_past(entered, now_s):
            with contextlib.suppress(ProcessLookupError):
                end()
            break
    ends = [*list(entered.values())[1:], now_s]
    return {phase: end_s - begun_s for (phase, begun_s), end_s in zip(entered.items(), ends, strict=True)}
