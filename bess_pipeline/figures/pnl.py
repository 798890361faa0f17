"""Cumulative P&L by strategy, with the drawdown of cumulative cash below it.

What belongs here: the drawing. What does not: the sums (`risk/pnl.py`).
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from bess_pipeline.figures import style
from bess_pipeline.figures.days import day_axis, window_label
from bess_pipeline.figures.provenance import Provenance
from bess_pipeline.risk.drawdown import drawdown_series
from bess_pipeline.risk.pnl import daily_totals

LEGEND_COLUMNS = 3
FEW = 4  # strategies whose drawdowns are told apart by their shading
FLAT_KGBP = 0.06  # the limits that matplotlib gives to a line at zero


@style.styled
def cumulative_pnl(pnl: pd.DataFrame, power_mw: float, provenance: Provenance) -> Figure:
    """Cumulative P&L after wear and in cash, and drawdown on cash, of `risk/daily_pnl` rows, k GBP."""
    daily = daily_totals(pnl)
    colours = style.strategy_colours(daily["strategy"].unique())
    height = 6.0 + 0.19 * style.legend_rows(len(colours) + 2, LEGEND_COLUMNS)
    figure = Figure(figsize=(10.0, height))
    pnl_axes, fall_axes = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [2.2, 1.0], "hspace": 0.12})
    figure.subplots_adjust(left=0.105, right=0.975, top=5.24 / height, bottom=0.775 / height)
    for strategy, colour in colours.items():
        _strategy(pnl_axes, fall_axes, daily[daily["strategy"] == strategy], colour, crowded=len(colours) > FEW)
    for axes, label in ((pnl_axes, "Cumulative P&L, £k"), (fall_axes, "Drawdown\non cash, £k")):
        style.zero_line(axes)
        axes.set_ylabel(label)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
        axes.yaxis.set_major_formatter(style.thousands())
    if fall_axes.get_ylim()[0] >= -FLAT_KGBP:
        fall_axes.set_ylim(-1.0, 0.05)  # nothing fell: a scale of pence would mislead
    figure.align_ylabels()
    day_axis(fall_axes, daily["efa_date"])
    _legend(figure, colours, provenance)
    style.heading(
        figure,
        f"Cumulative P&L and drawdown, {window_label(daily['efa_date'])}",
        f"{provenance.origin_label}; {provenance.day_ahead_label}; battery rated {power_mw:g} MW{_starts(daily)}",
    )
    style.footer(figure, provenance)
    return figure


def _starts(daily: pd.DataFrame) -> str:
    """What a reader must know where strategies do not begin on the same day."""
    first = daily.groupby("strategy")["efa_date"].min()
    return "; each from 0 on its own first day" if first.nunique() > 1 else ""


def _strategy(pnl_axes: Axes, fall_axes: Axes, daily: pd.DataFrame, colour: str, *, crowded: bool) -> None:
    daily = daily.sort_values("efa_date").set_index("efa_date")
    days = [daily.index[0] - timedelta(days=1), *daily.index]
    after_wear = np.append(0.0, daily["after_wear_gbp"].cumsum()) / 1000.0
    fall = drawdown_series(daily["cash_gbp"])
    cash = np.append(0.0, fall["cumulative_gbp"]) / 1000.0
    pnl_axes.plot(days, after_wear, color=colour, linewidth=1.9)
    pnl_axes.plot(days, cash, color=colour, linewidth=0.8 if crowded else 1.1, linestyle=(0, (4, 2)))
    below = -np.append(0.0, fall["drawdown_gbp"]) / 1000.0
    fall_axes.plot(days, below, color=colour, linewidth=1.3)
    if not crowded:
        fall_axes.fill_between(days, below, 0.0, color=colour, alpha=0.15, linewidth=0)


def _legend(figure: Figure, colours: dict[str, str], provenance: Provenance) -> None:
    handles = [
        Line2D([], [], color=c, linewidth=1.9, label=style.strategy_label(s, provenance)) for s, c in colours.items()
    ]
    handles.append(Line2D([], [], color=style.GREY, linewidth=1.9, label="solid: after wear"))
    handles.append(Line2D([], [], color=style.GREY, linewidth=1.1, linestyle=(0, (4, 2)), label="dashed: cash"))
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0.005, 1 - 0.62 / figure.get_figheight()),
        ncols=LEGEND_COLUMNS,
    )
