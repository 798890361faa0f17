"""What contracts require while a day is carried out: the same as the rule says of all that is known, at once."""

from __future__ import annotations

import numpy as np
import pytest
from market_days import BATTERY, DAY, half_hours

from bess_pipeline.ancillary.energy_band import band_mwh, required_by_direction
from bess_pipeline.ancillary.rating import committed_mw
from bess_pipeline.ancillary.windows import horizon_of
from bess_pipeline.trading.delivery_record import DeliveryRecord

CODES = ("DCL", "DRL", "DRH", "PQR")


def test_each_outcome_moves_the_requirement_as_the_rule_does() -> None:
    random, horizon = np.random.default_rng(2), horizon_of(half_hours(DAY))
    mw = np.concatenate([np.repeat(random.integers(0, 9, (3, 12)), 8, axis=1), random.integers(0, 9, (1, 96))]) * 1.0
    energy, outcome = random.uniform(0, 0.2, (4, 96)), random.uniform(0, 0.4, (4, 96))
    record = DeliveryRecord(BATTERY, CODES, horizon, mw, energy)
    for k in range(48):
        expected = band_mwh(BATTERY, required_by_direction(CODES, horizon, mw, energy))
        assert np.stack(record.band_mwh()) == pytest.approx(np.stack(expected))
        record.delivered(k, outcome[:, k], 0.5, 1.0)
        energy[:, k] = outcome[:, k] * [0.5, 0.5, 1.0, 0.5]
    assert record.committed.discharge_rating_mwh == pytest.approx(0.5 * committed_mw(CODES, horizon, mw, "low"))
    assert record.committed.charge_rating_mwh == pytest.approx(0.5 * committed_mw(CODES, horizon, mw, "high"))


def test_contracts_that_become_known_count_from_then_on() -> None:
    horizon = horizon_of(half_hours(DAY))
    none, held, energy = np.zeros((1, 96)), np.full((1, 96), 10.0), np.full((1, 96), 0.02)
    record = DeliveryRecord(BATTERY, ("DRL",), horizon, none, energy)
    assert record.band_mwh()[0] == pytest.approx(np.full(96, 5.0))
    record.set_contracts(held)
    assert record.band_mwh()[0][[0, 48]] == pytest.approx(5.0 + 10.0 / 0.95)
    assert record.committed.low_mwh == pytest.approx(np.full(96, 0.2))


def test_what_is_missing_is_counted_where_something_is_required() -> None:
    horizon = horizon_of(half_hours(DAY))
    held = np.where(np.arange(96) < 8, 10.0, 0.0)[None]
    record = DeliveryRecord(BATTERY, ("DRL",), horizon, held, np.zeros((1, 96)))
    missing = record.missing_mwh(np.full(48, 8.0))
    assert missing[0] == pytest.approx(np.where(np.arange(48) < 8, 10.0 - 3.0 * 0.95, 0.0))
    assert not missing[1].any()
    below = record.missing_mwh(np.full(48, 4.9))
    assert below[0, 8:].max() == 0.0


def test_without_products_nothing_is_required() -> None:
    record = DeliveryRecord(BATTERY, (), horizon_of(half_hours(DAY)), np.zeros((0, 96)), np.zeros((0, 96)))
    record.delivered(0, np.zeros(0), 1.0, 1.0)
    assert np.stack(record.band_mwh()).tolist() == [[5.0] * 96, [95.0] * 96]
    assert not record.missing_mwh(np.full(48, 50.0)).any()


def test_the_margin_is_what_the_busier_direction_moves_on_the_sides_that_are_asked_for() -> None:
    horizon = horizon_of(half_hours(DAY))
    held = np.where(np.arange(96) < 48, 10.0, 0.0)
    energy = np.array([[0.02], [0.03]]) * np.ones((2, 96))
    both = DeliveryRecord(BATTERY, ("DRL", "DRH"), horizon, np.stack([held, held]), energy)
    plain, drawn_in = both.band_mwh(), both.band_mwh(3.0)
    assert drawn_in[0] - plain[0] == pytest.approx(np.where(held > 0, 3 * 0.3 * 0.9, 0.0))
    assert plain[1] - drawn_in[1] == pytest.approx(np.where(held > 0, 3 * 0.3 * 0.9, 0.0))
    low = DeliveryRecord(BATTERY, ("DRL",), horizon, held[None], energy[:1])
    assert low.band_mwh(3.0)[0] - low.band_mwh()[0] == pytest.approx(np.where(held > 0, 3 * 0.2 / 0.95, 0.0))
    assert low.band_mwh(3.0)[1].tolist() == [95.0] * 96
