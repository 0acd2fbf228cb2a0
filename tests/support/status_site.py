"""The status page behind a real server, and a data source with hostile texts."""

from __future__ import annotations

import gzip
import http.client
import json
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from msgspec import structs

from exporter.domain.units import HOUR
from exporter.web.server.server import WebServer
from tests.support.harness import TIMEOUT
from tests.support.status_fixtures import ended_job, make_snapshot
from tests.support.web_app import HttpResponse, make_app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.domain.snapshots import SourceSnapshot
    from tests.support.status_fixtures import StatusFixture

API = "/api/v1/data-sources"
SCHEMA = Draft202012Validator(json.loads((Path(__file__).parents[2] / "docs/api.schema.json").read_text()))
HOSTILE = (
    "</pre><script>document.title='pwned'</script><img src=x onerror=\"document.title='pwned'\">\n"
    "'\"><svg/onload=alert(1)> &lt;b&gt; {{ 7*7 }} {% raw %} \u202egnp.exe\u2066 \x00\x07\x1b[31m \ud83d \u200b end"
)


@dataclass
class StatusSite:
    """A status fixture behind a real server."""

    fixture: StatusFixture
    address: tuple[str, int]

    def get(self, path: str, **headers: str) -> HttpResponse:
        """Request a path."""
        with closing(http.client.HTTPConnection(*self.address, timeout=TIMEOUT)) as connection:
            connection.request("GET", path, headers=headers)
            return HttpResponse.read(connection.getresponse())

    def json(self, query: str = "") -> Any:
        """Request the JSON, and validate it against the schema."""
        document = json.loads(self.get(API + query).body)
        SCHEMA.validate(document)
        return document


def hostile_source() -> SourceSnapshot:
    """Return a source with markup, template syntax and invisible characters in all its texts."""
    failed = structs.replace(ended_job("FAILED", HOUR), error_message=HOSTILE, error_code=HOSTILE[:60])
    return replace(make_snapshot(90, "hostile", failed), container="<i>\u202e")


def gzip_text(response: HttpResponse) -> str:
    """Return the text of a compressed body."""
    return gzip.decompress(response.body).decode()


@contextmanager
def serve_status(fixture: StatusFixture, **services: Any) -> Iterator[StatusSite]:
    """Serve a fixture; `services` are further services of the application."""
    web = WebServer(make_app(status=fixture.status, **services), ["127.0.0.1:0"])
    web.start()
    try:
        yield StatusSite(fixture, web.addresses[0])
    finally:
        web.stop()
