"""Solves a window of all markets and certifies the answer.

What belongs here: the linear optimum, its schedule made exclusive, the accounts of that schedule, and the bound that
the duals prove. What does not: the problem (`market_window.py`) and its rows (`market_window_rows.py`).

The bound is arithmetic on any dual numbers y, whatever a solver claims: with r = cost - y'A, every feasible point costs
at least

    sum of y at the row bound it points to + sum of r at the column bound it points to,

every column having finite bounds (weak duality). The gap is that against the account of a schedule in which no
half-hour charges and discharges: where the linear optimum overlaps, the half-hour keeps the direction of its net export
and the problem is solved again.
"""

from __future__ import annotations

import numpy as np

from bess_pipeline.errors import SolverError
from bess_pipeline.optimisation.market_window import HALF_HOUR_H, WindowProblem, WindowSchedule
from bess_pipeline.optimisation.market_window_rows import WindowColumns, window_arrays
from bess_pipeline.optimisation.problem import FloatArray
from bess_pipeline.optimisation.session import ArraySession, LinearArrays, Solution

OVERLAP_MWH = 1e-6
ROUNDS = 8  # of fixing directions; each fixes every overlap that is left
TIME_LIMIT_S = 600.0


def optimise_window(problem: WindowProblem, time_limit_s: float = TIME_LIMIT_S) -> WindowSchedule:
    """The best schedule with its certified bound. SolverError in one sentence where the solver gives none."""
    arrays, columns = window_arrays(problem)
    session = ArraySession(arrays, time_limit_s)
    session.use("simplex")  # a year: 9 s, an interior point method 43 s
    solution = _solved(session)
    bound = -dual_bound(arrays, _duals(solution))
    lower, upper = arrays.lower.copy(), arrays.upper.copy()
    seconds, decided = solution.seconds, 0
    for _ in range(ROUNDS):
        charge, discharge = (_values(solution)[columns.where[name]] for name in ("charge_mwh", "discharge_mwh"))
        overlap = np.flatnonzero(np.minimum(charge, discharge) > OVERLAP_MWH)
        if not overlap.size:
            break
        decided += overlap.size
        exports = discharge[overlap] >= charge[overlap]
        upper[columns.where["charge_mwh"].start + overlap[exports]] = 0.0
        upper[columns.where["discharge_mwh"].start + overlap[~exports]] = 0.0
        session.set_bounds(lower, upper)
        solution = _solved(session)
        seconds += solution.seconds
    return _account(problem, columns, np.clip(_values(solution), lower, upper), bound, decided, seconds)


def dual_bound(arrays: LinearArrays, row_dual: FloatArray) -> float:
    """Lower bound of the minimised cost that any row duals prove; columns must have finite bounds."""
    dual = np.where((row_dual > 0) & ~np.isfinite(arrays.row_lower), 0.0, row_dual)
    dual = np.where((dual < 0) & ~np.isfinite(arrays.row_upper), 0.0, dual)
    at_row = np.where(dual > 0, arrays.row_lower, np.where(dual < 0, arrays.row_upper, 0.0))
    reduced = arrays.cost - arrays.matrix.T @ dual
    at_column = np.where(reduced > 0, arrays.lower, arrays.upper)
    return float(dual @ at_row + reduced @ at_column)


def _solved(session: ArraySession) -> Solution:
    solution = session.solve()
    if solution.column is None:
        raise SolverError(f"the window of all markets has no schedule: the solver says {solution.status.value}")
    return solution


def _values(solution: Solution) -> FloatArray:
    assert solution.column is not None
    return solution.column


def _duals(solution: Solution) -> FloatArray:
    assert solution.row_dual is not None
    return solution.row_dual


def _account(
    problem: WindowProblem, columns: WindowColumns, column: FloatArray, bound_gbp: float, overlaps: int, seconds: float
) -> WindowSchedule:
    """Cash and wear of each half-hour from volumes and prices, not from the solver's objective."""
    periods, wear = problem.periods, problem.battery.degradation_cost_gbp_per_mwh
    part = {name: column[where] for name, where in columns.where.items()}
    both = np.minimum(part["charge_mwh"], part["discharge_mwh"])
    charge, discharge = part["charge_mwh"] - both, part["discharge_mwh"] - both
    product = problem.product_of_period
    day_ahead = np.zeros(periods)
    sold = product >= 0
    day_ahead[sold] = part["day_ahead_mw"][product[sold]] * HALF_HOUR_H
    intraday = part["sold_mwh"] - part["bought_mwh"]
    imbalance = discharge - charge - day_ahead - intraday
    mw, service_cash = np.zeros((len(problem.services), periods)), np.zeros(periods)
    moved = {direction: -part.get(f"undelivered_{direction}_mwh", np.zeros(periods)) for direction in ("low", "high")}
    paid_back = {direction: np.zeros(periods) for direction in ("low", "high")}
    for k, (one, gone) in enumerate(zip(problem.services, columns.given_up, strict=True)):
        inside = one.window_of_period >= 0
        mw[k, inside] = part[f"mw_{one.code}"][one.window_of_period[inside]]
        energy = mw[k] * one.activation_mwh_per_mw
        moved[one.direction] = moved[one.direction] + energy
        worth = one.sign * one.energy_price_gbp_mwh
        paid_back[one.direction] = np.minimum(paid_back[one.direction], worth)
        service_cash += mw[k] * one.price_gbp_mw_h * HALF_HOUR_H + energy * worth
        service_cash[gone] -= part[f"given_up_{one.code}"] * one.price_gbp_mw_h[gone] * HALF_HOUR_H
    for direction, back in paid_back.items():
        service_cash -= part.get(f"undelivered_{direction}_mwh", np.zeros(periods)) * back
    cash = day_ahead * problem.day_ahead_price_gbp_mwh + imbalance * problem.system_price_gbp_mwh + service_cash
    cash += intraday * problem.intraday_price_gbp_mwh
    cash -= (part["sold_mwh"] + part["bought_mwh"]) * problem.half_spread_gbp_mwh
    wear_gbp = (charge + discharge + moved["low"] + moved["high"]) * wear
    closing = float(part["energy_mwh"][-1]) * problem.closing_value_gbp_mwh
    return WindowSchedule(
        charge_mwh=charge,
        discharge_mwh=discharge,
        energy_mwh=part["energy_mwh"],
        day_ahead_mwh=day_ahead,
        intraday_mwh=intraday,
        imbalance_mwh=imbalance,
        activation_export_mwh=moved["low"],
        activation_import_mwh=moved["high"],
        service_mw=mw,
        service_cash_gbp=service_cash,
        cash_gbp=cash,
        wear_gbp=wear_gbp,
        value_gbp=float(cash.sum() - wear_gbp.sum()) + closing,
        bound_gbp=bound_gbp,
        overlaps=overlaps,
        seconds=seconds,
    )
