"""One discovery run of a target, and the result of the last one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.discovery.reconciler import Reconciler, RunResult
    from exporter.domain.unreadable import UnreadableResource
    from exporter.metrics.targets import TargetMetrics
    from exporter.polling.watched_sources import WatchedSources
    from exporter.runtime import Event
    from exporter.target.context import TargetContext
    from exporter.target.reporting_gate import ReportingGate


class DiscoveryRun:
    """Determines the account of a target, reconciles its data sources, and records the result."""

    def __init__(  # noqa: PLR0913, PLR0917 (what it connects)
        self,
        context: TargetContext,
        reconciler: Reconciler,
        sources: WatchedSources,
        metrics: TargetMetrics,
        account: Callable[[], str],
        stopping: Event,
        gate: ReportingGate,
    ) -> None:
        """Create the run; `account` requests the account from STS and may raise ProviderError."""
        self._context = context
        self._reconciler = reconciler
        self._sources = sources
        self._metrics = metrics
        self._account = account
        self._stopping = stopping
        self._gate = gate
        self.last: RunResult | None = None
        """The result of the last run; None before the first."""
        self.last_success: float | None = None
        """The time of the last run that succeeded completely, on AWS's clock."""

    def __call__(self) -> RunResult:
        """Run once."""
        self._context.location.request(self._account)
        result = self._reconciler.reconcile()
        self._context.location.continue_without()
        if not self._stopping.is_set():  # otherwise the run may have ended early
            self._gate.report(self._record, result)
        return result

    def resume(self, before: DiscoveryRun | None) -> None:
        """Continue with the last result of the target that this one continues, if there is one."""
        if before and before.last:
            self.last, self.last_success = before.last, before.last_success
        self._publish()

    def _record(self, result: RunResult) -> None:
        self.last = result
        if result.complete:
            self.last_success = self._context.provider.clock.now()
        self._publish()

    def _publish(self) -> None:
        self._metrics.set_discovery(self._context.target, self.has_succeeded, self.last_success)

    @property
    def is_complete(self) -> bool:
        """Whether the last run could list every part of the target."""
        return bool(self.last and self.last.complete)

    def has_succeeded(self) -> bool:
        """Return whether the last run was complete and every source could be described."""
        return self.is_complete and not self._sources.undescribed()

    def unreadable(self) -> tuple[UnreadableResource, ...]:
        """Return the resources that the last run could not read, and the sources that could not be described since."""
        return (*(self.last.unreadable if self.last else ()), *self._sources.undescribed())

    def outcome(self) -> bool | None:
        """Return whether the last run succeeded completely; None before the first run."""
        return self.has_succeeded() if self.last else None
