"""How long to wait before the next request to a provider, so that its published limits are kept.

What belongs here: minimum spacings and the memory of the last requests of this process. What
does not: retries and deadlines (`http.py`).

Spacings: Elexon publishes no number, 0.5 s is what projects use without trouble; NESO asks for at
most one CKAN request a second and two datastore requests a minute (neso.energy/api-guidance);
ENTSO-E allows 400 requests a minute. A loopback address has none.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """Requests of one `group` keep `seconds` between them, and all requests to the host `host_seconds`."""

    group: str
    seconds: float
    host_seconds: float = 0.0


NO_PACE = Pace("none", 0.0)
ELEXON_PACE = Pace("elexon", 0.5)
NESO_CKAN_PACE = Pace("ckan", 1.0, host_seconds=1.0)
NESO_DATASTORE_PACE = Pace("datastore", 30.0, host_seconds=1.0)
ENTSOE_PACE = Pace("entsoe", 0.15)


class Pacer:
    """Remembers when each host was last asked; safe to share between threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def reserve(self, host: str, pace: Pace) -> float:
        """Seconds to wait before the next request; the slot after that wait is taken by the caller."""
        with self._lock:
            now = self._clock()
            start = max(
                now,
                self._last.get((host, pace.group), float("-inf")) + pace.seconds,
                self._last.get((host, ""), float("-inf")) + pace.host_seconds,
            )
            self._last[(host, pace.group)] = self._last[(host, "")] = start
            return start - now


@functools.cache
def process_pacer() -> Pacer:
    """The one pacer that all clients of this process share."""
    return Pacer()
