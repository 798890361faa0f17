"""Offers in the steps they are sold in, rounded so that they can still be kept.

What belongs here: whole MW of response and reserve, 0.1 MW of energy. What does not: how much is best
(`optimisation/`), and limit prices of orders.

At a given state of energy every rule asks for more, never for less, when a contract grows, so ancillary offers are
rounded down (domain reference 4.4: whole MW). Energy moves the state both ways: its volumes are rounded one after
another to steps that keep the limits (3.1: 0.1 MW lots). Both together move the expected state a little, so `offers.py`
puts them together and checks again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bess_pipeline.ancillary.products import OFFER_STEP_MW
from bess_pipeline.ancillary.rows import TOLERANCE, FloatArray
from bess_pipeline.ancillary.windows import IntArray
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.battery.physics import after_standing_losses_mwh, stored_change_mwh
from bess_pipeline.errors import ContractBreachError
from bess_pipeline.gb_time import HALF_HOUR_H

ENERGY_STEP_MW = 0.1


class NoStepError(ContractBreachError):
    """No step of energy keeps the limits up to the end of half-hour `period` (from 0)."""

    def __init__(self, message: str, period: int = 0) -> None:
        super().__init__(message)
        self.period = period


@dataclass(frozen=True)
class EnergyLimits:
    """What a plan of energy must keep in each half-hour, arrays (half-hours,).

    charge_mw, discharge_mw: most baseline power that ratings and contracts leave, AC; lowest_mwh, highest_mwh: stored
    energy at the end of the half-hour, as the next one requires; extra_mwh: change of stored energy beside the
    baseline (expected activation).
    """

    charge_mw: FloatArray
    discharge_mw: FloatArray
    lowest_mwh: FloatArray
    highest_mwh: FloatArray
    extra_mwh: FloatArray


def whole_offers_mw(mw: FloatArray, step_mw: float = OFFER_STEP_MW) -> FloatArray:
    """MW rounded down to whole steps (a hair below a step counts as the step), never negative."""
    return np.asarray(np.maximum(np.floor(mw / step_mw + TOLERANCE), 0.0) * step_mw)


def rounded_energy_mw(
    net_mw: FloatArray, product: IntArray, battery: Battery, opening_mwh: float, limits: EnergyLimits
) -> FloatArray:
    """Planned net export (half-hours,), MW, in steps of 0.1 MW that keep the limits, constant within each product.

    product (half-hours,): the energy product (hour or half-hour) each half-hour belongs to; net_mw is constant in it.
    For each product in turn: of the steps beside the plan that keep the limits, the one that leads nearest to the
    planned state, so that rounding does not add up; else the nearest step that keeps them. Raises NoStepError when
    none within 1 MW does.
    """
    rounded = np.empty_like(net_mw)
    state, planned = opening_mwh, opening_mwh
    for one in dict.fromkeys(product.tolist()):
        at = np.flatnonzero(product == one)
        wanted, extra = float(net_mw[at[0]]), limits.extra_mwh[at]
        planned = _path(battery, planned, wanted, extra)[-1]
        paths: dict[float, list[float]] = {}
        for step in _candidates(wanted):
            if paths and abs(step - wanted) >= ENERGY_STEP_MW - TOLERANCE:
                break  # one beside the plan keeps the limits already
            path = _path(battery, state, step, extra)
            if _keeps(step, path, limits, at):
                paths[step] = path
        if not paths:
            raise NoStepError(
                f"no step of {ENERGY_STEP_MW:g} MW within 1 MW of {wanted:g} MW keeps power and state of energy in "
                f"half-hour {at[0]} of the plan: leave more room in it",
                int(at[-1]),
            )
        best = min(paths, key=lambda step: abs(paths[step][-1] - planned))
        rounded[at], state = best, paths[best][-1]
    return rounded


def _candidates(net_mw: float) -> list[float]:
    """Steps within 1 MW, the nearest first."""
    middle = int(np.rint(net_mw / ENERGY_STEP_MW))
    steps = [round((middle + n) * ENERGY_STEP_MW, 10) for n in range(-10, 11)]
    return sorted(steps, key=lambda step: (abs(step - net_mw), abs(step)))


def _path(battery: Battery, state_mwh: float, net_mw: float, extra_mwh: FloatArray) -> list[float]:
    hours = np.asarray(HALF_HOUR_H)
    change = float(stored_change_mwh(battery, np.maximum(-net_mw, 0.0), np.maximum(net_mw, 0.0), hours))
    states = []
    for extra in extra_mwh.tolist():
        state_mwh = float(after_standing_losses_mwh(battery, np.asarray(state_mwh), HALF_HOUR_H)) + change + extra
        states.append(state_mwh)
    return states


def _keeps(net_mw: float, states_mwh: list[float], limits: EnergyLimits, at: IntArray) -> bool:
    states = np.asarray(states_mwh)
    power = (net_mw <= limits.discharge_mw[at] + TOLERANCE) & (-net_mw <= limits.charge_mw[at] + TOLERANCE)
    energy = (states >= limits.lowest_mwh[at] - TOLERANCE) & (states <= limits.highest_mwh[at] + TOLERANCE)
    return bool((power & energy).all())
