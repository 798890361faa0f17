"""The list of what is not complete, read from the per-day tables and from nothing else."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from plan_rows import gate_stamp

from bess_pipeline import schemas
from bess_pipeline.lake import Lake
from bess_pipeline.trading.status import status_row
from bess_pipeline.trading_tables import CO_OPTIMISED_PLAN
from bess_pipeline.verdict import NotComplete, not_complete, plan_words

FIRST, SECOND, THIRD = date(2026, 3, 28), date(2026, 3, 29), date(2026, 3, 30)
SOURCES = ("market/system_price", "market/day_ahead_price")
STRATEGIES = ("rule_based", "day_ahead_perfect_foresight")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Two complete days."""
    lake = Lake(tmp_path / "lake", tmp_path / "quarantine")
    for day in (FIRST, SECOND):
        write_sources(lake, day, {})
        write_trading(lake, day, {})
    return lake


def write_sources(lake: Lake, day: date, problems: dict[str, tuple[str, str]]) -> None:
    rows = []
    for dataset in SOURCES:
        status, reason = problems.get(dataset, ("complete", ""))
        rows.append(
            {
                "source": "elexon",
                "dataset": dataset,
                "date": day,
                "status": status,
                "reason": reason,
                "expected_rows": 48,
                "rows": 48 if status == "complete" else 0,
                "fetched_utc": pd.NaT,
            }
        )
    frame = pd.DataFrame(rows)
    frame["fetched_utc"] = pd.to_datetime(frame["fetched_utc"], utc=True).astype("datetime64[us, UTC]")
    lake.write("market/source_status", day, frame)


def write_trading(lake: Lake, day: date, problems: dict[str, tuple[str, str]]) -> None:
    rows = [status_row(day, strategy, *problems.get(strategy, ("complete", ""))) for strategy in STRATEGIES]
    lake.write("trading/run_status", day, pd.concat(rows, ignore_index=True))


def test_complete_days_leave_nothing_to_say(lake: Lake) -> None:
    assert not_complete(lake, [FIRST, SECOND]) == []
    assert not_complete(lake, []) == []


def test_every_status_but_complete_is_listed_with_its_reason_in_day_order(lake: Lake) -> None:
    write_sources(lake, FIRST, {SOURCES[0]: ("refused", "web page"), SOURCES[1]: ("not_published", "later")})
    write_trading(lake, SECOND, {STRATEGIES[0]: ("provisional", "no price"), STRATEGIES[1]: ("stale", "moved")})
    found = not_complete(lake, [FIRST, SECOND])
    assert sorted(found, key=str) == [
        NotComplete(FIRST, SOURCES[1], "not_published", "later"),
        NotComplete(FIRST, SOURCES[0], "refused", "web page"),
        NotComplete(SECOND, STRATEGIES[1], "stale", "moved"),
        NotComplete(SECOND, STRATEGIES[0], "provisional", "no price"),
    ]
    assert [problem.day for problem in found] == [FIRST, FIRST, SECOND, SECOND]
    assert str(found[-1]).startswith("2026-03-29  ")


def test_a_bad_day_says_nothing_about_its_neighbours(lake: Lake) -> None:
    write_trading(lake, FIRST, {STRATEGIES[0]: ("refused", "no history")})
    assert not_complete(lake, [SECOND]) == []
    assert [str(problem) for problem in not_complete(lake, [FIRST])] == ["2026-03-28  rule_based  refused: no history"]


def test_a_day_nothing_is_known_of_is_not_complete(lake: Lake) -> None:
    assert [(problem.what, problem.reason) for problem in not_complete(lake, [THIRD])] == [
        ("market data", "never ingested"),
        ("trading", "never run"),
    ]


def test_sources_alone_can_be_asked_for(lake: Lake) -> None:
    write_trading(lake, FIRST, {STRATEGIES[0]: ("refused", "no history")})
    assert not_complete(lake, [FIRST], trading=False) == []
    assert [problem.what for problem in not_complete(lake, [THIRD], trading=False)] == ["market data"]


def test_a_status_table_without_rows_does_not_pass_for_complete(lake: Lake) -> None:
    lake.write("trading/run_status", FIRST, schemas.empty_frame("trading/run_status"))
    lake.write("market/source_status", SECOND, schemas.empty_frame("market/source_status"))
    assert {(problem.day, problem.what) for problem in not_complete(lake, [FIRST, SECOND])} == {
        (FIRST, "trading"),
        (SECOND, "market data"),
    }


def test_a_table_that_no_strategy_reads_holds_no_day_up(lake: Lake) -> None:
    stored = lake.read("market/source_status", FIRST, FIRST)
    for table in ("market/response_energy", "market/fundamental_forecast"):
        extra = stored.head(1).assign(dataset=table, status="refused", reason="no file")
        stored = pd.concat([stored, extra], ignore_index=True)
    lake.write("market/source_status", FIRST, stored)
    assert not_complete(lake, [FIRST]) == []


def test_what_is_said_of_plans_of_all_markets_counts_gates_and_gives_each_reason_once(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake", tmp_path / "quarantine")
    strategies = ("co_optimised", "co_optimised_cvar")
    every = [(strategy, gate) for strategy in strategies for gate in ("day_ahead", "response")]
    every.append(("day_ahead_imbalance", "day_ahead"))
    planned: dict[str, str] = {}
    for key in every:
        planned |= gate_stamp(key)
    empty = schemas.empty_frame(CO_OPTIMISED_PLAN)
    lake.write(CO_OPTIMISED_PLAN, FIRST, empty, planned)
    assert plan_words(lake, [FIRST]) == "plans of all markets: 5 of 5 gates of 1 days are planned"
    broken = planned | gate_stamp(every[0], reason="a storm") | gate_stamp(every[2], reason="a storm")
    broken |= gate_stamp(every[3], reason="no CVaR below 0", notes="noted")
    lake.write(CO_OPTIMISED_PLAN, SECOND, empty, broken | gate_stamp(every[1], closed=""))
    assert plan_words(lake, [FIRST, SECOND, THIRD]) == (
        "plans of all markets: 7 of 15 gates of 3 days are planned; "
        f"{SECOND} co_optimised day_ahead and 1 more: a storm; {SECOND} co_optimised_cvar response: no CVaR below 0; "
        f"{THIRD} day_ahead_imbalance day_ahead and 4 more: it was never planned"
    )
    for place, key in enumerate(every):
        broken |= gate_stamp(key, reason=f"reason {place}")
    lake.write(CO_OPTIMISED_PLAN, SECOND, empty, broken)
    assert plan_words(lake, [SECOND]).endswith("reason 1; 2 more reasons: `bess plan --date` gives a day's")
