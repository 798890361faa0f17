"""Payments by real hours, lost availability, and the two knobs that are off."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from ancillary_cases import blocks, day_of, mw_of

from bess_pipeline.ancillary.payments import (
    deduction_gbp,
    half_hour_payments_gbp,
    lost_availability_gbp,
    payment_gbp,
    unavailable_periods,
    window_payments_gbp,
)

PRODUCTS = ("DRL", "DRH", "PQR")
ORDINARY, SPRING, AUTUMN = date(2026, 1, 15), date(2026, 3, 29), date(2026, 10, 25)


@pytest.mark.parametrize(("day", "expected"), [(ORDINARY, 200.0), (SPRING, 150.0), (AUTUMN, 250.0)])
def test_settlement_vector_10_mw_of_dr_at_5_gbp_in_block_1(day: date, expected: float) -> None:
    horizon = blocks(1, day)
    mw, price = mw_of(PRODUCTS, horizon, DRL=10), np.full((3, horizon.periods), 5.0)
    assert window_payments_gbp(PRODUCTS, horizon, mw, price)[0] == pytest.approx(np.full(horizon.periods, expected))
    assert half_hour_payments_gbp(mw, price)[0].sum() == pytest.approx(expected)
    assert payment_gbp(10, 5, horizon.block_hours[0]) == pytest.approx(expected)


@pytest.mark.parametrize("day", [ORDINARY, SPRING, AUTUMN])
def test_a_period_outside_the_band_costs_its_part_of_the_block(day: date) -> None:
    """1/6, 1/8 or 1/10: a block that is never available loses its payment, no more and no less."""
    horizon = blocks(1, day)
    mw, price = mw_of(PRODUCTS, horizon, DRL=10), np.full((3, horizon.periods), 5.0)
    payment = window_payments_gbp(PRODUCTS, horizon, mw, price)
    unavailable = np.zeros((2, horizon.periods), dtype=bool)
    unavailable[0, 2] = True
    lost = lost_availability_gbp(PRODUCTS, horizon, payment, unavailable)
    assert lost[0].sum() == pytest.approx(payment[0, 0] / horizon.periods)
    assert lost[0, 2] == pytest.approx(25.0)
    unavailable[0] = True
    assert lost_availability_gbp(PRODUCTS, horizon, payment, unavailable)[0].sum() == pytest.approx(payment[0, 0])


def test_a_negative_payment_is_never_waived() -> None:
    horizon = blocks(1)
    mw, price = mw_of(PRODUCTS, horizon, DRL=10, DRH=10), np.full((3, horizon.periods), 5.0)
    price[1] = -8.0
    payment = window_payments_gbp(PRODUCTS, horizon, mw, price)
    lost = lost_availability_gbp(PRODUCTS, horizon, payment, np.ones((2, horizon.periods), dtype=bool))
    assert payment[1, 0] == -320.0
    assert lost[1].tolist() == [0.0] * 8
    assert lost[0] == pytest.approx(np.full(8, 25.0))


def test_each_direction_loses_by_its_own_requirement_and_reserve_by_its_half_hour() -> None:
    horizon = blocks(1)
    mw, price = mw_of(PRODUCTS, horizon, DRL=10, DRH=10, PQR=4), np.full((3, horizon.periods), 5.0)
    payment = window_payments_gbp(PRODUCTS, horizon, mw, price)
    missing = np.zeros((2, horizon.periods))
    missing[0, 1], missing[1, 5] = 0.3, 1e-9
    assert unavailable_periods(np.array([np.nan, 0.0, -3.0])).tolist() == [True, False, False]
    lost = lost_availability_gbp(PRODUCTS, horizon, payment, unavailable_periods(missing))
    assert np.argwhere(lost > 0).tolist() == [[0, 1], [2, 1]]
    assert lost[2, 1] == pytest.approx(4 * 5 * 0.5)  # a half-hour of reserve, all of its payment
    assert payment[2, 1] == pytest.approx(10.0)


def test_scenarios_stand_before_products() -> None:
    horizon = day_of()
    mw = mw_of(PRODUCTS, horizon, DRL=10)
    price = np.stack([np.full((3, horizon.periods), one) for one in (5.0, -5.0)])
    unavailable = np.zeros((2, 2, horizon.periods), dtype=bool)
    unavailable[:, 0, 0] = True
    lost = lost_availability_gbp(PRODUCTS, horizon, window_payments_gbp(PRODUCTS, horizon, mw, price), unavailable)
    assert lost[:, 0, 0].tolist() == [25.0, 0.0]


def test_nothing_contracted_pays_nothing_even_where_nothing_cleared() -> None:
    assert payment_gbp(np.array([0.0, 1.0]), np.nan, 4).tolist()[0] == 0.0
    assert np.isnan(payment_gbp(np.array([0.0, 1.0]), np.nan, 4)[1])


def test_the_knobs_take_nothing_by_default_and_never_off_a_negative_payment() -> None:
    payment = np.array([200.0, -80.0])
    assert deduction_gbp(payment).tolist() == [0.0, 0.0]
    assert deduction_gbp(payment, availability_factor=0.9) == pytest.approx([20.0, 0.0])
    curve = ((0.5, 0.0), (0.9, 1.0))
    taken = deduction_gbp(np.full(4, 100.0), None, curve, np.array([0.4, 0.7, 0.9, 1.0]))
    assert taken == pytest.approx([100.0, 50.0, 0.0, 0.0])
    assert deduction_gbp(100.0, 0.5, curve, 0.7) == pytest.approx(75.0)
