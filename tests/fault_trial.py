"""A day that is stored, a day that is to come, and a market whose faults are armed over its public address.

Shared by the tests of the fault matrix. A trial runs the real client and ingestion, writes
market.source_status as the pipeline does, and compares Parquet files byte by byte.
"""

from __future__ import annotations

import re
import shutil
import urllib.request
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pandas as pd
from ingest_tools import MARKET_TABLES, connected, dataset, ingest, lake_of

from bess_pipeline import gb_time
from bess_pipeline.ingestion.datasets import Dataset
from bess_pipeline.ingestion.outcomes import source_status_frame
from bess_pipeline.ingestion.vault import RawVault
from bess_pipeline.sample_market import MarketServer, MarketTables

STORED, NEXT = date(2026, 3, 11), date(2026, 3, 12)  # winter time: a date's requests name it alone
STATUS = "market/source_status"
SYSTEM_PRICE, MARKET_INDEX, AUCTION, DAY_AHEAD = MARKET_TABLES
PATIENT = {"read_timeout_s": 20.0, "connect_timeout_s": 10.0, "deadline_s": 60.0, "breaker_failures": 0}
TO_2020 = timedelta(days=2191)  # whole weeks, and both years change their clocks on 29 March
ENTSOE_STORED, ENTSOE_NEXT = STORED - TO_2020, NEXT - TO_2020
TOKEN = "canary-1f7e+of/trial"


def in_2020(tables: MarketTables) -> MarketTables:
    """The day-ahead prices of the market six years earlier, when ENTSO-E still carried them."""
    assert tables.day_ahead is not None
    moved = tables.day_ahead.assign(start_utc=tables.day_ahead["start_utc"] - TO_2020)
    return replace(tables, day_ahead=moved)


@dataclass
class Trial:
    """One workspace folder that asks `server`; `whole` is a folder in which all days are complete."""

    root: Path
    server: MarketServer
    whole: Path | None = None
    days: tuple[date, date] = (STORED, NEXT)
    day_ahead: str = "neso_n2ex"

    def arm(self, kind: str, **fields: object) -> None:
        """Put a fault in force, as anybody could who reaches the market's port."""
        self._post({"kind": kind, **fields})

    def lift(self) -> None:
        self._post({"clear": "1"})

    def _post(self, values: dict[str, object]) -> None:
        form = urlencode({name: str(value) for name, value in values.items()}).encode()
        with urllib.request.urlopen(f"{self.server.url}/bess/faults", data=form, timeout=20) as answer:
            assert answer.status == 200

    def datasets(self, tables: Iterable[str] = MARKET_TABLES) -> list[Dataset]:
        return [dataset(table, self.day_ahead) for table in tables]

    def ask(
        self,
        wanted: Sequence[str | Dataset] = MARKET_TABLES,
        days: Sequence[date] | None = None,
        *,
        settings: dict[str, Any] | None = None,
        **options: Any,
    ) -> pd.DataFrame:
        """Ask for and build days; their rows of market.source_status, by table and day."""
        days = list(days or self.days)
        chosen = [dataset(one, self.day_ahead) if isinstance(one, str) else one for one in wanted]
        with connected(self.root, self.server, settings=PATIENT | (settings or {}), **options) as ingestion:
            outcomes = ingest(ingestion, days, chosen)
        lake = lake_of(self.root)
        frames = {day: source_status_frame([one for one in outcomes if one.date == day]) for day in days}
        assert lake.write_days(STATUS, frames) == {}
        return lake.read(STATUS, min(days), max(days)).set_index(["dataset", "date"])

    def files(self, root: Path | None = None) -> dict[str, bytes]:
        """Every Parquet file of the market's tables, the outcomes apart."""
        lake = (root or self.root) / "lake"
        files = [path for table in MARKET_TABLES for path in (lake / table).glob("*.parquet")]
        return {str(path.relative_to(lake)): path.read_bytes() for path in files}

    def raw_bodies(self, table: str, day: date) -> list[bytes]:
        """What the newest answered ask of a day brought."""
        vault = RawVault(self.root / "raw")
        record = vault.newest(dataset(table, self.day_ahead).raw, day)
        assert record is not None
        return [vault.body(body.sha256) for body in record.bodies]

    def copy(self, root: Path) -> Trial:
        return replace(self, root=Path(shutil.copytree(self.root, root, dirs_exist_ok=True)))

    def refuses(
        self,
        sentence: str,
        wanted: Sequence[str | Dataset] = MARKET_TABLES,
        *,
        status: str = "refused",
        stored_status: str = "complete",
        rows: int = 0,
        **options: Any,
    ) -> pd.DataFrame:
        """The armed fault costs nothing: both days are asked for, what is stored stays, the next day says why."""
        stored, following = self.days
        before = self.files()
        found = self.ask(wanted, **options)
        assert self.files() == before
        for (table, day), row in found.iterrows():
            state = status if day == following else stored_status
            assert row["status"] == state, (table, day, row["reason"])
            if state != "complete":
                assert one_sentence(row["reason"])
                assert re.search(sentence, row["reason"]), row["reason"]
            if day == following:
                assert row["rows"] in (
                    rows,
                    2 if table == "market/day_ahead_price" else rows,
                )  # 23:00 of the day before
        assert {day for _, day in found.index} == {stored, following}
        return found

    def completes(
        self, wanted: Sequence[str | Dataset] = MARKET_TABLES, *, again: bool = False, **options: Any
    ) -> None:
        """With the faults lifted both days become complete, and equal to those of an undisturbed workspace.

        A day that the fault left complete is asked for once more only where that is wanted (`again`).
        """
        self.lift()
        stored, following = self.days
        known = lake_of(self.root).read(STATUS, stored, stored)
        days = [following] if set(known["status"]) == {"complete"} and not again else [stored, following]
        found = self.ask(wanted, days, **options)
        assert set(found["status"]) == {"complete"}
        assert self.whole is not None
        expected, mine = self.files(self.whole), self.files()
        names = {one if isinstance(one, str) else one.table for one in wanted}
        asked = {path for path in expected if str(Path(path).parent) in names}
        assert len(asked) >= 2 * len(names)
        assert {path: mine.get(path) for path in asked} == {path: expected[path] for path in asked}


def one_sentence(reason: str) -> bool:
    """What a user can read: one line, no name of an exception, no parameters of an address, no token."""
    odd = re.search(r"\n|Traceback|Error\(|securityToken|\?\w+=|" + re.escape(TOKEN), reason)
    return odd is None and 20 <= len(reason) <= 500


def half_hours(day: date) -> pd.DatetimeIndex:
    return gb_time.settlement_half_hours(day)
