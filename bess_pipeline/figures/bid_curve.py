"""The offers of one trading day: day-ahead limit prices and volumes by hour, response by EFA block and product.

What belongs here: the drawing of the picture and of its day-ahead panels. What does not: the response panel
(`capacity_grid.py`), and how offers are made and cleared (`trading/`).

Single volumes are marks at their limit prices. A curve of steps is a column of each hour, coloured by the net volume it
would trade at each price, so that where the clearing price runs is what was traded.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from bess_pipeline import gb_time
from bess_pipeline.figures import day_panels, style
from bess_pipeline.figures.capacity_grid import CAPACITY_MARKETS, capacity_grid, grid_height_in
from bess_pipeline.figures.day_axis import clock_axis
from bess_pipeline.figures.day_panels import ACTIVE_MW, STEP_H, Array
from bess_pipeline.figures.provenance import Provenance
from bess_pipeline.trading.plans import values_at

SIDES = (("sell", 1.0, style.DISCHARGE_COLOUR, "^"), ("buy", -1.0, style.CHARGE_COLOUR, "v"))
NET_COLOURS = LinearSegmentedColormap.from_list("net", [style.CHARGE_COLOUR, "#F4F4F4", style.DISCHARGE_COLOUR])
PRICE_IN, VOLUME_IN, GAP_IN, TOP_IN, BOTTOM_IN = 2.6, 1.5, 0.52, 1.14, 0.86
LEFT, RIGHT, RIGHT_OF_BAR = 0.085, 0.965, 0.93
FAR_OUT = 3.0  # interquartile ranges of the price (Tukey 1977): limit prices further off are drawn at the edge
LEAST_SPREAD_GBP_MWH = 25.0


@style.styled
def bid_curve_picture(orders: pd.DataFrame, day_ahead_price: pd.DataFrame | None, provenance: Provenance) -> Figure:
    """The `trading/orders` rows of one day and strategy, of all its gates, over the clearing price where it is known.

    day_ahead_price: `market/day_ahead_price` rows, or None to take the price from orders that are cleared. MW sells
    above zero and buys below; GBP/MWh; capacity MW at GBP/MW/h. Each step is a volume of its own: what a curve trades
    at a price is the sum of the steps that it reaches. ValueError for no order, or more than one day or strategy.
    """
    day, strategy = day_panels.only_day(orders, "bid curve")
    energy = day_panels.rows_of_day(orders[orders["market"] == "day_ahead"], day)
    capacity = day_panels.rows_of_day(orders[orders["market"].isin(CAPACITY_MARKETS)], day)
    heights = [PRICE_IN, *([VOLUME_IN] if len(energy) else []), grid_height_in(capacity)]
    total = TOP_IN + sum(heights) + GAP_IN * (len(heights) - 1) + BOTTOM_IN
    figure = Figure(figsize=(10.0, total))
    panels = _panels(figure, heights, total, RIGHT_OF_BAR if _is_curve(energy) else RIGHT)
    cleared = _cleared(energy, day_ahead_price, day)
    _price_panel(panels[0], energy, cleared, day, provenance)
    if len(energy):
        _volume_panel(panels[1], energy, day)
    capacity_grid(panels[-1], capacity, day)
    for axes in panels:
        clock_axis(axes, gb_time.efa_half_hours(day))
        if axes is not panels[-1]:
            axes.set_xlabel("")
            axes.tick_params(labelbottom=False)
    style.heading(
        figure,
        f"Offers for EFA day {day:%a %d %b %Y}: {style.strategy_label(strategy)}",
        day_panels.said_of_day(provenance, day),
    )
    counted = f"{_counted(energy, 'day-ahead')}; {_counted(capacity, 'response')}"
    style.note(figure, counted)
    style.footer(figure, provenance)
    return figure


def _panels(figure: Figure, heights: list[float], total: float, right: float) -> list[Axes]:
    panels, top = [], TOP_IN
    for height in heights:
        panels.append(figure.add_axes((LEFT, (total - top - height) / total, right - LEFT, height / total)))
        top += height + GAP_IN
    return panels


def _is_curve(energy: pd.DataFrame) -> bool:
    return bool((energy["step"] > 0).any())


def _counted(orders: pd.DataFrame, market: str) -> str:
    """How many offers there are and how many were taken, in words."""
    if orders.empty:
        return f"no {market} offers"
    kind = "step" if _is_curve(orders) else "offer"
    if (orders["market"] == "reserve").any():
        market = "response and reserve"
    words = f"{len(orders)} {market} {kind}{'' if len(orders) == 1 else 's'}"
    known = orders["accepted_mw"].dropna()
    if known.empty:
        return f"{words}, not cleared yet"
    return f"{words}, {int((known.abs() > ACTIVE_MW).sum())} accepted"


def _cleared(energy: pd.DataFrame, day_ahead_price: pd.DataFrame | None, day: date) -> Array:
    """Clearing price of each half-hour of the day, NaN where it is not known."""
    starts = gb_time.efa_half_hours(day)
    if day_ahead_price is not None:
        return values_at(day_ahead_price, "day_ahead_price_gbp_mwh", starts)
    price = np.full(len(starts), np.nan)
    for start, end, value in zip(*_span(energy, day), energy["clearing_price"], strict=True):
        if pd.notna(value):
            price[round(start / STEP_H) : round(end / STEP_H)] = value
    return price


def _span(orders: pd.DataFrame, day: date) -> tuple[Array, Array]:
    return day_panels.elapsed_h(orders["start_utc"], day), day_panels.elapsed_h(orders["end_utc"], day)


def _price_panel(axes: Axes, energy: pd.DataFrame, cleared: Array, day: date, provenance: Provenance) -> None:
    limits = energy["limit_price"].to_numpy(dtype="float64")
    low, high = _price_range(limits, cleared)
    axes.set_ylim(low, high)
    if _is_curve(energy):
        _curves(axes, energy, day)
    elif len(energy):
        _marks(axes, energy, day)
    if np.isfinite(cleared).any():
        edges = np.arange(len(cleared) + 1) * STEP_H
        axes.step(edges, day_panels.closed(cleared), where="post", color=style.BLACK, linewidth=1.5,
                  label="market index for clearing price" if provenance.stands_in else "clearing price")  # fmt: skip
    else:
        axes.plot([], [], " ", label="clearing price not known yet")
    outside = int(((limits < low) | (limits > high)).sum())
    if outside:
        axes.plot([], [], " ", label=f"{outside} limit{'' if outside == 1 else 's'} beyond the axis")
    if energy.empty:
        axes.plot([], [], " ", label="no day-ahead offers")
    if low < 0.0 < high:
        style.zero_line(axes)
    axes.set_ylabel("Day-ahead limit price, £/MWh" if len(energy) else "Price, £/MWh")
    day_panels.legend_above(axes, ncols=6)


def _price_range(limits: Array, cleared: Array) -> tuple[float, float]:
    """All clearing prices and all limits but those far from the rest, with room; any range without a price."""
    known, both = cleared[np.isfinite(cleared)], np.concatenate([limits, cleared])
    both = both[np.isfinite(both)]
    if not both.size:
        return 0.0, 1.0
    least, most = (float(value) for value in np.quantile(known if known.size else both, (0.25, 0.75)))
    far = FAR_OUT * max(most - least, LEAST_SPREAD_GBP_MWH)
    kept = np.concatenate([known, both[(both >= least - far) & (both <= most + far)]])
    low, high = float(kept.min()), float(kept.max())
    room = 0.1 * max(high - low, 10.0)
    return low - room, high + room


def _look(accepted_mw: float, colour: str) -> dict[str, Any]:
    """Filled where something was accepted, hollow where nothing was, pale while that is not known."""
    if np.isnan(accepted_mw):
        return {"facecolor": colour, "alpha": 0.35, "edgecolor": colour}
    return {"facecolor": colour if abs(accepted_mw) > ACTIVE_MW else "white", "edgecolor": colour}


def _marks(axes: Axes, energy: pd.DataFrame, day: date) -> None:
    """A mark of each single volume at its limit price, at the edge of the axis where that lies beyond it."""
    start, end = _span(energy, day)
    low, high = axes.get_ylim()
    limit = energy["limit_price"].to_numpy(dtype="float64").clip(low, high)
    offered, accepted = (
        energy[name].to_numpy(dtype="float64", na_value=np.nan) for name in ("offered_mw", "accepted_mw")
    )
    for side, sign, colour, marker in SIDES:
        mine = np.flatnonzero(sign * offered > ACTIVE_MW)
        for n in mine:
            axes.scatter((start[n] + end[n]) / 2, limit[n], 40, marker=marker, linewidth=1.2, zorder=3, clip_on=False,
                         **_look(float(accepted[n]), colour))  # fmt: skip
        if mine.size:
            words = f"{side} at this or {'more' if side == 'sell' else 'less'}"
            axes.scatter([], [], 40, marker=marker, facecolor=colour, edgecolor=colour, label=words)
    if np.isfinite(accepted).any() and (np.abs(accepted) <= ACTIVE_MW).any():
        axes.scatter([], [], 40, marker="^", facecolor="white", edgecolor=style.GREY, label="hollow: rejected")


def net_steps(steps: pd.DataFrame) -> tuple[Array, Array]:
    """A product's curve: its prices (n,), rising, and net MW (n + 1,) below, between and above them.

    Sells run at their limit price and above, buys at theirs and below (Fleten and Kristoffersen 2007).
    """
    limit, offered = (steps[name].to_numpy(dtype="float64") for name in ("limit_price", "offered_mw"))
    prices = np.unique(limit)
    between = np.concatenate([[-np.inf], (prices[1:] + prices[:-1]) / 2, [np.inf]])[:, np.newaxis]
    runs = np.where(offered > 0.0, limit <= between, limit >= between)
    return prices, (runs * offered).sum(axis=1)


def _curves(axes: Axes, energy: pd.DataFrame, day: date) -> None:
    """Every product's column, from the bottom of the axis to its top, coloured by net volume."""
    low, high = axes.get_ylim()
    sold, bought = (
        energy["offered_mw"].clip(*ends).groupby(energy["start_utc"]).sum() for ends in ((0, None), (None, 0))
    )
    most = float(max(sold.max(), -bought.min(), ACTIVE_MW))
    scale = Normalize(-most, most)
    for _, steps in energy.groupby("start_utc"):
        (start, *_), (end, *_) = _span(steps, day)
        prices, net = net_steps(steps)
        levels = np.concatenate([[low], prices.clip(low, high), [high]])
        axes.bar(start, np.diff(levels), end - start, bottom=levels[:-1], align="edge", linewidth=0, zorder=0.8,
                 color=NET_COLOURS(scale(net)))  # fmt: skip
        for price in prices[(prices > low) & (prices < high)]:
            axes.plot([start, end], [price, price], color="white", linewidth=0.8, zorder=0.9)
    box = axes.inset_axes((1.008, 0.0, 0.012, 1.0))
    bar = Colorbar(box, cmap=NET_COLOURS, norm=scale)
    bar.outline.set_visible(False)
    box.tick_params(labelsize=7.5, length=2)
    box.set_title("MW", fontsize=7.5, color=style.GREY, loc="center")


def _volume_panel(axes: Axes, energy: pd.DataFrame, day: date) -> None:
    """MW of each product: outlines of what was offered, filled as far as it was accepted."""
    for side, sign, colour, _ in SIDES:
        mine = energy[sign * energy["offered_mw"] > ACTIVE_MW]
        if len(mine):
            _side(axes, mine, side, colour, day)
    style.zero_line(axes)
    axes.margins(y=0.12)
    axes.set_ylabel("Volume, MW\nsell up, buy down")
    day_panels.legend_above(axes)


def _side(axes: Axes, mine: pd.DataFrame, side: str, colour: str, day: date) -> None:
    products = mine.groupby("start_utc")
    start, end = _span(products["end_utc"].max().reset_index(), day)
    offered = products["offered_mw"].sum().to_numpy(dtype="float64")
    accepted = products["accepted_mw"].sum(min_count=1).to_numpy(dtype="float64", na_value=np.nan)
    at, width, waiting = (start + end) / 2, 0.86 * (end - start), np.isnan(accepted)
    if not waiting.all():
        axes.bar(at, np.nan_to_num(accepted), width, color=colour, label=f"{side}: accepted")
    axes.bar(at[waiting], offered[waiting], width[waiting], color=colour, alpha=0.35)
    axes.bar(at, offered, width, facecolor="none", edgecolor=colour, linewidth=1.1, label=f"{side}: offered")
