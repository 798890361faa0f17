"""The energy that one contracted MW moves in each half-hour, product by product, and where that is from.

What belongs here: the activation stream of a horizon: measured or simulated (stored rows or scenarios) or assumed from
published throughput, and its sensitivity. What does not: energy from frequency (`activation.py`), scenarios of it
(`scenarios/`) and what the energy does to a battery (`activation_effects.py`).

Sources: domain reference 5.4. For DM no throughput was found: assumed, it is off unless the setting gives one. Reserve
is called for with the probability of the setting (no figure is published), 30 minutes of its MW each time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.ancillary.products import PRODUCT_TABLE, table_of
from bess_pipeline.ancillary.rows import FloatArray
from bess_pipeline.ancillary_settings import AncillarySettings
from bess_pipeline.errors import UserInputError

SENSITIVITIES = (0.0, 1.0, 2.0)
MOST_MWH_PER_MW = gb_time.HALF_HOUR_H  # full delivery through a half-hour
ASSUMED_BASIS = "assumed"
_HALF_HOURS_A_DAY = 48


@dataclass(frozen=True)
class ActivationStream:
    """Energy per contracted MW of each product and half-hour, MWh, a magnitude; the product gives the direction.

    energy_mwh_per_mw (scenarios, products, half-hours); basis: measured, simulated or assumed, per product;
    multiplier: the sensitivity that is already in the energy.
    """

    products: tuple[str, ...]
    basis: tuple[str, ...]
    energy_mwh_per_mw: FloatArray
    multiplier: float = 1.0

    @property
    def label(self) -> str:
        """For tables, figures and reports: each basis with its products, and the multiplier where it is not 1."""
        by_basis = {one: [p for p, b in zip(self.products, self.basis, strict=True) if b == one] for one in self.basis}
        text = "; ".join(f"{basis}: {', '.join(codes)}" for basis, codes in by_basis.items())
        return f"{text} (x {self.multiplier:g})" if self.multiplier != 1.0 else text


def products_on(settings: AncillarySettings) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(products that may be offered under the settings, a sentence for each one asked for that is off)."""
    if settings.activation_basis != ASSUMED_BASIS:
        return (*settings.response_products, *settings.reserve_products), ()
    off = [code for code in settings.response_products if _throughput(code, settings) is None]
    kept = tuple(code for code in settings.response_products if code not in off)
    notes = tuple(
        f"{code} is off: no throughput is published for it, give ancillary.assumed_throughput_mwh_per_mw_day"
        for code in off
    )
    return (*kept, *settings.reserve_products), notes


def assumed_activation(products: tuple[str, ...], periods: int, settings: AncillarySettings) -> ActivationStream:
    """One scenario: each product moves its throughput evenly over the day, times the multiplier of the settings.

    Raises UserInputError for a product without a figure.
    """
    rate = [_assumed_mwh_per_mw(code, settings) for code in products]
    energy = np.repeat(np.array(rate)[None, :, None], periods, axis=2)
    return scaled(ActivationStream(products, (ASSUMED_BASIS,) * len(products), energy), settings.activation_multiplier)


def scenario_activation(
    paths: Mapping[str, FloatArray], products: tuple[str, ...], periods: int, settings: AncillarySettings
) -> ActivationStream:
    """Scenario paths of response products, each (scenarios, half-hours), with reserve, times the multiplier.

    The paths are of the basis of the settings. Raises UserInputError for a response product without paths.
    """
    missing = [code for code in products if PRODUCT_TABLE[code].kind == "response" and code not in paths]
    if missing:
        raise UserInputError(
            f"there are no scenarios of activation for {', '.join(missing)}: switch off these products"
        )
    count = max((len(path) for path in paths.values()), default=1)
    energy = np.empty((count, len(products), periods))
    for k, code in enumerate(products):
        energy[:, k] = paths[code] if code in paths else _assumed_mwh_per_mw(code, settings)
    basis = tuple(settings.activation_basis if code in paths else ASSUMED_BASIS for code in products)
    return scaled(ActivationStream(products, basis, energy), settings.activation_multiplier)


def stored_activation(
    rows: pd.DataFrame, products: tuple[str, ...], start_utc: pd.DatetimeIndex, settings: AncillarySettings
) -> ActivationStream:
    """What `market/response_energy` says of these half-hours, as one scenario, times the multiplier.

    Raises UserInputError where a half-hour is not there (nothing is filled) or where its basis is not the settings'.
    """
    response = tuple(code for code in products if PRODUCT_TABLE[code].kind == "response")
    wide = _wide(rows, response, start_utc, settings.activation_basis)
    paths = {code: wide[code].to_numpy(dtype="float64")[None, :] for code in response}
    return scenario_activation(paths, products, len(start_utc), settings)


def scaled(stream: ActivationStream, multiplier: float) -> ActivationStream:
    """The stream times a further multiplier; no half-hour moves more than full delivery."""
    energy = np.minimum(stream.energy_mwh_per_mw * multiplier, MOST_MWH_PER_MW)
    return replace(stream, energy_mwh_per_mw=energy, multiplier=stream.multiplier * multiplier)


def _wide(rows: pd.DataFrame, products: tuple[str, ...], start_utc: pd.DatetimeIndex, basis: str) -> pd.DataFrame:
    used = rows[rows["product"].isin(products) & rows["start_utc"].isin(start_utc)]
    other = sorted(set(used["basis"]) - {basis})
    if other:
        raise UserInputError(
            f"activation is {' and '.join(other)}, not {basis}: set ancillary.activation_basis to that"
        )
    wide = used.pivot(index="start_utc", columns="product", values="energy_mwh_per_mw")
    wide = wide.reindex(index=start_utc, columns=list(products))
    missing = wide.isna()
    if missing.to_numpy().any():
        code = str(missing.columns[missing.any()][0])
        day, period = gb_time.settlement_period_of(start_utc[missing[code].to_numpy()][0].to_pydatetime())
        count = int(missing[code].sum())
        raise UserInputError(
            f"no {basis} activation of {code} for {count} of {len(start_utc)} half-hours, the first in settlement date "
            f"{day} period {period}: fetch the frequency of that month, or assume activation"
        )
    return wide


def _throughput(code: str, settings: AncillarySettings) -> float | None:
    given = {str(key): value for key, value in settings.assumed_throughput_mwh_per_mw_day.items()}
    return given.get(code, PRODUCT_TABLE[code].assumed_throughput_mwh_per_mw_day)


def _assumed_mwh_per_mw(code: str, settings: AncillarySettings) -> float:
    (product,) = table_of((code,))
    if product.kind == "reserve":
        probability = {str(key): value for key, value in settings.reserve_utilisation_probability.items()}.get(code)
        if probability is None:
            raise UserInputError(f"{code} has no ancillary.reserve_utilisation_probability: give one or switch it off")
        return probability * product.duration_h
    throughput = _throughput(code, settings)
    if throughput is None:
        raise UserInputError(f"{code} has no published throughput: give ancillary.assumed_throughput_mwh_per_mw_day")
    return throughput / _HALF_HOURS_A_DAY
