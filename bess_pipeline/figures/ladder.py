"""The ladder of strategies: what each is worth a year per MW, with its interval and its capture.

What belongs here: the drawing. What does not: values and intervals (`risk/ladder.py`).
"""

from __future__ import annotations

import textwrap
from collections.abc import Hashable, Iterable, Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import blended_transform_factory

from bess_pipeline.figures import style
from bess_pipeline.figures.caps import cap_label, is_capture, share_label, traded_cap_mw
from bess_pipeline.figures.days import window_label
from bess_pipeline.figures.provenance import Provenance

ROW = 0.5  # inches
LABEL_WIDTH = 32  # characters of a line
NUMBER_X, CAPTURE_X = 0.735, 0.825  # of the figure's width


@style.styled
def ladder_figure(
    ladder: pd.DataFrame,
    dates: Iterable[date],
    confidence: float,
    imbalance_cap_mw: float,
    provenance: Provenance,
) -> Figure:
    """Worths with intervals of `risk.ladder.ladder` rows, the best on top, and capture in figures beside them.

    confidence: of the intervals. A strategy without an interval has its worth alone.
    """
    rows = ladder.sort_values("worth", kind="stable")
    figure = Figure(figsize=(10.0, 1.95 + ROW * max(len(rows), 1)))
    height = figure.get_figheight()
    traded = traded_cap_mw(rows)
    share = "capture of its bound" if is_capture(imbalance_cap_mw, traded) else share_label(imbalance_cap_mw, traded)
    axes = figure.subplots()
    figure.subplots_adjust(left=0.26, right=0.715, top=1 - 0.92 / height, bottom=0.8 / height)
    colours = style.strategy_colours(rows["strategy"])
    for place, row in enumerate(rows.to_dict("records")):
        _rung(axes, place, row, colours[row["strategy"]])
    axes.axvline(0.0, color=style.GREY, linewidth=0.9, zorder=1.5)
    labels = [_wrapped(style.strategy_label(name, provenance)) for name in rows["strategy"]]
    axes.set_yticks(range(len(rows)), labels, linespacing=1.05)
    axes.tick_params(axis="y", length=0, labelcolor=style.BLACK)
    axes.set_ylim(-0.6, max(len(rows), 1) - 0.4)
    axes.grid(visible=False, axis="y")
    words = _interval_words(rows, confidence)
    axes.set_xlabel(f"P&L with the change of stored energy, £k/MW/year; {words}")
    axes.xaxis.set_major_formatter(style.thousands())
    for x, words in ((NUMBER_X, "£k/MW/year"), (CAPTURE_X, share.replace(" at ", "\nat "))):
        figure.text(x, 1 - 0.86 / height, words, fontsize=8.5, color=style.GREY, va="bottom")
    style.heading(
        figure,
        f"What each strategy is worth a year, {window_label(dates)}",
        f"{_days(rows)}; {cap_label(imbalance_cap_mw, traded)}; {provenance.origin_label}; "
        f"{provenance.day_ahead_label}",
    )
    style.footer(figure, provenance)
    return figure


def _wrapped(label: str) -> str:
    return textwrap.fill(label, LABEL_WIDTH, break_on_hyphens=False)


def _rung(axes: Axes, place: int, row: Mapping[Hashable, Any], colour: str) -> None:
    value, low, high = (row[name] / 1000.0 for name in ("worth", "worth_low", "worth_high"))
    if np.isfinite(low) and np.isfinite(high):
        axes.plot([low, high], [place, place], color=colour, linewidth=5.0, alpha=0.35, solid_capstyle="butt")
        axes.plot([low, low, np.nan, high, high], [place - 0.12, place + 0.12, np.nan, place - 0.12, place + 0.12],
                  color=colour, linewidth=1.2)  # fmt: skip
    axes.plot(value, place, "o", color=colour, markersize=6.5)
    across = blended_transform_factory(axes.figure.transFigure, axes.transData)
    beside: dict[str, Any] = {"transform": across, "va": "center", "fontsize": 9.0}
    axes.text(NUMBER_X, place, f"{value:,.1f}", **beside)
    share, least, most = (row[name] for name in ("capture", "capture_low", "capture_high"))
    if np.isfinite(share):
        ends = f"  ({least:.0%} to {most:.0%})" if np.isfinite(least) and np.isfinite(most) else ""
        axes.text(CAPTURE_X, place, f"{share:.1%}{ends}", **beside)


def _interval_words(rows: pd.DataFrame, confidence: float) -> str:
    if rows["worth_low"].notna().any():
        return f"with {confidence:.0%} intervals of a stationary block bootstrap"
    return "too few days for intervals"


def _days(rows: pd.DataFrame) -> str:
    if rows.empty:
        return "no day"
    days, left_out = int(rows["days"].iloc[0]), int(rows["left_out"].iloc[0])
    words = f"{days} {'day' if days == 1 else 'days'}"
    return f"{words}, {left_out} left out that some strategy lacks" if left_out else words
