"""ENTSO-E's documents made odd or hostile on request, from the honest publication document.

What belongs here: what auctions, resolutions, curves and XML itself can look like in an A44 answer (domain
reference, section 3). What does not: the honest document (`wire_entsoe.py`) and other answers (`rewrites.py`).

An answer that is no publication document stays as it is, acknowledgements excepted.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from xml.etree.ElementTree import Element, SubElement, tostring

from defusedxml.ElementTree import fromstring

from bess_pipeline.sample_market.reply import Reply
from bess_pipeline.sample_market.wire_entsoe import XML, no_matching_data

_SEQUENCE = "classificationSequence_AttributeInstanceComponent.position"
_BOMB = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">'
    + "".join(f'<!ENTITY lol{n} "{f"&lol{n - 1 if n > 1 else str()};" * 10}">' for n in range(1, 10))
    + "]><Publication_MarketDocument>&lol9;</Publication_MarketDocument>"
)


def acknowledge(reply: Reply, value: str) -> Reply:
    """Reason 999, "no matching data", with HTTP status `value`."""
    return replace(no_matching_data("10YGB----------A", "10YGB----------A", "", ""), status=int(value or "200"))


def other_sequence(reply: Reply, value: str) -> Reply:
    """All series of auction sequence `value`."""

    def change(series: Element) -> None:
        found = series.find(f"{{*}}{_SEQUENCE}")
        if found is None:
            found = Element(_named(series, _SEQUENCE))
            series.insert(0, found)
        found.text = value

    return _with_series(reply, change)


def quarter_hours(reply: Reply, value: str) -> Reply:
    """Periods in quarter-hours from their middle on: an hour at p becomes p-3, p-1, p+1, p+3."""

    def change(series: Element) -> None:
        for period in series.findall("{*}Period"):
            points = period.findall("{*}Point")
            kept = len(points) // 2
            late = copy.deepcopy(period)
            _cut(period, late, kept)
            for point in points[kept:]:
                period.remove(point)
            _refine(late, kept)
            series.append(late)

    return _with_series(reply, change)


def omit_points(reply: Reply, value: str) -> Reply:
    """Curve A03: hours 5 and 6 of every period cost as much as hour 4 and are left out."""

    def change(series: Element) -> None:
        _one(series, "{*}curveType").text = "A03"
        for period in series.findall("{*}Period"):
            for point in period.findall("{*}Point")[4:6]:
                period.remove(point)

    return _with_series(reply, change)


def repeat_series(reply: Reply, value: str) -> Reply:
    """Every series twice."""
    return _with_root(reply, lambda root: root.extend([copy.deepcopy(series) for series in _series(root)]))


def contradict_series(reply: Reply, value: str) -> Reply:
    """Every series twice, the second time dearer by `value`."""

    def change(root: Element) -> None:
        for series in _series(root):
            again = copy.deepcopy(series)
            for price in again.iterfind("{*}Period/{*}Point/{*}price.amount"):
                price.text = repr(float(price.text or "nan") + float(value or "1"))
            root.append(again)

    return _with_root(reply, change)


def point_price(reply: Reply, value: str) -> Reply:
    """`value` as the price of the tenth point."""

    def change(series: Element) -> None:
        series.findall("{*}Period/{*}Point/{*}price.amount")[:10][-1].text = value

    return _with_series(reply, change)


def entity_bomb(reply: Reply, value: str) -> Reply:
    """A document whose entities would grow to three thousand million letters."""
    return Reply(_BOMB.encode(), XML)


def external_entity(reply: Reply, value: str) -> Reply:
    """A document that asks its reader to put the file `value` into it."""
    document = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY file SYSTEM "{value}">]>'
    return Reply(f"{document}<Publication_MarketDocument>&file;</Publication_MarketDocument>".encode(), XML)


def malformed(reply: Reply, value: str) -> Reply:
    """A document whose last element is never closed."""
    return Reply(b"".join(reply.chunks()).rstrip().rpartition(b"<")[0], reply.content_type)


def _with_root(reply: Reply, change: Callable[[Element], None]) -> Reply:
    body = b"".join(reply.chunks())
    if b"Publication_MarketDocument" not in body:
        return reply
    root = fromstring(body)
    change(root)
    return replace(reply, body=tostring(root, encoding="utf-8", xml_declaration=True))


def _with_series(reply: Reply, change: Callable[[Element], None]) -> Reply:
    def change_all(root: Element) -> None:
        for series in _series(root):
            change(series)

    return _with_root(reply, change_all)


def _series(root: Element) -> list[Element]:
    return root.findall("{*}TimeSeries")


def _one(parent: Element, path: str) -> Element:
    found = parent.find(path)
    if found is None:
        raise LookupError(path)
    return found


def _named(like: Element, name: str) -> str:
    """`name` in the namespace of an element."""
    return f"{like.tag.partition('}')[0]}}}{name}"


def _cut(period: Element, late: Element, hours: int) -> None:
    """End one period and begin the other `hours` after the start of both."""
    middle = datetime.fromisoformat(_one(period, "{*}timeInterval/{*}start").text or "") + timedelta(hours=hours)
    for edge in (_one(period, "{*}timeInterval/{*}end"), _one(late, "{*}timeInterval/{*}start")):
        edge.text = middle.strftime("%Y-%m-%dT%H:%MZ")


def _refine(period: Element, first: int) -> None:
    """The points of an hourly period after its first ones, as quarter-hours."""
    _one(period, "{*}resolution").text = "PT15M"
    points = period.findall("{*}Point")
    prices = [float(point.findtext("{*}price.amount") or "nan") for point in points]
    for point in points:
        period.remove(point)
    quarters = [price + step for price in prices[first:] for step in (-3, -1, 1, 3)]
    for position, price in enumerate(quarters, start=1):
        point = SubElement(period, _named(period, "Point"))
        SubElement(point, _named(period, "position")).text = str(position)
        SubElement(point, _named(period, "price.amount")).text = repr(price)
