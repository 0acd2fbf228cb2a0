"""The count of one data source's documents, which continues after failed requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.documents.listing import DocumentListing
from exporter.domain.documents import DocumentTally
from exporter.errors import ProviderError, Reason

if TYPE_CHECKING:
    from exporter.documents.listing import DocumentProvider
    from exporter.domain.model import SourceId

# With these errors, AWS rejects the page token, or the token is invalid for another reason.
_STARTS_OVER = frozenset({Reason.INVALID_REQUEST, Reason.PAGINATION})


class ResumableCount:
    """Counts the documents of one data source. The tally is valid when `is_complete`."""

    def __init__(self, provider: DocumentProvider, source: SourceId) -> None:
        self._provider = provider
        self._source = source
        self.warnings: set[str] = set()
        self._start_over()

    @property
    def is_complete(self) -> bool:
        """Whether all documents are counted."""
        return self._listing.is_complete

    def count_page(self) -> None:
        """Count one more page; raise ProviderError if its request fails.

        After an error, the next call continues with the same page. If AWS has rejected the page token, it starts over
        with the first page.
        """
        try:
            page = self._listing.next_page()
        except ProviderError as error:
            if error.reason in _STARTS_OVER:
                self._start_over()
            raise
        self.tally.add(page.documents)
        self.warnings.update(page.warnings)

    def _start_over(self) -> None:
        self._listing = DocumentListing(self._provider, self._source)
        self.tally = DocumentTally(self._source.service.document_statuses)
