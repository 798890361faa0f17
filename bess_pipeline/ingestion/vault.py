"""The raw vault: every answer as it came, content-addressed and append-only.

What belongs here: storing answers and finding the newest ones for a day. What does not: asking
providers (`sources/`), reading what an answer says (`sources/parse_*`) and deciding what a
complete day is (`datasets.py`).

Layout under `raw/`:

* `objects/ab/abcd….gz`  one file per distinct body, named by its SHA-256
* `records/<dataset>/<day>/<fetched_utc>-<n>-<id>.json`  which bodies the n-th ask for that day
  brought, with URL (no token), status and fetch time
* `failures/<dataset>/<day>.json`  why the newest ask failed; removed by the next good one
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import BinaryIO, cast

from bess_pipeline.atomic import replacing, write_bytes
from bess_pipeline.errors import BessError
from bess_pipeline.sources.http import Answer

_PIECE = 1024 * 1024
_ANOTHER = "its bytes do not match its name"


@dataclass(frozen=True)
class RawBody:
    """One stored answer: where it came from and the SHA-256 that names its bytes."""

    source: str
    url: str
    status: int
    content_type: str
    sha256: str
    origin: str


@dataclass(frozen=True)
class RawRecord:
    """What one ask for one day brought: its bodies, in order, and when."""

    dataset: str
    day: date
    fetched_utc: datetime
    bodies: tuple[RawBody, ...]


@dataclass(frozen=True)
class Failure:
    """Why the newest ask for a day brought nothing that could be kept; not `asked`: no request was made."""

    status: str
    reason: str
    at_utc: datetime
    asked: bool = True


class RawVault:
    """Append-only store of answers below `root` (the workspace's `raw/`)."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def keep(self, dataset: str, days: Sequence[date], answers: Sequence[Answer], fetched_utc: datetime) -> None:
        """Store the answers of one ask and a record of it for each day it covered."""
        self._keep_records(dataset, days, tuple(self._keep_body(answer) for answer in answers), fetched_utc)

    def keep_file(self, dataset: str, days: Sequence[date], body: RawBody, file: Path, fetched_utc: datetime) -> None:
        """As `keep`, of one body that lies in a gzip file of this file system; the file is moved."""
        if not self._holds_file(body.sha256):
            with replacing(self._object(body.sha256)) as temporary:
                os.replace(file, temporary)
        self._keep_records(dataset, days, (body,), fetched_utc)

    @property
    def incoming(self) -> Path:
        """Where bodies are written that are too large for memory, until they are kept."""
        return self.root / "incoming"

    @contextmanager
    def reading(self, sha256: str) -> Iterator[BinaryIO]:
        """One stored answer as a stream; BessError when the file is gone or damaged.

        Damage shows in its checksum at the end of the stream, and a reader may stumble over nonsense before it
        gets there: what it then says of the content is told only of a file that is whole.
        """
        problem = ""
        try:
            with gzip.open(self._object(sha256), "rb") as stream:
                try:
                    yield cast(BinaryIO, stream)
                except BessError:
                    self._require_whole(sha256)
                    raise
        except FileNotFoundError:
            problem = "it is gone"
        except (OSError, EOFError, zlib.error) as error:
            problem = str(error)
        if problem:
            raise BessError(f"raw answer {sha256}.gz cannot be read ({problem}): fetch its days again with --force")

    def _keep_records(
        self, dataset: str, days: Sequence[date], bodies: tuple[RawBody, ...], fetched_utc: datetime
    ) -> None:
        stamp = fetched_utc.strftime("%Y%m%dT%H%M%S%fZ")
        for day in days:
            record = {
                "dataset": dataset,
                "day": day.isoformat(),
                "fetched_utc": fetched_utc.isoformat(),
                "bodies": [asdict(body) for body in bodies],
            }
            text = json.dumps(record, indent=1, sort_keys=True).encode()
            self._keep_record(dataset, day, stamp, text)
            self._failure_file(dataset, day).unlink(missing_ok=True)

    def newest(self, dataset: str, day: date) -> RawRecord | None:
        """The newest record of a day, or None when it was never fetched."""
        return next(iter(self.records(dataset, day)), None)

    def records(self, dataset: str, day: date, until: str | None = None) -> Iterator[RawRecord]:
        """All records of a day, the newest first; with `until` (a mark of `asks`) those up to that ask."""
        files = self._record_files(dataset, day)
        return (self._read_record(path) for path in reversed(files) if until is None or _mark(path) <= until)

    def asks(self, dataset: str, day: date) -> list[str]:
        """A mark of each ask of a day that was answered; marks of all days sort in the order of the asks."""
        return [_mark(path) for path in self._record_files(dataset, day)]

    def body(self, sha256: str) -> bytes:
        """The bytes of one stored answer; BessError when the file is gone or damaged."""
        path = self._object(sha256)
        try:
            content = gzip.decompress(path.read_bytes())
        except FileNotFoundError:
            reason = "it is gone"
        except (OSError, EOFError, zlib.error) as error:
            reason = str(error)
        else:
            if hashlib.sha256(content).hexdigest() == sha256:
                return content
            reason = _ANOTHER
        raise BessError(f"raw answer {path.name} cannot be read ({reason}): fetch its days again with --force")

    def note_failure(self, dataset: str, day: date, failure: Failure) -> None:
        """Remember why an ask failed; stored good answers are untouched."""
        content = json.dumps(asdict(failure) | {"at_utc": failure.at_utc.isoformat()}).encode()
        write_bytes(self._failure_file(dataset, day), content)

    def failure(self, dataset: str, day: date) -> Failure | None:
        """The failure of the newest ask, or None when it succeeded or never happened."""
        try:
            data = json.loads(self._failure_file(dataset, day).read_text())
        except FileNotFoundError:
            return None
        at_utc = datetime.fromisoformat(data["at_utc"])
        return Failure(data["status"], data["reason"], at_utc, data.get("asked", True))

    def _keep_body(self, answer: Answer) -> RawBody:
        if not self._holds(answer.sha256):
            write_bytes(self._object(answer.sha256), gzip.compress(answer.content, mtime=0))
        return RawBody(answer.source, answer.url, answer.status, answer.content_type, answer.sha256, answer.origin)

    def _holds(self, sha256: str) -> bool:
        """True when the body is stored whole; one that was damaged is written again."""
        try:
            self.body(sha256)
        except BessError:
            return False
        return True

    def _holds_file(self, sha256: str) -> bool:
        """As `_holds`, piece by piece."""
        try:
            self._require_whole(sha256)
        except (OSError, EOFError, zlib.error):
            return False
        return True

    def _require_whole(self, sha256: str) -> None:
        """Reads a stored answer to its end; OSError, EOFError or zlib.error when it is gone or damaged."""
        digest = hashlib.sha256()
        with gzip.open(self._object(sha256), "rb") as stream:
            while piece := stream.read(_PIECE):
                digest.update(piece)
        if digest.hexdigest() != sha256:
            raise OSError(_ANOTHER)

    def _keep_record(self, dataset: str, day: date, stamp: str, text: bytes) -> None:
        """The count in the name orders asks of one instant, as a set clock makes them; a repeat adds nothing."""
        known = self._record_files(dataset, day)
        if not known or known[-1].read_bytes() != text:
            name = f"{stamp}-{len(known):06d}-{hashlib.sha256(text).hexdigest()[:12]}.json"
            write_bytes(self._record_folder(dataset, day) / name, text)

    def _record_files(self, dataset: str, day: date) -> list[Path]:
        return sorted(self._record_folder(dataset, day).glob("*.json"))

    def _object(self, sha256: str) -> Path:
        return self.root / "objects" / sha256[:2] / f"{sha256}.gz"

    def _record_folder(self, dataset: str, day: date) -> Path:
        return self.root / "records" / dataset / day.isoformat()

    def _failure_file(self, dataset: str, day: date) -> Path:
        return self.root / "failures" / dataset / f"{day.isoformat()}.json"

    @staticmethod
    def _read_record(path: Path) -> RawRecord:
        data = json.loads(path.read_text())
        bodies = tuple(RawBody(**body) for body in data["bodies"])
        fetched = datetime.fromisoformat(data["fetched_utc"])
        return RawRecord(data["dataset"], date.fromisoformat(data["day"]), fetched, bodies)


def _mark(path: Path) -> str:
    """Fetch time and count of a record's file name, both of a fixed width."""
    stamp, count, _ = path.name.split("-", 2)
    return f"{stamp}-{count}"
