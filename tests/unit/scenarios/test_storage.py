"""Forecasts and scenario sets stored and read back: the same objects, to the penny that is stored."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from bess_pipeline import gb_time, schemas
from bess_pipeline.forecasting import streams
from bess_pipeline.forecasting.distribution import LEVELS, ForecastSet, Marginals, RankHistory
from bess_pipeline.forecasting.streams import Stream
from bess_pipeline.scenarios.paths import ScenarioSet
from bess_pipeline.scenarios.storage import forecast_rows, marginals_from, path_rows, scenarios_from
from bess_pipeline.trading import timeline

CLOCKS_FORWARD, CLOCKS_BACK, PLAIN = date(2026, 3, 29), date(2026, 10, 25), date(2026, 2, 3)
DAYS = [PLAIN, CLOCKS_FORWARD, CLOCKS_FORWARD - timedelta(days=1), CLOCKS_BACK]
STREAMS = [streams.day_ahead(60), streams.SYSTEM_PRICE, streams.RESPONSE["DCL"], streams.ACTIVATION["DRH"]]
MINUTES = {CLOCKS_FORWARD: 180, CLOCKS_BACK: 300}  # of EFA block 1


def horizon(stream: Stream, day: date) -> tuple[pd.DatetimeIndex, np.ndarray, np.ndarray]:
    days = [day, day + timedelta(days=1)]
    slots = [streams.period_slots(stream.clock, one) for one in days]
    lead = np.repeat([0, 1], [len(one) for one in slots])
    return streams.horizon_starts(stream.clock, days), np.concatenate(slots), lead


def forecast(day: date) -> ForecastSet:
    rng = np.random.default_rng(day.toordinal())
    marginals = {}
    for stream in STREAMS:
        starts, slot, lead = horizon(stream, day)
        quantile = np.sort(rng.normal(50, 40, (len(starts), LEVELS.size)), axis=1)
        marginals[stream.name] = Marginals(stream, starts, slot, lead, quantile, quantile.mean(axis=1), "lear")
    return ForecastSet(day, "response", timeline.gate_utc(day, "response"), marginals, RankHistory((), {}))


@pytest.mark.parametrize("day", DAYS)
def test_forecasts_come_back_as_they_were_made(day: date) -> None:
    made = forecast(day)
    rows = schemas.validate("forecast/price_forecast", forecast_rows(made))
    found = marginals_from(rows, day)
    assert set(found) == set(made.marginals)
    for name, one in made.marginals.items():
        back = found[name]
        assert back.stream == one.stream
        assert back.model == "lear"
        assert back.start_utc.equals(one.start_utc)
        assert (back.slot == one.slot).all()
        assert (back.lead == one.lead).all()
        step = 1e-5 if name.startswith("activation") else 0.01
        assert np.abs(back.quantile - one.quantile).max() <= step / 2 + 1e-9
        assert np.abs(back.mean - one.mean).max() <= step / 2 + 1e-9
        assert (np.diff(back.quantile, axis=1) >= 0).all()


@pytest.mark.parametrize("day", DAYS)
def test_periods_have_their_length(day: date) -> None:
    rows = forecast_rows(forecast(day))
    ends = rows["start_utc"] + pd.to_timedelta(rows["duration_minutes"], unit="min")
    for _, part in rows.assign(end=ends).groupby("stream"):
        assert (part["end"].to_numpy()[:-1] == part["start_utc"].to_numpy()[1:]).all()
        assert part["start_utc"].iloc[0] == gb_time.efa_day_bounds_utc(day)[0]
        assert part["end"].iloc[-1] == gb_time.efa_day_bounds_utc(day + timedelta(days=1))[1]
    blocks = rows.loc[rows["stream"] == "response_DCL", "duration_minutes"].tolist()
    assert blocks[0] == MINUTES.get(day, 240)


@pytest.mark.parametrize("day", DAYS)
@pytest.mark.parametrize("count", [1, 7])
def test_scenarios_come_back_as_they_were_drawn(day: date, count: int) -> None:
    rng = np.random.default_rng(count)
    starts = {stream.name: horizon(stream, day)[0] for stream in STREAMS}
    value = {name: rng.normal(60, 30, (count, len(periods))) for name, periods in starts.items()}
    weight = rng.random(count) + 0.1
    named = {stream.name: stream for stream in STREAMS}
    closes = timeline.gate_utc(day, "day_ahead")
    drawn = ScenarioSet(day, "day_ahead", closes, "copula", 5, weight / weight.sum(), named, starts, value)
    rows = schemas.validate("scenario/price_path", path_rows(drawn))
    found = scenarios_from(rows, named, day, "day_ahead", closes, "copula", 5)
    assert np.allclose(found.probability, drawn.probability, rtol=0, atol=1e-15)
    for name, values in value.items():
        assert found.start_utc[name].equals(starts[name])
        assert np.abs(found.value[name] - values).max() <= 0.005 + 1e-9
