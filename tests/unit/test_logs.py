"""No secret reaches a log line, by whatever road; every line carries the run id.

The oracle is a canary: a token that stands in no source text, looked for in everything that comes out.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest
import requests

from bess_pipeline.logs import configure_logging, redact

CANARY = "c4nary+7f/3e token=="
URL = f"https://web-api.tp.entsoe.eu/api?documentType=A44&securityToken={quote(CANARY, safe='')}&in_Domain=10Y"


@pytest.fixture(autouse=True)
def _root_logger_restored() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.fixture
def stderr(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    monkeypatch.setenv("ENTSOE_API_TOKEN", CANARY)
    return lambda: capsys.readouterr().err


def assert_no_canary(text: str) -> None:
    for form in (CANARY, quote(CANARY), quote(CANARY, safe=""), "c4nary"):
        assert form not in text


def test_message_arguments_and_exception_text_are_redacted(stderr: Callable[[], str]) -> None:
    configure_logging(logging.DEBUG)
    log = logging.getLogger("bess_pipeline.sources.entsoe")
    log.warning("the token is %s at %s", CANARY, URL)
    log.error("parameters %r", {"securityToken": CANARY, "documentType": "A44"})
    try:
        try:
            raise ValueError(f"inner {URL}")
        except ValueError as error:
            raise RuntimeError(f"outer {CANARY}") from error
    except RuntimeError:
        log.exception("failed for %s", URL)
    text = stderr()
    assert_no_canary(text)
    assert "documentType=A44" in text
    assert "in_Domain=10Y" in text
    assert "RuntimeError: outer [redacted]" in text
    assert "inner https://web-api.tp.entsoe.eu" in text


def test_the_http_libraries_are_covered(stderr: Callable[[], str]) -> None:
    configure_logging(logging.DEBUG)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    parameters = {"securityToken": CANARY}
    with pytest.raises(requests.ConnectionError) as refused:
        requests.get(f"http://127.0.0.1:{port}/api", params=parameters, timeout=5)
    assert "c4nary" in str(refused.value)  # positive control: requests does put the token into its text
    logging.getLogger("some.library").error("no answer", exc_info=refused.value)
    text = stderr()
    assert "no answer" in text
    assert "urllib3" in text
    assert_no_canary(text)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("GET /api?securityToken=abcdef123&periodStart=2026", "&periodStart=2026"),
        ("GET /api?SECURITYTOKEN=abcdef123", "GET /api?"),
        ("next=%2Fapi%3FsecurityToken%3Dabcdef123%26x", "next="),
        ("headers {'Authorization': 'Bearer abcdef123', 'Accept': 'text/xml'}", "'Accept': 'text/xml'"),
        ("Authorization: Basic abcdef123\nAccept: */*", "Accept: */*"),
        ('{"security_token": "abcdef123", "day": 1}', '"day": 1'),
        ("proxy http://user:abcdef123@proxy.example:8080/ refused", "@proxy.example:8080/ refused"),
    ],
)
def test_secrets_that_are_not_in_the_environment(text: str, kept: str) -> None:
    cleaned = redact(text)
    assert "abcdef123" not in cleaned
    assert "[redacted]" in cleaned
    assert kept in cleaned


@pytest.mark.parametrize(
    "text",
    [
        "48 periods of 2026-03-29 from http://127.0.0.1:8000/balancing at 12:30:00",
        'set ENTSOE_API_TOKEN, or use day_ahead = "neso_n2ex"',
        "authorisation is not needed; the token is wrong",
    ],
)
def test_ordinary_text_is_left_alone(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert redact(text) == text
    monkeypatch.setenv("ENTSOE_API_TOKEN", "a")  # too short to be a token
    assert redact(text) == text


def test_every_line_carries_the_run_id_and_is_printed_once(stderr: Callable[[], str]) -> None:
    first = configure_logging()
    second = configure_logging("WARNING", run_id="nightly-1")
    assert len(first) == 8
    assert int(first, 16) >= 0
    assert second == "nightly-1"
    logging.getLogger("bess_pipeline.x").info("not shown")
    logging.getLogger("bess_pipeline.x").warning("shown")
    (line,) = stderr().splitlines()
    assert line.endswith("WARNING [nightly-1] bess_pipeline.x: shown")
    assert line[19:20] == "Z"  # UTC


def test_two_processes_do_not_share_a_run_id() -> None:
    assert configure_logging() != configure_logging()
