"""The life cycle of one target (restore, start, stop, hand over) and its health."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from exporter.status.health import TargetHealth
from exporter.target.source_log import source_fields

if TYPE_CHECKING:
    from exporter.app.admission import SourceAdmission
    from exporter.app.dependencies import SharedServices
    from exporter.app.discovery_run import DiscoveryRun
    from exporter.app.event_recorder import EventRecorder
    from exporter.app.handover import Handover, Inheritance
    from exporter.app.reachability import Reachability
    from exporter.app.settings import TargetSettings
    from exporter.aws import AwsClient
    from exporter.aws.rate_limiter import RateLimiter
    from exporter.discovery.loop import DiscoveryLoop
    from exporter.discovery.reconciler import Reconciler
    from exporter.documents.loop import DocumentLoop
    from exporter.domain.model import DataSource, SourceId
    from exporter.events.receiver import EventReceiver
    from exporter.polling.watched_sources import WatchedSources
    from exporter.polling.workers import PollWorkers
    from exporter.store.table_store import TableStore
    from exporter.target.location import TargetLocation
    from exporter.target.reporting_gate import ReportingGate

logger = structlog.get_logger()


@dataclass(slots=True, eq=False)
class Target:
    """One target with all its parts, which `build_target` connects.

    `named` are the data sources that the configuration names.
    """

    name: str
    settings: TargetSettings
    services: SharedServices
    store: TableStore
    named: tuple[DataSource, ...]
    location: TargetLocation
    gate: ReportingGate
    reachability: Reachability
    rate_limiter: RateLimiter
    aws_client: AwsClient
    sources: WatchedSources
    workers: PollWorkers
    admission: SourceAdmission
    reconciler: Reconciler
    discovery: DiscoveryRun
    discovery_loop: DiscoveryLoop
    document_loop: DocumentLoop | None
    event_recorder: EventRecorder
    event_receiver: EventReceiver | None

    # Life cycle, in order.

    def claim(self) -> None:
        """Claim the named sources, before the discovery of any target finds them."""
        for source in self.named:
            self.services.ownership.claim(source.id, self.name)

    def restore_location(self, known: TargetLocation | None) -> None:
        """Restore the account from the role, from a target with the same access, or from the state."""
        self.location.restore(self.aws_client.role_account(), known)

    def restore(self, inherited: Inheritance) -> None:
        """Publish all sources from the states of replaced targets, or else from the saved state."""
        self.admission.handovers = inherited.handovers
        self.rate_limiter.set_ceiling(self.settings.polling.requests_per_second)
        with self.store.batch():  # otherwise a start from the state of an earlier release would commit for each source
            self._restore_sources(inherited)
        self._start_reporting(inherited)

    def _restore_sources(self, inherited: Inheritance) -> None:
        if self.named:
            self._restore_named(inherited)
        self.reconciler.resume(inherited.reconcilers, inherited.found, inherited.others)

    def _restore_named(self, inherited: Inheritance) -> None:
        saved = {saved.source.id: saved for saved in self.store.saved_sources(self.name, self.location.known)}
        for source in self.named:
            if inherited.is_reload and source.id not in inherited.handovers:
                logger.info("data source added", **source_fields(source))
            self.admission.admit(source, None, saved.get(source.id))

    def _start_reporting(self, inherited: Inheritance) -> None:
        workers, discovered, rate = self.workers, self.reconciler.discovered, self.rate_limiter.allowed_rate
        self.services.telemetry.targets.add(self.name, workers.lag, workers.watched, discovered, rate)
        self.services.telemetry.targets.set_info(self.name, self.settings.target.service.name, self.location.labels)
        if inherited.reachability:
            self.reachability.resume(inherited.reachability)
        if self.event_receiver:
            self.event_recorder.publish()
        else:
            self.services.telemetry.events.remove_target(self.name)
        self.discovery.resume(inherited.discovery)
        self.reachability.publish()

    def apply_location(self) -> None:
        """Continue with the sources of a changed account, and publish the account in all series of the target."""
        self.reconciler.add_saved()
        self.gate.report(
            self.services.telemetry.targets.set_info, self.name, self.settings.target.service.name, self.location.labels
        )
        self.sources.republish_all()

    def start(self, *, is_one_pass: bool = False) -> None:
        """Start polling and discovery, and unless it is for one pass only, the counts of documents and the events.

        A command that ends after one pass must not take events from a queue that another process reads.
        """
        self.admission.handovers = {}
        self.workers.start()
        self.discovery_loop.start()
        if self.document_loop and not is_one_pass:
            self.document_loop.start()
        if self.event_receiver and not is_one_pass:
            self.event_receiver.start()

    def stop(self) -> None:
        """Start no further poll, discovery run or document count, and use no further event; return immediately."""
        self.workers.stop()
        self.discovery_loop.stop()

    def join(self, deadline: float) -> None:
        """Wait for polls and runs in progress until a time on the monotonic clock, then save the times of polls.

        It does not wait for a request for events, which may last LONG_POLL, and whose messages would not be used.
        """
        self.workers.join(deadline)
        self.discovery_loop.join(deadline)
        if self.document_loop:
            self.document_loop.join(deadline)
        self.sources.save_poll_times()

    def stop_and_detach(self) -> dict[SourceId, Handover]:
        """Stop, and return the sources for other targets to continue with.

        Polls, runs and requests in progress then have no effect on state, metrics or the rate limiter.
        """
        self.stop()
        self.aws_client.close()
        detached = self.admission.detach()
        self.gate.close()
        return detached

    # Health.

    def unhealthy(self) -> str | None:
        """Return why polling or discovery does not work; None if both do."""
        events = self.event_receiver.unhealthy() if self.event_receiver else None
        return self.workers.unhealthy() or self.discovery_loop.unhealthy() or events

    def unready(self) -> str | None:
        """Return why the first pass has not ended; None once it has."""
        discovers = self.settings.target.discovery is not None
        return (self.discovery_loop.unready() if discovers else None) or self.workers.unready()

    def has_succeeded(self) -> bool:
        """Return whether a poll has succeeded, or discovery has found that the target has no data sources."""
        return self.workers.has_succeeded() or (self.discovery_loop.has_reached_aws and self.workers.watched() == 0)

    def health(self) -> TargetHealth:
        """Return the target's health for the status page."""
        polled, watched = self.workers.polled()
        polls, failures = self.services.telemetry.targets.poll_counts(self.name)
        return TargetHealth(
            name=self.name,
            service=self.settings.target.service.name,
            account=self.location.account,
            region=self.location.region,
            is_up=self.reachability.is_up,
            last_error=self.reachability.last_error,
            now=self.aws_client.clock.now(),
            data_sources=watched,
            polled=polled,
            polls=polls,
            poll_failures=failures,
            lag=self.workers.lag(),
            request_rate=self.rate_limiter.observed_rate(),
            request_rate_allowed=self.rate_limiter.allowed_rate(),
            request_rate_limit=self.settings.polling.requests_per_second,
            discovers=self.settings.target.discovery is not None,
            discovery_succeeded=self.discovery.outcome(),
            discovered_at=self.discovery.last_success,
            stalled=self.unhealthy(),
            unreadable=self.discovery.unreadable(),
            uncounted=self.sources.uncounted(),
            events_up=self.event_recorder.is_up if self.event_receiver else None,
            events_error=self.event_recorder.last_error,
        )
