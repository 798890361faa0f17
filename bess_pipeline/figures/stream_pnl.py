"""P&L by stream over time: stacked bars above and below zero, and what is left of them.

What belongs here: the drawing. What does not: the sums (`risk/pnl.py`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import date2num
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from bess_pipeline.figures import style
from bess_pipeline.figures.days import day_axis, window_label
from bess_pipeline.figures.provenance import Provenance

LONGEST_DAILY, LONGEST_WEEKLY = 62, 420  # days: beyond these, bars are weeks, then months
TOTAL: dict[str, Any] = {
    "color": style.BLACK,
    "linewidth": 0,
    "marker": "o",
    "markersize": 4.6,
    "markeredgecolor": "white",
    "markeredgewidth": 0.9,
}


@style.styled
def stream_pnl(daily_pnl: pd.DataFrame, strategy: str, power_mw: float, provenance: Provenance) -> Figure:
    """Stacked P&L by stream of one strategy, k GBP a day (a week or a month in long windows), of `risk/daily_pnl` rows.

    Streams that earn stand on the zero line, streams that lose hang below it, each day by its own sign; a stream that
    never moved is left out. The dots are P&L after wear.
    """
    rows = daily_pnl[daily_pnl["strategy"] == strategy]
    figure = Figure(figsize=(10.0, 4.8))
    axes = figure.subplots()
    figure.subplots_adjust(left=0.085, right=0.975, top=0.775, bottom=0.145)
    bars, step = binned(rows)
    _stack(axes, bars, step)
    style.zero_line(axes)
    axes.set_ylabel(f"P&L a {step}, £k")
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6))
    axes.yaxis.set_major_formatter(style.thousands())
    day_axis(axes, rows["efa_date"])
    _legend(figure, list(bars.columns))
    style.heading(
        figure,
        f"P&L by stream, {style.strategy_label(strategy, provenance)}, {window_label(rows['efa_date'])}",
        f"{provenance.origin_label}; {provenance.day_ahead_label}; battery rated {power_mw:g} MW",
    )
    style.footer(figure, provenance)
    return figure


def binned(rows: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """GBP by first day of the bar (index) and stream that moved (columns), and what a bar is: day, week or month.

    A week is Monday to Sunday; a bar at an end of the window holds only the days of the window.
    """
    if rows.empty:
        return pd.DataFrame(), "day"
    span = (rows["efa_date"].max() - rows["efa_date"].min()).days + 1
    if span <= LONGEST_DAILY:
        first, step = list(rows["efa_date"]), "day"
    elif span <= LONGEST_WEEKLY:
        first, step = [day - timedelta(days=day.weekday()) for day in rows["efa_date"]], "week"
    else:
        first, step = [day.replace(day=1) for day in rows["efa_date"]], "month"
    table = rows.assign(bar=first).pivot_table(
        index="bar", columns="stream", values="pnl_gbp", aggfunc="sum", fill_value=0.0
    )
    moved = [stream for stream in table if (table[stream] != 0.0).any()]
    known = [stream for stream in style.STREAM_COLOURS if stream in moved]
    return table[known + [stream for stream in moved if stream not in known]].rename_axis(columns=None), step


def _stack(axes: Axes, bars: pd.DataFrame, step: str) -> None:
    if bars.empty:
        axes.set_yticks([])
        return
    left, width = _extent(bars.index, step)
    above, below = np.zeros(len(bars)), np.zeros(len(bars))
    for stream, colour in _colours(list(bars.columns)).items():
        amount = bars[stream].to_numpy() / 1000.0
        base = np.where(amount >= 0.0, above, below)
        axes.bar(left, amount, width, bottom=base, color=colour, align="edge", linewidth=0)
        above, below = above + np.maximum(amount, 0.0), below + np.minimum(amount, 0.0)
    total = bars.sum(axis=1).to_numpy() / 1000.0
    axes.plot(left + width / 2.0, total, **TOTAL, zorder=3)


def _extent(first: pd.Index, step: str) -> tuple[np.ndarray, np.ndarray]:
    """Left edge and width of each bar, days: a day around its date, a week or month from its first day."""
    days = date2num(list(first))
    if step == "day":
        return days - 0.43, np.full(len(days), 0.86)
    length = np.array([7.0 if step == "week" else pd.Period(day, "M").days_in_month for day in first])
    return days, length * 0.88


def _colours(streams: list[str]) -> dict[str, str]:
    return {stream: style.STREAM_COLOURS.get(stream, style.GREY) for stream in streams}


def _legend(figure: Figure, streams: list[str]) -> None:
    handles: list[Patch | Line2D] = [
        Patch(color=colour, label=style.in_words(stream)) for stream, colour in _colours(streams).items()
    ]
    handles.append(Line2D([], [], **TOTAL, label="after wear"))
    top = 1 - 0.62 / figure.get_figheight()
    figure.legend(handles=handles, loc="upper left", bbox_to_anchor=(0.005, top), ncols=9, columnspacing=1.2)
