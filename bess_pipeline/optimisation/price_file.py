"""Perfect-foresight schedule of any price series with any battery: what `bess optimise` prints and writes.

What belongs here: from a checked series to a result frame and its summary. What does not: reading the
CSV (`sources/files.py`), reading the battery (`battery/parameters.py`) and printing (`cli.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.errors import UserInputError
from bess_pipeline.gb_time import settlement_columns
from bess_pipeline.optimisation.problem import ClosingState, EnergyProblem
from bess_pipeline.optimisation.schedule import EnergySchedule
from bess_pipeline.optimisation.solver import IN_PROCESS, Solver
from bess_pipeline.optimisation.status import SolveStatus

if TYPE_CHECKING:
    from bess_pipeline.optimisation.shadow_prices import ShadowPrices


@dataclass(frozen=True)
class OptimiseResult:
    """frame: start_utc, price_gbp_mwh, charge_mw, discharge_mw, energy_mwh (end of the period), cash_gbp.

    cash_gbp is price x (discharge - charge) x hours; wear is apart. equivalent_cycles: discharged MWh
    over usable MWh; gap: proven relative distance to the optimum; solve_seconds: wall clock;
    shadow_prices: over the whole series, None unless asked for.
    """

    frame: pd.DataFrame
    cash_gbp: float
    wear_gbp: float
    profit_after_wear_gbp: float
    equivalent_cycles: float
    gap: float
    solve_seconds: float
    method: str
    status: SolveStatus
    shadow_prices: ShadowPrices | None = None


def optimise_price_series(
    start_utc: pd.Series | pd.DatetimeIndex,
    price_gbp_mwh: ArrayLike,
    step: timedelta,
    battery: Battery,
    *,
    solver: Solver = IN_PROCESS,
    with_shadow_prices: bool = False,
) -> OptimiseResult:
    """The best schedule of `battery` over a whole price series known in advance.

    start_utc: zone-aware starts of periods of one length `step`, without gap; the battery runs from its
    initial to its final state of energy, and its cycle limit counts London calendar days.
    Raises UserInputError (series) or SolverError (no schedule), each with one sentence.
    """
    starts = _checked_starts(start_utc, step)
    prices = np.atleast_1d(np.asarray(price_gbp_mwh, dtype=float))
    if prices.shape != starts.shape:
        raise UserInputError(f"the series has {starts.size} starts of periods and {prices.size} prices")
    bad = np.flatnonzero(~np.isfinite(prices))
    if bad.size:
        raise UserInputError(
            f"price_gbp_mwh at {starts.iloc[bad[0]]:%Y-%m-%dT%H:%MZ} is {prices[bad[0]]}: every price must be a number"
        )
    problem = EnergyProblem(
        price_gbp_mwh=prices,
        hours=step / timedelta(hours=1),
        day_index=pd.factorize(settlement_columns(starts)["settlement_date"])[0],
        battery=battery,
        opening_energy_mwh=battery.initial_energy_mwh,
        closing=ClosingState.fixed(battery.final_energy_mwh),
    )
    schedule = solver.optimise(problem)
    result = _result(starts, prices, schedule)
    if not with_shadow_prices:
        return result
    return replace(result, shadow_prices=solver.shadow_prices(problem, schedule))


def _checked_starts(start_utc: pd.Series | pd.DatetimeIndex, step: timedelta) -> pd.Series:
    starts = pd.Series(start_utc).reset_index(drop=True)
    if step <= timedelta():
        raise UserInputError("the length of a period must be above 0")
    if starts.empty:
        raise UserInputError("the price series is empty: give at least one period")
    if getattr(starts.dtype, "tz", None) is None:
        raise UserInputError("start_utc carries no time zone; give UTC, for example 2026-04-12T08:30:00Z")
    starts = starts.dt.tz_convert("UTC").dt.as_unit("us")
    uneven = np.flatnonzero(starts.diff().iloc[1:] != pd.Timedelta(step))
    if uneven.size:
        before, after = starts.iloc[uneven[0]], starts.iloc[uneven[0] + 1]
        raise UserInputError(
            f"start_utc goes from {before:%Y-%m-%dT%H:%MZ} to {after:%Y-%m-%dT%H:%MZ}: periods must follow each other "
            f"every {step / timedelta(minutes=1):g} minutes"
        )
    return starts


def _result(starts: pd.Series, prices: np.ndarray, schedule: EnergySchedule) -> OptimiseResult:
    frame = pd.DataFrame(
        {
            "start_utc": starts,
            "price_gbp_mwh": prices,
            "charge_mw": schedule.charge_mw,
            "discharge_mw": schedule.discharge_mw,
            "energy_mwh": schedule.energy_mwh,
            "cash_gbp": schedule.cash_gbp,
        }
    )
    cash = float(schedule.cash_gbp.sum())
    return OptimiseResult(
        frame=frame,
        cash_gbp=cash,
        wear_gbp=schedule.wear_gbp,
        profit_after_wear_gbp=cash - schedule.wear_gbp,
        equivalent_cycles=schedule.cycles,
        gap=schedule.gap,
        solve_seconds=schedule.solve_seconds,
        method=schedule.method,
        status=schedule.status,
    )
