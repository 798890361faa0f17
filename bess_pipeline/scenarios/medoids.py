"""k-medoids of weighted points: the k scenarios that represent all others at the least expected distance.

What belongs here: the choice, given distances. What does not: distances (`metric.py`) and what is kept (`reduce.py`).

Start: fast forward selection (Heitsch and Römisch 2003, Computational Optimization and Applications 24), which for
the Wasserstein distance of order 1 is the greedy BUILD of PAM. Then exchanges of one medoid for one other point while
any helps (FasterPAM: Schubert and Rousseeuw 2021, Information Systems 101): all k losses of a candidate in one pass.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

ROUNDS = 20  # over all candidates; exchanges end by themselves after a handful
LEAST_GAIN = 1e-9  # of an exchange, relative to the distance so far: below it is rounding


def forward_selection(distance: Array, probability: Array, k: int) -> Integers:
    """k points, each the best addition to those before it; `distance` is symmetric."""
    cost = probability @ distance
    chosen = [int(np.argmin(cost))]
    nearest = distance[chosen[0]].copy()
    cost = probability @ np.minimum(nearest[:, None], distance)
    while len(chosen) < k:
        cost[chosen] = np.inf
        chosen.append(int(np.argmin(cost)))
        now = np.minimum(nearest, distance[chosen[-1]])
        rows = np.flatnonzero(now < nearest)  # only these can change what a further addition would save
        less = np.minimum(nearest[rows, None], distance[rows]) - np.minimum(now[rows, None], distance[rows])
        cost -= probability[rows] @ less
        nearest = now
    return np.array(chosen, dtype=np.int64)


def exchange(distance: Array, probability: Array, medoids: Integers) -> Integers:
    """Medoids (k,) that no exchange of one of them improves, or those reached after ROUNDS."""
    medoids, size = medoids.copy(), len(distance)
    if medoids.size in (1, size):  # of one, forward selection tries all
        return medoids
    state = _Nearest(distance, probability, medoids)
    last_exchange = 0
    for step in range(ROUNDS * size):
        candidate = step % size
        if step - last_exchange > size:
            break
        if candidate in medoids:
            continue
        place, gain = state.best_exchange(candidate)
        if gain > LEAST_GAIN * state.total:
            medoids[place] = candidate
            state = _Nearest(distance, probability, medoids)
            last_exchange = step
    return medoids


def assign(distance: Array, medoids: Integers) -> Integers:
    """The place (N,) in `medoids` of each point's nearest; a medoid is its own."""
    place = np.argmin(distance[:, medoids], axis=1)
    place[medoids] = np.arange(medoids.size)
    return place


class _Nearest:
    """Distances of all points to their nearest and second nearest medoid, and what removing a medoid would cost."""

    def __init__(self, distance: Array, probability: Array, medoids: Integers) -> None:
        self.distance, self.probability, self.k = distance, probability, medoids.size
        to = distance[:, medoids]
        rows = np.arange(len(distance))
        self.place = np.argmin(to, axis=1)
        self.first = to[rows, self.place]
        to[rows, self.place] = np.inf
        self.second = to.min(axis=1)
        self.total = float(probability @ self.first)
        self.removal = np.bincount(self.place, probability * (self.second - self.first), minlength=self.k)

    def best_exchange(self, candidate: int) -> tuple[int, float]:
        """The medoid best given up for a candidate, and by how much the expected distance falls."""
        to = self.distance[candidate]
        closer = to < self.first
        between = ~closer & (to < self.second)
        gain = float(self.probability[closer] @ (self.first - to)[closer])
        near = np.flatnonzero(closer | between)
        saved = self.probability[near] * (self.second[near] - np.maximum(to[near], self.first[near]))
        back = np.bincount(self.place[near], saved, minlength=self.k)
        change = self.removal - back
        place = int(np.argmin(change))
        return place, gain - float(change[place])
