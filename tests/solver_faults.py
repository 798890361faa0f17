"""Optimisations gone wrong, for the solver process to run: named where a test of the guard asks for them.

Those that end in `_on_the_short_day` do so where the first day of the problem has 23 hours, and solve any other.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from bess_pipeline.errors import SolverError, UserInputError

NEVER_S = 3600.0
HOURS_OF_THE_SHORT_DAY = 23


def as_it_should_be(problem: Any, *, time_limit_s: float) -> Any:
    from bess_pipeline.optimisation.rolling import optimise_horizon  # seconds that only these questions need

    return optimise_horizon(problem, time_limit_s=time_limit_s)


def pid() -> int:
    return os.getpid()


def sleep_for_ever(*_: Any, **__: Any) -> None:
    time.sleep(NEVER_S)


def hold_everything_for_ever(*_: Any, **__: Any) -> None:
    """A hang in which no other thread of the process runs: one long step in C."""
    sum(range(10**15))


def hang_and_say_who(note: str) -> None:
    Path(note).write_text(str(os.getpid()))
    time.sleep(NEVER_S)


def crash(*_: Any, **__: Any) -> None:
    os.abort()


def leave(*_: Any, **__: Any) -> None:
    os._exit(3)


def run_out_of_memory(*_: Any, **__: Any) -> None:
    raise MemoryError


def write_garbage(*_: Any, **__: Any) -> None:
    """Bytes that are no answer, written where the answer belongs."""
    for descriptor in Path("/dev/fd").iterdir():
        number = int(descriptor.name)
        if number > 2:
            try:
                os.write(number, b"\0\0\0\4no!!")
            except OSError:
                continue
    time.sleep(NEVER_S)


def answer_none(*_: Any, **__: Any) -> None:
    return None


def answer_an_infeasible_schedule(problem: Any, *, time_limit_s: float) -> Any:
    found = as_it_should_be(problem, time_limit_s=time_limit_s)
    return replace(found, discharge_mw=found.charge_mw * 0.0 + problem.battery.power_mw)


def answer_half_a_schedule(problem: Any, *, time_limit_s: float) -> Any:
    found, half = as_it_should_be(problem, time_limit_s=time_limit_s), problem.periods // 2
    return replace(
        found,
        charge_mw=found.charge_mw[:half],
        discharge_mw=found.discharge_mw[:half],
        energy_mwh=found.energy_mwh[:half],
    )


def answer_not_a_number(problem: Any, *, time_limit_s: float) -> Any:
    found = as_it_should_be(problem, time_limit_s=time_limit_s)
    return replace(found, energy_mwh=found.energy_mwh * math.nan)


def say_infeasible(*_: Any, **__: Any) -> None:
    raise SolverError("the solver ended with status infeasible and without a schedule")


def say_unknown(*_: Any, **__: Any) -> None:
    raise SolverError("the solver ended with status unknown and without a schedule")


def run_out_of_time(problem: Any, *, time_limit_s: float) -> None:
    from bess_pipeline.optimisation.infeasible import why_no_schedule
    from bess_pipeline.optimisation.status import SolveStatus

    raise SolverError(why_no_schedule(problem, SolveStatus.TIME_LIMIT, time_limit_s))


def _on_the_short_day(fault: Callable[..., Any]) -> Callable[..., Any]:
    def solve(problem: Any, *, time_limit_s: float) -> Any:
        short = int((problem.cycle_groups == 0).sum()) == HOURS_OF_THE_SHORT_DAY
        return (fault if short else as_it_should_be)(problem, time_limit_s=time_limit_s)

    return solve


sleep_for_ever_on_the_short_day = _on_the_short_day(sleep_for_ever)
crash_on_the_short_day = _on_the_short_day(crash)
say_infeasible_on_the_short_day = _on_the_short_day(say_infeasible)
say_unknown_on_the_short_day = _on_the_short_day(say_unknown)
run_out_of_time_on_the_short_day = _on_the_short_day(run_out_of_time)
answer_none_on_the_short_day = _on_the_short_day(answer_none)
answer_an_infeasible_schedule_on_the_short_day = _on_the_short_day(answer_an_infeasible_schedule)


def refuse() -> None:
    raise UserInputError("these prices cannot be used")
