"""The metrics page: its sections, and the exporter's own metrics behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.exposition.gzip import Block, gzip_of
from exporter.exposition.negotiation import accepts_gzip, preferred_format

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prometheus_client import CollectorRegistry

    from exporter.exposition.cache import ExpositionCache


class Exposition:
    """The metrics page, for any number of clients at once."""

    def __init__(self, sections: Sequence[ExpositionCache[Any]], own: CollectorRegistry) -> None:
        self._sections = sections
        self._own = own

    def prepare(self, ahead: float) -> Iterator[None]:
        """Render what time alone will change within so many seconds; give way after each piece of work."""
        for section in self._sections:
            yield from section.prepare(ahead)

    def render(self, accept: str, accept_encoding: str) -> tuple[Sequence[bytes], dict[str, str]]:
        """Give the page's body in pieces, and its headers; never waits for a poll."""
        wanted = preferred_format(accept)
        blocks = [block for section in self._sections for block in section.blocks(wanted)]
        blocks.append(Block(wanted.render(self._own.collect()) + wanted.end))
        headers = {"Content-Type": wanted.content_type, "Vary": "Accept, Accept-Encoding"}
        if accepts_gzip(accept_encoding):
            return gzip_of(blocks), {**headers, "Content-Encoding": "gzip"}
        return [block.plain for block in blocks], headers
