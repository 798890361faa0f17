"""Logging to stderr with a run id in every line, and the removal of secrets from every text.

What belongs here: the handler, its format and `redact`. What does not: what is logged (each module
does that with `logging.getLogger(__name__)`), the removal of a given secret from text or bytes
(`sources/redaction.py`) and Dagster's event log, which stores an exception's text as it was raised
(errors of `sources/http.py` hold no secret to begin with).

The formatter redacts the finished line, so that messages, their arguments, exception texts and
stack traces of every library (urllib3 and requests log whole URLs) pass through it. Importing this
module changes nothing; `configure_logging` does.
"""

from __future__ import annotations

import logging
import re
import secrets
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from bess_pipeline.settings import entsoe_token
from bess_pipeline.sources.redaction import REDACTED
from bess_pipeline.sources.redaction import redact as redact_secrets

_HANDLER_NAME = "bess_pipeline.stderr"
_SHORTEST_SECRET = 4  # a shorter value is no token, and replacing it would garble ordinary words

_PATTERNS = (
    # 'securityToken': '...' of a dictionary or of JSON, ENTSOE_API_TOKEN='...' of a repr
    (
        re.compile(r"(?i)(security_?token|api_?token|api_?key)([\"']?\s*[:=]\s*b?[\"'])[^\"']+"),
        rf"\1\2{REDACTED}",
    ),
    # Authorization: Bearer ..., 'Authorization': 'Basic ...'
    (
        re.compile(r"(?i)\b((?:proxy-)?authorization)([\"']?\s*[:=]\s*b?[\"']?)(?:[a-z]+\s+)?[^\s\"',;}\]]+"),
        rf"\1\2{REDACTED}",
    ),
    # https://user:password@host
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/@:\"']+:[^\s/@\"']+@"), rf"\1{REDACTED}@"),
)


def redact(text: str) -> str:
    """`text` without the ENTSO-E token in force, tokens of URLs, authorisation values and URL passwords."""
    return _redact(text, _secrets_in_force())


def configure_logging(level: int | str = logging.INFO, run_id: str | None = None) -> str:
    """Send every logger's lines to stderr, redacted, with a run id; returns the run id.

    `run_id` is a label of this process (default: eight random hex digits). Calling it again replaces
    level and run id (and reads the token again) instead of printing lines twice.

    Raises ValueError for an unknown level.
    """
    label = run_id or secrets.token_hex(4)
    root = logging.getLogger()
    root.setLevel(level)
    handler = next((one for one in root.handlers if one.get_name() == _HANDLER_NAME), None)
    if handler is None:
        handler = _CurrentStderrHandler()
        handler.set_name(_HANDLER_NAME)
        root.addHandler(handler)
    handler.setFormatter(_RedactingFormatter(label))
    return label


class _RedactingFormatter(logging.Formatter):
    """`2026-03-29T01:00:00Z INFO [run id] logger: message`, redacted as a whole."""

    def __init__(self, run_id: str) -> None:
        # Read once: reading .env may itself log, which must not end in this formatter again.
        self._known_secrets = _secrets_in_force()
        super().__init__("%(asctime)s %(levelname)s [%(run_id)s] %(name)s: %(message)s", defaults={"run_id": run_id})

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - logging's name
        return datetime.fromtimestamp(record.created, UTC).strftime(datefmt or "%Y-%m-%dT%H:%M:%SZ")

    def format(self, record: logging.LogRecord) -> str:
        # The base class keeps the exception's text in record.exc_text for other handlers: redact that too.
        line = _redact(super().format(record), self._known_secrets)
        if record.exc_text:
            record.exc_text = _redact(record.exc_text, self._known_secrets)
        return line


class _CurrentStderrHandler(logging.StreamHandler):
    """Writes to what `sys.stderr` is at the time, so that a captured or replaced stderr is honoured."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr  # not setStream, which flushes the stream before: that one may be closed
        super().emit(record)


def _redact(text: str, known: Sequence[str]) -> str:
    text = redact_secrets(text, known)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def _secrets_in_force() -> list[str]:
    token = entsoe_token()
    value = token.get_secret_value() if token else ""
    return [value] if len(value) >= _SHORTEST_SECRET else []
