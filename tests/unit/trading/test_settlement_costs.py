"""Each cost by hand, the optimiser's share and floor, and what is absent while nothing costs anything."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from settlement_cases import one_half_hour, prices, settings, still_day
from trading_frames import BATTERY, day_ahead, system_price

from bess_pipeline.cost_settings import CostSettings
from bess_pipeline.errors import UserInputError
from bess_pipeline.settings import Settings
from bess_pipeline.trading.dispatch import idle_day
from bess_pipeline.trading.market_settlement import settle_market_day
from bess_pipeline.trading.settlement import SettledDay, settle_day
from bess_pipeline.trading.settlement_costs import cost_cash_gbp, month_true_up, shared_cash_gbp

DAY, SPRING = date(2026, 1, 15), date(2026, 3, 29)


def amount(settled: SettledDay, stream: str) -> float:
    rows = settled.cashflow
    return float(rows.loc[rows["stream"] == stream, "amount_gbp"].sum())


def traded(costs: dict[str, Any], energy: float = 0.0, metered: float = 0.0) -> SettledDay:
    """Sold 6 MWh day-ahead, bought 2 back, and metered `metered` for that in another half-hour's imbalance."""
    volumes = {"day_ahead_mwh": 6.0, "intraday_mwh": -2.0, "intraday_price_gbp_mwh": 0.0, "contracted_mwh": 4.0}
    rows = one_half_hour(DAY, 5, **volumes, metered_mwh=metered, imbalance_mwh=metered - 4.0)
    return settle_market_day(rows, prices(DAY, energy=energy, cash_out=0.0), BATTERY, settings(costs=costs))


@pytest.mark.parametrize(
    ("costs", "metered", "expected"),
    [
        ({"day_ahead_fee_gbp_per_mwh": 0.5}, 0.0, -3.0),
        ({"intraday_fee_gbp_per_mwh": 0.5}, 0.0, -1.0),
        ({"clearing_fee_gbp_per_mwh": 0.5}, 0.0, -4.0),
        ({"network_import_gbp_per_mwh": 3.0, "network_export_gbp_per_mwh": 2.0}, -7.0, -21.0),
        ({"network_import_gbp_per_mwh": 3.0, "network_export_gbp_per_mwh": -2.0}, 7.0, 14.0),
        ({"supplier_import_gbp_per_mwh": 3.0}, -7.0, -21.0),
        ({"supplier_import_gbp_per_mwh": 3.0}, 7.0, 0.0),
        ({"supplier_gbp_per_day": 96.0}, 0.0, -96.0),
    ],
)
def test_each_charge_by_hand(costs: dict[str, Any], metered: float, expected: float) -> None:
    settled = traded(costs, metered=metered)
    assert amount(settled, "fee") == pytest.approx(expected)
    assert "capacity_market" not in set(settled.cashflow["stream"])


def test_a_standing_charge_is_spread_over_the_half_hours_of_the_day() -> None:
    rows = settle_market_day(still_day(SPRING), prices(SPRING), BATTERY, settings(costs={"supplier_gbp_per_day": 92.0}))
    fees = rows.cashflow.loc[rows.cashflow["stream"] == "fee", "amount_gbp"]
    assert fees.tolist() == pytest.approx([-2.0] * 46)


def test_the_optimiser_has_its_share_of_a_good_day_after_other_costs_and_none_of_a_bad_one() -> None:
    """6 MWh at 100: 600, less 3 of fees: 10 % of 597; sold at -100 there is nothing to share."""
    costs = {"optimiser_share": 0.1, "day_ahead_fee_gbp_per_mwh": 0.5}
    assert amount(traded(costs, energy=100.0), "fee") == pytest.approx(-3.0 - 59.7)
    assert amount(traded(costs, energy=-100.0), "fee") == pytest.approx(-3.0)


def test_wear_and_the_capacity_market_are_not_shared() -> None:
    costs = {"optimiser_share": 0.5, "capacity_market_gbp_per_mw_year": 36_500.0}
    rows = one_half_hour(DAY, 5, charge_mw=20.0)
    settled = settle_market_day(rows, prices(DAY), BATTERY, settings(costs=costs))
    assert amount(settled, "capacity_market") == pytest.approx(36_500.0 * 50.0 / 365)
    assert amount(settled, "wear") == pytest.approx(-50.0)
    assert amount(settled, "fee") == 0.0
    assert shared_cash_gbp(settled.cashflow) == 0.0


@pytest.mark.parametrize("year", [2027, 2028])
def test_a_calendar_year_of_capacity_market_income_is_the_price(year: int) -> None:
    """Clock changes and leap years included; read per half-hour, without settling every day."""
    costs, total = CostSettings(capacity_market_gbp_per_mw_year=20_000.0), 0.0
    for day in pd.date_range(date(year, 1, 1), date(year, 12, 31)):
        found = cost_cash_gbp(costs, day.date(), 50.0, {"metered": np.zeros(48)}, {})
        total += found["capacity_market"].sum()
        assert set(found) == {"capacity_market"}
    assert total == pytest.approx(1_000_000.0)


def test_a_floor_is_made_up_day_by_day_and_taken_back_when_it_was_not_needed() -> None:
    """3,000 GBP/MW/month over 30 days at 50 MW: 5,000 a day. By hand, to date: owed 4000, 9000, 0, 2000."""
    days = [date(2026, 6, 1), date(2026, 6, 2), date(2026, 6, 3), date(2026, 6, 4)]
    costs = CostSettings(optimiser_floor_gbp_per_mw_month=3000.0)
    due = month_true_up(pd.Series([1000.0, 0.0, 15_000.0, 2000.0], index=days), costs, 50.0)
    assert due.tolist() == pytest.approx([4000.0, 5000.0, -9000.0, 2000.0])
    assert month_true_up(pd.Series([1000.0, 0.0], index=days[:2]), costs, 50.0).tolist() == due.tolist()[:2]
    assert month_true_up(pd.Series([1.0], index=days[:1]), CostSettings(), 50.0).tolist() == [0.0]
    assert month_true_up(pd.Series([], index=[], dtype="float64"), costs, 50.0).empty


def test_a_whole_month_earns_at_least_its_floor_and_no_more_than_the_larger() -> None:
    draw = np.random.default_rng(4)
    days = [day.date() for day in pd.date_range("2026-02-01", "2026-02-28")]
    costs = CostSettings(optimiser_floor_gbp_per_mw_month=2000.0)
    for scale in (500.0, 6000.0):
        cash = pd.Series(draw.normal(scale, 3000.0, 28), index=days)
        due = month_true_up(cash, costs, 50.0)
        assert cash.sum() + due.sum() == pytest.approx(max(cash.sum(), 100_000.0))


def test_a_floor_is_of_one_month_with_each_day_once_in_order() -> None:
    costs = CostSettings(optimiser_floor_gbp_per_mw_month=1.0)
    for days in ([date(2026, 6, 30), date(2026, 7, 1)], [DAY, DAY], [date(2026, 6, 2), date(2026, 6, 1)]):
        with pytest.raises(UserInputError, match="one calendar month, each once"):
            month_true_up(pd.Series([0.0, 0.0], index=days), costs, 50.0)


def test_day_ahead_strategies_pay_the_same_costs_and_none_by_default() -> None:
    rows = idle_day(DAY, "rule_based", 50.0)
    rows.loc[5, ["contracted_mwh", "metered_mwh"]] = 6.0
    market = day_ahead(DAY, DAY, lambda _: 100.0), system_price(DAY, DAY, 0.0)
    costs = {"day_ahead_fee_gbp_per_mwh": 0.5, "network_export_gbp_per_mwh": 1.0, "optimiser_share": 0.1}
    settled = settle_day(rows, *market, BATTERY, CostSettings(**costs))
    assert amount(settled, "fee") == pytest.approx(-9.0 - 59.1)
    assert set(settle_day(rows, *market, BATTERY).cashflow["stream"]) == {"day_ahead", "imbalance", "wear"}


def test_costs_change_their_own_digest_and_no_other() -> None:
    plain, costly = Settings(), Settings(costs={"optimiser_share": 0.1})
    assert plain.cost_fingerprint() == Settings(costs={"optimiser_share": 0.0}).cost_fingerprint() == ""
    assert costly.cost_fingerprint() not in {"", Settings(costs={"optimiser_share": 0.2}).cost_fingerprint()}
    assert costly.fingerprint() == plain.fingerprint()
    assert costly.co_optimisation_fingerprint() == plain.co_optimisation_fingerprint()


def test_acceptances_change_their_own_digest_and_no_other() -> None:
    section = {"offer_price_gbp_mwh": 150.0, "bid_price_gbp_mwh": 20.0, "skip_rate": 0.5}
    plain, off, on = (Settings(balancing_mechanism=one) for one in ({}, section, section | {"enabled": True}))
    assert plain.balancing_mechanism_fingerprint() == off.balancing_mechanism_fingerprint() == ""
    assert on.balancing_mechanism_fingerprint() != ""
    assert on.fingerprint() == plain.fingerprint()
    assert on.cost_fingerprint() == ""


@pytest.mark.parametrize(
    ("section", "named"),
    [
        ({"enabled": True}, "without offer_price_gbp_mwh, bid_price_gbp_mwh, skip_rate: no figure is published"),
        ({"enabled": True, "offer_price_gbp_mwh": 1.0, "skip_rate": 0.0}, "without bid_price_gbp_mwh: no figure"),
        ({"offer_price_gbp_mwh": 1.0, "bid_price_gbp_mwh": 2.0}, "bid_price_gbp_mwh 2 must not be above"),
    ],
)
def test_impossible_acceptances_are_refused_in_words(section: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Settings(balancing_mechanism=section)
