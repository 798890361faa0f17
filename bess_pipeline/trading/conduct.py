"""The note on conduct: what is said where a plan holds a position against cash-out.

What belongs here: how much planned dispatch differs from what is contracted, when, and the sentences about it. What
does not: why a plan holds what it holds (`plan_explanation.py`), and how it is shown (`plan_text.py`). Imports no
optimiser, so that a stored plan is shown at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from bess_pipeline import gb_time

if TYPE_CHECKING:
    from bess_pipeline.optimisation.stochastic.result import TwoStageSolution
    from bess_pipeline.trading.gate_problem import GateProblem

FloatArray = npt.NDArray[np.float64]
LEAST_MWH = 0.005  # expected deviation in a half-hour below which nothing is said


def conduct_note(given: GateProblem, solution: TwoStageSolution) -> str:
    """The note on conduct: how much dispatch of the trading day is planned to differ from contracts, and when.

    Over scenarios, sum of probability x |dispatch - contracted|; empty where it is nothing.
    """
    problem, committed = given.problem, given.problem.committed_periods
    sold = problem.split_plan(solution.plan)[0]
    index, hours = problem.product_index[:committed], problem.energy.durations[:committed]
    planned = np.where(index >= 0, hours * sold[np.maximum(index, 0)], 0.0) if sold.size else np.zeros(committed)
    dispatch = (solution.of("discharge_mwh") - solution.of("charge_mwh"))[:, :committed]
    deviation = np.where(index >= 0, dispatch - planned, 0.0)
    weight = problem.probability
    long, short = weight @ np.maximum(deviation, 0.0), weight @ np.maximum(-deviation, 0.0)
    return _note(given.horizon.start_utc[:committed], long, short, "in expectation over the scenarios")


def conduct_note_of_rows(plan: pd.DataFrame) -> str:
    """The same of stored `trading/plan` rows: planned dispatch against volumes, which nets what scenarios do."""
    deviation = (plan["discharge_mw"] - plan["charge_mw"] - plan["day_ahead_mw"]).to_numpy(dtype="float64")
    deviation = deviation * gb_time.HALF_HOUR_H
    starts = pd.DatetimeIndex(plan["start_utc"])
    return _note(starts, np.maximum(deviation, 0.0), np.maximum(-deviation, 0.0), "in its planned dispatch")


def _note(start_utc: pd.DatetimeIndex, long_mwh: FloatArray, short_mwh: FloatArray, basis: str) -> str:
    told = long_mwh + short_mwh > LEAST_MWH
    if not told.any():
        return ""
    long, short = float(long_mwh[told].sum()), float(short_mwh[told].sum())
    return (
        f"Conduct: this plan holds a position against cash-out: {basis}, dispatch differs from what is contracted by "
        f"{long + short:.1f} MWh (long {long:.1f}, short {short:.1f}) in {int(told.sum())} of {told.size} half-hours: "
        f"{_london_ranges(start_utc, told)} London. Intentional imbalance is legally sensitive, and parties must not "
        "deliberately distort the market. Whether physical notifications would stay accurate, and what else the rules "
        "ask for: check with compliance before trading such a plan."
    )


def _london_ranges(start_utc: pd.DatetimeIndex, told: np.ndarray) -> str:
    """Runs of half-hours as "07:00 to 09:30"."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], told.astype(np.int8), [0]])))
    local = start_utc.tz_convert(gb_time.LONDON)
    ends = (start_utc + gb_time.HALF_HOUR).tz_convert(gb_time.LONDON)
    runs = [f"{local[a]:%H:%M} to {ends[b - 1]:%H:%M}" for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return ", ".join(runs)
