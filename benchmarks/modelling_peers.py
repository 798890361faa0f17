"""The same battery problem written in each modelling library, as its own documentation would have it.

What belongs here: one class per library with `solve(price_gbp_mwh, opening_mwh) -> Answer`. What does
not: timing (`modelling_run.py`). All minimise the cost of energy bought and wear less energy sold:
charge and discharge in MWh a period, shared power c + d <= P h, state within its limits, at least
`CLOSING_MWH` at the end.

`rebuilt` peers write the model anew at each call; the others keep it and change prices and opening state.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

POWER_MW, ENERGY_MWH, EFFICIENCY, WEAR_GBP_MWH, HOURS = 100.0, 200.0, 0.9381, 1.2, 0.5
LIMIT_MWH = POWER_MW * HOURS
LOWEST_MWH, HIGHEST_MWH, CLOSING_MWH = 0.1 * ENERGY_MWH, 0.9 * ENERGY_MWH, 0.5 * ENERGY_MWH


@dataclass(frozen=True)
class Answer:
    """Minimised cost, GBP, and the state of energy at the end of each period, MWh."""

    cost_gbp: float
    energy_mwh: np.ndarray


class Peer(Protocol):
    """One library's way to the answer; made for a number of periods."""

    def solve(self, price_gbp_mwh: np.ndarray, opening_mwh: float) -> Answer:
        """The optimum of one price path."""


class Scipy:
    """scipy.optimize.linprog: sparse arrays made once, costs and right-hand side changed."""

    def __init__(self, periods: int) -> None:
        from scipy import sparse

        eye = sparse.eye_array(periods)
        step = eye - sparse.eye_array(periods, k=-1)
        self._balance = sparse.hstack([-EFFICIENCY * eye, eye / EFFICIENCY, step]).tocsc()
        self._power = sparse.hstack([eye, eye, sparse.csc_array((periods, periods))]).tocsc()
        lowest = np.full(periods, LOWEST_MWH)
        lowest[-1] = CLOSING_MWH
        flow = np.column_stack([np.zeros(2 * periods), np.full(2 * periods, LIMIT_MWH)])
        self._bounds = np.vstack([flow, np.column_stack([lowest, np.full(periods, HIGHEST_MWH)])])
        self._periods = periods

    def solve(self, price_gbp_mwh: np.ndarray, opening_mwh: float) -> Answer:
        from scipy.optimize import linprog

        count = self._periods
        right = np.zeros(count)
        right[0] = opening_mwh
        cost = np.concatenate([price_gbp_mwh + WEAR_GBP_MWH, WEAR_GBP_MWH - price_gbp_mwh, np.zeros(count)])
        answer = linprog(
            cost,
            A_ub=self._power,
            b_ub=np.full(count, LIMIT_MWH),
            A_eq=self._balance,
            b_eq=right,
            bounds=self._bounds,
            method="highs",
        )
        return Answer(float(answer.fun), answer.x[2 * count :])


class Cvxpy:
    """CVXPY with parameters (disciplined parametrised programming): canonicalised once, then re-solved."""

    def __init__(self, periods: int) -> None:
        import cvxpy as cp

        self._price, self._opening = cp.Parameter(periods), cp.Parameter()
        charge, discharge = cp.Variable(periods, nonneg=True), cp.Variable(periods, nonneg=True)
        self._energy = cp.Variable(periods + 1)
        lowest = np.full(periods, LOWEST_MWH)
        lowest[-1] = CLOSING_MWH
        limits = [
            self._energy[0] == self._opening,
            cp.diff(self._energy) == EFFICIENCY * charge - discharge / EFFICIENCY,
            charge + discharge <= LIMIT_MWH,
            self._energy[1:] >= lowest,
            self._energy[1:] <= HIGHEST_MWH,
        ]
        cost = self._price @ (charge - discharge) + WEAR_GBP_MWH * cp.sum(charge + discharge)
        self._problem = cp.Problem(cp.Minimize(cost), limits)

    def solve(self, price_gbp_mwh: np.ndarray, opening_mwh: float) -> Answer:
        self._price.value, self._opening.value = price_gbp_mwh, opening_mwh
        self._problem.solve(solver="HIGHS", threads=1)
        return Answer(float(self._problem.value), self._energy.value[1:])


class Linopy:
    """linopy, rebuilt at each call."""

    def __init__(self, periods: int) -> None:
        import pandas as pd

        self._index = pd.RangeIndex(periods, name="period")

    def solve(self, price_gbp_mwh: np.ndarray, opening_mwh: float) -> Answer:
        import linopy
        import xarray as xr

        model = linopy.Model()
        lowest = np.full(self._index.size, LOWEST_MWH)
        lowest[-1] = CLOSING_MWH
        coordinates = {"period": self._index}
        charge = model.add_variables(0, LIMIT_MWH, coords=[self._index], name="charge")
        discharge = model.add_variables(0, LIMIT_MWH, coords=[self._index], name="discharge")
        low = xr.DataArray(lowest, coords=coordinates)
        energy = model.add_variables(low, HIGHEST_MWH, coords=[self._index], name="energy")
        opening = xr.DataArray(np.where(self._index == 0, opening_mwh, 0.0), coords=coordinates)
        model.add_constraints(
            energy - energy.shift(period=1) - EFFICIENCY * charge + (1 / EFFICIENCY) * discharge == opening,
            name="balance",
        )
        model.add_constraints(charge + discharge <= LIMIT_MWH, name="power")
        price = xr.DataArray(price_gbp_mwh, coords=coordinates)
        model.add_objective(((price + WEAR_GBP_MWH) * charge + (WEAR_GBP_MWH - price) * discharge).sum())
        model.solve(solver_name="highs", io_api="direct", threads=1, output_flag=False, progress=False)
        return Answer(float(model.objective.value), model.solution["energy"].to_numpy())


class Pypsa:
    """PyPSA, a network rebuilt at each call: a store, two links and a market that buys and sells."""

    def __init__(self, periods: int) -> None:
        import pandas as pd

        self._snapshots = pd.RangeIndex(periods)

    def solve(self, price_gbp_mwh: np.ndarray, opening_mwh: float) -> Answer:
        network = self._network(price_gbp_mwh, opening_mwh)
        model = network.optimize.create_model()
        power = model.variables["Link-p"]
        model.add_constraints(
            power.sel(name="charge") + EFFICIENCY * power.sel(name="discharge") <= POWER_MW, name="shared_power"
        )
        network.optimize.solve_model(
            solver_name="highs", io_api="direct", solver_options={"threads": 1, "output_flag": False}, progress=False
        )
        return Answer(float(network.objective), network.stores_t.e["battery"].to_numpy())

    def _network(self, price_gbp_mwh: np.ndarray, opening_mwh: float) -> Any:
        import pandas as pd
        import pypsa

        network = pypsa.Network()
        network.set_snapshots(self._snapshots)
        network.snapshot_weightings = network.snapshot_weightings.astype(float) * HOURS
        network.add("Bus", ["grid", "battery"])
        price = pd.Series(price_gbp_mwh, self._snapshots)
        network.add("Generator", "market", bus="grid", p_nom=10 * POWER_MW, p_min_pu=-1.0, marginal_cost=price)
        low = np.full(self._snapshots.size, LOWEST_MWH / ENERGY_MWH)
        low[-1] = CLOSING_MWH / ENERGY_MWH
        network.add(
            "Store",
            "battery",
            bus="battery",
            e_nom=ENERGY_MWH,
            e_initial=opening_mwh,
            e_min_pu=pd.Series(low, self._snapshots),
            e_max_pu=HIGHEST_MWH / ENERGY_MWH,
        )
        legs = {"charge": ("grid", "battery", POWER_MW, 1.0), "discharge": ("battery", "grid", POWER_MW, EFFICIENCY)}
        for name, (start, end, rating, delivered) in legs.items():
            network.add(
                "Link",
                name,
                bus0=start,
                bus1=end,
                p_nom=rating / delivered,
                efficiency=EFFICIENCY,
                marginal_cost=WEAR_GBP_MWH * delivered,
            )
        return network


class PyomoRebuilt:
    """Pyomo, the project's own formulation written anew at each call and handed to HiGHS by `interface`."""

    def __init__(self, periods: int, interface: str) -> None:
        self._interface = interface

    def solve(self, price_gbp_mwh: np.ndarray, opening_mwh: float) -> Answer:
        import pyomo.environ as pyo

        from bess_pipeline.optimisation.formulation import build_model

        model = build_model(our_problem(price_gbp_mwh, opening_mwh))
        if self._interface == "appsi":
            solver = pyo.SolverFactory("appsi_highs")
            solver.highs_options = {"threads": 1}
        else:
            from pyomo.contrib.solver.common.factory import SolverFactory

            solver = SolverFactory(self._interface)
            solver.config.threads = 1
        solver.solve(model)
        energy = np.array([pyo.value(model.energy_mwh[t]) for t in model.PERIODS])
        return Answer(float(pyo.value(model.cost)), energy)


def our_problem(price_gbp_mwh: np.ndarray, opening_mwh: float) -> Any:
    """The same problem in the project's own terms."""
    from bess_pipeline.battery.parameters import Battery
    from bess_pipeline.optimisation.problem import ClosingState, EnergyProblem

    battery = Battery(
        energy_mwh=ENERGY_MWH,
        power_mw=POWER_MW,
        charge_efficiency=EFFICIENCY,
        discharge_efficiency=EFFICIENCY,
        soc_min=LOWEST_MWH / ENERGY_MWH,
        soc_max=HIGHEST_MWH / ENERGY_MWH,
        initial_soc=0.5,
        final_soc=0.5,
        degradation_cost_gbp_per_mwh=WEAR_GBP_MWH,
    )
    return EnergyProblem(price_gbp_mwh, HOURS, 0, battery, opening_mwh, ClosingState.at_least(CLOSING_MWH))


class Ours:
    """The project's linear problem: compiled once, a live session in which costs and the opening state change.

    As `optimisation/rolling.py` does it, without undoing overlaps and re-checking, which no peer does either.
    """

    def __init__(self, periods: int) -> None:
        from bess_pipeline.optimisation.compilation import compile_path
        from bess_pipeline.optimisation.path_numbers import path_numbers
        from bess_pipeline.optimisation.session import HighsSession

        problem = our_problem(np.zeros(periods), CLOSING_MWH)
        numbers = path_numbers(problem)
        self._path = compile_path(problem)
        self._cost = self._path.column_vector(numbers.cost)
        self._opening = np.array([self._path.rows["energy_balance"].start])
        self._session = HighsSession(self._path, numbers)

    def solve(self, price_gbp_mwh: np.ndarray, opening_mwh: float) -> Answer:
        cost, columns, opening = self._cost.copy(), self._path.columns, np.array([opening_mwh])
        cost[columns["charge_mwh"]] += price_gbp_mwh
        cost[columns["discharge_mwh"]] -= price_gbp_mwh
        self._session.set_cost_and_rows(cost, self._opening, opening, opening)
        answer = self._session.solve()
        return Answer(float(answer.cost), answer.column[columns["energy_mwh"]])


class BareHighs:
    """HiGHS alone on arrays made beforehand: the floor of what any path through it can take."""

    def __init__(self, periods: int, price_gbp_mwh: np.ndarray, opening_mwh: float) -> None:
        from bess_pipeline.optimisation.compilation import compile_path
        from bess_pipeline.optimisation.path_numbers import path_numbers

        problem = our_problem(price_gbp_mwh, opening_mwh)
        self._path, numbers = compile_path(problem), path_numbers(problem)
        self._rows = self._path.row_bounds(numbers)
        self._columns = [self._path.column_vector(values) for values in (numbers.cost, numbers.lower, numbers.upper)]

    def solve(self, price_gbp_mwh: np.ndarray, opening_mwh: float) -> Answer:
        import highspy

        matrix, lp, solver = self._path.matrix, highspy.HighsLp(), highspy.Highs()
        lp.num_row_, lp.num_col_ = matrix.shape
        lp.col_cost_, lp.col_lower_, lp.col_upper_ = self._columns
        lp.row_lower_, lp.row_upper_ = self._rows
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
        solver.silent()
        solver.setOptionValue("threads", 1)
        solver.passModel(lp)
        solver.run()
        energy = np.asarray(solver.getSolution().col_value)[self._path.columns["energy_mwh"]]
        return Answer(float(solver.getInfo().objective_function_value), energy)


def quiet() -> None:
    """The peers warn about their own future; that is theirs."""
    warnings.simplefilter("ignore")
    for name in ("linopy", "pypsa", "pyomo"):
        logging.getLogger(name).setLevel(logging.ERROR)


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Nothing on the process's stdout: solvers print their banner below Python's own streams."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
