"""NESO's one-second system frequency: which monthly files there are, and reading one as a stream.

What belongs here: discovery of the package `system-frequency-data` and the form of its CSV files.
What does not: streaming a file to disk (`download.py`), response energy (`ancillary/activation.py`)
and completeness of a day (`ingestion/frequency.py`).

Rules (domain reference 4.5): monthly files `fnew-YYYY-M.csv` of about 75 MB with the columns `dtm`
and `f` (Hz), one row a second, naive UTC. Older months are zipped (`f-2019-8.zip`, `fnew-2020-1.zip`: names
from public code), a CSV of the same columns inside; there public code reports stamps with an offset
(`… +0100`), which is honoured. Such a month then begins and ends at local midnight: in summer the hour that
lies in the neighbour's file counts as a stray there and is missing here.

Duplicates, gaps and values outside 49 to 51 Hz are suspect: an exact repeat is dropped, and a second whose rows
contradict each other, or whose value is outside, counts as unknown. All are counted; nothing is filled.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

import numpy as np
import pyarrow
import pyarrow.csv

from bess_pipeline.errors import NotPublishedError, PayloadError
from bess_pipeline.sources.http import HttpClient
from bess_pipeline.sources.pacing import NESO_CKAN_PACE
from bess_pipeline.sources.parsing import load_json, quoted
from bess_pipeline.sources.zipped import csv_member, is_zip

PACKAGE = "system-frequency-data"
MAX_BYTES = 512 * 1024 * 1024  # a month is about 75 MB
LOWEST_HZ, HIGHEST_HZ = 49.0, 51.0
_WHAT = "NESO system frequency"
_NAME = re.compile(r"/f(?:new)?-(20\d\d)-(\d{1,2})\.(csv|zip)$", re.IGNORECASE)
_BLOCK_BYTES = 1024 * 1024
_STAMPS = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"]
_OFFSET_STAMPS = [f"{stamp}{gap}%z" for stamp in _STAMPS for gap in ("", " ")]
_WITH_OFFSET = re.compile(rb"\d\d:\d\d:\d\d ?[+-]\d\d:?\d\d")
_HEAD_BYTES = 256


@dataclass(frozen=True, order=True)
class Month:
    """A calendar month in UTC, as frequency files have it."""

    year: int
    month: int

    @property
    def start_utc(self) -> datetime:
        """Its first second."""
        return datetime(self.year, self.month, 1, tzinfo=UTC)

    @property
    def end_utc(self) -> datetime:
        """The second after its last one."""
        return (self.start_utc + timedelta(days=32)).replace(day=1)

    def __str__(self) -> str:
        return f"{self.year}-{self.month:02d}"


@dataclass(frozen=True)
class FrequencyMonth:
    """One value (Hz) for each second of `month`, NaN where unknown, and what was wrong with its file.

    * `rows`: rows of the file; `duplicates`: exact repeats; `conflicts`: seconds with contradicting rows;
    * `outside`: values outside 49 to 51 Hz; `blank`: rows without a value; `strays`: rows of another month;
    * `gaps`: runs of unknown seconds between the first and the last known one, `missing` their seconds.
    """

    month: Month
    frequency_hz: np.ndarray
    rows: int
    duplicates: int
    conflicts: int
    outside: int
    blank: int
    strays: int
    gaps: int
    missing: int

    def counts(self) -> dict[str, int]:
        """What was wrong, by name."""
        names = ("rows", "duplicates", "conflicts", "outside", "blank", "strays", "gaps", "missing")
        return {name: int(getattr(self, name)) for name in names}


def monthly_files(client: HttpClient) -> dict[Month, str]:
    """Address of each monthly file that the portal lists; where a month is there both ways, that of the CSV.

    Raises NotPublishedError when it lists none; other errors as `HttpClient.get`.
    """
    url = f"{client.settings.neso_base_url.rstrip('/')}/api/3/action/package_show"
    body = load_json(client.get("neso", url, {"id": PACKAGE}, pace=NESO_CKAN_PACE).content, _WHAT)
    result = body.get("result") if isinstance(body, dict) and body.get("success") is True else None
    resources = result.get("resources") if isinstance(result, dict) else None
    files: dict[Month, str] = {}
    for resource in resources if isinstance(resources, list) else []:
        address = resource.get("url") if isinstance(resource, dict) else None
        match = _NAME.search(address) if isinstance(address, str) else None
        if match and 1 <= int(match[2]) <= 12:
            month = Month(int(match[1]), int(match[2]))
            if month not in files or match[3].lower() == "csv":
                files[month] = str(address)
    if not files:
        raise NotPublishedError(f"{_WHAT}: the package {PACKAGE} lists no file fnew-YYYY-M.csv or .zip")
    return files


def parse_frequency(stream: BinaryIO, month: Month) -> FrequencyMonth:
    """One file, read a megabyte at a time: memory is bounded by the seconds of the month, not by the file.

    `stream` (seekable) is a CSV or a zip file with one. Raises NotPublishedError for a file without rows,
    PayloadError for one that is no CSV of `dtm` and `f`, holds nothing of `month` or is beyond the limits of
    `zipped.py`.
    """
    if not is_zip(stream):
        return _parse_csv(stream, month)
    with csv_member(stream, f"{_WHAT} of {month}", MAX_BYTES) as content:
        return _parse_csv(content, month)


def _parse_csv(stream: BinaryIO, month: Month) -> FrequencyMonth:
    values = np.full(int((month.end_utc - month.start_utc).total_seconds()), np.nan)
    seen = np.zeros(len(values), dtype=bool)
    contradicted = np.zeros(len(values), dtype=bool)
    rows = strays = duplicates = blank = 0
    for second, frequency in _batches(stream, month):
        rows += len(second)
        inside = (second >= 0) & (second < len(values))
        strays += int((~inside).sum())
        second, frequency = second[inside], frequency[inside]
        blank += int(np.isnan(frequency).sum())
        duplicates += _place(values, seen, contradicted, second, frequency)
    if not rows:
        raise NotPublishedError(f"{_WHAT} of {month}: the file holds no row yet")
    if not seen.any():
        raise PayloadError(f"{_WHAT} of {month}: none of the {rows} rows is of that month")
    values[contradicted] = np.nan
    outside = (values < LOWEST_HZ) | (values > HIGHEST_HZ)
    values[outside] = np.nan
    gaps, missing = _gaps(values)
    return FrequencyMonth(
        month, values, rows, duplicates, int(contradicted.sum()), int(outside.sum()), blank, strays, gaps, missing
    )


def _batches(stream: BinaryIO, month: Month) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(seconds after the start of the month, Hz) of the file, block by block."""
    problem = ""
    head = stream.read(_HEAD_BYTES)
    stream.seek(0)
    kind, stamps_as = pyarrow.timestamp("s"), _STAMPS
    if _WITH_OFFSET.search(head):
        kind, stamps_as = pyarrow.timestamp("s", tz="UTC"), _OFFSET_STAMPS
    try:
        reader = pyarrow.csv.open_csv(
            stream,
            read_options=pyarrow.csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
            convert_options=pyarrow.csv.ConvertOptions(
                include_columns=["dtm", "f"],
                column_types={"dtm": kind, "f": pyarrow.float64()},
                timestamp_parsers=stamps_as,
            ),
        )
        start = int(month.start_utc.timestamp())
        for batch in reader:
            if batch.column("dtm").null_count:
                raise pyarrow.ArrowInvalid("a row has no time stamp")
            stamps = batch.column("dtm").cast(pyarrow.int64()).to_numpy()
            yield stamps - start, batch.column("f").to_numpy(zero_copy_only=False)
    except pyarrow.ArrowInvalid as error:
        problem = quoted(error)
    except (pyarrow.ArrowKeyError, KeyError):
        problem = "it has no columns dtm and f"
    if problem == "Empty CSV file":
        raise NotPublishedError(f"{_WHAT} of {month}: the file is empty")
    if problem:
        raise PayloadError(f"{_WHAT} of {month}: the file is not a whole CSV of dtm and f ({problem})")


def _place(
    values: np.ndarray, seen: np.ndarray, contradicted: np.ndarray, second: np.ndarray, frequency: np.ndarray
) -> int:
    """Puts values at their seconds; the number of exact repeats. A second that is told two things is marked."""
    _, first = np.unique(second, return_index=True)
    fresh = np.zeros(len(second), dtype=bool)
    fresh[first] = True
    fresh &= ~seen[second]
    values[second[fresh]] = frequency[fresh]
    seen[second[fresh]] = True
    again, told = second[~fresh], frequency[~fresh]
    same = (values[again] == told) | (np.isnan(values[again]) & np.isnan(told))
    contradicted[again[~same]] = True
    return int(same.sum())


def _gaps(values: np.ndarray) -> tuple[int, int]:
    """(runs of unknown seconds, their seconds) between the first and the last known one."""
    known = np.flatnonzero(~np.isnan(values))
    if not len(known):
        return 0, 0
    steps = np.diff(known)
    return int((steps > 1).sum()), int((steps - 1).sum())
