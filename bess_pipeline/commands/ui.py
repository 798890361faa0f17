"""`bess ui` and `bess env`: Dagster's web server and daemon on a workspace, and what a shell needs for them.

What belongs here: the environment of these processes and their supervision. What does not: the
definitions they load (`definitions.py`).

Each child leads a process group of its own, because a Dagster process leaves its children behind
when only it is ended; all groups are ended when this process is, by Ctrl-C, SIGTERM or a closed terminal.
"""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bess_pipeline.errors import BessError, UserInputError
from bess_pipeline.orchestration.launch import dagster_instance
from bess_pipeline.runtime import Runtime, market_connection
from bess_pipeline.settings import Settings
from bess_pipeline.workspace import packaged

HOST = "127.0.0.1"
START_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 20.0
POLL_S = 0.2
Say = Callable[[str], None]
Processes = Mapping[str, subprocess.Popen[bytes]]

_URL_SETTINGS = ("elexon_base_url", "neso_base_url", "entsoe_base_url")


def serve_ui(settings: Settings, port: int, say: Say) -> None:
    """Run web server and daemon until Ctrl-C or SIGTERM; BessError when one of them ends by itself."""
    _require_free(port)
    runtime = Runtime(settings)
    mode = runtime.mode
    with dagster_instance(runtime.workspace):
        pass
    with _stop_event() as stop, market_connection(settings.sources, mode) as sources:
        found = {}
        if sources is not settings.sources:
            found = {f"BESS_SOURCES__{name.upper()}": getattr(sources, name) for name in _URL_SETTINGS}
            say(f"the sample market listens on {sources.neso_base_url}")
        environment = os.environ | dict(_environment(runtime)) | found
        with _process_groups(_commands(port), environment) as processes:
            if _ready(port, processes, stop):
                say(f"Dagster UI of workspace {settings.workspace}: http://{HOST}:{port} (Ctrl-C ends it)")
            while not stop.wait(POLL_S):
                _require_running(processes)
            say("ending the Dagster processes")


def shell_exports(settings: Settings) -> list[str]:
    """Lines for a shell, after which `dagster dev` finds the workspace and its Dagster home."""
    runtime = Runtime(settings)
    with dagster_instance(runtime.workspace):
        pass
    lines = [f"export {name}={shlex.quote(value)}" for name, value in _environment(runtime).items()]
    command = f"dagster dev -w {shlex.quote(str(_workspace_file()))}"
    return [*lines, f"# then: {command} (a simulated workspace starts its sample market by itself)"]


def _environment(runtime: Runtime) -> Mapping[str, str]:
    return {
        "BESS_WORKSPACE": str(runtime.settings.workspace.absolute()),
        "DAGSTER_HOME": str(runtime.workspace.dagster_home),
    }


def _workspace_file() -> Path:
    """The file that names the code location."""
    return packaged("workspace.yaml")


def _commands(port: int) -> dict[str, list[str]]:
    location = ("-w", str(_workspace_file()))
    quiet = ("--dagster-log-level", "warning", "--code-server-log-level", "warning")
    web = [sys.executable, "-m", "dagster_webserver", "-h", HOST, "-p", str(port), *quiet, *location]
    daemon = [sys.executable, "-m", "dagster._daemon", "run", "--log-level", "warning", *location]
    return {"web server": web, "daemon": daemon}


@contextmanager
def _stop_event() -> Iterator[threading.Event]:
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


@contextmanager
def _process_groups(commands: Mapping[str, list[str]], environment: Mapping[str, str]) -> Iterator[Processes]:
    processes: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, command in commands.items():
            processes[name] = subprocess.Popen(
                command, env=dict(environment), stdin=subprocess.DEVNULL, start_new_session=True
            )
        yield processes
    finally:
        _end_groups(processes.values())


def _end_groups(processes: Iterable[subprocess.Popen[bytes]]) -> None:
    """SIGINT, then SIGKILL, to all groups: Dagster's own children (code servers, runs) are in them."""
    left = list(processes)
    for number in (signal.SIGINT, signal.SIGKILL):
        left = [process for process in left if _signal_group(process, number)]
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while left and time.monotonic() < deadline:
            time.sleep(POLL_S)
            left = [process for process in left if _signal_group(process, 0)]


def _signal_group(process: subprocess.Popen[bytes], number: int) -> bool:
    """Send a signal to the group (0 only asks); False when nobody is left in it."""
    process.poll()  # reaps the leader, which would count as a member for ever
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):  # macOS says the latter of a group of ended processes
        return False
    return True


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            taken = True
        else:
            taken = False
    if taken:
        raise UserInputError(f"port {port} on {HOST} is in use: choose another with --port")


def _ready(port: int, processes: Processes, stop: threading.Event) -> bool:
    """Wait until the UI answers; False when told to stop before."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        _require_running(processes)
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/server_info", timeout=2):
                return True
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            if stop.wait(POLL_S):
                return False
    raise BessError(f"the Dagster web server did not answer within {START_TIMEOUT_S:.0f} s; its messages are above")


def _require_running(processes: Processes) -> None:
    for name, process in processes.items():
        if process.poll() is not None:
            raise BessError(f"the Dagster {name} ended with status {process.returncode}; its messages are above")
