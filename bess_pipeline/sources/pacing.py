"""How long to wait before the next request to a provider, so that its published limits are kept.

What belongs here: minimum spacings, and giving out slots that keep them across all processes of one
user. What does not: where slots are remembered (`provider_state.py`), retries and deadlines (`http.py`).

Spacings: Elexon publishes no number, 0.5 s is what projects use without trouble; NESO asks for at
most one CKAN request a second and two datastore requests a minute (neso.energy/api-guidance);
ENTSO-E allows 400 requests a minute. A loopback address has none.
"""

from __future__ import annotations

from dataclasses import dataclass

from bess_pipeline.sources.provider_state import Provider, ProviderState, Slot

LONGEST_QUEUE_S = 600.0  # slots further ahead than twenty waiting NESO requests are not believed
_WHOLE_HOST = "*"


@dataclass(frozen=True)
class Pace:
    """Requests of one `group` keep `seconds` between them, and all requests to the host `host_seconds`."""

    group: str
    seconds: float
    host_seconds: float = 0.0


@dataclass(frozen=True)
class Turn:
    """A slot that was given: seconds to wait for it, and when it starts."""

    wait_s: float
    start_s: float


NO_PACE = Pace("none", 0.0)
ELEXON_PACE = Pace("elexon", 0.5)
NESO_CKAN_PACE = Pace("ckan", 1.0, host_seconds=1.0)
NESO_DATASTORE_PACE = Pace("datastore", 30.0, host_seconds=1.0)
ENTSOE_PACE = Pace("entsoe", 0.16)


class Pacer:
    """Gives out slots; what is given stays taken when the process ends."""

    def __init__(self, state: ProviderState) -> None:
        self._state = state

    def wait_s(self, provider: str, pace: Pace) -> float:
        """Seconds until a slot would be free; none is taken."""
        now = self._state.clock()
        return _next_start(self._state.read(provider), pace, now) - now

    def reserve(self, provider: str, pace: Pace) -> Turn:
        """The next free slot, which is then the caller's."""

        def take(record: Provider, now: float) -> Turn:
            start = _next_start(record, pace, now)
            for group in (pace.group, _WHOLE_HOST):
                record.slots[group] = Slot(start_s=start, given_s=now)
            return Turn(start - now, start)

        return self._state.change(provider, take)

    def give_back(self, provider: str, pace: Pace, turn: Turn) -> None:
        """Free a slot that was not used, unless somebody already queues behind it."""

        def free(record: Provider, now: float) -> None:
            for group, seconds in ((pace.group, pace.seconds), (_WHOLE_HOST, pace.host_seconds)):
                slot = record.slots.get(group)
                if slot is not None and slot.start_s == turn.start_s:
                    before = turn.start_s - seconds
                    record.slots[group] = Slot(start_s=before, given_s=min(slot.given_s, before))

        self._state.change(provider, free)


def _next_start(record: Provider, pace: Pace, now: float) -> float:
    limits = ((pace.group, pace.seconds), (_WHOLE_HOST, pace.host_seconds))
    starts = [_start(record.slots[group], now) + seconds for group, seconds in limits if group in record.slots]
    return max([now, *starts])


def _start(slot: Slot, now: float) -> float:
    """When a slot starts; one given before the machine restarted is moved to now, never further ahead than it was."""
    ahead = min(max(slot.start_s - slot.given_s, 0.0), LONGEST_QUEUE_S)
    return min(slot.given_s, now) + ahead
