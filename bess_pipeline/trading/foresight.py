"""Strategy `day_ahead_perfect_foresight`: an upper bound, made with the outcome prices of a whole range.

What belongs here: turning a range of days into one problem, and its schedule into a plan per day. What
does not: the optimisation itself (`optimisation/`). This is no strategy anybody could run: its
gate is `foresight`, and it sees every day-ahead price of the range and of a margin after it.

Variables are constant over the published product (an hour at N2EX), by the resolution each price row
carries. A day without a price on each of its half-hours is left out: the battery idles through it and
its state carries over, which is the same as joining the days on either side of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.battery.limits import ALWAYS, Availability
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.errors import SolverError
from bess_pipeline.optimisation.problem import ClosingState, EnergyProblem
from bess_pipeline.optimisation.solver import Solver
from bess_pipeline.trading.plans import MAXIMUM_GAP, Array, plan_frame

STRATEGY = "day_ahead_perfect_foresight"
GATE = "foresight"
HALF_HOUR_MINUTES = 30


@dataclass(frozen=True)
class Products:
    """Price products of the complete days of a range, in time order.

    `price_gbp_mwh`, `hours` and `day_index` have one value per product; `product_of` maps each half-hour
    of `days`, in order, to its product.
    """

    days: tuple[date, ...]
    price_gbp_mwh: Array
    hours: Array
    day_index: np.ndarray
    product_of: np.ndarray


def plan_days(
    days: Sequence[date],
    day_ahead_price: pd.DataFrame,
    battery: Battery,
    opening_energy_mwh: float,
    *,
    margin_days: int,
    solver: Solver,
    closing_energy_mwh: float | None = None,
    availability: Callable[[date], Availability] = lambda _: ALWAYS,
) -> dict[date, pd.DataFrame]:
    """A `trading/plan` frame for each of `days` whose prices are complete; other days are absent.

    `days` are consecutive EFA days (ValueError otherwise). One problem over them and `margin_days` more, as
    far as `market/day_ahead_price` rows are given. It ends at `closing_energy_mwh` or above (or as high as the
    rating can bring it); with None it ends free, as the strategies do that it bounds. `availability` gives each
    day's half-hours their available fractions, outages of all kinds included; a product has the lowest of its
    half-hours. Raises SolverError when there is no schedule, or none proven to within 0.1 % of the optimum.
    """
    first, last = days[0], days[-1]
    if list(days) != gb_time.days_between(first, last):
        raise ValueError(f"the days of a foresight problem must follow one another from {first} to {last}")
    products = price_products(day_ahead_price, gb_time.days_between(first, last + timedelta(days=margin_days)))
    if not products.days or products.days[0] > last:
        return {}
    by_day = {day: availability(day) for day in products.days}
    shares = _by_product(products, by_day)
    problem = EnergyProblem(
        price_gbp_mwh=products.price_gbp_mwh,
        hours=products.hours,
        day_index=products.day_index,
        battery=battery,
        opening_energy_mwh=opening_energy_mwh,
        closing=_closing(products, battery, opening_energy_mwh, closing_energy_mwh),
        charge_availability=shares[0],
        discharge_availability=shares[1],
    )
    schedule = solver.optimise(problem)
    if not schedule.gap <= MAXIMUM_GAP:
        raise SolverError(
            f"the foresight schedule of {first} to {last} is proven only to within {schedule.gap:.2%} of the optimum"
        )
    charge_mw = schedule.charge_mw[products.product_of]
    discharge_mw = schedule.discharge_mw[products.product_of]
    return _plans_by_day(products, last, battery, opening_energy_mwh, charge_mw, discharge_mw, by_day)


def price_products(day_ahead_price: pd.DataFrame, days: list[date]) -> Products:
    """The products of those of `days` that have a price on each half-hour."""
    complete: list[date] = []
    parts: list[pd.DataFrame] = []
    indexed = day_ahead_price.set_index("start_utc")[["day_ahead_price_gbp_mwh", "native_resolution_minutes"]]
    for day in days:
        starts = gb_time.efa_half_hours(day)
        part = indexed.reindex(starts)
        if part.notna().all(axis=None):
            parts.append(part.assign(day_index=len(complete), product_utc=_product_start(starts, part)))
            complete.append(day)
    if not parts:
        return Products((), np.empty(0), np.empty(0), np.empty(0, dtype="int64"), np.empty(0, dtype="int64"))
    grid = pd.concat(parts)
    grouped = grid.groupby("product_utc", sort=True)
    return Products(
        tuple(complete),
        grouped["day_ahead_price_gbp_mwh"].mean().to_numpy(dtype="float64"),
        np.asarray(grouped.size() * gb_time.HALF_HOUR_H, dtype="float64"),
        grouped["day_index"].first().to_numpy(dtype="int64"),
        grouped.ngroup().to_numpy(dtype="int64"),
    )


def _product_start(starts: pd.DatetimeIndex, part: pd.DataFrame) -> pd.Series:
    """Start of each half-hour's product; a product shorter than a half-hour was averaged onto the grid."""
    minutes = part["native_resolution_minutes"].clip(lower=HALF_HOUR_MINUTES).to_numpy(dtype="int64")
    since_start = np.arange(len(starts)) * HALF_HOUR_MINUTES
    back = pd.to_timedelta(since_start % minutes, unit="min")
    return pd.Series(starts - back, index=part.index)


def _by_product(products: Products, by_day: dict[date, Availability]) -> tuple[Array, Array]:
    """Available fractions of charge and of discharge per product: the lowest of its half-hours."""
    found = []
    for name in ("charge", "discharge"):
        half_hours = [
            np.broadcast_to(np.asarray(getattr(by_day[day], name), dtype=float), len(gb_time.efa_half_hours(day)))
            for day in products.days
        ]
        share = np.ones(len(products.price_gbp_mwh))
        np.minimum.at(share, products.product_of, np.concatenate(half_hours))
        found.append(share)
    return found[0], found[1]


def _closing(
    products: Products, battery: Battery, opening_energy_mwh: float, closing_energy_mwh: float | None
) -> ClosingState:
    if closing_energy_mwh is None:
        return ClosingState.free()
    reachable_mwh = opening_energy_mwh + battery.charge_efficiency * battery.power_mw * float(products.hours.sum())
    return ClosingState.at_least(min(closing_energy_mwh, reachable_mwh))


def _plans_by_day(
    products: Products,
    last: date,
    battery: Battery,
    opening_energy_mwh: float,
    charge_mw: Array,
    discharge_mw: Array,
    by_day: dict[date, Availability],
) -> dict[date, pd.DataFrame]:
    plans: dict[date, pd.DataFrame] = {}
    energy_mwh, at = opening_energy_mwh, 0
    for day in products.days:
        count = len(gb_time.efa_half_hours(day))
        part = slice(at, at + count)
        at += count
        if day > last:
            break
        flows = (charge_mw[part], discharge_mw[part])
        frame = plan_frame(day, STRATEGY, GATE, battery, energy_mwh, *flows, by_day[day])
        plans[day], energy_mwh = frame, float(frame["energy_mwh"].iloc[-1])
    return plans
