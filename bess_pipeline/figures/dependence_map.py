"""The dependence heat map: how streams and times of day hang together, in the past and in the scenarios.

What belongs here: the drawing. What does not: the columns that are compared and Kendall's tau
(`scenarios/codependence.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from bess_pipeline.figures import stream_words, style
from bess_pipeline.figures.provenance import Provenance
from bess_pipeline.scenarios.codependence import BLOCKS, kendall_tau

Array = npt.NDArray[np.float64]

COLOURS = "RdBu_r"
MIN_ROWS = 10  # fewer days say nothing of a rank correlation


@style.styled
def dependence_map(
    history: Mapping[str, Array],
    scenarios: Mapping[str, Array],
    probability: Array,
    title: str,
    provenance: Provenance,
) -> Figure:
    """Kendall's tau between EFA blocks of streams, of past days and of one scenario set, on one colour scale.

    history: (days, BLOCKS) by stream (`blocks_of_history`); scenarios: (N, BLOCKS) with probability (N,)
    (`blocks_of_scenarios`); `title` says of what day and gate. A stream of either is shown in both; cells that are
    not known are grey. ValueError when there is no stream at all.
    """
    names = stream_words.in_order({*history, *scenarios})
    if not names:
        raise ValueError("a dependence map needs a stream")
    days = max((len(one) for one in history.values()), default=0)
    past = kendall_tau(_columns(history, names, days)) if days >= MIN_ROWS else _unknown(len(names))
    now = kendall_tau(_columns(scenarios, names, probability.size), probability)
    figure = Figure(figsize=(10.0, 5.9))
    panels = figure.subplots(1, 2, gridspec_kw={"wspace": 0.06})
    figure.subplots_adjust(left=0.105, right=0.885, top=0.82, bottom=0.2)
    enough = f"{days} past days" if days >= MIN_ROWS else f"{days} past days: too few"
    for axes, matrix, words in zip(panels, (past, now), (enough, f"{probability.size} scenarios"), strict=True):
        _matrix(axes, matrix, names)
        axes.set_title(words)
    panels[1].tick_params(labelleft=False)
    bar = figure.add_axes((0.9, 0.2, 0.013, 0.62))
    figure.colorbar(ScalarMappable(Normalize(-1.0, 1.0), COLOURS), cax=bar, label="Kendall's tau")
    style.heading(
        figure, f"Dependence between streams and EFA blocks: {title}", f"{_distance(past, now)}; {_source(provenance)}"
    )
    style.footer(figure, provenance)
    return figure


def _columns(blocks: Mapping[str, Array], names: list[str], rows: int) -> Array:
    """(rows, streams x BLOCKS), NaN where a stream is missing; shorter histories are aligned at their end."""
    table = np.full((rows, len(names) * BLOCKS), np.nan)
    for n, name in enumerate(names):
        if name in blocks and len(blocks[name]):
            table[rows - len(blocks[name]) :, n * BLOCKS : (n + 1) * BLOCKS] = blocks[name]
    return table


def _unknown(streams: int) -> Array:
    return np.full((streams * BLOCKS, streams * BLOCKS), np.nan)


def _matrix(axes: Axes, matrix: Array, names: list[str]) -> None:
    axes.set_facecolor("#D0D0D0")
    axes.imshow(np.ma.masked_invalid(matrix), cmap=COLOURS, vmin=-1.0, vmax=1.0, interpolation="nearest")
    middles = np.arange(len(names)) * BLOCKS + (BLOCKS - 1) / 2.0
    labels = [stream_words.short(name) for name in names]
    axes.set_xticks(middles, labels, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(middles, labels)
    for edge in np.arange(1, len(names)) * BLOCKS - 0.5:
        axes.axhline(edge, color="white", linewidth=1.4)
        axes.axvline(edge, color="white", linewidth=1.4)
    axes.grid(False)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)


def _distance(past: Array, now: Array) -> str:
    """The mean distance of both maps off the diagonal, in words."""
    apart = np.abs(past - now)[~np.eye(len(past), dtype=bool)]
    known = apart[~np.isnan(apart)]
    blocks = "cells of a stream are its EFA blocks 1 to 6"
    if np.isnan([past, now]).any():
        blocks += ", grey where nothing is uncertain or known"
    return f"{blocks}; mean distance {known.mean():.2f}" if known.size else f"{blocks}; nothing to compare"


def _source(provenance: Provenance) -> str:
    return f"{provenance.origin_label}; {provenance.day_ahead_label}"
