"""The desk's limits for a trading day: what was measured, what is allowed, and what is breached.

What belongs here: the comparison and the measures of a position that only limits need. What does not: the limits
themselves (`risk_settings.py`) and VaR and CVaR (`measures.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bess_pipeline.risk_settings import LimitSettings

WITHIN, BREACHED, NO_LIMIT, NOT_MEASURED = "within", "breached", "no limit", "not measured"
LOWEST = ("min_response_share",)  # limits from below; all others are from above
OF_FORECASTS = ("var_gbp", "cvar_gbp")  # limits of what was expected of the day; all others are of the day itself
EX_ANTE, HISTORICAL, NO_SOURCE = "ex_ante", "historical", "not_measured"  # sources of what was expected
NAMES = {
    "var_gbp": "VaR",
    "cvar_gbp": "CVaR",
    "open_day_ahead_mwh": "open day-ahead position",
    "imbalance_mwh": "imbalance",
    "min_response_share": "share of response",
}
UNITS = {"var_gbp": "GBP", "cvar_gbp": "GBP", "open_day_ahead_mwh": "MWh", "imbalance_mwh": "MWh"}


@dataclass(frozen=True)
class LimitStatus:
    """One limit: `excess` is by how much `measured` breaks `allowed`, 0 within; NaN where either is missing.

    `source`: of a limit `OF_FORECASTS`, where the forecast is from; None for the others.
    """

    limit: str
    unit: str
    measured: float
    allowed: float
    status: str
    excess: float
    source: str | None = None

    @property
    def sentence(self) -> str:
        """The status in words."""
        name, unit = name_of(self.limit, self.source), f" {self.unit}" if self.unit else ""
        if self.status == BREACHED:
            side = "below its least" if self.limit in LOWEST else "above its limit of"
            return f"{name} is {self.measured:,.4g}{unit}, {side} {self.allowed:,.4g} by {self.excess:,.4g}"
        if self.status == WITHIN:
            return f"{name} is {self.measured:,.4g}{unit}, limit {self.allowed:,.4g}"
        return f"{name}: {self.status}"


def name_of(limit: str, source: str | None = None) -> str:
    """A limit in words, with the source of what is measured where it has one."""
    words = "" if source in (None, NO_SOURCE) else f" ({str(source).replace('_', ' ')})"
    return NAMES.get(limit, limit.replace("_", " ")) + words


def check_limits(limits: LimitSettings, source: str | None = None, **measured: float) -> list[LimitStatus]:
    """The status of every limit, in the order of the settings.

    `measured` has a number for each name of `LimitSettings`: VaR and CVaR as losses in GBP, from `source` (`EX_ANTE` or
    `HISTORICAL`), volumes in MWh a day (`volume_mwh`), the share as `response_share` gives it. A name left out, or NaN,
    is not measured, which is no breach and is said. A limit is broken beyond it, not at it. Raises ValueError for a
    name that no limit has.
    """
    names = list(type(limits).model_fields)
    unknown = sorted(set(measured) - set(names))
    if unknown:
        raise ValueError(f"there is no limit {', '.join(unknown)}")
    return [_status(name, getattr(limits, name), measured.get(name, math.nan), source) for name in names]


def volume_mwh(mwh: ArrayLike, other_mwh: ArrayLike = 0.0) -> float:
    """Sum over half-hours of |mwh - other_mwh|, MWh: of imbalance, or of day-ahead volume less planned dispatch.

    NaN where a half-hour is missing: what is not known is not within a limit.
    """
    return float(np.sum(np.abs(np.asarray(mwh, dtype=float) - np.asarray(other_mwh, dtype=float))))


def response_share(response_mw_h: float, power_mw: float, hours: float) -> float:
    """Contracted response, MW times hours of all products, over rating times hours of the day (23, 24 or 25)."""
    if not (power_mw > 0.0 and hours > 0.0):
        raise ValueError(f"a rating of {power_mw:g} MW over {hours:g} h has no share")
    return response_mw_h / (power_mw * hours)


def _status(name: str, allowed: float | None, measured: float, source: str | None) -> LimitStatus:
    unit, nan = UNITS.get(name, ""), math.nan
    known = None
    if name in OF_FORECASTS:
        known = NO_SOURCE if math.isnan(measured) or source is None else source
    if allowed is None:
        return LimitStatus(name, unit, measured, nan, NO_LIMIT, nan, known)
    if math.isnan(measured):
        return LimitStatus(name, unit, nan, allowed, NOT_MEASURED, nan, known)
    excess = max(allowed - measured if name in LOWEST else measured - allowed, 0.0)
    return LimitStatus(name, unit, measured, allowed, BREACHED if excess > 0.0 else WITHIN, excess, known)
