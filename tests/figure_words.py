"""What a figure says and which bars it holds, for tests that compare it with the frame it was drawn from."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle


def words(figure: Figure) -> str:
    """Every text of a figure: heading, notes, axes, ticks and legends."""
    texts = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        texts += [text.get_text() for text in (*axes.texts, *axes.get_yticklabels(), *axes.get_xticklabels())]
        texts += [axes.get_title(loc="left"), axes.get_xlabel(), axes.get_ylabel()]
        legend = axes.get_legend()
        texts += [text.get_text() for text in legend.get_texts()] if legend else []
    texts += [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    return " | ".join(texts)


def bars(axes: Axes) -> list[tuple[float, float, float]]:
    """(left, from, to) of every filled bar, rounded, the empty ones and shading left out."""
    found = [
        (round(bar.get_x(), 6), round(bar.get_y(), 6), round(bar.get_y() + bar.get_height(), 6))
        for bars in axes.containers
        for bar in bars
        if isinstance(bar, Rectangle) and bar.get_facecolor()[3] > 0.0
    ]
    return [one for one in found if one[1] != one[2]]
