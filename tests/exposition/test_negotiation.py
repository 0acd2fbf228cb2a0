"""The format and the encoding of a response follow the request headers."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.exposition_page import ExpositionPage

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", TEXT),
        ("*/*", TEXT),
        ("text/html", TEXT),
        ("application/openmetrics-text", OPENMETRICS),
        ("application/openmetrics-text; version=1.0.0", OPENMETRICS),
        ('application/openmetrics-text; version="1.0.0"', OPENMETRICS),
        ("application/openmetrics-text; version=2.0.0", TEXT),
        ("application/openmetrics-text;q=0", TEXT),
        ("application/openmetrics-text;q=nonsense", TEXT),
        ("application/openmetrics-text;version=1.0.0;q=0.2,text/plain;version=0.0.4;q=0.9", TEXT),
        (PROMETHEUS_2, OPENMETRICS),
        (PROMETHEUS_3, OPENMETRICS),
    ],
)
def test_the_format_is_the_preferred_one(page: ExpositionPage, accept: str, content_type: str) -> None:
    """The quality values decide, as in RFC 9110; text is the default."""
    body, headers = page.render(accept)
    assert headers["Content-Type"] == content_type
    assert body.endswith(b"# EOF\n") == (content_type == OPENMETRICS)


@pytest.mark.parametrize(
    ("accept_encoding", "compressed"), [("gzip", True), ("deflate, GZIP;q=0.5", True), ("gzip;q=0", False), ("", False)]
)
def test_gzip_is_used_where_it_is_accepted(
    page: ExpositionPage,
    accept_encoding: str,
    compressed: bool,  # noqa: FBT001 (a parameter of the test)
) -> None:
    """The decompressed body is the same."""
    page.put()
    body, headers = page.render("", accept_encoding)
    assert headers.get("Content-Encoding") == ("gzip" if compressed else None)
    assert (gzip.decompress(body) if compressed else body) == page.render()[0]
