"""Power: response, recovery, reserve and the baseline share one rating.

What belongs here: the rating rule as a check and as linear rows. What does not: where the limits of power come from
(`battery/limits.py`) and energy (`energy_band.py`).

Rule (Procurement Rules 8.3.3.2 through domain reference 5.2; the baseline by design.md 7). In each half-hour

    sum of low MW  + sum of recovery share x high MW + discharge <= limit of discharge
    sum of high MW + sum of recovery share x low MW  + charge    <= limit of charge

Positive reserve counts as low and negative as high, without a recovery share, so that no MW is sold twice in one
direction. With `baseline_adds_headroom` a charging baseline makes room below (- charge in the first row) and a
discharging one above; the baseline may then not be counted on when it is changed within the day, so default no.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bess_pipeline.ancillary.products import Direction, Product, table_of
from bess_pipeline.ancillary.rows import Breach, FloatArray, LinearRows, breaches
from bess_pipeline.ancillary.windows import Horizon

_ROW_NAMES = ("discharge rating", "charge rating")


def rating_rows(
    products: tuple[str, ...],
    horizon: Horizon,
    discharge_limit_mw: ArrayLike,
    charge_limit_mw: ArrayLike,
    *,
    baseline_adds_headroom: bool = False,
) -> LinearRows:
    """Rows over [MW of each product, charge MW, discharge MW]; limits are numbers or one per half-hour (AC, MW)."""
    table = table_of(products)
    coefficient = np.zeros((horizon.periods, 2, len(table) + 2))
    for day in set(horizon.efa_date):
        on_day = np.array([one == day for one in horizon.efa_date])
        for k, product in enumerate(table):
            own, opposite = (0, 1) if product.direction == "low" else (1, 0)
            coefficient[on_day, own, k] = 1.0
            coefficient[on_day, opposite, k] = product.recovery_share_on(day)
    coefficient[:, 0, -1] = coefficient[:, 1, -2] = 1.0
    if baseline_adds_headroom:
        coefficient[:, 0, -2] = coefficient[:, 1, -1] = -1.0
    limits = [
        np.broadcast_to(np.asarray(limit, float), horizon.periods) for limit in (discharge_limit_mw, charge_limit_mw)
    ]
    return LinearRows(_ROW_NAMES, (*products, "charge_mw", "discharge_mw"), coefficient, np.stack(limits, axis=-1))


def committed_mw(products: tuple[str, ...], horizon: Horizon, mw: FloatArray, direction: Direction) -> FloatArray:
    """MW that contracts take of one direction's rating, (half-hours,): own MW, and recovery of the opposite ones."""
    total = np.zeros(horizon.periods)
    for product, volume in zip(table_of(products), mw, strict=True):
        total = total + (volume if product.direction == direction else volume * _shares(product, horizon))
    return total


def rating_breaches(
    products: tuple[str, ...],
    horizon: Horizon,
    mw: FloatArray,
    charge_mw: FloatArray,
    discharge_mw: FloatArray,
    discharge_limit_mw: ArrayLike,
    charge_limit_mw: ArrayLike,
    *,
    baseline_adds_headroom: bool = False,
) -> list[Breach]:
    """Half-hours in which contracts, their recovery and the baseline need more than the rating."""
    found: list[Breach] = []
    sides: tuple[tuple[str, Direction, FloatArray, FloatArray, ArrayLike], ...] = (
        (_ROW_NAMES[0], "low", discharge_mw, charge_mw, discharge_limit_mw),
        (_ROW_NAMES[1], "high", charge_mw, discharge_mw, charge_limit_mw),
    )
    for name, direction, baseline, opposite, limit in sides:
        needed = committed_mw(products, horizon, mw, direction) + baseline
        if baseline_adds_headroom:
            needed = needed - opposite
        reason = f"{direction} contracts, recovery and the baseline exceed the limit of the {name}"
        found += breaches(name, "MW", needed - np.asarray(limit, float), reason)
    return found


def _shares(product: Product, horizon: Horizon) -> FloatArray:
    return np.array([product.recovery_share_on(day) for day in horizon.efa_date])
