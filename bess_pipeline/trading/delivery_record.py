"""What contracts of services require of the battery while a day is carried out: expected ahead, true behind.

What belongs here: the MW that are known, the energy that they move as far as it has happened and as it is expected
beyond, and the band and rating that follow. What does not: the rules (`ancillary/`) and decisions (`market_day.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from bess_pipeline.ancillary.activation_effects import flows_of
from bess_pipeline.ancillary.energy_band import band_mwh, band_shortfall_mwh, required_by_direction
from bess_pipeline.ancillary.products import table_of
from bess_pipeline.ancillary.rating import committed_mw
from bess_pipeline.ancillary.rows import FloatArray
from bess_pipeline.ancillary.windows import Horizon
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.gb_time import HALF_HOUR_H


@dataclass(frozen=True, eq=False)
class Committed:
    """What some MW of services take of a horizon: expected energy of low and high services (P,), MWh; rating that
    contracts and recovery take of each direction (P,), MWh."""

    low_mwh: FloatArray
    high_mwh: FloatArray
    discharge_rating_mwh: FloatArray
    charge_rating_mwh: FloatArray


class DeliveryRecord:
    """Contracts of a horizon of P half-hours, R products, and what they have delivered so far."""

    def __init__(
        self,
        battery: Battery,
        codes: tuple[str, ...],
        horizon: Horizon,
        mw: FloatArray,
        expected_mwh_per_mw: FloatArray,
    ) -> None:
        """mw, expected_mwh_per_mw (R, P): MW that are known, and energy that each of them is expected to move."""
        self._battery, self._codes, self._horizon = battery, codes, horizon
        self._energy = expected_mwh_per_mw.copy()
        self._low = np.array([one.direction == "low" for one in table_of(codes)], dtype=bool)
        bounds = [*horizon.block_start.tolist(), horizon.periods]
        self._blocks = [slice(a, b) for a, b in pairwise(bounds)]
        self._within = [_part(horizon, where, n) for n, where in enumerate(self._blocks)]
        self.set_contracts(mw)

    def set_contracts(self, mw: FloatArray) -> None:
        """Other MW (R, P) are known from now on."""
        self._mw = mw
        self._required = np.zeros((2, self._horizon.periods))
        if self._codes:
            self._required = required_by_direction(self._codes, self._horizon, mw, self._energy)
        flows = flows_of(self._codes, mw, self._energy)
        rating = [
            committed_mw(self._codes, self._horizon, mw, direction) * HALF_HOUR_H for direction in ("low", "high")
        ]
        self.committed = Committed(flows.export_mwh, flows.import_mwh, rating[0], rating[1])

    def delivered(self, period: int, energy_mwh_per_mw: FloatArray, low_share: float, high_share: float) -> None:
        """A half-hour is over: a MW of each product was asked for so much energy (R,), and these shares were given."""
        if not self._codes:
            return
        self._energy[:, period] = energy_mwh_per_mw * np.where(self._low, low_share, high_share)
        block = int(self._horizon.block[period])
        where = self._blocks[block]
        self._required[:, where] = required_by_direction(
            self._codes, self._within[block], self._mw[:, where], self._energy[:, where]
        )

    def band_mwh(self, margin_half_hours: float = 0.0) -> tuple[FloatArray, FloatArray]:
        """Lowest and highest state at the start of each half-hour that the contracts allow, (P,), MWh.

        margin_half_hours: the band is drawn in, on a side that contracts ask for, by what the direction that moves more
        is expected to move in so many half-hours. A requirement falls with the delivery that draws on it, so that what
        breaks the band is delivery of the other direction that does not come, and, where a block begins at its full
        volume, more delivery than expected before it.
        """
        floor, ceiling = band_mwh(self._battery, self._required)
        into, out = self._battery.charge_efficiency, 1.0 / self._battery.discharge_efficiency
        margin = margin_half_hours * np.maximum(into * self.committed.high_mwh, out * self.committed.low_mwh)
        asked = self._required > 0
        return floor + np.where(asked[0], margin, 0.0), ceiling - np.where(asked[1], margin, 0.0)

    def missing_mwh(self, energy_at_start_mwh: FloatArray) -> FloatArray:
        """AC energy and room by which states at the start of the first half-hours (T,) fall short, (2, T), MWh."""
        required = self._required[:, : energy_at_start_mwh.size]
        missing = np.maximum(band_shortfall_mwh(self._battery, required, energy_at_start_mwh), 0.0)
        return np.asarray(np.where(required > 0, missing, 0.0))


def _part(horizon: Horizon, where: slice, block: int) -> Horizon:
    return replace(
        horizon,
        start_utc=horizon.start_utc[where],
        efa_date=horizon.efa_date[where],
        block=np.zeros(where.stop - where.start, dtype=np.int64),
        block_hours=horizon.block_hours[block : block + 1],
    )
