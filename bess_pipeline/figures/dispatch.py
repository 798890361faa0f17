"""Dispatch overlay of one trading day: price, power and state of energy on one London-time axis.

What belongs here: the drawing. What does not: the dispatch itself (`trading/dispatch.py`).
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bess_pipeline import gb_time
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.figures import style
from bess_pipeline.figures.day_axis import CLOCK_NOTES, clock_axis
from bess_pipeline.figures.provenance import Provenance
from bess_pipeline.trading.plans import values_at

STEP_H = gb_time.HALF_HOUR_H


@style.styled
def dispatch_overlay(
    dispatch: pd.DataFrame, day_ahead_price: pd.DataFrame, battery: Battery, provenance: Provenance
) -> Figure:
    """One EFA day of one strategy (`trading/dispatch` rows) over `market/day_ahead_price` rows.

    Raises ValueError when `dispatch` holds more than one day or strategy.
    """
    day, strategy = _only_day(dispatch)
    dispatch = dispatch.sort_values("start_utc")
    starts = gb_time.efa_half_hours(day)
    figure = Figure(figsize=(10.0, 7.4))
    price_axes, power_axes, energy_axes = figure.subplots(
        3, 1, sharex=True, gridspec_kw={"height_ratios": [1.15, 1.0, 0.85], "hspace": 0.17}
    )
    figure.subplots_adjust(left=0.085, right=0.965, top=0.885, bottom=0.105)
    left = np.arange(len(starts)) * STEP_H
    _price_panel(price_axes, left, values_at(day_ahead_price, "day_ahead_price_gbp_mwh", starts), provenance)
    _power_panel(power_axes, left, dispatch, battery)
    _energy_panel(energy_axes, left, dispatch, battery)
    for axes in (price_axes, power_axes, energy_axes):
        _shade_action(axes, left, dispatch)
    clock_axis(energy_axes, starts)
    note = CLOCK_NOTES.get(len(starts))
    style.heading(
        figure,
        f"Dispatch on EFA day {day:%a %d %b %Y}: {style.strategy_label(strategy)}",
        "; ".join(part for part in (provenance.origin_label, provenance.day_ahead_label, note) if part),
    )
    style.footer(figure, provenance)
    return figure


def _only_day(dispatch: pd.DataFrame) -> tuple[date, str]:
    pairs = dispatch[["efa_date", "strategy"]].drop_duplicates()
    if len(pairs) != 1:
        raise ValueError(f"a dispatch overlay shows one day of one strategy, not {len(pairs)}")
    return pairs["efa_date"].iloc[0], str(pairs["strategy"].iloc[0])


def _price_panel(axes: Axes, left: np.ndarray, price: np.ndarray, provenance: Provenance) -> None:
    edges, values = _steps(left, price)
    axes.step(edges, values, where="post", color=style.BLACK, linewidth=1.5, label=provenance.day_ahead_label)
    if np.isfinite(price).any() and np.nanmin(price) < 0.0:
        style.zero_line(axes)
    missing = int(np.isnan(price).sum())
    if missing:
        axes.plot([], [], " ", label=f"no price in {missing} half-hour{'s' if missing > 1 else ''}")
    axes.set_ylabel("Price, £/MWh")
    axes.margins(y=0.12)
    _legend(axes)


def _power_panel(axes: Axes, left: np.ndarray, dispatch: pd.DataFrame, battery: Battery) -> None:
    discharge, charge = dispatch["discharge_mw"].to_numpy(), dispatch["charge_mw"].to_numpy()
    axes.bar(left, discharge, STEP_H, align="edge", color=style.DISCHARGE_COLOUR, label="discharge (export)")
    axes.bar(left, -charge, STEP_H, align="edge", color=style.CHARGE_COLOUR, label="charge (import)")
    edges, contracted = _steps(left, dispatch["contracted_mwh"].to_numpy() / STEP_H)
    (sold,) = axes.step(edges, contracted, where="post", color=style.BLACK, linewidth=1.0, label="sold day-ahead")
    sold.set_linestyle((0, (3, 2)))
    style.zero_line(axes)
    axes.set_ylim(-1.12 * battery.power_mw, 1.12 * battery.power_mw)
    axes.set_ylabel("Power, MW")
    _legend(axes)


def _energy_panel(axes: Axes, left: np.ndarray, dispatch: pd.DataFrame, battery: Battery) -> None:
    energy = dispatch["energy_mwh"].to_numpy()
    opening = energy[0] - STEP_H * (
        dispatch["charge_mw"].iloc[0] * battery.charge_efficiency
        - dispatch["discharge_mw"].iloc[0] / battery.discharge_efficiency
    )
    edges = np.append(left, left[-1] + STEP_H)
    axes.plot(edges, np.append(opening, energy), color=style.GREEN, linewidth=1.8, label="state of energy")
    for bound, label in ((battery.energy_min_mwh, None), (battery.energy_max_mwh, "usable range")):
        axes.axhline(bound, color=style.GREY, linewidth=0.9, linestyle=(0, (1, 2)), label=label)
    axes.set_ylim(0.0, battery.energy_mwh * 1.05)
    axes.set_ylabel("Energy, MWh")
    _legend(axes)


def _shade_action(axes: Axes, left: np.ndarray, dispatch: pd.DataFrame) -> None:
    """Bands behind every panel where the battery charges or discharges."""
    for column, colour in (("charge_mw", style.CHARGE_COLOUR), ("discharge_mw", style.DISCHARGE_COLOUR)):
        active = np.flatnonzero(dispatch[column].to_numpy() > 1e-6)
        for run in np.split(active, np.flatnonzero(np.diff(active) > 1) + 1):
            if len(run):
                axes.axvspan(left[run[0]], left[run[-1]] + STEP_H, color=colour, alpha=0.09, linewidth=0, zorder=0.5)


def _steps(left: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.append(left, left[-1] + STEP_H), np.append(values, values[-1])


def _legend(axes: Axes) -> None:
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=4, borderaxespad=0.1, handlelength=1.6)
