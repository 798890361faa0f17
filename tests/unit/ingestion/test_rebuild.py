"""Market partitions come back from the raw vault alone: equal content, no network, any history of asks."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from bess_pipeline import gb_time
from bess_pipeline.cli import main
from bess_pipeline.ingestion.datasets import Dataset, expected_datasets
from bess_pipeline.ingestion.ingest import Ingestion
from bess_pipeline.ingestion.outcomes import Outcome, source_status_frame
from bess_pipeline.ingestion.rebuild import Rebuilt, rebuild
from bess_pipeline.sample_market import MarketServer, MarketTables, simulate
from bess_pipeline.settings import SourcesSettings
from bess_pipeline.sources.http import HttpClient
from bess_pipeline.warehouse import query
from bess_pipeline.workspace import Workspace

DAYS = gb_time.days_between(date(2026, 3, 27), date(2026, 3, 30))  # with the 46-period day
NOW = datetime(2026, 4, 12, 8, 50, tzinfo=UTC)
DATASETS = expected_datasets("sample", "neso_n2ex", SourcesSettings())
TABLES = [one.table for one in DATASETS] + ["market/source_status"]


@pytest.fixture(scope="module")
def market() -> MarketTables:
    """Rows around DAYS; treat as read-only."""
    whole = simulate()
    start, end = pd.Timestamp("2026-03-25T00:00Z"), pd.Timestamp("2026-04-02T00:00Z")

    def cut(frame: pd.DataFrame | None, column: str = "start_utc") -> pd.DataFrame:
        assert frame is not None
        return frame[(frame[column] >= start) & (frame[column] < end)].reset_index(drop=True)

    return replace(
        whole,
        system_price=cut(whole.system_price),
        market_index=cut(whole.market_index),
        response_auction=cut(whole.response_auction, "delivery_start_utc"),
        reserve_auction=cut(whole.reserve_auction, "delivery_start_utc"),
        day_ahead=cut(whole.day_ahead),
    )


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path / "place")
    workspace.ensure()
    workspace.claim("simulated", "neso_n2ex")
    return workspace


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Block the network, when called."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a rebuild may not touch the network")

    def block() -> None:
        for name in ("connect", "connect_ex"):
            monkeypatch.setattr(socket.socket, name, refuse)
        monkeypatch.setattr(socket, "getaddrinfo", refuse)

    return block


def ask_and_build(
    place: Workspace, tables: MarketTables, days: list[date], now: datetime = NOW, datasets: list[Dataset] = DATASETS
) -> list[Outcome]:
    with MarketServer(tables) as server:
        sources = SourcesSettings(**server.base_urls)
        with HttpClient(sources, lambda: now, sleep=lambda seconds: None) as client:
            ingestion = Ingestion(place.raw, place.lake, client, lambda: now, lambda origin: None)
            for one in datasets:
                ingestion.fetch(one, days)
            outcomes = [outcome for one in datasets for outcome in ingestion.build(one, days)]
            for day in days:
                found = [o for one in DATASETS if (o := ingestion.outcomes.get(one.table, day))]
                place.lake.write("market/source_status", day, source_status_frame(found))
    return outcomes


def again(place: Workspace, first: date = DAYS[0], last: date = DAYS[-1], now: datetime = NOW) -> Rebuilt:
    return rebuild(place.root, place.raw, place.lake, lambda: now, DATASETS, first, last)


def hashes(place: Workspace, days: list[date] = DAYS) -> dict[str, str]:
    return {table: place.lake.content_hash(table, days) for table in TABLES}


def test_a_lost_lake_comes_back_with_equal_content_and_no_request(
    place: Workspace, market: MarketTables, offline: Callable[[], None]
) -> None:
    outcomes = ask_and_build(place, market, DAYS)
    assert {outcome.status for outcome in outcomes} == {"complete"}
    before = hashes(place)
    shutil.rmtree(place.lake_dir)
    shutil.rmtree(place.raw / "outcomes")
    offline()
    done = again(place)
    assert done.outcomes == outcomes
    assert hashes(place) == before
    assert not list(place.root.glob("rebuild-*"))
    again(place)
    assert hashes(place) == before, "over a lake that is there, too"


def test_days_around_those_asked_for_are_left_alone(place: Workspace, market: MarketTables) -> None:
    ask_and_build(place, market, DAYS)
    before = {path: path.stat().st_mtime_ns for path in place.lake_dir.rglob("*.parquet")}
    again(place, DAYS[1], DAYS[2])
    changed = {path.stem for path, stamp in before.items() if path.stat().st_mtime_ns != stamp}
    assert changed == {str(DAYS[1]), str(DAYS[2])}


def without(frame: pd.DataFrame, column: str, start: str) -> pd.DataFrame:
    return frame[frame[column] != pd.Timestamp(start)].reset_index(drop=True)


def spoilt(market: MarketTables) -> Iterator[tuple[str, MarketTables]]:
    """Later answers that never displaced the first: less of a day, an absurd value; and one that did."""
    prices = market.system_price
    noon = prices["start_utc"] == pd.Timestamp("2026-03-28T12:00Z")
    yield "less", replace(market, system_price=prices[~noon].reset_index(drop=True))
    yield "absurd", replace(market, system_price=prices.assign(
        system_price_gbp_mwh=prices["system_price_gbp_mwh"].mask(noon, 1e6)))  # fmt: skip
    yield "revised", replace(market, system_price=prices.assign(
        system_price_gbp_mwh=prices["system_price_gbp_mwh"].mask(noon, 77.0)))  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("later", ["less", "absurd", "revised"])
@pytest.mark.parametrize("clock", ["runs", "stands still"])
def test_a_history_of_answers_gives_what_it_gave(
    place: Workspace, market: MarketTables, later: str, clock: str
) -> None:
    ask_and_build(place, market, DAYS)
    now = NOW + timedelta(hours=1) if clock == "runs" else NOW
    ask_and_build(place, dict(spoilt(market))[later], DAYS, now)
    noon = place.lake.read("market/system_price", DAYS[1], DAYS[1]).set_index("start_utc").loc["2026-03-28T12:00Z"]
    assert (noon["system_price_gbp_mwh"] == 77.0) == (later == "revised")
    status = place.lake.read("market/source_status", DAYS[1], DAYS[1]).set_index("dataset")["status"]
    assert (status["market/system_price"] == "complete") == (later == "revised")
    before = hashes(place)
    shutil.rmtree(place.lake_dir)
    again(place, now=now)
    assert hashes(place) == before


def test_days_asked_for_one_by_one_keep_the_hour_of_their_neighbour(place: Workspace, market: MarketTables) -> None:
    """The last hour of a settlement date comes with the answer to the next product day, here a later one."""
    for n, day in enumerate(DAYS):
        ask_and_build(place, market, [day], NOW + timedelta(minutes=n))
    before = hashes(place)
    assert len(place.lake.read("market/day_ahead_price", DAYS[0], DAYS[0])) == 48
    shutil.rmtree(place.lake_dir)
    again(place)
    assert hashes(place) == before
    shutil.rmtree(place.lake_dir)
    again(place, DAYS[0], DAYS[0])
    assert place.lake.content_hash("market/day_ahead_price", DAYS[:1]) == place.lake.content_hash(
        "market/day_ahead_price"
    )
    assert len(place.lake.read("market/day_ahead_price", DAYS[0], DAYS[0])) == 48


def test_what_was_never_kept_is_said_and_a_failed_ask_keeps_its_reason(place: Workspace, market: MarketTables) -> None:
    ask_and_build(place, market, DAYS[:2])
    prices = [DATASETS[0]]
    ask_and_build(place, replace(market, system_price=market.system_price.iloc[:0]), DAYS[2:3], datasets=prices)
    shutil.rmtree(place.raw / "records" / "raw/elexon_system_price" / str(DAYS[2]), ignore_errors=True)
    done = again(place)
    assert done.never_asked["market/market_index_price"] == DAYS[2:]
    assert done.never_asked["market/system_price"] == DAYS[3:]
    failed = [o for o in done.outcomes if (o.dataset, o.date) == ("market/system_price", DAYS[2])]
    assert [o.status for o in failed] == ["not_published"]
    assert not place.lake.has("market/market_index_price", DAYS[2])


# --- the command ----------------------------------------------------------------------------------------


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


def test_the_command_rebuilds_and_publishes_offline(
    place: Workspace, market: MarketTables, offline: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    ask_and_build(place, market, DAYS)
    before = hashes(place)
    shutil.rmtree(place.lake_dir)
    offline()
    assert run("--workspace", str(place.root), "rebuild", "--from", str(DAYS[0]), "--to", str(DAYS[-1])) == 0
    assert "rebuilt 20 partitions" in capsys.readouterr().err
    assert hashes(place) == before
    counted = query(place.database, "SELECT count(*) AS n FROM market.system_price").iloc[0]["n"]
    assert counted == 48 + 48 + 46 + 48


def test_a_rebuild_of_days_that_are_not_complete_says_so(
    place: Workspace, market: MarketTables, capsys: pytest.CaptureFixture[str]
) -> None:
    hole = without(market.system_price, "start_utc", "2026-03-28T12:00Z")
    ask_and_build(place, replace(market, system_price=hole), DAYS)
    assert run("--workspace", str(place.root), "rebuild", "--from", str(DAYS[0]), "--to", str(DAYS[-1])) == 1
    assert "2026-03-28  market/system_price  refused: 1 of 48 missing: 2026-03-28T12:00Z" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("first", "last", "stamped", "words"),
    [
        ("2026-03-30", "2026-03-27", True, "--to 2026-03-27 is before --from 2026-03-30"),
        ("2026-03-27", "2026-03-30", False, "holds nothing yet"),
        ("2026-03-27", "2026-03-30", True, "keeps no answer for 2026-03-27 to 2026-03-30: run `bess backfill`"),
    ],
)
def test_mistakes_end_in_one_sentence(
    tmp_path: Path, first: str, last: str, stamped: bool, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = Workspace(tmp_path / "new")
    if stamped:
        workspace.ensure()
        workspace.claim("simulated", "neso_n2ex")
    assert run("--workspace", str(workspace.root), "rebuild", "--from", first, "--to", last) == 1
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error
