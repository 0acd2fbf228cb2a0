"""The steps in which a catch-up reads an unread range."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exporter.domain.counting.unread_range import INITIAL_STEP, MIN_STEP, OVERLAP, UnreadRange
from exporter.domain.units import DAY, HOUR
from tests.support.builders import NOON


def test_a_step_begins_before_the_newest_jobs_that_were_read() -> None:
    """The next range must contain a job that started before the end of this one and ended after it."""
    unread = UnreadRange.between(NOON, NOON + 10 * DAY)
    rest = unread.after_step([NOON + n * HOUR for n in range(24)], is_short=False)
    assert rest == UnreadRange(NOON + (24 - OVERLAP) * HOUR, NOON + 10 * DAY, read_to=NOON + DAY)


def test_a_step_with_few_jobs_is_followed_by_a_longer_one() -> None:
    """A source that was synced daily is caught up in a few steps, too."""
    rest = UnreadRange.between(NOON, NOON + 10 * DAY).after_step([NOON + HOUR], is_short=True)
    assert rest
    assert (rest.start, rest.read_to, rest.step) == (NOON, NOON + DAY, 2 * INITIAL_STEP)


def test_a_step_that_was_too_long_is_halved_down_to_a_minimum() -> None:
    """The shortest step reads all of its part, so that the catch-up always advances."""
    unread = UnreadRange.between(NOON, NOON + DAY)
    for _ in range(20):
        unread = unread.halve_step()
    assert (unread.read_to, unread.step, unread.can_be_split) == (NOON, MIN_STEP, False)


@given(st.lists(st.floats(NOON, NOON + 3 * DAY), max_size=60), st.lists(st.booleans(), max_size=200))
def test_steps_advance_to_the_end_and_skip_no_start(starts: list[float], overflows: list[bool]) -> None:
    """Each start is listed by a step, no matter which steps are too long."""
    unread: UnreadRange | None = UnreadRange.between(NOON, NOON + 3 * DAY)
    seen: set[float] = set()
    for is_too_long in [*overflows, *[False] * 10_000]:
        if unread is None:
            break
        if is_too_long and unread.can_be_split:
            unread = unread.halve_step()
            continue
        read = [start for start in starts if unread.start <= start <= unread.next_end]
        seen |= set(read)
        before, unread = unread, unread.after_step(read, is_short=len(read) < OVERLAP)
        assert unread is None or (unread.read_to > before.read_to and unread.start >= before.start)
    assert unread is None
    assert seen == set(starts)
