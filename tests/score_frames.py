"""Scenario sets and outcomes of a known law: three streams on their own clocks that share one factor."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.forecasting import streams
from bess_pipeline.scenarios.paths import ScenarioSet
from bess_pipeline.scenarios.yardstick import Yardstick

STREAMS = {one.name: one for one in (streams.day_ahead(60), streams.SYSTEM_PRICE, streams.RESPONSE["DCL"])}
SCALE = {"day_ahead": 15.0, "system_price": 40.0, "response_DCL": 2.0}
YARDSTICK = Yardstick({name: np.full(one.slots, 60.0) for name, one in STREAMS.items()}, SCALE)


def law(
    count: int, day: date, rng: np.random.Generator, days: int = 1, rho: float = 0.7
) -> tuple[dict[str, pd.DatetimeIndex], dict[str, np.ndarray]]:
    """Starts (periods,) and draws (count, periods) by stream: correlation `rho` between all periods of all streams."""
    common = rng.normal(size=(count, 1))
    horizon = [day + timedelta(days=k) for k in range(days)]
    starts = {name: streams.horizon_starts(one.clock, horizon) for name, one in STREAMS.items()}
    values = {}
    for name, at in starts.items():
        hour = np.asarray(at.tz_convert(gb_time.LONDON).hour)
        own = rng.normal(size=(count, at.size))
        mean = 60.0 - 2.0 * np.abs(hour - 18.0)
        values[name] = mean + SCALE[name] * (np.sqrt(rho) * common + np.sqrt(1.0 - rho) * own)
    return starts, values


def scenario_set(
    count: int,
    day: date,
    rng: np.random.Generator,
    days: int = 1,
    rho: float = 0.7,
    probability: np.ndarray | None = None,
) -> ScenarioSet:
    starts, values = law(count, day, rng, days, rho)
    weight = np.full(count, 1.0 / count) if probability is None else probability
    closes = datetime.combine(day - timedelta(days=1), datetime.min.time(), tzinfo=UTC)
    return ScenarioSet(day, "day_ahead", closes, "test", 1, weight, STREAMS, starts, values)


def independent(count: int, day: date, rng: np.random.Generator) -> ScenarioSet:
    """The same law of each stream, without the factor that they share."""
    one = scenario_set(count, day, rng)
    for values in one.value.values():
        values[:] = values[rng.permutation(count)]
    return one


def outcome(day: date, rng: np.random.Generator, days: int = 1) -> dict[str, np.ndarray]:
    return {name: values[0] for name, values in law(1, day, rng, days)[1].items()}
