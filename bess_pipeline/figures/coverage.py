"""The coverage calendar: which day of which table is complete, and what is overdue or in quarantine.

What belongs here: the drawing. What does not: finding out (`ingestion/quality.py`).

Up to SHORT_DAYS days a table is one row and a day one cell. Longer spans get a row per table and
year on a common January-December axis, so that one bad day of five years is still some pixels wide.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from bess_pipeline.figures import style
from bess_pipeline.figures.provenance import Provenance

STATES = ("complete", "not_published", "refused", "never_asked")
COLOURS = ("#B9DDF2", style.ORANGE, "#B22A00", "#DEDEDE")
LABELS = ("complete", "not published", "refused", "never asked")
SHORT_DAYS = 200
BARS = 6
ROW_IN, YEAR_ROW_IN, HEADER_IN = 0.36, 0.17, 0.27
_LEAP_YEAR = 2024
_MONTH_STARTS = [(date(_LEAP_YEAR, month, 1) - date(_LEAP_YEAR, 1, 1)).days for month in range(1, 13)]


@dataclass(frozen=True)
class _Strip:
    """One row of cells: NaN where there is no such day."""

    label: str
    states: np.ndarray
    top_in: float
    height_in: float


@style.styled
def coverage_calendar(coverage: pd.DataFrame, quarantine: pd.DataFrame, provenance: Provenance) -> Figure:
    """Calendar of `coverage` with what is overdue and what lies in `quarantine` (frames of `DataQuality`)."""
    days = sorted(coverage["date"].unique())
    long = len(days) > SHORT_DAYS
    strips, headers, height = _long_strips(coverage) if long else _short_strips(coverage)
    late = coverage.dropna(subset=["late_hours"]).sort_values("late_hours", ascending=False)
    bars = max(min(len(late), BARS), min(quarantine["table"].nunique(), BARS))
    lower = 0.42 + 0.24 * max(bars, 1)
    total = 1.05 + height + 0.62 + lower + 0.42
    figure = Figure(figsize=(10.0, total))
    axes = figure.add_axes((0.2, (total - 1.05 - height) / total, 0.7, height / total))
    _calendar(axes, strips, headers, height)
    _long_axis(axes) if long else _short_axis(axes, days)
    panels = [figure.add_axes((left, 0.42 / total, 0.27, (lower - 0.3) / total)) for left in (0.2, 0.63)]
    _overdue(panels[0], late)
    _quarantined(panels[1], quarantine)
    for panel in panels:
        panel.set_ylim(max(bars, 1) - 0.4, -0.6)
    _legend(figure, total)
    style.heading(figure, f"Data coverage, {_span(days)}", f"{provenance.origin_label}; a cell is a settlement date")
    style.footer(figure, provenance)
    return figure


def _short_strips(coverage: pd.DataFrame) -> tuple[list[_Strip], list[tuple[str, float]], float]:
    strips = []
    for n, (dataset, rows) in enumerate(coverage.groupby("dataset", sort=False)):
        states = _codes(rows.sort_values("date"))
        strips.append(_Strip(_name(dataset) + _share(rows), states, n * ROW_IN, ROW_IN * 0.86))
    return strips, [], max(len(strips), 1) * ROW_IN


def _long_strips(coverage: pd.DataFrame) -> tuple[list[_Strip], list[tuple[str, float]], float]:
    strips, headers, top = [], [], 0.0
    for dataset, rows in coverage.groupby("dataset", sort=False):
        headers.append((_name(dataset) + _share(rows), top + HEADER_IN * 0.86))
        top += HEADER_IN
        for year, part in rows.groupby(rows["date"].map(lambda day: day.year)):
            states = np.full(366, np.nan)
            places = [(day.replace(year=_LEAP_YEAR) - date(_LEAP_YEAR, 1, 1)).days for day in part["date"]]
            states[places] = _codes(part)
            strips.append(_Strip(str(year), states, top, YEAR_ROW_IN * 0.9))
            top += YEAR_ROW_IN
    return strips, headers, top


def _codes(rows: pd.DataFrame) -> np.ndarray:
    return rows["state"].map(STATES.index).to_numpy(dtype=float)


def _name(dataset: object) -> str:
    return str(dataset).removeprefix("market/").replace("_", " ")


def _share(rows: pd.DataFrame) -> str:
    return f"  {int((rows['state'] == 'complete').sum()):,}/{len(rows):,}"


def _calendar(axes: Axes, strips: list[_Strip], headers: list[tuple[str, float]], height: float) -> None:
    """Cells in inches from the top, so that rows keep their height whatever their number."""
    colours, norm = ListedColormap(COLOURS), BoundaryNorm(np.arange(-0.5, len(STATES)), len(STATES))
    for strip in strips:
        count = len(strip.states)
        short = count <= SHORT_DAYS
        for states, above in ((strip.states, 1.0), (np.where(strip.states > 0, strip.states, np.nan), 3.0)):
            axes.pcolormesh(  # troubles once more, above the lines between months, which may be as wide as a day
                np.arange(count + 1), [strip.top_in, strip.top_in + strip.height_in],
                np.ma.masked_invalid(states[None, :]), cmap=colours, norm=norm, zorder=above,
                edgecolors="white" if short else "none", linewidth=0.6 if count <= 40 else 0.2, antialiased=short,
            )  # fmt: skip
    axes.set_ylim(height, 0.0)
    axes.set_xlim(0, max((len(strip.states) for strip in strips), default=1))
    axes.set_yticks([strip.top_in + strip.height_in / 2 for strip in strips], [strip.label for strip in strips])
    for text, base in headers:
        axes.text(0.0, base, text, fontsize=9.0, fontweight="bold", color=style.BLACK, va="bottom")
    axes.tick_params(length=0, labelsize=8.0 if headers else 9.0)
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _short_axis(axes: Axes, days: list[date]) -> None:
    step = next(step for step in (1, 2, 7, 14, 28) if len(days) <= 13 * step) if days else 1
    places = range(0, len(days), step)
    axes.set_xticks([n + 0.5 for n in places], [f"{days[n].day} {days[n]:%b}" for n in places])


def _long_axis(axes: Axes) -> None:
    names = [f"{date(_LEAP_YEAR, month, 1):%b}" for month in range(1, 13)]
    axes.set_xticks([start + 15 for start in _MONTH_STARTS], names)
    for start in _MONTH_STARTS[1:]:
        axes.axvline(start, color="white", linewidth=0.8, zorder=2.0)


def _overdue(axes: Axes, late: pd.DataFrame) -> None:
    shown = late.head(BARS)
    more = f"; the longest {BARS} of {len(late)}" if len(late) > BARS else ""
    axes.set_title(f"Overdue: not published, days since due{more}", fontsize=9.0)
    labels = [f"{_name(row.dataset)} {row.date}" for row in shown.itertuples()]
    _bars(axes, labels, [(hours / 24.0, f"{hours / 24.0:,.1f}") for hours in shown["late_hours"]], style.ORANGE)
    if late.empty:
        _nothing(axes, "nothing is overdue")


def _quarantined(axes: Axes, quarantine: pd.DataFrame) -> None:
    axes.set_title("In quarantine, rows", fontsize=9.0)
    per_table = quarantine.groupby("table").agg(rows=("rows", "sum"), days=("date", "nunique"), open=("open", "sum"))
    shown = per_table.sort_values("rows", ascending=False).head(BARS)
    values = []
    for rows, days, waiting in shown.to_numpy(dtype=int).tolist():
        values.append((float(rows), f"{rows:,} on {days} day{'s' if days > 1 else ''}, {waiting} open"))
    _bars(axes, [_name(table) for table in shown.index], values, COLOURS[2])
    if quarantine.empty:
        _nothing(axes, "nothing was refused at the write")


def _bars(axes: Axes, labels: list[str], values: list[tuple[float, str]], colour: str) -> None:
    places = list(range(len(labels)))
    axes.barh(places, [value for value, _ in values], height=0.62, color=colour)
    longest = max((value for value, _ in values), default=1.0)
    for place, (value, text) in zip(places, values, strict=True):
        axes.text(value + 0.02 * longest, place, text, va="center", fontsize=7.5, color=style.BLACK)
    axes.set_xlim(0.0, longest * 1.7 or 1.0)
    axes.set_yticks(places, labels)
    axes.tick_params(axis="y", length=0, labelsize=7.5)
    axes.set_xticks([])
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)


def _nothing(axes: Axes, words: str) -> None:
    axes.set_axis_off()
    axes.text(0.0, 0.7, words, transform=axes.transAxes, fontsize=8.5, color=style.GREY, va="top")


def _legend(figure: Figure, total: float) -> None:
    handles = [Patch(facecolor=colour, label=label) for colour, label in zip(COLOURS, LABELS, strict=True)]
    figure.legend(handles=handles, loc="upper left", bbox_to_anchor=(0.005, 1 - 0.56 / total), ncols=len(handles))


def _span(days: list[date]) -> str:
    if not days:
        return "no day yet"
    words = [f"{day.day} {day:%b %Y}" for day in (days[0], days[-1])]
    return words[0] if days[-1] - days[0] < timedelta(days=1) else f"{words[0]} to {words[1]}"
