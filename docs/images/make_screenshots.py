"""Takes the README's screenshot of the asset graph: `python docs/images/make_screenshots.py WORKSPACE`.

WORKSPACE is one that `bess demo` has filled. Needs the development environment (playwright) and a chromium on
the PATH; starts `bess ui` on a free port, drives it, ends it, and writes asset_graph.png beside this file.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
sys.path.insert(0, str(PROJECT / "tests"))

from dagster_ui import running_ui, wait_until_ready  # noqa: E402  (the path above comes first)

GROUPS = ("trading",)
ASSET = "co_optimised_plan"  # one of them
WINDOW = {"width": 1800, "height": 1900}
MARGIN = 24


def main() -> None:
    """Write the pictures of the workspace named on the command line."""
    if len(sys.argv) != 2 or not (Path(sys.argv[1]) / "dagster_home").is_dir():
        sys.exit(f"usage: python {sys.argv[0]} WORKSPACE (one that `bess demo` has filled)")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        log = Path(folder) / "ui.log"
        with running_ui(Path(sys.argv[1]).absolute(), {}, log) as ui:
            wait_until_ready(ui, log)
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
            )
            asset_graph(browser.new_page(viewport=WINDOW), ui.url)
            browser.close()


def asset_graph(page: Page, url: str) -> None:
    """The whole graph, trading open and the other groups folded: with all open nothing can be read."""
    opened = ",".join(f"global@global:{group}" for group in GROUPS)
    page.goto(f"{url}/asset-groups?expanded={opened}")
    page.get_by_text(ASSET).first.wait_for()
    page.get_by_text("Hide navigation").click()
    page.reload()  # the graph is fitted to the window it finds
    page.get_by_text(ASSET).first.wait_for()
    page.wait_for_timeout(10_000)
    boxes = [box for node in page.locator("foreignObject").all() if (box := node.bounding_box())]
    bottom = min(max(box["y"] + box["height"] for box in boxes) + MARGIN, WINDOW["height"])
    page.screenshot(path=HERE / "asset_graph.png", clip={"x": 0, "y": 0, "width": WINDOW["width"], "height": bottom})


if __name__ == "__main__":
    main()
