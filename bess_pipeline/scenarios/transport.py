"""The Wasserstein distance between two given sets of weights: a transport problem, solved on few of its arcs.

What belongs here: the exact distance where weights are not those of the nearest. What does not: distances between
scenarios (`metric.py`).

Column generation: the problem is solved on the cheapest arcs of each source and one feasible plan, then arcs whose
cost is below the sum of their ends' prices are added, until there are none: the optimum of all arcs.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog
from scipy.sparse import csr_array

from bess_pipeline.errors import SolverError

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

CHEAPEST = 6  # arcs of each source to begin with
TOLERANCE = 1e-9  # of prices, relative to the greatest distance


def transport_distance(distance: Array, supply: Array, demand: Array) -> float:
    """Least expected distance of a plan from weights (N,) to weights (k,) of the same sum; distances (N, k).

    Raises SolverError when no optimum is found.
    """
    demand = demand * (supply.sum() / demand.sum())
    used = _north_west(supply, demand) | _cheapest(distance)
    while True:
        source, sink = np.nonzero(used)
        cost, price = _solved(distance[source, sink], source, sink, supply, demand)
        rows = len(distance)
        reduced = distance - price[:rows, None] - price[None, rows:]
        missing = (reduced < -TOLERANCE * max(1.0, float(distance.max()))) & ~used
        if not missing.any():
            return cost
        used |= missing


def _solved(cost: Array, source: Integers, sink: Integers, supply: Array, demand: Array) -> tuple[float, Array]:
    """The least cost over some arcs, and the price of each source and sink.

    The last sink's balance follows from the others and is left out: with it, the last bits of very unequal weights make
    the problem infeasible. Weights are made 1 on average, so that the solver's tolerance is small beside each.
    """
    scale = supply.size / supply.sum()
    kept = np.flatnonzero(sink < demand.size - 1)
    ends = np.concatenate([source, supply.size + sink[kept]])
    arcs = np.concatenate([np.arange(cost.size), kept])
    balance = csr_array((np.ones(ends.size), (ends, arcs)), shape=(supply.size + demand.size - 1, cost.size))
    weight = np.concatenate([supply, demand[:-1]]) * scale
    solved = linprog(cost, A_eq=balance, b_eq=weight, method="highs-ds")
    if solved.status != 0:
        raise SolverError(f"the distance of a reduced scenario set was not found: {solved.message}")
    return max(float(solved.fun), 0.0) / scale, np.append(solved.eqlin.marginals, 0.0)


def _cheapest(distance: Array) -> Mask:
    count = min(CHEAPEST, distance.shape[1])
    used = np.zeros(distance.shape, dtype=bool)
    np.put_along_axis(used, np.argsort(distance, axis=1, kind="stable")[:, :count], True, axis=1)
    return used


def _north_west(supply: Array, demand: Array) -> Mask:
    """Arcs of the plan that fills sinks in order: it is always feasible."""
    gives, takes = np.cumsum(supply), np.cumsum(demand)
    first, last = gives - supply, takes - demand
    slack = 1e-12 * float(gives[-1])
    return np.asarray((first[:, None] <= takes[None, :] + slack) & (gives[:, None] >= last[None, :] - slack))
