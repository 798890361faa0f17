"""A token that must be found nowhere, in all its spellings, and the search for it in every kind of file."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote_plus

import pyarrow.parquet

CORE = "c4a7ee2d51f84b0c9a3e7d6210bf58c9"
TOKEN = f"canary+{CORE}/%="  # characters that an address must escape, so that both spellings are looked for


def spellings() -> list[bytes]:
    return [text.encode() for text in (CORE, TOKEN, quote_plus(TOKEN))]


def holds_token(content: bytes | str) -> bool:
    """True when any spelling of the token is in it."""
    whole = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    return any(one in whole for one in spellings())


def files_with_token(folder: Path) -> list[Path]:
    """The files below a folder that hold the token, in their bytes, in what is compressed in them or in their name."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if holds_token(str(path)) or any(map(holds_token, _readable_bytes(path)))]


def _readable_bytes(path: Path) -> Iterator[bytes]:
    """The bytes of a file, and what is compressed in it; a file cut off by a kill is read as far as it goes."""
    content = path.read_bytes()
    yield content
    if content[:2] == b"\x1f\x8b":
        try:
            yield gzip.decompress(content)
        except (EOFError, OSError):
            assert path.name.startswith("."), f"{path} is damaged and no temporary file"
    if path.suffix == ".parquet":
        file = pyarrow.parquet.ParquetFile(path)
        yield repr(file.read().to_pylist()).encode() + repr(file.schema_arrow.metadata).encode()
