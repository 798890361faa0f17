"""Skill by hour: how much better than a baseline forecasts are at each London clock hour.

What belongs here: the drawing, from daily rows of `scenario.score`. What does not: the scores (`scenarios/scores.py`)
and the statistics (`scenarios/skill.py`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from bess_pipeline.figures import stream_words, style
from bess_pipeline.figures.provenance import Provenance
from bess_pipeline.scenarios.skill import Interval, skill

COLUMNS = 3
PANEL_IN, GAP_IN, TOP_IN, BOTTOM_IN = 1.5, 0.55, 1.3, 0.75
LOWEST = -1.0  # a skill below is drawn at the edge, as an arrow
HOURS_A_DAY = 24


@style.styled
def skill_by_hour(rows: pd.DataFrame, gate: str, baseline: str, seed: int, provenance: Provenance) -> Figure:
    """CRPS skill over `baseline` of each stream by London clock hour, with a 95 % band, and over all hours.

    rows: `scenario.score` with crps, crps_hHH and the same of the baseline ("crps_h07:similar_day"); those of `gate`
    are shown, streams that the baseline has no score of are left out. Too few days give points without a band.
    """
    mine = rows[rows["gate"] == gate].sort_values("efa_date")
    scored = mine.loc[mine["score"].str.fullmatch(rf"crps:{baseline}"), "stream"]
    names = stream_words.in_order(set(scored))
    lines = -(-max(len(names), 1) // COLUMNS)
    total = TOP_IN + lines * PANEL_IN + (lines - 1) * GAP_IN + BOTTOM_IN
    figure = Figure(figsize=(10.0, total))
    for n, name in enumerate(names):
        left, top = 0.065 + (n % COLUMNS) * 0.32, TOP_IN + (n // COLUMNS) * (PANEL_IN + GAP_IN)
        axes = figure.add_axes((left, (total - top - PANEL_IN) / total, 0.25, PANEL_IN / total))
        table = mine[mine["stream"] == name].pivot(index="efa_date", columns="score", values="value")
        _panel(axes, table, baseline, seed)
        whole = _skill(table, "crps", baseline, seed)
        axes.set_title(f"{stream_words.short(name)}: {_words(whole)}", fontsize=9.0)
    if not names:
        figure.text(0.5, 0.5, f"no score of the {_plain(baseline)} baseline", ha="center", color=style.GREY)
    _legend(figure)
    days = mine["efa_date"].nunique()
    style.heading(
        figure,
        f"CRPS skill over {_plain(baseline)} by London hour, {stream_words.gate_label(gate)}, {days} "
        f"day{'' if days == 1 else 's'}",
        f"{provenance.origin_label}; {provenance.day_ahead_label}",
    )
    style.footer(figure, provenance)
    return figure


def _panel(axes: Axes, table: pd.DataFrame, baseline: str, seed: int) -> None:
    hours = [hour for hour in range(HOURS_A_DAY) if f"crps_h{hour:02d}" in table.columns]
    found = [_skill(table, f"crps_h{hour:02d}", baseline, seed) for hour in hours]
    value = np.array([one.value for one in found])
    low, high = np.array([one.low for one in found]), np.array([one.high for one in found])
    middle = np.array(hours) + 0.5
    blocks = len(hours) <= HOURS_A_DAY // 4
    if blocks:
        axes.vlines(middle, np.maximum(low, LOWEST), high, color=style.BLUE, alpha=0.35, linewidth=5.0)
    else:
        axes.fill_between(middle, np.maximum(low, LOWEST), high, color=style.BLUE, alpha=0.25, linewidth=0)
    shown = np.maximum(value, LOWEST)
    axes.plot(middle, shown, color=style.BLUE, linewidth=0.0 if blocks else 1.4, marker="o", markersize=3.0)
    under = value < LOWEST
    axes.plot(middle[under], shown[under], "v", color=style.VERMILION, markersize=6.0, clip_on=False)
    style.zero_line(axes)
    axes.set_xlim(0.0, HOURS_A_DAY)
    axes.set_xticks(range(0, HOURS_A_DAY + 1, 6))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    bottom = min(-0.1, float(np.nanmin(np.append(np.maximum(low, LOWEST), shown), initial=0.0)) - 0.05)
    axes.set_ylim(max(bottom, LOWEST - 0.03), max(0.3, float(np.nanmax(np.append(high, value), initial=0.0)) + 0.05))


def _skill(table: pd.DataFrame, score: str, baseline: str, seed: int) -> Interval:
    other = f"{score}:{baseline}"
    if score not in table.columns or other not in table.columns:
        return Interval(np.nan, np.nan, np.nan)
    return skill(table[score].to_numpy(dtype="float64"), table[other].to_numpy(dtype="float64"), seed)


def _words(whole: Interval) -> str:
    if np.isnan(whole.value):
        return "no skill known"
    if np.isnan(whole.low):
        return f"{_percent(whole.value)} (too few days)"
    return f"{_percent(whole.value)} ({_percent(whole.low)} to {_percent(whole.high)})"


def _percent(share: float) -> str:
    return f"{round(100.0 * share)} %"


def _plain(baseline: str) -> str:
    return baseline.replace("_", "-")


def _legend(figure: Figure) -> None:
    handles: list[Patch | Line2D] = [
        Line2D(
            [], [], color=style.BLUE, linewidth=1.4, marker="o", markersize=3.0, label="skill of the hour's periods"
        ),
        Patch(color=style.BLUE, alpha=0.25, linewidth=0, label="95 % interval (stationary bootstrap)"),
        Line2D([], [], color=style.VERMILION, marker="v", linestyle="none", label=f"below {_percent(LOWEST)}"),
    ]
    height = figure.get_figheight()
    figure.legend(handles=handles, loc="upper left", bbox_to_anchor=(0.005, 1 - 0.60 / height), ncols=3)
    words = (
        "London clock hour in which periods start; response: hour in which the EFA block starts; 0 %: as the baseline"
    )
    figure.text(0.975, 0.24 / height, words, fontsize=8.0, color=style.GREY, ha="right", va="bottom")
