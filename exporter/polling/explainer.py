"""Requests the outcomes of ended jobs, if listings do not report them: a limited number in each poll."""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING

from exporter.domain.counting.content import reached_index
from exporter.domain.counting.eviction import LATEST_JOBS
from exporter.domain.counting.explanation import unexplained, with_explanations, without_outcome
from exporter.domain.service import Use
from exporter.errors import ProviderError, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from exporter.domain.counting.explanation import Unexplained
    from exporter.domain.counting.source_history import PollData, SourceHistory
    from exporter.domain.model import SourceId, SyncJob
    from exporter.providers import Provider

# The number of jobs that one poll explains: jobs to be counted, and jobs that are only shown. A poll that explained
# more would delay the polls of other sources.
MAX_DUE, MAX_SHOWN = 20, 2
MAX_SEARCHED = LATEST_JOBS  # shown jobs that one poll explains until it is known when content last reached the index


class Explainer:
    """Adds outcomes to the jobs of a poll, if the service has an action for this."""

    def __init__(
        self,
        provider: Provider,
        *,
        max_due: int | None = MAX_DUE,
        max_shown: int | None = MAX_SHOWN,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """Explain a limited number of jobs in each call, or all jobs if the limits are None, until `is_stopped`."""
        self._provider = provider
        self._max_due, self._max_shown = max_due, max_shown
        self._is_stopped = is_stopped
        self._named: dict[Reason, str] = {}

    def explain(self, source: SourceId, history: SourceHistory | None, data: PollData) -> PollData:
        """Return the data of a poll with the outcomes of its jobs; raise ProviderError if a request fails.

        AWS would refuse a refused request again. So the outcome of its job stays unknown, and a warning is logged. A
        missing permission is logged once for all data sources.
        """
        if not source.service.has(Use.SYNC_JOB):
            return data
        jobs, warnings = unexplained(history, data), list(data.warnings)
        explained: dict[str, SyncJob] = {}
        for job in takewhile(lambda _: not self._is_stopped(), self._to_explain(history, jobs, explained)):
            explained[job.execution_id] = self._explain(source, job, warnings)
        return replace(with_explanations(history, data, jobs, explained), warnings=tuple(warnings))

    def _to_explain(
        self, history: SourceHistory | None, jobs: Unexplained, explained: Mapping[str, SyncJob]
    ) -> Iterator[SyncJob]:
        """Yield the jobs to explain; the caller adds each of them to `explained`.

        If the latest jobs indexed no content, the search for the last content continues with earlier ones. Otherwise
        alerts would treat the source as one without any content until later polls have explained these jobs.
        """
        yield from jobs.due[: self._max_due]
        for number, job in enumerate(jobs.shown):
            if self._max_shown is not None and number >= self._max_shown:
                is_known = history is not None and history.last_indexed is not None
                is_known |= any(reached_index(each, each.documents) for each in explained.values())
                if is_known or number >= MAX_SEARCHED:
                    return
            yield job

    def _explain(self, source: SourceId, job: SyncJob, warnings: list[str]) -> SyncJob:
        try:
            return self._provider.explain(source, job)
        except ProviderError as error:
            if not error.is_refusal:
                raise
            warning = f"the outcome of ended sync jobs is unknown: {error}"
            # This is atomic, because several threads may see the missing permission at the same time.
            if error.reason is not Reason.ACCESS_DENIED or self._named.setdefault(error.reason, warning) is warning:
                warnings.append(warning)
            return without_outcome(job, str(error))
