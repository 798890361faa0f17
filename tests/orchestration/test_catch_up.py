"""What a stop between two steps leaves behind is seen by the next command, table by table."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from small_workspace import FIRST, LAST
from sqlalchemy.exc import OperationalError

from bess_pipeline import gb_time, runtime
from bess_pipeline.errors import BessError
from bess_pipeline.ingestion.vault import RawVault
from bess_pipeline.orchestration import launch
from bess_pipeline.orchestration.assets.ingest import SOURCE_STATUS
from bess_pipeline.orchestration.jobs import days_to_revise
from bess_pipeline.orchestration.launch import Launcher, dagster_instance
from bess_pipeline.runtime import Runtime
from bess_pipeline.settings import load_settings
from bess_pipeline.trading.stamps import DAILY_PNL, outdated

REVISION, SYSTEM_PRICE = "market/system_price_revision", "market/system_price"


@pytest.fixture
def launcher(small_copy: Path) -> Iterator[Launcher]:
    """On a workspace in which nothing is left to do."""
    chosen = Runtime(load_settings(workspace=small_copy))
    with dagster_instance(chosen.workspace) as instance:
        yield Launcher(chosen, instance, lambda text: None)


def test_a_missing_status_or_version_of_a_price_makes_a_day_unfetched(launcher: Launcher) -> None:
    lake = launcher.runtime.workspace.lake
    assert launcher.unfetched(FIRST, LAST) == []
    lake.path(SOURCE_STATUS, FIRST).unlink()
    lake.path(REVISION, LAST).unlink()
    assert launcher.unfetched(FIRST, LAST) == [FIRST, LAST]


def test_an_answer_that_was_kept_and_not_built_is_due_again(launcher: Launcher) -> None:
    chosen = launcher.runtime
    before = days_to_revise(chosen)
    vault = RawVault(chosen.workspace.raw)
    record = vault.newest("raw/elexon_system_price", FIRST)
    assert record is not None
    vault._keep_records("raw/elexon_system_price", [FIRST], record.bodies, record.fetched_utc + timedelta(hours=1))
    assert set(days_to_revise(chosen)) - set(before) == {FIRST, FIRST + timedelta(days=1)} - set(before)
    assert FIRST in days_to_revise(chosen)
    assert FIRST not in before


def test_a_missing_profit_is_caught_up_without_trading_again(launcher: Launcher) -> None:
    chosen = launcher.runtime
    lake, days = chosen.workspace.lake, gb_time.days_between(FIRST, LAST)
    before, hashes = lake.path("trading/dispatch", LAST).stat().st_mtime_ns, lake.content_hash(DAILY_PNL)
    lake.path(DAILY_PNL, LAST).unlink()
    assert outdated(lake, chosen.settings.fingerprint(), days) == [LAST]
    assert launcher.trade(FIRST, LAST) == 1
    assert lake.content_hash(DAILY_PNL) == hashes
    assert lake.path("trading/dispatch", LAST).stat().st_mtime_ns == before


def test_what_is_published_is_known(launcher: Launcher) -> None:
    workspace = launcher.runtime.workspace
    assert launcher.published()
    assert launcher.publish(FIRST, LAST) is False  # nothing to do
    rows, stamp = workspace.lake.read(SYSTEM_PRICE, FIRST, FIRST), workspace.lake.stamp(SYSTEM_PRICE, FIRST)
    workspace.lake.write(SYSTEM_PRICE, FIRST, rows, stamp)
    assert not launcher.published()


def test_fault_27_a_warehouse_that_cannot_be_opened_counts_as_not_published(launcher: Launcher) -> None:
    launcher.runtime.workspace.database.write_bytes(b"no database at all")
    assert not launcher.published()


def test_a_dataset_is_brought_in_by_one_process_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "INGEST_TIMEOUT_S", 0.05)
    one, other = (Runtime(load_settings(workspace=tmp_path)) for _ in range(2))
    with one.alone_with("raw/a", "raw/b"):
        with pytest.raises(BessError, match=r"is bringing in raw/b and .*raw\.b\.lock was not free"):
            other.alone_with("raw/b").__enter__()
        with other.alone_with("raw/c"):
            pass
    with other.alone_with("raw/b"):
        pass


def test_fault_26_a_full_disk_under_dagster_s_records_is_one_sentence(tmp_path: Path) -> None:
    refused = sqlite3.OperationalError("database or disk is full")
    sentence = f"Dagster cannot write its records in {tmp_path}: database or disk is full; all that is stored is intact"
    with pytest.raises(BessError) as caught, launch._records_kept(tmp_path):
        raise OperationalError("INSERT INTO event_logs", {}, refused)
    assert str(caught.value) == f"{sentence}; free some space and run again"
