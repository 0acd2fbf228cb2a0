"""Merging the entries of one job: the latest one wins, in any order."""

from __future__ import annotations

from itertools import permutations

import pytest

from exporter.domain.counting.merged_job import MergedJob
from exporter.domain.model import DocumentCounts, SyncJob
from tests.support.builders import NOON, make_job

EARLY = make_job("a", "SYNCING", lasted=None, added=1, scanned=9)
LATER = make_job("a", "SYNCING_INDEXING", lasted=None, added=2)
ENDED = make_job("a", "FAILED", lasted=60, added=1)


@pytest.mark.parametrize("entries", list(permutations([EARLY, LATER, ENDED])))
def test_the_latest_entry_is_chosen_in_any_order(entries: tuple[SyncJob, ...]) -> None:
    """A terminal status is later than all others, and counts are merged from all entries."""
    merged = MergedJob.from_entries(entries)
    assert merged.job == ENDED
    assert merged.seen_in_progress
    assert merged.min_counts == DocumentCounts(added=1, scanned=9)
    assert merged.max_counts == DocumentCounts(added=2, scanned=9)


@pytest.mark.parametrize("entries", list(permutations([EARLY, LATER])))
def test_without_an_end_the_entry_with_more_documents_is_later(entries: tuple[SyncJob, ...]) -> None:
    """Counts only increase while a job is in progress."""
    more = make_job("a", "SYNCING", lasted=None, added=3, scanned=12)
    assert MergedJob.from_entries((*entries, more)).job == more


def test_an_entry_with_an_end_is_later_than_one_without() -> None:
    """Both are terminal."""
    without = make_job("a", "FAILED", started=NOON, lasted=None, added=5)
    assert MergedJob.from_entries((without, ENDED)).job == ENDED
    assert not MergedJob.from_entries((without, ENDED)).seen_in_progress
