"""Gates of the sample market in a row: its forecasts, scenarios drawn and reduced, and the problem of each day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache

from sample_panel import sample_panel

from bess_pipeline import gb_time
from bess_pipeline.ancillary_settings import AncillarySettings
from bess_pipeline.battery.limits import ALWAYS
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.co_optimisation_settings import CoOptimisationSettings
from bess_pipeline.forecast_settings import ForecastSettings
from bess_pipeline.forecasting.forecast import forget_trained, make_forecast
from bess_pipeline.forecasting.information import Information
from bess_pipeline.forecasting.observation import observe, window
from bess_pipeline.sample_market.simulate import simulate
from bess_pipeline.scenarios.generate import generate
from bess_pipeline.scenarios.reduce import reduce_scenarios
from bess_pipeline.settings import BatterySettings, RollingSettings
from bess_pipeline.trading.gate_problem import GateInputs

CHEAP = ForecastSettings(
    models=("similar_day", "lear"),
    calibration_days=140,
    lear_window_days=(56,),
    cross_validation_folds=3,
    choice_days=14,
)


def day_ahead_gates(
    first: date,
    days: int,
    seed: int,
    *,
    scenarios: int = 50,
    drawn: int = 500,
    ancillary: AncillarySettings | None = None,
    co_optimisation: CoOptimisationSettings | None = None,
) -> Iterator[GateInputs]:
    """The day-ahead gate of each of `days` trading days; each begins half full, so that no day hangs on another."""
    last = first + timedelta(days=days - 1)
    begin = window(first, CHEAP.calibration_days)[0] - timedelta(days=6)
    panel, battery = sample_panel(seed, begin, last), Battery.from_settings(BatterySettings())
    auctions = simulate(
        seed, None, begin - timedelta(days=1), last + timedelta(days=1)
    ).response_auction  # as the panel
    assert auctions is not None

    @lru_cache(4)
    def known(day: date, gate: str) -> Information:
        return observe(panel, day, "day_ahead", CHEAP.calibration_days)

    for day in gb_time.days_between(first, last):
        paths = generate(make_forecast(known, day, "day_ahead", CHEAP), drawn, "copula", seed)
        yield GateInputs(
            efa_date=day,
            gate="day_ahead",
            scenarios=reduce_scenarios(paths, scenarios).scenarios,
            battery=battery,
            opening_energy_mwh=battery.initial_energy_mwh,
            availability=lambda _: ALWAYS,
            auctions=auctions,
            ancillary=ancillary or AncillarySettings(),
            co_optimisation=co_optimisation or CoOptimisationSettings(),
            rolling=RollingSettings(),
        )
    forget_trained()
