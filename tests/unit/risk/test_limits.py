"""Limits: within, at, beyond, unset and unmeasured, with the number that broke them."""

from __future__ import annotations

import math

import pytest

from bess_pipeline.risk.limits import check_limits, response_share, volume_mwh
from bess_pipeline.risk_settings import LimitSettings, RiskSettings

LIMITS = LimitSettings(var_gbp=1000.0, open_day_ahead_mwh=20.0, min_response_share=0.25)


def test_every_limit_has_a_status_and_a_breach_has_its_number() -> None:
    found = {s.limit: s for s in check_limits(LIMITS, var_gbp=1250.0, cvar_gbp=9e9, open_day_ahead_mwh=20.0)}
    assert {name: one.status for name, one in found.items()} == {
        "var_gbp": "breached",
        "cvar_gbp": "no limit",
        "open_day_ahead_mwh": "within",  # at the limit
        "imbalance_mwh": "no limit",
        "min_response_share": "not measured",
    }
    assert found["var_gbp"].excess == 250.0
    assert found["var_gbp"].sentence == "VaR is 1,250 GBP, above its limit of 1,000 by 250"
    assert found["open_day_ahead_mwh"].sentence == "open day-ahead position is 20 MWh, limit 20"
    assert found["min_response_share"].sentence == "share of response: not measured"


@pytest.mark.parametrize(
    ("source", "var_gbp", "known", "words"),
    [
        ("ex_ante", 900.0, "ex_ante", "VaR (ex ante) is 900 GBP, limit 1,000"),
        ("historical", 1001.0, "historical", "VaR (historical) is 1,001 GBP, above its limit of 1,000 by 1"),
        ("historical", math.nan, "not_measured", "VaR: not measured"),
        (None, math.nan, "not_measured", "VaR: not measured"),
    ],
)
def test_where_risk_is_from_is_said(source: str | None, var_gbp: float, known: str, words: str) -> None:
    found = check_limits(LIMITS, source, var_gbp=var_gbp, open_day_ahead_mwh=1.0)
    assert (found[0].source, found[0].sentence) == (known, words)
    assert [one.source for one in found[2:]] == [None] * 3, "they are of the day itself"


@pytest.mark.parametrize(
    ("share", "status", "excess"), [(0.2, "breached", 0.05), (0.25, "within", 0.0), (1.0, "within", 0)]
)
def test_the_share_of_response_is_a_limit_from_below(share: float, status: str, excess: float) -> None:
    found = check_limits(LIMITS, min_response_share=share)[-1]
    assert (found.status, found.excess) == (status, pytest.approx(excess))
    assert ("below its least" in found.sentence) == (status == "breached")


def test_a_loss_that_is_a_gain_is_within_any_limit() -> None:
    assert check_limits(LimitSettings(var_gbp=0.0), var_gbp=-500.0)[0].status == "within"
    assert check_limits(LimitSettings(var_gbp=-600.0), var_gbp=-500.0)[0].excess == 100.0


def test_an_unknown_measure_is_refused() -> None:
    with pytest.raises(ValueError, match="no limit volatility"):
        check_limits(LIMITS, volatility=1.0)


def test_volumes_and_shares_by_hand() -> None:
    assert volume_mwh([1.0, -2.0, 0.5]) == 3.5
    assert volume_mwh([10.0, -4.0], [8.0, -5.0]) == 3.0
    assert math.isnan(volume_mwh([1.0, math.nan]))
    assert response_share(25 * 23.0, 50.0, 23.0) == 0.5
    with pytest.raises(ValueError, match="no share"):
        response_share(1.0, 0.0, 24.0)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"confidences": (95.0,)}, "0.95 means the worst 5 %"),
        ({"headline_confidence": 0.9}, "one of confidences"),
        ({"windows_days": (1,)}, "2 or more"),
        ({"bootstrap_block_days": 0.5}, "or auto"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_words(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        RiskSettings(**wrong)
