"""The outcomes of ended jobs are requested once, a limited number in each poll."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from exporter.domain.counting.history import fold
from exporter.domain.model import DocumentCounts, SourceId
from exporter.domain.service import Permission, Use
from exporter.domain.units import HOUR
from exporter.errors import ProviderError, Reason
from exporter.polling.explainer import MAX_DUE, MAX_SEARCHED, MAX_SHOWN, Explainer
from exporter.providers.qbusiness.service import QBUSINESS
from tests.support.builders import NOON, POLICY, FakeClock, make_job, make_poll

if TYPE_CHECKING:
    from typing import Any

    from exporter.domain.model import SyncJob

SERVICE = replace(QBUSINESS, permissions=(*QBUSINESS.permissions, Permission("GetJob", Use.SYNC_JOB, 3)))
SOURCE = SourceId(SERVICE, ("a", "b", "c"))


class ExplainingProvider:
    """Explains jobs, unless a test sets an error."""

    def __init__(self) -> None:
        self.error: ProviderError | None = None
        self.requested: list[str] = []
        self.ignored: set[str] = set()
        self.failed: set[str] = set()
        self.warnings: list[str] = []

    def explain(self, source: SourceId, job: SyncJob, warnings: list[str]) -> SyncJob:
        """Return the job as succeeded, unless it has ignored all of its documents or failed."""
        assert source.service.has(Use.SYNC_JOB)
        warnings += self.warnings
        self.requested.append(job.execution_id.strip("-"))
        if self.error:
            raise self.error
        is_ignored = job.execution_id in self.ignored
        status = job.status if is_ignored or job.execution_id in self.failed else "SUCCEEDED"
        return structs.replace(job, status=status, has_failure_reasons=is_ignored, needs_explanation=False)


@pytest.fixture
def provider() -> ExplainingProvider:
    """Return a provider that explains every job."""
    return ExplainingProvider()


def jobs_from(start: float, count: int) -> tuple[SyncJob, ...]:
    """Build ended jobs, the newest first, in the form of a listing."""
    jobs = [make_job(str(number), "INCOMPLETE", start + number * 60, 30) for number in range(count)]
    return tuple(structs.replace(job, needs_explanation=True) for job in jobs[::-1])


def test_a_long_absence_is_explained_in_steps(provider: Any) -> None:
    """Each poll counts the oldest jobs that it has explained, until all are counted once."""
    explainer, history = Explainer(provider), fold(None, make_poll(), POLICY)
    jobs, counted = jobs_from(NOON + 60, 2 * MAX_DUE + 1), []
    for number in range(3):
        data = explainer.explain(SOURCE, history, make_poll(*jobs, at=NOON + HOUR + number))
        history = fold(history, data, POLICY)
        counted.append(history.completed["SUCCEEDED"])
    assert counted == [MAX_DUE, 2 * MAX_DUE, 2 * MAX_DUE + 1]
    assert provider.requested == [str(number) for number in range(2 * MAX_DUE + 1)]


def test_the_initial_poll_explains_the_latest_jobs_and_later_ones_the_rest(provider: Any) -> None:
    """First polls of many sources stay short."""
    explainer, jobs = Explainer(provider), jobs_from(NOON - HOUR, 2 * MAX_SHOWN)
    history = fold(None, explainer.explain(SOURCE, None, make_poll(*jobs)), POLICY)
    for _ in range(2):
        history = fold(history, explainer.explain(SOURCE, history, make_poll()), POLICY)
    assert provider.requested == [job.execution_id.strip("-") for job in jobs]
    assert {job.status for job in history.jobs_newest_first()} == {"SUCCEEDED"}


def test_the_initial_poll_searches_for_the_last_success(provider: Any) -> None:
    """The search has a limit, and no job is content before its outcome is known, whatever its counts say."""
    jobs = jobs_from(NOON - HOUR, MAX_SHOWN + MAX_SEARCHED + 2)
    jobs = tuple(structs.replace(job, documents=DocumentCounts(scanned=9)) for job in jobs)
    provider.ignored = {job.execution_id for job in jobs} - {jobs[MAX_SHOWN + 1].execution_id}
    history = fold(None, Explainer(provider).explain(SOURCE, None, make_poll(*jobs)), POLICY)
    assert (len(provider.requested), history.last_indexed) == (MAX_SHOWN + 2, jobs[MAX_SHOWN + 1].ended)
    provider.requested, provider.ignored = [], {job.execution_id for job in jobs}
    history = fold(None, Explainer(provider).explain(SOURCE, None, make_poll(*jobs)), POLICY)
    assert (len(provider.requested), history.last_indexed) == (MAX_SHOWN + MAX_SEARCHED, None)


def test_a_success_before_many_failures_is_explained_before_it_is_evicted(provider: Any) -> None:
    """Jobs that cannot be the last success are not explained for the search."""
    start = NOON - 70 * HOUR
    failed = [make_job(f"f{n}", "FAILED", start + (n + 2) * HOUR, 30) for n in range(60)]
    partial = make_job("partial", "INCOMPLETE", start + HOUR, 30, scanned=5, failed=1)
    earlier = make_job("earlier", "INCOMPLETE", start + HOUR / 2, 30, scanned=5, failed=1)
    success = make_job("success", "INCOMPLETE", start, 30, scanned=5)
    jobs = [structs.replace(job, needs_explanation=True) for job in (success, earlier, partial, *failed)]
    provider.failed = {job.execution_id for job in (earlier, partial, *failed)}
    history = fold(None, Explainer(provider).explain(SOURCE, None, make_poll(*jobs[::-1])), POLICY)
    assert provider.requested == ["f59", "f58", "partial", "success"]
    assert (history.last_succeeded, history.last_indexed) == (success.ended, partial.ended)
    assert success.execution_id not in history.jobs


def test_without_limits_all_jobs_are_explained_until_it_is_stopped(provider: Any) -> None:
    """The backfill reads every outcome once, and ends soon after Ctrl-C."""
    explainer = Explainer(provider, max_due=None, max_shown=None, is_stopped=lambda: len(provider.requested) >= 30)
    explainer.explain(SOURCE, None, make_poll(*jobs_from(NOON - HOUR, 40)))
    assert len(provider.requested) == 30


def test_a_refused_outcome_is_a_warning_and_any_other_error_fails_the_poll(provider: Any) -> None:
    """AWS will refuse again. The next poll repeats a throttled request."""
    explainer, history = Explainer(provider), fold(None, make_poll(), POLICY)
    poll = make_poll(*jobs_from(NOON + 60, 2), at=NOON + HOUR)
    provider.error = ProviderError(Reason.THROTTLED, "slow down")
    with pytest.raises(ProviderError, match="slow down"):
        explainer.explain(SOURCE, history, poll)
    provider.error = ProviderError(Reason.ACCESS_DENIED, "denied", operation="GetJob")
    data = explainer.explain(SOURCE, history, poll)
    assert data.warnings == ("the outcome of ended sync jobs is unknown: GetJob: denied",)
    assert fold(history, data, POLICY).completed == {"INCOMPLETE": 2}


@pytest.mark.parametrize(("reason", "is_given_up"), [(Reason.MALFORMED_RESPONSE, True), (Reason.CREDENTIALS, False)])
def test_an_outcome_that_cannot_be_read_for_an_hour_is_unknown(
    provider: Any, reason: Reason, *, is_given_up: bool
) -> None:
    """Polls would fail forever because of one job. Nothing is concluded from refused credentials."""
    clock = FakeClock()
    explainer, history = Explainer(provider, clock=clock), fold(None, make_poll(), POLICY)
    poll = make_poll(*jobs_from(NOON + 60, 2), at=NOON + HOUR)
    provider.error = ProviderError(reason, "not JSON", operation="GetJob")
    for _ in range(60):
        with pytest.raises(ProviderError, match="not JSON"):
            explainer.explain(SOURCE, history, poll)
        clock.advance(60)
    if not is_given_up:
        with pytest.raises(ProviderError, match="not JSON"):
            explainer.explain(SOURCE, history, poll)
        return
    data = explainer.explain(SOURCE, history, poll)
    assert "the outcome of ended sync jobs is unknown: GetJob: not JSON" in data.warnings
    assert fold(history, data, POLICY).completed == {"INCOMPLETE": 2}


@pytest.mark.parametrize("is_explained", [True, False])
def test_the_hour_starts_over_when_nothing_fails(provider: Any, *, is_explained: bool) -> None:
    """A failure must last for an hour, and not only begin and end an hour apart."""
    clock = FakeClock()
    explainer, history = Explainer(provider, clock=clock), fold(None, make_poll(), POLICY)
    poll = make_poll(*jobs_from(NOON + 60, 1), at=NOON + HOUR)
    error = ProviderError(Reason.SERVER_ERROR, "sorry", operation="GetJob")
    for provider.error in (error, None, error):
        jobs = poll if provider.error or is_explained else make_poll()
        with pytest.raises(ProviderError) if provider.error else nullcontext():
            explainer.explain(SOURCE, history, jobs)
        clock.advance(HOUR)


def test_a_missing_permission_is_named_once_for_all_sources(provider: Any) -> None:
    """One line in the log is enough for many data sources. A job that has vanished is named each time."""
    explainer, history = Explainer(provider), fold(None, make_poll(), POLICY)
    poll = make_poll(*jobs_from(NOON + 60, 2), at=NOON + HOUR)
    provider.error = ProviderError(Reason.ACCESS_DENIED, "denied", operation="GetJob")
    sources = [SourceId(SERVICE, ("a", "b", name)) for name in "cde"]
    assert [len(explainer.explain(source, history, poll).warnings) for source in sources] == [1, 0, 0]
    provider.error = ProviderError(Reason.NOT_FOUND, "gone", operation="GetJob")
    assert len(explainer.explain(SOURCE, history, poll).warnings) == 2


def test_unusable_parts_of_an_outcome_are_warnings(provider: Any) -> None:
    """The poll succeeds, and the log names them."""
    provider.warnings = ["job 0: failureReasons"]
    data = Explainer(provider).explain(SOURCE, None, make_poll(*jobs_from(NOON - HOUR, 1)))
    assert data.warnings == ("job 0: failureReasons",)


def test_no_outcome_is_requested_if_listings_have_it(provider: Any) -> None:
    """Its polls are as they were read."""
    poll = make_poll(*jobs_from(NOON - HOUR, 1))
    assert Explainer(provider).explain(SourceId(QBUSINESS, SOURCE.path), None, poll) is poll
    assert provider.requested == []
