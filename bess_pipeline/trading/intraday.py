"""Trade within the day: how much may be traded for a half-hour, until when, and at which price it is filled.

What belongs here: the rules of `[intraday]`. What does not: which trade is chosen (`dispatch_problem.py`).

There is no public order book: a trade is filled whole at the realised market index less (sold) or plus (bought) half a
spread, which is why it is kept small against the volume behind the index. A half-hour without an index, or without an
expected volume, has no market.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bess_pipeline.ancillary.rows import FloatArray
from bess_pipeline.gb_time import HALF_HOUR_H
from bess_pipeline.intraday_settings import DECISION_LEAD_MINUTES, IntradaySettings
from bess_pipeline.trading.timeline import WITHIN_DAY_SOURCES

MINUTES_PER_HALF_HOUR = 30


@dataclass(frozen=True, eq=False)
class IntradayMarket:
    """Trade for P half-hours from the start of a trading day.

    index_price_gbp_mwh (P,): as it came out, NaN where there is none; it fills trades and is seen by no decision, which
    knows only whether there is one. expected_volume_mwh (P,): volume that is expected behind the index, known before
    the day (for example the mean of the same half-hour on past days), NaN where nothing is expected.
    """

    settings: IntradaySettings
    index_price_gbp_mwh: FloatArray
    expected_volume_mwh: FloatArray

    @property
    def lead_periods(self) -> int:
        """By how many half-hours a trade is decided before the dispatch of its half-hour is."""
        return math.ceil((self.settings.notification_minutes - DECISION_LEAD_MINUTES) / MINUTES_PER_HALF_HOUR)

    @property
    def most_mwh(self) -> FloatArray:
        """Most that may be bought or sold in each half-hour, MWh, (P,)."""
        own = self.settings.max_mw * HALF_HOUR_H
        volume = np.where(np.isfinite(self.index_price_gbp_mwh), self.expected_volume_mwh, 0.0)
        share = self.settings.max_share_of_index_volume * np.nan_to_num(volume, nan=0.0)
        return np.asarray(np.minimum(own, np.maximum(share, 0.0)))

    def fill_price_gbp_mwh(self, period: int, traded_mwh: float) -> float:
        """Price of a trade (+ sold) for a half-hour; NaN without one."""
        if traded_mwh == 0:
            return math.nan
        return float(self.index_price_gbp_mwh[period] - math.copysign(self.settings.half_spread_gbp_mwh, traded_mwh))


def has_intraday_market(settings: IntradaySettings, day_ahead_source: str) -> bool:
    """Whether there is trade within the day: not where the within-day index stands in for the day-ahead price."""
    return settings.enabled and day_ahead_source not in WITHIN_DAY_SOURCES
