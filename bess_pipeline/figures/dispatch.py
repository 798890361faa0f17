"""Dispatch overlay of one trading day: price, power, capacity held and state of energy on one London-time axis.

What belongs here: the drawing. What does not: the dispatch itself (`trading/dispatch.py`, `trading/market_day.py`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bess_pipeline import gb_time
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.figures import day_panels, style
from bess_pipeline.figures.day_axis import clock_axis
from bess_pipeline.figures.day_panels import ACTIVE_MW, STEP_H, Array, capacity_mw, capacity_stack
from bess_pipeline.figures.provenance import Provenance
from bess_pipeline.trading.plans import values_at

LEAST_SHOWN = 0.25  # of the rating, up and down, where less was moved


@style.styled
def dispatch_overlay(
    dispatch: pd.DataFrame,
    day_ahead_price: pd.DataFrame,
    battery: Battery,
    provenance: Provenance,
    *,
    system_price: pd.DataFrame | None = None,
    opening_energy_mwh: float | None = None,
) -> Figure:
    """One EFA day of one strategy (`trading/dispatch` or `market_dispatch` rows) over `market/day_ahead_price` rows.

    system_price: `market/system_price` rows, drawn where the strategy has imbalance. opening_energy_mwh: state at 23:00
    (`trading/run_status`); without it the line starts half an hour later. A panel of capacity is there where some is
    held. Raises ValueError when `dispatch` holds more than one day or strategy.
    """
    day, strategy = day_panels.only_day(dispatch, "dispatch overlay")
    dispatch = dispatch.sort_values("start_utc")
    starts = gb_time.efa_half_hours(day)
    figure, price_axes, power_axes, capacity_axes, energy_axes = _panels(_holds_capacity(dispatch))
    left = day_panels.elapsed_h(starts.to_series(), day)
    _price_panel(price_axes, left, values_at(day_ahead_price, "day_ahead_price_gbp_mwh", starts), provenance)
    if system_price is not None and (dispatch["imbalance_mwh"].abs() > ACTIVE_MW).any():
        _system_price(price_axes, left, values_at(system_price, "system_price_gbp_mwh", starts))
    _price_scale(price_axes)
    _power_panel(power_axes, left, dispatch, battery)
    if capacity_axes is not None:
        _capacity_panel(capacity_axes, left, dispatch)
    _energy_panel(energy_axes, left, dispatch, battery, opening_energy_mwh)
    for axes in (price_axes, power_axes, energy_axes):
        day_panels.shade_action(axes, left, dispatch)
    clock_axis(energy_axes, starts)
    style.heading(
        figure,
        f"Dispatch on EFA day {day:%a %d %b %Y}: {style.strategy_label(strategy)}",
        day_panels.said_of_day(provenance, day),
    )
    style.footer(figure, provenance)
    return figure


def _panels(with_capacity: bool) -> tuple[Figure, Axes, Axes, Axes | None, Axes]:
    """The figure and its panels, from the top: price, power, capacity (None without) and energy."""
    heights = [1.15, 1.0, 0.6, 0.85] if with_capacity else [1.15, 1.0, 0.85]
    figure = Figure(figsize=(10.0, 9.2 if with_capacity else 7.4))
    panels = figure.subplots(len(heights), 1, sharex=True, gridspec_kw={"height_ratios": heights, "hspace": 0.19})
    height = figure.get_figheight()
    figure.subplots_adjust(left=0.085, right=0.965, top=1.0 - 0.85 / height, bottom=0.78 / height)
    return figure, panels[0], panels[1], panels[2] if with_capacity else None, panels[-1]


def _price_panel(axes: Axes, left: Array, price: Array, provenance: Provenance) -> None:
    edges, label = np.append(left, left[-1] + STEP_H), provenance.day_ahead_label
    axes.step(edges, day_panels.closed(price), where="post", color=style.BLACK, linewidth=1.5, label=label)
    _say_missing(axes, price, "price")


def _system_price(axes: Axes, left: Array, price: Array) -> None:
    """The price of imbalance, behind the day-ahead price."""
    axes.step(np.append(left, left[-1] + STEP_H), day_panels.closed(price), where="post", color=style.ORANGE,
              linewidth=1.3, zorder=1.9, label="system price")  # fmt: skip
    _say_missing(axes, price, "system price")


def _say_missing(axes: Axes, price: Array, what: str) -> None:
    missing = int(np.isnan(price).sum())
    if missing:
        axes.plot([], [], " ", label=f"no {what} in {missing} half-hour{'s' if missing > 1 else ''}")


def _price_scale(axes: Axes) -> None:
    drawn = np.concatenate([np.asarray(line.get_ydata(), dtype=np.float64) for line in axes.get_lines()])
    if (drawn < 0.0).any():
        style.zero_line(axes)
    axes.set_ylabel("Price, £/MWh")
    axes.margins(y=0.12)
    day_panels.legend_above(axes)


def _power_panel(axes: Axes, left: Array, dispatch: pd.DataFrame, battery: Battery) -> None:
    """Bars of the baseline, of activation outwards from it, and what was sold, all as mean MW of a half-hour."""
    day_panels.power_bars(axes, left, dispatch)
    reached = _activation_bars(axes, left, dispatch)
    contracted = dispatch["contracted_mwh"].to_numpy() / STEP_H
    day_ahead = dispatch["day_ahead_mwh"].to_numpy() / STEP_H if "day_ahead_mwh" in dispatch else contracted
    if (np.abs(contracted - day_ahead) > ACTIVE_MW).any():
        day_panels.contract_line(axes, left, contracted)
    day_panels.sold_line(axes, left, day_ahead)
    style.zero_line(axes)
    least = LEAST_SHOWN * battery.power_mw
    drawn = np.concatenate([reached, contracted, day_ahead, [least, -least]])
    axes.set_ylim(1.12 * drawn.min(), 1.12 * drawn.max())
    axes.set_ylabel("Power, MW")
    day_panels.legend_above(axes, ncols=5)


def _activation_bars(axes: Axes, left: Array, dispatch: pd.DataFrame) -> Array:
    """Energy of services on top of discharge and below charge, nothing where none moved; where all bars end, MW."""
    ends, label = [], "activation (services)"
    for sign, base, moved in (
        (1.0, "discharge_mw", "activation_export_mwh"),
        (-1.0, "charge_mw", "activation_import_mwh"),
    ):
        level, power = sign * dispatch[base].to_numpy(), sign * dispatch[moved].to_numpy() / STEP_H
        if (np.abs(power) > ACTIVE_MW).any():
            axes.bar(left, power, STEP_H, bottom=level, align="edge", color=style.GREEN, label=label)
            label = ""
        ends.append(level + power)
    return np.concatenate(ends)


def _holds_capacity(dispatch: pd.DataFrame) -> bool:
    held = [*capacity_mw(dispatch, "low").values(), *capacity_mw(dispatch, "high").values()]
    return any(bool((mw > ACTIVE_MW).any()) for mw in held)


def _capacity_panel(axes: Axes, left: Array, dispatch: pd.DataFrame) -> None:
    """MW held for response and reserve: low products up, high ones down."""
    nothing = np.zeros(len(dispatch))
    reach = max(
        capacity_stack(axes, left, nothing, capacity_mw(dispatch, "low"), 1.0),
        capacity_stack(axes, left, nothing, capacity_mw(dispatch, "high"), -1.0),
    )
    style.zero_line(axes)
    axes.set_ylim(-1.12 * reach, 1.12 * reach)
    axes.set_ylabel("Capacity held, MW\nlow up, high down")
    day_panels.legend_above(axes, ncols=6)


def _energy_panel(
    axes: Axes, left: Array, dispatch: pd.DataFrame, battery: Battery, opening_energy_mwh: float | None
) -> None:
    ends, energy = left + STEP_H, dispatch["energy_mwh"].to_numpy(dtype="float64")
    if opening_energy_mwh is not None:
        ends, energy = np.append(left[0], ends), np.append(opening_energy_mwh, energy)
    axes.plot(ends, energy, color=style.GREEN, linewidth=1.8, label="state of energy")
    day_panels.usable_range(axes, battery)
    day_panels.legend_above(axes)
