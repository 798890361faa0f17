"""From the Pyomo formulation to sparse arrays: compiled once on a short horizon, stretched by NumPy.

What belongs here: the constraint matrix, and which column and row stand for which variable and
constraint. What does not: the formulation itself (`formulation.py`), its bounds, costs and right-hand
sides (`path_numbers.py`) and the solver (`session.py`).

Every constraint of the formulation repeats along time: a row of period t touches variables of t and
of periods just before it, and a row of a day or of the whole horizon touches all its periods alike. So
Pyomo writes a horizon of a few periods (milliseconds), each family's row is read off as a stencil, and
NumPy repeats the stencil over any horizon. A coefficient that differs between periods has a name: the
short horizon is written again with that number doubled, and the entries that move are its places. That
the result equals Pyomo's own matrix of the whole horizon is a test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyomo.environ as pyo
from pyomo.repn.plugins.standard_form import LinearStandardFormCompiler
from scipy.sparse import coo_array, csc_array

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.optimisation.formulation import build_model
from bess_pipeline.optimisation.path_numbers import PathNumbers, path_coefficients, variable_names
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
class Term:
    """One entry of a row: which variable, how many periods back, and its coefficient, times a named one if any."""

    variable: str
    lag: int
    factor: float
    coefficient: str | None


@dataclass(frozen=True)
class Stencil:
    """One family of rows: one per period, per day or for the horizon ("PERIODS", "DAYS", "HORIZON")."""

    name: str
    per: str
    terms: tuple[Term, ...]
    equality: bool


def compile_path(problem: EnergyProblem) -> CompiledPath:
    """The arrays of a problem's constraints; bounds, costs and right-hand sides come from `path_numbers`.

    Problems of the same limits, durations and days share one object, so that a solver may keep its matrix.
    """
    daily = problem.cycle_limit_mwh is not None or problem.battery.max_throughput_mwh_per_day is not None
    groups = problem.cycle_groups if daily else np.zeros(problem.periods, dtype=np.int64)
    coefficients = path_coefficients(problem)
    packed = tuple((name, _packed(values)) for name, values in coefficients.items())
    return _compile(pattern_battery(problem.battery), groups.tobytes(), packed)


def _packed(values: FloatArray) -> bytes:
    return values[:1].tobytes() if (values == values[0]).all() else values.tobytes()


def pattern_battery(battery: Battery) -> Battery:
    """A battery with the same constraints and efficiencies; its other numbers stand in no matrix."""

    def present(limit: float | None) -> float | None:
        return None if limit is None else 1.0

    return Battery(
        energy_mwh=1.0,
        power_mw=1.0,
        charge_efficiency=battery.charge_efficiency,
        discharge_efficiency=battery.discharge_efficiency,
        max_cycles_per_day=present(battery.max_cycles_per_day),
        self_discharge_per_hour=0.5 if battery.self_discharge_per_hour > 0 else 0.0,
        ramp_limit_mw_per_hour=present(battery.ramp_limit_mw_per_hour),
        max_throughput_mwh_per_day=present(battery.max_throughput_mwh_per_day),
        warranty_cycles=present(battery.warranty_cycles),
        cycle_depth_cost_gbp_per_mwh=(1.0,) * len(battery.cycle_depth_cost_gbp_per_mwh),
    )


@lru_cache(maxsize=16)
def _compile(pattern: Battery, groups: bytes, packed: tuple[tuple[str, bytes], ...]) -> CompiledPath:
    group = np.frombuffer(groups, dtype=np.int64)
    coefficients = {name: np.broadcast_to(np.frombuffer(values), group.shape) for name, values in packed}
    return stretch(_stencils(pattern), _pattern_names(pattern), group, coefficients)


def _pattern_names(pattern: Battery) -> tuple[str, ...]:
    return variable_names(_pattern_problem(pattern))


def _pattern_problem(pattern: Battery) -> EnergyProblem:
    return EnergyProblem(np.ones(PATTERN_PERIODS), 1.0, 0, pattern, 0.0, ClosingState.free())


@lru_cache(maxsize=16)
def _stencils(pattern: Battery) -> tuple[Stencil, ...]:
    """The rows of a short horizon as Pyomo's compiler writes them, read off family by family."""
    problem = _pattern_problem(pattern)
    return read_stencils(lambda coefficients: build_model(problem, coefficients), path_coefficients(problem))


def read_stencils(
    build: Callable[[Mapping[str, FloatArray]], pyo.ConcreteModel], coefficients: Iterable[str]
) -> tuple[Stencil, ...]:
    """The families of rows of a formulation, from the model that `build` writes of `PATTERN_PERIODS` periods.

    coefficients: names of those that `build` takes, one value per period each. AssertionError for a family of a day or
    of the horizon that does not treat its periods alike.
    """
    single = {name: np.ones(PATTERN_PERIODS) for name in coefficients}
    plain = _rows(build(single))
    doubled = {name: _rows(build(single | {name: 2 * values})) for name, values in single.items()}
    return tuple(_stencil(name, plain, doubled) for name in plain)


@dataclass(frozen=True)
class _Row:
    """Last row of a family in the short horizon: (variable, period) -> coefficient."""

    entries: Mapping[tuple[str, int], float]
    per: str
    equality: bool


def _rows(model: pyo.ConcreteModel) -> dict[str, _Row]:
    form = LinearStandardFormCompiler().write(model, mixed_form=True, set_sense=None)
    column = [(variable.parent_component().local_name, variable.index()) for variable in form.columns]
    matrix = form.A.tocsr()
    rows = {}
    for number, row in enumerate(form.rows):
        constraint = row.constraint.parent_component()
        where = slice(matrix.indptr[number], matrix.indptr[number + 1])
        values = zip(matrix.indices[where], matrix.data[where], strict=True)
        entries = {column[j]: float(value) for j, value in values}
        rows[constraint.local_name] = _Row(entries, constraint.index_set().local_name, row.bound_type == 0)
    return rows


def _stencil(name: str, plain: Mapping[str, _Row], doubled: Mapping[str, Mapping[str, _Row]]) -> Stencil:
    row = plain[name]
    terms = set()
    for (variable, period), factor in row.entries.items():
        moved = [c for c, rows in doubled.items() if rows[name].entries[variable, period] != factor]
        lag = PATTERN_PERIODS - 1 - period if row.per == "PERIODS" else 0
        terms.add(Term(variable, lag, factor, moved[0] if moved else None))
    if row.per != "PERIODS" and len(terms) * PATTERN_PERIODS != len(row.entries):
        raise AssertionError(f"constraint {name} does not treat its periods alike; it cannot be stretched")
    return Stencil(name, row.per, tuple(sorted(terms, key=lambda t: (t.variable, t.lag))), row.equality)


def stretch(
    stencils: tuple[Stencil, ...], names: tuple[str, ...], group: IntArray, coefficients: Mapping[str, FloatArray]
) -> CompiledPath:
    """The stencils repeated over the periods of a horizon."""
    periods = group.size
    row_of = {"PERIODS": np.arange(periods), "DAYS": group, "HORIZON": np.zeros(periods, dtype=np.int64)}
    columns = {name: slice(k * periods, (k + 1) * periods) for k, name in enumerate(names)}
    rows: dict[str, slice] = {}
    equality: list[np.ndarray] = []
    row_index: list[IntArray] = []
    column_index: list[IntArray] = []
    values: list[FloatArray] = []
    first = 0
    for stencil in stencils:
        count = int(row_of[stencil.per].max()) + 1
        for term in stencil.terms:
            members = np.arange(term.lag, periods)
            row_index.append(first + row_of[stencil.per][members])
            column_index.append(columns[term.variable].start + members - term.lag)
            scale = 1.0 if term.coefficient is None else coefficients[term.coefficient][members]
            values.append(np.full(members.size, term.factor) * scale)
        rows[stencil.name] = slice(first, first + count)
        equality.append(np.full(count, stencil.equality))
        first += count
    shape = (first, len(names) * periods)
    entries = (np.concatenate(values), (np.concatenate(row_index), np.concatenate(column_index)))
    return CompiledPath(coo_array(entries, shape=shape).tocsc(), columns, rows, np.concatenate(equality))
