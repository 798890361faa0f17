"""A workspace: one folder with its lake, reports, Dagster home and warehouse, and the stamp of what it holds.

What belongs here: where things lie, and the rule that data of one origin or day-ahead source never
meets data of another. What does not: the data itself (`lake.py`, `ingestion/vault.py`), building
the warehouse (`warehouse.py`) and asking a market what it is (`runtime.py`).

The stamp, `workspace.json`, is written on first use. A sample market's and a real market's data
never share a folder, so no table and no report can mix them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal, cast, get_args

from bess_pipeline import atomic
from bess_pipeline.errors import BessError, OriginError, UserInputError
from bess_pipeline.lake import Lake
from bess_pipeline.schemas import SCHEMA_VERSION
from bess_pipeline.settings import DayAheadSource, Mode, Settings, SourcesSettings

Origin = Literal["live", "recorded", "simulated"]

_PACKAGE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class WorkspaceStamp:
    """What a workspace holds; `chain_starts` are the trading days that start from the initial state of charge."""

    origin: Origin
    day_ahead: DayAheadSource
    schema_version: int = SCHEMA_VERSION
    chain_starts: tuple[date, ...] = ()


@dataclass(frozen=True)
class Workspace:
    """The folder `root`. Reading attributes touches no disk; `ensure` makes the folders."""

    root: Path

    @property
    def raw(self) -> Path:
        """Every answer of a provider, as it came."""
        return self.root / "raw"

    @property
    def lake_dir(self) -> Path:
        """Folder of the Parquet partitions."""
        return self.root / "lake"

    @property
    def quarantine(self) -> Path:
        """Refused frames with their failure cases."""
        return self.root / "quarantine"

    @property
    def reports(self) -> Path:
        """Figures and reports."""
        return self.root / "reports"

    @property
    def dagster_home(self) -> Path:
        """Dagster's own folder; absolute, as Dagster demands."""
        return (self.root / "dagster_home").absolute()

    @property
    def database(self) -> Path:
        """The published DuckDB file; disposable, remade from the lake."""
        return self.root / "bess.duckdb"

    @property
    def stamp_file(self) -> Path:
        """Where the stamp is kept."""
        return self.root / "workspace.json"

    @property
    def lake(self) -> Lake:
        """The partitions of this workspace."""
        return Lake(self.lake_dir, self.quarantine)

    def ensure(self) -> None:
        """Makes the folders; UserInputError when the root cannot be a workspace."""
        problem = ""
        try:
            for folder in (self.raw, self.lake_dir, self.quarantine, self.reports, self.dagster_home):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            problem = f"{self.root} cannot be a workspace: {error.strerror}: choose another --workspace"
        if problem:
            raise UserInputError(problem)

    def stamp(self) -> WorkspaceStamp | None:
        """What the workspace holds, or None before the first use.

        Raises BessError when the stamp cannot be read or was written by a newer version.
        """
        if not self.stamp_file.is_file():
            return None
        try:
            values = json.loads(self.stamp_file.read_text(encoding="utf-8"))
            version = int(values["schema_version"])
            stamp = _parse_stamp(values) if version <= SCHEMA_VERSION else None
        except (OSError, ValueError, KeyError, TypeError, OriginError):
            version, stamp = 0, None
        if stamp is None and version:
            raise BessError(
                f"workspace {self.root} was written by a newer version (schema {version}, this one knows "
                f"{SCHEMA_VERSION}): upgrade bess-pipeline or choose another --workspace"
            )
        if stamp is None:
            raise BessError(f"{self.stamp_file} cannot be read: restore it, or choose another --workspace")
        return stamp

    def claim(self, origin: str, day_ahead: str) -> WorkspaceStamp:
        """Stamps an unused workspace; on a used one, checks that what comes is what is there.

        Raises OriginError in one sentence when it is not, or when `origin` (which may come from a
        market's answer) or `day_ahead` is none that we know.
        """
        wanted = _known_stamp(origin, day_ahead)
        with self._locked():
            stamp = self.stamp()
            if stamp is None:
                return self._write_stamp(wanted)
        if (stamp.origin, stamp.day_ahead) != (origin, day_ahead):
            coming = f"{origin} data" if stamp.origin != origin else f"day-ahead source {day_ahead}"
            raise self._refusal(stamp, coming)
        return stamp

    def declare_chain_start(self, day: date) -> WorkspaceStamp:
        """Adds a trading day that may start from the initial state of charge; declaring it twice is the same.

        Raises BessError when the workspace has no stamp yet.
        """
        with self._locked():
            stamp = self.stamp()
            if stamp is None:
                raise BessError(f"workspace {self.root} holds nothing yet: a chain of trading days cannot start in it")
            if day in stamp.chain_starts:
                return stamp
            return self._write_stamp(replace(stamp, chain_starts=tuple(sorted({*stamp.chain_starts, day}))))

    def prepare_dagster_home(self, initialise: Callable[[Path], None] | None = None) -> Path:
        """Copies the `dagster.yaml` template into the Dagster home, once; returns the home.

        `initialise(home)` is run once too (it opens Dagster's storage, which breaks when several
        processes create it together). Both happen under a lock, so processes starting at once wait
        for the first.
        """
        home = self.dagster_home
        config, done = home / "dagster.yaml", home / ".initialised"
        with atomic.locked(self.root / "dagster_home.lock", "preparing the Dagster home"):
            if not config.is_file():
                atomic.write_bytes(config, packaged("dagster.yaml").read_bytes())
            if initialise is not None and not done.is_file():
                initialise(home)
                atomic.write_bytes(done, b"")
        return home

    def _locked(self) -> AbstractContextManager[None]:
        return atomic.locked(self.root / "workspace.lock", "writing the stamp of the workspace")

    def _write_stamp(self, stamp: WorkspaceStamp) -> WorkspaceStamp:
        values = {
            "origin": stamp.origin,
            "day_ahead": stamp.day_ahead,
            "schema_version": stamp.schema_version,
            "chain_starts": [day.isoformat() for day in stamp.chain_starts],
        }
        atomic.write_bytes(self.stamp_file, (json.dumps(values, indent=2) + "\n").encode())
        return stamp

    def _refusal(self, stamp: WorkspaceStamp, coming: str) -> OriginError:
        return OriginError(
            f"workspace {self.root} holds {stamp.origin} data with day-ahead source {stamp.day_ahead}; "
            f"{coming} cannot be added to it: choose another --workspace"
        )


def effective_sources(settings: Settings, stamp: WorkspaceStamp | None) -> tuple[Mode, DayAheadSource]:
    """Mode and day-ahead source in force: the explicit setting, else the stamp's, else live and neso_n2ex.

    Raises OriginError when a setting contradicts the stamp.
    """
    mode, day_ahead = settings.sources.mode, settings.sources.day_ahead
    if stamp is None:
        return mode or "live", day_ahead or "neso_n2ex"
    where = Workspace(settings.workspace)
    if mode is not None and (mode == "sample") != (stamp.origin == "simulated"):
        raise where._refusal(stamp, f"data of sources mode {mode}")
    if day_ahead not in (None, stamp.day_ahead):
        raise where._refusal(stamp, f"day-ahead source {day_ahead}")
    return mode or _mode_of(stamp, settings.sources), stamp.day_ahead


def _mode_of(stamp: WorkspaceStamp, sources: SourcesSettings) -> Mode:
    if stamp.origin == "simulated":
        return "sample"
    if stamp.origin == "recorded" and stamp.day_ahead == "file" and not sources.base_url_given:
        return "files"  # recorded data without a market that replays it
    return "live"


def require_origin(mode: Mode, origin: Origin) -> None:
    """Refuses simulated data in the modes live and files, and any other in mode sample (OriginError)."""
    if (mode == "sample") != (origin == "simulated"):
        raise OriginError(
            f"sources mode {mode} cannot bring {origin} data: "
            'set [sources] mode = "sample" for a simulated market and only for one'
        )


def packaged(name: str) -> Path:
    """Where `sql` or `dagster.yaml` lies: inside the package in a wheel, beside it in a checkout."""
    for folder in (_PACKAGE, _PACKAGE.parent):
        if (folder / name).exists():
            return folder / name
    raise BessError(f"this installation is incomplete: there is no {name} in {_PACKAGE}; install bess-pipeline again")


def _parse_stamp(values: dict[str, Any]) -> WorkspaceStamp:
    starts = tuple(date.fromisoformat(day) for day in values["chain_starts"])
    stamp = _known_stamp(values["origin"], values["day_ahead"])
    return replace(stamp, schema_version=int(values["schema_version"]), chain_starts=starts)


def _known_stamp(origin: str, day_ahead: str) -> WorkspaceStamp:
    for value, known in ((origin, Origin), (day_ahead, DayAheadSource)):
        if value not in get_args(known):
            raise OriginError(f"a workspace cannot hold {value!r} data: known are {', '.join(get_args(known))}")
    return WorkspaceStamp(cast(Origin, origin), cast(DayAheadSource, day_ahead))
