"""Atomic file replacement, shared by everything that writes below a workspace.

What belongs here: writing one file so that readers see the old or the new one, never a half.
What does not: what the files hold (`lake.py`, `ingestion/vault.py`, `warehouse.py`).
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bess_pipeline.errors import BessError

TEMPORARY_SUFFIX = ".tmp"


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
        problem = f"cannot write {path}: {error.strerror or error}; the old file is intact"
    finally:
        temporary.unlink(missing_ok=True)
    if problem:
        raise BessError(problem)


def write_bytes(path: Path, content: bytes) -> None:
    """Replace `path` by `content` atomically."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
