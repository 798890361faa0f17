"""Stacks of balancing actions behind the sample market's system prices.

What belongs here: for a period's price, imbalance volume and market index, a stack whose calculation gives
exactly that price, with the outcome of every step known by construction (nothing here calls the calculation
that is checked with it). What does not: the wire format (`wire_stack.py`).

The stack of a short period (a long one is its mirror: bids for offers, prices below for above), all in
whole kWh so that sums are exact:

* survivors: cheap offers, and a marginal one at the system price of at least the averaged MWh; where the
  draw says so, part of them is a flagged offer above it, which loses its price and takes the marginal one's;
* tagged out: offers above them, in exactly the volume of the bids, which lie below every offer;
* an arbitraged pair: an offer below every bid but one, and that bid, of equal volume;
* an offer below the de minimis threshold at an absurd price.

A balanced period has equal volumes on both sides: its price is the market index, as in the law of
`simulate.py`. Which draw a period gets depends on its start alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

PAR_KWH = 1_000
TINY_KWH = 40


@dataclass(frozen=True)
class SampleAction:
    """One action: signed whole kWh after each step, prices in GBP/MWh; a step of None was never reached."""

    side: str
    price: float
    volume: int
    dmat: int
    arbitrage: int | None = None
    niv: int | None = None
    par: int | None = None
    final_price: float | None = None
    so_flag: bool = False
    cadl_flag: bool = False
    repriced: bool = False
    loss_multiplier: float = 1.0
    balancing_service: bool = False


def sample_stack(start_utc: pd.Timestamp, price_gbp_mwh: float, niv_mwh: float) -> list[SampleAction]:
    """The actions of one period, offers from cheap to dear, then bids from dear to cheap."""
    rng = np.random.default_rng([int(start_utc.timestamp()) // 1800, 20260329])
    niv_kwh = round(niv_mwh * 1000)
    actions = _short_stack(rng, price_gbp_mwh, abs(niv_kwh)) if niv_kwh else _balanced_stack(rng, price_gbp_mwh)
    if niv_kwh < 0:
        actions = [_mirrored(action, price_gbp_mwh) for action in actions]
    offers = sorted((a for a in actions if a.side == "offer"), key=lambda a: a.price)
    bids = sorted((a for a in actions if a.side == "bid"), key=lambda a: -a.price)
    return offers + bids


def _short_stack(rng: np.random.Generator, price: float, niv_kwh: int) -> list[SampleAction]:
    marginal_kwh = min(niv_kwh, PAR_KWH + int(rng.integers(0, 20_000)))
    flagged_kwh = int((niv_kwh - marginal_kwh) * rng.uniform(0.1, 0.5)) if rng.random() < 0.3 else 0
    if flagged_kwh < 200:
        flagged_kwh = 0
    left = niv_kwh - marginal_kwh
    if left - flagged_kwh < 200:
        marginal_kwh += left - flagged_kwh
        left = flagged_kwh
    cheap = _split(rng, left - flagged_kwh)
    actions = [_surviving(rng, price - _step(rng, 1.0, 25.0), volume) for volume in cheap]
    in_par = min(PAR_KWH, marginal_kwh)
    actions.append(_surviving(rng, price, marginal_kwh, par=in_par))
    if flagged_kwh:
        flagged = _surviving(rng, price + _step(rng, 5.0, 30.0), flagged_kwh)
        actions.append(replace(flagged, so_flag=True, repriced=True, final_price=price))
    bids = [int(rng.integers(500, 40_000)) for _ in range(rng.integers(1, 4))]
    dear = bool(flagged_kwh)
    actions += [_tagged("offer", price + _step(rng, 40.0, 90.0), volume, so_flag=dear) for volume in bids]
    actions += [_tagged("bid", price - _step(rng, 40.0, 70.0), -volume) for volume in bids]
    return [*actions, *_sundries(rng, price)]


def _balanced_stack(rng: np.random.Generator, price: float) -> list[SampleAction]:
    volumes = [int(rng.integers(500, 40_000)) for _ in range(3)]
    offers = [_tagged("offer", price + _step(rng, 2.0, 40.0), volume) for volume in volumes]
    bids = [_tagged("bid", price - _step(rng, 40.0, 70.0), -volume) for volume in volumes]
    return [*offers, *bids, *_sundries(rng, price)]


def _sundries(rng: np.random.Generator, price: float) -> list[SampleAction]:
    """An arbitraged pair and a row below the threshold."""
    volume = int(rng.integers(200, 5_000))
    return [
        SampleAction("offer", round(price - 80.0, 2), volume, volume, arbitrage=0),
        SampleAction("bid", round(price - 35.0, 2), -volume, -volume, arbitrage=0),
        SampleAction("offer", round(price + 500.0, 2), TINY_KWH, 0, cadl_flag=True),
    ]


def _surviving(rng: np.random.Generator, price: float, volume: int, par: int = 0) -> SampleAction:
    return SampleAction(
        "offer",
        round(price, 2),
        volume,
        volume,
        volume,
        volume,
        par,
        round(price, 2),
        loss_multiplier=round(float(rng.uniform(0.97, 1.01)), 6),
        balancing_service=bool(rng.random() < 0.1),
    )


def _tagged(side: str, price: float, volume: int, *, so_flag: bool = False) -> SampleAction:
    return SampleAction(side, round(price, 2), volume, volume, volume, 0, so_flag=so_flag)


def _split(rng: np.random.Generator, total_kwh: int) -> list[int]:
    """`total_kwh` (none, or at least 200) in up to four parts of at least 200, above the de minimis threshold."""
    parts: list[int] = []
    while total_kwh > 1_000 and len(parts) < 3:
        parts.append(int(rng.integers(200, total_kwh - 200)))
        total_kwh -= parts[-1]
    return [*parts, total_kwh] if total_kwh else parts


def _step(rng: np.random.Generator, low: float, high: float) -> float:
    return round(float(rng.uniform(low, high)), 2)


def _mirrored(action: SampleAction, price: float) -> SampleAction:
    """The same action on the other side, its price as far on the other side of `price`."""

    def turned(volume: int | None) -> int | None:
        return None if volume is None else -volume

    final = action.final_price
    return replace(
        action,
        side="bid" if action.side == "offer" else "offer",
        price=round(2 * price - action.price, 2),
        volume=-action.volume,
        dmat=-action.dmat,
        arbitrage=turned(action.arbitrage),
        niv=turned(action.niv),
        par=turned(action.par),
        final_price=None if final is None else round(2 * price - final, 2),
    )
