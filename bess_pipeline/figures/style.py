"""The look shared by all figures: palette, axes, footer, and saving to the same bytes every time.

What belongs here: appearance and PNG files. What does not: what is drawn (`dispatch.py`, `pnl.py`).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from functools import wraps
from itertools import cycle
from pathlib import Path
from typing import Any, ParamSpec

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from bess_pipeline.atomic import write_bytes
from bess_pipeline.figures.provenance import Provenance
from bess_pipeline.trading import co_optimised_names, strategies

P = ParamSpec("P")

# Okabe and Ito's palette, told apart with any common colour blindness.
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, BLACK = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#222222",
)  # fmt: skip
GREY = "#6B6B6B"
CHARGE_COLOUR, DISCHARGE_COLOUR = BLUE, VERMILION
BROWN, OLIVE, WINE = "#8C564B", "#8A8A2B", "#882255"
UNKNOWN_COLOURS = (WINE, GREY)

# A strategy keeps its colour in all figures.
STRATEGY_COLOURS = {
    "rule_based": BLUE,
    "day_ahead_rolling": GREEN,
    "day_ahead_perfect_foresight": VERMILION,
    "day_ahead_imbalance": SKY,
    "co_optimised": PURPLE,
    "co_optimised_cvar": ORANGE,
    "perfect_foresight_48h": OLIVE,
    "energy_perfect_foresight": BROWN,
    "perfect_foresight": BLACK,
}

# Each stream of cash keeps its colour in all figures; wear and penalties, which are costs, are grey and black.
STREAM_COLOURS = {
    "day_ahead": BLUE,
    "intraday": SKY,
    "imbalance": VERMILION,
    "balancing_mechanism": "#F0E442",
    "response": GREEN,
    "reserve": ORANGE,
    "capacity_market": BROWN,
    "fee": PURPLE,
    "penalty": BLACK,
    "wear": "#A8A8A8",
}

# Services whose capacity lies in one stack: neighbours differ in lightness as well as in hue.
SERVICE_COLOURS = {"DC": GREEN, "DM": "#F0E442", "DR": PURPLE, "BR": ORANGE, "QR": SKY, "SR": "#A8A8A8"}

TITLE_FITS, LINE_FITS = 9.3, 13.6  # characters of a heading and of the line below it, an inch of the figure's width
HYPHENED = {"day_ahead": "day-ahead", "re_dispatch": "re-dispatch"}
DPI = 144
STYLE: dict[str, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.labelcolor": BLACK,
    "axes.edgecolor": "#9A9A9A",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.8,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.facecolor": "white",
}


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Run a drawing function under the project's style, whatever the user's matplotlibrc says."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with matplotlib.style.context(["default", STYLE]):
            return draw(*args, **kwargs)

    return drawn


def strategy_label(strategy: str, provenance: Provenance | None = None) -> str:
    """The name of a strategy or bound in a legend; marked where `provenance` makes its result optimistic."""
    known = strategies.find(strategy)
    label = known.label if known else strategy.replace("_", " ")
    return f"{label} [optimistic]" if provenance is not None and is_optimistic(strategy, provenance) else label


def is_optimistic(strategy: str, provenance: Provenance) -> bool:
    """Whether it decides with within-day information while a within-day index stands in for the day-ahead price."""
    return provenance.stands_in and strategy in co_optimised_names.PLANNED


def strategy_colours(names: Iterable[str]) -> dict[str, str]:
    """A colour for each strategy, in the order of their names; a strategy keeps its colour in all figures."""
    others = cycle(UNKNOWN_COLOURS)
    return {name: STRATEGY_COLOURS.get(name) or next(others) for name in sorted(names)}


def heading(figure: Figure, title: str, subtitle: str) -> None:
    """A bold title and a plain line below it, at the top left; smaller where they would not fit."""
    height, width = figure.get_figheight(), figure.get_figwidth()
    title_size, line_size = (
        size * min(1.0, width * fits / max(len(text), 1))
        for size, fits, text in ((12.5, TITLE_FITS, title), (9.5, LINE_FITS, subtitle))
    )
    figure.text(0.012, 1 - 0.10 / height, title, fontsize=title_size, fontweight="bold", va="top", color=BLACK)
    figure.text(0.012, 1 - 0.38 / height, subtitle, fontsize=line_size, va="top", color=GREY)


def in_words(name: str) -> str:
    """A stored name of a stream, driver or block as a reader sees it."""
    return HYPHENED.get(name, name.replace("_", " "))


def legend_rows(entries: int, columns: int) -> int:
    """Rows of a legend."""
    return -(-entries // columns)


def note(figure: Figure, text: str) -> None:
    """What the reader should know of this picture's numbers, below its heading."""
    figure.text(0.012, 1 - 0.63 / figure.get_figheight(), text, fontsize=8.5, va="top", color=BLACK, linespacing=1.4)


def footer(figure: Figure, provenance: Provenance) -> None:
    """Origin and attribution at the foot of the figure."""
    origin = provenance.origin_label
    text = f"{origin[:1].upper()}{origin[1:]}. {provenance.attribution}"
    figure.text(0.012, 0.08 / figure.get_figheight(), text, fontsize=7.5, color=GREY, va="bottom")


def thousands() -> FuncFormatter:
    """Ticks as numbers with a comma between thousands."""
    return FuncFormatter(lambda value, _: f"{value:,.10g}")


def pounds(amount_gbp: float, decimals: int = 0) -> str:
    """An amount with its sign before the pound: -£1,234."""
    return f"{'-' if amount_gbp < 0 else ''}£{abs(amount_gbp):,.{decimals}f}"


def zero_line(axes: Axes) -> None:
    """A line at zero that stands out from the grid."""
    axes.axhline(0.0, color=GREY, linewidth=0.9, zorder=1.5)


def png_bytes(figure: Figure) -> bytes:
    """The figure as PNG: the same figure gives the same bytes (no date, no software name)."""
    buffer = io.BytesIO()
    with matplotlib.style.context(["default", STYLE]):
        FigureCanvasAgg(figure)
        figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


def save_png(figure: Figure, path: Path) -> None:
    """Write the figure atomically; BessError when the disk refuses."""
    write_bytes(path, png_bytes(figure))
