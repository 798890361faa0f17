"""How much energy a contract must hold while it is being delivered.

What belongs here: the requirement from half-hour to half-hour, per direction and per contracted MW. What does not: the
band of a battery that follows from it (`energy_band.py`) and the energy delivered (`activation_stream.py`).

Rule (Response Service Terms 6.11 through domain reference 5.2). Within one EFA block, with the response energy volume
V, energy delivered d_t >= 0 and D_t the sum of it before half-hour t,

    requirement_t = V - D_t + A_t,      A_(t+1) = A_t + min(20 % V, max(0, shortfall_(t-3) - adjustments since))

The shortfall of three periods earlier less the adjustments since is D_(t-3) - A_t, because both sides hold the
adjustments before t-3. Nothing is carried from one block into the next: each starts at its V.

With one product in a direction every term is proportional to its MW, so the path per contracted MW is exact. With
several the cap of 20 % of their sum is no sum of their own caps. The cap can only delay the rise (A_(t+1) <= D_(t-3)),
so without it the path is never lower than the rule's, is the same where no product delivers more than 20 % of its
volume in a half-hour, and is linear in the MW: that is used then.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bess_pipeline.ancillary.products import RECOVERY_PER_PERIOD, table_of
from bess_pipeline.ancillary.rows import FloatArray
from bess_pipeline.ancillary.windows import Horizon, IntArray

LAG = 3  # settlement periods between the assessment of a shortfall and its adjustment


def after_delivery_path(volume_mwh: ArrayLike, delivered_mwh: ArrayLike, block: IntArray) -> FloatArray:
    """Energy required at the start of each half-hour, MWh, in the shape of `delivered_mwh` (..., half-hours).

    volume_mwh: response energy volume, of a shape that fits, constant within a block; delivered_mwh: AC energy
    delivered in the contract's direction in each half-hour, >= 0; block (half-hours,): the block of each. May fall
    below 0 where more than the volume was delivered: nothing is required then.
    """
    delivered = np.asarray(delivered_mwh, dtype=float)
    volume = np.broadcast_to(np.asarray(volume_mwh, dtype=float), delivered.shape)
    required = np.empty_like(delivered)
    total = np.zeros((*delivered.shape[:-1], delivered.shape[-1] + 1))  # D before each half-hour
    adjusted, first = np.zeros(delivered.shape[:-1]), 0
    for t in range(delivered.shape[-1]):
        if t == 0 or block[t] != block[t - 1]:
            first, adjusted = t, np.zeros(delivered.shape[:-1])
            total[..., t] = 0.0
        required[..., t] = volume[..., t] - total[..., t] + adjusted
        total[..., t + 1] = total[..., t] + delivered[..., t]
        if t - LAG >= first:
            owed = np.maximum(total[..., t - LAG] - adjusted, 0.0)
            adjusted = adjusted + np.minimum(RECOVERY_PER_PERIOD * volume[..., t], owed)
    return required


def uncapped_path(volume_mwh: ArrayLike, delivered_mwh: ArrayLike, block: IntArray) -> FloatArray:
    """As `after_delivery_path`, without the cap of 20 % a period: never lower, and linear in volume and delivery."""
    delivered = np.asarray(delivered_mwh, dtype=float)
    required = np.array(np.broadcast_to(np.asarray(volume_mwh, dtype=float), delivered.shape))
    for back in range(1, LAG + 2):  # what was delivered in the last four half-hours of the same block
        same = block[back:] == block[:-back]
        required[..., back:] -= np.where(same, delivered[..., :-back], 0.0)
    return required


def required_mwh_per_mw(
    products: tuple[str, ...], horizon: Horizon, energy_mwh_per_mw: FloatArray | None = None
) -> FloatArray:
    """Energy that a contracted MW of each product requires at the start of each half-hour, MWh.

    energy_mwh_per_mw (..., products, half-hours): energy that activation moves per contracted MW; None: nothing is
    delivered. Reserve needs its energy at the start of every window.
    """
    table = table_of(products)
    duration = np.array([product.duration_h for product in table])[:, None]
    still = np.broadcast_to(duration, (len(table), horizon.periods)).copy()
    if energy_mwh_per_mw is None:
        return still
    required = np.array(np.broadcast_to(still, energy_mwh_per_mw.shape))
    response = [one.direction if one.kind == "response" else "" for one in table]
    for k, direction in enumerate(response):
        if direction:
            path = after_delivery_path if response.count(direction) == 1 else uncapped_path
            required[..., k, :] = path(table[k].duration_h, energy_mwh_per_mw[..., k, :], horizon.block)
    return np.maximum(required, 0.0)
