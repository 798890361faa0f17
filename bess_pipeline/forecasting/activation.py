"""Energy that response contracts ask for: what was measured by half-hour, or what is published of it.

What belongs here: forecasts of activation. What does not: frequency and the energy made of it (`ancillary/`).

Frequency is published a month at a time, weeks after its days, so nothing of the days before is known at a gate and
its climatology by slot is the forecast. Where nothing was measured, the published throughput stands in, flat and
without spread (domain reference 5.4: 0.10 to 0.15 MWh/MW/h for dynamic regulation and 0.005 to 0.0075 for dynamic
containment, each direction; the middle of each). For dynamic moderation no figure is published: it has a forecast only
from a setting.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bess_pipeline.forecast_settings import ForecastSettings
from bess_pipeline.forecasting.errors_ahead import ErrorQuantiles, Forecaster
from bess_pipeline.forecasting.model import Located, Question
from bess_pipeline.gb_time import HALF_HOUR_H

Array = npt.NDArray[np.float64]

PUBLISHED_MWH_PER_MW_H = {"DR": 0.125, "DC": 0.00625}
ASSUMED = "assumed"


def climatology(question: Question) -> Forecaster:
    """The mean of each slot over all known days, with the distribution of what was known around it."""
    known = question.outcome
    mean = np.nan_to_num(_slot_mean(known))
    one = np.ones(known.shape)
    past = Located(np.where(question.usable[:, None], mean, np.nan), one, one)
    errors = ErrorQuantiles.fit(past, known, question.settings.error_half_life_days)
    ahead = Located(mean, one[0], one[0])
    return Forecaster("climatology", question.stream.lowest, past, errors, lambda _: ahead, past.point)


def assumed_mwh_per_mw(product: str, settings: ForecastSettings) -> float | None:
    """Energy of a half-hour that is assumed where none was measured, MWh/MW; None where no figure is published."""
    moderation = product.startswith("DM")
    hourly = settings.assumed_dm_mwh_per_mw_h if moderation else PUBLISHED_MWH_PER_MW_H.get(product[:2])
    return None if hourly is None else hourly * HALF_HOUR_H


def _slot_mean(values: Array) -> Array:
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    overall = total.sum() / max(int(count.sum()), 1)
    return np.where(count > 0, total / np.maximum(count, 1), overall)
