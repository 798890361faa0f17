"""Fewer scenarios with weights: the k of a set that stand for all of it at the least Wasserstein distance.

What belongs here: reduction, its distance and its report. What does not: distances between scenarios (`metric.py`),
the search (`medoids.py`), what is kept (`moments.py`), transport between given weights (`transport.py`).

The distance is that of order 1 between the two sets as distributions of points of `metric.py`: what it costs to carry
the probability of each scenario to the scenarios kept. When each goes to its nearest, and weights follow, it is the
expected distance to the nearest; for corrected weights it is a transport problem, which is solved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from bess_pipeline.errors import ScenarioError
from bess_pipeline.scenarios import medoids
from bess_pipeline.scenarios.metric import coordinates, distances
from bess_pipeline.scenarios.moments import KeptMoment, kept_moments, moment_weights
from bess_pipeline.scenarios.paths import ScenarioSet
from bess_pipeline.scenarios.transport import transport_distance
from bess_pipeline.threads import one_thread

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

NAMED = 3  # moments that are named in a note


@dataclass(frozen=True)
class Reduction:
    """A reduced set and what it lost.

    scenarios: rows `chosen` (k,) of the full set, rising, with their probabilities. nearest (N,): which of the k is
    nearest to each scenario of the full set. distance: Wasserstein distance to the full set, in the metric's unit;
    relative_distance: as a share of the distance of the best single scenario, so that 0 is the full set and 1 is one
    path. moments: what was checked.
    """

    scenarios: ScenarioSet
    chosen: Integers
    nearest: Integers
    distance: float
    relative_distance: float
    moments: tuple[KeptMoment, ...]


def reduce_scenarios(
    full: ScenarioSet, k: int, weight: Mapping[str, float] | None = None, correct_means: bool = True
) -> Reduction:
    """The best k scenarios of a set that an exchange search finds; all of them where k is their number or more.

    weight: weights of streams by name, in place of those of `metric.py`. correct_means: probabilities changed a little
    so that means are nearly those of the full set; without, they are those of the least distance. Deterministic.
    Moments beyond their tolerances are named in the set's notes. Raises ScenarioError for k below 1.
    """
    if k < 1:
        raise ScenarioError(f"a set cannot be reduced to {k} scenarios: ask for 1 or more")
    with one_thread():
        gap = distances(coordinates(full, weight))
        chosen = _chosen(gap, full.probability, k)
        nearest = medoids.assign(gap, chosen)
        probability: Array = np.bincount(nearest, full.probability, minlength=chosen.size).astype(np.float64)
        distance = float(full.probability @ gap[np.arange(nearest.size), chosen[nearest]])
        if correct_means and chosen.size < full.probability.size:
            probability = moment_weights(full, chosen, probability)
            distance = transport_distance(gap[:, chosen], full.probability, probability)
        moments = kept_moments(full, chosen, probability)
        single = float((full.probability @ gap).min())
    scenarios = replace(
        full,
        probability=probability,
        value={name: values[chosen] for name, values in full.value.items()},
        notes=full.notes + _lost(moments, chosen.size),
    )
    relative = distance / single if single > 0 else 0.0
    return Reduction(scenarios, chosen, nearest, distance, relative, moments)


def _chosen(gap: Array, probability: Array, k: int) -> Integers:
    if k >= probability.size:
        return np.arange(probability.size)
    start = medoids.forward_selection(gap, probability, k)
    return np.sort(medoids.exchange(gap, probability, start))


def _lost(moments: tuple[KeptMoment, ...], k: int) -> tuple[str, ...]:
    lost = [moment.name for moment in moments if not moment.kept]
    if not lost:
        return ()
    more = f" and {len(lost) - NAMED} more" if len(lost) > NAMED else ""
    return (f"{k} scenarios are not within tolerance of the full set in {', '.join(lost[:NAMED])}{more}",)
