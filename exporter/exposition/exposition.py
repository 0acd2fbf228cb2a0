"""The response to a scrape: the metrics of the caches, followed by the exporter's own metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from exporter.exposition.gzip import CompressedBlock, gzip_member
from exporter.exposition.negotiation import accepts_gzip, preferred_format

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from prometheus_client.core import Metric

    from exporter.exposition.cache import ExpositionCache


class MetricSource(Protocol):
    """The source of the families of the exporter itself."""

    def collect(self) -> Iterable[Metric]:
        """Return the families with their samples."""


class Exposition:
    """Everything that `/metrics` exposes. Thread-safe."""

    def __init__(self, caches: Sequence[ExpositionCache[Any]], own: MetricSource) -> None:
        self._caches = caches
        self._own = own

    def prepare(self, seconds: float) -> Iterator[None]:
        """Render parts in advance that time alone changes within these seconds; yield after each step."""
        for cache in self._caches:
            yield from cache.prepare(seconds)

    def render(self, accept: str, accept_encoding: str) -> tuple[Sequence[bytes], dict[str, str]]:
        """Return the body in pieces, and its headers, without waiting for a poll.

        Most pieces have 10 to 200 kB before compression, and headers of families have some hundred bytes.
        """
        wanted = preferred_format(accept)
        blocks = [block for cache in self._caches for block in cache.pieces(wanted)]
        blocks.append(CompressedBlock(wanted.render(self._own.collect()) + wanted.end))
        headers = {"Content-Type": wanted.content_type, "Vary": "Accept, Accept-Encoding"}
        if accepts_gzip(accept_encoding):
            return gzip_member(blocks), {**headers, "Content-Encoding": "gzip"}
        return [block.plain for block in blocks], headers
