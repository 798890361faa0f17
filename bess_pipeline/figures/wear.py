"""Wear of a window: how deep the cycles were, and the plan's shadow cost beside the cost after the fact.

What belongs here: the drawing. What does not: the counting (`battery/cycle_counting.py`) and the costs
(`battery/degradation.py`, table `risk/degradation`).
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, DateFormatter, DayLocator
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bess_pipeline import gb_time
from bess_pipeline.battery.cycle_counting import count_cycles, depth_histogram
from bess_pipeline.figures import style
from bess_pipeline.figures.provenance import Provenance

BINS = 10


@style.styled
def wear_figure(
    degradation: pd.DataFrame, state_of_energy: pd.DataFrame, energy_mwh: float, provenance: Provenance
) -> Figure:
    """Cycle depths and cumulative cost of wear by strategy.

    degradation: `risk/degradation` rows; state_of_energy: strategy, start_utc and energy_mwh of `trading/dispatch`
    of the same days; energy_mwh: the capacity that depths are fractions of.
    """
    figure = Figure(figsize=(10.0, 4.6))
    depth_axes, cost_axes = figure.subplots(1, 2, gridspec_kw={"wspace": 0.22})
    figure.subplots_adjust(left=0.075, right=0.975, top=0.74, bottom=0.165)
    colours = style.strategy_colours(degradation["strategy"].unique())
    for place, (strategy, colour) in enumerate(colours.items()):
        rows = state_of_energy[state_of_energy["strategy"] == strategy].sort_values("start_utc")
        _depths(depth_axes, rows["energy_mwh"].to_numpy(dtype="float64") / energy_mwh, colour, place, len(colours))
        _costs(cost_axes, degradation[degradation["strategy"] == strategy], colour)
    depth_axes.set_xlabel("depth of cycle, % of the capacity")
    depth_axes.set_ylabel("cycles counted (rainflow)")
    depth_axes.set_xlim(0, 100)
    cost_axes.set_ylabel("cumulative cost of cycling, £k")
    cost_axes.set_xlabel("EFA day (closes 23:00 London)")
    span = degradation["efa_date"].nunique()
    cost_axes.xaxis.set_major_locator(DayLocator() if span <= 4 else AutoDateLocator(minticks=3, maxticks=7))
    cost_axes.xaxis.set_major_formatter(DateFormatter("%d %b" if span <= 300 else "%b %Y"))
    _legend(figure, colours)
    style.heading(
        figure,
        "Wear: depth of cycles, and shadow cost against cost after the fact",
        f"{provenance.origin_label}; costs are no cash; calendar ageing is left out of both",
    )
    style.footer(figure, provenance)
    return figure


def _depths(axes: Axes, soc: np.ndarray, colour: str, place: int, strategies: int) -> None:
    if len(soc) < 2:
        return
    edges, counts = depth_histogram(count_cycles(soc, gb_time.HALF_HOUR_H), BINS)
    width = 100.0 / BINS * 0.9 / strategies
    axes.bar(edges[:-1] * 100.0 + 0.5 + place * width, counts, width, align="edge", color=colour)


def _costs(axes: Axes, rows: pd.DataFrame, colour: str) -> None:
    rows = rows.sort_values("efa_date")
    days = [rows["efa_date"].iloc[0] - timedelta(days=1), *rows["efa_date"]]
    for column, line in (("cycle_cost_gbp", "solid"), ("plan_cost_gbp", (0, (4, 2)))):
        axes.plot(days, np.append(0.0, rows[column].cumsum()) / 1000.0, color=colour, linewidth=1.6, linestyle=line)
    style.zero_line(axes)


def _legend(figure: Figure, colours: dict[str, str]) -> None:
    handles = [Line2D([], [], color=c, linewidth=1.9, label=style.strategy_label(s)) for s, c in colours.items()]
    handles.append(Line2D([], [], color=style.GREY, linewidth=1.6, label="solid: after the fact"))
    handles.append(Line2D([], [], color=style.GREY, linewidth=1.6, linestyle=(0, (4, 2)), label="dashed: in the plan"))
    figure.legend(handles=handles, loc="upper left", bbox_to_anchor=(0.005, 1 - 0.62 / figure.get_figheight()), ncols=4)
