"""Response and reserve offers of one trading day as a grid: a row for each product, a cell for each window.

What belongs here: that panel. What does not: the picture it is part of (`bid_curve.py`).
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from bess_pipeline.ancillary.products import PRODUCT_TABLE
from bess_pipeline.figures import day_panels, style
from bess_pipeline.figures.day_panels import ACTIVE_MW

CAPACITY_MARKETS = ("response", "reserve")
ROW_IN, EMPTY_IN = 0.5, 0.5
LEAST_TEXT_H = 2.5  # a shorter window has no room for words


def grid_height_in(capacity: pd.DataFrame) -> float:
    """Height of the panel of these orders, inches."""
    return ROW_IN * capacity["product"].nunique() or EMPTY_IN


def capacity_grid(axes: Axes, capacity: pd.DataFrame, day: date) -> None:
    """`trading/orders` rows of response and reserve (of this day): MW, limit and clearing price in GBP/MW/h.

    A cell is filled where something was accepted and hollow where nothing was; dashed while that is not known. Windows
    of half an hour have no words; their row says the range of MW and limits.
    """
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0, labelcolor=style.BLACK)
    products = [code for code in PRODUCT_TABLE if (capacity["product"] == code).any()]
    if not products:
        axes.set_yticks([])
        axes.set_ylim(0.0, 1.0)
        axes.text(0.5, 0.5, "no response offers", transform=axes.transAxes, ha="center", va="center", color=style.GREY)
        return
    for place, code in enumerate(products):
        for _, window in capacity[capacity["product"] == code].groupby("start_utc"):
            _cell(axes, place, window, day)
    axes.set_yticks(range(len(products)), [_row_label(code, capacity) for code in products], fontsize=8.5)
    axes.set_ylim(len(products) - 0.5, -0.5)
    axes.set_title(_title(capacity), fontsize=9.5)


def _title(capacity: pd.DataFrame) -> str:
    market = "response" if (capacity["market"] == "response").all() else "response and reserve"
    baskets = "; #: basket" if capacity["basket"].notna().any() else ""
    return f"{market.capitalize()} offers, £/MW/h; filled: accepted, hollow: rejected, dashed: not cleared{baskets}"


def _cell(axes: Axes, place: int, window: pd.DataFrame, day: date) -> None:
    start, *_ = day_panels.elapsed_h(window["start_utc"], day)
    end = float(day_panels.elapsed_h(window["end_utc"], day).max())
    colour = style.STREAM_COLOURS[window["market"].iloc[0]]
    accepted = window["accepted_mw"].astype("float64").sum(min_count=1)
    open_yet = bool(np.isnan(accepted))
    taken = not open_yet and accepted > ACTIVE_MW
    gap = min(0.05, 0.1 * (end - start))
    axes.add_patch(Rectangle(
        (start + gap, place - 0.42), end - start - 2 * gap, 0.84, linewidth=1.0, edgecolor=colour,
        facecolor=(colour, 0.3) if taken else "none", linestyle=(0, (3, 2)) if open_yet else "solid", zorder=2,
    ))  # fmt: skip
    if end - start >= LEAST_TEXT_H:
        axes.text((start + end) / 2, place, _words(window, accepted), ha="center", va="center", fontsize=7.5,
                  color=style.BLACK if taken or open_yet else style.GREY, linespacing=1.25, zorder=3)  # fmt: skip


def _words(window: pd.DataFrame, accepted: float) -> str:
    """MW and limit of a window's offers, and what became of them."""
    offered = window["offered_mw"].sum()
    volume = f"{offered:g}" if np.isnan(accepted) or accepted in (0.0, offered) else f"{accepted:g} of {offered:g}"
    baskets = sorted(window["basket"].dropna().astype("int64").unique())
    named = "".join(f" #{basket}" for basket in baskets)
    price = window["clearing_price"].astype("float64").max()
    cleared = (
        f"cleared {style.pounds(price, 2)}"
        if np.isfinite(price)
        else "not cleared yet"
        if np.isnan(accepted)
        else "no price"
    )
    return f"{volume} MW at {_range(window['limit_price'], 2)}{named}\n{cleared}"


def _range(values: pd.Series, decimals: int) -> str:
    least, most = (style.pounds(float(value), decimals) for value in (values.min(), values.max()))
    return least if least == most else f"{least} to {most}"


def _row_label(code: str, capacity: pd.DataFrame) -> str:
    rows = capacity[capacity["product"] == code]
    if (rows["market"] == "response").all():
        return code
    least, most = rows["offered_mw"].min(), rows["offered_mw"].max()
    return f"{code} {f'{least:g}' if least == most else f'{least:g}-{most:g}'} MW\n{_range(rows['limit_price'], 2)}"
