"""A workspace's vault and lake connected to a served market, and the simulated market cut to few days.

Shared by the tests of ingestion, replay and the promises. Nothing here waits: pauses between attempts
are left out, and time-outs are short enough for a server that hangs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.ingestion.datasets import Dataset, expected_datasets
from bess_pipeline.ingestion.ingest import Ingestion
from bess_pipeline.ingestion.outcomes import Outcome
from bess_pipeline.lake import Lake
from bess_pipeline.sample_market import MarketServer, MarketTables
from bess_pipeline.settings import SourcesSettings
from bess_pipeline.sources.http import HttpClient

LATE = datetime(2026, 4, 12, 8, 50, tzinfo=UTC)  # the simulated market's own now: all the days used are out
MARKET_TABLES = (
    "market/system_price",
    "market/market_index_price",
    "market/auction_clearing",
    "market/day_ahead_price",
)


def cut(tables: MarketTables, first: date, last: date) -> MarketTables:
    """The rows of settlement dates `first` to `last` (day-ahead: and one day on either side)."""
    start, end = gb_time.settlement_day_bounds_utc(first)[0], gb_time.settlement_day_bounds_utc(last)[1]
    day = pd.Timedelta(days=1)

    def within(frame: pd.DataFrame, column: str, margin: pd.Timedelta) -> pd.DataFrame:
        return frame[(frame[column] >= start - margin) & (frame[column] < end + margin)].reset_index(drop=True)

    assert tables.day_ahead is not None
    assert tables.reserve_auction is not None
    return replace(
        tables,
        system_price=within(tables.system_price, "start_utc", pd.Timedelta(0)),
        market_index=within(tables.market_index, "start_utc", pd.Timedelta(0)),
        response_auction=within(tables.response_auction, "delivery_start_utc", pd.Timedelta(0)),
        reserve_auction=within(tables.reserve_auction, "delivery_start_utc", pd.Timedelta(0)),
        day_ahead=within(tables.day_ahead, "start_utc", day),
        first_date=first,
        last_date=last,
    )


@contextmanager
def connected(
    root: Path,
    server: MarketServer,
    *,
    now: Callable[[], datetime] = lambda: LATE,
    admit: Callable[[str | None], None] = lambda origin: None,
    max_attempts: int = 2,
    settings: Mapping[str, Any] | None = None,
    **client_options: Any,
) -> Iterator[Ingestion]:
    """An `Ingestion` of the workspace folder `root` that asks `server`; `settings` are those of the sources,
    `client_options` those of `HttpClient` (`state` among them)."""
    update = {"read_timeout_s": 0.3, "connect_timeout_s": 2.0, "deadline_s": 20.0, "max_attempts": max_attempts}
    sources = sources_of(server).model_copy(update=update | dict(settings or {}))
    with HttpClient(sources, now, **{"sleep": lambda seconds: None, **client_options}) as client:
        yield Ingestion(root / "raw", lake_of(root), client, now, admit)


def sources_of(server: MarketServer) -> SourcesSettings:
    return SourcesSettings(mode="sample", day_ahead="neso_n2ex", **server.base_urls)


def lake_of(root: Path) -> Lake:
    return Lake(root / "lake", root / "quarantine")


def datasets(day_ahead: str = "neso_n2ex") -> list[Dataset]:
    return expected_datasets("sample", day_ahead, SourcesSettings())  # type: ignore[arg-type]


def dataset(table: str, day_ahead: str = "neso_n2ex") -> Dataset:
    return next(one for one in datasets(day_ahead) if one.table == table)


def ingest(ingestion: Ingestion, days: Sequence[date], wanted: Iterable[Dataset] | None = None) -> list[Outcome]:
    """Ask for and build `days` of all datasets (or `wanted`), whatever is stored."""
    chosen = list(wanted or datasets())
    for one in chosen:
        if one.own_raw:
            ingestion.fetch(one, days)
    return [outcome for one in chosen for outcome in ingestion.build(one, days)]


def hashes(lake: Lake, tables: Iterable[str] = MARKET_TABLES) -> dict[str, str]:
    return {table: lake.content_hash(table) for table in tables}


def standing(outcomes: Iterable[Outcome]) -> dict[tuple[str, date], str]:
    return {(outcome.dataset, outcome.date): outcome.status for outcome in outcomes}
