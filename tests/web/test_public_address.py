"""Pages behind a reverse proxy: with a prefix that it keeps, and with one that it removes."""

from __future__ import annotations

import re
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from typing import TYPE_CHECKING
from urllib.parse import urldefrag, urljoin

import pytest

from exporter.errors import StartupError
from exporter.web.public_address import PublicAddress
from exporter.web.server.server import WebServer
from tests.support.harness import TIMEOUT, Program, eventually
from tests.support.status_fixtures import StatusFixture, example_sources
from tests.support.web_app import HttpResponse, make_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PAGES = [
    "/",
    "/metrics",
    "/api/v1/data-sources",
    "/runbooks/",
    "/runbooks/QBusinessSyncFailed",
    "/-/healthy",
    "/-/ready",
]
EXTERNAL = "https://ops.example.com/tools/qb"


@contextmanager
def served(external_url: str | None = None, route_prefix: str | None = None) -> Iterator[Callable[[str], HttpResponse]]:
    """Serve the example sources at an address; yield a function that requests a path."""
    status = StatusFixture.of(example_sources()).status
    app = make_app(status=status, address=PublicAddress.of(external_url, route_prefix), reload=list)
    web = WebServer(app, ["127.0.0.1:0"])
    web.start()

    def get(path: str) -> HttpResponse:
        with closing(HTTPConnection(*web.addresses[0], timeout=TIMEOUT)) as connection:
            connection.request("GET", path)
            return HttpResponse.read(connection.getresponse())

    try:
        yield get
    finally:
        web.stop()


def links(text: str) -> set[str]:
    """Return the addresses of links and forms that lead to this server."""
    found = set(re.findall(r'(?:href|action)="([^"#?][^"]*)"', text))
    return {link for link in found if not link.startswith(("https:", "data:"))}


@pytest.mark.parametrize(
    ("external_url", "route_prefix", "prefix", "root"),
    [
        (None, None, "", "./"),
        (None, "/", "", "./"),
        (None, "qb/", "/qb", "./"),
        (None, "//a//b/", "/a/b", "./"),
        ("https://ops.example.com", None, "", "/"),
        ("https://ops.example.com/", None, "", "/"),
        (EXTERNAL, None, "/tools/qb", "/tools/qb/"),
        (f"{EXTERNAL}/", None, "/tools/qb", "/tools/qb/"),
        ("https://ops.example.com//evil.example.com/", None, "/evil.example.com", "/evil.example.com/"),
        (EXTERNAL, "/", "", "/tools/qb/"),
        (EXTERNAL, "/qb", "/qb", "/tools/qb/"),
    ],
)
def test_the_prefix_is_that_of_the_external_url_unless_it_is_set(
    external_url: str | None, route_prefix: str | None, prefix: str, root: str
) -> None:
    """Slashes at the ends make no difference, as in Prometheus."""
    address = PublicAddress.of(external_url, route_prefix)
    assert address.route_prefix == prefix
    assert address.root("./") == root


@pytest.mark.parametrize(
    "url", ["ops.example.com", "/qb", "ftp://x/", "https://", "https://x/?a", "https://x/{a}", "http://[/"]
)
def test_an_invalid_external_url_is_rejected(url: str) -> None:
    """The message names the flag and its value."""
    with pytest.raises(StartupError, match=re.escape(f"--web.external-url {url!r}")):
        PublicAddress.of(url, None)


@pytest.mark.parametrize("prefix", ["/{name}", "/a b", "/a%20b", "/a?b", "/#"])
def test_an_invalid_route_prefix_is_rejected(prefix: str) -> None:
    """The message names the flag and its value."""
    with pytest.raises(StartupError, match=re.escape(f"--web.route-prefix {prefix!r}")):
        PublicAddress.of(None, prefix)


@pytest.mark.parametrize(("external_url", "route_prefix"), [(EXTERNAL, None), (None, "/tools/qb")])
def test_all_paths_have_the_prefix(external_url: str | None, route_prefix: str | None) -> None:
    """Without the prefix they are not found, and the target of each link exists."""
    with served(external_url, route_prefix) as get:
        for path in PAGES:
            response = get(f"/tools/qb{path}")
            assert response.status == 200, path
            assert path == "/" or get(path).status == 404
            if response.headers["Content-Type"].startswith("text/html"):
                for link in links(response.text):
                    assert get(urldefrag(urljoin(f"/tools/qb{path}", link))[0]).status == 200, (path, link)
        assert get("/tools/qb/-/reload").status == 405


@pytest.mark.parametrize("path", ["/", "/tools/qb"])
def test_the_prefix_without_a_slash_and_the_root_redirect_to_the_status_page(path: str) -> None:
    """The query stays, so that a link without the last slash shows the data source."""
    with served(EXTERNAL) as get:
        response = get(f"{path}?data_source_id=x&q=%22")
        assert response.status == 302
        assert response.headers["Location"] == "/tools/qb/?data_source_id=x&q=%22"
        assert get(path).headers["Location"] == "/tools/qb/"


def test_links_have_the_prefix_that_a_proxy_removes() -> None:
    """They are right even if the proxy serves the status page without a slash at the end of its address."""
    with served(EXTERNAL, "/") as get:
        for path in ("/", "/runbooks/", "/runbooks/QBusinessSyncFailed"):
            text = get(path).text
            above = {link for link in links(text) if not link.startswith("./") and not link.startswith("../")}
            assert above >= {"/tools/qb/", "/tools/qb/metrics", "/tools/qb/runbooks/"}
            assert all(link.startswith("/tools/qb/") for link in above)
        assert 'action="/tools/qb/"' in get("/").text
        assert 'href="/tools/qb/runbooks/QBusinessSyncFailed?' in get("/").text


def test_runbooks_have_the_external_url() -> None:
    """If it is not known, the text has EXPORTER instead."""
    with served(EXTERNAL) as get:
        text = get("/tools/qb/runbooks/QBusinessSyncFailed").text
        assert f">{EXTERNAL}/?data_source_id=DATA_SOURCE_ID<" in text
        assert "EXPORTER" not in text
    with served() as get:
        assert ">http://EXPORTER:10142/?data_source_id=" in get("/runbooks/QBusinessSyncFailed").text


def test_the_flags_of_the_program(tmp_path: Path) -> None:
    """The prefix comes from --web.external-url or --web.route-prefix. An invalid value ends the program."""
    with Program(["demo", f"--web.external-url={EXTERNAL}"], {"HOME": str(tmp_path)}) as program:
        assert program.get("/tools/qb/-/healthy")[0] == 200
        assert program.get("/-/healthy")[0] == 404
        page = f"http://localhost:{program.address[1]}/tools/qb/"
        eventually(lambda: any(line.split()[:1] == [page] for line in program.output))
    with Program(
        ["demo", f"--web.external-url={EXTERNAL}", "--web.route-prefix=/"], {"HOME": str(tmp_path)}
    ) as program:
        assert program.get("/-/healthy")[0] == 200
