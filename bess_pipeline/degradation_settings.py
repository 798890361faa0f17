"""Settings of wear after the fact, and the base of every section of settings.

What belongs here: names, bounds and defaults of `[degradation]`. What does not: all other sections and where
settings come from (`settings.py`), and the model itself (`battery/degradation.py`).
"""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Section(BaseModel):
    """A table of settings: frozen, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DegradationSettings(Section):
    """Wear after the fact (docs/degradation.md); all defaults are choices, no rule asks for any of them."""

    replacement_cost_gbp_per_kwh: float = Field(
        300.0, ge=0, description="price of a new battery; 600,000 GBP/MW of a two-hour system (quotes of 2024)"
    )
    end_of_life_state_of_health: float = Field(
        0.8, ge=0, lt=1, description="capacity left at which it is replaced; 0.7 to 0.8 are usual"
    )
    cell_temperature_c: float = Field(25.0, ge=-20, le=60)
    initial_calendar_fade: float = Field(0.0, ge=0, lt=1, description="capacity lost to time before a chain starts")
    initial_cycle_fade: float = Field(0.0, ge=0, lt=1, description="capacity lost to cycles before a chain starts")
    fade_limits_energy: bool = Field(
        False, description="the state of health after a day scales energy_mwh of the next day"
    )

    @model_validator(mode="after")
    def _alive(self) -> Self:
        left = 1.0 - self.initial_calendar_fade - self.initial_cycle_fade
        if left <= self.end_of_life_state_of_health:
            raise ValueError(
                f"initial_calendar_fade and initial_cycle_fade leave a state of health of {left:g}, which must be "
                f"above end_of_life_state_of_health {self.end_of_life_state_of_health:g}"
            )
        return self
