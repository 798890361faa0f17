"""What comes of a changed schedule, by hand: what fits, what is imbalance, and what services then lose."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from stressed_frames import with_services
from trading_frames import BATTERY

from bess_pipeline import gb_time
from bess_pipeline.ancillary_settings import AncillarySettings
from bess_pipeline.risk import stressed
from bess_pipeline.risk.stress import activation_increase

LOSSLESS = replace(BATTERY, charge_efficiency=1.0, discharge_efficiency=1.0)  # 5 to 95 MWh
STARTS = gb_time.efa_half_hours(date(2024, 6, 3))[:10]  # eight of the first EFA block, two of the second
PRICE = np.array([70.0, 90.0, 50.0, 60.0, 80.0, 40.0, 30.0, 20.0, 10.0, 50.0])  # 50 in the mean
RESERVE = AncillarySettings(
    reserve_products=("PQR",),
    reserve_utilisation_probability={"PQR": 0.4},
    reserve_utilisation_price_gbp_mwh={"PQR": 150.0},
)


def held(
    opening: float,
    charge: tuple[float, ...] = (),
    discharge: tuple[float, ...] = (),
    back: tuple[float, ...] = (),
    *,
    absvd: bool = True,
    services: dict[str, tuple[float, float]] | None = None,
    settings: AncillarySettings | None = None,
    reserve: tuple[float, ...] = (),
) -> stressed.Position:
    """Ten half-hours of baseline (as sold), response energy taken in and reserve energy given, MWh, from the first."""
    charged, discharged, response, called = (
        np.pad(one, (0, 10 - len(one))).astype(float) for one in (charge, discharge, back, reserve)
    )
    metered, sold = discharged - charged - response + called, discharged - charged
    rows = pd.DataFrame(
        {"start_utc": STARTS, "strategy": "a", "charge_mw": charged * 2, "discharge_mw": discharged * 2}
    )
    rows = rows.assign(activation_export_mwh=called, activation_import_mwh=response, contracted_mwh=sold)
    rows = rows.assign(metered_mwh=metered, energy_mwh=opening - np.cumsum(metered))
    rows["imbalance_mwh"] = 0.0 if absvd else -response
    price = pd.DataFrame({"start_utc": STARTS, "system_price_gbp_mwh": PRICE})
    if services is None:
        return stressed.position(rows, price, opening)
    arguments = with_services(rows, services, price, opening)
    arguments[0]["reserve_mwh"] = called
    return stressed.position(*arguments, settings or AncillarySettings())


def test_response_that_does_not_fit_is_neither_absvd_nor_paid() -> None:
    """2 and 2 MWh taken in become 8 and 8 asked: from 84 MWh the first fits, of the second 3 of 8.

    DCH of 40 MW holds room for 10 MWh. After 11 delivered the requirement is 0, and from the fifth half-hour on it
    rises by 2 a half-hour, to 5 at the start of the eighth; the next block begins at 10. The 4 MWh sold in the fifth
    leave room for 4: three half-hours of £120 are lost. The 7 MWh that came in beyond what had are worth £50 each.
    """
    contracts = {"DCH": (40.0, 6.0)}
    given = held(84.0, discharge=(0.0, 0.0, 0.0, 0.0, 4.0), back=(2.0, 2.0), services=contracts)
    found = activation_increase(given, LOSSLESS, 4.0)
    assert found.undelivered_mwh == pytest.approx(5.0)
    assert found.pnl_change_gbp == pytest.approx(-3 * 120.0)
    assert found.surplus_gbp == pytest.approx(7.0 * 50.0)
    assert found.margin_after_mwh == pytest.approx(95.0 - (84.0 + 16.0))
    without = held(84.0, discharge=(0.0, 0.0, 0.0, 0.0, 4.0), back=(2.0, 2.0), absvd=False, services=contracts)
    paid_for = activation_increase(without, LOSSLESS, 4.0)
    assert paid_for.pnl_change_gbp == pytest.approx(-3 * 120.0 - 6.0 * 70.0 - 1.0 * 90.0)  # what came in, not 12 MWh


def test_a_negative_payment_is_not_waived() -> None:
    given = held(84.0, discharge=(0.0, 0.0, 0.0, 0.0, 4.0), back=(2.0, 2.0), services={"DCH": (40.0, -6.0)})
    assert activation_increase(given, LOSSLESS, 4.0).pnl_change_gbp == 0.0


def test_the_baseline_gives_way_to_services_and_is_imbalance() -> None:
    """4 MWh bought and 0.5 of response become 4 and 2 with room for 5: 1 MWh that was bought is left over at £70."""
    found = activation_increase(held(90.0, charge=(4.0,), back=(0.5,)), LOSSLESS, 4.0)
    assert found.pnl_change_gbp == pytest.approx(1.0 * 70.0)
    assert found.undelivered_mwh == pytest.approx(1.0)
    assert found.surplus_gbp == pytest.approx(0.5 * 50.0)


def test_reserve_energy_is_paid_as_far_as_it_is_given() -> None:
    """Quick reserve of 10 MW, called for 2 MWh in the second half-hour at £150; an outage of it gives none."""
    given = held(50.0, services={"PQR": (10.0, 5.0)}, settings=RESERVE, reserve=(0.0, 2.0))
    out = replace(given.schedule, in_service=np.where(np.arange(10) == 1, 0.0, 1.0))
    found = stressed.outcomes(given, LOSSLESS, LOSSLESS, [out])[0]
    assert found.change_gbp == pytest.approx(-2.0 * 150.0 - 10.0 * 5.0 * 0.5)  # no imbalance: it is taken out
    assert found.undelivered_mwh == pytest.approx(2.0)
    assert activation_increase(given, LOSSLESS, 3.0).pnl_change_gbp == 0.0  # it is response that asks for more


def test_the_given_schedule_changes_nothing() -> None:
    given = held(84.0, charge=(3.0,), back=(2.0, 2.0), services={"DCH": (10.0, 6.0), "DCL": (20.0, 1.0)})
    found = stressed.outcomes(given, LOSSLESS, LOSSLESS, [given.schedule])[0]
    assert (found.change_gbp, found.surplus_gbp, found.undelivered_mwh) == (0.0, 0.0, 0.0)
    assert not found.shift_mwh.any()


def test_a_position_is_of_one_strategy() -> None:
    rows, price = pd.DataFrame({"start_utc": STARTS, "strategy": list("aaaaabbbbb")}), pd.DataFrame()
    for wrong in (rows[:0], rows):
        with pytest.raises(ValueError, match="one strategy"):
            stressed.position(wrong, price, 50.0)
