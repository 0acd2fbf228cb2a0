"""`backfill`: past sync jobs as OpenMetrics with timestamps, up to where the state says that watching began."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from itertools import chain, islice, takewhile, zip_longest
from typing import TYPE_CHECKING, Any

import structlog
from tqdm import tqdm

from exporter.app.dependencies import Overrides
from exporter.app.exporter import Exporter
from exporter.backfill import Replay, Spool
from exporter.cli.config_files import read
from exporter.cli.output import atomic_output, wait_for_first_pass
from exporter.domain.history import CountingPolicy, recency_key
from exporter.errors import ProviderError
from exporter.metrics import SourceFamilies
from exporter.metrics.telemetry import Telemetry
from exporter.polling.lookback import read_for_backfill
from exporter.providers.qbusiness.provider import QBusiness
from exporter.store import Store

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Iterator

    from exporter.app.target import Target
    from exporter.domain.model import SyncJob
    from exporter.domain.snapshots import SourceSnapshot
    from exporter.domain.source_history import PollData
    from exporter.providers import JobPage

MAX_PAGES = 20_000  # of one data source's jobs: one every quarter of an hour for five years
LOOKBACK = 300.0  # seconds for which Prometheus goes on showing a sample that no other follows
CLOCK_ERROR = 5.0  # seconds
HEAD = 3 * 3600.0  # seconds that Prometheus keeps in memory: started again, only what is newer than its newest block

_BAR: Any = {"disable": None, "leave": False}  # none where stderr is no terminal

logger = structlog.get_logger()


def run(arguments: Namespace) -> int:
    """Write the past of every data source; gives 1 where any of it is missing."""
    loaded = read(arguments)
    for warning in loaded.warnings:
        logger.warning("unwise configuration", problem=str(warning))
    if arguments.step > LOOKBACK:
        logger.warning("samples more than 5m apart leave holes: Prometheus looks back no further for one")
    config, began = loaded.config, time.monotonic()
    replay = Replay(
        SourceFamilies(config.polling.window, config.objectives),
        CountingPolicy(config.polling.window, config.metrics.duration_buckets),
        arguments.step,
        dict(arguments.label),
    )
    # Whoever watches goes on meanwhile, and keeps the state file: it is only looked at.
    overrides = Overrides(open_state=partial(Store, as_copy=True))
    exporter = Exporter(config, [], telemetry=Telemetry(of_process=False), overrides=overrides)
    with atomic_output(arguments.output) as write, Spool(arguments.step) as spool:
        try:
            exporter.start_polling()
            wait_for_first_pass(exporter)
            exporter.stop_polling()
            past = _BackfillRun(replay, spool, arguments.since, config.polling.window)
            past.read(exporter, config.polling.concurrency)
            past.conclude(time.monotonic() - began)
            with tqdm(desc="writing", unit=" samples", unit_scale=True, total=spool.samples, **_BAR) as bar:
                write(spool.pieces(bar.update))
        finally:
            exporter.stop()
    return 1 if past.missing else 0


class _BackfillRun:
    """The past of all data sources, on its way from AWS to the spool."""

    def __init__(self, replay: Replay, spool: Spool, since: float | None, window: float) -> None:
        self._replay = replay
        self._spool = spool
        self._since = since
        self._window = window
        self._told: list[SourceSnapshot] = []
        self._nothing = 0
        self._stopped = False
        self._now = 0.0
        self.missing = 0

    def read(self, exporter: Exporter, at_once: int) -> None:
        """Read every data source's jobs, a few at a time, and put by what they tell."""
        snapshots = exporter.snapshots()
        waiting = [list(self._readable(target, snapshots)) for target in exporter.targets]
        # In turn, so that no target's request budget lies idle until the others are done.
        tasks = [task for task in chain(*zip_longest(*waiting)) if task]
        pool = ThreadPoolExecutor(at_once)
        asked = ((task, pool.submit(self._ask, *task)) for task in tasks)
        try:
            under_way = deque(islice(asked, at_once))
            for _ in tqdm(tasks, desc="reading", unit=" data sources", **_BAR):
                (target, shown), answer = under_way.popleft()
                self._take(target, shown, answer)
                under_way += islice(asked, 1)
        finally:
            self._stopped = True
            pool.shutdown(cancel_futures=True)

    def _readable(self, target: Target, snapshots: Iterable[SourceSnapshot]) -> Iterator[tuple[Target, SourceSnapshot]]:
        """Yield the data sources of a target that could be polled, and take note of what is not among them."""
        self._now = max(self._now, target.aws_client.clock.now())
        if not target.discovery.is_complete and target.settings.target.discovery:
            self._miss(target, "not all of the target could be looked through: data sources may be missing")
        watched = target.poller.watched()
        for shown in snapshots:
            if str(shown.source.id) in watched and shown.poll_succeeded:
                watched.remove(str(shown.source.id))
                yield target, shown
        for source in sorted(watched):
            self._miss(target, "data source could not be read", data_source_id=source.rpartition("/")[2])

    def _ask(self, target: Target, shown: SourceSnapshot) -> PollData:
        provider = QBusiness(target.aws_client, MAX_PAGES)

        def ask(*, since: float | None = None, status: str | None = None) -> Iterator[JobPage]:
            pages = provider.sync_jobs(shown.source.id, since=since, status=status)
            # Whoever interrupts it waits for a request, and not for the end of a listing.
            return takewhile(lambda _: not self._stopped, pages)

        return read_for_backfill(ask, self._moment(target), self._window)

    def _moment(self, target: Target) -> float | None:
        return None if self._since is None else target.aws_client.clock.now() - self._since

    def _take(self, target: Target, shown: SourceSnapshot, answer: Future[PollData]) -> None:
        log = {"data_source": shown.names.data_source, "data_source_id": shown.source.id.data_source_id}
        try:
            reading = answer.result()
        except ProviderError as error:
            self._miss(target, "past sync jobs could not be read", **log, error=str(error))
            return
        for warning in dict.fromkeys(reading.warnings):
            logger.warning("unusable data in the answer", target=target.name, **log, problem=warning)
        # What is still in progress was found by its status, however long ago it began.
        jobs = _each_once((*reading.jobs, *(shown.history.by_start() if shown.history else ())))
        odd = sum(job.is_terminal and job.ended is None for job in jobs)
        if odd:
            logger.warning("jobs have no endTime: told to end where they begin", target=target.name, **log, jobs=odd)
        timeline = self._replay.tell(shown, jobs, self._moment(target))
        if timeline is None:
            self._nothing += 1
        else:
            self._told.append(shown)
            self._spool.put(timeline)

    def _miss(self, target: Target, event: str, **about: str) -> None:
        self.missing += 1
        logger.error(event, target=target.name, **about)

    def conclude(self, took: float) -> None:
        """Say what came of it, and where watching has yet to begin."""
        ends = [shown.history.watched_since for shown in self._told if shown.history]
        unwatched = sum(end > self._now - took - CLOCK_ERROR for end in ends)
        if unwatched:
            logger.warning(
                "not watched yet, so their past ends now: what ends before the exporter runs is counted by nobody",
                data_sources=unwatched,
            )
        if ends and max(ends) > self._now - HEAD:
            logger.warning(
                "the past ends less than three hours ago: give it to Prometheus later, lest that drop what it has",
                not_before=_written(max(ends) + HEAD),
            )
        logger.info(
            "past told",
            data_sources=len(ends),
            without_past=self._nothing,
            missing=self.missing,
            until=_written(max(ends)) if ends else None,
            samples=self._spool.samples,
        )


def _written(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _each_once(jobs: Iterable[SyncJob]) -> list[SyncJob]:
    """Give each job as it was last seen: pages may repeat and shift."""
    return list({job.execution_id: job for job in sorted(jobs, key=recency_key)}.values())
