"""System frequency into response energy: monthly files kept in the vault, half-hours built from them.

What belongs here: which monthly files days need, keeping them, and the rows of a day. What does not:
the form of the files (`sources/neso_frequency.py`), the energy (`ancillary/activation.py`), and
judging and writing days (`ingest.py`).

A file is kept under the UTC days of its month. A settlement date needs the one or two UTC days that
it touches, which may lie in two files.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import date, timedelta
from functools import lru_cache
from urllib.parse import urlsplit

import pandas as pd

from bess_pipeline import gb_time, schemas
from bess_pipeline.ancillary.activation import response_energy
from bess_pipeline.ancillary.response_curves import PRODUCTS
from bess_pipeline.errors import BessError, NotPublishedError, PayloadError, SourceError
from bess_pipeline.ingestion.datasets import Dataset
from bess_pipeline.ingestion.ingest import Ingestion
from bess_pipeline.ingestion.outcomes import NOT_PUBLISHED, REFUSED
from bess_pipeline.ingestion.vault import Failure, RawBody, RawVault
from bess_pipeline.sources.download import downloading
from bess_pipeline.sources.http import Answer, HttpClient
from bess_pipeline.sources.neso_frequency import MAX_BYTES, Month, monthly_files, parse_frequency
from bess_pipeline.sources.pacing import NESO_CKAN_PACE

TABLE, RAW = "market/response_energy", "raw/neso_frequency"
PUBLICATION_LAG = timedelta(days=15)  # a monthly file is late when it is not there so long after its month
_STALE_S = 24 * 3600.0
ONE_DAY = timedelta(days=1)


def response_energy_dataset(basis: str = "measured") -> Dataset:
    """The table, its grid and when a day of it is due; `basis` labels its rows."""
    return Dataset(
        table=TABLE,
        raw=RAW,
        source="neso",
        fetch=_streamed_fetch,
        parse=_streamed_parse,
        grid=_grid,
        partition_start="start_utc",
        due_utc=lambda day: month_of(day).end_utc + PUBLICATION_LAG,
        rows=lambda vault, until: FrequencyRows(vault, basis, until),
        asked_under=utc_days,
    )


def month_of(day: date) -> Month:
    """The month a UTC day lies in."""
    return Month(day.year, day.month)


def utc_days(day: date) -> list[date]:
    """The UTC days that a settlement date touches: one in winter, two in summer."""
    start, end = gb_time.settlement_day_bounds_utc(day)
    return gb_time.days_between(start.date(), (end - timedelta(seconds=1)).date())


def fetch_frequency(ingestion: Ingestion, days: Sequence[date]) -> dict[Month, Failure | None]:
    """Keep the monthly files that settlement dates need; the failure of each month, None where it went well."""
    needed = sorted({utc_day for day in days for utc_day in utc_days(day)})
    months = sorted({month_of(day) for day in needed})
    _remove_leftovers(ingestion.vault)
    files: dict[Month, str] = {}
    problem: SourceError | None = None
    try:
        files = monthly_files(ingestion.client) if months else {}
    except SourceError as error:
        problem = error
    result: dict[Month, Failure | None] = {}
    for month in months:
        result[month] = _failure(problem, ingestion) if problem else _keep_month(ingestion, month, files.get(month))
        failure = result[month]
        if failure is not None:
            for day in (day for day in needed if month_of(day) == month):
                ingestion.vault.note_failure(RAW, day, failure)
    return result


class FrequencyRows:
    """Rows of `market/response_energy` around a day, each stored file read once; `basis` labels them.

    `counts` says what was wrong in the files read so far, by month. With `until`, a mark of
    `RawVault.asks`, files fetched after that ask are not looked at.
    """

    def __init__(self, vault: RawVault, basis: str, until: str | None = None) -> None:
        self.vault = vault
        self.basis = basis
        self.until = until
        self.counts: dict[Month, dict[str, int]] = {}
        self.read = lru_cache(maxsize=4)(self._read)

    def around(self, day: date) -> pd.DataFrame:
        """Half-hours of the UTC days that a settlement date touches."""
        parts = [self._of_utc_day(one) for one in utc_days(day)]
        parts = [part for part in parts if not part.empty]
        return pd.concat(parts, ignore_index=True) if parts else schemas.empty_frame(TABLE)

    def noticed(self, day: date) -> str:
        """Nothing: what is odd in a file is in `counts`."""
        return ""

    def _of_utc_day(self, day: date) -> pd.DataFrame:
        """From the newest file of the day that can be read; the newest one's error when none can."""
        problem: BessError | None = None
        for record in self.vault.records(RAW, day, self.until):
            try:
                rows = self.read(record.bodies[0].sha256, month_of(day))
            except BessError as error:
                problem = problem or error
                continue
            return rows[rows["start_utc"].dt.date == day]
        if problem is not None:
            raise problem
        return schemas.empty_frame(TABLE)

    def _read(self, sha256: str, month: Month) -> pd.DataFrame:
        with self.vault.reading(sha256) as stream:
            found = parse_frequency(stream, month)
        self.counts[month] = found.counts()
        return response_energy(month.start_utc, found.frequency_hz, self.basis)


def _keep_month(ingestion: Ingestion, month: Month, url: str | None) -> Failure | None:
    """Download one file into the vault."""
    fetched_utc = ingestion.now()
    try:
        if url is None:
            raise NotPublishedError(f"the portal lists no frequency file of {month}")
        _require_same_host(ingestion.client, url)
        deadline_s = ingestion.client.settings.file_deadline_s
        with downloading(
            ingestion.client, "neso", url, ingestion.vault.incoming,
            pace=NESO_CKAN_PACE, max_bytes=MAX_BYTES, deadline_s=deadline_s,
        ) as download:  # fmt: skip
            answer = download.answer
            ingestion.admit(answer.origin)
            body = RawBody("neso", answer.url, answer.status, answer.content_type, download.sha256, answer.origin)
            last = min(month.end_utc.date() - ONE_DAY, fetched_utc.date())
            days = gb_time.days_between(month.start_utc.date(), last)
            ingestion.vault.keep_file(RAW, days, body, download.file, fetched_utc)
    except SourceError as error:
        return _failure(error, ingestion)
    return None


def _require_same_host(client: HttpClient, url: str) -> None:
    if urlsplit(url).netloc != urlsplit(client.settings.neso_base_url).netloc:
        raise PayloadError("the portal lists a frequency file on another host than its own: it is not followed")


def _failure(error: SourceError, ingestion: Ingestion) -> Failure:
    return Failure(NOT_PUBLISHED if isinstance(error, NotPublishedError) else REFUSED, str(error), ingestion.now())


def _remove_leftovers(vault: RawVault) -> None:
    """Removes what a killed download left a day ago or earlier."""
    for file in vault.incoming.glob("*.gz"):
        with suppress(OSError):
            if time.time() - file.stat().st_mtime > _STALE_S:
                file.unlink()


def _grid(day: date) -> pd.DataFrame:
    index = pd.MultiIndex.from_product([PRODUCTS, gb_time.settlement_half_hours(day)], names=["product", "start_utc"])
    return index.to_frame(index=False)


def _streamed_fetch(client: HttpClient, first: date, last: date) -> list[Answer]:
    raise TypeError("frequency files are fetched by fetch_frequency, not into memory")


def _streamed_parse(content: bytes) -> pd.DataFrame:
    raise TypeError("frequency files are read by FrequencyRows, not from memory")
