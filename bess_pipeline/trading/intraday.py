"""Trade within the day: how much may be traded for a half-hour, until when, and at which price it is filled.

What belongs here: the rules of `[intraday]`. What does not: which trade is chosen (`dispatch_problem.py`).

There is no public order book: a trade is filled at the realised market index less (sold) or plus (bought) half a
spread, which is why it is kept small against the volume behind the index: when it is decided, against the expected
volume, and when it is filled, against the realised one. What is not filled is forced imbalance. A half-hour without an
expected volume has no market; one whose index turns out to be missing fills nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from bess_pipeline.ancillary.rows import FloatArray
from bess_pipeline.gb_time import HALF_HOUR_H
from bess_pipeline.intraday_settings import DECISION_LEAD_MINUTES, IntradaySettings
from bess_pipeline.trading.timeline import WITHIN_DAY_SOURCES

MINUTES_PER_HALF_HOUR = 30


@dataclass(frozen=True, eq=False)
class IntradayMarket:
    """Trade for P half-hours from the start of a trading day.

    index_price_gbp_mwh (P,): as it came out, NaN where there is none; realised_volume_mwh (P,): behind it, NaN where it
    is not known. They fill trades and are seen by no decision, not even whether they are there. expected_volume_mwh
    (P,): volume that is expected behind the index, known before the day (for example the mean of the same half-hour on
    past days), NaN where nothing is expected.
    """

    settings: IntradaySettings
    index_price_gbp_mwh: FloatArray
    expected_volume_mwh: FloatArray
    realised_volume_mwh: FloatArray

    @property
    def lead_periods(self) -> int:
        """By how many half-hours a trade is decided before the dispatch of its half-hour is."""
        return math.ceil((self.settings.notification_minutes - DECISION_LEAD_MINUTES) / MINUTES_PER_HALF_HOUR)

    @property
    def most_mwh(self) -> FloatArray:
        """Most that a decision may buy or sell in each half-hour, MWh, (P,)."""
        own = self.settings.max_mw * HALF_HOUR_H
        share = self.settings.max_share_of_index_volume * np.nan_to_num(self.expected_volume_mwh, nan=0.0)
        return np.asarray(np.minimum(own, np.maximum(share, 0.0)))

    def filled_mwh(self, wanted_mwh: FloatArray) -> FloatArray:
        """What is filled of trades (+ sold) of the first half-hours, MWh."""
        first = slice(wanted_mwh.size)
        most = self.settings.max_share_of_index_volume * self.realised_volume_mwh[first]
        most = np.where(np.isfinite(most), most, np.inf)
        most = np.where(np.isfinite(self.index_price_gbp_mwh[first]), most, 0.0)
        return np.asarray(np.clip(wanted_mwh, -most, most))

    def as_it_came_out(self) -> IntradayMarket:
        """The same for who knows the outcome: nothing is decided that will not be filled."""
        expected, realised = self.expected_volume_mwh, self.realised_volume_mwh
        volume = np.minimum(expected, np.where(np.isnan(realised), expected, realised))
        known = np.isfinite(self.index_price_gbp_mwh)
        return replace(self, expected_volume_mwh=np.asarray(np.where(known, volume, 0.0)))

    def fill_price_gbp_mwh(self, period: int, traded_mwh: float) -> float:
        """Price of a trade (+ sold) for a half-hour; NaN without one."""
        if traded_mwh == 0:
            return math.nan
        return float(self.index_price_gbp_mwh[period] - math.copysign(self.settings.half_spread_gbp_mwh, traded_mwh))


def has_intraday_market(settings: IntradaySettings, day_ahead_source: str) -> bool:
    """Whether there is trade within the day: not where the within-day index stands in for the day-ahead price."""
    return settings.enabled and day_ahead_source not in WITHIN_DAY_SOURCES
