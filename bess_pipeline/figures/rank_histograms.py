"""Calibration of forecasts over a window: rank histograms by stream, and coverage of intervals.

What belongs here: the drawing, from daily rows of `scenario.score`. What does not: ranks and tests
(`scenarios/univariate.py`, `scenarios/calibration.py`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from bess_pipeline.figures import stream_words, style
from bess_pipeline.figures.provenance import Provenance
from bess_pipeline.scenarios import calibration, skill

COLUMNS = 4
PANEL_IN, GAP_IN, TOP_IN, BOTTOM_IN = 1.3, 0.62, 1.3, 0.75
CONFIDENCE = 0.9
JOINT = {"average_rank": "all: average", "depth_rank": "all: depth"}
COVERAGES = (50, 80, 90)
COVERAGE_STEP = 0.2  # rows between the points of a stream, so that no interval hides another
COVERAGE_COLOURS = {50: style.SKY, 80: style.BLUE, 90: style.BLACK}


@style.styled
def rank_histograms(rows: pd.DataFrame, gate: str, provenance: Provenance) -> Figure:
    """Ranks of outcomes by stream, with the band that the bars of a right forecast keep; joint ranks at the end.

    rows: `scenario.score` (efa_date, gate, stream, score, value); those of `gate` are shown. A bar leaves the 90 %
    binomial band one time in ten even when the forecast is right; p is that of the chi-square test, corrected after
    Holm over the streams. Without a rank of that gate the figure says so.
    """
    ranks = _ranks(rows[rows["gate"] == gate])
    count = max(len(ranks), 1)
    lines = -(-count // COLUMNS)
    total = TOP_IN + lines * PANEL_IN + (lines - 1) * GAP_IN + BOTTOM_IN
    figure = Figure(figsize=(10.0, total))
    single = {name: calibration.uniform_p(rank) for name, rank in ranks.items() if name not in JOINT.values()}
    p_values = calibration.holm(single) | {
        name: calibration.uniform_p(rank) for name, rank in ranks.items() if name in JOINT.values()
    }
    most = max((_days(rank) for rank in ranks.values()), default=0)
    for n, (name, rank) in enumerate(ranks.items()):
        left, top = 0.06 + (n % COLUMNS) * 0.235, TOP_IN + (n // COLUMNS) * (PANEL_IN + GAP_IN)
        axes = figure.add_axes((left, (total - top - PANEL_IN) / total, 0.195, PANEL_IN / total))
        fewer = f", {_days(rank)} days" if _days(rank) < most else ""
        _histogram(axes, rank, f"{name}: {_p_words(p_values[name])}{fewer}")
        if n % COLUMNS == 0:
            axes.set_ylabel("days")
    if not ranks:
        figure.text(0.5, 0.5, "no day with a rank", ha="center", color=style.GREY)
    _rank_legend(figure)
    style.heading(
        figure, f"Rank histograms at the {stream_words.gate_label(gate)}{_window(rows, gate)}", _sub(provenance)
    )
    style.footer(figure, provenance)
    return figure


def _ranks(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """Ranks of days by panel title: streams in their order, then the joint ranks."""
    single = rows[rows["score"] == "rank"]
    found = {
        stream_words.short(name): single.loc[single["stream"] == name, "value"].to_numpy(dtype="float64")
        for name in stream_words.in_order(set(single["stream"]))
    }
    for score, title in JOINT.items():
        joint = rows[(rows["stream"] == "all") & (rows["score"] == score)]
        if len(joint):
            found[title] = joint["value"].to_numpy(dtype="float64")
    return found


def _histogram(axes: Axes, rank: np.ndarray, title: str) -> None:
    days, bins = _days(rank), calibration.BINS
    low, high = calibration.band(days, bins, CONFIDENCE)
    axes.axhspan(low, high, color=style.ORANGE, alpha=0.28, linewidth=0)
    axes.bar((np.arange(bins) + 0.5) / bins, calibration.histogram(rank, bins), 0.9 / bins, color=style.BLUE)
    axes.axhline(days / bins, color=style.VERMILION, linewidth=1.2)
    axes.set_xlim(0.0, 1.0)
    axes.set_xticks([0.0, 0.5, 1.0], ["0", "0.5", "1"])
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    axes.grid(False, axis="x")
    axes.set_title(title, fontsize=9.0)


def _days(rank: np.ndarray) -> int:
    return int((~np.isnan(rank)).sum())


def _p_words(p_value: float) -> str:
    if np.isnan(p_value):
        return "too few days"
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"


def _rank_legend(figure: Figure) -> None:
    handles: list[Patch | Line2D] = [
        Patch(color=style.BLUE, label="days by rank of the outcome (one random period a day; all: of the whole path)"),
        Line2D([], [], color=style.VERMILION, linewidth=1.2, label="expected"),
        Patch(color=style.ORANGE, alpha=0.28, linewidth=0, label="90 % band of a right forecast"),
    ]
    height = figure.get_figheight()
    figure.legend(handles=handles, loc="upper left", bbox_to_anchor=(0.005, 1 - 0.60 / height), ncols=3)
    words = "rank: 0 below, 1 above all that was forecast; p: chi-square, Holm over streams"
    figure.text(0.975, 0.24 / height, words, fontsize=8.0, color=style.GREY, ha="right", va="bottom")


@style.styled
def coverage_figure(rows: pd.DataFrame, gate: str, seed: int, provenance: Provenance) -> Figure:
    """How often outcomes lay in the central 50, 80 and 90 % intervals, by stream, with 95 % confidence intervals.

    rows: `scenario.score`; those of `gate` are shown. Too few days give a point without an interval.
    """
    mine = rows[rows["gate"] == gate]
    names = stream_words.in_order(set(mine.loc[mine["score"].str.fullmatch(r"coverage_\d\d"), "stream"]))
    total = 1.35 + 0.34 * max(len(names), 1) + 0.85
    figure = Figure(figsize=(10.0, total))
    axes = figure.add_axes((0.13, 0.85 / total, 0.83, 0.34 * max(len(names), 1) / total))
    for n, coverage in enumerate(COVERAGES):
        axes.axvline(coverage, color=COVERAGE_COLOURS[coverage], linewidth=1.1, linestyle=(0, (3, 2)), zorder=1.5)
        for place, name in enumerate(names):
            days = mine[(mine["stream"] == name) & (mine["score"] == f"coverage_{coverage}")].sort_values("efa_date")
            _coverage(
                axes, place + (n - 1) * COVERAGE_STEP, 100.0 * days["value"].to_numpy(dtype="float64"), coverage, seed
            )
    axes.grid(False, axis="y")
    axes.set_yticks(range(len(names)), [stream_words.short(name) for name in names])
    axes.set_ylim(max(len(names), 1) - 0.5, -0.5)
    axes.set_xlim(0.0, 102.0)
    axes.set_xlabel("outcomes inside the interval, % of periods")
    handles = [
        Line2D([], [], color=c, marker="o", linestyle="none", label=f"{k} %") for k, c in COVERAGE_COLOURS.items()
    ]
    handles.append(Line2D([], [], color=style.GREY, linewidth=1.1, linestyle=(0, (3, 2)), label="as it should be"))
    figure.legend(handles=handles, loc="upper left", bbox_to_anchor=(0.005, 1 - 0.60 / total), ncols=4)
    style.heading(
        figure, f"Coverage of intervals at the {stream_words.gate_label(gate)}{_window(rows, gate)}", _sub(provenance)
    )
    style.footer(figure, provenance)
    return figure


def _coverage(axes: Axes, place: float, percent: np.ndarray, coverage: int, seed: int) -> None:
    found, colour = skill.mean(percent, seed), COVERAGE_COLOURS[coverage]
    axes.plot([found.value], [place], "o", color=colour, markersize=5.5, zorder=3)
    if not np.isnan(found.low):
        axes.plot([found.low, found.high], [place, place], color=colour, linewidth=2.0, zorder=2.5)


def _window(rows: pd.DataFrame, gate: str) -> str:
    days = sorted(set(rows.loc[rows["gate"] == gate, "efa_date"]))
    if not days:
        return ": no scored day"
    first, last = f"{days[0].day} {days[0]:%b %Y}", f"{days[-1].day} {days[-1]:%b %Y}"
    return f", {first}" if len(days) == 1 else f", {first} to {last} ({len(days)} days)"


def _sub(provenance: Provenance) -> str:
    return f"{provenance.origin_label}; {provenance.day_ahead_label}"
