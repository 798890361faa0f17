"""`bess ui` as its user sees it: the graph, one day, two ranges, the schedule, a refusal, and the end.

The workspace is the small one (five days to 2026-03-31, `small_workspace.py`), with market data up to
2026-04-07 and "now" at the end of the sample market. Each test takes its own days. The days 2026-04-03
and 2026-04-06 are declared chain starts: without that the first day of a range that follows no traded
day is refused, as the last test shows.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest
from dagster_ui import Run, Ui, choose_partitions, launch, open_materialise_dialog, running_ui, wait, wait_until_ready
from playwright.sync_api import Page, expect
from small_workspace import ENVIRONMENT, MARKET_STRATEGIES

from bess_pipeline.definitions import build_defs
from bess_pipeline.lake import Lake
from bess_pipeline.orchestration.launch import Launcher, dagster_instance
from bess_pipeline.runtime import Runtime, market_connection
from bess_pipeline.settings import Settings, load_settings
from bess_pipeline.trading.strategies import STRATEGIES
from bess_pipeline.verdict import not_complete
from bess_pipeline.warehouse import query
from bess_pipeline.workspace import Workspace

pytestmark = pytest.mark.browser

SETTINGS = {name: value for name, value in ENVIRONMENT.items() if name != "BESS_CLOCK__NOW_UTC"} | {
    "BESS_TRADING__CHAIN_STARTS": '["2026-04-03", "2026-04-06"]'
}
CHAIN = {"trading/plan", "trading/foresight_plan", "trading/dispatch"}
Screenshot = Callable[[str], Path]


@pytest.fixture(scope="module")
def settings() -> Iterator[Settings]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in SETTINGS.items():
            monkeypatch.setenv(name, value)
        yield load_settings()


@pytest.fixture(scope="module")
def workspace(small_workspace: Path, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The small workspace with the market data of a week more."""
    copy = Workspace(Path(shutil.copytree(small_workspace, tmp_path_factory.mktemp("ui") / "small")))
    with market_connection(settings.sources, "sample") as sources, dagster_instance(copy) as instance:
        runtime = Runtime(settings.model_copy(update={"workspace": copy.root, "sources": sources}))
        Launcher(runtime, instance, lambda _: None).ingest(date(2026, 4, 1), date(2026, 4, 7))
    return copy


@pytest.fixture(scope="module")
def ui(workspace: Workspace, settings: Settings) -> Iterator[Ui]:
    log = workspace.root.parent / "ui.log"
    with running_ui(workspace.root, SETTINGS, log) as started:
        wait_until_ready(started, log)
        yield started
        _end(started, signal.SIGINT)


def test_the_asset_graph_is_shown_with_groups_kinds_and_columns(page: Page, ui: Ui, screenshot: Screenshot) -> None:
    page.goto(f"{ui.url}/asset-groups")
    for group in ("raw", "market", "forecast", "scenario", "trading", "risk", "publish"):
        expect(page.get_by_text(group, exact=True).filter(visible=True).first).to_be_visible()
    for group, asset in (("scenario", "gate_status"), ("trading", "foresight_plan")):  # all at once fit no window
        page.goto(f"{ui.url}/asset-groups?expanded=global@global:{group}")
        expect(page.get_by_text(asset).filter(visible=True).first).to_be_visible()
        screenshot(f"graph-{group}")
    page.goto(f"{ui.url}/assets/trading/dispatch?view=overview")
    described = "state of energy at the end of the half-hour, MWh"
    for text in ("bess_pipeline", "trading-analytics", "energy_mwh", described):
        expect(page.get_by_text(text, exact=True).first).to_be_visible()
    for heading in ("Row count", "Latest check results"):
        expect(page.get_by_text(heading)).to_be_visible()
    screenshot("asset")
    page.goto(f"{ui.url}/assets/report/figures?view=overview")
    page.get_by_text("Show Markdown").first.click()
    picture = page.get_by_role("dialog").get_by_role("img", name="cumulative_pnl")
    expect(picture).to_be_visible()
    box, frame = picture.bounding_box(), page.get_by_role("dialog").bounding_box()
    assert box is not None
    assert frame is not None
    assert box["width"] > 500
    assert box["x"] + box["width"] <= frame["x"] + frame["width"]
    screenshot("figure")
    page.goto(f"{ui.url}/deployment/daemons")
    expect(page.get_by_text("Running", exact=True)).to_have_count(6, timeout=60_000)


def test_the_schedule_is_switched_on(page: Page, ui: Ui, screenshot: Screenshot) -> None:
    page.goto(f"{ui.url}/locations/bess_pipeline/schedules/daily_refresh")
    switch = page.locator("label:has(input[type=checkbox])").first
    expect(page.get_by_role("checkbox").first).not_to_be_checked()
    switch.click()
    expect(page.get_by_role("checkbox").first).to_be_checked()
    expect(page.get_by_text("Next tick")).to_be_visible()
    screenshot("switched-on")
    assert _schedule_status(ui) == "RUNNING"
    page.get_by_role("button", name="Preview tick result").click()
    page.get_by_role("dialog").get_by_role("button", name="Continue").click()
    requested = page.get_by_text(re.compile(r"^[2-9] run requests$"))  # revise, settle what has ended, plan
    expect(requested).to_be_visible(timeout=60_000)
    screenshot("tick")
    page.get_by_role("button", name="Close").click()
    switch.click()
    expect(page.get_by_role("checkbox").first).not_to_be_checked()
    assert _schedule_status(ui) == "STOPPED"


def test_one_day_is_materialised(page: Page, ui: Ui, workspace: Workspace, screenshot: Screenshot) -> None:
    day = date(2026, 4, 1)
    assert not workspace.lake.read("trading/dispatch", day, day).size
    known = {run.id for run in ui.runs()}
    dialog = open_materialise_dialog(page, f"{ui.url}/asset-groups")
    choose_partitions(dialog, "2026-04-01")
    screenshot("dialog")
    launch(dialog)
    run = ui.ended_run(known)
    page.goto(f"{ui.url}/runs/{run.id}")
    expect(page.get_by_text("RUN_SUCCESS").first).to_be_visible()
    screenshot("run")
    assert run.status == "SUCCESS"
    assert run.days == ("2026-04-01", "2026-04-01")
    assert run.assets == {"/".join(key.path) for key in build_defs().resolve_asset_graph().get_all_asset_keys()}
    assert not not_complete(workspace.lake, [day])
    assert len(workspace.lake.read("trading/dispatch", day, day)) == len(STRATEGIES) * 48
    published = query(workspace.database, "SELECT count(*) AS n FROM trading.dispatch WHERE efa_date = '2026-04-01'")
    assert published["n"].tolist() == [(len(STRATEGIES) + len(MARKET_STRATEGIES)) * 48]


def test_two_ranges_are_backfilled_in_order(page: Page, ui: Ui, workspace: Workspace, screenshot: Screenshot) -> None:
    days = [date(2026, 4, n) for n in (3, 4, 6, 7)]
    before = workspace.lake.days("trading/run_status")
    known, backfills = {run.id for run in ui.runs()}, set(ui.backfills())
    dialog = open_materialise_dialog(page, f"{ui.url}/asset-groups")
    choose_partitions(dialog, "[2026-04-03...2026-04-04],[2026-04-06...2026-04-07]")
    screenshot("dialog")
    launch(dialog)
    backfill, status = ui.ended_backfill(backfills)
    page.goto(f"{ui.url}/runs/b/{backfill}")
    expect(page.get_by_text("Completed").first).to_be_visible()
    screenshot("backfill")
    runs = [run for run in ui.runs() if run.id not in known]
    assert status == "COMPLETED_SUCCESS", runs
    assert {run.days for run in runs} == {("2026-04-03", "2026-04-04"), ("2026-04-06", "2026-04-07")}
    assert not not_complete(workspace.lake, days)
    assert workspace.lake.days("trading/run_status") == sorted({*before, *days})
    assert _chain_starts(workspace.lake, days) == [date(2026, 4, 3)] * 2 + [date(2026, 4, 6)] * 2
    chain = sorted((run for run in runs if run.assets & CHAIN), key=lambda run: run.start or 0)
    for asset in sorted(CHAIN):
        assert [run.days[0] for run in chain if asset in run.assets] == ["2026-04-03", "2026-04-06"], asset
    _assert_one_at_a_time(chain)


def test_a_day_that_follows_no_traded_day_is_refused_with_its_reason(
    page: Page, ui: Ui, workspace: Workspace, screenshot: Screenshot
) -> None:
    known = {run.id for run in ui.runs()}
    dialog = open_materialise_dialog(page, f"{ui.url}/asset-groups")
    choose_partitions(dialog, "2026-04-10")
    launch(dialog)
    run = ui.ended_run(known)
    assert run.status == "FAILURE"
    page.goto(f"{ui.url}/runs/{run.id}")
    reason = "the day before it, 2026-04-09, has no closing state: run that day first, or make 2026-04-10 a chain start"
    expect(page.get_by_text(re.compile(re.escape(reason))).first).to_be_visible()
    screenshot("reason")
    assert {found.reason for found in not_complete(workspace.lake, [date(2026, 4, 10)])} == {reason}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_while_it_still_starts(small_workspace: Path, tmp_path: Path, number: signal.Signals) -> None:
    """Its end when it runs is asserted where the module's UI ends."""
    workspace = Path(shutil.copytree(small_workspace, tmp_path / "small"))
    with running_ui(workspace, SETTINGS, tmp_path / "ui.log") as ui:
        wait(lambda: len(ui.processes()) > 1, 120, "the code server's own child")
        _end(ui, number)


def _end(ui: Ui, number: signal.Signals) -> None:
    """End it by a signal: exit status 0, no process left, the port free again."""
    os.kill(ui.process.pid, number)
    assert ui.process.wait(60) == 0
    assert wait(lambda: not ui.processes(), 5, "the end of all processes")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", int(ui.url.rpartition(":")[2])))


def _assert_one_at_a_time(runs: list[Run]) -> None:
    for earlier, later in pairwise(runs):
        assert earlier.end is not None
        assert later.start is not None
        assert earlier.end <= later.start, f"{earlier} and {later} ran at the same time"


def _chain_starts(lake: Lake, days: list[date]) -> list[date]:
    return [lake.read("trading/run_status", day, day)["chain_start"].iloc[0] for day in days]


def _schedule_status(ui: Ui) -> str:
    schedule = (
        'repositoryName: "__repository__", repositoryLocationName: "bess_pipeline", scheduleName: "daily_refresh"'
    )
    status = "... on Schedule { scheduleState { status } }"
    found = ui.ask(f"{{ scheduleOrError(scheduleSelector: {{ {schedule} }}) {{ {status} }} }}")
    return str(found["scheduleOrError"]["scheduleState"]["status"])
