"""`backfill`: past sync jobs as OpenMetrics with timestamps, until the exporter started to watch."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import chain, islice, takewhile, zip_longest
from typing import TYPE_CHECKING, Any

import structlog
from tqdm import tqdm

from exporter.app.dependencies import Overrides
from exporter.app.exporter import Exporter
from exporter.app.settings import Settings
from exporter.app.state import open_copy
from exporter.backfill import Replay, Spool
from exporter.cli.config_files import read
from exporter.cli.output import atomic_output
from exporter.cli.progress import wait_for_first_pass
from exporter.cli.signals import DeferredSignals
from exporter.cli.sizes import format_size
from exporter.domain.counting.merged_job import recency_key
from exporter.domain.units import HOUR
from exporter.errors import ProviderError, StartupError
from exporter.metrics.telemetry import Telemetry
from exporter.polling.explainer import Explainer
from exporter.polling.lookback import read_for_backfill
from exporter.providers.registry import make_provider

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterable, Iterator

    from exporter.app.target import Target
    from exporter.domain.counting.source_history import PollData
    from exporter.domain.model import SyncJob
    from exporter.domain.snapshots import SourceSnapshot
    from exporter.providers import JobPage

PROMETHEUS_LOOKBACK = 300.0  # seconds for which Prometheus uses a sample if no other follows
RESPONSE_INTERVAL = 0.02  # seconds between two checks of a request in flight
CLOCK_TOLERANCE = 5.0  # seconds by which AWS's clock and the host's may differ
# Prometheus keeps the last three hours in memory. After a restart, it drops those older than its newest block.
PROMETHEUS_HEAD = 3 * HOUR

_PROGRESS_BAR: Any = {"disable": None, "leave": False}  # None: only if stderr is a terminal

logger = structlog.get_logger()


def run(arguments: Namespace) -> int:
    """Write the samples of every data source; return 1 if any data source is missing."""
    loaded, started = read(arguments), time.monotonic()
    config = loaded.config
    loaded.log_warnings()
    if arguments.step > PROMETHEUS_LOOKBACK:
        logger.warning("--step is longer than 5m, graphs will have gaps: Prometheus looks back 5m for a sample")
    settings = Settings.from_config(config)
    replay = Replay(settings.families, settings.policies, arguments.step, dict(arguments.label))
    # An exporter may use the same state file, so this process works on a copy.
    overrides = Overrides(open_state=open_copy)
    with atomic_output(arguments.output) as write, Spool(arguments.step) as spool:
        exporter = Exporter(config, [], telemetry=Telemetry(process_metrics=False), overrides=overrides)
        with DeferredSignals() as signals:
            try:
                exporter.start_polling()
                wait_for_first_pass(exporter, signals.pause)
                exporter.stop_polling()
                backfill = _BackfillRun(replay, spool, arguments)
                backfill.read(exporter, config.polling.concurrency, signals.pause)
            finally:
                exporter.stop()
        backfill.log_summary(seconds=time.monotonic() - started)
        with tqdm(desc="writing", unit=" samples", unit_scale=True, total=spool.samples, **_PROGRESS_BAR) as bar:
            write(spool.pieces(bar.update))
    return 1 if backfill.missing else 0


class _BackfillRun:
    """Reads the jobs of all data sources, replays them, and stores the samples in the spool."""

    def __init__(self, replay: Replay, spool: Spool, arguments: Namespace) -> None:
        self._replay = replay
        self._spool = spool
        self._since: float | None = arguments.since
        self._max_size: int = arguments.max_size
        self._replayed: list[SourceSnapshot] = []
        self._without_samples = 0
        self._stopped = False
        self._now = 0.0  # on AWS's clock
        self.missing = 0

    def read(self, exporter: Exporter, concurrency: int, pause: Callable[[float], None]) -> None:
        """Read and replay the jobs of every data source, a few data sources at a time.

        Raise StartupError as soon as the output exceeds the limit, before the other jobs are read.
        """
        snapshots = exporter.snapshots()
        by_target = [list(self._readable(target, snapshots)) for target in exporter.targets]
        # The targets take turns, so that each uses its own rate limit from the start.
        sources = [source for source in chain(*zip_longest(*by_target)) if source]
        pool = ThreadPoolExecutor(concurrency)
        requests = ((source, pool.submit(self._read_jobs, *source)) for source in sources)
        try:
            in_flight = deque(islice(requests, concurrency))
            bar = tqdm(sources, desc="reading", unit=" data sources", **_PROGRESS_BAR)
            for number, _ in enumerate(bar, start=1):
                (target, snapshot), response = in_flight.popleft()
                while not response.done():
                    pause(RESPONSE_INTERVAL)
                self._replay_jobs(target, snapshot, response)
                self._check_size(number, len(sources))
                in_flight += islice(requests, 1)
        finally:
            self._stopped = True
            pool.shutdown(cancel_futures=True)

    def _check_size(self, read: int, total: int) -> None:
        if self._spool.size > self._max_size:
            raise StartupError(
                f"--max-size {format_size(self._max_size)} exceeded after {read} of {total} data sources, "
                f"nothing written: all would take about {format_size(self._spool.size * total / read)}; "
                "set a later --since, a longer --step or a larger --max-size, or split the configuration"
            )

    def _readable(self, target: Target, snapshots: Iterable[SourceSnapshot]) -> Iterator[tuple[Target, SourceSnapshot]]:
        """Yield the data sources of a target whose poll succeeded, and report the others as missing."""
        self._now = max(self._now, target.aws_client.clock.now())
        if not target.discovery.is_complete and target.settings.target.discovery:
            self._report_missing(target, "discovery incomplete, data sources may be missing")
        watched = target.sources.ids()
        for snapshot in snapshots:
            if str(snapshot.source.id) in watched and snapshot.poll_succeeded:
                watched.remove(str(snapshot.source.id))
                yield target, snapshot
        for source in sorted(watched):
            self._report_missing(target, "poll failed, data source left out", data_source_id=source.rpartition("/")[2])

    def _read_jobs(self, target: Target, snapshot: SourceSnapshot) -> PollData:
        provider = make_provider(snapshot.source.id.service, target.aws_client)

        def list_jobs(
            *, since: float | None = None, until: float | None = None, status: str | None = None
        ) -> Iterator[JobPage]:
            pages = provider.sync_jobs(snapshot.source.id, since=since, until=until, status=status)
            # After Ctrl-C, this ends after the request in flight, and not after the whole listing.
            return takewhile(lambda _: not self._stopped, pages)

        data = read_for_backfill(list_jobs, self._start_time(target), target.settings.policy.window)
        explainer = Explainer(provider, max_due=None, max_shown=None, is_stopped=lambda: self._stopped)
        return explainer.explain(snapshot.source.id, snapshot.history, data)

    def _start_time(self, target: Target) -> float | None:
        return None if self._since is None else target.aws_client.clock.now() - self._since

    def _replay_jobs(self, target: Target, snapshot: SourceSnapshot, response: Future[PollData]) -> None:
        labels = {"data_source": snapshot.names.data_source, "data_source_id": snapshot.source.id.data_source_id}
        log = logger.bind(target=target.name, **labels)
        try:
            data = response.result()
        except ProviderError as error:
            self._report_missing(
                target, "listing of sync jobs failed, data source left out", **labels, error=str(error)
            )
            return
        for warning in dict.fromkeys(data.warnings):
            log.warning("unusable data in the response", problem=warning)
        # The poll found jobs in progress by their status, including those that started before the backfill begins.
        jobs = _latest_of_each((*data.jobs, *(snapshot.history.jobs_newest_first() if snapshot.history else ())))
        without_end = sum(job.is_terminal and job.ended is None for job in jobs)
        if without_end:
            log.warning("jobs without an end, their start is used instead", jobs=without_end)
        timeline = self._replay.timeline(snapshot, jobs, self._start_time(target))
        if timeline is None:
            self._without_samples += 1
        else:
            self._replayed.append(snapshot)
            self._spool.add(timeline)

    def _report_missing(self, target: Target, event: str, **details: str) -> None:
        self.missing += 1
        logger.error(event, target=target.name, **details)

    def log_summary(self, seconds: float) -> None:
        """Log the totals of the backfill, which took `seconds`, and what the operator must know before loading it."""
        ends = [snapshot.history.watched_since for snapshot in self._replayed if snapshot.history]
        unwatched = sum(end > self._now - seconds - CLOCK_TOLERANCE for end in ends)
        if unwatched:
            logger.warning(
                "data sources not watched yet, their backfill ends now: "
                "jobs that end before the exporter starts are not counted",
                data_sources=unwatched,
            )
        if ends and max(ends) > self._now - PROMETHEUS_HEAD:
            logger.warning(
                "backfill ends less than three hours ago: load it later, or Prometheus drops recent samples",
                not_before=_format_time(max(ends) + PROMETHEUS_HEAD),
            )
        logger.info(
            "backfill prepared",
            data_sources=len(ends),
            without_samples=self._without_samples,
            missing=self.missing,
            until=_format_time(max(ends)) if ends else None,
            samples=self._spool.samples,
            size=format_size(self._spool.size),
        )


def _format_time(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _latest_of_each(jobs: Iterable[SyncJob]) -> list[SyncJob]:
    """Return the last entry of each job, because pages may repeat and shift."""
    return list({job.execution_id: job for job in sorted(jobs, key=recency_key)}.values())
