"""The event log kept open: the same rows as Dagster's own storage writes, in files that both read."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from bess_pipeline.orchestration.event_log import BATCH_SIZE_VARIABLE, OpenEventLog, events_in_batches, open_instance

DAYS = dg.DailyPartitionsDefinition("2026-03-27", end_date="2026-04-01")
RANGE = {"dagster/asset_partition_range_start": "2026-03-27", "dagster/asset_partition_range_end": "2026-03-31"}
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def asset(name: str, *deps: str) -> dg.AssetsDefinition:
    @dg.asset(
        name=name,
        deps=deps,
        partitions_def=DAYS,
        check_specs=[dg.AssetCheckSpec("rows", asset=name)],
    )
    def made(context) -> dg.MaterializeResult:  # type: ignore[no-untyped-def]  # Dagster reads no annotation that is a text
        for day in context.partition_keys:
            context.add_asset_metadata({"rows": 40 + int(day[-2:])}, partition_key=day)
        return dg.MaterializeResult(metadata={"all": 5}, check_results=[dg.AssetCheckResult(passed=name == "prices")])

    return made


def run(instance: dg.DagsterInstance) -> str:
    assets = [asset("prices"), asset("plan", "prices")]
    job = dg.Definitions(assets=assets, jobs=[dg.define_asset_job("all_days", assets)]).resolve_job_def("all_days")
    result = job.execute_in_process(instance=instance, tags=RANGE, run_config=_QUIET)
    assert result.success
    return result.run_id


def rows(home: Path) -> dict[str, Counter[tuple[Any, ...]]]:
    """What the shared file and the runs' files hold, without ids and times."""
    files = {"shared": home / "history" / "runs" / "index.db"}
    files |= {f"run {n}": file for n, file in enumerate(sorted((home / "history" / "runs").glob("*-*.db")))}
    wanted = {
        "event_logs": "dagster_event_type, step_key, asset_key, partition",
        "asset_event_tags": "asset_key, key",
        "asset_check_executions": "asset_key, check_name, partition, execution_status",
        "asset_keys": "asset_key, json_extract(last_materialization, "
        "'$.event_log_entry.dagster_event.event_specific_data.materialization.partition')",
    }
    found: dict[str, Counter[tuple[Any, ...]]] = {}
    for name, file in files.items():
        with sqlite3.connect(file) as opened:
            for table, columns in wanted.items():
                found[f"{name} {table}"] = Counter(opened.execute(f"SELECT {columns} FROM {table}"))
        opened.close()
    return found


def test_the_same_rows_as_dagster_s_own_storage(tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    (tmp_path / "stock").mkdir()
    with open_instance(tmp_path / "ours") as instance, events_in_batches(7):  # batches that end within an asset
        assert isinstance(instance.event_log_storage, OpenEventLog)
        ours = run(instance)
    with dg.DagsterInstance.from_config(str(tmp_path / "stock")) as instance:
        run(instance)
    expected = rows(tmp_path / "stock")
    assert expected["shared event_logs"]["ASSET_MATERIALIZATION", "plan", '["plan"]', "2026-03-29"] == 1
    assert rows(tmp_path / "ours") == expected
    with dg.DagsterInstance.from_config(str(tmp_path / "ours")) as instance:  # as `bess ui` reads it
        logs = instance.all_logs(ours, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
        made = [entry.asset_materialization for entry in logs]
        shown = {one.partition: one.metadata["rows"].value for one in made if one and one.asset_key.path == ["plan"]}
        assert shown == {f"2026-03-{day}": 40 + day for day in range(27, 32)}
        assert instance.get_materialized_partitions(dg.AssetKey("prices")) == {
            f"2026-03-{day}" for day in range(27, 32)
        }


def test_another_process_writes_while_the_files_are_open(tmp_path: Path) -> None:
    with open_instance(tmp_path) as instance:
        instance.event_log_storage.set_concurrency_slots("ours", 1)
        other = (
            "import sys, dagster as dg\n"
            "with dg.DagsterInstance.from_config(sys.argv[1]) as instance:\n"
            "    instance.event_log_storage.set_concurrency_slots('theirs', 1)\n"
            "    print(sorted(instance.event_log_storage.get_concurrency_keys()))\n"
        )
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", other, str(tmp_path)], capture_output=True, text=True, timeout=120
        )
        assert done.stdout.strip() == "['ours', 'theirs']", done.stderr
        assert instance.event_log_storage.get_concurrency_keys() == {"ours", "theirs"}


def test_many_runs_leave_no_file_open_and_can_be_wiped(tmp_path: Path) -> None:
    with open_instance(tmp_path) as instance, events_in_batches():
        runs = [run(instance) for _ in range(5)]
        assert len(instance.all_logs(runs[0])) == len(instance.all_logs(runs[4])) > 20
        folder = tmp_path / "history" / "runs"
        assert len(list(folder.glob("*.db-wal"))) <= 4
        instance.event_log_storage.wipe()
        assert [file.name for file in folder.glob("*.db")] == ["index.db"]
        assert instance.get_materialized_partitions(dg.AssetKey("prices")) == set()
    assert list(folder.glob("*.db-wal")) == []


def test_a_storage_of_the_user_s_own_is_left_alone(tmp_path: Path) -> None:
    own = tmp_path / "elsewhere"
    (tmp_path / "dagster.yaml").write_text(f"storage:\n  sqlite:\n    base_dir: {own}\n", encoding="utf-8")
    with open_instance(tmp_path) as instance:
        instance.get_runs_count()
    assert (own / "history" / "runs" / "index.db").is_file()
    assert not (tmp_path / "history").exists()


@pytest.mark.parametrize("given", [None, "3"])
def test_batches_end_with_the_block_and_keep_a_size_the_user_set(
    given: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(BATCH_SIZE_VARIABLE, raising=False)
    if given:
        monkeypatch.setenv(BATCH_SIZE_VARIABLE, given)
    with events_in_batches(9):
        assert os.environ[BATCH_SIZE_VARIABLE] == given or "9"
    assert os.environ.get(BATCH_SIZE_VARIABLE) == given
