"""The cut at each gate: what the gates of past trading days, and of this one, knew of a market panel.

What belongs here: choosing what was known, by row and instant. What does not: when market values become known
(`trading/timeline.py`), reading them (`market_panel.py`), features and models.

Slots without a known value are NaN, whatever the reason: a hole, nothing cleared, not known yet, or no such slot on
the day the clocks go forward. Of two periods in one slot (clocks back) the mean of those known counts. Day-ahead prices
stand on the clock of the product that was last known; where products were finer before, their mean is the price.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.forecasting import streams
from bess_pipeline.forecasting.fundamentals import Array, Instants
from bess_pipeline.forecasting.information import LAGS, LEADS, DispatchInformation, Information
from bess_pipeline.forecasting.market_panel import DAY_AHEAD, SYSTEM_PRICE, Grid, Integers, MarketPanel
from bess_pipeline.forecasting.streams import Stream
from bess_pipeline.trading import timeline

FINAL_RUN_NOTE = "final-run prices used as features"
WITHIN_DAY_NOTE = "the within-day market index stands in for the day-ahead price"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def window(efa_date: date, calibration_days: int) -> tuple[date, date]:
    """First and last EFA day that a panel must hold to observe `efa_date` with so many days before it."""
    return efa_date - timedelta(days=calibration_days + max(LAGS)), efa_date


def observe(panel: MarketPanel, efa_date: date, gate: timeline.Gate, calibration_days: int) -> Information:
    """What `gate` knew of `efa_date`, with the `calibration_days` days before it as rows of their own gates.

    So there are calibration_days + 1 rows. Raises ValueError where the panel does not hold the whole `window`: days
    that were not read must not look like days without data.
    """
    _require_days(panel, *window(efa_date, calibration_days))
    days = tuple(gb_time.days_between(efa_date - timedelta(days=calibration_days), efa_date))
    view = _View(panel, (days[0] - panel.first_day).days, np.array([_us(timeline.gate_utc(d, gate)) for d in days]))
    lagged: dict[tuple[str, int], Array] = {}
    outcome: dict[tuple[str, int], Array] = {}
    found: dict[str, Stream] = {}
    for name in panel.values:
        stream = view.stream(name)
        past = {(name, lag): view.by_slot(stream, -lag, view.row_gate_us) for lag in LAGS}
        came = {(name, lead): view.by_slot(stream, lead, view.now_us) for lead in LEADS}
        if any(not np.isnan(values).all() for values in (*past.values(), *came.values())):
            found[name], lagged, outcome = stream, lagged | past, outcome | came
    return Information(
        efa_date=efa_date,
        gate=gate,
        gate_utc=timeline.gate_utc(efa_date, gate),
        days=days,
        streams=found,
        lagged=lagged,
        outcome=outcome,
        fundamental=view.fundamentals(),
        notes=view.notes(),
    )


def observe_dispatch(panel: MarketPanel, start_utc: datetime) -> DispatchInformation:
    """What was known when the dispatch of the half-hour starting at `start_utc` was fixed, an hour before it.

    Raises ValueError when `start_utc` is no start of a half-hour, or the panel does not hold its EFA day and the one
    before.
    """
    start, decision = gb_time.require_utc(start_utc), timeline.decision_utc(start_utc)
    efa_date = gb_time.efa_date_of(start)
    _require_days(panel, efa_date - timedelta(days=1), efa_date)
    grid, today = panel.half_hours, (efa_date - panel.first_day).days
    periods = slice(int(grid.first[today - 1]), int(grid.first[today + 1]))
    here = int(grid.place(np.array([_us(start)]))[0])
    if here < 0:
        raise ValueError(f"no half-hour starts at {start.isoformat()}")
    known = {name: panel.values[name].at(periods, _us(decision)) for name in panel.half_hourly}
    known = {name: values for name, values in known.items() if not np.isnan(values).all()}
    return DispatchInformation(
        efa_date=efa_date,
        start_utc=start,
        decision_utc=decision,
        period_start_utc=pd.DatetimeIndex(grid.start_us[periods].astype("datetime64[us]"), tz="UTC", name="start_utc"),
        slot=grid.slot[periods],
        lag=today - grid.day[periods],
        here=here - periods.start,
        streams={name: panel.values[name].stream for name in known},
        value=known,
        notes=_notes(panel, periods, _us(decision), [(periods, _us(decision))]),
    )


@dataclass(frozen=True)
class _View:
    """Rows of a panel: the day of the first one, counted from the panel's first, and the gate of each."""

    panel: MarketPanel
    first_row: int
    row_gate_us: Instants

    @property
    def now_us(self) -> Instants:
        """The gate of the last row, for every row."""
        return np.full(self.row_gate_us.size, self.row_gate_us[-1])

    def stream(self, name: str) -> Stream:
        """The stream; day-ahead on the clock of the last product whose price is known now."""
        if name == DAY_AHEAD:
            known = ~np.isnan(self.panel.values[name].at(self._all(), int(self.row_gate_us[-1])))
            minutes = self.panel.resolution_minutes[self._all()][known]
            if minutes.size:
                return streams.day_ahead(int(minutes[-1]))
        return self.panel.values[name].stream

    def by_slot(self, stream: Stream, ahead: int, gate_us: Instants) -> Array:
        """What the rows' gates (n,) knew of the days `ahead` of theirs: (n, slots)."""
        grid = self.panel.grid(stream)
        periods = self._periods(grid, ahead)
        row = grid.day[periods] - (self.first_row + ahead)
        values = self.panel.values[stream.name].at(periods, gate_us[row])
        return _spread(values, row, grid.slot[periods] * stream.slots // grid.slots, (gate_us.size, stream.slots))

    def fundamentals(self) -> dict[tuple[str, int], Array]:
        """Forecasts known at each row's gate, by half-hour, of the series that any of them knew."""
        found: dict[tuple[str, int], Array] = {}
        for series in self.panel.publications:
            known = {(series, lead): self._fundamental(series, lead) for lead in LEADS}
            if any(not np.isnan(values).all() for values in known.values()):
                found |= known
        return found

    def _fundamental(self, series: str, lead: int) -> Array:
        grid = self.panel.half_hours
        periods = self._periods(grid, lead)
        row = grid.day[periods] - (self.first_row + lead)
        values = self.panel.publications[series].known(grid.start_us[periods], self.row_gate_us[row])
        return _spread(values, row, grid.slot[periods], (self.row_gate_us.size, grid.slots))

    def notes(self) -> tuple[str, ...]:
        """What is weaker than it should be in what the rows hold."""
        grid = self.panel.half_hours
        past = [self._periods(grid, -lag) for lag in LAGS]
        gates = [
            self.row_gate_us[grid.day[periods] - (self.first_row - lag)]
            for lag, periods in zip(LAGS, past, strict=True)
        ]
        return _notes(self.panel, self._all(), int(self.row_gate_us[-1]), list(zip(past, gates, strict=True)))

    def _periods(self, grid: Grid, ahead: int) -> slice:
        """The periods of the days `ahead` of the rows' days."""
        first = self.first_row + ahead
        return slice(int(grid.first[first]), int(grid.first[first + self.row_gate_us.size]))

    def _all(self) -> slice:
        """The half-hours of every day that a row looks at, up to the last row's."""
        first = self.panel.half_hours.first
        return slice(int(first[self.first_row - max(LAGS)]), int(first[self.first_row + self.row_gate_us.size]))


def _spread(values: Array, row: Integers, slot: Integers, shape: tuple[int, int]) -> Array:
    """Values of periods in their rows and slots: the mean of those known in each, NaN where there is none."""
    known = ~np.isnan(values)
    cell = (row * shape[1] + slot)[known]
    count = np.bincount(cell, minlength=shape[0] * shape[1])
    total = np.bincount(cell, weights=values[known], minlength=count.size)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).reshape(shape)


def _notes(
    panel: MarketPanel, periods: slice, gate_us: int, looked_at: Sequence[tuple[slice, Instants | int]]
) -> tuple[str, ...]:
    """Of periods known at a gate whether the index stands in; of prices looked at from gates how many had a version."""
    notes = []
    if DAY_AHEAD in panel.values:
        known = ~np.isnan(panel.values[DAY_AHEAD].at(periods, gate_us))
        if (known & panel.within_day[periods]).any():
            notes.append(WITHIN_DAY_NOTE)
    if SYSTEM_PRICE in panel.values:
        prices = panel.values[SYSTEM_PRICE]
        known_count = sum(int((~np.isnan(prices.at(one, gate))).sum()) for one, gate in looked_at)
        undated = sum(int(prices.undated(one, gate).sum()) for one, gate in looked_at)
        if undated:
            share = math.ceil(100 * undated / known_count)
            notes.append(f"{FINAL_RUN_NOTE}: {share} % of past system prices have no version from before their gate")
    return tuple(notes)


def _require_days(panel: MarketPanel, first: date, last: date) -> None:
    if first < panel.first_day or last > panel.last_day:
        raise ValueError(
            f"{first} to {last} is needed, and the panel holds {panel.first_day} to {panel.last_day}: read more days"
        )


def _us(instant: datetime) -> int:
    """Microseconds since 1970."""
    return (instant - _EPOCH) // timedelta(microseconds=1)
