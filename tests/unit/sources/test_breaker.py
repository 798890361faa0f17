"""The circuit breaker on a clock that stands still: when it opens, what goes out then, what closes it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from faulty_server import NOW, Clock, Server, reply

from bess_pipeline.errors import PayloadError, SourceCoolingError, SourceError
from bess_pipeline.settings import SourcesSettings
from bess_pipeline.sources import http
from bess_pipeline.sources.breaker import Breaker
from bess_pipeline.sources.download import downloading
from bess_pipeline.sources.faults import Failure
from bess_pipeline.sources.http import HttpClient
from bess_pipeline.sources.pacing import NESO_DATASTORE_PACE, NO_PACE, Pacer
from bess_pipeline.sources.provider_state import ProviderState, provider_key

NESO = "https://api.neso.invalid/x"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def make(folder: Path, clock: Clock) -> Iterator[Callable[..., HttpClient]]:
    """Clients as in processes of their own: they have the folder in common and nothing else."""
    clients: list[HttpClient] = []

    def one(**settings: Any) -> HttpClient:
        chosen = SourcesSettings(**{"max_attempts": 1, "connect_timeout_s": 2.0, "read_timeout_s": 2.0, **settings})
        client = HttpClient(chosen, lambda: NOW, sleep=clock.sleep, clock=clock, state=ProviderState(folder, clock))
        clients.append(client)
        return client

    yield one
    for client in clients:
        client.close()


@pytest.fixture
def no_names(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A machine without a network: names that were looked up in vain."""
    looked_up: list[str] = []

    def nowhere(host: str, *_: object, **__: object) -> None:
        looked_up.append(host)
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("socket.getaddrinfo", nowhere)
    return looked_up


def status(code: int, **headers: str) -> Callable[[Any], None]:
    return lambda handler: reply(handler, b"no", status=code, **headers)


def good(handler: Any) -> None:
    reply(handler, b"{}")


@contextmanager
def fails() -> Iterator[pytest.ExceptionInfo[SourceError]]:
    """An ask that fails although it went out."""
    with pytest.raises(SourceError) as caught:
        yield caught
    assert not isinstance(caught.value, SourceCoolingError)


def fail(client: HttpClient, server: Server, times: int, source: str = "elexon") -> None:
    for _ in range(times):
        with fails():
            client.get(source, server.url)


# --- opening ----------------------------------------------------------------------------------------------


def test_five_failures_in_a_row_open_it_and_then_nothing_goes_out(
    server: Server, make: Callable[..., HttpClient]
) -> None:
    server.script = status(503)
    fail(make(), server, 5)
    with pytest.raises(SourceCoolingError) as caught:
        make().get("elexon", server.url)
    assert len(server.targets) == 5
    host = server.url.removeprefix("http://")
    assert str(caught.value) == (
        f"elexon ({host}) was not asked, because its circuit breaker is open from 2026-04-01T09:00:00Z to "
        "2026-04-01T09:01:00Z: 5 requests in a row failed, the last because it has a fault (HTTP 503); nothing stored "
        "was changed: run again after that, or at once with --retry-now"
    )


def test_four_failures_and_a_good_answer_leave_it_closed(server: Server, make: Callable[..., HttpClient]) -> None:
    for _ in range(3):
        server.script = status(503)
        fail(make(), server, 4)
        server.script = good
        make().get("elexon", server.url)
    assert len(server.targets) == 15


def test_it_stops_the_attempts_of_the_ask_that_opens_it(server: Server, make: Callable[..., HttpClient]) -> None:
    server.script = status(503)
    for expected in (4, 5):
        with fails():
            make(max_attempts=4).get("elexon", server.url)
        assert len(server.targets) == expected


def test_a_single_bad_day_never_opens_it(server: Server, make: Callable[..., HttpClient]) -> None:
    """An ask that fails with all its attempts, between good ones, as often as it may be."""
    client = make(max_attempts=SourcesSettings().max_attempts)
    for _ in range(3):
        server.script = status(503)
        fail(client, server, 1)
        server.script = good
        client.get("elexon", server.url)
    assert len(server.targets) == 15


def test_a_fault_of_one_request_counts_once_however_often_it_is_tried(
    server: Server, make: Callable[..., HttpClient]
) -> None:
    """HTTP 500 may be this request's own; 502 to 504 say that the provider is away."""
    server.script = status(500)
    client = make(max_attempts=4)
    fail(client, server, 5)
    assert len(server.targets) == 17, "four asks of four attempts; the fifth ask opens it at its first"
    with pytest.raises(SourceCoolingError):
        client.get("elexon", server.url)


@pytest.mark.parametrize("code", [401, 403, 404, 302])
def test_a_refusal_is_not_repeated_for_ever_either(server: Server, make: Callable[..., HttpClient], code: int) -> None:
    server.script = status(code)
    fail(make(), server, 5)
    with pytest.raises(SourceCoolingError, match=f"HTTP {code}"):
        make().get("elexon", server.url)
    assert len(server.targets) == 5


def test_unusable_answers_neither_open_nor_close_it(server: Server, make: Callable[..., HttpClient]) -> None:
    client = make()
    for script in (status(503), status(503), lambda handler: reply(handler, b"<html>"), status(503), status(503)):
        server.script = script
        fail(client, server, 1)
    assert len(server.targets) == 5
    fail(client, server, 1)
    with pytest.raises(SourceCoolingError):
        client.get("elexon", server.url)


def test_zero_switches_it_off(server: Server, make: Callable[..., HttpClient]) -> None:
    server.script = status(503)
    fail(make(breaker_failures=0), server, 8)
    fail(make(), server, 5)
    fail(make(breaker_failures=0), server, 1)


# --- while it is open ---------------------------------------------------------------------------------------


def test_other_sources_and_other_ports_go_on(
    server: Server, make: Callable[..., HttpClient], refusing_url: str
) -> None:
    for _ in range(5):
        with fails():
            make().get("elexon", refusing_url)
    with pytest.raises(SourceCoolingError):
        make().get("elexon", refusing_url)
    assert make().get("elexon", server.url).status == 200
    with fails():
        make().get("neso", refusing_url)


def test_failures_that_were_under_way_do_not_lengthen_it(folder: Path, clock: Clock) -> None:
    breaker = Breaker(ProviderState(folder, clock), SourcesSettings())
    for _ in range(9):
        breaker.failed("neso@x", Failure("is away"))
    cooling = breaker.cooling("neso@x")
    assert cooling is not None
    assert (cooling.failures, cooling.left_s) == (9, 60)


def test_a_large_file_meets_it_too(server: Server, make: Callable[..., HttpClient], tmp_path: Path) -> None:
    server.script = status(503)
    for _ in range(5):
        with (
            fails(),
            downloading(make(), "neso", server.url, tmp_path / "in", pace=NO_PACE, max_bytes=100, deadline_s=900),
        ):
            pass
    with pytest.raises(SourceCoolingError):
        make().get("neso", server.url)
    with (
        pytest.raises(SourceCoolingError),
        downloading(make(), "neso", server.url, tmp_path / "in", pace=NO_PACE, max_bytes=100, deadline_s=900),
    ):
        pass
    assert len(server.targets) == 5


# --- after the cool-down -------------------------------------------------------------------------------------


def opened(server: Server, make: Callable[..., HttpClient], clock: Clock) -> None:
    """Open, and its cool-down just over."""
    server.script = status(503)
    fail(make(), server, 5)
    clock.seconds += 60
    server.targets.clear()


def test_one_good_answer_closes_it(server: Server, make: Callable[..., HttpClient], clock: Clock) -> None:
    opened(server, make, clock)
    server.script = good
    make().get("elexon", server.url)
    server.script = status(503)
    fail(make(), server, 5)
    assert len(server.targets) == 6, "it counts from nought again"
    with pytest.raises(SourceCoolingError):
        make().get("elexon", server.url)


def test_one_request_tries_and_opens_it_again_for_longer_up_to_a_limit(
    server: Server, make: Callable[..., HttpClient], clock: Clock
) -> None:
    opened(server, make, clock)
    for requests, cool_down in enumerate([120, 240, 480, 900, 900], start=1):
        with fails():
            make(max_attempts=4).get("elexon", server.url)
        assert len(server.targets) == requests, "a trial has one attempt"
        clock.seconds += cool_down - 1
        with pytest.raises(SourceCoolingError):
            make().get("elexon", server.url)
        clock.seconds += 1


def test_an_unusable_answer_to_the_trial_opens_it_again(
    server: Server, make: Callable[..., HttpClient], clock: Clock
) -> None:
    opened(server, make, clock)
    server.script = lambda handler: reply(handler, b"<html>maintenance</html>")
    with pytest.raises(PayloadError, match="web page"):
        make().get("elexon", server.url)
    with pytest.raises(SourceCoolingError, match="web page"):
        make().get("elexon", server.url)


def test_only_one_request_tries_and_one_that_was_killed_does_not_block_for_ever(folder: Path, clock: Clock) -> None:
    first, second = (Breaker(ProviderState(folder, clock), SourcesSettings()) for _ in range(2))
    for _ in range(5):
        first.failed("neso@x", Failure("is away"))
    clock.seconds = 60
    assert first.cooling("neso@x") is second.cooling("neso@x") is None
    assert first.admit("neso@x") is None
    refusal = second.admit("neso@x")
    assert refusal is not None
    assert refusal.left_s == SourcesSettings().deadline_s
    clock.seconds += SourcesSettings().deadline_s
    assert second.admit("neso@x") is None


def test_a_provider_that_asks_for_more_time_gets_it_within_the_limit(
    server: Server, make: Callable[..., HttpClient]
) -> None:
    for seconds, until in (("30", "09:01:00Z"), ("300", "09:05:00Z"), ("86400", "09:15:00Z")):
        server.script = status(429, Retry_After=seconds)
        source = f"source{seconds}"
        fail(make(), server, 5, source)
        with pytest.raises(SourceCoolingError, match=f"to 2026-04-01T{until}"):
            make().get(source, server.url)


def test_a_restart_of_the_machine_ends_it(server: Server, make: Callable[..., HttpClient], clock: Clock) -> None:
    clock.seconds = 86_400
    server.script = status(503)
    fail(make(), server, 5)
    clock.seconds = 10
    server.script = good
    assert make().get("elexon", server.url).status == 200


def test_a_cool_down_can_be_ended(server: Server, make: Callable[..., HttpClient], clock: Clock, folder: Path) -> None:
    breaker = Breaker(ProviderState(folder, clock), SourcesSettings())
    provider = provider_key("elexon", server.url.removeprefix("http://"))
    server.script = status(503)
    fail(make(), server, 5)
    breaker.end_cool_down(provider)
    fail(make(), server, 1)
    with pytest.raises(SourceCoolingError, match=r"09:00:00Z to 2026-04-01T09:02:00Z"):
        make().get("elexon", server.url)
    breaker.end_cool_down(provider)
    server.script = good
    assert make().get("elexon", server.url).status == 200


# --- without a network ----------------------------------------------------------------------------------------


def test_a_request_that_never_reached_the_provider_takes_none_of_its_slots(
    no_names: list[str], make: Callable[..., HttpClient], clock: Clock
) -> None:
    with fails() as caught:
        make(max_attempts=4).get("neso", NESO, pace=NESO_DATASTORE_PACE)
    assert "api.neso.invalid cannot be found" in str(caught.value)
    assert len(no_names) == 4
    assert sum(clock.slept) < 6, "the pauses between attempts, not 90 s of slots"


def test_a_month_of_asks_offline_ends_in_seconds(
    no_names: list[str], make: Callable[..., HttpClient], clock: Clock
) -> None:
    client = make(max_attempts=4)
    for _ in range(31):
        with pytest.raises(SourceError):
            client.get("neso", NESO, pace=NESO_DATASTORE_PACE)
    assert len(no_names) == 5
    assert clock.seconds < 10


def test_requests_that_were_answered_keep_their_slots(
    make: Callable[..., HttpClient], clock: Clock, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http._Request, "loopback", False)
    server.script = status(503)
    with fails():
        make(max_attempts=3).get("neso", server.url, pace=NESO_DATASTORE_PACE)
    assert len(server.targets) == 3
    assert clock.seconds == pytest.approx(60)


def test_the_queue_of_other_processes_is_no_fault_of_the_provider(
    make: Callable[..., HttpClient], clock: Clock, server: Server, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """With the next free slot beyond the deadline the ask ends with what happened, and takes no slot."""
    monkeypatch.setattr(http._Request, "loopback", False)
    others = Pacer(ProviderState(folder, clock))
    provider = provider_key("neso", server.url.removeprefix("http://"))

    def crowded(handler: Any) -> None:
        for _ in range(5):
            others.reserve(provider, NESO_DATASTORE_PACE)
        reply(handler, b"no", status=503)

    server.script = crowded
    with pytest.raises(SourceError, match="HTTP 503"):
        make(max_attempts=4).get("neso", server.url, pace=NESO_DATASTORE_PACE)
    assert len(server.targets) == 1
    assert others.wait_s(provider, NESO_DATASTORE_PACE) == 180
