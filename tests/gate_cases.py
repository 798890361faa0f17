"""Gates of trading days with scenarios made by hand: realistic prices on each stream's own clock, and past auctions."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.ancillary_settings import AncillarySettings
from bess_pipeline.battery.limits import ALWAYS
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.co_optimisation_settings import CoOptimisationSettings
from bess_pipeline.forecasting import streams
from bess_pipeline.forecasting.streams import Stream
from bess_pipeline.scenarios.paths import ScenarioSet
from bess_pipeline.settings import BatterySettings, RollingSettings
from bess_pipeline.trading import timeline
from bess_pipeline.trading.gate_problem import GateInputs

DAY = date(2026, 2, 11)
CLOCKS_FORWARD, CLOCKS_BACK = date(2026, 3, 29), date(2026, 10, 25)
BEFORE_SPLITTING = date(2023, 10, 11)
RESPONSE_PRICE = {"DCL": 3.0, "DCH": 2.0, "DML": 4.0, "DMH": 3.0, "DRL": 9.0, "DRH": 6.0}
RESPONSE_MW = {"DCL": 900.0, "DCH": 700.0, "DML": 200.0, "DMH": 150.0, "DRL": 350.0, "DRH": 300.0}
ENERGY_MWH_PER_MW = {"DCL": 0.004, "DCH": 0.003, "DML": 0.01, "DMH": 0.01, "DRL": 0.07, "DRH": 0.06}
RESERVE_PRICE = {"PBR": 5.0, "NBR": 4.0, "PQR": 6.0, "NQR": 3.0}
RESERVE_MW = 400.0
RESERVE_ON = {
    "reserve_utilisation_probability": {"PQR": 0.1, "NQR": 0.2, "PBR": 0.1, "NBR": 0.1},
    "reserve_utilisation_price_gbp_mwh": {"PQR": 150.0, "NQR": 20.0, "PBR": 120.0, "NBR": 10.0},
}


def gate_inputs(efa_date: date = DAY, count: int = 10, seed: int = 1, **changes: Any) -> GateInputs:
    """The inputs of a gate (day-ahead unless changed); changes: any field of `GateInputs`."""
    gate: timeline.Gate = changes.get("gate", "day_ahead")
    battery = Battery.from_settings(BatterySettings())
    given: dict[str, Any] = {
        "efa_date": efa_date,
        "gate": gate,
        "scenarios": scenario_set(efa_date, count, seed, gate=gate),
        "battery": battery,
        "opening_energy_mwh": battery.initial_energy_mwh,
        "availability": lambda _: ALWAYS,
        "auctions": past_auctions(efa_date),
        "ancillary": AncillarySettings(),
        "co_optimisation": CoOptimisationSettings(),
        "rolling": RollingSettings(),
    }
    return GateInputs(**(given | changes))


def scenario_set(
    efa_date: date,
    count: int = 10,
    seed: int = 1,
    *,
    gate: timeline.Gate = "day_ahead",
    minutes: int = 60,
    without: Collection[str] = (),
) -> ScenarioSet:
    """Joint paths of every stream over the day and the one after it, with probabilities that differ.

    minutes: of a day-ahead product; without: names of streams that are not there.
    """
    rng = np.random.default_rng(seed)
    chosen = [
        streams.day_ahead(minutes),
        streams.SYSTEM_PRICE,
        streams.MARKET_INDEX,
        *streams.RESPONSE.values(),
        *streams.ACTIVATION.values(),
    ]
    days = [efa_date, efa_date + timedelta(days=1)]
    starts = {one.name: streams.horizon_starts(one.clock, days) for one in chosen}
    level = 12 * rng.standard_normal((count, 1))  # of the day, in all energy prices
    value = {one.name: _values(one, starts[one.name], level, rng) for one in chosen}
    weight = 1.0 + np.arange(count) % 3
    kept = [one for one in chosen if one.name not in without]
    return ScenarioSet(
        efa_date=efa_date,
        gate=gate,
        gate_utc=timeline.gate_utc(efa_date, gate),
        method="by hand",
        seed=seed,
        probability=weight / weight.sum(),
        streams={one.name: one for one in kept},
        start_utc={one.name: starts[one.name] for one in kept},
        value={one.name: value[one.name] for one in kept},
    )


def with_values(inputs: GateInputs, **by_stream: Any) -> GateInputs:
    """The same gate with other scenario values: of a stream, anything that broadcasts to (N, its periods)."""
    held = dict(inputs.scenarios.value)
    for name, values in by_stream.items():
        held[name] = np.broadcast_to(np.asarray(values, dtype=float), held[name].shape).copy()
    return replace(inputs, scenarios=replace(inputs.scenarios, value=held))


@lru_cache(maxsize=8)
def past_auctions(efa_date: date, days: int = 30, later_days: int = 2) -> pd.DataFrame:
    """market/auction_clearing of the days before one, and of that day and the next, which are not known at its gates.

    Volumes and prices change with the day, and balancing and quick reserve are sold in every half-hour.
    """
    dates = [efa_date + timedelta(days=n) for n in range(-days, later_days)]
    blocks, half_hours = (streams.horizon_starts(clock, dates) for clock in ("efa_block", "half_hour"))
    response = [_rows(code, blocks, price, RESPONSE_MW[code]) for code, price in RESPONSE_PRICE.items()]
    evening = 1 + np.asarray(half_hours.tz_convert(gb_time.LONDON).hour >= 16)
    reserve = [_rows(code, half_hours, price * evening, RESERVE_MW * evening) for code, price in RESERVE_PRICE.items()]
    frame = pd.concat([*response, *reserve], ignore_index=True)
    frame = pd.concat([frame, gb_time.efa_columns(frame["delivery_start_utc"])], axis=1)
    size = 1 + 0.01 * frame["efa_date"].map({day: n % 7 for n, day in enumerate(dates)})
    for column in ("clearing_price_gbp_mw_h", "cleared_volume_mw"):
        frame[column] = frame[column] * size
    return frame


def _rows(code: str, starts: pd.DatetimeIndex, price: Any, volume: Any) -> pd.DataFrame:
    frame = pd.DataFrame({"product": code, "delivery_start_utc": starts})
    return frame.assign(clearing_price_gbp_mw_h=price, cleared_volume_mw=volume)


def _values(one: Stream, starts: pd.DatetimeIndex, level: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    shape = (len(level), len(starts))
    kind, _, code = one.name.partition("_")
    if kind == "response":
        return RESPONSE_PRICE[code] * (1 + 0.4 * rng.standard_normal(shape))
    if kind == "activation":
        return ENERGY_MWH_PER_MW[code] * rng.uniform(0, 2, shape)
    local = starts.tz_convert(gb_time.LONDON)
    hour = np.asarray(local.hour + local.minute / 60)
    by_clock = 75 + 20 * np.sin((hour - 12) * np.pi / 12) + 45 * np.exp(-(((hour - 18) / 2) ** 2))
    prices = by_clock + level + 6 * rng.standard_normal(shape)
    if one.name == streams.SYSTEM_PRICE.name:
        spike = rng.exponential(150, shape) * (rng.random(shape) < 0.04)
        prices = prices + 25 * rng.standard_normal(shape) + spike
    return np.asarray(prices)
