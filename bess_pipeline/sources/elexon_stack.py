"""Elexon Insights: the settlement stack (ISPSTACK), one answer a period and side.

What belongs here: requests and answers of `/balancing/settlement/stack/all`. What does not: the price that
follows from a stack (`market_checks/`), the other Elexon endpoints (`elexon.py`).

Rules (Elexon Insights OpenAPI document; domain reference 2.2): volumes of offers are positive, of bids
negative; every price, flag and adjusted volume may be null (a row that left the calculation is null from
the next step on); a decimal may come as text; fields that are not known are ignored. No recorded answer
was at hand: the form is that of the specification and of rows quoted in public projects.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from typing import Any

import pandas as pd

from bess_pipeline import schemas
from bess_pipeline.errors import NotPublishedError, PayloadError
from bess_pipeline.gb_time import periods_in_day
from bess_pipeline.sources.elexon import base_url, get_json, published_rows, settlement_period
from bess_pipeline.sources.http import Answer, HttpClient
from bess_pipeline.sources.parsing import (
    instant,
    number,
    optional_number,
    quoted,
    text_column,
    utc_column,
    whole_number,
    without_repeats,
)

SIDES = ("offer", "bid")
_STACK = "Elexon settlement stack"
_NUMBERS = {
    "reserve_scarcity_price_gbp_mwh": "reserveScarcityPrice",
    "original_price_gbp_mwh": "originalPrice",
    "dmat_adjusted_volume_mwh": "dmatAdjustedVolume",
    "arbitrage_adjusted_volume_mwh": "arbitrageAdjustedVolume",
    "niv_adjusted_volume_mwh": "nivAdjustedVolume",
    "par_adjusted_volume_mwh": "parAdjustedVolume",
    "final_price_gbp_mwh": "finalPrice",
    "transmission_loss_multiplier": "transmissionLossMultiplier",
    "tlm_adjusted_volume_mwh": "tlmAdjustedVolume",
    "tlm_adjusted_cost_gbp": "tlmAdjustedCost",
}
_FLAGS = {
    "cadl_flag": "cadlFlag",
    "so_flag": "soFlag",
    "stor_flag": "storProviderFlag",
    "repriced": "repricedIndicator",
}
_TEXTS = {"action_id": "id", "acceptance_id": "acceptanceId", "bid_offer_pair_id": "bidOfferPairId"}


def fetch_settlement_stack(client: HttpClient, day: date) -> list[Answer]:
    """Offers and bids of every period of a settlement date: 92, 96 or 100 paced requests."""
    return [
        get_json(client, stack_url(client, day, period, side), {"format": "json"}, f"{_STACK} of {day}")
        for period in range(1, periods_in_day(day) + 1)
        for side in SIDES
    ]


def stack_url(client: HttpClient, day: date, period: int, side: str) -> str:
    """Address of one period and side."""
    return f"{base_url(client)}/balancing/settlement/stack/all/{side}/{day.isoformat()}/{period}"


def side_and_period(url: str) -> tuple[str, date, int]:
    """(side, settlement date, period) that a stack address asks for."""
    side, day, period = url.split("?")[0].rstrip("/").split("/")[-3:]
    return side, date.fromisoformat(day), int(period)


def parse_settlement_stack(content: bytes, url: str) -> pd.DataFrame:
    """Rows of `market/settlement_stack` from the answer to `url`; without rows where nothing was accepted.

    Raises PayloadError when a row is of another period than was asked for, a volume has the sign of the
    other side, a field is not of its type or two rows of one sequence number disagree.
    """
    side, day, period = side_and_period(url)
    try:
        published = published_rows(content, _STACK)
    except NotPublishedError:
        if not content.strip():
            raise
        return schemas.empty_frame("market/settlement_stack")
    rows = [_stack_row(row, side) for row in published]
    other = [row for row in rows if (row["settlement_date"], row["settlement_period"]) != (day, period)]
    if other:
        found = f"{other[0]['settlement_date']} period {other[0]['settlement_period']}"
        raise PayloadError(f"{_STACK}: asked for {day} period {period}, answered with rows of {found}")
    frame = pd.DataFrame(rows)
    for name in ("start_utc", "published_utc"):
        frame[name] = utc_column([row[name] for row in rows])
    for name in _TEXTS:
        frame[name] = text_column([row[name] for row in rows])
    for name in _FLAGS:
        frame[name] = pd.array([row[name] for row in rows], dtype="boolean")
    return without_repeats(frame, schemas.keys("market/settlement_stack"), _STACK)


def parse_price_adjustments(content: bytes) -> dict[int, tuple[float, float]]:
    """Settlement period -> (buy, sell) price adjustment, GBP/MWh, of a system price answer; absent counts as 0.

    Of several versions of a period the newest counts.
    """
    found: dict[int, tuple[str, float, float]] = {}
    for row in published_rows(content, _STACK):
        period, version = whole_number(row, "settlementPeriod", _STACK), str(row.get("createdDateTime") or "")
        buy, sell = (optional_number(row, name, _STACK) for name in ("buyPriceAdjustment", "sellPriceAdjustment"))
        if period not in found or version >= found[period][0]:
            found[period] = version, 0.0 if math.isnan(buy) else buy, 0.0 if math.isnan(sell) else sell
    return {period: (buy, sell) for period, (_, buy, sell) in found.items()}


def _stack_row(row: Mapping[str, object], side: str) -> dict[str, Any]:
    day, period, start = settlement_period(row, _STACK)
    volume = number(row, "volume", _STACK)
    if volume and (volume > 0) != (side == "offer"):
        raise PayloadError(f"{_STACK}: {day} period {period} has a {side} of {volume:g} MWh")
    return {
        "settlement_date": day,
        "settlement_period": period,
        "start_utc": start,
        "side": side,
        "sequence_number": whole_number(row, "sequenceNumber", _STACK),
        **{name: _identifier(row, field) for name, field in _TEXTS.items()},
        **{name: _flag(row, field) for name, field in _FLAGS.items()},
        "volume_mwh": volume,
        **{name: optional_number(row, field, _STACK) for name, field in _NUMBERS.items()},
        "published_utc": None if row.get("createdDateTime") is None else instant(row, "createdDateTime", _STACK),
    }


def _identifier(row: Mapping[str, object], name: str) -> str | None:
    """A name or number as text; null when absent."""
    value = row.get(name)
    if value is None or (isinstance(value, str | int) and not isinstance(value, bool)):
        return None if value is None else str(value)
    raise PayloadError(f"{_STACK}: {name} is neither a text nor a whole number: {quoted(value)}")


def _flag(row: Mapping[str, object], name: str) -> bool | None:
    value = row.get(name)
    if value is None or isinstance(value, bool):
        return value
    raise PayloadError(f"{_STACK}: {name} is not true, false or null: {quoted(value)}")
