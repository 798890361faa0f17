"""The ladder of strategies: what each is worth a year, what share of its bound it captures and by how much it leads
another, each with an interval of the same resampled days.

What belongs here: comparisons of several strategies over the same days. What does not: measures of one strategy
(`summary.py`) and the picture (`figures/ladder.py`).

Days are those that *all* compared strategies have: a day without P&L of one is left out for all, and counted.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from bess_pipeline.risk.bootstrap import Interval, Statistic, intervals
from bess_pipeline.risk.measures import FloatArray
from bess_pipeline.risk.pnl import DAYS_PER_YEAR
from bess_pipeline.risk.summary import mean_block_days
from bess_pipeline.risk_settings import RiskSettings

LADDER_COLUMNS = [
    "strategy",
    "value",
    "ci_low",
    "ci_high",
    "worth",
    "worth_low",
    "worth_high",
    "capture",
    "capture_low",
    "capture_high",
    "days",
    "left_out",
]


def wide(daily: pd.DataFrame, column: str) -> pd.DataFrame:
    """A row per day and a column per strategy of `pnl.daily_totals` rows; NaN where a strategy has no such day."""
    return daily.pivot(index="efa_date", columns="strategy", values=column).rename_axis(columns=None)


def ladder(
    daily_gbp: pd.DataFrame,
    bounds: Mapping[str, str],
    power_mw: float,
    settings: RiskSettings,
    seed: int,
    stored_gbp: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """GBP/MW/year and capture of every strategy, the least first.

    Parameters
    ----------
    daily_gbp : `wide` P&L, GBP a day.
    bounds : strategy to the column of its bound; those without one, or with a bound that earned nothing, have no
        capture (NaN).
    power_mw : the rating.
    seed : of the bootstrap; block length from the mean over strategies.
    stored_gbp : what each day adds to the worth of stored energy, in the same form; worth and capture
        count it, value does not.

    Returns
    -------
    DataFrame
        `LADDER_COLUMNS`, value (P&L) and worth (with the change of stored energy) in GBP/MW/year; capture is worth
        over the bound's worth; days used and days left out. NaN ends for fewer than two days.
    """
    pnl, left_out = _common(daily_gbp)
    if pnl.empty:
        return pd.DataFrame(columns=LADDER_COLUMNS)
    place = {str(name): n for n, name in enumerate(pnl.columns)}
    paired = [(name, bound) for name, bound in bounds.items() if name in place and bound in place]
    count = len(place)
    shares = [_share(count + place[a], count + place[b]) for a, b in paired]
    statistics = [_yearly(n, power_mw) for n in range(2 * count)] + shares
    found = _intervals(statistics, pnl, settings, seed, valued(pnl, stored_gbp))
    capture = {name: one for (name, _), one in zip(paired, found[2 * count :], strict=True)}
    nothing = Interval(float("nan"), float("nan"), float("nan"))
    rows = []
    for name, n in place.items():
        intervals_of = (found[n], found[count + n], capture.get(name, nothing))
        numbers = [number for one in intervals_of for number in (one.value, one.low, one.high)]
        rows.append((name, *numbers, len(pnl), left_out))
    return pd.DataFrame(rows, columns=LADDER_COLUMNS).sort_values("worth", kind="stable", ignore_index=True)


def valued(daily_gbp: pd.DataFrame, stored_gbp: pd.DataFrame | None) -> pd.DataFrame:
    """P&L with what each day adds to the worth of stored energy; days and columns without it add nothing."""
    if stored_gbp is None:
        return daily_gbp
    return daily_gbp + stored_gbp.reindex(index=daily_gbp.index, columns=daily_gbp.columns).fillna(0.0)


def lead(
    daily_gbp: pd.DataFrame, strategy: str, other: str, power_mw: float, settings: RiskSettings, seed: int
) -> Interval:
    """How much more `strategy` earns than `other`, GBP/MW/year; an interval above 0 says that it is ahead.

    Raises ValueError where the two share no day.
    """
    pnl, _ = _common(daily_gbp[[strategy, other]])
    if pnl.empty:
        raise ValueError(f"{strategy} and {other} have no day in common")

    def difference(sample: FloatArray) -> FloatArray:
        return (sample[:, 0] - sample[:, 1]).mean(axis=-1) * DAYS_PER_YEAR / power_mw

    return _intervals([difference], pnl, settings, seed)[0]


def capture_by_month(daily_gbp: pd.DataFrame, bounds: Mapping[str, str]) -> pd.DataFrame:
    """month (its first day), strategy, capture, days: sums of the month over those of the bound.

    daily_gbp: with what days add to the worth of stored energy (`valued`), or a state carried over the end of a month
    moves some per cent between months. Days that one of a pair lacks are left out for that pair; capture is NaN where
    the bound earned nothing.
    """
    rows = []
    for strategy, bound in bounds.items():
        if strategy not in daily_gbp or bound not in daily_gbp:
            continue
        pair = daily_gbp[[strategy, bound]].dropna()
        months = pd.Index([day.replace(day=1) for day in pair.index], dtype=object)
        for month, days in pair.groupby(months):
            total = days.sum()
            share = total[strategy] / total[bound] if total[bound] > 0.0 else float("nan")
            rows.append((month, strategy, share, len(days)))
    return pd.DataFrame(rows, columns=["month", "strategy", "capture", "days"])


def _common(daily_gbp: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    pnl = daily_gbp.sort_index().dropna()
    return pnl, len(daily_gbp) - len(pnl)


def _intervals(
    statistics: list[Statistic], pnl: pd.DataFrame, settings: RiskSettings, seed: int, more: pd.DataFrame | None = None
) -> list[Interval]:
    """Intervals of statistics of the columns of `pnl` and, after them, of `more`; blocks are those of `pnl`."""
    own = pnl.to_numpy(dtype="float64").T
    values = own if more is None else np.concatenate([own, more.to_numpy(dtype="float64").T])
    if len(pnl) < 2:
        nan = float("nan")
        return [Interval(float(np.asarray(one(values[np.newaxis]))[0]), nan, nan) for one in statistics]
    return intervals(
        statistics,
        values,
        mean_block_days=mean_block_days(own.mean(axis=0), settings),
        replicates=settings.bootstrap_replicates,
        seed=seed,
        confidence=settings.interval_confidence,
    )


def _yearly(place: int, power_mw: float) -> Statistic:
    return lambda sample: sample[:, place].mean(axis=-1) * DAYS_PER_YEAR / power_mw


def _share(place: int, bound: int) -> Statistic:
    def share(sample: FloatArray) -> FloatArray:
        earned, most = sample[:, place].sum(axis=-1), sample[:, bound].sum(axis=-1)
        return np.divide(earned, most, out=np.full(most.shape, np.nan), where=most > 0.0)

    return share
