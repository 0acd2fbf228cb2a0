"""The documents of a data source by status, and how they are counted page by page."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_FAILED_LISTED = 10  # the number of failed documents that are kept with a count, for the status page
MAX_MESSAGE = 500  # characters of the error of such a document
MAX_UNDOCUMENTED = 10  # the number of undocumented statuses of a data source; further ones are counted as OTHER
OTHER = "other"


# The statuses of failed documents, in all services. A document that is partially indexed has not failed.
FAILED_STATUSES = frozenset({"FAILED", "DOCUMENT_FAILED_TO_INDEX", "METADATA_UPDATE_FAILED"})


@dataclass(frozen=True, slots=True)
class Document:
    """A document of an index, as a listing describes it. `id` is empty if the API did not report it."""

    id: str
    status: str
    error_code: str = ""
    error_message: str = ""
    created: float | None = None
    updated: float | None = None

    @property
    def has_failed(self) -> bool:
        """Whether the document could not be indexed."""
        return self.status in FAILED_STATUSES


@dataclass(frozen=True, slots=True)
class DocumentsByStatus:
    """A complete count of the documents of a data source, at a time on AWS's clock.

    `counts` has every documented status. `failed` are the first failed documents of the listing.
    """

    counted_at: float
    counts: tuple[tuple[str, int], ...]
    failed: tuple[Document, ...] = ()

    @property
    def failures(self) -> int:
        """The number of failed documents."""
        return sum(count for status, count in self.counts if status in FAILED_STATUSES)


class DocumentTally:
    """Counts the documents of one data source, page by page.

    A document is counted once, even if it is listed again because pages have shifted between two requests. The tally
    keeps only a hash of each id: an index may have a million documents, whose ids would take more than a gigabyte.
    """

    def __init__(self, statuses: tuple[str, ...]) -> None:
        """Start with a count of 0 for each of the statuses that the service documents."""
        self._seen: set[int] = set()
        self._counts = Counter(dict.fromkeys(statuses, 0))
        self._max_counts = len(statuses) + MAX_UNDOCUMENTED
        self._failed: list[Document] = []

    def add(self, documents: Iterable[Document]) -> None:
        """Count the documents of a page."""
        for document in documents:
            if not self._is_known(document.id):
                self._counts[self._status_of(document)] += 1
                if document.has_failed and len(self._failed) < MAX_FAILED_LISTED:
                    self._failed.append(_shortened(document))

    def result(self, counted_at: float) -> DocumentsByStatus:
        """Return the complete count."""
        return DocumentsByStatus(counted_at, tuple(self._counts.items()), tuple(self._failed))

    def _is_known(self, identifier: str) -> bool:
        if not identifier:
            return False
        key = hash(identifier)
        is_known = key in self._seen
        self._seen.add(key)
        return is_known

    def _status_of(self, document: Document) -> str:
        is_full = len(self._counts) >= self._max_counts
        return OTHER if is_full and document.status not in self._counts else document.status


def _shortened(document: Document) -> Document:
    message = document.error_message
    return replace(document, error_message=f"{message[:MAX_MESSAGE]}…") if len(message) > MAX_MESSAGE else document
