"""The status page behind a real server, and text as bad as AWS may send it."""

from __future__ import annotations

import gzip
import http.client
import json
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from exporter.web.application import AppServices, create_app
from exporter.web.server.server import WebServer
from tests.support.builders import HOUR
from tests.support.status_fixtures import ended, shown
from tests.web.test_application import FakeExposition, fine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.domain.snapshots import SourceSnapshot
    from tests.support.status_fixtures import Exhibit

API = "/api/v1/data-sources"
SCHEMA = Draft202012Validator(json.loads((Path(__file__).parents[2] / "docs/api.schema.json").read_text()))
HOSTILE = (
    "</pre><script>document.title='pwned'</script><img src=x onerror=\"document.title='pwned'\">\n"
    "'\"><svg/onload=alert(1)> &lt;b&gt; {{ 7*7 }} {% raw %} \u202egnp.exe\u2066 \x00\x07\x1b[31m \ud83d \u200b end"
)


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        """Give the body as text."""
        return self.body.decode()


@dataclass
class Served:
    """An exhibit behind a real server."""

    exhibit: Exhibit
    address: tuple[str, int]

    def get(self, path: str, **headers: str) -> Answer:
        """Ask for a page."""
        with closing(http.client.HTTPConnection(*self.address, timeout=10)) as connection:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())

    def json(self, query: str = "") -> Any:
        """Ask for the JSON, which must be as the schema has it."""
        document = json.loads(self.get(API + query).body)
        SCHEMA.validate(document)
        return document


def hostile() -> SourceSnapshot:
    """Build a source whose every text means harm."""
    failed = replace(ended("FAILED", HOUR), error_message=HOSTILE, error_code=HOSTILE[:60])
    return replace(shown(90, "hostile", failed), index="<i>\u202e")


def gzip_text(answer: Answer) -> str:
    """Read a compressed body."""
    return gzip.decompress(answer.body).decode()


@contextmanager
def serving(exhibit: Exhibit) -> Iterator[Served]:
    """Serve an exhibit."""
    web = WebServer(create_app(AppServices(FakeExposition(), exhibit.overview, fine, fine)), ["127.0.0.1:0"])
    web.start()
    try:
        yield Served(exhibit, web.addresses[0])
    finally:
        web.stop()
