"""What one more unit of a battery is worth: shadow prices of an optimal schedule.

What belongs here: derivatives of the optimal objective by the battery's own parameters. What does not:
the optimum and its dual solution (`energy.py`).

Envelope theorem (Milgrom and Segal 2002; for linear problems Freund 1985): with x and the duals y, z of
min c(θ)x, A(θ)x {=, <=} b(θ), l(θ) <= x <= u(θ), the optimum changes with θ at the rate of its Lagrangian,
    dV/dθ = - c'x + y (b' - A'x) + z (l' or u', whichever x stands at),
V maximised, y and z as in `energy.PathDuals`. The derivatives of the arrays are differences of the arrays
themselves (they are linear or smooth in θ), so every kind of constraint is covered. Where directions had to
be fixed (negative prices), they stay fixed: the usual meaning of a dual of a mixed-integer problem.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.optimisation.compilation import compile_path
from bess_pipeline.optimisation.energy import EnergySession, PathDuals
from bess_pipeline.optimisation.path_numbers import PathNumbers, path_numbers
from bess_pipeline.optimisation.problem import ClosingState, EnergyProblem, FloatArray
from bess_pipeline.optimisation.schedule import EnergySchedule

STEP = 1e-5  # of a parameter, relative; the arrays are differenced, never the optimum
AT_BOUND_MWH = 1e-7
Change = Callable[[float], EnergyProblem]


@dataclass(frozen=True)
class ShadowPrices:
    """Worth of a little more, GBP over the horizon of the schedule; None where the battery has no such limit.

    power_gbp_per_mw: rating, both directions; energy_gbp_per_mwh: energy at 100 %, opening and closing at the same
    state of charge; cycles_gbp_per_tenth_a_day: 0.1 cycle a day on `max_cycles_per_day`;
    efficiency_gbp_per_point: one percentage point of round-trip efficiency, shared by both legs;
    warranty_gbp_per_cycle: one cycle on the warranty budget.
    """

    power_gbp_per_mw: float | None
    energy_gbp_per_mwh: float
    cycles_gbp_per_tenth_a_day: float | None
    efficiency_gbp_per_point: float
    warranty_gbp_per_cycle: float | None


def shadow_prices(problem: EnergyProblem, schedule: EnergySchedule, *, time_limit_s: float = 60.0) -> ShadowPrices:
    """Shadow prices of `problem` at its optimal `schedule`.

    Raises SolverError when the linear problem with the schedule's directions does not reach its objective
    (a schedule with an open gap has no shadow prices).
    """
    session = EnergySession(problem, time_limit_s=time_limit_s)
    duals = session.duals(schedule)
    battery = problem.battery

    def worth(size: float, change: Change) -> float:
        return _derivative(problem, duals, size, change)

    cycles, warranty = battery.max_cycles_per_day, battery.warranty_cycles
    return ShadowPrices(
        power_gbp_per_mw=None if math.isinf(battery.power_mw) else worth(battery.power_mw, with_more_power(problem)),
        energy_gbp_per_mwh=worth(battery.energy_mwh, with_more_energy(problem)),
        cycles_gbp_per_tenth_a_day=None if cycles is None else 0.1 * worth(cycles, with_more_cycles(problem)),
        efficiency_gbp_per_point=0.01 * worth(battery.round_trip_efficiency, with_more_efficiency(problem)),
        warranty_gbp_per_cycle=None if warranty is None else worth(warranty, with_more_warranty(problem)),
    )


def with_more_power(problem: EnergyProblem) -> Change:
    """The problem with more MW of rating."""
    return lambda extra: _with_battery(problem, power_mw=problem.battery.power_mw + extra)


def with_more_energy(problem: EnergyProblem) -> Change:
    """The problem with more MWh at 100 %; opening and closing keep their state of charge."""

    def change(extra: float) -> EnergyProblem:
        ratio = 1.0 + extra / problem.battery.energy_mwh
        closing = problem.closing
        closing = ClosingState(closing.kind, closing.energy_mwh * ratio, closing.terminal_value_gbp_mwh)
        battery = replace(problem.battery, energy_mwh=problem.battery.energy_mwh + extra)
        return replace(problem, battery=battery, opening_energy_mwh=problem.opening_energy_mwh * ratio, closing=closing)

    return change


def with_more_cycles(problem: EnergyProblem) -> Change:
    """The problem with more cycles a day."""
    return lambda extra: _with_battery(problem, max_cycles_per_day=(problem.battery.max_cycles_per_day or 0.0) + extra)


def with_more_warranty(problem: EnergyProblem) -> Change:
    """The problem with more cycles in its warranty budget."""
    return lambda extra: _with_battery(problem, warranty_cycles=(problem.battery.warranty_cycles or 0.0) + extra)


def with_more_efficiency(problem: EnergyProblem) -> Change:
    """The problem with a higher round-trip efficiency (as a fraction), both legs better by the same factor."""

    def change(extra: float) -> EnergyProblem:
        battery = problem.battery
        factor = math.sqrt(1.0 + extra / battery.round_trip_efficiency)
        return _with_battery(
            problem,
            charge_efficiency=battery.charge_efficiency * factor,
            discharge_efficiency=battery.discharge_efficiency * factor,
        )

    return change


def _with_battery(problem: EnergyProblem, **values: float) -> EnergyProblem:
    battery: Battery = replace(problem.battery, **values)  # type: ignore[arg-type]  # only numbers are replaced
    return replace(problem, battery=battery)


def _derivative(problem: EnergyProblem, duals: PathDuals, size: float, change: Change) -> float:
    """Rate of the optimum, GBP per unit of the parameter, from the arrays on both sides of it.

    A lossless leg cannot get better: the rate is then that of getting worse.
    """
    step = STEP * size
    lossless = max(problem.battery.charge_efficiency, problem.battery.discharge_efficiency) > 1.0 - STEP
    top = 0.0 if lossless else step
    below, above, width = change(-step), change(top), step + top
    before, after = path_numbers(below), path_numbers(above)
    old, new = compile_path(below), compile_path(above)
    column = new.column_vector(duals.value)
    moved = (new.matrix @ column - old.matrix @ column) / width
    rate = 0.0
    for name, row in duals.row.items():
        risen = (after.right_hand_side[name] - before.right_hand_side[name]) / width
        rate += float(row @ (risen - moved[new.rows[name]]))
    for name, reduced in duals.reduced.items():
        rate += float(reduced @ _bound_rate(name, duals, before, after, reduced)) / width
        rate -= float((after.cost[name] - before.cost[name]) @ duals.value[name]) / width
    return rate


def _bound_rate(
    name: str, duals: PathDuals, before: PathNumbers, after: PathNumbers, reduced: FloatArray
) -> FloatArray:
    """How the bound each variable stands at moved; a direction that is fixed at zero is no bound of the battery."""
    value = duals.value[name]
    at_upper = (reduced > 0) & (
        value >= before.upper[name] - AT_BOUND_MWH - np.abs(after.upper[name] - before.upper[name])
    )
    at_lower = reduced < 0
    upper, lower = after.upper[name] - before.upper[name], after.lower[name] - before.lower[name]
    return np.where(at_upper, upper, np.where(at_lower, lower, 0.0))
