"""Settings of trade within the day.

What belongs here: names, bounds and defaults of `[intraday]`. What does not: how a trade is chosen and filled
(`trading/intraday.py`) and all other sections (`settings.py`).
"""

from __future__ import annotations

from pydantic import Field

from bess_pipeline.degradation_settings import Section

DECISION_LEAD_MINUTES = 60


class IntradaySettings(Section):
    """One trade a half-hour, filled at the market index; all defaults are choices, no figure is published."""

    enabled: bool = Field(True, description="whether strategies of all markets trade within the day")
    half_spread_gbp_mwh: float = Field(1.0, ge=0, description="lost on each MWh against the market index")
    max_mw: float = Field(10.0, ge=0, description="most of one trade")
    max_share_of_index_volume: float = Field(
        0.05, ge=0, le=1, description="most of one trade, of the volume that is expected to trade in its half-hour"
    )
    notification_minutes: int = Field(
        DECISION_LEAD_MINUTES,
        ge=DECISION_LEAD_MINUTES,
        le=1440,
        description="contract notification deadline before the half-hour: no trade for it after that",
    )
