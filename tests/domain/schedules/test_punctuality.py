"""The gap between syncs that is learned from their starts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exporter.domain.counting.history import fold
from exporter.domain.counting.source_history import PollData
from exporter.domain.counting.unread_range import UnreadRange
from exporter.domain.schedules.punctuality import ExpectedGap, GapOrigin, configured_gap, learned_gap
from exporter.domain.units import DAY, HOUR
from tests.support.builders import NOON, POLICY, make_job

if TYPE_CHECKING:
    from exporter.domain.counting.source_history import SourceHistory


def history_of(*gaps: float) -> SourceHistory:
    """Build the history of syncs with these gaps between their starts, found by one poll after each sync."""
    history, start = None, NOON - 100 * DAY
    for number, gap in enumerate((0.0, *gaps)):
        start += gap
        job = make_job(f"job-{number}", started=start, lasted=60)
        history = fold(history, PollData((job,), start + 90, start + 90), POLICY)
    assert history
    return history


def learned(*gaps: float) -> float | None:
    """Return the learned gap in days."""
    gap = learned_gap(history_of(*gaps))
    assert gap is None or gap.origin is GapOrigin.LEARNED
    return gap.seconds / DAY if gap else None


@pytest.mark.parametrize(
    ("gaps", "days"),
    [
        ([DAY] * 3, None),  # four syncs
        ([DAY] * 4, 3),
        ([6 * HOUR] * 9, 1),  # at least a day
        ([DAY, DAY, 3 * DAY, DAY], 9),
        ([30 * DAY, *[DAY] * 9], 3),  # only the last ten syncs, although the history keeps none before
        ([3 * DAY, *[DAY] * 8], 9),
    ],
)
def test_the_gap_is_three_times_the_longest_of_the_last_ten_syncs(gaps: list[float], days: float | None) -> None:
    """Ten syncs have nine gaps. Evicted jobs are older than these."""
    assert learned(*gaps) == days


def test_an_unread_range_does_not_count_as_a_gap() -> None:
    """During a catch-up, only the syncs after the range are known completely."""
    history = history_of(*[DAY] * 6, 40 * DAY, DAY, DAY)
    newest = max(tracked.job.started for tracked in history.jobs.values())
    unread = UnreadRange.between(newest - 30 * DAY, newest - 2 * DAY - 60)
    assert learned_gap(replace(history, unread=unread)) is None
    assert learned_gap(history) == ExpectedGap(120 * DAY, GapOrigin.LEARNED)


def test_nothing_is_learned_before_the_first_poll() -> None:
    """There is no history."""
    assert learned_gap(None) is None


def test_the_shorter_of_schedule_and_configuration_is_expected() -> None:
    """Both apply."""
    assert configured_gap(HOUR, DAY) == ExpectedGap(HOUR, GapOrigin.SCHEDULE)
    assert configured_gap(7 * DAY, DAY) == ExpectedGap(DAY, GapOrigin.EXPECTED_EVERY)
    assert configured_gap(None, DAY) == ExpectedGap(DAY, GapOrigin.EXPECTED_EVERY)
    assert configured_gap(None, None) is None
