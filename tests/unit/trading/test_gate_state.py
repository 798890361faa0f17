"""The state that a plan opens with: against the dispatch and the contracts, chunk by chunk, and blind to the future."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from gate_cases import DAY
from market_desk import MarketDesk, planned_desk, unplanned_desk
from plan_desk import LAST, NEXT, without_day
from poisoned_lake import poison

from bess_pipeline import gb_time
from bess_pipeline.market_tables import MARKET_DISPATCH
from bess_pipeline.trading import timeline
from bess_pipeline.trading.co_optimised_days import MADE_TABLES
from bess_pipeline.trading.co_optimised_names import CO_OPTIMISED, ENERGY_ONLY, PLANNED_GATES
from bess_pipeline.trading.plan_status import opening_energy_mwh, plan_status
from bess_pipeline.trading_tables import CO_OPTIMISED_PLAN, ORDERS

THREE = (DAY, NEXT, LAST)
GATES = (("day_ahead", "09:50"), ("response", "14:00"))
AS_CONTRACTED = {"co_optimisation": {"imbalance_limit_mw": 0.0}, "intraday": {"enabled": False}}


@pytest.fixture(scope="module")
def chained(tmp_path_factory: pytest.TempPathFactory) -> MarketDesk:
    """Three days planned in one go, then dispatched; read-only."""
    desk = unplanned_desk(tmp_path_factory.mktemp("chained"), THREE)
    desk.plan(*THREE)
    desk.market.dispatch(THREE, again=False)
    return desk


@pytest.fixture
def contracted(tmp_path: Path) -> MarketDesk:
    """Two days planned whose dispatch is what is contracted, so that what happens early is seen at the end."""
    return planned_desk(tmp_path, **AS_CONTRACTED)


@pytest.fixture
def desk(chained: MarketDesk, tmp_path: Path) -> MarketDesk:
    """A copy to change."""
    return chained.copy(tmp_path)


def openings(desk: MarketDesk, day: object = NEXT) -> dict[tuple[str, str], float | None]:
    return {(one, gate): opening_energy_mwh(desk.lake, day, one, gate) for one, gate in PLANNED_GATES}  # type: ignore[arg-type]


def without_a_sale(desk: MarketDesk, strategy: str) -> None:
    """The first sale of DAY is accepted no longer, so that it does not go as planned."""
    orders, stamp = desk.lake.read(ORDERS, DAY, DAY), desk.lake.stamp(ORDERS, DAY)
    sold = (orders["strategy"] == strategy) & (orders["market"] == "day_ahead") & (orders["accepted_mw"] > 0)
    orders.loc[orders.index[sold][:1], "accepted_mw"] = 0.0
    desk.lake.write(ORDERS, DAY, orders, stamp)


def measured_mwh(desk: MarketDesk, strategy: str, at: str) -> float:
    """The state of DAY's dispatch at this London time of its own date."""
    rows = desk.rows(DAY, strategy)
    ends = rows["start_utc"] + gb_time.HALF_HOUR
    last = ends <= pd.Timestamp(f"{DAY}T{at}", tz="Europe/London").tz_convert("UTC")
    return float(rows.loc[last, "energy_mwh"].iloc[-1])


# --- against an oracle ------------------------------------------------------------------------------------------


def test_without_imbalance_and_trades_it_is_the_measured_state_with_the_rest_of_the_contract(tmp_path: Path) -> None:
    """By hand: 09:30 is the last half-hour of the state that the decision at 09:30 measures."""
    desk = planned_desk(tmp_path, **AS_CONTRACTED)
    without_a_sale(desk, ENERGY_ONLY)
    desk.plan(NEXT, again=True)
    desk.market.dispatch([DAY])
    battery, rows = desk.replay.battery, desk.rows(DAY, ENERGY_ONLY)
    rest = rows[rows["start_utc"] >= pd.Timestamp(f"{DAY}T09:30", tz="Europe/London").tz_convert("UTC")]
    state = measured_mwh(desk, ENERGY_ONLY, "09:30")
    for contracted in rest["contracted_mwh"]:
        gain = -contracted * battery.charge_efficiency if contracted < 0 else -contracted / battery.discharge_efficiency
        kept = 1.0 - battery.self_discharge_per_hour * gb_time.HALF_HOUR_H
        state = kept * state + gain - battery.auxiliary_mw * gb_time.HALF_HOUR_H
    assert rest["contracted_mwh"].abs().sum() > 0
    assert openings(desk)[ENERGY_ONLY, "day_ahead"] == pytest.approx(state, abs=1e-6)
    assert state != pytest.approx(float(desk.lake.stamp(CO_OPTIMISED_PLAN, DAY)[f"closing.{ENERGY_ONLY}"]), abs=1e-3)


def test_it_is_near_what_the_day_ends_with(chained: MarketDesk) -> None:
    found = openings(chained)
    for strategy, gate in PLANNED_GATES:
        close = chained.rows(DAY, strategy)["energy_mwh"].iloc[-1]
        assert found[strategy, gate] == pytest.approx(close, abs=10.0)


@pytest.mark.parametrize("dispatched_between", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_days_in_one_go_are_planned_as_one_after_the_other(
    chained: MarketDesk, tmp_path: Path, dispatched_between: bool
) -> None:
    """Each opens with days that were dispatched before, or are now: a long range is planned in runs of some days."""
    one_by_one = unplanned_desk(tmp_path, THREE)
    for day in THREE:
        one_by_one.plan(day)
        if dispatched_between and day != DAY:
            one_by_one.market.dispatch([day - timedelta(days=1)])
    one_by_one.market.dispatch(THREE, again=False)
    tables = (*MADE_TABLES, MARKET_DISPATCH)
    assert one_by_one.hashes(tables) == chained.hashes(tables)
    for day in THREE:
        assert one_by_one.lake.stamp(CO_OPTIMISED_PLAN, day) == chained.lake.stamp(CO_OPTIMISED_PLAN, day)


def test_a_state_is_asked_for_in_any_order(chained: MarketDesk) -> None:
    states = chained.plans.states
    for day in (NEXT, LAST, NEXT):
        assert (
            states.opening(day, "co_optimised", "day_ahead").energy_mwh
            == openings(chained, day)["co_optimised", "day_ahead"]
        )


# --- what stands ------------------------------------------------------------------------------------------------


def test_plans_stand_once_their_days_are_dispatched(chained: MarketDesk) -> None:
    assert chained.plans.unfinished(THREE) == []
    assert chained.market.unfinished(THREE) == []
    notes = [plan_status(chained.lake, day, *key).notes for day in THREE for key in PLANNED_GATES]
    assert not any("opens as the plan" in note for found in notes for note in found)


def test_what_the_day_before_has_sold_is_what_a_plan_stands_on(desk: MarketDesk) -> None:
    stamp = desk.lake.stamp(CO_OPTIMISED_PLAN, DAY)
    rows = {table: desk.lake.read(table, DAY, DAY) for table in MADE_TABLES}
    for table in MADE_TABLES:
        desk.lake.write(table, DAY, rows[table], stamp | {"results": "revised"})  # and cleared as before
    assert desk.plans.states.holds(NEXT, "co_optimised", "day_ahead", state_of(desk))
    for table in MADE_TABLES:
        desk.lake.write(table, DAY, rows[table], stamp | {"accepted.co_optimised": "less"})
    assert not desk.plans.states.holds(NEXT, "co_optimised", "day_ahead", state_of(desk))
    assert desk.plans.unfinished([NEXT]) == [NEXT]


def state_of(desk: MarketDesk) -> str:
    return desk.lake.stamp(CO_OPTIMISED_PLAN, NEXT)["state.co_optimised.day_ahead"]


def test_where_the_day_before_cannot_be_dispatched_its_plan_counts_as_carried_out(tmp_path: Path) -> None:
    desk = unplanned_desk(tmp_path, THREE)
    desk.plan(DAY)
    prices = {day: desk.lake.read("market/day_ahead_price", day, day) for day in (DAY - timedelta(days=1), DAY)}
    without_day(desk.lake, "market/day_ahead_price", DAY)
    desk.plan(DAY)
    desk.plan(NEXT)
    planned = desk.lake.stamp(CO_OPTIMISED_PLAN, DAY)
    for strategy, gate in PLANNED_GATES:
        assert opening_energy_mwh(desk.lake, NEXT, strategy, gate) == float(planned[f"closing.{strategy}"])
        (note,) = (one for one in plan_status(desk.lake, NEXT, strategy, gate).notes if "opens as the plan" in one)
        assert f"what {DAY} did by the gate is not known" in note
        assert re.search(r"the day-ahead result of \d\d of 48 half-hours of 2026-02-11 is missing", note)
    assert desk.plans.unfinished([NEXT]) == []
    for day, rows in prices.items():
        desk.lake.write("market/day_ahead_price", day, rows)
    desk.plan(DAY)
    desk.market.dispatch([DAY])
    assert desk.plans.unfinished([NEXT]) == [NEXT]  # by now it is known
    desk.plan(NEXT)
    assert openings(desk)["co_optimised", "response"] != float(planned["closing.co_optimised"])


def test_a_provisional_plan_opens_with_what_is_known_so_far(chained: MarketDesk, tmp_path: Path) -> None:
    """Of the day before it, and before that begins of its plan."""
    for at, as_planned in ((f"{NEXT}T08:00+00:00", False), (f"{DAY}T12:00+00:00", True)):
        early = chained.copy(tmp_path / at[:10])
        early.set_now(at)
        early.plan(LAST, again=True)
        status = plan_status(early.lake, LAST, "co_optimised", "response")
        assert status.status == "provisional"
        assert any(f"nothing of EFA day {NEXT} is decided by" in note for note in status.notes) == as_planned
        close = float(early.lake.stamp(CO_OPTIMISED_PLAN, NEXT)["closing.co_optimised"])
        assert (openings(early, LAST)["co_optimised", "response"] == close) == as_planned


# --- the future -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("gate", "at"), GATES)
def test_a_gate_knows_nothing_that_came_out_after_it(desk: MarketDesk, gate: str, at: str) -> None:
    """Of state and decision; prices of DAY that came out before it do move the state."""
    keys = [key for key in PLANNED_GATES if key[1] == gate]
    before, plans = openings(desk), {key: desk.read(CO_OPTIMISED_PLAN, NEXT, *key) for key in keys}
    orders = {key: desk.read(ORDERS, NEXT, *key)["offered_mw"].tolist() for key in keys}
    instant = datetime.fromisoformat(f"{DAY}T{at}+00:00")  # London is on UTC in February
    assert timeline.gate_utc(NEXT, gate) == instant  # type: ignore[arg-type]
    assert poison(desk.lake, instant, DAY - timedelta(days=1), LAST) > 0
    desk.plan(NEXT, again=True)
    for key in keys:
        assert openings(desk)[key] == before[key]
        pd.testing.assert_frame_equal(desk.read(CO_OPTIMISED_PLAN, NEXT, *key), plans[key])
        assert desk.read(ORDERS, NEXT, *key)["offered_mw"].tolist() == orders[key]


def test_a_gate_knows_of_a_trip_before_it(contracted: MarketDesk) -> None:
    """Between the two gates of NEXT the battery is out of service: the second one opens otherwise, and it alone."""
    desk = contracted
    before, path = openings(desk), desk.root / "outages.csv"
    path.write_text(
        "start_utc,end_utc,available_fraction,kind,reason,known_utc\n"
        f"{DAY}T10:00Z,{DAY}T13:00Z,0,forced,a trip,{DAY}T10:00Z\n"
    )
    desk.changes = {**desk.changes, "trading": {"availability_file": path}}
    desk.replay.availability([DAY])
    assert desk.plans.unfinished([DAY, NEXT]) == [NEXT]
    desk.plan(NEXT)
    after = openings(desk)
    assert {key for key in before if after[key] != before[key]} == {(one, "response") for one in CO_OPTIMISED}
    assert desk.plans.unfinished([DAY, NEXT]) == []


def test_a_gate_does_know_what_the_day_before_has_sold(contracted: MarketDesk) -> None:
    desk, before = contracted, openings(contracted)
    without_a_sale(desk, "co_optimised")
    desk.plan(NEXT, again=True)
    after = openings(desk)
    assert {key for key in before if after[key] != before[key]} == {
        ("co_optimised", gate) for gate in ("day_ahead", "response")
    }
