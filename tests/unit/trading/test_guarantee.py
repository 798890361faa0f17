"""The optimiser's monthly guarantee through the lake: in each day's cash, and settled again with the days before it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from ingest_tools import cut
from replay_tools import Desk, write_prices

from bess_pipeline import gb_time
from bess_pipeline.sample_market import simulate
from bess_pipeline.trading.stamps import CASHFLOW, DAILY_PNL, DISPATCH, outdated

DAYS = gb_time.days_between(date(2026, 4, 1), date(2026, 4, 4))
FLOOR_GBP_PER_MW = 6000.0
FLOOR_OF_A_DAY_GBP = FLOOR_GBP_PER_MW * 50.0 / 30


@pytest.fixture(scope="module")
def guaranteed(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Four days of April under a floor that not every day reaches; read-only, or copy."""
    changes = {"costs": {"optimiser_floor_gbp_per_mw_month": FLOOR_GBP_PER_MW}, "trading": {"history_days": 7}}
    desk = Desk(tmp_path_factory.mktemp("floor"), changes | {"solver": {"guarded": False}})
    write_prices(desk.lake, cut(simulate(), date(2026, 3, 22), date(2026, 4, 6)), date(2026, 3, 22), date(2026, 4, 6))
    desk.run(DAYS)
    return desk


def cash(desk: Desk, strategy: str) -> pd.DataFrame:
    rows = desk.lake.read(CASHFLOW, DAYS[0], DAYS[-1])
    rows = rows[(rows["strategy"] == strategy) & (rows["stream"] != "wear")]
    return rows.pivot_table(index="efa_date", columns="stream", values="amount_gbp", aggfunc="sum")


@pytest.mark.parametrize("strategy", ["rule_based", "day_ahead_rolling"])
def test_after_every_day_the_month_has_earned_its_floor_or_more(guaranteed: Desk, strategy: str) -> None:
    earned = cash(guaranteed, strategy)
    market = earned.drop(columns="fee").sum(axis=1).cumsum()
    floor = pd.Series([FLOOR_OF_A_DAY_GBP * n for n in range(1, 5)], index=market.index)
    assert (market < floor).any()
    assert earned.sum(axis=1).cumsum().to_list() == pytest.approx(market.clip(lower=floor).to_list())
    rows = guaranteed.lake.read(CASHFLOW, DAYS[0], DAYS[-1])
    paid = rows[(rows["stream"] == "fee") & (rows["amount_gbp"] != 0)]
    assert set(gb_time.efa_columns(paid["start_utc"])["efa_block"]) == {6}


def test_a_day_settled_again_settles_the_rest_of_its_month_again(guaranteed: Desk, tmp_path: Path) -> None:
    desk = guaranteed.copy(tmp_path)
    settings = desk.settings.fingerprint()
    assert outdated(desk.lake, settings) == []
    rows = desk.lake.read(DISPATCH, DAYS[1], DAYS[1])
    rows["contracted_mwh"] -= 10.0
    rows["imbalance_mwh"] += 10.0
    desk.lake.write(DISPATCH, DAYS[1], rows, desk.lake.stamp(DISPATCH, DAYS[1]))
    prices = desk.lake.read("market/system_price", DAYS[1], DAYS[1])
    prices["system_price_gbp_mwh"] += 50.0
    desk.lake.write("market/system_price", DAYS[1], prices)
    assert outdated(desk.lake, settings) == DAYS[1:]  # settlement date 2 April is in its trading day and the next one
    before = cash(desk, "rule_based")
    desk.replay.settle([DAYS[1]])
    assert outdated(desk.lake, settings) == DAYS[1:]
    for step in (desk.replay.settle, desk.replay.record_status, desk.replay.pnl):
        step(DAYS[1:])
    assert outdated(desk.lake, settings) == []
    after = cash(desk, "rule_based")
    assert after.loc[DAYS[0]].to_dict() == before.loc[DAYS[0]].to_dict()
    market = after.drop(columns="fee").sum(axis=1).cumsum()
    floor = pd.Series([FLOOR_OF_A_DAY_GBP * n for n in range(1, 5)], index=market.index)
    assert after.sum(axis=1).cumsum().to_list() == pytest.approx(market.clip(lower=floor).to_list())
    total = desk.lake.read(DAILY_PNL, DAYS[0], DAYS[-1])
    assert total["pnl_gbp"].sum() == pytest.approx(desk.lake.read(CASHFLOW, DAYS[0], DAYS[-1])["amount_gbp"].sum())
