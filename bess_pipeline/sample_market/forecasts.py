"""Forecasts of the sample market's fundamentals, published several times a day with errors that shrink.

What belongs here: the law of the forecasts. What does not: wind and demand themselves (`simulate.py`)
and Elexon's data sets (`wire_forecasts.py`).

The law. A round is made at 02, 08, 12 and 18 UTC of each day, for every half-hour that starts after it
up to the end of the next settlement date. The forecast of x (wind, demand) at start t in round r is

    x(t) + sd[x] sqrt(lead / 48 h) (0.8 e(t) + 0.6 z_r(t)),   lead = t - r,

with e and z_r stationary AR(0.97) over half-hours of unit variance: e is shared by all rounds, so that
successive rounds mostly agree, and z_r is a round's own. Wind stays between 0 and capacity.

Each round publishes WINDFOR (hourly means of wind) 30 minutes and NDF 17 minutes after its hour. The
round of 08 UTC also publishes, 17 minutes after, the indicated data: INDGEN = demand + 150 u (u a
standard normal draw a half-hour), INDDEM = -demand, IMBALNGC = INDGEN + INDDEM and MELNGC = firm_mw +
wind - demand: the margin that scarcity prices follow. DGWS, at 16:45 UTC, gives wind for the
settlement date that follows, split offshore_share offshore, from the round of 12 UTC. All are whole MW.
There is no sun in this market, and no solar row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bess_pipeline.gb_time import days_between, settlement_day_bounds_utc
from bess_pipeline.sample_market.autoregression import autoregression

Values = NDArray[np.float64]
ROUND_HOURS = (2, 8, 12, 18)
INDICATED_HOUR, DGWS_HOUR = 8, 12
WIND_MINUTES, DEMAND_MINUTES = 30, 17
DGWS_CLOCK = time(16, 45)
COLUMNS = ["dataset", "published_utc", "start_utc", "value", "psr_type"]
_PERSISTENCE = 0.97
_HOUR_US = 3_600_000_000
_STREAM = 8  # of the seed: apart from the streams of the market's own law


@dataclass(frozen=True)
class ForecastLaw:
    """Parameters of the law; MW. Errors are standard deviations at 48 hours ahead."""

    wind_error_mw: float = 3000.0
    demand_error_mw: float = 1100.0
    firm_mw: float = 36_000.0
    offshore_share: float = 0.55


@dataclass(frozen=True)
class _Truth:
    """Half-hours (microseconds since 1970) and what happens in them, with the error that all rounds share."""

    start_us: NDArray[np.int64]
    wind_mw: Values
    demand_mw: Values
    wind_error: Values
    demand_error: Values


@dataclass(frozen=True)
class _Round:
    """One round's forecasts from its first half-hour on."""

    made: datetime
    start_us: NDArray[np.int64]
    wind_mw: Values
    demand_mw: Values


@dataclass(frozen=True)
class _Publication:
    """What one data set publishes at one instant."""

    dataset: str
    published: datetime
    start_us: NDArray[np.int64]
    value: Values
    psr_type: str = ""


def forecasts(
    law: ForecastLaw, fundamentals: pd.DataFrame, wind_capacity_mw: float, first: date, last: date, seed: int
) -> pd.DataFrame:
    """Everything published on UTC days `first` to `last`, in COLUMNS; the same seed gives the same rows.

    `fundamentals` has start_utc (half-hours without a gap, from a whole hour), wind_mw and demand_mw.
    """
    rng = np.random.default_rng([seed, _STREAM])
    truth = _Truth(
        _microseconds(pd.DatetimeIndex(fundamentals["start_utc"])),
        *(fundamentals[name].to_numpy(dtype=np.float64) for name in ("wind_mw", "demand_mw")),
        *(autoregression(rng, len(fundamentals), _PERSISTENCE) for _ in range(2)),
    )
    rounds = [_forecast(law, truth, wind_capacity_mw, made, rng) for made in _rounds(first, last)]
    found = [one for made in rounds if len(made.start_us) for one in _publications(law, made, rng)]
    return _frame(sorted(found, key=lambda one: (one.published, one.dataset, one.psr_type)))


def _rounds(first: date, last: date) -> Iterator[datetime]:
    for day in days_between(first, last):
        for hour in ROUND_HOURS:
            yield datetime.combine(day, time(hour), UTC)


def _forecast(law: ForecastLaw, truth: _Truth, capacity_mw: float, made: datetime, rng: np.random.Generator) -> _Round:
    end = settlement_day_bounds_utc(made.date() + timedelta(days=1))[1]
    bounds = np.searchsorted(truth.start_us, [_instant_us(made + timedelta(hours=1)), _instant_us(end)])
    chosen = slice(*bounds)
    starts = truth.start_us[chosen]
    growth = np.sqrt((starts - _instant_us(made)) / (48 * _HOUR_US))
    wind, demand = (
        value[chosen] + sd * growth * (0.8 * common[chosen] + 0.6 * autoregression(rng, len(starts), _PERSISTENCE))
        for value, common, sd in (
            (truth.wind_mw, truth.wind_error, law.wind_error_mw),
            (truth.demand_mw, truth.demand_error, law.demand_error_mw),
        )
    )
    return _Round(made, starts, np.clip(wind, 0.0, capacity_mw), np.maximum(demand, 0.0))


def _publications(law: ForecastLaw, one: _Round, rng: np.random.Generator) -> Iterator[_Publication]:
    at = one.made + timedelta(minutes=DEMAND_MINUTES)
    hourly = one.wind_mw[: len(one.wind_mw) // 2 * 2].reshape(-1, 2).mean(axis=1)
    hours = one.start_us[::2][: len(hourly)]
    yield _Publication("WINDFOR", one.made + timedelta(minutes=WIND_MINUTES), hours, hourly)
    yield _Publication("NDF", at, one.start_us, one.demand_mw)
    if one.made.hour == INDICATED_HOUR:
        demand = np.rint(one.demand_mw)
        generation = np.rint(demand + 150.0 * rng.standard_normal(len(demand)))
        yield _Publication("INDGEN", at, one.start_us, generation)
        yield _Publication("INDDEM", at, one.start_us, -demand)
        yield _Publication("IMBALNGC", at, one.start_us, generation - demand)
        yield _Publication("MELNGC", at, one.start_us, law.firm_mw + one.wind_mw - demand)
    if one.made.hour == DGWS_HOUR:
        begin, end = settlement_day_bounds_utc(one.made.date() + timedelta(days=1))
        inside = (one.start_us >= _instant_us(begin)) & (one.start_us < _instant_us(end))
        published = datetime.combine(one.made.date(), DGWS_CLOCK, UTC)
        for kind, share in (("Wind Offshore", law.offshore_share), ("Wind Onshore", 1.0 - law.offshore_share)):
            yield _Publication("DGWS", published, one.start_us[inside], share * one.wind_mw[inside], kind)


def _frame(found: list[_Publication]) -> pd.DataFrame:
    counts = [len(one.value) for one in found]
    published = np.repeat([_instant_us(one.published) for one in found], counts)
    return pd.DataFrame({
        "dataset": np.repeat(np.array([one.dataset for one in found], dtype=object), counts),
        "published_utc": _instants(published),
        "start_utc": _instants(np.concatenate([one.start_us for one in found])),
        "value": np.rint(np.concatenate([one.value for one in found])) + 0.0,
        "psr_type": np.repeat(np.array([one.psr_type for one in found], dtype=object), counts),
    })[COLUMNS]  # fmt: skip


def _microseconds(instants: pd.DatetimeIndex) -> NDArray[np.int64]:
    return np.asarray(instants.as_unit("us").asi8, dtype=np.int64)


def _instant_us(instant: datetime) -> int:
    return int(instant.timestamp()) * 1_000_000


def _instants(microseconds: NDArray[np.int64]) -> pd.Series:
    return pd.Series(microseconds.astype("datetime64[us]")).dt.tz_localize("UTC")
