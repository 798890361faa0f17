"""The rule against brute force, hand-made days, clock changes, and what it must not look at."""

from __future__ import annotations

import dataclasses
import itertools
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from trading_frames import BATTERY, day_ahead, recorded_index_as_day_ahead

from bess_pipeline import gb_time
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.trading import known_prices, rule_based, timeline
from bess_pipeline.trading.plans import PlanOutcome

DAY = date(2024, 2, 20)
ETA = 0.88**0.5


def cheap_at_three_dear_at_seventeen(local: datetime) -> float:
    return {3: 20.0, 4: 20.0, 17: 140.0, 18: 140.0}.get(local.hour, 70.0)


def plan(
    day: date, prices: pd.DataFrame, battery: Battery = BATTERY, opening_mwh: float = 50.0, history_days: int = 28
) -> PlanOutcome:
    return rule_based.plan_day(day, prices, battery, opening_mwh, history_days=history_days, rule_hours=2)


def frame_of(outcome: PlanOutcome) -> pd.DataFrame:
    assert outcome.frame is not None, outcome.reason
    assert outcome.reason == ""
    return outcome.frame


@cache
def history(day: date, source: str = "neso_n2ex") -> pd.DataFrame:
    return day_ahead(day - timedelta(days=30), day, cheap_at_three_dear_at_seventeen, source=source)


def test_blocks_agree_with_brute_force() -> None:
    rng = np.random.default_rng(7)
    for hours, length in itertools.product((23, 24, 25), (1, 2, 4, 8)):
        price = rng.normal(60.0, 40.0, hours)
        best = max(
            (
                BATTERY.round_trip_efficiency * (sum(price[d : d + length]) / length - 5.0)
                - (sum(price[c : c + length]) / length + 5.0),
                c,
                d,
            )
            for c in range(hours - length + 1)
            for d in range(c + length, hours - length + 1)
        )
        blocks = rule_based.choose_blocks(price, length, BATTERY)
        if best[0] <= 0:
            assert blocks is None
        else:
            assert blocks is not None
            assert (blocks.charge_hour, blocks.discharge_hour) == best[1:]
            assert blocks.margin_gbp_mwh == pytest.approx(best[0])


def test_a_spread_that_does_not_pay_losses_and_wear_leaves_the_battery_idle() -> None:
    # break-even: 0.88 (p - 5) = 50 + 5  ->  p = 67.5
    for dear, trades in ((67.4, False), (67.6, True)):
        prices = day_ahead(DAY - timedelta(days=30), DAY, lambda t, dear=dear: dear if t.hour >= 16 else 50.0)
        frame = frame_of(plan(DAY, prices))
        assert (frame["day_ahead_mw"].abs().sum() > 0) == trades


def test_fills_over_the_cheap_hours_and_empties_over_the_dear_ones() -> None:
    frame = frame_of(plan(DAY, history(DAY)))
    clock = frame["start_utc"].dt.tz_convert(gb_time.LONDON).dt.hour
    assert list(frame.loc[frame["charge_mw"] > 0, "start_utc"].map(lambda t: t.hour)) == [3, 3, 4, 4]
    assert set(clock[frame["discharge_mw"] > 0]) == {17, 18}
    assert frame["charge_mw"].max() == pytest.approx(45.0 / ETA / 2.0)
    assert frame["discharge_mw"].max() == pytest.approx(90.0 * ETA / 2.0)
    np.testing.assert_allclose(frame["day_ahead_mw"], frame["discharge_mw"] - frame["charge_mw"])
    assert frame["energy_mwh"].iloc[-1] == pytest.approx(5.0)
    assert frame["energy_mwh"].max() == pytest.approx(95.0)
    assert set(frame["gate"]) == {"day_ahead"}


@pytest.mark.parametrize(("day", "rows"), [(date(2024, 3, 31), 46), (date(2024, 10, 27), 50), (DAY, 48)])
def test_clock_change_days_trade_at_the_same_clock_hours(day: date, rows: int) -> None:
    frame = frame_of(plan(day, history(day)))
    assert len(frame) == rows
    local = frame["start_utc"].dt.tz_convert(gb_time.LONDON).dt.strftime("%H:%M")
    assert list(local[frame["charge_mw"] > 0]) == ["03:00", "03:30", "04:00", "04:30"]
    assert list(local[frame["discharge_mw"] > 0]) == ["17:00", "17:30", "18:00", "18:30"]


def test_the_cycle_limit_and_the_rating_are_kept() -> None:
    capped = frame_of(plan(DAY, history(DAY), dataclasses.replace(BATTERY, max_cycles_per_day=0.5)))
    assert capped["discharge_mw"].sum() * 0.5 == pytest.approx(0.5 * 90.0)
    slow = frame_of(plan(DAY, history(DAY), dataclasses.replace(BATTERY, power_mw=10.0)))
    assert slow["charge_mw"].max() == slow["discharge_mw"].max() == pytest.approx(10.0)


def test_a_full_battery_only_discharges_and_an_empty_one_charges_first() -> None:
    full = frame_of(plan(DAY, history(DAY), opening_mwh=95.0))
    assert full["charge_mw"].sum() == pytest.approx(0.0, abs=1e-9)
    assert full["discharge_mw"].sum() * 0.5 == pytest.approx(90.0 * ETA)
    empty = frame_of(plan(DAY, history(DAY), opening_mwh=5.0))
    assert empty["charge_mw"].sum() * 0.5 == pytest.approx(90.0 / ETA)
    assert empty["discharge_mw"].sum() * 0.5 == pytest.approx(90.0 * ETA)


def test_fewer_than_seven_known_days_is_a_reasoned_refusal() -> None:
    for days, planned in ((6, False), (7, True)):
        prices = day_ahead(DAY - timedelta(days=days), DAY, cheap_at_three_dear_at_seventeen)
        outcome = plan(DAY, prices)
        assert (outcome.frame is not None) is planned
        if not planned:
            assert outcome.reason.startswith("6 complete days of day-ahead prices were known")
    assert plan(DAY, history(DAY).iloc[:0]).reason.startswith("0 complete days")


def test_a_day_with_a_hole_is_no_history() -> None:
    prices = day_ahead(DAY - timedelta(days=7), DAY, cheap_at_three_dear_at_seventeen)
    assert plan(DAY, prices).frame is not None
    assert plan(DAY, prices.drop(index=100)).frame is None


def test_where_the_index_stands_in_history_ends_two_days_before() -> None:
    seven = day_ahead(DAY - timedelta(days=8), DAY, cheap_at_three_dear_at_seventeen, source="elexon_mid")
    six = day_ahead(DAY - timedelta(days=7), DAY, cheap_at_three_dear_at_seventeen, source="elexon_mid")
    assert plan(DAY, seven, history_days=7).frame is not None
    assert plan(DAY, six, history_days=7).frame is None
    first, last = known_prices.history_window(DAY, 7)
    inside = seven[gb_time.efa_columns(seven["start_utc"])["efa_date"].between(first, last)]
    assert plan(DAY, inside, history_days=7).frame is not None


@pytest.mark.parametrize("source", ["neso_n2ex", "elexon_mid"])
def test_poison_what_was_not_known_changes_nothing_and_what_was_known_does(source: str) -> None:
    prices = history(DAY, source)
    later = day_ahead(DAY + timedelta(days=1), DAY + timedelta(days=3), cheap_at_three_dear_at_seventeen, source=source)
    prices = pd.concat([prices, later], ignore_index=True)
    clean = frame_of(plan(DAY, prices))
    gate = timeline.gate_utc(DAY, "day_ahead")
    assert gate.isoformat() == "2024-02-19T09:50:00+00:00"
    period_end = prices["start_utc"] + pd.Timedelta(minutes=30)
    efa_date = gb_time.efa_columns(prices["start_utc"])["efa_date"]
    unknown = period_end > gate if source == "elexon_mid" else efa_date >= DAY
    assert unknown.any()
    absurd = np.where(np.arange(len(prices)) % 2 == 0, 19_000.0, -19_000.0)
    poisoned = prices.assign(day_ahead_price_gbp_mwh=prices["day_ahead_price_gbp_mwh"].mask(unknown, absurd))
    pd.testing.assert_frame_equal(frame_of(plan(DAY, poisoned)), clean)
    pd.testing.assert_frame_equal(frame_of(plan(DAY, prices[~unknown])), clean)
    hour = prices["start_utc"].dt.tz_convert(gb_time.LONDON).dt.hour
    last_known_nine = prices.index[~unknown & (hour == 9)][-49]  # nine o'clock of a day that is wholly known
    control = prices.assign(
        day_ahead_price_gbp_mwh=prices["day_ahead_price_gbp_mwh"].mask(prices.index == last_known_nine, 19_000.0)
    )
    assert not frame_of(plan(DAY, control)).equals(clean)


def test_recorded_index_with_its_hole_of_april_2024(realdata: Path) -> None:
    table = pd.read_parquet(realdata / "tables" / "market_index.parquet")
    prices = recorded_index_as_day_ahead(table[table["settlement_date"].between(date(2024, 3, 1), date(2024, 4, 30))])
    for day in (date(2024, 4, 13), date(2024, 4, 14), date(2024, 4, 30)):
        frame = frame_of(plan(day, prices))
        assert frame["energy_mwh"].between(5.0 - 1e-9, 95.0 + 1e-9).all()
        assert frame["charge_mw"].max() <= 50.0
