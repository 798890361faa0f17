"""Capture by month: what share of its bound each strategy earned, month by month.

What belongs here: the drawing. What does not: the shares (`risk/ladder.py`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from bess_pipeline.figures import style
from bess_pipeline.figures.caps import cap_label, share_label, traded_cap_mw
from bess_pipeline.figures.provenance import Provenance

LEGEND_COLUMNS = 3


@style.styled
def capture_figure(capture: pd.DataFrame, imbalance_cap_mw: float, provenance: Provenance) -> Figure:
    """Lines over months of `risk.ladder.capture_by_month` rows.

    A month without a capture (its bound earned nothing, or no day) is a gap. A month whose days are fewer than the
    longest month's is drawn hollow: it is partial.
    """
    names, traded = capture["strategy"].unique(), traded_cap_mw(capture)
    share = share_label(imbalance_cap_mw, traded)
    height = 4.1 + 0.19 * style.legend_rows(len(names) + 1, LEGEND_COLUMNS)
    figure = Figure(figsize=(10.0, height))
    axes = figure.subplots()
    figure.subplots_adjust(left=0.075, right=0.975, top=3.4 / height, bottom=0.64 / height)
    months = sorted(set(capture["month"]))
    place = {month: n for n, month in enumerate(months)}
    colours = style.strategy_colours(names)
    for strategy, colour in colours.items():
        _strategy(axes, capture[capture["strategy"] == strategy], place, colour)
    axes.axhline(1.0, color=style.GREY, linewidth=0.9, linestyle=(0, (4, 2)))
    style.zero_line(axes)
    shown = range(0, len(months), max(1, len(months) // 12))
    axes.set_xticks(list(shown), [f"{months[n]:%b %Y}" for n in shown])
    axes.set_xlim(-0.5, max(len(months), 1) - 0.5)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, -0.02), max(high, 1.05))
    axes.set_ylabel("Share of its bound")
    handles = [
        Line2D([], [], color=c, linewidth=1.7, marker="o", markersize=5, label=style.strategy_label(s, provenance))
        for s, c in colours.items()
    ]
    handles.append(_hollow())
    figure.legend(handles=handles, loc="upper left", bbox_to_anchor=(0.005, 1 - 0.6 / height), ncols=LEGEND_COLUMNS)
    style.heading(
        figure,
        f"{share[:1].upper()}{share[1:]} by month",
        f"Worth over that of the strategy's own upper bound; {cap_label(imbalance_cap_mw, traded)}; "
        f"{provenance.origin_label}; {provenance.day_ahead_label}",
    )
    style.footer(figure, provenance)
    return figure


def _strategy(axes: Axes, rows: pd.DataFrame, place: dict[object, int], colour: str) -> None:
    share = np.full(len(place), np.nan)
    days = np.zeros(len(place))
    where = [place[month] for month in rows["month"]]
    share[where], days[where] = rows["capture"].to_numpy(dtype=float), rows["days"].to_numpy(dtype=float)
    axes.plot(range(len(place)), share, color=colour, linewidth=1.7)
    for n in np.flatnonzero(np.isfinite(share)):
        whole = days[n] >= _days_of(list(place)[n])
        axes.plot(n, share[n], "o", color=colour, markersize=5, markerfacecolor=colour if whole else "white", zorder=3)


def _days_of(month: object) -> int:
    return pd.Period(str(month)[:7], freq="M").days_in_month


def _hollow() -> Line2D:
    return Line2D(
        [],
        [],
        color=style.GREY,
        linewidth=0,
        marker="o",
        markersize=5,
        markerfacecolor="white",
        label="part of a month",
    )
