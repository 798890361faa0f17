"""The re-checks find each kind of error, planted by hand, and are silent on what is right."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pandas as pd
import pytest
from trading_frames import BATTERY, day_ahead, system_price

from bess_pipeline import gb_time, schemas
from bess_pipeline.trading.checks import cash_difference_gbp, energy_balance_error_mwh, opening_gaps
from bess_pipeline.trading.status import status_row

DAY = date(2026, 3, 29)
STRATEGIES = ("rule_based", "day_ahead_perfect_foresight")
PRICES = day_ahead(DAY, DAY, lambda local: 50.0 + local.hour)
SYSTEM = system_price(DAY, DAY, 80.0)


def dispatch(strategy: str = "rule_based", day: date = DAY, opening_mwh: float = 50.0) -> pd.DataFrame:
    """One half-hour of 20 MW charge, one of 10 MW discharge of which 1 MWh was not sold; sums done here by hand."""
    starts = gb_time.efa_half_hours(day)
    charged, drawn = 20.0 * 0.5 * 0.88**0.5, 10.0 * 0.5 / 0.88**0.5
    energy = [opening_mwh + charged] * 4 + [opening_mwh + charged - drawn] * (len(starts) - 4)
    zero = dict.fromkeys(schemas.columns("trading/dispatch"), 0.0)
    frame = pd.DataFrame(zero, index=range(len(starts))).assign(
        efa_date=[day] * len(starts), strategy=strategy, start_utc=starts, energy_mwh=energy
    )
    frame.loc[0, ["charge_mw", "contracted_mwh", "metered_mwh"]] = [20.0, -10.0, -10.0]
    frame.loc[4, ["discharge_mw", "contracted_mwh", "metered_mwh", "imbalance_mwh"]] = [10.0, 4.0, 5.0, 1.0]
    return schemas.validate("trading/dispatch", frame)


def cashflow(strategy: str = "rule_based") -> pd.DataFrame:
    """Cash of `dispatch`: hour 23 costs 73 GBP/MWh, hour 2 (the fifth half-hour, 02:00 BST is its label) 52."""
    starts = gb_time.efa_half_hours(DAY)
    amounts = [
        (starts[0], "day_ahead", -10.0 * 73.0),
        (starts[0], "wear", -10.0 * 5.0),
        (starts[4], "day_ahead", 4.0 * PRICES["day_ahead_price_gbp_mwh"].iloc[4]),
        (starts[4], "imbalance", 1.0 * 80.0),
        (starts[4], "wear", -5.0 * 5.0),
    ]
    frame = pd.DataFrame(amounts, columns=["start_utc", "stream", "amount_gbp"])
    return frame.assign(efa_date=[DAY] * len(frame), strategy=strategy)


def difference(cash: pd.DataFrame, rows: pd.DataFrame) -> float:
    return cash_difference_gbp(cash, rows, PRICES, SYSTEM, BATTERY)


# --- energy balance ------------------------------------------------------------------------------


def test_a_balanced_dispatch_has_no_error_over_days_strategies_and_row_order() -> None:
    following = dispatch(day=DAY + timedelta(days=1), opening_mwh=float(dispatch()["energy_mwh"].iloc[-1]))
    frame = pd.concat([dispatch(STRATEGIES[1], opening_mwh=20.0), following, dispatch()])
    assert energy_balance_error_mwh(frame.sample(frac=1, random_state=1), BATTERY) == pytest.approx(0.0, abs=1e-9)
    assert energy_balance_error_mwh(schemas.empty_frame("trading/dispatch"), BATTERY) == 0.0


def test_energy_that_appears_is_found_to_its_size() -> None:
    frame = dispatch()
    frame.loc[20:, "energy_mwh"] += 0.25
    assert energy_balance_error_mwh(frame, BATTERY) == pytest.approx(0.25)


def test_energy_that_appears_over_midnight_is_found() -> None:
    following = dispatch(day=DAY + timedelta(days=1), opening_mwh=float(dispatch()["energy_mwh"].iloc[-1]) - 3.0)
    rows = pd.concat([dispatch(), following])
    assert energy_balance_error_mwh(rows, BATTERY) == pytest.approx(3.0)
    assert energy_balance_error_mwh(rows, BATTERY, chain_starts=[DAY]) == pytest.approx(3.0)
    assert energy_balance_error_mwh(rows, BATTERY, chain_starts=[DAY + timedelta(days=1)]) == pytest.approx(0.0)


def test_a_forgotten_efficiency_is_found() -> None:
    lossless = replace(BATTERY, charge_efficiency=1.0)
    before = gb_time.efa_half_hours(DAY)[0] - pd.Timedelta(minutes=30)
    rows = pd.concat([dispatch().iloc[[3]].assign(start_utc=before, energy_mwh=50.0), dispatch()])
    assert energy_balance_error_mwh(rows, BATTERY) == pytest.approx(0.0, abs=1e-9)
    assert energy_balance_error_mwh(rows, lossless) == pytest.approx(10.0 * (1.0 - 0.88**0.5))


def test_days_that_do_not_touch_are_not_compared() -> None:
    later = dispatch(day=DAY + timedelta(days=2), opening_mwh=10.0)
    assert energy_balance_error_mwh(pd.concat([dispatch(), later]), BATTERY) == pytest.approx(0.0, abs=1e-9)


# --- cash ------------------------------------------------------------------------------------------


def test_cash_worked_out_by_hand_reconciles() -> None:
    both = pd.concat([cashflow(name) for name in STRATEGIES]), pd.concat([dispatch(name) for name in STRATEGIES])
    assert difference(*both) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("row", range(5))
def test_a_penny_in_any_row_is_found(row: int) -> None:
    cash = cashflow()
    cash.loc[row, "amount_gbp"] += 0.01
    assert difference(cash, dispatch()) == pytest.approx(0.01)


def test_errors_of_two_streams_do_not_cancel() -> None:
    cash = cashflow()
    cash.loc[2, "amount_gbp"] += 30.0
    cash.loc[3, "amount_gbp"] -= 30.0
    assert difference(cash, dispatch()) == pytest.approx(60.0)


def test_errors_of_two_strategies_do_not_cancel() -> None:
    cash = pd.concat([cashflow(name) for name in STRATEGIES], ignore_index=True)
    cash.loc[0, "amount_gbp"] += 30.0
    cash.loc[5, "amount_gbp"] -= 30.0
    assert difference(cash, pd.concat([dispatch(name) for name in STRATEGIES])) == pytest.approx(60.0)


def test_missing_cash_and_cash_without_dispatch_are_found() -> None:
    nothing = schemas.empty_frame("trading/cashflow")
    whole = float(cashflow().groupby("stream")["amount_gbp"].sum().abs().sum())
    assert difference(nothing, dispatch()) == pytest.approx(whole)
    assert difference(cashflow(), schemas.empty_frame("trading/dispatch")) == pytest.approx(whole)
    assert difference(nothing, schemas.empty_frame("trading/dispatch")) == 0.0


def test_a_half_hour_without_a_price_is_left_out_on_both_sides() -> None:
    unpriced = PRICES[PRICES["start_utc"] != gb_time.efa_half_hours(DAY)[4]]
    cash = cashflow().drop(index=2)
    assert cash_difference_gbp(cash, dispatch(), unpriced, SYSTEM, BATTERY) == pytest.approx(0.0, abs=1e-9)
    assert cash_difference_gbp(cashflow(), dispatch(), unpriced, SYSTEM, BATTERY) > 100.0


# --- the chain ---------------------------------------------------------------------------------------


def status(day: date, opening: float | None, closing: float | None, chain_start: date | None = DAY) -> pd.DataFrame:
    complete = opening is not None
    return status_row(
        day,
        "rule_based",
        "complete" if complete else "refused",
        "" if complete else "no state",
        opening_energy_mwh=opening,
        closing_energy_mwh=closing,
        chain_start=chain_start,
    )


def days(*rows: pd.DataFrame) -> pd.DataFrame:
    return schemas.validate("trading/run_status", pd.concat(rows, ignore_index=True))


NEXT = DAY + timedelta(days=1)


def test_a_day_that_opens_where_the_day_before_closed_has_no_gap() -> None:
    frame = days(status(DAY, 50.0, 5.0), status(NEXT, 5.0, 7.0), status(NEXT + timedelta(days=1), 7.0 + 1e-9, 7.0))
    assert opening_gaps(frame).empty


def test_a_day_that_opens_elsewhere_is_found() -> None:
    frame = days(status(DAY, 50.0, 5.0), status(NEXT, 5.1, 7.0))
    assert opening_gaps(frame)["efa_date"].tolist() == [NEXT]


def test_a_declared_chain_start_may_open_anywhere_and_a_gap_of_days_is_not_compared() -> None:
    assert opening_gaps(days(status(DAY, 50.0, 5.0), status(NEXT, 50.0, 7.0, chain_start=NEXT))).empty
    assert opening_gaps(days(status(DAY, 50.0, 5.0), status(DAY + timedelta(days=2), 50.0, 7.0))).empty
    assert opening_gaps(schemas.empty_frame("trading/run_status")).empty


def test_a_day_without_a_state_is_no_gap() -> None:
    assert opening_gaps(days(status(DAY, 50.0, 5.0), status(NEXT, None, None, None))).empty
