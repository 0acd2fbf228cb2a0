"""Dashboards drawn in Chromium by Grafana's own components."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from playwright.sync_api import Page, Route, sync_playwright

from tests.support.dashboards import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tests.suites.grafana.asking import Series, View

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
IMAGES = HERE.parents[2] / "docs" / "images"
ICONS = "/public/build/img/"
FONTS = "/public/fonts/"
WIDTH = 1500


def bundle(folder: Path) -> None:
    """Make one script and one style sheet of the page and all of Grafana's that it needs."""
    options = ["--bundle", "--jsx=automatic", "--loader:.ttf=empty", "--log-level=warning"]
    defined = '--define:process.env.NODE_ENV="production"'
    esbuild = [str(MODULES / ".bin" / "esbuild"), "draw/page.jsx", f"--outfile={folder / 'page.js'}", *options, defined]
    subprocess.run(esbuild, cwd=HERE, check=True)
    (folder / "page.html").write_text((HERE / "draw" / "page.html").read_text())


class Drawing:
    """One dashboard on a page, and what went wrong while it was drawn."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self._folder = folder
        self.complaints: list[str] = []
        self.page: Page = browser.new_page(viewport={"width": WIDTH, "height": 900})
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.route("**/*", self._serve)

    def draw(self, file: str, answered: dict[str, Series], view: View, shown: dict[str, str]) -> None:
        """Draw a dashboard from answers; `shown` are variables as they are read, not as queries have them."""
        board = load(file)
        bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
        self.page.set_viewport_size({"width": WIDTH, "height": 100 + 38 * bottom})
        self.page.goto("http://drawn/page.html")
        variables = {variable["name"]: "All" for variable in board["templating"]["list"]} | shown
        self.page.evaluate(
            "([board, answers, range, variables]) => window.draw(board, answers, range, variables)",
            [board, answered, [view.start, view.end], variables],
        )
        self.page.wait_for_function("document.querySelectorAll('[data-panel]').length === window.expected")
        self.page.wait_for_timeout(1000)  # plots are painted some frames after they are there, and nothing tells when

    def facts(self) -> dict[str, dict[str, Any]]:
        """Tell of each panel its kind, its text, its links, and how many of its dots are painted."""
        found: dict[str, dict[str, Any]] = self.page.evaluate("window.facts()")
        return found

    def _serve(self, route: Route) -> None:
        path = urlsplit(route.request.url).path
        file = (
            MODULES / "@grafana/ui/dist/public/img" / path.removeprefix(ICONS)
            if ICONS in path
            else self._folder / path[1:]
        )
        if FONTS in path:
            route.fulfill(status=200, body="")  # Grafana's font is part of its application alone
        else:
            route.fulfill(path=file)


def picture(page: Page, file: str) -> None:
    """Keep the picture of a dashboard for the docs, in few enough colours to be small."""
    kept = IMAGES / f"dashboard-{file.removesuffix('.json')}.png"
    page.screenshot(path=kept)
    subprocess.run(["pngquant", "--force", "--output", kept, kept], check=True)


@contextmanager
def browser() -> Iterator[Browser]:
    """Start Debian's Chromium."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield started
        started.close()
