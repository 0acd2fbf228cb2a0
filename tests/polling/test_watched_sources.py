"""The names and descriptions of watched sources, and how sources are detached, adopted and unwatched."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from exporter.domain.model import Description
from exporter.domain.snapshots import SavedSource
from exporter.domain.units import HOUR
from exporter.errors import ProviderError, Reason
from exporter.polling.poller import DESCRIPTION_RETRY
from exporter.polling.watched_sources import WatchedSources
from exporter.providers import JobPage
from tests.support.builders import NOON, POLICY, make_job, make_source
from tests.support.poller_rig import PollerRig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.store import Store
    from tests.support.builders import FakeClock


@pytest.fixture
def rig(clock: FakeClock, store: Store) -> PollerRig:
    """Return a poller on a clock that the test moves."""
    return PollerRig(clock, store)


def test_names_are_requested_once_and_survive_a_restart(rig: PollerRig, clock: FakeClock) -> None:
    """So that the labels of the series do not change."""
    published = rig.poll()
    assert published
    assert (published.names.root, published.names.data_source) == ("name-of-app", "name-of-src")
    rig.poll()
    restarted = PollerRig(clock, rig.store)
    restarted.provider.name_error = ProviderError(Reason.ACCESS_DENIED, "no")
    assert restarted.poll()
    assert rig.provider.requests.count("application") == 1
    assert restarted.publisher.sources[-1].names == published.names
    assert "application" not in restarted.provider.requests


def test_configured_names_have_precedence(clock: FakeClock, store: Store) -> None:
    """The poll does not request names from AWS."""
    rig = PollerRig(clock, store)
    rig.source = make_source(root="intranet", name="hr")
    rig.sources.watch(rig.source)
    published = rig.poll()
    assert published
    assert (published.names.root, published.names.data_source) == ("intranet", "hr")
    assert "application" not in rig.provider.requests


def test_the_id_replaces_a_name_that_aws_refuses(rig: PollerRig) -> None:
    """A missing permission hides no source."""
    rig.provider.name_error = ProviderError(Reason.ACCESS_DENIED, "not authorized")
    with capture_logs() as logs:
        published = rig.poll()
    assert published
    assert published.names.data_source == rig.source.id.data_source_id
    assert [line["event"] for line in logs] == ["display name not available, using the id"] * 2


def test_a_source_is_not_published_before_its_names_are_resolved(rig: PollerRig) -> None:
    """A name that AWS could not return costs no poll and is requested again. No series starts under another name."""
    rig.provider.name_error = ProviderError(Reason.TIMEOUT, "slow")
    with capture_logs() as logs:
        assert [rig.poll(), rig.poll()] == [None, None]
    assert not rig.observer.failures
    assert rig.store.history(str(rig.source.id)) is not None
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == ["display name not available"]
    rig.provider.name_error = None
    published = rig.poll()
    assert published
    assert published.names.root == "name-of-app"


def test_changed_buckets_are_logged_and_saved(rig: PollerRig) -> None:
    """Histograms that start over look like a counter reset, and the log has the reason. A restart changes nothing."""
    rig.poll()
    rig.provider.jobs = [make_job("a", started=NOON + 1, lasted=60)]
    rig.provider.now = NOON + 120
    rig.poll()
    with capture_logs() as logs:
        WatchedSources(rig.context, replace(POLICY, duration_buckets=(1.0,))).watch(rig.source)
    assert [line["event"] for line in logs] == ["duration buckets changed, histograms start over"]
    saved = rig.store.history(str(rig.source.id))
    assert saved
    assert (saved.completed, saved.durations) == ({"SUCCEEDED": 1}, {})


def listed(**changes: Any) -> Description:
    """Return the properties in a listing: all except the schedule."""
    return replace(Description("hr", "S3", "ACTIVE", created=NOON, updated=1.0), **changes)


def test_a_listing_does_not_remove_what_it_lacks(rig: PollerRig) -> None:
    """In some services, all members of a listing are optional. The values of the description stay published."""
    rig.sources.describe(rig.source.id, "main", listed())
    rig.poll()
    before = rig.publisher.sources[-1].description
    rig.sources.describe(rig.source.id, "main", Description("", "", ""))
    rig.poll()
    assert rig.publisher.sources[-1].description == before
    assert before
    assert all((before.name, before.type, before.status, before.created, before.updated, before.schedule))
    assert rig.provider.requests.count("data source") == 1


def test_a_description_completes_a_listing_without_properties(rig: PollerRig) -> None:
    """A listing that never has the time of the update does not cause a request in each poll."""
    rig.sources.describe(rig.source.id, "main", Description("", "", ""))
    rig.provider.description = listed(schedule="", updated=7.0)
    for _ in range(2):
        rig.poll()
        rig.sources.describe(rig.source.id, "main", Description("", "", ""))
    published = rig.publisher.sources[-1].description
    assert published
    assert (published.status, published.updated) == ("ACTIVE", 7.0)
    assert rig.provider.requests.count("data source") == 1


def test_a_source_is_described_once_and_again_after_an_update(rig: PollerRig) -> None:
    """A listing without changes costs no request, and its status is still published."""
    rig.sources.describe(rig.source.id, "main", listed())
    published = rig.poll()
    assert published
    assert published.description
    assert (published.container, published.description.schedule) == ("main", "cron(0 3 * * ? *)")
    rig.sources.describe(rig.source.id, "main", listed(status="UPDATING"))
    assert rig.publisher.sources[-1].description
    assert rig.publisher.sources[-1].description.status == "UPDATING"
    assert rig.publisher.sources[-1].description.schedule == "cron(0 3 * * ? *)"
    rig.poll()
    assert rig.provider.requests.count("data source") == 1
    rig.provider.description = replace(rig.provider.description, schedule="", updated=2.0)
    rig.sources.describe(rig.source.id, "main", listed(updated=2.0))
    published = rig.poll()
    assert published
    assert published.description
    assert published.description.schedule == ""
    rig.poll()
    assert rig.provider.requests.count("data source") == 2


def test_a_source_is_not_described_before_its_index_is_known(rig: PollerRig) -> None:
    """Otherwise the labels of its info metric would change while queries join it."""
    published = rig.poll()
    assert published
    assert published.description is None
    rig.sources.describe(rig.source.id, "main", None)
    assert rig.publisher.sources[-1].description


def test_a_refused_description_is_requested_every_15_minutes(rig: PollerRig, clock: FakeClock) -> None:
    """Polls continue, the listing is published without a schedule, and `undescribed` reports the source."""
    rig.provider.name_error = ProviderError(Reason.ACCESS_DENIED, "no")
    rig.sources.describe(rig.source.id, "main", listed())
    published = rig.poll()
    assert published
    assert published.description
    assert (published.poll_succeeded, published.description.status, published.description.schedule) == (
        True,
        "ACTIVE",
        None,
    )
    assert [str(each) for each in rig.sources.undescribed()] == [
        f"data source hr ({rig.source.id.data_source_id}) of application {rig.source.id.root.own} (access_denied)"
    ]
    rig.poll()
    assert rig.provider.requests.count("data source") == 1
    clock.advance(DESCRIPTION_RETRY)
    rig.provider.name_error = None
    published = rig.poll()
    assert published
    assert published.description
    assert published.description.schedule == "cron(0 3 * * ? *)"
    assert rig.sources.undescribed() == []


def test_a_description_survives_a_restart(rig: PollerRig, clock: FakeClock) -> None:
    """It is not requested again, and is published before the first poll succeeds."""
    rig.sources.describe(rig.source.id, "main", listed())
    before = rig.poll()
    restarted = PollerRig(clock, rig.store)
    (saved,) = rig.store.saved_sources("production", None)
    restarted.sources.watch(rig.source, saved=saved)
    restarted.provider.error = ProviderError(Reason.CONNECTION, "down")
    published = restarted.poll()
    assert before
    assert published
    assert (published.container, published.description, published.names) == (
        before.container,
        before.description,
        before.names,
    )
    assert "data source" not in restarted.provider.requests


def test_a_refused_description_survives_a_restart(rig: PollerRig, clock: FakeClock) -> None:
    """The values of the listing are published before the first poll, which requests the description again."""
    rig.provider.name_error = ProviderError(Reason.ACCESS_DENIED, "no")
    rig.sources.describe(rig.source.id, "main", listed())
    before = rig.poll()
    restarted = PollerRig(clock, rig.store)
    (saved,) = rig.store.saved_sources("production", None)
    restarted.sources.watch(rig.source, saved=saved)
    assert before
    assert before.description
    assert restarted.publisher.sources[-1].description == before.description
    published = restarted.poll()
    assert published
    assert published.description
    assert published.description.schedule == "cron(0 3 * * ? *)"


def test_an_exception_of_the_publisher_does_not_stop_discovery(rig: PollerRig) -> None:
    """Discovery describes the other sources, no matter what one listing contains."""
    rig.poll()
    rig.publisher.error = UnicodeEncodeError("utf-8", "x", 0, 1, "broken")
    with capture_logs() as logs:
        rig.sources.describe(rig.source.id, "main", listed(type="S4"))
        rig.sources.republish_all()
    assert [line["log_level"] for line in logs] == ["error", "error"]


def test_an_unwatched_source_is_not_published_any_more(rig: PollerRig) -> None:
    """This also holds for a poll that was in flight."""
    rig.poll()
    published = len(rig.publisher.sources)
    rig.provider.error = ProviderError(Reason.TIMEOUT, "slow")
    rig.sources.unwatch(rig.source.id)
    rig.poll()
    rig.sources.republish_all()
    assert len(rig.publisher.sources) == published
    assert rig.store.saved_sources("production", None) == []


def test_a_poll_in_flight_changes_nothing_after_its_source_was_adopted(rig: PollerRig, clock: FakeClock) -> None:
    """Its response may be older than the new owner's last commit."""
    rig.provider.jobs = [make_job("a", "SYNCING", started=NOON + 1, lasted=None, added=5)]
    rig.poll()
    successor = PollerRig(clock, rig.store)

    def adopted_while_reading(*_: object, **__: object) -> Iterator[JobPage]:
        (detached,) = rig.sources.detach()
        successor.sources.adopt(rig.source, detached)
        successor.provider.now = NOON + 600
        successor.provider.jobs = [make_job("a", "SUCCEEDED", started=NOON + 1, lasted=500, added=9)]
        successor.poll()
        yield JobPage((make_job("a", "SYNCING", started=NOON + 1, lasted=None, added=7),), NOON + 500, has_more=False)

    published = len(rig.publisher.sources)
    rig.provider.sync_jobs = adopted_while_reading  # type: ignore[method-assign] # for this one poll
    rig.poll()
    assert len(rig.publisher.sources) == published
    saved = rig.store.history(str(rig.source.id))
    assert saved
    assert saved.completed["SUCCEEDED"] == 1
    assert successor.publisher.sources[-1].history == saved
    assert saved.documents["added"] == 4


def test_a_wider_window_is_read_in_full_at_once(rig: PollerRig, clock: FakeClock) -> None:
    """The same window is not read again before it is due."""
    rig.provider.jobs = [make_job(started=NOON - HOUR)]
    rig.poll()
    for window, since in ((POLICY.window, True), (POLICY.window * 2, False)):
        successor = PollerRig(clock, rig.store)
        successor.use_window(window)
        (detached,) = rig.sources.detach()
        successor.sources.adopt(rig.source, detached)
        successor.provider.jobs = rig.provider.jobs
        successor.poll()
        assert ("since None" not in successor.provider.requests[0]) is since
        rig = successor


def test_the_start_of_a_schedule_survives_updates_and_restarts(rig: PollerRig, clock: FakeClock) -> None:
    """Only another schedule changes it. A restart restores both, even if the data source was updated meanwhile."""
    rig.sources.describe(rig.source.id, "main", listed())
    published = rig.poll()
    assert published
    assert published.description
    assert published.description.schedule_since == 1.0
    rig.sources.describe(rig.source.id, "main", listed(updated=NOON - 60))
    rig.provider.description = replace(rig.provider.description, updated=NOON - 60)
    rig.poll()
    (saved,) = rig.store.saved_sources("production", None)
    restarted = PollerRig(clock, rig.store)
    restarted.sources.watch(rig.source, saved=saved)
    restarted.sources.describe(rig.source.id, "main", listed(updated=NOON - 60))
    published = restarted.poll()
    assert published
    assert published.description
    assert (published.description.updated, published.description.schedule_since) == (NOON - 60, 1.0)
    restarted.sources.describe(rig.source.id, "main", listed(updated=NOON - 30))
    restarted.provider.description = replace(rig.provider.description, schedule="cron(0 * * * ? *)", updated=NOON - 30)
    published = restarted.poll()
    assert published
    assert published.description
    assert published.description.schedule_since == restarted.provider.clock.now()


def test_a_saved_source_without_the_start_of_its_schedule_has_that_of_its_update(rig: PollerRig) -> None:
    """The state file is from a release that did not save it."""
    old = SavedSource(rig.source, "main", listed(schedule="cron(0 3 * * ? *)", updated=5.0))
    rig.sources.watch(rig.source, saved=old)
    published = rig.poll()
    assert published
    assert published.description
    assert published.description.schedule_since == 5.0
