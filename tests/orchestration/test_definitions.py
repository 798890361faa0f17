"""What the code location defines: compared with a kept text, and rules that hold for every asset."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from pathlib import Path

import dagster as dg
import definitions_text
import pytest
from definitions_text import spec_of

from bess_pipeline import gb_time, schemas
from bess_pipeline.definitions import build_defs
from bess_pipeline.orchestration.launch import POOLS
from bess_pipeline.orchestration.partitions import BACKFILL_POLICY

KEPT = Path(__file__).with_name("definitions.txt")


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build_defs(definitions_text.settings())


@pytest.fixture(scope="module")
def assets(definitions: dg.Definitions) -> dict[str, dg.AssetsDefinition]:
    return definitions_text.assets(definitions)


def test_the_definitions_are_the_kept_ones(definitions: dg.Definitions) -> None:
    assert definitions_text.text(definitions) == KEPT.read_text(), definitions_text.__doc__


def test_the_definitions_can_be_loaded(definitions: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(definitions)


def test_every_asset_says_what_it_is_and_whose(assets: dict[str, dg.AssetsDefinition]) -> None:
    for name, asset in assets.items():
        spec = spec_of(name, asset)
        assert len(spec.description or "") > 40, name
        assert spec.owners == ["team:trading-analytics"], name
        assert spec.kinds, name
        folder = name.split("/")[0]
        assert spec.group_name == {"warehouse": "publish", "report": "publish"}.get(folder, folder)


def test_all_assets_share_partitions_and_backfill_policy(assets: dict[str, dg.AssetsDefinition]) -> None:
    (partitions,) = {asset.partitions_def for asset in assets.values()}
    assert isinstance(partitions, dg.DailyPartitionsDefinition)
    assert partitions.timezone == "Europe/London"
    assert partitions.get_first_partition_key() == "2021-01-01"
    assert {asset.backfill_policy for asset in assets.values()} == {BACKFILL_POLICY}
    assert BACKFILL_POLICY.max_partitions_per_run == 31


@pytest.mark.parametrize("day", [date(2026, 3, 28), date(2026, 3, 29), date(2026, 10, 25), date(2026, 7, 1)])
def test_tomorrow_has_a_partition_and_the_day_after_has_none(assets: dict[str, dg.AssetsDefinition], day: date) -> None:
    partitions = assets["trading/plan"].partitions_def
    assert partitions is not None
    for clock in (time(0), time(9), time(23, 30)):
        now = datetime.combine(day, clock, tzinfo=gb_time.LONDON)
        with dg.partition_loading_context(effective_dt=now):
            assert partitions.get_last_partition_key() == str(day + timedelta(days=1))


def test_a_tables_columns_are_shown_as_its_schema_says(assets: dict[str, dg.AssetsDefinition]) -> None:
    tables = {name: asset for name, asset in assets.items() if name in schemas.TABLES}
    assert set(tables) == set(schemas.TABLES)
    for table, asset in tables.items():
        shown = spec_of(table, asset).metadata["dagster/column_schema"]
        assert isinstance(shown, dg.TableSchema)
        columns = schemas.columns(table)
        assert [column.name for column in shown.columns] == list(columns)
        for column in shown.columns:
            assert column.type == schemas.duckdb_types(table)[column.name]
            assert column.description == columns[column.name].description
            assert column.constraints.nullable == columns[column.name].nullable
        assert spec_of(table, asset).metadata["dagster/table_name"] == table.replace("/", ".")


def test_plan_and_dispatch_depend_on_no_later_day(assets: dict[str, dg.AssetsDefinition]) -> None:
    """Nor does anything that they are made from, whatever day that one reads."""
    latest: dict[str, int] = {}

    def walk(name: str, days_ahead: int) -> None:
        if latest.get(name, -10_000) >= days_ahead:
            return
        latest[name] = days_ahead
        for dep in spec_of(name, assets[name]).deps:
            walk(dep.asset_key.to_user_string(), days_ahead + definitions_text.offsets(dep)[1])

    for name in ("trading/plan", "trading/dispatch"):
        walk(name, 0)
    assert {"market/day_ahead_price", "raw/day_ahead_price"} <= set(latest)
    assert {name: days for name, days in latest.items() if days > 0} == {}


def test_dispatch_depends_on_itself_the_day_before(assets: dict[str, dg.AssetsDefinition]) -> None:
    own = [
        dep
        for dep in spec_of("trading/dispatch", assets["trading/dispatch"]).deps
        if dep.asset_key == assets["trading/dispatch"].key
    ]
    assert [definitions_text.offsets(dep) for dep in own] == [(-1, -1)]


def test_every_pool_gets_its_limit_in_a_new_dagster_home(assets: dict[str, dg.AssetsDefinition]) -> None:
    used = {op.pool for asset in assets.values() for op in asset.node_def.iterate_op_defs() if op.pool}
    assert used == set(POOLS)


def test_the_schedule_runs_when_no_clock_change_can_move_it(definitions: dg.Definitions) -> None:
    (schedule,) = definitions.schedules or ()
    assert isinstance(schedule, dg.ScheduleDefinition)
    assert schedule.execution_timezone == "Europe/London"
    minute, hour, *days = str(schedule.cron_schedule).split()
    assert days == ["*", "*", "*"]
    assert int(minute) in range(60)
    assert int(hour) >= 3
