"""What a parser noticed in an answer that can be used all the same: repeats dropped, points filled in.

What belongs here: noting such rows and handing them to whoever collects them. What does not: faults,
which are raised as errors, and where remarks end up (`ingestion/ingest.py` puts them beside the outcome).

Parsers return frames and nothing else; a caller who wants the remarks opens `collecting()` around them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import pandas as pd

_collected: ContextVar[list[Remark] | None] = ContextVar("remarks", default=None)


@dataclass(frozen=True)
class Remark:
    """`what` was noticed about `rows`, which carry the instants of their table (`start_utc` or the like)."""

    what: str
    rows: pd.DataFrame


def remark(what: str, rows: pd.DataFrame) -> None:
    """Note `rows`, if there are any and somebody collects."""
    found = _collected.get()
    if found is not None and not rows.empty:
        found.append(Remark(what, rows))


@contextmanager
def collecting() -> Iterator[list[Remark]]:
    """The remarks of all parsers called in the block, in their order."""
    found: list[Remark] = []
    token = _collected.set(found)
    try:
        yield found
    finally:
        _collected.reset(token)
