"""Keeping the ENTSO-E token out of addresses, messages and logs.

What belongs here: everything that removes a secret from text or bytes. What does not: reading
the token (`settings.py`) and sending it (`http.py`).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus, urlsplit, urlunsplit

REDACTED = "[redacted]"
_SECRET_PARAMETER = re.compile(r"(securityToken(?:=|%3D|:\s*))[^&\s\"'<>\\]+", re.IGNORECASE)
_LOGGERS_THAT_PRINT_ADDRESSES = (
    "urllib3.connectionpool",
    "urllib3.connection",
    "urllib3.response",
    "urllib3.util.retry",
)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without the given secrets (plain or percent-encoded) and without any `securityToken=` value."""
    for form in _forms(secrets):
        text = text.replace(form, REDACTED)
    return _SECRET_PARAMETER.sub(rf"\g<1>{REDACTED}", text)


def redact_bytes(content: bytes, secrets: Iterable[str]) -> bytes:
    """`content` with every occurrence of a secret replaced; an answer that echoes none is unchanged."""
    for form in _forms(secrets):
        content = content.replace(form.encode(), REDACTED.encode())
    return content


def _forms(secrets: Iterable[str]) -> list[str]:
    """As secrets are written, plain or percent-encoded; longest first, because one may begin with another."""
    forms = {form for secret in secrets for form in (secret, quote(secret, safe=""), quote_plus(secret)) if form}
    return sorted(forms, key=lambda form: (-len(form), form))


def public_url(url: str) -> str:
    """`url` without user name and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


class RedactingFilter(logging.Filter):
    """Logging filter that rewrites each record's text; put it on loggers or handlers."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always True: the record stays, its secret does not."""
        message = record.getMessage()
        clean = redact(message)
        if clean != message:
            record.msg, record.args = clean, ()
        return True


def redact_http_logs() -> None:
    """Put the filter on the loggers of the HTTP library, which print addresses; again: no effect."""
    for name in _LOGGERS_THAT_PRINT_ADDRESSES:
        logger = logging.getLogger(name)
        if not any(isinstance(existing, RedactingFilter) for existing in logger.filters):
            logger.addFilter(RedactingFilter())
