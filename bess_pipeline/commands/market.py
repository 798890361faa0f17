"""`bess serve-market`: a market on loopback, simulated or replayed from recorded tables.

What belongs here: choosing the market and saying how to point the pipeline at it. What does not:
serving it (`sample_market/server.py`).
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path

from bess_pipeline.sample_market.server import MarketServer
from bess_pipeline.sample_market.simulate import simulate
from bess_pipeline.sample_market.tables import load_tables

Say = Callable[[str], None]


def serve(tables: Path | None, port: int, announce: Say, hint: Say) -> None:
    """Serve until Ctrl-C or SIGTERM; `announce` gets the line `listening on http://…` when ready."""
    stop = _stop_on_signals()  # before anyone is told that it runs, and may end it
    market = load_tables(tables) if tables else simulate()
    with MarketServer(market, port=port) as server:
        announce(f"listening on {server.url}")
        hint(f"{market.origin} market, {market.first_date} to {market.last_date}; point a new workspace at it with")
        for name, url in server.base_urls.items():
            hint(f"  export BESS_SOURCES__{name.upper()}={url}")
        if market.origin == "simulated":
            hint("  export BESS_SOURCES__MODE=sample")
        stop.wait()


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop
