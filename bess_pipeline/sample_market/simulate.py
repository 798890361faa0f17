"""A seeded GB-like market over fixed dates: energy prices and what drives them.

What belongs here: the law of demand, wind, day-ahead price, within-day index, imbalance volume and
system price, and the assembled `MarketTables`. What does not: response and reserve prices
(`response.py`, `reserve.py`), frequency (`frequency.py`) and the wire formats (`wire_*.py`).

The law, per half-hour t in hour h of London clock time c (hours), all prices in GBP/MWh, every e a
standard normal draw and AR(r) a stationary first-order autoregression of unit variance:

* calendar expectation  C(t) = mean_price + winter_premium cos(2 pi (day of year - 15) / 365)
  + k (morning b(c, 8, 1.7) + evening b(c, 18, 2.1) - night b(c, 3.5, 2.8) - midday b(c, 13.5, 2.2))
  - weekend discount; b(c, m, w) = exp(-d^2 / 2 w^2) with d the distance of c from m on the clock;
  k = 0.8 at weekends, else 1;
* wind  w(t) = 0.93 W + 0.37 V: W an AR(wind_day_persistence) over UTC days, joined through midday by
  straight lines and rescaled to unit variance, V an AR(0.98) over half-hours; wind output is
  wind_capacity x Phi(0.8 w - 0.35);
* fuel  F(t): AR(0.97) over UTC days x fuel_sd;
* day-ahead  D(h) = hourly mean of C + F - wind_effect g(w) (1 + 0.4 b(c, 3.5, 2.8)) + AR(0.7) day_ahead_noise_sd
  + scarcity b(c, 17.75, 1.2) on weekday evenings drawn with spike_probability x (w < 0 at 18:00) x 2,
  of exponential size spike_mean; g(w) = w + 0.8 (w - 0.6)^2 when w > 0.6: a storm pushes nights below
  zero; of a fall below -5 only 0.35 remains, where wind farms stop;
* within-day shock  U(t): AR(0.93) over half-hours x within_day_sd;
  market index  M(t) = D(h) + (C(t) - its hourly mean) + U(t) + 2 e;
* imbalance volume  N(t) = niv_mean + 40 b(c, 18, 2.5) - 40 b(c, 4, 3)
  + niv_sd (0.78 AR(0.8) + 0.62 U / within_day_sd); |N| < niv_deadband counts as 0;
* system price  S(t) = M(t) when N = 0; when short (N > 0)
  M + 8 + 0.046 N + 0.06 max(N - 450, 0) + spike, the spike of log-normal size (median 130, log-sd 0.75)
  with probability 0.02 (N > 150) (1 + 2 b(c, 18, 2.0)); when long
  M - 8 - 0.044 |N| - 0.05 max(|N| - 450, 0) - 10 max(w - 0.8, 0); plus 4 e in both cases.

Prices are rounded to GBP 0.01, volumes to 0.001 MWh. The residuals of S and D, each against its own
calendar expectation, correlate because S is built on M, M on D, and the shock U moves both M and N;
short systems have the heavier tail.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr

from bess_pipeline.gb_time import (
    LONDON,
    days_between,
    efa_day_bounds_utc,
    half_hours,
    settlement_columns,
    settlement_day_bounds_utc,
)
from bess_pipeline.sample_dates import DEMO_FIRST_DAY, DEMO_LAST_DAY, FIRST_DATE, LAST_DATE, NOW_UTC
from bess_pipeline.sample_market.autoregression import autoregression
from bess_pipeline.sample_market.forecasts import ForecastLaw, forecasts
from bess_pipeline.sample_market.frequency import frequency_of_day
from bess_pipeline.sample_market.reserve import ReserveLaw, reserve_auction
from bess_pipeline.sample_market.response import ResponseLaw, response_auction
from bess_pipeline.sample_market.tables import SYSTEM_PRICE_LAG, MarketTables

Values = NDArray[np.float64]

DEFAULT_SEED = 20260329


@dataclass(frozen=True)
class MarketLaw:
    """Parameters of the law in the module's docstring; GBP/MWh unless a name says otherwise."""

    mean_price: float = 83.0
    winter_premium: float = 7.0
    morning_peak: float = 16.0
    evening_peak: float = 40.0
    night_trough: float = 22.0
    midday_dip: float = 7.0
    weekend_discount: float = 8.0
    wind_effect: float = 21.0
    wind_day_persistence: float = 0.55
    fuel_sd: float = 8.0
    day_ahead_noise_sd: float = 4.5
    spike_probability: float = 0.14
    spike_mean: float = 70.0
    within_day_sd: float = 12.0
    niv_mean_mwh: float = -35.0
    niv_sd_mwh: float = 280.0
    niv_deadband_mwh: float = 0.6
    wind_capacity_mw: float = 30_000.0
    demand_mean_mw: float = 31_000.0
    response: ResponseLaw = field(default_factory=ResponseLaw)
    forecast: ForecastLaw = field(default_factory=ForecastLaw)
    reserve: ReserveLaw = field(default_factory=ReserveLaw)


@dataclass(frozen=True)
class _Grid:
    """The half-hours simulated: whole hours from the first EFA day's start to the last settlement date's end."""

    first: date
    last: date
    start_utc: pd.DatetimeIndex
    clock_h: Values
    weekend: NDArray[np.bool_]
    season: Values
    utc_day: NDArray[np.int64]

    def hourly(self, values: Values) -> Values:
        """The hourly mean of half-hourly values, back on the half-hours."""
        return np.repeat(values.reshape(-1, 2).mean(axis=1), 2)


def simulate(
    seed: int = DEFAULT_SEED, law: MarketLaw | None = None, first: date = FIRST_DATE, last: date = LAST_DATE
) -> MarketTables:
    """The whole sample market from `first` to `last`; the same arguments give the same bytes."""
    law = law or MarketLaw()
    grid = _grid(first, last)
    streams = np.random.default_rng(seed).spawn(8)
    calendar = calendar_price(law, grid.clock_h, grid.weekend, grid.season)
    wind = _wind(law, grid, streams[0])
    day_ahead = _day_ahead(law, grid, calendar, wind, streams[1])
    shock = autoregression(streams[2], len(wind), 0.93)
    index = day_ahead + calendar - grid.hourly(calendar) + law.within_day_sd * shock
    index = np.round(index + 2.0 * streams[2].standard_normal(len(wind)), 2) + 0.0
    niv = _imbalance_volume(law, grid, shock, streams[3])
    system = _system_price(grid, index, niv, wind, streams[4])
    hourly = _day_ahead_frame(grid, day_ahead)
    expected_hourly = grid.hourly(calendar)[::2][: len(hourly)]
    market_index = _market_index_frame(grid, index, streams[5])
    fundamentals = _fundamentals_frame(law, grid, wind, streams[5])
    return MarketTables(
        system_price=_system_price_frame(grid, system, niv),
        market_index=market_index,
        response_auction=response_auction(law.response, days_between(first, last), hourly, expected_hourly, streams[6]),
        reserve_auction=reserve_auction(law.reserve, first, last, streams[7]),
        day_ahead=hourly,
        fundamentals=fundamentals,
        forecasts=forecasts(law.forecast, fundamentals, law.wind_capacity_mw, first, last, seed),
        origin="simulated",
        day_ahead_leg="neso_n2ex",
        first_date=first,
        last_date=last,
        now_utc=NOW_UTC,
        frequency=lambda day: frequency_of_day(day, seed),
        frequency_days=tuple(days_between(DEMO_FIRST_DAY - timedelta(days=1), DEMO_LAST_DAY)),
    )


def calendar_price(law: MarketLaw, clock_h: Values, weekend: NDArray[np.bool_], season: Values) -> Values:
    """C(t) of the law: the price expected from the calendar alone, GBP/MWh."""
    shape = (
        law.morning_peak * bump(clock_h, 8.0, 1.7)
        + law.evening_peak * bump(clock_h, 18.0, 2.1)
        - law.night_trough * bump(clock_h, 3.5, 2.8)
        - law.midday_dip * bump(clock_h, 13.5, 2.2)
    )
    weekday_scale = np.where(weekend, 0.8, 1.0)
    return law.mean_price + law.winter_premium * season + weekday_scale * shape - law.weekend_discount * weekend


def bump(clock_h: Values, centre_h: float, width_h: float) -> Values:
    """A Gaussian bump on the 24-hour clock, 1 at its centre."""
    distance = (clock_h - centre_h + 12.0) % 24.0 - 12.0
    return np.asarray(np.exp(-0.5 * (distance / width_h) ** 2), dtype=np.float64)


def _grid(first: date, last: date) -> _Grid:
    start = half_hours(efa_day_bounds_utc(first)[0], settlement_day_bounds_utc(last)[1])
    local = start.tz_convert(LONDON)
    day_of_year = local.day_of_year.to_numpy(dtype=np.float64)
    return _Grid(
        first=first,
        last=last,
        start_utc=start,
        clock_h=(local.hour + local.minute / 60.0 + 0.25).to_numpy(dtype=np.float64),
        weekend=np.asarray(local.day_of_week >= 5),
        season=np.cos(2.0 * np.pi * (day_of_year - 15.0) / 365.0),
        utc_day=((start - start[0].normalize()) // pd.Timedelta(days=1)).to_numpy(dtype=np.int64),
    )


def _wind(law: MarketLaw, grid: _Grid, rng: np.random.Generator) -> Values:
    days = int(grid.utc_day[-1]) + 3
    daily = autoregression(rng, days, law.wind_day_persistence)
    position = (grid.start_utc - grid.start_utc[0].normalize()) / pd.Timedelta(days=1) + 0.5
    below = np.floor(position).astype(np.int64)
    share = np.asarray(position - below)
    joined = (1.0 - share) * daily[below] + share * daily[below + 1]
    variance = (1.0 - share) ** 2 + share**2 + 2.0 * law.wind_day_persistence * share * (1.0 - share)
    return 0.93 * joined / np.sqrt(variance) + 0.37 * autoregression(rng, len(share), 0.98)


def _day_ahead(law: MarketLaw, grid: _Grid, calendar: Values, wind: Values, rng: np.random.Generator) -> Values:
    """D(h) on the half-hours, to GBP 0.01."""
    fuel = law.fuel_sd * autoregression(rng, int(grid.utc_day[-1]) + 1, 0.97)[grid.utc_day]
    storm = wind + 0.8 * np.maximum(wind - 0.6, 0.0) ** 2
    effect = law.wind_effect * storm * (1.0 + 0.4 * bump(grid.clock_h, 3.5, 2.8))
    noise = np.repeat(law.day_ahead_noise_sd * autoregression(rng, len(wind) // 2, 0.7), 2)
    price = grid.hourly(calendar + fuel - effect + _scarcity(law, grid, wind, rng)) + noise
    floored = np.where(price < -5.0, -5.0 + 0.35 * (price + 5.0), price)
    return np.asarray(np.round(floored, 2) + 0.0, dtype=np.float64)


def _scarcity(law: MarketLaw, grid: _Grid, wind: Values, rng: np.random.Generator) -> Values:
    days = int(grid.utc_day[-1]) + 1
    evening = (grid.clock_h == 18.25) & ~grid.weekend
    evening_wind = np.full(days, np.inf)
    evening_wind[grid.utc_day[evening]] = wind[evening]
    drawn = rng.random(days) < 2.0 * law.spike_probability * (evening_wind < 0.0)
    size = drawn * rng.exponential(law.spike_mean, days)
    return np.asarray(size[grid.utc_day] * bump(grid.clock_h, 17.75, 1.2), dtype=np.float64)


def _imbalance_volume(law: MarketLaw, grid: _Grid, shock: Values, rng: np.random.Generator) -> Values:
    expected = law.niv_mean_mwh + 40.0 * bump(grid.clock_h, 18.0, 2.5) - 40.0 * bump(grid.clock_h, 4.0, 3.0)
    own = autoregression(rng, len(shock), 0.8)
    niv = np.round(expected + law.niv_sd_mwh * (0.78 * own + 0.62 * shock), 3)
    return np.asarray(np.where(np.abs(niv) < law.niv_deadband_mwh, 0.0, niv), dtype=np.float64)


def _system_price(grid: _Grid, index: Values, niv: Values, wind: Values, rng: np.random.Generator) -> Values:
    chance = 0.02 * (niv > 150.0) * (1.0 + 2.0 * bump(grid.clock_h, 18.0, 2.0))
    spike = (rng.random(len(niv)) < chance) * 130.0 * np.exp(0.75 * rng.standard_normal(len(niv)))
    depth = np.abs(niv)
    short = 8.0 + 0.046 * depth + 0.06 * np.maximum(depth - 450.0, 0.0) + spike
    long = -8.0 - 0.044 * depth - 0.05 * np.maximum(depth - 450.0, 0.0) - 10.0 * np.maximum(wind - 0.8, 0.0)
    premium = np.where(niv > 0, short, long) + 4.0 * rng.standard_normal(len(niv))
    return np.asarray(np.round(index + np.where(niv == 0, 0.0, premium), 2) + 0.0, dtype=np.float64)


def _settled(grid: _Grid, columns: dict[str, NDArray[Any] | pd.DatetimeIndex]) -> pd.DataFrame:
    """Values on the grid as a table of the settlement dates simulated."""
    start = pd.Series(grid.start_utc)
    frame = settlement_columns(start).assign(start_utc=start, **columns)
    first, end = settlement_day_bounds_utc(grid.first)[0], settlement_day_bounds_utc(grid.last)[1]
    inside = (start >= first) & (start < end)
    return frame[inside].reset_index(drop=True)


def _system_price_frame(grid: _Grid, system: Values, niv: Values) -> pd.DataFrame:
    published = grid.start_utc + pd.Timedelta(minutes=30) + SYSTEM_PRICE_LAG
    return _settled(
        grid,
        {
            "system_price_gbp_mwh": system,
            "net_imbalance_volume_mwh": niv,
            "price_derivation_code": np.select([niv > 0, niv < 0], ["P", "N"], "K"),
            "published_utc": published,
        },
    )


def _market_index_frame(grid: _Grid, index: Values, rng: np.random.Generator) -> pd.DataFrame:
    busy = 1500.0 + 700.0 * bump(grid.clock_h, 18.0, 3.0) + 400.0 * bump(grid.clock_h, 8.5, 2.5)
    volume = np.round(busy * np.exp(0.25 * autoregression(rng, len(index), 0.85)), 2)
    return _settled(grid, {"market_index_price_gbp_mwh": index, "market_index_volume_mwh": volume})


def _day_ahead_frame(grid: _Grid, day_ahead: Values) -> pd.DataFrame:
    """Hourly prices of the product days simulated (23:00 to 23:00 London)."""
    hours = grid.start_utc[::2]
    sold = hours < pd.Timestamp(efa_day_bounds_utc(grid.last)[1])
    return pd.DataFrame({"start_utc": hours[sold], "day_ahead_price_gbp_mwh": day_ahead[::2][sold]})


def _fundamentals_frame(law: MarketLaw, grid: _Grid, wind: Values, rng: np.random.Generator) -> pd.DataFrame:
    shape = 3500.0 * bump(grid.clock_h, 8.5, 2.0) + 8000.0 * bump(grid.clock_h, 18.0, 2.8)
    demand = law.demand_mean_mw + 4000.0 * grid.season + shape - 7500.0 * bump(grid.clock_h, 3.5, 3.0)
    demand += -2500.0 * grid.weekend + 900.0 * autoregression(rng, len(wind), 0.97)
    output = law.wind_capacity_mw * ndtr(0.8 * wind - 0.35)
    return pd.DataFrame({"start_utc": grid.start_utc, "wind_mw": np.round(output, 1), "demand_mw": np.round(demand, 1)})
