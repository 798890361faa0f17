"""What forecast models start from: the mean of the last known days, or the day-ahead price and the usual difference.

What belongs here: that guess for any stream and any number of days. What does not: the models that explain what is left
of it, and which driver a question has (`training.py`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bess_pipeline.forecasting.information import Information
from bess_pipeline.forecasting.knowledge import LEVEL_DAYS, freshest_lag, recent_mean, to_slots, trailing_mean
from bess_pipeline.forecasting.streams import Stream

Array = npt.NDArray[np.float64]

DAY_AHEAD, SYSTEM_PRICE = "day_ahead", "system_price"
ON_DAY_AHEAD = (SYSTEM_PRICE, "market_index")
ACTIVATION = "activation_"


def first_guess(information: Information, stream: Stream, driver: Array | None, days: int = LEVEL_DAYS) -> Array:
    """The guess (rows, slots) for a stream from the last `days` days that each row's gate knew; NaN before any.

    driver (rows, slots of the day-ahead stream): the day-ahead price of the forecast day, published or forecast. The
    system price and the market index take it with their mean difference from it, where it is given.
    """
    if stream.name.startswith(ACTIVATION):
        return np.zeros((len(information.days), stream.slots))
    if driver is not None and follows(stream, driver):
        return np.asarray(to_slots(driver, stream) + _usual_difference(information, stream, days))
    return recent_mean(information, stream.name, days)


def follows(stream: Stream, driver: Array | None) -> bool:
    """Whether a stream's guess stands on the day-ahead price."""
    return driver is not None and stream.name in ON_DAY_AHEAD


def _usual_difference(information: Information, stream: Stream, days: int) -> Array:
    """Mean difference (rows, slots) of a stream from the day-ahead price over the last days that gates knew."""
    lag = freshest_lag(information, stream.name)
    if lag is None:
        return np.full((len(information.days), stream.slots), np.nan)
    day_ahead = to_slots(information.lagged[DAY_AHEAD, lag], stream)
    return trailing_mean(information.lagged[stream.name, lag] - day_ahead, days)
