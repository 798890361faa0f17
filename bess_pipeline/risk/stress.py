"""What a shock would do to a dispatch as it stands: P&L, energy that could not be moved, margin of state of energy.

What belongs here: parametrised shocks on given dispatch, contracts and prices. What does not: what comes of a schedule
(`stressed.py`), the worst days of history (`attribution.worst_days`), scenarios with a probability (`scenarios/`), and
how a strategy would react: contracts and dispatch stay, so that a P&L here is what the shock costs before anybody acts.

The change is of cash, not of wear. The margin is the least distance of the state of energy to its limits; below 0 by as
many MWh the dispatch could not be carried out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.risk.measures import FloatArray
from bess_pipeline.risk.stressed import Outcome, Position, cheaper_services_gbp, known, outcomes
from bess_pipeline.risk_settings import StressSettings


@dataclass(frozen=True)
class StressResult:
    """A shock, in words; what it does to cash, GBP; and the margin of state of energy before and after, MWh.

    surplus_gbp: what the store holds more at the end would fetch; not in pnl_change_gbp. undelivered_mwh: AC energy of
    the dispatch that is not moved. start_utc is where the shock was put (None: everywhere).
    """

    shock: str
    words: str
    pnl_change_gbp: float
    surplus_gbp: float
    undelivered_mwh: float
    margin_before_mwh: float
    margin_after_mwh: float
    start_utc: pd.Timestamp | None = None


def all_shocks(given: Position, battery: Battery, sizes: StressSettings) -> list[StressResult]:
    """Every shock at the sizes of the settings."""
    return [
        price_spike_while_short(
            given, battery, sizes.spike_gbp_mwh, sizes.spike_half_hours, sizes.spike_short_mw * gb_time.HALF_HOUR_H
        ),
        response_price_collapse(given, battery, sizes.response_price_lost),
        asset_outage(given, battery, sizes.outage_hours),
        efficiency_loss(given, battery, sizes.efficiency_lost),
        activation_increase(given, battery, sizes.activation_factor),
    ]


def price_spike_while_short(
    given: Position, battery: Battery, spike_gbp_mwh: float, half_hours: int, short_mwh: float
) -> StressResult:
    """The system price rises to `spike_gbp_mwh` (it never falls) in the half-hours in which that costs most.

    short_mwh: how much shorter than it was the battery is in each of them: it pays the spike for that too.
    """
    price = known(given.system_price_gbp_mwh)
    rise = np.maximum(spike_gbp_mwh - price, 0.0)
    change = given.imbalance_mwh * rise - short_mwh * (price + rise)
    hit = np.argsort(change, kind="stable")[:half_hours]
    words = f"system price of £{spike_gbp_mwh:,.0f}/MWh in {len(hit)} half-hours, {short_mwh:g} MWh shorter in each"
    return _result("price_spike_while_short", words, change[hit].sum(), given, battery, start=int(hit.min()))


def response_price_collapse(given: Position, battery: Battery, share_lost: float) -> StressResult:
    """Clearing prices of response and reserve fall by `share_lost` of their absolute value: negative ones too."""
    words = f"response and reserve prices lower by {share_lost:.0%} of what they were"
    return _result("response_price_collapse", words, cheaper_services_gbp(given, share_lost), given, battery)


def asset_outage(given: Position, battery: Battery, hours: float) -> StressResult:
    """The battery stands still for `hours`, when it hurts most; contracts are met at the system price.

    Lost are the energy metered in the outage, availability payments, and what the later dispatch counted on having in
    store. A payment that was negative is not waived.
    """
    count = given.energy_mwh.size
    length = min(max(round(hours / gb_time.HALF_HOUR_H), 1), count)
    at = np.arange(count)
    schedules = [
        replace(given.schedule, in_service=np.where((at >= first) & (at < first + length), 0.0, 1.0))
        for first in range(count - length + 1)
    ]
    found = outcomes(given, battery, battery, schedules)
    worst = min(range(len(found)), key=lambda place: found[place].change_gbp)
    words = f"battery out of service for {length * gb_time.HALF_HOUR_H:g} h"
    return _of("asset_outage", words, found[worst], given, battery, start=worst)


def efficiency_loss(given: Position, battery: Battery, share_lost: float) -> StressResult:
    """Both ways lose `share_lost` of their efficiency: less is stored of a charge, more is drawn for a discharge."""
    kept = 1.0 - share_lost
    worse = replace(
        battery,
        charge_efficiency=battery.charge_efficiency * kept,
        discharge_efficiency=battery.discharge_efficiency * kept,
    )
    found = outcomes(given, battery, worse, [given.schedule])[0]
    return _of("efficiency_loss", f"efficiency {share_lost:.0%} lower each way", found, given, battery)


def activation_increase(given: Position, battery: Battery, factor: float) -> StressResult:
    """Response asks for `factor` times the energy it did; the part that ABSVD does not take out is imbalance."""
    usual = given.schedule
    more = replace(usual, response_out=factor * usual.response_out, response_in=factor * usual.response_in)
    found = outcomes(given, battery, battery, [more])[0]
    return _of("activation_increase", f"response energy {factor:g} times as large", found, given, battery)


def _of(
    shock: str, words: str, found: Outcome, given: Position, battery: Battery, start: int | None = None
) -> StressResult:
    return _result(shock, words, found.change_gbp, given, battery, found, start)


def _result(
    shock: str,
    words: str,
    change_gbp: float,
    given: Position,
    battery: Battery,
    outcome: Outcome | None = None,
    start: int | None = None,
) -> StressResult:
    shift = 0.0 if outcome is None else outcome.shift_mwh
    return StressResult(
        shock=shock,
        words=words,
        pnl_change_gbp=float(change_gbp) + 0.0,
        surplus_gbp=0.0 if outcome is None else outcome.surplus_gbp,
        undelivered_mwh=0.0 if outcome is None else outcome.undelivered_mwh,
        margin_before_mwh=_margin(given.energy_mwh, battery),
        margin_after_mwh=_margin(given.energy_mwh + shift, battery),
        start_utc=None if start is None else given.start_utc[start],
    )


def _margin(energy_mwh: FloatArray, battery: Battery) -> float:
    return float(np.minimum(energy_mwh - battery.energy_min_mwh, battery.energy_max_mwh - energy_mwh).min())
