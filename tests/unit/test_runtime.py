"""Settings left open, resolved against the workspace's stamp and the market that answers; mixed origins refused."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from faulty_server import Server, reply
from ingest_tools import cut

from bess_pipeline.errors import OriginError, SourceError, UserInputError
from bess_pipeline.ingestion.ingest import Ingestion
from bess_pipeline.runtime import MarketIdentity, Runtime, identify_market
from bess_pipeline.sample_market import MarketServer, simulate
from bess_pipeline.settings import Settings, SourcesSettings
from bess_pipeline.workspace import Workspace

DAY = date(2026, 3, 29)


@pytest.fixture(scope="module")
def simulated() -> Iterator[MarketServer]:
    with MarketServer(cut(simulate(), date(2026, 3, 20), date(2026, 4, 1))) as server:
        yield server


@pytest.fixture(scope="module")
def recorded(simulated: MarketServer) -> Iterator[MarketServer]:
    """A replay of recorded tables that hold no day-ahead price."""
    tables = replace(simulated.tables, origin="recorded", day_ahead=None, day_ahead_leg="elexon_mid", now_utc=None)
    with MarketServer(tables) as server:
        yield server


def runtime(root: Path, server: MarketServer | None = None, **sources: Any) -> Runtime:
    urls = server.base_urls if server else {}
    return Runtime(Settings(workspace=root, sources=SourcesSettings(**(urls | sources))))


def files_below(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file() and path.suffix != ".lock"]


def fetch_everything(run: Runtime) -> Ingestion:
    with run.ingestion() as ingestion:
        for one in run.datasets():
            ingestion.fetch(one, [DAY])
    return ingestion


# --- what is behind the addresses ----------------------------------------------------------------


def test_the_providers_own_addresses_are_live_without_asking_anybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise AssertionError("a provider was asked")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    run = runtime(tmp_path)
    assert (run.mode, run.day_ahead) == ("live", "neso_n2ex")
    assert run.identity == MarketIdentity("live")
    assert abs((run.now() - datetime.now(UTC)).total_seconds()) < 60


def test_a_simulated_market_names_itself(tmp_path: Path, simulated: MarketServer) -> None:
    run = runtime(tmp_path, simulated)
    assert (run.mode, run.day_ahead) == ("sample", "neso_n2ex")
    assert run.identity == MarketIdentity("simulated", "neso_n2ex", date(2026, 3, 20), date(2026, 4, 1))
    assert run.now() == datetime(2026, 4, 12, 8, 50, tzinfo=UTC)


def test_recorded_tables_name_themselves_and_the_leg_that_stands_in(tmp_path: Path, recorded: MarketServer) -> None:
    run = runtime(tmp_path, recorded)
    assert (run.mode, run.day_ahead, run.identity.origin) == ("live", "elexon_mid", "recorded")
    assert run.now() != datetime(2026, 4, 12, 8, 50, tzinfo=UTC)
    fetch_everything(run)
    stamp = Workspace(tmp_path).stamp()
    assert stamp is not None
    assert (stamp.origin, stamp.day_ahead) == ("recorded", "elexon_mid")


def test_a_chosen_day_ahead_source_outweighs_what_a_server_suggests(tmp_path: Path, recorded: MarketServer) -> None:
    assert runtime(tmp_path, recorded, day_ahead="neso_n2ex").day_ahead == "neso_n2ex"


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b"<html></html>", b"", b'{"origin": "simulated"}', b'{"origin": 1, "first_date": "x"}']
)
@pytest.mark.parametrize("status", [200, 404])
def test_an_address_that_is_no_market_of_ours_counts_as_a_provider(body: bytes, status: int) -> None:
    proxy = Server()
    proxy.script = lambda handler: reply(handler, body, status)
    try:
        assert identify_market(SourcesSettings(elexon_base_url=proxy.url)) == MarketIdentity("live")
        assert proxy.targets == ["/bess/market"]
    finally:
        proxy.close()


def test_an_address_where_nothing_answers_says_what_to_do() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(SourceError, match="bess serve-market") as caught:
            identify_market(SourcesSettings(elexon_base_url=f"{url}/bmrs/api/v1"))
    assert url in str(caught.value)


# --- data of one origin never meets data of another -------------------------------------------------


def test_live_mode_aimed_at_a_simulated_market_writes_nothing(tmp_path: Path, simulated: MarketServer) -> None:
    run = runtime(tmp_path, simulated, mode="live")
    with pytest.raises(OriginError, match="simulated"):
        _ = run.identity
    with pytest.raises(OriginError, match="simulated"):
        fetch_everything(run)
    assert files_below(tmp_path) == []


def test_sample_mode_aimed_at_a_recorded_market_writes_nothing(tmp_path: Path, recorded: MarketServer) -> None:
    run = runtime(tmp_path, recorded, mode="sample", day_ahead="elexon_mid")
    with pytest.raises(OriginError, match="recorded"):
        fetch_everything(run)
    assert files_below(tmp_path) == []


def test_one_redirected_provider_is_found_out_by_its_answers(tmp_path: Path, simulated: MarketServer) -> None:
    """Only NESO's address leads to the sample market, so the market is taken for live until it answers."""
    run = runtime(tmp_path, neso_base_url=simulated.url)
    assert (run.mode, run.identity.origin) == ("live", "live")
    (auctions,) = (one for one in run.datasets() if one.table == "market/auction_clearing")
    with run.ingestion() as ingestion, pytest.raises(OriginError, match="simulated but the market was taken for live"):
        ingestion.fetch(auctions, [DAY])
    assert files_below(tmp_path) == []


def test_a_simulated_market_is_refused_by_a_workspace_of_live_data(tmp_path: Path, simulated: MarketServer) -> None:
    workspace = Workspace(tmp_path)
    workspace.claim("live", "neso_n2ex")
    before = {path: path.read_bytes() for path in files_below(tmp_path)}
    for sources in ({}, {"mode": "live"}, {"mode": "sample"}):
        run = runtime(tmp_path, simulated, **sources)
        with pytest.raises(OriginError):
            run.check_admission()
        with pytest.raises(OriginError):
            fetch_everything(run)
    assert {path: path.read_bytes() for path in files_below(tmp_path)} == before


def test_real_data_is_refused_by_a_sample_workspace(
    tmp_path: Path, simulated: MarketServer, recorded: MarketServer
) -> None:
    fetch_everything(runtime(tmp_path, simulated))
    before = {path: path.read_bytes() for path in files_below(tmp_path)}
    assert len(before) > 4
    for run in (runtime(tmp_path, recorded), runtime(tmp_path, mode="live"), runtime(tmp_path, mode="files")):
        with pytest.raises(OriginError):
            run.check_admission()
    assert {path: path.read_bytes() for path in files_below(tmp_path)} == before


def test_another_day_ahead_source_is_refused_by_a_used_workspace(tmp_path: Path, simulated: MarketServer) -> None:
    fetch_everything(runtime(tmp_path, simulated))
    run = runtime(tmp_path, simulated, day_ahead="elexon_mid")
    with pytest.raises(OriginError, match="elexon_mid"):
        run.check_admission()
    assert runtime(tmp_path, simulated).day_ahead == "neso_n2ex"
    runtime(tmp_path, simulated).check_admission()


def test_a_used_workspace_remembers_its_mode_without_a_setting(tmp_path: Path, simulated: MarketServer) -> None:
    fetch_everything(runtime(tmp_path, simulated))
    run = runtime(tmp_path)
    assert (run.mode, run.identity.origin) == ("sample", "simulated")


def test_the_users_own_files_stamp_a_new_workspace(tmp_path: Path) -> None:
    prices = tmp_path / "prices.csv"
    rows = (f"2026-03-29T{hour:02d}:00:00Z,{hour}" for hour in range(23))
    prices.write_text("start_utc,price_gbp_mwh\n" + "\n".join(rows) + "\n")
    root = tmp_path / "workspace"
    run = runtime(root, mode="files", day_ahead="file", day_ahead_file=prices)
    fetch_everything(run)
    stamp = Workspace(root).stamp()
    assert stamp is not None
    assert (stamp.origin, stamp.day_ahead) == ("recorded", "file")


def test_a_fault_in_the_users_own_file_is_his_to_mend_and_nothing_is_written(tmp_path: Path) -> None:
    prices = tmp_path / "prices.csv"
    prices.write_text("start,price\n2026-03-29T00:00:00Z,1\n")
    root = tmp_path / "workspace"
    run = runtime(root, mode="files", day_ahead="file", day_ahead_file=prices)
    with pytest.raises(UserInputError, match=r"prices\.csv: no column start_utc"):
        fetch_everything(run)
    assert files_below(root) == []


# --- days ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "finished", "following"),
    [
        ("2026-03-29T21:59:00Z", date(2026, 3, 28), date(2026, 3, 30)),  # the EFA day ends at 23:00 BST = 22:00 UTC
        ("2026-03-29T22:59:00Z", date(2026, 3, 28), date(2026, 3, 31)),  # ended, its last system price is not out
        ("2026-03-29T23:00:00Z", date(2026, 3, 29), date(2026, 3, 31)),
        ("2026-01-10T23:59:00Z", date(2026, 1, 9), date(2026, 1, 12)),
        ("2026-01-11T00:00:00Z", date(2026, 1, 10), date(2026, 1, 12)),
    ],
)
def test_a_trading_day_is_finished_when_its_last_system_price_is_out(
    tmp_path: Path, now: str, finished: date, following: date
) -> None:
    settings = Settings(workspace=tmp_path, clock={"now_utc": now})  # type: ignore[arg-type]
    run = Runtime(settings)
    assert run.now() == datetime.fromisoformat(now)
    assert run.last_finished_day() == finished
    assert run.next_trading_day() == following


def test_a_day_before_any_data_is_refused(tmp_path: Path, simulated: MarketServer) -> None:
    run = runtime(tmp_path, simulated)
    run.check_first_day(date(2026, 3, 20))
    with pytest.raises(UserInputError, match="before data begins on 2026-03-20"):
        run.check_first_day(date(2026, 3, 19))
    with pytest.raises(UserInputError, match="before data begins on 2021-01-01"):
        runtime(tmp_path).check_first_day(date(2020, 12, 31))
