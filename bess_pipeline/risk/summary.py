"""The rows of the table of measures: every measure, basis and window of one strategy, with its interval.

What belongs here: which measures are taken of which days, in which unit. What does not: the measures (`measures.py`,
`drawdown.py`), intervals (`bootstrap.py`) and the days' P&L (`pnl.py`).

Bases: *cash* (wear left out) and *after_wear*; drawdown is of the cumulative pounds of either (domain reference 8).
Windows: all days there are, and those of the last n calendar days where the history is that long. In pounds and per MW.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial

import numpy as np
import pandas as pd

from bess_pipeline.risk import measures
from bess_pipeline.risk.bootstrap import Interval, Statistic, intervals, optimal_block_days
from bess_pipeline.risk.drawdown import deepest_fall_gbp
from bess_pipeline.risk.measures import FloatArray
from bess_pipeline.risk_settings import RiskSettings

BASES = {"cash": "cash_gbp", "after_wear": "after_wear_gbp"}
WHOLE = "all"
SHORTEST_BLOCK_DAYS, LONGEST_BLOCK_DAYS = 5.0, 10.0  # domain reference 8: mean block of 5 to 10 days
COLUMNS = [
    "as_of",
    "strategy",
    "basis",
    "window",
    "measure",
    "confidence",
    "unit",
    "value",
    "ci_low",
    "ci_high",
    "days",
]


@dataclass(frozen=True)
class Measure:
    """A measure of daily P&L over the last axis, and the (name, unit, whether per MW) it is stored as.

    `confidence` is NaN for measures without one.
    """

    statistic: Statistic
    stored_as: tuple[tuple[str, str, bool], ...]
    confidence: float = math.nan


def measure_rows(
    daily: pd.DataFrame,
    strategy: str,
    power_mw: float,
    settings: RiskSettings,
    seed: int,
    as_of: date | None = None,
) -> pd.DataFrame:
    """Measures of one strategy.

    Parameters
    ----------
    daily : efa_date, cash_gbp, after_wear_gbp (`pnl.daily_totals`), a row per day, in any order; finite.
    power_mw : the rating.
    seed : of the bootstrap.
    as_of : the day that windows end on; None = the last day of `daily`.

    Returns
    -------
    DataFrame
        `COLUMNS`; ends of the interval are NaN where there is none (see `bootstrap.intervals`). No row for no day.
    """
    days = daily.sort_values("efa_date")
    if days.empty:
        return pd.DataFrame(columns=COLUMNS)
    as_of = as_of or days["efa_date"].iloc[-1]
    stored = measures_of(settings.confidences)
    rows = []
    for window, part in _windows(days, as_of, settings.windows_days):
        for basis, column in BASES.items():
            pnl = part[column].to_numpy(dtype="float64")
            found = _intervals([one.statistic for one in stored], pnl, settings, seed)
            for one, number in zip(stored, found, strict=True):
                for name, unit, per_mw in one.stored_as:
                    base = power_mw if per_mw else 1.0
                    ends = (number.value / base, number.low / base, number.high / base)
                    rows.append((as_of, strategy, basis, window, name, one.confidence, unit, *ends, len(pnl)))
    return pd.DataFrame(rows, columns=COLUMNS)


def measures_of(confidences: tuple[float, ...]) -> list[Measure]:
    """Every measure that is stored."""
    found = [
        Measure(_mean, (("mean_gbp_per_day", "GBP/day", False), ("mean_gbp_per_mw_per_day", "GBP/MW/day", True))),
        Measure(_yearly, (("annualised_gbp_per_mw_year", "GBP/MW/year", True),)),
        Measure(deepest_fall_gbp, _both("max_drawdown")),
        Measure(measures.sharpe, (("sharpe", "1", False),)),
        Measure(measures.sortino, (("sortino", "1", False),)),
        Measure(measures.hit_rate, (("hit_rate", "1", False),)),
    ]
    for level in confidences:
        found.append(Measure(partial(measures.value_at_risk, confidence=level), _both("var"), level))
        found.append(Measure(partial(measures.conditional_value_at_risk, confidence=level), _both("cvar"), level))
    return found


def rolling(daily_gbp: pd.Series, days: int, statistic: Statistic) -> pd.Series:
    """A measure of the last `days` days of the series at each of its days; none before there are so many.

    Days are those of the series: a day that is left out is not replaced by one before it in its calendar week.
    Raises ValueError for a window of less than a day.
    """
    if days < 1:
        raise ValueError("a window has at least one day")
    if len(daily_gbp) < days:
        return daily_gbp.iloc[:0].astype("float64")
    windows = np.lib.stride_tricks.sliding_window_view(daily_gbp.to_numpy(dtype="float64"), days)
    return pd.Series(np.asarray(statistic(windows)), index=daily_gbp.index[days - 1 :])


def mean_block_days(daily_gbp: FloatArray, settings: RiskSettings) -> float:
    """Mean block of the bootstrap: the setting, or the optimal one, kept within 5 to 10 days and the days there are."""
    if settings.bootstrap_block_days != "auto":
        return settings.bootstrap_block_days
    chosen = float(np.clip(optimal_block_days(daily_gbp), SHORTEST_BLOCK_DAYS, LONGEST_BLOCK_DAYS))
    return max(1.0, min(chosen, float(len(daily_gbp))))


def _intervals(statistics: list[Statistic], pnl: FloatArray, settings: RiskSettings, seed: int) -> list[Interval]:
    return intervals(
        statistics,
        pnl,
        mean_block_days=mean_block_days(pnl, settings),
        replicates=settings.bootstrap_replicates,
        seed=seed,
        confidence=settings.interval_confidence,
    )


def _windows(days: pd.DataFrame, as_of: date, lengths: tuple[int, ...]) -> Iterator[tuple[str, pd.DataFrame]]:
    yield WHOLE, days
    for length in lengths:
        first = as_of - timedelta(days=length - 1)
        if days["efa_date"].iloc[0] <= first:
            yield f"{length}d", days[days["efa_date"] >= first]


def _mean(daily_gbp: FloatArray) -> FloatArray:
    return np.asarray(daily_gbp.mean(axis=-1))


def _yearly(daily_gbp: FloatArray) -> FloatArray:
    return np.asarray(measures.annualised_gbp_per_mw(daily_gbp, 1.0))


def _both(name: str) -> tuple[tuple[str, str, bool], ...]:
    return ((f"{name}_gbp", "GBP", False), (f"{name}_gbp_per_mw", "GBP/MW", True))
