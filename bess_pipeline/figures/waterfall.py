"""The waterfall from perfect foresight to what was realised, each bar between two named replays.

What belongs here: the drawing. What does not: the steps (`risk/waterfall.py`).
"""

from __future__ import annotations

import textwrap
from collections.abc import Hashable, Iterable, Mapping
from datetime import date
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bess_pipeline.figures import style
from bess_pipeline.figures.caps import cap_label
from bess_pipeline.figures.days import window_label
from bess_pipeline.figures.provenance import Provenance

LABEL_WIDTH = 20
ROOM = 0.05  # of the range, between a bar and its number


@style.styled
def waterfall_figure(
    steps: pd.DataFrame,
    start_gbp: float,
    dates: Iterable[date],
    power_mw: float,
    imbalance_cap_mw: float,
    provenance: Provenance,
) -> Figure:
    """Bars of `risk.waterfall.waterfall` rows (at least one), k GBP over the days `dates`."""
    days = list(dates)
    figure = Figure(figsize=(10.0, 5.0))
    axes = figure.subplots()
    figure.subplots_adjust(left=0.09, right=0.975, top=0.84, bottom=0.215)
    levels = [start_gbp, *steps["level_gbp"]]
    span = max(*levels, 0.0) - min(*levels, 0.0) or 1.0
    _level(axes, 0, start_gbp, style.BLACK, span)
    for place, change in enumerate(steps["change_gbp"], start=1):
        _step(axes, place, levels[place - 1], float(change), span)
    last = len(steps) + 1
    _level(axes, last, levels[-1], style.BLUE, span)
    axes.set_xticks(range(last + 1), _labels(steps), fontsize=8.0)
    axes.tick_params(axis="x", length=0)
    axes.grid(visible=False, axis="x")
    style.zero_line(axes)
    lowest = min(*levels, 0.0)
    axes.set_ylim(
        (lowest - (0.08 * span if lowest < 0.0 else 0.0)) / 1000.0, (max(*levels, 0.0) + 0.12 * span) / 1000.0
    )
    axes.set_ylabel("P&L with the change of stored energy, £k")
    axes.yaxis.set_major_formatter(style.thousands())
    reached = style.strategy_label(steps["to_replay"].iloc[-1], provenance)
    style.heading(
        figure,
        f"From perfect foresight to {reached}, {window_label(days)}",
        f"{cap_label(imbalance_cap_mw)}; battery rated {power_mw:g} MW; {provenance.origin_label}; "
        f"{provenance.day_ahead_label}",
    )
    style.footer(figure, provenance)
    return figure


def _level(axes: Axes, place: int, level_gbp: float, colour: str, span: float) -> None:
    axes.bar(place, level_gbp / 1000.0, 0.62, color=colour)
    above = level_gbp if level_gbp >= 0.0 else 0.0
    _number(axes, place, above, span, style.pounds(level_gbp / 1000.0, 1) + "k")


def _step(axes: Axes, place: int, before_gbp: float, change_gbp: float, span: float) -> None:
    after = before_gbp + change_gbp
    colour = style.GREEN if change_gbp > 0.0 else style.VERMILION
    axes.bar(place, change_gbp / 1000.0, 0.62, bottom=before_gbp / 1000.0, color=colour)
    axes.plot([place - 1 + 0.31, place - 0.31], [before_gbp / 1000.0] * 2, color=style.GREY, linewidth=0.8)
    axes.plot([place + 0.31, place + 1 - 0.31], [after / 1000.0] * 2, color=style.GREY, linewidth=0.8)
    sign = "+" if change_gbp > 0.0 else ""
    _number(axes, place, max(before_gbp, after), span, f"{sign}{style.pounds(change_gbp / 1000.0, 1)}k")


def _number(axes: Axes, place: int, above_gbp: float, span: float, text: str) -> None:
    axes.text(place, (above_gbp + 0.25 * ROOM * span) / 1000.0, text, ha="center", va="bottom", fontsize=9.0)


def _labels(steps: pd.DataFrame) -> list[str]:
    first, last = steps.iloc[0], steps.iloc[-1]
    middle = [f"{row['step']}\n\N{RIGHTWARDS ARROW} {_leads_to(row)}" for row in steps.to_dict("records")]
    return [_replay(first["from_replay"], first["from_basis"]), *middle, _replay(last["to_replay"], last["to_basis"])]


def _leads_to(row: Mapping[Hashable, Any]) -> str:
    """The replay that a step leads to, or the basis where the replay stays."""
    if row["from_replay"] == row["to_replay"]:
        return str(row["to_basis"]).replace("_", " ")
    return _replay(row["to_replay"], row["to_basis"])


def _replay(replay: str, basis: str) -> str:
    words = f"{style.strategy_label(replay)}, {basis.replace('_', ' ')}"
    return "\n".join(textwrap.wrap(words, LABEL_WIDTH))
