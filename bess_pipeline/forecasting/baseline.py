"""The baseline forecast of day-ahead prices: the mean of recent days of the same type.

What belongs here: forecasts without a fitted model, a yardstick for every better one. What does not: models, and
the choice of the history (`trading/known_prices.py` hands over what was known at the gate and nothing else).

A forecaster is any function of (history, days) that gives one price for each half-hour of the days.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.forecasting.yardsticks import mean_of_similar
from bess_pipeline.working_days import is_working_day

Array = npt.NDArray[np.float64]
Forecaster = Callable[[pd.DataFrame, Sequence[date]], Array]


def similar_day(similar_days: int) -> Forecaster:
    """The forecaster that averages, for each London clock half-hour, the last `similar_days` days of the same type.

    Types are working days, and weekends with bank holidays. The history has efa_date, start_utc and
    day_ahead_price_gbp_mwh of complete EFA days, one at least (ValueError otherwise); where it has no day of the
    type, its last days of any type serve. A clock half-hour that none of them has (they are all the day on which
    clocks go forward) takes its mean over the whole history, or else the mean of everything.
    """

    def forecast(history: pd.DataFrame, days: Sequence[date]) -> Array:
        if history.empty:
            raise ValueError("a forecast from similar days needs one day of history at least")
        by_day = _clock_table(history)
        working = np.array([is_working_day(day) for day in by_day.index])
        shapes = {kind: _shape(by_day, working == kind, similar_days) for kind in (True, False)}
        parts = [shapes[is_working_day(day)].reindex(_clock(gb_time.efa_half_hours(day))) for day in days]
        return np.concatenate([part.to_numpy(dtype="float64") for part in parts])

    return forecast


def _clock_table(history: pd.DataFrame) -> pd.DataFrame:
    """A row per EFA day in order, a column per London clock half-hour (minutes since midnight), GBP/MWh."""
    clock = _clock(pd.DatetimeIndex(history["start_utc"]))
    price = history["day_ahead_price_gbp_mwh"].to_numpy(dtype="float64")
    frame = pd.DataFrame({"efa_date": history["efa_date"].to_numpy(), "clock": clock, "price": price})
    return frame.pivot_table(index="efa_date", columns="clock", values="price", aggfunc="mean").sort_index()


def _clock(starts: pd.DatetimeIndex) -> npt.NDArray[np.int64]:
    local = starts.tz_convert(gb_time.LONDON)
    return np.asarray(local.hour * 60 + local.minute, dtype=np.int64)


def _shape(by_day: pd.DataFrame, same: npt.NDArray[np.bool_], similar_days: int) -> pd.Series:
    values = by_day.reindex(columns=range(0, 24 * 60, 30)).to_numpy(dtype="float64")
    return pd.Series(mean_of_similar(values, same, similar_days)[-1], index=range(0, 24 * 60, 30))
