"""Parquet partitions: one file per table and day, validated before the write, replaced as a whole.

What belongs here: where a partition lies, what makes it a legal one, and its content hash. What
does not: what a table holds (`schemas.py`), whether a day is complete (`ingestion/`), and SQL
(`warehouse.py`). Nothing in here ever removes a partition.

Writers need no lock: each writes its own temporary file and renames it. A reader meets the old
partition or the new one, never half of one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import pandas as pd
import pyarrow
import pyarrow.compute
import pyarrow.parquet

from bess_pipeline import atomic, gb_time, schemas
from bess_pipeline.errors import BessError, RefusedFrameError

_SUFFIX = ".parquet"
_STAMP_PREFIX = "bess."
_FEW_DAYS = 60  # up to here looking for each file is cheaper than listing the folder
_DAY_KEYS = ("as_of", "settlement_date", "date", "efa_date")
_PLAIN_TYPES = {
    pyarrow.date32(): pyarrow.int32(),
    pyarrow.timestamp("us", tz="UTC"): pyarrow.int64(),
    pyarrow.bool_(): pyarrow.int8(),
}
_START_KEYS = ("delivery_start_utc", "published_utc", "start_utc")  # the first one that is a key names the day


@dataclass(frozen=True)
class Lake:
    """The partitions under `root`, and where refused frames are kept for inspection."""

    root: Path
    quarantine: Path

    def path(self, table: str, day: date) -> Path:
        """Where the partition of a table and day lies, whether or not it exists."""
        if isinstance(day, datetime):
            raise TypeError(f"a partition is a calendar day, not the instant {day!r}")
        return self._folder(table) / f"{day.isoformat()}{_SUFFIX}"

    def write(self, table: str, day: date, frame: pd.DataFrame, stamp: Mapping[str, str] | None = None) -> int:
        """Replaces a partition by `frame`; returns its number of rows (none is a legal partition).

        `stamp` says what the rows were made from (fingerprint, seed, vintage …) and is kept in the
        file. The same rows and stamp give the same bytes. Raises RefusedFrameError when the frame
        breaks its schema or has rows of another day: it then lies in quarantine, and the old
        partition stays.
        """
        target = self.path(table, day)
        try:
            valid = schemas.validate(table, frame)
            _require_day(table, day, valid)
        except RefusedFrameError as refusal:
            self._keep_refused(table, day, frame, refusal)
            raise
        atomic.write_bytes(target, _parquet(table, valid, stamp or {}))
        return len(valid)

    def write_days(
        self, table: str, frames: Mapping[date, pd.DataFrame], stamps: Mapping[date, Mapping[str, str]] | None = None
    ) -> dict[date, RefusedFrameError]:
        """Replaces many partitions, as `write` would one by one; the refusal of each day that was refused.

        `stamps` holds the stamp of each day that has one. The days are validated together, which costs
        little more than one; only where that refuses is each day judged on its own, so that a bad day
        never touches a good one.
        """
        refused: dict[date, RefusedFrameError] = {}
        stamps = stamps or {}
        try:
            whole = schemas.validate(table, pd.concat(list(frames.values()))) if frames else schemas.empty_frame(table)
            parts = _by_day(table, whole, frames)
        except RefusedFrameError:
            for day, frame in frames.items():
                try:
                    self.write(table, day, frame, stamps.get(day))
                except RefusedFrameError as refusal:
                    refused[day] = refusal
            return refused
        for day, part in parts.items():
            atomic.write_bytes(self.path(table, day), _parquet(table, part, stamps.get(day, {})))
        return refused

    def read(self, table: str, first: date, last: date) -> pd.DataFrame:
        """The rows of all partitions from `first` to `last`, both included, in key order.

        Typed and empty when there is none.
        """
        few = (last - first).days < _FEW_DAYS
        days = gb_time.days_between(first, last) if few else self.days(table)
        return self._rows(table, [day for day in days if first <= day <= last and (not few or self.has(table, day))])

    def read_all(self, table: str) -> pd.DataFrame:
        """The rows of every partition of a table, in key order."""
        return self._rows(table, self.days(table))

    def count(self, table: str, days: Iterable[date] | None = None) -> int:
        """Rows of the days' partitions (all by default), from the files' footers; a missing one has none."""
        wanted = self.days(table) if days is None else [day for day in days if self.has(table, day)]
        return sum(pyarrow.parquet.read_metadata(self.path(table, day)).num_rows for day in wanted)

    def has(self, table: str, day: date) -> bool:
        """Whether the partition exists (it may hold no row)."""
        return self.path(table, day).is_file()

    def days(self, table: str) -> list[date]:
        """Days that have a partition, in order; leftovers of dead writers are no partitions."""
        folder = self._folder(table)
        found = (_day_of(file) for file in folder.iterdir()) if folder.is_dir() else ()
        return sorted(day for day in found if day is not None)

    def files(self, table: str) -> list[Path]:
        """The Parquet files of a table, in day order."""
        return [self.path(table, day) for day in self.days(table)]

    def stamp(self, table: str, day: date) -> dict[str, str]:
        """What `write` was told the partition was made from; empty when it does not exist."""
        if not self.has(table, day):
            return {}
        metadata = pyarrow.parquet.read_schema(self.path(table, day)).metadata or {}
        pairs = {key.decode(): value.decode() for key, value in metadata.items()}
        return {k.removeprefix(_STAMP_PREFIX): v for k, v in pairs.items() if k.startswith(_STAMP_PREFIX)}

    def content_hash(self, table: str, days: Iterable[date] | None = None) -> str:
        """SHA-256 of the rows of the partitions of `days` (all by default), in day order.

        Equal rows give an equal hash, whenever, wherever and in whatever order they were written;
        stamps and file times are no part of it. A day without a partition differs from a day
        whose partition holds no row.
        """
        digest = hashlib.sha256()
        wanted = None if days is None else set(days)
        for day in self.days(table):
            if wanted is None or day in wanted:
                digest.update(day.isoformat().encode())
                _update_with_rows(digest, _read_partition(self.path(table, day), schemas.arrow_schema(table)))
        return digest.hexdigest()

    def vintage(self, tables: Iterable[str] = tuple(schemas.TABLES), days: Iterable[date] | None = None) -> str:
        """Changes when a partition of any of the tables is written (of `days`; all by default), and only then.

        From names, sizes and times of files.
        """
        digest = hashlib.sha256()
        for table in tables:
            held = self.days(table) if days is None else [day for day in days if self.has(table, day)]
            for file in (self.path(table, day) for day in held):
                found = file.stat()
                digest.update(f"{table} {file.name} {found.st_size} {found.st_mtime_ns}\n".encode())
        return digest.hexdigest()[:16]

    def _folder(self, table: str) -> Path:
        if table not in schemas.TABLES:
            raise KeyError(f"there is no table {table!r} in schemas.TABLES")
        return self.root / table

    def _rows(self, table: str, days: list[date]) -> pd.DataFrame:
        schema = schemas.arrow_schema(table)
        parts = [_read_partition(self.path(table, day), schema) for day in days]
        rows = pyarrow.concat_tables(parts) if parts else schema.empty_table()
        ordered = rows.sort_by([(key, "ascending") for key in schemas.keys(table)])
        return ordered.to_pandas(types_mapper=schemas.PANDAS_TYPES.get)

    def _keep_refused(self, table: str, day: date, frame: pd.DataFrame, refusal: RefusedFrameError) -> None:
        folder = self.quarantine / table / day.isoformat()
        cases = getattr(refusal, "failure_cases", pd.DataFrame())
        dtypes = "".join(f"{name}: {dtype}\n" for name, dtype in zip(frame.columns, frame.dtypes, strict=True))
        atomic.write_bytes(folder / "frame.csv", _csv(frame))
        atomic.write_bytes(folder / "failure_cases.csv", _csv(cases))
        atomic.write_bytes(folder / "reason.txt", f"{refusal}\n\n{dtypes}".encode("utf-8", "backslashreplace"))


def _day_of(file: Path) -> date | None:
    if file.suffix != _SUFFIX or not file.is_file():
        return None
    try:
        day = date.fromisoformat(file.stem)
    except ValueError:
        return None
    return day if file.stem == day.isoformat() else None


def _partition_days(table: str, frame: pd.DataFrame) -> pd.Series | None:
    """The day each row belongs to by its own key, or None for a table without such a key."""
    keys = schemas.keys(table)
    if key := next((name for name in _DAY_KEYS if name in keys), None):
        return frame[key]
    if key := next((name for name in _START_KEYS if name in keys), None):
        return gb_time.settlement_columns(frame[key])["settlement_date"]
    return None


def _require_day(table: str, day: date, frame: pd.DataFrame) -> None:
    """Refuses rows of another day, and rows whose period does not start when they say it does."""
    belongs = _partition_days(table, frame)
    if belongs is not None:
        _refuse_rows(table, frame, belongs != day, f"do not belong to the partition of {day.isoformat()}")
    _require_periods(table, frame)


def _require_periods(table: str, frame: pd.DataFrame) -> None:
    if {"settlement_period", "start_utc"} <= set(frame.columns):
        clock = gb_time.settlement_columns(frame["start_utc"])
        wrong = (clock["settlement_date"] != frame["settlement_date"]) | (
            clock["settlement_period"] != frame["settlement_period"]
        )
        _refuse_rows(table, frame, wrong, "have a start_utc that is not the start of their settlement period")


def _by_day(table: str, whole: pd.DataFrame, frames: Mapping[date, pd.DataFrame]) -> dict[date, pd.DataFrame]:
    """The validated rows of each day, refused when a day has more or fewer of them than it was given."""
    belongs = _partition_days(table, whole)
    if belongs is None:
        raise RefusedFrameError(f"{table} has no key that says which day a row belongs to")
    days = dict(tuple(whole.groupby(belongs)))
    none = schemas.empty_frame(table)
    parts = {day: days.get(day, none).reset_index(drop=True) for day in frames}
    if any(len(parts[day]) != len(frame) for day, frame in frames.items()):
        raise RefusedFrameError(f"{table}: rows do not belong to the partition they were given for")
    _require_periods(table, whole)
    return parts


def _refuse_rows(table: str, frame: pd.DataFrame, wrong: pd.Series, what: str) -> None:
    if not wrong.any():
        return
    row = frame.loc[wrong].iloc[0]
    first = ", ".join(f"{key} {row[key]}" for key in schemas.keys(table))
    refusal = RefusedFrameError(f"{table}: {int(wrong.sum())} of {len(frame)} rows {what}; the first has {first}")
    refusal.failure_cases = frame.loc[wrong]  # type: ignore[attr-defined]
    raise refusal


def _parquet(table: str, frame: pd.DataFrame, stamp: Mapping[str, str]) -> bytes:
    rows = pyarrow.Table.from_pandas(frame, schema=schemas.arrow_schema(table), preserve_index=False)
    metadata = {f"{_STAMP_PREFIX}{key}": stamp[key] for key in sorted(stamp)}
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(rows.replace_schema_metadata(metadata), sink)
    return sink.getvalue().to_pybytes()


def _read_partition(file: Path, schema: pyarrow.Schema) -> pyarrow.Table:
    try:
        rows = pyarrow.parquet.ParquetFile(file).read().replace_schema_metadata(None)
    except pyarrow.ArrowInvalid:
        rows = None
    rows = None if rows is None else _with_later_columns(rows, schema)
    if rows is None or not rows.schema.equals(schema):
        problem = "is no Parquet file" if rows is None else "was written with other columns than this version has"
        raise BessError(f"{file} {problem}: materialise that day again")
    return rows


def _with_later_columns(rows: pyarrow.Table, schema: pyarrow.Schema) -> pyarrow.Table:
    """Rows of an earlier version with the columns that a table has had since, as far as they may be null."""
    later = [field for field in schema if field.name not in rows.column_names and field.nullable]
    for field in later:
        rows = rows.append_column(field, pyarrow.nulls(rows.num_rows, field.type))
    return rows.select(schema.names) if later and set(schema.names) == set(rows.column_names) else rows


def _update_with_rows(digest: hashlib._Hash, rows: pyarrow.Table) -> None:
    """Feeds names, types, nulls and values, column by column; bytes under a null do not count."""
    compute = pyarrow.compute
    for field in rows.schema:
        column = rows[field.name]
        digest.update(f"|{field.name}:{field.type}:{len(column)}|".encode())
        digest.update(column.is_null().to_numpy().tobytes())
        if pyarrow.types.is_string(field.type):
            digest.update(compute.binary_length(column).fill_null(0).to_numpy().tobytes())
            digest.update("".join(column.fill_null("").to_pylist()).encode())
        else:
            plain = column.cast(_PLAIN_TYPES.get(field.type, field.type))
            digest.update(plain.fill_null(0).to_numpy().tobytes())


def _csv(frame: pd.DataFrame) -> bytes:
    return frame.to_csv(index=False).encode("utf-8", "backslashreplace")
