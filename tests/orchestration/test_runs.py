"""What Dagster records of a range run of real assets, and that checks and verdict see what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest
import small_workspace
from small_workspace import CLOCK_CHANGE, DAYS, FIRST, LAST

from bess_pipeline import gb_time
from bess_pipeline.definitions import build_defs
from bess_pipeline.lake import Lake
from bess_pipeline.orchestration.assets.co_optimisation import CO_OPTIMISED_ASSETS, PLAN_TABLES
from bess_pipeline.orchestration.jobs import (
    CO_OPTIMISE,
    INGEST,
    INGEST_ASSETS,
    PLAN_AHEAD,
    PUBLISH,
    PUBLISH_ASSETS,
    SCENARIO_ASSETS,
    SCENARIOS,
    TRADE,
    TRADE_ASSETS,
    asset_key,
)
from bess_pipeline.orchestration.partitions import RANGE_END_TAG, RANGE_START_TAG, range_tags
from bess_pipeline.orchestration.resources import FINISHED_TAG, SKIP_FINISHED
from bess_pipeline.settings import load_settings
from bess_pipeline.trading.condition import AVAILABILITY
from bess_pipeline.workspace import Workspace

ROWS_ON_THE_CLOCK_CHANGE = {
    "market/system_price": 46,
    "market/day_ahead_price": 46,
    "market/market_index_price": 46,
    "market/auction_clearing": 66,  # 36 windows of response, 30 of the sample market's sparse reserve
    "market/source_status": 5,
    "trading/plan": 2 * 46,  # of two strategies that decide
    "trading/foresight_plan": 46,
    "trading/dispatch": 3 * 46,
    "trading/market_dispatch": 4 * 46,
    "trading/cashflow": 3 * 46 * 3 + 4 * 46 * 7,  # streams of the day-ahead market, and of all
    "trading/run_status": 3 + 4,
    "risk/daily_pnl": 3 * 3 + 4 * 7,
    "scenario/gate_status": 2 * 3,  # of two gates, three steps
    "trading/co_optimised_plan": (2 * 2 + 1) * 46,  # of two strategies two gates, of energy alone one
    "risk/plan_value": 2 * 2 + 1,
    "risk/plan_outcome": 3 * 10,  # of three strategies at the day-ahead gate, a fresh scenario each
}
CHECKED = {
    "market/system_price": {"period_counts", "price_bounds"},
    "market/day_ahead_price": {"period_counts", "price_bounds"},
    "market/market_index_price": {"period_counts", "price_bounds"},
    "market/auction_clearing": {"period_counts", "price_bounds"},
    "market/fundamental_forecast": {"period_counts", "price_bounds"},
    "forecast/price_forecast": {"quantiles_ordered", "known_at_the_gate"},
    "scenario/price_path": {"probabilities_sum_to_1"},
    "trading/co_optimised_plan": {"limits_kept", "never_both"},
    "trading/dispatch": {"energy_balance"},
    "trading/market_dispatch": {"energy_balance"},
    "trading/cashflow": {"cash_reconciles"},
    "trading/run_status": {"opening_is_previous_closing"},
}
ON_DEMAND = {
    "raw/elexon_settlement_stack",
    "market/settlement_stack",
    "market/system_price_check",
    "raw/neso_frequency",
    "market/response_energy",
}
RUN_DAYS = [str(day) for day in gb_time.days_between(FIRST, LAST)]
WITHOUT_OUTCOME = ("risk/daily_pnl", "risk/degradation", "trading/availability")
WITHOUT_OUTCOME += ("market/source_status", "raw/day_ahead_price")


@pytest.fixture(scope="module")
def instance(small_workspace: Path) -> Iterator[dg.DagsterInstance]:
    """The Dagster records of the small workspace."""
    with dg.DagsterInstance.from_config(str(small_workspace / "dagster_home")) as opened:
        yield opened


def run_of(instance: dg.DagsterInstance, job: str) -> dg.DagsterRun:
    (run,) = instance.get_runs(filters=dg.RunsFilter(job_name=job))
    return run


def materialisations(instance: dg.DagsterInstance, job: str) -> dict[str, dict[str, dg.AssetMaterialization]]:
    """Asset -> partition -> what the job's run recorded."""
    found: dict[str, dict[str, dg.AssetMaterialization]] = {}
    for entry in instance.all_logs(run_of(instance, job).run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION):
        materialisation = entry.asset_materialization
        assert materialisation is not None
        assert materialisation.partition is not None
        found.setdefault(materialisation.asset_key.to_user_string(), {})[materialisation.partition] = materialisation
    return found


def number(materialisation: dg.AssetMaterialization, name: str) -> object:
    return materialisation.metadata[name].value


def test_a_backfill_is_one_run_a_job_over_its_range(instance: dg.DagsterInstance) -> None:
    for job in (INGEST, SCENARIOS, CO_OPTIMISE, TRADE):
        run = run_of(instance, job)
        assert run.status == dg.DagsterRunStatus.SUCCESS
        assert run.tags[RANGE_END_TAG] == str(LAST)
    assert run_of(instance, TRADE).tags[RANGE_START_TAG] == str(FIRST)
    assert run_of(instance, INGEST).tags[RANGE_START_TAG] == str(FIRST - timedelta(days=7 + 2))
    planned = run_of(instance, PLAN_AHEAD).tags
    assert (planned[RANGE_START_TAG], planned[RANGE_END_TAG]) == ("2026-04-01", "2026-04-02")
    assert {run.status for run in instance.get_runs()} == {dg.DagsterRunStatus.SUCCESS}


@pytest.mark.parametrize(
    ("job", "assets"),
    [
        (TRADE, TRADE_ASSETS),
        (INGEST, INGEST_ASSETS),
        (SCENARIOS, SCENARIO_ASSETS),
        (CO_OPTIMISE, (AVAILABILITY, *CO_OPTIMISED_ASSETS)),
    ],
)
def test_a_range_run_marks_every_partition_with_its_own_rows(
    instance: dg.DagsterInstance, job: str, assets: Sequence[str]
) -> None:
    found = materialisations(instance, job)
    assert set(found) == set(assets)
    for name, partitions in found.items():
        assert set(RUN_DAYS) <= set(partitions), name
        if name in ROWS_ON_THE_CLOCK_CHANGE:
            rows = {day: number(partitions[day], "dagster/partition_row_count") for day in RUN_DAYS}
            assert rows[str(CLOCK_CHANGE)] == ROWS_ON_THE_CLOCK_CHANGE[name], name
            if ROWS_ON_THE_CLOCK_CHANGE[name] % 46 == 0:
                ordinary = ROWS_ON_THE_CLOCK_CHANGE[name] // 46 * 48
                assert [rows[day] for day in RUN_DAYS if day != str(CLOCK_CHANGE)] == [ordinary] * (DAYS - 1), name
    assert set(instance.get_materialized_partitions(asset_key("trading/dispatch"))) == set(RUN_DAYS)


def test_a_good_run_says_that_no_day_is_not_complete(instance: dg.DagsterInstance) -> None:
    for job in (TRADE, INGEST):
        for name, partitions in materialisations(instance, job).items():
            if name not in WITHOUT_OUTCOME:
                assert number(partitions[RUN_DAYS[0]], "not_complete") == 0, name


def test_plans_of_all_markets_say_how_they_are_and_chosen_days_have_values(
    instance: dg.DagsterInstance, small: Path
) -> None:
    found = materialisations(instance, CO_OPTIMISE)
    assert number(found["trading/co_optimised_plan"][RUN_DAYS[0]], "not_complete") == 0
    rows = {
        table: {day: number(found[table][day], "dagster/partition_row_count") for day in RUN_DAYS}
        for table in ("risk/information_value", "risk/frontier", "risk/activation_sensitivity", "trading/orders")
    }
    assert min(rows.pop("trading/orders").values()) > 0
    valued = str(small_workspace.VALUED)
    assert {table: count[valued] for table, count in rows.items()} == {
        "risk/information_value": 2 * 2,  # of two strategies, with the day-ahead volume and with all of it fixed
        "risk/frontier": 3,
        "risk/activation_sensitivity": 3,
    }
    assert {count for by_day in rows.values() for day, count in by_day.items() if day != valued} == {0}


def test_checks_of_plans_fail_when_what_is_stored_was_changed(small_copy: Path) -> None:
    lake, table = Workspace(small_copy).lake, "trading/co_optimised_plan"
    rows = lake.read(table, CLOCK_CHANGE, CLOCK_CHANGE)
    rows.loc[0, ["charge_mw", "discharge_mw"]] = [1.0, 60.0]
    lake.write(table, CLOCK_CHANGE, rows, lake.stamp(table, CLOCK_CHANGE))
    result = run_assets(small_copy, CO_OPTIMISE, *PLAN_TABLES)
    assert result.success
    failed = failed_checks(result)
    assert failed["never_both"] == {"half_hours": 1}
    assert failed["limits_kept"]["most_mw_beyond"] >= 10.0


def test_coming_days_are_listed_as_not_complete_with_the_reason(instance: dg.DagsterInstance) -> None:
    found = materialisations(instance, PLAN_AHEAD)["market/system_price"]["2026-04-02"]
    assert number(found, "not_complete") == 1
    assert "2026-04-02: not_published: published from 2026-04-01T23:00Z" in str(number(found, "reasons"))


def test_every_check_of_a_good_run_passes(instance: dg.DagsterInstance) -> None:
    found: dict[str, set[str]] = {}
    for job in (INGEST, SCENARIOS, CO_OPTIMISE, TRADE):
        logs = instance.all_logs(run_of(instance, job).run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
        for entry in logs:
            assert entry.dagster_event is not None
            evaluation = entry.dagster_event.asset_check_evaluation_data
            assert evaluation.passed, evaluation
            found.setdefault(evaluation.asset_key.to_user_string(), set()).add(evaluation.check_name)
    assert found == CHECKED


def test_figures_are_shown_in_the_run(instance: dg.DagsterInstance) -> None:
    runs = instance.get_runs(filters=dg.RunsFilter(job_name=PUBLISH))
    assert runs
    logs = instance.all_logs(runs[-1].run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    shown = {entry.asset_materialization.asset_key.to_user_string(): entry.asset_materialization for entry in logs}
    assert set(shown) == set(PUBLISH_ASSETS)
    assert "data:image/png;base64," in str(number(shown["report/figures"], "cumulative pnl"))
    planned = shown["report/plans"].metadata["planned_day"].value
    for name in (f"{kind} co optimised{risk} {planned}" for kind in ("plan", "offers") for risk in ("", " cvar")):
        assert "data:image/png;base64," in str(number(shown["report/plans"], name)), name
    assert number(shown["report/verdict"], "days_complete") == 1  # of the refresh: the last day that ended


def test_the_whole_graph_ran_but_for_what_is_fetched_on_demand(instance: dg.DagsterInstance) -> None:
    graph = build_defs(load_settings()).resolve_asset_graph()
    never = {key for key in graph.materializable_asset_keys if instance.get_latest_materialization_event(key) is None}
    assert {key.to_user_string() for key in never} == ON_DEMAND


# --- checks and verdict on data that is not what the run wrote ---------------------------------


def run_assets(workspace: Path, job: str, *assets: str) -> dg.ExecuteInProcessResult:
    """One run of some assets of a job over the five days, leaving finished days alone."""
    definitions = build_defs(load_settings(workspace=workspace))
    with dg.DagsterInstance.ephemeral() as instance:
        return definitions.resolve_job_def(job).execute_in_process(
            instance=instance,
            tags=range_tags(FIRST, LAST) | {FINISHED_TAG: SKIP_FINISHED},
            asset_selection=[asset_key(name) for name in assets],
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )


def failed_checks(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, object]]:
    return {
        check.check_name: {name: value.value for name, value in check.metadata.items()}
        for check in result.get_asset_check_evaluations()
        if not check.passed
    }


def change(lake: Lake, table: str, day: date, row: int, column: str, by: float) -> None:
    """Add `by` to one value of a stored partition, keeping its stamp."""
    frame = lake.read(table, day, day)
    frame.loc[row, column] += by
    lake.write(table, day, frame, lake.stamp(table, day))


@pytest.mark.parametrize(
    ("table", "column", "by", "check", "found"),
    [
        ("trading/dispatch", "energy_mwh", 0.001, "energy_balance", {"largest_error_mwh": 0.001}),
        ("trading/cashflow", "amount_gbp", 0.01, "cash_reconciles", {"difference_gbp": 0.01}),
        (
            "trading/run_status",
            "opening_energy_mwh",
            0.001,
            "opening_is_previous_closing",
            {"days_that_do_not_continue": 1},
        ),
    ],
)
def test_a_check_fails_when_what_is_stored_was_changed(
    small_copy: Path, table: str, column: str, by: float, check: str, found: dict[str, float]
) -> None:
    change(Workspace(small_copy).lake, table, CLOCK_CHANGE, 0, column, by)
    result = run_assets(small_copy, TRADE, table)
    assert result.success
    failed = failed_checks(result)
    assert set(failed) == {check}
    assert {name: failed[check][name] for name in found} == pytest.approx(found)


def test_the_verdict_fails_the_run_and_lists_the_bad_day(small_copy: Path) -> None:
    lake = Workspace(small_copy).lake
    status = lake.read("trading/run_status", CLOCK_CHANGE, CLOCK_CHANGE)
    bad = status.assign(status="refused", reason="a reason of this test")
    lake.write("trading/run_status", CLOCK_CHANGE, bad)
    lake.write("market/source_status", LAST, lake.read("market/source_status", LAST, LAST).iloc[:0])
    result = run_assets(small_copy, PUBLISH, "report/verdict")
    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    data = failure.step_failure_data.user_failure_data
    assert data is not None
    lines = str(data.description).splitlines()
    assert lines[0] == "2 of 5 days are not complete:"
    every = {*small_workspace.STRATEGIES, *small_workspace.MARKET_STRATEGIES}
    assert [line[:10] for line in lines[1:]] == [str(CLOCK_CHANGE)] * len(every) + [str(LAST)]
    assert all("refused: a reason of this test" in line for line in lines[1:-1])
    assert {line.split()[1] for line in lines[1:-1]} == every


def test_a_missing_setting_fails_a_run_with_one_sentence(small_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BESS_SOURCES__DAY_AHEAD", "entsoe")
    result = run_assets(small_copy, INGEST, "raw/day_ahead_price")
    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    data = failure.step_failure_data.user_failure_data
    assert data is not None
    assert "day-ahead source entsoe cannot be added to it" in str(data.description)
    assert "Traceback" not in str(failure.step_failure_data.error)
