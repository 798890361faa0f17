"""Bounds of the stored days of a small lake: the days add up, strategies stay below, and what is too good is found."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from gate_cases import DAY
from market_desk import DAYS, SYSTEM, MarketDesk, planned_desk
from plan_desk import NEXT

from bess_pipeline import gb_time
from bess_pipeline.bound_tables import BOUND_TABLE
from bess_pipeline.market_tables import MARKET_DISPATCH
from bess_pipeline.trading.bound_checks import comparisons, failures
from bess_pipeline.trading.bounds import SolvedBound, StoredBounds, Window, compared
from bess_pipeline.trading.stamps import DAILY_PNL, DISPATCH

WINDOW = Window(MARKET_DISPATCH, DAYS)


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> MarketDesk:
    """Two days planned, dispatched and settled by all strategies; read-only."""
    desk = planned_desk(tmp_path_factory.mktemp("settled"))
    for day in DAYS:
        desk.replay.plan([day])
    desk.replay.foresight(DAYS)
    desk.replay.dispatch(DAYS)
    desk.run()
    return desk


@pytest.fixture(scope="module")
def made(settled: MarketDesk, tmp_path_factory: pytest.TempPathFactory) -> tuple[MarketDesk, list[SolvedBound]]:
    """The bounds of those days; read-only."""
    desk = settled.copy(tmp_path_factory.mktemp("bounded"))
    return desk, bounds_of(desk).make(DAYS)


def bounds_of(desk: MarketDesk) -> StoredBounds:
    return StoredBounds(desk.settings, desk.lake)


def rows_of(desk: MarketDesk) -> pd.DataFrame:
    return desk.lake.read(BOUND_TABLE, *DAYS)


def without_prices(desk: MarketDesk, table: str) -> None:
    """The last four half-hours of the second day have no price."""
    first = pd.Timestamp(gb_time.efa_day_bounds_utc(NEXT)[1]) - pd.Timedelta(hours=2)
    rows = desk.lake.read(table, NEXT, NEXT)
    desk.lake.write(table, NEXT, rows[rows["start_utc"] < first])


def test_the_days_add_up_to_the_one_problem(made: tuple[MarketDesk, list[SolvedBound]]) -> None:
    desk, solved = made
    rows = rows_of(desk)
    cap = desk.settings.co_optimisation.imbalance_limit_of(50.0)
    assert [(one.bound, one.imbalance_cap_mw) for one in solved] == [
        ("day_ahead_perfect_foresight", 0.0),
        ("energy_perfect_foresight", cap),
        ("energy_perfect_foresight", 0.0),
        ("perfect_foresight", cap),
        ("perfect_foresight", 0.0),
    ]
    for one in solved:
        own = rows[(rows["bound"] == one.bound) & (rows["imbalance_cap_mw"] == one.imbalance_cap_mw)]
        assert list(own["efa_date"]) == list(DAYS)
        assert set(own["gap_gbp"]) == {one.gap_gbp}
        assert (own["pnl_gbp"] - own["cash_gbp"] + own["wear_gbp"]).abs().max() < 1e-9
        closing = own["closing_energy_mwh"].iloc[-1] * own["energy_price_gbp_mwh"].iloc[0]
        assert own["pnl_gbp"].sum() + closing == pytest.approx(one.value_gbp)
        assert own["opening_energy_mwh"].iloc[0] == 50.0
        assert own["opening_energy_mwh"].iloc[1] == pytest.approx(own["closing_energy_mwh"].iloc[0])
    value = {(one.bound, one.imbalance_cap_mw): one.value_gbp for one in solved}
    assert value["perfect_foresight", cap] > value["energy_perfect_foresight", cap]
    assert value["energy_perfect_foresight", cap] > value["energy_perfect_foresight", 0.0]
    assert value["energy_perfect_foresight", 0.0] > value["day_ahead_perfect_foresight", 0.0] - 1e-6
    assert max(one.gap_gbp for one in solved) < 1.0


def test_no_strategy_beats_its_bound(made: tuple[MarketDesk, list[SolvedBound]]) -> None:
    desk, _ = made
    bounds = bounds_of(desk)
    assert [one.table for one in bounds.windows()] == [DISPATCH, MARKET_DISPATCH]
    found = [one for window in bounds.windows() for one in comparisons(bounds, window)]
    assert [one for one in found if one.failure or one.reason] == []
    assert len(found) == 2 * sum(len(compared(bound)) for one in bounds.windows() for bound in one.bounds)
    assert set(compared("perfect_foresight")) > set(compared("energy_perfect_foresight")) == {"day_ahead_imbalance"}


@pytest.mark.parametrize(
    ("strategy", "bound"),
    [("co_optimised", "perfect_foresight"), ("day_ahead_imbalance", "energy_perfect_foresight")],
)
def test_cash_that_is_too_good_is_told(
    made: tuple[MarketDesk, list[SolvedBound]], tmp_path: Path, strategy: str, bound: str
) -> None:
    desk = made[0].copy(tmp_path)
    most = max(one.value_gbp for one in made[1])
    rows = desk.lake.read(DAILY_PNL, NEXT, NEXT)
    planted = (rows["strategy"] == strategy) & (rows["stream"] == "imbalance")
    rows.loc[planted, "pnl_gbp"] += most
    desk.lake.write(DAILY_PNL, NEXT, rows, desk.lake.stamp(DAILY_PNL, NEXT))
    words = failures(comparisons(bounds_of(desk), WINDOW))
    assert any(one.startswith(f"{strategy} earned") and f"its bound {bound} with its gap" in one for one in words)
    assert all(one.startswith(f"{strategy} earned") for one in words)


def test_what_stands_is_left_and_a_changed_price_is_not(
    made: tuple[MarketDesk, list[SolvedBound]], tmp_path: Path
) -> None:
    desk = made[0].copy(tmp_path)
    assert bounds_of(desk).unfinished(DAYS) == []
    assert bounds_of(desk).make(DAYS) == []
    rows = desk.lake.read(SYSTEM, DAY, DAY)
    desk.lake.write(SYSTEM, DAY, rows.assign(system_price_gbp_mwh=rows["system_price_gbp_mwh"] + 1.0))
    assert len(bounds_of(desk).make([NEXT])) == 5
    assert bounds_of(desk).unfinished() == []


def test_a_day_without_all_prices_is_idle(settled: MarketDesk, tmp_path: Path) -> None:
    desk = settled.copy(tmp_path)
    without_prices(desk, SYSTEM)
    solved = bounds_of(desk).make(DAYS)
    rows = rows_of(desk)
    rows = rows[rows["bound"] != "day_ahead_perfect_foresight"].set_index("efa_date")
    assert set(rows.loc[NEXT, "status"]) == {"idle"}
    assert set(rows.loc[DAY, "status"]) == {"complete"}
    assert np.abs(rows.loc[NEXT, "cash_gbp"]).max() < 1e-9
    assert (rows.loc[NEXT, "opening_energy_mwh"] - rows.loc[NEXT, "closing_energy_mwh"]).abs().max() < 1e-6
    assert any(f"a price is missing on 1 days, the first {NEXT}" in words for one in solved for words in one.notes)
    found = comparisons(bounds_of(desk), WINDOW)
    assert failures(found) == []
    assert {one.part for one in found if not one.reason} == {f"{DAY}..{DAY}"}  # those that traded on it: up to it


def test_a_day_that_was_not_dispatched_ends_the_window(settled: MarketDesk, tmp_path: Path) -> None:
    desk = settled.copy(tmp_path)
    desk.lake.path(MARKET_DISPATCH, NEXT).unlink()
    labels = {one.label for one in bounds_of(desk).windows() if one.table == MARKET_DISPATCH}
    assert labels == {f"{DAY}..{DAY}"}
    assert bounds_of(desk).windows([DAY - timedelta(days=3)]) == []


def test_what_physics_forced_on_a_strategy_is_allowed_to_the_bound(settled: MarketDesk, tmp_path: Path) -> None:
    """Forced long where cash-out pays most: without an allowance the strategy would beat its bound."""
    desk = settled.copy(tmp_path)
    before = {(one.bound, one.imbalance_cap_mw): one.value_gbp for one in bounds_of(desk).make(DAYS)}
    rows = desk.lake.read(MARKET_DISPATCH, DAY, DAY)
    forced = rows["strategy"] == "day_ahead_imbalance"
    rows.loc[forced, "forced_imbalance_mwh"] = 3.0
    desk.lake.write(MARKET_DISPATCH, DAY, rows, desk.lake.stamp(MARKET_DISPATCH, DAY))
    after = {(one.bound, one.imbalance_cap_mw): one.value_gbp for one in bounds_of(desk).make(DAYS)}
    gained = {key: after[key] - before[key] for key in after}
    assert min(gained[key] for key in gained if key[0] != "day_ahead_perfect_foresight") > 1.0
