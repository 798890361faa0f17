"""The sample market over HTTP: routes requests to the wire formats and puts faults on the wire.

What belongs here: the HTTP/1.1 server, prefix tolerance, our own `/bess/…` paths and how each kind
of fault looks on a socket. What does not: the providers' formats (`wire_*.py`) and which requests a
fault strikes (`faults.py`).
"""

from __future__ import annotations

import errno
import json
import re
import socket
import struct
import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, parse_qsl, quote, unquote_plus, urlsplit

from bess_pipeline.errors import UserInputError
from bess_pipeline.sample_market.faults import Fault, FaultBoard, fault_from_query
from bess_pipeline.sample_market.reply import JSON, Query, Reply, json_reply
from bess_pipeline.sample_market.rewrites import REWRITES
from bess_pipeline.sample_market.tables import MarketTables
from bess_pipeline.sample_market.wire_elexon import ElexonWire
from bess_pipeline.sample_market.wire_entsoe import entsoe_reply
from bess_pipeline.sample_market.wire_forecasts import ForecastWire
from bess_pipeline.sample_market.wire_neso import NesoWire

ORIGIN_HEADER = "X-Bess-Market-Origin"
ELEXON_PREFIX = "/bmrs/api/v1"
OWN_PREFIX = "/bess/"
MAINTENANCE_PAGE = (
    b"<!DOCTYPE html><html><head><title>Maintenance</title></head><body>We will be back soon.</body></html>"
)
DRIP_PAUSE_S = 0.1
MAX_FORM_BYTES = 65_536
_TOKEN_VALUE = re.compile(r"(securityToken=)[^&]*", re.IGNORECASE)


class MarketServer:
    """A market on a loopback port, as a context manager; `port=0` takes a free one.

    Raises UserInputError when the port is in use or may not be opened. `requests` lists the targets
    of the providers' requests served so far, in order, tokens blanked; `faults` may be changed while
    it runs, here or through `/bess/faults`.
    """

    def __init__(
        self, tables: MarketTables, host: str = "127.0.0.1", port: int = 0, faults: Iterable[Fault] = ()
    ) -> None:
        self.tables = tables
        self.faults = FaultBoard(faults)
        self.requests: list[str] = []
        self.stopping = threading.Event()
        published = tables.published()
        self._http = _listen(host, port, self)
        self._elexon, self._neso = ElexonWire(published), NesoWire(published)
        self._forecasts = ForecastWire(published.forecasts)
        self._day_ahead = published.day_ahead
        self.host = host
        self.port = int(self._http.server_address[1])
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Root address, without a trailing slash."""
        return f"http://{self.host}:{self.port}"

    @property
    def base_urls(self) -> dict[str, str]:
        """The three base addresses, named as in the settings."""
        return {
            "elexon_base_url": f"{self.url}{ELEXON_PREFIX}",
            "neso_base_url": self.url,
            "entsoe_base_url": f"{self.url}/api",
        }

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving and free the port; hanging answers are let go."""
        self.stopping.set()
        if self._thread is not None:
            self._http.shutdown()
            self._thread.join()
            self._thread = None
        self._http.server_close()
        self._neso.close()

    def market(self) -> dict[str, object]:
        """What our own clients may ask about the market (`/bess/market`)."""
        now = self.tables.now_utc
        return {
            "origin": self.tables.origin,
            "day_ahead_leg": self.tables.day_ahead_leg,
            "first_date": self.tables.first_date.isoformat(),
            "last_date": self.tables.last_date.isoformat(),
            "now_utc": None if now is None else now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def answer(self, path: str, query: Query, base_url: str) -> Reply:
        """The provider's answer to a request, with or without the provider's path prefix."""
        elexon_path = path.removeprefix(ELEXON_PREFIX) if path.startswith(ELEXON_PREFIX + "/") else path
        elexon_path = elexon_path.rstrip("/")
        reply = self._elexon.reply(elexon_path, query) or self._forecasts.reply(elexon_path, query)
        reply = reply or self._neso.reply(path, query, base_url)
        if reply is None and (path == "/api" or (path == "/" and "documentType" in query)):
            reply = entsoe_reply(query, self.tables.now_utc or datetime.now(UTC), self._day_ahead)
        return reply or json_reply({"statusCode": 404, "message": "Resource not found"}, status=404)


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    market_server: MarketServer

    def server_bind(self) -> None:
        """As in the base class of HTTPServer, without its look-up of the host's full name."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no error of the market."""


def _listen(host: str, port: int, market: MarketServer) -> _Http:
    try:
        http = _Http((host, port), _Handler)
    except OSError as error:
        in_use = error.errno == errno.EADDRINUSE
        reason = "is in use by another program" if in_use else f"cannot be opened ({error.strerror or error})"
    except OverflowError:
        reason = "is not a port: choose 0 to 65535"
    else:
        http.market_server = market
        return http
    raise UserInputError(f"port {port} on {host} {reason}; choose another with --port, or 0 for any free one")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "bess-sample-market"
    sys_version = ""
    timeout = 60
    wbufsize = 65_536
    disable_nagle_algorithm = True
    server: _Http

    def do_GET(self) -> None:
        market = self.server.market_server
        parts = urlsplit(self.path)
        if parts.path.startswith(OWN_PREFIX):
            self._send(self._own(parts.path.removeprefix(OWN_PREFIX), dict(parse_qsl(parts.query))))
            return
        market.requests.append(_TOKEN_VALUE.sub(r"\1***", self.path))
        fault = market.faults.strike(self.path)
        if fault is not None and fault.kind == "hang":
            market.stopping.wait(fault.seconds)
            self.close_connection = True
            return
        if fault is not None and fault.kind == "reset":
            self._reset()
            return
        reply = market.answer(parts.path, parse_qs(parts.query, keep_blank_values=True), self._base_url())
        self._send(reply, fault)

    def do_POST(self) -> None:
        size = self.headers.get("Content-Length", "0")
        form = self.rfile.read(int(size)) if size.isdecimal() and int(size) <= MAX_FORM_BYTES else b""
        parts = urlsplit(self.path)
        if parts.path != f"{OWN_PREFIX}faults":
            self.close_connection = True
            self._send(json_reply({"statusCode": 405, "message": "Only GET is served"}, status=405))
            return
        values = dict(parse_qsl(parts.query)) | dict(parse_qsl(form.decode("ascii", "replace")))
        self._send(self._own("faults", values))

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: what was served is in `MarketServer.requests`."""

    def _own(self, name: str, values: dict[str, str]) -> Reply:
        market = self.server.market_server
        if name == "market":
            return json_reply(market.market())
        if name != "faults":
            return json_reply({"message": "there is /bess/market and /bess/faults"}, status=404)
        try:
            if "clear" in values:
                market.faults.clear()
            elif values:
                market.faults.add(fault_from_query(values))
        except UserInputError as error:
            return json_reply({"message": str(error)}, status=400)
        return json_reply({"faults": market.faults.listed()})

    def _base_url(self) -> str:
        return f"http://{self.headers.get('Host') or self.server.market_server.url.removeprefix('http://')}"

    def _send(self, reply: Reply, fault: Fault | None = None) -> None:
        kind = None if fault is None else fault.kind
        if fault is not None:
            reply = _spoilt(reply, fault, self.path, self.headers.items())
        length: int | None = reply.content_length
        if kind == "truncate_unannounced":
            length = None
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header(ORIGIN_HEADER, self.server.market_server.tables.origin)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if kind == "status" and fault is not None and fault.retry_after is not None:
            self.send_header("Retry-After", fault.retry_after)
        if kind in ("truncate", "truncate_unannounced"):
            self.close_connection = True
            self.send_header("Connection", "close")
        self.end_headers()
        self._send_body(reply, fault)

    def _send_body(self, reply: Reply, fault: Fault | None) -> None:
        if fault is None or fault.kind not in ("truncate", "truncate_unannounced", "reset_midway", "drip"):
            for chunk in reply.chunks():
                self.wfile.write(chunk)
            return
        body = b"".join(reply.chunks())
        if fault.kind != "drip":
            self.wfile.write(body[: len(body) // 2])
            if fault.kind == "reset_midway":
                self.wfile.flush()
                self._reset()
            return
        for piece in _pieces(body, fault.seconds):
            self.wfile.write(piece)
            self.wfile.flush()
            if self.server.market_server.stopping.wait(DRIP_PAUSE_S):
                self.close_connection = True
                return

    def _reset(self) -> None:
        """Close with a reset instead of an orderly end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()


def _spoilt(reply: Reply, fault: Fault, target: str, headers: Iterable[tuple[str, str]]) -> Reply:
    """The answer a fault puts in the place of the true one, where it has one of its own."""
    if fault.kind == "status":
        return json_reply({"statusCode": fault.status, "message": "fault on request"}, status=fault.status)
    if fault.kind == "html":
        return Reply(MAINTENANCE_PAGE, "text/html; charset=utf-8")
    if fault.kind == "empty":
        return _emptied(reply)
    if fault.kind == "bad_gzip":
        return Reply(b"\x1f\x8b\x08\x00 this is not gzip", reply.content_type, headers={"Content-Encoding": "gzip"})
    if fault.kind == "redirect":
        return Reply(status=fault.status, headers={"Location": fault.value.rstrip("/") + target})
    if fault.kind == "echo":
        said = f"{target}\n{unquote_plus(target)}\n" + "\n".join(f"{name}: {value}" for name, value in headers)
        return Reply(said.encode(), f"text/plain; asked={quote(target)}", headers={"X-Asked": target})
    if fault.kind == "rewrite":
        return REWRITES[fault.rewrite](reply, fault.value)
    return reply


def _emptied(reply: Reply) -> Reply:
    """The same form with no rows in it."""
    if not reply.content_type.startswith("application/json"):
        return Reply(b"", reply.content_type)
    value = json.loads(b"".join(reply.chunks()))
    if isinstance(value, list):
        return json_reply([])
    if "data" in value:
        value["data"] = []
    result = value.get("result")
    if isinstance(result, dict):
        value["result"] = result | {name: [] for name in ("records", "resources") if name in result}
        if "total" in result:
            value["result"]["total"] = 0
    return Reply(json.dumps(value).encode(), JSON)


def _pieces(body: bytes, seconds: float) -> Iterator[bytes]:
    count = max(1, min(len(body), round(seconds / DRIP_PAUSE_S)))
    size = -(-len(body) // count)
    for start in range(0, len(body), max(size, 1)):
        yield body[start : start + size]
