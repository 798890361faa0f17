"""ENTSO-E's transparency API as the sample market speaks it: GB day-ahead prices up to 2020, else "no data".

What belongs here: the publication and the acknowledgement document and the answers to bad requests. What
does not: documents that are odd (`rewrites_entsoe.py`). Great Britain left the coupled day-ahead market on
1 January 2021 and the platform answers reason 999 for it since (domain reference, section 3.1): only tables
that reach back to 2020 have prices here, and no other zone is invented.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from uuid import NAMESPACE_URL, uuid5
from xml.sax.saxutils import escape

import pandas as pd

from bess_pipeline.gb_time import days_between, efa_date_of, efa_day_bounds_utc
from bess_pipeline.sample_market.reply import Query, Reply, first

XML = "text/xml"
REASON = "999"
REQUIRED = ("documentType", "in_Domain", "out_Domain", "periodStart", "periodEnd")
DATA_ITEMS = {"A44": "ENERGY_PRICES [12.1.D]"}
GB_ZONE = "10YGB----------A"
GB_LAST_DAY = date(2020, 12, 31)
_HOUR = timedelta(hours=1)
_TEMPLATE = """<?xml version="1.0" encoding="UTF-8"?>
<Acknowledgement_MarketDocument
\txmlns="urn:iec62325.351:tc57wg16:451-1:acknowledgementdocument:7:0">
\t<mRID>{mrid}</mRID>
\t<createdDateTime>{now}</createdDateTime>
\t<sender_MarketParticipant.mRID codingScheme="A01">10X1001A1001A450</sender_MarketParticipant.mRID>
\t<sender_MarketParticipant.marketRole.type>A32</sender_MarketParticipant.marketRole.type>
\t<receiver_MarketParticipant.mRID codingScheme="A01">10X1001A1001A450</receiver_MarketParticipant.mRID>
\t<receiver_MarketParticipant.marketRole.type>A39</receiver_MarketParticipant.marketRole.type>
\t<received_MarketDocument.createdDateTime>{now}</received_MarketDocument.createdDateTime>
\t<Reason>
\t\t<code>{code}</code>
\t\t<text>{text}</text>
\t</Reason>
</Acknowledgement_MarketDocument>
"""
_PUBLICATION = """<?xml version="1.0" encoding="UTF-8"?>
<Publication_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-3:publicationdocument:7:3">
<mRID>{mrid}</mRID><revisionNumber>1</revisionNumber><type>A44</type>
<createdDateTime>{now}</createdDateTime>
<period.timeInterval><start>{begin}</start><end>{end}</end></period.timeInterval>
{series}
</Publication_MarketDocument>
"""
_SERIES = """<TimeSeries>
<mRID>{number}</mRID><auction.type>A01</auction.type><businessType>A62</businessType>
<in_Domain.mRID codingScheme="A01">{zone}</in_Domain.mRID><out_Domain.mRID codingScheme="A01">{zone}</out_Domain.mRID>
<contract_MarketAgreement.type>A01</contract_MarketAgreement.type>
<currency_Unit.name>GBP</currency_Unit.name><price_Measure_Unit.name>MWH</price_Measure_Unit.name>
<curveType>A01</curveType>
<Period><timeInterval><start>{begin}</start><end>{end}</end></timeInterval><resolution>PT60M</resolution>
{points}
</Period>
</TimeSeries>"""
_POINT = "<Point><position>{position}</position><price.amount>{price}</price.amount></Point>"


def entsoe_reply(query: Query, now: datetime, day_ahead: pd.DataFrame | None = None) -> Reply:
    """HTTP 401 without a token, 400 for a request that cannot be read; else prices, or "no matching data" with 200.

    `day_ahead` has the columns start_utc (hours) and day_ahead_price_gbp_mwh.
    """
    if not first(query, "securityToken").strip():
        return Reply(_document("Unauthorized. Missing or invalid security token.", now), XML, 401)
    missing = [name for name in REQUIRED if not first(query, name)]
    if missing:
        return Reply(_document(f"The mandatory parameter {missing[0]} is missing.", now), XML, 400)
    try:
        begin, end = (_instant(first(query, name)) for name in ("periodStart", "periodEnd"))
    except ValueError:
        return Reply(_document("The period cannot be read: it must be given as yyyyMMddHHmm.", now), XML, 400)
    kind, zones = first(query, "documentType"), (first(query, "in_Domain"), first(query, "out_Domain"))
    if kind == "A44" and zones == (GB_ZONE, GB_ZONE) and day_ahead is not None and begin < end:
        days = [day for day in days_between(efa_date_of(begin), efa_date_of(end - _HOUR)) if day <= GB_LAST_DAY]
        series = [text for day in days for text in _series(day_ahead, day)]
        if series:
            return Reply(_publication(series, begin, end, now), XML)
    return no_matching_data(*zones, _seconds(begin), _seconds(end), kind, now)


def no_matching_data(
    in_zone: str,
    out_zone: str,
    begin: str,
    end: str,
    kind: str = "A44",
    now: datetime = datetime(2026, 4, 12, tzinfo=UTC),
) -> Reply:
    """The acknowledgement of a request that has no data."""
    item = DATA_ITEMS.get(kind, kind)
    text = f"No matching data found for Data item {item} ({in_zone}, {out_zone}) and interval {begin}/{end}."
    return Reply(_document(text, now), XML)


def _publication(series: list[str], begin: datetime, end: datetime, now: datetime) -> bytes:
    numbered = "\n".join(text.replace("{number}", str(n)) for n, text in enumerate(series, start=1))
    mrid = str(uuid5(NAMESPACE_URL, numbered)).replace("-", "")
    edges = {"begin": _minutes(begin), "end": _minutes(end)}
    return _PUBLICATION.format(mrid=mrid, now=_seconds(now), series=numbered, **edges).encode()


def _series(day_ahead: pd.DataFrame, day: date) -> list[str]:
    """The series of a market day (23:00 to 23:00 London), one for each unbroken run of hours."""
    start, end = efa_day_bounds_utc(day)
    rows = day_ahead[(day_ahead["start_utc"] >= start) & (day_ahead["start_utc"] < end)].sort_values("start_utc")
    hours = [stamp.to_pydatetime() for stamp in rows["start_utc"]]
    cuts = [n for n, (before, after) in enumerate(pairwise(hours), start=1) if after - before != _HOUR]
    runs = pairwise([0, *cuts, len(hours)]) if hours else []
    prices = rows["day_ahead_price_gbp_mwh"].tolist()
    return [_run(hours[first], prices[first:last]) for first, last in runs]


def _run(start: datetime, prices: list[float]) -> str:
    points = "\n".join(_POINT.format(position=n, price=price) for n, price in enumerate(prices, start=1))
    edges = {"begin": _minutes(start), "end": _minutes(start + len(prices) * _HOUR)}
    return _SERIES.format(number="{number}", zone=GB_ZONE, points=points, **edges)


def _instant(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%d%H%M").replace(tzinfo=UTC)


def _seconds(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def _minutes(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%MZ")


def _document(text: str, now: datetime) -> bytes:
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    mrid = str(uuid5(NAMESPACE_URL, text + stamp))[:15]
    return _TEMPLATE.format(mrid=mrid, now=stamp, code=REASON, text=escape(text)).encode()
