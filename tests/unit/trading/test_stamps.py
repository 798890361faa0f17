"""Which settled days a revised system price overtakes, without Dagster: the runs themselves are tested as slow."""

from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from ingest_tools import cut
from replay_tools import Desk, write_prices

from bess_pipeline import gb_time
from bess_pipeline.sample_market import simulate
from bess_pipeline.trading.stamps import CASHFLOW, DISPATCH, FORESIGHT, PLAN, cash_stamp, outdated, resettled

DAYS = gb_time.days_between(date(2026, 3, 29), date(2026, 3, 30))
SYSTEM = "market/system_price"
CHANGE_GBP_MWH, FORCED_MWH = 7.5, 10.0


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Two settled days whose every half-hour carries a forced imbalance."""
    desk = Desk(tmp_path)
    write_prices(desk.lake, cut(simulate(), date(2026, 3, 18), date(2026, 4, 2)), date(2026, 3, 18), date(2026, 4, 2))
    desk.run(DAYS)
    for day in DAYS:
        rows = desk.lake.read(DISPATCH, day, day)
        rows["contracted_mwh"] -= FORCED_MWH
        rows["imbalance_mwh"] += FORCED_MWH
        desk.lake.write(DISPATCH, day, rows, desk.lake.stamp(DISPATCH, day))
    settle(desk, DAYS)
    return desk


def settle(desk: Desk, days: list[date]) -> None:
    desk.replay.settle(days)
    desk.replay.record_status(days)
    desk.replay.pnl(days)


def found(desk: Desk) -> list[date]:
    return outdated(desk.lake, desk.settings.fingerprint())


def raise_price(desk: Desk, day: date, period: int, change: float = CHANGE_GBP_MWH) -> None:
    rows = desk.lake.read(SYSTEM, day, day)
    rows.loc[rows["settlement_period"] == period, "system_price_gbp_mwh"] += change
    desk.lake.write(SYSTEM, day, rows)


def test_only_the_trading_day_of_a_changed_price_is_outdated(desk: Desk) -> None:
    assert found(desk) == []
    rows = desk.lake.read(SYSTEM, DAYS[1], DAYS[1])
    desk.lake.write(SYSTEM, DAYS[1], rows.assign(published_utc=rows["published_utc"] + pd.Timedelta(days=1)))
    assert found(desk) == []  # created again, at the same prices
    raise_price(desk, DAYS[0], 44)  # 22:30 of the 46-period day: still trading day DAYS[0]
    assert found(desk) == [DAYS[0]]
    raise_price(desk, DAYS[0], 44, -CHANGE_GBP_MWH)
    raise_price(desk, DAYS[0], 46)  # after 23:00: trading day DAYS[1]
    assert found(desk) == [DAYS[1]]
    raise_price(desk, DAYS[1] + timedelta(days=1), 5)
    assert found(desk) == [DAYS[1]]


def test_settling_again_changes_the_cash_by_volume_times_change_and_no_decision(desk: Desk) -> None:
    decided = [file for table in (PLAN, FORESIGHT, DISPATCH) for file in desk.lake.files(table)]
    before = {file: (file.read_bytes(), os.stat(file).st_mtime_ns) for file in decided}
    cash = desk.lake.read(CASHFLOW, *DAYS)["amount_gbp"].sum()
    raise_price(desk, DAYS[1], 10)
    settle(desk, found(desk))
    assert found(desk) == []
    change = desk.lake.read(CASHFLOW, *DAYS)["amount_gbp"].sum() - cash
    assert change == pytest.approx(3 * FORCED_MWH * CHANGE_GBP_MWH)  # three strategies
    assert {file: (file.read_bytes(), os.stat(file).st_mtime_ns) for file in decided} == before


def test_a_day_stays_outdated_until_status_and_pnl_follow_its_cash(desk: Desk) -> None:
    raise_price(desk, DAYS[1], 10)
    desk.replay.settle(DAYS[1:])
    assert found(desk) == DAYS[1:]
    desk.replay.record_status(DAYS[1:])
    assert found(desk) == DAYS[1:]
    desk.replay.pnl(DAYS[1:])
    assert found(desk) == []


def test_days_made_under_other_settings_are_not_settled_piecemeal(desk: Desk) -> None:
    raise_price(desk, DAYS[1], 10)
    assert outdated(desk.lake, "another fingerprint") == []
    assert outdated(desk.lake, desk.settings.fingerprint(), DAYS[:1]) == []


def test_cash_settled_again_is_told_from_the_first_settlement_on(desk: Desk) -> None:
    desk.replay.settle(DAYS)
    assert resettled(desk.lake).empty
    raise_price(desk, DAYS[1], 10)
    desk.replay.settle(DAYS)
    raise_price(desk, DAYS[1], 10)
    desk.replay.settle(DAYS)
    rows = resettled(desk.lake)
    assert rows["efa_date"].tolist() == [DAYS[1]] * 3
    assert rows["change_gbp"].tolist() == pytest.approx([2 * FORCED_MWH * CHANGE_GBP_MWH] * 3)
    assert (rows["cash_gbp"] - rows["first_cash_gbp"]).tolist() == rows["change_gbp"].tolist()
    stored = desk.lake.read(CASHFLOW, DAYS[1], DAYS[1])
    cash = stored[stored["stream"] != "wear"].groupby("strategy")["amount_gbp"].sum()
    assert rows.set_index("strategy")["cash_gbp"].to_dict() == pytest.approx(cash.to_dict())
    raise_price(desk, DAYS[1], 10, -2 * CHANGE_GBP_MWH)
    desk.replay.settle(DAYS)
    assert resettled(desk.lake).empty, "back where it was"


def test_another_dispatch_or_a_provisional_day_is_no_effect_of_a_revision() -> None:
    first = cash_stamp({}, "dispatch one", {"rule_based": ("provisional", 5.0)})
    assert first["first_cash.rule_based"] == ""
    second = cash_stamp(first, "dispatch one", {"rule_based": ("complete", 7.0)})
    third = cash_stamp(second, "dispatch one", {"rule_based": ("complete", 8.5)})
    assert (third["first_cash.rule_based"], third["cash.rule_based"]) == ("7.0", "8.5")
    other = cash_stamp(third, "dispatch two", {"rule_based": ("complete", 9.0)})
    assert other["first_cash.rule_based"] == other["cash.rule_based"] == "9.0"
