"""`bess` as a process that is ended by SIGKILL after a time: forked from a warmed one, or started anew.

Used by the tests of promises P2 and P8. The time is what the processor has worked for it, where the machine tells
(Linux), so that a busy machine does not push all kills to the beginning; what must hold depends on no time.
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
LIFE_LIMIT_S, POLL_S = 300.0, 0.01
PHASES = ("start-up", "ingest", "trade", "publish")


@dataclass(frozen=True)
class Life:
    """How a process ended, what it printed and how long it worked."""

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


class _Clock:
    """Seconds that a process has worked; those since it was started where the machine does not tell."""

    def __init__(self, process: int) -> None:
        self._file, self._started = Path(f"/proc/{process}/stat"), time.monotonic()
        self.last_s = 0.0

    def seconds(self) -> float:
        if not self._file.parent.parent.joinpath("self").exists():
            self.last_s = time.monotonic() - self._started
            return self.last_s
        with contextlib.suppress(OSError):  # it has just ended
            user, system = self._file.read_text().rsplit(")", 1)[1].split()[11:13]
            self.last_s = (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
        return self.last_s


class WarmBess:
    """Starts `bess` processes in `folder`; one started anew takes `import_seconds` more than a forked one."""

    def __init__(self, settings: dict[str, str], folder: Path) -> None:
        self._settings, self._folder = settings, folder
        command = [sys.executable, str(TESTS / "warm_bess.py")]
        self._parent = subprocess.Popen(
            command, env=settings, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        clock = _Clock(self._parent.pid)
        assert self._answer() == "ready"
        self.import_seconds = clock.seconds()

    def forked(self, arguments: Sequence[str], kill_after_s: float = LIFE_LIMIT_S) -> Life:
        """A process with everything imported; ended by SIGKILL unless it ended in time by itself."""
        log = self._folder / "forked.log"
        order = {"arguments": list(arguments), "folder": str(self._folder), "log": str(log)}
        assert self._parent.stdin is not None
        self._parent.stdin.write(f"{json.dumps(order)}\n".encode())
        process = int(self._answer())
        clock = _Clock(process)
        while not select.select([self._parent.stdout], [], [], POLL_S)[0]:
            if clock.seconds() > kill_after_s:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
                break
        return _life(int(self._answer()), log.read_text(), clock.last_s)

    def anew(self, arguments: Sequence[str], kill_after_s: float = LIFE_LIMIT_S) -> Life:
        """A process of its own from the start; ended by SIGKILL unless it ended in time by itself."""
        log = self._folder / "anew.log"
        with log.open("wb") as file:
            process = subprocess.Popen(bess(arguments), env=self._settings, cwd=self._folder, stdout=file, stderr=file)
        clock = _Clock(process.pid)
        while process.poll() is None:
            time.sleep(POLL_S)
            if clock.seconds() > kill_after_s:
                process.kill()
                break
        return _life(process.wait(), log.read_text(), clock.last_s)

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
