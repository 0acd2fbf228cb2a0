"""The documents of a data source by status, and the first failed ones, as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from exporter.domain.documents import Document, DocumentsByStatus


def documents_to_json(documents: DocumentsByStatus | None) -> dict[str, Any] | None:
    """Return the last complete count as an object of the JSON API; None without one."""
    if documents is None:
        return None
    return {
        "counted_at": documents.counted_at,
        "by_status": dict(documents.counts),
        "failed": documents.failures,
        "first_failed": [document_to_json(document) for document in documents.failed],
    }


def document_to_json(document: Document) -> dict[str, Any]:
    """Return a document as an object of the JSON API; None for values that AWS does not report."""
    return {
        "document_id": document.id or None,
        "status": document.status,
        "created_at": document.created,
        "updated_at": document.updated,
        "error_code": document.error_code or None,
        "error_message": document.error_message or None,
    }
