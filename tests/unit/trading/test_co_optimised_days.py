"""Plans of all markets carried through a small lake: what is decided when, what is left alone, and what is said."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from gate_cases import DAY, scenario_set
from plan_desk import (
    AUCTIONS,
    FEW,
    LAST,
    NEXT,
    PRICES,
    PlanDesk,
    without_day,
    write_market,
    write_scenarios,
    write_sets,
)
from trading_frames import system_price

from bess_pipeline import gb_time, schemas
from bess_pipeline.ancillary.products import PRODUCT_TABLE
from bess_pipeline.forecast_tables import JUDGEMENT, PATHS
from bess_pipeline.lake import Lake
from bess_pipeline.trading import gate_plan
from bess_pipeline.trading.co_optimised_days import MADE_TABLES
from bess_pipeline.trading.co_optimised_frontier import NO_WEEKDAY
from bess_pipeline.trading.co_optimised_names import CO_OPTIMISED, ENERGY_ONLY, PLANNED_GATES, RISK_NEUTRAL
from bess_pipeline.trading.gate_plan import GatePlan, GatePlanner
from bess_pipeline.trading.gate_state import DISABLED
from bess_pipeline.trading_tables import (
    CO_OPTIMISED_PLAN,
    EXPLANATION,
    FRONTIER,
    INFORMATION_VALUE,
    ORDERS,
    PLAN_OUTCOME,
    PLAN_VALUE,
    SENSITIVITY,
)

DECIDED = (CO_OPTIMISED_PLAN, EXPLANATION, PLAN_VALUE, PLAN_OUTCOME, INFORMATION_VALUE)
OFFERS = ["market", "product", "start_utc", "step", "limit_price", "offered_mw"]


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> PlanDesk:
    """Two days planned, of the third nothing but scenarios; read-only."""
    desk = PlanDesk(tmp_path_factory.mktemp("planned"))
    write_market(desk.lake)
    for day in (DAY, NEXT):
        write_scenarios(desk.lake, day)
    assert desk.plans.unfinished([NEXT, DAY]) == [DAY, NEXT]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GatePlanner, "plan", recorded)
        assert {one.status for one in desk.plan(DAY, NEXT)} == {"complete"}
    return desk


MADE: dict[tuple[object, ...], GatePlan] = {}
DECIDE = GatePlanner.plan


def recorded(planner: GatePlanner, *gate: Any) -> GatePlan:
    """A gate's plan, which is kept by day, strategy and gate."""
    return MADE.setdefault(gate[:3], DECIDE(planner, *gate))


@pytest.fixture
def remembered(planned: PlanDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gates that are decided anew from the same are not solved again."""
    monkeypatch.setattr(GatePlanner, "plan", lambda _, *gate: MADE[gate[:3]])


@pytest.fixture
def desk(planned: PlanDesk, tmp_path: Path) -> PlanDesk:
    """A copy to change."""
    return planned.copy(tmp_path)


def offers(desk: PlanDesk, day: date) -> pd.DataFrame:
    """Orders without their results."""
    return desk.lake.read(ORDERS, day, day)[["strategy", "gate", *OFFERS]]


# --- the chain of days -----------------------------------------------------------------------------------------


def test_a_day_opens_with_what_the_day_before_is_expected_to_end_with(planned: PlanDesk) -> None:
    for strategy in CO_OPTIMISED:
        ends = planned.read(CO_OPTIMISED_PLAN, DAY, strategy, "response")["energy_mwh"].iloc[-1]
        assert planned.plans.states.opening(NEXT, strategy, "day_ahead").energy_mwh == ends
        assert planned.plans.states.opening(DAY, strategy, "day_ahead").energy_mwh == 50.0
        first = planned.read(CO_OPTIMISED_PLAN, NEXT, strategy, "day_ahead").iloc[0]
        battery = planned.plans.condition.new_battery
        moved = 0.5 * (battery.charge_efficiency * first["charge_mw"])
        moved -= 0.5 * first["discharge_mw"] / battery.discharge_efficiency
        low, high = (PRODUCT_TABLE[code].assumed_throughput_mwh_per_mw_day for code in ("DCL", "DRH"))
        delivered = (high * battery.charge_efficiency * first["drh_mw"]) / 48  # spread over the day
        delivered -= low * first["dcl_mw"] / battery.discharge_efficiency / 48
        assert first["energy_mwh"] == pytest.approx(ends + moved + delivered, abs=1e-5)


def test_all_tables_of_a_day_hold_the_gates_of_all_strategies(planned: PlanDesk) -> None:
    gates = {(strategy, gate) for strategy in CO_OPTIMISED for gate in ("day_ahead", "response")}
    gates.add((ENERGY_ONLY, "day_ahead"))
    assert gates == set(PLANNED_GATES)
    for table in (CO_OPTIMISED_PLAN, ORDERS, EXPLANATION, PLAN_VALUE):
        rows = planned.lake.read(table, DAY, NEXT)
        assert set(rows[["efa_date", "strategy", "gate"]].itertuples(index=False, name=None)) == {
            (day, *key) for day in (DAY, NEXT) for key in gates
        }
    plan, orders = (planned.lake.read(table, DAY, DAY) for table in (CO_OPTIMISED_PLAN, ORDERS))
    assert len(plan) == 5 * 48
    assert set(orders[orders["gate"] == "day_ahead"]["market"]) == {"day_ahead"}
    assert set(orders[orders["gate"] == "response"]["market"]) == {"response"}
    assert planned.lake.read(PLAN_VALUE, DAY, DAY)["fresh_scenarios"].tolist() == [4, 0, 4, 0, 4]
    judged = planned.lake.read(PLAN_OUTCOME, DAY, DAY).groupby(["strategy", "gate"])
    assert {key: len(rows) for key, rows in judged} == {(name, "day_ahead"): 4 for name in (*CO_OPTIMISED, ENERGY_ONLY)}
    assert judged["probability"].sum().tolist() == pytest.approx([1.0] * 3)


def test_at_the_response_gate_stands_what_the_day_ahead_auction_accepted(planned: PlanDesk) -> None:
    for strategy in CO_OPTIMISED:
        orders = planned.read(ORDERS, DAY, strategy).set_index("start_utc")
        plan = planned.read(CO_OPTIMISED_PLAN, DAY, strategy, "response").set_index("start_utc")
        refused = 0
        for start, order in orders.iterrows():
            price = order["clearing_price"]
            reached = price >= order["limit_price"] if order["offered_mw"] > 0 else price <= order["limit_price"]
            assert order["accepted_mw"] == (order["offered_mw"] if reached else 0.0)
            assert plan.loc[start, "day_ahead_mw"] == order["accepted_mw"]
            refused += not reached
        assert 0 < refused < len(orders)


def test_a_day_without_scenarios_is_idle_and_says_so(desk: PlanDesk) -> None:
    desk.lake.write(PATHS, LAST, schemas.empty_frame(PATHS), {"reason.day_ahead": "too few days of history"})
    found = {(one.strategy, one.gate): one for one in desk.plan(LAST)}
    assert {one.status for one in found.values()} == {"refused"}
    why = found[RISK_NEUTRAL, "day_ahead"].reason
    assert why == f"there are no scenarios of the day_ahead gate of {LAST}: too few days of history"
    assert found[RISK_NEUTRAL, "response"].reason.endswith(f"response gate of {LAST}: none were made")
    assert str(found[RISK_NEUTRAL, "day_ahead"]) == f"{LAST}  co_optimised  day_ahead  refused: {why}"
    assert all(desk.lake.read(table, LAST, LAST).empty for table in MADE_TABLES)
    after = LAST + timedelta(days=1)
    for strategy in CO_OPTIMISED:
        opening = desk.plans.states.opening(LAST, strategy, "day_ahead").energy_mwh
        assert desk.plans.states.opening(after, strategy, "day_ahead").energy_mwh == opening != 50.0
    assert desk.plans.unfinished([DAY, NEXT, LAST]) == []


def test_a_gate_whose_day_ahead_gate_was_refused_stays_refused(desk: PlanDesk) -> None:
    """Also where the refusal was stored by an earlier run."""
    response = scenario_set(LAST, FEW, 2, gate="response")
    write_sets(desk.lake, LAST, [response], {"reason.day_ahead": "nothing was known"})
    before = desk.plan(LAST)
    write_sets(desk.lake, LAST, [response], {"reason.day_ahead": "nothing was known", "inputs.response": "newer"})
    assert desk.plans.unfinished([LAST]) == [LAST]
    for statuses in (before, desk.plan(LAST)):
        reasons = [one.reason for one in statuses if one.gate == "response"]
        assert reasons == ["there is no plan of the day-ahead gate to go on from"] * 2
    assert desk.lake.read(CO_OPTIMISED_PLAN, LAST, LAST).empty


def test_a_day_after_a_gap_is_refused_and_so_is_the_one_after_it(desk: PlanDesk) -> None:
    gap = [LAST + timedelta(days=1), LAST + timedelta(days=2)]
    for day in gap:
        statuses = desk.plan(day)
        before = day - timedelta(days=1)
        why = f"the day before it, {before}, has no plan: run that day first, or make {day} a chain start"
        assert {one.reason for one in statuses} == {why}
        assert desk.plans.states.opening(day, RISK_NEUTRAL, "day_ahead").energy_mwh is None


def test_a_chain_starts_where_it_is_declared_or_set(desk: PlanDesk, planned: PlanDesk, tmp_path: Path) -> None:
    day = LAST + timedelta(days=1)
    assert desk.plans.states.opening(day, RISK_NEUTRAL, "day_ahead").energy_mwh is None
    desk.declared = [day, NEXT]
    assert desk.plans.states.opening(day, RISK_NEUTRAL, "day_ahead").energy_mwh == 50.0
    assert (
        desk.plans.states.opening(NEXT, RISK_NEUTRAL, "day_ahead").energy_mwh != 50.0
    )  # the day before it has a plan by now
    fixed = planned.copy(tmp_path / "set", trading={"chain_starts": (NEXT,)})
    assert fixed.plans.states.opening(NEXT, RISK_NEUTRAL, "day_ahead").energy_mwh == 50.0
    earlier = DAY - timedelta(days=5)  # before all that is planned
    assert desk.plans.states.opening(earlier, RISK_NEUTRAL, "day_ahead").energy_mwh == 50.0


def test_the_strategies_can_be_switched_off(planned: PlanDesk, tmp_path: Path) -> None:
    desk = planned.copy(tmp_path, co_optimisation={"enabled": False})
    assert {one.reason for one in desk.plan(DAY)} == {DISABLED}
    assert desk.lake.read(CO_OPTIMISED_PLAN, DAY, DAY).empty


# --- what is decided anew and what is left alone ------------------------------------------------------------------


def test_closed_gates_are_decided_once(desk: PlanDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert desk.plans.unfinished([DAY, NEXT]) == []
    before = desk.contents()

    def refused(*_: object) -> None:
        raise AssertionError("a gate that stands is decided anew")

    monkeypatch.setattr(gate_plan, "decide", refused)
    assert {one.status for one in desk.plan(DAY, NEXT)} == {"complete"}
    assert desk.contents() == before


def test_a_forced_run_makes_the_same_bytes(desk: PlanDesk) -> None:
    before = desk.contents()
    desk.plan(DAY, again=True)
    assert desk.contents() == before


@pytest.mark.slow
def test_strategies_that_processes_decide_beside_one_another_make_the_same_bytes(
    planned: PlanDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = planned.copy(tmp_path, trading={"workers": 2})
    before = desk.contents()
    monkeypatch.setattr(GatePlanner, "plan", not_here)
    for table in MADE_TABLES:
        desk.lake.path(table, NEXT).unlink()
    assert {one.status for one in desk.plan(DAY, NEXT)} == {"complete"}
    desk.plan(DAY, again=True)
    assert desk.contents() == before


def not_here(*_: object) -> GatePlan:
    raise AssertionError("another process decides")


def test_an_open_gate_is_decided_again_once_it_has_closed(desk: PlanDesk) -> None:
    write_scenarios(desk.lake, LAST)
    without_day(desk.lake, PRICES, LAST)
    desk.set_now("2026-02-12T09:00+00:00")
    found = [(one.gate, one.status) for one in desk.plan(LAST) if one.strategy == RISK_NEUTRAL]
    assert found == [("day_ahead", "provisional"), ("response", "provisional")]
    assert "closed at 2026-02-12T09:50Z" in desk.plans.status(LAST, RISK_NEUTRAL, "day_ahead").reason
    assert desk.plans.unfinished([LAST]) == []
    desk.set_now("2026-02-12T09:50+00:00")
    assert desk.plans.unfinished([LAST]) == [LAST]
    write_scenarios(desk.lake, LAST, seed=7, stamp="as known when it closed")
    provisional = desk.hashes(days=[LAST])
    found = [(one.gate, one.status) for one in desk.plan(LAST) if one.strategy == RISK_NEUTRAL]
    assert found == [("day_ahead", "complete"), ("response", "provisional")]
    assert desk.hashes(days=[LAST])[ORDERS] != provisional[ORDERS]
    assert desk.plans.unfinished([LAST]) == []


def test_a_new_day_ahead_plan_makes_a_new_response_plan(desk: PlanDesk) -> None:
    """What was sold is given there: scenarios of the day-ahead gate alone are others."""
    before = desk.read(CO_OPTIMISED_PLAN, NEXT, gate="response")
    stamp = desk.lake.stamp(PATHS, NEXT)
    sets = [scenario_set(NEXT, FEW, 50), scenario_set(NEXT, FEW, 2, gate="response")]
    write_sets(desk.lake, NEXT, sets, stamp | {"inputs.day_ahead": "others"})
    assert desk.plans.unfinished([DAY, NEXT]) == [NEXT]
    desk.plan(NEXT)
    after = desk.read(CO_OPTIMISED_PLAN, NEXT, gate="response").set_index("start_utc")
    orders = desk.read(ORDERS, NEXT).set_index("start_utc")
    assert after["day_ahead_mw"].tolist() != before["day_ahead_mw"].tolist()
    assert after.loc[orders.index, "day_ahead_mw"].tolist() == orders["accepted_mw"].tolist()


@pytest.mark.usefixtures("remembered")
def test_the_day_after_a_day_that_is_decided_anew_is_looked_at_again(desk: PlanDesk) -> None:
    desk.lake.write(PATHS, DAY, desk.lake.read(PATHS, DAY, DAY), desk.lake.stamp(PATHS, DAY) | {"settings": "others"})
    assert desk.plans.unfinished([DAY, NEXT, LAST]) == [DAY, NEXT, LAST]
    before = desk.hashes()
    desk.plan(DAY, NEXT)
    assert desk.hashes() == before  # the same scenarios: the same plans
    assert desk.plans.unfinished([DAY, NEXT]) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"ancillary": {"volume_cap_share": 0.05}},
        {"co_optimisation": {"risk_aversion": 0.9}},
        {"battery": {"power_mw": 49.0}},
        {"trading": {"history_days": 9}},
        {"scenarios": {"count": 60}},
    ],
    ids=lambda one: next(iter(one)),
)
def test_other_settings_make_days_unfinished(planned: PlanDesk, changes: dict[str, Any]) -> None:
    other = PlanDesk(planned.root, changes)
    assert other.plans.unfinished([DAY, NEXT]) == [DAY, NEXT]
    assert PlanDesk(planned.root, {"sources": {"max_attempts": 2}}).plans.unfinished([DAY, NEXT]) == []


def test_an_outage_announced_before_the_gate_makes_a_day_unfinished(planned: PlanDesk, tmp_path: Path) -> None:
    """One of the day after it as well, at which the plan looks too; one announced later does not."""

    def left(start: str, known: str) -> list[date]:
        calendar = tmp_path / "outages.csv"
        calendar.write_text(
            "start_utc,end_utc,kind,reason,known_utc,available_fraction\n"
            f"{start}T10:00:00Z,{start}T14:00:00Z,planned,inverter,{known},0.5\n"
        )
        return PlanDesk(planned.root, {"trading": {"availability_file": calendar}}).plans.unfinished([DAY, NEXT])

    assert left(f"{NEXT}", "2026-02-11T10:30:00Z") == [NEXT]  # between the gates of the second day
    assert left(f"{NEXT}", "2026-02-11T15:00:00Z") == []
    assert left(f"{LAST}", "2026-02-01T00:00:00Z") == [NEXT]


# --- results ---------------------------------------------------------------------------------------------------


def test_orders_are_cleared_as_results_come_in(planned: PlanDesk, desk: PlanDesk) -> None:
    after = planned.hashes()
    without_day(desk.lake, AUCTIONS, DAY)
    assert desk.plans.unfinished([DAY]) == [DAY]
    desk.plan(DAY)
    response = desk.read(ORDERS, DAY, gate="response")
    assert response[["clearing_price", "accepted_mw"]].isna().all(axis=None)
    assert desk.read(ORDERS, DAY)["accepted_mw"].notna().all()
    assert desk.hashes(DECIDED) == {table: after[table] for table in DECIDED}
    write_market(desk.lake)
    assert DAY in desk.plans.unfinished([DAY])
    desk.plan(DAY)
    assert desk.hashes() == after
    assert (desk.read(ORDERS, DAY, gate="response")["accepted_mw"] > 0).any()


@pytest.mark.parametrize(
    ("table", "column"), [(PRICES, "day_ahead_price_gbp_mwh"), (AUCTIONS, "clearing_price_gbp_mw_h")]
)
def test_a_revision_after_the_gate_changes_results_alone(desk: PlanDesk, table: str, column: str) -> None:
    before, offered = desk.hashes(), offers(desk, NEXT)
    for day in (NEXT, LAST):
        rows = desk.lake.read(table, day, day)
        desk.lake.write(table, day, rows.assign(**{column: rows[column] - 60.0}))
    assert desk.plans.unfinished([DAY, NEXT]) == [NEXT]
    desk.plan(DAY, NEXT)
    after = desk.hashes()
    assert {name for name in MADE_TABLES if after[name] != before[name]} == {ORDERS}
    pd.testing.assert_frame_equal(offers(desk, NEXT), offered)
    assert desk.plans.unfinished([DAY, NEXT]) == []


def test_without_a_day_ahead_result_offers_are_taken_as_accepted_until_it_is_there(desk: PlanDesk) -> None:
    """A within-day index stands in: it is known only in delivery."""
    before = desk.hashes(days=[NEXT])
    for day in (DAY, NEXT, LAST):
        rows = desk.lake.read(PRICES, day, day)
        desk.lake.write(PRICES, day, rows.assign(source="elexon_mid", native_resolution_minutes=30))
    assert desk.plans.unfinished([NEXT]) == [NEXT]
    statuses = {(one.strategy, one.gate): one for one in desk.plan(NEXT)}
    assert statuses[RISK_NEUTRAL, "response"].notes[0] == gate_plan.RESULT_NOT_KNOWN
    assert gate_plan.RESULT_NOT_KNOWN not in statuses[RISK_NEUTRAL, "day_ahead"].notes
    orders = desk.read(ORDERS, NEXT).set_index("start_utc")
    plan = desk.read(CO_OPTIMISED_PLAN, NEXT, gate="response").set_index("start_utc")
    assert plan.loc[orders.index, "day_ahead_mw"].tolist() == orders["offered_mw"].tolist()
    assert orders["accepted_mw"].tolist() == orders["offered_mw"].tolist()  # once the index has come out
    write_market(desk.lake)
    assert desk.plans.unfinished([NEXT]) == [NEXT]
    desk.plan(NEXT)
    assert desk.hashes(days=[NEXT]) == before


# --- what a gate knows -----------------------------------------------------------------------------------------


def absurd(desk: PlanDesk, prices_from: date) -> None:
    """Everything that is not known at a gate of the second day, prices of trading days from `prices_from` on."""
    start = pd.Timestamp(gb_time.efa_day_bounds_utc(prices_from)[0])
    for day in (DAY, NEXT, LAST):
        rows = desk.lake.read(PRICES, day, day)
        known = rows["day_ahead_price_gbp_mwh"].where(rows["start_utc"] < start, 4999.0)
        desk.lake.write(PRICES, day, rows.assign(day_ahead_price_gbp_mwh=known))
        rows = desk.lake.read(AUCTIONS, day, day)
        later = rows["efa_date"] >= NEXT
        for column, value in (("clearing_price_gbp_mw_h", 888.0), ("cleared_volume_mw", 1.0)):
            rows[column] = rows[column].mask(later, value)
        desk.lake.write(AUCTIONS, day, rows)
        starts = gb_time.settlement_half_hours(day)
        energy = pd.DataFrame({"product": "DRH", "start_utc": starts, "energy_mwh_per_mw": 0.49, "coverage": 1.0})
        desk.lake.write("market/response_energy", day, energy.assign(basis="measured"))
    for day, rows in system_price(NEXT, LAST, 4999.0).groupby("settlement_date"):
        desk.lake.write("market/system_price", day, rows)


def decisions(desk: PlanDesk, gate: str) -> list[pd.DataFrame]:
    """Plans, explanations, values and offers of the second day at a gate, all that is not a result."""
    tables = (*DECIDED, ORDERS)
    rows = [desk.lake.read(table, NEXT, NEXT) for table in tables]
    own = [frame[frame["gate"] == gate].reset_index(drop=True) for frame in rows]
    return [frame.drop(columns=["clearing_price", "accepted_mw"], errors="ignore") for frame in own]


def same(one: list[pd.DataFrame], other: list[pd.DataFrame]) -> bool:
    return all(left.equals(right) for left, right in zip(one, other, strict=True))


def test_nothing_that_comes_after_a_gate_changes_what_is_decided_at_it(desk: PlanDesk, tmp_path: Path) -> None:
    before = {gate: decisions(desk, gate) for gate in ("day_ahead", "response")}
    at_day_ahead = desk.copy(tmp_path / "day_ahead")
    absurd(at_day_ahead, NEXT)
    at_day_ahead.plan(NEXT, again=True)
    assert same(decisions(at_day_ahead, "day_ahead"), before["day_ahead"])
    assert (at_day_ahead.read(ORDERS, NEXT)["clearing_price"] == 4999.0).all()  # the control: it is there
    assert not same(decisions(at_day_ahead, "response"), before["response"])  # where the day-ahead result is known
    absurd(desk, LAST)
    desk.plan(NEXT, again=True)
    assert same(decisions(desk, "response"), before["response"])
    assert (desk.read(ORDERS, NEXT, gate="response")["clearing_price"] == 888.0).all()


@pytest.mark.parametrize("table", [AUCTIONS, PATHS])
def test_what_came_before_a_gate_does(desk: PlanDesk, table: str) -> None:
    """The control: an auction of the day before, and one value of one scenario."""
    before = decisions(desk, "day_ahead")
    day = DAY if table == AUCTIONS else NEXT
    rows = desk.lake.read(table, day, day)
    if table == AUCTIONS:
        rows["cleared_volume_mw"] = rows["cleared_volume_mw"].mask(rows["efa_date"] == DAY, 0.0)
    else:
        one = rows.index[(rows["gate"] == "day_ahead") & (rows["stream"] == "day_ahead")][18]
        rows.loc[one, "value"] += 500.0
    desk.lake.write(table, day, rows, desk.lake.stamp(table, day))
    desk.plan(NEXT, again=True)
    assert not same(decisions(desk, "day_ahead"), before)


# --- a stop ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", [ORDERS, PLAN_VALUE, PLAN_OUTCOME, CO_OPTIMISED_PLAN])
@pytest.mark.usefixtures("remembered")
def test_a_stop_between_the_tables_of_a_day_costs_nothing(
    desk: PlanDesk, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan is written last; a day with tables of two runs is made whole."""
    assert MADE_TABLES[-1] == CO_OPTIMISED_PLAN
    before, write = desk.hashes(), Lake.write
    desk.lake.write(PATHS, NEXT, desk.lake.read(PATHS, NEXT, NEXT), desk.lake.stamp(PATHS, NEXT) | {"settings": "new"})

    def stopped(lake: Lake, name: str, *rest: object) -> object:
        if name == table:
            raise KeyboardInterrupt
        return write(lake, name, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Lake, "write", stopped)
        with pytest.raises(KeyboardInterrupt):
            desk.plan(NEXT)
    desk.lake.path(table, NEXT).unlink()
    assert desk.plans.unfinished([DAY, NEXT]) == [NEXT]
    desk.plan(NEXT)
    assert desk.hashes() == before
    assert desk.plans.unfinished([DAY, NEXT]) == []


# --- the frontier ----------------------------------------------------------------------------------------------


def test_a_frontier_is_made_on_its_weekday_and_says_why_not_on_others(planned: PlanDesk, tmp_path: Path) -> None:
    settings = {"co_optimisation": {"frontier_weekdays": (DAY.isoweekday(),)}}
    desk = planned.copy(tmp_path, **settings)
    desk.lake.write(JUDGEMENT, DAY, desk.lake.read(JUDGEMENT, DAY, DAY), {})
    assert desk.frontiers.unfinished([DAY, NEXT]) == [DAY, NEXT]
    assert desk.frontiers.make([DAY, NEXT]) == {}
    rows = desk.lake.read(FRONTIER, DAY, NEXT)
    assert rows["risk_aversion"].tolist() == [0.0, 0.5, 1.0]
    assert rows["cvar_gbp"].is_monotonic_decreasing
    assert rows["expected_pnl_gbp"].is_monotonic_decreasing
    assert rows["oos_cvar_gbp"].notna().all()
    assert desk.lake.read(SENSITIVITY, DAY, NEXT)["multiplier"].tolist() == [0.0, 1.0, 2.0]
    assert desk.lake.stamp(FRONTIER, NEXT)["reason"] == NO_WEEKDAY
    assert desk.frontiers.unfinished([DAY, NEXT]) == []
    stamp = desk.lake.stamp(CO_OPTIMISED_PLAN, DAY)
    moved = stamp | {"opening.co_optimised_cvar.day_ahead": "61.5"}  # a plan made anew from another state
    desk.lake.write(CO_OPTIMISED_PLAN, DAY, desk.lake.read(CO_OPTIMISED_PLAN, DAY, DAY), moved)
    assert desk.frontiers.unfinished([DAY, NEXT]) == [DAY]
    assert desk.frontiers.make([DAY]) == {}
    assert not desk.lake.read(FRONTIER, DAY, DAY).equals(rows)
    bare = PlanDesk(tmp_path / "bare", settings)
    (why,) = bare.frontiers.make([DAY]).values()
    assert why == f"the day-ahead gate of {DAY} has no plan: run that day first"
