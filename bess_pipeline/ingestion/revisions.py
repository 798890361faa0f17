"""Versions of the system price: keeping every one, saying what changed, and when to ask again.

What belongs here: `market/system_price_revision` from all raw records of a day, differences between versions,
and the calendar of re-fetches. What does not: fetching and the newest version (`ingest.py`), and the cash that
follows from a change (`trading/replay.py`).

A version of a period is a (publication time, price, net imbalance volume) that differs from all seen before; where no
publication time is known, a price or volume that differs from the one before it. Versions are numbered in the order in
which they were fetched, and by publication time within one answer: the raw vault is append-only, so a number never
changes.

When a settlement date is asked for again (domain reference 2.6): every day for `recent_days`; and after each
settlement run, which comes out a number of working days after the date, on the first `weekday` after it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from functools import lru_cache

import numpy as np
import pandas as pd

from bess_pipeline import gb_time, schemas
from bess_pipeline.errors import BessError, SourceError
from bess_pipeline.ingestion.datasets import Dataset
from bess_pipeline.ingestion.vault import RawRecord, RawVault
from bess_pipeline.lake import Lake
from bess_pipeline.settings import RevisionSettings
from bess_pipeline.sources import elexon
from bess_pipeline.working_days import bank_holidays

TABLE, SYSTEM_PRICE_RAW = "market/system_price_revision", "raw/elexon_system_price"
_PERIOD = ["settlement_date", "settlement_period"]
_REVISED = ["system_price_gbp_mwh", "net_imbalance_volume_mwh"]
ONE_DAY = timedelta(days=1)


class Revisions:
    """Versions of one workspace's system price, from the raw records of `dataset`."""

    def __init__(self, dataset: Dataset, vault: RawVault, lake: Lake) -> None:
        self.dataset = dataset
        self.vault = vault
        self.lake = lake
        self._parse = elexon.parse_system_price_versions if dataset.source == "elexon" else dataset.parse
        self._parsed = lru_cache(maxsize=8)(lambda sha256: self._parse(vault.body(sha256)))

    def build(self, days: Iterable[date]) -> tuple[int, list[str]]:
        """Write the partitions of `days` that stand on other records than the vault now holds.

        (Rows written, a line for each day that could not be built; its partition stays as it was.)
        """
        frames: dict[date, pd.DataFrame] = {}
        stamps, problems = {}, {}
        for day in self.outdated(days):
            records = list(self.vault.records(self.dataset.raw, day))
            try:
                frames[day] = self._versions(day, records)
                stamps[day] = {"inputs": _vintage(records)}
            except BessError as error:
                problems[day] = str(error)
        refused = self.lake.write_days(TABLE, frames, stamps)
        lines = problems | {day: str(refusal) for day, refusal in refused.items()}
        rows = sum(len(frame) for day, frame in frames.items() if day not in refused)
        return rows, [f"{day}: {lines[day]}" for day in sorted(lines)]

    def outdated(self, days: Iterable[date]) -> list[date]:
        """The days whose partition does not stand on all the answers that the vault holds of them."""
        found = ((day, list(self.vault.records(self.dataset.raw, day))) for day in days)
        return [day for day, kept in found if kept and self.lake.stamp(TABLE, day).get("inputs") != _vintage(kept)]

    def _versions(self, day: date, records: list[RawRecord]) -> pd.DataFrame:
        seen = [rows for record in reversed(records) if (rows := self._of_record(day, record)) is not None]
        return number_versions(pd.concat(seen, ignore_index=True)) if seen else schemas.empty_frame(TABLE)

    def _of_record(self, day: date, record: RawRecord) -> pd.DataFrame | None:
        """Rows of the day in one record; None where its answer cannot be read and so says nothing."""
        try:
            rows = pd.concat([self._parsed(body.sha256) for body in record.bodies], ignore_index=True)
        except SourceError:
            return None
        mine = rows.loc[rows["settlement_date"] == day, [*_PERIOD, "published_utc", *_REVISED]]
        return mine.assign(fetched_utc=pd.Timestamp(record.fetched_utc).as_unit("us"))


def last_fetched_utc(vault: RawVault, day: date) -> datetime | None:
    """When a day's system price was last asked for and answered; None when it never was."""
    newest = vault.newest(SYSTEM_PRICE_RAW, day)
    return newest.fetched_utc if newest else None


def number_versions(seen: pd.DataFrame) -> pd.DataFrame:
    """`market/system_price_revision` rows from all rows seen, in the order of their fetches.

    `seen` has settlement_date, settlement_period, published_utc (null where unknown), fetched_utc,
    system_price_gbp_mwh and net_imbalance_volume_mwh. A row that says nothing new is dropped.
    """
    ordered = seen.sort_values([*_PERIOD, "fetched_utc", "published_utc"], kind="stable", na_position="first")
    known = ordered["published_utc"].notna()
    again = known & ordered.duplicated([*_PERIOD, "published_utc", *_REVISED])
    before = ordered.groupby(_PERIOD)[_REVISED].shift()
    same = (before == ordered[_REVISED]) | (before.isna() & ordered[_REVISED].isna())
    again |= ~known & same.all(axis=1)
    kept = ordered[~again].copy()
    kept["version"] = kept.groupby(_PERIOD).cumcount().astype("int64") + 1
    return kept[list(schemas.columns(TABLE))].reset_index(drop=True)


def changes(revisions: pd.DataFrame) -> pd.DataFrame:
    """What changed and by how much: one row a version whose price differs from the version before it.

    Columns settlement_date, settlement_period, version, changed_utc (when it was first fetched),
    previous_gbp_mwh, system_price_gbp_mwh, change_gbp_mwh; as the view market.system_price_change.
    """
    ordered = revisions.sort_values([*_PERIOD, "version"], kind="stable").reset_index(drop=True)
    previous = ordered.groupby(_PERIOD)["system_price_gbp_mwh"].shift()
    change = ordered["system_price_gbp_mwh"] - previous
    frame = ordered[[*_PERIOD, "version"]].assign(
        changed_utc=ordered["fetched_utc"],
        previous_gbp_mwh=previous,
        system_price_gbp_mwh=ordered["system_price_gbp_mwh"],
        change_gbp_mwh=change,
    )
    return frame[change.notna() & (change != 0)].reset_index(drop=True)


def due_days(
    now: datetime,
    settings: RevisionSettings,
    days: Iterable[date],
    fetched_utc: Callable[[date], datetime | None],
) -> list[date]:
    """Those of `days` (settlement dates) whose system price must be asked for again at `now`, in order.

    A day that was never fetched is not due: it is missing, which is another matter.
    """
    today = gb_time.settlement_date_of(now)
    due = []
    for day in sorted(days):
        fetched = fetched_utc(day) if day < today else None
        if fetched is not None and _is_due(day, gb_time.settlement_date_of(fetched), today, settings):
            due.append(day)
    return due


def _is_due(day: date, fetched: date, today: date, settings: RevisionSettings) -> bool:
    if fetched >= today:
        return False
    recent = (today - day).days <= settings.recent_days
    return recent or any(fetched < check <= today for check in timetable(day, settings))


def timetable(day: date, settings: RevisionSettings) -> list[date]:
    """The dates on which a settlement date is asked for again after its runs, in order."""
    return [_next_weekday(add_working_days(day, count), settings.weekday) for count in settings.run_working_days]


@lru_cache(maxsize=65_536)
def add_working_days(day: date, count: int) -> date:
    """The working day (England: no weekend, no bank holiday) that comes `count` working days after `day`."""
    years = range(day.year, day.year + count // 200 + 2)
    closed = np.array(sorted(d for year in years for d in bank_holidays(year)), dtype="datetime64[D]")
    # from a day that is no working day, counting starts with the last one before it
    found = np.busday_offset(np.datetime64(day), count, roll="preceding", holidays=closed)
    return date.fromisoformat(str(found))


def _next_weekday(day: date, weekday: int) -> date:
    """The first such ISO weekday after `day`, on which what came out on `day` is there all day long."""
    return day + timedelta(days=(weekday - day.isoweekday() - 1) % 7 + 1)


def _vintage(records: Iterable[RawRecord]) -> str:
    """Twelve hex digits of which answers, fetched when, stand behind a day, and of what is kept of them."""
    digest = hashlib.sha256(",".join(schemas.columns(TABLE)).encode())
    for record in records:
        digest.update(record.fetched_utc.isoformat().encode())
        digest.update("".join(body.sha256 for body in record.bodies).encode())
    return digest.hexdigest()[:12]
