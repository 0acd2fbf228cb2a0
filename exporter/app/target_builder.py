"""Builds the parts of a target, and connects them by constructor arguments."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from exporter.app.admission import SourceAdmission
from exporter.app.discovery_run import DiscoveryRun
from exporter.app.observers import CredentialRecorder, PollRecorder, RequestRecorder
from exporter.app.reachability import Reachability
from exporter.app.target import Target
from exporter.app.target_events import MAX_QUEUE_REQUESTS, build_event_receiver, build_event_recorder
from exporter.aws import target_name, target_region
from exporter.aws.rate_limiter import RateLimiter
from exporter.aws.sqs_queue import QUEUE_OPERATIONS
from exporter.discovery.filters import SourceFilters
from exporter.discovery.loop import NAMED_ONLY_INTERVAL, DiscoveryLoop
from exporter.discovery.reconciler import Reconciler, Scope
from exporter.discovery.tag_cache import TagCache
from exporter.discovery.tag_keys import TagKeys
from exporter.documents.loop import DocumentLoop
from exporter.documents.queue import CountQueue
from exporter.domain.model import DataSource
from exporter.domain.service import Use
from exporter.polling.pass_log import PassLog
from exporter.polling.poller import Poller
from exporter.polling.queue import PollQueue
from exporter.polling.queue_entry import Intervals
from exporter.polling.watched_sources import WatchedSources
from exporter.polling.workers import Heartbeat, PollWorkers
from exporter.providers.registry import make_provider
from exporter.target.context import TargetContext
from exporter.target.display_names import DisplayNames
from exporter.target.location import TargetLocation
from exporter.target.publisher import CachePublisher
from exporter.target.reporting_gate import ReportingGate

if TYPE_CHECKING:
    from exporter.app.dependencies import SharedServices
    from exporter.app.settings import TargetSettings
    from exporter.config import PollingConfig, TargetConfig
    from exporter.store.table_store import TableStore

RETRY_SLEEPS = 10.0  # the longest time that the SDK sleeps between the attempts of one request, in seconds


def build_target(
    settings: TargetSettings, services: SharedServices, store: TableStore, replaces: Target | None = None
) -> Target:
    """Build a target; raise ExporterError if its configuration cannot be used.

    `store` has the state of the target. `replaces` is a target that this one replaces, whose AWS clock and rate limiter
    it uses.
    """
    config, polling, overrides = settings.target, settings.polling, services.overrides
    host, random = overrides.host, overrides.random
    service, published, metrics = config.service, services.published, services.telemetry.targets
    name, region = target_name(config), target_region(config)
    location = TargetLocation(name, service.name, region, store, lambda: aws_client.partition)
    gate = ReportingGate()
    reachability = Reachability(name, metrics, host, lambda: workers.poll_another())  # noqa: PLW0108 (built below)
    passes, heartbeat = PassLog(name, host), Heartbeat(host)
    limiter = replaces.rate_limiter if replaces else RateLimiter(polling.requests_per_second, host, services.stopping)

    observe_requests = partial(
        RequestRecorder,
        name,
        metrics=metrics,
        passes=passes,
        reachability=reachability,
        heartbeat=heartbeat,
        gate=gate,
    )
    requests = observe_requests(
        limiter,
        background_operations=service.background_operations,
        optional_operations=service.optional_operations,
        poll_operation=service.action(Use.SYNC_JOBS),
    )
    queue_requests = observe_requests(
        RateLimiter(MAX_QUEUE_REQUESTS, host, services.stopping), background_operations=QUEUE_OPERATIONS
    )
    spacing = 1 / polling.requests_per_second
    credentials = CredentialRecorder(
        name,
        metrics,
        reachability,
        lambda apart: workers.poll_all(apart),  # noqa: PLW0108 (the workers are built below)
        spacing,
        lambda: discovery_loop.retry(),  # noqa: PLW0108 (the same)
    )
    before = replaces.aws_client if replaces else None
    aws_client = overrides.connect(config, polling, requests, host, before, credentials)
    provider = make_provider(service, aws_client)
    context = TargetContext(
        target=name,
        service=service,
        provider=provider,
        store=store,
        names=DisplayNames(store, host),
        clock=host,
        location=location,
        publisher=CachePublisher(published.sources(service), published.containers(service), aws_client.clock, gate),
    )
    filters = SourceFilters(config.discovery) if config.discovery else None
    tag_keys = TagKeys.of(config.discovery, settings.objective_tags)
    polls = PollRecorder(name, metrics, passes, reachability, gate)
    counts_documents = settings.documents_interval > 0
    sources = WatchedSources(
        context,
        settings.policy,
        tag_keys.labels,
        services.objectives,
        counts_documents=counts_documents,
        make_lock=host.lock,
    )
    poller = Poller(context, sources, polls, settings.policy)
    event_recorder = build_event_recorder(
        settings,
        services,
        gate,
        lambda seconds: workers.use_idle_interval(seconds),  # noqa: PLW0108 (the workers are built below)
        replaces,
    )
    intervals = Intervals(polling.interval, event_recorder.idle_interval)
    workers = PollWorkers(
        PollQueue(intervals, spacing, random, polling.concurrency),
        poller.poll,
        workers=polling.concurrency,
        max_request_seconds=_max_request_seconds(aws_client.max_request_seconds, polling),
        host=host,
        heartbeat=heartbeat,
        on_pass_end=lambda: gate.report(_log_pass, passes, workers, sources, limiter),
    )
    stopping = host.event()
    admission = SourceAdmission(
        name, sources, workers, services.ownership, context.publisher, store, stopping, host.lock()
    )
    interval = config.discovery.interval if config.discovery else NAMED_ONLY_INTERVAL
    named = _named_sources(config, name)
    tags = TagCache(provider, host, interval, polling.requests_per_second)
    reconciler = Reconciler(context, admission, Scope(filters, named, tag_keys), tags)
    discovery = DiscoveryRun(context, reconciler, sources, metrics, aws_client.account, stopping, gate)
    discovery_loop = DiscoveryLoop(discovery, interval, polling.interval / 4, host, random, stopping)
    event_receiver = build_event_receiver(
        settings, services, context, aws_client, queue_requests, admission, event_recorder, stopping
    )
    documents = DocumentLoop(name, provider, sources, CountQueue(settings.documents_interval), host, stopping)
    target = Target(
        name=name,
        settings=settings,
        services=services,
        store=store,
        named=named,
        location=location,
        gate=gate,
        reachability=reachability,
        rate_limiter=limiter,
        aws_client=aws_client,
        sources=sources,
        workers=workers,
        admission=admission,
        reconciler=reconciler,
        discovery=discovery,
        discovery_loop=discovery_loop,
        document_loop=documents if counts_documents else None,
        event_recorder=event_recorder,
        event_receiver=event_receiver,
    )
    location.changed = target.apply_location
    return target


def _max_request_seconds(of_attempts: float, polling: PollingConfig) -> float:
    """Return the longest duration of a request, with credentials, all attempts, their pauses, and the rate limiter."""
    return polling.timeout + of_attempts + RETRY_SLEEPS + 1 / polling.requests_per_second


def _log_pass(passes: PassLog, workers: PollWorkers, sources: WatchedSources, limiter: RateLimiter) -> None:
    passes.end_pass(
        data_sources=workers.watched(),
        syncing=sources.syncing(),
        lag_seconds=round(workers.lag(), 3),
        requests_per_second_allowed=round(limiter.allowed_rate(), 3),
    )


def _named_sources(config: TargetConfig, target: str) -> tuple[DataSource, ...]:
    return tuple(
        DataSource(
            target=target,
            id=config.source_id(source),
            root=source.root,
            name=source.name,
            labels=tuple(sorted(source.labels.items())),
        )
        for source in config.data_sources
    )
