"""When a sync is due: by the schedule, and only for what has ever been synced."""

from __future__ import annotations

import pytest

from exporter.domain.due import Expectation, expectation
from exporter.domain.history import fold
from exporter.domain.source_history import PollData, SourceHistory
from tests.support.builders import HOUR, POLICY, make_job

MIDNIGHT = 1_790_035_200.0  # 00:00 UTC
DAILY = "cron(0 0 * * ? *)"


def history(*started: float) -> SourceHistory:
    """Build a history of jobs that started at moments."""
    jobs = tuple(make_job(f"job-{n}", started=at, lasted=60) for n, at in enumerate(started))
    return fold(None, PollData(jobs, MIDNIGHT, MIDNIGHT), POLICY)


@pytest.mark.parametrize(
    ("now", "jobs", "due"),
    [
        (MIDNIGHT - 1, [MIDNIGHT - 86400], False),
        (MIDNIGHT, [MIDNIGHT - 86400], True),
        (MIDNIGHT + 600, [MIDNIGHT - 86400], True),
        (MIDNIGHT + 600, [MIDNIGHT - 86400, MIDNIGHT + 120], False),
        (MIDNIGHT + 600, [MIDNIGHT - 5], False),  # a little early is early by our clock, not by its own
        (MIDNIGHT + 600, [MIDNIGHT - HOUR], True),  # somebody synced it by hand before
        (MIDNIGHT + 2 * HOUR, [MIDNIGHT - 86400], False),  # it will not come any more
        (MIDNIGHT + 600, [], False),  # never synced: a schedule does nothing yet
    ],
)
def test_a_sync_is_due_from_its_firing_until_it_was_seen_to_start(now: float, jobs: list[float], *, due: bool) -> None:
    """For an hour at most."""
    assert expectation(DAILY, history(*jobs), now).is_due is due


def test_it_tells_when_the_schedule_fires_next() -> None:
    """Which for a source that was never synced, or is synced on demand, is never."""
    now = MIDNIGHT + HOUR
    assert expectation(DAILY, history(MIDNIGHT), now).fires_in == 23 * HOUR
    assert expectation(DAILY, history(), now) == Expectation()
    assert expectation(DAILY, None, now) == Expectation()
    for text in (None, "", "  ", "hourly"):
        assert expectation(text, history(MIDNIGHT), now) == Expectation()
