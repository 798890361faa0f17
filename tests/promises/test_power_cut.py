"""Promises P2 and P8: killed at any moment, nothing stored is lost, nothing half is read, nothing is asked twice.

The moments are drawn with a seed from all moments at which a run changes a file (`killed_run.py`).
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, unquote_plus, urlsplit

import pytest
from ingest_tools import MARKET_TABLES, cut, sources_of
from killed_run import NEVER, start_and_wait
from replay_tools import RESULTS

from bess_pipeline import gb_time
from bess_pipeline.ingestion.vault import RawVault
from bess_pipeline.sample_market import MarketServer, simulate
from bess_pipeline.settings import Settings
from bess_pipeline.workspace import Workspace

HISTORY, FIRST, LAST = date(2026, 3, 20), date(2026, 3, 29), date(2026, 3, 30)
TABLES = (*MARKET_TABLES, "market/source_status", *RESULTS)
SEED = 20260329


@pytest.fixture(scope="module")
def server() -> Iterator[MarketServer]:
    with MarketServer(cut(simulate(), date(2026, 3, 15), date(2026, 4, 8))) as running:
        yield running


def settings_of(root: Path, server: MarketServer) -> Settings:
    trading = {"history_days": 7, "foresight_margin_days": 1}
    return Settings(workspace=root, sources=sources_of(server), trading=trading)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def undisturbed(server: MarketServer, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], int]:
    """Content hashes of a run that nothing disturbed, and its number of moments."""
    root = tmp_path_factory.mktemp("undisturbed")
    report = root / "moments.txt"
    assert start_and_wait(settings_of(root, server), (HISTORY, FIRST, LAST), NEVER, report) == 0
    return contents(root), int(report.read_text())


def contents(root: Path) -> dict[str, str]:
    lake = Workspace(root).lake
    return {table: lake.content_hash(table) for table in TABLES}


def partitions(root: Path) -> set[tuple[str, date]]:
    lake = Workspace(root).lake
    return {(table, day) for table in TABLES for day in lake.days(table)}


def require_whole(root: Path) -> None:
    """Everything a reader may find can be read: partitions, records, bodies, outcomes and the stamp."""
    workspace = Workspace(root)
    for table in TABLES:
        workspace.lake.read_all(table)
    workspace.stamp()
    vault = RawVault(workspace.raw)
    for dataset, day in answered(root):
        for record in vault.records(dataset, day):
            assert all(vault.body(body.sha256) for body in record.bodies)
    for path in workspace.raw.rglob("*.json"):
        json.loads(path.read_text())


def answered(root: Path) -> set[tuple[str, date]]:
    """(raw dataset, day) of which a record is stored."""
    records = Workspace(root).raw / "records"
    found = records.glob("*/*/*/*.json")
    return {("/".join(path.relative_to(records).parts[:2]), date.fromisoformat(path.parent.name)) for path in found}


def asked_for(targets: list[str]) -> set[tuple[str, date]]:
    """(raw dataset, day) that the requests served so far asked for, read from the addresses alone."""
    return {pair for target in targets for pair in _asked_for(target)}


def _asked_for(target: str) -> set[tuple[str, date]]:
    parts = urlsplit(target)
    if "system-prices" in parts.path:
        return {("raw/elexon_system_price", date.fromisoformat(parts.path.rsplit("/", 1)[1]))}
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    if parts.path.endswith("market-index"):
        first, last = (gb_time.settlement_date_of(datetime.fromisoformat(query[name])) for name in ("from", "to"))
        return {("raw/elexon_market_index", day) for day in gb_time.days_between(first, last)}
    edges = [
        datetime.fromisoformat(text).replace(tzinfo=UTC) for text in re.findall(r"'(20[^']+)'", unquote_plus(target))
    ]
    if "deliveryStart" in target:
        first, last = (gb_time.settlement_date_of(edge) for edge in (edges[0], edges[1] - timedelta(seconds=1)))
        return {("raw/neso_response_auction", day) for day in gb_time.days_between(first, last)}
    if edges:  # product day D lies on the dates D-1 and D
        first, last = edges[0].date() + timedelta(days=1), edges[1].date()
        return {("raw/day_ahead_price", day) for day in gb_time.days_between(first, last)}
    return set()


def test_the_reading_of_addresses_knows_every_dataset(server: MarketServer, tmp_path: Path) -> None:
    """The oracle of the tests below: an undisturbed run asks for each day of each dataset exactly once."""
    server.requests.clear()
    assert start_and_wait(settings_of(tmp_path, server), (HISTORY, FIRST, LAST), NEVER, tmp_path / "n.txt") == 0
    days = gb_time.days_between(HISTORY, LAST)
    each = [pair for target in server.requests for pair in _asked_for(target)]
    assert len(each) == len(set(each)) == 4 * len(days)
    assert set(each) == answered(tmp_path)


def test_killed_at_five_moments_a_backfill_ends_as_if_nothing_had_happened(
    server: MarketServer, undisturbed: tuple[dict[str, str], int], tmp_path: Path
) -> None:
    reference, moments = undisturbed
    draw = random.Random(SEED)
    killed = 0
    for kill_at in [*(draw.randrange(1, moments // 6) for _ in range(5)), NEVER]:
        stored, known = partitions(tmp_path), answered(tmp_path)
        server.requests.clear()
        code = start_and_wait(settings_of(tmp_path, server), (HISTORY, FIRST, LAST), kill_at, tmp_path / "n.txt")
        assert code == (-signal.SIGKILL if kill_at else 0)
        killed += code != 0
        assert asked_for(server.requests).isdisjoint(known)
        assert stored <= partitions(tmp_path)
        require_whole(tmp_path)
    assert killed == 5
    assert contents(tmp_path) == reference

    server.requests.clear()
    assert start_and_wait(settings_of(tmp_path, server), (HISTORY, FIRST, LAST), NEVER, tmp_path / "n.txt") == 0
    assert server.requests == []
    assert contents(tmp_path) == reference


@pytest.mark.slow
@pytest.mark.parametrize("share", [n / 12 for n in range(12)])
def test_one_kill_at_any_stage_of_a_backfill_costs_nothing_that_was_stored(
    server: MarketServer, undisturbed: tuple[dict[str, str], int], tmp_path: Path, share: float
) -> None:
    reference, moments = undisturbed
    kill_at = 1 + int(moments * share) + random.Random(f"{SEED} {share}").randrange(moments // 12)
    code = start_and_wait(settings_of(tmp_path, server), (HISTORY, FIRST, LAST), kill_at, tmp_path / "n.txt")
    assert code == -signal.SIGKILL
    require_whole(tmp_path)
    stored, known = partitions(tmp_path), answered(tmp_path)
    server.requests.clear()
    assert start_and_wait(settings_of(tmp_path, server), (HISTORY, FIRST, LAST), NEVER, tmp_path / "n.txt") == 0
    assert asked_for(server.requests).isdisjoint(known)
    assert stored <= partitions(tmp_path)
    assert contents(tmp_path) == reference


@pytest.mark.slow
def test_the_command_killed_again_and_again_ends_as_if_nothing_had_happened(
    server: MarketServer, undisturbed: tuple[dict[str, str], int], tmp_path: Path
) -> None:
    """`bess backfill` with Dagster and the warehouse: its market and trading tables are those of the short way."""
    reference, moments = undisturbed
    workspace, draw = tmp_path / "workspace", random.Random(SEED + 1)
    environment = os.environ | {
        f"BESS_SOURCES__{name.upper()}": url for name, url in server.base_urls.items()
    } | {
        "BESS_SOURCES__MODE": "sample",
        "BESS_TRADING__HISTORY_DAYS": "7",
        "BESS_TRADING__FORESIGHT_MARGIN_DAYS": "1",
        "PYTHONPATH": str(Path(__file__).resolve().parents[1]),
    }  # fmt: skip
    code = (
        "import sys; from killed_run import arm; arm(int(sys.argv.pop(1))); from bess_pipeline.cli import main; main()"
    )
    arguments = ["--workspace", str(workspace), "backfill", "--from", str(FIRST), "--to", str(LAST)]
    for kill_at in [*(draw.randrange(1, moments // 4) for _ in range(5)), NEVER]:
        stored, known = partitions(workspace), answered(workspace)
        server.requests.clear()
        ended = subprocess.run(
            [sys.executable, "-c", code, str(kill_at), *arguments],
            env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert ended.returncode == (-signal.SIGKILL if kill_at else 0), ended.stderr
        assert asked_for(server.requests).isdisjoint(known)
        assert stored <= partitions(workspace)
        require_whole(workspace)
    found = contents(workspace)
    assert {table: found[table] for table in RESULTS} == {table: reference[table] for table in RESULTS}
    assert Workspace(workspace).database.is_file()
    leftovers = [path for path in workspace.rglob(".*.tmp") if path.is_file()]
    assert len(leftovers) <= 5  # a killed writer leaves one temporary file at most, and nobody reads it
