"""Every measure of every window and basis has a row, its unit, and an interval around it."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from bess_pipeline.risk import measures
from bess_pipeline.risk.drawdown import drawdown
from bess_pipeline.risk.summary import COLUMNS, mean_block_days, measure_rows, rolling
from bess_pipeline.risk_settings import RiskSettings

FIRST = date(2024, 3, 1)
SETTINGS = RiskSettings(windows_days=(30, 90), bootstrap_replicates=200)


def daily(days: int, seed: int = 1) -> pd.DataFrame:
    cash = np.random.default_rng(seed).normal(3000.0, 4000.0, days)
    dates = [FIRST + timedelta(days=n) for n in range(days)]
    return pd.DataFrame({"efa_date": dates, "cash_gbp": cash, "after_wear_gbp": cash - 500.0})


def test_rows_are_the_measures_of_their_window_and_basis() -> None:
    frame = daily(60)
    rows = measure_rows(frame.sample(frac=1.0, random_state=2), "a", 50.0, SETTINGS, 3)
    assert list(rows.columns) == COLUMNS
    keys = ["basis", "window", "measure", "confidence"]
    assert not rows.duplicated(keys).any()
    assert set(rows["window"]) == {"all", "30d"}  # there are no 90 days
    assert set(rows["as_of"]) == {FIRST + timedelta(days=59)}
    value = rows.fillna({"confidence": 0.0}).set_index(keys)["value"]
    last = frame["after_wear_gbp"][-30:]
    assert value["after_wear", "30d", "cvar_gbp", 0.975] == pytest.approx(measures.tail(last, 0.975).cvar_gbp)
    assert value["after_wear", "30d", "cvar_gbp_per_mw", 0.975] == pytest.approx(
        measures.tail(last, 0.975).cvar_gbp / 50
    )
    cash = frame.set_index("efa_date")["cash_gbp"]
    assert value["cash", "all", "max_drawdown_gbp", 0.0] == pytest.approx(drawdown(cash).depth_gbp)
    assert value["cash", "all", "sharpe", 0.0] == pytest.approx(cash.mean() / cash.std() * 365**0.5)
    assert value["cash", "all", "annualised_gbp_per_mw_year", 0.0] == pytest.approx(cash.mean() * 365 / 50)
    units = rows.drop_duplicates("measure").set_index("measure")["unit"]
    assert units["mean_gbp_per_mw_per_day"] == "GBP/MW/day"
    assert units["var_gbp_per_mw"] == "GBP/MW"


def test_intervals_enclose_and_repeat() -> None:
    rows = measure_rows(daily(120), "a", 50.0, SETTINGS, 3)
    assert rows.loc[rows["window"] == "30d", ["ci_low", "ci_high"]].isna().all(axis=None), "six blocks at most"
    rows = rows[rows["window"] != "30d"]
    mean = rows[rows["measure"].str.startswith(("mean", "hit", "annual"))]
    assert (mean["ci_low"] < mean["value"]).all()
    assert (mean["value"] < mean["ci_high"]).all()
    again = measure_rows(daily(120), "a", 50.0, SETTINGS, 3)
    pd.testing.assert_frame_equal(rows, again[again["window"] != "30d"])


def test_one_day_has_no_interval_and_no_day_no_row() -> None:
    one = measure_rows(daily(1), "a", 50.0, SETTINGS, 3)
    assert one["ci_low"].isna().all()
    assert one.set_index("measure")["value"].isna()["sharpe"].all()
    assert measure_rows(daily(0), "a", 50.0, SETTINGS, 3).empty


def test_blocks_stay_between_five_and_ten_days_unless_set() -> None:
    persistent = np.cumsum(np.random.default_rng(3).normal(size=400))
    assert mean_block_days(persistent, SETTINGS) == 10.0
    assert mean_block_days(np.random.default_rng(3).normal(size=400), SETTINGS) == 5.0
    assert mean_block_days(np.array([1.0, 2.0, 4.0]), SETTINGS) == 3.0
    assert mean_block_days(persistent, RiskSettings(bootstrap_block_days=21.0)) == 21.0


def test_rolling_is_the_measure_of_each_window() -> None:
    cash = daily(20).set_index("efa_date")["cash_gbp"]
    found = rolling(cash, 7, measures.sharpe)
    assert list(found.index) == list(cash.index[6:])
    assert found.iloc[3] == pytest.approx(measures.sharpe(cash[3:10]))
    assert rolling(cash, 21, measures.sharpe).empty
    with pytest.raises(ValueError, match="at least one day"):
        rolling(cash, 0, measures.sharpe)
