"""Poison through the facade: what a gate did not know changes no byte of its forecasts, whatever is trained and chosen.

All tables are poisoned at once at the gate of the day. Days: one on which models are trained, one in the week after it,
and the days on which clocks change, whose models come from the Monday before.
"""

from __future__ import annotations

from datetime import date, timedelta

import market_frames as market
import numpy as np
import pytest
from poisoned_frames import TABLES, VALUES, known_rows, last_used, poisoned

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.forecast_settings import ForecastSettings
from bess_pipeline.forecasting.choice import Trader
from bess_pipeline.forecasting.distribution import ForecastSet
from bess_pipeline.forecasting.forecast import forget_trained, make_forecast, retraining_day
from bess_pipeline.forecasting.market_panel import panel_of_frames
from bess_pipeline.forecasting.observation import observe, window
from bess_pipeline.optimisation.solver import IN_PROCESS

ONE_DAY = timedelta(days=1)
SETTINGS = ForecastSettings(
    calibration_days=50,
    minimum_history_days=30,
    choice_days=14,
    lear_window_days=(28, 50),
    cross_validation_folds=2,
    choice_standard_errors=0.0,
)
TRADER = Trader(Battery(energy_mwh=2.0, power_mw=1.0), IN_PROCESS.roll)
MONDAY, WEDNESDAY = date(2024, 3, 4), date(2024, 3, 6)
SPRING, AUTUMN = date(2024, 3, 31), date(2024, 10, 27)
QUICK = [(WEDNESDAY, "day_ahead"), (SPRING, "response")]
SLOW = [
    pytest.param(day, gate, marks=pytest.mark.slow)
    for day in (MONDAY, WEDNESDAY, SPRING, AUTUMN)
    for gate in ("day_ahead", "response")
    if (day, gate) not in QUICK
]


def a_market(day: date) -> market.Frames:
    first, _ = window(retraining_day(day, SETTINGS.retraining_weekday), SETTINGS.calibration_days)
    return market.random_market(first, day + 2 * ONE_DAY, 11)


def forecast(frames: market.Frames, day: date, gate: str) -> ForecastSet:
    """As `make_forecast`, trained anew."""
    forget_trained()
    first, _ = window(retraining_day(day, SETTINGS.retraining_weekday), SETTINGS.calibration_days)
    panel = panel_of_frames(first, day, **frames, settings=market.SETTINGS)

    def information_of(asked: date, at: str):  # type: ignore[no-untyped-def]
        return observe(panel, asked, at, SETTINGS.calibration_days)  # type: ignore[arg-type]

    return make_forecast(information_of, day, gate, SETTINGS, TRADER)


def content(made: ForecastSet) -> bytes:
    """Every byte of a forecast."""
    parts = [repr((made.efa_date, made.gate, made.gate_utc, made.notes, made.history.days))]
    arrays = []
    for name, one in made.marginals.items():
        parts.append(repr((name, one.stream, one.model)))
        arrays += [one.start_utc.asi8, one.slot, one.lead, one.quantile, one.mean]
    for key, rank in made.history.rank.items():
        parts.append(repr(key))
        arrays.append(rank)
    return "".join(parts).encode() + b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)


@pytest.mark.parametrize(("day", "gate"), [*QUICK, *SLOW], ids=str)
def test_what_a_gate_did_not_know_changes_no_byte_of_its_forecasts(day: date, gate: str) -> None:
    frames = a_market(day)
    clean = forecast(frames, day, gate)
    absurd = frames
    for table in TABLES:
        absurd = poisoned(table, absurd, market.gate(day, gate))
    assert content(forecast(absurd, day, gate)) == content(clean)
    assert {"day_ahead", "system_price", "market_index", "response_DCL", "response_DMH"} <= set(clean.marginals)
    assert any("chosen on the last 14 known days" in note for note in clean.notes)
    assert max(np.abs(one.quantile).max() for one in clean.marginals.values()) < market.ABSURD / 10.0


MORE = ["auction_clearing", "system_price_revision", "market_index_price", "fundamental_forecast"]


@pytest.mark.parametrize("table", ["day_ahead_price", *(pytest.param(one, marks=pytest.mark.slow) for one in MORE)])
def test_a_value_that_the_gate_knew_changes_its_forecasts(table: str) -> None:
    frames, column = a_market(MONDAY), VALUES[table][0]
    gate = market.gate(MONDAY, "day_ahead")
    frame = frames[table].copy()
    known = known_rows(table, frames, gate) & frame[column].notna().to_numpy()
    if table == "fundamental_forecast":  # of the day that is forecast
        starts = frame["start_utc"] < market.london(MONDAY, market.time(22))
        known &= (starts & (frame["series"] == "wind")).to_numpy()
    frame.loc[last_used(table, frames, known, gate), column] += 400.0
    changed = forecast({**frames, table: frame}, MONDAY, "day_ahead")
    assert content(changed) != content(forecast(frames, MONDAY, "day_ahead"))


@pytest.mark.slow
def test_models_of_a_week_are_those_of_its_monday() -> None:
    """What came after Monday's gate moves Wednesday's forecast, and not the models that make it."""
    frames = a_market(WEDNESDAY)
    later = frames
    for table in ("system_price", "system_price_revision", "market_index_price"):
        later = poisoned(table, later, market.gate(MONDAY, "day_ahead"))
    clean, moved = (forecast(one, WEDNESDAY, "day_ahead") for one in (frames, later))
    assert content(moved) != content(clean)
    for name in ("system_price", "market_index"):
        assert moved.history.rank[name, 0].tobytes() == clean.history.rank[name, 0].tobytes()
        assert moved.marginals[name].model == clean.marginals[name].model
