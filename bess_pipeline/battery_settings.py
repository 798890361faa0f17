"""Settings of the battery.

What belongs here: names, bounds and defaults of `[battery]`. What does not: all other sections and where settings come
from (`settings.py`), and the battery that is computed with (`battery/parameters.py`).
"""

from __future__ import annotations

import math
from typing import Self

from pydantic import Field, model_validator

from bess_pipeline.degradation_settings import Section


def impossible_depth_cost(costs: tuple[float, ...]) -> str | None:
    """What is wrong with the costs of depth segments, or None: only rising costs fill shallow segments first."""
    for k, cost in enumerate(costs):
        if not (math.isfinite(cost) and cost >= 0):
            return f"cycle_depth_cost_gbp_per_mwh {cost:g} of segment {k + 1} must be 0 or more and finite"
        if k and cost < costs[k - 1]:
            return (
                f"cycle_depth_cost_gbp_per_mwh {cost:g} of segment {k + 1} must not be below {costs[k - 1]:g} "
                "of the shallower segment before it"
            )
    return None


class BatterySettings(Section):
    """The battery of the workspace; the defaults are choices (50 MW, two hours, 88 % round trip)."""

    power_mw: float = Field(50.0, gt=0, description="rating for charge and for discharge, AC side, MW")
    energy_mwh: float = Field(100.0, gt=0, description="stored energy at 100 % state of charge, MWh")
    charge_efficiency: float = Field(0.88**0.5, gt=0, le=1)
    discharge_efficiency: float = Field(0.88**0.5, gt=0, le=1)
    soc_min: float = Field(0.05, ge=0, le=1, description="lowest state of charge, fraction of energy_mwh")
    soc_max: float = Field(0.95, ge=0, le=1)
    initial_soc: float = Field(0.5, ge=0, le=1)
    final_soc: float | None = Field(None, ge=0, le=1, description="fraction at the end; absent = initial_soc")
    degradation_cost_gbp_per_mwh: float = Field(
        5.0, ge=0, description="wear per MWh charged and per MWh discharged, AC side"
    )
    max_cycles_per_day: float | None = Field(1.5, gt=0, description="discharged MWh over usable MWh; absent = no limit")
    self_discharge_per_hour: float = Field(0.0, ge=0, lt=1, description="fraction of stored energy lost in an hour")
    auxiliary_mw: float = Field(0.0, ge=0, description="load fed from the store at all times, DC side, MW")
    import_limit_mw: float | None = Field(None, ge=0, description="grid connection, AC, MW; absent = the rating")
    export_limit_mw: float | None = Field(None, ge=0, description="grid connection, AC, MW; absent = the rating")
    ramp_limit_mw_per_hour: float | None = Field(
        None,
        gt=0,
        description="largest change of net export from one period to the next, per hour between their starts, MW; "
        "absent = no limit",
    )
    max_throughput_mwh_per_day: float | None = Field(
        None, gt=0, description="charged + discharged in a London day, AC, MWh; absent = no limit"
    )
    warranty_cycles: float | None = Field(
        None, gt=0, description="discharged MWh over usable MWh in one whole horizon; absent = no budget"
    )
    cycle_depth_cost_gbp_per_mwh: tuple[float, ...] = Field(
        (),
        description="cost per MWh discharged, AC, from each of as many equal depth segments of the usable energy, "
        "shallowest first, never falling; empty = none",
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.soc_min >= self.soc_max:
            raise ValueError(f"soc_min {self.soc_min:g} must be below soc_max {self.soc_max:g}")
        for name in ("initial_soc", "final_soc"):
            value = getattr(self, name)
            if value is not None and not self.soc_min <= value <= self.soc_max:
                raise ValueError(f"{name} {value:g} must lie between soc_min and soc_max")
        message = impossible_depth_cost(self.cycle_depth_cost_gbp_per_mwh)
        if message is not None:
            raise ValueError(message)
        return self
