"""Fundamentals through server, client, vault and lake: nothing lost, completeness by the gate, append only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bess_pipeline import gb_time
from bess_pipeline.forecasting.fundamentals import instants, publications
from bess_pipeline.ingestion.forecasts import fundamental_forecast
from bess_pipeline.ingestion.ingest import Ingestion
from bess_pipeline.lake import Lake
from bess_pipeline.sample_market import Fault, MarketServer, MarketTables, load_tables, simulate
from bess_pipeline.settings import SourcesSettings
from bess_pipeline.sources.elexon_forecasts import FORECAST_SETS
from bess_pipeline.sources.http import HttpClient
from bess_pipeline.trading.timeline import gate_utc

TABLE = "market/fundamental_forecast"
SPRING = gb_time.days_between(date(2026, 3, 26), date(2026, 3, 31))


class Now:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.instant = datetime(2026, 4, 12, 8, 50, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.instant


@pytest.fixture(scope="module")
def market() -> MarketTables:
    return simulate()


@pytest.fixture(scope="module")
def running(market: MarketTables) -> Iterator[MarketServer]:
    with MarketServer(market) as server:
        yield server


@pytest.fixture
def server(running: MarketServer) -> Iterator[MarketServer]:
    running.requests.clear()
    yield running
    running.faults.clear()


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def ingestion(server: MarketServer, now: Now, tmp_path: Path) -> Iterator[Ingestion]:
    with HttpClient(SourcesSettings(**server.base_urls, max_attempts=1), now) as client:
        yield Ingestion(tmp_path / "raw", Lake(tmp_path / "lake", tmp_path / "bad"), client, now, lambda _: None)


def run(ingestion: Ingestion, days: list[date]) -> list[tuple[str, str]]:
    dataset = fundamental_forecast()
    ingestion.fetch(dataset, days)
    return [(outcome.status, outcome.reason) for outcome in ingestion.build(dataset, days)]


def series_of(name: str, psr_type: str) -> str:
    known = FORECAST_SETS[name].series
    return known if isinstance(known, str) else known[psr_type.lower()]


def test_every_publication_comes_back_over_the_clock_change(
    ingestion: Ingestion, server: MarketServer, market: MarketTables
) -> None:
    assert run(ingestion, SPRING) == [("complete", "")] * len(SPRING)
    assert market.forecasts is not None
    days = market.forecasts["published_utc"].dt.tz_convert("Europe/London").dt.date
    sent = market.forecasts[days.isin(SPRING)]
    sent = sent.assign(series=[series_of(*pair) for pair in zip(sent["dataset"], sent["psr_type"], strict=True)])
    keys = ["series", "published_utc", "start_utc"]
    wanted = sent[[*keys, "value"]].sort_values(keys, ignore_index=True)
    stored = ingestion.lake.read(TABLE, SPRING[0], SPRING[-1])
    pd.testing.assert_frame_equal(
        stored[[*keys, "value"]].sort_values(keys, ignore_index=True), wanted, check_dtype=False
    )
    assert len(server.requests) == len(FORECAST_SETS)  # six days in one window each


def test_a_gate_reads_what_the_market_had_published(ingestion: Ingestion, market: MarketTables) -> None:
    run(ingestion, SPRING)
    gate = gate_utc(date(2026, 3, 29), "day_ahead")
    tomorrow = gb_time.efa_half_hours(date(2026, 3, 29))
    published = publications(ingestion.lake.read(TABLE, SPRING[0], SPRING[-1]))
    asked = instants(tomorrow), np.full(len(tomorrow), instants(pd.DatetimeIndex([gate])))
    for series in ("wind", "demand", "indicated_margin"):
        assert not np.isnan(published[series].known(*asked)).any()
    assert market.forecasts is not None
    rows = market.forecasts[(market.forecasts["dataset"] == "NDF") & (market.forecasts["published_utc"] <= gate)]
    newest = rows.sort_values("published_utc").drop_duplicates("start_utc", keep="last").set_index("start_utc")["value"]
    assert published["demand"].known(*asked).tolist() == newest[tomorrow].tolist()


def test_a_day_is_complete_when_it_is_over_and_asked_for_again_until_then(ingestion: Ingestion, now: Now) -> None:
    day, dataset = date(2026, 4, 12), fundamental_forecast()
    (outcome,) = run(ingestion, [day])
    assert outcome[0] == "not_published"
    assert "more will follow" in outcome[1]
    early = ingestion.lake.read(TABLE, day, day)
    assert set(early["published_utc"].dt.hour) == {2, 8}
    assert ingestion.unanswered(dataset, [day]) == [day]
    now.instant += timedelta(days=1)
    assert run(ingestion, [day]) == [("complete", "")]  # the market's own now stands still: the same rows again
    pd.testing.assert_frame_equal(ingestion.lake.read(TABLE, day, day), early)
    assert ingestion.unanswered(dataset, [day]) == []


@pytest.mark.parametrize("name", ["WINDFOR", "NDF"])
def test_a_day_without_a_judged_series_before_the_gate_is_refused(
    name: str, ingestion: Ingestion, server: MarketServer
) -> None:
    server.faults.add(Fault("empty", path=f"datasets/{name}?"))
    ((status, reason),) = run(ingestion, [SPRING[2]])
    assert status == "refused"
    missing = {"WINDFOR": 23, "NDF": 46}[name]  # the trading day on which the clock goes forward
    assert reason.startswith(f"{missing} of 69 missing: ")
    assert not ingestion.lake.read(TABLE, SPRING[2], SPRING[2]).empty  # what came is kept


def test_a_series_that_is_not_judged_may_be_missing(ingestion: Ingestion, server: MarketServer) -> None:
    server.faults.add(Fault("empty", path="datasets/DGWS?"))
    assert run(ingestion, [SPRING[2]]) == [("complete", "")]


@pytest.mark.parametrize("kind", ["html", "truncate", "reset", "empty"])
def test_no_fault_takes_a_publication_away(kind: str, ingestion: Ingestion, server: MarketServer) -> None:
    run(ingestion, SPRING)
    before = ingestion.lake.content_hash(TABLE)
    server.faults.add(Fault(kind, path="datasets/NDF?"))  # type: ignore[arg-type]
    run(ingestion, SPRING)
    assert ingestion.lake.content_hash(TABLE) == before
    server.faults.clear()
    assert run(ingestion, SPRING) == [("complete", "")] * len(SPRING)
    assert ingestion.lake.content_hash(TABLE) == before


def test_recorded_markets_have_none_and_say_so(realdata: Path, now: Now, tmp_path: Path) -> None:
    days = gb_time.days_between(date(2024, 6, 1), date(2024, 6, 6))
    with (
        MarketServer(load_tables(realdata / "tables")) as server,
        HttpClient(SourcesSettings(**server.base_urls), now) as client,
    ):
        lake = Lake(tmp_path / "lake", tmp_path / "bad")
        outcomes = run(Ingestion(tmp_path / "raw", lake, client, now, lambda _: None), days)
        assert len(server.requests) == len(FORECAST_SETS)
    assert {status for status, _ in outcomes} == {"refused"}
    assert all(reason.startswith("72 of 72 missing: wind ") for _, reason in outcomes)
    assert lake.days(TABLE) == []
