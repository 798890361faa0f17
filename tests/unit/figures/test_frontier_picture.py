"""The frontier's points are the rows; a flat one, one in sample alone and its quality are said in words."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from figure_words import words

from bess_pipeline.figures.frontier import frontier_picture
from bess_pipeline.figures.provenance import Provenance
from bess_pipeline.figures.style import png_bytes

DAY = date(2025, 2, 4)
PROVENANCE = Provenance("simulated", "neso_n2ex", 2026)


def frontier(**changes: object) -> pd.DataFrame:
    aversion = np.linspace(0.0, 1.0, 5)
    rows = {
        "efa_date": DAY,
        "risk_aversion": aversion,
        "expected_pnl_gbp": 3000.0 - 800.0 * aversion**2,
        "var_gbp": 0.0,
        "cvar_gbp": 500.0 - 1500.0 * aversion,
        "gap": [1e-6, 2e-6, 1e-5, 1e-6, 0.0],
        "oos_expected_pnl_gbp": 2700.0 - 700.0 * aversion**2,
        "oos_var_gbp": 0.0,
        "oos_cvar_gbp": 900.0 - 1200.0 * aversion,
        "oos_violation_mwh": [0.0, 0.0, 0.25, 0.0, 1e-9],
        "day_ahead_mwh": 80.0,
        "response_mw_h": 200.0,
        "scenarios": 200,
        "fresh_scenarios": 1000,
    }
    return pd.DataFrame(rows | changes)


def test_points_are_the_rows_in_order_of_risk_aversion_with_a_label_each() -> None:
    rows = frontier()
    figure = frontier_picture(rows.iloc[::-1], PROVENANCE, 0.95)
    (axes,) = figure.axes
    curves = [line for line in axes.lines if line.get_marker() in ("o", "s")]
    for line, prefix in zip(curves, ("", "oos_"), strict=True):
        assert list(line.get_xdata()) == pytest.approx(list(rows[f"{prefix}cvar_gbp"] / 1000.0))
        assert list(line.get_ydata()) == pytest.approx(list(rows[f"{prefix}expected_pnl_gbp"] / 1000.0))
    assert [text.get_text() for text in axes.texts] == 2 * ["0", "0.25", "0.5", "0.75", "1"]
    for part in (
        "EFA day Tue 04 Feb 2025",
        "CVaR at 0.95 of the day's loss, £k",
        "Expected P&L of the day, £k",
        "risk aversion 0 to 1 changes CVaR by -£1,500 and expected P&L by -£800",
        "200 scenarios, judged on 1,000 fresh ones; gap at most 1e-05",
        "delivery violations up to 0.25 MWh (risk aversion 0.5)",
        "simulated data",
    ):
        assert part in words(figure), part


def test_points_that_lie_on_each_other_share_a_label() -> None:
    rows = frontier()
    rows.loc[3:, ["expected_pnl_gbp", "cvar_gbp"]] = [2600.0, -600.0]
    labels = [text.get_text() for text in frontier_picture(rows, PROVENANCE).axes[0].texts]
    assert labels == ["0", "0.25", "0.5", "0.75 to 1", "0", "0.25", "0.5", "0.75", "1"]


def test_a_flat_frontier_is_drawn_and_said() -> None:
    same = {"expected_pnl_gbp": -310.0, "cvar_gbp": 420.0, "oos_expected_pnl_gbp": -310.0, "oos_cvar_gbp": 420.0}
    figure = frontier_picture(frontier(**same, oos_violation_mwh=0.0), PROVENANCE)
    assert "The frontier is flat: all 5 risk aversions" in words(figure)
    assert "no delivery violation" in words(figure)
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["0 to 1", "0 to 1"]
    for (low, high), value in ((axes.get_xlim(), 0.42), (axes.get_ylim(), -0.31)):
        assert low < value < high
        assert high - low >= 0.01, "ten pounds at least, so that ticks are numbers"
    nearly = frontier(**same | {"cvar_gbp": 420.0 + 0.9 * np.linspace(0, 1, 5)})
    assert "is flat" in words(frontier_picture(nearly, PROVENANCE))
    assert "is flat" not in words(frontier_picture(frontier(**same | {"cvar_gbp": [420.0] * 4 + [418.0]}), PROVENANCE))


def test_without_fresh_scenarios_only_the_sample_is_drawn_and_said() -> None:
    unknown = dict.fromkeys(("oos_expected_pnl_gbp", "oos_cvar_gbp", "oos_violation_mwh"), np.nan)
    figure = frontier_picture(frontier(**unknown, fresh_scenarios=0, gap=np.nan), PROVENANCE)
    for part in ("no value on fresh scenarios", "200 scenarios, no fresh ones; gap not stated"):
        assert part in words(figure), part
    assert "violation" not in words(figure)
    assert len(figure.axes[0].texts) == 5
    one = frontier_picture(frontier().iloc[:1], PROVENANCE)
    assert "One point alone, at risk aversion 0." in words(one)
    one_missing = frontier()
    one_missing.loc[2, "oos_cvar_gbp"] = np.nan
    assert len(frontier_picture(one_missing, PROVENANCE).axes[0].texts) == 9


def test_more_days_or_none_are_refused_and_the_same_rows_give_the_same_bytes() -> None:
    rows = frontier()
    with pytest.raises(ValueError, match="one day, not 2"):
        frontier_picture(pd.concat([rows, rows.assign(efa_date=DAY + timedelta(days=1))]), PROVENANCE)
    with pytest.raises(ValueError, match="one day, not 0"):
        frontier_picture(rows.iloc[:0], PROVENANCE)
    assert png_bytes(frontier_picture(rows, PROVENANCE)) == png_bytes(frontier_picture(rows, PROVENANCE))
