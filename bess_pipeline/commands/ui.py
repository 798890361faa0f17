"""`bess ui` and `bess env`: Dagster's web server and daemon on a workspace, and what a shell needs for them.

What belongs here: the environment of these processes and their supervision. What does not: the
definitions they load (`definitions.py`).

Each child runs in a process group of its own, because a Dagster process leaves its children behind
when only it is ended; all groups are ended when this process is, by Ctrl-C or SIGTERM.
"""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

from bess_pipeline.errors import BessError, UserInputError
from bess_pipeline.orchestration.launch import dagster_instance
from bess_pipeline.runtime import Runtime, market_connection
from bess_pipeline.settings import Settings

HOST = "127.0.0.1"
LOCATION = ("-m", "bess_pipeline.definitions")
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 15.0
POLL_S = 0.3
Say = Callable[[str], None]


def serve_ui(settings: Settings, port: int, say: Say) -> None:
    """Run web server and daemon until Ctrl-C or SIGTERM; BessError when one of them ends by itself."""
    _require_free(port)
    runtime = Runtime(settings)
    mode = runtime.mode
    with dagster_instance(runtime.workspace):
        pass
    with market_connection(settings.sources, mode) as sources:
        found = {}
        if sources is not settings.sources:
            found = {f"BESS_SOURCES__{name.upper()}": getattr(sources, name) for name in _URL_SETTINGS}
            say(f"the sample market listens on {sources.neso_base_url}")
        environment = os.environ | dict(_environment(runtime)) | found
        web = _module("dagster_webserver", "-h", HOST, "-p", str(port), *LOCATION)
        daemon = _module("dagster._daemon", "run", *LOCATION)
        with _process_groups({"web server": web, "daemon": daemon}, environment) as processes:
            _wait_until_ready(port, processes)
            say(f"Dagster UI of workspace {settings.workspace}: http://{HOST}:{port} (Ctrl-C ends it)")
            _watch(processes)


def shell_exports(settings: Settings) -> list[str]:
    """Lines for a shell, after which `dagster dev` finds the workspace and its Dagster home."""
    runtime = Runtime(settings)
    with dagster_instance(runtime.workspace):
        pass
    lines = [f"export {name}={shlex.quote(value)}" for name, value in _environment(runtime).items()]
    return [*lines, "# then: dagster dev -w workspace.yaml (a simulated workspace starts its sample market by itself)"]


_URL_SETTINGS = ("elexon_base_url", "neso_base_url", "entsoe_base_url")


def _environment(runtime: Runtime) -> Mapping[str, str]:
    return {
        "BESS_WORKSPACE": str(runtime.settings.workspace.absolute()),
        "DAGSTER_HOME": str(runtime.workspace.dagster_home),
    }


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", name, *arguments]


@contextmanager
def _process_groups(
    commands: Mapping[str, list[str]], environment: Mapping[str, str]
) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    processes: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, command in commands.items():
            processes[name] = subprocess.Popen(
                command, env=dict(environment), stdin=subprocess.DEVNULL, start_new_session=True
            )
        yield processes
    finally:
        signal.signal(signal.SIGTERM, before)
        for process in processes.values():
            _end_group(process)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """SIGINT, then SIGKILL, to the whole group: Dagster's own children are in it."""
    for number, patience in ((signal.SIGINT, STOP_TIMEOUT_S), (signal.SIGKILL, STOP_TIMEOUT_S)):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
    process.poll()


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


def _wait_until_ready(port: int, processes: Mapping[str, subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        _require_running(processes)
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/server_info", timeout=2):
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(POLL_S)
    raise BessError(f"the Dagster web server did not answer within {START_TIMEOUT_S:.0f} s; its messages are above")


def _watch(processes: Mapping[str, subprocess.Popen[bytes]]) -> None:
    while True:
        _require_running(processes)
        time.sleep(POLL_S)


def _require_running(processes: Mapping[str, subprocess.Popen[bytes]]) -> None:
    for name, process in processes.items():
        if process.poll() is not None:
            raise BessError(f"the Dagster {name} ended with status {process.returncode}; its messages are above")
