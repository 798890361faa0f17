"""Times each peer on a day, a year as one problem and a rolling year, and prints ratios.

What belongs here: the order of runs, the check that objectives agree, the printed lines. What does not:
the environment (`modelling_libraries.py`) and the models (`modelling_peers.py`).
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time

import modelling_peers as peers
import numpy as np
import pandas as pd

REALDATA = Path(__file__).resolve().parents[2] / "shared" / "realdata" / "tables" / "system_price.parquet"
DAY, YEAR, SEEN = 48, 17_520, 96
AGREEMENT = 1e-6
SLOW_S = 0.1
Maker = Callable[[int], peers.Peer]


def compare(days: int, slow_days: int, repeats: int, wanted: list[str]) -> None:
    """All tables; SystemExit when two objectives differ."""
    peers.quiet()
    price, source = _prices(max(YEAR, days * DAY + SEEN))
    makers = {name: maker for name, maker in _makers().items() if name.split()[0].lower() in [*wanted, "ours"]}
    print(f"{source}; 100 MW / 200 MWh, wear 1.2 GBP/MWh, shared power, one thread each")
    opening = 0.5 * peers.ENERGY_MWH
    for title, count in (("one day", DAY), ("one year as one problem", YEAR)):
        path = price[:count]
        floor: Maker = lambda periods, path=path: peers.BareHighs(periods, path[:periods], opening)  # noqa: E731
        _one_problem(f"{title} ({count} half-hours)", {"bare HiGHS on the arrays": floor} | makers, path, repeats)
    _rolling(makers, price, days, slow_days)


def _makers() -> dict[str, Maker]:
    return {
        "ours": peers.Ours,
        "scipy linprog": peers.Scipy,
        "cvxpy with parameters": peers.Cvxpy,
        "pyomo rebuilt, appsi_highs": lambda periods: peers.PyomoRebuilt(periods, "appsi"),
        "pyomo rebuilt, contrib highs": lambda periods: peers.PyomoRebuilt(periods, "highs"),
        "linopy rebuilt": peers.Linopy,
        "pypsa rebuilt": peers.Pypsa,
    }


def _prices(periods: int) -> tuple[np.ndarray, str]:
    if REALDATA.is_file():
        recorded = pd.read_parquet(REALDATA)["system_price_gbp_mwh"].to_numpy()[:periods]
        return recorded, "recorded GB system prices from 2023-07-01"
    rng = np.random.default_rng(20260329)
    daily = 30 * np.sin(np.arange(periods) * 2 * np.pi / DAY)
    return 75 + daily + 35 * rng.standard_normal(
        periods
    ), "seeded random prices (no recorded data beside this checkout)"


def _one_problem(title: str, makers: dict[str, Maker], price: np.ndarray, repeats: int) -> None:
    print(f"\n{title}: building included, shortest of {repeats}")
    floor, cost = 0.0, 0.0
    for name, maker in makers.items():
        with peers.silenced():
            maker(4).solve(price[:4], 0.5 * peers.ENERGY_MWH)  # imports are no part of anybody's time
        seconds = []
        for _ in range(repeats):
            gc.collect()
            # what can be prepared for a bare solver is no part of its time; a peer starts from nothing
            prepared = maker(price.size) if name.startswith("bare") else None
            _forget_compiled()
            started = perf_counter()
            with peers.silenced():
                answer = (prepared or maker(price.size)).solve(price, 0.5 * peers.ENERGY_MWH)
            seconds.append(perf_counter() - started)
        floor, cost = floor or min(seconds), cost or answer.cost_gbp
        _agree(name, answer.cost_gbp, cost)
        print(f"  {name:32s} {-answer.cost_gbp:18.4f} GBP {min(seconds):9.4f} s   x {min(seconds) / floor:8.2f}")


def _rolling(makers: dict[str, Maker], price: np.ndarray, days: int, slow_days: int) -> None:
    print(f"\nrolling, {days} days, 48 h seen and 24 h committed: CPU seconds a day after the first, building included")
    ours = 0.0
    reference: list[float] = []
    for name, maker in makers.items():
        gc.collect()
        with peers.silenced():
            costs, seconds = _roll(maker(SEEN), price, days, slow_days)
        reference = reference or costs
        _agree(name, sum(costs), sum(reference[: len(costs)]))
        ours = ours or seconds
        note = "" if len(costs) == days else f" (first {len(costs)} days)"
        print(f"  {name:32s} {-sum(costs):18.4f} GBP {seconds:9.5f} s/day x {seconds / ours:8.2f}{note}")


def _roll(peer: peers.Peer, price: np.ndarray, days: int, slow_days: int) -> tuple[list[float], float]:
    """Costs of the daily optima, and mean CPU seconds of a day without the first (one thread: the same as its
    wall clock on a quiet machine); each day opens at 50 %."""
    costs: list[float] = []
    total, count = 0.0, days
    while len(costs) < count:
        first = len(costs) * DAY
        started = process_time()
        costs.append(peer.solve(price[first : first + SEEN], 0.5 * peers.ENERGY_MWH).cost_gbp)
        took = process_time() - started
        total += took if len(costs) > 1 else 0.0
        if len(costs) == min(5, days) and total / max(len(costs) - 1, 1) > SLOW_S:
            count = min(days, slow_days)
    return costs, total / max(len(costs) - 1, 1)


def _agree(name: str, cost: float, reference: float) -> None:
    if abs(cost - reference) > AGREEMENT * max(1.0, abs(reference)):
        raise SystemExit(f"{name} found {-cost:.6f} GBP where {-reference:.6f} is the optimum: nothing is comparable")


def _forget_compiled() -> None:
    """Ours starts from the Pyomo formulation again, as the peers do."""
    from bess_pipeline.optimisation import compilation

    for cached in ("_compile", "_stencils"):
        function = getattr(compilation, cached, None)
        if function is not None:
            function.cache_clear()
