"""What activation does: to the stored energy, to cycles and wear, and to cash.

What belongs here: flows of contracts under an activation stream and their effects, for many scenarios at once. What
does not: the stream (`activation_stream.py`), the requirement that delivery lowers (`delivery_path.py`) and what a
battery delivers when it cannot deliver all (`trading/dispatch.py`).

Rules:
* energy leaves the store at 1/discharge efficiency and enters it at the charge efficiency, beside the baseline: low and
  high delivery of one half-hour do not net (they happen in different seconds), nor is a baseline netted, which never
  makes the store look fuller than it is;
* it counts in cycles and wear as any other energy (design.md 8);
* response energy is unpaid as energy. Where ABSVD applies (Service Terms 16, a BM unit) it is outside imbalance,
  neither bought nor sold; otherwise it meets the system price as imbalance. Reserve is called for by acceptances:
  outside imbalance, at its own price (domain reference 5.2, 5.3, 6).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bess_pipeline.ancillary.products import DIRECTIONS, Direction, table_of
from bess_pipeline.ancillary.rows import FloatArray
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.battery.physics import after_standing_losses_mwh, stored_change_mwh
from bess_pipeline.gb_time import HALF_HOUR_H


@dataclass(frozen=True)
class Flows:
    """AC energy that activation exports and imports per half-hour, MWh >= 0, (..., half-hours)."""

    response_export_mwh: FloatArray
    response_import_mwh: FloatArray
    reserve_export_mwh: FloatArray
    reserve_import_mwh: FloatArray

    @property
    def export_mwh(self) -> FloatArray:
        """Exported by both, MWh."""
        return self.response_export_mwh + self.reserve_export_mwh

    @property
    def import_mwh(self) -> FloatArray:
        """Imported by both, MWh."""
        return self.response_import_mwh + self.reserve_import_mwh

    @property
    def response_net_mwh(self) -> FloatArray:
        """Exported less imported by response, MWh."""
        return self.response_export_mwh - self.response_import_mwh

    @property
    def reserve_net_mwh(self) -> FloatArray:
        """Exported less imported by reserve, MWh."""
        return self.reserve_export_mwh - self.reserve_import_mwh


def flows_of(products: tuple[str, ...], mw: FloatArray, energy_mwh_per_mw: FloatArray) -> Flows:
    """Flows of MW (products, half-hours) under energy per MW (..., products, half-hours)."""
    table = table_of(products)

    def total(kind: str, direction: Direction) -> FloatArray:
        chosen = [k for k, one in enumerate(table) if one.kind == kind and one.direction == direction]
        return np.asarray(np.einsum("kt,...kt->...t", mw[chosen], energy_mwh_per_mw[..., chosen, :]))

    low, high = DIRECTIONS
    return Flows(total("response", low), total("response", high), total("reserve", low), total("reserve", high))


def stored_change_mwh_per_mw(products: tuple[str, ...], battery: Battery, energy_mwh_per_mw: FloatArray) -> FloatArray:
    """Change of stored energy per contracted MW, MWh, (..., products, half-hours): for an energy balance."""
    factor = [
        -1.0 / battery.discharge_efficiency if one.direction == "low" else battery.charge_efficiency
        for one in table_of(products)
    ]
    return np.asarray(np.array(factor)[:, None] * energy_mwh_per_mw)


def energy_path_mwh(
    battery: Battery, opening_mwh: FloatArray | float, charge_mw: FloatArray, discharge_mw: FloatArray, flows: Flows
) -> FloatArray:
    """Stored energy at the end of each half-hour, MWh, (..., half-hours), standing losses included and nothing clipped.

    Baseline powers (..., half-hours) AC; what leaves the battery's limits is left to the caller to see.
    """
    export_mw, import_mw = flows.export_mwh / HALF_HOUR_H, flows.import_mwh / HALF_HOUR_H
    hours = np.asarray(HALF_HOUR_H)
    change = stored_change_mwh(battery, charge_mw + import_mw, discharge_mw + export_mw, hours)
    path = np.empty_like(change)
    state = np.broadcast_to(np.asarray(opening_mwh, dtype=float), change.shape[:-1])
    for t in range(change.shape[-1]):
        state = after_standing_losses_mwh(battery, state, HALF_HOUR_H) + change[..., t]
        path[..., t] = state
    return path


def at_start_mwh(opening_mwh: FloatArray | float, energy_mwh: FloatArray) -> FloatArray:
    """Stored energy at the start of each half-hour from the opening state and the states at their ends, MWh."""
    opening = np.broadcast_to(np.asarray(opening_mwh, dtype=float), energy_mwh.shape[:-1])
    return np.concatenate([opening[..., None], energy_mwh[..., :-1]], axis=-1)


def cycles(battery: Battery, flows: Flows) -> FloatArray:
    """Cycles that activation adds to those of the baseline: exported over usable energy, summed over half-hours."""
    return np.asarray(flows.export_mwh.sum(axis=-1) / battery.usable_energy_mwh)


def wear_gbp(battery: Battery, flows: Flows) -> FloatArray:
    """Wear that activation adds per half-hour, GBP: a cost, not cash."""
    return np.asarray((flows.export_mwh + flows.import_mwh) * battery.degradation_cost_gbp_per_mwh)


def adjusted_mwh(flows: Flows, absvd_applies: bool) -> FloatArray:
    """What settlement takes out of imbalance per half-hour, MWh: reserve always, response where ABSVD applies.

    imbalance = metered - contracted - this, the metered volume holding all activation.
    """
    return flows.reserve_net_mwh + (flows.response_net_mwh if absvd_applies else 0.0)


def response_energy_cash_gbp(flows: Flows, system_price_gbp_mwh: FloatArray, absvd_applies: bool) -> FloatArray:
    """Cash of response energy per half-hour, GBP: nothing where ABSVD applies, else the system price."""
    if absvd_applies:
        return np.zeros(np.broadcast_shapes(flows.response_net_mwh.shape, np.shape(system_price_gbp_mwh)))
    return np.asarray(flows.response_net_mwh * system_price_gbp_mwh)


def reserve_energy_cash_gbp(
    products: tuple[str, ...], mw: FloatArray, energy_mwh_per_mw: FloatArray, price_gbp_mwh: Mapping[str, float]
) -> FloatArray:
    """Cash of reserve called for, GBP, (..., half-hours): its price received when exporting, paid when importing."""
    cash = np.zeros_like(energy_mwh_per_mw[..., 0, :])
    for k, one in enumerate(table_of(products)):
        if one.kind == "reserve":
            sign = 1.0 if one.direction == "low" else -1.0
            cash = cash + sign * price_gbp_mwh[one.code] * mw[k] * energy_mwh_per_mw[..., k, :]
    return cash
