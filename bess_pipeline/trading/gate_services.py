"""The services of a gate's problem: products, prices, caps, activation and energy requirement on its half-hours.

What belongs here: from settings, scenarios and past auctions to the arrays of `StochasticProblem`. What does not: the
rules themselves (`ancillary/`), energy markets and the whole problem (`gate_problem.py`).

Response is one value in an EFA block. Reserve is one in a half-hour: where a reserve product is on, every block of the
problem is a half-hour, and rows of the plan tie response through its EFA block.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.ancillary.activation_stream import (
    ASSUMED_BASIS,
    ActivationStream,
    assumed_activation,
    products_on,
    scenario_activation,
)
from bess_pipeline.ancillary.delivery_path import required_mwh_per_mw
from bess_pipeline.ancillary.exclusions import Exclusion, exclusions, offer_limits_mw
from bess_pipeline.ancillary.products import PRODUCT_TABLE, Product, table_of
from bess_pipeline.ancillary.rows import TOLERANCE
from bess_pipeline.ancillary.volume_cap import expected_cleared_mw, volume_cap_mw
from bess_pipeline.ancillary.windows import FloatArray, Horizon, IntArray
from bess_pipeline.ancillary_settings import AncillarySettings
from bess_pipeline.battery.limits import PowerLimits
from bess_pipeline.errors import UserInputError
from bess_pipeline.forecasting.streams import ACTIVATION, RESPONSE, slots_of
from bess_pipeline.optimisation.stochastic.problem import PlanRows, ResponseProduct
from bess_pipeline.scenarios.paths import ScenarioSet
from bess_pipeline.trading.gate_streams import path_on

NO_ACTIVATION = "none"
RESERVE_PRICE_NOTE = "the price of reserve is the mean of past auctions, the same in every scenario"


@dataclass(frozen=True, eq=False)
class Services:
    """K products over B blocks and T half-hours in N scenarios, as `StochasticProblem` takes them.

    block_of_period (T,); price_gbp_mw_h (N, K, B); cap_mw (K, B); activation_mwh_per_mw and required_mwh_per_mw
    (N, T, K); tied: whether blocks are half-hours, so that response must be tied through its EFA block; exclusions: of
    the codes on the horizon.
    """

    codes: tuple[str, ...]
    responses: tuple[ResponseProduct, ...]
    block_of_period: IntArray
    price_gbp_mw_h: FloatArray
    cap_mw: FloatArray
    activation_mwh_per_mw: FloatArray
    required_mwh_per_mw: FloatArray
    tied: bool
    exclusions: tuple[Exclusion, ...]
    activation_label: str


def services(
    scenarios: ScenarioSet,
    horizon: Horizon,
    auctions: pd.DataFrame,
    settings: AncillarySettings,
    limits: PowerLimits,
) -> tuple[Services | None, tuple[str, ...]]:
    """(the services of a horizon, None without any; a sentence for each product that is off).

    auctions: rows of `market/auction_clearing` that are known; limits: of the battery in each half-hour. Raises
    UserInputError for reserve where `absvd_applies` is off: its energy would be paid twice.
    """
    if settings.reserve_products and not settings.absvd_applies:
        raise UserInputError(
            "ancillary.reserve_products needs ancillary.absvd_applies: energy of reserve is paid at its own price, not "
            "at the system price"
        )
    asked, notes = products_on(settings)
    codes, off = _offered(asked, scenarios, horizon, settings)
    if not codes:
        return None, notes + off
    volume = volume_cap_mw(
        expected_cleared_mw(auctions, codes, horizon, settings.volume_cap_days), settings.volume_cap_share
    )
    unsold = tuple(code for code, most in zip(codes, volume, strict=True) if not most.any())
    off += _without_volume(unsold, horizon, settings)
    sold = [k for k, most in enumerate(volume) if most.any()]
    codes = tuple(codes[k] for k in sold)
    if not codes:
        return None, notes + off
    reserve = any(PRODUCT_TABLE[code].kind == "reserve" for code in codes)
    cap = _cap_mw(codes, horizon, volume[sold], limits, settings)
    found = _services(codes, cap, scenarios, horizon, auctions, settings)
    return found, notes + off + ((RESERVE_PRICE_NOTE,) if reserve else ())


def tied_blocks(given: Services, horizon: Horizon, products: int) -> PlanRows | None:
    """Rows that keep each response product constant through its EFA block; None where a block is one column anyway.

    products: day-ahead products, whose columns come first in the plan. The rows leave `TOLERANCE`, less than any rule
    sees: without it the plans that keep them have no inside, in which an interior point method could walk.
    """
    if not given.tied:
        return None
    begins = horizon.block_start[horizon.block]  # the first half-hour of each half-hour's EFA block
    later = np.flatnonzero(begins < np.arange(horizon.periods))
    response = [k for k, one in enumerate(table_of(given.codes)) if one.window == "efa_block"]
    first = products + np.array(response, dtype=np.int64)[:, None] * horizon.periods
    own, other = (first + later).ravel(), (first + begins[later]).ravel()
    matrix = np.zeros((2 * own.size, products + len(given.codes) * horizon.periods))
    for side, sign in ((0, 1.0), (1, -1.0)):
        row = side * own.size + np.arange(own.size)
        matrix[row, own], matrix[row, other] = sign, -sign
    names = tuple(f"constant_block_{side}[{n}]" for side in ("up", "down") for n in range(own.size))
    return PlanRows(matrix, np.full(2 * own.size, TOLERANCE), names)


def expected_reserve_price_gbp_mw_h(auctions: pd.DataFrame, code: str, horizon: Horizon, days: int) -> FloatArray:
    """Mean clearing price of a reserve product in the same half-hour on the London clock, (half-hours,).

    Over the last `days` EFA days before the horizon; 0 where nothing ever cleared, of which nothing is offered.
    """
    first = pd.Timestamp(horizon.efa_date[0]) - pd.Timedelta(days=days)
    known = auctions[(auctions["product"] == code) & (auctions["efa_date"] >= first.date())]
    slot = slots_of("half_hour", pd.DatetimeIndex(known["delivery_start_utc"]))
    mean = known["clearing_price_gbp_mw_h"].groupby(slot).mean()
    at = slots_of("half_hour", horizon.start_utc)
    return np.nan_to_num(mean.reindex(at).to_numpy(dtype="float64"), nan=0.0)


def _offered(
    asked: tuple[str, ...], scenarios: ScenarioSet, horizon: Horizon, settings: AncillarySettings
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Products that are auctioned on the day and have the scenarios they need, and why the others have not."""
    kept, notes = [], []
    for product in table_of(asked):
        reason = _reason_off(product, scenarios, horizon, settings)
        if reason is None:
            kept.append(product.code)
        else:
            notes.append(f"{product.code} is off: {reason}")
    return tuple(kept), tuple(notes)


def _reason_off(product: Product, scenarios: ScenarioSet, horizon: Horizon, settings: AncillarySettings) -> str | None:
    day: date = horizon.efa_date[0]
    if not product.auctioned_on(day):
        return f"it was not auctioned for EFA day {day} yet"
    if product.kind == "reserve":
        return None
    if path_on(scenarios, RESPONSE[product.code].name, horizon.start_utc) is None:
        return "there are no scenarios of its price"
    if settings.activation_basis == ASSUMED_BASIS:
        return None
    if path_on(scenarios, ACTIVATION[product.code].name, horizon.start_utc) is None:
        return f"there are no scenarios of its {settings.activation_basis} energy"
    return None


def _without_volume(codes: tuple[str, ...], horizon: Horizon, settings: AncillarySettings) -> tuple[str, ...]:
    if not settings.volume_cap_share:
        return ("response and reserve are off: ancillary.volume_cap_share is 0",) if codes else ()
    days, first = settings.volume_cap_days, horizon.efa_date[0]
    return tuple(f"{code} is off: nothing of it cleared in the {days} EFA days before {first}" for code in codes)


def _services(
    codes: tuple[str, ...],
    cap_mw: FloatArray,
    scenarios: ScenarioSet,
    horizon: Horizon,
    auctions: pd.DataFrame,
    settings: AncillarySettings,
) -> Services:
    table = table_of(codes)
    tied = any(one.kind == "reserve" for one in table)
    block = np.arange(horizon.periods) if tied else horizon.block
    begins = np.flatnonzero(np.diff(block, prepend=-1))
    stream = _activation(codes, scenarios, horizon, settings)
    count = scenarios.probability.size
    energy = np.broadcast_to(stream.energy_mwh_per_mw, (count, len(codes), horizon.periods))
    price = _prices(codes, scenarios, horizon, auctions, settings, energy)
    required = required_mwh_per_mw(codes, horizon, energy)
    beside = settings.balancing_reserve_beside_response
    return Services(
        codes=codes,
        responses=tuple(_response(one, horizon.efa_date[0]) for one in table),
        block_of_period=block,
        price_gbp_mw_h=price[:, :, begins],
        cap_mw=np.minimum.reduceat(cap_mw, begins, axis=1),
        activation_mwh_per_mw=np.moveaxis(energy, 1, 2),
        required_mwh_per_mw=np.moveaxis(required, 1, 2),
        tied=tied,
        exclusions=tuple(exclusions(codes, horizon, balancing_reserve_beside_response=beside)),
        activation_label=stream.label,
    )


def _response(product: Product, efa_date: date) -> ResponseProduct:
    share = product.recovery_share_on(efa_date)
    return ResponseProduct(product.code, product.direction, share, product.duration_h)


def _activation(
    codes: tuple[str, ...], scenarios: ScenarioSet, horizon: Horizon, settings: AncillarySettings
) -> ActivationStream:
    if settings.activation_basis == ASSUMED_BASIS:
        return assumed_activation(codes, horizon.periods, settings)
    names = {code: ACTIVATION[code].name for code in codes if code in ACTIVATION}
    paths = {code: path_on(scenarios, name, horizon.start_utc) for code, name in names.items()}
    held = {code: path for code, path in paths.items() if path is not None}
    return scenario_activation(held, codes, horizon.periods, settings)


def _prices(
    codes: tuple[str, ...],
    scenarios: ScenarioSet,
    horizon: Horizon,
    auctions: pd.DataFrame,
    settings: AncillarySettings,
    energy_mwh_per_mw: FloatArray,
) -> FloatArray:
    """Payment of a MW for an hour in each half-hour, (N, K, T): clearing price, and of reserve its energy as well."""
    price = np.empty(energy_mwh_per_mw.shape)
    utilisation = {str(key): value for key, value in settings.reserve_utilisation_price_gbp_mwh.items()}
    for k, one in enumerate(table_of(codes)):
        if one.kind == "reserve":
            sign = 1.0 if one.direction == "low" else -1.0  # received when exported, paid when imported
            called = sign * utilisation[one.code] * energy_mwh_per_mw[:, k] / gb_time.HALF_HOUR_H
            days = settings.volume_cap_days
            price[:, k] = expected_reserve_price_gbp_mw_h(auctions, one.code, horizon, days) + called
        else:
            path = path_on(scenarios, RESPONSE[one.code].name, horizon.start_utc)
            assert path is not None  # `_offered` keeps no other
            price[:, k] = path
    return price


def _cap_mw(
    codes: tuple[str, ...],
    horizon: Horizon,
    volume_mw: FloatArray,
    limits: PowerLimits,
    settings: AncillarySettings,
) -> FloatArray:
    """Most MW in each half-hour, (K, T): of a sell order, of the volume, and of the battery.

    With `baseline_adds_headroom` a unit may swing from full charge to full discharge.
    """
    swing = limits.charge_mw + limits.discharge_mw
    own = {"low": limits.discharge_mw, "high": limits.charge_mw}
    rating = [swing if settings.baseline_adds_headroom else own[one.direction] for one in table_of(codes)]
    return np.minimum.reduce([offer_limits_mw(codes, horizon), volume_mw, np.stack(rating)])
