"""What all processes of one user on one machine know of each provider: slots taken, and trouble.

What belongs here: the one small file with that knowledge, its lock, and what happens when it cannot be
used. What does not: what a slot means (`pacing.py`) and when a provider is left alone (`breaker.py`).

Times are seconds of `time.monotonic`, which is one clock for all processes of a machine: setting the
wall clock, forwards or backwards, moves nothing. It starts again with the machine; a time later than
now is therefore one from before a restart, and its readers bound what they make of it.

The file never stops a request: damaged, missing, unreadable or not writable, or its lock held for
longer than `LOCK_TIMEOUT_S`, what this process itself remembers is used instead. Where both know of a
provider the later knowledge wins, so that a full disk does not bring an old file back.
"""

from __future__ import annotations

import functools
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bess_pipeline.atomic import locked, write_bytes
from bess_pipeline.errors import BessError
from bess_pipeline.settings import STATE_FOLDER_VARIABLE

LOCK_TIMEOUT_S = 5.0
FORGET_AFTER_S = 24 * 3600.0
_FILE = "providers.json"
_LOCK = "providers.lock"
_T = TypeVar("_T")


class _Part(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False)


class Slot(_Part):
    """The newest slot given to a group of requests: when it starts, and when it was given."""

    start_s: float
    given_s: float


class Trouble(_Part):
    """Failed requests in a row, the reason of the last, and the cool-down they led to."""

    failures: int = 0
    reason: str = ""
    opened_s: float | None = None
    cool_down_s: float = 0.0
    openings: int = 0
    trial_s: float | None = None


class Provider(_Part):
    """Everything that is remembered of one provider."""

    touched_s: float = 0.0
    slots: dict[str, Slot] = Field(default_factory=dict)
    trouble: Trouble = Field(default_factory=Trouble)


class _Book(_Part):
    providers: dict[str, Provider] = Field(default_factory=dict)


class ProviderState:
    """Reads and changes the shared file in `folder`; with None, the memory of this process alone.

    `clock` gives seconds; all processes that share a folder share it. Safe to use from several threads.
    """

    def __init__(self, folder: Path | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder = folder
        self.clock = clock
        self._memory = _Book()
        self._threads = threading.Lock()

    def read(self, provider: str) -> Provider:
        """What is known of a provider; not to be changed."""
        return self._book().providers.get(provider) or Provider()

    def providers(self) -> list[str]:
        """All providers of which anything is remembered."""
        return sorted(self._book().providers)

    def change(self, provider: str, edit: Callable[[Provider, float], _T]) -> _T:
        """What `edit(record, now)` returns; the record it has changed is what others see next."""
        with self._threads, self._file_lock() as shared:
            book, now = self._book(), self.clock()
            record = book.providers.setdefault(provider, Provider())
            result = edit(record, now)
            record.touched_s = now
            old = [name for name, one in book.providers.items() if one.touched_s < now - FORGET_AFTER_S]
            for name in old:
                del book.providers[name]
            self._memory = book
            if shared and self.folder is not None:
                with suppress(BessError):
                    write_bytes(self.folder / _FILE, book.model_dump_json().encode())
            return result

    def usable(self) -> bool:
        """True when processes can share the folder, as far as can be told without writing."""
        if self.folder is None:
            return False
        existing = next(one for one in (self.folder, *self.folder.parents) if one.exists())
        return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)

    def _book(self) -> _Book:
        """The newest knowledge of the file and of this process, provider by provider; a copy."""
        book, now = self._memory.model_copy(deep=True), self.clock()
        for name, record in self._stored().providers.items():
            mine = book.providers.get(name)
            if mine is None or mine.touched_s <= record.touched_s <= now:
                book.providers[name] = record
        return book

    def _stored(self) -> _Book:
        if self.folder is None:
            return _Book()
        try:
            return _Book.model_validate_json((self.folder / _FILE).read_bytes())
        except (OSError, ValidationError):
            return _Book()

    @contextmanager
    def _file_lock(self) -> Iterator[bool]:
        """Holds the lock between processes for the block; False where it cannot be had."""
        with ExitStack() as held:
            shared = False
            if self.folder is not None:
                with suppress(BessError):
                    held.enter_context(locked(self.folder / _LOCK, "noting a request", LOCK_TIMEOUT_S))
                    shared = True
            yield shared


def provider_key(source: str, host: str) -> str:
    """The name of a provider: of a source and a host with its port, so that two local servers are two."""
    return f"{source}@{host}"


def state_folder() -> Path | None:
    """The folder of the user on this machine, or the one that `BESS_STATE_DIR` names; None without a home."""
    given = os.environ.get(STATE_FOLDER_VARIABLE)
    folder = Path(given).absolute() if given else platformdirs.user_state_path("bess_pipeline", appauthor=False)
    return folder if folder.is_absolute() else None


def shared_state() -> ProviderState:
    """The state that all clients of this process share."""
    return _state_of(state_folder())


@functools.cache
def _state_of(folder: Path | None) -> ProviderState:
    return ProviderState(folder)
