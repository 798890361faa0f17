"""Energy that one contracted MW of response moves in each half-hour, from one-second frequency.

What belongs here: frequency to energy per MW. What does not: reading frequency files
(`sources/neso_frequency.py`), the curves (`response_curves.py`) and what a battery can deliver.

Rule (domain reference 5.4): energy = 1/3600 x the sum over the seconds of the half-hour of the
delivered share, in MWh per contracted MW, a magnitude; the product gives the direction. A second
without a usable value delivers nothing and lowers `coverage`: nothing is scaled up or filled. A
half-hour whose coverage is below `min_coverage` is left out, to be listed as missing.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from bess_pipeline.ancillary.response_curves import PRODUCTS, delivered_share
from bess_pipeline.gb_time import require_utc
from bess_pipeline.schemas import empty_frame

SECONDS_PER_HALF_HOUR = 1800
SECONDS_PER_HOUR = 3600.0
MIN_COVERAGE = 0.95
_HALF_HOURS_AT_ONCE = 96  # bounds the memory of the shares: two days of seconds
_TABLE = "market/response_energy"


def response_energy(
    start_utc: datetime, frequency_hz: ArrayLike, basis: str, min_coverage: float = MIN_COVERAGE
) -> pd.DataFrame:
    """Rows of `market/response_energy` from one value a second (Hz, NaN where unknown) from `start_utc` on.

    The start lies on a half-hour and the values fill whole half-hours (ValueError otherwise).
    `basis` is measured, assumed or simulated.
    """
    values = np.asarray(frequency_hz, dtype=np.float64)
    first = require_utc(start_utc)
    if first.minute % 30 or first.second or first.microsecond or len(values) % SECONDS_PER_HALF_HOUR:
        raise ValueError("one-second frequency must fill whole half-hours from the start of one")
    seconds = values.reshape(-1, SECONDS_PER_HALF_HOUR)
    coverage = np.isfinite(seconds).sum(axis=1) / SECONDS_PER_HALF_HOUR
    kept = np.flatnonzero(coverage >= min_coverage)
    if not len(kept):
        return empty_frame(_TABLE)
    starts = pd.DatetimeIndex([first + timedelta(minutes=30) * int(n) for n in kept]).as_unit("us")
    parts = [kept[n : n + _HALF_HOURS_AT_ONCE] for n in range(0, len(kept), _HALF_HOURS_AT_ONCE)]
    frames = [
        pd.DataFrame({
            "product": product,
            "start_utc": starts,
            "energy_mwh_per_mw": np.concatenate([_energy(product, seconds[part]) for part in parts]),
            "coverage": coverage[kept],
            "basis": basis,
        })
        for product in PRODUCTS
    ]  # fmt: skip
    return pd.concat(frames, ignore_index=True).sort_values(["start_utc", "product"], ignore_index=True)


def _energy(product: str, seconds: np.ndarray) -> np.ndarray:
    return np.asarray(np.nansum(delivered_share(product, seconds), axis=1) / SECONDS_PER_HOUR)
