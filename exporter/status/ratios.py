"""Ratios of the document counts of a sync, with the same denominators as in the alerts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.domain.model import DocumentCounts


@dataclass(frozen=True, slots=True)
class DocumentRatio:
    """A part of the documents of a sync. `kind` is the kind of documents in the total."""

    part: int
    total: int
    kind: str

    @property
    def value(self) -> float:
        """The ratio as a number."""
        return self.part / self.total


def failed_ratio(documents: DocumentCounts) -> DocumentRatio | None:
    """Return the failed part of the scanned documents, or of the processed ones if AWS reports no scanned ones.

    Processed documents are those that the sync added, modified, deleted or failed to index. A sync of a CUSTOM data
    source processes only the documents that have changed, so this is not a ratio of all documents.
    """
    if documents.failed is None:
        return None
    if documents.scanned:
        return DocumentRatio(documents.failed, documents.scanned, "scanned")
    processed = _processed(documents)
    return DocumentRatio(documents.failed, processed, "processed") if processed else None


def deleted_ratio(documents: DocumentCounts) -> DocumentRatio | None:
    """Return the deleted part of the documents before the sync; None if AWS reports no scanned ones.

    Without the scanned ones, the number of documents before the sync is unknown. The ratio to the changed documents
    would be misleading: if a sync adds 5 documents and deletes 150 of 48,000, 97 % of its changes are deletions.
    """
    if documents.deleted is None or documents.scanned is None:
        return None
    total = documents.scanned + documents.deleted
    return DocumentRatio(documents.deleted, total, "indexed") if total else None


def _processed(documents: DocumentCounts) -> int:
    """Return the sum of all counts except the scanned documents."""
    return sum(count or 0 for kind, count in documents.items() if kind != "scanned")
