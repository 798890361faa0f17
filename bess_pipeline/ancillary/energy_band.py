"""The band that a battery's state of energy must lie in at the start of each half-hour under contracts.

What belongs here: response energy volume, recovery, the band as a check and as linear rows. What does not: how the
requirement moves while energy is delivered (`delivery_path.py`), power (`rating.py`) and lost payments (`payments.py`).

Rules (domain reference 5.2), s the stored energy at the start of the half-hour, all contracts at the grid (AC):

    required of low products   <= discharge efficiency x (s - lowest state)
    required of high products  <= (highest state - s) / charge efficiency
    volume low + volume high   <= usable energy

A MW's volume is its duration at full delivery; 20 % of it must be recoverable in each settlement period, which
takes the rating that `rating.py` reserves.
"""

from __future__ import annotations

import numpy as np

from bess_pipeline.ancillary.delivery_path import after_delivery_path, required_mwh_per_mw
from bess_pipeline.ancillary.products import DIRECTIONS, Direction, table_of
from bess_pipeline.ancillary.rows import Breach, FloatArray, LinearRows, breaches
from bess_pipeline.ancillary.windows import Horizon
from bess_pipeline.battery.parameters import Battery

ROW_NAMES = ("energy to discharge", "room to charge", "usable energy")


def energy_volume_mwh(products: tuple[str, ...], mw: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Response energy volume of the low and of the high contracts, MWh: MW (products, ...) x duration, summed."""
    low, high = (
        sum((mw[k] * one.duration_h for k, one in enumerate(table_of(products)) if one.direction == direction), 0.0)
        for direction in DIRECTIONS
    )
    return np.asarray(low, dtype=float), np.asarray(high, dtype=float)


def recovery_mwh(products: tuple[str, ...], mw: FloatArray, direction: Direction) -> FloatArray:
    """Energy that the contracts of one direction must be able to recover in a settlement period, MWh."""
    table = table_of(products)
    parts = [mw[k] * one.recovery_mwh_per_mw() for k, one in enumerate(table) if one.direction == direction]
    return np.asarray(sum(parts, np.zeros(np.shape(mw)[1:])))


def exportable_mwh(battery: Battery, energy_mwh: FloatArray) -> FloatArray:
    """AC energy that a stored energy can still give, MWh."""
    return np.asarray(battery.discharge_efficiency * (energy_mwh - battery.energy_min_mwh))


def room_mwh(battery: Battery, energy_mwh: FloatArray) -> FloatArray:
    """AC energy that a stored energy can still take, MWh."""
    return np.asarray((battery.energy_max_mwh - energy_mwh) / battery.charge_efficiency)


def required_by_direction(
    products: tuple[str, ...], horizon: Horizon, mw: FloatArray, energy_mwh_per_mw: FloatArray | None = None
) -> FloatArray:
    """What low and high contracts require at the start of each half-hour, MWh, (..., 2, half-hours): the rule itself.

    mw (products, half-hours), constant within a block for response; energy_mwh_per_mw (..., products, half-hours):
    activation, None for none. The contracts of one direction are one volume with one cap on its recovery.
    """
    table = table_of(products)
    energy = np.zeros_like(mw) if energy_mwh_per_mw is None else energy_mwh_per_mw
    sides = []
    for direction in DIRECTIONS:
        response = [k for k, one in enumerate(table) if one.direction == direction and one.kind == "response"]
        reserve = [k for k, one in enumerate(table) if one.direction == direction and one.kind == "reserve"]
        volume = sum((mw[k] * table[k].duration_h for k in response), np.zeros(horizon.periods))
        delivered = sum((mw[k] * energy[..., k, :] for k in response), np.zeros_like(energy[..., 0, :]))
        held = sum((mw[k] * table[k].duration_h for k in reserve), np.zeros(horizon.periods))
        sides.append(np.maximum(after_delivery_path(volume, delivered, horizon.block), 0.0) + held)
    return np.stack(sides, axis=-2)


def band_mwh(battery: Battery, required_mwh: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Lowest and highest stored energy that meet requirements (..., 2, half-hours), MWh."""
    lowest = battery.energy_min_mwh + required_mwh[..., 0, :] / battery.discharge_efficiency
    return lowest, battery.energy_max_mwh - required_mwh[..., 1, :] * battery.charge_efficiency


def band_rows(
    products: tuple[str, ...], horizon: Horizon, battery: Battery, energy_mwh_per_mw: FloatArray | None = None
) -> LinearRows:
    """Rows over [MW of each product, stored energy at the start of the half-hour], after activation."""
    table = table_of(products)
    required = np.moveaxis(required_mwh_per_mw(products, horizon, energy_mwh_per_mw), -2, -1)
    coefficient = np.zeros((*required.shape[:-1], len(ROW_NAMES), len(table) + 1))
    for row, direction in enumerate(DIRECTIONS):
        own = [one.direction == direction for one in table]
        coefficient[..., row, :-1] = np.where(own, required, 0.0)
    coefficient[..., 2, :-1] = [one.duration_h for one in table]
    coefficient[..., 0, -1] = -battery.discharge_efficiency
    coefficient[..., 1, -1] = 1.0 / battery.charge_efficiency
    limit = np.empty((horizon.periods, len(ROW_NAMES)))
    limit[:, 0] = -battery.discharge_efficiency * battery.energy_min_mwh
    limit[:, 1] = battery.energy_max_mwh / battery.charge_efficiency
    limit[:, 2] = battery.usable_energy_mwh
    return LinearRows(ROW_NAMES, (*products, "energy_mwh"), coefficient, limit)


def band_shortfall_mwh(battery: Battery, required_mwh: FloatArray, energy_at_start_mwh: FloatArray) -> FloatArray:
    """AC energy missing at the start of each half-hour, MWh, (..., 2, half-hours): low, then high; <= 0 is met."""
    held = (exportable_mwh(battery, energy_at_start_mwh), room_mwh(battery, energy_at_start_mwh))
    return required_mwh - np.stack(held, axis=-2)


def band_breaches(
    products: tuple[str, ...],
    horizon: Horizon,
    battery: Battery,
    mw: FloatArray,
    energy_at_start_mwh: FloatArray,
    energy_mwh_per_mw: FloatArray | None = None,
) -> list[Breach]:
    """Half-hours of one plan or scenario that start outside the band, or hold more volume than the battery has energy.

    mw (products, half-hours), energy_at_start_mwh (half-hours,), energy_mwh_per_mw (products, half-hours) or None.
    """
    required = required_by_direction(products, horizon, mw, energy_mwh_per_mw)
    missing = band_shortfall_mwh(battery, required, energy_at_start_mwh)
    reasons = (
        "the stored energy at the start is below what low contracts require",
        "the room at the start is below what high contracts require",
    )
    found = [one for row in (0, 1) for one in breaches(ROW_NAMES[row], "MWh", missing[row], reasons[row])]
    low, high = energy_volume_mwh(products, mw)
    too_much = "low and high response energy volumes together exceed the usable energy"
    return found + breaches(ROW_NAMES[2], "MWh", low + high - battery.usable_energy_mwh, too_much)
