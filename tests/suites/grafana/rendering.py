"""Dashboards rendered in Chromium with Grafana's own components."""

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

    from tests.suites.grafana.panel_queries import Series, View

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
IMAGES = HERE.parents[2] / "docs" / "images"
ICONS = "/public/build/img/"
FONTS = "/public/fonts/"
WIDTH = 1500


def bundle(folder: Path) -> None:
    """Build the page into a folder, with all of Grafana's modules that it needs."""
    options = ["--bundle", "--jsx=automatic", "--loader:.ttf=empty", "--log-level=warning"]
    options.append('--define:process.env.NODE_ENV="production"')
    esbuild = [str(MODULES / ".bin" / "esbuild"), "renderer/page.jsx", f"--outfile={folder / 'page.js'}", *options]
    subprocess.run(esbuild, cwd=HERE, check=True)
    (folder / "page.html").write_text((HERE / "renderer" / "page.html").read_text())


class RenderedDashboard:
    """A dashboard on a page, and the errors that occurred while it was rendered."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self._folder = folder
        self.errors: list[str] = []
        self.page: Page = browser.new_page(viewport={"width": WIDTH, "height": 900})
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        self.page.route("**/*", self._serve)

    def render(self, file: str, series: dict[str, Series], view: View, texts: dict[str, str]) -> None:
        """Render a dashboard from the series of its queries; `texts` has the displayed values of variables."""
        dashboard = load(file)
        bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
        self.page.set_viewport_size({"width": WIDTH, "height": 100 + 38 * bottom})
        self.page.goto("http://renderer/page.html")
        variables = {variable["name"]: "All" for variable in dashboard["templating"]["list"]} | texts
        self.page.evaluate(
            "([dashboard, series, range, variables]) => window.renderDashboard(dashboard, series, range, variables)",
            [dashboard, series, [view.start, view.end], variables],
        )
        self.page.wait_for_function("document.querySelectorAll('[data-panel]').length === window.expectedPanels")
        self.page.wait_for_timeout(1000)  # plots are painted some frames after they are mounted, without an event

    def panels(self) -> dict[str, dict[str, Any]]:
        """Return the type, text and links of each panel, and how many of its pixels are painted."""
        found: dict[str, dict[str, Any]] = self.page.evaluate("window.describePanels()")
        return found

    def _serve(self, route: Route) -> None:
        path = urlsplit(route.request.url).path
        file = (
            MODULES / "@grafana/ui/dist/public/img" / path.removeprefix(ICONS)
            if ICONS in path
            else self._folder / path[1:]
        )
        if FONTS in path:
            route.fulfill(status=200, body="")  # the packages do not include Grafana's font
        else:
            route.fulfill(path=file)


def save_screenshot(page: Page, file: str) -> None:
    """Save a screenshot of a dashboard for the docs, with few colours so that the file is small."""
    path = IMAGES / f"dashboard-{file.removesuffix('.json')}.png"
    page.screenshot(path=path)
    subprocess.run(["pngquant", "--force", "--output", path, path], check=True)


@contextmanager
def launch_browser() -> Iterator[Browser]:
    """Run Debian's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield browser
        browser.close()
