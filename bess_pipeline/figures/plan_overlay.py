"""The plan of one trading day at one gate: expected prices, power with response capacity, and state of energy.

What belongs here: the drawing. What does not: the plan itself (`trading/`) and what was done with it (`dispatch.py`).
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bess_pipeline import gb_time
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.figures import day_panels, stream_words, style
from bess_pipeline.figures.day_axis import clock_axis
from bess_pipeline.figures.day_panels import ACTIVE_MW, STEP_H, Array, capacity_mw, capacity_stack
from bess_pipeline.figures.provenance import Provenance

PRICES = (("day_ahead", style.BLACK, 2.2), ("system_price", style.ORANGE, 2.1))  # the day-ahead price lies on top


@style.styled
def plan_overlay(
    plan: pd.DataFrame,
    price_rows: pd.DataFrame,
    battery: Battery,
    provenance: Provenance,
    opening_energy_mwh: float | None = None,
) -> Figure:
    """One EFA day of one strategy and gate (`trading/plan` rows with capacity and band) over what was expected.

    price_rows: `forecast/price_forecast` rows of that gate (stream, start_utc, mean, q05, q95; MW and GBP/MWh); other
    streams and days are left out. opening_energy_mwh: planned state at 23:00; without it the line starts half an hour
    later. Raises ValueError when `plan` holds not exactly one day, strategy and gate, or prices are of another gate.
    """
    day, strategy, gate = _only_plan(plan, price_rows)
    plan = plan.sort_values("start_utc")
    figure = Figure(figsize=(10.0, 8.7))
    price_axes, power_axes, energy_axes = figure.subplots(
        3, 1, sharex=True, gridspec_kw={"height_ratios": [1.0, 1.2, 0.85], "hspace": 0.19}
    )
    figure.subplots_adjust(left=0.085, right=0.965, top=0.882, bottom=0.095)
    left = day_panels.elapsed_h(plan["start_utc"], day)
    _price_panel(price_axes, day_panels.rows_of_day(price_rows, day), day, provenance)
    _power_panel(power_axes, left, plan, battery)
    _energy_panel(energy_axes, left, plan, battery, opening_energy_mwh)
    for axes in (price_axes, energy_axes):
        day_panels.shade_action(axes, left, plan)
    clock_axis(energy_axes, gb_time.efa_half_hours(day))
    style.heading(
        figure,
        f"Plan for EFA day {day:%a %d %b %Y} at the {stream_words.gate_label(gate)}: {style.strategy_label(strategy)}",
        day_panels.said_of_day(provenance, day),
    )
    style.note(figure, _activation(plan))
    style.footer(figure, provenance)
    return figure


def _only_plan(plan: pd.DataFrame, price_rows: pd.DataFrame) -> tuple[date, str, str]:
    day, strategy = day_panels.only_day(plan, "plan overlay")
    gates, others = sorted(set(plan["gate"])), sorted(set(price_rows["gate"]) - set(plan["gate"]))
    if len(gates) != 1 or others:
        raise ValueError(f"a plan overlay shows one gate, not {', '.join([*gates, *others])}")
    return day, strategy, str(gates[0])


def _activation(plan: pd.DataFrame) -> str:
    """The basis of the energy that response moves, or that no capacity is held."""
    if not any(amount.any() for direction in ("low", "high") for amount in capacity_mw(plan, direction).values()):
        return "no response capacity"
    found = sorted({str(one) for one in plan["activation_basis"].dropna() if one})
    return f"response energy (activation): {'; '.join(found) or 'basis not stated'}"


def _price_panel(axes: Axes, rows: pd.DataFrame, day: date, provenance: Provenance) -> None:
    for stream, colour, place in PRICES:
        expected = rows[rows["stream"] == stream]
        label = provenance.day_ahead_label if stream == "day_ahead" else stream_words.short(stream)
        if expected.empty:
            axes.plot([], [], " ", label=f"no forecast: {label}")
            continue
        edges = day_panels.edges_h(expected, day)
        lower, upper = (day_panels.closed(expected[name]) for name in ("q05", "q95"))
        known = bool((expected["q05"] == expected["q95"]).all())
        axes.fill_between(edges, lower, upper, step="post", color=colour, alpha=0.17, linewidth=0)
        axes.step(edges, day_panels.closed(expected["mean"]), where="post", color=colour, linewidth=1.5, zorder=place,
                  label=f"{label} ({'known' if known else 'expected, 5 to 95 %'})")  # fmt: skip
    bottom, top = axes.get_ylim()
    if bottom < 0.0 < top and len(rows):
        style.zero_line(axes)
    axes.set_ylabel("Price, £/MWh")
    axes.margins(y=0.08)
    day_panels.legend_above(axes)


def _power_panel(axes: Axes, left: Array, plan: pd.DataFrame, battery: Battery) -> None:
    """Capacity of low products stands on planned discharge, of high ones hangs below planned charge."""
    day_panels.power_bars(axes, left, plan)
    highest = capacity_stack(axes, left, plan["discharge_mw"].to_numpy(dtype="float64"), capacity_mw(plan, "low"), 1.0)
    lowest = -capacity_stack(axes, left, plan["charge_mw"].to_numpy(dtype="float64"), capacity_mw(plan, "high"), -1.0)
    day_panels.sold_line(axes, left, plan["day_ahead_mw"].to_numpy(dtype="float64"))
    if np.isfinite(battery.power_mw):
        for bound, label in ((battery.power_mw, "rating"), (-battery.power_mw, None)):
            axes.axhline(bound, color=style.GREY, linewidth=0.9, linestyle=(0, (1, 2)), label=label)
        highest, lowest = max(highest, battery.power_mw), min(lowest, -battery.power_mw)
    style.zero_line(axes)
    reach = 1.1 * max(highest, -lowest, 1.0)
    axes.set_ylim(-reach, reach)
    axes.set_ylabel("Power and capacity, MW\nlow response up, high down")
    day_panels.legend_above(axes, ncols=10)


def _energy_panel(axes: Axes, left: Array, plan: pd.DataFrame, battery: Battery, opening_mwh: float | None) -> None:
    ends, energy = left + STEP_H, plan["energy_mwh"].to_numpy(dtype="float64")
    lower, upper = (plan[name].to_numpy(dtype="float64") for name in ("energy_q05_mwh", "energy_q95_mwh"))
    if opening_mwh is not None:
        ends = np.append(left[0], ends)
        energy, lower, upper = (np.append(opening_mwh, values) for values in (energy, lower, upper))
    _required_band(axes, left, plan, battery)
    if np.isfinite(lower).any():
        axes.fill_between(
            ends, lower, upper, color=style.GREEN, alpha=0.25, linewidth=0, label="5 to 95 % of scenarios"
        )
    axes.plot(ends, energy, color=style.GREEN, linewidth=1.8, label="planned state of energy")
    day_panels.usable_range(axes, battery)
    day_panels.legend_above(axes)


def _required_band(axes: Axes, left: Array, plan: pd.DataFrame, battery: Battery) -> None:
    """What contracts leave free of the usable range is white, the rest hatched; nothing where they ask for nothing."""
    floor = plan["energy_floor_mwh"].fillna(battery.energy_min_mwh).to_numpy(dtype="float64")
    ceiling = plan["energy_ceiling_mwh"].fillna(battery.energy_max_mwh).to_numpy(dtype="float64")
    edges, label = np.append(left, left[-1] + STEP_H), "outside the band of contracts"
    for limit, contracted in ((battery.energy_min_mwh, floor), (battery.energy_max_mwh, ceiling)):
        if (np.abs(contracted - limit) > ACTIVE_MW).any():
            axes.fill_between(edges, limit, day_panels.closed(contracted), step="post", facecolor="none",
                              edgecolor="#B0B0B0", hatch="////", linewidth=0.0, label=label)  # fmt: skip
            label = ""
