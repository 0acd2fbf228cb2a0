"""Scrapes take precedence over status pages."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from unittest import mock

from exporter.status import cooperative
from exporter.status.cooperative import ScrapePriority

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT = 30.0


@mock.patch.multiple(cooperative, WORK_SECONDS=0.0, MAX_WAIT_SECONDS=TIMEOUT)
def test_a_page_waits_for_the_end_of_all_scrapes() -> None:
    """It continues only when the last one of two has ended."""
    priority, begun, ended = ScrapePriority(), threading.Event(), []

    def items() -> Iterator[str]:
        yield "first"
        begun.set()
        yield "second"

    page = threading.Thread(target=lambda: ended.append([*priority.yielding(items())]))
    with priority.scrape():
        with priority.scrape():
            page.start()
        assert not begun.wait(0.05)
    page.join(TIMEOUT)
    assert ended == [["first", "second"]]


@mock.patch.multiple(cooperative, WORK_SECONDS=0.0, MAX_WAIT_SECONDS=0.001)
def test_a_scrape_that_does_not_end_stops_no_page() -> None:
    """Its client may have stopped reading."""
    priority = ScrapePriority()
    with priority.scrape():
        assert [*priority.yielding(range(3))] == [0, 1, 2]
