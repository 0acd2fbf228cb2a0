"""Parsing of pages of documents, whose entries have other members in each service."""

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
    """Return a page: `member` has its entries, and `token` the next page's token.

    A document without a status is left out with a warning.
    """
    parsed = [parse(entry or {}) for entry in raw[member]]
    documents = tuple(document for document in parsed if document.status)
    warnings = ("entry without status ignored",) * (len(parsed) - len(documents))
    return DocumentPage(documents, text(raw, token), warnings)
