"""What activation does to the stored energy, cycles, wear and cash, in numbers by hand."""

from __future__ import annotations

import numpy as np
import pytest
from ancillary_cases import unit

from bess_pipeline.ancillary.activation_effects import (
    adjusted_mwh,
    at_start_mwh,
    cycles,
    energy_path_mwh,
    flows_of,
    reserve_energy_cash_gbp,
    response_energy_cash_gbp,
    stored_change_mwh_per_mw,
    wear_gbp,
)

PRODUCTS = ("DRL", "DRH", "DCL", "PQR", "NQR")
MW = np.array([[10.0, 10], [20, 20], [40, 40], [5, 0], [0, 8]])
ENERGY = np.zeros((2, 5, 2))  # scenario 0: nothing moves
ENERGY[1] = [[0.1, 0.0], [0.05, 0.2], [0.01, 0.0], [0.2, 0.2], [0.5, 0.25]]
FLOWS = flows_of(PRODUCTS, MW, ENERGY)
NONE = np.zeros((2, 2))


def test_flows_are_mw_times_energy_by_direction_and_kind() -> None:
    assert FLOWS.response_export_mwh.tolist() == [[0, 0], pytest.approx([1.4, 0.0])]
    assert FLOWS.response_import_mwh[1] == pytest.approx([1.0, 4.0])
    assert FLOWS.reserve_export_mwh[1] == pytest.approx([1.0, 0.0])
    assert FLOWS.reserve_import_mwh[1] == pytest.approx([0.0, 2.0])
    assert FLOWS.export_mwh[1] == pytest.approx([2.4, 0.0])
    assert FLOWS.import_mwh[1] == pytest.approx([1.0, 6.0])


def test_energy_leaves_and_enters_the_store_with_its_losses() -> None:
    """2.4 MWh out at 0.8 draw 3, 1 MWh in at 0.9 adds 0.9: low and high do not net."""
    battery = unit(50, 100, initial_soc=0.5).__class__(
        energy_mwh=100, power_mw=50, charge_efficiency=0.9, discharge_efficiency=0.8
    )
    path = energy_path_mwh(battery, 50.0, NONE, NONE, FLOWS)
    assert path[0].tolist() == [50.0, 50.0]
    assert path[1] == pytest.approx([50 - 3 + 0.9, 50 - 3 + 0.9 + 5.4])
    change = (MW * stored_change_mwh_per_mw(PRODUCTS, battery, ENERGY)).sum(axis=1)
    assert np.cumsum(change, axis=-1) + 50 == pytest.approx(path)
    assert at_start_mwh(50.0, path)[1] == pytest.approx([50.0, 47.9])


def test_the_baseline_and_standing_losses_are_in_the_path() -> None:
    battery = unit(50, 100, auxiliary_mw=0.2, self_discharge_per_hour=0.02)
    charge, discharge = np.array([[10.0, 0], [10, 0]]), np.array([[0.0, 6], [0, 6]])
    path = energy_path_mwh(battery, np.array([40.0, 50.0]), charge, discharge, FLOWS)
    first = 40 * 0.99 - 0.1 + 5
    assert path[0] == pytest.approx([first, first * 0.99 - 0.1 - 3])
    first = 50 * 0.99 - 0.1 + 5 - 2.4 + 1
    assert path[1] == pytest.approx([first, first * 0.99 - 0.1 - 3 + 6])


def test_activation_counts_in_cycles_and_wear() -> None:
    battery = unit(50, 100, soc_min=0.1, soc_max=0.9, initial_soc=0.5, final_soc=0.5, degradation_cost_gbp_per_mwh=5.0)
    assert cycles(battery, FLOWS) == pytest.approx([0.0, 2.4 / 80])
    assert wear_gbp(battery, FLOWS)[1] == pytest.approx([5 * 3.4, 5 * 6.0])


def test_response_energy_is_unpaid_where_absvd_applies_and_meets_the_system_price_otherwise() -> None:
    price = np.array([100.0, -40.0])
    assert response_energy_cash_gbp(FLOWS, price, True).tolist() == [[0, 0], [0, 0]]
    assert response_energy_cash_gbp(FLOWS, price, False)[1] == pytest.approx([0.4 * 100, -4 * -40])


@pytest.mark.parametrize("absvd_applies", [True, False])
def test_imbalance_holds_response_only_where_absvd_does_not_apply(absvd_applies: bool) -> None:
    """Metered 6 net of activation against 5 contracted: 1 MWh of the plan's own, and the response energy or not."""
    metered = 6 + FLOWS.export_mwh - FLOWS.import_mwh
    imbalance = metered - 5 - adjusted_mwh(FLOWS, absvd_applies)
    assert imbalance[1] == pytest.approx([1.0, 1.0] if absvd_applies else [1.4, -3.0])
    price = np.array([100.0, -40.0])
    whole = imbalance * price
    assert whole - 1 * price == pytest.approx(response_energy_cash_gbp(FLOWS, price, absvd_applies))


def test_reserve_is_paid_its_own_price_when_it_exports_and_pays_it_when_it_imports() -> None:
    cash = reserve_energy_cash_gbp(PRODUCTS, MW, ENERGY, {"PQR": 120.0, "NQR": -30.0})
    assert cash[0].tolist() == [0, 0]
    assert cash[1] == pytest.approx([120.0, 60.0])
