"""The daily schedule: what it asks for, that it asks once for all missed days, and that Dagster runs it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest
import small_workspace

from bess_pipeline.definitions import build_defs
from bess_pipeline.orchestration.jobs import EVERYTHING, PLAN_AND_SHOW, SCHEDULE, asset_key
from bess_pipeline.orchestration.partitions import range_tags
from bess_pipeline.orchestration.resources import FINISHED_TAG, SKIP_FINISHED
from bess_pipeline.settings import load_settings
from bess_pipeline.workspace import Workspace


def tick(workspace: Path, monkeypatch: pytest.MonkeyPatch, now: str) -> list[dg.RunRequest] | str:
    """The schedule's run requests at `now`, or the reason why it skips."""
    small_workspace.use_settings(monkeypatch, BESS_CLOCK__NOW_UTC=now)
    definitions = build_defs(load_settings(workspace=workspace))
    schedule = definitions.resolve_schedule_def(SCHEDULE)
    with dg.build_schedule_context(scheduled_execution_time=datetime(2026, 4, 1, 10, 30, tzinfo=UTC)) as context:
        evaluated = schedule.evaluate_tick(context)
    if evaluated.skip_message is not None:
        assert not evaluated.run_requests
        return evaluated.skip_message
    return list(evaluated.run_requests or [])


def days_of(request: dg.RunRequest) -> tuple[str, str]:
    """First and last day of a request, which is for finished days to be left alone."""
    assert request.tags[FINISHED_TAG] == SKIP_FINISHED
    first, last = (request.tags[name] for name in range_tags(date.min, date.max))
    return first, last


def test_nothing_is_asked_for_when_all_is_settled_and_planned(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "every ended day is complete" in str(tick(small, monkeypatch, "2026-04-01T12:00:00Z"))


def settling(requests: list[dg.RunRequest]) -> list[dg.RunRequest]:
    """The runs that settle and plan, without those that ask again for prices that may have been revised."""
    return [request for request in requests if request.tags["bess/finished"] != "restate"]


def test_a_day_later_two_runs_are_asked_for(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settle, plan = settling(tick(small, monkeypatch, "2026-04-02T10:30:00Z"))
    assert (days_of(settle), settle.asset_selection) == (("2026-04-01", "2026-04-01"), None)
    assert days_of(plan) == ("2026-04-02", "2026-04-03")
    assert set(plan.asset_selection or []) == {asset_key(name) for name in PLAN_AND_SHOW}
    assert settle.run_key != plan.run_key


def test_fault_33_all_days_of_a_missed_week_are_in_one_request(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settle, plan = settling(tick(small, monkeypatch, "2026-04-09T10:30:00Z"))
    assert days_of(settle) == ("2026-04-01", "2026-04-08")
    assert days_of(plan) == ("2026-04-09", "2026-04-10")


def test_a_tick_repeated_asks_with_the_same_key(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dagster starts no second run for a run key that it has seen."""
    keys = [[request.run_key for request in tick(small, monkeypatch, "2026-04-02T10:30:00Z")] for _ in range(2)]
    assert keys[0] == keys[1]


def test_a_day_that_was_refused_is_asked_for_again(small_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Workspace(small_copy).lake
    day = date(2026, 3, 28)
    status = lake.read("trading/run_status", day, day).assign(status="refused", reason="a reason of this test")
    lake.write("trading/run_status", day, status, lake.stamp("trading/run_status", day))
    first, settle, plan = settling(tick(small_copy, monkeypatch, "2026-04-02T10:30:00Z"))
    assert [days_of(request) for request in (first, settle, plan)] == [
        ("2026-03-28", "2026-03-28"),
        ("2026-04-01", "2026-04-01"),
        ("2026-04-02", "2026-04-03"),
    ]


def test_a_new_workspace_starts_with_the_last_ended_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settle, plan = tick(tmp_path / "new", monkeypatch, "2026-04-02T10:30:00Z")
    assert (days_of(settle), days_of(plan)) == (("2026-04-01", "2026-04-01"), ("2026-04-02", "2026-04-03"))
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_dagster_runs_what_the_schedule_asks_for(small_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = tick(small_copy, monkeypatch, "2026-04-02T10:30:00Z")
    definitions = build_defs(load_settings(workspace=small_copy))
    job = definitions.resolve_job_def(EVERYTHING)
    with dg.DagsterInstance.ephemeral() as instance:
        for request in requests:
            result = job.execute_in_process(
                instance=instance,
                tags=request.tags,
                run_config=request.run_config,
                asset_selection=list(request.asset_selection) if request.asset_selection else None,
            )
            assert result.success
    lake = Workspace(small_copy).lake
    settled = lake.read("trading/run_status", date(2026, 4, 1), date(2026, 4, 1))
    assert set(settled["status"]) == {"complete"}
    planned = lake.read("trading/plan", date(2026, 4, 3), date(2026, 4, 3))
    assert planned.groupby("strategy").size().to_dict() == {"day_ahead_rolling": 48, "rule_based": 48}
    assert "every ended day is complete" in str(tick(small_copy, monkeypatch, "2026-04-02T10:30:00Z"))
