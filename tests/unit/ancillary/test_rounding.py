"""Offers in whole steps that can still be kept."""

from __future__ import annotations

import numpy as np
import pytest
from ancillary_cases import unit

from bess_pipeline.ancillary.rounding import EnergyLimits, rounded_energy_mw, whole_offers_mw
from bess_pipeline.errors import ContractBreachError

HOURLY = np.repeat(np.arange(4), 2)


def limits(power: float = 50.0, lowest: float = 0.0, highest: float = 100.0, extra: float = 0.0) -> EnergyLimits:
    one = np.ones(8)
    return EnergyLimits(power * one, power * one, lowest * one, highest * one, extra * one)


def test_whole_mw_downwards_and_never_up() -> None:
    values = np.array([[10.99, 10.0, 9.9999999999, 0.4, 0.0, -1e-9]])
    assert whole_offers_mw(values).tolist() == [[10, 10, 10, 0, 0, 0]]
    assert whole_offers_mw(np.array([1.29]), 0.1) == pytest.approx([1.2])


def test_energy_goes_to_a_tenth_beside_it_that_stays_nearest_to_the_planned_state() -> None:
    """-10.04 to -10.0 leaves 0.04 MWh less than planned, so 3.26 becomes 3.2; what is a tenth already stays."""
    net = np.repeat([-10.04, 3.26, 0.0, 6.61], 2)
    rounded = rounded_energy_mw(net, HOURLY, unit(), 50.0, limits())
    assert rounded == pytest.approx(np.repeat([-10.0, 3.2, 0.0, 6.6], 2))


def test_rounding_does_not_add_up() -> None:
    """Four hours of 0.04 MW each: to the nearest each time nothing would be sold at all."""
    rounded = rounded_energy_mw(np.full(8, 0.04), HOURLY, unit(), 50.0, limits())
    assert rounded.sum() * 0.5 == pytest.approx(0.2)
    assert set(np.round(rounded, 6)) <= {0.0, 0.1}


def test_never_up_beyond_power_or_the_band() -> None:
    net = np.repeat([9.96, 0.0, 0.0, -9.96], 2)
    power = rounded_energy_mw(net, HOURLY, unit(), 50.0, limits(power=9.96))
    assert power[[0, -1]] == pytest.approx([9.9, -9.9])
    energy = rounded_energy_mw(net, HOURLY, unit(), 50.0, limits(lowest=50 - 9.96))
    assert energy[0] == pytest.approx(9.9)
    energy = rounded_energy_mw(-net, HOURLY, unit(), 50.0, limits(highest=50 + 9.96))
    assert energy[0] == pytest.approx(-9.9)


def test_expected_activation_is_in_the_state_that_is_kept() -> None:
    """1 MWh drawn each half-hour from 50 to 42 leaves nothing to sell above 42."""
    flat = np.zeros(8)
    assert (rounded_energy_mw(flat, HOURLY, unit(), 50.0, limits(lowest=42.0, extra=-1.0)) == 0).all()
    with pytest.raises(ContractBreachError, match="half-hour 0 of the plan"):
        rounded_energy_mw(np.full(8, 2.0), HOURLY, unit(), 50.0, limits(lowest=52.0, extra=-1.0))
