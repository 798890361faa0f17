"""One horizon of real prices: bare HiGHS on the same arrays against our path, ratios side by side.

What belongs here: wall-clock comparison of one energy-only problem. What does not: correctness (tests/)
and other modelling languages.

Usage, from the project's root:  python benchmarks/one_horizon.py [--periods 17520] [--repeats 3]

Prices are recorded GB system prices of ../shared/realdata where that folder is present, else a seeded
walk of the same size (the output says which). Times differ between machines; the ratios should not.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import highspy
import numpy as np
import pandas as pd
import pyomo.environ as pyo

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.optimisation import compilation
from bess_pipeline.optimisation.compilation import compile_path
from bess_pipeline.optimisation.energy import optimise_energy
from bess_pipeline.optimisation.formulation import build_model
from bess_pipeline.optimisation.path_numbers import path_numbers
from bess_pipeline.optimisation.problem import ClosingState, EnergyProblem, exclusive_above_gbp_mwh
from bess_pipeline.optimisation.session import HighsSession

REALDATA = Path(__file__).resolve().parents[2] / "shared" / "realdata" / "tables" / "system_price.parquet"
BATTERY = Battery(200.0, 100.0, 0.9381, 0.9381, 0.1, 0.9, 0.5, 0.5, 1.2)


def prices(periods: int) -> tuple[np.ndarray, str]:
    """A price path and what it is."""
    if REALDATA.is_file():
        recorded = pd.read_parquet(REALDATA)["system_price_gbp_mwh"].to_numpy()[:periods]
        return recorded, "recorded GB system prices from 2023-07-01"
    rng = np.random.default_rng(20260329)
    daily = 30 * np.sin(np.arange(periods) * 2 * np.pi / 48)
    return 75 + daily + 35 * rng.standard_normal(
        periods
    ), "seeded random prices (no recorded data beside this checkout)"


def bare_highs(problem: EnergyProblem) -> Callable[[], float]:
    """HiGHS alone on arrays made beforehand: the floor of what any path through it can take."""
    path, numbers = compile_path(problem), path_numbers(problem)
    matrix, (row_lower, row_upper) = path.matrix, path.row_bounds(numbers)
    columns = [path.column_vector(values) for values in (numbers.cost, numbers.lower, numbers.upper)]

    def solve() -> float:
        lp = highspy.HighsLp()
        lp.num_row_, lp.num_col_ = matrix.shape
        lp.col_cost_, lp.col_lower_, lp.col_upper_ = columns
        lp.row_lower_, lp.row_upper_ = row_lower, row_upper
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
        solver = highspy.Highs()
        solver.silent()
        solver.setOptionValue("threads", 1)
        solver.passModel(lp)
        solver.run()
        return -float(solver.getInfo().objective_function_value)

    return solve


def our_linear_problem(problem: EnergyProblem) -> float:
    """From the problem to the relaxed optimum, compilation included (nothing cached)."""
    compilation._compile.cache_clear()
    compilation._stencils.cache_clear()
    return -HighsSession(compile_path(problem), path_numbers(problem)).solve().cost


def pyomo_and_highs(problem: EnergyProblem) -> float:
    """The same formulation through Pyomo's own HiGHS interface."""
    model = build_model(problem)
    pyo.SolverFactory("appsi_highs").solve(model)
    return -float(pyo.value(model.cost))


def best_of(repeats: int, run: Callable[[], float]) -> tuple[float, float]:
    """(value, shortest wall-clock seconds)."""
    seconds, value = [], 0.0
    for _ in range(repeats):
        started = perf_counter()
        value = run()
        seconds.append(perf_counter() - started)
    return value, min(seconds)


def main() -> None:
    """Print one line per path: objective, seconds, ratio to bare HiGHS."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--periods", type=int, default=17_520)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    price, source = prices(arguments.periods)
    closing = ClosingState.fixed(BATTERY.final_energy_mwh)
    problem = EnergyProblem(price, 0.5, 0, BATTERY, BATTERY.initial_energy_mwh, closing)
    overlap = int((price <= exclusive_above_gbp_mwh(BATTERY)).sum())
    print(f"{price.size} half-hours, {source}; {overlap} of them at prices where overlap would pay")
    paths = {
        "bare HiGHS on the arrays (relaxed)": bare_highs(problem),
        "ours, Pyomo to optimum (relaxed)": lambda: our_linear_problem(problem),
        "Pyomo + appsi_highs (relaxed)": lambda: pyomo_and_highs(problem),
        "ours, exclusive, certified, re-checked": lambda: optimise_energy(problem).objective_gbp,
    }
    floor = 0.0
    for name, run in paths.items():
        value, seconds = best_of(arguments.repeats, run)
        floor = floor or seconds
        print(f"{name:40s} {value:18.4f} GBP {seconds:8.3f} s   x {seconds / floor:5.2f}")


if __name__ == "__main__":
    main()
