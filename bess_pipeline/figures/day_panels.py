"""Parts that pictures of one EFA day share: which day, rows on its axis, bands, legends.

What belongs here: what more than one picture of a day draws or says in the same way. What does not: the axis itself
(`day_axis.py`), the look of all figures (`style.py`) and each picture (a module each).
"""

from __future__ import annotations

from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from bess_pipeline import gb_time
from bess_pipeline.ancillary.products import PRODUCT_TABLE, Direction
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.figures import style
from bess_pipeline.figures.day_axis import CLOCK_NOTES
from bess_pipeline.figures.provenance import Provenance

Array = npt.NDArray[np.float64]
STEP_H = gb_time.HALF_HOUR_H
ACTIVE_MW = 1e-6


def only_day(rows: pd.DataFrame, what: str) -> tuple[date, str]:
    """The one (efa_date, strategy) of the rows; ValueError, naming the picture, for none or more."""
    pairs = rows[["efa_date", "strategy"]].drop_duplicates()
    if len(pairs) != 1:
        raise ValueError(f"a {what} shows one day of one strategy, not {len(pairs)}")
    return pairs["efa_date"].iloc[0], str(pairs["strategy"].iloc[0])


def rows_of_day(rows: pd.DataFrame, day: date) -> pd.DataFrame:
    """Rows whose `start_utc` lies in the EFA day, in order of time."""
    start, end = (pd.Timestamp(instant) for instant in gb_time.efa_day_bounds_utc(day))
    return rows[(rows["start_utc"] >= start) & (rows["start_utc"] < end)].sort_values("start_utc", kind="stable")


def elapsed_h(instants: pd.Series, day: date) -> Array:
    """Positions on the axis of an EFA day: hours since 23:00 on the day before."""
    first = pd.Timestamp(gb_time.efa_day_bounds_utc(day)[0])
    return np.asarray((instants - first) / pd.Timedelta(hours=1), dtype=np.float64)


def edges_h(rows: pd.DataFrame, day: date) -> Array:
    """Positions at which periods start, and the end of the last: the usual length of a period later."""
    start = elapsed_h(rows["start_utc"], day)
    length_h = len(gb_time.efa_half_hours(day)) * STEP_H
    length = float(np.median(np.diff(start))) if start.size > 1 else length_h
    return np.append(start, min(start[-1] + length, length_h))


def closed(values: pd.Series | Array) -> Array:
    """Values at the starts of periods, and once more at the end of the last."""
    column = np.asarray(values, dtype=np.float64)
    return np.append(column, column[-1])


def shade_action(axes: Axes, left: Array, dispatch: pd.DataFrame) -> None:
    """Bands behind a panel where the battery charges or discharges; left: positions of the rows."""
    for column, colour in (("charge_mw", style.CHARGE_COLOUR), ("discharge_mw", style.DISCHARGE_COLOUR)):
        active = np.flatnonzero(dispatch[column].to_numpy() > ACTIVE_MW)
        for run in np.split(active, np.flatnonzero(np.diff(active) > 1) + 1):
            if len(run):
                axes.axvspan(left[run[0]], left[run[-1]] + STEP_H, color=colour, alpha=0.09, linewidth=0, zorder=0.5)


def power_bars(axes: Axes, left: Array, dispatch: pd.DataFrame) -> None:
    """Discharge above zero and charge below it, one bar a half-hour."""
    discharge, charge = dispatch["discharge_mw"].to_numpy(), dispatch["charge_mw"].to_numpy()
    axes.bar(left, discharge, STEP_H, align="edge", color=style.DISCHARGE_COLOUR, label="discharge (export)")
    axes.bar(left, -charge, STEP_H, align="edge", color=style.CHARGE_COLOUR, label="charge (import)")


def sold_line(axes: Axes, left: Array, sold_mw: Array) -> None:
    """The volume sold day-ahead as a dashed line."""
    (sold,) = _steps(axes, left, sold_mw, "sold day-ahead")
    sold.set_linestyle((0, (3, 2)))


def contract_line(axes: Axes, left: Array, sold_mw: Array) -> None:
    """The volume sold in all markets together as a thin line."""
    _steps(axes, left, sold_mw, "sold, with intraday")


def _steps(axes: Axes, left: Array, power_mw: Array, label: str) -> list[Line2D]:
    edges = np.append(left, left[-1] + STEP_H)
    return axes.step(edges, closed(power_mw), where="post", color=style.BLACK, linewidth=1.0, label=label)


def capacity_mw(rows: pd.DataFrame, direction: Direction) -> dict[str, Array]:
    """Capacity by product of one direction, in the order of products; those the rows have no column for are out."""
    columns = {code: f"{code.lower()}_mw" for code, product in PRODUCT_TABLE.items() if product.direction == direction}
    return {
        code: rows[column].fillna(0.0).to_numpy(dtype="float64") for code, column in columns.items() if column in rows
    }


def capacity_stack(axes: Axes, left: Array, base_mw: Array, capacity: dict[str, Array], sign: float) -> float:
    """Bars of capacity outwards from a power, and how far they reach, MW; sign: 1.0 upwards, -1.0 downwards."""
    level = base_mw.copy()
    said = set(axes.get_legend_handles_labels()[1])
    for code, amount in capacity.items():
        if (amount > ACTIVE_MW).any():
            service = PRODUCT_TABLE[code].service
            colour = style.SERVICE_COLOURS[service]
            axes.bar(left, sign * amount, STEP_H, bottom=sign * level, align="edge", color=colour,
                     label=None if service in said else service)  # fmt: skip
        level = level + amount
    return float(level.max())


def usable_range(axes: Axes, battery: Battery) -> None:
    """Dotted lines at the least and most stored energy, on an axis of the whole capacity."""
    for bound, label in ((battery.energy_min_mwh, None), (battery.energy_max_mwh, "usable range")):
        axes.axhline(bound, color=style.GREY, linewidth=0.9, linestyle=(0, (1, 2)), label=label)
    axes.set_ylim(0.0, battery.energy_mwh * 1.05)
    axes.set_ylabel("Energy, MWh")


def legend_above(axes: Axes, ncols: int = 4) -> None:
    """The legend of a panel, above its top right corner, where it covers no data."""
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1.0, 0.98),
        ncols=ncols,
        borderaxespad=0.1,
        handlelength=1.6,
        columnspacing=1.4,
    )


def said_of_day(provenance: Provenance, day: date) -> str:
    """The line below a title: origin, source of the day-ahead price and a clock change."""
    note = CLOCK_NOTES.get(len(gb_time.efa_half_hours(day)), "")
    return "; ".join(part for part in (provenance.origin_label, provenance.day_ahead_label, note) if part)
