"""The simulated market and its server, once for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from bess_pipeline.sample_market import MarketServer, MarketTables, load_tables, simulate


@pytest.fixture(scope="session")
def market() -> MarketTables:
    """The default simulated market; treat as read-only."""
    return simulate()


@pytest.fixture(scope="module")
def server(market: MarketTables) -> Iterator[MarketServer]:
    """The default market being served; no test may leave a fault in force."""
    with MarketServer(market) as running:
        yield running


@pytest.fixture
def recorded(realdata: Path) -> MarketTables:
    """The recorded tables, read once; treat as read-only."""
    return _recorded(realdata)


@cache
def _recorded(realdata: Path) -> MarketTables:
    return load_tables(realdata / "tables")
