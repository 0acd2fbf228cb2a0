"""One target put together: its connection, its polls and its discovery, and who hears of what they do."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from exporter.app.dependencies import Handover, Settings, SharedServices
from exporter.aws import is_throttled, was_authorised
from exporter.aws.rate_limiter import RateLimiter
from exporter.discovery.filters import SourceFilters
from exporter.discovery.loop import DiscoveryLoop
from exporter.discovery.reconciler import Reconciler, Scope
from exporter.discovery.tag_cache import TagCache
from exporter.domain.model import DataSource, Location, SourceId
from exporter.domain.snapshots import IndexSnapshot
from exporter.errors import ProviderError, Reason
from exporter.polling.pass_log import PassLog
from exporter.polling.poller import Poller
from exporter.polling.queue import Intervals, PollQueue
from exporter.polling.workers import PollWorkers
from exporter.providers.qbusiness.provider import QBusiness
from exporter.status import TargetHealth
from exporter.target.context import CredentialStatus, TargetContext
from exporter.target.display_names import DisplayNames

if TYPE_CHECKING:
    from exporter.aws import AwsClient
    from exporter.config import TargetConfig
    from exporter.discovery.reconciler import RunResult
    from exporter.domain.model import Description, IndexFacts, IndexId, SyncJob
    from exporter.domain.snapshots import SavedSource, SourceSnapshot

RETRY_SLEEPS = 10.0  # seconds that the SDK sleeps between the attempts of one request, at most
DESCRIBED_EVERY = 900.0  # seconds between two looks at what is named, where nothing is discovered

logger = structlog.get_logger()


class Target:
    """The watch over one target; hears of every attempt, poll and find, and tells telemetry and the page."""

    def __init__(self, settings: Settings, services: SharedServices, before: Target | None = None) -> None:
        """`before` is the target of the same name that this one replaces."""
        polling, target = settings.polling, settings.target
        self.settings = settings
        self._before = before
        self._left: dict[SourceId, Handover] = {}
        self._mutex = threading.Lock()
        self._services = services
        self._telemetry = services.telemetry
        host, dice = services.overrides.host, services.overrides.dice
        self.aws_client: AwsClient = services.overrides.connect(
            target, polling, self, host, before.aws_client if before else None
        )
        self.rate_limiter: RateLimiter = (
            before.rate_limiter if before else RateLimiter(polling.requests_per_second, host, services.stopping)
        )
        self.name = self.aws_client.name
        self._named = _named(target, self.name)
        self._location: Location | None = None
        self._is_located = False
        self.is_up: bool | None = before.is_up if before else None
        self._trouble = ""
        self._round: RunResult | None = None
        self._discovered_at: float | None = None
        provider = QBusiness(self.aws_client)
        context = TargetContext(
            self.name, provider, services.store, DisplayNames(services.store, host), CredentialStatus(self.name), host
        )
        self._filters = SourceFilters(target.discovery) if target.discovery else None
        interval = target.discovery.interval if target.discovery else DESCRIBED_EVERY
        tags = TagCache(provider, host, interval, polling.requests_per_second)
        self.poller = Poller(context, self, settings.policy)
        self.reconciler = Reconciler(context, self, Scope(self._filters, self._named), tags)
        self.discovery_loop = DiscoveryLoop(self._go_round, interval, polling.interval / 4, host, dice)
        self.poll_workers = PollWorkers(
            PollQueue(Intervals(polling.interval, polling.idle_interval), 1 / polling.requests_per_second, dice),
            self.poller.poll,
            workers=polling.concurrency,
            max_request_seconds=self.aws_client.max_request_seconds + RETRY_SLEEPS + 1 / polling.requests_per_second,
            host=host,
            passed=self._passed,
        )
        self._pass = PassLog(self.name, host)

    # Beginning and end.

    def claim(self) -> None:
        """Claim the sources that the configuration names, before any target finds some."""
        for source in self._named:
            self._services.ownership.claim(source.id, self.name)

    def restore(self, left: dict[SourceId, Handover]) -> None:
        """Show what is known from before, as old as it is, and take over what other targets left of it."""
        self._left = left
        self.rate_limiter.change(self.settings.polling.requests_per_second)
        account = self.aws_client.role_account() or self._services.store.account(self.name)
        self._location = Location(account, self.aws_client.region) if account else None
        known = {known.source.id: known for known in self._services.store.known(self.name)}
        for source in self._named:
            if self._before and source.id not in left:
                _log_source("data source added", source)
            self._begin(source, None, known.get(source.id))
        self.reconciler.resume(self._before.reconciler if self._before else None)
        self._telemetry.watch_target(
            self.name, self.poll_workers.lag, self.poll_workers.watched, self.rate_limiter.rate
        )
        self._before = None

    def start(self) -> None:
        """Begin to poll and to look round."""
        self._left = {}
        self.poll_workers.start()
        self.discovery_loop.start()

    def stop(self) -> None:
        """Let nothing new begin; returns at once."""
        self.poll_workers.stop()
        self.discovery_loop.stop()

    def join(self, deadline: float) -> None:
        """Wait for what is under way until a moment of the monotonic clock, and write down how fresh it all is."""
        self.poll_workers.join(deadline)
        self.discovery_loop.join(deadline)
        self.poller.save_poll_times()

    def stop_and_detach(self) -> dict[SourceId, Handover]:
        """Stop, and give what other targets may go on with; what is under way comes to nothing."""
        self.stop()
        entries = self.poll_workers.entries()
        with self._mutex:
            watches = self.poller.detach()
        return {watch.source.id: Handover(watch, entries.get(str(watch.source.id)), self.name) for watch in watches}

    def remove_from_page(self, kept: set[IndexId]) -> None:
        """Show nothing of the target any more, but for the indexes that others show: none takes its place."""
        for index in self.reconciler.shown() - kept:
            self._services.indexes.withdraw(str(index))
        self._telemetry.unwatch_target(self.name)

    def _begin(self, source: DataSource, since: float | None, known: SavedSource | None) -> None:
        left = self._left.pop(source.id, None)
        if left is None:
            self.poller.watch(source, since, known)
        else:
            self.poller.adopt(source, left.watch)
        syncing = self.poller.is_syncing(source.id)
        self.poll_workers.add(source, left.entry if left else None, is_syncing=syncing)

    @property
    def stopping(self) -> bool:
        """Tell whether the end has come."""
        return self.discovery_loop.stopping

    # How it is doing.

    def unhealthy(self) -> str | None:
        """Say why it does not do its work; None when it does."""
        return self.poll_workers.unhealthy() or self.discovery_loop.unhealthy()

    def unready(self) -> str | None:
        """Say why its first pass has not ended; None when it has."""
        return (self.discovery_loop.unready() if self._filters else None) or self.poll_workers.unready()

    def has_succeeded(self) -> bool:
        """Tell whether a poll ever worked, or there was nothing to poll."""
        return self.poll_workers.has_succeeded() or (
            self.discovery_loop.has_reached and self.poll_workers.watched() == 0
        )

    def health(self) -> TargetHealth:
        """Give how it is doing, for the status page."""
        polled, watched = self.poll_workers.polled()
        polls, failures = self._telemetry.polls(self.name)
        return TargetHealth(
            name=self.name,
            account=(self._location.account or None) if self._location else None,
            region=self.aws_client.region,
            is_up=self.is_up,
            trouble=self._trouble,
            now=self.aws_client.clock.now(),
            data_sources=watched,
            polled=polled,
            polls=polls,
            poll_failures=failures,
            lag=self.poll_workers.lag(),
            request_rate=self.rate_limiter.observed_rate(),
            request_rate_allowed=self.rate_limiter.rate(),
            request_rate_limit=self.settings.polling.requests_per_second,
            discovers=self._filters is not None,
            discovery_succeeded=self._has_discovered() if self._round else None,
            discovered_at=self._discovered_at,
            stalled=self.unhealthy(),
        )

    # Heard from the wire.

    def acquire(self) -> None:
        """Hold an attempt back until the request budget allows it."""
        self.rate_limiter.acquire()

    def finished(self, operation: str, code: str, seconds: float) -> None:
        """Count an attempt, and learn from it whether the target lets us in."""
        self.poll_workers.progress()
        self._telemetry.attempt(self.name, operation, code, seconds)
        self._pass.note("requests")
        if is_throttled(code):
            self._pass.note("throttled")
            self.rate_limiter.throttled()
        authorised = was_authorised(operation, code)
        if authorised is not None:
            self._set_up(up=authorised, trouble=f"{operation}: {code}")

    # Heard from polls.

    def polled(self) -> None:
        """Count a poll."""
        self._telemetry.poll(self.name)
        self._pass.note("polls")

    def ended(self, job: SyncJob) -> None:
        """Count a job that ended."""
        self._pass.note("jobs_ended", f"jobs_{job.status.lower()}")

    def failed(self, reason: Reason) -> None:
        """Count a failed poll; without credentials or a role to assume not even an attempt was made."""
        self._telemetry.poll_failed(self.name, reason)
        self._pass.note("failed", f"failed_{reason}")
        if reason in {Reason.CREDENTIALS, Reason.ACCESS_DENIED}:
            self._set_up(up=False, trouble=self._trouble or str(reason))

    def _passed(self) -> None:
        """Say what came of a pass over all sources."""
        self._pass.end(
            data_sources=self.poll_workers.watched(),
            syncing=self.poller.syncing(),
            lag_seconds=round(self.poll_workers.lag(), 3),
            requests_per_second_allowed=round(self.rate_limiter.rate(), 3),
        )

    def publish(self, snapshot: SourceSnapshot) -> None:
        """Show a source on the page."""
        description = snapshot.description
        if description and self._filters:
            description = replace(description, tags=self._filters.shown(description.tags))
        shown = replace(snapshot, description=description, location=self._location)
        self._services.sources.publish(str(snapshot.source.id), shown, self.aws_client.clock)

    # Heard from discovery.

    def source_added(self, source: DataSource, since: float, known: SavedSource | None) -> str | None:
        """Begin to watch a source, unless another target does: that one's name is given."""
        with self._mutex:
            if self.stopping:
                return None
            owner = self._services.ownership.claim(source.id, self.name)
            if owner == self.name:
                self._begin(source, since, known)
        return owner if owner != self.name else None

    def describe(self, source: DataSource, index: str, listed: Description | None) -> None:
        """Pass on what is said of a source."""
        self.poller.describe(source, index, listed)

    def source_removed(self, source: DataSource) -> None:
        """Watch a source no more."""
        self.poll_workers.remove(source)
        if not self.poller.unwatch(source.id):
            return  # another target has it by now
        self._services.sources.withdraw(str(source.id))
        self._services.ownership.release(source.id, self.name)
        log_gone(source)

    def index_updated(self, index: IndexId, application: str, name: str, facts: IndexFacts) -> None:
        """Show an index on the page."""
        if self.stopping:
            return
        location = self._location or Location("", self.aws_client.region)
        shown = IndexSnapshot(index, application, name, facts, location)
        self._services.indexes.publish(str(index), shown, self.aws_client.clock)

    def index_removed(self, index: IndexId) -> None:
        """Show an index no more."""
        if self.stopping:
            return
        self._services.indexes.withdraw(str(index))

    def _go_round(self) -> RunResult:
        self._locate()
        done = self.reconciler.reconcile()
        if self.stopping:
            return done
        when = self.aws_client.clock.now() if done.complete else None
        self._round, self._discovered_at = done, when or self._discovered_at
        self._telemetry.discovered(self.name, self._has_discovered, when)
        return done

    @property
    def is_looked_through(self) -> bool:
        """Tell whether every part of it could be looked into, the last time round."""
        return bool(self._round and self._round.complete)

    def _has_discovered(self) -> bool:
        """Tell whether the last round worked in every part."""
        return bool(self._round and self._round.complete and not self.poller.undescribed())

    def _locate(self) -> None:
        """Find out which account this is, before anything is shown that says so; where nobody tells, go on without."""
        if self._is_located:
            return
        before, store = self._location, self._services.store
        try:
            account = self.aws_client.account()
            self._is_located = True
            store.note_account(self.name, account)
        except ProviderError as error:
            account = store.account(self.name) or ""
            if before is None:
                logger.info("account id not to be had from STS", target=self.name, taken=account, error=str(error))
        self._location = Location(account, self.aws_client.region)
        if self._location != before:
            self._show_up()
            self.poller.republish_all()

    def _set_up(self, *, up: bool, trouble: str) -> None:
        self._trouble = "" if up else trouble
        if up is not self.is_up:
            self.is_up = up
            self._show_up()

    def _show_up(self) -> None:
        if self._location and self.is_up is not None:
            self._telemetry.target_up(self.name, self._location, up=self.is_up)


def log_gone(source: DataSource) -> None:
    """Say that a data source is watched no more."""
    _log_source("data source gone", source)


def _log_source(event: str, source: DataSource) -> None:
    """Say what happened to a data source."""
    logger.info(
        event,
        target=source.target,
        application=source.application,
        data_source=source.name,
        data_source_id=source.id.data_source_id,
    )


def _named(target: TargetConfig, name: str) -> tuple[DataSource, ...]:
    return tuple(
        DataSource(
            target=name,
            id=SourceId(source.application_id, source.index_id, source.data_source_id),
            application=source.application,
            name=source.name,
            labels=tuple(sorted(source.labels.items())),
        )
        for source in target.data_sources
    )
