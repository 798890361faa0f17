"""The days a browser's backfill asks for, and the days a workspace has at all."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from bess_pipeline.definitions import build_defs
from bess_pipeline.orchestration.partitions import chained_days_per_run, days_of_data
from bess_pipeline.settings import Settings, TradingSettings
from bess_pipeline.workspace import Workspace

FIVE_DAYS = dg.DailyPartitionsDefinition(start_date="2026-03-18", end_date="2026-03-23")
DISPATCH, MARKET_DISPATCH = dg.AssetKey(["trading", "dispatch"]), dg.AssetKey(["trading", "market_dispatch"])


def test_a_backfill_of_days_reaches_no_other_day_of_any_asset(tmp_path: Path) -> None:
    """Dagster's daemon follows partition mappings downstream from the days asked for."""
    graph = build_defs(Settings(workspace=tmp_path)).resolve_asset_graph()
    asked = FIVE_DAYS.subset_with_partition_keys(["2026-03-19", "2026-03-20"])
    edges = [(child, parent) for child in graph.get_all_asset_keys() for parent in graph.get(child).parent_keys]
    assert len(edges) > 30
    for child, parent in edges:
        reached = graph.get_partition_mapping(child, parent).get_downstream_partitions_for_partitions(
            asked, FIVE_DAYS, downstream_partitions_def=FIVE_DAYS
        )
        days = ["2026-03-20", "2026-03-21"] if child == parent else ["2026-03-19", "2026-03-20"]
        assert sorted(reached.get_partition_keys()) == days, f"{parent} to {child}"
    assert {child for child, parent in edges if child == parent} == {DISPATCH, MARKET_DISPATCH}


@pytest.mark.parametrize(
    ("mode", "sources", "expected"),
    [
        (None, {"mode": "sample"}, (date(2025, 11, 1), date(2026, 4, 13))),
        ("simulated", {}, (date(2025, 11, 1), date(2026, 4, 13))),
        ("live", {}, (date(2021, 1, 1), None)),
        (None, {}, (date(2021, 1, 1), None)),
        ("simulated", {"mode": "live"}, (date(2021, 1, 1), None)),  # refused by each run, in one sentence
    ],
)
def test_partitions_end_where_a_sample_market_does(
    tmp_path: Path, mode: str | None, sources: dict[str, str], expected: tuple[date, date | None]
) -> None:
    if mode:
        Workspace(tmp_path).claim(mode, "neso_n2ex")
    settings = Settings.model_validate({"workspace": tmp_path, "sources": sources})
    assert days_of_data(settings) == expected


def test_a_run_has_a_month_for_each_worker_only_where_months_are_chains() -> None:
    given = [(False, 1), (False, 4), (True, 1), (True, 4)]
    found = [chained_days_per_run(TradingSettings(chain_months=months, workers=n)) for months, n in given]
    assert found == [31, 31, 31, 124]


def test_the_latest_partition_of_a_sample_workspace_is_its_next_trading_day(tmp_path: Path) -> None:
    definitions = build_defs(Settings.model_validate({"workspace": tmp_path, "sources": {"mode": "sample"}}))
    partitions = definitions.resolve_asset_graph().get(DISPATCH).partitions_def
    assert partitions is not None
    assert (partitions.get_first_partition_key(), partitions.get_last_partition_key()) == ("2025-11-01", "2026-04-13")
