"""Amazon Bedrock: which pages of a listing a search by time reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.providers.bedrock.time_filter import started_within
from exporter.providers.protocols import JobPage
from tests.support.builders import NOON, make_job

if TYPE_CHECKING:
    from collections.abc import Iterable


def pages_of(*starts: Iterable[int]) -> list[JobPage]:
    """Return the pages of a listing whose jobs started some minutes after noon."""
    pages = [tuple(make_job(str(minute), started=NOON + 60 * minute) for minute in page) for page in starts]
    return [JobPage(page, NOON, has_more=number < len(pages)) for number, page in enumerate(pages, 1)]


@pytest.mark.parametrize(
    ("starts", "read"),
    [
        (([9, 8], [7, 6], [5, 4], [3, 2]), 2),
        (([9, 8], [], [6, 5], [4]), 3),
        (([8, 9], [7, 6], [5, 4]), 3),
        (([3, 2], [5, 4], [7, 6], [9, 8]), 4),
        (([3, 2], [1, 0]), 2),
    ],
)
def test_a_sorted_listing_is_read_to_the_first_page_before_the_time(starts: tuple[list[int], ...], read: int) -> None:
    """Any other one is read to its end. Its first page may be from the middle."""
    since = NOON + 7 * 60
    pages = list(started_within(pages_of(*starts), since, None))
    assert len(pages) == read
    assert not pages[-1].has_more
    found = {job.started for page in pages for job in page.jobs}
    assert found == {job.started for page in pages_of(*starts) for job in page.jobs if job.started >= since}
