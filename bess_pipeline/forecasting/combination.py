"""The mean of several forecasts, which is rarely the best and never the worst.

What belongs here: equal-weight combination of points. What does not: its members (a module each).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bess_pipeline.forecasting.errors_ahead import Forecaster, forecaster_of_points
from bess_pipeline.forecasting.model import Question

Array = npt.NDArray[np.float64]


def combination(question: Question, members: Sequence[Forecaster]) -> Forecaster:
    """Equal weights; the distribution is that of the combination's own honest errors."""
    past = np.mean([member.located.point for member in members], axis=0)
    as_old = np.mean([member.as_old for member in members], axis=0)

    def predict(asked: Question) -> Array:
        points = np.full(asked.base.shape, np.nan)
        points[-1] = np.mean([member.point(asked) for member in members], axis=0)
        return points

    return forecaster_of_points("combination", question, past, predict, as_old)
