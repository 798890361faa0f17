"""What everything else asks for an optimum: guarded or in this process, under the limits of the settings.

What belongs here: which function solves what, and the look at an answer before anybody uses it. What does not:
the solver process (`guard.py`) and the optimisations (`energy.py`, `rolling.py`, which take seconds to import
and are imported by whoever solves).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bess_pipeline.errors import SolverError, UserInputError
from bess_pipeline.optimisation.guard import shared_guard
from bess_pipeline.optimisation.problem import EnergyProblem
from bess_pipeline.optimisation.schedule import EnergySchedule
from bess_pipeline.optimisation.verify import verify
from bess_pipeline.optimisation.worker import resolve
from bess_pipeline.settings import SolverSettings

if TYPE_CHECKING:
    from bess_pipeline.optimisation.shadow_prices import ShadowPrices

OPTIMISE = "bess_pipeline.optimisation.energy:optimise_energy"
SHADOW_PRICES = "bess_pipeline.optimisation.shadow_prices:shadow_prices"
ROLL = "bess_pipeline.optimisation.rolling:optimise_horizon"


class Solver:
    """Solves energy problems. Every failure, a hang or a crash included, is a SolverError with one sentence."""

    def __init__(self, settings: SolverSettings, *, optimise: str = OPTIMISE, roll: str = ROLL) -> None:
        """`optimise` and `roll` name the functions ("module:name") behind the methods of these names."""
        self._settings = settings
        self._optimise, self._roll = optimise, roll

    def start(self) -> None:
        """Start the solver process in the background where there is to be one."""
        if self._settings.guarded:
            shared_guard().start()

    def optimise(self, problem: EnergyProblem) -> EnergySchedule:
        """The optimum of a single problem (`energy.optimise_energy`)."""
        return self._solved(self._optimise, problem)

    def roll(self, problem: EnergyProblem) -> EnergySchedule:
        """The optimum of one of many problems on the same battery and periods (`rolling.optimise_horizon`)."""
        return self._solved(self._roll, problem)

    def shadow_prices(self, problem: EnergyProblem, schedule: EnergySchedule) -> ShadowPrices:
        """What more of each limit would earn at an optimum (`shadow_prices.shadow_prices`)."""
        found: ShadowPrices = self._ask(SHADOW_PRICES, problem, schedule)
        return found

    def _solved(self, function: str, problem: EnergyProblem) -> EnergySchedule:
        return _usable(self._ask(function, problem), problem)

    def _ask(self, function: str, *arguments: Any) -> Any:
        limit_s = self._settings.time_limit_s
        if not self._settings.guarded:
            return resolve(function)(*arguments, time_limit_s=limit_s)
        return shared_guard().ask(function, *arguments, time_limit_s=limit_s, limit_s=self._settings.hard_limit_s)


IN_PROCESS = Solver(SolverSettings(guarded=False))


def with_time_limit(settings: SolverSettings, time_limit_s: float) -> SolverSettings:
    """The settings with another time limit, the hard limit as far above it as before; UserInputError when not > 0."""
    if not time_limit_s > 0:
        raise UserInputError(f"a time limit of {time_limit_s:g} s leaves no time: give more than 0 seconds")
    margin_s = settings.hard_limit_s - settings.time_limit_s
    return settings.model_copy(update={"time_limit_s": time_limit_s, "hard_limit_s": time_limit_s + margin_s})


def _usable(answer: Any, problem: EnergyProblem) -> EnergySchedule:
    """The answer, once it is known to be a schedule that the problem's battery can follow."""
    if not isinstance(answer, EnergySchedule):
        raise SolverError(f"the solver's answer is no schedule but {type(answer).__name__}, and is not used")
    lengths = {answer.charge_mw.shape, answer.discharge_mw.shape, answer.energy_mwh.shape, answer.unserved_mwh.shape}
    if lengths != {problem.prices.shape}:
        raise SolverError(f"the solver's answer is no schedule of {problem.periods} periods, and is not used")
    verify(problem, answer)
    return answer
