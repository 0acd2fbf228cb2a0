"""Ratios of the document counts of a sync, with the denominators of the alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.domain.model import DocumentCounts


def failed_ratio(documents: DocumentCounts) -> float | None:
    """Return the ratio of failed to scanned documents; to all changed documents if AWS reports no scanned ones."""
    if documents.failed is None:
        return None
    total = documents.scanned or _changed(documents)
    return documents.failed / total if total else None


def deleted_ratio(documents: DocumentCounts) -> float | None:
    """Return the ratio of deleted documents to those before the sync, or to all changed documents as above."""
    if documents.deleted is None:
        return None
    total = 0 if documents.scanned is None else documents.scanned + documents.deleted
    total = total or _changed(documents)
    return documents.deleted / total if total else None


def _changed(documents: DocumentCounts) -> int:
    """Return the sum of all counts except the scanned documents."""
    return sum(count or 0 for kind, count in documents.items() if kind != "scanned")
