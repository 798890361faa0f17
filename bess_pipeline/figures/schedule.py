"""The picture of `bess optimise`: a schedule of any length against its prices, London time.

What belongs here: the drawing. What does not: the schedule (`optimisation/price_file.py`).

Up to `SHORT_DAYS` days every period is drawn. Longer series become a calendar of power (one column a
London day, one row a time of day), cash day by day, and the mean day.
"""

from __future__ import annotations

from datetime import timedelta

import matplotlib.dates as mdates
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from bess_pipeline import gb_time
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.figures import style

SHORT_DAYS = 10
MINUTES_A_DAY = 24 * 60


@style.styled
def schedule_picture(frame: pd.DataFrame, step: timedelta, battery: Battery, source: str) -> Figure:
    """A schedule (`OptimiseResult.frame`) of periods of `step`; `source` names the price series.

    Raises ValueError for a schedule without periods.
    """
    if frame.empty:
        raise ValueError("a schedule without periods cannot be drawn")
    local = frame["start_utc"].dt.tz_convert(gb_time.LONDON)
    short = frame["start_utc"].iloc[-1] + step - frame["start_utc"].iloc[0] <= timedelta(days=SHORT_DAYS)
    figure = _short(frame, local, step, battery) if short else _long(frame, local, step)
    cash = float(frame["cash_gbp"].sum())
    span = f"{local.iloc[0]:%d %b %Y} to {local.iloc[-1]:%d %b %Y}"
    style.heading(figure, f"Perfect-foresight schedule, {span}", f"{_battery(battery)}; cash {_pounds(cash)}")
    figure.text(
        0.012,
        0.08 / figure.get_figheight(),
        f"Prices: {source}. London time.",
        fontsize=7.5,
        color=style.GREY,
        va="bottom",
    )
    return figure


def _short(frame: pd.DataFrame, local: pd.Series, step: timedelta, battery: Battery) -> Figure:
    figure = Figure(figsize=(10.0, 7.0))
    price, power, energy = figure.subplots(3, 1, sharex=True, gridspec_kw={"height_ratios": [1.1, 1.0, 0.85]})
    figure.subplots_adjust(left=0.085, right=0.965, top=0.885, bottom=0.1, hspace=0.16)
    start = mdates.date2num(frame["start_utc"])
    width = step / timedelta(days=1)
    edges = np.append(start, start[-1] + width)
    values = frame["price_gbp_mwh"].to_numpy()
    price.step(edges, np.append(values, values[-1]), where="post", color=style.BLACK, linewidth=1.4)
    price.set_ylabel("Price, £/MWh")
    for column, sign, colour, label in _DIRECTIONS:
        power.bar(start, sign * frame[column], width, align="edge", color=colour, label=label)
    style.zero_line(power)
    power.set_ylabel("Power, MW")
    power.legend(loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=2)
    energy.plot(edges[1:], frame["energy_mwh"], color=style.GREEN, linewidth=1.6)
    for bound in (battery.energy_min_mwh, battery.energy_max_mwh):
        energy.axhline(bound, color=style.GREY, linewidth=0.9, linestyle=(0, (1, 2)))
    energy.set_ylabel("Energy, MWh")
    _time_axis(energy)
    return figure


_DIRECTIONS = (
    ("discharge_mw", 1.0, style.DISCHARGE_COLOUR, "discharge (export)"),
    ("charge_mw", -1.0, style.CHARGE_COLOUR, "charge (import)"),
)


def _time_axis(axes: Axes) -> None:
    locator = mdates.AutoDateLocator(tz=gb_time.LONDON)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator, tz=gb_time.LONDON))
    axes.margins(x=0.0)


def _long(frame: pd.DataFrame, local: pd.Series, step: timedelta) -> Figure:
    figure = Figure(figsize=(10.0, 7.6))
    calendar = figure.add_axes((0.085, 0.47, 0.82, 0.415))
    bar = figure.add_axes((0.92, 0.47, 0.014, 0.415))
    cash = figure.add_axes((0.085, 0.1, 0.5, 0.28))
    mean_day = figure.add_axes((0.675, 0.1, 0.23, 0.28))
    days, grid = power_calendar(frame, local, step)
    _calendar(calendar, bar, days, grid)
    _cash(cash, frame, local)
    _mean_day(mean_day, frame, local, step)
    return figure


def power_calendar(frame: pd.DataFrame, local: pd.Series, step: timedelta) -> tuple[list[object], np.ndarray]:
    """London days, and net export in MW by (time of day, day); NaN where the day has no such time.

    The hour that comes twice when clocks go back shows the mean of both; the hour that is left out, a gap.
    """
    minutes = step / timedelta(minutes=1)
    row = ((local.dt.hour * 60 + local.dt.minute) // minutes).astype("int64")
    net = frame["discharge_mw"] - frame["charge_mw"]
    table = net.groupby([row.to_numpy(), local.dt.date.to_numpy()]).mean().unstack()
    table = table.reindex(np.arange(int(-(-MINUTES_A_DAY // minutes))))
    return list(table.columns), table.to_numpy()


def _calendar(axes: Axes, bar: Axes, days: list[object], grid: np.ndarray) -> None:
    largest = float(np.nanmax(np.abs(grid))) or 1.0
    extent = (mdates.date2num(days[0]), mdates.date2num(days[-1]) + 1.0, 24.0, 0.0)
    image = axes.imshow(
        grid,
        aspect="auto",
        cmap="RdBu_r",
        norm=TwoSlopeNorm(0.0, -largest, largest),
        extent=extent,
        interpolation="none",
    )
    axes.set_yticks(range(0, 25, 4))
    axes.set_ylabel("Hour of day")
    axes.grid(visible=False)
    _time_axis(axes)
    axes.figure.colorbar(image, cax=bar, label="Net export, MW")


def _cash(axes: Axes, frame: pd.DataFrame, local: pd.Series) -> None:
    daily = frame["cash_gbp"].groupby(local.dt.date.to_numpy()).sum()
    axes.bar(mdates.date2num(daily.index), daily / 1000.0, 1.0, align="edge", color=style.SKY)
    style.zero_line(axes)
    axes.set_ylabel("Cash a day, £k")
    _time_axis(axes)


def _mean_day(axes: Axes, frame: pd.DataFrame, local: pd.Series, step: timedelta) -> None:
    hour = (local.dt.hour + local.dt.minute / 60.0).to_numpy()
    mean = frame[["price_gbp_mwh", "charge_mw", "discharge_mw"]].groupby(hour).mean()
    width = step / timedelta(hours=1)
    for column, sign, colour, _ in _DIRECTIONS:
        axes.bar(mean.index, sign * mean[column], width, align="edge", color=colour)
    style.zero_line(axes)
    axes.set_xlim(0.0, 24.0)
    axes.set_xticks(range(0, 25, 6))
    axes.set_xlabel("Hour of the mean day")
    axes.set_ylabel("Power, MW")
    price = axes.twinx()
    price.plot(mean.index + width / 2, mean["price_gbp_mwh"], color=style.BLACK, linewidth=1.3)
    price.set_ylabel("Price, £/MWh")
    price.grid(visible=False)


def _battery(battery: Battery) -> str:
    power = f"{battery.power_mw:g} MW, " if np.isfinite(battery.power_mw) else ""
    return f"{power}{battery.energy_mwh:g} MWh, {battery.round_trip_efficiency:.1%} round trip"


def _pounds(amount: float) -> str:
    return f"{'-' if amount < 0 else ''}£{abs(amount):,.0f}"
