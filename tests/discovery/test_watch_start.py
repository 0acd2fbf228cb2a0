"""The time from which the jobs of a found source count, and the target that this time belongs to."""

from __future__ import annotations

from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest

from exporter.discovery.watch_start import WatchStart
from exporter.domain.clock_check import ClockReading
from exporter.domain.units import DAY, HOUR
from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex
from tests.support.builders import NOON, FakeClock
from tests.support.contexts import make_context
from tests.support.manual_clock import ManualClock
from tests.support.poller_rig import FakeProvider
from tests.support.simulated_discovery import SimulatedDiscovery

if TYPE_CHECKING:
    from exporter.store import Store


def fleet_of(*sources: SimulatedDataSource, account: str = "111122223333") -> Fleet:
    """Return a fleet with one index."""
    return Fleet([SimulatedApplication("intranet", [SimulatedIndex("main", list(sources))])], account=account)


def counts_from(store: Store, fleet: Fleet, now: float, target: str = "production") -> dict[str, float]:
    """Run discovery once in a new process; return from when the jobs of each source count, relative to `now`."""
    discovery = SimulatedDiscovery(store, fleet, discovery={}, target=target, now=now)
    with discovery.service:
        discovery.run()
    return {name: since.time - now for name, since in discovery.observer.sources.items() if since}


def test_the_first_sources_count_from_the_first_run(store: Store) -> None:
    """Whenever they were created. AWS's clock has a resolution of one second."""
    fleet = fleet_of(SimulatedDataSource("old"), SimulatedDataSource("new", created=NOON - 60))
    assert counts_from(store, fleet, NOON) == {"old": pytest.approx(1, abs=1), "new": pytest.approx(1, abs=1)}


def test_a_source_created_after_the_target_was_first_watched_counts_from_its_creation(store: Store) -> None:
    """A filter may have excluded it for weeks."""
    counts_from(store, fleet_of(), NOON)
    fleet = fleet_of(SimulatedDataSource("late", created=NOON + 30 * DAY))
    assert counts_from(store, fleet, NOON + 90 * DAY) == {"late": -60 * DAY}


def test_an_older_source_that_is_found_late_counts_from_the_run_that_finds_it(store: Store) -> None:
    """If a filter is widened after 90 days, none of the jobs of these days count."""
    counts_from(store, fleet_of(), NOON)
    fleet = fleet_of(SimulatedDataSource("old", created=NOON - DAY))
    assert counts_from(store, fleet, NOON + 90 * DAY) == {"old": pytest.approx(1, abs=1)}


def test_a_creation_time_in_the_future_is_not_used(store: Store) -> None:
    """No job would count until then."""
    counts_from(store, fleet_of(), NOON)
    fleet = fleet_of(SimulatedDataSource("odd", created=NOON + 900 * DAY))
    assert counts_from(store, fleet, NOON + DAY) == {"odd": pytest.approx(1, abs=1)}


def test_a_renamed_target_keeps_the_time_at_which_it_was_first_watched(store: Store) -> None:
    """Targets with the same account and region have the same identity, and so do two targets on one account."""
    counts_from(store, fleet_of(), NOON)
    fleet = fleet_of(SimulatedDataSource("late", created=NOON + DAY))
    assert counts_from(store, fleet, NOON + 2 * DAY, target="renamed") == {"late": -DAY}


def test_a_target_of_the_same_name_in_another_account_is_another_target(store: Store) -> None:
    """Its earlier jobs do not count, although its source is newer than the first watch of the other account."""
    counts_from(store, fleet_of(), NOON)
    fleet = fleet_of(SimulatedDataSource("theirs", created=NOON + DAY), account="444455556666")
    assert counts_from(store, fleet, NOON + 2 * DAY) == {"theirs": pytest.approx(1, abs=1)}


def test_a_first_run_whose_date_proves_wrong_is_corrected(store: Store) -> None:
    """The Date was two hours ahead for six hours, so the recorded time is in the past by then."""
    clock = FakeClock()
    provider = FakeProvider(clock)
    context = make_context(provider, store, clock)
    context.location.request(lambda: "111122223333")
    start = WatchStart(context)
    for error in (2 * HOUR, 0):
        provider.clock.update(formatdate(clock.time() + error, usegmt=True))
        start.begin_run()
        clock.advance(6 * HOUR)
    assert start.first_watched() == pytest.approx(NOON + 1, abs=1)


def test_without_an_account_only_what_this_process_saw_decides(store: Store) -> None:
    """STS and GetIndex fail, so the state of no account is used, and none is written."""
    counts_from(store, fleet_of(), NOON)
    fleet = fleet_of(SimulatedDataSource("late", created=NOON + DAY))
    discovery = SimulatedDiscovery(store, fleet, discovery={}, now=NOON + 2 * DAY)
    with discovery.service:
        discovery.service.faults.add("denied", operation="GetIndex")
        discovery.run()
        late = discovery.observer.sources["late"]
        assert late
        assert late.time == pytest.approx(NOON + 2 * DAY + 1, abs=1)
        discovery.service.clock = ManualClock(NOON + 4 * DAY)
        fleet.applications[0].indexes[0].data_sources.append(SimulatedDataSource("later", created=NOON + 3 * DAY))
        discovery.run()
        assert discovery.observer.sources["later"] == ClockReading(NOON + 3 * DAY)
