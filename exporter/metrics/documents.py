"""Metrics of the documents of a data source, by status."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.metrics.families import Gauge, optional_sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exporter.domain.source_view import SourceView
    from exporter.metrics.families import AnyFamily, Sample


def _by_status(view: SourceView) -> Iterator[Sample]:
    documents = view.snapshot.documents
    for status, count in documents.counts if documents else ():
        yield (status,), float(count)


def _counted_at(view: SourceView) -> Iterable[Sample]:
    documents = view.snapshot.documents
    return optional_sample(documents.counted_at if documents else None)


DOCUMENT_FAMILIES: tuple[AnyFamily, ...] = (
    Gauge(
        "data_source_documents",
        "Documents of the data source in its {container} by status, from {list_documents}, as of the last complete "
        "count. Absent unless documents.interval is set.",
        _by_status,
        ("status",),
    ),
    Gauge(
        "data_source_documents_counted_timestamp_seconds",
        "End of the last complete count of the data source's documents.",
        _counted_at,
    ),
)
