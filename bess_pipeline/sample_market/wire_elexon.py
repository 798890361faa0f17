"""Elexon Insights API v1 as the sample market speaks it: system prices and the market index.

What belongs here: paths, parameters, field names, caps and error bodies of Elexon's API (domain
reference, section 2, and the recorded answers). What does not: HTTP (`server.py`) and reading these
answers (`sources/elexon.py`).

Fields that are unknown are null where Elexon's specification allows null (and for the volumes of recorded
prices: net imbalance and market index) and left out otherwise; nothing is made up.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd

from bess_pipeline.gb_time import settlement_day_bounds_utc
from bess_pipeline.sample_market.reply import Query, Reply, first, json_reply
from bess_pipeline.sample_market.tables import MarketTables
from bess_pipeline.sample_market.wire_stack import SIDES, stack_rows

SYSTEM_PRICES = "/balancing/settlement/system-prices"
STACK = "/balancing/settlement/stack/all"
MARKET_INDEX = "/balancing/pricing/market-index"
MID_DATASET = "/datasets/MID"
MID_STREAM = "/datasets/MID/stream"
RANGE_CAP = timedelta(days=7)
PROBLEM_JSON = "application/problem+json; charset=utf-8"
TOO_LONG = "The date range between From and To inclusive must not exceed 7 days"
REVERSED = "The From field must not be later than the To field"
UNREADABLE = "Errors found when parsing DateTimes"
TRACE_ID = "00-00000000000000000000000000000000-0000000000000000-00"
NULLABLE_FIELDS = (
    "replacementPrice",
    "replacementPriceReferenceVolume",
    "totalAcceptedOfferVolume",
    "totalAcceptedBidVolume",
    "totalAdjustmentSellVolume",
    "totalAdjustmentBuyVolume",
    "totalSystemTaggedAcceptedOfferVolume",
    "totalSystemTaggedAcceptedBidVolume",
    "totalSystemTaggedAdjustmentSellVolume",
    "totalSystemTaggedAdjustmentBuyVolume",
)


class _BadRequestError(Exception):
    def __init__(self, errors: Mapping[str, list[str]]) -> None:
        super().__init__(str(errors))
        self.errors = dict(errors)


class ElexonWire:
    """Answers Elexon requests from published tables."""

    def __init__(self, tables: MarketTables) -> None:
        self._simulated = tables.origin == "simulated"
        self._prices = tables.system_price.reset_index(drop=True)
        self._days = self._prices.groupby("settlement_date").indices
        self._index = tables.market_index.sort_values("start_utc", kind="stable").reset_index(drop=True)

    def reply(self, path: str, query: Query) -> Reply | None:
        """The answer to a path without the `/bmrs/api/v1` prefix, or None where Elexon has no such path."""
        try:
            if path.startswith(SYSTEM_PRICES + "/"):
                return self._system_prices(path.removeprefix(SYSTEM_PRICES + "/"))
            if path.startswith(STACK + "/"):
                return self._stack(path.removeprefix(STACK + "/"))
            if path == MARKET_INDEX:
                return _data(self._index_rows(query, capped=True), "MID")
            if path == MID_DATASET:
                return _data(self._mid_rows(query, capped=True), "MID")
            if path == MID_STREAM:
                return json_reply(self._mid_rows(query, capped=False))
        except _BadRequestError as problem:
            return _problem(problem.errors)
        return None

    def _system_prices(self, tail: str) -> Reply | None:
        day_text, _, period_text = tail.rstrip("/").partition("/")
        if "/" in period_text:
            return None
        rows = self._prices_of(day_text, period_text)
        return _data([self._price_row(row) for row in rows.to_dict("records")], "DISEBSP")

    def _prices_of(self, day_text: str, period_text: str) -> pd.DataFrame:
        day = _date(day_text, "settlementDate")
        rows = self._prices.iloc[list(self._days.get(day, []))]
        if period_text:
            if not period_text.isdecimal() or not 1 <= int(period_text) <= 50:
                raise _BadRequestError({"settlementPeriod": ["The field settlementPeriod must be between 1 and 50."]})
            rows = rows[rows["settlement_period"] == int(period_text)]
        return rows

    def _stack(self, tail: str) -> Reply | None:
        """One side of one period; nothing for recorded prices, whose stack is not known."""
        parts = tail.rstrip("/").split("/")
        if len(parts) != 3:
            return None
        side, day_text, period_text = parts
        if side not in SIDES:
            raise _BadRequestError({"bidOffer": [f"The value '{side}' is not valid."]})
        rows = self._prices_of(day_text, period_text).to_dict("records") if self._simulated else []
        found = [
            action
            for row in rows
            for action in stack_rows(row, side, _stamp(row["published_utc"]) if _known(row, "published_utc") else None)
        ]
        return _data(found, "ISPSTACK")

    def _price_row(self, row: Mapping[Any, Any]) -> dict[str, object]:
        price = float(row["system_price_gbp_mwh"])
        published = _known(row, "published_utc")
        known = {
            "settlementDate": row["settlement_date"].isoformat(),
            "settlementPeriod": int(row["settlement_period"]),
            "startTime": _stamp(row["start_utc"]),
            **({} if published is None else {"createdDateTime": _stamp(published)}),
            "systemSellPrice": price,
            "systemBuyPrice": price,
            **({"bsadDefaulted": False} if self._simulated else {}),
            "priceDerivationCode": _known(row, "price_derivation_code"),
            "reserveScarcityPrice": None,
            "netImbalanceVolume": _known(row, "net_imbalance_volume_mwh"),
            "sellPriceAdjustment": None,
            "buyPriceAdjustment": None,
        }
        return known | dict.fromkeys(NULLABLE_FIELDS)

    def _index_rows(self, query: Query, *, capped: bool) -> list[dict[str, object]]:
        begin, end = self._window(query, capped=capped)
        rows = self._index[self._index["start_utc"].between(begin, end)]
        asked = set(query.get("dataProviders", []))
        answer = []
        for row in rows.to_dict("records"):
            if not asked or "APXMIDP" in asked:
                answer.append(_index_row(row, "APXMIDP"))
            if self._simulated and (not asked or "N2EXMIDP" in asked):
                answer.append(_index_row(row, "N2EXMIDP"))
        return answer

    def _mid_rows(self, query: Query, *, capped: bool) -> list[dict[str, object]]:
        rows = self._index_rows(query, capped=capped)
        return [{"dataset": "MID", **row} for row in reversed(rows)]

    def _window(self, query: Query, *, capped: bool) -> tuple[datetime, datetime]:
        """Both ends included. A dataset asked without from and to gives its latest day, as at Elexon."""
        texts = first(query, "from"), first(query, "to")
        if not any(texts) and "settlementPeriodFrom" not in query and not self._index.empty:
            latest = self._index["start_utc"].iloc[-1].to_pydatetime()
            return latest - timedelta(days=1) + timedelta(minutes=30), latest
        begin, end = (_instant(text) for text in texts)
        if begin > end:
            raise _BadRequestError({"": [REVERSED]})
        if capped and end - begin > RANGE_CAP:
            raise _BadRequestError({"": [TOO_LONG]})
        if "settlementPeriodFrom" in query or "settlementPeriodTo" in query:
            return self._period_window(query, begin.date(), end.date())
        return begin, end

    def _period_window(self, query: Query, first_day: date, last_day: date) -> tuple[datetime, datetime]:
        """With a settlement period in the request, from and to count as settlement dates only."""
        low, high = first(query, "settlementPeriodFrom") or "1", first(query, "settlementPeriodTo") or "50"
        if not (low.isdecimal() and high.isdecimal()):
            raise _BadRequestError({"settlementPeriodFrom": ["The value is not valid."]})
        half_hour = timedelta(minutes=30)
        begin, _ = settlement_day_bounds_utc(first_day)
        last_begin, last_end = settlement_day_bounds_utc(last_day)
        end = min(last_begin + int(high) * half_hour, last_end) - half_hour
        return begin + (int(low) - 1) * half_hour, end


def _index_row(row: Mapping[Any, Any], provider: str) -> dict[str, object]:
    traded = provider == "APXMIDP"
    volume = _known(row, "market_index_volume_mwh") if traded else 0.0
    return {
        "startTime": _stamp(row["start_utc"]),
        "dataProvider": provider,
        "settlementDate": row["settlement_date"].isoformat(),
        "settlementPeriod": int(row["settlement_period"]),
        "price": float(row["market_index_price_gbp_mwh"]) if traded else 0.0,
        "volume": volume,
    }


def _data(rows: list[dict[str, object]], dataset: str) -> Reply:
    return json_reply({"metadata": {"datasets": [dataset]}, "data": rows})


def _problem(errors: Mapping[str, list[str]]) -> Reply:
    body = {
        "type": "https://tools.ietf.org/html/rfc9110#section-15.5.1",
        "title": "One or more validation errors occurred.",
        "status": 400,
        "errors": errors,
        "traceId": TRACE_ID,
    }
    return json_reply(body, status=400, content_type=PROBLEM_JSON)


def _known(row: Mapping[Any, Any], column: str) -> Any:
    value = row.get(column)
    return None if value is None or value is pd.NaT or value != value else value  # NaN differs from itself


def _stamp(instant: pd.Timestamp) -> str:
    return f"{instant.replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def _date(text: str, name: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        pass
    raise _BadRequestError({name: [f"The value '{text}' is not valid."]})


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        pass
    else:
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    raise _BadRequestError({"": [UNREADABLE]})
