"""One GET whose body goes to a file instead of to memory: same deadline, retries, spacing, breakers and redaction.

What belongs here: streaming a body into a gzip file while it is hashed. What does not: everything
else about a request (`http.py`), where the file ends up (`ingestion/vault.py`) and what it says.

Each attempt writes a file of its own, because an attempt that missed the deadline may still write.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import uuid
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import requests

from bess_pipeline.sources import faults
from bess_pipeline.sources.faults import Failure
from bess_pipeline.sources.http import Answer, HttpClient
from bess_pipeline.sources.pacing import Pace

_CHUNK = 256 * 1024
_HEAD = 512
_COMPRESSION = 3  # half-way between size and time: a month of frequency in two seconds


@dataclass(frozen=True)
class Download:
    """A body in `file` (gzip, removed by whoever asked), with what an `Answer` says of its origin.

    `sha256` and `size` are those of the content as it came (compression of the transfer undone);
    `answer.content` holds only its first bytes.
    """

    answer: Answer
    file: Path
    sha256: str
    size: int


@contextlib.contextmanager
def downloading(
    client: HttpClient, source: str, url: str, folder: Path, *, pace: Pace, max_bytes: int, deadline_s: float
) -> Iterator[Download]:
    """The body of `url` in a file below `folder` for as long as the block lasts; errors as `HttpClient.get`."""
    folder.mkdir(parents=True, exist_ok=True)
    fetcher = _FileClient(client, folder, max_bytes, deadline_s)
    try:
        answer = fetcher.get(source, url, pace=pace)
        file, sha256, size = fetcher.received[-1]
        yield Download(answer, file, sha256, size)
    finally:
        fetcher.close()
        for file in fetcher.files:
            file.unlink(missing_ok=True)


class _FileClient(HttpClient):
    """A client of one request: it shares clock, spacing and breakers with `client` and writes bodies to files."""

    def __init__(self, client: HttpClient, folder: Path, max_bytes: int, deadline_s: float) -> None:
        super().__init__(
            client.settings.model_copy(update={"deadline_s": deadline_s}),
            client.now,
            sleep=client._sleep,
            clock=client._clock,
            state=client._state,
            max_bytes=max_bytes,
        )
        self.folder = folder
        self.files: list[Path] = []
        self.received: list[tuple[Path, str, int]] = []

    def _body(self, response: requests.Response, deadline: float) -> bytes | Failure:
        """The first bytes of the body; all of it goes to a new file."""
        file = self.folder / f"{uuid.uuid4().hex}.gz"
        self.files.append(file)
        digest, head = hashlib.sha256(), b""
        decoder = _Decoder(response.headers.get("Content-Encoding", ""))
        size = 0
        with file.open("wb") as target, gzip.GzipFile("", "wb", _COMPRESSION, target, mtime=0) as packed:
            for content in decoder.contents(lambda: response.raw.read1(_CHUNK, decode_content=False)):
                size += len(content)
                if size > self._max_bytes:
                    return faults.too_large(self._max_bytes)
                if self._clock() > deadline:
                    return Failure("sends its answer too slowly")
                digest.update(content)
                packed.write(content)
                head += content[: _HEAD - len(head)]
        if not decoder.complete:
            return faults.BROKEN_COMPRESSION
        if not size:
            return Failure("sent an empty file", faults.ONCE_MORE, is_payload=True)
        self.received.append((file, digest.hexdigest(), size))
        return head

    def _answer(self, request: object, response: requests.Response, wire: bytes) -> Answer | Failure:
        """As for any answer, of the first bytes; the compression is undone already."""
        response.headers.pop("Content-Encoding", None)
        answer = super()._answer(request, response, wire)  # type: ignore[arg-type]
        return replace(answer, answer=None) if isinstance(answer, Failure) else answer


class _Decoder:
    """Undoes the gzip of a transfer in pieces of bounded size, however much a few bytes stand for."""

    def __init__(self, encoding: str) -> None:
        plain = encoding.strip().lower() in ("", "identity")
        self._stream = None if plain else zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        self._followed = False

    def contents(self, read: Callable[[], bytes]) -> Iterator[bytes]:
        """The content of what `read` gives until it gives nothing; ends early where that is no gzip."""
        while chunk := read():
            if self._stream is None:
                yield chunk
                continue
            while chunk and not self._stream.eof:
                try:
                    content = self._stream.decompress(chunk, _CHUNK)
                except zlib.error:
                    return
                chunk = self._stream.unconsumed_tail or self._stream.unused_data
                yield content
            self._followed = self._followed or bool(chunk)

    @property
    def complete(self) -> bool:
        """True when the gzip is whole and nothing follows it."""
        return self._stream is None or (self._stream.eof and not self._followed)
