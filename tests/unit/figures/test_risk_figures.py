"""The figures of risk draw the numbers they were given, and empty frames too."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bess_pipeline import schemas
from bess_pipeline.figures import style
from bess_pipeline.figures.capture import capture_figure
from bess_pipeline.figures.ladder import ladder_figure
from bess_pipeline.figures.pnl import cumulative_pnl
from bess_pipeline.figures.provenance import Provenance
from bess_pipeline.figures.stream_pnl import binned, stream_pnl
from bess_pipeline.figures.style import png_bytes
from bess_pipeline.figures.tail_contribution import tail_contribution
from bess_pipeline.figures.waterfall import waterfall_figure
from bess_pipeline.risk.ladder import LADDER_COLUMNS, capture_by_month, ladder
from bess_pipeline.risk.waterfall import levels_to, waterfall
from bess_pipeline.risk_settings import RiskSettings

FIRST = date(2024, 10, 26)  # the second day of it is a clock change
PROVENANCE = Provenance("live", "elexon_mid", 2026)


def words(figure: Figure) -> str:
    inside = [text.get_text() for axes in figure.axes for text in [*axes.texts, *axes.get_xticklabels()]]
    legend = [text.get_text() for one in figure.legends for text in one.get_texts()]
    return " | ".join([text.get_text() for text in figure.texts] + inside + legend)


def bars(axes: Axes) -> list[tuple[float, float]]:
    """(bottom, top) of every bar, rounded, the empty ones left out."""
    found = [(round(bar.get_y(), 6), round(bar.get_y() + bar.get_height(), 6)) for bar in axes.patches]
    return [one for one in found if one[0] != one[1]]


def daily_pnl(streams: dict[str, list[float]], strategy: str = "a") -> pd.DataFrame:
    rows = [
        (FIRST + timedelta(days=n), strategy, stream, amount, amount / 50.0)
        for stream, amounts in streams.items()
        for n, amount in enumerate(amounts)
    ]
    return schemas.validate("risk/daily_pnl", pd.DataFrame(rows, columns=list(schemas.columns("risk/daily_pnl"))))


def test_streams_that_lose_hang_below_zero_and_dots_are_the_sums() -> None:
    pnl = daily_pnl(
        {"day_ahead": [3000.0, -1000.0], "response": [500.0, 0.0], "wear": [-600.0, -600.0], "reserve": [0.0] * 2}
    )
    figure = stream_pnl(pnl, "a", 50.0, PROVENANCE)
    (axes,) = figure.axes
    assert sorted(bars(axes)) == sorted([(0.0, 3.0), (3.0, 3.5), (0.0, -0.6), (0.0, -1.0), (-1.0, -1.6)])
    dots = next(line for line in axes.get_lines() if line.get_marker() == "o")
    assert list(dots.get_ydata()) == pytest.approx([2.9, -1.6])
    assert "reserve" not in words(figure)  # it never moved
    assert "26 Oct 2024 to 27 Oct 2024" in words(figure)
    assert "market index standing in for day-ahead" in words(figure)


@pytest.mark.parametrize(
    ("days", "step", "first"), [(62, "day", FIRST), (63, "week", date(2024, 10, 21)), (421, "month", date(2024, 10, 1))]
)
def test_long_windows_are_binned_and_lose_nothing(days: int, step: str, first: date) -> None:
    pnl = daily_pnl({"day_ahead": list(np.arange(days, dtype=float) + 1.0), "wear": [-1.0] * days})
    table, found = binned(pnl)
    assert (found, table.index[0]) == (step, first)
    assert table["day_ahead"].sum() == days * (days + 1) / 2
    assert table["wear"].sum() == -days


def test_waterfall_bars_start_where_the_last_one_ended() -> None:
    pnl = {
        ("perfect_foresight", "cash"): 9000.0,
        ("perfect_foresight_48h", "cash"): 9500.0,
        ("co_optimised", "cash"): -1000.0,
    }
    steps = waterfall(pnl | {("co_optimised", "after_wear"): -1500.0}, levels_to("co_optimised"))
    figure = waterfall_figure(steps, 9000.0, [FIRST], 50.0, 2.5, PROVENANCE)
    (axes,) = figure.axes
    assert bars(axes) == [(0.0, 9.0), (9.0, 9.5), (9.5, -1.0), (-1.0, -1.5), (0.0, -1.5)]
    for part in ("+£0.5k", "-£10.5k", "-£0.5k", "£9.0k", "-£1.5k", "horizon", "forecast", "wear"):
        assert part in words(figure)
    assert axes.get_ylim()[0] < -1.5
    assert "with the change of stored energy" in axes.get_ylabel()


def attribution() -> pd.DataFrame:
    rows = [
        ("stream", "day_ahead", 2000.0, -500.0),
        ("stream", "imbalance", -100.0, 1500.0),
        ("stream", "reserve", 0.0, 0.0),
    ]
    rows += [("driver", "plan", 1900.0, 1000.0)]
    return pd.DataFrame(rows, columns=["component_kind", "component", "expected_gbp", "cvar_contribution_gbp"])


def test_tail_bars_are_minus_the_contribution() -> None:
    figure = tail_contribution(attribution(), "a", 0.95, 250, PROVENANCE)
    streams, drivers = figure.axes
    widths = [bar.get_width() for bar in streams.patches]
    assert widths == pytest.approx([2.0, -0.1, 0.5, -1.5])
    assert [label.get_text() for label in streams.get_yticklabels()] == ["day-ahead", "imbalance"]
    assert (streams.get_title(loc="left"), drivers.get_title(loc="left")) == ("By stream", "By driver")
    assert "worst 5 % of days" in words(figure)
    assert "CVaR, 13 of 250 days" in words(figure)
    single = words(tail_contribution(attribution(), "a", 0.95, 20, PROVENANCE))
    assert "The worst day of a" in single
    assert "it loses £1,000 (CVaR, 1 of 20 days)" in single
    assert "they lose £1,000 on average" in words(figure)


def test_a_tail_that_earns_says_so() -> None:
    earning = attribution().assign(cvar_contribution_gbp=[-900.0, 100.0, 0.0, -800.0])
    assert "even they earn £800 on average" in words(tail_contribution(earning, "a", 0.99, 300, PROVENANCE))


def wide(days: int) -> pd.DataFrame:
    bound = np.random.default_rng(3).normal(4000.0, 2500.0, days)
    dates = pd.Index([FIRST + timedelta(days=n) for n in range(days)], name="efa_date")
    return pd.DataFrame({"rule_based": bound * 0.5, "day_ahead_perfect_foresight": bound}, index=dates)


BOUNDS = {"rule_based": "day_ahead_perfect_foresight"}


def test_ladder_shows_value_interval_and_capture() -> None:
    stored = wide(100) * 0.1
    table = ladder(wide(100), BOUNDS, 50.0, RiskSettings(bootstrap_replicates=100), 1, stored)
    assert table["worth"].tolist() == pytest.approx((table["value"] * 1.1).tolist())
    figure = ladder_figure(table, wide(100).index, 0.95, 2.5, PROVENANCE)
    (axes,) = figure.axes
    best = table.iloc[-1]
    drawn = [line for line in axes.get_lines() if line.get_linewidth() == 5.0]
    assert list(drawn[1].get_xdata()) == pytest.approx([best["worth_low"] / 1000, best["worth_high"] / 1000])
    assert f"{best['worth'] / 1000:,.1f}" in words(figure)
    assert "with the change of stored energy" in axes.get_xlabel()
    assert "50.0%  (50% to 50%)" in words(figure)
    assert "100 days; imbalance cap 2.5 MW" in words(figure)
    assert axes.get_xlabel().endswith("95% intervals of a stationary block bootstrap")
    short = ladder(wide(20), BOUNDS, 50.0, RiskSettings(bootstrap_replicates=100), 1)
    (axes,) = ladder_figure(short, wide(20).index, 0.95, 2.5, PROVENANCE).axes
    assert axes.get_xlabel() == "P&L with the change of stored energy, £k/MW/year; too few days for intervals"
    assert not [line for line in axes.get_lines() if line.get_linewidth() == 5.0]


def test_capture_by_month_breaks_where_there_is_none_and_marks_parts_of_months() -> None:
    rows = capture_by_month(wide(67), BOUNDS)  # six days of October, all November and December
    rows = pd.concat([rows[:1], rows[1:2].assign(capture=np.nan), rows[2:]])
    figure = capture_figure(rows, 0.0, PROVENANCE)
    (axes,) = figure.axes
    line = next(one for one in axes.get_lines() if len(one.get_xdata()) == 3)
    assert np.asarray(line.get_ydata())[[0, 2]] == pytest.approx([0.5, 0.5])
    assert np.isnan(np.asarray(line.get_ydata())[1])
    filled = [one.get_markerfacecolor() for one in axes.get_lines() if one.get_marker() == "o"]
    assert filled[0] == "white"
    assert filled[1] != "white"
    assert "imbalance cap 0 MW" in words(figure)


def test_nothing_to_draw_still_draws() -> None:
    nothing = schemas.empty_frame("risk/daily_pnl")
    figures = [
        stream_pnl(nothing, "a", 50.0, PROVENANCE),
        tail_contribution(attribution()[:0], "a", 0.95, 0, PROVENANCE),
        capture_figure(capture_by_month(wide(0), BOUNDS), 2.5, PROVENANCE),
        ladder_figure(pd.DataFrame(columns=LADDER_COLUMNS), [], 0.95, 2.5, PROVENANCE),
    ]
    assert all(png_bytes(figure).startswith(b"\x89PNG") for figure in figures)
    assert "no settled day" in words(figures[0])
    assert "nothing to attribute" in words(figures[1])


def test_the_same_numbers_give_the_same_bytes() -> None:
    pnl = daily_pnl({"day_ahead": [1.0, -2.0]})
    assert png_bytes(stream_pnl(pnl, "a", 50.0, PROVENANCE)) == png_bytes(stream_pnl(pnl, "a", 50.0, PROVENANCE))


def drawn(figure: Figure) -> None:
    """Lay the figure out as it is saved, so that places of texts are those of the picture."""
    figure.set_dpi(style.DPI)
    png_bytes(figure)


def test_a_ladder_of_long_names_stays_inside_its_figure_and_says_which_bound_it_has() -> None:
    """Labels end left of the axes and begin inside the picture; a result that knows too much is marked."""
    names = ["perfect_foresight", "day_ahead_imbalance", "day_ahead_perfect_foresight", "co_optimised_cvar"]
    daily = pd.DataFrame(1000.0, index=[FIRST, FIRST + timedelta(days=1)], columns=names)
    rows = ladder(daily, {"co_optimised_cvar": "perfect_foresight"}, 50.0, RiskSettings(bootstrap_replicates=100), 1)
    figure = ladder_figure(rows, [FIRST], 0.95, float("nan"), PROVENANCE)
    drawn(figure)
    (axes,) = figure.axes
    assert all(label.get_window_extent().x0 > 0.0 for label in axes.get_yticklabels())
    text = words(figure) + " | ".join(label.get_text() for label in axes.get_yticklabels())
    assert "bound of the day-ahead market alone" in text
    assert text.count("[optimistic]") == 2


def test_legends_of_many_strategies_stay_above_the_axes() -> None:
    names = ["rule_based", "day_ahead_rolling", "day_ahead_perfect_foresight", "day_ahead_imbalance", "co_optimised",
             "co_optimised_cvar", "perfect_foresight_48h"]  # fmt: skip
    pnl = pd.concat([daily_pnl({"day_ahead": [1000.0, -500.0]}, name) for name in names])
    figure = cumulative_pnl(pnl, 50.0, PROVENANCE)
    drawn(figure)
    (legend,) = figure.legends
    assert legend.get_window_extent().y0 >= figure.axes[0].get_window_extent().y1
    shares = pd.DataFrame({"month": date(2024, 10, 1), "strategy": names, "capture": 0.5, "days": 31})
    figure = capture_figure(shares, 2.5, PROVENANCE)
    drawn(figure)
    (legend,) = figure.legends
    assert legend.get_window_extent().y0 >= figure.axes[0].get_window_extent().y1
