"""Strategies of all markets carried through a small lake: the chain, refused days, what stands, cash, future."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from gate_cases import DAY
from market_desk import DAYS, SYSTEM, MarketDesk, planned_desk, raise_system_price
from plan_desk import AUCTIONS, LAST, NEXT, PRICES, without_day
from poisoned_lake import poison

from bess_pipeline import gb_time, warehouse
from bess_pipeline.market_tables import MARKET_DISPATCH
from bess_pipeline.trading import timeline
from bess_pipeline.trading.checks import energy_balance_error_mwh, market_cash_difference_gbp, opening_gaps
from bess_pipeline.trading.co_optimised_days import MADE_TABLES
from bess_pipeline.trading.co_optimised_names import PLANNED
from bess_pipeline.trading.market_status import waits
from bess_pipeline.trading.market_strategies import FORESIGHT_48H
from bess_pipeline.trading.orders import accepted_capacity_mw, accepted_day_ahead_mw
from bess_pipeline.trading.stamps import CASHFLOW, DAILY_PNL, RUN_STATUS
from bess_pipeline.trading.status import DayStatus
from bess_pipeline.trading.stored_market import StoredMarket
from bess_pipeline.trading_tables import CO_OPTIMISED_PLAN, FORESIGHT_ORDERS, ORDERS
from bess_pipeline.workspace import Workspace

DECIDED = ["charge_mw", "discharge_mw", "energy_mwh"]
DISPATCHED = ["charge_mw", "discharge_mw", "energy_mwh", "metered_mwh", "contracted_mwh", "imbalance_mwh"]


@pytest.fixture(scope="module")
def dispatched(tmp_path_factory: pytest.TempPathFactory) -> MarketDesk:
    """Two days planned, dispatched and settled; read-only."""
    desk = planned_desk(tmp_path_factory.mktemp("dispatched"))
    assert {one.status for one in desk.run()} == {"complete"}
    return desk


@pytest.fixture
def desk(dispatched: MarketDesk, tmp_path: Path) -> MarketDesk:
    """A copy to change."""
    return dispatched.copy(tmp_path)


def files(desk: MarketDesk) -> dict[Path, bytes]:
    return {file.relative_to(desk.root): file.read_bytes() for file in desk.lake.files(MARKET_DISPATCH)}


def _bytes(desk: MarketDesk, tables: Sequence[str]) -> dict[str, bytes]:
    found = [file for table in tables for file in desk.lake.files(table)]
    return {str(file.relative_to(desk.root)): file.read_bytes() for file in found}


def _apart(statuses: list[DayStatus]) -> tuple[DayStatus, list[DayStatus]]:
    """Of the strategy that knows the outcome, and of those that plan with scenarios."""
    (foreseen,) = (one for one in statuses if one.strategy == FORESIGHT_48H)
    return foreseen, [one for one in statuses if one.strategy != FORESIGHT_48H]


# --- the chain and the contract --------------------------------------------------------------------------------


def test_a_day_opens_with_the_realised_close_of_the_day_before(dispatched: MarketDesk) -> None:
    status = dispatched.lake.read(RUN_STATUS, *DAYS).set_index(["efa_date", "strategy"])
    for strategy in PLANNED:
        assert status.loc[(DAY, strategy), "opening_energy_mwh"] == 50.0
        close = dispatched.rows(DAY, strategy)["energy_mwh"].iloc[-1]
        assert status.loc[(NEXT, strategy), "opening_energy_mwh"] == close
        assert set(status.loc[(slice(None), strategy), "chain_start"]) == {DAY}
    rows = dispatched.lake.read(MARKET_DISPATCH, *DAYS)
    assert energy_balance_error_mwh(rows, dispatched.replay.battery) < 1e-6  # over midnight, too
    assert opening_gaps(dispatched.lake.read(RUN_STATUS, *DAYS)).empty


def test_what_is_contracted_is_what_the_auctions_accepted(dispatched: MarketDesk) -> None:
    starts = gb_time.efa_half_hours(DAY)
    for strategy in PLANNED:
        rows, orders = dispatched.rows(DAY, strategy), dispatched.lake.read(ORDERS, DAY, DAY)
        orders = orders[orders["strategy"] == strategy]
        assert rows["day_ahead_mwh"].tolist() == pytest.approx(0.5 * accepted_day_ahead_mw(orders, starts))
        capacity = accepted_capacity_mw(orders, ("DCL", "DRH"), starts)
        assert rows[["dcl_mw", "drh_mw"]].to_numpy().T.tolist() == capacity.tolist()
        assert (capacity.sum() > 0) == (strategy != "day_ahead_imbalance")
        gate = "day_ahead" if strategy == "day_ahead_imbalance" else "response"
        plan = dispatched.read(CO_OPTIMISED_PLAN, DAY, strategy, gate)
        assert rows["planned_charge_mw"].tolist() == plan["charge_mw"].tolist()
        assert rows["planned_discharge_mw"].tolist() == plan["discharge_mw"].tolist()


def test_cash_is_volumes_times_prices_and_capacity_is_paid_its_clearing_price(dispatched: MarketDesk) -> None:
    lake, before = dispatched.lake, DAY - timedelta(days=1)
    cash, rows = lake.read(CASHFLOW, *DAYS), lake.read(MARKET_DISPATCH, *DAYS)
    prices = [lake.read(table, before, NEXT) for table in (PRICES, SYSTEM)]
    assert market_cash_difference_gbp(cash, rows, *prices, dispatched.replay.battery) < 1e-6
    clearing = lake.read(AUCTIONS, before, NEXT)
    expected = 0.0
    for code in ("DCL", "DRH"):
        mine = clearing[clearing["product"] == code].set_index("delivery_start_utc")["clearing_price_gbp_mw_h"]
        own = dispatched.rows(DAY).set_index("start_utc")[f"{code.lower()}_mw"]
        blocks = [gb_time.efa_block_bounds_utc(DAY, block) for block in range(1, 7)]
        expected += sum(
            float(mine[pd.Timestamp(first)]) * 0.5 * float(own[(own.index >= first) & (own.index < last)].sum())
            for first, last in blocks
        )
    paid = cash[(cash["strategy"] == "co_optimised") & (cash["efa_date"] == DAY) & (cash["stream"] == "response")]
    assert paid["amount_gbp"].sum() == pytest.approx(expected)
    pnl = lake.read(DAILY_PNL, *DAYS).groupby(["efa_date", "strategy"])["pnl_gbp"].sum()
    assert pnl.to_dict() == pytest.approx(cash.groupby(["efa_date", "strategy"])["amount_gbp"].sum().to_dict())


def test_who_knows_the_outcome_sells_what_it_planned_and_earns_most(dispatched: MarketDesk) -> None:
    rows, orders = dispatched.rows(DAY, FORESIGHT_48H), dispatched.lake.read(FORESIGHT_ORDERS, DAY, DAY)
    assert set(orders["strategy"]) == {FORESIGHT_48H}
    assert orders["accepted_mw"].tolist() == orders["offered_mw"].tolist()
    known = orders[orders["market"] == "day_ahead"]
    assert known["limit_price"].tolist() == pytest.approx(known["clearing_price"], abs=0.01)
    starts = gb_time.efa_half_hours(DAY)
    assert rows["day_ahead_mwh"].tolist() == pytest.approx(0.5 * accepted_day_ahead_mw(orders, starts))
    pnl = dispatched.lake.read(DAILY_PNL, *DAYS).groupby("strategy")["pnl_gbp"].sum()
    status = dispatched.lake.read(RUN_STATUS, NEXT, NEXT).set_index("strategy")["closing_energy_mwh"]
    worth = pnl + 70.0 * status.reindex(pnl.index)  # the mean price of these days
    assert worth.idxmax() == FORESIGHT_48H


# --- what stands -----------------------------------------------------------------------------------------------


def test_who_knows_the_outcome_holds_no_service_where_nothing_cleared(desk: MarketDesk) -> None:
    """DRH fills the store for nothing, so that it would be held even where it pays nothing."""
    first, last = gb_time.efa_block_bounds_utc(DAY, 3)
    for day in desk.lake.days(AUCTIONS):
        rows = desk.lake.read(AUCTIONS, day, day)
        nothing = (rows["product"] == "DRH") & (rows["delivery_start_utc"] == first)
        rows["clearing_price_gbp_mw_h"] = rows["clearing_price_gbp_mw_h"].mask(nothing)
        desk.lake.write(AUCTIONS, day, rows)
    statuses = desk.run([DAY])
    foreseen, _ = _apart(statuses)
    rows = desk.rows(DAY, FORESIGHT_48H)
    inside = (rows["start_utc"] >= first) & (rows["start_utc"] < last)
    assert rows.loc[~inside, "drh_mw"].max() > 0
    assert not rows.loc[inside, "drh_mw"].any()
    assert foreseen.status == "complete"
    assert desk.lake.stamp(CASHFLOW, DAY)[f"status.{FORESIGHT_48H}"] == "complete"


def test_a_resumed_run_dispatches_what_is_left_to_the_same_bytes(dispatched: MarketDesk, tmp_path: Path) -> None:
    assert dispatched.market.unfinished(DAYS) == []
    desk = dispatched.copy(tmp_path)
    for day in DAYS:
        for table in (MARKET_DISPATCH, FORESIGHT_ORDERS):
            desk.lake.path(table, day).unlink()
    assert desk.market.unfinished(DAYS) == list(DAYS)
    desk.market.dispatch([DAY])  # stopped after the first day
    assert desk.market.unfinished(DAYS) == [NEXT]
    desk.market.dispatch(DAYS, again=False)
    assert files(desk) == files(dispatched)
    times = {file: file.stat().st_mtime_ns for file in desk.lake.files(MARKET_DISPATCH)}
    assert desk.market.dispatch(DAYS, again=False) == []
    assert {file: file.stat().st_mtime_ns for file in desk.lake.files(MARKET_DISPATCH)} == times


@pytest.mark.slow
def test_chains_in_several_processes_make_the_bytes_of_one(dispatched: MarketDesk, tmp_path: Path) -> None:
    alone = dispatched.copy(tmp_path / "alone", trading={"chain_starts": (NEXT,)})
    alone.plan(NEXT)
    alone.market.dispatch(DAYS)
    desk = dispatched.copy(tmp_path / "beside", trading={"chain_starts": (NEXT,), "workers": 2})
    tables = (*MADE_TABLES, MARKET_DISPATCH, FORESIGHT_ORDERS)
    for table in tables:
        for day in DAYS:
            desk.lake.path(table, day).unlink()
    assert {one.status for one in desk.plan(*DAYS)} == {"complete"}
    statuses = desk.market.dispatch(DAYS)
    assert [(one.day, one.status) for one in statuses] == [(day, "complete") for day in DAYS for _ in statuses[::2]]
    assert desk.lake.stamp(MARKET_DISPATCH, NEXT)["opening.co_optimised"] == "50.0"
    assert _bytes(desk, tables) == _bytes(alone, tables)
    assert _bytes(desk, tables) != _bytes(dispatched, tables)
    desk.lake.path(MARKET_DISPATCH, NEXT).unlink()  # stopped there
    assert desk.market.unfinished(DAYS) == [NEXT]
    desk.market.dispatch(DAYS, again=False)
    assert _bytes(desk, tables) == _bytes(alone, tables)


def test_a_changed_close_has_the_next_day_dispatched_again(desk: MarketDesk) -> None:
    stamp = desk.lake.stamp(MARKET_DISPATCH, DAY)
    moved = stamp | {"closing.co_optimised": repr(float(stamp["closing.co_optimised"]) + 3.0)}
    desk.lake.write(MARKET_DISPATCH, DAY, desk.lake.read(MARKET_DISPATCH, DAY, DAY), moved)
    assert desk.replay.stale_after(DAY) == [NEXT]
    stale = desk.lake.read(RUN_STATUS, NEXT, NEXT).set_index("strategy")
    assert stale.loc["co_optimised", "status"] == "stale"
    assert stale.loc["co_optimised_cvar", "status"] == "complete"
    assert desk.market.unfinished(DAYS) == [NEXT]
    before = desk.rows(NEXT)
    desk.run([NEXT])
    assert desk.lake.stamp(MARKET_DISPATCH, NEXT)["opening.co_optimised"] == moved["closing.co_optimised"]
    assert not desk.rows(NEXT)[DISPATCHED].equals(before[DISPATCHED])


def test_a_changed_expectation_of_the_close_has_the_next_day_dispatched_again(desk: MarketDesk) -> None:
    """The first two decisions of a day stand on it, even where the close itself comes out the same."""
    stamp, rows = desk.lake.stamp(MARKET_DISPATCH, DAY), desk.lake.read(MARKET_DISPATCH, DAY, DAY)
    name = "expected_closing.co_optimised"
    first, second = (float(text) for text in stamp[name].split())
    desk.lake.write(MARKET_DISPATCH, DAY, rows, stamp | {name: f"{first + 1.0!r} {second!r}"})
    assert desk.market.unfinished([NEXT]) == [NEXT]
    desk.market.dispatch([NEXT])
    assert desk.market.unfinished([NEXT]) == []


def test_the_next_opening_is_expected_with_what_the_balancing_mechanism_accepted(desk: MarketDesk) -> None:
    """State before the last half-hour as it came out, and that half-hour as it was decided, without acceptances."""
    for day in desk.lake.days(SYSTEM):
        prices = desk.lake.read(SYSTEM, day, day)
        desk.lake.write(SYSTEM, day, prices.assign(net_imbalance_volume_mwh=-5.0))
    own = {"enabled": True, "offer_price_gbp_mwh": 900.0, "bid_price_gbp_mwh": 500.0, "skip_rate": 0.5}
    desk.changes["balancing_mechanism"] = own
    desk.market.dispatch([DAY])
    rows = desk.rows(DAY, "day_ahead_imbalance")
    assert rows["accepted_mwh"][:46].abs().sum() > 1.0
    battery = desk.replay.battery
    decided = 0.5 * (rows["discharge_mw"] - rows["charge_mw"]).iloc[-1] - rows["accepted_mwh"].iloc[-1]
    change = -decided / battery.discharge_efficiency if decided > 0 else -decided * battery.charge_efficiency
    expected = desk.lake.stamp(MARKET_DISPATCH, DAY)["expected_closing.day_ahead_imbalance"]
    state = max(rows["energy_mwh"].iloc[-2] + change, battery.energy_min_mwh)
    assert float(expected.split()[1]) == pytest.approx(state)


def test_a_day_that_has_not_ended_is_not_published(desk: MarketDesk) -> None:
    desk.now = datetime(2026, 2, 12, 20, tzinfo=UTC)
    statuses = desk.market.dispatch([NEXT])
    assert {(one.status, one.reason) for one in statuses} == {
        ("not_published", "the trading day ends at 2026-02-12T23:00Z")
    }
    assert desk.lake.read(MARKET_DISPATCH, NEXT, NEXT).empty
    assert desk.market.unfinished(DAYS) == [NEXT]


def test_days_without_a_tried_plan_have_no_rows_at_all(desk: MarketDesk) -> None:
    assert desk.market.dispatch([LAST]) == []
    assert not desk.lake.has(MARKET_DISPATCH, LAST)
    assert desk.market.finished(LAST)
    off = MarketDesk(desk.root, {"co_optimisation": {"enabled": False}})
    assert off.market.dispatch(DAYS) == []
    assert off.market.finished(DAY)


# --- refused days ----------------------------------------------------------------------------------------------


def test_a_day_without_its_day_ahead_result_is_refused_and_the_state_carries_on(desk: MarketDesk) -> None:
    without_day(desk.lake, PRICES, NEXT)
    desk.plan(NEXT)  # its orders are not cleared then
    foreseen, statuses = _apart(desk.market.dispatch([NEXT]))
    assert {one.status for one in statuses} == {"refused"}
    for one in statuses:
        assert re.fullmatch(r"the day-ahead result of \d\d of 48 half-hours of 2026-02-12 is missing", one.reason)
    assert foreseen.reason == "the day-ahead price of 48 of 48 half-hours of 2026-02-12 is missing"
    for strategy in PLANNED:
        rows, close = desk.rows(NEXT, strategy), desk.rows(DAY, strategy)["energy_mwh"].iloc[-1]
        assert rows["energy_mwh"].tolist() == [close] * 48
        assert not rows[["metered_mwh", "contracted_mwh", "imbalance_mwh", "dcl_mw"]].to_numpy().any()
        assert waits(desk.lake, NEXT, strategy)
    assert desk.market.unfinished(DAYS) == [NEXT]


def test_a_day_without_a_plan_is_idle_and_nothing_waits_for_it(desk: MarketDesk) -> None:
    desk.plan(LAST)  # there are no scenarios of it
    foreseen, statuses = _apart(desk.run([LAST]))
    assert foreseen.status == "complete"  # which needs no plan
    assert {one.status for one in statuses} == {"refused"}
    assert all("there are no scenarios of the day_ahead gate" in one.reason for one in statuses)
    assert not any(waits(desk.lake, LAST, strategy) for strategy in PLANNED)
    assert desk.market.finished(LAST)
    assert desk.rows(LAST)["energy_mwh"].iloc[-1] == desk.rows(NEXT)["energy_mwh"].iloc[-1]


def test_a_chain_is_not_taken_up_again_after_a_gap(desk: MarketDesk) -> None:
    desk.lake.path(MARKET_DISPATCH, NEXT).unlink()
    desk.plan(LAST)
    (reason,) = {one.reason for one in desk.market.dispatch([LAST])}
    assert reason.startswith("the day before it, 2026-02-12, has no closing state")
    desk.declared.append(LAST)
    desk.market.dispatch([LAST])
    assert desk.lake.stamp(MARKET_DISPATCH, LAST)["opening.co_optimised"] == "50.0"


# --- revisions and the future ----------------------------------------------------------------------------------


def test_settling_again_changes_cash_alone(desk: MarketDesk) -> None:
    rows = desk.lake.read(SYSTEM, NEXT, NEXT)
    at = rows["settlement_period"] == 20
    start = rows.loc[at, "start_utc"].iloc[0]
    rows.loc[at, "system_price_gbp_mwh"] += 100.0
    before, cash = files(desk), desk.lake.read(CASHFLOW, NEXT, NEXT)
    desk.lake.write(SYSTEM, NEXT, rows)
    assert desk.market.unfinished(DAYS) == []
    desk.settle(NEXT)
    assert files(desk) == before
    moved = desk.lake.read(CASHFLOW, NEXT, NEXT).merge(cash, on=["strategy", "start_utc", "stream"])
    moved["change"] = moved["amount_gbp_x"] - moved["amount_gbp_y"]
    for strategy in PLANNED:
        own = desk.rows(NEXT, strategy).set_index("start_utc")["imbalance_mwh"]
        change = moved[(moved["strategy"] == strategy) & (moved["change"] != 0)]
        assert set(change["stream"]) == ({"imbalance"} if own[start] else set())
        assert moved.loc[moved["strategy"] == strategy, "change"].sum() == pytest.approx(100.0 * own[start])


@pytest.mark.parametrize("half_hour", [3, 26])
def test_a_decision_knows_nothing_that_came_out_after_it(desk: MarketDesk, half_hour: int) -> None:
    before = {strategy: desk.rows(NEXT, strategy) for strategy in PLANNED}
    instant = timeline.decision_utc(gb_time.efa_half_hours(NEXT)[half_hour].to_pydatetime())
    assert poison(desk.lake, instant, DAY - timedelta(days=1), LAST) > 0
    desk.market.dispatch([NEXT])
    for strategy, rows in before.items():
        poisoned = desk.rows(NEXT, strategy)
        decided = slice(0, half_hour + 1)
        assert poisoned[DECIDED][decided].equals(rows[DECIDED][decided])
        assert decisions(poisoned)[decided].tolist() == decisions(rows)[decided].tolist()
        assert not poisoned[DECIDED].equals(rows[DECIDED])  # absurd prices do move what is decided later


def decisions(rows: pd.DataFrame) -> np.ndarray:
    """Dispatch and the trade that was wanted: what was filled of it, and the rest, which is forced imbalance."""
    wanted = rows["intraday_mwh"] + rows["forced_imbalance_mwh"]
    return np.round(np.column_stack([rows["charge_mw"], rows["discharge_mw"], wanted]), 9)


def sudden_outage(desk: MarketDesk, day: date, known_utc: datetime) -> None:
    """The asset is out in the last hour of an EFA day, which is announced at `known_utc`."""
    end, path = gb_time.efa_day_bounds_utc(day)[1], desk.root / "outages.csv"
    start, end, known = (f"{one:%Y-%m-%dT%H:%MZ}" for one in (end - timedelta(hours=1), end, known_utc))
    columns = "start_utc,end_utc,available_fraction,kind,reason,known_utc"
    path.write_text(f"{columns}\n{start},{end},0,forced,a trip,{known}\n")
    desk.changes = {**desk.changes, "trading": {"availability_file": path}}
    desk.replay.availability([day])


@pytest.mark.parametrize("half_hour", [0, 1])
def test_the_first_decisions_of_a_day_know_nothing_that_came_out_after_them(desk: MarketDesk, half_hour: int) -> None:
    """They are made before the day begins: the close of the day before is not known yet, and is poisoned."""
    before = {strategy: desk.rows(NEXT, strategy) for strategy in PLANNED}
    closed = desk.rows(DAY, "co_optimised")
    instant = timeline.decision_utc(gb_time.efa_half_hours(NEXT)[half_hour].to_pydatetime())
    assert poison(desk.lake, instant, DAY - timedelta(days=1), LAST) > 0
    sudden_outage(desk, DAY, instant + timedelta(minutes=1))
    desk.market.dispatch([DAY, NEXT])
    poisoned_close = desk.rows(DAY, "co_optimised")
    assert poisoned_close["energy_mwh"].iloc[-1] != closed["energy_mwh"].iloc[-1]  # positive control
    for strategy, rows in before.items():
        was, now = decisions(rows), decisions(desk.rows(NEXT, strategy))
        assert now[: half_hour + 1].tolist() == was[: half_hour + 1].tolist()


def test_a_decision_does_know_what_came_out_before_it(desk: MarketDesk) -> None:
    before, half_hour = desk.rows(NEXT, "day_ahead_imbalance"), 30
    known = gb_time.efa_half_hours(NEXT)[half_hour] - pd.Timedelta(minutes=150)
    raise_system_price(desk.lake, known, 300.0)
    desk.market.dispatch([NEXT])
    after = desk.rows(NEXT, "day_ahead_imbalance")
    first = int(np.flatnonzero((decisions(after) != decisions(before)).any(axis=1))[0])
    assert first == half_hour


# --- what a day is given -----------------------------------------------------------------------------------------


def test_contracts_of_the_day_after_are_known_from_their_results_on(desk: MarketDesk) -> None:
    market = StoredMarket(desk.settings, desk.lake, desk.market.condition, [DAY])
    found = market.contract(DAY, "co_optimised")
    clock = found.horizon.tz_convert(gb_time.LONDON).strftime("%H:%M")
    assert clock[found.day_ahead_known_from] == "11:00"  # decided at 10:00, when the day-ahead result is out
    assert clock[found.services_known_from] == "16:00"
    after = found.horizon[48:]
    orders = desk.lake.read(ORDERS, NEXT, NEXT)
    orders = orders[orders["strategy"] == "co_optimised"]
    assert found.day_ahead_mw[48:].tolist() == accepted_day_ahead_mw(orders, after).tolist()
    assert found.services_mw[:, 48:].tolist() == accepted_capacity_mw(orders, found.codes, after).tolist()
    for table in (CO_OPTIMISED_PLAN, ORDERS):
        desk.lake.path(table, NEXT).unlink()
    alone = market.contract(DAY, "co_optimised")
    assert (alone.day_ahead_known_from, alone.services_known_from) == (None, None)
    assert not alone.day_ahead_mw[48:].any()
    assert not alone.services_mw[:, 48:].any()
    assert alone.day_ahead_mw[:48].tolist() == found.day_ahead_mw[:48].tolist()


def test_a_day_dispatched_before_the_next_is_planned_says_so_and_is_not_dispatched_again(desk: MarketDesk) -> None:
    """The desk is planned for both days: dispatched with the second day's plan, and without it until it is back."""
    tables = (CO_OPTIMISED_PLAN, ORDERS)
    kept = {table: desk.lake.path(table, NEXT).read_bytes() for table in tables}
    desk.market.dispatch([DAY])
    assert _notes(desk) == []
    for table in tables:
        desk.lake.path(table, NEXT).unlink()
    desk.run([DAY])
    assert _notes(desk) == sorted(PLANNED)
    assert _seams(desk).empty, "as long as there is no later day"
    for table, content in kept.items():
        desk.lake.path(table, NEXT).write_bytes(content)
    assert desk.market.finished(DAY)
    found = _seams(desk)
    assert found["strategy"].tolist() == sorted(PLANNED)
    assert found[["efa_date", "closed_on", "kind"]].drop_duplicates().to_numpy().tolist() == [
        [NEXT, DAY, "next day unplanned"]
    ]
    assert (found["difference_mwh"] == 0.0).all()
    desk.market.dispatch([DAY])
    assert _notes(desk) == [], "asked for again, it knows the next"


def _notes(desk: MarketDesk) -> list[str]:
    """Strategies whose stamp of the first day says that it went without the next."""
    names = [name.split(".") for name in desk.lake.stamp(MARKET_DISPATCH, DAY)]
    return sorted(parts[1] for parts in names if parts[0] == "without_next_day")


def _seams(desk: MarketDesk) -> pd.DataFrame:
    return warehouse.query(warehouse.publish(Workspace(desk.root)), "SELECT * FROM trading.seam")


def test_where_the_index_binds_no_next_day_there_is_nothing_to_say(desk: MarketDesk) -> None:
    for day in (DAY - timedelta(days=1), DAY):
        prices = desk.lake.read(PRICES, day, day)
        desk.lake.write(PRICES, day, prices.assign(source="elexon_mid"))
    for table in (CO_OPTIMISED_PLAN, ORDERS):
        desk.lake.path(table, NEXT).unlink()
    market = StoredMarket(desk.settings, desk.lake, desk.market.condition, [DAY])
    assert not market.goes_without_next_day(DAY, "co_optimised")


def test_where_the_index_stands_in_there_is_no_trade_within_the_day(desk: MarketDesk) -> None:
    assert desk.rows(DAY)["intraday_mwh"].abs().sum() > 0
    for day in desk.lake.days(PRICES):
        desk.lake.write(PRICES, day, desk.lake.read(PRICES, day, day).assign(source="elexon_mid"))
    market = StoredMarket(desk.settings, desk.lake, desk.market.condition, [DAY])
    assert market.contract(DAY, "co_optimised").day_ahead_known_from is None
    desk.market.dispatch([DAY])
    rows = desk.rows(DAY)
    assert not rows["intraday_mwh"].any()
    assert rows["intraday_price_gbp_mwh"].isna().all()


def test_an_outage_binds_when_it_is_there_and_decisions_when_it_is_announced(desk: MarketDesk) -> None:
    rows = desk.rows(NEXT, "day_ahead_imbalance")
    moved = np.flatnonzero((rows["discharge_mw"] - rows["charge_mw"]).abs() > 1.0)
    k = int(moved[moved > 4][0])
    start = rows["start_utc"][k]
    path = desk.root / "outages.csv"
    times = [f"{at:%Y-%m-%dT%H:%MZ}" for at in (start, start + pd.Timedelta(hours=3), start)]
    path.write_text(
        "start_utc,end_utc,available_fraction,kind,reason,known_utc\n"
        f"{times[0]},{times[1]},0,forced,a trip,{times[2]}\n"
    )
    desk.changes["trading"] = {"availability_file": path}
    desk.replay.availability([NEXT])
    assert desk.market.unfinished(DAYS) == [NEXT]
    desk.market.dispatch([NEXT])
    after = desk.rows(NEXT, "day_ahead_imbalance")
    assert after[DECIDED][:k].equals(rows[DECIDED][:k])
    assert not after[["charge_mw", "discharge_mw"]][k : k + 6].to_numpy().any()
    asked = 0.5 * (rows["discharge_mw"] - rows["charge_mw"])[k]
    assert after["forced_imbalance_mwh"][k] == pytest.approx(-asked)  # decided an hour before
    beyond = (after["imbalance_mwh"] - after["forced_imbalance_mwh"]).abs()
    assert beyond.max() <= 0.5 * 2.5 + 1e-6
    assert after["forced_imbalance_mwh"].any()
    foreseen = desk.rows(NEXT, FORESIGHT_48H)
    assert not foreseen["forced_imbalance_mwh"].any(), "who knows the outcome knows of the outage"


def test_a_workspace_without_system_prices_trades_without_intended_imbalance(desk: MarketDesk) -> None:
    for day in desk.lake.days(SYSTEM):
        desk.lake.path(SYSTEM, day).unlink()
    desk.run([DAY])
    for strategy in (*PLANNED, FORESIGHT_48H):
        rows = desk.rows(DAY, strategy)
        assert rows["imbalance_mwh"].abs().max() <= 1e-6
        assert rows["metered_mwh"].abs().sum() > 50.0
    cash = desk.lake.stamp(CASHFLOW, DAY)
    assert {cash[f"status.{strategy}"] for strategy in (*PLANNED, FORESIGHT_48H)} == {"complete"}
