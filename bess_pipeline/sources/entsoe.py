"""ENTSO-E Transparency Platform: day-ahead prices (document A44).

What belongs here: the request, the publication document and the acknowledgement. What does not: the
GB day-ahead price after 2020, which ENTSO-E does not carry (`neso.py` has it), and HTTP (`http.py`).

Rules (domain reference 3): elements are matched by local name, so that versions 7:0 and 7:3 of the
document both read; curve A01 lists every position, in A03 an omitted position repeats the one
before inside its period; several auctions may overlap: sequence 1 or none is the coupled auction,
another one never stands in for it; "no data" is an acknowledgement document with status 200 or 400.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from xml.etree.ElementTree import Element, ParseError

import pandas as pd
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from pydantic import SecretStr

from bess_pipeline.errors import NotPublishedError, PayloadError, SourceError, UserInputError
from bess_pipeline.settings import ENTSOE_TOKEN_VARIABLE
from bess_pipeline.sources.http import Answer, HttpClient
from bess_pipeline.sources.pacing import ENTSOE_PACE
from bess_pipeline.sources.parsing import (
    REPEATS,
    half_hour_prices,
    instant,
    quoted,
    text_column,
    with_settlement_columns,
)
from bess_pipeline.sources.remarks import remark

GB_ZONE = "10YGB----------A"
GB_LAST_YEAR = 2020
RESOLUTIONS = {"PT15M": 15, "PT30M": 30, "PT60M": 60}
MAX_REQUEST = timedelta(days=365)
_MAX_PERIOD = timedelta(days=400)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_STATUSES = frozenset({200, 400})
_WHAT = "ENTSO-E day-ahead prices"
_FILLED = "half-hours filled from the position before (omitted in curve A03)"
_ACKNOWLEDGEMENT = "Acknowledgement_MarketDocument"
_SEQUENCE = "classificationSequence_AttributeInstanceComponent.position"
_INTERVAL = re.compile(r"interval (\d{4})-\S*?/(\d{4})-")


@dataclass(frozen=True)
class _Price:
    """One native interval; `rank` orders auctions of one resolution (explicit sequence 1 first)."""

    start_utc: datetime
    resolution_minutes: int
    rank: int
    currency: str
    price: float
    repeated: bool


def fetch_day_ahead(
    client: HttpClient, start_utc: datetime, end_utc: datetime, zone_eic: str, token: SecretStr | None
) -> list[Answer]:
    """Answers for whole market days that touch [start_utc, end_utc), at most a year each.

    Raises UserInputError without a token, NotPublishedError when ENTSO-E has no data for any part,
    PayloadError for any other acknowledgement; other errors as `HttpClient.get`.
    """
    if token is None or not token.get_secret_value():
        raise UserInputError(f"ENTSO-E needs a token: set the environment variable {ENTSOE_TOKEN_VARIABLE}")
    answers, nothing = [], None
    edges = [start_utc]
    while edges[-1] < end_utc:
        edges.append(min(edges[-1] + MAX_REQUEST, end_utc))
    for begin, end in pairwise(edges):
        answer = _ask(client, begin, end, zone_eic, token)
        refusal = _refusal(answer, zone_eic, end)
        if isinstance(refusal, NotPublishedError):
            nothing = refusal
        elif refusal is not None:
            raise refusal
        else:
            answers.append(answer)
    if nothing is not None and not answers:
        raise nothing
    return answers


def parse_prices(content: bytes) -> pd.DataFrame:
    """Half-hourly prices of any zone: columns start_utc, price, currency, resolution_minutes, repeated.

    `price` is per MWh of `currency`; quarter-hours become the mean of two, hours are repeated, and the
    finest resolution wins where several cover a half-hour; `repeated` marks half-hours that rest on a
    position omitted in curve A03, which is also remarked (`remarks.py`). Positions missing in curve A01 stay missing.

    Raises NotPublishedError for "no matching data" and when only another auction is there,
    PayloadError for anything that is not the documented form.
    """
    root = _root(content)
    acknowledgement = _acknowledgement(root)
    if acknowledgement is not None:
        raise acknowledgement
    if _name(root) != "Publication_MarketDocument":
        raise PayloadError(f"{_WHAT}: the answer is a {quoted(_name(root))}, not a Publication_MarketDocument")
    native = _preferred(_native_prices(root))
    halves = [_half_hours(native, minutes) for minutes in sorted(set(native["resolution_minutes"]))]
    frame = pd.concat(halves, ignore_index=True).drop_duplicates("start_utc", keep="first")
    if frame.empty:
        raise NotPublishedError(f"{_WHAT}: no half-hour is complete yet")
    frame = frame.sort_values("start_utc", kind="stable").reset_index(drop=True)
    remark(_FILLED, frame[frame["repeated"]])
    return frame


def parse_day_ahead(content: bytes) -> pd.DataFrame:
    """Rows of `market/day_ahead_price` (GBP/MWh); errors as `parse_prices`, and PayloadError for another currency."""
    prices = parse_prices(content)
    others = sorted(set(prices["currency"]) - {"GBP"})
    if others:
        raise PayloadError(f"{_WHAT} are in {', '.join(others)}, not GBP: check sources.entsoe_zone_eic")
    frame = prices[["start_utc", "price"]].rename(columns={"price": "day_ahead_price_gbp_mwh"})
    frame = with_settlement_columns(frame)
    return frame.assign(
        source=text_column(["entsoe"] * len(frame)), native_resolution_minutes=prices["resolution_minutes"]
    )


# --- request and acknowledgement ----------------------------------------------------------------


def _ask(client: HttpClient, start_utc: datetime, end_utc: datetime, zone_eic: str, token: SecretStr) -> Answer:
    params = {
        "documentType": "A44",
        "contract_MarketAgreement.type": "A01",
        "in_Domain": zone_eic,
        "out_Domain": zone_eic,
        "periodStart": f"{start_utc.astimezone(UTC):%Y%m%d%H%M}",
        "periodEnd": f"{end_utc.astimezone(UTC):%Y%m%d%H%M}",
    }
    return client.get(
        "entsoe",
        client.settings.entsoe_base_url,
        params,
        secret_params={"securityToken": token},
        accept_statuses=_STATUSES,
        pace=ENTSOE_PACE,
        denied_hint=f"check {ENTSOE_TOKEN_VARIABLE}",
    )


def _refusal(answer: Answer, zone_eic: str, end_utc: datetime) -> SourceError | None:
    """The error an answer stands for: an acknowledgement whatever its status, or a status 400."""
    if answer.status == 200 and _ACKNOWLEDGEMENT.encode() not in answer.content:
        return None
    last_year = (end_utc - timedelta(hours=2)).year  # a window may end at 23:00 or 00:00 of the next year's eve
    error = _acknowledgement(_root(answer.content), (zone_eic, last_year))
    if error is None and answer.status != 200:
        return PayloadError(f"{_WHAT}: ENTSO-E refused the request (HTTP {answer.status})")
    return error


def _acknowledgement(root: Element, asked: tuple[str, int] | None = None) -> SourceError | None:
    """The error of an acknowledgement document, else None; `asked` is (zone, last year) of the request."""
    if _name(root) != _ACKNOWLEDGEMENT:
        return None
    reason = next((child for child in root if _name(child) == "Reason"), root)
    code, text = _text(reason, "code"), _text(reason, "text")
    if code != "999" or "no matching data" not in text.lower():
        return PayloadError(f"{_WHAT}: ENTSO-E refused the request (reason {quoted(code)}): {quoted(text)}")
    interval = _INTERVAL.search(text)
    zone, year = asked or (GB_ZONE if GB_ZONE in text else "", int(interval[2]) if interval else 0)
    if zone == GB_ZONE and year > GB_LAST_YEAR:
        return NotPublishedError(
            f"{_WHAT}: ENTSO-E carries no GB day-ahead price after {GB_LAST_YEAR}: "
            'set [sources] day_ahead = "neso_n2ex" for the GB price'
        )
    return NotPublishedError(f"{_WHAT}: {quoted(text)}")


# --- publication document -------------------------------------------------------------------------


def _native_prices(root: Element) -> list[_Price]:
    """Prices of all day-ahead series that belong to the coupled auction."""
    series = [s for s in root if _name(s) == "TimeSeries" and _text(s, "contract_MarketAgreement.type") in ("", "A01")]
    wanted = [s for s in series if _text(s, _SEQUENCE) in ("", "1")]
    if not wanted:
        others = ", ".join(sorted({quoted(_text(s, _SEQUENCE)) for s in series}))
        found = f"only auction sequence {others}" if others else "no day-ahead price"
        raise NotPublishedError(f"{_WHAT}: {found} is there, the coupled auction is not published yet")
    return [price for one in wanted for period in one if _name(period) == "Period" for price in _period(one, period)]


def _period(series: Element, period: Element) -> Iterator[_Price]:
    minutes = RESOLUTIONS.get(_text(period, "resolution"))
    interval = next((child for child in period if _name(child) == "timeInterval"), period)
    ends = {name: _text(interval, name) for name in ("start", "end")}
    start, end = (instant(ends, name, _WHAT) for name in ("start", "end"))
    currency, unit, curve = (_text(series, n) for n in ("currency_Unit.name", "price_Measure_Unit.name", "curveType"))
    if minutes is None:
        raise PayloadError(f"{_WHAT}: unknown resolution {quoted(_text(period, 'resolution'))}")
    step = timedelta(minutes=minutes)
    if not timedelta(0) < end - start <= _MAX_PERIOD or (end - start) % step or (start - _EPOCH) % step:
        raise PayloadError(f"{_WHAT}: the period {ends['start']} to {ends['end']} does not fit steps of {minutes} min")
    if not currency or unit not in ("", "MWH") or curve not in ("", "A01", "A03"):
        raise PayloadError(
            f"{_WHAT}: unknown form: currency {quoted(currency)}, unit {quoted(unit)}, curve type {quoted(curve)}"
        )
    rank = 0 if _text(series, _SEQUENCE) == "1" else 1
    points, times = _points(period, (end - start) // step)
    last = math.nan
    for position in range(1, (end - start) // step + 1):
        omitted = position not in points
        last = points.get(position, last if curve == "A03" else math.nan)
        if not math.isnan(last):
            for _ in range(max(times[position], 1)):
                yield _Price(start + (position - 1) * step, minutes, rank, currency, last, omitted)


def _points(period: Element, count: int) -> tuple[dict[int, float], Counter[int]]:
    """Price of each position that is there, and how many times it is."""
    points: dict[int, float] = {}
    times: Counter[int] = Counter()
    for point in period:
        if _name(point) != "Point":
            continue
        position_text, price_text = _text(point, "position"), _text(point, "price.amount")
        try:
            position, price = int(position_text), float(price_text)
        except ValueError:
            position, price = 0, math.nan
        if not 1 <= position <= count or not math.isfinite(price):
            found = f"position {quoted(position_text)} of {count}, price {quoted(price_text)}"
            raise PayloadError(f"{_WHAT}: a point is out of form: {found}")
        if points.setdefault(position, price) != price:
            raise PayloadError(f"{_WHAT}: position {position} has two prices, {points[position]:g} and {price:g}")
        times[position] += 1
    if not points:
        raise PayloadError(f"{_WHAT}: a period has no point")
    return points, times


def _preferred(prices: list[_Price]) -> pd.DataFrame:
    """One price per start and resolution: exact repeats dropped, explicit sequence 1 before none."""
    if not prices:
        raise NotPublishedError(f"{_WHAT}: the document holds no price yet")
    chosen: dict[tuple[datetime, int, int], _Price] = {}
    repeats: list[_Price] = []
    for price in prices:
        known = chosen.setdefault((price.start_utc, price.resolution_minutes, price.rank), price)
        if known is not price:
            repeats.append(price)
        if (known.price, known.currency) != (price.price, price.currency):
            raise PayloadError(
                f"{_WHAT}: {price.start_utc:%Y-%m-%dT%H:%MZ} has two prices of one auction, "
                f"{known.price:g} {known.currency} and {price.price:g} {price.currency}"
            )
    remark(REPEATS, pd.DataFrame(repeats))
    frame = pd.DataFrame(list(chosen.values()))
    frame = frame.sort_values(["start_utc", "resolution_minutes", "rank"], kind="stable")
    return frame.drop_duplicates(["start_utc", "resolution_minutes"], keep="first").reset_index(drop=True)


def _half_hours(native: pd.DataFrame, minutes: int) -> pd.DataFrame:
    """Half-hours of one resolution, with currency and whether a repeated position stands behind them."""
    part = native[native["resolution_minutes"] == minutes].reset_index(drop=True)
    frame = half_hour_prices(pd.DatetimeIndex(part["start_utc"]), part["price"].to_numpy(), minutes)
    floor = frame["start_utc"].dt.floor("60min") if minutes == 60 else frame["start_utc"]
    key = part["start_utc"].dt.floor(f"{max(minutes, 30)}min")
    traits = part.assign(key=key).groupby("key").agg(currency=("currency", "first"), repeated=("repeated", "any"))
    joined = traits.reindex(pd.DatetimeIndex(floor)).reset_index(drop=True)
    return frame.assign(currency=joined["currency"], resolution_minutes=minutes, repeated=joined["repeated"])


# --- XML ----------------------------------------------------------------------------------------------


def _root(content: bytes) -> Element:
    """Root element; entities and document types are refused (they can read files or grow without end)."""
    if not content.strip():
        raise NotPublishedError(f"{_WHAT}: the answer is empty")
    try:
        root: Element = fromstring(content.strip(), forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        pass
    else:
        return root
    raise PayloadError(f"{_WHAT}: the answer is not whole XML, or holds a document type, which is refused")


def _name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _text(element: Element, name: str) -> str:
    """Text of the first child of that local name, or an empty text."""
    return next(((child.text or "").strip() for child in element if _name(child) == name), "")
