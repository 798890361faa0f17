"""What each dispatch decision of a trading day expects of prices: stored forecasts, and what has become known since.

What belongs here: forecasts of the last gate, moved by the newest known errors, and day-ahead prices as they come out.
What does not: the regression on errors (`forecasting/dispatch_update.py`), the cut at a decision
(`forecasting/observation.py`) and what is decided (`market_day.py`).

The regression of a day is fitted on errors of the forecasts of the MEMORY_DAYS days that end two days before it, as
the response gate of the second day after each of them knew their outcomes: so it hangs neither on the day that is
dispatched nor on later revisions. Without stored forecasts of past days nothing is moved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.ancillary.rows import FloatArray
from bess_pipeline.errors import UserInputError
from bess_pipeline.forecast_tables import FORECAST
from bess_pipeline.forecasting.dispatch_update import ErrorMemory, standard_errors, update_at_dispatch
from bess_pipeline.forecasting.distribution import Marginals
from bess_pipeline.forecasting.market_panel import DAY_AHEAD, MarketPanel, read_panel
from bess_pipeline.forecasting.observation import observe_dispatch
from bess_pipeline.forecasting.streams import MARKET_INDEX, SYSTEM_PRICE
from bess_pipeline.lake import Lake
from bess_pipeline.scenarios.storage import marginals_from
from bess_pipeline.settings import Settings
from bess_pipeline.trading import timeline
from bess_pipeline.trading.gate_streams import period_of_half_hour
from bess_pipeline.trading.market_inputs import Expectation

ONE_DAY = timedelta(days=1)
MEMORY_DAYS = 28
MOST_HALF_HOURS = 50
MOVED = (SYSTEM_PRICE.name, MARKET_INDEX.name)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class DispatchForecasts:
    """Expected prices of the trading days `days`, which are read together once."""

    def __init__(self, settings: Settings, lake: Lake, days: Sequence[date]) -> None:
        self.settings = settings
        self.lake = lake
        first = min(days) - timedelta(days=MEMORY_DAYS + 2)
        self.panel: MarketPanel = read_panel(lake, first, max(days) + ONE_DAY, settings.data)
        self._errors: dict[date, dict[str, FloatArray]] = {}

    def expect(self, day: date, horizon: pd.DatetimeIndex) -> Callable[[int], Expectation]:
        """Prices of the half-hours of the horizon (P,) as known an hour before half-hour k of `day`.

        UserInputError where there is no forecast of the day-ahead price of some of them.
        """
        marginals = self._forecast(day)
        memory = {name: self._memory(day, name) for name in MOVED if name in marginals}
        means = {name: _on(one, one.mean, horizon) for name, one in marginals.items()}
        forecast = means.get(DAY_AHEAD, np.full(len(horizon), np.nan))
        if np.isnan(forecast[: len(gb_time.efa_half_hours(day))]).any():
            raise UserInputError(f"there is no stored forecast of the day-ahead price of {day} to dispatch by")

        def at(k: int) -> Expectation:
            start = horizon[k].to_pydatetime()
            information = observe_dispatch(self.panel, start)
            moved = {
                name: _on(updated, updated.mean, horizon)
                for name, held in memory.items()
                for updated in [update_at_dispatch(marginals[name], information, held)]
            }
            known = self.known_day_ahead(horizon, information.decision_utc)
            day_ahead = np.where(np.isnan(known), forecast, known)
            index = _or(moved.get(MARKET_INDEX.name), day_ahead)
            return Expectation(day_ahead, _or(moved.get(SYSTEM_PRICE.name), index), index)

        return at

    @property
    def has_system_price(self) -> bool:
        """Whether there is a system price of any of these days or of those before them."""
        return SYSTEM_PRICE.name in self.panel.values

    def covered(self, day: date, horizon: pd.DatetimeIndex) -> int:
        """How many half-hours of a horizon, from the first on, the day-ahead price is forecast for."""
        held = self._forecast(day).get(DAY_AHEAD)
        missing = np.ones(len(horizon), dtype=bool) if held is None else np.isnan(_on(held, held.mean, horizon))
        return int(np.flatnonzero(missing)[0]) if missing.any() else len(horizon)

    def known_day_ahead(self, horizon: pd.DatetimeIndex, instant: datetime) -> FloatArray:
        """Day-ahead prices (P,) that were known at an instant, NaN where not."""
        return self._at(DAY_AHEAD, horizon, _us(instant))

    def outcome(self, name: str, horizon: pd.DatetimeIndex) -> FloatArray:
        """A stream as it came out first (P,), whatever was revised since; NaN where there is nothing."""
        if name not in self.panel.values:
            return np.full(len(horizon), np.nan)
        place = self._place(horizon)
        return np.asarray(np.where(place >= 0, self.panel.values[name].value[np.maximum(place, 0)], np.nan))

    def _at(self, name: str, starts: pd.DatetimeIndex, instant_us: int) -> FloatArray:
        if name not in self.panel.values:
            return np.full(len(starts), np.nan)
        place = self._place(starts)
        whole = self.panel.values[name].at(slice(None), instant_us)
        return np.asarray(np.where(place >= 0, whole[np.maximum(place, 0)], np.nan))

    def _place(self, starts: pd.DatetimeIndex) -> np.ndarray:
        return self.panel.half_hours.place(np.asarray(starts.as_unit("us").asi8))

    def _forecast(self, day: date) -> dict[str, Marginals]:
        """What the last gate of a day forecast of prices of energy."""
        rows = self.lake.read(FORECAST, day, day)
        rows = rows[rows["stream"].isin([DAY_AHEAD, *MOVED])]
        made = [gate for gate in reversed(timeline.GATES) if gate in set(rows["gate"])]
        return marginals_from(rows[rows["gate"] == made[0]], day) if made else {}

    def _memory(self, day: date, name: str) -> ErrorMemory:
        past = gb_time.days_between(day - timedelta(days=MEMORY_DAYS + 1), day - 2 * ONE_DAY)
        none = np.full(MOST_HALF_HOURS, np.nan)
        return ErrorMemory.fit(np.stack([self._error(one).get(name, none) for one in past]))

    def _error(self, day: date) -> dict[str, FloatArray]:
        """Errors of a past day's forecast by half-hour, in its standard deviations, filled up with NaN."""
        if day not in self._errors:
            self._errors[day] = {
                name: self._errors_of(day, one) for name, one in self._forecast(day).items() if name in MOVED
            }
        return self._errors[day]

    def _errors_of(self, day: date, forecast: Marginals) -> FloatArray:
        instant = timeline.gate_utc(day + 2 * ONE_DAY, "response")
        outcome = self._at(forecast.stream.name, forecast.start_utc, _us(instant))
        found = np.full(MOST_HALF_HOURS, np.nan)
        periods = len(gb_time.efa_half_hours(day))
        found[:periods] = standard_errors(forecast, outcome)[:periods]
        return found


def _on(forecast: Marginals, values: FloatArray, horizon: pd.DatetimeIndex) -> FloatArray:
    """Values of a forecast's periods on half-hours, NaN beyond them."""
    place = period_of_half_hour(forecast.stream.clock, forecast.start_utc, horizon)
    return np.asarray(np.where(place >= 0, values[np.maximum(place, 0)], np.nan))


def _or(values: FloatArray | None, otherwise: FloatArray) -> FloatArray:
    return otherwise if values is None else np.asarray(np.where(np.isnan(values), otherwise, values))


def _us(instant: datetime) -> int:
    """Microseconds since 1970."""
    return (instant - _EPOCH) // timedelta(microseconds=1)
