"""From one scenario in Pyomo to the arrays of N scenarios: compiled once on a short horizon, stamped by NumPy.

What belongs here: `Programme`, the two-stage linear problem as arrays that all solvers share. What does not: the
formulation and its numbers (`formulation.py`, `numbers.py`) and any solver.

    minimise  (1 - a) sum_n p_n (plan_cost_n x + cost_n y_n) + a CVaR(plan_loss_n x + loss_n y_n)
    subject to  row_lower_n <= W y_n + T_n x <= row_upper_n,  lower <= y_n <= upper,
                plan_matrix x <= plan_limit,  plan_lower <= x <= plan_upper.

W is the same in all scenarios, T_n has the same places in all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pyomo.environ as pyo
from scipy.sparse import csc_array, csr_array

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.optimisation.compilation import (
    PATTERN_PERIODS,
    CompiledPath,
    Stencil,
    pattern_battery,
    read_stencils,
    stretch,
)
from bess_pipeline.optimisation.path_numbers import path_coefficients, variable_names
from bess_pipeline.optimisation.problem import ClosingState, FloatArray, IntArray
from bess_pipeline.optimisation.stochastic.formulation import build_scenario_model
from bess_pipeline.optimisation.stochastic.numbers import (
    DAY_AHEAD,
    ScenarioNumbers,
    scenario_coefficients,
    scenario_numbers,
)
from bess_pipeline.optimisation.stochastic.problem import ResponseProduct, StochasticProblem


@dataclass(frozen=True)
class Technology:
    """T_n: entry k stands in row[k] of a scenario and column[k] of the plan; value (N, entries)."""

    row: IntArray
    column: IntArray
    value: FloatArray

    def of(self, scenario: int, rows: int, columns: int) -> csr_array:
        """The matrix of one scenario."""
        return csr_array((self.value[scenario], (self.row, self.column)), shape=(rows, columns))


@dataclass(frozen=True)
class Plan:
    """The first stage: names, bounds, rows `matrix @ x <= limit` with their names."""

    names: tuple[str, ...]
    lower: FloatArray
    upper: FloatArray
    matrix: FloatArray
    limit: FloatArray
    row_names: tuple[str, ...]


@dataclass(frozen=True)
class Programme:
    """The arrays of a problem; names as in the module's docstring. Costs are (N, columns), bounds of rows (N, rows).

    shares: names of `plan_column` that the formulation does not have: the variable whose coefficients they share, and
    the share (N, T) (`steps.py`).
    """

    problem: StochasticProblem
    stencils: tuple[Stencil, ...]
    numbers: ScenarioNumbers
    coefficients: Mapping[str, FloatArray]
    plan_column: Mapping[str, IntArray]
    path: CompiledPath
    technology: Technology
    plan: Plan
    cost: FloatArray
    loss: FloatArray
    plan_cost: FloatArray
    plan_loss: FloatArray
    lower: FloatArray
    upper: FloatArray
    row_lower: FloatArray
    row_upper: FloatArray
    shares: Mapping[str, tuple[str, FloatArray]] = field(default_factory=dict)

    @property
    def probability(self) -> FloatArray:
        """(N,)"""
        return self.problem.probability


def compile_programme(problem: StochasticProblem) -> Programme:
    """The arrays of a problem. `plan_column[name][t]`: the column of x that a plan's name means in period t, or -1."""
    stencils, names = _pattern(problem)
    coefficients = path_coefficients(problem.energy) | scenario_coefficients(problem)
    numbers = scenario_numbers(problem)
    plan_column = _plan_columns(problem, numbers.plan)
    recourse = tuple(_without(stencil, numbers.plan) for stencil in stencils)
    group = problem.energy.cycle_groups
    shared = {name: values for name, values in coefficients.items() if values.ndim == 1}
    path = stretch(recourse, names, group, shared)
    row_lower, row_upper = _row_bounds(path, numbers, problem.scenarios)
    return Programme(
        problem=problem,
        stencils=stencils,
        numbers=numbers,
        coefficients=coefficients,
        plan_column=plan_column,
        path=path,
        technology=_technology(stencils, path, plan_column, group, coefficients, len(problem.plan_names)),
        plan=_plan(problem, plan_column),
        cost=_by_column(path, numbers.cost, problem.scenarios),
        loss=_by_column(path, numbers.loss, problem.scenarios),
        plan_cost=_by_plan(numbers.cost, plan_column, problem),
        plan_loss=_by_plan(numbers.loss, plan_column, problem),
        lower=path.column_vector(numbers.lower),
        upper=path.column_vector(numbers.upper),
        row_lower=row_lower,
        row_upper=row_upper,
    )


def _pattern(problem: StochasticProblem) -> tuple[tuple[Stencil, ...], tuple[str, ...]]:
    kinds = tuple(
        ResponseProduct(one.code, one.direction, one.recovery_share, one.volume_mwh_per_mw) for one in problem.responses
    )
    battery = problem.battery
    standby = battery.auxiliary_mw > 0
    return _stencils(pattern_battery(battery), standby, kinds, problem.baseline_adds_headroom)


@lru_cache(maxsize=16)
def _stencils(
    battery: Battery, standby: bool, responses: tuple[ResponseProduct, ...], headroom: bool
) -> tuple[tuple[Stencil, ...], tuple[str, ...]]:
    """Rows of a short horizon with one product and one block, read off family by family; and the recourse columns."""
    from dataclasses import replace

    battery = replace(battery, auxiliary_mw=1e-3 if standby else 0.0)
    ones, zeros = np.ones((1, PATTERN_PERIODS)), np.zeros(PATTERN_PERIODS, dtype=np.int64)
    problem = StochasticProblem(
        battery,
        1.0,
        0,
        PATTERN_PERIODS,
        zeros,
        ones,
        ones,
        np.ones(1),
        0.0,
        ClosingState.free(),
        1.0,
        block_of_period=zeros if responses else None,
        responses=responses,
        baseline_adds_headroom=headroom,
    )

    def build(coefficients: Mapping[str, FloatArray]) -> pyo.ConcreteModel:
        return build_scenario_model(problem, 0, coefficients)

    names = [*path_coefficients(problem.energy), *scenario_coefficients(problem)]
    return read_stencils(build, names), variable_names(problem.energy) + scenario_numbers(problem).recourse


def _without(stencil: Stencil, plan: tuple[str, ...]) -> Stencil:
    terms = tuple(term for term in stencil.terms if term.variable not in plan)
    return Stencil(stencil.name, stencil.per, terms, stencil.equality)


def _plan_columns(problem: StochasticProblem, names: tuple[str, ...]) -> dict[str, IntArray]:
    columns = {DAY_AHEAD: problem.product_index}
    first = problem.products
    for name in names[1:]:
        columns[name] = np.where(problem.block_index >= 0, first + problem.block_index, -1)
        first += problem.blocks
    return columns


def _technology(
    stencils: tuple[Stencil, ...],
    path: CompiledPath,
    plan_column: Mapping[str, IntArray],
    group: IntArray,
    coefficients: Mapping[str, FloatArray],
    columns: int,
) -> Technology:
    """Terms of the plan in every row and scenario; what several periods say of one column in one row is added up."""
    periods = np.arange(group.size)
    row_of = {"PERIODS": periods, "DAYS": group, "HORIZON": np.zeros_like(group)}
    places, values = [], []
    for stencil in stencils:
        for term in stencil.terms:
            if term.variable not in plan_column:
                continue
            assert term.coefficient is not None
            column, rows = plan_column[term.variable], path.rows[stencil.name].start + row_of[stencil.per]
            members = column >= 0
            places.append((rows * columns + column)[members])
            values.append(term.factor * np.atleast_2d(coefficients[term.coefficient])[:, members])
    place, value = np.concatenate(places), np.concatenate(values, axis=1)
    unique, where = np.unique(place, return_inverse=True)
    gather = csr_array((np.ones(where.size), (where, np.arange(where.size))), shape=(unique.size, where.size))
    return Technology(unique // columns, unique % columns, np.ascontiguousarray((gather @ value.T).T))


def _plan(problem: StochasticProblem, plan_column: Mapping[str, IntArray]) -> Plan:
    energy = problem.energy
    limits = (energy.charge_limit_mwh / energy.durations, energy.discharge_limit_mwh / energy.durations)
    most = [_per_index(problem.product_index, values, problem.products, np.maximum) for values in limits]
    cap = np.asarray(problem.response_cap_mw).ravel()
    lower, upper = np.concatenate([-most[0], np.zeros(cap.size)]), np.concatenate([most[1], cap])
    first = problem.products
    for given, where in (
        (problem.day_ahead_fixed_mw, slice(0, first)),
        (problem.response_fixed_mw, slice(first, None)),
    ):
        if given is not None:
            values = np.ravel(given)
            lower[where] = np.where(np.isnan(values), lower[where], values)
            upper[where] = np.where(np.isnan(values), upper[where], values)
    matrix, limit, names = _response_rows(problem, limits)
    if problem.plan_rows is not None:
        matrix = np.vstack([matrix, problem.plan_rows.matrix])
        limit, names = np.concatenate([limit, problem.plan_rows.limit]), names + problem.plan_rows.names
    return Plan(problem.plan_names, lower, upper, matrix, limit, names)


def _response_rows(
    problem: StochasticProblem, limits: tuple[FloatArray, FloatArray]
) -> tuple[FloatArray, FloatArray, tuple[str, ...]]:
    """Response alone within each block: rating with recovery both ways, and usable energy (domain reference 5.2)."""
    blocks, responses, first = problem.blocks, problem.responses, problem.products
    rows: list[FloatArray] = []
    right: list[float] = []
    names: list[str] = []
    sides: list[tuple[str, list[float], FloatArray]] = []
    if not problem.baseline_adds_headroom:
        for direction, values in (("high", limits[0]), ("low", limits[1])):
            share = [1.0 if one.direction == direction else one.recovery_share for one in responses]
            sides.append((f"rating_{direction}", share, _per_index(problem.block_index, values, blocks, np.minimum)))
    volume = [one.volume_mwh_per_mw for one in responses]
    sides.append(("usable_energy", volume, np.full(blocks, problem.battery.usable_energy_mwh)))
    for name, share, most in sides if responses else []:
        for b in range(blocks):
            row = np.zeros(len(problem.plan_names))
            row[first + np.arange(len(responses)) * blocks + b] = share
            rows.append(row)
            right.append(float(most[b]))
            names.append(f"{name}[{b}]")
    return np.array(rows).reshape(len(rows), len(problem.plan_names)), np.array(right), tuple(names)


def _per_index(index: IntArray, values: FloatArray, count: int, choose: np.ufunc) -> FloatArray:
    found = np.full(count, -np.inf if choose is np.maximum else np.inf)
    choose.at(found, index[index >= 0], values[index >= 0])
    return found


def _by_column(path: CompiledPath, values: Mapping[str, FloatArray], count: int) -> FloatArray:
    found = np.empty((count, path.matrix.shape[1]))
    for name, where in path.columns.items():
        found[:, where] = values[name]
    return found


def _by_plan(
    values: Mapping[str, FloatArray], plan_column: Mapping[str, IntArray], problem: StochasticProblem
) -> FloatArray:
    found = np.zeros((problem.scenarios, len(problem.plan_names)))
    for name, column in plan_column.items():
        members = np.flatnonzero(column >= 0)
        tie = csc_array((np.ones(members.size), (members, column[members])), shape=(column.size, found.shape[1]))
        found += np.broadcast_to(values[name], (problem.scenarios, column.size)) @ tie
    return found


def _row_bounds(path: CompiledPath, numbers: ScenarioNumbers, count: int) -> tuple[FloatArray, FloatArray]:
    upper = np.empty((count, path.matrix.shape[0]))
    for name, where in path.rows.items():
        upper[:, where] = numbers.right_hand_side[name]
        if name in numbers.opening:
            upper[:, where.start] += numbers.opening[name]
    return np.where(path.equality, upper, -np.inf), upper
