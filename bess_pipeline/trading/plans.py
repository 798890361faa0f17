"""The plan of one trading day: what is asked, what is answered, and the reason where there is no plan.

What belongs here: what every strategy is given, the form that its plan takes, and prices laid on a day's
half-hours. What does not: which strategies there are (`strategies.py`), how a plan is found (a module each) and
how it is carried out (`dispatch.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from bess_pipeline import gb_time, schemas
from bess_pipeline.battery.limits import ALWAYS, Availability, Clip
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.battery.physics import simulate
from bess_pipeline.battery.rejection import explain
from bess_pipeline.errors import SolverError
from bess_pipeline.optimisation.solver import Solver
from bess_pipeline.settings import Settings

Array = npt.NDArray[np.float64]
PLAN_TOLERANCE_MW = 1e-6
MAXIMUM_GAP = 1e-3  # a schedule proven less well is no plan


@dataclass(frozen=True)
class PlanRequest:
    """What a strategy is given at the gate of a trading day.

    `day_ahead_price` are `market/day_ahead_price` rows that may hold more than is known: each strategy cuts them;
    `day_ahead_forecast` is what the day-ahead gate forecast (`stored_forecast.day_ahead_mean`), None when not used;
    `opening_energy_mwh` is the planned state at 23:00 on the day before; `availability` gives what was known at the
    gate of the half-hours of any day.
    """

    efa_date: date
    day_ahead_price: pd.DataFrame
    battery: Battery
    opening_energy_mwh: float
    availability: Callable[[date], Availability]
    settings: Settings
    solver: Solver
    day_ahead_forecast: pd.DataFrame | None = None


@dataclass(frozen=True)
class PlanOutcome:
    """A plan (`trading/plan` rows of one day), or None and the reason in words why there is none.

    forecast: which prices it was made with, in words; empty where it uses none.
    """

    frame: pd.DataFrame | None
    reason: str = ""
    forecast: str = ""


def plan_frame(
    efa_date: date,
    strategy: str,
    gate: str,
    battery: Battery,
    opening_energy_mwh: float,
    charge_mw: Array,
    discharge_mw: Array,
    availability: Availability = ALWAYS,
) -> pd.DataFrame:
    """`trading/plan` rows of a day (46, 48 or 50) whose whole dispatch is sold day-ahead.

    `charge_mw` and `discharge_mw` are AC-side, one per half-hour, and so are the fractions of `availability`
    where they are not one number. Raises SolverError when the battery could not follow them from
    `opening_energy_mwh` to within 1e-6 MW; a smaller excess, which is a solver's rounding, is taken out of the
    plan, and what an empty battery must charge for its standing losses is put in.
    """
    starts = gb_time.efa_half_hours(efa_date)
    hours = np.full(len(starts), gb_time.HALF_HOUR_H)
    path = simulate(battery, opening_energy_mwh, charge_mw, discharge_mw, hours, availability)
    excess = np.maximum(np.abs(path.charge_mw - charge_mw), np.abs(path.discharge_mw - discharge_mw))
    excess[path.clipped == Clip.STANDBY] = 0.0
    if excess.max() > PLAN_TOLERANCE_MW:
        found = explain(battery, opening_energy_mwh, charge_mw, discharge_mw, hours, path, availability)
        why = next(one.text for one in found if excess[one.period] > PLAN_TOLERANCE_MW)
        raise SolverError(
            f"the {strategy} plan of {efa_date} asks {excess.max():.3g} MW more than the battery can follow ({why})"
        )
    return pd.DataFrame(
        {
            "efa_date": [efa_date] * len(starts),
            "strategy": strategy,
            "gate": gate,
            "start_utc": starts,
            "day_ahead_mw": path.discharge_mw - path.charge_mw,
            "charge_mw": path.charge_mw,
            "discharge_mw": path.discharge_mw,
            "energy_mwh": path.energy_mwh,
        }
    )


def with_all_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Plans in the columns of `trading/plan`, null where a strategy offers no capacity."""
    return frame.reindex(columns=list(schemas.columns("trading/plan")))


def values_at(frame: pd.DataFrame, column: str, starts: pd.DatetimeIndex | pd.Series) -> Array:
    """`column` of a half-hourly frame at the half-hours `starts`; NaN where the frame has no row."""
    return frame.set_index("start_utc")[column].reindex(starts).to_numpy(dtype="float64")
