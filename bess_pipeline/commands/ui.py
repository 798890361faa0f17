"""`bess ui` and `bess env`: Dagster's processes on a workspace, and what a shell needs for them.

What belongs here: which processes there are and their environment. What does not: the definitions they
load (`definitions.py`) and their supervision (`processes.py`).

One code server serves the web server and the daemon: given the module instead, each would start its own,
and the daemon would start a new one every minute.
"""

from __future__ import annotations

import json
import os
import shlex
import socket
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from bess_pipeline.commands.processes import Children, stop_event
from bess_pipeline.errors import SourceError, UserInputError
from bess_pipeline.orchestration.launch import dagster_instance
from bess_pipeline.runtime import Runtime, market_connection
from bess_pipeline.settings import Settings
from bess_pipeline.workspace import packaged

HOST = "127.0.0.1"
LOCATION_NAME, MODULE = "bess_pipeline", "bess_pipeline.definitions"
Say = Callable[[str], None]

_URL_SETTINGS = ("elexon_base_url", "neso_base_url", "entsoe_base_url")
_QUIET = ("--log-level", "warning")
_SAFE_PATH = {"PYTHONSAFEPATH": "1"}  # a file gql.py where the user stands must not pass for the library of that name


def serve_ui(settings: Settings, port: int, say: Say) -> None:
    """Run code server, web server and daemon until Ctrl-C or SIGTERM; BessError when one of them ends by itself."""
    _require_free(port)
    runtime = Runtime(settings)
    with suppress(SourceError):  # results can be looked at while their market is down
        runtime.check_admission()
    mode = runtime.mode
    with dagster_instance(runtime.workspace):
        pass
    with (
        stop_event() as stop,
        tempfile.TemporaryDirectory(prefix="bess-ui-") as folder,
        market_connection(settings.sources, mode) as sources,
    ):
        found = {}
        if sources is not settings.sources:
            found = {f"BESS_SOURCES__{name.upper()}": getattr(sources, name) for name in _URL_SETTINGS}
            say(f"the sample market listens on {sources.neso_base_url}")
        with Children({**os.environ, **_environment(runtime), **found, **_SAFE_PATH}, stop) as children:
            _start(children, Path(folder), port)
            if not stop.is_set():
                say(f"Dagster UI of workspace {settings.workspace}: http://{HOST}:{port} (Ctrl-C ends it)")
            children.watch()
            say("ending the Dagster processes")


def shell_exports(settings: Settings) -> list[str]:
    """Lines for a shell, after which `dagster dev` finds the workspace and its Dagster home."""
    runtime = Runtime(settings)
    with dagster_instance(runtime.workspace):
        pass
    lines = [f"export {name}={shlex.quote(value)}" for name, value in _environment(runtime).items()]
    command = f"dagster dev -w {shlex.quote(str(packaged('workspace.yaml')))}"
    return [*lines, f"# then: {command} (a simulated workspace starts its sample market by itself)"]


def _environment(runtime: Runtime) -> Mapping[str, str]:
    return {
        "BESS_WORKSPACE": str(runtime.settings.workspace.absolute()),
        "DAGSTER_HOME": str(runtime.workspace.dagster_home),
    }


def _start(children: Children, folder: Path, port: int) -> None:
    """Start the code server, and when it has loaded the definitions the other two; wait until pages are served."""
    address, workspace = folder / "code", folder / "workspace.yaml"
    code = _module("dagster", "code-server", "start", "--socket", str(address), "-m", MODULE)
    children.start("code server", [*code, "--location-name", LOCATION_NAME, *_QUIET])
    children.wait_for(lambda: _listens(address))
    server = {"socket": str(address), "location_name": LOCATION_NAME}
    workspace.write_text(json.dumps({"load_from": [{"grpc_server": server}]}))
    web = _module("dagster_webserver", "-h", HOST, "-p", str(port), "--dagster-log-level", "warning")
    children.start("web server", [*web, "-w", str(workspace)])
    children.start("daemon", [*_module("dagster._daemon", "run", *_QUIET), "-w", str(workspace)])
    children.wait_for(lambda: _answers(f"http://{HOST}:{port}/server_info"))


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", name, *arguments]


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


def _listens(address: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(address))
        except OSError:
            return False
    return True


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False
