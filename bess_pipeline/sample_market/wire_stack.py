"""Elexon's settlement stack (ISPSTACK) as the sample market speaks it.

What belongs here: path, parameters and field names of `/balancing/settlement/stack/all`. What does not: the
actions (`stack.py`), other Elexon paths (`wire_elexon.py`). Recorded tables hold no stack: the answer is an
empty list, as nothing is made up.

Field names and nulls follow Elexon's specification and rows quoted in public projects; no recorded answer
was at hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bess_pipeline.sample_market.stack import SampleAction, sample_stack

SIDES = ("bid", "offer")


def stack_rows(row: Mapping[Any, Any], side: str, created: str | None) -> list[dict[str, object]]:
    """The wire rows of one side of a simulated period, given its `system_price` row."""
    actions = sample_stack(row["start_utc"], float(row["system_price_gbp_mwh"]), float(row["net_imbalance_volume_mwh"]))
    mine = [action for action in actions if action.side == side]
    period = {
        "settlementDate": row["settlement_date"].isoformat(),
        "settlementPeriod": int(row["settlement_period"]),
        "startTime": f"{row['start_utc'].replace(tzinfo=None).isoformat(timespec='seconds')}Z",
        "createdDateTime": created,
    }
    return [period | _action(action, n) for n, action in enumerate(mine, start=1)]


def _action(action: SampleAction, n: int) -> dict[str, object]:
    par = _mwh(action.par)
    weighted = None if not par else round(par * action.loss_multiplier, 9)
    price = action.price if action.final_price is None else action.final_price
    return {
        "sequenceNumber": n,
        "id": str(n) if action.balancing_service else f"T_SAMP-{n}",
        "acceptanceId": None if action.balancing_service else 10_000 + n,
        "bidOfferPairId": None if action.balancing_service else (1 if action.side == "offer" else -1),
        "cadlFlag": None if action.balancing_service else action.cadl_flag,
        "soFlag": action.so_flag,
        "storProviderFlag": False,
        "repricedIndicator": action.repriced,
        "reserveScarcityPrice": 0.0,
        "originalPrice": action.price,
        "volume": _mwh(action.volume),
        "dmatAdjustedVolume": _mwh(action.dmat),
        "arbitrageAdjustedVolume": _mwh(action.arbitrage),
        "nivAdjustedVolume": _mwh(action.niv),
        "parAdjustedVolume": par,
        "finalPrice": price,
        "transmissionLossMultiplier": action.loss_multiplier,
        "tlmAdjustedVolume": weighted,
        "tlmAdjustedCost": None if weighted is None else round(weighted * price, 9),
    }


def _mwh(kwh: int | None) -> float | None:
    return None if kwh is None else kwh / 1000
