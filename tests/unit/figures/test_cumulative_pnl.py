"""The cumulative P&L figure draws the sums and the drawdown it was given."""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd
import pytest
from matplotlib.figure import Figure

from bess_pipeline import schemas
from bess_pipeline.figures.pnl import cumulative_pnl
from bess_pipeline.figures.provenance import Provenance

FIRST = date(2024, 3, 30)
PROVENANCE = Provenance("live", "elexon_mid", 2026)


def daily_pnl(cash: dict[str, list[float]], wear: float = -10.0) -> pd.DataFrame:
    rows = [
        (FIRST + timedelta(days=n), strategy, stream, amount, amount / 50.0)
        for strategy, values in cash.items()
        for n, value in enumerate(values)
        for stream, amount in (("day_ahead", value), ("wear", wear))
    ]
    return schemas.validate("risk/daily_pnl", pd.DataFrame(rows, columns=list(schemas.columns("risk/daily_pnl"))))


def words(figure: Figure) -> str:
    return " | ".join(t.get_text() for t in [*figure.texts, *figure.legends[0].get_texts()])


def test_lines_are_cumulative_after_wear_cash_and_drawdown() -> None:
    figure = cumulative_pnl(daily_pnl({"rule_based": [1000.0, -400.0, 100.0]}), 50.0, PROVENANCE)
    pnl_axes, fall_axes = figure.axes
    after_wear, cash = pnl_axes.get_lines()[:2]
    assert list(after_wear.get_ydata()) == pytest.approx([0.0, 0.99, 0.58, 0.67])
    assert list(cash.get_ydata()) == pytest.approx([0.0, 1.0, 0.6, 0.7])
    assert list(cash.get_xdata()) == [FIRST + timedelta(days=n) for n in (-1, 0, 1, 2)]
    assert list(fall_axes.get_lines()[0].get_ydata()) == pytest.approx([0.0, 0.0, -0.4, -0.3])
    assert pnl_axes.get_ylabel() == "Cumulative P&L, £k"


def test_window_origin_source_and_strategies_are_stated() -> None:
    pnl = daily_pnl({"rule_based": [1.0, 2.0], "day_ahead_perfect_foresight": [3.0, 4.0]})
    text = words(cumulative_pnl(pnl, 50.0, PROVENANCE))
    for part in (
        "30 Mar 2024 to 31 Mar 2024",
        "live data; market index standing in for day-ahead; battery rated 50 MW",
        "rule-based",
        "day-ahead perfect foresight (upper bound)",
        "solid: after wear",
        "dashed: cash",
        "Contains BMRS data © Elexon Limited",
    ):
        assert part in text


def test_a_strategy_keeps_its_colour_whatever_stands_beside_it() -> None:
    alone = cumulative_pnl(daily_pnl({"rule_based": [1.0]}), 50.0, PROVENANCE)
    beside = cumulative_pnl(daily_pnl({"another": [1.0], "rule_based": [1.0]}), 50.0, PROVENANCE)
    assert alone.axes[0].get_lines()[0].get_color() == beside.axes[0].get_lines()[2].get_color()
    assert beside.axes[0].get_lines()[0].get_color() != beside.axes[0].get_lines()[2].get_color()


def test_nothing_settled_and_nothing_lost_still_draw() -> None:
    empty = cumulative_pnl(schemas.empty_frame("risk/daily_pnl"), 50.0, PROVENANCE)
    assert "no settled day" in words(empty)
    flat = cumulative_pnl(daily_pnl({"rule_based": [1.0]}), 50.0, PROVENANCE)
    assert flat.axes[1].get_ylim()[0] == -1.0
    assert "30 Mar 2024" in words(flat)
