"""Settings of the strategies that decide all markets together.

What belongs here: names, bounds and defaults of `[co_optimisation]`. What does not: rules of services
(`ancillary_settings.py`), how scenarios are drawn (`scenario_settings.py`) and all other sections (`settings.py`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bess_pipeline.degradation_settings import Section

Weekday = Annotated[int, Field(ge=1, le=7)]
IMBALANCE_SHARE_OF_RATING = 0.05


class CoOptimisationSettings(Section):
    """Risk, orders and what is reported beside a plan; all defaults are choices."""

    enabled: bool = Field(True, description="whether the strategies that need scenarios make plans")
    risk_aversion: float = Field(0.5, ge=0, le=1, description="weight of CVaR against the mean in co_optimised_cvar")
    confidence: float = Field(0.95, gt=0, lt=1, description="of VaR and CVaR of the committed day's loss")
    cvar_limit_gbp: float | None = Field(None, description="most CVaR of a plan of co_optimised_cvar; absent = none")
    var_limit_gbp: float | None = Field(
        None, description="most VaR, enforced by CVaR at the same confidence (conservative); absent = none"
    )
    imbalance_limit_mw: float | None = Field(
        None, ge=0, description="most planned deviation from what is sold; absent = 5 % of power_mw"
    )
    day_ahead_orders: Literal["volume", "steps"] = Field(
        "volume", description="one volume at a limit price in each hour, or price-quantity steps"
    )
    price_steps: int = Field(4, ge=2, le=12, description="steps on each side of a day-ahead bid curve")
    value_weekdays: tuple[Weekday, ...] = Field(
        (1, 2, 3, 4, 5, 6, 7),
        description="ISO weekdays of the trading days whose plans get VSS, EVPI and reserved headroom; empty = none",
    )
    frontier_points: int = Field(10, ge=2, le=50, description="risk aversions from 0 to 1 on the frontier")
    frontier_weekdays: tuple[Weekday, ...] = Field(
        (1,), description="ISO weekdays of the trading days that get a frontier, 1 = Monday; empty = none"
    )

    def imbalance_limit_of(self, power_mw: float) -> float:
        """Most planned deviation, MW, of a battery of this rating."""
        return IMBALANCE_SHARE_OF_RATING * power_mw if self.imbalance_limit_mw is None else self.imbalance_limit_mw
