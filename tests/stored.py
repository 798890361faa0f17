"""What a workspace holds and what a served market was asked for, read for the tests of the promises."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, unquote_plus, urlsplit

from bess_pipeline import gb_time
from bess_pipeline.ingestion.vault import RawVault
from bess_pipeline.schemas import TABLES
from bess_pipeline.workspace import Workspace


def contents(root: Path, tables: Iterable[str] = TABLES) -> dict[str, str]:
    """Content hash of each table of the lake."""
    lake = Workspace(root).lake
    return {table: lake.content_hash(table) for table in tables}


def partitions(root: Path) -> set[tuple[str, date]]:
    """(table, day) of every partition of the lake."""
    lake = Workspace(root).lake
    return {(table, day) for table in TABLES for day in lake.days(table)}


def require_whole(root: Path) -> None:
    """Everything a reader may find can be read: partitions, records, bodies, outcomes and the stamp."""
    workspace = Workspace(root)
    for table in TABLES:
        workspace.lake.read_all(table)
    workspace.stamp()
    vault = RawVault(workspace.raw)
    for dataset, day in answered(root):
        for record in vault.records(dataset, day):
            assert all(vault.body(body.sha256) for body in record.bodies)
    for path in workspace.raw.rglob("*.json"):
        json.loads(path.read_text())


def answered(root: Path) -> set[tuple[str, date]]:
    """(raw dataset, day) of which a record is stored."""
    records = Workspace(root).raw / "records"
    found = records.glob("*/*/*/*.json")
    return {("/".join(path.relative_to(records).parts[:2]), date.fromisoformat(path.parent.name)) for path in found}


def asked_for(targets: list[str]) -> set[tuple[str, date]]:
    """(raw dataset, day) that the requests served so far asked for, read from the addresses alone."""
    return set(each_asked_for(targets))


def each_asked_for(targets: list[str]) -> list[tuple[str, date]]:
    """As `asked_for`, a day as often as it was asked for."""
    return [pair for target in targets for pair in _asked_for(target)]


def _asked_for(target: str) -> set[tuple[str, date]]:
    parts = urlsplit(target)
    if "system-prices" in parts.path:
        return {("raw/elexon_system_price", date.fromisoformat(parts.path.rsplit("/", 1)[1]))}
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    if parts.path.endswith("market-index"):
        first, last = (gb_time.settlement_date_of(datetime.fromisoformat(query[name])) for name in ("from", "to"))
        return {("raw/elexon_market_index", day) for day in gb_time.days_between(first, last)}
    edges = [
        datetime.fromisoformat(text).replace(tzinfo=UTC) for text in re.findall(r"'(20[^']+)'", unquote_plus(target))
    ]
    if "deliveryStart" in target:
        first, last = (gb_time.settlement_date_of(edge) for edge in (edges[0], edges[1] - timedelta(seconds=1)))
        return {("raw/neso_response_auction", day) for day in gb_time.days_between(first, last)}
    if edges:  # product day D lies on the dates D-1 and D
        first, last = edges[0].date() + timedelta(days=1), edges[1].date()
        return {("raw/day_ahead_price", day) for day in gb_time.days_between(first, last)}
    return set()
