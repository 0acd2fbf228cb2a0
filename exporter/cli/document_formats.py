"""The documents of a data source as a table, as JSON or as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from exporter.status.documents import document_to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporter.domain.documents import Document

MAX_WIDTH = 60  # characters to which a column of the table is padded


def _table(documents: Sequence[Document]) -> str:
    """Return one line for each document, and a line with the number of documents by status."""
    rows = [("STATUS", "UPDATED", "DOCUMENT", "ERROR"), *map(_row, documents)]
    widths = [min(MAX_WIDTH, max(map(len, column))) for column in zip(*rows, strict=True)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    counts = Counter(document.status for document in documents)
    by_status = ", ".join(f"{_on_one_line(status)} {count:,}" for status, count in counts.items())
    total = f"{len(documents):,} documents: {by_status}" if documents else "no documents"
    return "\n".join([*(lines if documents else ()), total])


def _row(document: Document) -> tuple[str, str, str, str]:
    updated = f"{datetime.fromtimestamp(document.updated, UTC):%Y-%m-%dT%H:%M:%SZ}" if document.updated else "-"
    error = " ".join(text for text in (document.error_code, document.error_message) if text)
    return _on_one_line(document.status), updated, _on_one_line(document.id) or "-", _on_one_line(error)


def _on_one_line(text: str) -> str:
    """Return a text with control and formatting characters escaped, because documents can contain any text."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _json(documents: Sequence[Document]) -> str:
    return json.dumps([document_to_json(document) for document in documents], indent=2)


def _csv(documents: Sequence[Document]) -> str:
    rows = [document_to_json(document) for document in documents]
    text = io.StringIO()
    columns = ("document_id", "status", "created_at", "updated_at", "error_code", "error_message")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().removesuffix("\n")


FORMATS: dict[str, Callable[[Sequence[Document]], str]] = {"table": _table, "json": _json, "csv": _csv}
