"""`[ancillary]`: defaults, and refusals in one sentence."""

from __future__ import annotations

from typing import Any

import pytest

from bess_pipeline.ancillary_settings import AncillarySettings
from bess_pipeline.errors import UserInputError
from bess_pipeline.settings import load_settings

PRICED = {"reserve_utilisation_probability": {"PQR": 0.1}, "reserve_utilisation_price_gbp_mwh": {"PQR": -20.0}}


def test_response_is_on_reserve_is_off_and_nothing_invented_applies() -> None:
    defaults = load_settings().ancillary
    assert defaults == AncillarySettings()
    assert defaults.response_products == ("DCL", "DCH", "DML", "DMH", "DRL", "DRH")
    assert defaults.reserve_products == ()
    assert (defaults.availability_factor, defaults.perf_penalty_curve) == (None, ())
    assert (defaults.absvd_applies, defaults.volume_cap_share, defaults.baseline_adds_headroom) == (True, 0.1, False)


@pytest.mark.parametrize("missing", list(PRICED))
def test_a_reserve_product_without_its_two_figures_is_refused_in_one_sentence(missing: str) -> None:
    given = {key: value for key, value in PRICED.items() if key != missing}
    with pytest.raises(UserInputError) as caught:
        load_settings(ancillary={"reserve_products": ["PQR"], **given})
    assert str(caught.value) == (
        f"setting [ancillary] is impossible: reserve product PQR is switched on without {missing}: no figure is "
        "published, give one or take it out of reserve_products"
    )


def test_a_reserve_product_with_both_is_on_and_its_price_may_be_negative() -> None:
    assert load_settings(ancillary={"reserve_products": ["PQR"], **PRICED}).ancillary.reserve_products == ("PQR",)


def test_figures_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BESS_ANCILLARY__ASSUMED_THROUGHPUT_MWH_PER_MW_DAY", '{"DML": 1.5}')
    monkeypatch.setenv("BESS_ANCILLARY__ABSVD_APPLIES", "false")
    ancillary = load_settings().ancillary
    assert ancillary.assumed_throughput_mwh_per_mw_day == {"DML": 1.5}
    assert ancillary.absvd_applies is False


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"response_products": ["DCL", "DCL"]}, "response_products names a product twice"),
        ({"response_products": ["PQR"]}, "ancillary.response_products"),
        ({"volume_cap_share": 1.1}, "ancillary.volume_cap_share"),
        ({"activation_multiplier": -1}, "ancillary.activation_multiplier"),
        ({"activation_basis": "guessed"}, "ancillary.activation_basis"),
        ({"availability_factor": 1.5}, "ancillary.availability_factor"),
        ({"perf_penalty_curve": [[0.9, 1.0], [0.5, 0.0]]}, "perf_penalty_curve must rise"),
        ({"perf_penalty_curve": [[0.5, 1.0], [0.9, 0.5]]}, "perf_penalty_curve must rise"),
        ({"reserve_utilisation_probability": {"PQR": 1.5}}, "ancillary.reserve_utilisation_probability"),
        ({"assumed_throughput_mwh_per_mw_day": {"XYZ": 1}}, "ancillary.assumed_throughput_mwh_per_mw_day"),
    ],
)
def test_impossible_values_are_refused(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(UserInputError) as caught:
        load_settings(ancillary=wrong)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)
