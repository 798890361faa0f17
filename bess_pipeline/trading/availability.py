"""Outages of the battery: the user's calendar of planned and forced derating, and what of it is known when.

What belongs here: reading the calendar, and the available fractions of half-hours. What does not: what a derated
battery can do (`battery/limits.py`) and storing the calendar's days (`replay.py`).

The calendar is a CSV named by `[trading] availability_file`, one outage a row:

    start_utc,end_utc,available_fraction,kind,reason,known_utc
    2026-03-30T09:00Z,2026-03-30T15:30Z,0.5,planned,inverter service,2026-03-20T12:00Z

`available_fraction` is of the rating, 0 when out of service; `charge_fraction` and `discharge_fraction` may
stand in its place. `known_utc` is when the outage was announced: a plan sees it when its gate closes then or
later, dispatch and the perfect-foresight bound see every outage. Where outages overlap the lowest fraction
counts; a half-hour that an outage covers in part has the mean of its minutes.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from bess_pipeline import gb_time, schemas
from bess_pipeline.battery.limits import ALWAYS, Availability
from bess_pipeline.errors import UserInputError

TABLE = "trading/availability"
KINDS = ("planned", "forced")
FRACTIONS = ("charge_fraction", "discharge_fraction")
BOTH = "available_fraction"
NEEDED = ("start_utc", "end_utc", "kind", "reason", "known_utc")
MINUTES_PER_HALF_HOUR = 30
_MINUTE = timedelta(minutes=1)
ROUNDED = 12  # decimals: the mean of equal fractions is that fraction


def read_calendar(path: Path | None) -> pd.DataFrame:
    """The outages of a calendar file, in the columns of `trading/availability` without the day; none without a file.

    Raises UserInputError in one sentence, with the line where there is one: no such file, no UTF-8, a missing or
    unknown column, a time without zone, an end that is not after its start, a fraction outside 0 to 1, an unknown
    kind, an empty reason, or a row that is there twice.
    """
    columns = [name for name in schemas.columns(TABLE) if name != "efa_date"]
    if path is None:
        return schemas.empty_frame(TABLE)[columns]
    rows = [_outage(path, line, row) for line, row in _rows(path)]
    if not rows:
        return schemas.empty_frame(TABLE)[columns]
    frame = pd.DataFrame(rows)
    twice = frame.drop(columns="line").duplicated()
    if twice.any():
        raise UserInputError(f"{path}, line {frame['line'][twice].iloc[0]}: this outage is there twice")
    for name in ("start_utc", "end_utc", "known_utc"):
        frame[name] = pd.to_datetime(frame[name], utc=True).dt.as_unit("us")
    return frame[columns].sort_values(["start_utc", "end_utc", "known_utc", "kind", "reason"], ignore_index=True)


def calendar_days(calendar: pd.DataFrame, days: Iterable[date]) -> dict[date, pd.DataFrame]:
    """`trading/availability` rows of each of `days`: the outages that reach into the EFA day, whole as announced."""
    found = {}
    for day in days:
        start, end = gb_time.efa_day_bounds_utc(day)
        rows = calendar[(calendar["start_utc"] < end) & (calendar["end_utc"] > start)].reset_index(drop=True)
        dated = rows.assign(efa_date=pd.Series([day] * len(rows), dtype=object))
        found[day] = dated[list(schemas.columns(TABLE))]
    return found


def available(outages: pd.DataFrame, starts: pd.DatetimeIndex, gate_utc: datetime | None = None) -> Availability:
    """Available fractions of the half-hours `starts`, by the outages announced at or before the gate (all without one).

    `outages` has the columns of `trading/availability`, with or without the day.
    """
    known = outages if gate_utc is None else outages[outages["known_utc"] <= gb_time.require_utc(gate_utc)]
    if known.empty:
        return ALWAYS
    minutes = starts.tz_convert(None).as_unit("us").to_numpy()[:, None] + np.arange(
        MINUTES_PER_HALF_HOUR
    ) * np.timedelta64(1, "m")
    share = {name: np.ones(minutes.shape) for name in FRACTIONS}
    instants = [known[name].dt.tz_localize(None).to_numpy() for name in ("start_utc", "end_utc")]
    limits = [known[name].to_numpy(dtype="float64") for name in FRACTIONS]
    for begins, ends, *fractions in zip(*instants, *limits, strict=True):
        hit = (minutes + np.timedelta64(1, "m") > begins) & (minutes < ends)
        for name, fraction in zip(FRACTIONS, fractions, strict=True):
            share[name][hit] = np.minimum(share[name][hit], fraction)
    return Availability(*(share[name].mean(axis=1).round(ROUNDED) for name in FRACTIONS))


def known_vintage(outages: pd.DataFrame, gate_utc: datetime | None = None) -> str:
    """Which outages a result stands on: twelve hex digits; empty for none, as where there is no calendar."""
    if outages.empty:
        return ""
    known = outages if gate_utc is None else outages[outages["known_utc"] <= gb_time.require_utc(gate_utc)]
    return hashlib.sha256(known.to_csv(index=False).encode()).hexdigest()[:12] if len(known) else ""


def _rows(path: Path) -> list[tuple[int, Mapping[str, str]]]:
    """(line, cells by column) of each row of the file."""
    fault, header, rows = "", [], []
    try:
        reader = csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline=""), strict=True)
        header = [name.strip() for name in next(reader, [])]
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(row)]
    except OSError as error:
        fault = f"cannot be read: {error.strerror or error}"
    except UnicodeDecodeError:
        fault = "is not UTF-8 text"
    except csv.Error:
        fault = "is not a well-formed CSV"
    if fault:
        raise UserInputError(f"the availability file {path} {fault}")
    fractions = (BOTH,) if BOTH in header else FRACTIONS
    if sorted(header) != sorted((*NEEDED, *fractions)):
        raise UserInputError(
            f"the availability file {path} must name the columns {', '.join((*NEEDED, BOTH))} (or "
            f"{' and '.join(FRACTIONS)} for {BOTH}) in its first line, not {', '.join(header) or 'nothing'}"
        )
    for line, row in rows:
        if len(row) != len(header):
            raise UserInputError(f"{path}, line {line}: {len(row)} cells, the first line names {len(header)} columns")
    return [(line, dict(zip(header, row, strict=True))) for line, row in rows]


def _outage(path: Path, line: int, row: Mapping[str, str]) -> dict[str, object]:
    where = f"{path}, line {line}"
    start, end, known = (_instant(where, name, row[name]) for name in ("start_utc", "end_utc", "known_utc"))
    if end - start < _MINUTE:
        raise UserInputError(f"{where}: the outage must end a minute or more after its start {row['start_utc']}")
    if row["kind"] not in KINDS:
        raise UserInputError(f"{where}: kind {row['kind']!r} must be {' or '.join(KINDS)}")
    if not row["reason"]:
        raise UserInputError(f"{where}: the reason is empty; say in a few words what is out of service")
    fractions = {name: _fraction(where, row.get(name, row.get(BOTH, ""))) for name in FRACTIONS}
    return {
        "start_utc": start,
        "end_utc": end,
        **fractions,
        "kind": row["kind"],
        "reason": row["reason"],
        "known_utc": known,
        "line": line,
    }


def _instant(where: str, name: str, text: str) -> datetime:
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        value = None
    if value is None or value.tzinfo is None or value.year not in range(1990, 2200):
        raise UserInputError(f"{where}: {name} {text!r} is no time in UTC such as 2026-03-30T09:00:00Z")
    return value.astimezone(UTC)


def _fraction(where: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise UserInputError(f"{where}: the available fraction {text!r} is no number from 0 (out of service) to 1")
    return value
