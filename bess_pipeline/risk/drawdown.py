"""Falls of cumulative cash below its earlier peak: how deep, from when to when, and whether they were made good.

What belongs here: drawdown of daily P&L in GBP. What does not: what a day earned (`pnl.py`) and other measures
(`measures.py`).

On cumulative cash, in pounds (or pounds per MW) and not per cent: there is no invested capital, and the base of a
percentage may be nothing or less (domain reference 8). Cumulative cash starts at 0 before the first day. Days of the
series are counted by calendar; a day that is left out lengthens a fall and deepens none.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Drawdown:
    """Deepest fall of cumulative cash below its earlier peak, and the fall at the end; GBP, >= 0.

    `peak_date` is None when the fall began at the start of the window, before any day had settled; `recovery_date`,
    the first day at or above that peak, is None when there was none yet; all dates are None when cumulative cash never
    fell. length_days: from peak to recovery, or to the last day; longest_days: that of the fall that lasted longest.
    """

    depth_gbp: float
    current_gbp: float
    peak_date: date | None
    trough_date: date | None
    recovery_date: date | None = None
    length_days: int = 0
    longest_days: int = 0

    @property
    def recovered(self) -> bool:
        """Whether the deepest fall was made good (or there was none)."""
        return self.trough_date is None or self.recovery_date is not None


def drawdown_series(daily_cash_gbp: pd.Series) -> pd.DataFrame:
    """Cumulative cash, its running peak (0 before the first day) and the fall below it, GBP.

    `daily_cash_gbp` is indexed by EFA day in order; columns cumulative_gbp, peak_gbp, drawdown_gbp (>= 0).
    """
    cumulative = daily_cash_gbp.cumsum()
    peak = cumulative.cummax().clip(lower=0.0)
    return pd.DataFrame({"cumulative_gbp": cumulative, "peak_gbp": peak, "drawdown_gbp": peak - cumulative})


def deepest_fall_gbp(daily_cash_gbp: ArrayLike) -> np.float64 | NDArray[np.float64]:
    """Depth of the deepest fall over the last axis, GBP, >= 0: the `depth_gbp` of many series at once."""
    cumulative = np.cumsum(np.asarray(daily_cash_gbp, dtype="float64"), axis=-1)
    peak = np.maximum(np.maximum.accumulate(cumulative, axis=-1), 0.0)
    return np.max(peak - cumulative, axis=-1, initial=0.0)


def drawdown(daily_cash_gbp: pd.Series) -> Drawdown:
    """Depth, dates and length of the deepest fall, and the fall at the end of the series (see `drawdown_series`).

    Raises ValueError for a day without cash (NaN): it is left out by the caller, it is no zero.
    """
    if daily_cash_gbp.isna().any():
        raise ValueError(f"{int(daily_cash_gbp.isna().sum())} days have no cash: leave them out, they are no zeros")
    fall = drawdown_series(daily_cash_gbp)["drawdown_gbp"].to_numpy()
    days = list(daily_cash_gbp.index)
    if not len(fall) or fall.max() <= 0.0:
        return Drawdown(0.0, 0.0, None, None)
    trough = int(fall.argmax())
    spans = _spans(fall)
    first, last = next(span for span in spans if span[0] <= trough <= span[1])
    recovery = days[last + 1] if last + 1 < len(days) else None
    return Drawdown(
        depth_gbp=float(fall[trough]),
        current_gbp=float(fall[-1]),
        peak_date=days[first - 1] if first else None,
        trough_date=days[trough],
        recovery_date=recovery,
        length_days=_length(days, first, last),
        longest_days=max(_length(days, *span) for span in spans),
    )


def _spans(fall: NDArray[np.float64]) -> list[tuple[int, int]]:
    """First and last place of each unbroken run of days below the peak."""
    below = np.concatenate([[False], fall > 0.0, [False]])
    edges = np.flatnonzero(below[1:] != below[:-1])
    return [(int(first), int(last) - 1) for first, last in edges.reshape(-1, 2)]


def _length(days: list[date], first: int, last: int) -> int:
    """Calendar days from the peak (the day before the series, if it fell at once) to recovery or the last day."""
    peak = days[first - 1] if first else days[0] - timedelta(days=1)
    return (days[min(last + 1, len(days) - 1)] - peak).days
