"""From the Pyomo formulation to sparse arrays: compiled once on a short horizon, stretched by NumPy.

What belongs here: the constraint matrix, and which column and row stand for which variable and
constraint. What does not: the formulation itself (`formulation.py`) and the solver (`session.py`).

Every constraint of the formulation repeats along time: a row of period t touches variables of t and
of periods just before it, and a row of a day touches all its periods alike. So Pyomo writes a horizon
of a few periods (milliseconds), each family's row is read off as a stencil, and NumPy repeats the
stencil over any horizon. That the result equals Pyomo's own matrix of the whole horizon is a test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from pyomo.repn.plugins.standard_form import LinearStandardFormCompiler
from scipy.sparse import coo_array, csc_array

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.optimisation.formulation import VARIABLES, PathNumbers, build_model
from bess_pipeline.optimisation.problem import ClosingState, EnergyProblem, FloatArray, IntArray

PATTERN_PERIODS = 4  # longer than the reach of any row of the formulation into the past


@dataclass(frozen=True)
class CompiledPath:
    """Constraint matrix of a horizon, with the map from names to columns and rows.

    matrix: (rows, columns) sparse by column; columns and rows: name -> slice in period (or day) order;
    equality: one flag per row, True for "=", False for "<=".
    """

    matrix: csc_array
    columns: Mapping[str, slice]
    rows: Mapping[str, slice]
    equality: np.ndarray

    def column_vector(self, values: Mapping[str, FloatArray]) -> FloatArray:
        """Values by variable laid out by column."""
        vector = np.empty(self.matrix.shape[1])
        for name, where in self.columns.items():
            vector[where] = values[name]
        return vector

    def row_bounds(self, numbers: PathNumbers) -> tuple[FloatArray, FloatArray]:
        """Lower and upper bound of every row."""
        upper = np.empty(self.matrix.shape[0])
        for name, where in self.rows.items():
            upper[where] = numbers.right_hand_side[name]
        return np.where(self.equality, upper, -np.inf), upper


@dataclass(frozen=True)
class _Stencil:
    """One family of rows: its terms (variable, lag in periods, coefficient), or per day (lag None)."""

    name: str
    terms: tuple[tuple[str, int | None, float], ...]
    equality: bool


def compile_path(problem: EnergyProblem) -> CompiledPath:
    """The arrays of a problem's constraints; bounds, costs and right-hand sides come from `path_numbers`."""
    groups = problem.cycle_groups if problem.cycle_limit_mwh is not None else np.zeros(problem.periods, dtype=np.int64)
    return _compile(problem.battery, groups.tobytes())


@lru_cache(maxsize=16)
def _compile(battery: Battery, groups: bytes) -> CompiledPath:
    group = np.frombuffer(groups, dtype=np.int64)
    return _stretch(_stencils(battery), group)


@lru_cache(maxsize=16)
def _stencils(battery: Battery) -> tuple[_Stencil, ...]:
    """The rows of a short horizon as Pyomo's compiler writes them, read off family by family."""
    ones = np.ones(PATTERN_PERIODS)
    pattern = EnergyProblem(ones, 1.0, 0, battery, battery.energy_min_mwh, ClosingState.free())
    model = build_model(pattern)
    form = LinearStandardFormCompiler().write(model, mixed_form=True, set_sense=None)
    column = [(variable.parent_component().local_name, variable.index()) for variable in form.columns]
    matrix = form.A.tocsr()
    last = {row.constraint.parent_component().local_name: number for number, row in enumerate(form.rows)}
    stencils = []
    for name, number in last.items():
        entries = slice(matrix.indptr[number], matrix.indptr[number + 1])
        per_period = model.component(name).index_set() is model.PERIODS
        row = [(*column[j], value) for j, value in zip(matrix.indices[entries], matrix.data[entries], strict=True)]
        terms = _period_terms(row) if per_period else _day_terms(name, row)
        stencils.append(_Stencil(name, terms, form.rows[number].bound_type == 0))
    return tuple(stencils)


def _period_terms(row: list[tuple[str, int, float]]) -> tuple[tuple[str, int | None, float], ...]:
    return tuple((name, PATTERN_PERIODS - 1 - period, float(value)) for name, period, value in row)


def _day_terms(name: str, row: list[tuple[str, int, float]]) -> tuple[tuple[str, int | None, float], ...]:
    terms = {(variable, float(value)) for variable, _, value in row}
    if len(terms) * PATTERN_PERIODS != len(row):
        raise AssertionError(f"constraint {name} does not treat the periods of a day alike; it cannot be stretched")
    return tuple((variable, None, value) for variable, value in sorted(terms))


def _stretch(stencils: tuple[_Stencil, ...], group: IntArray) -> CompiledPath:
    """The stencils repeated over the periods of a horizon."""
    periods, days = group.size, int(group.max()) + 1
    columns = {name: slice(k * periods, (k + 1) * periods) for k, name in enumerate(VARIABLES)}
    rows: dict[str, slice] = {}
    equality: list[np.ndarray] = []
    row_index: list[IntArray] = []
    column_index: list[IntArray] = []
    values: list[FloatArray] = []
    first = 0
    for stencil in stencils:
        count = days if stencil.terms[0][1] is None else periods
        for variable, lag, value in stencil.terms:
            members = np.arange(lag or 0, periods)
            row_index.append(first + (group if lag is None else members))
            column_index.append(columns[variable].start + members - (lag or 0))
            values.append(np.full(members.size, value))
        rows[stencil.name] = slice(first, first + count)
        equality.append(np.full(count, stencil.equality))
        first += count
    shape = (first, len(VARIABLES) * periods)
    entries = (np.concatenate(values), (np.concatenate(row_index), np.concatenate(column_index)))
    return CompiledPath(coo_array(entries, shape=shape).tocsc(), columns, rows, np.concatenate(equality))
