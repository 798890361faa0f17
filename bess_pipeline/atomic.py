"""Whole-file replacement and locks between processes, shared by everything that writes below a workspace.

What belongs here: writing one file so that readers (and a writer killed half-way) leave the old or
the new one, never a half; and waiting for a lock, never for ever. What does not: what the files
hold (`lake.py`, `ingestion/vault.py`, `warehouse.py`).
"""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from bess_pipeline.errors import BessError

TEMPORARY_SUFFIX = ".tmp"
LOCK_TIMEOUT_S = 60.0
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A unique temporary path beside `path`; on success it is flushed and renamed onto `path`.

    On any failure the temporary file is removed and `path` is untouched. A full or read-only disk
    becomes one BessError sentence.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{uuid.uuid4().hex}{TEMPORARY_SUFFIX}")
    problem = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
        _flush(path.parent)
    except OSError as error:
        problem = cannot_write(path, error.strerror or str(error), full=error.errno in _NO_SPACE)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    if problem:
        raise BessError(problem)


def write_bytes(path: Path, content: bytes) -> None:
    """Replace `path` by `content` atomically."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def cannot_write(path: Path, why: str, *, full: bool) -> str:
    """The sentence for a file that could not be replaced; `full` when the disk has no space left."""
    mend = "; free some space and run again" if full else ""
    return f"cannot write {path}: {why}; the old file is intact{mend}"


@contextmanager
def locked(lock_file: Path, doing: str, timeout_s: float = LOCK_TIMEOUT_S) -> Iterator[None]:
    """Hold the lock of `lock_file`; the operating system frees it when the holder dies, however that happens.

    `doing` completes "another process is …" in the BessError raised when somebody else holds the
    lock for `timeout_s` seconds.
    """
    problem = ""
    lock = FileLock(lock_file, timeout=timeout_s)
    try:
        lock_file.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        problem = (
            f"another process is {doing} and has held {lock_file} for more than {timeout_s:g} s: "
            "wait for it to end, or end it, and run again"
        )
    except OSError as error:
        problem = f"cannot lock {lock_file}: {error.strerror or error}"
    if problem:
        raise BessError(problem)
    try:
        yield
    finally:
        lock.release()


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
