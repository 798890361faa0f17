"""Which products one unit may hold together in a window, by date.

What belongs here: the groups of products that exclude each other, as a check and as linear rows with binaries, and the
products that were auctioned at all. What does not: how much of each (`rating.py`, `energy_band.py`).

Rules:
* before EFA day 2023-11-02 one service (DC, DM or DR) per unit and EFA block, its low and high products together
  allowed; since then they may be split (EAC design and auction rules; domain reference 5.2);
* balancing reserve beside response only in the opposite direction (domain reference 5.3, the rule at launch; whether it
  still holds was not found, so a setting lifts it).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from bess_pipeline.ancillary.products import DIRECTIONS, MAX_OFFER_MW, SPLITTING_FROM, table_of
from bess_pipeline.ancillary.rows import Breach, FloatArray, LinearRows, breaches
from bess_pipeline.ancillary.windows import Horizon


@dataclass(frozen=True)
class Exclusion:
    """Groups of products of which at most one may have MW in a half-hour, and the half-hours that holds in."""

    rule: str
    groups: tuple[tuple[str, ...], ...]
    holds: NDArray[np.bool_]
    reason: str


def splitting_allowed(efa_date: date) -> bool:
    """Whether one unit may hold more than one of DC, DM and DR in an EFA block of that day."""
    return efa_date >= SPLITTING_FROM


def exclusions(
    products: tuple[str, ...], horizon: Horizon, *, balancing_reserve_beside_response: bool = False
) -> list[Exclusion]:
    """The exclusions that can matter to some products on a horizon; empty when none does."""
    table = table_of(products)
    services = dict.fromkeys(one.service for one in table if one.kind == "response")
    by_service = tuple(tuple(one.code for one in table if one.service == service) for service in services)
    before = np.array([not splitting_allowed(day) for day in horizon.efa_date])
    found = [Exclusion("one service per block", by_service, before, "DC, DM and DR were not to be split on one unit")]
    always = np.full(horizon.periods, not balancing_reserve_beside_response)
    for direction in DIRECTIONS:
        same = [one for one in table if one.direction == direction]
        reserve = tuple(one.code for one in same if one.service == "BR")
        response = tuple(one.code for one in same if one.kind == "response")
        reason = f"balancing reserve stands beside {direction} response of the same direction"
        found.append(Exclusion("balancing reserve beside response", (reserve, response), always, reason))
    return [one for one in found if one.holds.any() and sum(map(bool, one.groups)) > 1]


def exclusion_rows(rule: Exclusion, products: tuple[str, ...]) -> LinearRows:
    """Rows over [MW of each product, one binary per group]: MW <= 100 x binary of its group, binaries sum to at most 1.

    Where the rule does not hold the rows are empty (0 <= 0).
    """
    groups, periods = len(rule.groups), len(rule.holds)
    members = [(code, g) for g, group in enumerate(rule.groups) for code in group]
    coefficient = np.zeros((periods, len(members) + 1, len(products) + groups))
    for row, (code, g) in enumerate(members):
        coefficient[rule.holds, row, products.index(code)] = 1.0
        coefficient[rule.holds, row, len(products) + g] = -MAX_OFFER_MW
    coefficient[rule.holds, -1, len(products) :] = 1.0
    limit = np.zeros((periods, len(members) + 1))
    limit[rule.holds, -1] = 1.0
    names = (*(f"{code} only with its group" for code, _ in members), rule.rule)
    columns = (*products, *(f"group {'+'.join(group)}" for group in rule.groups))
    return LinearRows(names, columns, coefficient, limit)


def exclusion_breaches(rule: Exclusion, products: tuple[str, ...], mw: FloatArray) -> list[Breach]:
    """Half-hours in which more than one group has MW; the amount is the smallest MW that would have to go."""
    by_group = np.stack([mw[[products.index(code) for code in group]].sum(axis=0) for group in rule.groups])
    too_much = by_group.sum(axis=0) - by_group.max(axis=0)
    return breaches(rule.rule, "MW", np.where(rule.holds, too_much, 0.0), rule.reason)


def offer_limits_mw(products: tuple[str, ...], horizon: Horizon) -> FloatArray:
    """Most MW of each product in each half-hour, (products, half-hours): 100 in a sell order, 0 before its auctions."""
    table = table_of(products)
    return np.array([[MAX_OFFER_MW * one.auctioned_on(day) for day in horizon.efa_date] for one in table])


def window_breaches(products: tuple[str, ...], horizon: Horizon, mw: FloatArray) -> list[Breach]:
    """Offers of no product of the day, above a sell order's size or below 0, and response that changes in a block."""
    found: list[Breach] = []
    limit = offer_limits_mw(products, horizon)
    for k, one in enumerate(table_of(products)):
        found += breaches("offer size", "MW", mw[k] - limit[k], f"{one.code} exceeds what may be offered")
        found += breaches("offer size", "MW", -mw[k], f"{one.code} is negative")
        if one.window == "efa_block":
            steps = np.abs(mw[k] - mw[k][horizon.block_start][horizon.block])
            found += breaches("constant block", "MW", steps, f"{one.code} changes within its EFA block")
    return found
