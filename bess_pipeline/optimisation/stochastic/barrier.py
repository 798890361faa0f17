"""Quantities within bounds and excesses at a price, as an interior point method sees them.

What belongs here: slacks, their duals, and what each adds to a Newton system. What does not: the systems themselves
(`interior_point.py`, `elimination.py`).

Names of Mehrotra's method (1992): every pair slack x dual is drawn to a common target, which falls to 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bess_pipeline.optimisation.problem import FloatArray

STIFF = 1e20  # the weight of a quantity that cannot move


@dataclass(frozen=True)
class Targets:
    """What the products of a box should become: of the lower and of the upper side."""

    low: FloatArray | float = 0.0
    high: FloatArray | float = 0.0


class Box:
    """An array of quantities, each within bounds that may be infinite or equal (then it cannot move)."""

    def __init__(self, lower: FloatArray, upper: FloatArray, value: FloatArray, dual: FloatArray | float) -> None:
        self.value = value
        self.fixed = np.broadcast_to(lower == upper, value.shape)
        self.below = np.broadcast_to(np.isfinite(lower), value.shape) & ~self.fixed
        self.above = np.broadcast_to(np.isfinite(upper), value.shape) & ~self.fixed
        self.any_fixed = bool(self.fixed.any())
        self.count = int(self.below.sum() + self.above.sum())
        self.low = np.where(self.below, value - lower, 1.0)
        self.high = np.where(self.above, upper - value, 1.0)
        self.dual_low, self.dual_high = np.where(self.below, dual, 0.0), np.where(self.above, dual, 0.0)

    def weight(self) -> FloatArray:
        """Second derivative of the barrier."""
        weight = self.dual_low / self.low + self.dual_high / self.high
        return np.where(self.fixed, STIFF, weight) if self.any_fixed else weight

    def pull(self, target: Targets) -> FloatArray:
        """First derivative of the barrier, beside what the duals say now."""
        low = np.where(self.below, target.low, 0.0) / self.low - self.dual_low
        high = np.where(self.above, target.high, 0.0) / self.high - self.dual_high
        return np.asarray(high - low)

    def price(self) -> FloatArray:
        """Upper dual - lower dual: what the bounds add to the multiplier."""
        return self.dual_high - self.dual_low

    def gap(self) -> float:
        """Sum of all products."""
        return float(np.vdot(self.low, self.dual_low) + np.vdot(self.high, self.dual_high))

    def step(self, change: FloatArray, target: Targets) -> BoxStep:
        """Change of the duals that goes with a change of the quantities."""
        low = np.where(self.below, target.low, 0.0) / self.low - self.dual_low - self.dual_low / self.low * change
        high = np.where(self.above, target.high, 0.0) / self.high - self.dual_high + self.dual_high / self.high * change
        return BoxStep(change, low, high)

    def reach(self, step: BoxStep) -> tuple[float, float]:
        """Longest steps of quantities and of duals that keep all of them positive."""
        primal = min(_longest(self.low, step.change, self.below), _longest(self.high, -step.change, self.above))
        return primal, min(_longest(self.dual_low, step.low), _longest(self.dual_high, step.high))

    def gap_after(self, step: BoxStep, primal: float, dual: float) -> float:
        """Sum of all products after a step."""
        low = (self.low + primal * step.change) * (self.dual_low + dual * step.low)
        high = (self.high - primal * step.change) * (self.dual_high + dual * step.high)
        return float(low[self.below].sum() + high[self.above].sum())

    def absorb(self, missing: FloatArray) -> None:
        """Raise the dual of the side that `missing`, a residual of its quantity's equation, points to."""
        self.dual_low = self.dual_low + np.where(self.below, np.maximum(missing, 0.0), 0.0)
        self.dual_high = self.dual_high + np.where(self.above, np.maximum(-missing, 0.0), 0.0)

    def move(self, step: BoxStep, primal: float, dual: float) -> None:
        """Take a step."""
        change = primal * step.change
        self.value = self.value + change
        self.low = np.where(self.below, self.low + change, 1.0)
        self.high = np.where(self.above, self.high - change, 1.0)
        self.dual_low = self.dual_low + dual * step.low
        self.dual_high = self.dual_high + dual * step.high


@dataclass(frozen=True)
class BoxStep:
    """Directions of a box: of the quantities, of the lower and of the upper duals."""

    change: FloatArray
    low: FloatArray
    high: FloatArray

    def second_order(self, target: float) -> Targets:
        """The targets that make up for what the last step's products added."""
        return Targets(target - self.change * self.low, target + self.change * self.high)


class Over:
    """An excess >= 0 in one row: sign +1 beyond its upper, -1 beyond its lower limit; cost, and loss per unit of it.

    Its dual is cost + loss x tail price - sign x multiplier of the row.
    """

    def __init__(self, sign: float, cost: FloatArray, loss: FloatArray, value: FloatArray, dual: FloatArray) -> None:
        self.sign, self.cost, self.loss, self.value, self.dual = sign, cost, loss, value, dual
        self.count = value.size
        self.any_loss = bool(np.any(loss))

    def turn(self, cost: FloatArray, weight: FloatArray, tail: FloatArray, row: FloatArray) -> None:
        """Another cost, `cost` times the last, at other multipliers; the dual stays well above 0."""
        self.cost = self.cost * cost
        self.dual = np.maximum(self.cost + self.loss * tail - self.sign * row, 0.1 * weight * self.dual)

    def give(self) -> FloatArray:
        """How much it yields to its price."""
        return self.value / self.dual

    def pull(self, target: FloatArray | float) -> FloatArray:
        """What it moves by itself."""
        return target / self.dual - self.value

    def step(self, row: FloatArray, tail: FloatArray | float, target: FloatArray | float) -> OverStep:
        """Changes that go with those of the row's multiplier and of the tail price."""
        dual = self.loss * tail - self.sign * row
        return OverStep(self.pull(target) - self.give() * dual, dual)

    def gap(self) -> float:
        """Sum of all products."""
        return float(np.vdot(self.value, self.dual))

    def reach(self, step: OverStep) -> tuple[float, float]:
        """Longest steps that keep it and its dual positive."""
        return _longest(self.value, step.change), _longest(self.dual, step.dual)

    def gap_after(self, step: OverStep, primal: float, dual: float) -> float:
        """Sum of all products after a step."""
        return float(((self.value + primal * step.change) * (self.dual + dual * step.dual)).sum())

    def move(self, step: OverStep, primal: float, dual: float) -> None:
        """Take a step."""
        self.value = self.value + primal * step.change
        self.dual = self.dual + dual * step.dual


@dataclass(frozen=True)
class OverStep:
    """Directions of an excess and of its dual."""

    change: FloatArray
    dual: FloatArray

    def second_order(self, target: float) -> FloatArray:
        """The target that makes up for what the last step's products added."""
        return np.asarray(target - self.change * self.dual)


def _longest(value: FloatArray, change: FloatArray, where: FloatArray | None = None) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = change / value
    if where is not None:
        ratio = np.where(where, ratio, 0.0)
    steepest = float(np.fmin.reduce(ratio, axis=None, initial=0.0))  # 0/0, which moves nothing, is passed over
    return 1.0 if steepest >= -1.0 else -1.0 / steepest
