"""Bars of the sensitivity to activation are its rows, and its basis is named."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from figure_words import bars, words
from matplotlib.axes import Axes

from bess_pipeline.figures.activation_sensitivity import activation_sensitivity
from bess_pipeline.figures.provenance import Provenance
from bess_pipeline.figures.style import png_bytes

DAY = date(2025, 2, 4)
PROVENANCE = Provenance("recorded", "elexon_mid", 2026)


def rows(**changes: object) -> pd.DataFrame:
    columns = {
        "multiplier": [0.0, 1.0, 2.0],
        "expected_pnl_gbp": [5200.0, 4800.0, -150.0],
        "cvar_gbp": [-1500.0, -900.0, 300.0],
        "response_mw_h": [820.0, 640.0, 310.0],
        "equivalent_cycles": [1.1, 1.32, 1.475],
        "basis": "simulated",
    }
    return pd.DataFrame(columns | changes)


def tops(axes: Axes) -> list[float]:
    return [top for _, _, top in bars(axes)]


def test_bars_are_the_rows_and_the_tail_is_minus_cvar() -> None:
    figure = activation_sensitivity(rows().iloc[::-1], "co_optimised", [DAY], PROVENANCE)
    money, capacity, cycles = figure.axes
    assert tops(money) == pytest.approx([5.2, 4.8, -0.15, 1.5, 0.9, -0.3])
    assert tops(capacity) == [820.0, 640.0, 310.0]
    assert tops(cycles) == [1.1, 1.32, 1.475]
    assert [label.get_text() for label in capacity.get_xticklabels()] == [
        f"{n}\N{MULTIPLICATION SIGN}" for n in (0, 1, 2)
    ]
    for part in (
        "activation simulated",
        "activation, times the simulated",
        "P&L after wear, £k",
        "MW·h",
        "-0.15",
        "4 Feb 2025",
        "market index standing in",
        "Recorded GB data",
    ):
        assert part in words(figure), part


def test_no_response_bases_and_values_that_are_not_known() -> None:
    figure = activation_sensitivity(
        rows(response_mw_h=0.0, basis=["assumed", "measured", None]), "x", [DAY], PROVENANCE
    )
    assert "no response" in words(figure)
    assert "activation assumed; measured" in words(figure)
    assert "activation, times its basis" in words(figure)
    assert figure.axes[1].get_ylim() == (0.0, 1.0)
    gone = activation_sensitivity(rows(expected_pnl_gbp=[1000.0, np.nan, 500.0], basis=None), "x", [DAY], PROVENANCE)
    assert "basis not stated" in words(gone)
    assert len(gone.axes[0].texts) == 5
    assert png_bytes(gone).startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="one row for each multiplier"):
        activation_sensitivity(rows(multiplier=1.0), "x", [DAY], PROVENANCE)
