"""Published system prices beside those recomputed from the settlement stack: `market/system_price_check`.

What belongs here: stacks of a day turned into actions, both methods, and the verdict per period. What does
not: the calculation itself (`imbalance_price.py`) and where the rows come from (`ingestion/stack.py`).

Two methods, so that a difference can be placed:

* published_volumes: the average of the rows' own final prices, weighted by their own PAR-adjusted volumes
  times loss multiplier, plus the price adjustment: it uses nothing but arithmetic;
* own_tagging: flags, raw volumes and original prices only, all tagging done here. Where it differs and the
  other agrees, the tagging differs: `tagging_difference_mwh` says by how much in the worst row.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import pandas as pd

from bess_pipeline import gb_time, schemas
from bess_pipeline.market_checks.imbalance_price import (
    Action,
    Adjustments,
    ImbalancePrice,
    PricingRules,
    Side,
    averaged_price,
    recompute,
)

TABLE = "market/system_price_check"
PUBLISHED_VOLUMES, OWN_TAGGING = "published_volumes", "own_tagging"
AGREES, DIFFERS, NOT_COMPARABLE = "agrees", "differs", "not_comparable"
_STEPS = {
    "dmat_adjusted_volume_mwh": "dmat_mwh",
    "arbitrage_adjusted_volume_mwh": "arbitrage_mwh",
    "niv_adjusted_volume_mwh": "niv_mwh",
    "par_adjusted_volume_mwh": "par_mwh",
}
_PRICED_FROM = {"offer": "short: priced from offers", "bid": "long: priced from bids"}
_REPLACED_BY = {
    "": "",
    "unflagged": "flagged actions repriced from unflagged ones",
    "market_index": "flagged actions repriced at the market index",
    "none": "flagged actions without any price to take: no market index of this period",
}


def check_day(
    day: date,
    stack: pd.DataFrame,
    system_price: pd.DataFrame,
    market_index: pd.DataFrame,
    adjustments: Mapping[int, tuple[float, float]],
    rules: PricingRules,
    tolerance_gbp_mwh: float,
) -> pd.DataFrame:
    """Rows of `market/system_price_check` of a settlement date: every period, both methods.

    `stack`, `system_price` and `market_index` are rows of their tables on that date; `adjustments` are
    (buy, sell) GBP/MWh by period.
    """
    published = system_price.set_index("settlement_period")
    index = market_index.set_index("settlement_period")["market_index_price_gbp_mwh"]
    by_period = dict(tuple(stack.groupby("settlement_period")))
    rows: list[dict[str, Any]] = []
    for period in range(1, gb_time.periods_in_day(day) + 1):
        actions = by_period.get(period, stack.iloc[:0])
        adjusted = Adjustments(*adjustments.get(period, (0.0, 0.0)))
        price, niv = (_value(published, period, name) for name in ("system_price_gbp_mwh", "net_imbalance_volume_mwh"))
        common = {
            "settlement_date": day,
            "settlement_period": period,
            "start_utc": gb_time.period_start_utc(day, period),
            "published_gbp_mwh": price,
            "published_niv_mwh": niv,
        }
        index_price = float(index[period]) if period in index.index else None
        for found in _both_methods(actions, index_price, adjusted, rules):
            rows.append(common | found | _verdict(price, found["recomputed_gbp_mwh"], tolerance_gbp_mwh))
    frame = pd.DataFrame(rows)
    frame["start_utc"] = pd.to_datetime(frame["start_utc"], utc=True).dt.as_unit("us")
    return schemas.validate(TABLE, frame)


def actions_of(stack: pd.DataFrame) -> list[Action]:
    """The actions of one period; a flag that is null counts as not set, a missing or zero multiplier as 1."""
    return [
        Action(
            key=(row["side"], row["sequence_number"]),
            side=row["side"],
            volume_mwh=row["volume_mwh"],
            price_gbp_mwh=_known(row["original_price_gbp_mwh"]),
            flagged=_set(row["so_flag"]) or _set(row["cadl_flag"]),
            stor=_set(row["stor_flag"]),
            reserve_scarcity_price_gbp_mwh=_known(row["reserve_scarcity_price_gbp_mwh"]),
            loss_multiplier=_known(row["transmission_loss_multiplier"]) or 1.0,
        )
        for row in stack.to_dict("records")
    ]


def price_from_published_volumes(stack: pd.DataFrame, adjustments: Adjustments) -> tuple[float | None, str]:
    """(GBP/MWh, side it stands on) of one period by the rows' own PAR-adjusted volumes; None without any."""
    rows = stack[stack["par_adjusted_volume_mwh"].fillna(0.0) != 0.0]
    sides = sorted(rows["side"].unique())
    if len(sides) != 1 or rows["final_price_gbp_mwh"].isna().any():
        return None, " and ".join(sides)
    multiplier = rows["transmission_loss_multiplier"].fillna(1.0).replace(0.0, 1.0)
    parts = zip(rows["par_adjusted_volume_mwh"], rows["final_price_gbp_mwh"], multiplier, strict=True)
    price = averaged_price(list(parts))
    added = adjustments.buy_gbp_mwh if sides == ["offer"] else adjustments.sell_gbp_mwh
    return (None if price is None else price + added), sides[0]


def _both_methods(
    stack: pd.DataFrame, index_price: float | None, adjustments: Adjustments, rules: PricingRules
) -> Iterator[dict[str, Any]]:
    if stack.empty:
        for method in (PUBLISHED_VOLUMES, OWN_TAGGING):
            yield _found(method, None, None, None, "the stack has no action in this period")
        return
    price, side = price_from_published_volumes(stack, adjustments)
    known = stack["niv_adjusted_volume_mwh"].notna().any()
    niv = float(stack["niv_adjusted_volume_mwh"].sum()) if known else None
    notes = f"{_PRICED_FROM[side]} as published" if price is not None else _without_price(side)
    yield _found(PUBLISHED_VOLUMES, price, niv, None, notes)
    own = recompute(actions_of(stack), index_price, adjustments, rules)
    distance = _tagging_difference_mwh(stack, own)
    yield _found(OWN_TAGGING, own.price_gbp_mwh, own.net_imbalance_volume_mwh, distance, _own_notes(own.side, own))


def _without_price(side: str) -> str:
    if not side:
        return "no row carries a PAR-adjusted volume"
    return f"PAR-adjusted volumes on {side}, or without a final price"


def _own_notes(side: Side | None, own: ImbalancePrice) -> str:
    if side is None:
        known = own.price_gbp_mwh is not None
        return "balanced: the market index" if known else "balanced, and no market index of this period"
    return "; ".join(part for part in (_PRICED_FROM[side], _REPLACED_BY[own.replacement]) if part)


def _found(
    method: str, price: float | None, niv_mwh: float | None, tagging_mwh: float | None, notes: str
) -> dict[str, Any]:
    return {
        "method": method,
        "recomputed_gbp_mwh": math.nan if price is None else price,
        "recomputed_niv_mwh": math.nan if niv_mwh is None else niv_mwh,
        "tagging_difference_mwh": math.nan if tagging_mwh is None else tagging_mwh,
        "notes": notes,
    }


def _verdict(published: float, recomputed: float, tolerance_gbp_mwh: float) -> dict[str, Any]:
    difference = recomputed - published
    if math.isnan(difference):
        return {"difference_gbp_mwh": math.nan, "status": NOT_COMPARABLE}
    agrees = abs(difference) <= tolerance_gbp_mwh + 1e-9
    return {"difference_gbp_mwh": difference, "status": AGREES if agrees else DIFFERS}


def _tagging_difference_mwh(stack: pd.DataFrame, own: ImbalancePrice) -> float | None:
    """The largest difference from published adjusted volumes, step by step; None where the rows carry none.

    Rows of one side and price count together, because no public rule says which of them is tagged first.
    Null counts as zero: a row that has left the calculation is null from the next step on.
    """
    if stack[list(_STEPS)].isna().to_numpy().all():
        return None
    differences: dict[tuple[str, float, str], float] = defaultdict(float)
    for row in stack.to_dict("records"):
        tagged = own.volumes.get((row["side"], row["sequence_number"]))
        price = _known(row["final_price_gbp_mwh"]) or _known(row["original_price_gbp_mwh"]) or 0.0
        for name, step in _STEPS.items():
            mine = getattr(tagged, step) if tagged else 0.0
            differences[row["side"], price, step] += mine - (_known(row[name]) or 0.0)
    return max(map(abs, differences.values()))


def _value(frame: pd.DataFrame, period: int, name: str) -> float:
    return float(frame[name].loc[period]) if period in frame.index else math.nan


def _known(value: float) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def _set(flag: Any) -> bool:
    return flag is not pd.NA and flag is not None and bool(flag)
