"""The documentation site, in a browser that can reach nothing else."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import pytest
from playwright.sync_api import expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page, Request

ROOT = Path(__file__).parents[3]
SITE = ROOT / "build" / "site"


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files without a log."""

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder; yield the address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """Yield a browser at the first page of the site."""
    with served(SITE) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(30_000)
        page.goto(address)
        yield page
        browser.close()


def test_every_page_can_be_reached_and_every_link_works(page: Page) -> None:
    """Links from the first page lead to all pages, and each link within the site has a target."""
    start, found, waiting = page.url, set(), [page.url]
    broken = []
    while waiting:
        address = waiting.pop()
        if address in found:
            continue
        found.add(address)
        response = page.request.get(address)
        if not response.ok:
            broken.append(address)
        elif address.endswith((".html", "/")):
            page.goto(address)
            links = page.locator("a[href]").evaluate_all("all => all.map(a => a.href)")
            ids = set(page.locator("[id]").evaluate_all("all => all.map(a => a.id)"))
            broken += [
                link for link in links if link.startswith(f"{address}#") and link.split("#")[1] not in ids | {""}
            ]
            waiting += [link.split("#")[0] for link in links if link.startswith(start)]
    assert broken == []
    built = {urljoin(start, str(path.relative_to(SITE))) for path in SITE.rglob("*.html") if path.name != "404.html"}
    assert built - {urljoin(start, "index.html")} <= found


def test_the_search_finds_an_alert(page: Page) -> None:
    """A reader searches for the name in a notification, and gets to its runbook."""
    page.goto(urljoin(page.url, "/index.html"))
    # The browser first builds the index of all pages, and the page ignores all input until then.
    expect(page.locator(".md-search-result__meta")).to_have_text("Type to start searching", timeout=60_000)
    page.locator("input[name=query]").press_sequentially("QBusinessSyncStuck")
    runbook = page.locator(".md-search-result__link[href*='runbooks/QBusinessSyncStuck.html']").first
    expect(runbook).to_be_attached(timeout=60_000)  # milliseconds


def test_the_site_needs_no_other_host(page: Page) -> None:
    """Fonts, scripts and icons are part of the site, so that it works in closed networks."""
    requests: list[str] = []

    def record(request: Request) -> None:
        requests.append(request.url)

    page.on("request", record)
    start = urljoin(page.url, "/index.html")
    page.goto(start, wait_until="networkidle")
    assert start in requests
    assert [url for url in requests if not url.startswith(urljoin(start, "/"))] == []


def test_a_link_out_of_the_site_is_a_path_until_the_repository_has_an_address(page: Page) -> None:
    """No link leads to a placeholder."""
    page.goto(urljoin(page.url, "/architecture.html"))
    expect(page.get_by_text("CONTRIBUTING (CONTRIBUTING.md)")).to_be_visible()
