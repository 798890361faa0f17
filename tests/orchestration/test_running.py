"""What a run holds while it lives, seen from other processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import dagster as dg
import pytest

from bess_pipeline.errors import BessError
from bess_pipeline.orchestration import running
from bess_pipeline.orchestration.launch import dagster_instance
from bess_pipeline.orchestration.running import PROCESS_TAG, RunningRuntime, fail_dead_runs, note_process
from bess_pipeline.settings import Settings
from bess_pipeline.workspace import Workspace

# Begins a run as a run's process does, says its id and waits to be killed.
RUN = """
import sys, time
from pathlib import Path
import dagster as dg
from bess_pipeline.orchestration.running import note_process
from bess_pipeline.workspace import Workspace

workspace = Workspace(Path(sys.argv[1]))
with dg.DagsterInstance.from_config(str(workspace.dagster_home)) as instance:
    run = instance.create_run_for_job(dg.GraphDefinition(name="nothing").to_job())
    instance.report_dagster_event(dg.DagsterEvent("PIPELINE_START", run.job_name), run_id=run.run_id)
    note_process(instance, workspace, run.run_id)
    print(run.run_id, flush=True)
    time.sleep(120)
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "ws")


@pytest.fixture
def other_process(workspace: Workspace) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process in the middle of a run, and the run's id."""
    with dagster_instance(workspace):
        pass
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", RUN, str(workspace.root)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def test_a_killed_process_s_run_is_marked_failed_and_a_living_one_s_is_left_alone(
    workspace: Workspace, other_process: tuple[subprocess.Popen[str], str]
) -> None:
    process, its_run = other_process
    with dagster_instance(workspace) as instance:
        mine = instance.create_run_for_job(dg.GraphDefinition(name="mine").to_job())
        instance.report_dagster_event(dg.DagsterEvent("PIPELINE_START", mine.job_name), run_id=mine.run_id)
        note_process(instance, workspace, mine.run_id)
        assert fail_dead_runs(instance, workspace) == []
        process.kill()
        process.wait()
        killed = instance.get_run_by_id(its_run)
        assert killed is not None
        again = instance.create_run_for_job(dg.GraphDefinition(name="again").to_job(), tags=killed.tags)  # by the UI
        begun = instance.create_run_for_job(dg.GraphDefinition(name="begun").to_job())
        instance.add_run_tags(begun.run_id, {PROCESS_TAG: killed.tags[PROCESS_TAG].replace(its_run, begun.run_id)})
    with dagster_instance(workspace) as instance:  # as every command does that opens the workspace
        assert fail_dead_runs(instance, workspace) == []
        statuses = {run.run_id: run.status for run in instance.get_runs()}
        assert statuses == {
            its_run: dg.DagsterRunStatus.FAILURE,
            mine.run_id: dg.DagsterRunStatus.STARTED,
            again.run_id: dg.DagsterRunStatus.NOT_STARTED,  # another run, in whatever process
            begun.run_id: dg.DagsterRunStatus.FAILURE,
        }
        reasons = [record.event_log_entry.dagster_event for record in instance.get_records_for_run(its_run).records]
        assert "The process of this run was ended before the run was." in str(reasons[-1])


def test_one_run_at_a_time_trades_in_a_workspace(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "CHAIN_TIMEOUT_S", 0.05)
    settings = Settings(workspace=workspace.root)
    with ExitStack() as second_run:
        with ExitStack() as first_run:
            first = RunningRuntime(settings, first_run)
            first.hold_trading_chain()
            first.hold_trading_chain()  # the next step of the same run
            second = RunningRuntime(settings, second_run)
            with pytest.raises(
                BessError,
                match=r"another process \(\d+\) is trading days of this workspace and .*trading\.lock was not free",
            ):
                second.hold_trading_chain()
        second.hold_trading_chain()
