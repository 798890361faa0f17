"""`bess doctor`: is this workspace sound, and what to do where it is not.

What belongs here: reading checks that change nothing and reach no provider. What does not: the
data's own checks, which run with the assets (`orchestration/assets/`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from bess_pipeline.errors import BessError
from bess_pipeline.ingestion.outcomes import REFUSED
from bess_pipeline.ingestion.quality import DataQuality, Summary, assess, holes, lateness, summaries
from bess_pipeline.ingestion.revision_summary import summarise
from bess_pipeline.runtime import Runtime
from bess_pipeline.schemas import SCHEMA_VERSION, TABLES
from bess_pipeline.settings import STATE_FOLDER_VARIABLE, Settings, config_file, entsoe_token
from bess_pipeline.sources.breaker import Breaker
from bess_pipeline.sources.provider_state import provider_key, shared_state
from bess_pipeline.sources.redaction import public_url
from bess_pipeline.trading_tables import CO_OPTIMISED_PLAN
from bess_pipeline.verdict import forecast_words, not_complete, plan_words
from bess_pipeline.warehouse import query


@dataclass(frozen=True)
class Finding:
    """One check: what was looked at, whether it is well, and what was found or is to be done."""

    what: str
    ok: bool
    text: str


def examine(settings: Settings) -> list[Finding]:
    """All findings on the machine, the settings and the workspace."""
    runtime = Runtime(settings)
    checks: dict[str, Callable[[Runtime], str]] = {
        "python": lambda _: f"{sys.version.split()[0]}",
        "settings": _settings,
        "workspace": _workspace,
        "data": _data,
        "forecasts": _forecasts,
        "plans": _plans,
        "database": _database,
        "providers": _providers,
    }
    return [*(_finding(what, check, runtime) for what, check in checks.items()), *_data_quality(runtime)]


def _finding(what: str, check: Callable[[Runtime], str], runtime: Runtime) -> Finding:
    try:
        return Finding(what, True, check(runtime))
    except BessError as error:
        return Finding(what, False, str(error))


def _settings(runtime: Runtime) -> str:
    runtime.datasets()
    file = str(config_file()) if config_file().is_file() else "no bess.toml"
    token = "set" if entsoe_token() else "not set (needed for ENTSO-E only)"
    return f"{file}, fingerprint {runtime.settings.fingerprint()}, ENTSOE_API_TOKEN {token}"


def _workspace(runtime: Runtime) -> str:
    stamp = runtime.workspace.stamp()
    root = runtime.workspace.root
    if stamp is None:
        return f"{root} holds nothing yet: run `bess demo`, `bess backfill` or `bess refresh`"
    chains = ", ".join(map(str, stamp.chain_starts)) or "none yet"
    return (
        f"{root} holds {stamp.origin} data, day-ahead source {stamp.day_ahead}, "
        f"schema {stamp.schema_version} (this version: {SCHEMA_VERSION}), chains start on {chains}"
    )


def _data(runtime: Runtime) -> str:
    lake = runtime.workspace.lake
    days = lake.days("trading/run_status")
    counts = {table: len(lake.days(table)) for table in TABLES}
    if not any(counts.values()):
        return "no partition yet"
    problems = not_complete(lake, days)
    if problems:
        bad = len({problem.day for problem in problems})
        listed = "; ".join(map(str, problems[:5])) + (" …" if len(problems) > 5 else "")
        raise BessError(f"{bad} of {len(days)} trading days are not complete: {listed}")
    span = f"{days[0]} to {days[-1]}, " if days else ""
    partitions = ", ".join(f"{table} {count}" for table, count in counts.items())
    return f"{span}{len(days)} trading days, all complete; partitions: {partitions}"


def _data_quality(runtime: Runtime) -> list[Finding]:
    """Holes of each market table, lateness of each source, revisions and quarantine; nothing for a new workspace."""
    try:
        if runtime.workspace.stamp() is None:
            return []
        lake = runtime.workspace.lake
        quality = assess(lake, runtime.watched(), runtime.now())
        revisions = str(summarise(lake, runtime.settings.revisions))
    except BessError as error:
        return [Finding("coverage", False, str(error))]
    found = [Finding(f"coverage of {one.dataset}", one.sound, _with_holes(quality, one)) for one in summaries(quality)]
    found += [Finding(f"lateness of {one.source}", True, str(one)) for one in lateness(quality)]
    return [*found, Finding("revisions", True, revisions), _quarantine(quality)]


def _forecasts(runtime: Runtime) -> str:
    """How forecasts and scenarios went; no trading day waits for them, so nothing here is unsound."""
    lake = runtime.workspace.lake
    days = lake.days("scenario/gate_status")
    return forecast_words(lake, days) if days else "none made yet"


def _plans(runtime: Runtime) -> str:
    """How plans of all markets went; no trading day waits for them either."""
    lake = runtime.workspace.lake
    days = lake.days(CO_OPTIMISED_PLAN)
    return plan_words(lake, days) if days else "none of all markets made yet"


def _with_holes(quality: DataQuality, summary: Summary) -> str:
    rows = holes(quality)
    mine = rows[(rows["dataset"] == summary.dataset) & (rows["state"] == REFUSED)]
    listed = [
        f"{row.first}{'' if row.days == 1 else f' to {row.last}'} ({row.reason})" for row in mine.head(3).itertuples()
    ]
    more = " …" if len(mine) > len(listed) else ""
    return f"{summary}; refused: {'; '.join(listed)}{more}" if listed else str(summary)


def _quarantine(quality: DataQuality) -> Finding:
    kept = quality.quarantine
    if kept.empty:
        return Finding("quarantine", True, "empty")
    waiting = kept[kept["open"]]
    text = f"{len(kept)} days with {kept['rows'].sum()} rows, {len(waiting)} of them not mended since"
    listed = "; ".join(f"{row.table} {row.date}: {row.reason}" for row in waiting.head(3).itertuples())
    return Finding("quarantine", waiting.empty, f"{text}: {listed}" if listed else text)


def _providers(runtime: Runtime) -> str:
    """What is shared of providers, and those that are left alone for a while."""
    state, sources, now = shared_state(), runtime.settings.sources, runtime.settings.now()
    breaker = Breaker(state, sources)
    urls = {"elexon": sources.elexon_base_url, "neso": sources.neso_base_url, "entsoe": sources.entsoe_base_url}
    hosts = {source: urlsplit(public_url(url)).netloc for source, url in urls.items()}
    cooling = [
        found.sentence(source, host, now)
        for source, host in hosts.items()
        if (found := breaker.cooling(provider_key(source, host)))
    ]
    if cooling:
        raise BessError("; ".join(cooling))
    if not state.usable():
        where = state.folder or "a home folder"
        raise BessError(
            f"{where} cannot be written, so that request limits hold within one process only: "
            f"name another folder in {STATE_FOLDER_VARIABLE}"
        )
    return f"none is left alone after failures; request limits are shared in {state.folder}"


def _database(runtime: Runtime) -> str:
    database = runtime.workspace.database
    if not database.exists():
        return f"{database} is not published yet"
    rows = query(database, "SELECT count(*) AS n FROM market.source_status").iloc[0]["n"]
    return f"{database} opens, {rows} source statuses"
