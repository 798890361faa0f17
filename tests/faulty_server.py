"""A tiny HTTP server that does what a test wants, and a clock that only `sleep` moves."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

NOW = datetime(2026, 4, 1, 9, 0, tzinfo=UTC)


@dataclass
class Clock:
    """Seconds that pass only in `sleep`."""

    seconds: float = 0.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds


class Server:
    """Serves whatever `script` does with a request handler; remembers targets and headers."""

    def __init__(self) -> None:
        self.script: Callable[[Any], None] = lambda handler: reply(handler, b"{}")
        self.targets: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.released = threading.Event()  # set at the end of the test: hanging handlers return
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.targets.append(self.path)
                outer.headers.append({name.lower(): value for name, value in self.headers.items()})
                self.server_script()

            def server_script(self) -> None:
                try:
                    outer.script(self)
                except OSError:  # the client went away, as several tests want
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Nothing on stderr."""

        class QuietServer(ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                """A client that resets its connection is part of the tests."""

        self.http = QuietServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.block_on_close = False
        self.thread = threading.Thread(target=lambda: self.http.serve_forever(poll_interval=0.01), daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}"

    def queries(self) -> list[dict[str, str]]:
        """Query of each request, one value a name."""
        return [{k: v[0] for k, v in parse_qs(urlsplit(t).query).items()} for t in self.targets]

    def close(self) -> None:
        self.released.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join(5)


def reply(handler: Any, body: bytes, status: int = 200, content_type: str = "application/json", **headers: str) -> None:
    """A whole, honest answer; header names are written with underscores."""
    handler.send_response(status)
    handler.send_header("Content-Type", content_type)
    handler.send_header("Content-Length", str(len(body)))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)
