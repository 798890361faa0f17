"""A programme as its periods follow each other: what the interior point method eliminates along time.

What belongs here: which rows of the formulation stay within a period, which link the state of energy, which span a day
or the horizon, read off the same stencils as every other form. What does not: any step of the method.

Arrays run (period, scenario); the last axis may be 1 where all scenarios agree. A formulation with rows that link
periods by more than the stored energy (ramp limit, depth segments) has no such structure: `structure_of` says None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bess_pipeline.optimisation.compilation import Stencil, Term
from bess_pipeline.optimisation.problem import FloatArray, IntArray
from bess_pipeline.optimisation.stochastic.numbers import ELASTIC, IMBALANCE
from bess_pipeline.optimisation.stochastic.programme import Programme

CHARGE, DISCHARGE, ENERGY = "charge_mwh", "discharge_mwh", "energy_mwh"
FLOWS = (CHARGE, DISCHARGE)


@dataclass(frozen=True)
class Excess:
    """A column that stands in one row alone: sign +1 goes beyond its upper limit, -1 beyond its lower one."""

    name: str
    sign: float


@dataclass(frozen=True)
class LocalRow:
    """A row per period: flow (2, T) on charge and discharge, before (T,) on the energy at the start of the period,
    plan[j] (T, N or 1) on the j-th name of the plan; lower, upper (T, N or 1) of what it sums to."""

    name: str
    flow: FloatArray
    before: FloatArray
    plan: Mapping[int, FloatArray]
    lower: FloatArray
    upper: FloatArray
    excess: tuple[Excess, ...]


@dataclass(frozen=True)
class SpanningRow:
    """A "<=" row over many periods: flow (2, T, N or 1), energy (T, N or 1), plan (N, columns of the plan), upper (N,);
    period: where its excess is counted."""

    name: str
    flow: FloatArray
    energy: FloatArray
    plan: FloatArray
    upper: FloatArray
    excess: str | None
    period: int


@dataclass(frozen=True)
class Structure:
    """`balance` is the row of the store (energy - kept x energy before + flow ... = limit); plan_column (J, T)."""

    balance: LocalRow
    kept: FloatArray
    rows: tuple[LocalRow, ...]
    spanning: tuple[SpanningRow, ...]
    plan_column: IntArray


def structure_of(programme: Programme) -> Structure | None:
    """The structure of a programme, or None where its rows have another."""
    rows: list[LocalRow] = []
    spanning: list[SpanningRow] = []
    balance: LocalRow | None = None
    kept = np.ones(programme.problem.periods)
    for stencil in programme.stencils:
        if stencil.per != "PERIODS":
            spanning.extend(_spanning_rows(programme, stencil))
            continue
        row = _local_row(programme, stencil)
        if row is None:
            return None
        if stencil.name == "energy_balance":
            balance, kept = row, -row.before
        else:
            rows.append(row)
    if balance is None or set(programme.path.columns) - {*FLOWS, ENERGY, IMBALANCE, *ELASTIC}:
        return None
    return Structure(balance, kept, tuple(rows), tuple(spanning), np.array(list(programme.plan_column.values())))


def _local_row(programme: Programme, stencil: Stencil) -> LocalRow | None:
    periods, names = programme.problem.periods, list(programme.plan_column)
    flow, before, plan, excess = np.zeros((2, periods)), np.zeros(periods), {}, []
    where = programme.path.rows[stencil.name]
    upper = programme.row_upper[:, where].T
    lower = programme.row_lower[:, where].T
    for term in stencil.terms:
        value = _values(programme, term)
        if term.variable in FLOWS and term.lag == 0:
            flow[FLOWS.index(term.variable)] = value[:, 0]
        elif term.variable == ENERGY and term.lag == 1:
            before = np.concatenate([[0.0], value[1:, 0]])
        elif term.variable in programme.plan_column and term.lag == 0:
            plan[names.index(term.variable)] = value
            for name, (variable, share) in programme.shares.items():
                if variable == term.variable:
                    plan[names.index(name)] = _narrow(value * share.T)
        elif term.variable == IMBALANCE and term.factor == -1.0:
            box = programme.path.columns[IMBALANCE]
            lower = lower + programme.lower[box][:, None]
            upper = upper + programme.upper[box][:, None]
        elif term.variable in ELASTIC and abs(term.factor) == 1.0:
            excess.append(Excess(term.variable, -term.factor))
        elif not (term.variable == ENERGY and term.lag == 0 and stencil.name == "energy_balance"):
            return None
    return LocalRow(stencil.name, flow, before, plan, _narrow(lower), _narrow(upper), tuple(excess))


def _spanning_rows(programme: Programme, stencil: Stencil) -> list[SpanningRow]:
    problem = programme.problem
    where = programme.path.rows[stencil.name]
    group = problem.energy.cycle_groups if stencil.per == "DAYS" else np.zeros(problem.periods, dtype=np.int64)
    excess = next((term.variable for term in stencil.terms if term.variable in ELASTIC), None)
    technology, found = programme.technology, []
    for k in range(where.stop - where.start):
        member = group == k
        flow = np.zeros((2, problem.periods, 1))
        for term in stencil.terms:
            if term.variable in FLOWS:
                flow[FLOWS.index(term.variable), :, 0] = np.where(member, term.factor, 0.0)
        plan = np.zeros((problem.scenarios, programme.plan.lower.size))
        entries = technology.row == where.start + k
        plan[:, technology.column[entries]] = technology.value[:, entries]
        upper = programme.row_upper[:, where.start + k]
        last = int(np.flatnonzero(member)[-1])
        nothing = np.zeros((problem.periods, 1))
        found.append(SpanningRow(stencil.name, flow, nothing, plan, upper, excess, last))
    return found


def _values(programme: Programme, term: Term) -> FloatArray:
    """(T, N or 1) of a term's coefficient."""
    if term.coefficient is None:
        return np.full((programme.problem.periods, 1), term.factor)
    values = np.atleast_2d(programme.coefficients[term.coefficient])
    return _narrow(term.factor * values.T)


def _narrow(values: FloatArray) -> FloatArray:
    return np.ascontiguousarray(values[:, :1] if (values == values[:, :1]).all() else values)
