"""Strategy `rule_based`: charge in the hours that were cheapest of late, discharge in the dearest after.

What belongs here: the rule. What does not: gates, what is known when (`timeline.py`, `known_prices.py`) and the
battery's physics (`battery/physics.py`).

The rule, for EFA day D at the day-ahead gate:

1. take the day-ahead prices of recent complete days that were known by then (`known_prices.py`);
2. average them by London clock hour;
3. over the hours of D, pick the contiguous block of `rule_hours` hours to charge and the later block of
   the same length to discharge with the largest margin after losses and wear,
   `eta_c eta_d (p_discharge - wear) - (p_charge + wear)`; stay idle when no margin is positive;
4. fill the battery evenly over the first block and empty it evenly over the second, within power, energy,
   cycle and throughput limits, from the opening state;
5. leave out what the battery cannot do then: outages announced by the gate, grid connection, ramp, losses at rest.

Blocks are whole clock hours, so power is constant over a product of 15, 30 or 60 minutes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.battery.limits import ALWAYS, Availability
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.battery.physics import simulate
from bess_pipeline.trading import timeline
from bess_pipeline.trading.known_prices import known_history, too_short
from bess_pipeline.trading.plans import Array, PlanOutcome, plan_frame

STRATEGY = "rule_based"
GATE: timeline.Gate = "day_ahead"
HALF_HOURS_PER_HOUR = 2


@dataclass(frozen=True)
class Blocks:
    """First hour of the charge block and of the discharge block (elapsed hours of the day), GBP/MWh margin."""

    charge_hour: int
    discharge_hour: int
    margin_gbp_mwh: float


def plan_day(
    efa_date: date,
    day_ahead_price: pd.DataFrame,
    battery: Battery,
    opening_energy_mwh: float,
    *,
    history_days: int,
    rule_hours: int,
    availability: Availability = ALWAYS,
) -> PlanOutcome:
    """The plan of `efa_date` (`trading/plan` rows), or the reason why none can be made.

    `day_ahead_price` may hold any `market/day_ahead_price` rows: what was not known at the gate is left
    out here. `opening_energy_mwh` is the planned state at 23:00 on the day before, `availability` what was known
    of the day's half-hours at the gate.
    """
    history = known_history(day_ahead_price, efa_date, GATE, history_days)
    reason = too_short(history, history_days, "the rule")
    if reason:
        return PlanOutcome(None, reason)
    hourly_price = _expected_price_by_hour(history, efa_date)
    blocks = choose_blocks(hourly_price, rule_hours, battery)
    charge_mw, discharge_mw = _schedule(blocks, len(hourly_price), rule_hours, battery, opening_energy_mwh)
    hours = np.full(len(charge_mw), gb_time.HALF_HOUR_H)
    path = simulate(battery, opening_energy_mwh, charge_mw, discharge_mw, hours, availability)
    frame = plan_frame(
        efa_date, STRATEGY, GATE, battery, opening_energy_mwh, path.charge_mw, path.discharge_mw, availability
    )
    return PlanOutcome(frame)


def choose_blocks(hourly_price_gbp_mwh: Array, rule_hours: int, battery: Battery) -> Blocks | None:
    """The pair of blocks, charge before discharge, with the largest positive margin; None when there is none."""
    mean = np.convolve(hourly_price_gbp_mwh, np.full(rule_hours, 1.0 / rule_hours), mode="valid")
    wear = battery.degradation_cost_gbp_per_mwh
    round_trip = battery.charge_efficiency * battery.discharge_efficiency
    margin = round_trip * (mean[None, :] - wear) - (mean[:, None] + wear)
    hours = np.arange(len(mean))
    margin = np.where(hours[None, :] >= hours[:, None] + rule_hours, margin, -np.inf)
    charge_hour, discharge_hour = np.unravel_index(int(margin.argmax()), margin.shape)
    best = float(margin[charge_hour, discharge_hour])
    return Blocks(int(charge_hour), int(discharge_hour), best) if best > 0.0 else None


def _expected_price_by_hour(history: pd.DataFrame, efa_date: date) -> Array:
    """Mean known price of each elapsed hour's London clock hour: 23, 24 or 25 values, GBP/MWh."""
    clock_hour = history["start_utc"].dt.tz_convert(gb_time.LONDON).dt.hour
    mean = history["day_ahead_price_gbp_mwh"].groupby(clock_hour).mean()
    hours = gb_time.efa_half_hours(efa_date)[::HALF_HOURS_PER_HOUR].tz_convert(gb_time.LONDON).hour
    return mean.reindex(hours).to_numpy(dtype="float64")


def _schedule(
    blocks: Blocks | None, hours: int, rule_hours: int, battery: Battery, opening_energy_mwh: float
) -> tuple[Array, Array]:
    """Half-hourly charge and discharge, MW, that fill and then empty the battery evenly over the blocks."""
    charge_mw, discharge_mw = np.zeros(hours * HALF_HOURS_PER_HOUR), np.zeros(hours * HALF_HOURS_PER_HOUR)
    if blocks is None:
        return charge_mw, discharge_mw
    most_mwh = battery.power_mw * rule_hours
    room_mwh = max(battery.energy_max_mwh - opening_energy_mwh, 0.0)
    throughput_mwh = np.inf if battery.max_throughput_mwh_per_day is None else battery.max_throughput_mwh_per_day
    charge_mwh = min(most_mwh, room_mwh / battery.charge_efficiency, throughput_mwh / 2)
    full_mwh = opening_energy_mwh + charge_mwh * battery.charge_efficiency
    cap_mwh = np.inf if battery.max_cycles_per_day is None else battery.max_cycles_per_day * battery.usable_energy_mwh
    stored_mwh = max(full_mwh - battery.energy_min_mwh, 0.0)
    cap_mwh = min(cap_mwh, throughput_mwh - charge_mwh)
    discharge_mwh = min(most_mwh, stored_mwh * battery.discharge_efficiency, cap_mwh)
    _block(charge_mw, blocks.charge_hour, rule_hours)[:] = charge_mwh / rule_hours
    _block(discharge_mw, blocks.discharge_hour, rule_hours)[:] = discharge_mwh / rule_hours
    return charge_mw, discharge_mw


def _block(power_mw: Array, first_hour: int, rule_hours: int) -> Array:
    return power_mw[first_hour * HALF_HOURS_PER_HOUR : (first_hour + rule_hours) * HALF_HOURS_PER_HOUR]
