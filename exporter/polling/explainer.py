"""Requests the outcomes of ended jobs, if listings do not report them: a limited number in each poll."""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING

from exporter.domain.counting.explanation import unexplained, with_explanations, without_outcome
from exporter.domain.service import Use
from exporter.errors import ProviderError, Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.domain.counting.source_history import PollData, SourceHistory
    from exporter.domain.model import SourceId, SyncJob
    from exporter.providers import Provider

# The number of jobs that one poll explains: jobs to be counted, and jobs that are only shown. A poll that explained
# more would delay the polls of other sources.
MAX_DUE, MAX_SHOWN = 20, 2


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
        self._limits = max_due, max_shown
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
        asked = takewhile(lambda _: not self._is_stopped(), jobs.first(*self._limits))
        explained = {job.execution_id: self._explain(source, job, warnings) for job in asked}
        return replace(with_explanations(history, data, jobs, explained), warnings=tuple(warnings))

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
