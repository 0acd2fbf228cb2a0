"""One poll of one source: its published and committed data, and that a failure affects no other source."""

from __future__ import annotations

from dataclasses import replace
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest
from msgspec import structs
from structlog.testing import capture_logs

from exporter.domain.clock_check import ClockReading
from exporter.domain.model import SourceId
from exporter.domain.service import Permission, Use
from exporter.domain.snapshots import PollFailure
from exporter.domain.units import HOUR
from exporter.errors import ProviderError, Reason
from exporter.polling.watermark import FULL_REREAD_INTERVAL
from exporter.providers.qbusiness.service import QBUSINESS
from tests.support.builders import NOON, make_job, make_source
from tests.support.poller_rig import PollerRig

if TYPE_CHECKING:
    from exporter.domain.model import SyncJob
    from exporter.store import Store
    from tests.support.builders import FakeClock


@pytest.fixture
def rig(clock: FakeClock, store: Store) -> PollerRig:
    """Return a poller on a clock that the test moves."""
    return PollerRig(clock, store)


def test_a_failed_poll_keeps_every_value_and_the_time_of_the_last_success(rig: PollerRig) -> None:
    """Only poll_success changes, with its reason until a poll succeeds."""
    rig.provider.jobs = [make_job(started=NOON - HOUR)]
    before = rig.poll()
    rig.provider.error = ProviderError(Reason.THROTTLED, "slow down")
    after = rig.poll()
    rig.provider.error = None
    recovered = rig.poll()
    assert recovered
    assert recovered.poll_failure is None
    assert before
    assert after
    assert (after.poll_succeeded, after.polled_at) == (False, NOON)
    assert after.poll_failure == PollFailure(Reason.THROTTLED, "slow down")
    assert after.history is before.history
    assert rig.observer.failures == [Reason.THROTTLED]
    assert rig.observer.polls == 3


def test_after_a_restart_staleness_is_visible_before_the_first_success(rig: PollerRig, clock: FakeClock) -> None:
    """The state has the time of the last success."""
    rig.provider.jobs = [make_job(started=NOON - HOUR)]
    rig.poll()
    restarted = PollerRig(clock, rig.store)
    restarted.provider.error = ProviderError(Reason.CONNECTION, "refused")
    published = restarted.poll()
    assert published
    assert (published.poll_succeeded, published.polled_at) == (False, NOON)
    assert published.history


def test_a_stop_saves_the_time_of_the_last_success(rig: PollerRig, clock: FakeClock) -> None:
    """Polls of an idle source save nothing for an hour, but the next process knows the last success."""
    rig.provider.jobs = [make_job(started=NOON - HOUR)]
    rig.poll()
    rig.provider.now = NOON + 600
    rig.poll()
    rig.sources.save_poll_times()
    restarted = PollerRig(clock, rig.store)
    restarted.provider.error = ProviderError(Reason.CONNECTION, "refused")
    published = restarted.poll()
    assert published
    assert published.polled_at == NOON + 600


def test_the_first_poll_of_a_process_is_saved_without_news(rig: PollerRig, clock: FakeClock) -> None:
    """A process that is killed soon after each start must know which sources the previous process has polled."""
    rig.poll()
    for life in range(1, 4):
        rig = PollerRig(clock, rig.store)
        rig.provider.now = NOON + life
        rig.poll()
        rig.provider.now += 0.5
        rig.poll()
        saved = rig.store.history(str(rig.source.id))
        assert saved
        assert saved.as_of == NOON + life


def test_a_poll_that_never_ended_makes_its_source_the_last_after_a_restart(rig: PollerRig, clock: FakeClock) -> None:
    """Otherwise a process that dies soon after each start would poll the same failing sources again and again."""
    rig.provider.error = SystemExit()
    assert rig.sources.poll_age(rig.source.id) is None
    with pytest.raises(SystemExit):
        rig.poll()
    clock.advance(60)
    restarted = PollerRig(clock, rig.store)
    assert restarted.sources.poll_age(rig.source.id) == 60.0
    restarted.poll()
    clock.advance(30)
    assert restarted.sources.poll_age(rig.source.id) == 30.0


def test_the_last_attempt_decides_while_the_last_poll_is_in_the_future(rig: PollerRig, clock: FakeClock) -> None:
    """A host whose clock is hours behind still knows which of its sources a crash loop has polled last."""
    clock.wall -= 5 * HOUR
    rig.poll()
    clock.advance(60)
    restarted = PollerRig(clock, rig.store)
    assert restarted.sources.poll_age(rig.source.id) == 60.0


def test_an_unexpected_exception_is_a_failed_poll(rig: PollerRig) -> None:
    """The worker continues, and the log has the traceback."""
    rig.poll()
    rig.provider.error = ZeroDivisionError("oops")
    with capture_logs() as logs:
        published = rig.poll()
    assert published
    assert not published.poll_succeeded
    assert rig.observer.failures == [Reason.INTERNAL]
    assert logs[0]["exc_info"] is True


def test_an_exception_of_the_publisher_is_a_failed_poll(rig: PollerRig) -> None:
    """The worker continues, and the next poll publishes the source."""
    rig.poll()
    rig.publisher.error = UnicodeEncodeError("utf-8", "x", 0, 1, "broken")
    with capture_logs() as logs:
        outcome = rig.poller.poll(rig.source)
    assert not outcome.succeeded
    assert rig.observer.failures == [Reason.INTERNAL]
    assert any("publishing the data source failed" in line["event"] for line in logs)
    rig.publisher.error = None
    published = rig.poll()
    assert published
    assert published.poll_succeeded


def test_what_was_published_is_committed(rig: PollerRig) -> None:
    """The state has the history before the page does."""
    rig.provider.jobs = [make_job(started=NOON - HOUR)]
    published = rig.poll()
    assert published
    assert rig.store.history(str(rig.source.id)) == published.history


def test_a_failure_is_logged_when_it_starts_changes_and_ends(rig: PollerRig) -> None:
    """A source that fails for a day does not flood the log."""
    with capture_logs() as logs:
        rig.poll()
        for reason in [Reason.THROTTLED] * 5 + [Reason.TIMEOUT] * 5:
            rig.provider.error = ProviderError(reason, "text")
            rig.poll()
        rig.provider.error = None
        rig.poll()
    logged = [(line["event"], line.get("reason") or line.get("after")) for line in logs]
    assert logged == [
        ("poll failing", "throttled"),
        ("poll failing", "timeout"),
        ("poll works again", "timeout"),
    ]


def test_each_job_that_ends_has_one_log_line_with_its_figures(rig: PollerRig) -> None:
    """A job that had ended before has none."""
    rig.provider.jobs = [make_job("old", started=NOON - HOUR)]
    rig.poll()
    rig.provider.jobs.append(make_job("new", "FAILED", started=NOON + 1, lasted=60, added=3))
    rig.provider.now = NOON + 120
    with capture_logs() as logs:
        rig.poll()
        rig.poll()
    (line,) = logs
    assert line["event"] == "sync job ended"
    assert (line["status"], line["duration_seconds"], line["documents_added"]) == ("FAILED", 60.0, 3)
    assert (line["started"], line["ended"]) == ("2026-09-21T14:13:21Z", "2026-09-21T14:14:21Z")
    assert "documents_failed" not in line
    assert rig.observer.ended_jobs == [make_job("new").execution_id]


def test_each_warning_is_logged_once(rig: PollerRig) -> None:
    """The same response in a later poll logs nothing."""
    rig.provider.warnings = ("job x skipped",)
    with capture_logs() as logs:
        rig.poll()
        rig.poll()
    assert [line["problem"] for line in logs] == ["job x skipped"]


def test_a_full_reread_happens_every_six_hours(rig: PollerRig, clock: FakeClock) -> None:
    """It finds anything that the other polls missed."""
    rig.provider.jobs = [make_job(started=NOON - HOUR)]
    rig.poll()
    for _ in range(7 * 24):
        clock.advance(HOUR)
        rig.provider.now = clock.time()
        rig.poll()
    assert rig.provider.requests.count("jobs since None status None") == 1 + 7 * 4


def test_restarts_do_not_postpone_a_full_reread(rig: PollerRig, clock: FakeClock) -> None:
    """With a restart every hour, each six hours still have one."""
    rig.provider.jobs = [make_job(started=NOON - HOUR)]
    rig.poll()
    requests = []
    for _ in range(24):
        clock.advance(HOUR)
        rig = PollerRig(clock, rig.store)
        rig.provider.now = clock.time()
        rig.provider.jobs = [make_job(started=NOON - HOUR)]
        rig.poll()
        requests += rig.provider.requests
    assert requests.count("jobs since None status None") == 4


def test_a_wider_window_after_a_restart_is_read_in_full_at_once(rig: PollerRig, clock: FakeClock) -> None:
    """The state has the window that was read, so the first poll notices that it is narrower."""
    rig.provider.jobs = [make_job(started=NOON - HOUR)]
    rig.poll()
    for window, is_full in ((24 * HOUR, False), (48 * HOUR, True), (48 * HOUR, False), (24 * HOUR, False)):
        restarted = PollerRig(clock, rig.store, window)
        restarted.provider.jobs = rig.provider.jobs
        restarted.poll()
        assert ("jobs since None status None" in restarted.provider.requests) is is_full


def test_a_source_with_many_unread_jobs_is_caught_up_by_further_polls(clock: FakeClock, store: Store) -> None:
    """Each poll reads a part of them, and only polls with `catch_up` read more than the new jobs."""
    rig = PollerRig(clock, store)
    rig.sources.watch(rig.source, since=ClockReading(NOON - 100 * HOUR))
    rig.provider.jobs = [make_job(f"j{n}", started=NOON - 600 - n * 300, lasted=60) for n in range(1000)]
    outcome = rig.poller.poll(rig.source)
    assert outcome.is_behind
    counted = len(rig.observer.ended_jobs)
    assert rig.poller.poll(rig.source).is_behind
    assert len(rig.observer.ended_jobs) == counted
    polls = 0
    while rig.poller.poll(rig.source, catch_up=True).is_behind:
        assert len(rig.observer.ended_jobs) >= counted
        counted, polls = len(rig.observer.ended_jobs), polls + 1
    assert polls > 5
    assert not rig.observer.failures
    assert sorted(rig.observer.ended_jobs) == sorted(job.execution_id for job in rig.provider.jobs)


def test_a_step_of_a_catch_up_does_not_make_the_latest_jobs_newer(rig: PollerRig) -> None:
    """It reads old jobs, and the poll that it belongs to may have read the latest ones minutes before."""
    rig.sources.watch(rig.source, since=ClockReading(NOON - 100 * HOUR))
    rig.provider.jobs = [make_job(f"j{n}", started=NOON - 600 - n * 300, lasted=60) for n in range(1000)]
    assert rig.poller.poll(rig.source).is_behind
    rig.provider.after_page = lambda: rig.advance(60)
    rig.poller.poll(rig.source, catch_up=True)
    state = rig.sources.get(rig.source.id)
    assert state
    assert state.polled_at == NOON


def test_a_read_of_minutes_does_not_prove_that_the_clock_is_behind(rig: PollerRig) -> None:
    """A job that started after the first response and before the last one is not in the future."""
    rig.provider.after_page = lambda: rig.advance(60)
    old = [make_job(f"old{n}", started=NOON - 600 * (n + 1), lasted=60) for n in range(100)]
    rig.provider.jobs = [make_job("new", "SYNCING", started=NOON + 500, lasted=None), *old]
    with capture_logs() as logs:
        assert rig.poll()
    assert not [line for line in logs if "behind" in str(line)]


def test_a_host_clock_that_is_behind_does_not_postpone_a_full_reread(rig: PollerRig, clock: FakeClock) -> None:
    """Before the first response, a new process has only the clock of its host."""
    rig.provider.jobs = [make_job(started=NOON - HOUR)]
    rig.poll()
    rig = PollerRig(clock, rig.store)
    rig.provider.jobs = [make_job(started=NOON - HOUR)]
    rig.provider.now = clock.time() + FULL_REREAD_INTERVAL
    rig.poll()
    assert rig.provider.requests[-1] == "jobs since None status None"


def test_a_source_that_counts_from_now_is_polled(rig: PollerRig) -> None:
    """Nothing has ended since then, which is not an error."""
    rig.sources.watch(rig.source, since=ClockReading(NOON))
    assert rig.poller.poll(rig.source).succeeded


def test_a_source_found_later_counts_from_when_its_target_was_watched(rig: PollerRig) -> None:
    """Its initial poll counts jobs that ended since, with all their documents; older ones are history."""
    rig.sources.watch(rig.source, since=ClockReading(NOON - HOUR))
    rig.provider.jobs = [
        make_job("new", started=NOON - 1800, lasted=60, added=5),
        make_job("over", started=NOON - 7200, lasted=60, added=7),
        make_job("across", started=NOON - 3660, lasted=120, added=9),
    ]
    published = rig.poll()
    assert published
    assert published.history
    assert published.history.completed == {"SUCCEEDED": 2}
    assert published.history.documents["added"] == 5


@pytest.mark.parametrize("restarts", [False, True])
def test_a_clock_that_was_ahead_for_hours_is_corrected_by_the_process_that_has_read_it(
    rig: PollerRig,
    clock: FakeClock,
    restarts: bool,  # noqa: FBT001 (a parameter of the test)
) -> None:
    """In another process, the clock of the host may have been set meanwhile, so nothing is proved."""
    rig.provider.now = NOON + 2 * HOUR
    rig.poll()
    job = make_job("ended", started=NOON + HOUR, lasted=60)
    clock.advance(6 * HOUR)
    if restarts:
        rig = PollerRig(clock, rig.store)
    rig.provider.jobs, rig.provider.now = [job], NOON + 6 * HOUR
    rig.poll()
    assert rig.observer.ended_jobs == ([] if restarts else [job.execution_id])


def test_failing_credentials_are_not_logged_for_each_source(rig: PollerRig) -> None:
    """They are logged once for the target, where they are obtained."""
    other = make_source(2)
    rig.sources.watch(other)
    rig.provider.error = ProviderError(Reason.CREDENTIALS, "expired")
    with capture_logs() as logs:
        for source in (rig.source, other, rig.source):
            rig.poller.poll(source)
        rig.provider.error = None
        for source in (rig.source, other):
            rig.poller.poll(source)
    assert logs == []
    assert rig.observer.failures == [Reason.CREDENTIALS] * 3


def test_a_date_that_is_wrong_again_makes_no_history_count(rig: PollerRig, clock: FakeClock) -> None:
    """The requests that explain jobs read it after the jobs have proved that it is behind."""

    def explain(_: SourceId, job: SyncJob, _warnings: list[str]) -> SyncJob:
        rig.provider.clock.update(formatdate(clock.time() - 2 * HOUR, usegmt=True))
        return structs.replace(job, needs_explanation=False)

    service = replace(QBUSINESS, permissions=(*QBUSINESS.permissions, Permission("GetJob", Use.SYNC_JOB, 3)))
    source = replace(rig.source, id=SourceId(service, rig.source.id.path))
    rig.provider.clock.update(formatdate(clock.time() - 2 * HOUR, usegmt=True))
    rig.sources.watch(source, since=rig.provider.clock.read())
    rig.provider.now -= 2 * HOUR
    rig.provider.explain = explain  # type: ignore[attr-defined]
    rig.provider.jobs = [structs.replace(make_job(started=NOON - HOUR, lasted=60), needs_explanation=True)]
    rig.poller.poll(source)
    assert rig.observer.ended_jobs == []


@pytest.mark.parametrize("wrong_by", [-2 * HOUR, 2 * HOUR])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_date_that_is_wrong_in_part_of_the_first_poll_makes_no_history_count(
    rig: PollerRig,
    wrong_by: float,
    is_first: bool,  # noqa: FBT001 (a parameter of the test)
) -> None:
    """Jobs that ended before the poll are history, and jobs that end after it count."""
    jobs = [
        make_job(f"old-{number}", started=NOON - HOUR - number, lasted=60) for number in range(QBUSINESS.page_size + 1)
    ]
    rig.provider.jobs, rig.provider.now = jobs, NOON + (wrong_by if is_first else 0.0)

    def jump() -> None:
        rig.provider.now = NOON + (0.0 if is_first else wrong_by)

    rig.provider.after_page = jump
    rig.poll()
    rig.provider.after_page, rig.provider.now = (lambda: None), NOON
    rig.advance(60)
    rig.provider.jobs = [make_job("new", started=NOON + 10, lasted=20), *jobs]
    rig.poll()
    rig.advance(60)
    rig.poll()
    assert rig.observer.ended_jobs == [make_job("new").execution_id]
