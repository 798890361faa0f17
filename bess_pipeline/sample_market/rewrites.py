"""Honest answers made wrong on request: rows, columns, bytes and catalogues as they go wrong in the wild.

What belongs here: one function per way in which an answer can be wrong although it arrives whole, and
their names. What does not: when a fault strikes (`faults.py`), faults of the connection (`server.py`) and
ENTSO-E's documents (`rewrites_entsoe.py`).

A rewrite takes the true reply and a text `value`, and changes the middle row where it changes one row.
An answer that is not of the form it means stays as it is.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bess_pipeline.sample_market import rewrites_entsoe as entsoe
from bess_pipeline.sample_market.reply import Reply

Row = dict[str, Any]
Rewrite = Callable[[Reply, str], Reply]
PRICES = ("systemSellPrice", "systemBuyPrice", "price", "clearingPrice", "Clearing Price", "Price")
_HALF_HOUR = timedelta(minutes=30)
_PIECE = b" " * 65_536


# --- rows -----------------------------------------------------------------------------------------


def repeat_row(reply: Reply, value: str) -> Reply:
    """An exact duplicate of the middle row at the end."""
    return _with_rows(reply, lambda rows: [*rows, dict(_middle(rows))])


def contradict_row(reply: Reply, value: str) -> Reply:
    """The middle row once more, with its price higher by `value` (1 by default)."""
    return _with_rows(reply, lambda rows: [*rows, _dearer(_middle(rows), value or "1")])


def insert_row(reply: Reply, value: str) -> Reply:
    """One more row: the JSON object `value`."""
    return _with_rows(reply, lambda rows: [*rows, json.loads(value)])


def drop_row(reply: Reply, value: str) -> Reply:
    """All rows but the middle one."""
    return _with_rows(reply, lambda rows: [row for row in rows if row is not _middle(rows)])


def set_price(reply: Reply, value: str) -> Reply:
    """The middle row at the price `value`: a number (NaN and Infinity too), or any text."""
    return _with_rows(reply, lambda rows: [_priced(row, value) if row is _middle(rows) else row for row in rows])


def revise(reply: Reply, value: str) -> Reply:
    """The middle row dearer by `value` and, where rows say so, published a day later."""

    def change(row: Row) -> Row:
        created = row.get("createdDateTime")
        later = {} if created is None else {"createdDateTime": _moved(str(created), timedelta(days=1))}
        return _dearer(row, value) | later

    return _with_rows(reply, lambda rows: [change(row) if row is _middle(rows) else row for row in rows])


def cap(reply: Reply, value: str) -> Reply:
    """The first `value` rows alone, without a word (CKAN would say `records_truncated`)."""
    return _with_rows(reply, lambda rows: rows[: int(value)])


def miscount(reply: Reply, value: str) -> Reply:
    """A `total` that is off by `value`."""

    def change(row: Row) -> Row:
        return row | {"total": str(int(row["total"]) + int(value))} if "total" in row else row

    return _with_rows(reply, lambda rows: [change(row) for row in rows])


def no_clock_change(reply: Reply, value: str) -> Reply:
    """A day as if no clock had changed: 48 half-hours from its first one, response windows of four hours."""

    def change(rows: list[Row]) -> list[Row]:
        if "deliveryEnd" in rows[0]:
            return _blocks_of_four_hours(rows)
        return _of_48(rows) if "startTime" in rows[0] else rows

    return _with_rows(reply, change)


# --- columns --------------------------------------------------------------------------------------


def add_column(reply: Reply, value: str) -> Reply:
    """A new column `value` in every row."""
    return _with_rows(reply, lambda rows: [row | {value: "new"} for row in rows])


def rename_column(reply: Reply, value: str) -> Reply:
    """Column `old:new` under its new name."""
    old, _, new = value.partition(":")
    return _with_rows(reply, lambda rows: [{new if name == old else name: row[name] for name in row} for row in rows])


def reverse_columns(reply: Reply, value: str) -> Reply:
    """All columns in reverse order."""
    return _with_rows(reply, lambda rows: [dict(reversed(row.items())) for row in rows])


def retype_column(reply: Reply, value: str) -> Reply:
    """Column `value` as a list of what it was."""
    return _with_rows(reply, lambda rows: [row | {value: [row.get(value)]} for row in rows])


def null_column(reply: Reply, value: str) -> Reply:
    """Columns `a,b` null in every row."""
    return _with_rows(reply, lambda rows: [row | dict.fromkeys(value.split(",")) for row in rows])


# --- bytes and catalogues -------------------------------------------------------------------------


def no_body(reply: Reply, value: str) -> Reply:
    """Not one byte."""
    return Reply(b"", reply.content_type)


def not_utf8(reply: Reply, value: str) -> Reply:
    """Bytes of another charset in the middle of a body that says UTF-8."""
    body = _body(reply)
    middle = len(body) // 2
    kind = reply.content_type.partition(";")[0]
    return Reply(body[:middle] + "prix élevé".encode("latin-1") + body[middle:], f"{kind}; charset=utf-8")


def huge(reply: Reply, value: str) -> Reply:
    """`value` bytes of white space, sent piece by piece."""
    count = -(-int(value) // len(_PIECE))
    return replace(reply, stream=lambda: iter([_PIECE] * count), length=count * len(_PIECE))


def gzip_bomb(reply: Reply, value: str) -> Reply:
    """`value` bytes of white space as gzip, a thousandth of them on the wire."""
    return Reply(gzip.compress(b" " * int(value), 6), reply.content_type, headers={"Content-Encoding": "gzip"})


def list_resource(reply: Reply, value: str) -> Reply:
    """A portal's catalogue with one more resource: the JSON object `value`."""
    if not reply.content_type.startswith("application/json"):
        return reply
    body = json.loads(_body(reply))
    result = body.get("result") if isinstance(body, dict) else None
    if not isinstance(result, dict) or "resources" not in result:
        return reply
    result["resources"].append(json.loads(value))
    return replace(reply, body=json.dumps(body).encode())


REWRITES: Mapping[str, Rewrite] = {
    function.__name__: function
    for function in (
        *(repeat_row, contradict_row, insert_row, drop_row, set_price, revise, cap, miscount, no_clock_change),
        *(add_column, rename_column, reverse_columns, retype_column, null_column),
        *(no_body, not_utf8, huge, gzip_bomb, list_resource),
        *(entsoe.acknowledge, entsoe.other_sequence, entsoe.quarter_hours, entsoe.omit_points, entsoe.repeat_series),
        *(entsoe.contradict_series, entsoe.point_price, entsoe.entity_bomb, entsoe.external_entity),
        entsoe.malformed,
    )
}


def _body(reply: Reply) -> bytes:
    return b"".join(reply.chunks())


def _with_rows(reply: Reply, change: Callable[[list[Row]], list[Row]]) -> Reply:
    """The reply with its rows changed: a bare array, `data`, or the records of a CKAN result; if it has any."""
    if not reply.content_type.startswith("application/json"):
        return reply
    body = json.loads(_body(reply))
    holder: Any = {"data": body} if isinstance(body, list) else body
    if isinstance(holder.get("result"), dict):
        holder = holder["result"]
    name = "records" if "records" in holder else "data"
    if not holder.get(name):
        return reply
    holder[name] = change(holder[name])
    whole = holder[name] if isinstance(body, list) else body
    return replace(reply, body=json.dumps(whole).encode())


def _middle(rows: list[Row]) -> Row:
    return rows[len(rows) // 2]


def _priced(row: Row, value: str) -> Row:
    """The row at another price, as a text where it was one."""
    try:
        price: object = float(value)
    except ValueError:
        price = value
    return row | {name: value if isinstance(row[name], str) else price for name in PRICES if name in row}


def _dearer(row: Row, by: str) -> Row:
    prices = [float(row[name]) for name in PRICES if row.get(name) is not None]
    return _priced(row, repr(round(prices[0] + float(by), 6))) if prices else row


def _moved(stamp: str, by: timedelta) -> str:
    return (datetime.fromisoformat(stamp.removesuffix("Z")) + by).isoformat() + ("Z" if stamp.endswith("Z") else "")


def _blocks_of_four_hours(rows: list[Row]) -> list[Row]:
    return [
        row | {"deliveryEnd": _moved(row["deliveryStart"], timedelta(hours=4))}
        if row["auctionProduct"][0] == "D"
        else row
        for row in rows
    ]


def _of_48(rows: list[Row]) -> list[Row]:
    """The first rows of a day on its next half-hours; a day that lacks some gets its last row again."""
    first = rows[0]
    return [
        rows[min(n, len(rows) - 1)]
        | {"settlementPeriod": n + 1, "startTime": _moved(first["startTime"], n * _HALF_HOUR)}
        for n in range(48)
    ]
