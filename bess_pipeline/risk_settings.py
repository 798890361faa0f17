"""Settings of risk: confidences, windows, intervals, back-tests, shocks and the desk's limits.

What belongs here: names, bounds and defaults of `[risk]`. What does not: all other sections and where settings come
from (`settings.py`), and what is done with them (`risk/`). All defaults are choices; no rule asks for any of them.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from bess_pipeline.degradation_settings import Section


class LimitSettings(Section):
    """Limits of the desk for one trading day; absent = no limit."""

    var_gbp: float | None = Field(None, description="largest VaR expected of the day (docs/risk.md 6), a loss, GBP")
    cvar_gbp: float | None = Field(None, description="largest CVaR expected of the day, a loss, GBP")
    open_day_ahead_mwh: float | None = Field(
        None, ge=0, description="largest sum over the day of |sold day-ahead - planned dispatch|, MWh"
    )
    imbalance_mwh: float | None = Field(None, ge=0, description="largest sum over the day of |imbalance|, MWh")
    min_response_share: float | None = Field(
        None, ge=0, le=2, description="least response MW h over rating x hours of the day, both directions counted"
    )


class StressSettings(Section):
    """Sizes of the parametrised shocks."""

    spike_gbp_mwh: float = Field(4000.0, description="system price of the spike; 4,037.80 was paid on 9 September 2021")
    spike_half_hours: int = Field(4, ge=1, le=50, description="half-hours the spike lasts, where it hurts most")
    spike_short_mw: float = Field(2.5, ge=0, description="how short the battery is in them, beyond what it was")
    response_price_lost: float = Field(
        0.8, ge=0, le=1, description="fall of response and reserve prices, share of their size"
    )
    outage_hours: float = Field(4.0, gt=0, description="how long the battery is out, when it hurts most")
    efficiency_lost: float = Field(0.05, ge=0, lt=1, description="share of each way's efficiency that is gone")
    activation_factor: float = Field(2.0, ge=1, description="response energy asked for, times what it was")


class RiskSettings(Section):
    """How risk is measured (docs/risk.md)."""

    confidences: tuple[float, ...] = Field(
        (0.95, 0.975, 0.99), min_length=1, description="of VaR, CVaR, attribution and back-tests"
    )
    headline_confidence: float = Field(0.95, gt=0, lt=1, description="of limits, worst days and the report")
    windows_days: tuple[int, ...] = Field(
        (30, 90, 365), description="trailing windows measured beside the whole history"
    )
    worst_days: int = Field(10, ge=1, le=100, description="worst days listed")
    interval_confidence: float = Field(0.95, gt=0, lt=1, description="of bootstrap intervals, two-sided")
    bootstrap_replicates: int = Field(1000, ge=100, le=100_000)
    bootstrap_block_days: Literal["auto"] | float = Field(
        "auto", description="mean block; auto = chosen from the autocorrelation, between 5 and 10 days"
    )
    backtest_min_days: int = Field(250, ge=30, description="below it a back-test says: insufficient data")
    backtest_simulations: int = Field(2000, ge=100, le=100_000, description="of p-values and powers")
    backtest_level: float = Field(0.05, gt=0, lt=0.5, description="chance of rejecting a true model")
    historical_days: int = Field(
        60, ge=20, le=1000, description="days before a day that its historical VaR and CVaR are taken of"
    )
    explain_days: int = Field(7, ge=1, le=60, description="last days whose P&L is explained against the day before")
    yardstick: str = Field("day_ahead_rolling", description="strategy that leads are measured over")
    limits: LimitSettings = LimitSettings()
    stress: StressSettings = StressSettings()

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if any(not 0.0 < confidence < 1.0 for confidence in self.confidences):
            raise ValueError("confidences lie between 0 and 1: 0.95 means the worst 5 %")
        if self.headline_confidence not in self.confidences:
            raise ValueError(f"headline_confidence {self.headline_confidence:g} must be one of confidences")
        if any(days < 2 for days in self.windows_days):
            raise ValueError("windows_days are 2 or more")
        if self.bootstrap_block_days != "auto" and self.bootstrap_block_days < 1.0:
            raise ValueError("bootstrap_block_days is 1 or more, or auto")
        return self
