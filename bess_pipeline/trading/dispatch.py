"""What the battery did on a trading day: a plan carried out under the battery's physics.

What belongs here: volumes contracted, metered and in imbalance per half-hour, and the state carried
over midnight. What does not: the plan (`plans.py`), the physics (`battery/physics.py`) and cash
(`settlement.py`).

imbalance = metered - contracted - activation; what physics clipped of the planned dispatch is the
forced part of it. No response is contracted yet, so activation is zero.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.battery.limits import ALWAYS, Availability
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.battery.physics import Trajectory, check, simulate
from bess_pipeline.errors import SolverError
from bess_pipeline.trading.plans import Array

ROUNDING_MWH = 1e-9


def dispatch_day(
    battery: Battery, plan: pd.DataFrame, opening_energy_mwh: float, availability: Availability = ALWAYS
) -> pd.DataFrame:
    """`trading/dispatch` rows of the day whose `trading/plan` rows (one strategy, one gate) are given.

    `opening_energy_mwh` is the realised state at 23:00 on the day before; `availability` is what the day's
    half-hours really had, announced or not. Raises SolverError when the result breaks the energy balance or a
    limit by more than 1e-6.
    """
    plan = plan.sort_values("start_utc", ignore_index=True)
    hours = np.full(len(plan), gb_time.HALF_HOUR_H)
    planned_charge = plan["charge_mw"].to_numpy(dtype="float64")
    planned_discharge = plan["discharge_mw"].to_numpy(dtype="float64")
    path = simulate(battery, opening_energy_mwh, planned_charge, planned_discharge, hours, availability)
    _require_feasible(battery, opening_energy_mwh, path, hours, availability)
    metered_mwh = (path.discharge_mw - path.charge_mw) * hours
    contracted_mwh = plan["day_ahead_mw"].to_numpy(dtype="float64") * hours
    return plan[["efa_date", "strategy", "start_utc"]].assign(
        charge_mw=path.charge_mw,
        discharge_mw=path.discharge_mw,
        activation_export_mwh=0.0,
        activation_import_mwh=0.0,
        contracted_mwh=contracted_mwh,
        metered_mwh=metered_mwh,
        imbalance_mwh=_without_rounding(metered_mwh - contracted_mwh),
        forced_imbalance_mwh=_without_rounding(metered_mwh - (planned_discharge - planned_charge) * hours),
        energy_mwh=path.energy_mwh,
    )


def idle_day(
    efa_date: date,
    strategy: str,
    opening_energy_mwh: float,
    battery: Battery | None = None,
    availability: Availability = ALWAYS,
) -> pd.DataFrame:
    """`trading/dispatch` rows of a refused day: nothing sold and nothing moved.

    Where the `battery` has losses at rest, they are taken from the store and, once it is empty, from the grid.
    """
    starts = gb_time.efa_half_hours(efa_date)
    nothing = pd.DataFrame({"efa_date": [efa_date] * len(starts), "strategy": strategy, "start_utc": starts})
    nothing = nothing.assign(day_ahead_mw=0.0, charge_mw=0.0, discharge_mw=0.0)
    return dispatch_day(battery or Battery(opening_energy_mwh + 1.0), nothing, opening_energy_mwh, availability)


def closing_energy_mwh(dispatch: pd.DataFrame) -> float:
    """State of energy at the end of a day's dispatch rows, MWh."""
    return float(dispatch["energy_mwh"].iloc[int(dispatch["start_utc"].argmax())])


def _without_rounding(volume_mwh: Array) -> Array:
    return np.where(np.abs(volume_mwh) > ROUNDING_MWH, volume_mwh, 0.0)


def _require_feasible(
    battery: Battery, opening_energy_mwh: float, path: Trajectory, hours: Array, availability: Availability
) -> None:
    executed = (path.charge_mw, path.discharge_mw, path.energy_mwh)
    broken = check(
        battery,
        opening_energy_mwh,
        *executed,
        hours,
        availability=availability,
        unserved_mwh=path.unserved_mwh,
        trips=True,
    )
    if broken:
        first = broken[0]
        raise SolverError(
            f"the dispatch breaks a limit of the battery: {first.reason} in half-hour {first.period}, "
            f"by {first.amount:.3g}"
        )
