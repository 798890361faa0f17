"""Trading days through the lake: the chain, what is finished or stale, equal results, cash, and no look-ahead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ingest_tools import connected, cut, dataset, ingest
from replay_tools import RESULTS, Desk, write_prices

from bess_pipeline import gb_time
from bess_pipeline.sample_market import MarketServer, MarketTables, simulate
from bess_pipeline.trading.checks import cash_difference_gbp, energy_balance_error_mwh, opening_gaps
from bess_pipeline.trading.stamps import CASHFLOW, DAILY_PNL, DISPATCH, FORESIGHT, PLAN, RUN_STATUS

RULE, ROLL, BOUND = STRATEGIES = "rule_based", "day_ahead_rolling", "day_ahead_perfect_foresight"
DAYS = gb_time.days_between(date(2026, 3, 28), date(2026, 3, 31))  # the clock change of 2026-03-29 among them
ONE_DAY = timedelta(days=1)
FIRST_PRICE, LAST_PRICE = date(2026, 3, 18), date(2026, 4, 4)
INITIAL_MWH, EMPTY_MWH = 50.0, 5.0
DAY_AHEAD, SYSTEM = "market/day_ahead_price", "market/system_price"


@pytest.fixture(scope="session")
def market() -> MarketTables:
    return cut(simulate(), FIRST_PRICE, LAST_PRICE)


@pytest.fixture(scope="session")
def prices(market: MarketTables, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A desk with prices and no trading day yet; to be copied."""
    desk = Desk(tmp_path_factory.mktemp("prices"))
    write_prices(desk.lake, market, FIRST_PRICE, LAST_PRICE)
    return desk


@pytest.fixture(scope="session")
def replayed(prices: Desk, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """DAYS replayed as one range; treat as read-only, or copy."""
    desk = prices.copy(tmp_path_factory.mktemp("replayed"))
    desk.run(DAYS)
    return desk


@pytest.fixture
def desk(prices: Desk, tmp_path: Path) -> Desk:
    return prices.copy(tmp_path)


@pytest.fixture
def done(replayed: Desk, tmp_path: Path) -> Desk:
    return replayed.copy(tmp_path)


def of(frame: pd.DataFrame, strategy: str) -> pd.DataFrame:
    return frame[frame["strategy"] == strategy].reset_index(drop=True)


def day_rows(desk: Desk, table: str, day: date, strategy: str) -> pd.DataFrame:
    return of(desk.lake.read(table, day, day), strategy)


# --- the chain -----------------------------------------------------------------------------------


def test_the_first_day_starts_a_chain_and_each_day_opens_where_the_one_before_closed(replayed: Desk) -> None:
    assert replayed.declared == [DAYS[0]]
    status = replayed.lake.read_all(RUN_STATUS)
    assert len(status) == 3 * len(DAYS)
    assert set(status["status"]) == {"complete"}
    assert set(status["chain_start"]) == {DAYS[0]}
    assert opening_gaps(status).empty
    for strategy in STRATEGIES:
        rows = of(status, strategy).set_index("efa_date")
        assert rows.loc[DAYS[0], "opening_energy_mwh"] == INITIAL_MWH
        for day in DAYS:
            dispatched = day_rows(replayed, DISPATCH, day, strategy)
            assert len(dispatched) == gb_time.periods_in_day(day)
            assert rows.loc[day, "closing_energy_mwh"] == dispatched["energy_mwh"].iloc[-1]
            if day != DAYS[0]:
                assert rows.loc[day, "opening_energy_mwh"] == rows.loc[day - ONE_DAY, "closing_energy_mwh"]
    assert (of(status, RULE)["closing_energy_mwh"] != INITIAL_MWH).all()  # else nothing would have been carried


def test_a_day_whose_predecessor_was_never_run_is_refused_and_holds_no_energy(done: Desk) -> None:
    late = DAYS[-1] + 2 * ONE_DAY
    done.run([late])
    sentence = (
        f"the day before it, {late - ONE_DAY}, has no closing state: run that day first, or make {late} a chain start"
    )
    assert done.statuses([late]) == {(late, strategy): ("refused", sentence) for strategy in STRATEGIES}
    assert done.lake.read(DISPATCH, late, late).empty
    assert done.lake.read(CASHFLOW, late, late).empty
    assert done.declared == [DAYS[0]]
    assert done.replay.unfinished([late]) == [late]


@pytest.mark.parametrize("how", ["declared", "by a setting"])
def test_a_later_chain_start_opens_from_the_initial_state(done: Desk, how: str) -> None:
    late = DAYS[-1] + 2 * ONE_DAY
    if how == "declared":
        done.declared.append(late)
    else:
        done.changes["trading"] = {"history_days": 7, "chain_starts": (late,)}
    done.run([late])
    assert {status for status, _ in done.statuses([late]).values()} == {"complete"}
    rows = done.lake.read(RUN_STATUS, late, late)
    assert set(rows["chain_start"]) == {late}
    assert set(rows["opening_energy_mwh"]) == {INITIAL_MWH}


def test_a_new_workspace_without_prices_declares_no_chain(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.run(DAYS[:1])
    assert desk.declared == []
    assert {status for status, _ in desk.statuses(DAYS[:1]).values()} == {"refused"}


def without_history(desk: Desk) -> None:
    """Leave a hole in the past: 8 days are looked at, of which DAYS[0] and DAYS[1] know only 6."""
    desk.changes["trading"] = {"history_days": 8}
    for table in (DAY_AHEAD,):
        desk.lake.path(table, date(2026, 3, 21)).unlink()


def test_a_refused_day_idles_and_its_state_carries_on(desk: Desk) -> None:
    without_history(desk)
    desk.run(DAYS)
    found = desk.statuses(DAYS)
    assert [found[day, RULE][0] for day in DAYS] == ["refused", "refused", "complete", "complete"]
    assert "6 complete days" in found[DAYS[0], RULE][1]
    assert {found[day, BOUND] for day in DAYS} == {("complete", "")}
    for day in DAYS[:2]:
        rows = day_rows(desk, DISPATCH, day, RULE)
        assert len(rows) == gb_time.periods_in_day(day)
        assert set(rows["energy_mwh"]) == {INITIAL_MWH}
        assert (rows[["charge_mw", "discharge_mw", "contracted_mwh", "metered_mwh"]] == 0.0).all(axis=None)
        assert day_rows(desk, PLAN, day, RULE).empty
        assert (day_rows(desk, CASHFLOW, day, RULE)["amount_gbp"] == 0.0).all()
    openings = of(desk.lake.read_all(RUN_STATUS), RULE).set_index("efa_date")["opening_energy_mwh"]
    assert openings[DAYS[2]] == INITIAL_MWH
    assert openings[DAYS[3]] == pytest.approx(EMPTY_MWH)


# --- finished, unfinished, stale ------------------------------------------------------------------


def test_complete_days_are_finished_until_a_setting_that_matters_changes(replayed: Desk) -> None:
    assert replayed.replay.unfinished(DAYS) == []
    assert all(replayed.replay.planned(day) for day in DAYS)
    following = DAYS[-1] + ONE_DAY
    assert replayed.replay.unfinished([*DAYS, following]) == [following]
    assert not replayed.replay.planned(following)
    for changes in (
        {"trading": {"history_days": 7, "rule_hours": 3}},
        {"trading": {"history_days": 7}, "battery": {"degradation_cost_gbp_per_mwh": 4.0}},
        {"trading": {"history_days": 7}, "seed": 1},
    ):
        other = Desk(replayed.root, changes, replayed.declared)
        assert other.replay.unfinished(DAYS) == DAYS
        assert not any(other.replay.planned(day) for day in DAYS)
    same = {"trading": {"history_days": 7, "chain_starts": (DAYS[1],)}, "report": {"copy_figures_to": None}}
    assert Desk(replayed.root, same, replayed.declared).replay.unfinished(DAYS) == []


def test_a_day_without_one_of_the_strategies_is_not_finished(done: Desk) -> None:
    status = done.lake.read(RUN_STATUS, DAYS[1], DAYS[1])
    done.lake.write(RUN_STATUS, DAYS[1], of(status, RULE), done.lake.stamp(RUN_STATUS, DAYS[1]))
    assert done.replay.unfinished(DAYS) == [DAYS[1]]


def test_a_day_that_has_not_ended_is_planned_and_not_dispatched(desk: Desk) -> None:
    desk.now = datetime(2026, 3, 28, 9, 0, tzinfo=UTC)
    desk.run(DAYS[:1])
    reason = "the trading day ends at 2026-03-28T23:00Z"
    assert desk.statuses(DAYS[:1]) == {(DAYS[0], strategy): ("not_published", reason) for strategy in STRATEGIES}
    for strategy in (RULE, ROLL):
        assert not day_rows(desk, PLAN, DAYS[0], strategy).empty
    assert desk.lake.read(DISPATCH, DAYS[0], DAYS[0]).empty
    assert desk.replay.planned(DAYS[0])
    assert desk.replay.unfinished(DAYS[:1]) == DAYS[:1]

    desk.now += timedelta(days=1)
    desk.run(DAYS[:1])
    assert desk.replay.unfinished(DAYS[:1]) == []


def test_steps_that_were_never_run_are_named(desk: Desk) -> None:
    replay, day = desk.replay, DAYS[0]
    replay.record_status([day])
    assert desk.statuses([day])[day, RULE] == ("refused", f"{DISPATCH} of {day} was never run")
    replay.plan([day])
    replay.dispatch([day])
    replay.record_status([day])
    assert desk.statuses([day])[day, RULE] == ("refused", f"{CASHFLOW} of {day} was never run")
    assert desk.statuses([day])[day, BOUND][0] == "refused"
    assert "materialise it first" in desk.statuses([day])[day, BOUND][1]


def test_a_changed_close_marks_the_next_day_stale_until_it_is_run_again(desk: Desk, prices: Desk) -> None:
    """Days refused for want of history idle at 50 MWh; when the history comes they trade, and close empty."""
    without_history(desk)
    desk.run(DAYS)
    hole = desk.lake.path(DAY_AHEAD, date(2026, 3, 21))
    hole.write_bytes(prices.lake.path(DAY_AHEAD, date(2026, 3, 21)).read_bytes())
    assert desk.replay.unfinished(DAYS) == DAYS[:2]

    desk.run(DAYS[:2])
    found = desk.statuses(DAYS)
    assert [found[day, RULE][0] for day in DAYS] == ["complete", "complete", "stale", "complete"]
    assert found[DAYS[2], RULE][1] == (
        f"it opened with 50.000 MWh but {DAYS[1]} now closes with 5.000 MWh: run it again"
    )
    assert desk.replay.stale_after(DAYS[1]) == [DAYS[2]]
    assert desk.replay.unfinished(DAYS) == [DAYS[2]]

    desk.run([DAYS[2]])
    assert set(desk.statuses(DAYS).values()) == {("complete", "")}
    assert desk.replay.stale_after(DAYS[1]) == []
    assert desk.replay.stale_after(DAYS[2]) == []  # it closes empty as before: the chain is whole again
    assert opening_gaps(desk.lake.read_all(RUN_STATUS)).empty


def test_staleness_travels_as_far_as_closes_change(done: Desk) -> None:
    """A close that moved by less than the tolerance is the same state; one that moved by more is not."""
    day = DAYS[1]
    stamp, rows = done.lake.stamp(DISPATCH, day), done.lake.read(DISPATCH, day, day)
    for moved_mwh, stale in ((1e-9, False), (0.5, True)):
        closing = float(stamp[f"closing.{RULE}"]) + moved_mwh
        done.lake.write(DISPATCH, day, rows, stamp | {f"closing.{RULE}": repr(closing)})
        done.replay.record_status([day])
        found = done.statuses(DAYS)
        assert (found[DAYS[2], RULE][0] == "stale") is stale
        assert found[DAYS[2], BOUND] == ("complete", "")
        assert found[DAYS[3], RULE] == ("complete", "")


def test_a_chain_start_is_never_stale(done: Desk) -> None:
    done.changes["trading"] = {"history_days": 7, "chain_starts": (DAYS[2],)}
    done.run(DAYS[2:])
    stamp, rows = done.lake.stamp(DISPATCH, DAYS[1]), done.lake.read(DISPATCH, DAYS[1], DAYS[1])
    done.lake.write(DISPATCH, DAYS[1], rows, stamp | {f"closing.{RULE}": "77.0"})
    assert done.replay.stale_after(DAYS[1]) == []


def test_a_chain_begins_on_the_first_of_its_days_in_whatever_order_they_are_asked_for(
    desk: Desk, replayed: Desk
) -> None:
    desk.run(DAYS[2:])
    assert desk.declared == DAYS[2:3]
    desk.run(DAYS[1:])
    stale = desk.replay.stale_after(DAYS[-1])
    assert stale == []
    desk.run(DAYS[:1])
    assert desk.declared == [DAYS[2], DAYS[1], DAYS[0]]
    assert desk.replay.stale_after(DAYS[0]) == DAYS[1:]  # all of the chain, also where its energy is as before
    assert "stale" in {status for status, _ in desk.statuses(DAYS[1:]).values()}
    assert desk.replay.unfinished(DAYS) == DAYS[1:]
    desk.run(DAYS[1:])
    assert desk.replay.stale_after(DAYS[0]) == []
    status = desk.lake.read_all(RUN_STATUS)
    assert set(status["chain_start"]) == {DAYS[0]}
    pd.testing.assert_frame_equal(of(status, RULE), of(replayed.lake.read_all(RUN_STATUS), RULE), check_exact=True)


# --- the same results, whatever the runs (promise P1) ---------------------------------------------


def test_a_second_run_gives_the_same_tables(done: Desk, replayed: Desk) -> None:
    before = {path.relative_to(done.root): path.read_bytes() for path in done.lake.root.rglob("*.parquet")}
    done.run(DAYS)
    assert done.hashes() == replayed.hashes()
    assert {path.relative_to(done.root): path.read_bytes() for path in done.lake.root.rglob("*.parquet")} == before


def test_days_one_by_one_give_the_same_as_the_range(desk: Desk, replayed: Desk) -> None:
    """The strategy's decisions know nothing of the run they are made in.

    The bound is left out: by its definition it sees the whole range of its run and some days after it.
    """
    for day in DAYS:
        desk.run([day])
    assert desk.lake.content_hash(PLAN) == replayed.lake.content_hash(PLAN)
    for table in (DISPATCH, CASHFLOW, RUN_STATUS, DAILY_PNL):
        for strategy in (RULE, ROLL):
            one_by_one, at_once = (of(one.lake.read_all(table), strategy) for one in (desk, replayed))
            pd.testing.assert_frame_equal(one_by_one, at_once, check_exact=True)
            assert len(one_by_one) > 0


def test_days_given_out_of_order_are_run_in_order(desk: Desk, replayed: Desk) -> None:
    desk.run([DAYS[2], DAYS[0], DAYS[3], DAYS[1]])
    assert desk.hashes() == replayed.hashes()


def test_every_partition_says_what_it_was_made_from(replayed: Desk, done: Desk) -> None:
    for table in RESULTS:
        stamp = replayed.lake.stamp(table, DAYS[1])
        assert stamp["settings"] == replayed.settings.fingerprint()
        assert stamp["seed"] == str(replayed.settings.seed)
        assert stamp["code"]
        assert stamp["inputs"]
    history = done.lake.read(DAY_AHEAD, date(2026, 3, 25), date(2026, 3, 25))
    history.loc[3, "day_ahead_price_gbp_mwh"] += 0.01
    done.lake.write(DAY_AHEAD, date(2026, 3, 25), history)
    done.run(DAYS)
    for day in DAYS:
        assert done.lake.stamp(PLAN, day)["inputs"] != replayed.lake.stamp(PLAN, day)["inputs"]


# --- cash -----------------------------------------------------------------------------------------


def test_cash_reconciles_to_the_penny_between_dispatch_cashflow_and_daily_pnl(replayed: Desk) -> None:
    lake = replayed.lake
    dispatch, cash, pnl = (lake.read_all(table) for table in (DISPATCH, CASHFLOW, DAILY_PNL))
    day_ahead, system = lake.read_all(DAY_AHEAD), lake.read_all(SYSTEM)
    assert cash_difference_gbp(cash, dispatch, day_ahead, system, replayed.replay.battery) < 0.005
    assert energy_balance_error_mwh(dispatch, replayed.replay.battery) < 1e-6

    price = day_ahead.set_index("start_utc")["day_ahead_price_gbp_mwh"]
    for day in DAYS:
        for strategy in STRATEGIES:
            rows = day_rows(replayed, DISPATCH, day, strategy)
            sold = float((rows["metered_mwh"].to_numpy() * price[rows["start_utc"]].to_numpy()).sum())
            worn = float((rows["charge_mw"] + rows["discharge_mw"]).sum()) * 0.5 * 5.0
            stored = day_rows(replayed, DAILY_PNL, day, strategy).set_index("stream")["pnl_gbp"]
            assert stored.to_dict() == pytest.approx(
                {"day_ahead": sold, "imbalance": 0.0, "wear": -worn}, rel=1e-12, abs=1e-6
            )
            assert abs(sold) > 100.0  # a day without trades would prove nothing
            booked = day_rows(replayed, CASHFLOW, day, strategy)["amount_gbp"].sum()
            assert round(float(booked), 2) == round(float(stored.sum()), 2)
    assert (pnl["pnl_gbp_per_mw"] * 50.0).tolist() == pytest.approx(pnl["pnl_gbp"].tolist())


def test_fees_are_paid_by_the_day_ahead_strategies_too(done: Desk, replayed: Desk) -> None:
    """GBP 0.5 per MWh sold or bought: strategies of all markets pay it, so that all are compared after it."""
    done.changes["costs"] = {"day_ahead_fee_gbp_per_mwh": 0.5}
    assert done.replay.unfinished(DAYS) == DAYS
    done.replay.settle(DAYS)
    cash = done.lake.read_all(CASHFLOW)
    paid = cash[cash["stream"] == "fee"].groupby("strategy")["amount_gbp"].sum()
    traded = replayed.lake.read_all(DISPATCH).groupby("strategy")["contracted_mwh"].agg(lambda one: one.abs().sum())
    assert traded.min() > 0
    assert paid.to_dict() == pytest.approx((-0.5 * traded).to_dict())


def test_perfect_foresight_earns_more_after_wear_than_any_rule(replayed: Desk) -> None:
    total = replayed.lake.read_all(DAILY_PNL).groupby("strategy")["pnl_gbp"].sum()
    assert total[BOUND] > total[RULE] > 0.0
    assert total[BOUND] > total[ROLL] > 0.0


def test_a_day_sold_without_a_price_is_provisional_until_the_price_is_there(desk: Desk, prices: Desk) -> None:
    """The rule decides from the past; the day's own price is needed for its cash only."""
    day = DAYS[1]
    partition = desk.lake.path(DAY_AHEAD, day)
    partition.unlink()
    desk.run(DAYS[:2])
    status, reason = desk.statuses(DAYS)[day, RULE]
    assert status == "provisional"
    assert "no day-ahead price for" in reason
    assert desk.statuses(DAYS)[day, BOUND][0] == "refused"
    assert desk.replay.unfinished(DAYS[:2]) == [day]
    plan = desk.lake.content_hash(PLAN, [day])

    partition.write_bytes(prices.lake.path(DAY_AHEAD, day).read_bytes())
    desk.run([day])
    assert set(desk.statuses([day]).values()) == {("complete", "")}
    assert desk.lake.content_hash(PLAN, [day]) == plan


def test_a_revised_system_price_changes_cash_of_imbalance_and_no_decision(done: Desk) -> None:
    """One day is made to open with less than its plan counted on, so that physics forces an imbalance."""
    day = DAYS[1]
    before = day - ONE_DAY
    stamp = done.lake.stamp(DISPATCH, before)
    done.lake.write(DISPATCH, before, done.lake.read(DISPATCH, before, before), stamp | {f"closing.{RULE}": "80.0"})
    for step in (done.replay.dispatch, done.replay.settle, done.replay.pnl):
        step([day])
    forced = day_rows(done, DISPATCH, day, RULE)
    volume = forced.set_index("start_utc")["imbalance_mwh"]
    assert volume.abs().sum() > 10.0
    assert (forced["forced_imbalance_mwh"] == forced["imbalance_mwh"]).all()
    decided = done.hashes([PLAN, DISPATCH])
    booked = day_rows(done, DAILY_PNL, day, RULE).set_index("stream")["pnl_gbp"]

    for date_of_price in (day - ONE_DAY, day):
        rows = done.lake.read(SYSTEM, date_of_price, date_of_price)
        rows["system_price_gbp_mwh"] += 25.0
        done.lake.write(SYSTEM, date_of_price, rows)
    for step in (done.replay.plan, done.replay.dispatch, done.replay.settle, done.replay.pnl):
        step([day])
    assert done.hashes([PLAN, DISPATCH]) == decided
    revised = day_rows(done, DAILY_PNL, day, RULE).set_index("stream")["pnl_gbp"]
    assert (revised - booked).to_dict() == pytest.approx(
        {"day_ahead": 0.0, "imbalance": 25.0 * float(volume.sum()), "wear": 0.0}
    )
    untouched = day_rows(done, DAILY_PNL, day, BOUND).set_index("stream")["pnl_gbp"]
    assert untouched["imbalance"] == 0.0


# --- no look-ahead: from the provider's answers to the plan ---------------------------------------------

POISON_GBP_MWH = 9_000.0
TRADED = [date(2026, 3, 29), date(2026, 3, 31)]
LAST_ALIKE = {date(2026, 3, 29): date(2026, 3, 22), date(2026, 3, 31): date(2026, 3, 27)}  # Sundays; working days


def gate_utc(day: date) -> pd.Timestamp:
    """09:50 London on the day before, written down here and not taken from the code."""
    return (pd.Timestamp(day - ONE_DAY) + pd.Timedelta(hours=9, minutes=50)).tz_localize("Europe/London")


def absurd(frame: pd.DataFrame, column: str, rows: pd.Series) -> pd.DataFrame:
    """`frame` with alternating absurd values in `rows`; the law of the market keeps no trace of them."""
    frame = frame.copy()
    signs = np.where(np.arange(int(rows.sum())) % 3 == 0, -1.0, 1.0)
    frame.loc[rows, column] = POISON_GBP_MWH * signs
    return frame


def poisoned(market: MarketTables, day: date) -> MarketTables:
    """Every price that was not known at the day-ahead gate of `day` replaced by an absurd one."""
    gate, half_hour = gate_utc(day), pd.Timedelta(minutes=30)
    assert market.day_ahead is not None
    product_day_start = (pd.Timestamp(day - ONE_DAY) + pd.Timedelta(hours=23)).tz_localize("Europe/London")
    index_end = market.market_index["start_utc"] + half_hour
    system_out = market.system_price["start_utc"] + half_hour + pd.Timedelta(minutes=60)
    return replace(
        market,
        day_ahead=absurd(
            market.day_ahead, "day_ahead_price_gbp_mwh", market.day_ahead["start_utc"] >= product_day_start
        ),
        market_index=absurd(market.market_index, "market_index_price_gbp_mwh", index_end > gate),
        system_price=absurd(market.system_price, "system_price_gbp_mwh", system_out > gate),
    )


def with_known_price(market: MarketTables, day: date, source: str) -> MarketTables:
    """The poisoned market, and the last price that a plan may use made absurd too: the positive control."""
    tables = poisoned(market, day)
    if source == "neso_n2ex":  # results of product day D-1, out at 10:00 on D-2: its last hour ends 23:00 on D-1
        last = (pd.Timestamp(day - ONE_DAY) + pd.Timedelta(hours=22)).tz_localize("Europe/London")
        assert tables.day_ahead is not None
        rows = tables.day_ahead["start_utc"] == last
        changed = tables.day_ahead.assign(
            day_ahead_price_gbp_mwh=tables.day_ahead["day_ahead_price_gbp_mwh"].mask(rows, POISON_GBP_MWH)
        )
        assert rows.sum() == 1
        return replace(tables, day_ahead=changed)
    # the last half-hour of the last whole day known, D-2, and of the last one known that is a day like D
    lasts = [pd.Timestamp(one) + pd.Timedelta(hours=22, minutes=30) for one in (day - 2 * ONE_DAY, LAST_ALIKE[day])]
    rows = tables.market_index["start_utc"].isin([one.tz_localize("Europe/London") for one in lasts])
    assert rows.sum() == 2
    changed = tables.market_index.assign(
        market_index_price_gbp_mwh=tables.market_index["market_index_price_gbp_mwh"].mask(rows, POISON_GBP_MWH)
    )
    return replace(tables, market_index=changed)


@pytest.fixture
def planned(tmp_path: Path) -> Callable[[MarketTables, date, str], dict[str, pd.DataFrame]]:
    """A function: every strategy's plan of a day, made from what a server of the tables answers."""

    def plan(tables: MarketTables, day: date, source: str) -> dict[str, pd.DataFrame]:
        root = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        wanted = [dataset("market/market_index_price"), dataset(SYSTEM), dataset(DAY_AHEAD, source)]
        with MarketServer(tables) as server, connected(root, server) as ingestion:
            outcomes = ingest(ingestion, gb_time.days_between(day - 10 * ONE_DAY, day + 2 * ONE_DAY), wanted)
        assert {outcome.status for outcome in outcomes} == {"complete"}
        desk = Desk(root, {"trading": {"history_days": 7, "chain_starts": (day,)}})
        if tables.day_ahead is not None and float(tables.day_ahead["day_ahead_price_gbp_mwh"].max()) == POISON_GBP_MWH:
            own = desk.lake.read(DAY_AHEAD, day, day)["day_ahead_price_gbp_mwh"].abs()
            assert (own == POISON_GBP_MWH).all()  # the poison is where a careless plan would find it
        assert {(one.strategy, one.status, one.reason) for one in desk.replay.plan([day])} == {
            (strategy, "complete", "") for strategy in (RULE, ROLL)
        }
        (bound,) = desk.replay.foresight([day])
        assert bound.status == "complete"
        desk.replay.dispatch([day])
        rows = {RULE: day_rows(desk, PLAN, day, RULE), ROLL: day_rows(desk, PLAN, day, ROLL)}
        for strategy, decided in rows.items():
            sold = (decided["day_ahead_mw"] * 0.5).tolist()
            assert day_rows(desk, DISPATCH, day, strategy)["metered_mwh"].tolist() == pytest.approx(sold, abs=1e-9)
        return rows | {BOUND: day_rows(desk, FORESIGHT, day, BOUND)}

    return plan


@pytest.mark.parametrize("day", TRADED)
@pytest.mark.parametrize("source", ["neso_n2ex", "elexon_mid"])
def test_no_price_unknown_at_the_gate_changes_a_plan(
    market: MarketTables,
    planned: Callable[[MarketTables, date, str], dict[str, pd.DataFrame]],
    day: date,
    source: str,
) -> None:
    """Poison goes in at the provider, passes vault and lake, and does not come out in any plan."""
    true, blind = planned(market, day, source), planned(poisoned(market, day), day, source)
    seen = planned(with_known_price(market, day, source), day, source)
    for strategy in (RULE, ROLL):
        assert true[strategy]["day_ahead_mw"].abs().max() > 10.0
        pd.testing.assert_frame_equal(blind[strategy], true[strategy], check_exact=True)
        assert (seen[strategy]["day_ahead_mw"] != true[strategy]["day_ahead_mw"]).any()
    # the bound may see what the others may not, and does: the poison was there
    assert (blind[BOUND]["day_ahead_mw"] != true[BOUND]["day_ahead_mw"]).any()
