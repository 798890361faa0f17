"""What gates knew: the past of each stream as each past gate saw it, and the outcomes known by now.

What belongs here: the form in which models are given what they may use. What does not: reading it from stored
tables and the cut at each gate (`observation.py`), and features and models made of it (a module each).

One row a day, the oldest first, the last row the day that is forecast. Row r is day d(r) as its own gate on
d(r) - 1 saw it; outcomes are what the gate of the last row knows. So a model is trained on rows that had the very
knowledge that it will have, and nothing that came later is in here at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from bess_pipeline.forecasting.streams import Stream

Array = npt.NDArray[np.float64]

LEADS = (0, 1)  # days forecast at a gate: the trading day and the one after it
LAGS = (0, 1, 2, 3, 7)  # days back from the trading day that rows hold; 0 is what its gate knows of the day itself


@dataclass(frozen=True, eq=False)
class Information:
    """Arrays by day (row) and slot (column), NaN where a value was not known or does not exist.

    Each is equal to itself alone, so that what is worked out of it can be kept with it (`knowledge.kept`).

    efa_date, gate, gate_utc: what is forecast, when; the last of `days` is `efa_date`.
    streams: the streams there is anything known of, by name.
    lagged[stream, lag]: values of day d(r) - lag that the gate of d(r) knew.
    outcome[stream, lead]: values of day d(r) + lead known by `gate_utc`: NaN in the last rows.
    fundamental[series, lead]: forecasts of wind, demand … for day d(r) + lead, the newest published at or before the
    gate of d(r); 48 half-hours. Empty where the workspace has none.
    notes: what is weaker than it should be, in words (such as "final-run prices used as features").
    """

    efa_date: date
    gate: str
    gate_utc: datetime
    days: tuple[date, ...]
    streams: Mapping[str, Stream]
    lagged: Mapping[tuple[str, int], Array]
    outcome: Mapping[tuple[str, int], Array]
    fundamental: Mapping[tuple[str, int], Array]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class DispatchInformation:
    """What the decision about one half-hour of the trading day D knew: half-hourly values of D-1 and D.

    start_utc: the half-hour that is decided; decision_utc: when; efa_date: its EFA day D.
    period_start_utc (n,): the half-hours of D-1 and D in order of time, 94 to 100 of them; slot (n,) their slots and
    lag (n,) how many days before D they lie, 1 or 0. `here` is the place of `start_utc` in them.
    value[stream] (n,): day_ahead, system_price, net_imbalance_volume, market_index and activation_…, NaN where not
    known at `decision_utc`; an hourly day-ahead price stands in both its half-hours.
    """

    efa_date: date
    start_utc: datetime
    decision_utc: datetime
    period_start_utc: pd.DatetimeIndex
    slot: npt.NDArray[np.int64]
    lag: npt.NDArray[np.int64]
    here: int
    streams: Mapping[str, Stream]
    value: Mapping[str, Array]
    notes: tuple[str, ...] = ()
