"""Whole-file replacement and locks between processes, shared by everything that writes below a workspace.

What belongs here: writing one file so that readers (and a writer killed half-way) leave the old or
the new one, never a half; and waiting for a lock, never for ever. What does not: what the files
hold (`lake.py`, `ingestion/vault.py`, `warehouse.py`).
"""

from __future__ import annotations

import errno
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from bess_pipeline.errors import BessError

TEMPORARY_SUFFIX = ".tmp"
LOCK_TIMEOUT_S = 60.0
FIRST_WORD_S, NEXT_WORD_S = 3.0, 30.0  # when somebody who waits for a lock is told so
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
def locked(
    lock_file: Path, doing: str, timeout_s: float = LOCK_TIMEOUT_S, say: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Hold the lock of `lock_file`; the operating system frees it when the holder dies, however that happens.

    `doing` completes "another process is …", which those who wait for this lock are told: `say` after some
    seconds and then at intervals, and the BessError raised when the wait lasts `timeout_s` seconds.
    """
    problem = ""
    lock = FileLock(lock_file)
    try:
        lock_file.parent.mkdir(parents=True, exist_ok=True)
        _wait_for(lock, doing, timeout_s, say or (lambda text: None))
    except Timeout:
        problem = (
            f"another process {_holder(lock_file, doing)} and {lock_file} was not free within "
            f"{_duration(timeout_s)}: wait for it to end, or end it, and run again"
        )
    except OSError as error:
        problem = f"cannot lock {lock_file}: {error.strerror or error}"
    if problem:
        raise BessError(problem)
    try:
        _note_holder(lock_file, doing)
        yield
    finally:
        lock.release()


def _wait_for(lock: FileLock, doing: str, timeout_s: float, say: Callable[[str], None]) -> None:
    started = time.monotonic()
    for word_s in _words_s(timeout_s):
        try:
            lock.acquire(timeout=max(word_s - (time.monotonic() - started), 0.0))
        except Timeout:
            if word_s >= timeout_s:
                raise
            other = _holder(Path(lock.lock_file), doing)
            say(f"waiting: another process {other} ({_duration(word_s)} so far, {_duration(timeout_s)} at most)")
        else:
            return


def _words_s(timeout_s: float) -> Iterator[float]:
    """When a waiting process says so, in seconds since it began to wait; the last one is the end of the wait."""
    word_s = FIRST_WORD_S
    while word_s < timeout_s:
        yield word_s
        word_s += NEXT_WORD_S
    yield timeout_s


def _note_holder(lock_file: Path, doing: str) -> None:
    with suppress(OSError):  # a full disk does not keep anyone from holding a lock
        lock_file.write_text(f"{os.getpid()} {doing}", encoding="utf-8")


def _holder(lock_file: Path, doing: str) -> str:
    """ "(4711) is doing something", in the words of whoever holds the lock, or else in ours."""
    with suppress(OSError, ValueError):
        process, its_doing = lock_file.read_text(encoding="utf-8").split(" ", 1)
        return f"({int(process)}) is {its_doing}"
    return f"is {doing}"


def _duration(seconds: float) -> str:
    return f"{seconds:g} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
