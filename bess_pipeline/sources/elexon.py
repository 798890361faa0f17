"""Elexon Insights: imbalance (system) prices and the within-day market index.

What belongs here: requests and answers of `data.elexon.co.uk`. What does not: completeness of a
day (`ingestion/datasets.py`) and HTTP itself (`http.py`).

Rules (Elexon Insights OpenAPI document; domain reference 2): time stamps are UTC; a single price
since P305 (5 November 2015), so that sell and buy price must agree; `createdDateTime` is a version
key; rows of another window may be returned in silence, so every row is checked against its date.
Market index: at most seven days a request, both ends included on `startTime`; price 0 with volume
0 is a placeholder; only APXMIDP carries prices.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import pandas as pd

from bess_pipeline.errors import NotPublishedError, PayloadError
from bess_pipeline.gb_time import (
    HALF_HOUR,
    days_between,
    period_start_utc,
    periods_in_day,
    settlement_day_bounds_utc,
)
from bess_pipeline.sources.http import Answer, HttpClient
from bess_pipeline.sources.pacing import ELEXON_PACE
from bess_pipeline.sources.parsing import (
    calendar_date,
    field,
    instant,
    load_json,
    number,
    optional_number,
    quoted,
    rows_of,
    text,
    text_column,
    utc_column,
    utc_text,
    whole_number,
    without_repeats,
)

MARKET_INDEX_PROVIDER = "APXMIDP"
MARKET_INDEX_CHUNK_DAYS = 6  # the cap is 7 days; 6 stay below it on the 25-hour day too
_STATUSES = frozenset({200, 400})  # 400 carries a problem document that says what was wrong
_SYSTEM_PRICES = "Elexon system prices"
_MARKET_INDEX = "Elexon market index"


def fetch_system_prices(client: HttpClient, day: date) -> list[Answer]:
    """The one answer of a settlement date; errors as `HttpClient.get`, and PayloadError for a refused request."""
    url = f"{base_url(client)}/balancing/settlement/system-prices/{day.isoformat()}"
    return [get_json(client, url, {"format": "json"}, f"{_SYSTEM_PRICES} of {day}")]


def fetch_market_index(client: HttpClient, first: date, last: date) -> list[Answer]:
    """Answers for the settlement dates `first` to `last`, both included, at most six days each.

    Each chunk asks up to half an hour before its end, because the end is included: no half-hour is
    asked for twice or left out.
    """
    days = days_between(first, last)
    chunks = [days[n : n + MARKET_INDEX_CHUNK_DAYS] for n in range(0, len(days), MARKET_INDEX_CHUNK_DAYS)]
    return [_fetch_market_index_chunk(client, chunk[0], chunk[-1]) for chunk in chunks]


def _fetch_market_index_chunk(client: HttpClient, first: date, last: date) -> Answer:
    params = {
        "from": utc_text(settlement_day_bounds_utc(first)[0]),
        "to": utc_text(settlement_day_bounds_utc(last)[1] - HALF_HOUR),
        "dataProviders": MARKET_INDEX_PROVIDER,
        "format": "json",
    }
    url = f"{base_url(client)}/balancing/pricing/market-index"
    return get_json(client, url, params, f"{_MARKET_INDEX} of {first} to {last}")


def parse_system_prices(content: bytes, expected_day: date | None = None) -> pd.DataFrame:
    """Rows of `market/system_price` from one answer (GBP/MWh, MWh), newest version of each period.

    Raises NotPublishedError when there is no row, PayloadError when a row is of another date than
    `expected_day`, its start is not that of its period, sell and buy price differ, or two rows of
    one version disagree.
    """
    versions = parse_system_price_versions(content)
    other = sorted(set(versions["settlement_date"]) - {expected_day}) if expected_day else []
    if other:
        raise PayloadError(f"{_SYSTEM_PRICES}: asked for {expected_day}, answered with rows of {other[0]}")
    return versions.drop_duplicates("start_utc", keep="last").reset_index(drop=True)


def parse_system_price_versions(content: bytes) -> pd.DataFrame:
    """As `parse_system_prices`, with every version in the answer, the newest of a period last."""
    rows = [_system_price(row) for row in published_rows(content, _SYSTEM_PRICES)]
    frame = pd.DataFrame(rows)
    for name in ("start_utc", "published_utc"):
        frame[name] = utc_column([row[name] for row in rows])
    frame["price_derivation_code"] = text_column([row["price_derivation_code"] for row in rows])
    versions = without_repeats(frame, ["start_utc", "published_utc"], _SYSTEM_PRICES)
    ordered = versions.sort_values(["start_utc", "published_utc"], kind="stable", na_position="first")
    return ordered.reset_index(drop=True)


def _system_price(row: Mapping[str, object]) -> dict[str, Any]:
    sell, buy = (number(row, name, _SYSTEM_PRICES) for name in ("systemSellPrice", "systemBuyPrice"))
    day, period, start = settlement_period(row, _SYSTEM_PRICES)
    if sell != buy:
        raise PayloadError(
            f"{_SYSTEM_PRICES}: {day} period {period} has sell price {sell:g} and buy price {buy:g}, "
            "which have been one price since 5 November 2015"
        )
    created = row.get("createdDateTime")
    return {
        "settlement_date": day,
        "settlement_period": period,
        "start_utc": start,
        "system_price_gbp_mwh": sell,
        "net_imbalance_volume_mwh": _nullable(row, "netImbalanceVolume", _SYSTEM_PRICES),
        "price_derivation_code": row.get("priceDerivationCode"),
        "published_utc": None if created is None else instant(row, "createdDateTime", _SYSTEM_PRICES),
    }


def parse_market_index(content: bytes, window: tuple[datetime, datetime] | None = None) -> pd.DataFrame:
    """Rows of `market/market_index_price` (GBP/MWh, MWh), from `{"data": […]}` or a bare array.

    Only APXMIDP; price 0 with volume 0 is a placeholder and dropped, price 0 with volume is not.
    Raises NotPublishedError when no priced row is left, PayloadError when a start does not agree with
    its period, lies outside `window` (half-open) or two rows of one period disagree.
    """
    published = published_rows(content, _MARKET_INDEX)
    used = [row for row in published if text(row, "dataProvider", _MARKET_INDEX) == MARKET_INDEX_PROVIDER]
    rows = [row for row in (_market_index(row) for row in used) if not _is_placeholder(row)]
    if not rows:
        raise NotPublishedError(f"{_MARKET_INDEX}: {MARKET_INDEX_PROVIDER} has no price yet for what was asked")
    frame = pd.DataFrame(rows)
    frame["start_utc"] = utc_column(frame["start_utc"].tolist())
    if window and not frame["start_utc"].between(window[0], window[1], inclusive="left").all():
        asked = f"{utc_text(window[0])} to {utc_text(window[1])}"
        raise PayloadError(f"{_MARKET_INDEX}: asked for {asked}, answered with other times")
    return without_repeats(frame, ["settlement_date", "settlement_period"], _MARKET_INDEX)


def _market_index(row: Mapping[str, object]) -> dict[str, Any]:
    day, period, start = settlement_period(row, _MARKET_INDEX)
    return {
        "settlement_date": day,
        "settlement_period": period,
        "start_utc": start,
        "market_index_price_gbp_mwh": number(row, "price", _MARKET_INDEX),
        "market_index_volume_mwh": _nullable(row, "volume", _MARKET_INDEX),
    }


def _nullable(row: Mapping[str, object], name: str, what: str) -> float:
    """A number that may be null; a row without the field at all is refused, because it was renamed or dropped."""
    field(row, name, what)
    return optional_number(row, name, what)


def _is_placeholder(row: Mapping[str, Any]) -> bool:
    return row["market_index_price_gbp_mwh"] == 0 and row["market_index_volume_mwh"] == 0


def settlement_period(row: Mapping[str, object], what: str) -> tuple[date, int, datetime]:
    """Settlement date, period and start of a row; PayloadError when they do not belong together."""
    day, period = calendar_date(row, "settlementDate", what), whole_number(row, "settlementPeriod", what)
    start = instant(row, "startTime", what)
    if not 1 <= period <= periods_in_day(day):
        raise PayloadError(f"{what}: {day} has periods 1 to {periods_in_day(day)}, the answer has {period}")
    expected = period_start_utc(day, period)
    if start != expected:
        found = f"the answer says {utc_text(start)}"
        raise PayloadError(f"{what}: {day} period {period} starts at {utc_text(expected)}, {found}")
    return day, period, start


def published_rows(content: bytes, what: str) -> list[Mapping[str, object]]:
    """The rows of an answer, `{"data": […]}` or a bare array; NotPublishedError without any."""
    body = load_json(content, what)
    if isinstance(body, dict):
        if "errors" in body:
            raise PayloadError(f"{what}: Elexon refused the request: {_problems(body['errors'])}")
        body = field(body, "data", what)
    return rows_of(body, what)


def _problems(errors: object) -> str:
    groups = errors.values() if isinstance(errors, dict) else [errors]
    texts = [str(one) for group in groups for one in (group if isinstance(group, list) else [group])]
    return quoted("; ".join(texts))


def get_json(client: HttpClient, url: str, params: Mapping[str, str], what: str) -> Answer:
    """One answer of Elexon, paced; PayloadError when it refuses the request."""
    answer = client.get("elexon", url, params, accept_statuses=_STATUSES, pace=ELEXON_PACE)
    if answer.status == 400:
        published_rows(answer.content, what)
        raise PayloadError(f"{what}: Elexon refused the request (HTTP 400)")
    return answer


def base_url(client: HttpClient) -> str:
    """Elexon\'s address of the settings, without a trailing slash."""
    return client.settings.elexon_base_url.rstrip("/")
