"""Dispatch overlay of one trading day: price, power and state of energy on one London-time axis.

What belongs here: the drawing. What does not: the dispatch itself (`trading/dispatch.py`).
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
from bess_pipeline.figures.day_panels import STEP_H
from bess_pipeline.figures.provenance import Provenance
from bess_pipeline.trading.plans import values_at


@style.styled
def dispatch_overlay(
    dispatch: pd.DataFrame, day_ahead_price: pd.DataFrame, battery: Battery, provenance: Provenance
) -> Figure:
    """One EFA day of one strategy (`trading/dispatch` rows) over `market/day_ahead_price` rows.

    Raises ValueError when `dispatch` holds more than one day or strategy.
    """
    day, strategy = day_panels.only_day(dispatch, "dispatch overlay")
    dispatch = dispatch.sort_values("start_utc")
    starts = gb_time.efa_half_hours(day)
    figure = Figure(figsize=(10.0, 7.4))
    price_axes, power_axes, energy_axes = figure.subplots(
        3, 1, sharex=True, gridspec_kw={"height_ratios": [1.15, 1.0, 0.85], "hspace": 0.17}
    )
    figure.subplots_adjust(left=0.085, right=0.965, top=0.885, bottom=0.105)
    left = day_panels.elapsed_h(starts.to_series(), day)
    _price_panel(price_axes, left, values_at(day_ahead_price, "day_ahead_price_gbp_mwh", starts), provenance)
    _power_panel(power_axes, left, dispatch, battery)
    _energy_panel(energy_axes, left, dispatch, battery)
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


def _price_panel(axes: Axes, left: np.ndarray, price: np.ndarray, provenance: Provenance) -> None:
    edges, label = np.append(left, left[-1] + STEP_H), provenance.day_ahead_label
    axes.step(edges, day_panels.closed(price), where="post", color=style.BLACK, linewidth=1.5, label=label)
    if np.isfinite(price).any() and np.nanmin(price) < 0.0:
        style.zero_line(axes)
    missing = int(np.isnan(price).sum())
    if missing:
        axes.plot([], [], " ", label=f"no price in {missing} half-hour{'s' if missing > 1 else ''}")
    axes.set_ylabel("Price, £/MWh")
    axes.margins(y=0.12)
    day_panels.legend_above(axes)


def _power_panel(axes: Axes, left: np.ndarray, dispatch: pd.DataFrame, battery: Battery) -> None:
    day_panels.power_bars(axes, left, dispatch)
    day_panels.sold_line(axes, left, dispatch["contracted_mwh"].to_numpy() / STEP_H)
    style.zero_line(axes)
    axes.set_ylim(-1.12 * battery.power_mw, 1.12 * battery.power_mw)
    axes.set_ylabel("Power, MW")
    day_panels.legend_above(axes)


def _energy_panel(axes: Axes, left: np.ndarray, dispatch: pd.DataFrame, battery: Battery) -> None:
    energy = dispatch["energy_mwh"].to_numpy()
    opening = energy[0] - STEP_H * (
        dispatch["charge_mw"].iloc[0] * battery.charge_efficiency
        - dispatch["discharge_mw"].iloc[0] / battery.discharge_efficiency
    )
    edges = np.append(left, left[-1] + STEP_H)
    axes.plot(edges, np.append(opening, energy), color=style.GREEN, linewidth=1.8, label="state of energy")
    day_panels.usable_range(axes, battery)
    day_panels.legend_above(axes)
