"""A primal-dual interior point method that treats all scenarios at once.

What belongs here: Mehrotra's predictor and corrector (1992) on a `Structure`. What does not: the elimination of a
Newton system (`elimination.py`) and whether the answer is any good: that is `certificate.py`'s, from the numbers alone.

Rows keep their multiplier equal to the difference of their bounds' duals, and excesses theirs equal to what they cost
less that multiplier; both hold exactly at every step. So the residuals left are those of rows, flows, states and plan.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bess_pipeline.errors import SolverError
from bess_pipeline.optimisation.problem import FloatArray
from bess_pipeline.optimisation.stochastic.certificate import Duals
from bess_pipeline.optimisation.stochastic.elimination import Elimination
from bess_pipeline.optimisation.stochastic.programme import Programme
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion
from bess_pipeline.optimisation.stochastic.structure import Structure
from bess_pipeline.optimisation.stochastic.system import System

SHORTEN = 0.995
SHORTEST = 1e-10


@dataclass(frozen=True)
class Iterate:
    """A point of the method: plan, dispatch (2, T, N) = charge and discharge, duals, the relative size of all products
    together, which the true gap follows, and the share of the first residuals that is left."""

    plan: FloatArray
    dispatch: FloatArray
    duals: Duals
    gap: float
    residual: float


class InteriorPoint:
    """The method on one programme. `iterate` takes one step and says where it stands; the caller knows when to stop."""

    def __init__(self, programme: Programme, structure: Structure, risk: RiskAversion) -> None:
        self._system = System(programme, structure, risk)
        self._left = np.ones(2)  # share of the first residuals, of rows and of duals

    @property
    def programme(self) -> Programme:
        """What it solves."""
        return self._system.programme

    def turn(self, risk: RiskAversion) -> None:
        """Go on with another risk aversion, neither of them 0, from where it stands."""
        self._system.turn(risk)
        self._left[1] = 1.0

    def iterate(self) -> Iterate:
        """One step of predictor and corrector. SolverError when no step can be taken any more."""
        system = self._system
        with np.errstate(all="ignore"):
            elimination = Elimination(system.structure, system.weights())
            predictor = system.directions(elimination, system.no_aims())
            primal, dual = system.reach(predictor)
            gap = system.gap()
            ahead = system.gap_after(predictor, primal, dual)
            target = (ahead / gap) ** 3 * gap / system.count
            corrector = system.directions(elimination, system.second_order(predictor, target))
            primal, dual = (min(1.0, SHORTEN * one) for one in system.reach(corrector))
        if not max(primal, dual) > SHORTEST or not np.isfinite(system.gap_after(corrector, primal, dual)):
            raise SolverError("the interior point method takes no step any more")
        system.move(corrector, primal, dual)
        self._left *= 1.0 - np.array([primal, dual])
        plan = system.plan.value[: system.programme.plan.lower.size]
        relative = system.gap() / max(1.0, abs(system.cost()))
        return Iterate(plan, system.flow.value, system.duals(), relative, float(self._left.max()))
