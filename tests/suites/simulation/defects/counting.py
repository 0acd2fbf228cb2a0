"""Defects of counting and of the state file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from msgspec import structs

from exporter.domain.counting import eviction
from exporter.domain.counting.history_builder import HistoryBuilder
from exporter.domain.counting.tracked_job import CountState
from exporter.store import Store, codec

if TYPE_CHECKING:
    import pytest


# Counting.


def counts_unsuccessful_jobs_twice(patch: pytest.MonkeyPatch) -> None:
    """Add 2 to the total for each job that did not succeed."""
    original: Any = HistoryBuilder._count_end

    def count_end(self: Any, job: Any, tracked: Any) -> Any:
        count_state = original(self, job, tracked)
        if job.status != "SUCCEEDED":
            self._completed[job.status] += 1
        return count_state

    patch.setattr(HistoryBuilder, "_count_end", count_end)


def counts_evicted_jobs_again(patch: pytest.MonkeyPatch) -> None:
    """Count an evicted job again when a stale response has it in progress."""
    original: Any = HistoryBuilder._initial_state

    def initial_state(self: Any, merged: Any, initial_poll_end: Any) -> Any:
        return CountState.PENDING if merged.seen_in_progress else original(self, merged, initial_poll_end)

    patch.setattr(HistoryBuilder, "_initial_state", initial_state)


def counts_evicted_failures_twice(patch: pytest.MonkeyPatch) -> None:
    """Add an evicted failed job to the consecutive failures again when a full reread finds it."""
    original: Any = HistoryBuilder._initial_state

    def initial_state(self: Any, merged: Any, initial_poll_end: Any) -> Any:
        state = original(self, merged, initial_poll_end)
        return CountState.PRE_EXISTING if state is CountState.EVICTED else state

    patch.setattr(HistoryBuilder, "_initial_state", initial_state)


def counts_documents_of_history(patch: pytest.MonkeyPatch) -> None:
    """Count the growth of an evicted or pre-existing job's documents from a stale response to a current one."""
    original: Any = HistoryBuilder.add

    def add(self: Any, merged: Any, initial_poll_end: Any) -> None:
        before = self._jobs.get(merged.job.execution_id)
        original(self, merged, initial_poll_end)
        if before and before.count_state in {CountState.PRE_EXISTING, CountState.EVICTED}:
            self._count_documents(before, self._jobs[merged.job.execution_id].max_counts)

    patch.setattr(HistoryBuilder, "add", add)


def evicts_vanished_jobs_early(patch: pytest.MonkeyPatch) -> None:
    """Evict a job that vanished before it ended after the normal retention, instead of a week."""
    patch.setattr(eviction, "UNFINISHED_RETENTION", 0.0)


# State.


def publishes_before_it_commits(patch: pytest.MonkeyPatch) -> None:
    """Delay each commit until the next one."""
    delayed: dict[Store, Any] = {}
    original = Store.commit

    def commit(self: Store, histories: Any) -> None:
        original(self, delayed.pop(self, {}))
        delayed[self] = dict(histories)

    patch.setattr(Store, "commit", commit)


def loses_totals_in_a_restart(patch: pytest.MonkeyPatch) -> None:
    """Load no totals of completed jobs from the state file."""
    original = codec.load_history

    def load_history(totals: Any, jobs: Any) -> Any:
        history = original(totals, jobs)
        return replace(history, completed={}) if jobs else history

    patch.setattr(codec, "load_history", load_history)


def loses_document_counts_in_a_restart(patch: pytest.MonkeyPatch) -> None:
    """Load no document counts of jobs in progress, so that they count again."""
    original = codec.load_job

    def load_job(text: Any) -> Any:
        tracked = original(text)
        return tracked if tracked.job.is_terminal else structs.replace(tracked, max_counts=type(tracked.max_counts)())

    patch.setattr(codec, "load_job", load_job)


DEFECTS = (
    counts_unsuccessful_jobs_twice,
    counts_evicted_jobs_again,
    counts_evicted_failures_twice,
    counts_documents_of_history,
    evicts_vanished_jobs_early,
    publishes_before_it_commits,
    loses_totals_in_a_restart,
    loses_document_counts_in_a_restart,
)
