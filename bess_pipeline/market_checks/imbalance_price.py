"""The system price of one settlement period, recomputed from its stack of balancing actions.

What belongs here: flagging, tagging, repricing and averaging of actions, as a pure function. What does not:
the stack's wire format (`sources/elexon_stack.py`), the comparison with published prices
(`system_price_check.py`), how far the published rules reach (docs/imbalance_price.md: read it first).

The steps, in order, and where each stands in public text (Elexon, System Prices Analysis Report =
SPAR; ISPSTACK = the published columns and their order):

1. a STOR action is priced at the reserve scarcity price where that is higher (SPAR);
2. de minimis: rows below DMAT leave the calculation (SPAR; per row, as ISPSTACK shows);
3. arbitrage: offers at or below the price of bids leave it, in equal volumes, from the cheap end of both
   sides (SPAR; the end is a reading);
4. classification: an action flagged SO or CADL that is more expensive than the most expensive unflagged
   action of its side loses its price (SPAR; without any unflagged action, all flagged ones do: a reading);
5. NIV tagging: the volume of the smaller side is taken off the larger, most expensive first (SPAR);
6. replacement: what has lost its price is priced at the average of the most expensive RPAR MWh of the other
   remaining actions, without any at the market index price (SPAR);
7. PAR tagging: the average of the most expensive PAR MWh that remain (SPAR), weighted by volume times
   transmission loss multiplier (ISPSTACK), plus the buy (short) or sell (long) price adjustment (SPAR).

"Expensive" is the system's view: a high price of an offer, a low price of a bid. Signs: volumes of offers
positive, of bids negative; net imbalance volume positive = system short = priced from offers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

RESIDUE_MWH = 1e-9  # below a milliwatt-hour: what subtracting volumes leaves, not an action
Side = Literal["bid", "offer"]
Rank = Literal["final_price", "original_price"]
Replacement = Literal["", "unflagged", "market_index", "none"]


@dataclass(frozen=True)
class PricingRules:
    """Parameters of the calculation; the defaults are those in force since April 2019."""

    dmat_mwh: float = 0.1
    par_mwh: float = 1.0
    replacement_par_mwh: float = 1.0
    rank_repriced_by: Rank = "final_price"


@dataclass(frozen=True)
class Action:
    """One row of a stack. `price_gbp_mwh` None: it was published without one and cannot set a price."""

    key: tuple[str, int]
    side: Side
    volume_mwh: float
    price_gbp_mwh: float | None
    flagged: bool = False
    stor: bool = False
    reserve_scarcity_price_gbp_mwh: float | None = None
    loss_multiplier: float = 1.0


@dataclass(frozen=True)
class Adjustments:
    """What is added to the price from offers (buy) and from bids (sell), GBP/MWh."""

    buy_gbp_mwh: float = 0.0
    sell_gbp_mwh: float = 0.0


@dataclass(frozen=True)
class TaggedVolumes:
    """Signed MWh left of one row after each step; zero once it has left the calculation."""

    dmat_mwh: float = 0.0
    arbitrage_mwh: float = 0.0
    niv_mwh: float = 0.0
    par_mwh: float = 0.0
    final_price_gbp_mwh: float | None = None


@dataclass(frozen=True)
class ImbalancePrice:
    """The price (None where the stack and the market index give none) and how it came about.

    `replacement` says what priced the actions that had lost their price: other actions, the market
    index, nothing that is known, or "" where none remained.
    """

    price_gbp_mwh: float | None
    net_imbalance_volume_mwh: float
    side: Side | None
    replacement: Replacement
    volumes: dict[tuple[str, int], TaggedVolumes]


@dataclass(frozen=True)
class _Part:
    """What is left of an action: an unsigned volume, and its cost to the system (rank) and price."""

    action: Action
    volume_mwh: float
    price_gbp_mwh: float | None
    unpriced: bool = False

    @property
    def expense(self) -> tuple[float, tuple[str, int]]:
        """Order from cheap to expensive; equal prices in the order of their keys, no price last."""
        price = float("inf") if self.price_gbp_mwh is None else _expense(self.action.side, self.price_gbp_mwh)
        return price, self.action.key


def recompute(
    actions: Sequence[Action],
    market_index_gbp_mwh: float | None = None,
    adjustments: Adjustments | None = None,
    rules: PricingRules | None = None,
) -> ImbalancePrice:
    """The system price of a stack; the order of `actions` does not matter.

    ValueError when two actions share a key or a volume does not have the sign of its side.
    """
    rules, adjustments = rules or PricingRules(), adjustments or Adjustments()
    _check(actions)
    offers, bids = (_de_minimis(_ranked(actions, side), rules.dmat_mwh) for side in ("offer", "bid"))
    after_dmat = offers + bids
    offers, bids = _arbitrage(offers, bids)
    after_arbitrage = offers + bids
    niv = _volume(offers) - _volume(bids)
    if abs(niv) <= RESIDUE_MWH:
        volumes = _volumes(after_dmat, after_arbitrage, [], [])
        return ImbalancePrice(market_index_gbp_mwh, 0.0, None, "", volumes)
    side: Side = "offer" if niv > 0 else "bid"
    larger, smaller = (offers, bids) if niv > 0 else (bids, offers)
    left = _without_most_expensive(_classified(larger), _volume(smaller))
    priced, replacement = _replaced(left, market_index_gbp_mwh, rules)
    averaged = _most_expensive(_rank_for_par(priced, rules), rules.par_mwh)
    price = _average(averaged, weigh_losses=True)
    if price is not None:
        price += adjustments.buy_gbp_mwh if niv > 0 else adjustments.sell_gbp_mwh
    return ImbalancePrice(price, niv, side, replacement, _volumes(after_dmat, after_arbitrage, priced, averaged))


def averaged_price(rows: Sequence[tuple[float, float, float]]) -> float | None:
    """Volume-weighted price of (PAR-adjusted volume MWh, final price GBP/MWh, loss multiplier); None without volume."""
    weights = [abs(volume) * multiplier for volume, _, multiplier in rows]
    total = sum(weights)
    if total <= 0:
        return None
    return sum(weight * price for weight, (_, price, _) in zip(weights, rows, strict=True)) / total


def _check(actions: Sequence[Action]) -> None:
    if len({action.key for action in actions}) != len(actions):
        raise ValueError("two actions of the stack have the same key")
    for action in actions:
        if action.volume_mwh and (action.volume_mwh > 0) != (action.side == "offer"):
            raise ValueError(f"{action.side} {action.key} has a volume of {action.volume_mwh:g} MWh")


def _expense(side: Side, price_gbp_mwh: float) -> float:
    return price_gbp_mwh if side == "offer" else -price_gbp_mwh


def _ranked(actions: Sequence[Action], side: str) -> list[_Part]:
    parts = [_Part(a, abs(a.volume_mwh), _stor_price(a)) for a in actions if a.side == side]
    return sorted(parts, key=lambda part: part.expense)


def _stor_price(action: Action) -> float | None:
    scarcity = action.reserve_scarcity_price_gbp_mwh
    if not action.stor or scarcity is None or action.price_gbp_mwh is None:
        return action.price_gbp_mwh
    return max(action.price_gbp_mwh, scarcity)


def _de_minimis(parts: list[_Part], dmat_mwh: float) -> list[_Part]:
    return [part for part in parts if part.volume_mwh >= max(dmat_mwh, RESIDUE_MWH)]


def _arbitrage(offers: list[_Part], bids: list[_Part]) -> tuple[list[_Part], list[_Part]]:
    """Both sides, cheapest first, less equal volumes where an offer's price is at or below a bid's."""
    offers, bids = list(offers), list(bids)
    while offers and bids:
        offer, bid = offers[0], bids[0]
        if offer.price_gbp_mwh is None or bid.price_gbp_mwh is None or offer.price_gbp_mwh > bid.price_gbp_mwh:
            break
        cut = min(offer.volume_mwh, bid.volume_mwh)
        offers[:1], bids[:1] = _less(offer, cut), _less(bid, cut)
    return offers, bids


def _less(part: _Part, cut_mwh: float) -> list[_Part]:
    """The part without `cut_mwh`, as a list that is empty when nothing is left."""
    left = part.volume_mwh - cut_mwh
    return [replace(part, volume_mwh=left)] if left > RESIDUE_MWH else []


def _classified(parts: list[_Part]) -> list[_Part]:
    """Marks what has lost its price: flagged and more expensive than every unflagged action of the side."""
    unflagged = [part.expense[0] for part in parts if not part.action.flagged and part.price_gbp_mwh is not None]
    limit = max(unflagged, default=float("-inf"))
    return [
        replace(part, unpriced=part.price_gbp_mwh is None or (part.action.flagged and part.expense[0] > limit))
        for part in parts
    ]


def _without_most_expensive(parts: list[_Part], volume_mwh: float) -> list[_Part]:
    left: list[_Part] = []
    for part in reversed(parts):
        cut = min(part.volume_mwh, volume_mwh)
        volume_mwh -= cut
        left = _less(part, cut) + left
    return left


def _most_expensive(parts: list[_Part], volume_mwh: float) -> list[_Part]:
    """The most expensive `volume_mwh` of parts given from cheap to expensive."""
    chosen: list[_Part] = []
    for part in reversed(parts):
        taken = min(part.volume_mwh, volume_mwh)
        if taken <= RESIDUE_MWH:
            break
        chosen.append(replace(part, volume_mwh=taken))
        volume_mwh -= taken
    return chosen


def _replaced(
    parts: list[_Part], market_index_gbp_mwh: float | None, rules: PricingRules
) -> tuple[list[_Part], Replacement]:
    """Prices for what has lost its own; where there is none to be had it stays without."""
    if not any(part.unpriced for part in parts):
        return parts, ""
    source: Replacement = "unflagged"
    unflagged = [part for part in parts if not part.unpriced]
    price = _average(_most_expensive(unflagged, rules.replacement_par_mwh), weigh_losses=False)
    if price is None:
        price, source = market_index_gbp_mwh, "none" if market_index_gbp_mwh is None else "market_index"
    return [replace(part, price_gbp_mwh=price) if part.unpriced else part for part in parts], source


def _rank_for_par(parts: list[_Part], rules: PricingRules) -> list[_Part]:
    if rules.rank_repriced_by == "original_price":
        return parts
    return sorted(parts, key=lambda part: part.expense)


def _average(parts: list[_Part], *, weigh_losses: bool) -> float | None:
    rows = []
    for part in parts:
        if part.price_gbp_mwh is None:
            return None
        rows.append((part.volume_mwh, part.price_gbp_mwh, part.action.loss_multiplier if weigh_losses else 1.0))
    return averaged_price(rows)


def _volume(parts: Sequence[_Part]) -> float:
    return sum(part.volume_mwh for part in parts)


def _volumes(
    dmat: list[_Part], arbitrage: list[_Part], niv: list[_Part], par: list[_Part]
) -> dict[tuple[str, int], TaggedVolumes]:
    """Signed volumes of every row that passed de minimis tagging, by key."""
    steps = [{part.action.key: part for part in step} for step in (dmat, arbitrage, niv, par)]
    found = {}
    for key, part in steps[0].items():
        sign = 1.0 if part.action.side == "offer" else -1.0
        left = [sign * step[key].volume_mwh if key in step else 0.0 for step in steps]
        final = steps[2][key].price_gbp_mwh if key in steps[2] else None
        found[key] = TaggedVolumes(left[0], left[1], left[2], left[3], final)
    return found
