"""What physics and acceptances did to strategies beyond what a plan may do, so that a bound can do it, too.

What belongs here: volumes of `trading/dispatch` and `trading/market_dispatch` rows that no plan could have, the largest
of any strategy in each half-hour. What does not: the problem that is given them (`bound_window.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.ancillary.products import PRODUCT_TABLE, Direction, table_of
from bess_pipeline.ancillary.rating import committed_mw
from bess_pipeline.ancillary.rows import FloatArray
from bess_pipeline.ancillary.windows import Horizon
from bess_pipeline.battery.limits import PowerLimits
from bess_pipeline.market_tables import MARKET_DISPATCH
from bess_pipeline.optimisation.market_window import Allowance

CODES = tuple(PRODUCT_TABLE)
ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Forced:
    """The largest of any strategy, each (T,) and >= 0 but for `lowest_mwh`.

    long_mwh, short_mwh: imbalance beyond the cap, or volume accepted in the balancing mechanism; discharged_mwh: with
    activation, (D,) of each day; accepted_gbp: by which acceptances were better than the system price, of the whole
    window; held_mw (codes, T): accepted capacity; lowest_mwh: lowest state of energy.
    """

    long_mwh: FloatArray
    short_mwh: FloatArray
    discharged_mwh: FloatArray
    accepted_gbp: float
    held_mw: FloatArray
    lowest_mwh: float
    allowance: Allowance


def forced_of(
    rows: pd.DataFrame,
    table: str,
    horizon: Horizon,
    limits: PowerLimits,
    activation_mwh_per_mw: FloatArray,
    system_price_gbp_mwh: FloatArray,
    *,
    baseline_adds_headroom: bool,
) -> Forced:
    """Of dispatch rows of all strategies of a bound over a horizon.

    activation_mwh_per_mw (codes, T), in the order of `CODES`; system_price_gbp_mwh (T,), NaN where there is none. Days
    without rows of a strategy forced nothing on it.
    """
    parts = [_laid(part, horizon) for _, part in rows.groupby("strategy", sort=True)]
    if table != MARKET_DISPATCH:
        parts = [_without_services(part) for part in parts]
    beyond = [_beyond(part, table) for part in parts]
    discharged = [part["discharge_mw"] * gb_time.HALF_HOUR_H + part["activation_export_mwh"] for part in parts]
    days = list(dict.fromkeys(horizon.efa_date))
    index = np.array([days.index(one) for one in horizon.efa_date])
    of_day = [np.bincount(index, one, minlength=len(days)).astype(np.float64) for one in discharged]
    accepted = [_better_gbp(part, system_price_gbp_mwh) for part in parts]
    held = [np.stack([part[f"{code.lower()}_mw"] for code in CODES]) for part in parts]
    undelivered = [_undelivered(part, mw, activation_mwh_per_mw) for part, mw in zip(parts, held, strict=True)]
    rating = [
        _over_rating(part, mw, horizon, limits, baseline_adds_headroom) for part, mw in zip(parts, held, strict=True)
    ]
    return Forced(
        long_mwh=_most([np.maximum(one, 0.0) for one in beyond]),
        short_mwh=_most([np.maximum(-one, 0.0) for one in beyond]),
        discharged_mwh=_most(of_day),
        accepted_gbp=float(_most(accepted).sum()),
        held_mw=_most(held),
        lowest_mwh=float(rows["energy_mwh"].min()),
        allowance=Allowance(
            _most([one[0] for one in undelivered]),
            _most([one[1] for one in undelivered]),
            _most([one[0] for one in rating]),
            _most([one[1] for one in rating]),
        ),
    )


def _laid(rows: pd.DataFrame, horizon: Horizon) -> dict[str, FloatArray]:
    """Numbers on the half-hours of the horizon, 0 where a strategy has no row."""
    numbers = rows.set_index("start_utc").select_dtypes("number").reindex(horizon.start_utc.as_unit("us"))
    found = {str(name): np.nan_to_num(numbers[name].to_numpy(dtype="float64"), nan=0.0) for name in numbers}
    for name in ("delivered_low_share", "delivered_high_share"):
        if name in numbers:
            found[name] = numbers[name].fillna(1.0).to_numpy(dtype="float64")
    return found


def _without_services(part: dict[str, FloatArray]) -> dict[str, FloatArray]:
    none = np.zeros(part["charge_mw"].size)
    named = ("accepted_mwh", "accepted_price_gbp_mwh", *(f"{code.lower()}_mw" for code in CODES))
    return part | dict.fromkeys(named, none)


def _beyond(part: dict[str, FloatArray], table: str) -> FloatArray:
    """Baseline - contracted beyond the cap, signed; of the day-ahead strategies, which plan none, all of it."""
    if table != MARKET_DISPATCH:
        return part["imbalance_mwh"]
    return part["forced_imbalance_mwh"] + part["accepted_mwh"]


def _better_gbp(part: dict[str, FloatArray], system_price_gbp_mwh: FloatArray) -> FloatArray:
    accepted = part["accepted_mwh"]
    gain = accepted * (part["accepted_price_gbp_mwh"] - np.nan_to_num(system_price_gbp_mwh, nan=0.0))
    return np.maximum(np.where(accepted != 0, gain, 0.0), 0.0)


def _undelivered(
    part: dict[str, FloatArray], mw: FloatArray, activation_mwh_per_mw: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Energy asked for and not delivered, low and high, MWh."""
    asked = mw * activation_mwh_per_mw
    low = np.array([one.direction == "low" for one in table_of(CODES)])
    left = (
        asked[low].sum(axis=0) - part["activation_export_mwh"],
        asked[~low].sum(axis=0) - part["activation_import_mwh"],
    )
    return _above(left[0]), _above(left[1])


def _over_rating(
    part: dict[str, FloatArray], mw: FloatArray, horizon: Horizon, limits: PowerLimits, adds_headroom: bool
) -> tuple[FloatArray, FloatArray]:
    """MW by which contracts, recovery and the baseline exceed the rating of each direction."""
    sides: tuple[tuple[Direction, str, str, FloatArray], ...] = (
        ("low", "discharge_mw", "charge_mw", limits.discharge_mw),
        ("high", "charge_mw", "discharge_mw", limits.charge_mw),
    )
    found = []
    for direction, own, opposite, most in sides:
        used = committed_mw(CODES, horizon, mw, direction) + part[own]
        found.append(_above(used - (part[opposite] if adds_headroom else 0.0) - most))
    return found[0], found[1]


def _above(values: FloatArray) -> FloatArray:
    return np.asarray(np.where(values > ROUNDING, values, 0.0))


def _most(parts: list[FloatArray]) -> FloatArray:
    return np.asarray(np.max(parts, axis=0))
