"""The client against a local server that misbehaves: what is retried, what is refused, what never leaks."""

from __future__ import annotations

import gzip
import hashlib
import logging
import socket
import struct
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from faulty_server import NOW, Clock, Server, reply
from pydantic import SecretStr

from bess_pipeline.errors import BessError, PayloadError, SourceError, UserInputError
from bess_pipeline.settings import SourcesSettings
from bess_pipeline.sources.http import HttpClient, RejectedAnswerError
from bess_pipeline.sources.pacing import Pace
from bess_pipeline.sources.provider_state import ProviderState

CANARY = "canary-5f0c+very/secret"
TOKEN = {"securityToken": SecretStr(CANARY)}
Make = Callable[..., HttpClient]


def fails_then(server: Server, *scripts: Callable[[Any], None]) -> None:
    """The n-th request runs the n-th script; the last one stays."""
    server.script = lambda handler: scripts[min(len(server.targets), len(scripts)) - 1](handler)


def good(handler: Any) -> None:
    reply(handler, b'{"data": 1}')


def status(code: int, **headers: str) -> Callable[[Any], None]:
    return lambda handler: reply(handler, b"no", status=code, **headers)


def cut_off(handler: Any) -> None:
    """Announces 100 bytes, sends 5."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b"[1, 2")
    handler.close_connection = True


def cut_off_chunk(handler: Any) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"20\r\n[1, 2")
    handler.close_connection = True


def reset(handler: Any) -> None:
    """Half a body, then a TCP reset."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b"[1, 2")
    handler.wfile.flush()
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


BROKEN_GZIP = gzip.compress(b'{"data": 1}', mtime=0)[:-9]


def broken_gzip(handler: Any) -> None:
    reply(handler, BROKEN_GZIP, Content_Encoding="gzip")


# --- the answer -------------------------------------------------------------------------------------


def test_answer_holds_the_bytes_their_digest_and_no_secret(server: Server, make_client: Make) -> None:
    server.script = good
    answer = make_client().get("entsoe", server.url + "/api", {"a": "1 2"}, secret_params=TOKEN)
    assert answer.content == b'{"data": 1}'
    assert answer.sha256 == hashlib.sha256(b'{"data": 1}').hexdigest()
    assert (answer.status, answer.content_type, answer.fetched_utc) == (200, "application/json", NOW)
    assert answer.url == f"{server.url}/api?a=1+2"
    assert server.queries() == [{"a": "1 2", "securityToken": CANARY}]
    assert CANARY not in repr(answer)


@pytest.mark.parametrize(("header", "origin"), [({}, "live"), ({"X_Bess_Market_Origin": "simulated"}, "simulated")])
def test_origin_is_what_the_market_says_of_itself(
    server: Server, make_client: Make, header: dict[str, str], origin: str
) -> None:
    server.script = lambda handler: reply(handler, b"{}", **header)
    assert make_client().get("elexon", server.url).origin == origin


def test_unknown_origin_is_refused(server: Server, make_client: Make) -> None:
    server.script = lambda handler: reply(handler, b"{}", X_Bess_Market_Origin="imagined")
    with pytest.raises(PayloadError, match="origin"):
        make_client().get("elexon", server.url)


def test_gzip_is_undone(server: Server, make_client: Make) -> None:
    server.script = lambda handler: reply(handler, gzip.compress(b"[1]"), Content_Encoding="gzip")
    assert make_client().get("elexon", server.url).content == b"[1]"


def test_chunked_answers_are_read_whole(server: Server, make_client: Make) -> None:
    def chunked(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n")

    server.script = chunked
    assert make_client().get("elexon", server.url).content == b"[1,2]"


def test_a_status_that_the_caller_accepts_is_an_answer(server: Server, make_client: Make) -> None:
    server.script = status(400)
    answer = make_client().get("entsoe", server.url, accept_statuses=frozenset({200, 400}))
    assert (answer.status, answer.content) == (400, b"no")


def test_an_echoed_token_is_removed_from_the_content(server: Server, make_client: Make) -> None:
    server.script = lambda handler: reply(handler, f"<a>{CANARY} {handler.path}</a>".encode(), content_type="text/xml")
    answer = make_client().get("entsoe", server.url, secret_params=TOKEN)
    assert b"canary" not in answer.content
    assert answer.content.startswith(b"<a>[redacted] ")


# --- retried ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [status(503), status(500), status(429), cut_off, cut_off_chunk, reset, broken_gzip],
    ids=["503", "500", "429", "cut off", "cut off chunk", "reset", "broken gzip"],
)
def test_a_passing_fault_is_retried(
    server: Server, make_client: Make, clock: Clock, fault: Callable[[Any], None]
) -> None:
    fails_then(server, fault, good)
    assert make_client().get("elexon", server.url).content == b'{"data": 1}'
    assert len(server.targets) == 2
    assert len(clock.slept) == 1


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (status(503), "HTTP 503"),
        (status(429), "HTTP 429"),
        (cut_off, "truncated"),
        (cut_off_chunk, "truncated"),
        (reset, "broke the connection"),
    ],
)
def test_a_lasting_fault_ends_after_all_attempts(
    server: Server, make_client: Make, clock: Clock, fault: Callable[[Any], None], words: str
) -> None:
    server.script = fault
    with pytest.raises(SourceError, match=words) as caught:
        make_client(max_attempts=3).get("elexon", server.url)
    assert len(server.targets) == 3
    assert clock.slept == sorted(clock.slept), "waits grow"
    assert "3 attempts" in str(caught.value)
    assert "sources.elexon_base_url" in str(caught.value)


def test_broken_compression_is_retried_once_and_kept_for_inspection(server: Server, make_client: Make) -> None:
    server.script = broken_gzip
    with pytest.raises(RejectedAnswerError, match="compressed") as caught:
        make_client(max_attempts=4).get("elexon", server.url)
    assert len(server.targets) == 2
    assert caught.value.answer.content == BROKEN_GZIP


def test_connection_refused_names_the_host(make_client: Make, refusing_url: str, clock: Clock) -> None:
    with pytest.raises(SourceError, match=r"127\.0\.0\.1:\d+ refused the connection, 2 attempts") as caught:
        make_client(max_attempts=2).get("neso", refusing_url)
    assert len(clock.slept) == 1
    assert "sources.neso_base_url" in str(caught.value)


def test_unknown_name_is_said_so(make_client: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    with pytest.raises(SourceError, match=r"market\.invalid cannot be found"):
        make_client(max_attempts=2).get("elexon", "http://market.invalid/x")


# --- waits -------------------------------------------------------------------------------------------


def test_short_retry_after_is_waited_for(server: Server, make_client: Make, clock: Clock) -> None:
    fails_then(server, status(429, Retry_After="7"), good)
    make_client().get("elexon", server.url)
    assert clock.slept == [7.0]


def test_dated_retry_after_counts_from_the_servers_own_date(server: Server, make_client: Make, clock: Clock) -> None:
    def dated(handler: Any) -> None:
        handler.send_response_only(503)
        handler.send_header("Date", "Wed, 21 Oct 2015 07:28:00 GMT")
        handler.send_header("Retry-After", "Wed, 21 Oct 2015 07:28:30 GMT")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    fails_then(server, dated, good)
    make_client().get("elexon", server.url)
    assert clock.slept == [30.0]


@pytest.mark.parametrize("asked", ["86400", "99999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_huge_retry_after_fails_at_once(server: Server, make_client: Make, clock: Clock, asked: str) -> None:
    server.script = status(429, Retry_After=asked)
    with pytest.raises(SourceError, match=r"asks to wait \d{5,} s"):
        make_client(deadline_s=120).get("elexon", server.url)
    assert len(server.targets) == 1
    assert clock.slept == []


def test_unreadable_retry_after_falls_back_to_the_own_wait(server: Server, make_client: Make, clock: Clock) -> None:
    fails_then(server, status(503, Retry_After="soon"), good)
    make_client().get("elexon", server.url)
    assert 0 < clock.slept[0] < 2


def test_waits_never_pass_the_deadline(server: Server, make_client: Make, clock: Clock) -> None:
    server.script = status(503, Retry_After="40")
    with pytest.raises(SourceError, match="3 attempts"):
        make_client(deadline_s=100, max_attempts=10).get("elexon", server.url)
    assert clock.slept == [40.0, 40.0]


def test_a_hang_ends_with_the_read_timeout(server: Server, make_client: Make) -> None:
    server.script = lambda handler: server.released.wait(10)
    with pytest.raises(SourceError, match="did not answer in time, 2 attempts"):
        make_client(read_timeout_s=0.05, max_attempts=2).get("elexon", server.url)


@pytest.mark.parametrize("part", ["body", "headers"])
def test_a_slow_drip_meets_the_deadline(server: Server, make_client: Make, part: str) -> None:
    def drip(handler: Any) -> None:
        if part == "body":
            handler.send_response(200)
            handler.send_header("Content-Length", "100000")
            handler.end_headers()
        while not server.released.wait(0.02):
            handler.wfile.write(b"x")

    server.script = drip
    with pytest.raises(SourceError, match=r"within 0\.3 s|too slowly"):
        make_client(real_clock=True, deadline_s=0.3, read_timeout_s=5.0).get("elexon", server.url)
    assert len(server.targets) == 1


def test_requests_to_one_host_keep_their_distance_and_loopback_none(
    server: Server, make_client: Make, clock: Clock
) -> None:
    client = make_client()
    for _ in range(3):
        client.get("neso", server.url, pace=Pace("datastore", 30.0))
    assert clock.slept == []


# --- refused ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [400, 401, 403, 404])
def test_no_second_attempt_where_it_cannot_help(server: Server, make_client: Make, code: int) -> None:
    server.script = status(code)
    with pytest.raises(SourceError, match=f"HTTP {code}") as caught:
        make_client().get("entsoe", server.url, denied_hint="check ENTSOE_API_TOKEN")
    assert len(server.targets) == 1
    assert ("check ENTSOE_API_TOKEN" in str(caught.value)) == (code in (401, 403))


@pytest.mark.parametrize("body", [b"<!DOCTYPE html><html>Maintenance</html>", b"\xef\xbb\xbf\n <HTML>"])
def test_a_web_page_with_status_200_is_rejected_and_kept(server: Server, make_client: Make, body: bytes) -> None:
    server.script = lambda handler: reply(handler, body)
    with pytest.raises(RejectedAnswerError, match="web page") as caught:
        make_client().get("elexon", server.url)
    assert caught.value.answer.content == body


@pytest.mark.parametrize(
    ("content_type", "words"),
    [
        ("text/html; charset=utf-8", "web page"),
        ("Application/XHTML+xml", "web page"),
        ("image/png", "picture or document"),
        ("application/pdf", "picture or document"),
        ("multipart/mixed; boundary=x", "picture or document"),
    ],
)
def test_what_is_no_data_is_known_by_its_content_type_too(
    server: Server, make_client: Make, content_type: str, words: str
) -> None:
    server.script = lambda handler: reply(handler, b"Down", content_type=content_type)
    with pytest.raises(RejectedAnswerError, match=words) as caught:
        make_client().get("elexon", server.url)
    assert caught.value.answer.content == b"Down"


@pytest.mark.parametrize(
    "content_type", ["", "application/json", "text/json", "application/xml", "text/csv", "text/plain", "binary/x"]
)
def test_any_type_that_data_comes_under_is_left_to_the_parser(
    server: Server, make_client: Make, content_type: str
) -> None:
    server.script = lambda handler: reply(handler, b"[]", content_type=content_type)
    assert make_client().get("elexon", server.url).content == b"[]"


def test_a_redirect_is_not_followed(server: Server, make_client: Make) -> None:
    server.script = lambda handler: reply(handler, b"", status=302, Location=f"{server.url}/elsewhere")
    with pytest.raises(SourceError, match="redirect"):
        make_client().get("entsoe", server.url, secret_params=TOKEN)
    assert len(server.targets) == 1


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_size_limit_holds_for_sent_and_for_unpacked_bytes(server: Server, make_client: Make, encoding: str) -> None:
    body = b"x" * 2000
    sent = gzip.compress(body) if encoding else body
    server.script = lambda handler: reply(handler, sent, **({"Content_Encoding": encoding} if encoding else {}))
    with pytest.raises(PayloadError, match="1000 bytes"):
        make_client(max_bytes=1000).get("elexon", server.url)
    assert len(server.targets) == 1


@pytest.mark.parametrize(
    "url", ["", "data.elexon.co.uk/x", "ftp://host/x", "http://", "http://host:99999/", "file:///etc"]
)
def test_an_address_that_is_none_names_the_setting(make_client: Make, url: str) -> None:
    with pytest.raises(UserInputError, match=r"sources\.elexon_base_url"):
        make_client().get("elexon", url)


def test_no_netrc_no_cookies_and_no_proxy_on_loopback(
    server: Server, make_client: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, refusing_url: str
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", refusing_url)
    server.script = lambda handler: reply(handler, b"{}", Set_Cookie="a=b")
    client = make_client()
    client.get("elexon", server.url)
    client.get("elexon", server.url)
    assert not any({"authorization", "cookie"} & set(headers) for headers in server.headers)


def test_a_proxy_of_the_environment_is_used_elsewhere(
    server: Server, make_client: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    server.script = good
    make_client().get("elexon", "http://market.invalid/x")
    assert server.targets == ["http://market.invalid/x"]


# --- no secret anywhere --------------------------------------------------------------------------------


def odd_header(handler: Any) -> None:
    """A header line that the HTTP library logs together with the address."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nbad header\r\n\r\n{}")
    handler.close_connection = True


LEAKS: dict[str, Callable[[Any], None]] = {
    "401": status(401),
    "403": status(403),
    "404": status(404),
    "500 to the end": status(500),
    "429": status(429, Retry_After="86400"),
    "redirect": lambda handler: reply(handler, b"", status=302, Location=f"http://evil.invalid{handler.path}"),
    "web page": lambda handler: reply(handler, f"<html>{handler.path}".encode(), content_type="text/html"),
    "truncated": cut_off,
    "reset": reset,
    "odd header": odd_header,
    "no HTTP": lambda handler: handler.wfile.write(handler.path.encode() + b"\r\n\r\n"),
}


def assert_silent(error: BaseException, log: str) -> None:
    texts = [str(error), repr(error), "".join(traceback.format_exception(error)), log]
    assert not [text for text in texts if "canary" in text]
    assert error.__cause__ is None
    assert error.__context__ is None


@pytest.mark.parametrize("fault", list(LEAKS))
def test_the_token_is_in_no_error_and_no_log(
    server: Server, make_client: Make, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    caplog.set_level(logging.DEBUG)
    server.script = LEAKS[fault]
    error: BaseException | None = None
    try:
        make_client(max_attempts=2).get("entsoe", server.url, secret_params=TOKEN)
    except BessError as raised:
        error = raised
    if error is not None:
        assert_silent(error, caplog.text)
    assert "canary" not in caplog.text
    assert error is not None or fault == "odd header"
    assert CANARY in server.queries()[0].values(), "the token was sent"


def test_the_token_is_in_no_error_of_a_connection_that_never_was(
    make_client: Make, refusing_url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)

    def nowhere(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    for address in (refusing_url, "http://market.invalid/api"):
        with pytest.raises(SourceError) as caught:
            make_client(max_attempts=2).get("entsoe", address, secret_params=TOKEN)
        assert_silent(caught.value, caplog.text)
        monkeypatch.setattr(socket, "getaddrinfo", nowhere)


def test_the_token_is_in_no_error_of_a_timeout(
    server: Server, make_client: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.script = lambda handler: server.released.wait(10)
    with pytest.raises(SourceError, match="in time") as caught:
        make_client(read_timeout_s=0.05, max_attempts=1).get("entsoe", server.url, secret_params=TOKEN)
    assert_silent(caught.value, caplog.text)
    with pytest.raises(SourceError, match=r"within|in time") as caught:
        make_client(real_clock=True, deadline_s=0.05).get("entsoe", server.url, secret_params=TOKEN)
    assert_silent(caught.value, caplog.text)


def test_the_token_and_the_users_name_are_in_no_file_that_processes_share(
    server: Server, clock: Clock, tmp_path: Path
) -> None:
    server.script = status(503)
    url = server.url.replace("http://", "http://user:canary@")
    with HttpClient(
        SourcesSettings(max_attempts=5), lambda: NOW, sleep=clock.sleep, clock=clock, state=ProviderState(tmp_path)
    ) as client:
        for _ in range(2):
            with pytest.raises(SourceError) as caught:
                client.get("entsoe", url, secret_params=TOKEN)
            assert_silent(caught.value, "")
    assert "circuit breaker" in str(caught.value)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert "entsoe@127.0.0.1" in "".join(path.read_text() for path in written)
    assert not [path for path in written if "canary" in path.read_text() + path.name]


def test_the_canary_would_be_seen(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """Positive control: the plain library does put the token into its error."""
    server.script = status(500)
    response = requests.get(server.url, params={"securityToken": "canary"}, timeout=2)
    with pytest.raises(requests.HTTPError, match="canary"):
        response.raise_for_status()
