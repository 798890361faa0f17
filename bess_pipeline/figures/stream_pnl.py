"""P&L by stream over time: stacked bars above and below zero, and what is left of them.

What belongs here: the drawing. What does not: the sums (`risk/pnl.py`).
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from bess_pipeline.figures import style
from bess_pipeline.figures.days import day_axis, window_label
from bess_pipeline.figures.provenance import Provenance

LONGEST_DAILY, LONGEST_WEEKLY = 62, 420  # days: beyond these, bars are weeks, then months


@style.styled
def stream_pnl(daily_pnl: pd.DataFrame, strategy: str, power_mw: float, provenance: Provenance) -> Figure:
    """Stacked P&L by stream of one strategy, k GBP a day (a week or a month in long windows), of `risk/daily_pnl` rows.

    Streams that earn stand on the zero line, streams that lose hang below it, each day by its own sign; a stream that
    never moved is left out. The line is P&L after wear.
    """
    rows = daily_pnl[daily_pnl["strategy"] == strategy]
    figure = Figure(figsize=(10.0, 4.8))
    axes = figure.subplots()
    figure.subplots_adjust(left=0.085, right=0.975, top=0.775, bottom=0.145)
    bars, step = binned(rows)
    _stack(axes, bars)
    style.zero_line(axes)
    axes.set_ylabel(f"P&L a {step}, £k")
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6))
    axes.yaxis.set_major_formatter(style.thousands())
    day_axis(axes, rows["efa_date"])
    _legend(figure, list(bars.columns))
    style.heading(
        figure,
        f"P&L by stream, {style.strategy_label(strategy)}, {window_label(rows['efa_date'])}",
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


def _stack(axes: Axes, bars: pd.DataFrame) -> None:
    if bars.empty:
        return
    width = _widths(bars.index)
    above, below = np.zeros(len(bars)), np.zeros(len(bars))
    for stream, colour in _colours(list(bars.columns)).items():
        amount = bars[stream].to_numpy() / 1000.0
        base = np.where(amount >= 0.0, above, below)
        axes.bar(bars.index, amount, width, bottom=base, color=colour, align="edge", linewidth=0)
        above, below = above + np.maximum(amount, 0.0), below + np.minimum(amount, 0.0)
    middle = [day + timedelta(days=half) for day, half in zip(bars.index, width / 2.0, strict=True)]
    total = bars.sum(axis=1).to_numpy() / 1000.0
    axes.plot(middle, total, color="white", linewidth=3.2, zorder=3, solid_capstyle="round")
    axes.plot(middle, total, color=style.BLACK, linewidth=1.3, marker="o", markersize=2.6, zorder=3.1)


def _widths(first: pd.Index) -> np.ndarray:
    """Days each bar is drawn wide: up to the next one, less a gap; a hole in the days stays a hole."""
    days = np.array([day.toordinal() for day in first], dtype="float64")
    gaps = np.diff(days)
    usual = float(np.median(gaps)) if gaps.size else 1.0
    return np.append(np.minimum(gaps, usual * 1.15), usual) * 0.86


def _colours(streams: list[str]) -> dict[str, str]:
    return {stream: style.STREAM_COLOURS.get(stream, style.GREY) for stream in streams}


def _legend(figure: Figure, streams: list[str]) -> None:
    handles: list[Patch | Line2D] = [
        Patch(color=colour, label=stream.replace("_", " ")) for stream, colour in _colours(streams).items()
    ]
    handles.append(Line2D([], [], color=style.BLACK, linewidth=1.3, marker="o", markersize=2.6, label="after wear"))
    top = 1 - 0.62 / figure.get_figheight()
    figure.legend(handles=handles, loc="upper left", bbox_to_anchor=(0.005, top), ncols=9, columnspacing=1.2)
