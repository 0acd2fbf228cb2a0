"""One poll of one source: what is shown, what is kept, and that a failure stays where it happened."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from exporter.aws import AwsClock
from exporter.domain.model import Description
from exporter.errors import ProviderError, Reason
from exporter.polling.lookback import FULL_REREAD_INTERVAL
from exporter.polling.poller import DESCRIPTION_RETRY, Poller
from exporter.polling.watched_sources import WatchedSources
from exporter.providers import JobPage, Listing
from exporter.store import MEMORY, Store
from tests.support.builders import HOUR, NOON, POLICY, FakeClock, make_job, make_source
from tests.support.contexts import RecordingPublisher, make_context

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.domain.model import IndexFacts, IndexId, SourceId, SyncJob
    from exporter.domain.snapshots import SourceSnapshot


class Service:
    """A provider whose answers a test sets."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = AwsClock(clock)
        self.jobs: list[SyncJob] = []
        self.now = NOON
        self.error: Exception | None = None
        self.name_error: ProviderError | None = None
        self.asked: list[str] = []
        self.warnings: tuple[str, ...] = ()
        self.description = Description("", "S3", "ACTIVE", created=NOON, updated=1.0, schedule="cron(0 3 * * ? *)")

    def sync_jobs(
        self,
        source: SourceId,  # noqa: ARG002 (the protocol's)
        *,
        since: float | None = None,
        status: str | None = None,
    ) -> Iterator[JobPage]:
        """Give all jobs on one page."""
        self.asked.append(f"jobs since {since} status {status}")
        if self.error:
            raise self.error
        yield JobPage(tuple(self.jobs), self.now, has_more=False, warnings=self.warnings)

    def application_name(self, application_id: str) -> str:
        """Give a name."""
        self.asked.append("application")
        if self.name_error:
            raise self.name_error
        return f"name-of-{application_id[:3]}"

    def data_source(self, source: SourceId) -> Description:
        """Give a description."""
        self.asked.append("data source")
        if self.name_error:
            raise self.name_error
        return replace(self.description, name=f"name-of-{source.data_source_id[:3]}")

    def applications(self) -> Listing[str]:
        """Not asked for by polls."""
        raise NotImplementedError

    def indexes(self, application_id: str) -> Listing[str]:
        """Not asked for by polls."""
        raise NotImplementedError

    def index(self, index: IndexId) -> IndexFacts:
        """Not asked for by polls."""
        raise NotImplementedError

    def data_sources(self, index: IndexId) -> Listing[Description]:
        """Not asked for by polls."""
        raise NotImplementedError

    def tags(self, arn: str) -> dict[str, str]:
        """Not asked for by polls."""
        raise NotImplementedError


class Reported:
    """What a poller reported."""

    def __init__(self) -> None:
        self.polls = 0
        self.failures: list[Reason] = []
        self.ended_jobs: list[str] = []

    def polled(self) -> None:
        """Count."""
        self.polls += 1

    def failed(self, reason: Reason) -> None:
        """Note."""
        self.failures.append(reason)
        assert self.polls >= len(self.failures), "more failures than polls"

    def ended(self, job: SyncJob) -> None:
        """Note."""
        self.ended_jobs.append(job.execution_id)


class Rig:
    """A poller with everything around it."""

    def __init__(self, clock: FakeClock, store: Store | None = None) -> None:
        self.service = Service(clock)
        self.report = Reported()
        self.store = store or Store(MEMORY, lambda: None)
        self.source = make_source()
        self.publisher = RecordingPublisher()
        self.context = make_context(self.service, self.store, clock, self.publisher)
        self.use_window(POLICY.window)
        self.sources.watch(self.source)

    def use_window(self, window: float) -> None:
        """Replace the poller by one with another window, which watches no source."""
        policy = replace(POLICY, window=window)
        self.sources = WatchedSources(self.context, policy)
        self.poller = Poller(self.context, self.sources, self.report, policy)

    def poll(self) -> SourceSnapshot | None:
        """Poll once and give what is shown then."""
        self.poller.poll(self.source)
        return self.publisher.sources[-1] if self.publisher.sources else None


@pytest.fixture
def rig(clock: FakeClock) -> Rig:
    """Give a rig on a clock that the test moves."""
    return Rig(clock)


def test_names_are_asked_for_once_and_survive_a_restart(rig: Rig, clock: FakeClock) -> None:
    """So that series do not churn."""
    shown = rig.poll()
    assert shown
    assert (shown.names.application, shown.names.data_source) == ("name-of-app", "name-of-src")
    rig.poll()
    again = Rig(clock, rig.store)
    again.service.name_error = ProviderError(Reason.ACCESS_DENIED, "no")
    assert again.poll()
    assert rig.service.asked.count("application") == 1
    assert again.publisher.sources[-1].names == shown.names
    assert "application" not in again.service.asked


def test_configured_names_win(clock: FakeClock) -> None:
    """AWS is not even asked."""
    rig = Rig(clock)
    rig.source = make_source(application="intranet", name="hr")
    rig.sources.watch(rig.source)
    shown = rig.poll()
    assert shown
    assert (shown.names.application, shown.names.data_source) == ("intranet", "hr")
    assert "application" not in rig.service.asked


def test_where_names_are_refused_the_id_stands_in(rig: Rig) -> None:
    """A missing permission hides no source."""
    rig.service.name_error = ProviderError(Reason.ACCESS_DENIED, "not authorised")
    with capture_logs() as logs:
        shown = rig.poll()
    assert shown
    assert shown.names.data_source == rig.source.id.data_source_id
    assert [line["event"] for line in logs] == ["display name not available, using the id"] * 2


def test_until_names_are_settled_nothing_is_shown(rig: Rig) -> None:
    """A name that could not be had for a moment is asked for again, and no series is born under another."""
    rig.service.name_error = ProviderError(Reason.TIMEOUT, "slow")
    assert rig.poll() is None
    assert rig.report.failures == [Reason.TIMEOUT]
    rig.service.name_error = None
    shown = rig.poll()
    assert shown
    assert shown.names.application == "name-of-app"


def test_a_failed_poll_keeps_every_value_and_the_freshness_behind(rig: Rig) -> None:
    """Only poll_success changes."""
    rig.service.jobs = [make_job(started=NOON - HOUR)]
    before = rig.poll()
    rig.service.error = ProviderError(Reason.THROTTLED, "slow down")
    after = rig.poll()
    assert before
    assert after
    assert (after.poll_succeeded, after.polled_at) == (False, NOON)
    assert after.history is before.history
    assert rig.report.failures == [Reason.THROTTLED]
    assert rig.report.polls == 2


def test_after_a_restart_staleness_is_visible_before_the_first_success(rig: Rig, clock: FakeClock) -> None:
    """The time of the last success is that which the state knows."""
    rig.service.jobs = [make_job(started=NOON - HOUR)]
    rig.poll()
    again = Rig(clock, rig.store)
    again.service.error = ProviderError(Reason.CONNECTION, "refused")
    shown = again.poll()
    assert shown
    assert (shown.poll_succeeded, shown.polled_at) == (False, NOON)
    assert shown.history


def test_resting_writes_down_how_fresh_everything_is(rig: Rig, clock: FakeClock) -> None:
    """A quiet source writes nothing for long; whoever goes on after a stop knows its last success all the same."""
    rig.service.jobs = [make_job(started=NOON - HOUR)]
    rig.poll()
    rig.service.now = NOON + 600
    rig.poll()
    rig.sources.save_poll_times()
    again = Rig(clock, rig.store)
    again.service.error = ProviderError(Reason.CONNECTION, "refused")
    shown = again.poll()
    assert shown
    assert shown.polled_at == NOON + 600


def test_a_defect_is_a_failed_poll_too(rig: Rig) -> None:
    """The worker lives on, and the log has the traceback."""
    rig.poll()
    rig.service.error = ZeroDivisionError("oops")
    with capture_logs() as logs:
        shown = rig.poll()
    assert shown
    assert not shown.poll_succeeded
    assert rig.report.failures == [Reason.INTERNAL]
    assert logs[0]["exc_info"] is True


def test_a_page_that_cannot_be_made_takes_no_worker_down(rig: Rig) -> None:
    """Whatever a defect in showing does, the poll ends, is counted as failed, and the next source has its turn."""
    rig.publisher.error = UnicodeEncodeError("utf-8", "x", 0, 1, "broken")
    with capture_logs() as logs:
        outcome = rig.poller.poll(rig.source)
    assert not outcome.succeeded
    assert rig.report.failures == [Reason.INTERNAL]
    assert any("publishing the data source failed" in line["event"] for line in logs)
    rig.publisher.error = None
    shown = rig.poll()
    assert shown
    assert shown.poll_succeeded


def test_changed_buckets_are_said(rig: Rig) -> None:
    """Histograms that begin anew look like a reset: the log says why."""
    rig.poll()
    rig.service.jobs = [make_job("a", started=NOON + 1, lasted=60)]
    rig.service.now = NOON + 120
    rig.poll()
    with capture_logs() as logs:
        WatchedSources(rig.context, replace(POLICY, duration_buckets=(1.0,))).watch(rig.source)
    assert [line["event"] for line in logs] == ["duration buckets changed, histograms start over"]


def test_what_was_shown_is_kept(rig: Rig) -> None:
    """The state has it before the page does."""
    rig.service.jobs = [make_job(started=NOON - HOUR)]
    shown = rig.poll()
    assert shown
    assert rig.store.history(str(rig.source.id)) == shown.history


def test_a_failure_is_logged_when_it_begins_changes_and_ends(rig: Rig) -> None:
    """A source that fails for a day does not flood the log."""
    with capture_logs() as logs:
        rig.poll()
        for reason in [Reason.THROTTLED] * 5 + [Reason.TIMEOUT] * 5:
            rig.service.error = ProviderError(reason, "text")
            rig.poll()
        rig.service.error = None
        rig.poll()
    told = [(line["event"], line.get("reason") or line.get("after")) for line in logs]
    assert told == [
        ("poll failing", "throttled"),
        ("poll failing", "timeout"),
        ("poll works again", "timeout"),
    ]


def test_each_job_that_ends_has_one_line_with_all_that_is_known(rig: Rig) -> None:
    """History has none."""
    rig.service.jobs = [make_job("old", started=NOON - HOUR)]
    rig.poll()
    rig.service.jobs.append(make_job("new", "FAILED", started=NOON + 1, lasted=60, added=3))
    rig.service.now = NOON + 120
    with capture_logs() as logs:
        rig.poll()
        rig.poll()
    (line,) = logs
    assert line["event"] == "sync job ended"
    assert (line["status"], line["duration_seconds"], line["documents_added"]) == ("FAILED", 60.0, 3)
    assert (line["started"], line["ended"]) == ("2026-09-21T14:13:21Z", "2026-09-21T14:14:21Z")
    assert "documents_failed" not in line
    assert rig.report.ended_jobs == [make_job("new").execution_id]


def test_each_odd_thing_is_warned_of_once(rig: Rig) -> None:
    """However often the same answer comes."""
    rig.service.warnings = ("job x skipped",)
    with capture_logs() as logs:
        rig.poll()
        rig.poll()
    assert [line["problem"] for line in logs] == ["job x skipped"]


def test_a_full_reread_comes_every_six_hours(rig: Rig, clock: FakeClock) -> None:
    """As the net under the polls that read only what is new."""
    rig.service.jobs = [make_job(started=NOON - HOUR)]
    rig.poll()
    rig.poll()
    clock.advance(FULL_REREAD_INTERVAL + 1)
    rig.service.now = clock.time()
    rig.poll()
    rig.poll()
    full = [asked for asked in rig.service.asked if asked == "jobs since None status None"]
    assert len(full) == 2


def test_restarts_do_not_put_a_full_reread_off(rig: Rig, clock: FakeClock) -> None:
    """However often it is started anew, each six hours have one."""
    rig.service.jobs = [make_job(started=NOON - HOUR)]
    rig.poll()
    asked = []
    for _ in range(24):
        clock.advance(HOUR)
        rig = Rig(clock, rig.store)
        rig.service.now = clock.time()
        rig.service.jobs = [make_job(started=NOON - HOUR)]
        rig.poll()
        asked += rig.service.asked
    assert asked.count("jobs since None status None") == 4


def test_a_host_whose_clock_is_behind_puts_no_full_reread_off(rig: Rig, clock: FakeClock) -> None:
    """Until AWS has answered once, a program that has just started knows no better time."""
    rig.service.jobs = [make_job(started=NOON - HOUR)]
    rig.poll()
    rig = Rig(clock, rig.store)
    rig.service.jobs = [make_job(started=NOON - HOUR)]
    rig.service.now = clock.time() + FULL_REREAD_INTERVAL
    rig.poll()
    assert rig.service.asked[-1] == "jobs since None status None"


def listed(**changes: Any) -> Description:
    """Build what a listing says: all but the schedule."""
    return replace(Description("hr", "S3", "ACTIVE", created=NOON, updated=1.0), **changes)


def test_a_source_is_described_once_and_again_when_it_was_updated(rig: Rig) -> None:
    """A listing that says nothing new costs no request; its status is shown all the same."""
    rig.sources.describe(rig.source.id, "main", listed())
    shown = rig.poll()
    assert shown
    assert shown.description
    assert (shown.index, shown.description.schedule) == ("main", "cron(0 3 * * ? *)")
    rig.sources.describe(rig.source.id, "main", listed(status="UPDATING"))
    assert rig.publisher.sources[-1].description
    assert rig.publisher.sources[-1].description.status == "UPDATING"
    assert rig.publisher.sources[-1].description.schedule == "cron(0 3 * * ? *)"
    rig.poll()
    assert rig.service.asked.count("data source") == 1
    rig.service.description = replace(rig.service.description, schedule="", updated=2.0)
    rig.sources.describe(rig.source.id, "main", listed(updated=2.0))
    shown = rig.poll()
    assert shown
    assert shown.description
    assert shown.description.schedule == ""
    rig.poll()
    assert rig.service.asked.count("data source") == 2


def test_nothing_is_said_of_a_source_before_all_of_it_is_known(rig: Rig) -> None:
    """Its info would change under the eyes of whoever joins it."""
    shown = rig.poll()
    assert shown
    assert shown.description is None
    rig.sources.describe(rig.source.id, "main", None)
    assert rig.publisher.sources[-1].description


def test_a_refused_description_costs_a_request_every_quarter_of_an_hour(rig: Rig, clock: FakeClock) -> None:
    """What the listing says is shown without the schedule, polls go on, and somebody is told."""
    rig.service.name_error = ProviderError(Reason.ACCESS_DENIED, "no")
    rig.sources.describe(rig.source.id, "main", listed())
    shown = rig.poll()
    assert shown
    assert shown.description
    assert (shown.poll_succeeded, shown.description.status, shown.description.schedule) == (True, "ACTIVE", None)
    assert rig.sources.undescribed() == 1
    rig.poll()
    assert rig.service.asked.count("data source") == 1
    clock.advance(DESCRIPTION_RETRY)
    rig.service.name_error = None
    shown = rig.poll()
    assert shown
    assert shown.description
    assert shown.description.schedule == "cron(0 3 * * ? *)"
    assert rig.sources.undescribed() == 0


def test_a_description_survives_a_restart(rig: Rig, clock: FakeClock) -> None:
    """So that nothing is asked again, and the series are there before the first poll works."""
    rig.sources.describe(rig.source.id, "main", listed())
    before = rig.poll()
    again = Rig(clock, rig.store)
    (known,) = rig.store.saved_sources("production")
    again.sources.watch(rig.source, saved=known)
    again.service.error = ProviderError(Reason.CONNECTION, "down")
    shown = again.poll()
    assert before
    assert shown
    assert (shown.index, shown.description, shown.names) == (before.index, before.description, before.names)
    assert "data source" not in again.service.asked


def test_a_page_that_cannot_be_made_stops_no_discovery(rig: Rig) -> None:
    """Whatever a listing says of one source, the others are described."""
    rig.poll()
    rig.publisher.error = UnicodeEncodeError("utf-8", "x", 0, 1, "broken")
    with capture_logs() as logs:
        rig.sources.describe(rig.source.id, "main", listed(type="S4"))
        rig.sources.republish_all()
    assert [line["log_level"] for line in logs] == ["error", "error"]


def test_what_is_let_go_of_shows_nothing_any_more(rig: Rig) -> None:
    """Not even where a poll of it was under way."""
    rig.poll()
    shown = len(rig.publisher.sources)
    rig.service.error = ProviderError(Reason.TIMEOUT, "slow")
    rig.sources.unwatch(rig.source.id)
    rig.poll()
    rig.sources.republish_all()
    assert len(rig.publisher.sources) == shown
    assert rig.store.saved_sources("production") == []


def test_a_source_found_later_counts_from_when_its_target_was_watched(clock: FakeClock) -> None:
    """Jobs that ended since are counted by its first poll, with all their documents; older ones are history."""
    rig = Rig(clock)
    rig.sources.watch(rig.source, since=NOON)
    assert rig.poller.poll(rig.source).succeeded
    rig = Rig(clock)
    rig.sources.watch(rig.source, since=NOON - HOUR)
    rig.service.jobs = [
        make_job("new", started=NOON - 1800, lasted=60, added=5),
        make_job("over", started=NOON - 7200, lasted=60, added=7),
        make_job("across", started=NOON - 3660, lasted=120, added=9),
    ]
    shown = rig.poll()
    assert shown
    assert shown.history
    assert shown.history.completed == {"SUCCEEDED": 2}
    assert shown.history.documents["added"] == 5


def test_credentials_that_do_not_work_are_said_once_for_all_sources(rig: Rig) -> None:
    """And once that they work again."""
    other = make_source(2)
    rig.sources.watch(other)
    rig.service.error = ProviderError(Reason.CREDENTIALS, "expired")
    with capture_logs() as logs:
        for source in (rig.source, other, rig.source):
            rig.poller.poll(source)
        rig.service.error = None
        for source in (rig.source, other):
            rig.poller.poll(source)
    assert [line["event"] for line in logs] == ["credentials failing", "credentials working again"]
    assert rig.report.failures == [Reason.CREDENTIALS] * 3


def test_a_poll_under_way_when_another_takes_over_comes_to_nothing(rig: Rig, clock: FakeClock) -> None:
    """What it read may be older than what the other has committed since."""
    rig.service.jobs = [make_job("a", "SYNCING", started=NOON + 1, lasted=None, added=5)]
    rig.poll()
    heir = Rig(clock, rig.store)

    def taken_over_while_reading(*_: object, **__: object) -> Iterator[JobPage]:
        (left,) = rig.sources.detach()
        heir.sources.adopt(rig.source, left)
        heir.service.now = NOON + 600
        heir.service.jobs = [make_job("a", "SUCCEEDED", started=NOON + 1, lasted=500, added=9)]
        heir.poll()
        yield JobPage((make_job("a", "SYNCING", started=NOON + 1, lasted=None, added=7),), NOON + 500, has_more=False)

    shown = len(rig.publisher.sources)
    rig.service.sync_jobs = taken_over_while_reading  # type: ignore[method-assign] # for this one poll
    rig.poll()
    assert len(rig.publisher.sources) == shown
    kept = rig.store.history(str(rig.source.id))
    assert kept
    assert kept.completed["SUCCEEDED"] == 1
    assert heir.publisher.sources[-1].history == kept
    assert kept.documents["added"] == 4


def test_a_wider_window_is_read_back_at_once(rig: Rig, clock: FakeClock) -> None:
    """And the same window is not read again before it is due."""
    rig.service.jobs = [make_job(started=NOON - HOUR)]
    rig.poll()
    for window, since in ((POLICY.window, True), (POLICY.window * 2, False)):
        heir = Rig(clock, rig.store)
        heir.use_window(window)
        (left,) = rig.sources.detach()
        heir.sources.adopt(rig.source, left)
        heir.service.jobs = rig.service.jobs
        heir.poll()
        assert ("since None" not in heir.service.asked[0]) is since
        rig = heir
