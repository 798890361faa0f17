"""Rainflow cycles of a state-of-charge path, all at once or day after day.

What belongs here: counting (ASTM E1049 by the `rainflow` library), the mean rate of each cycle, and the
turning points that a later day still needs. What does not: what a cycle costs (`degradation.py`).

A path is counted day after day without its history: cycles that have closed are final, and the turning
points still open (the residue, whose ranges fall from one to the next) stand for all of the past. Counting
the residue and the next day together gives the same cycles as counting both days at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import rainflow
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
NO_DEPTH = 1e-9  # rounding of a state that stands still is no cycle
REST_C_RATE = 0.01  # slower changes of the state (self-discharge, auxiliary load) are rest, not cycling


@dataclass(frozen=True)
class TurningPoint:
    """A state of charge at which the path turned, with the running totals of the path up to it.

    throughput: |changes of state of charge| while cycling, fractions of the capacity; active_hours: time cycling.
    """

    soc: float
    throughput: float
    active_hours: float


@dataclass(frozen=True)
class Cycles:
    """Counted cycles; arrays of one value per cycle.

    depth: range, fraction of the capacity; mean: mean state of charge; count: 1, or 0.5 for a half cycle;
    c_rate: mean rate while cycling between its two turning points, capacities an hour.
    """

    depth: FloatArray
    mean: FloatArray
    count: FloatArray
    c_rate: FloatArray

    @property
    def full_equivalents(self) -> FloatArray:
        """Full equivalent cycles of each: count x depth."""
        return self.count * self.depth


def count_cycles(soc: ArrayLike, hours: ArrayLike) -> Cycles:
    """All cycles of a whole path; what is still open at its end counts as half cycles.

    soc: states of charge at the start and at the end of each period, one more than `hours` (durations).
    Raises ValueError for lengths that do not fit or states that are not finite.
    """
    closed, residue = close_cycles((), soc, hours)
    return join(closed, open_cycles(residue))


def close_cycles(
    residue: Sequence[TurningPoint], soc: ArrayLike, hours: ArrayLike
) -> tuple[Cycles, tuple[TurningPoint, ...]]:
    """The cycles that close by the end of `soc`, and the turning points that stay open.

    residue: what the path before left open (empty at its start); `soc` goes on from its last point.
    """
    points = _points(residue, soc, hours)
    states = [point.soc for point in points]
    found = [] if len(states) < 2 else list(rainflow.extract_cycles([*states, states[-1]]))
    halves = [(first, min(last, len(states) - 1)) for _, _, count, first, last in found if count < 1.0]
    open_halves = _falling_tail([abs(states[last] - states[first]) for first, last in halves])
    kept = halves[len(halves) - open_halves :]
    pairs = [(first, last, count) for _, _, count, first, last in found if count == 1.0]
    pairs += [(first, last, 0.5) for first, last in halves[: len(halves) - open_halves]]
    left = [points[kept[0][0]], *(points[last] for _, last in kept)] if kept else points[-1:]
    return _cycles(points, pairs), tuple(left)


def open_cycles(residue: Sequence[TurningPoint]) -> Cycles:
    """What a residue counts as where the path ends: a half cycle between each two of its points."""
    return _cycles(residue, [(n, n + 1, 0.5) for n in range(len(residue) - 1)])


def join(one: Cycles, other: Cycles) -> Cycles:
    """Both sets of cycles."""
    names = ("depth", "mean", "count", "c_rate")
    return Cycles(*(np.concatenate([getattr(one, name), getattr(other, name)]) for name in names))


def depth_histogram(cycles: Cycles, bins: int = 10) -> tuple[FloatArray, FloatArray]:
    """Counted cycles per depth: edges of `bins` equal classes from 0 to 1, and the cycles in each.

    A class holds its upper edge; deeper than 1 (a path beyond the capacity) counts in the last.
    """
    edges = np.linspace(0.0, 1.0, bins + 1)
    place = np.clip(np.searchsorted(edges, cycles.depth - 1e-9, side="left") - 1, 0, bins - 1)
    return edges, np.bincount(place, weights=cycles.count, minlength=bins).astype(float)


def _points(residue: Sequence[TurningPoint], soc: ArrayLike, hours: ArrayLike) -> list[TurningPoint]:
    path = np.atleast_1d(np.asarray(soc, dtype=float))
    length = np.broadcast_to(np.asarray(hours, dtype=float), (path.size - 1,))
    if path.ndim != 1 or not np.isfinite(path).all() or not (length > 0).all():
        raise ValueError("a path of states of charge needs finite states and a positive duration between each two")
    step = np.abs(np.diff(path))
    active = step > REST_C_RATE * length
    before = residue[-1] if residue else TurningPoint(float(path[0]), 0.0, 0.0)
    throughput = before.throughput + np.cumsum(np.where(active, step, 0.0))
    active_hours = before.active_hours + np.cumsum(np.where(active, length, 0.0))
    first = TurningPoint(float(path[0]), before.throughput, before.active_hours)
    rest = zip(path[1:].tolist(), throughput.tolist(), active_hours.tolist(), strict=True)
    return [*residue[:-1], first, *(TurningPoint(*values) for values in rest)]


def _falling_tail(ranges: list[float]) -> int:
    """How many of the last ranges fall from one to the next: the half cycles that no later range has closed."""
    length = min(1, len(ranges))
    while length < len(ranges) and ranges[-length - 1] > ranges[-length]:
        length += 1
    return length


def _cycles(points: Sequence[TurningPoint], pairs: Sequence[tuple[int, int, float]]) -> Cycles:
    ends = [(points[first], points[last], count) for first, last, count in pairs]
    ends = [(first, last, count) for first, last, count in ends if abs(last.soc - first.soc) > NO_DEPTH]
    depth = np.array([abs(last.soc - first.soc) for first, last, _ in ends], dtype=float)
    mean = np.array([(first.soc + last.soc) / 2 for first, last, _ in ends], dtype=float)
    count = np.array([count for *_, count in ends], dtype=float)
    moved = np.array([last.throughput - first.throughput for first, last, _ in ends], dtype=float)
    active = np.array([last.active_hours - first.active_hours for first, last, _ in ends], dtype=float)
    c_rate = np.divide(moved, active, out=np.zeros_like(moved), where=active > 0)
    return Cycles(depth, mean, count, c_rate)
