"""What the dispatch of a trading day of a strategy of all markets is given, and the refusal of what does not fit.

What belongs here: prices as expected at a decision, and a day's contracts, outcomes and limits. What does not: what is
made of them (`market_day.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.ancillary.products import table_of
from bess_pipeline.ancillary.rows import FloatArray
from bess_pipeline.ancillary.windows import Horizon, horizon_of
from bess_pipeline.battery.limits import ALWAYS, Availability
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.errors import UserInputError
from bess_pipeline.gb_time import HALF_HOUR_H
from bess_pipeline.optimisation.problem import IntArray
from bess_pipeline.trading.intraday import IntradayMarket

TOLERANCE_MWH = 1e-6
UNSEEN_HALF_HOURS = 3.0  # before a start, that are not over when it is decided for


def always_available(_decision: int) -> Availability:
    """No outage is announced."""
    return ALWAYS


@dataclass(frozen=True, eq=False)
class Expectation:
    """Prices of the horizon (P,) as expected at a decision, GBP/MWh: known ones where they are known. Entries of
    half-hours that are over are not looked at; the index is only looked at where there is trade within the day."""

    day_ahead_gbp_mwh: FloatArray
    system_gbp_mwh: FloatArray
    index_gbp_mwh: FloatArray


@dataclass(frozen=True, eq=False)
class MarketDay:
    """Everything of one day and strategy. T half-hours of the day, P >= T of the horizon, R products.

    start_utc (P,): from 23:00 London on the day before. opening_energy_mwh: realised at that time.
    expected_opening_mwh: the same as expected by the decisions of the first two half-hours, made before it (see
    `expected_openings`); None where nothing else can have been expected, as at a chain's start.

    day_ahead_mw (P,), services_mw (R, P) of `codes`: contracts. Those after the day are known to the decisions from
    day_ahead_known_from, services_known_from on (numbers of half-hours; T: to none), and until then the hours after the
    day are sold at the expected day-ahead price. planned_charge_mw, planned_discharge_mw (T,): as planned at the last
    gate, for the record. activation_mwh_per_mw (R, T): outcome; expected_activation_mwh_per_mw (R, P).

    expect(k): prices as known 60 minutes before half-hour k. announced(k): availability of the horizon as announced
    then; available: of the day in truth. intraday: None without trade within the day. imbalance_cap_mw: of
    |dispatch - contract|, may be infinite. terminal_value_gbp_mwh: of a MWh stored at the end of the horizon.
    margin_half_hours: of expected activation by which decisions keep inside the band of services; 0 for a strategy that
    knows activation.
    """

    efa_date: date
    strategy: str
    start_utc: pd.DatetimeIndex
    battery: Battery
    opening_energy_mwh: float
    day_ahead_mw: FloatArray
    planned_charge_mw: FloatArray
    planned_discharge_mw: FloatArray
    expect: Callable[[int], Expectation]
    imbalance_cap_mw: float
    terminal_value_gbp_mwh: float
    codes: tuple[str, ...] = ()
    services_mw: FloatArray | None = None
    activation_mwh_per_mw: FloatArray | None = None
    expected_activation_mwh_per_mw: FloatArray | None = None
    day_ahead_known_from: int | None = None
    services_known_from: int | None = None
    expected_opening_mwh: tuple[float, float] | None = None
    available: Availability = ALWAYS
    announced: Callable[[int], Availability] = always_available
    intraday: IntradayMarket | None = None
    margin_half_hours: float = UNSEEN_HALF_HOURS
    absvd_applies: bool = True
    baseline_adds_headroom: bool = False
    time_limit_s: float = 60.0

    def __post_init__(self) -> None:
        """UserInputError in one sentence where a value cannot be used."""
        day = gb_time.efa_half_hours(self.efa_date)
        if not self.start_utc[: len(day)].equals(day.as_unit(self.start_utc.unit)):
            raise UserInputError(f"the horizon of EFA day {self.efa_date} does not begin with its half-hours")
        products, horizon = len(table_of(self.codes)), len(self.start_utc)
        shapes = {
            "day_ahead_mw": (horizon,),
            "planned_charge_mw": (self.periods,),
            "planned_discharge_mw": (self.periods,),
            "services_mw": (products, horizon),
            "activation_mwh_per_mw": (products, self.periods),
            "expected_activation_mwh_per_mw": (products, horizon),
        }
        for name, shape in shapes.items():
            given = getattr(self, name)
            values = np.zeros(shape) if given is None and not products else np.asarray(given, dtype=float)
            self._refuse(name, values, shape)
            object.__setattr__(self, name, values)
        if not self.imbalance_cap_mw >= 0:
            raise UserInputError(f"the imbalance cap of {self.imbalance_cap_mw:g} MW must be 0 or more")
        low, high = self.battery.energy_min_mwh, self.battery.energy_max_mwh
        if not low - TOLERANCE_MWH <= self.opening_energy_mwh <= high + TOLERANCE_MWH:
            raise UserInputError(
                f"EFA day {self.efa_date} opens with {self.opening_energy_mwh:g} MWh, outside {low:g} to {high:g} MWh"
            )
        object.__setattr__(self, "opening_energy_mwh", float(np.clip(self.opening_energy_mwh, low, high)))

    def _refuse(self, name: str, values: FloatArray, shape: tuple[int, ...]) -> None:
        if values.shape != shape:
            raise UserInputError(f"{name} of EFA day {self.efa_date} has the shape {values.shape}, not {shape}")
        if not np.isfinite(values).all():
            raise UserInputError(f"{name} of EFA day {self.efa_date} has a value that is no finite number")
        if name != "day_ahead_mw" and (values < 0).any():
            raise UserInputError(f"{name} of EFA day {self.efa_date} has a value below 0")

    @cached_property
    def periods(self) -> int:
        """T."""
        return len(gb_time.efa_half_hours(self.efa_date))

    @cached_property
    def horizon(self) -> Horizon:
        """The half-hours and their EFA blocks."""
        return horizon_of(self.start_utc)

    @cached_property
    def day_index(self) -> IntArray:
        """(P,): which EFA day each half-hour lies in, from 0."""
        return np.array([(one - self.efa_date).days for one in self.horizon.efa_date])

    @cached_property
    def day_ahead_mwh(self) -> FloatArray:
        """(P,): energy sold day-ahead."""
        return self.day_ahead_mw * HALF_HOUR_H

    @cached_property
    def services(self) -> FloatArray:
        """`services_mw` as an array (R, P)."""
        return np.asarray(self.services_mw, dtype=float)

    @cached_property
    def services_of_day(self) -> FloatArray:
        """The same with nothing after the day."""
        return np.where(np.arange(len(self.start_utc)) < self.periods, self.services, 0.0)

    @cached_property
    def activation(self) -> FloatArray:
        """`activation_mwh_per_mw` as an array (R, T)."""
        return np.asarray(self.activation_mwh_per_mw, dtype=float)

    @cached_property
    def expected_activation(self) -> FloatArray:
        """`expected_activation_mwh_per_mw` as an array (R, P)."""
        return np.asarray(self.expected_activation_mwh_per_mw, dtype=float)
