"""Parsing of pages of documents. The members of the entries differ between services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.providers.members import text
from exporter.providers.protocols import DocumentPage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.domain.documents import Document


def parse_documents(
    raw: Mapping[str, Any], member: str, token: str, parse: Callable[[Mapping[str, Any]], Document]
) -> DocumentPage:
    """Return a page; `member` is the member with the entries, and `token` the member with the next page's token.

    A document without a status is skipped with a warning.
    """
    parsed = [parse(entry or {}) for entry in raw[member]]
    documents = tuple(document for document in parsed if document.status)
    warnings = ("entry without status ignored",) * (len(parsed) - len(documents))
    return DocumentPage(documents, text(raw, token), warnings)
