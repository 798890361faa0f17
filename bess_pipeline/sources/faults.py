"""What can be wrong with an exchange, as words that hold no address and no secret.

What belongs here: turning exceptions, statuses and bodies into a `Failure`, with how often it is
worth trying again. What does not: the trying (`http.py`).

`requests` puts the whole address, token included, into its exception texts: only the types of
exceptions are read here, never their text.
"""

from __future__ import annotations

import codecs
import email.utils
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bess_pipeline.sources.http import Answer

TRANSIENT = 1_000_000  # attempts such a failure is worth; the setting max_attempts is the real bound
ONCE_MORE = 2
_PAGES = frozenset({"text/html", "application/xhtml+xml"})
_DOCUMENTS = frozenset({"application/pdf", "application/rtf", "text/css", "text/javascript", "application/javascript"})
_MEDIA = frozenset({"image", "audio", "video", "font", "multipart"})
_AFTER_FAILING = "nothing stored was changed: try again later, or check"


@dataclass(frozen=True)
class Failure:
    """Why an attempt failed: `reason` continues a sentence that starts with the host.

    `attempts_worth` is 1 where another attempt cannot help; `wait_s` is what the provider asks for;
    `answer` is there when a whole answer came and was refused. `reached` is False when the provider saw
    no request. `of_request`: it may be this request alone that cannot be served, so that repeating it
    says nothing more about the provider.
    """

    reason: str
    attempts_worth: int = 1
    advice: str = ""
    wait_s: float | None = None
    is_payload: bool = False
    answer: Answer | None = None
    reached: bool = True
    of_request: bool = False

    def sentence(self, host: str, setting: str, attempts: int) -> str:
        """The failure in one sentence, with what to do."""
        text = f"{host} {self.reason}"
        if self.wait_s:
            text += f" and asks to wait {self.wait_s:.0f} s"
        if attempts > 1:
            text += f", {attempts} attempts"
        if self.advice:
            return f"{text}: {self.advice}"
        return f"{text}; {_AFTER_FAILING} {setting}" if self.attempts_worth > 1 else f"{text}: check {setting}"


BROKEN_COMPRESSION = Failure("sent compressed data that cannot be read", ONCE_MORE, is_payload=True)
_KINDS: tuple[tuple[frozenset[str], Failure], ...] = (
    (
        frozenset({"NameResolutionError", "gaierror"}),
        Failure("cannot be found (name resolution failed)", TRANSIENT, reached=False),
    ),
    (frozenset({"SSLError"}), Failure("has a certificate or encryption that cannot be trusted")),
    (
        frozenset({"ProxyError"}),
        Failure("cannot be reached through the proxy of the environment", TRANSIENT, reached=False),
    ),
    (frozenset({"ConnectionRefusedError"}), Failure("refused the connection", TRANSIENT, reached=False)),
    (frozenset({"ConnectTimeout"}), Failure("did not accept a connection in time", TRANSIENT, reached=False)),
    (frozenset({"NewConnectionError"}), Failure("cannot be reached", TRANSIENT, reached=False)),
    (frozenset({"ReadTimeout", "ReadTimeoutError", "TimeoutError"}), Failure("did not answer in time", TRANSIENT)),
    (frozenset({"IncompleteRead", "ChunkedEncodingError"}), Failure("sent a truncated answer", TRANSIENT)),
    (
        frozenset({"RequestException", "HTTPError", "HTTPException", "OSError"}),
        Failure("broke the connection", TRANSIENT),
    ),
)


def from_exception(error: Exception) -> Failure:
    """What happened, from the types of an exception and of its causes."""
    kinds = {kind.__name__ for cause in _causes(error) for kind in type(cause).__mro__}
    for names, failure in _KINDS:
        if kinds & names:
            return failure
    return Failure(f"gave an answer that cannot be read ({type(error).__name__})")


def from_status(status: int, headers: Mapping[str, str], denied_hint: str, now: datetime) -> Failure:
    """The failure that a status stands for."""
    if status in (401, 403):
        return Failure(f"refused access (HTTP {status})", advice=denied_hint)
    if status == 429:
        return Failure("says there were too many requests (HTTP 429)", TRANSIENT, wait_s=_retry_after(headers, now))
    if status >= 500:
        unavailable = status in (502, 503, 504)
        reason, wait_s = f"has a fault (HTTP {status})", _retry_after(headers, now)
        return Failure(reason, TRANSIENT, wait_s=wait_s, of_request=not unavailable)
    if 300 <= status < 400:
        return Failure(f"answers with a redirect (HTTP {status}), and redirects are not followed")
    return Failure(f"does not answer this request (HTTP {status})")


def from_content(content: bytes, content_type: str, status: int) -> Failure | None:
    """A web page (maintenance, login), a picture or a document where data was expected, text of another charset
    than it names, or None.

    Providers call their data JSON, XML, CSV, plain text or bytes, or give it no type; those are left to parsers.
    """
    kind = content_type.partition(";")[0].strip().lower()
    start = content[:256].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if kind in _PAGES or start.startswith((b"<!doctype html", b"<html")):
        what = "a web page"
    elif kind in _DOCUMENTS or kind.partition("/")[0] in _MEDIA:
        what = "a picture or document"
    elif not _in_its_charset(content, content_type):
        return Failure("sent text that is not in the charset it names", ONCE_MORE, is_payload=True)
    else:
        return None
    reason = f"answered with {what} (HTTP {status}) where data was expected"
    return Failure(reason, advice="it may be under maintenance, try again later", is_payload=True)


def _in_its_charset(content: bytes, content_type: str) -> bool:
    """True where no charset is named: XML names its own, and parsers refuse what they cannot read."""
    header = Message()
    header["Content-Type"] = content_type
    charset = header.get_content_charset()
    if charset is None:
        return True
    try:
        codecs.getincrementaldecoder(charset)("strict").decode(content)  # a character cut off at the end is no fault
    except (LookupError, ValueError, TypeError):
        return False
    return True


def too_large(limit: int) -> Failure:
    """A body beyond the size limit."""
    return Failure(f"sent more than {limit} bytes, which no data set of it does", is_payload=True)


def decompressed(wire: bytes, encoding: str, limit: int) -> bytes | Failure:
    """The body without its gzip, in at most `limit` bytes."""
    if encoding.strip().lower() in ("", "identity"):
        return wire
    decoder = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # gzip or zlib, by its first bytes
    try:
        content = decoder.decompress(wire, limit + 1)
    except zlib.error:
        content = b""
    if len(content) > limit:
        return too_large(limit)
    if not decoder.eof or decoder.unused_data:
        return BROKEN_COMPRESSION
    return content


def _causes(error: Exception) -> list[BaseException]:
    """An exception, what it wraps (`requests` and `urllib3` put causes in arguments) and what it came from."""
    found: list[BaseException] = []
    todo: list[object] = [error]
    while todo and len(found) < 20:
        cause = todo.pop()
        if isinstance(cause, BaseException) and not any(cause is known for known in found):
            found.append(cause)
            todo += [*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__]
    return found


def _retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds of a Retry-After header; a date counts from the server's own Date where there is one."""
    text = headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text[:9])
    then = _http_date(text)
    if then is None:
        return None
    return max((then - (_http_date(headers.get("Date", "")) or now)).total_seconds(), 0.0)


def _http_date(text: str) -> datetime | None:
    try:
        value = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)
