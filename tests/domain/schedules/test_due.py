"""Whether a sync is due: according to the schedule, and only for sources that were synced before."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporter.domain.counting.history import fold
from exporter.domain.counting.source_history import PollData, SourceHistory
from exporter.domain.model import Description
from exporter.domain.schedules.due import Expectation, expectation
from exporter.domain.units import DAY, HOUR
from tests.support.builders import POLICY, make_job

MIDNIGHT = 1_790_035_200.0  # 00:00 UTC
DAILY = Description("hr", "S3", "ACTIVE", schedule="cron(0 0 * * ? *)")


def history_of(*starts: float) -> SourceHistory:
    """Build a history of jobs that started at these times."""
    jobs = tuple(make_job(f"job-{n}", started=start, lasted=60) for n, start in enumerate(starts))
    return fold(None, PollData(jobs, MIDNIGHT, MIDNIGHT), POLICY)


@pytest.mark.parametrize(
    ("now", "starts", "is_due"),
    [
        (MIDNIGHT - 1, [MIDNIGHT - DAY], False),
        (MIDNIGHT, [MIDNIGHT - DAY], True),
        (MIDNIGHT + 600, [MIDNIGHT - DAY], True),
        (MIDNIGHT + 600, [MIDNIGHT - DAY, MIDNIGHT + 120], False),
        (MIDNIGHT + 600, [MIDNIGHT - 60], False),  # early within the precision of the schedule
        (MIDNIGHT + 600, [MIDNIGHT - 61], True),  # started manually before the firing
        (MIDNIGHT + HOUR - 1, [MIDNIGHT - DAY], True),
        (MIDNIGHT + HOUR, [MIDNIGHT - DAY], False),  # the period in which it is due is over
        (MIDNIGHT + 600, [], False),  # never synced: AWS ignores the schedule until the first sync
    ],
)
def test_a_sync_is_due_for_an_hour_after_its_firing(now: float, starts: list[float], *, is_due: bool) -> None:
    """After it was seen to start, it is not due any more."""
    assert expectation(DAILY, history_of(*starts), now).is_due is is_due


def test_the_time_until_the_next_firing_is_returned() -> None:
    """There is none for a source that was never synced or is synced on demand, or with an invalid schedule."""
    now = MIDNIGHT + HOUR
    assert expectation(DAILY, history_of(MIDNIGHT), now).fires_in == 23 * HOUR
    assert expectation(DAILY, history_of(), now) == Expectation()
    assert expectation(DAILY, None, now) == Expectation()
    for text in (None, "", "  ", "hourly"):
        described = Description("hr", "S3", "ACTIVE", schedule=text)
        assert expectation(described, history_of(MIDNIGHT), now) == Expectation()


def test_a_firing_from_before_the_schedule_existed_is_not_due() -> None:
    """A schedule that is set at 00:05 fires for the first time at the next midnight."""
    history, new = history_of(MIDNIGHT - DAY), replace(DAILY, schedule_since=MIDNIGHT + 300)
    assert expectation(new, history, MIDNIGHT + 600) == Expectation(is_due=False, fires_in=DAY - 600)
    assert expectation(new, history, MIDNIGHT + DAY).is_due is True
