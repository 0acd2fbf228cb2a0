"""The tally of documents."""

from __future__ import annotations

from exporter.domain.documents import (
    MAX_FAILED_LISTED,
    MAX_MESSAGE,
    MAX_UNDOCUMENTED,
    OTHER,
    Document,
    DocumentTally,
)
from tests.support.builders import NOON

STATUSES = ("INDEXED", "FAILED", "PROCESSING")


def test_every_documented_status_has_a_count() -> None:
    """Otherwise the series of a status would end when its last document gets another status."""
    tally = DocumentTally(STATUSES)
    tally.add([Document("a", "INDEXED"), Document("b", "INDEXED"), Document("c", "FAILED")])
    counts = dict(tally.result(NOON).counts)
    assert counts == {**dict.fromkeys(STATUSES, 0), "INDEXED": 2, "FAILED": 1}


def test_a_document_is_counted_once_although_pages_shift() -> None:
    """Documents without an id cannot be distinguished, so that each of them is counted."""
    tally = DocumentTally(STATUSES)
    tally.add([Document("a", "INDEXED"), Document("b", "FAILED"), Document("", "INDEXED")])
    tally.add([Document("b", "FAILED"), Document("c", "INDEXED"), Document("", "INDEXED")])
    result = tally.result(NOON)
    assert (dict(result.counts)["INDEXED"], result.failures) == (4, 1)
    assert [document.id for document in result.failed] == ["b"]


def test_both_failed_statuses_are_failures_and_the_first_ones_are_kept() -> None:
    """Their errors are shortened: the API allows 2,048 characters, and the page shows one line."""
    statuses = ("FAILED", "DOCUMENT_FAILED_TO_INDEX")
    tally = DocumentTally(STATUSES)
    tally.add(Document(f"d{n}", statuses[n % 2], error_message="x" * 2048) for n in range(25))
    result = tally.result(NOON)
    assert result.failures == 25
    assert [document.id for document in result.failed] == [f"d{n}" for n in range(MAX_FAILED_LISTED)]
    assert {len(document.error_message) for document in result.failed} == {MAX_MESSAGE + 1}


def test_undocumented_statuses_are_bounded() -> None:
    """Each status is a series, so further ones are counted together."""
    tally = DocumentTally(STATUSES)
    tally.add(Document(f"d{n}", f"NEW_{n}") for n in range(50))
    counts = dict(tally.result(NOON).counts)
    assert len(counts) == len(STATUSES) + MAX_UNDOCUMENTED + 1
    assert (counts["NEW_0"], counts[OTHER]) == (1, 50 - MAX_UNDOCUMENTED)
