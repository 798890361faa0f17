"""The coupled two-stage problem in other modelling libraries, mean-CVaR over N scenarios, building included.

What belongs here: the same linear problem written as each library wants it, solved by HiGHS's interior point method
without crossover, which is the fastest any of them has. What does not: timing and the data (`stochastic.py`).

minimise (1 - a) mean cost + a (VaR + mean excess / (1 - confidence)) over hourly volumes shared by all scenarios;
in each: |dispatch - volume| <= cap, energy balance, rating shared by charge and discharge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

HOURS, INTO, OUT, WEAR = 0.5, 0.93, 1 / 0.93, 3.0
POWER_MW, ENERGY_MWH, OPENING_MWH = 50.0, 100.0, 50.0


@dataclass(frozen=True)
class Case:
    """Prices (N, T), GBP/MWh; cap_mw of |dispatch - volume|; weight and confidence of CVaR; equal probabilities."""

    day_ahead: np.ndarray
    system: np.ndarray
    cap_mw: float
    weight: float
    confidence: float

    @property
    def shape(self) -> tuple[int, int]:
        return self.day_ahead.shape


def pyomo_appsi(case: Case) -> float:
    """One Pyomo model, appsi_highs."""
    import pyomo.environ as pyo
    from pyomo.contrib.appsi.solvers import Highs

    (count, periods), model = case.shape, pyo.ConcreteModel()
    n_set, t_set = range(count), range(periods)
    most = POWER_MW * HOURS
    model.plan = pyo.Var(range(periods // 2), bounds=(-POWER_MW, POWER_MW))
    model.charge = pyo.Var(n_set, t_set, bounds=(0, most))
    model.discharge = pyo.Var(n_set, t_set, bounds=(0, most))
    model.energy = pyo.Var(n_set, t_set, bounds=(0, ENERGY_MWH))
    model.excess = pyo.Var(n_set, bounds=(0, None))
    model.var = pyo.Var()
    for n in n_set:
        model.energy[n, periods - 1].fix(OPENING_MWH)

    def balance(m: pyo.ConcreteModel, n: int, t: int) -> object:
        before = m.energy[n, t - 1] if t else OPENING_MWH
        return m.energy[n, t] == before + INTO * m.charge[n, t] - OUT * m.discharge[n, t]

    def near(m: pyo.ConcreteModel, n: int, t: int) -> object:
        apart = m.discharge[n, t] - m.charge[n, t] - HOURS * m.plan[t // 2]
        return pyo.inequality(-case.cap_mw * HOURS, apart, case.cap_mw * HOURS)

    model.balance = pyo.Constraint(n_set, t_set, rule=balance)
    model.near = pyo.Constraint(n_set, t_set, rule=near)
    model.shared = pyo.Constraint(n_set, t_set, rule=lambda m, n, t: m.charge[n, t] + m.discharge[n, t] <= most)

    def cost(n: int) -> object:
        return pyo.quicksum(
            float(case.system[n, t] + WEAR) * model.charge[n, t]
            + float(WEAR - case.system[n, t]) * model.discharge[n, t]
            + float(HOURS * (case.system[n, t] - case.day_ahead[n, t])) * model.plan[t // 2]
            for t in t_set
        )

    costs = [cost(n) for n in n_set]
    model.tail = pyo.Constraint(n_set, rule=lambda m, n: costs[n] - m.var <= m.excess[n])
    tail = model.var + pyo.quicksum(model.excess.values()) / (count * (1 - case.confidence))
    model.cost = pyo.Objective(expr=(1 - case.weight) * pyo.quicksum(costs) / count + case.weight * tail)
    solver = Highs()
    solver.highs_options = {"solver": "ipm", "run_crossover": "off", "threads": 1}
    solver.config.load_solution = False
    answer = solver.solve(model)
    return -float(answer.best_feasible_objective)


def cvxpy(case: Case) -> float:
    """Array expressions, HiGHS."""
    import cvxpy as cp

    count, periods = case.shape
    plan, var = cp.Variable(periods // 2), cp.Variable()
    charge, discharge = cp.Variable((count, periods), nonneg=True), cp.Variable((count, periods), nonneg=True)
    energy, excess = cp.Variable((count, periods)), cp.Variable(count, nonneg=True)
    seen = np.kron(np.eye(periods // 2), np.ones((1, 2))) * HOURS
    planned = plan @ seen
    net = discharge - charge
    before = cp.hstack([np.full((count, 1), OPENING_MWH), energy[:, :-1]])
    cost = cp.sum(cp.multiply(case.system + WEAR, charge) + cp.multiply(WEAR - case.system, discharge), axis=1)
    cost = cost + (case.system - case.day_ahead) @ planned
    apart = net - cp.reshape(planned, (1, periods), order="C")
    rows = [
        energy == before + INTO * charge - OUT * discharge,
        cp.abs(plan) <= POWER_MW,
        apart <= case.cap_mw * HOURS,
        apart >= -case.cap_mw * HOURS,
        charge + discharge <= POWER_MW * HOURS,
        energy >= 0,
        energy <= ENERGY_MWH,
        energy[:, -1] == OPENING_MWH,
        cost - var <= excess,
    ]
    tail = var + cp.sum(excess) / (count * (1 - case.confidence))
    problem = cp.Problem(cp.Minimize((1 - case.weight) * cp.sum(cost) / count + case.weight * tail), rows)
    problem.solve(solver=cp.HIGHS, highs_options={"solver": "ipm", "run_crossover": "off", "threads": 1})
    return -float(problem.value)


def linopy(case: Case) -> float:
    """Labelled arrays, HiGHS."""
    import pandas as pd
    import xarray as xr
    from linopy import Model

    count, periods = case.shape
    n, t, p = (pd.RangeIndex(size, name=name) for name, size in (("n", count), ("t", periods), ("p", periods // 2)))
    model, most = Model(), POWER_MW * HOURS
    plan = model.add_variables(-POWER_MW, POWER_MW, coords=[p], name="plan")
    charge = model.add_variables(0, most, coords=[n, t], name="charge")
    discharge = model.add_variables(0, most, coords=[n, t], name="discharge")
    lower, upper = np.zeros((count, periods)), np.full((count, periods), ENERGY_MWH)
    lower[:, -1] = upper[:, -1] = OPENING_MWH
    energy = model.add_variables(xr.DataArray(lower, [n, t]), xr.DataArray(upper, [n, t]), name="energy")
    excess = model.add_variables(0, np.inf, coords=[n], name="excess")
    var = model.add_variables(name="var")
    start = np.zeros(periods)
    start[0] = OPENING_MWH
    flow = energy - energy.shift(t=1) - INTO * charge + OUT * discharge
    model.add_constraints(flow == xr.DataArray(start, [t]), name="balance")
    planned = HOURS * plan.sel(p=xr.DataArray(np.arange(periods) // 2, [t]))
    apart = discharge - charge - planned
    model.add_constraints(apart <= case.cap_mw * HOURS, name="long")
    model.add_constraints(apart >= -case.cap_mw * HOURS, name="short")
    model.add_constraints(charge + discharge <= most, name="shared")
    system, day_ahead = xr.DataArray(case.system, [n, t]), xr.DataArray(case.day_ahead, [n, t])
    cost = ((system + WEAR) * charge + (WEAR - system) * discharge + (system - day_ahead) * planned).sum("t")
    model.add_constraints(cost - var - excess <= 0, name="tail")
    tail = var + excess.sum() * (1 / (count * (1 - case.confidence)))
    model.add_objective(cost.sum() * ((1 - case.weight) / count) + case.weight * tail)
    model.solve(
        "highs", solver="ipm", run_crossover="off", threads=1, io_api="direct", progress=False, output_flag=False
    )
    return -float(model.objective.value)


PEERS = {"pyomo appsi": pyomo_appsi, "cvxpy": cvxpy, "linopy": linopy}
