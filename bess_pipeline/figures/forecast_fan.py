"""The fan chart of one trading day: what was forecast at a gate for each stream, and what came.

What belongs here: the drawing. What does not: forecasts (`forecasting/`) and their scores (`scenarios/scores.py`).

Energy prices have a panel of full width each; response prices, by EFA block, and activation share rows of three.
"""

from __future__ import annotations

from datetime import date

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bess_pipeline import gb_time
from bess_pipeline.figures import stream_words, style
from bess_pipeline.figures.day_axis import clock_axis
from bess_pipeline.figures.day_panels import closed, edges_h, rows_of_day, said_of_day
from bess_pipeline.figures.provenance import Provenance

BANDS = (("q05", "q95", 0.18, "90 %"), ("q10", "q90", 0.24, "80 %"), ("q25", "q75", 0.40, "50 %"))
COLUMNS = 3
WIDE_IN, SMALL_IN, GAP_IN, TOP_IN, BOTTOM_IN = 1.7, 1.4, 0.52, 1.25, 0.66


@style.styled
def fan_chart(
    forecast: pd.DataFrame, outcome: pd.DataFrame, streams: list[str], day: date, provenance: Provenance
) -> Figure:
    """The fan of EFA day `day` for each of `streams`, of one gate.

    forecast: rows of `forecast/price_forecast` of one gate (stream, start_utc, gate, q05 … q95); outcome: stream,
    start_utc, value. Rows of other days are left out. A stream without rows has a panel that says so. ValueError for
    forecasts of more than one gate, or no stream.
    """
    gates = sorted(set(forecast["gate"]))
    if len(gates) > 1 or not streams:
        raise ValueError(f"a fan chart shows some stream at one gate, not {len(streams)} at {gates}")
    figure, panels = _panels(stream_words.in_order(streams))
    starts = gb_time.efa_half_hours(day)
    for name, axes in panels.items():
        expected = rows_of_day(forecast[forecast["stream"] == name], day)
        came = _on_grid(rows_of_day(outcome[outcome["stream"] == name], day), expected)
        _panel(axes, expected, came, day)
        clock_axis(axes, starts)
        axes.set_title(_title(name, expected, came, provenance), fontsize=9.5)
    _small_axes(panels)
    _legend(figure)
    gate = stream_words.gate_label(gates[0]) if gates else "no gate"
    style.heading(
        figure,
        f"Forecasts for EFA day {day:%a %d %b %Y} at the {gate}, and what came",
        said_of_day(provenance, day),
    )
    style.footer(figure, provenance)
    return figure


def _panels(streams: list[str]) -> tuple[Figure, dict[str, Axes]]:
    """Axes by stream, from the top: wide ones, then rows of small ones."""
    wide = [name for name in streams if name in stream_words.ENERGY_PRICES]
    small = [name for name in streams if name not in wide]
    rows = [[name] for name in wide] + [small[n : n + COLUMNS] for n in range(0, len(small), COLUMNS)]
    heights = [WIDE_IN if row[0] in wide else SMALL_IN for row in rows]
    total = TOP_IN + sum(heights) + GAP_IN * (len(rows) - 1) + BOTTOM_IN
    figure = Figure(figsize=(10.0, total))
    panels, top = {}, TOP_IN
    for row, height in zip(rows, heights, strict=True):
        share = 1 if row[0] in wide else COLUMNS
        width = (0.91 - 0.055 * (share - 1)) / share
        for n, name in enumerate(row):
            box = (0.065 + n * (width + 0.055), (total - top - height) / total, width, height / total)
            panels[name] = figure.add_axes(box)
        top += height + GAP_IN
    return figure, panels


def _panel(axes: Axes, forecast: pd.DataFrame, outcome: pd.DataFrame, day: date) -> None:
    if forecast.empty:
        axes.text(0.5, 0.5, "no forecast", transform=axes.transAxes, ha="center", va="center", color=style.GREY)
        axes.set_yticks([])
    else:
        edges = edges_h(forecast, day)
        for low, high, alpha, _ in BANDS:
            lower, upper = closed(forecast[low]), closed(forecast[high])
            axes.fill_between(edges, lower, upper, step="post", color=style.BLUE, alpha=alpha, linewidth=0)
        axes.step(edges, closed(forecast["q50"]), where="post", color=style.BLUE, linewidth=1.2)
    if outcome["value"].notna().any():
        edges = edges_h(outcome, day)
        axes.step(edges, closed(outcome["value"]), where="post", color=style.BLACK, linewidth=1.3)
    bottom, top = axes.get_ylim()
    if bottom < 0.0 < top and not (forecast.empty and outcome.empty):
        style.zero_line(axes)
    axes.margins(y=0.08)


def _on_grid(outcome: pd.DataFrame, forecast: pd.DataFrame) -> pd.DataFrame:
    """Outcomes of the periods that were forecast, NaN where there is none; as they are without a forecast."""
    if forecast.empty:
        return outcome
    return forecast[["start_utc"]].merge(outcome[["start_utc", "value"]], on="start_utc", how="left")


def _title(name: str, forecast: pd.DataFrame, outcome: pd.DataFrame, provenance: Provenance) -> str:
    title = stream_words.with_unit(name, provenance)
    if len(forecast) and (forecast["q05"] == forecast["q95"]).all():
        return f"{title} (known at the gate)"
    known = int(outcome["value"].notna().sum())
    if known == 0:
        return f"{title} (no outcome)"
    return title if known == len(outcome) else f"{title} (outcome of {known} of {len(outcome)} periods)"


def _small_axes(panels: dict[str, Axes]) -> None:
    """The axis is named once, under the last panel; small panels have hours for times."""
    for name, axes in panels.items():
        if axes is not list(panels.values())[-1] or name not in stream_words.ENERGY_PRICES:
            axes.set_xlabel("")
        if name not in stream_words.ENERGY_PRICES:
            axes.set_xticks(axes.get_xticks(), [label.get_text()[:2] for label in axes.get_xticklabels()])


def _legend(figure: Figure) -> None:
    shade = 0.0
    handles: list[Patch | Line2D] = []
    for _, _, alpha, label in BANDS:  # bands lie on each other: what is seen is all so far
        shade = 1.0 - (1.0 - shade) * (1.0 - alpha)
        handles.append(Patch(color=style.BLUE, alpha=shade, linewidth=0, label=f"{label} interval"))
    handles.append(Line2D([], [], color=style.BLUE, linewidth=1.2, label="median"))
    handles.append(Line2D([], [], color=style.BLACK, linewidth=1.3, label="outcome"))
    height = figure.get_figheight()
    figure.legend(handles=handles, loc="upper left", bbox_to_anchor=(0.005, 1 - 0.60 / height), ncols=5)
    words = "London time, grid lines at the starts of EFA blocks"
    figure.text(0.975, 0.24 / height, words, fontsize=8.0, color=style.GREY, ha="right", va="bottom")
