"""Requests the outcomes of ended jobs that a listing does not report, a limited number in each poll."""

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

# Jobs that one poll explains: those that are counted afterwards, and those that are only shown. A poll with more would
# delay the polls of other sources.
MAX_DUE, MAX_SHOWN = 20, 2


class Explainer:
    """Completes the jobs that a poll has read with their outcomes. Without such an action, it changes nothing."""

    def __init__(
        self,
        provider: Provider,
        *,
        max_due: int | None = MAX_DUE,
        max_shown: int | None = MAX_SHOWN,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """Explain a limited number of jobs at a time, or all if the limits are None, until `is_stopped`."""
        self._provider = provider
        self._limits = max_due, max_shown
        self._is_stopped = is_stopped
        self._named: dict[Reason, str] = {}

    def explain(self, source: SourceId, history: SourceHistory | None, data: PollData) -> PollData:
        """Return what a poll has read with the outcomes of its jobs; raise ProviderError if a request fails.

        A request that AWS refuses will be refused again. So the outcome of its job stays unknown, with a warning. A
        missing permission is named once for all data sources.
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
            # Atomic: several threads may find out at the same time that the permission is missing.
            if error.reason is not Reason.ACCESS_DENIED or self._named.setdefault(error.reason, warning) is warning:
                warnings.append(warning)
            return without_outcome(job, str(error))
