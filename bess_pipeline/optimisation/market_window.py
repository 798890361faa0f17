"""All markets over a whole window with the outcome known: one linear problem, as data, and its answer.

What belongs here: what a window is given (`WindowProblem`, `WindowService`), checked, and what is answered
(`WindowSchedule`). What does not: its rows (`market_window_rows.py`), solving and the certificate
(`market_window_solve.py`), and where the numbers come from (`trading/bounds.py`).

The problem is a relaxation of everything that a strategy of these markets can do in the window: volumes are not
rounded, products do not exclude each other, ramp, throughput and warranty limits are left out, charge and discharge may
overlap in its bound. docs/bounds.md lists the options and the proof that none is missing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.errors import UserInputError
from bess_pipeline.optimisation.problem import FloatArray, IntArray

HALF_HOUR_H = 0.5


@dataclass(frozen=True, eq=False)
class WindowService:
    """One product of response or reserve over T half-hours and W auction windows.

    window_of_period (T,): which auction window each half-hour lies in, from 0, -1 = none; cap_mw (W,): most MW.
    price_gbp_mw_h (T,): availability. activation_mwh_per_mw, required_mwh_per_mw (T,): energy that a contracted MW
    moves in the half-hour, and must hold at its start (may be negative: nothing is held and others are relieved).
    energy_price_gbp_mwh (T,): cash of a MWh moved, 0 where it is unpaid; low products receive it, high products pay it.
    recovery_share (T,): MW per MW taken of the rating in the opposite direction.
    """

    code: str
    direction: Literal["low", "high"]
    window_of_period: IntArray
    cap_mw: FloatArray
    price_gbp_mw_h: FloatArray
    activation_mwh_per_mw: FloatArray
    required_mwh_per_mw: FloatArray
    energy_price_gbp_mwh: FloatArray
    recovery_share: FloatArray

    @property
    def sign(self) -> float:
        """+1 where its energy is exported, -1 where it is imported."""
        return 1.0 if self.direction == "low" else -1.0


@dataclass(frozen=True, eq=False)
class Allowance:
    """What physics forced on strategies, beyond what a plan may do; each a number or (T,), >= 0.

    undelivered_low_mwh, undelivered_high_mwh: activation that was not delivered; rating_low_mw, rating_high_mw: by
    which contracts and the baseline exceeded the rating.
    """

    undelivered_low_mwh: ArrayLike = 0.0
    undelivered_high_mwh: ArrayLike = 0.0
    rating_low_mw: ArrayLike = 0.0
    rating_high_mw: ArrayLike = 0.0


NOTHING_FORCED = Allowance()


@dataclass(frozen=True, eq=False)
class WindowProblem:
    """A battery over T half-hours of D days whose prices and activation are known.

    day_index (T,): day of each half-hour, from 0. opening_energy_mwh (T,): state that the half-hour opens with where a
    chain begins, NaN where the state is carried; the first one is a number. charge_limit_mw, discharge_limit_mw (T,):
    of the baseline; contract_charge_mw, contract_discharge_mw (T,): of the rating that contracts share with it.
    product_of_period (T,): day-ahead product, from 0, -1 = none is sold. day_ahead_price_gbp_mwh,
    system_price_gbp_mwh (T,). imbalance_long_mwh, imbalance_short_mwh (T,): most baseline - contracted, and the
    opposite. intraday_price_gbp_mwh (T,), intraday_limit_mwh (T,): 0 = no trade; half_spread_gbp_mwh: lost on each MWh.
    discharge_limit_of_day_mwh (D,): exported a day, activation included; infinite = no limit. closing_value_gbp_mwh:
    worth of a MWh stored at the end. may_miss: a service may be given up in a half-hour for what it is paid there (else
    its energy must always be held). baseline_adds_headroom: a charging baseline makes room for low contracts, a
    discharging one for high ones. allowance: what was forced on strategies.

    Raises UserInputError with one sentence where a value cannot be used.
    """

    battery: Battery
    day_index: IntArray
    opening_energy_mwh: FloatArray
    charge_limit_mw: FloatArray
    discharge_limit_mw: FloatArray
    contract_charge_mw: FloatArray
    contract_discharge_mw: FloatArray
    product_of_period: IntArray
    day_ahead_price_gbp_mwh: FloatArray
    system_price_gbp_mwh: FloatArray
    imbalance_long_mwh: FloatArray
    imbalance_short_mwh: FloatArray
    intraday_price_gbp_mwh: FloatArray
    intraday_limit_mwh: FloatArray
    discharge_limit_of_day_mwh: FloatArray
    half_spread_gbp_mwh: float = 0.0
    services: tuple[WindowService, ...] = ()
    closing_value_gbp_mwh: float = 0.0
    may_miss: bool = True
    baseline_adds_headroom: bool = False
    allowance: Allowance = field(default_factory=Allowance)

    def __post_init__(self) -> None:
        for name in (*_FINITE, *_INDEX):
            values = np.asarray(getattr(self, name))
            if values.shape != (self.periods,):
                raise UserInputError(f"{name} of a window has {values.size} values for {self.periods} half-hours")
            if name in _FINITE and not np.isfinite(values).all():
                raise UserInputError(f"{name} of a window is not finite in half-hour {np.argmin(np.isfinite(values))}")
        for name in _NOT_NEGATIVE:
            if (np.asarray(getattr(self, name)) < 0).any():
                raise UserInputError(f"{name} of a window is below 0")
        opening = self.opening_energy_mwh
        low, high = self.battery.energy_min_mwh - 1e-9, self.battery.energy_max_mwh + 1e-9
        given = opening[~np.isnan(opening)]
        if opening.shape != (self.periods,) or np.isnan(opening[0]):
            raise UserInputError("a window needs the state of energy that its first half-hour opens with")
        if ((given < low) | (given > high)).any():
            raise UserInputError(f"an opening state of the window lies outside {low:g} to {high:g} MWh")
        if self.discharge_limit_of_day_mwh.shape != (self.days,):
            raise UserInputError(f"a window of {self.days} days has other numbers of daily limits")

    @property
    def periods(self) -> int:
        """T."""
        return int(np.asarray(self.day_index).size)

    @property
    def days(self) -> int:
        """D."""
        return int(self.day_index[-1]) + 1

    @property
    def products(self) -> int:
        """P, day-ahead."""
        return int(self.product_of_period.max(initial=-1)) + 1


_FINITE = (
    "charge_limit_mw",
    "discharge_limit_mw",
    "contract_charge_mw",
    "contract_discharge_mw",
    "day_ahead_price_gbp_mwh",
    "system_price_gbp_mwh",
    "imbalance_long_mwh",
    "imbalance_short_mwh",
    "intraday_price_gbp_mwh",
    "intraday_limit_mwh",
)
_INDEX = ("day_index", "product_of_period")
_NOT_NEGATIVE = (
    "charge_limit_mw",
    "discharge_limit_mw",
    "contract_charge_mw",
    "contract_discharge_mw",
    "imbalance_long_mwh",
    "imbalance_short_mwh",
    "intraday_limit_mwh",
    "half_spread_gbp_mwh",
)


@dataclass(frozen=True, eq=False)
class WindowSchedule:
    """The best schedule found, in which no half-hour charges and discharges, and what no schedule exceeds.

    (T,): charge_mwh, discharge_mwh (baseline), energy_mwh (at the end), day_ahead_mwh and intraday_mwh (net sold),
    imbalance_mwh, activation_export_mwh, activation_import_mwh, service_cash_gbp, cash_gbp (all of it) and wear_gbp.
    service_mw (K, T). value_gbp: cash - wear + value of the closing energy; bound_gbp >= the value of every schedule,
    proven by duals; gap_gbp: the difference of both; overlaps: half-hours whose direction had to be decided.
    """

    charge_mwh: FloatArray
    discharge_mwh: FloatArray
    energy_mwh: FloatArray
    day_ahead_mwh: FloatArray
    intraday_mwh: FloatArray
    imbalance_mwh: FloatArray
    activation_export_mwh: FloatArray
    activation_import_mwh: FloatArray
    service_mw: FloatArray
    service_cash_gbp: FloatArray
    cash_gbp: FloatArray
    wear_gbp: FloatArray
    value_gbp: float
    bound_gbp: float
    overlaps: int
    seconds: float

    @property
    def gap_gbp(self) -> float:
        """Certified: no schedule is worth more than `value_gbp` plus this."""
        return max(self.bound_gbp - self.value_gbp, 0.0)
