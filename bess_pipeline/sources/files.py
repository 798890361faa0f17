"""The user's own price files: CSV with `start_utc` and `price_gbp_mwh`.

What belongs here: reading such a file and refusing what is wrong with it, with file name and line.
What does not: which file is used (`settings.py`) and providers' wire formats.

More columns are ignored; any uniform step is read. Times need a zone (a trailing Z), rows must be in
order, without duplicates or gaps: the step of the file is the distance of its first two rows.
"""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from bess_pipeline.errors import UserInputError
from bess_pipeline.gb_time import HALF_HOUR
from bess_pipeline.sources.http import Answer
from bess_pipeline.sources.parsing import (
    YEARS,
    half_hour_prices,
    quoted,
    text_column,
    utc_column,
    utc_text,
    with_settlement_columns,
)

TIME_COLUMN, PRICE_COLUMN = "start_utc", "price_gbp_mwh"
GRID_STEPS_MINUTES = (15, 30, 60)


@dataclass(frozen=True)
class PriceSeries:
    """Prices (GBP/MWh) of consecutive intervals of one length, from `start_utc` (zone-aware UTC)."""

    start_utc: pd.DatetimeIndex
    price_gbp_mwh: np.ndarray
    step: timedelta
    name: str = "prices"


def read_file(path: Path) -> Answer:
    """The bytes of a file, fetched when it was last changed; UserInputError when it cannot be read."""
    try:
        content, changed = path.read_bytes(), path.stat().st_mtime
    except FileNotFoundError:
        reason = "there is no such file"
    except OSError as error:
        reason = error.strerror or "it cannot be read"
    else:
        return Answer("file", path.resolve().as_uri(), 200, "text/csv", content, datetime.fromtimestamp(changed, UTC))
    raise UserInputError(f"{path}: {reason[0].lower()}{reason[1:]}; give a CSV with {TIME_COLUMN}, {PRICE_COLUMN}")


def parse_price_csv(content: bytes, name: str) -> PriceSeries:
    """The series in a CSV; `name` stands in messages.

    Raises UserInputError, with the line where there is one, for: no UTF-8, a missing column, an
    unreadable or naive time, a price that is no finite number, rows out of order, duplicates,
    gaps, fewer than two rows.
    """
    rows = _rows(content, name)
    starts, prices = [], []
    for line, time_text, price_text in rows:
        starts.append(_time(time_text, name, line))
        prices.append(_price(price_text, name, line))
        if len(starts) > 1:
            _check_order(starts, name, line)
    if len(starts) < 2:
        raise UserInputError(f"{name}: {len(starts)} data rows; at least two are needed to know the step")
    index = pd.DatetimeIndex(utc_column(starts), name=TIME_COLUMN)
    return PriceSeries(index, np.array(prices), starts[1] - starts[0], name)


def to_half_hours(series: PriceSeries, source: str = "file") -> pd.DataFrame:
    """Rows of `market/day_ahead_price`: quarter-hours become the mean of two, hours are repeated.

    Raises UserInputError when the step is not 15, 30 or 60 minutes or the series does not start
    and end on the grid.
    """
    minutes = series.step / timedelta(minutes=1)
    if minutes not in GRID_STEPS_MINUTES:
        raise UserInputError(f"{series.name}: the step is {minutes:g} minutes; the market tables take 15, 30 or 60")
    start, grid = series.start_utc[0], max(series.step, HALF_HOUR)
    if (start - start.floor("D")) % grid or len(series.start_utc) * series.step % HALF_HOUR:
        raise UserInputError(
            f"{series.name}: {utc_text(start)} to {utc_text(series.start_utc[-1] + series.step)} is not made of whole "
            f"{'hours' if minutes == 60 else 'half-hours'}"
        )
    frame = half_hour_prices(series.start_utc, series.price_gbp_mwh, int(minutes))
    frame = with_settlement_columns(frame.rename(columns={"price": "day_ahead_price_gbp_mwh"}))
    return frame.assign(source=text_column([source] * len(frame)), native_resolution_minutes=int(minutes))


def system_price_frame(series: PriceSeries) -> pd.DataFrame:
    """Rows of `market/system_price`; imbalance volume, code and publication stay null.

    Raises UserInputError when the step is not the settlement half-hour.
    """
    if series.step != HALF_HOUR:
        raise UserInputError(f"{series.name}: system prices are half-hourly, the step is {series.step}")
    frame = to_half_hours(series).rename(columns={"day_ahead_price_gbp_mwh": "system_price_gbp_mwh"})
    frame = frame.drop(columns=["source", "native_resolution_minutes"])
    nothing = [None] * len(frame)
    return frame.assign(
        net_imbalance_volume_mwh=math.nan,
        price_derivation_code=text_column(nothing),
        published_utc=utc_column(nothing),
    )


def _rows(content: bytes, name: str) -> list[tuple[int, str, str]]:
    """(line number, time, price) of each data row."""
    header: list[str] = []
    rows: list[tuple[int, list[str]]] = []
    fault = ""
    try:
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        header = [column.strip() for column in next(reader, [])]
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except UnicodeDecodeError:
        fault = "is not UTF-8 text; save it as UTF-8"
    except csv.Error:
        fault = "is not a well-formed CSV"
    if fault:
        raise UserInputError(f"{name}: the file {fault}")
    for column in (TIME_COLUMN, PRICE_COLUMN):
        if header.count(column) != 1:
            state = "no column" if column not in header else "more than one column"
            raise UserInputError(f"{name}: {state} {column}; the first line must name {TIME_COLUMN} and {PRICE_COLUMN}")
    places = header.index(TIME_COLUMN), header.index(PRICE_COLUMN)
    for line, row in rows:
        if len(row) <= max(places):
            raise UserInputError(f"{name}, line {line}: {len(row)} cells, the first line names {len(header)} columns")
    return [(line, row[places[0]].strip(), row[places[1]].strip()) for line, row in rows]


def _time(text: str, name: str, line: int) -> datetime:
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        value = None
    if value is None or value.year not in YEARS:
        raise UserInputError(f"{name}, line {line}: {quoted(text)!r} is not a time such as 2026-03-29T01:00:00Z")
    if value.tzinfo is None:
        raise UserInputError(f"{name}, line {line}: {text} has no time zone; give UTC with a trailing Z")
    return value.astimezone(UTC)


def _price(text: str, name: str, line: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or "_" in text:
        raise UserInputError(f"{name}, line {line}: {quoted(text)!r} is not a finite price in GBP/MWh")
    return value


def _check_order(starts: list[datetime], name: str, line: int) -> None:
    before, now, step = starts[-2], starts[-1], starts[1] - starts[0]
    if now == before:
        raise UserInputError(f"{name}, line {line}: {utc_text(now)} is there twice")
    if now < before:
        order = f"{utc_text(now)} comes after {utc_text(before)}"
        raise UserInputError(f"{name}, line {line}: {order}; sort the rows by {TIME_COLUMN}")
    if now - before != step:
        gap = f"from {utc_text(before)} to {utc_text(now)}"
        raise UserInputError(f"{name}, line {line}: {gap} is not the file's step of {step}; fill the gap")
