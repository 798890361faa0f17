"""A share of a bound is a capture at the cap that was traded under, and is called a share at another."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from bess_pipeline.figures.caps import cap_label, share_label, traded_cap_mw

NAN = math.nan


@pytest.mark.parametrize(
    ("cap_mw", "traded_mw", "label", "share"),
    [
        (2.5, 2.5, "imbalance cap 2.5 MW", "capture"),
        (0.0, 0.0, "imbalance cap 0 MW", "capture"),
        (0.0, NAN, "imbalance cap 0 MW", "capture"),
        (
            *(0.0, 2.5, "bound at an imbalance cap of 0 MW, strategies traded under 2.5 MW"),
            "share of the bound at cap 0 MW",
        ),
        (NAN, 2.5, "bound of the day-ahead market alone", "capture"),
    ],
)
def test_words_of_a_cap(cap_mw: float, traded_mw: float, label: str, share: str) -> None:
    assert cap_label(cap_mw, traded_mw) == label
    assert share_label(cap_mw, traded_mw) == share


def test_the_traded_cap_is_that_of_the_rows_that_have_one() -> None:
    assert traded_cap_mw(pd.DataFrame({"traded_cap_mw": [NAN, 2.5, 2.5]})) == 2.5
    assert math.isnan(traded_cap_mw(pd.DataFrame({"traded_cap_mw": [NAN]})))
    assert math.isnan(traded_cap_mw(pd.DataFrame({"capture": [0.5]})))
