"""`bess ui` before its processes: the port, the one code location, and a start that is broken off.

A whole UI is driven in tests/browser/test_ui.py.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from bess_command import run_bess, tree

from bess_pipeline.commands import ui
from bess_pipeline.workspace import packaged


class Recorded:
    """Stands in for `Children`: notes what would be started, and opens the code server's socket for it."""

    def __init__(self) -> None:
        self.commands: dict[str, list[str]] = {}
        self.order: list[str] = []
        self._sockets: list[socket.socket] = []

    def start(self, name: str, command: list[str]) -> None:
        self.commands[name] = command
        self.order.append(name)
        if "--socket" in command:
            server = socket.socket(socket.AF_UNIX)
            server.bind(command[command.index("--socket") + 1])
            server.listen()
            self._sockets.append(server)

    def wait_for(self, ready: Callable[[], bool]) -> None:
        if self.order == ["code server"]:
            assert ready(), "the code server listens"
        self.order.append("wait")

    def close(self) -> None:
        for server in self._sockets:
            server.close()


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    children = Recorded()
    yield children
    children.close()


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as server:
        server.bind((ui.HOST, 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_port_in_use_is_one_sentence_and_nothing_is_written(
    taken_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run_bess("--workspace", tmp_path / "new", "ui", "--port", taken_port)
    assert result.status == 1
    assert result.err == f"bess: port {taken_port} on 127.0.0.1 is in use: choose another with --port\n"
    assert tree(tmp_path) == {}


def test_the_code_server_is_ready_before_the_two_that_share_it_are_started(recorded: Recorded, tmp_path: Path) -> None:
    ui._start(recorded, tmp_path, 3000)  # type: ignore[arg-type]
    assert recorded.order == ["code server", "wait", "web server", "daemon", "wait"]
    for name in ("web server", "daemon"):
        command = recorded.commands[name]
        workspace = json.loads(Path(command[command.index("-w") + 1]).read_text())
        assert workspace == {
            "load_from": [{"grpc_server": {"socket": str(tmp_path / "code"), "location_name": "bess_pipeline"}}]
        }


def test_dagster_dev_and_bess_ui_serve_the_same_code_location() -> None:
    module = yaml.safe_load(packaged("workspace.yaml").read_text())["load_from"][0]["python_module"]
    assert module == {"module_name": ui.MODULE, "location_name": ui.LOCATION_NAME}


def test_only_a_listening_socket_counts_as_a_code_server(tmp_path: Path) -> None:
    address = tmp_path / "code"
    assert not ui._listens(address)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(address))
        assert not ui._listens(address)
        server.listen()
        assert ui._listens(address)
