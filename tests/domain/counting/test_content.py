"""Content reached the index by SUCCEEDED jobs, and by INCOMPLETE ones with fewer documents failed than scanned."""

from __future__ import annotations

import pytest
from msgspec import structs

from exporter.domain.counting.content import reached_index
from exporter.domain.model import DocumentCounts, SyncJobStatus
from exporter.domain.units import HOUR
from tests.support.builders import NOON, fold_polls, make_job, make_poll


@pytest.mark.parametrize(
    ("counts", "reached"),
    [
        (DocumentCounts(scanned=400, failed=400), False),
        (DocumentCounts(scanned=400, failed=399), True),
        (DocumentCounts(scanned=400), True),
        (DocumentCounts(scanned=0, failed=0), False),
        (DocumentCounts(added=0, modified=0, deleted=0, failed=3), False),
        (DocumentCounts(added=0, modified=0, deleted=1, failed=3), True),
        (DocumentCounts(modified=1), True),
        (DocumentCounts(), False),
    ],
)
def test_an_incomplete_job_counts_unless_all_documents_failed(counts: DocumentCounts, *, reached: bool) -> None:
    """Without a count of scanned documents, it counts if it changed at least one."""
    assert reached_index(make_job("partial", "INCOMPLETE", NOON, 60), counts) is reached


@pytest.mark.parametrize(
    ("counts", "reached"),
    [
        (DocumentCounts(scanned=383, added=0, failed=0, skipped=0), False),
        (DocumentCounts(scanned=383, added=1, failed=0), True),
    ],
)
def test_ignored_documents_do_not_count_as_content(counts: DocumentCounts, *, reached: bool) -> None:
    """A job with failure reasons and without changes may have ignored all scanned documents."""
    job = structs.replace(make_job("ignored", "INCOMPLETE", NOON, 60), has_failure_reasons=True)
    assert reached_index(job, counts) is reached


@pytest.mark.parametrize("status", [*SyncJobStatus, "PAUSED"])
def test_only_succeeded_and_incomplete_jobs_index_content(status: str) -> None:
    """Documents that a FAILED or ABORTED job added prove nothing, and a SUCCEEDED job needs none."""
    job = make_job("other", status, NOON, 60)
    if status != "INCOMPLETE":
        assert reached_index(job, DocumentCounts(added=5, scanned=5)) is (status == "SUCCEEDED")
        assert reached_index(job, DocumentCounts()) is (status == "SUCCEEDED")


def test_the_last_indexed_time_is_the_end_of_the_last_job_that_indexed_content() -> None:
    """Jobs without content neither move its time nor end the streak."""
    jobs = [
        make_job("success", "SUCCEEDED", NOON, 60),
        make_job("partial", "INCOMPLETE", NOON + HOUR, 60, scanned=9, failed=3),
        make_job("nothing", "INCOMPLETE", NOON + 2 * HOUR, 60, scanned=9, failed=9),
        make_job("stopped", "ABORTED", NOON + 3 * HOUR, 60, added=5),
        make_job("failed", "FAILED", NOON + 4 * HOUR, 60),
    ]
    history = fold_polls(make_poll(at=NOON), *[make_poll(job, at=job.started + 120) for job in jobs])
    assert (history.last_succeeded, history.last_indexed) == (NOON + 60, NOON + HOUR + 60)
    assert (history.consecutive_failures(), history.consecutive_without_content()) == (1, 3)


def test_counts_that_are_missing_from_a_later_response_change_nothing() -> None:
    """By the highest counts so far, the job brought content into the index."""
    job = make_job("partial", "INCOMPLETE", NOON, 60, scanned=9, failed=3)
    history = fold_polls(make_poll(at=NOON), make_poll(job, at=NOON + 120))
    later = fold_polls(
        make_poll(at=NOON),
        make_poll(job, at=NOON + 120),
        make_poll(make_job("partial", "INCOMPLETE", NOON, 60), at=NOON + 180),
    )
    assert history.consecutive_without_content() == later.consecutive_without_content() == 0
    assert history.last_indexed == later.last_indexed == NOON + 60
