"""The one CSV inside a zip file, as a stream: never unpacked whole, and refused where it could grow without bound.

What belongs here: which zip files are read, and reading their one member. What does not: what the CSV says
(`neso_frequency.py`) and where the bytes lie (`ingestion/vault.py`).

Limits: MAX_MEMBERS entries and DIRECTORY_BYTES of directory are checked before the directory is read; the member
must be stored or deflated, not encrypted, and say that it holds at most `max_bytes` and MAX_RATIO times what it
takes packed. What it says binds: the standard library yields no byte beyond it and checks its CRC at the end.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from bess_pipeline.errors import PayloadError

MAX_MEMBERS = 16
DIRECTORY_BYTES = 64 * 1024
MAX_RATIO = 200  # a month of frequency packs to an eighth; deflate alone can reach a thousandth
_START, _END, _ZIP64 = b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x07"
_END_RECORD = struct.Struct("<4sHHHHLLH")
_LOCATOR_BYTES = 20
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})


def is_zip(stream: BinaryIO) -> bool:
    """True when a stream (at its start, seekable) begins as a zip file does; it is left at its start."""
    head = stream.read(len(_START))
    stream.seek(0)
    return head in (_START, _END)


@contextmanager
def csv_member(stream: BinaryIO, what: str, max_bytes: int) -> Iterator[BinaryIO]:
    """The CSV in a zip file; PayloadError, also from within the block, when it is damaged or beyond a limit."""
    problem = ""
    try:
        _check_directory(stream)
        with zipfile.ZipFile(stream) as archive:
            member = _the_csv(archive, max_bytes)
            with archive.open(member) as content:
                yield cast(BinaryIO, content)
    except (_RefusedZipError, zipfile.BadZipFile, NotImplementedError, EOFError, zlib.error, struct.error) as error:
        problem = str(error) or "it ends too early"
    if problem:
        raise PayloadError(f"{what}: the zip file cannot be read ({problem})")


class _RefusedZipError(Exception):
    """Why a zip file is not read."""


def _check_directory(stream: BinaryIO) -> None:
    """Refuse a directory that is too large to be read, before anybody reads it."""
    size = stream.seek(0, 2)
    tail_bytes = min(size, _END_RECORD.size + 0xFFFF + _LOCATOR_BYTES)
    stream.seek(size - tail_bytes)
    tail = stream.read(tail_bytes)
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_RECORD.size:
        raise _RefusedZipError("it has no directory at its end: truncated?")
    if tail[max(at - _LOCATOR_BYTES, 0) : at].startswith(_ZIP64):
        raise _RefusedZipError("it is in the format for files beyond 4 GB")
    _, _, _, _, members, directory_bytes, _, _ = _END_RECORD.unpack_from(tail, at)
    if members > MAX_MEMBERS or directory_bytes > DIRECTORY_BYTES:
        raise _RefusedZipError(f"it says it holds {members} files; one CSV is expected")


def _the_csv(archive: zipfile.ZipFile, max_bytes: int) -> zipfile.ZipInfo:
    members = [one for one in archive.infolist() if one.filename.lower().endswith(".csv") and not _hidden(one.filename)]
    if len(members) != 1:
        raise _RefusedZipError(f"it holds {len(members)} CSV files; one is expected")
    member = members[0]
    if member.flag_bits & 0x1 or member.compress_type not in _METHODS:
        raise _RefusedZipError("its CSV is encrypted, or packed in an unusual way")
    if member.file_size > max_bytes:
        raise _RefusedZipError(f"its CSV is larger than {max_bytes} bytes")
    if member.file_size > MAX_RATIO * max(member.compress_size, 1):
        raise _RefusedZipError(f"its CSV is packed more than {MAX_RATIO} times")
    return member


def _hidden(name: str) -> bool:
    """What macOS adds beside a file: `__MACOSX/._name`."""
    return name.startswith("__MACOSX/") or name.rpartition("/")[2].startswith(".")
