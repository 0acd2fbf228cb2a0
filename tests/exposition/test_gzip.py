"""The gzip file that is put together from compressed blocks."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from exporter.domain.units import HOUR
from tests.support.builders import NOON, make_job

if TYPE_CHECKING:
    from tests.support.exposition_page import ExpositionPage


def test_gzip_has_a_single_member(page: ExpositionPage) -> None:
    """Browsers and curl read the first member, and silently ignore the others."""
    page.put(make_job(started=NOON - HOUR))
    reader = zlib.decompressobj(zlib.MAX_WBITS | 16)
    assert reader.decompress(page.render("", "gzip")[0]) == page.render()[0]
    assert (reader.eof, reader.unused_data) == (True, b"")
