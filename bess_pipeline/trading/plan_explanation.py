"""Why a plan holds what it holds: a row and a sentence for every offer, and limit prices.

What belongs here: `trading/plan_explanation` rows without their strategy, and the limit price of each offer. What does
not: the values themselves (`optimisation/stochastic/marginal_values.py` and `binding_limits.py`), orders with their
clearing, what is said where a plan counts on cash-out (`conduct.py`), and how a plan is shown in a terminal
(`plan_text.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from bess_pipeline import gb_time
from bess_pipeline.ancillary.products import PRODUCT_TABLE
from bess_pipeline.optimisation.problem import FloatArray, IntArray
from bess_pipeline.optimisation.stochastic.binding_limits import (
    CONTRACT_ROW,
    GIVEN,
    BindingLimit,
    binding_limits,
    joined,
)
from bess_pipeline.optimisation.stochastic.marginal_values import (
    TO_THE_PENNY,
    MarginalValues,
    marginal_values,
)
from bess_pipeline.optimisation.stochastic.price_following import at_its_price
from bess_pipeline.optimisation.stochastic.programme import Programme, compile_programme
from bess_pipeline.optimisation.stochastic.result import TwoStageSolution
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion
from bess_pipeline.trading.gate_problem import GateProblem

OFFERED_MW = 0.01  # a volume below this is a solver's rounding
DAY_AHEAD_PRICE_BOUNDS = (-500.0, 3000.0)  # GBP/MWh, auction limits (domain reference 3.1)
RESPONSE_PRICE_BOUNDS = (-999.99, 999.99)  # GBP/MW/h, auction limits (domain reference 4.3)
PENNIES = 100.0  # prices are multiples of 0.01 (domain reference 4.4)
ROUNDING = 1e-6  # of a penny: a value this close to one is that penny
MOST_PARTS, MOST_LIMITS = 3, 3  # of a sentence; the other columns have them all
COLUMNS = (
    "market",
    "product",
    "start_utc",
    "committed_mw",
    "expected_price",
    "displaced_value",
    "margin",
    "displaces",
    "binding",
    "why",
)


@dataclass(frozen=True)
class Explained:
    """One offer: its place, volume (MW; day-ahead below 0: bought) and values in the unit of its price.

    stored: what a MWh sold (bought) by it is worth in the store, at the meter; parts: displaced value by kind; given:
    contracted at an earlier gate.
    """

    market: str
    product: str
    start_utc: pd.Timestamp
    mw: float
    expected: float
    weighed: float
    displaced: float
    stored: float
    parts: dict[str, float]
    limits: tuple[BindingLimit, ...]
    given: bool

    @property
    def unit(self) -> str:
        return "GBP/MWh" if self.market == "day_ahead" else "GBP/MW/h"


def explain(given: GateProblem, solution: TwoStageSolution, risk: RiskAversion) -> pd.DataFrame:
    """One row for each volume of the trading day that the plan holds, and each service it leaves at a price above 0.

    Columns `COLUMNS`. committed_mw: of the plan before rounding, 0 where a service is not offered. expected_price:
    plain expectation over the scenarios (of reserve with what its energy pays); displaced_value: what one more MW sold
    takes away elsewhere; margin: price as the plan weighs risk - displaced value. Day-ahead in GBP/MWh, services in
    GBP/MW/h.
    """
    values = marginal_values(compile_programme(given.problem), solution, risk)
    rows = [_row(one) for one in offers(given, values) if _is_told(one)]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    frame["start_utc"] = pd.to_datetime(frame["start_utc"], utc=True).dt.as_unit("us")
    return frame.sort_values(["start_utc", "market", "product"], ignore_index=True)


def limit_prices(
    values: MarginalValues,
    energy_payment_gbp_mw_h: FloatArray | float = 0.0,
    whole_offers: FloatArray | None = None,
    *,
    at_that_price: bool = False,
) -> tuple[FloatArray, FloatArray]:
    """The limit price of each offer: the value it displaces, (P,) GBP/MWh and (R, B) GBP/MW/h.

    To the penny, so that an offer is never refused at the value itself: down for what is sold (and what is not
    traded), up for what is bought; within the limits of the auctions. Half-hours of one offer share one price.

    energy_payment_gbp_mw_h (R, B): what reserve earns beside its clearing price; the limit is lower by it.
    whole_offers (C,): what each offer displaces as a whole (`withdrawn_values`), for volumes that are accepted whole
    or not at all; None, and NaN where nothing is offered: what the last MW displaces. The last MW of a volume between
    its bounds displaces exactly its weighed price, so that limit refuses all of a volume at any price below it. A whole
    sale displaces at most, a whole purchase at least, what its last MW does: found on some scenarios, its value is kept
    on that side.
    at_that_price: energy at the value that it displaces at the limit itself (`at_its_price`), not on average.
    """
    displaced = values.displaced
    if whole_offers is not None:
        bought_whole = values.mw < -OFFERED_MW
        kept = np.where(bought_whole, np.maximum(whole_offers, displaced), np.minimum(whole_offers, displaced))
        displaced = np.where(np.isnan(whole_offers), displaced, kept)
    if at_that_price:
        displaced = at_its_price(values, displaced)
    group = offer_groups(values.programme)
    share = np.bincount(group, weights=values.weight)
    pooled = (np.bincount(group, weights=values.weight * displaced) / share)[group]
    day_ahead, response = values.split(pooled)
    bought = values.split(values.mw)[0] < -OFFERED_MW
    down, up = np.floor(day_ahead * PENNIES + ROUNDING), np.ceil(day_ahead * PENNIES - ROUNDING)
    capacity = np.floor((response - energy_payment_gbp_mw_h) * PENNIES + ROUNDING) / PENNIES
    return (
        np.clip(np.where(bought, up, down) / PENNIES, *DAY_AHEAD_PRICE_BOUNDS),
        np.clip(capacity, *RESPONSE_PRICE_BOUNDS),
    )


def offer_groups(programme: Programme) -> IntArray:
    """The offer each column of the plan belongs to, (C,): its own, or that of the half-hours tied to it."""
    columns = len(programme.plan.names)
    rows = [r for r, name in enumerate(programme.plan.row_names) if name.startswith(CONTRACT_ROW)]
    pairs = np.array([np.flatnonzero(programme.plan.matrix[r]) for r in rows], dtype=np.int64).reshape(-1, 2)
    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(columns, columns))
    return np.asarray(connected_components(links, directed=False)[1], dtype=np.int64)


def offers(given: GateProblem, values: MarginalValues) -> Iterator[Explained]:
    """Every offer of the trading day, traded or not."""
    first, end = (pd.Timestamp(one) for one in gb_time.efa_day_bounds_utc(given.efa_date))
    limits, group = binding_limits(values), offer_groups(values.programme)
    blocks = len(given.block_start_utc)
    starts = [*given.day_ahead_start_utc, *(list(given.block_start_utc) * len(given.codes))]
    for one in dict.fromkeys(group.tolist()):
        columns = np.flatnonzero(group == one)
        k = int(columns[0])
        if not first <= starts[k] < end:
            continue
        within = columns[[starts[c] < end for c in columns]]
        code = None if k < values.programme.problem.products else given.codes[(k - given.problem.products) // blocks]
        yield _explained(values, within, code, starts[k], joined([limits[c] for c in within]))


def _explained(
    values: MarginalValues, columns: IntArray, code: str | None, start: pd.Timestamp, limits: tuple[BindingLimit, ...]
) -> Explained:
    weight = values.weight[columns] / values.weight[columns].sum()
    k, battery = int(columns[0]), values.programme.problem.battery
    mw = float(values.mw[columns].mean())
    stored = 0.0
    if code is None:
        product, market = ("hour" if values.hours[k] > gb_time.HALF_HOUR_H else "half_hour"), "day_ahead"
        at = np.flatnonzero(values.programme.problem.product_index == k)
        per_mwh = battery.charge_efficiency if mw < 0 else 1.0 / battery.discharge_efficiency
        stored = float(values.stored_gbp_mwh[at].mean()) * per_mwh
    else:
        product, market = code, PRODUCT_TABLE[code].kind
    return Explained(
        market=market,
        product=product,
        start_utc=start,
        mw=mw,
        expected=float(weight @ values.expected_price[columns]),
        weighed=float(weight @ values.weighed_price[columns]),
        displaced=float(weight @ values.displaced[columns]),
        stored=stored,
        parts={kind: float(weight @ worth[columns]) for kind, worth in values.by_kind.items()},
        limits=limits,
        given=any(one.name == GIVEN for one in limits),
    )


def _is_told(one: Explained) -> bool:
    """Volumes that are held, and services that are left although they are expected to pay."""
    return abs(one.mw) > OFFERED_MW or (one.market != "day_ahead" and one.expected > TO_THE_PENNY)


def _row(one: Explained) -> dict[str, object]:
    held = abs(one.mw) > OFFERED_MW
    return {
        "market": one.market,
        "product": one.product,
        "start_utc": one.start_utc,
        "committed_mw": one.mw if held else 0.0,
        "expected_price": one.expected,
        "displaced_value": one.displaced,
        "margin": one.weighed - one.displaced,
        "displaces": _displaces(one),
        "binding": ", ".join(limit.text for limit in one.limits),
        "why": _why_held(one) if held else _why_left(one),
    }


def _displaces(one: Explained, most: int | None = None) -> str:
    """The parts of the displaced value, the largest first, not more than `most` of them."""
    parts = sorted(one.parts.items(), key=lambda part: -abs(part[1]))
    told = [f"{kind} {worth:.2f}" for kind, worth in parts if abs(worth) >= TO_THE_PENNY / 2]
    if most is not None and len(told) > most:
        told = [*told[:most], "..."]
    return ", ".join(told) if told else "nothing"


def _price(one: Explained) -> str:
    risk = "" if abs(one.weighed - one.expected) < TO_THE_PENNY else f" ({one.weighed:.2f} as risk weighs it)"
    return f"{one.expected:.2f} {one.unit}{risk}"


def _why_held(one: Explained) -> str:
    """E.g. "sells 41.2 MW at an expected 92.10 GBP/MWh; the energy is worth 71.30 in storage; limited by ..."."""
    if one.market == "day_ahead":
        verb = ("has sold" if one.mw > 0 else "has bought") if one.given else ("sells" if one.mw > 0 else "buys")
        worth = f"the energy is worth {one.stored:.2f} in storage; "
        what = f"{verb} {abs(one.mw):.1f} MW"
    else:
        worth, what = "", f"{'has contracted' if one.given else 'offers'} {one.mw:.1f} MW of {one.product}"
    last = "a MWh not bought costs" if one.mw < 0 else "one more MW displaces"
    displaced = f"{last} {one.displaced:.2f} ({_displaces(one, MOST_PARTS)})"
    binding = [limit.text for limit in one.limits if limit.name != GIVEN][:MOST_LIMITS]
    limited = f"limited by {', '.join(binding)}" if binding else "no limit binds: more would no longer pay"
    return f"{what} at {'' if one.given else 'an expected '}{_price(one)}; {worth}{displaced}; {limited}"


def _why_left(one: Explained) -> str:
    """Why a service that is expected to be paid is not offered."""
    paid = f"does not offer {one.product} at an expected {_price(one)}"
    if any(limit.name == GIVEN for limit in one.limits):
        return f"{paid}: the volume was fixed at an earlier gate"
    closed = next((limit.text for limit in one.limits if limit.name.startswith("volume cap 0 ")), None)
    if closed:
        return f"{paid}: {closed} (another service excludes it, or none of it is expected to clear)"
    return f"{paid}: a MW would displace {one.displaced:.2f} ({_displaces(one, MOST_PARTS)})"
