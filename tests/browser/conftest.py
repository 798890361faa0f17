"""A headless Chromium that reaches nothing but this machine, and a place for its screenshots.

What belongs here: the browser. What does not: the servers the pages come from (each test starts its own).
Playwright drives the distribution's own chromium; it must never download a browser.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect, sync_playwright

ARTEFACTS = Path(__file__).resolve().parents[2] / "test-artefacts"
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
VIEWPORT = {"width": 1600, "height": 1000}
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Belt to the routing's braces: no name but localhost resolves, whoever asks.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
]
ACTION_TIMEOUT_MS = 30_000
Screenshot = Callable[[str], Path]


def _only_loopback(route: Route) -> None:
    if urlsplit(route.request.url).hostname in LOOPBACK:
        route.continue_()
    else:
        route.abort("blockedbyclient")


@pytest.fixture
def chromium(tmp_path: Path) -> Iterator[BrowserContext]:
    """A browser context with a fresh profile; requests to other machines are refused."""
    executable = shutil.which("chromium")
    if executable is None:
        pytest.fail("chromium is not on the PATH (Debian: apt-get install --no-install-recommends chromium)")
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path / "chromium-profile",
            executable_path=executable,
            headless=True,
            args=ARGUMENTS,
            viewport=VIEWPORT,
            env={**os.environ, "HOME": str(tmp_path)},
        )
        context.set_default_timeout(ACTION_TIMEOUT_MS)
        expect.set_options(timeout=ACTION_TIMEOUT_MS)
        context.route("**/*", _only_loopback)
        try:
            yield context
        finally:
            context.close()


@pytest.fixture
def page(chromium: BrowserContext, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The browser's first tab, 1600 by 1000; what a failed test saw last is kept as its screenshot."""
    tab = chromium.pages[0] if chromium.pages else chromium.new_page()
    failed = request.session.testsfailed
    yield tab
    if request.session.testsfailed > failed:
        _keep(tab, request, "failed")


@pytest.fixture
def screenshot(page: Page, request: pytest.FixtureRequest) -> Screenshot:
    """`screenshot("name")` writes test-artefacts/<test>-<name>.png and returns its path."""
    return lambda name: _keep(page, request, name)


def _keep(page: Page, request: pytest.FixtureRequest, name: str) -> Path:
    ARTEFACTS.mkdir(exist_ok=True)
    test = re.sub(r"\W+", "_", request.node.name).strip("_")
    target = ARTEFACTS / f"{test}-{name}.png"
    page.screenshot(path=target)
    return target
