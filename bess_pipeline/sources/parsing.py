"""What all parsers share: strict JSON, numbers and instants, repeats, and the half-hour grid.

What belongs here: rules that hold for every provider. What does not: fields and traps of one
provider (`elexon.py`, `neso.py`, `entsoe.py`, `files.py`) and bounds of tables (`schemas.py`).

A value that is not in the documented form raises PayloadError with its field; an answer without
rows raises NotPublishedError. Nothing is repaired.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import NoReturn

import numpy as np
import pandas as pd

from bess_pipeline.errors import NotPublishedError, PayloadError
from bess_pipeline.gb_time import settlement_columns
from bess_pipeline.sources.redaction import redact
from bess_pipeline.sources.remarks import remark

YEARS = range(2000, 2100)
REPEATS = "exact repeats dropped"
_QUOTED_LENGTH = 200


def quoted(value: object) -> str:
    """A value of a provider for a message: short, on one line, without secrets."""
    line = " ".join(redact(str(value)).split())
    return line if len(line) <= _QUOTED_LENGTH else line[:_QUOTED_LENGTH] + "…"


def utc_text(when: datetime) -> str:
    """`2026-03-29T01:00:00Z`, as providers' parameters and our messages write an instant."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def load_json(content: bytes, what: str) -> object:
    """The JSON value of an answer; NotPublishedError when it is empty, PayloadError when it is no strict JSON."""
    if not content.strip():
        raise NotPublishedError(f"{what}: the answer is empty")
    try:
        return json.loads(content, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):  # includes JSONDecodeError and UnicodeDecodeError
        pass
    raise PayloadError(f"{what}: the answer is not JSON (truncated, or NaN or Infinity in it?)")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def rows_of(value: object, what: str) -> list[Mapping[str, object]]:
    """`value` as a list of JSON objects; NotPublishedError when there is none."""
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise PayloadError(f"{what}: rows are not a list of objects")
    if not value:
        raise NotPublishedError(f"{what}: nothing published yet for what was asked")
    return value


def field(row: Mapping[str, object], name: str, what: str) -> object:
    """A field that must be present (null allowed)."""
    if name not in row:
        raise PayloadError(f"{what}: a row has no field {name} (renamed or dropped by the provider?)")
    return row[name]


def text(row: Mapping[str, object], name: str, what: str) -> str:
    """A text."""
    value = field(row, name, what)
    if not isinstance(value, str):
        raise PayloadError(f"{what}: {name} is not a text: {quoted(value)}")
    return value


def number(row: Mapping[str, object], name: str, what: str) -> float:
    """A finite number, given as a number or as its text (CKAN SQL)."""
    value = optional_number(row, name, what)
    if math.isnan(value):
        raise PayloadError(f"{what}: {name} is null")
    return value


def optional_number(row: Mapping[str, object], name: str, what: str) -> float:
    """As `number`; NaN for null, an empty text or an absent field."""
    value = row.get(name)
    if value is None or value == "":
        return math.nan
    result = math.nan
    if isinstance(value, int | float | str) and not isinstance(value, bool) and "_" not in str(value):
        try:
            result = float(value)
        except (ValueError, OverflowError):
            result = math.nan
    if not math.isfinite(result):
        raise PayloadError(f"{what}: {name} is not a finite number: {quoted(value)}")
    return result


def whole_number(row: Mapping[str, object], name: str, what: str) -> int:
    """A whole number."""
    value = number(row, name, what)
    if value != int(value):
        raise PayloadError(f"{what}: {name} is not a whole number: {quoted(value)}")
    return int(value)


def calendar_date(row: Mapping[str, object], name: str, what: str) -> date:
    """A date `yyyy-mm-dd`, or a time stamp at midnight of it."""
    value = instant(row, name, what, naive_is_utc=True)
    if (value.hour, value.minute, value.second) != (0, 0, 0):
        raise PayloadError(f"{what}: {name} is not a date: {quoted(row.get(name))}")
    return value.date()


def instant(row: Mapping[str, object], name: str, what: str, *, naive_is_utc: bool = False) -> datetime:
    """An ISO 8601 time stamp as zone-aware UTC; a naive one only where the provider documents UTC."""
    value = field(row, name, what)
    try:
        result = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        result = None
    if result is None or result.year not in YEARS:
        raise PayloadError(f"{what}: {name} is not a time stamp: {quoted(value)}")
    if result.tzinfo is None:
        if not naive_is_utc:
            raise PayloadError(f"{what}: {name} carries no time zone: {quoted(value)}")
        return result.replace(tzinfo=UTC)
    return result.astimezone(UTC)


def without_repeats(frame: pd.DataFrame, keys: Sequence[str], what: str) -> pd.DataFrame:
    """`frame` without exact duplicates (remarked), sorted by key; PayloadError when rows of one key disagree."""
    if not frame.duplicated(list(keys)).any():  # as almost always
        return frame.sort_values(list(keys), kind="stable").reset_index(drop=True)
    repeated = frame.duplicated()
    remark(REPEATS, frame[repeated])
    unique = frame[~repeated].sort_values(list(keys), kind="stable").reset_index(drop=True)
    clash = unique[unique.duplicated(list(keys))]
    if not clash.empty:
        where = ", ".join(f"{key} {clash.iloc[0][key]}" for key in keys)
        raise PayloadError(f"{what}: {len(clash)} rows contradict an earlier row, the first at {where}")
    return unique


def combine(frames: Sequence[pd.DataFrame], keys: Sequence[str], what: str) -> pd.DataFrame:
    """Frames of several answers (pages, chunks) as one, by the rules of `without_repeats`."""
    return without_repeats(pd.concat(frames, ignore_index=True), keys, what)


def utc_column(values: Sequence[datetime | None]) -> pd.Series:
    """A zone-aware UTC column; None becomes null."""
    return pd.to_datetime(pd.Series(list(values), dtype="object"), utc=True).dt.as_unit("us")


def text_column(values: Sequence[object]) -> pd.Series:
    """A text column; None becomes null."""
    return pd.Series([None if value is None else str(value) for value in values], dtype="str")


def with_settlement_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """`frame` (with `start_utc`) led by its settlement date and period."""
    return pd.concat([settlement_columns(frame["start_utc"]), frame], axis=1)


def half_hour_prices(start_utc: pd.DatetimeIndex, price: np.ndarray, resolution_minutes: int) -> pd.DataFrame:
    """Prices of 15-, 30- or 60-minute intervals on the half-hour grid: columns `start_utc`, `price`.

    Two quarter-hours become their mean, and none when one of them is missing; an hour is repeated.
    """
    frame = pd.DataFrame({"start_utc": start_utc, "price": np.asarray(price, dtype=float)})
    if resolution_minutes == 60:
        later = frame.assign(start_utc=frame["start_utc"] + pd.Timedelta(minutes=30))
        frame = pd.concat([frame, later], ignore_index=True)
    elif resolution_minutes == 15:
        quarters = frame.groupby(frame["start_utc"].dt.floor("30min"))["price"].agg(["mean", "count"])
        frame = quarters.loc[quarters["count"] == 2, "mean"].rename("price").reset_index()
    frame["start_utc"] = frame["start_utc"].dt.as_unit("us")
    return frame.sort_values("start_utc", kind="stable").reset_index(drop=True)
