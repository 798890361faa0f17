"""Child processes that end when this one is told to.

What belongs here: starting, watching and ending children, and the signals that ask for the end. What
does not: which processes they are (`ui.py`).

Each child leads a process group of its own, because a Dagster process leaves its own children (code
servers, runs) behind when only it is ended.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType

from bess_pipeline.errors import BessError

START_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 20.0
POLL_S = 0.2


@contextmanager
def stop_event() -> Iterator[threading.Event]:
    """An event that a signal to end sets. It raises nothing, so no child is ever left half-noted.

    SIGINT counts even where it was ignored before, as it is for a script's background job; SIGHUP (a closed
    terminal) does not where it was, as by `nohup`.
    """
    stop = threading.Event()
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Children:
    """Children under one environment; leaving the block ends them and all that they started."""

    def __init__(self, environment: Mapping[str, str], stop: threading.Event) -> None:
        self._environment = dict(environment)
        self._stop = stop
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start a child, unless told to stop."""
        if not self._stop.is_set():
            self._processes[name] = subprocess.Popen(
                command, env=self._environment, stdin=subprocess.DEVNULL, start_new_session=True
            )

    def wait_for(self, ready: Callable[[], bool]) -> None:
        """Wait for `ready()` of the last child started, or to be told to stop; BessError when it takes too long."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._stop.is_set() and not ready():
            self._require_running()
            if time.monotonic() > deadline:
                name = list(self._processes)[-1]
                raise BessError(f"the {name} was not ready within {START_TIMEOUT_S:.0f} s; its messages are above")
            self._stop.wait(POLL_S)

    def watch(self) -> None:
        """Return when told to stop; BessError when a child ends by itself."""
        while not self._stop.wait(POLL_S):
            self._require_running()

    def __enter__(self) -> Children:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        left = list(self._processes.values())
        for number in (signal.SIGINT, signal.SIGKILL):
            left = [process for process in left if _signal_group(process, number)]
            deadline = time.monotonic() + STOP_TIMEOUT_S
            while left and time.monotonic() < deadline:
                time.sleep(POLL_S)
                left = [process for process in left if _signal_group(process, 0)]

    def _require_running(self) -> None:
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise BessError(f"the {name} ended with status {process.returncode}; its messages are above")


def _signal_group(process: subprocess.Popen[bytes], number: int) -> bool:
    """Send a signal to the group (0 only asks); False when nobody is left in it."""
    process.poll()  # reaps the leader, which would count as a member for ever
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):  # macOS says the latter of a group of ended processes
        return False
    return True
