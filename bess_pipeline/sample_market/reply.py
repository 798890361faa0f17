"""What a wire format answers: a status, a content type and a body. Plain data, no HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

JSON = "application/json; charset=utf-8"
Query = dict[str, list[str]]


@dataclass(frozen=True)
class Reply:
    """An answer; a long body may be given as `stream` (called once) with its `length` in bytes.

    `headers` are sent beside those that every answer has.
    """

    body: bytes = b""
    content_type: str = JSON
    status: int = 200
    stream: Callable[[], Iterator[bytes]] | None = None
    length: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content_length(self) -> int:
        """Bytes of the body, streamed or not."""
        return len(self.body) if self.stream is None else self.length

    def chunks(self) -> Iterator[bytes]:
        """The body in pieces."""
        return iter([self.body]) if self.stream is None else self.stream()


def json_reply(value: object, status: int = 200, content_type: str = JSON) -> Reply:
    """`value` as compact JSON; NaN is refused because no provider sends it."""
    return Reply(json.dumps(value, separators=(",", ":"), allow_nan=False).encode(), content_type, status)


def first(query: Query, name: str) -> str:
    """The first value of a query parameter, or an empty string."""
    return query.get(name, [""])[0]
