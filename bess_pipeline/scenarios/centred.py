"""Scenarios moved so that their means are those of the forecast they were drawn from.

What belongs here: the move. What does not: drawing (`generate.py`) and reduction (`reduce.py`), which keeps means over
the day and not those of single periods.

A plan that weighs little but expected prices stands on the means of its scenarios. Those of a few dozen paths lie off
the forecast by its standard deviation over the root of their number, in every half-hour another way, which a battery
takes for a spread. Each period of a price is moved by what its mean is off: differences between scenarios, and so what
ties periods and markets together, stay as they are (moment matching: Hoyland and Wallace 2001, of the first moment).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from bess_pipeline.forecasting.distribution import Marginals
from bess_pipeline.forecasting.streams import ACTIVATION
from bess_pipeline.scenarios.paths import Array, ScenarioSet

NO_PRICES = frozenset(stream.name for stream in ACTIVATION.values())


def centred(scenarios: ScenarioSet, forecast: Mapping[str, Marginals]) -> ScenarioSet:
    """The set with the forecast's mean in every period of a price; where there is none, as it was.

    No value goes below the lowest that its stream can have.
    """
    return replace(
        scenarios,
        value={
            name: _moved(scenarios, name, values, forecast[name])
            if name in forecast and name not in NO_PRICES
            else values
            for name, values in scenarios.value.items()
        },
    )


def _moved(scenarios: ScenarioSet, name: str, values: Array, forecast: Marginals) -> Array:
    place = forecast.start_utc.get_indexer(scenarios.start_utc[name])
    mean = np.where(place >= 0, forecast.mean[np.maximum(place, 0)], np.nan)
    off = mean - scenarios.probability @ values
    return np.asarray(np.maximum(values + np.where(np.isfinite(off), off, 0.0), scenarios.streams[name].lowest))
