"""The simulated market around the clock change of 2026-03-29, and a server of it, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from ingest_tools import cut

from bess_pipeline.sample_market import MarketServer, MarketTables, simulate


@pytest.fixture(scope="session")
def market() -> MarketTables:
    """Settlement dates 2026-03-08 to 2026-04-02; treat as read-only."""
    return cut(simulate(), date(2026, 3, 8), date(2026, 4, 2))


@pytest.fixture(scope="module")
def shared_server(market: MarketTables) -> Iterator[MarketServer]:
    with MarketServer(market) as running:
        yield running


@pytest.fixture
def server(shared_server: MarketServer) -> Iterator[MarketServer]:
    """The market being served, without faults and with an empty log of requests."""
    shared_server.faults.clear()
    shared_server.requests.clear()
    yield shared_server
    shared_server.faults.clear()
