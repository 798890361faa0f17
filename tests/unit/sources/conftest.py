"""Fixtures of the source tests: a server with faults on request, clients that never really wait."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from faulty_server import NOW, Clock, Server

from bess_pipeline.settings import SourcesSettings
from bess_pipeline.sources.http import HttpClient
from bess_pipeline.sources.provider_state import ProviderState


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_client(clock: Clock) -> Iterator[Callable[..., HttpClient]]:
    """`make_client(**settings)` with a clock that only `sleep` moves; `real_clock=True` for deadlines."""
    clients: list[HttpClient] = []

    def make(*, real_clock: bool = False, max_bytes: int = 1_000_000, **settings: Any) -> HttpClient:
        own = {} if real_clock else {"clock": clock}
        chosen = SourcesSettings(**{"connect_timeout_s": 2.0, "read_timeout_s": 2.0, **settings})
        state = ProviderState(None, **own)
        client = HttpClient(chosen, lambda: NOW, sleep=clock.sleep, state=state, max_bytes=max_bytes, **own)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def refusing_url() -> str:
    """An address on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"
