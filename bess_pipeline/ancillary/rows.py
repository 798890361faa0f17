"""How a rule is told: as linear rows for an optimiser, and as breaches for people.

What belongs here: the two forms. What does not: any rule.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
TOLERANCE = 1e-6  # MW or MWh: less is rounding


@dataclass(frozen=True)
class LinearRows:
    """`coefficient @ x <= limit` in each half-hour, x in the order of `columns`.

    coefficient (..., half-hours, rows, columns) and limit (half-hours, rows); leading dimensions of the coefficients
    are scenarios. `names` tells the rows.
    """

    names: tuple[str, ...]
    columns: tuple[str, ...]
    coefficient: FloatArray
    limit: FloatArray

    def excess(self, values: FloatArray) -> FloatArray:
        """By how much x (..., half-hours, columns) breaks each row, (..., half-hours, rows); <= 0 holds."""
        return np.asarray(np.einsum("...rc,...c->...r", self.coefficient, values) - self.limit)


@dataclass(frozen=True)
class Breach:
    """A rule that a plan breaks: which, in which half-hour (from 0), by how much, and the sentence about it."""

    rule: str
    period: int
    amount: float
    unit: str
    reason: str


def breaches(rule: str, unit: str, excess: FloatArray, reason: str) -> list[Breach]:
    """One breach per half-hour in which `excess` (half-hours,) is more than rounding, or not a number."""
    return [
        Breach(rule, int(period), float(excess[period]), unit, f"{reason} by {excess[period]:g} {unit}")
        for period in np.flatnonzero(~(excess <= TOLERANCE))
    ]


def first_in_time(found: Iterable[Breach]) -> list[Breach]:
    """Breaches in the order of their half-hours."""
    return sorted(found, key=lambda one: (one.period, one.rule))
