"""Day-ahead volumes in the steps that they are sold in, of a problem of one scenario.

What belongs here: rounding one product after another. What does not: rounding a plan of many scenarios all at once
(`trading/co_optimised.py`) and the linear problem (`extensive.py`).

Volumes that are all rounded at once lead the store away from the schedule that they were planned for: where it was to
be just empty it lacks a little. So they are rounded in order of time, towards zero unless that breaks a limit, and what
comes after each is planned anew (a diving heuristic: linear problems from basis to basis). Where charge and discharge
overlap at its end, the smaller of both is forbidden there and the dive begins again: without that, volumes would stand
that only an overlap can carry out.
"""

from __future__ import annotations

import numpy as np

from bess_pipeline.optimisation.problem import FloatArray
from bess_pipeline.optimisation.stochastic.exclusive import overlaps
from bess_pipeline.optimisation.stochastic.extensive import ExtensiveSession
from bess_pipeline.optimisation.stochastic.numbers import ELASTIC
from bess_pipeline.optimisation.stochastic.problem import StochasticProblem
from bess_pipeline.optimisation.stochastic.programme import Programme, compile_programme
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion
from bess_pipeline.optimisation.stochastic.structure import CHARGE, DISCHARGE

MOVED_MW, EXCESS_MWH = 1e-7, 1e-6
ON_A_STEP = 1e-6  # of a step: so near to it a volume is on it
MOST_ROUNDS = 10


def rounded_in_order(problem: StochasticProblem, step_mw: float) -> FloatArray:
    """Day-ahead volumes (P,), MW, in steps; those that are given stay as they are.

    Services are best given (`with_plan`): what is free of them is planned anew, not rounded, after each product.
    ValueError for more than one scenario, SolverError with one sentence where there is no plan.
    """
    if problem.scenarios != 1:
        raise ValueError(f"the volumes of {problem.scenarios} scenarios cannot be rounded one after another")
    dive = _Dive(compile_programme(problem), step_mw)
    for _ in range(MOST_ROUNDS):
        volumes, recourse = dive()
        if not dive.forbid_overlaps(recourse):
            break
    return volumes


class _Dive:
    """A live problem of one scenario, whose volumes are rounded from the first product to the last."""

    def __init__(self, programme: Programme, step_mw: float) -> None:
        self._programme, self._step_mw = programme, step_mw
        self._session = ExtensiveSession(programme)

    def __call__(self) -> tuple[FloatArray, FloatArray]:
        """Volumes (P,), and the recourse that is best with them."""
        least, most = self._programme.plan.lower, self._programme.plan.upper
        lower, upper, products = least.copy(), most.copy(), self._programme.problem.products
        plan, recourse = self._best(lower, upper)
        for p in np.flatnonzero(least[:products] < most[:products]):
            before, wanted = self._excess(recourse), plan[p]
            for volume in self._steps(wanted, least[p], most[p]):
                lower[p] = upper[p] = volume
                if abs(volume - wanted) > MOVED_MW:
                    plan, recourse = self._best(lower, upper)
                if self._excess(recourse) <= before + EXCESS_MWH:
                    break
        return lower[:products].copy(), recourse

    def forbid_overlaps(self, recourse: FloatArray) -> bool:
        """Allow the larger of charge and discharge alone where both are; whether there was such a half-hour."""
        where, period = self._programme.path.columns, overlaps(self._programme, recourse)[:, 1]
        charges = recourse[0, where[CHARGE]][period] > recourse[0, where[DISCHARGE]][period]
        self._session.forbid(DISCHARGE, period[charges])
        self._session.forbid(CHARGE, period[~charges])
        return bool(period.size)

    def _best(self, lower: FloatArray, upper: FloatArray) -> tuple[FloatArray, FloatArray]:
        self._session.bound_plan(lower, upper)
        return self._session.best(RiskAversion())

    def _excess(self, recourse: FloatArray) -> float:
        """By how much limits are broken, MWh."""
        where = self._programme.path.columns
        return float(sum(recourse[0, where[name]].sum() for name in ELASTIC if name in where))

    def _steps(self, mw: float, least: float, most: float) -> list[float]:
        """The step towards zero, then the one away from it as far as there is one between the limits."""
        count = np.trunc(mw / self._step_mw + np.sign(mw) * ON_A_STEP)
        steps = np.round(np.array([count, count + np.sign(mw)]) * self._step_mw, 10) + 0.0
        return [float(one) for one in steps if least <= one <= most]
