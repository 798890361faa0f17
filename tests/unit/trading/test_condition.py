"""Outages and fade through the lake: what plans know of them, what dispatch suffers, and the table of wear."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ingest_tools import cut
from replay_tools import Desk, write_prices

from bess_pipeline import gb_time
from bess_pipeline.battery.cycle_counting import count_cycles
from bess_pipeline.battery.degradation import calendar_rate, cycle_rate
from bess_pipeline.errors import UserInputError
from bess_pipeline.sample_market import simulate
from bess_pipeline.trading.condition import AVAILABILITY, DEGRADATION
from bess_pipeline.trading.stamps import DISPATCH, FORESIGHT, PLAN, RUN_STATUS

RULE, ROLL, BOUND = "rule_based", "day_ahead_rolling", "day_ahead_perfect_foresight"
STRATEGIES = (BOUND, ROLL, RULE)
DAYS = gb_time.days_between(date(2026, 3, 28), date(2026, 3, 30))  # the clock change of 2026-03-29 among them
DAY = DAYS[1]
HEADER = "start_utc,end_utc,available_fraction,kind,reason,known_utc"
GATE = "2026-03-28T09:50Z"  # 09:50 London on the day before DAY, before the clocks went forward


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A desk with prices and no trading day yet; to be copied."""
    desk = Desk(tmp_path_factory.mktemp("prices"))
    first, last = date(2026, 3, 18), date(2026, 4, 2)
    write_prices(desk.lake, cut(simulate(), first, last), first, last)
    return desk


@pytest.fixture(scope="module")
def plain(prices: Desk, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """DAYS of both strategies without outages; read-only."""
    desk = prices.copy(tmp_path_factory.mktemp("plain"))
    desk.run(DAYS)
    return desk


def with_outages(prices: Desk, root: Path, *rows: str, **sections: Any) -> Desk:
    """A copy of the prices whose calendar has these rows."""
    desk = prices.copy(root / f"desk{len(list(root.iterdir()))}")
    calendar = desk.root / "outages.csv"
    calendar.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    desk.changes = {"trading": {"history_days": 7, "availability_file": calendar}, **sections}
    return desk


def without_bound(desk: Desk, days: Sequence[date]) -> None:
    """The steps of a run for the rule alone: no solver is needed."""
    replay = desk.replay
    for step in (replay.availability, replay.plan, replay.dispatch, replay.settle, replay.record_status):
        step(days)
    replay.degradation(days)


def rule(desk: Desk, table: str, day: date = DAY) -> pd.DataFrame:
    rows = desk.lake.read(table, day, day)
    return rows[rows["strategy"] == RULE].reset_index(drop=True)


def whole_day(known: str, fraction: float = 0.0, kind: str = "forced") -> str:
    return f"2026-03-28T23:00Z,2026-03-29T22:00Z,{fraction},{kind},test,{known}"


# --- outages ---------------------------------------------------------------------------------------


def test_a_plan_knows_what_was_announced_at_its_gate_and_nothing_later(
    prices: Desk, plain: Desk, tmp_path: Path
) -> None:
    """The poison is an outage of the whole day announced a minute after the gate; at the gate it is the control."""
    late = with_outages(prices, tmp_path, whole_day("2026-03-28T09:51Z"))
    known = with_outages(prices, tmp_path, whole_day(GATE))
    for desk in (late, known):
        without_bound(desk, DAYS)
        assert len(desk.lake.read(AVAILABILITY, DAY, DAY)) == 1
        dispatched = rule(desk, DISPATCH)
        assert (dispatched[["charge_mw", "discharge_mw"]] == 0).all(axis=None)  # physics knows every outage
    true = rule(plain, PLAN)
    assert true["day_ahead_mw"].abs().max() > 10
    pd.testing.assert_frame_equal(rule(late, PLAN), true, check_exact=True)
    assert (rule(known, PLAN)["day_ahead_mw"] == 0).all()
    assert rule(late, DISPATCH)["forced_imbalance_mwh"].abs().sum() > 10
    assert (rule(known, DISPATCH)["imbalance_mwh"] == 0).all()
    assert late.lake.stamp(PLAN, DAY)["outages"] == ""
    assert known.lake.stamp(PLAN, DAY)["outages"] == known.lake.stamp(DISPATCH, DAY)["outages"] != ""


def test_a_derated_battery_does_what_is_left(prices: Desk, plain: Desk, tmp_path: Path) -> None:
    desk = with_outages(prices, tmp_path, whole_day("2026-03-20T00:00Z", 0.1, "planned"))
    without_bound(desk, DAYS)
    plan, full = rule(desk, PLAN), rule(plain, PLAN)
    assert plan[["charge_mw", "discharge_mw"]].max().max() == pytest.approx(5.0)
    assert (plan["charge_mw"] <= full["charge_mw"] + 1e-9).all()
    assert (rule(desk, DISPATCH)["imbalance_mwh"] == 0).all()


def test_a_changed_calendar_makes_its_days_unfinished_and_no_others(prices: Desk, tmp_path: Path) -> None:
    desk = with_outages(prices, tmp_path)
    desk.run(DAYS)
    assert desk.replay.unfinished(DAYS) == []
    assert desk.replay.planned(DAY)
    calendar = desk.settings.trading.availability_file
    assert calendar is not None
    calendar.write_text(f"{HEADER}\n{whole_day('2026-03-29T08:00Z')}\n", encoding="utf-8")
    assert desk.replay.unfinished(DAYS) == [DAY]
    assert desk.replay.planned(DAY)  # announced after the gate: the plan stands
    plan = desk.lake.content_hash(PLAN)
    desk.run([DAY])
    assert DAY not in desk.replay.unfinished(DAYS)
    assert desk.lake.content_hash(PLAN) == plan


def test_a_calendar_that_cannot_be_read_stops_the_run_with_one_sentence(prices: Desk, tmp_path: Path) -> None:
    desk = with_outages(prices, tmp_path, "today,tomorrow,0,forced,test,now")
    with pytest.raises(UserInputError, match="line 2: start_utc 'today' is no time"):
        desk.replay.availability(DAYS)
    assert not desk.lake.has(AVAILABILITY, DAY)


def test_the_bound_sees_every_outage_and_carries_its_plan_out(prices: Desk, plain: Desk, tmp_path: Path) -> None:
    """A half of the rating from 15:10, announced when it happens: the bound's products have the lowest share."""
    row = "2026-03-29T15:10Z,2026-03-29T22:00Z,0.5,forced,trip,2026-03-29T15:10Z"
    desk = with_outages(prices, tmp_path, row)
    desk.run(DAYS)
    rows = desk.lake.read(DISPATCH, DAY, DAY)
    bound = rows[rows["strategy"] == BOUND].set_index("start_utc")
    assert (bound["imbalance_mwh"] == 0).all()
    assert bound["discharge_mw"].loc["2026-03-29T15:00Z":].max() == pytest.approx(25.0)
    whole = plain.lake.read(DISPATCH, DAY, DAY)
    assert whole[whole["strategy"] == BOUND].set_index("start_utc")["discharge_mw"].loc["2026-03-29T15:00Z":].max() > 40


# --- wear ------------------------------------------------------------------------------------------


def test_the_table_of_wear_against_the_model_on_the_whole_path(plain: Desk) -> None:
    """Three days come to what one count of the whole path gives, in fade and in cost."""
    table = plain.lake.read_all(DEGRADATION)
    assert list(zip(table["efa_date"], table["strategy"], strict=True)) == [(d, s) for d in DAYS for s in STRATEGIES]
    dispatch = plain.lake.read_all(DISPATCH)
    for strategy in STRATEGIES:
        own = table[table["strategy"] == strategy]
        rows = dispatch[dispatch["strategy"] == strategy].sort_values("start_utc")
        soc = np.append(50.0, rows["energy_mwh"]) / 100.0
        cycles = count_cycles(soc, 0.5)
        cycle = float((cycle_rate(cycles.depth, cycles.c_rate) ** 2 * cycles.count * cycles.depth).sum())
        calendar = float((calendar_rate((soc[1:] + soc[:-1]) / 2, 25.0) ** 2 * 1800.0).sum())
        assert own["cycle_fade"].sum() == pytest.approx(math.sqrt(cycle))
        assert own["calendar_fade"].sum() == pytest.approx(math.sqrt(calendar))
        assert own["state_of_health"].iloc[-1] == pytest.approx(1 - math.sqrt(cycle) - math.sqrt(calendar))
        assert own["cycle_cost_gbp"].sum() == pytest.approx(30e6 * cycle / 0.2**2)
        assert own["cost_gbp"].sum() == pytest.approx(30e6 * (cycle + calendar) / 0.2**2)
        moved = (rows["charge_mw"] + rows["discharge_mw"]).sum() * 0.5
        assert own["throughput_mwh"].sum() == pytest.approx(moved)
        assert own["plan_cost_gbp"].sum() == pytest.approx(5.0 * moved)
        assert own["equivalent_cycles"].sum() == pytest.approx(rows["discharge_mw"].sum() * 0.5 / 90.0)
        assert own["max_depth"].max() == pytest.approx(cycles.depth.max())
    assert table["cycle_cost_gbp"].min() > 0


def test_wear_is_never_cash_and_each_row_needs_its_own_day_only(plain: Desk, tmp_path: Path) -> None:
    alone = plain.copy(tmp_path)
    for table in (DISPATCH, DEGRADATION):
        alone.lake.path(table, DAYS[0]).unlink()
    alone.replay.degradation([DAYS[2]])
    assert alone.lake.content_hash(DEGRADATION, [DAYS[2]]) == plain.lake.content_hash(DEGRADATION, [DAYS[2]])
    before = plain.hashes(["trading/cashflow", "risk/daily_pnl"])
    alone.replay.degradation(DAYS[1:])
    assert alone.hashes(["trading/cashflow", "risk/daily_pnl"]) == before


def test_fade_scales_the_energy_of_the_next_day_where_it_is_switched_on(
    prices: Desk, plain: Desk, tmp_path: Path
) -> None:
    """A battery that has lost 10 % before the chain starts: its window is that of the energy left."""
    worn = {"initial_calendar_fade": 0.06, "initial_cycle_fade": 0.04}
    off = with_outages(prices, tmp_path, degradation=worn)
    on = with_outages(prices, tmp_path, degradation={**worn, "fade_limits_energy": True})
    for desk in (off, on):
        without_bound(desk, DAYS)
    assert off.lake.content_hash(PLAN) == plain.lake.content_hash(PLAN)
    wear = on.lake.read_all(DEGRADATION)
    health = wear[wear["strategy"] == RULE].set_index("efa_date")["state_of_health"]
    assert (health < 0.9).all()
    assert health.is_monotonic_decreasing
    for day, left in zip(DAYS[1:], health, strict=False):
        highest, lowest = 95.0 * left, 5.0 * left
        for table in (PLAN, DISPATCH):
            energy = rule(on, table, day)["energy_mwh"]
            assert energy.max() == pytest.approx(highest)
            assert energy.min() == pytest.approx(lowest)
        assert rule(on, DISPATCH, day)["forced_imbalance_mwh"].abs().sum() < 1e-3


def test_faded_days_one_by_one_give_the_same_as_the_range(prices: Desk, tmp_path: Path) -> None:
    """The bound is left out: it holds the energy of the first day of its run."""
    wear = {"degradation": {"fade_limits_energy": True, "initial_cycle_fade": 0.05}}
    together, apart = with_outages(prices, tmp_path, **wear), with_outages(prices, tmp_path, **wear)
    without_bound(together, DAYS)
    for day in DAYS:
        without_bound(apart, [day])
    for table in (PLAN, DISPATCH, RUN_STATUS, DEGRADATION):
        assert apart.lake.content_hash(table) == together.lake.content_hash(table)
    assert together.lake.stamp(DISPATCH, DAYS[2]) == apart.lake.stamp(DISPATCH, DAYS[2])


def test_the_faded_bound_carries_out_what_it_planned(prices: Desk, tmp_path: Path) -> None:
    wear = {"degradation": {"fade_limits_energy": True, "initial_cycle_fade": 0.1}}
    desk = with_outages(prices, tmp_path, **wear)
    desk.run(DAYS)
    rows = desk.lake.read_all(DISPATCH)
    rows = rows[rows["strategy"] == BOUND]
    assert rows["energy_mwh"].max() == pytest.approx(95.0 * 0.9)
    assert rows["forced_imbalance_mwh"].abs().max() == 0.0
    assert set(desk.statuses(DAYS).values()) == {("complete", "")}
    assert float(desk.lake.stamp(FORESIGHT, DAYS[2])[f"capacity.{BOUND}"]) == pytest.approx(90.0)


def test_a_dispatch_without_its_wear_is_refused_in_one_sentence(plain: Desk, tmp_path: Path) -> None:
    desk = plain.copy(tmp_path)
    desk.lake.write(DISPATCH, DAY, desk.lake.read(DISPATCH, DAY, DAY), {})
    with pytest.raises(UserInputError, match="trading/dispatch of 2026-03-29 was made before wear was carried along"):
        desk.replay.degradation([DAY])


def test_an_idle_refused_day_still_ages_with_time(plain: Desk, tmp_path: Path) -> None:
    desk = plain.copy(tmp_path)
    late = DAYS[-1] + timedelta(days=1)
    desk.replay.dispatch([late])  # never planned: the battery idles
    desk.replay.degradation([late])
    row = desk.lake.read(DEGRADATION, late, late).set_index("strategy").loc[RULE]
    assert (row["throughput_mwh"], row["cycle_fade"], row["cycle_cost_gbp"]) == (0.0, 0.0, 0.0)
    assert row["calendar_fade"] > 0
