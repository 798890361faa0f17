"""The browser fixture itself: it shows a local page, runs its script, and reaches nothing else."""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.browser

BODY = b"""<!doctype html><title>local</title><p id="out">waiting</p>
<img id="away" src="http://192.0.2.1/x.png">
<script>
  const image = document.getElementById("away");
  image.onerror = () => { document.getElementById("out").textContent = "width " + window.innerWidth; };
</script>"""


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def test_a_local_page_is_shown_and_other_machines_are_not_reached(
    page: Page, address: str, screenshot: Callable[[str], Path]
) -> None:
    blocked: list[str] = []
    page.on("requestfailed", lambda request: blocked.append(request.url))
    page.goto(address)
    page.get_by_text("width 1600").wait_for()  # set by the script once the foreign image was refused
    assert page.title() == "local"
    assert blocked == ["http://192.0.2.1/x.png"]
    picture = screenshot("page").read_bytes()
    assert struct.unpack(">II", picture[16:24]) == (1600, 1000)  # PNG header: width, height
