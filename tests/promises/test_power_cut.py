"""Promises P2 and P8: killed as it changes a file, a run loses nothing, leaves nothing half, asks nothing twice.

The moments are drawn with a seed from all moments at which a run changes a file (`killed_run.py`): the steps of the
jobs, without Dagster. The command itself is killed at any time in `test_forty_kills.py`.
"""

from __future__ import annotations

import errno
import os
import random
import signal
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from ingest_tools import MARKET_TABLES, cut, sources_of
from killed_run import NEVER, backfill, start_and_wait
from replay_tools import RESULTS
from stored import answered, asked_for, contents, each_asked_for, partitions, require_whole

from bess_pipeline import gb_time
from bess_pipeline.errors import BessError
from bess_pipeline.sample_market import MarketServer, simulate
from bess_pipeline.settings import Settings

HISTORY, FIRST, LAST = date(2026, 3, 20), date(2026, 3, 29), date(2026, 3, 30)
TABLES = (*MARKET_TABLES, "market/source_status", *RESULTS)  # those that the short way writes
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
    return contents(root, TABLES), int(report.read_text())


def test_the_reading_of_addresses_knows_every_dataset(server: MarketServer, tmp_path: Path) -> None:
    """The oracle of the tests below: an undisturbed run asks for each day of each dataset exactly once."""
    server.requests.clear()
    assert start_and_wait(settings_of(tmp_path, server), (HISTORY, FIRST, LAST), NEVER, tmp_path / "n.txt") == 0
    days = gb_time.days_between(HISTORY, LAST)
    each = each_asked_for(server.requests)
    assert len(each) == len(set(each)) == 4 * len(days)
    assert set(each) == answered(tmp_path)


def test_fault_25_killed_at_five_moments_a_backfill_ends_as_if_nothing_had_happened(
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
    assert contents(tmp_path, TABLES) == reference

    server.requests.clear()
    assert start_and_wait(settings_of(tmp_path, server), (HISTORY, FIRST, LAST), NEVER, tmp_path / "n.txt") == 0
    assert server.requests == []
    assert contents(tmp_path, TABLES) == reference


@pytest.mark.slow
def test_fault_26_a_disk_that_fills_up_at_any_write_costs_nothing_that_was_stored(
    server: MarketServer, undisturbed: tuple[dict[str, str], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From some write on every write fails half-way; then there is space for some more, until all is done."""
    reference, moments = undisturbed
    draw, settings = random.Random(SEED + 2), settings_of(tmp_path, server)
    write_bytes, refused = Path.write_bytes, 0
    for _ in range(12):
        space = draw.randrange(moments // 20)
        stored, known = partitions(tmp_path), answered(tmp_path)
        server.requests.clear()

        def write(path: Path, data: bytes) -> int:
            nonlocal space
            space -= 1
            if space < 0:
                write_bytes(path, data[: len(data) // 2])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write_bytes(path, data)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "write_bytes", write)
            with pytest.raises(BessError, match=r"No space left on device; .* free some space and run again"):
                backfill(settings, HISTORY, FIRST, LAST)
        refused += 1
        assert asked_for(server.requests).isdisjoint(known)
        assert stored <= partitions(tmp_path)
        require_whole(tmp_path)
        assert not [path for path in tmp_path.rglob(".*.tmp") if path.is_file()]
    backfill(settings, HISTORY, FIRST, LAST)
    assert refused == 12
    assert contents(tmp_path, TABLES) == reference


@pytest.mark.slow
@pytest.mark.parametrize("share", [n / 12 for n in range(12)])
def test_fault_25_one_kill_at_any_stage_of_a_backfill_costs_nothing_that_was_stored(
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
    assert contents(tmp_path, TABLES) == reference
