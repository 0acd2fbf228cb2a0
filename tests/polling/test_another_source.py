"""The source that the poll queue makes due to find out whether a failure concerns a single one."""

from __future__ import annotations

import random

import pytest

from exporter.polling.poller import PollOutcome
from exporter.polling.queue import PollQueue
from exporter.polling.queue_entry import Intervals
from tests.support.builders import make_source

INTERVALS = Intervals(active=60.0, idle=300.0)


@pytest.mark.parametrize("outcome", [PollOutcome(succeeded=True, active=active) for active in (False, True)])
def test_the_next_source_that_does_not_fail_is_polled(outcome: PollOutcome) -> None:
    """Only this source is polled, and once. A source that fails or is in flight proves nothing."""
    queue = PollQueue(INTERVALS, 0.0, random.Random(1))
    sources = [make_source(n) for n in range(4)]
    for place, source in enumerate(sources):
        queue.add(source, now=0.0)
        assert queue.pop(0.0) == source
        queue.complete(source, outcome if place else PollOutcome(succeeded=False, active=False), 1.0 + place)
    failing = queue.pop(20.0)
    assert failing == sources[0]
    assert queue.pop(20.0) is None
    assert queue.make_one_due(20.0)
    assert queue.make_one_due(20.0)
    other = queue.pop(20.0)
    assert other == sources[1]
    assert queue.pop(20.0) is None
    queue.complete(failing, PollOutcome(succeeded=False, active=False), 20.0)
    queue.complete(other, PollOutcome(succeeded=True, active=False), 20.0)
    for source in sources[1:]:
        queue.remove(source)
    assert not queue.make_one_due(20.0)


def test_one_that_was_never_polled_counts_too() -> None:
    """It is due already."""
    queue = PollQueue(INTERVALS, 10.0, random.Random(1))
    assert not queue.make_one_due(0.0)
    queue.add(make_source(), now=0.0)
    assert queue.make_one_due(0.0)
    assert queue.pop(0.0) == make_source()
    assert queue.pop(0.0) is None
