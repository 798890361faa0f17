"""One GET to a provider: deadline, retries, spacing, size limit, and no secret in anything that leaves.

What belongs here: turning an address into an `Answer`, or into one sentence that names the host
and what to do. What does not: wire formats (`elexon.py`, `neso.py`, `entsoe.py`), spacings
(`pacing.py`), leaving a failing provider alone (`breaker.py`), words for failures (`faults.py`), removal
of secrets from text (`redaction.py`).

A socket's timeout starts again with every byte, and name resolution has none. Each attempt therefore
runs in a helper thread that is left behind when the deadline of the answer is reached. No exception
of the HTTP library leaves that thread, is kept or is chained: our own error is raised afterwards.
"""

from __future__ import annotations

import hashlib
import ipaddress
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Self
from urllib.parse import urlsplit

import requests
from pydantic import SecretStr
from tenacity import RetryCallState, Retrying, retry_if_result, wait_exponential, wait_random

from bess_pipeline import __version__
from bess_pipeline.errors import (
    PayloadError,
    SourceCoolingError,
    SourceError,
    SourceUnreachableError,
    UserInputError,
)
from bess_pipeline.settings import SourcesSettings
from bess_pipeline.sources import faults
from bess_pipeline.sources.breaker import Breaker, CoolDown
from bess_pipeline.sources.faults import Failure
from bess_pipeline.sources.pacing import NO_PACE, Pace, Pacer, Turn
from bess_pipeline.sources.provider_state import ProviderState, provider_key, shared_state
from bess_pipeline.sources.redaction import public_url, redact, redact_bytes, redact_http_logs

ORIGIN_HEADER = "X-Bess-Market-Origin"
ORIGINS = ("live", "recorded", "simulated")
OK = frozenset({200})
MAX_BYTES = 64 * 1024 * 1024
_CHUNK = 64 * 1024
_BACKOFF = wait_exponential(multiplier=0.5, max=15.0) + wait_random(0.0, 0.5)


@dataclass(frozen=True)
class Answer:
    """What a provider said, as it came (compression undone), and when it was asked.

    `url` holds no secret; `origin` is live, or what a sample market says about itself.
    """

    source: str
    url: str
    status: int
    content_type: str
    content: bytes = field(repr=False)
    fetched_utc: datetime
    origin: str = "live"

    @property
    def sha256(self) -> str:
        """Hex digest of the content."""
        return hashlib.sha256(self.content).hexdigest()


class RejectedAnswerError(PayloadError):
    """An answer refused before parsing; `answer` holds it for inspection."""

    def __init__(self, sentence: str, answer: Answer) -> None:
        super().__init__(sentence)
        self.answer = answer


@dataclass(frozen=True)
class _Request:
    source: str
    url: str
    params: Mapping[str, str]
    secret_params: Mapping[str, SecretStr]
    accept_statuses: frozenset[int]
    pace: Pace
    denied_hint: str

    @property
    def public_url(self) -> str:
        """Address without secrets; UserInputError when it is none."""
        try:
            prepared = requests.Request("GET", self.url, params=dict(self.params)).prepare().url or ""
            usable = urlsplit(prepared).scheme in ("http", "https") and urlsplit(prepared).port != 0
        except (ValueError, requests.RequestException):
            usable = False
        if usable:
            return public_url(prepared)
        raise UserInputError(f"setting {self.setting} is not a web address that starts with http:// or https://")

    @property
    def host(self) -> str:
        return urlsplit(self.public_url).netloc

    @property
    def provider(self) -> str:
        """Under which name slots and failures are remembered."""
        return provider_key(self.source, self.host)

    @property
    def loopback(self) -> bool:
        name = urlsplit(self.public_url).hostname or ""
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return name == "localhost"

    @property
    def setting(self) -> str:
        return f"sources.{self.source}_base_url"

    @property
    def secrets(self) -> list[str]:
        return [value.get_secret_value() for value in self.secret_params.values()]


class HttpClient:
    """GET with a total deadline per answer over all its attempts.

    `now` gives `fetched_utc`; `sleep` and `clock` (seconds) can be replaced in tests. All clients of one user
    and machine share the `state` of providers (slots taken, breakers) unless they are given their own.
    Close it, or use it in a `with`.
    """

    def __init__(
        self,
        settings: SourcesSettings,
        now: Callable[[], datetime],
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        state: ProviderState | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self.settings = settings
        self.now = now
        self._sleep = sleep
        self._clock = clock
        self._state = state or shared_state()
        self._pacer = Pacer(self._state)
        self._breaker = Breaker(self._state, settings)
        self._max_bytes = max_bytes
        self._sessions: dict[str, requests.Session] = {}
        redact_http_logs()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        while self._sessions:
            self._sessions.popitem()[1].close()

    def get(
        self,
        source: str,
        url: str,
        params: Mapping[str, str] | None = None,
        *,
        secret_params: Mapping[str, SecretStr] | None = None,
        accept_statuses: frozenset[int] = OK,
        pace: Pace = NO_PACE,
        denied_hint: str = "",
    ) -> Answer:
        """The answer to one GET.

        Raises UserInputError for an address that is none, PayloadError for an answer that cannot be
        data (a web page, broken compression, beyond the size limit), SourceCoolingError without any
        request while the provider's breaker is open, SourceUnreachableError when no attempt got a
        connection, and SourceError for the rest.
        `secret_params` are sent and appear nowhere else. `source` is also the prefix of the setting
        `<source>_base_url` that messages name.
        """
        denied_hint = denied_hint or f"check sources.{source}_base_url, or wait: this machine may be blocked there"
        request = _Request(source, url, params or {}, secret_params or {}, accept_statuses, pace, denied_hint)
        ask = _Ask(self, request)
        outcome = ask.run()
        if isinstance(outcome, Answer):
            return outcome
        if isinstance(outcome, CoolDown):
            raise SourceCoolingError(redact(outcome.sentence(source, request.host, self.now()), request.secrets))
        sentence = redact(outcome.sentence(request.host, request.setting, ask.attempts), request.secrets)
        if outcome.answer is not None:
            raise RejectedAnswerError(sentence, outcome.answer)
        if not outcome.reached:
            raise SourceUnreachableError(sentence)
        raise (PayloadError if outcome.is_payload else SourceError)(sentence)

    def _attempt(self, request: _Request, deadline: float) -> Answer | Failure:
        outcome = _within(deadline - self._clock(), lambda: self._exchange(request, deadline))
        if outcome is None:
            self._sessions.pop(request.host, None)  # the thread left behind still uses it
            return Failure(
                f"did not finish its answer within {self.settings.deadline_s:g} s",
                advice="nothing stored was changed: try again later, or raise sources.deadline_s",
            )
        return outcome

    def _exchange(self, request: _Request, deadline: float) -> Answer | Failure:
        """One request and its whole body; every exception ends here, as a failure without its text."""
        left = max(deadline - self._clock(), 0.001)
        timeouts = min(self.settings.connect_timeout_s, left), min(self.settings.read_timeout_s, left)
        secrets = {name: value.get_secret_value() for name, value in request.secret_params.items()}
        params = {**request.params, **secrets}
        try:
            with self._session(request).get(
                request.url, params=params, timeout=timeouts, stream=True, allow_redirects=False
            ) as response:
                if response.status_code not in request.accept_statuses:
                    return faults.from_status(response.status_code, response.headers, request.denied_hint, self.now())
                wire = self._body(response, deadline)
                return wire if isinstance(wire, Failure) else self._answer(request, response, wire)
        except Exception as error:
            return faults.from_exception(error)

    def _session(self, request: _Request) -> requests.Session:
        """One session per host: proxies of the environment, but no netrc, no cookies, and neither on loopback."""
        if request.host not in self._sessions:
            session = requests.Session()
            session.trust_env = not request.loopback
            session.auth = lambda prepared: prepared  # a rule of our own, so that no netrc entry is looked up
            session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
            session.headers.update({"User-Agent": f"bess-pipeline/{__version__}", "Accept-Encoding": "gzip"})
            self._sessions[request.host] = session
        return self._sessions[request.host]

    def _body(self, response: requests.Response, deadline: float) -> bytes | Failure:
        """The body as sent; one read returns what has come, so that a slow drip meets the deadline."""
        wire = bytearray()
        while chunk := response.raw.read1(_CHUNK, decode_content=False):
            wire += chunk
            if len(wire) > self._max_bytes:
                return faults.too_large(self._max_bytes)
            if self._clock() > deadline:
                return Failure("sends its answer too slowly")
        return bytes(wire)

    def _answer(self, request: _Request, response: requests.Response, wire: bytes) -> Answer | Failure:
        answer = Answer(
            source=request.source,
            url=request.public_url,
            status=response.status_code,
            content_type=redact(response.headers.get("Content-Type", ""), request.secrets),
            content=redact_bytes(wire, request.secrets),
            fetched_utc=self.now(),
            origin=response.headers.get(ORIGIN_HEADER, "live").strip().lower(),
        )
        if answer.origin not in ORIGINS:
            return Failure(f"gives its data an origin that is none of {', '.join(ORIGINS)}", is_payload=True)
        content = faults.decompressed(wire, response.headers.get("Content-Encoding", ""), self._max_bytes)
        if isinstance(content, Failure):
            return replace(content, answer=answer)
        answer = replace(answer, content=redact_bytes(content, request.secrets))
        failure = faults.from_content(answer.content, answer.content_type, answer.status)
        return answer if failure is None else replace(failure, answer=answer)


class _Ask:
    """One ask on its way: its turns, its attempts and its deadline, which waiting for the first turn is no part of."""

    def __init__(self, client: HttpClient, request: _Request) -> None:
        self.attempts = 0
        self._client = client
        self._request = request
        self._provider = request.provider
        self._pace = NO_PACE if request.loopback else request.pace
        self._turn: Turn | None = None
        self._last: Answer | Failure | None = None
        self._deadline = 0.0

    def run(self) -> Answer | Failure | CoolDown:
        """What came of it; a CoolDown when the provider is left alone."""
        cooling = self._client._breaker.cooling(self._provider)
        if cooling is not None:
            return cooling
        self._wait(0.0)
        self._deadline = self._client._clock() + self._client.settings.deadline_s
        retrying = Retrying(
            sleep=self._wait,
            retry=retry_if_result(lambda outcome: isinstance(outcome, Failure)),
            wait=_pause,
            stop=self._is_over,
            retry_error_callback=_outcome,
        )
        outcome: Answer | Failure | CoolDown = retrying(self._attempt)
        return outcome

    def _wait(self, at_least_s: float) -> None:
        """Wait out a pause, then for the next slot of the provider."""
        if at_least_s > 0:
            self._client._sleep(at_least_s)
        if self._pace == NO_PACE:
            return
        self._turn = self._client._pacer.reserve(self._provider, self._pace)
        if self._turn.wait_s > 0:
            self._client._sleep(self._turn.wait_s)

    def _attempt(self) -> Answer | Failure | CoolDown:
        late = self._client._clock() >= self._deadline  # others came first in the queue
        refusal = self._last if late else self._client._breaker.admit(self._provider)
        if refusal is not None:
            self._give_turn_back()
            return refusal
        self.attempts += 1
        self._last = self._client._attempt(self._request, self._deadline)
        self._note(self._last)
        return self._last

    def _note(self, outcome: Answer | Failure) -> None:
        breaker = self._client._breaker
        if isinstance(outcome, Answer):
            breaker.succeeded(self._provider)
            return
        if not (outcome.of_request and self.attempts > 1):
            breaker.failed(self._provider, outcome)
        if not outcome.reached:
            self._give_turn_back()

    def _give_turn_back(self) -> None:
        if self._turn is not None:
            self._client._pacer.give_back(self._provider, self._pace, self._turn)
            self._turn = None

    def _is_over(self, state: RetryCallState) -> bool:
        outcome, client = _outcome(state), self._client
        worth = outcome.attempts_worth if isinstance(outcome, Failure) else 1
        used_up = state.attempt_number >= min(worth, client.settings.max_attempts)
        if used_up or client._breaker.cooling(self._provider) is not None:
            return True
        slot_s = 0.0 if self._pace == NO_PACE else client._pacer.wait_s(self._provider, self._pace)
        return max(state.upcoming_sleep, slot_s) >= self._deadline - client._clock()


def _outcome(state: RetryCallState) -> Answer | Failure | CoolDown:
    assert state.outcome is not None
    outcome: Answer | Failure | CoolDown = state.outcome.result()
    return outcome


def _pause(state: RetryCallState) -> float:
    outcome = _outcome(state)
    asked = outcome.wait_s if isinstance(outcome, Failure) else None
    return max(asked or 0.0, _BACKOFF(state))


def _within(seconds: float, work: Callable[[], Answer | Failure]) -> Answer | Failure | None:
    """The result of `work`, or None when it has not ended after `seconds`; its thread is then left behind."""
    results: queue.SimpleQueue[Answer | Failure] = queue.SimpleQueue()
    threading.Thread(target=lambda: results.put(work()), name="http-attempt", daemon=True).start()
    try:
        return results.get(timeout=seconds)
    except queue.Empty:
        return None
