"""How much risk weighs in the objective.

What belongs here: the two numbers and what follows from them alone. What does not: the measures (`risk/measures.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from bess_pipeline.errors import UserInputError
from bess_pipeline.optimisation.problem import FloatArray

LEAST_MEAN_WEIGHT = 1e-4


@dataclass(frozen=True)
class RiskAversion:
    """Maximise (1 - weight) x mean profit of the horizon - weight x CVaR of the committed day's loss.

    weight: in [0, 1]; kept `LEAST_MEAN_WEIGHT` below 1, so that at full risk aversion the mean still decides between
    plans of the same CVaR, and in all that comes after the committed day.
    """

    weight: float = 0.0
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 1:
            raise UserInputError(f"a risk aversion of {self.weight} does not lie in [0, 1]")
        object.__setattr__(self, "weight", min(self.weight, 1 - LEAST_MEAN_WEIGHT))
        if not 0 < self.confidence < 1:
            raise UserInputError(f"a confidence of {self.confidence} does not lie between 0 and 1")

    def most_tail_price(self, probability: FloatArray) -> FloatArray:
        """Most that a pound of each scenario's loss can weigh through CVaR, (N,); together they weigh `weight`."""
        return self.weight * probability / (1 - self.confidence)
