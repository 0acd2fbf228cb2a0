"""When discovery goes round: at its interval, sooner while nothing can be reached, and on whatever happens."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

from structlog.testing import capture_logs

from exporter.discovery.loop import NOTHING, DiscoveryLoop
from exporter.discovery.reconciler import RunResult
from exporter.runtime import System

if TYPE_CHECKING:
    from tests.support.builders import FakeClock

PATIENCE = 10.0


WHOLE, PARTLY = RunResult(complete=True, reached=True), RunResult(complete=False, reached=True)


def loop(clock: FakeClock, interval: float = 900.0) -> DiscoveryLoop:
    """Make one that looks round every quarter of an hour."""
    return DiscoveryLoop(lambda: WHOLE, interval, 15.0, clock, random.Random(1), clock.event())


def test_rounds_begin_at_their_interval(clock: FakeClock) -> None:
    """However long one takes; one that takes longer is followed at once."""
    assert loop(clock).pause(100.0, 160.0, WHOLE) == 840.0
    assert loop(clock).pause(100.0, 1100.0, WHOLE) == 0.0


def test_what_cannot_be_reached_is_tried_again_soon_and_then_more_rarely(clock: FakeClock) -> None:
    """With jitter, never more rarely than at the interval; a success begins anew."""
    one = loop(clock)
    pauses = [one.pause(0.0, 0.0, NOTHING) for _ in range(10)]
    for pause, most in zip(pauses, (15, 30, 60, 120, 240, 480, 900, 900, 900, 900), strict=True):
        assert most / 2 <= pause <= most
    one.pause(0.0, 0.0, WHOLE)
    assert one.pause(0.0, 0.0, NOTHING) <= 15


def test_what_failed_in_part_does_not_wait_for_hours(clock: FakeClock) -> None:
    """One request that fails must not mean a failing discovery for six hours, nor one refused rounds without end."""
    one = loop(clock, interval=6 * 3600.0)
    pauses = [one.pause(100.0, 160.0, PARTLY) for _ in range(7)]
    assert pauses == [840.0, 1740.0, 3540.0, 7140.0, 14340.0, 21540.0, 21540.0]
    for other in (WHOLE, NOTHING):
        one.pause(100.0, 160.0, other)
        assert one.pause(100.0, 160.0, PARTLY) == 840.0
    assert one.pause(100.0, 160.0, WHOLE) == 21540.0


def test_a_defect_is_not_the_end_of_discovery() -> None:
    """It is logged, and the next round comes."""
    rounds = 0
    enough = threading.Event()

    def go_round() -> RunResult:
        nonlocal rounds
        rounds += 1
        if rounds == 1:
            raise RuntimeError("a defect")
        enough.set()
        return WHOLE

    clock = System()
    one = DiscoveryLoop(go_round, 0.01, 0.01, clock, random.Random(1), clock.event())
    assert one.unready() == "data sources are being looked for"
    with capture_logs() as logs:
        one.start()
        assert enough.wait(PATIENCE)
        assert one.unhealthy() is None
        one.stop()
        one.join(clock.monotonic() + PATIENCE)
    assert logs[0]["event"] == "discovery failed for a reason that is a defect of this program"
    assert (one.unready(), one.unhealthy(), one.has_reached) == (None, None, True)
