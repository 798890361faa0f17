"""Stretched arrays equal Pyomo's own; the session re-solves by change of numbers and states its status."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pyomo.environ as pyo
import pytest
from pyomo.repn.plugins.standard_form import LinearStandardFormCompiler

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.errors import SolverError
from bess_pipeline.optimisation.compilation import compile_path
from bess_pipeline.optimisation.formulation import build_model
from bess_pipeline.optimisation.path_numbers import PathNumbers, path_numbers, variable_names
from bess_pipeline.optimisation.problem import ClosingState, EnergyProblem
from bess_pipeline.optimisation.session import HighsSession
from bess_pipeline.optimisation.status import SolveStatus

EVERYTHING = {
    "self_discharge_per_hour": 0.01,
    "auxiliary_mw": 0.1,
    "import_limit_mw": 3.0,
    "export_limit_mw": 2.0,
    "ramp_limit_mw_per_hour": 3.0,
    "max_throughput_mwh_per_day": 9.0,
    "warranty_cycles": 2.0,
    "cycle_depth_cost_gbp_per_mwh": (1.0, 4.0),
}


def _problem(periods: int, cycles: float | None, power: float, seed: int = 0) -> EnergyProblem:
    rng = np.random.default_rng(seed)
    battery = Battery(10.0, power, 0.9, 0.95, 0.1, 0.9, 0.5, 0.5, 2.0, cycles)
    hours = rng.choice([0.5, 1.0], periods)
    price = rng.uniform(-50, 150, periods)
    return EnergyProblem(price, hours, np.arange(periods) // 5, battery, 5.0, ClosingState.at_least(4.0, 30.0))


@pytest.mark.parametrize("periods", [1, 2, 3, 5, 11, 30])
@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"max_cycles_per_day": 1.5},
        {"max_cycles_per_day": 1.5, "power_mw": math.inf},
        *[{name: value} for name, value in EVERYTHING.items()],
        EVERYTHING | {"max_cycles_per_day": 1.5},
    ],
    ids=lambda terms: "+".join(terms) if len(terms) < 4 else "everything",
)
def test_stretching_equals_pyomo_on_the_whole_horizon(periods: int, terms: dict[str, Any]) -> None:
    """Durations and availabilities differ between periods, so coefficients do; an outage has none at all."""
    rng = np.random.default_rng(periods)
    plain = _problem(periods, None, 4.0)
    problem = replace(
        plain,
        battery=replace(plain.battery, **terms),
        charge_availability=rng.choice([0.0, 0.5, 1.0], periods),
        discharge_availability=rng.choice([0.0, 0.7, 1.0], periods),
        opening_export_mw=1.0,
    )
    path, numbers, model = compile_path(problem), path_numbers(problem), build_model(problem)
    names = variable_names(problem)
    order = [model.component(name) for name in names]
    whole = LinearStandardFormCompiler().write(model, mixed_form=True, column_order=order)
    np.testing.assert_array_equal(path.matrix.toarray(), whole.A.toarray())
    np.testing.assert_allclose(path.column_vector(numbers.cost), whole.c.toarray()[0], atol=1e-12)
    lower, upper = path.row_bounds(numbers)
    np.testing.assert_allclose(upper, whole.rhs)
    np.testing.assert_array_equal(lower == upper, [row.bound_type == 0 for row in whole.rows])
    columns = [variable.name for variable in whole.columns]
    for name, where in path.columns.items():
        assert columns[where] == [f"{name}[{t}]" for t in range(periods)]
    rows = [row.constraint.parent_component().local_name for row in whole.rows]
    for name, where in path.rows.items():
        assert rows[where] == [name] * (where.stop - where.start)


def test_problems_of_one_shape_share_their_matrix() -> None:
    """Prices, states and the size of limits are no part of it: a live solver keeps it from day to day."""
    first, second = _problem(30, 1.0, 4.0, seed=1), _problem(30, 1.0, 4.0, seed=1)
    faded = replace(second, battery=replace(second.battery, energy_mwh=9.0), price_gbp_mwh=np.zeros(30))
    assert compile_path(first) is compile_path(faded)
    assert compile_path(first) is not compile_path(replace(first, charge_availability=0.5))


def test_the_session_solves_what_pyomo_solves() -> None:
    problem = _problem(30, 1.0, 4.0)
    model = build_model(problem)
    pyo.SolverFactory("appsi_highs").solve(model)
    solution = HighsSession(compile_path(problem), path_numbers(problem)).solve()
    assert solution.status is SolveStatus.OPTIMAL
    assert solution.cost == pytest.approx(pyo.value(model.cost), abs=1e-8)
    assert solution.bound == solution.cost


def test_changing_numbers_gives_what_a_fresh_session_gives() -> None:
    first, second = _problem(30, 1.0, 4.0, seed=1), _problem(30, 1.0, 4.0, seed=2)
    session = HighsSession(compile_path(first), path_numbers(first))
    fresh = HighsSession(compile_path(second), path_numbers(second)).solve()
    session.solve()
    session.set_numbers(path_numbers(second))
    assert session.solve().cost == pytest.approx(fresh.cost, abs=1e-8)


def test_row_duals_are_shadow_prices() -> None:
    """One more MWh a day of discharge is worth the dual of the cycle limit, between both finite differences."""
    problem = _problem(10, 0.1, 4.0, seed=3)
    path, numbers = compile_path(problem), path_numbers(problem)

    def cost(extra_mwh: float) -> float:
        limit = numbers.right_hand_side["cycle_limit"] + np.array([extra_mwh, 0.0])
        right = dict(numbers.right_hand_side) | {"cycle_limit": limit}
        return HighsSession(path, PathNumbers(numbers.lower, numbers.upper, numbers.cost, right)).solve().cost

    dual = HighsSession(path, numbers).solve().row_dual
    assert dual is not None
    shadow = dual[path.rows["cycle_limit"]][0]
    step = 1e-3
    left, right = (cost(0) - cost(-step)) / step, (cost(step) - cost(0)) / step
    assert left - 1e-6 <= shadow <= right + 1e-6
    assert shadow < -1.0  # the limit binds


def test_infeasible_gives_a_status_and_no_numbers() -> None:
    battery = Battery(10.0, 1.0, initial_soc=0.0, final_soc=0.0)
    problem = EnergyProblem([1.0], 0.5, 0, battery, 0.0, ClosingState.fixed(10.0))
    solution = HighsSession(compile_path(problem), path_numbers(problem)).solve()
    assert solution.status is SolveStatus.INFEASIBLE
    assert solution.column is None
    assert math.isnan(solution.cost)


def test_numbers_that_are_not_finite_never_reach_the_solver() -> None:
    problem = _problem(5, None, 4.0)
    numbers = path_numbers(problem)
    broken = numbers.cost["charge_mwh"].copy()
    broken[3] = math.inf
    bad = PathNumbers(numbers.lower, numbers.upper, {**numbers.cost, "charge_mwh": broken}, numbers.right_hand_side)
    with pytest.raises(SolverError, match="the cost of charge_mwh in period 3 is inf"):
        HighsSession(compile_path(problem), bad)
    session = HighsSession(compile_path(problem), numbers)
    with pytest.raises(SolverError, match="period 3"):
        session.set_numbers(bad)
