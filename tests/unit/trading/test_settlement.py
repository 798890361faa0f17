"""Cash against the vectors of the settlement rules, and days whose prices are not all there."""

from __future__ import annotations

import dataclasses
from datetime import date

import pandas as pd
import pytest
from trading_frames import BATTERY, day_ahead, system_price

from bess_pipeline.trading.dispatch import idle_day
from bess_pipeline.trading.settlement import SettledDay, settle_day

DAY = date(2024, 2, 20)
NO_WEAR = dataclasses.replace(BATTERY, degradation_cost_gbp_per_mwh=0.0)
PRICES = day_ahead(DAY, DAY, lambda t: 10.0 * (t.hour + 1) % 240)


def one_period(period: int, **volumes: float) -> pd.DataFrame:
    rows = idle_day(DAY, "rule_based", 50.0)
    for column, value in volumes.items():
        rows.loc[period, column] = value
    return rows


def cash(settled: SettledDay, stream: str) -> float:
    rows = settled.cashflow
    return float(rows.loc[rows["stream"] == stream, "amount_gbp"].sum())


@pytest.mark.parametrize(
    ("contracted", "metered", "price", "expected"),
    [(10.0, 8.0, 150.0, -300.0), (10.0, 8.0, -50.0, 100.0), (10.0, 13.0, 150.0, 450.0), (-4.0, -6.0, 20.0, -40.0)],
)
def test_imbalance_vectors_long_is_paid_short_pays_negative_flips(
    contracted: float, metered: float, price: float, expected: float
) -> None:
    rows = one_period(20, contracted_mwh=contracted, metered_mwh=metered, imbalance_mwh=metered - contracted)
    settled = settle_day(rows, PRICES, system_price(DAY, DAY, price), NO_WEAR)
    assert cash(settled, "imbalance") == pytest.approx(expected)
    assert (settled.status, settled.reason) == ("complete", "")


@pytest.mark.parametrize(("charge", "discharge", "expected"), [(1.0, 0.0, -50.0), (0.0, 1.0, 50.0)])
def test_hand_case_a_half_hour_at_one_hundred_pounds(charge: float, discharge: float, expected: float) -> None:
    battery = dataclasses.replace(BATTERY, degradation_cost_gbp_per_mwh=2.0)
    sold = (discharge - charge) * 0.5
    rows = one_period(7, charge_mw=charge, discharge_mw=discharge, contracted_mwh=sold, metered_mwh=sold)
    settled = settle_day(rows, day_ahead(DAY, DAY, lambda _: 100.0), system_price(DAY, DAY, 0.0), battery)
    assert cash(settled, "day_ahead") == pytest.approx(expected)
    assert cash(settled, "wear") == pytest.approx(-1.0)
    assert cash(settled, "imbalance") == 0.0


def test_without_imbalance_no_system_price_is_needed() -> None:
    rows = one_period(20, contracted_mwh=5.0, metered_mwh=5.0)
    settled = settle_day(rows, PRICES, system_price(DAY, DAY, 100.0).iloc[:0], NO_WEAR)
    assert settled.status == "complete"
    idle = settle_day(idle_day(DAY, "rule_based", 50.0), PRICES.iloc[:0], system_price(DAY, DAY, 1.0).iloc[:0], BATTERY)
    assert idle.status == "complete"
    assert len(idle.cashflow) == 3 * 48
    assert str(idle.cashflow["amount_gbp"].abs().sum()) == "0.0"


def test_imbalance_without_a_system_price_is_provisional_and_names_count_and_first_period() -> None:
    rows = one_period(20, imbalance_mwh=1.0)
    rows.loc[[1, 30], "imbalance_mwh"] = 1.0
    prices = system_price(DAY, DAY, 100.0).drop(index=[1, 30])
    settled = settle_day(rows, PRICES, prices, NO_WEAR)
    assert settled.status == "provisional"
    assert settled.reason == (
        "no system price for 2 half-hours in which there was imbalance, "
        "the first in settlement date 2024-02-19 period 48"
    )
    assert cash(settled, "imbalance") == pytest.approx(100.0)  # period 20 only


def test_energy_sold_without_a_day_ahead_price_is_provisional() -> None:
    rows = one_period(20, contracted_mwh=1.0, metered_mwh=1.0)
    settled = settle_day(rows, PRICES.drop(index=20), system_price(DAY, DAY, 100.0), NO_WEAR)
    assert settled.reason == (
        "no day-ahead price for 1 half-hour in which energy was sold or bought, "
        "the first in settlement date 2024-02-20 period 19"
    )
    assert cash(settled, "day_ahead") == 0.0


def test_prices_meet_their_half_hour_whatever_the_order_of_the_rows() -> None:
    rows = one_period(20, contracted_mwh=1.0, metered_mwh=1.0)
    settled = settle_day(rows.iloc[::-1], PRICES.iloc[::-1], system_price(DAY, DAY, 100.0), NO_WEAR)
    cashflow = settled.cashflow
    paid = cashflow[(cashflow["stream"] == "day_ahead") & (cashflow["amount_gbp"] != 0)]
    assert list(paid["start_utc"]) == [pd.Timestamp("2024-02-20T09:00", tz="UTC")]
    assert list(paid["amount_gbp"]) == [100.0]
