"""The circuit breaker of each provider: one that keeps failing is left alone for a while.

What belongs here: when a breaker opens, lets one request try, and closes again, and the sentence that
says so. What does not: where that is remembered (`provider_state.py`), what counts as a failure
(`faults.py`) and the requests themselves (`http.py`).

* closed: requests go out. `sources.breaker_failures` failed ones in a row, of whatever ask or process, open it.
* open: no request goes out for the cool-down, `sources.breaker_cool_down_s` at first.
* half-open, after the cool-down: one request goes out. An answer that can be used closes the breaker; anything
  else opens it again for twice as long, at most `sources.breaker_max_cool_down_s`.

The default of five is more than the attempts of one ask: a single day that a provider cannot serve never
opens it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bess_pipeline.settings import SourcesSettings
from bess_pipeline.sources.faults import Failure
from bess_pipeline.sources.provider_state import Provider, ProviderState, Trouble, shared_state


@dataclass(frozen=True)
class CoolDown:
    """Why a provider is not asked now, since how long and for how much longer."""

    failures: int
    reason: str
    for_s: float
    left_s: float

    def sentence(self, source: str, host: str, now: datetime) -> str:
        """Names provider, times, last reason and what to do, in one sentence."""
        since, until = now - timedelta(seconds=self.for_s), now + timedelta(seconds=self.left_s)
        return (
            f"{source} ({host}) was not asked, because its circuit breaker is open from {since:%Y-%m-%dT%H:%M:%SZ} to "
            f"{until:%Y-%m-%dT%H:%M:%SZ}: {self.failures} requests in a row failed, the last because it {self.reason}; "
            "nothing stored was changed: run again after that, or at once with --retry-now"
        )


def end_cool_downs(settings: SourcesSettings) -> None:
    """Let every provider of this user be tried at once."""
    state = shared_state()
    breaker = Breaker(state, settings)
    for provider in state.providers():
        breaker.end_cool_down(provider)


class Breaker:
    """Breakers of all providers in one shared state; `failures` of 0 never opens one."""

    def __init__(self, state: ProviderState, settings: SourcesSettings) -> None:
        self._state = state
        self._failures = settings.breaker_failures
        self._cool_down_s = settings.breaker_cool_down_s
        self._max_cool_down_s = max(settings.breaker_max_cool_down_s, settings.breaker_cool_down_s)
        self._trial_s = settings.deadline_s

    def cooling(self, provider: str) -> CoolDown | None:
        """Why the provider is not to be asked now, or None."""
        return self._cooling(self._state.read(provider).trouble, self._state.clock())

    def admit(self, provider: str) -> CoolDown | None:
        """As `cooling`; None after a cool-down makes the caller's request the one that tries."""
        if self._state.read(provider).trouble.opened_s is None:
            return None

        def take_trial(record: Provider, now: float) -> CoolDown | None:
            cooling = self._cooling(record.trouble, now)
            if cooling is None and record.trouble.opened_s is not None:
                record.trouble.trial_s = now
            return cooling

        return self._state.change(provider, take_trial)

    def succeeded(self, provider: str) -> None:
        """A usable answer came: the breaker is closed."""

        def close(record: Provider, now: float) -> None:
            record.trouble = Trouble()

        if self._state.read(provider).trouble != Trouble():
            self._state.change(provider, close)

    def failed(self, provider: str, failure: Failure) -> None:
        """A request failed; an answer that came and was refused counts against a trial only."""
        if self._failures == 0:
            return
        if failure.is_payload and self._state.read(provider).trouble.opened_s is None:
            return

        def note(record: Provider, now: float) -> None:
            trouble = record.trouble
            trouble.failures += 1
            trouble.reason = failure.reason
            if trouble.opened_s is None and trouble.failures < self._failures:
                return
            if self._left_s(trouble, now) <= 0:
                self._open(trouble, now, failure.wait_s or 0.0)

        self._state.change(provider, note)

    def end_cool_down(self, provider: str) -> None:
        """Let the provider be tried at once."""

        def end(record: Provider, now: float) -> None:
            record.trouble.cool_down_s = 0.0
            record.trouble.trial_s = None

        if self.cooling(provider) is not None:
            self._state.change(provider, end)

    def _open(self, trouble: Trouble, now: float, asked_s: float) -> None:
        """Open, for twice as long as the last time; as long as the provider asks for, where that is longer."""
        doubled = self._cool_down_s * 2.0 ** min(trouble.openings, 30)
        trouble.cool_down_s = min(max(doubled, asked_s), self._max_cool_down_s)
        trouble.openings += 1
        trouble.opened_s, trouble.trial_s = now, None

    def _cooling(self, trouble: Trouble, now: float) -> CoolDown | None:
        left = self._left_s(trouble, now) if self._failures else 0.0
        trial = trouble.trial_s if self._failures else None
        if left <= 0 and trial is not None and trial <= now:
            left = trial + self._trial_s - now
        if left <= 0 or trouble.opened_s is None:
            return None
        return CoolDown(trouble.failures, trouble.reason, now - trouble.opened_s, left)

    def _left_s(self, trouble: Trouble, now: float) -> float:
        """Seconds of the cool-down that are left; none of one from before the machine restarted."""
        opened = trouble.opened_s
        if opened is None or opened > now:
            return 0.0
        return opened + min(trouble.cool_down_s, self._max_cool_down_s) - now
