"""The ladder by hand, and its intervals where strategies move together."""

from __future__ import annotations

import math
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from bess_pipeline.risk.ladder import capture_by_month, ladder, lead, wide
from bess_pipeline.risk_settings import RiskSettings

FIRST = date(2024, 1, 30)
SETTINGS = RiskSettings(bootstrap_replicates=400)
BOUNDS = {"a": "bound", "b": "bound", "nobody": "bound"}


def frame(days: int) -> pd.DataFrame:
    bound = np.random.default_rng(4).normal(5000.0, 3000.0, days)
    dates = pd.Index([FIRST + timedelta(days=n) for n in range(days)], name="efa_date")
    return pd.DataFrame({"a": 0.8 * bound, "b": 0.5 * bound + 100.0, "bound": bound}, index=dates)


def test_value_and_capture_are_those_of_the_sums() -> None:
    daily = frame(200)
    rows = ladder(daily, BOUNDS, 50.0, SETTINGS, 1).set_index("strategy")
    assert list(rows.index) == ["b", "a", "bound"]
    for name in rows.index:
        assert rows.at[name, "value"] == pytest.approx(daily[name].mean() * 365 / 50)
        assert rows.at[name, "ci_low"] < rows.at[name, "value"] < rows.at[name, "ci_high"]
    assert rows.at["b", "capture"] == pytest.approx(daily["b"].sum() / daily["bound"].sum())
    assert rows.at["b", "capture_low"] < rows.at["b", "capture"] < rows.at["b", "capture_high"]
    assert math.isnan(rows.at["bound", "capture"])


def test_capture_of_a_fixed_share_is_certain_though_its_pounds_are_not() -> None:
    row = ladder(frame(100), BOUNDS, 50.0, SETTINGS, 1).set_index("strategy").loc["a"]
    assert (row["capture_low"], row["capture"], row["capture_high"]) == pytest.approx((0.8, 0.8, 0.8))
    assert row["ci_high"] - row["ci_low"] > 1000.0


def test_a_day_that_one_lacks_is_left_out_for_all_and_counted() -> None:
    daily = frame(50)
    daily.iloc[7, 0] = np.nan
    rows = ladder(daily, BOUNDS, 50.0, SETTINGS, 1)
    assert set(rows["days"]) == {49}
    assert set(rows["left_out"]) == {1}
    assert rows.set_index("strategy").at["bound", "value"] == pytest.approx(
        daily["bound"].drop(daily.index[7]).mean() * 7.3
    )
    assert ladder(daily[:0], BOUNDS, 50.0, SETTINGS, 1).empty
    assert ladder(frame(1), BOUNDS, 50.0, SETTINGS, 1)["ci_low"].isna().all()


def test_a_small_sure_lead_excludes_zero() -> None:
    daily = frame(120)
    daily["a_little_more"] = daily["a"] + np.random.default_rng(9).normal(40.0, 60.0, 120)
    found = lead(daily, "a_little_more", "a", 50.0, SETTINGS, 2)
    assert found.value == pytest.approx((daily["a_little_more"] - daily["a"]).mean() * 7.3)
    assert 0.0 < found.low < found.value < found.high
    with pytest.raises(ValueError, match="no day in common"):
        lead(daily.assign(a=np.nan), "b", "a", 50.0, SETTINGS, 2)


def test_capture_by_month_is_of_the_days_that_both_have() -> None:
    daily = frame(3).assign(a=[10.0, 20.0, 30.0], bound=[20.0, np.nan, -5.0])[["a", "bound"]]
    rows = capture_by_month(daily, BOUNDS)
    assert rows["month"].tolist() == [date(2024, 1, 1), date(2024, 2, 1)]
    assert rows["capture"].tolist()[0] == 0.5
    assert math.isnan(rows["capture"].tolist()[1])  # the bound lost money: there is no share of it
    assert rows["days"].tolist() == [1, 1]


def test_rows_become_columns() -> None:
    rows = pd.DataFrame({"efa_date": [FIRST] * 2, "strategy": ["a", "b"], "cash_gbp": [1.0, 2.0]})
    assert wide(rows, "cash_gbp").loc[FIRST].to_dict() == {"a": 1.0, "b": 2.0}
