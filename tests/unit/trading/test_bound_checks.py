"""What of a window is compared with its bound: days that cannot be compared take no others with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from storage_frames import day_ahead_price, system_price

from bess_pipeline import gb_time, schemas
from bess_pipeline.bound_tables import BOUND_TABLE
from bess_pipeline.lake import Lake
from bess_pipeline.market_tables import MARKET_DISPATCH
from bess_pipeline.settings import Settings
from bess_pipeline.trading.bound_checks import Comparison, compared_nowhere, comparisons, failures
from bess_pipeline.trading.bounds import StoredBounds, Window
from bess_pipeline.trading.stamps import DAILY_PNL, RUN_STATUS
from bess_pipeline.trading.status import status_row

STRATEGY, BOUND = "co_optimised", "perfect_foresight"
OTHER = "day_ahead_imbalance"  # opens first in the order of strategies, so that the bound opens as it does
DAYS = FIRST, SECOND, THIRD, LAST = tuple(gb_time.days_between(date(2026, 1, 30), date(2026, 2, 2)))
WHOLE, JANUARY, FEBRUARY = f"{FIRST}..{LAST}", "2026-01", "2026-02"
PRICE, BATTERY_MWH = 100.0, 90.0  # GBP/MWh in each half-hour; usable energy of the battery of the settings
FULL_GBP = PRICE * BATTERY_MWH


@dataclass(frozen=True)
class Day:
    """What is stored of a strategy and its bound on a day; by default both earn the same from the same state."""

    earned: float | None = 1000.0
    most: float | None = 1000.0
    status: str | None = "complete"
    bound_status: str = "complete"
    opening: float | None = 50.0
    begins: bool = False


def stored(root: Path, changes: dict[date, Day], days: Sequence[date] = DAYS) -> list[Comparison]:
    """What is compared of days that are as they should be but for `changes`."""
    lake = Lake(root / "lake", root / "quarantine")
    window = Window(MARKET_DISPATCH, tuple(days))
    for day in gb_time.days_between(days[0] - timedelta(days=1), days[-1]):
        count = len(gb_time.settlement_half_hours(day))
        lake.write("market/day_ahead_price", day, day_ahead_price(day, [PRICE] * count))
        lake.write("market/system_price", day, system_price(day, [-PRICE] * count))
    for day in days:
        given = changes.get(day, Day())
        begins = day == days[0] or given.begins
        write_day(lake, window, day, given, begins)
    return comparisons(StoredBounds(Settings(workspace=root), lake), window)


def write_day(lake: Lake, window: Window, day: date, given: Day, begins: bool) -> None:
    stamp = {f"opening.{STRATEGY}": repr(given.opening), f"chain_start.{STRATEGY}": day.isoformat() if begins else ""}
    stamp |= {f"opening.{OTHER}": "50.0", f"chain_start.{OTHER}": FIRST.isoformat()}
    lake.write(MARKET_DISPATCH, day, schemas.empty_frame(MARKET_DISPATCH), stamp)
    if given.earned is not None:
        row = {"efa_date": [day], "strategy": STRATEGY, "stream": "day_ahead", "pnl_gbp": given.earned}
        lake.write(DAILY_PNL, day, pd.DataFrame({**row, "pnl_gbp_per_mw": given.earned / 50.0}))
    if given.status is not None:
        reason = "" if given.status == "complete" else "a price is missing"
        states = {"opening_energy_mwh": given.opening, "closing_energy_mwh": 50.0}
        lake.write(RUN_STATUS, day, status_row(day, STRATEGY, given.status, reason, **states))
    if given.most is not None:
        lake.write(BOUND_TABLE, day, bound_row(window, day, given))


def bound_row(window: Window, day: date, given: Day) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "window": [window.label],
            "bound": BOUND,
            "imbalance_cap_mw": 2.5,
            "efa_date": day,
            "pnl_gbp": given.most,
            "cash_gbp": given.most,
            "wear_gbp": 0.0,
            "opening_energy_mwh": 50.0,
            "closing_energy_mwh": 50.0,
            "energy_price_gbp_mwh": PRICE,
            "gap_gbp": 0.0,
            "status": given.bound_status,
            "notes": pd.Series([None], dtype="object"),
        }
    )


def compared_parts(found: list[Comparison]) -> list[str]:
    return [one.part for one in found if not one.reason]


def test_a_settled_window_is_compared_as_a_whole_and_by_month(tmp_path: Path) -> None:
    found = stored(tmp_path, {})
    assert compared_parts(found) == [WHOLE, JANUARY, FEBRUARY]
    assert failures(found) == compared_nowhere(found) == []
    assert {(one.strategy, one.bound, one.window) for one in found} == {(STRATEGY, BOUND, WHOLE)}


def test_a_provisional_last_day_hides_no_month_that_is_too_rich(tmp_path: Path) -> None:
    found = stored(tmp_path, {SECOND: Day(earned=1e6), LAST: Day(status="provisional")})
    assert [one.part for one in found if one.failure] == [JANUARY, f"{FIRST}..{THIRD}"]
    assert failures(found)[0].startswith(f"{STRATEGY} earned 1,001,000.00 GBP over {JANUARY} and its bound {BOUND}")
    assert [one.words for one in found if one.reason] == [
        f"{STRATEGY} with {BOUND} over {WHOLE}: on {LAST} it is provisional",
        f"{STRATEGY} with {BOUND} over {FEBRUARY}: on {LAST} it is provisional",
    ]
    assert compared_nowhere(found) == []


@pytest.mark.parametrize(
    ("day", "full", "ahead"),
    [
        (FIRST, 0.99, []),
        (FIRST, 1.01, [JANUARY]),
        (THIRD, 0.99, []),
        (THIRD, 1.01, [FEBRUARY]),
    ],
)
def test_another_state_explains_a_full_battery_by_month(
    tmp_path: Path, day: date, full: float, ahead: list[str]
) -> None:
    found = stored(tmp_path, {day: Day(earned=1000.0 + full * FULL_GBP)})
    assert [one.part for one in found if one.failure] == [WHOLE, *ahead]


@pytest.mark.parametrize(
    ("day", "reason"),
    [
        (Day(status="provisional"), "it is provisional"),
        (Day(status=None), "it is without a status"),
        (Day(bound_status="idle"), "it traded while the bound was idle"),
        (Day(most=None), "the bound has no row"),
        (Day(earned=None), "it has no P&L"),
        (Day(begins=True), "its chain starts otherwise than the bound's"),
    ],
)
def test_a_day_takes_its_month_out_with_the_reason(tmp_path: Path, day: Day, reason: str) -> None:
    found = stored(tmp_path, {LAST: day})
    lost = {one.part: one.reason for one in found if one.reason}
    assert lost == {WHOLE: f"on {LAST} {reason}", FEBRUARY: f"on {LAST} {reason}"}
    assert compared_parts(found) == [JANUARY, f"{FIRST}..{THIRD}"]


def test_a_month_after_a_day_that_cannot_be_compared_is(tmp_path: Path) -> None:
    found = stored(tmp_path, {SECOND: Day(status="provisional"), LAST: Day(earned=1e6)})
    assert compared_parts(found) == [FEBRUARY, f"{FIRST}..{FIRST}"]
    assert [one.part for one in found if one.failure] == [FEBRUARY]


def test_a_strategy_that_opened_otherwise_is_compared_in_parts(tmp_path: Path) -> None:
    found = stored(tmp_path, {FIRST: Day(earned=1000.0 + 0.99 * FULL_GBP, opening=5.0)})
    assert [(one.part, bool(one.reason)) for one in found] == [
        (WHOLE, True),
        (JANUARY, False),
        (FEBRUARY, False),
        (WHOLE, False),
    ]
    assert failures(found) == []


def test_a_refused_day_is_compared_though_the_bound_was_idle(tmp_path: Path) -> None:
    found = stored(tmp_path, {SECOND: Day(status="refused", earned=None, bound_status="idle", most=0.0)})
    assert compared_parts(found) == [WHOLE, JANUARY, FEBRUARY]


def test_a_strategy_that_is_compared_nowhere_is_told(tmp_path: Path) -> None:
    found = stored(tmp_path, dict.fromkeys(DAYS, Day(earned=1e6, status="provisional")))
    assert failures(found) == []
    words = f"{STRATEGY} with {BOUND} over {WHOLE}: on {FIRST} it is provisional, and so with 3 more days"
    assert compared_nowhere(found) == [words]


def test_a_strategy_that_was_not_dispatched_is_not_asked_for(tmp_path: Path) -> None:
    assert stored(tmp_path, dict.fromkeys(DAYS, Day(earned=None, status=None, opening=None))) == []
