"""What the rest of the package gets from the solver: limits passed on, nonsense refused, statuses in words."""

from __future__ import annotations

import numpy as np
import pytest
from trading_frames import BATTERY

from bess_pipeline.errors import SolverError, UserInputError
from bess_pipeline.optimisation.problem import ClosingState, EnergyProblem
from bess_pipeline.optimisation.session import HighsSession, Solution
from bess_pipeline.optimisation.solver import IN_PROCESS, Solver, with_time_limit
from bess_pipeline.optimisation.status import SolveStatus
from bess_pipeline.settings import SolverSettings

UNGUARDED = SolverSettings(guarded=False)


def problem() -> EnergyProblem:
    price = np.tile([20.0, 30.0, 120.0, 90.0], 6)
    return EnergyProblem(price, 1.0, 0, BATTERY, 50.0, ClosingState.free(40.0))


def test_both_ways_give_the_same_optimum() -> None:
    single, rolled = IN_PROCESS.optimise(problem()), IN_PROCESS.roll(problem())
    assert single.objective_gbp == pytest.approx(rolled.objective_gbp, rel=1e-9)
    assert single.objective_gbp > 1000.0


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("answer_none", "is no schedule but NoneType"),
        ("answer_an_infeasible_schedule", "breaks the limit"),
        ("answer_half_a_schedule", "no schedule of 24 periods"),
        ("answer_not_a_number", "breaks the limit"),
    ],
)
def test_fault_31_an_answer_that_is_no_schedule_is_not_used(fault: str, words: str) -> None:
    solver = Solver(UNGUARDED, optimise=f"solver_faults:{fault}", roll=f"solver_faults:{fault}")
    for solve in (solver.optimise, solver.roll):
        with pytest.raises(SolverError, match=words):
            solve(problem())


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (SolveStatus.INFEASIBLE, "leaves no schedule"),
        (SolveStatus.UNBOUNDED, "status unbounded"),
        (SolveStatus.UNKNOWN, "status unknown"),
        (SolveStatus.TIME_LIMIT, "time limit of 7 s"),
    ],
)
def test_fault_30_every_status_but_optimal_is_a_sentence_and_no_numbers(
    monkeypatch: pytest.MonkeyPatch, status: SolveStatus, words: str
) -> None:
    nothing = Solution(status, None, None, np.nan, np.nan, 0.0)
    monkeypatch.setattr(HighsSession, "solve", lambda _: nothing)
    solver = Solver(UNGUARDED.model_copy(update={"time_limit_s": 7.0}))
    for solve in (solver.optimise, solver.roll):
        with pytest.raises(SolverError, match=words):
            solve(problem())


def test_a_longer_time_limit_moves_the_hard_one_with_it() -> None:
    settings = SolverSettings(time_limit_s=10.0, hard_limit_s=30.0)
    longer = with_time_limit(settings, 100.0)
    assert (longer.time_limit_s, longer.hard_limit_s) == (100.0, 120.0)
    with pytest.raises(UserInputError, match="leaves no time"):
        with_time_limit(settings, 0.0)
