"""ENTSO-E's transparency API as the sample market speaks it: "no data", in ENTSO-E's own words.

What belongs here: the acknowledgement document and the answers to bad requests. What does not:
prices. Great Britain left the coupled day-ahead market on 1 January 2021 and the platform answers
reason 999 for it (domain reference, section 3.1); the sample market invents no other zone.
"""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5
from xml.sax.saxutils import escape

from bess_pipeline.sample_market.reply import Query, Reply, first

XML = "text/xml"
REASON = "999"
REQUIRED = ("documentType", "in_Domain", "out_Domain", "periodStart", "periodEnd")
DATA_ITEMS = {"A44": "ENERGY_PRICES [12.1.D]"}
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


def entsoe_reply(query: Query, now: datetime) -> Reply:
    """HTTP 401 without a token, 400 for a request that cannot be read, otherwise "no matching data" with 200."""
    if not first(query, "securityToken").strip():
        return Reply(_document("Unauthorized. Missing or invalid security token.", now), XML, 401)
    missing = [name for name in REQUIRED if not first(query, name)]
    if missing:
        return Reply(_document(f"The mandatory parameter {missing[0]} is missing.", now), XML, 400)
    try:
        begin, end = (_interval_end(first(query, name)) for name in ("periodStart", "periodEnd"))
    except ValueError:
        return Reply(_document("The period cannot be read: it must be given as yyyyMMddHHmm.", now), XML, 400)
    kind = first(query, "documentType")
    item = DATA_ITEMS.get(kind, f"{kind}")
    zones = f"{first(query, 'in_Domain')}, {first(query, 'out_Domain')}"
    text = f"No matching data found for Data item {item} ({zones}) and interval {begin}/{end}."
    return Reply(_document(text, now), XML)


def _interval_end(text: str) -> str:
    return datetime.strptime(text, "%Y%m%d%H%M").replace(tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _document(text: str, now: datetime) -> bytes:
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    mrid = str(uuid5(NAMESPACE_URL, text + stamp))[:15]
    return _TEMPLATE.format(mrid=mrid, now=stamp, code=REASON, text=escape(text)).encode()
