"""Where activation is from: published throughput, stored rows, scenarios; what is off, and the sensitivity."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from ancillary_cases import RESPONSE

from bess_pipeline import gb_time
from bess_pipeline.ancillary.activation import response_energy
from bess_pipeline.ancillary.activation_stream import (
    SENSITIVITIES,
    assumed_activation,
    products_on,
    scaled,
    scenario_activation,
    stored_activation,
)
from bess_pipeline.ancillary_settings import AncillarySettings
from bess_pipeline.errors import UserInputError

ASSUMED = AncillarySettings()
MEASURED = AncillarySettings(activation_basis="measured")
WITH_RESERVE = AncillarySettings(
    reserve_products=("PQR", "NQR"),
    reserve_utilisation_probability={"PQR": 0.1, "NQR": 0.4},
    reserve_utilisation_price_gbp_mwh={"PQR": 120.0, "NQR": 5.0},
)
START = datetime(2024, 1, 1, tzinfo=UTC)
STARTS = gb_time.half_hours(START, datetime(2024, 1, 1, 1, tzinfo=UTC))
ROWS = response_energy(START, np.concatenate([np.full(1800, 49.9), np.full(1800, 50.2)]), "measured")


def test_assumed_energy_is_the_published_throughput_of_a_day() -> None:
    stream = assumed_activation(("DCL", "DCH", "DRL", "DRH"), 48, ASSUMED)
    assert stream.energy_mwh_per_mw.shape == (1, 4, 48)
    assert stream.energy_mwh_per_mw.sum(axis=2)[0] == pytest.approx([0.18, 0.13, 3.6, 2.5])
    assert stream.label == "assumed: DCL, DCH, DRL, DRH"
    # per hour as published: DR 0.10 to 0.15, DC 0.005 to 0.0075 MWh per MW: most that goes out, least that comes in
    assert stream.energy_mwh_per_mw[0, :, 0] * 2 == pytest.approx([0.0075, 0.13 / 24, 0.15, 2.5 / 24])


def test_dm_is_off_while_assumed_unless_a_setting_gives_its_throughput() -> None:
    products, notes = products_on(ASSUMED)
    assert products == ("DCL", "DCH", "DRL", "DRH")
    assert [note[:11] for note in notes] == ["DML is off:", "DMH is off:"]
    given = AncillarySettings(assumed_throughput_mwh_per_mw_day={"DML": 1.2, "DRL": 2.4})
    assert products_on(given)[0] == ("DCL", "DCH", "DML", "DRL", "DRH")
    energy = assumed_activation(("DML", "DRL"), 48, given).energy_mwh_per_mw
    assert energy.sum(axis=2)[0] == pytest.approx([1.2, 2.4])
    with pytest.raises(UserInputError, match="DMH has no published throughput: give"):
        assumed_activation(("DMH",), 48, given)
    assert products_on(MEASURED) == (RESPONSE, ())


def test_reserve_moves_its_probability_of_30_minutes() -> None:
    products, notes = products_on(WITH_RESERVE)
    assert products[-2:] == ("PQR", "NQR")
    assert len(notes) == 2
    energy = assumed_activation(("PQR", "NQR"), 3, WITH_RESERVE).energy_mwh_per_mw
    assert energy[0, :, 0] == pytest.approx([0.05, 0.2])
    with pytest.raises(UserInputError, match="PBR has no"):
        assumed_activation(("PBR",), 3, WITH_RESERVE)


@pytest.mark.parametrize("multiplier", SENSITIVITIES)
def test_the_multiplier_scales_every_basis_once_and_shows(multiplier: float) -> None:
    settings = AncillarySettings(activation_multiplier=multiplier, activation_basis="measured")
    stored = stored_activation(ROWS, ("DRL",), STARTS, settings)
    plain = stored_activation(ROWS, ("DRL",), STARTS, MEASURED)
    assert stored.energy_mwh_per_mw == pytest.approx(multiplier * plain.energy_mwh_per_mw)
    assert stored.multiplier == multiplier
    assert (f"x {multiplier:g}" in stored.label) == (multiplier != 1.0)


def test_no_half_hour_moves_more_than_full_delivery() -> None:
    stream = stored_activation(ROWS, ("DRH",), STARTS, MEASURED)
    assert stream.energy_mwh_per_mw[0, 0].tolist() == [0.0, 0.5]
    assert scaled(stream, 2.0).energy_mwh_per_mw.max() == 0.5
    assert scaled(scaled(stream, 2.0), 2.0).multiplier == 4.0


def test_stored_rows_are_read_by_product_and_half_hour_with_their_label() -> None:
    stream = stored_activation(ROWS.sample(frac=1, random_state=1), RESPONSE, STARTS, MEASURED)
    low = ROWS.set_index(["product", "start_utc"])["energy_mwh_per_mw"]
    for k, code in enumerate(RESPONSE):
        assert stream.energy_mwh_per_mw[0, k].tolist() == [low[code, start] for start in STARTS]
    assert stream.label == "measured: DCL, DCH, DML, DMH, DRL, DRH"


def test_a_half_hour_that_is_missing_is_named_and_never_filled() -> None:
    later = gb_time.half_hours(START, datetime(2024, 1, 1, 2, tzinfo=UTC))
    with pytest.raises(
        UserInputError, match="no measured activation of DCL for 2 of 4 half-hours, the first in"
    ) as bad:
        stored_activation(ROWS, RESPONSE, later, MEASURED)
    assert "date 2024-01-01 period 3" in str(bad.value)


def test_rows_of_another_basis_are_refused() -> None:
    with pytest.raises(UserInputError, match="activation is measured, not simulated: set"):
        stored_activation(ROWS, RESPONSE, STARTS, AncillarySettings(activation_basis="simulated"))


def test_scenarios_stand_first_and_reserve_is_the_same_in_each() -> None:
    settings = WITH_RESERVE.model_copy(update={"activation_basis": "simulated"})
    paths = {"DCL": np.arange(6.0).reshape(3, 2) / 100}
    stream = scenario_activation(paths, ("PQR", "DCL"), 2, settings)
    assert stream.energy_mwh_per_mw.shape == (3, 2, 2)
    assert stream.energy_mwh_per_mw[:, 1].tolist() == paths["DCL"].tolist()
    assert (stream.energy_mwh_per_mw[:, 0] == 0.05).all()
    assert stream.label == "assumed: PQR; simulated: DCL"
    with pytest.raises(UserInputError, match="no scenarios of activation for DRL"):
        scenario_activation(paths, ("DRL", "DCL"), 2, settings)
