"""State of energy: worked examples of domain reference 5.2, the path of delivery, the band of a battery."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from ancillary_cases import ALL, RESPONSE, blocks, day_of, mw_of, path_by_hand, unit

from bess_pipeline.ancillary.delivery_path import after_delivery_path, required_mwh_per_mw, uncapped_path
from bess_pipeline.ancillary.energy_band import (
    band_breaches,
    band_mwh,
    band_rows,
    band_shortfall_mwh,
    energy_volume_mwh,
    recovery_mwh,
    required_by_direction,
)

HORIZON = blocks(1)
ONE_BLOCK = np.zeros(9, dtype=np.int64)


def rules_broken(battery_mwh: float, energy: float, efficiency: float = 1.0, **mw: float) -> list[str]:
    volume = mw_of(ALL, HORIZON, **mw)
    battery = unit(200.0, battery_mwh, efficiency)
    state = np.full(HORIZON.periods, energy)
    found = band_breaches(ALL, HORIZON, battery, volume, state)
    rows = band_rows(ALL, HORIZON, battery)
    excess = rows.excess(np.column_stack([volume.T, state]))
    assert sorted({one.rule for one in found}) == sorted(np.array(rows.names)[(excess > 1e-6).any(axis=0)].tolist())
    return [one.rule for one in found if one.period == 0]


def test_worked_20_mw_of_dc_is_5_mwh_of_which_1_must_be_recovered_in_a_period() -> None:
    low, high = energy_volume_mwh(ALL, mw_of(ALL, HORIZON, DCL=20))
    assert low == pytest.approx(np.full(8, 5.0))
    assert high == pytest.approx(np.zeros(8))
    assert recovery_mwh(ALL, mw_of(ALL, HORIZON, DCL=20), "low") == pytest.approx(
        np.full(8, 1.0)
    )  # 2 MW for 30 minutes


def test_volumes_of_services_in_one_direction_add_up() -> None:
    low, high = energy_volume_mwh(ALL, mw_of(ALL, HORIZON, DCL=20, DML=10, DRL=5, DRH=7, PQR=4))
    assert low[0] == pytest.approx(20 * 0.25 + 10 * 0.5 + 5 * 1.0 + 4 * 0.5)
    assert high[0] == pytest.approx(7.0)


def test_both_volumes_must_fit_into_the_usable_energy() -> None:
    assert rules_broken(50, 20.0, DML=40, DMH=40) == []  # the worked 50 MWh unit
    assert rules_broken(50, 25.0, DRL=25, DRH=25) == []
    assert "usable energy" in rules_broken(50, 25.0, DRL=26, DRH=26)


def test_the_start_must_hold_the_low_volume_and_have_room_for_the_high_one() -> None:
    assert rules_broken(50, 20.0, DML=40) == []
    assert rules_broken(50, 19.9, DML=40) == ["energy to discharge"]
    assert rules_broken(50, 30.0, DMH=40) == []
    assert rules_broken(50, 30.1, DMH=40) == ["room to charge"]
    assert rules_broken(50, 9.9, PQR=20) == ["energy to discharge"]  # reserve: 30 minutes
    assert rules_broken(50, 40.1, NBR=20) == ["room to charge"]


def test_energy_is_counted_at_the_grid() -> None:
    """90 % each way: 9 MWh stored give 8.1, and a room of 8.1 stored takes 9 from the grid."""
    assert rules_broken(50, 9.0, 0.9, PQR=16.2) == []
    assert rules_broken(50, 9.0, 0.9, PQR=16.3) == ["energy to discharge"]
    assert rules_broken(50, 50 - 8.1, 0.9, NQR=18.0) == []
    assert rules_broken(50, 50 - 8.1, 0.9, NQR=18.1) == ["room to charge"]


def test_the_band_lies_within_the_battery_s_own_limits() -> None:
    battery = unit(50, 100, 0.9, soc_min=0.1, soc_max=0.9, initial_soc=0.5, final_soc=0.5)
    required = required_by_direction(ALL, HORIZON, mw_of(ALL, HORIZON, DML=18, DMH=20))
    lowest, highest = band_mwh(battery, required)
    assert lowest == pytest.approx(np.full(8, 10 + 9 / 0.9))
    assert highest == pytest.approx(np.full(8, 90 - 10 * 0.9))


# --- while energy is delivered ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("delivered", "expected"),
    [([2], [50, 48, 48, 48, 48, 50, 50, 50]), ([30], [50, 20, 20, 20, 20, 30, 40, 50, 50])],
)
def test_worked_requirement_after_delivery(delivered: list[float], expected: list[float]) -> None:
    values = np.array(delivered + [0.0] * (len(expected) - len(delivered)))
    assert after_delivery_path(50.0, values, ONE_BLOCK[: len(values)]).tolist() == expected
    assert path_by_hand(50.0, values.tolist()) == expected


def test_the_worked_paths_per_contracted_mw() -> None:
    """A 5 h block of 50 MW DR low, 0.04 or 0.6 MWh per MW in its first half-hour (the latter beyond full delivery)."""
    long = blocks(1, date(2026, 10, 25))
    energy = np.zeros((2, 1, long.periods))
    energy[:, 0, 0] = 0.04, 0.6
    required = 50 * required_mwh_per_mw(("DRL",), long, energy)[:, 0]
    assert required[0] == pytest.approx([50, 48, 48, 48, 48, 50, 50, 50, 50, 50])
    assert required[1] == pytest.approx([50, 20, 20, 20, 20, 30, 40, 50, 50, 50])


def test_delivery_that_goes_on_lowers_the_requirement_further() -> None:
    assert after_delivery_path(40.0, np.array([1.0, 1, 1, 0]), ONE_BLOCK[:4]).tolist() == [40, 39, 38, 37]


def test_each_block_starts_again_at_its_volume() -> None:
    horizon = day_of(date(2026, 3, 29))  # blocks of 6, 8, 8, 8, 8 and 8 half-hours
    delivered = np.full(horizon.periods, 0.3)
    path = after_delivery_path(5.0, delivered, horizon.block)
    assert (path[[0, 6, 14, 22, 30, 38]] == 5.0).all()
    assert path[5] == pytest.approx(5 - 5 * 0.3 + 0.3)
    assert uncapped_path(5.0, delivered, horizon.block)[[0, 5, 6, 7]] == pytest.approx([5.0, 3.8, 5.0, 4.7])


def test_services_of_one_direction_share_one_cap_and_the_linear_rows_never_ask_for_less() -> None:
    """10 MW DC low deliver nothing, 10 MW DR low 4 MWh at once: one volume of 12.5, so 2.5 a period, not 2."""
    energy = np.zeros((len(RESPONSE), HORIZON.periods))
    energy[RESPONSE.index("DRL"), 0] = 0.4
    mw = mw_of(RESPONSE, HORIZON, DCL=10, DRL=10)
    required = required_by_direction(RESPONSE, HORIZON, mw, energy)
    assert required[0] == pytest.approx([12.5, 8.5, 8.5, 8.5, 8.5, 11.0, 12.5, 12.5])
    linear = (mw * required_mwh_per_mw(RESPONSE, HORIZON, energy))[[0, 2, 4]].sum(axis=0)
    assert linear == pytest.approx([12.5, 8.5, 8.5, 8.5, 8.5, 12.5, 12.5, 12.5])


def test_a_requirement_never_falls_below_nothing_and_reserve_is_not_lent_from_response() -> None:
    energy = np.zeros((2, HORIZON.periods))
    energy[0, :3] = 0.5  # 1.5 times the volume of DM
    required = required_by_direction(("DML", "PQR"), HORIZON, mw_of(("DML", "PQR"), HORIZON, DML=10, PQR=4), energy)
    assert required[0].tolist() == [7, 2, 2, 2, 2, 2, 2, 2]  # response alone: 5, 0, -5, -10, -10, -9, -8, -7
    assert required_mwh_per_mw(("DML",), HORIZON, energy[:1])[0, :4].tolist() == [0.5, 0.0, 0.0, 0.0]


def test_activation_moves_the_rows_as_it_moves_the_rule() -> None:
    """Scenarios stand before half-hours in the coefficients."""
    energy = np.zeros((3, 1, HORIZON.periods))
    energy[1, 0, 0], energy[2, 0, 0] = 0.1, 0.4
    rows = band_rows(("DRH",), HORIZON, unit(), energy)
    assert rows.coefficient.shape == (3, HORIZON.periods, 3, 2)
    assert rows.coefficient[1, :, 1, 0] == pytest.approx(path_by_hand(1.0, energy[1, 0].tolist()))
    assert rows.coefficient[2, :, 1, 0] == pytest.approx(path_by_hand(1.0, energy[2, 0].tolist()))


def test_many_scenarios_at_once_are_each_one_alone() -> None:
    """Rows, shortfall and breaches of three scenarios with states of their own, one product a direction: all exact."""
    rng, products = np.random.default_rng(3), ("DRL", "DMH")
    energy, state = rng.uniform(0, 0.4, (3, 2, HORIZON.periods)), rng.uniform(0, 100, (3, HORIZON.periods))
    mw, battery = mw_of(products, HORIZON, DRL=60, DMH=80), unit(80, 100, 0.9)
    missing = band_shortfall_mwh(battery, required_by_direction(products, HORIZON, mw, energy), state)
    values = np.concatenate([np.broadcast_to(mw.T, (3, *mw.T.shape)), state[..., None]], axis=-1)
    assert band_rows(products, HORIZON, battery, energy).excess(values)[..., :2] == pytest.approx(
        np.moveaxis(missing, 1, 2)
    )
    for n in range(3):
        found = band_breaches(products, HORIZON, battery, mw, state[n], energy[n])
        outside = {(one.rule, one.period) for one in found if one.rule != "usable energy"}
        names = ("energy to discharge", "room to charge")
        assert outside == {(names[row], t) for row, t in np.argwhere(missing[n] > 1e-6).tolist()}
        assert outside
