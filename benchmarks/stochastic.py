"""The stochastic programme against the field's ways of solving it, on the same inputs, with equal objectives.

What belongs here: data, timing, and the targets beside what was measured. What does not: correctness (tests/; yet
every line prints its objective and the run fails when two of them differ) and the peers' models
(`stochastic_peers.py`).

Usage, in an environment with this project that may also hold cvxpy, linopy and highspy-extras (for HiPO):
    OMP_NUM_THREADS=1 python benchmarks/stochastic.py [--peers-at 200] [--sizes 200,1000,2000] [--simplex]

The coupled problem: 48 half-hours, 50 MW / 100 MWh, hourly volumes, |dispatch - plan| <= 25 MW, mean and CVaR (95 %)
weighed alike. Seconds are of CPU, on one thread: those of a quiet machine, whatever else runs on this one. Every answer
of ours carries a gap that is proven by arithmetic; the others' are their solvers' own.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import math
import os
from collections.abc import Callable
from time import process_time

import numpy as np
import stochastic_peers as peers

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.errors import SolverError
from bess_pipeline.optimisation.problem import ClosingState
from bess_pipeline.optimisation.stochastic.frontier import frontier
from bess_pipeline.optimisation.stochastic.problem import StochasticProblem
from bess_pipeline.optimisation.stochastic.result import TwoStageSolution
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion
from bess_pipeline.optimisation.stochastic.solve import optimise_plan

RISK, CAP_MW, PERIODS = RiskAversion(0.5, 0.95), 25.0, 48
AGREEMENT = 2e-5
NEEDS = {"cvxpy": "cvxpy", "linopy": "linopy", "pyomo appsi": "pyomo"}


def main() -> None:
    """All tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers-at", type=int, default=200, help="scenarios of the comparison (0: none)")
    parser.add_argument("--sizes", default="200,1000,2000", help="scenarios of our own runs")
    parser.add_argument("--simplex", action="store_true", help="time the bare simplex too (minutes at 200)")
    parser.add_argument("--hipo-at", type=int, default=200, help="scenarios for HiPO, where its wheel is installed")
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if arguments.peers_at:
        _against_peers(arguments.peers_at, arguments.simplex, arguments.hipo_at)
    _growth([int(size) for size in arguments.sizes.split(",")])
    _frontier(200)


def coupled(scenarios: int, seed: int = 1) -> StochasticProblem:
    """The problem at a number of scenarios: prices that wander, system prices with a lasting spread and spikes."""
    rng, t = np.random.default_rng(seed), np.arange(PERIODS)
    base = 70 + 30 * np.sin((t - 14) * 2 * np.pi / 48) + 15 * np.sin(t * 4 * np.pi / 48)
    day_ahead = base + _wandering(rng, scenarios, 12.0, 0.95)
    day_ahead = day_ahead.reshape(scenarios, -1, 2).mean(axis=2).repeat(2, axis=1)
    spikes = rng.exponential(100, (scenarios, PERIODS)) * (rng.random((scenarios, PERIODS)) < 0.05)
    system = day_ahead + _wandering(rng, scenarios, 30.0, 0.7) + spikes
    battery = Battery(
        energy_mwh=peers.ENERGY_MWH,
        power_mw=peers.POWER_MW,
        charge_efficiency=peers.INTO,
        discharge_efficiency=1 / peers.OUT,
        initial_soc=0.5,
        final_soc=0.5,
        degradation_cost_gbp_per_mwh=peers.WEAR,
    )
    return StochasticProblem(
        battery,
        peers.HOURS,
        0,
        PERIODS,
        t // 2,
        day_ahead,
        system,
        np.full(scenarios, 1 / scenarios),
        peers.OPENING_MWH,
        ClosingState.fixed(peers.OPENING_MWH),
        CAP_MW,
    )


def _wandering(rng: np.random.Generator, scenarios: int, deviation: float, persistence: float) -> np.ndarray:
    path = rng.standard_normal((scenarios, PERIODS))
    for k in range(1, PERIODS):
        path[:, k] = persistence * path[:, k - 1] + math.sqrt(1 - persistence**2) * path[:, k]
    return deviation * path


def _against_peers(scenarios: int, simplex: bool, hipo_at: int) -> None:
    problem = coupled(scenarios)
    case = peers.Case(
        problem.day_ahead_price_gbp_mwh, problem.system_price_gbp_mwh, CAP_MW, RISK.weight, RISK.confidence
    )
    print(f"\n{scenarios} scenarios, {PERIODS} half-hours: building included, CPU seconds")
    ours, objective = _timed(lambda: optimise_plan(problem, RISK, method="decomposition", gap=1e-6).objective_gbp)
    _line("ours, gap 1e-6, exclusive", ours, objective)
    best = math.inf
    for name, solve in peers.PEERS.items():
        if importlib.util.find_spec(NEEDS[name]) is None:
            print(f"  {name:34s} not installed")
            continue
        seconds, found = _timed(lambda solve=solve: _quietly(solve, case))
        _line(f"{name}, HiGHS ipm", seconds, found, objective)
        best = min(best, seconds)
    bare = ["ipm", *(["extensive"] if simplex else []), *(["hipo"] if hipo_at == scenarios else [])]
    for method in bare:
        seconds, found = _bare(problem, method, objective)
        best = min(best, seconds)
    print(f"  target: under half of the best of them; measured: {ours / best:.3f} of it")
    if hipo_at not in (0, scenarios):
        print(f"{hipo_at} scenarios")
        _bare(coupled(hipo_at), "hipo", None)


def _bare(problem: StochasticProblem, method: str, objective: float | None) -> tuple[float, float]:
    name = {"extensive": "simplex", "ipm": "ipm without crossover", "hipo": "HiPO without crossover"}[method]
    try:
        seconds, found = _timed(
            lambda: optimise_plan(problem, RISK, method=method, exclusive=False).objective_gbp  # type: ignore[arg-type]
        )
    except SolverError as error:
        print(f"  bare HiGHS {name:23s} not installed ({error})")
        return math.inf, math.nan
    _line(f"bare HiGHS {name}", seconds, found, objective)
    return seconds, found


def _growth(sizes: list[int]) -> None:
    print("\nours by number of scenarios, gap 1e-5 wanted, overlaps of charge and discharge undone")
    took = {}
    for size in sizes:
        problem = coupled(size)
        solved: list[TwoStageSolution] = []
        took[size], _ = _timed(
            lambda problem=problem, solved=solved: _kept(
                solved, optimise_plan(problem, RISK, method="decomposition", gap=1e-5)
            )
        )
        one = solved[0]
        print(
            f"  N = {size:5d} {took[size]:8.2f} s  {one.iterations:3d} iterations  {one.objective_gbp:.4f} GBP"
            f"  proven gap {one.gap:.1e}"
        )
    if 1000 in took:
        print(f"  target: N = 1000 under 12 s at gap 1e-5; measured: {took[1000]:.1f} s")
    if 200 in took and 2000 in took:
        power = math.log(took[2000] / took[200]) / math.log(10)
        print(f"  target: growth from 200 to 2,000 no worse than N^1.2; measured: N^{power:.2f}")


def _frontier(scenarios: int) -> None:
    problem = coupled(scenarios)
    singles = [
        _timed(lambda w=w: optimise_plan(problem, RiskAversion(w), method="decomposition").objective_gbp)[0]
        for w in (0.2, 0.5, 0.8)
    ]
    single = sum(singles) / len(singles)
    points: list[object] = []
    seconds, _ = _timed(lambda: _kept(points, frontier(problem)))
    print(
        f"\n10-point frontier at {scenarios} scenarios, gap 1e-6: {seconds:.2f} s; one plan: {single:.2f} s on average"
    )
    for point in points[0]:  # type: ignore[attr-defined]
        print(
            f"  risk aversion {point.risk_aversion:.3f}  mean {point.expected_profit_gbp:10.2f} GBP  CVaR "
            f"{point.cvar_gbp:10.2f} GBP  gap {point.gap:.1e}  {point.solution.iterations:3d} iterations"
        )
    print(f"  target: under 6 single solves; measured: {seconds / single:.1f}")


def _kept(where: list, answer: object) -> float:
    where.append(answer)
    return 0.0


def _timed(run: Callable[[], float]) -> tuple[float, float]:
    started = process_time()
    found = run()
    return process_time() - started, found


def _quietly(solve: Callable[[peers.Case], float], case: peers.Case) -> float:
    with contextlib.redirect_stdout(io.StringIO()):
        return solve(case)


def _line(name: str, seconds: float, found: float, expected: float | None = None) -> None:
    print(f"  {name:34s} {seconds:8.2f} s  objective {found:.4f} GBP", flush=True)
    if expected is not None and abs(found - expected) > AGREEMENT * abs(expected):
        raise SystemExit(f"{name} found {found:.4f} GBP where {expected:.4f} was expected: nothing is comparable")


if __name__ == "__main__":
    main()
