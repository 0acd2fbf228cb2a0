"""`documents`: list the documents of one data source by status, with the errors of those that failed."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import structlog
from tqdm import tqdm

from exporter.cli.config_files import read
from exporter.cli.document_formats import FORMATS
from exporter.cli.find_source import find_source
from exporter.cli.output import print_output
from exporter.documents.listing import DocumentListing
from exporter.domain.service import Use
from exporter.errors import StartupError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterator

    from exporter.domain.documents import Document
    from exporter.domain.service import Service

logger = structlog.get_logger()


def run(arguments: Namespace) -> int:
    """Print the documents, all or with one status; print nothing unless all could be listed."""
    source, target = find_source(read(arguments).config, arguments.data_source)
    _check(source.service, arguments)
    documents = _read(DocumentListing(target.provider, source))
    selected = [document for document in documents if arguments.status in {None, document.status}]
    print_output(FORMATS[arguments.format](selected))
    return 0


def _check(service: Service, arguments: Namespace) -> None:
    """Raise StartupError if the service does not list documents, or has no documents of this status."""
    if not service.has(Use.DOCUMENTS):
        message = f"{service.title} does not list the documents of a data source such as {arguments.data_source}"
        raise StartupError(message)
    if arguments.status not in {None, *service.document_statuses}:
        statuses = ", ".join(service.document_statuses)
        raise StartupError(f"--status={arguments.status} is not a document status of {service.title}: use {statuses}")


def _read(listing: DocumentListing) -> list[Document]:
    """Return all documents, the failed ones first; a document that was listed twice occurs once."""
    with tqdm(desc="listing", unit=" documents", unit_scale=True, disable=None, leave=False) as progress:
        documents = list(chain.from_iterable(_pages(listing, progress.update)))
    unique = {document.id or number: document for number, document in enumerate(documents)}
    return sorted(unique.values(), key=lambda document: (not document.has_failed, document.status, document.id))


def _pages(listing: DocumentListing, progress: Callable[[int], object]) -> Iterator[tuple[Document, ...]]:
    while not listing.is_complete:
        page = listing.next_page()
        for warning in page.warnings:
            logger.warning("unusable data in the response", problem=warning)
        progress(len(page.documents))
        yield page.documents
