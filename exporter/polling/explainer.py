"""Requests the outcomes of ended jobs, if listings do not report them: a limited number in each poll."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice, takewhile
from typing import TYPE_CHECKING

from exporter.domain.counting.content import reached_index
from exporter.domain.counting.eviction import LATEST_JOBS
from exporter.domain.counting.explanation import Unexplained, unexplained, with_explanations, without_outcome
from exporter.domain.model import SyncJobStatus
from exporter.domain.service import Use
from exporter.domain.units import HOUR
from exporter.errors import ProviderError, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from exporter.domain.counting.source_history import PollData, SourceHistory
    from exporter.domain.model import SourceId, SyncJob
    from exporter.providers import Provider
    from exporter.runtime import Clock

# The number of jobs that one poll explains: jobs to be counted, and jobs that are only shown. A poll that explained
# more would delay the polls of other sources.
MAX_DUE, MAX_SHOWN = 20, 2
MAX_SEARCHED = LATEST_JOBS  # further shown jobs that one poll explains to find the last success
NONE = Unexplained()
UNKNOWN_AFTER = HOUR  # seconds of failed requests of a source, after which the outcomes of its jobs count as unknown


class Explainer:
    """Adds outcomes to the jobs of a poll, if the service has an action for this."""

    def __init__(
        self,
        provider: Provider,
        *,
        max_due: int | None = MAX_DUE,
        max_shown: int | None = MAX_SHOWN,
        is_stopped: Callable[[], bool] = lambda: False,
        clock: Clock | None = None,
    ) -> None:
        """Explain a limited number of jobs in each call, or all jobs if the limits are None, until `is_stopped`.

        Without a clock, requests may fail for any time.
        """
        self._provider = provider
        self._clock = clock
        self._failing_since: dict[SourceId, float] = {}
        self._max_due, self._max_shown = max_due, max_shown
        self._is_stopped = is_stopped
        self._named: dict[Reason, str] = {}

    def explain(self, source: SourceId, history: SourceHistory | None, data: PollData) -> PollData:
        """Return the data of a poll with the outcomes of its jobs; raise ProviderError if a request fails.

        AWS would refuse a refused request again. So the outcome of its job stays unknown, and a warning is logged. A
        missing permission is logged once for all data sources.

        Any other failure may end, and a counter cannot be corrected. But polls must not fail forever because of one
        job whose response cannot be read. So after UNKNOWN_AFTER, its outcome stays unknown too.
        """
        if not source.service.has(Use.SYNC_JOB):
            return data
        jobs, warnings = unexplained(history, data), list(data.warnings)
        if jobs == NONE:
            self._failing_since.pop(source, None)
        explained: dict[str, SyncJob] = {}
        for job in takewhile(lambda _: not self._is_stopped(), self._to_explain(history, jobs, explained)):
            explained[job.execution_id] = self._explain(source, job, warnings)
        return replace(with_explanations(history, data, jobs, explained), warnings=tuple(warnings))

    def _to_explain(
        self, history: SourceHistory | None, jobs: Unexplained, explained: Mapping[str, SyncJob]
    ) -> Iterator[SyncJob]:
        """Yield the jobs to explain; the caller adds each of them to `explained`.

        If the last success is not known, the search for it continues with earlier jobs. It must not wait for later
        polls, because old jobs are evicted after this one. Example: 59 syncs have failed since the last success.
        """
        yield from jobs.due[: self._max_due]
        yield from jobs.shown[: self._max_shown]
        earlier = () if self._max_shown is None else jobs.shown[self._max_shown :]
        yield from islice((job for job in earlier if _may_be_last(job, history, explained)), MAX_SEARCHED)

    def _explain(self, source: SourceId, job: SyncJob, warnings: list[str]) -> SyncJob:
        try:
            explained = self._provider.explain(source, job, warnings)
        except ProviderError as error:
            if not error.is_refusal and not self._has_failed_long(source, error):
                raise
            warning = f"the outcome of ended sync jobs is unknown: {error}"
            # This is atomic, because several threads may see the missing permission at the same time.
            if error.reason is not Reason.ACCESS_DENIED or self._named.setdefault(error.reason, warning) is warning:
                warnings.append(warning)
            return without_outcome(job, str(error))
        self._failing_since.pop(source, None)
        return explained

    def _has_failed_long(self, source: SourceId, error: ProviderError) -> bool:
        """Return whether all requests of a source have failed for UNKNOWN_AFTER, and not because of the credentials."""
        if self._clock is None or error.reason is Reason.CREDENTIALS:
            return False
        now = self._clock.monotonic()
        return now - self._failing_since.setdefault(source, now) >= UNKNOWN_AFTER


def _may_be_last(job: SyncJob, history: SourceHistory | None, explained: Mapping[str, SyncJob]) -> bool:
    """Return whether an earlier job may be the last success, or the last job that indexed content.

    A job with failed documents is not a success, but it may have indexed content.
    """
    if job.status != SyncJobStatus.INCOMPLETE:
        return False
    if history and history.last_succeeded is not None:
        return False
    if any(each.status == SyncJobStatus.SUCCEEDED for each in explained.values()):
        return False
    has_content = history is not None and history.last_indexed is not None
    has_content |= any(reached_index(each, each.documents) for each in explained.values())
    return not (has_content and job.documents.failed)
