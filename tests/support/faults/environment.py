"""The whole program on virtual time, connected over real HTTP to a simulated account.

An hour takes as long as its requests. The environment scrapes the program at least every 15 minutes.
"""

from __future__ import annotations

import random
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from exporter.app.dependencies import Overrides
from exporter.app.exporter import Exporter
from exporter.app.state import open_state
from exporter.config import Config
from exporter.domain.service import Use
from exporter.domain.units import HOUR, MINUTE
from exporter.metrics.telemetry import Telemetry
from exporter.simulator.document import SimulatedDocument
from exporter.simulator.fleet import (
    Fleet,
    Routine,
    SimulatedApplication,
    SimulatedDataSource,
    SimulatedIndex,
    make_id,
)
from exporter.simulator.job import DOCUMENT_KINDS, TERMINAL, PlannedJob
from exporter.simulator.server import SimulatedEndpoint
from simulation import services
from simulation.simulated_account import ServiceTime
from simulation.virtual_clock import VirtualClock
from simulation.virtual_host import VirtualHost
from tests.support.faults.page import ScrapedPage

if TYPE_CHECKING:
    from exporter.app.state import State, StateContext
    from exporter.config import StateConfig
    from simulation.services import ServiceTraits

BEGIN = 1_790_000_000.0
HOST = "qbusiness.test"  # a name that tests resolve to the loopback address
SCRAPE_EVERY = 15 * MINUTE
ROLE = "arn:aws:iam::111122223333:role/reader"
# Small pages, so that every listing has a second page.
PAGE_SIZES = {Use.LIST_CONTAINERS: 1, Use.LIST_SOURCES: 1, Use.SYNC_JOBS: 3, Use.DOCUMENTS: 2}
DOCUMENTS = {"INDEXED": 3, "FAILED": 2}


def _plan_job(rng: random.Random) -> PlannedJob:
    """Return a job of a few minutes with a random outcome."""
    outcome = rng.choice(TERMINAL)
    return PlannedJob(
        "",
        0,
        crawl_seconds=rng.uniform(60, 200),
        index_seconds=rng.uniform(30, 100),
        outcome=outcome,
        documents={kind: rng.randint(1, 500) for kind in DOCUMENT_KINDS},
        error_code="InternalError" if outcome == "FAILED" else None,
    )


@dataclass
class Environment:
    """The program and an account of two applications with three data sources.

    Each data source always has one job in progress, and short jobs every few minutes. `mode` is discovered, configured
    (the configuration names the data sources), role (discovered, with credentials of an assumed role) or documents
    (discovered, with counts of documents). `timeout` is the timeout of requests, in real time. If the service has no
    applications, all of their indexes, or knowledge bases, are its outermost containers.
    """

    mode: str = "discovered"
    timeout: str = "30s"
    traits: ServiceTraits = services.QBUSINESS
    pages: list[ScrapedPage] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Create the account and its service."""
        self.clock = VirtualClock(BEGIN, random.Random(1))
        self.host = VirtualHost(self.clock)
        self.counted_since: float | None = None
        self.sources = {name: self._make_source(name) for name in ("hr", "it", "wiki")}
        self.indexes = [
            self._make_index("main", "hr", "it"),
            self._make_index("archive"),
            self._make_index("faq", "wiki"),
        ]
        self.fleet = Fleet(
            [SimulatedApplication("intranet", self.indexes[:2]), SimulatedApplication("support", self.indexes[2:])]
        )
        self.service = SimulatedEndpoint(self.fleet, ServiceTime(self.clock), self.traits.make_api)
        permissions = self.traits.service.permissions
        self.service.api.page_sizes = {
            each.action: PAGE_SIZES[each.use] for each in permissions if each.use in PAGE_SIZES
        }
        if self.mode == "role":
            self.service.sts.lifetime = HOUR / 2
        self.exporter: Exporter | None = None
        self._states = ExitStack()
        self._was_ready = False

    def _make_index(self, name: str, *sources: str) -> SimulatedIndex:
        kind, identifier = self.traits.simulated.index_kind, self.traits.make_id("index", name)
        return SimulatedIndex(name, [self.sources[each] for each in sources], kind=kind, id=identifier)

    def _make_source(self, name: str) -> SimulatedDataSource:
        # A job that started before the watch and has no documents. It keeps the data source active.
        stuck = PlannedJob(make_id("stuck", name), self.clock.now - HOUR, HOUR, 0, None)
        statuses = [status for status, count in DOCUMENTS.items() for _ in range(count)]
        documents = [SimulatedDocument(f"{name}-{n}", status) for n, status in enumerate(statuses)]
        identifier = self.traits.make_id("data source", name)
        return SimulatedDataSource(name, jobs=[stuck], tags={"team": name}, documents=documents, id=identifier)

    def _plan_job(self, rng: random.Random) -> PlannedJob:
        return self.traits.simulated.reported(_plan_job(rng))

    def __enter__(self) -> Self:
        """Start the service."""
        self.service.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the program and the service."""
        self.stop()

    def stop(self) -> None:
        """Stop the program and the service."""
        self.host.kill()
        self._states.close()
        self.service.stop()

    def start(self) -> None:
        """Start the program."""
        overrides = Overrides(host=self.host, random=random.Random(1), open_state=self._open_state)
        config = Config.model_validate(self._config())
        self.exporter = Exporter(config, [], telemetry=Telemetry(process_metrics=False), overrides=overrides)
        self.exporter.start_polling(is_one_pass=self.mode != "documents")

    def _open_state(self, config: StateConfig, context: StateContext) -> State:
        """Open the state, to be closed when the environment stops: the program is killed and does not close it."""
        state = open_state(config, context)
        self._states.callback(state.close)
        return state

    def start_jobs(self) -> None:
        """Start short jobs, and one that does not end. Totals count from the first call on."""
        now = self.clock.now
        self.counted_since = now if self.counted_since is None else self.counted_since
        for source in self.sources.values():
            source.routine = Routine(
                f"{source.name} {now}", now + 30, 700, lambda rng: self.traits.simulated.reported(_plan_job(rng))
            )
            if not any(job.outcome is None for job in source.jobs):
                source.jobs.append(PlannedJob(make_id("stuck", source.name, now), now, HOUR, 0, None))

    def end_jobs(self) -> None:
        """End all jobs, and start none."""
        now = self.clock.now
        for source in self.sources.values():
            source.jobs, source.routine = source.listed_jobs(now), None
            (stuck,) = (job for job in source.jobs if job.outcome is None)
            source.change(stuck.execution_id, outcome="SUCCEEDED", crawl_seconds=now - stuck.started)

    def _config(self) -> dict[str, Any]:
        endpoint = self.service.url.replace("http", "https" if self.service.tls else "http")
        endpoint = endpoint.replace("127.0.0.1", HOST)
        service = self.traits.service.name
        target: dict[str, Any] = {"name": "test", "service": service, "region": "us-east-1", "endpoint_url": endpoint}
        if self.mode == "configured":
            target["data_sources"] = [
                self.traits.ids(application, index, source) for application, index, source in self.fleet.data_sources()
            ]
        else:
            target["discovery"] = {"interval": "30m", "tag_labels": ["team"]}
        if self.mode == "role":
            target["role_arn"] = ROLE
        polling = {
            "interval": "15m",
            "idle_interval": "15m",
            "timeout": self.timeout,
            "concurrency": 1,
            "window": "30d",
        }
        documents = {"interval": "15m" if self.mode == "documents" else "0s"}
        return {"targets": [target], "polling": polling, "documents": documents, "state": {"path": ":memory:"}}

    def scrape(self) -> ScrapedPage:
        """Scrape; assert that the program is healthy, that it stays ready, and that no counter decreased."""
        assert self.exporter
        assert self.exporter.unhealthy() is None
        unready = self.exporter.unready()
        assert not (self._was_ready and unready), unready
        self._was_ready = unready is None
        chunks, _ = self.exporter.page.render("", "")
        page = ScrapedPage.parse(self.traits.service.name, b"".join(chunks).decode())
        decreased = page.decreased_counters(self.pages[-1] if self.pages else page)
        assert not decreased, decreased
        self.pages.append(page)
        return page

    def run(self, seconds: float) -> ScrapedPage:
        """Advance the time, with a scrape at least every 15 minutes; return the last page."""
        until = self.clock.now + seconds
        while self.clock.now < until:
            self.clock.run(min(self.clock.now + SCRAPE_EVERY, until))
            self.scrape()
        return self.pages[-1]

    def run_until_healthy(self, timeout: float, *, discovered: bool = False) -> float:
        """Advance the time until there are no problems; return the seconds that this took.

        It also waits for a poll of every data source, or with `discovered` for a discovery run.
        """
        began = self.clock.now
        self.scrape()
        while problems := self.problems(polled=0 if discovered else began, discovered=began if discovered else 0):
            assert self.clock.now - began < timeout, f"after {timeout:g} s: {problems}"
            self.run(3 * MINUTE)
        return self.clock.now - began

    def problems(self, polled: float = 0, discovered: float = 0) -> str:
        """Return the problems that the last page reports; polls and discovery runs since these times must succeed."""
        page = self.pages[-1]
        polls = page.select("last_successful_poll_timestamp_seconds")
        container = self.traits.service.container.word
        discovered_at = page.total("exporter_last_successful_discovery_timestamp_seconds")
        checks = {
            "data sources are missing": len(polls) == len(self.sources),
            "polls fail": page.total("poll_success") == len(self.sources),
            "data sources were not polled": all(int(polled) <= at for at in polls.values()),
            "discovery fails": page.total("exporter_discovery_success") == 1,
            "discovery did not run": discovered_at >= int(discovered),
            "the target is down": page.total("exporter_target_up") == 1,
            "documents are not counted": not self.uncounted() and (self.mode != "documents" or self._are_counted()),
            "the account id is unknown": page.total("exporter_target_info", 'aws_account_id="111122223333"') == 1,
            "data sources have no description": page.total("data_source_info") == len(self.sources),
            "indexes are missing": len(page.select(f"{container}_info")) == self._watched_indexes,
        }
        return ", ".join(problem for problem, is_good in checks.items() if not is_good)

    def uncounted(self) -> list[str]:
        """Return the data sources whose documents cannot be counted, in words."""
        assert self.exporter
        return [each.resource for target in self.exporter.targets for each in target.health().uncounted]

    def _are_counted(self) -> bool:
        counts = self.pages[-1].select("data_source_documents")
        totals = {status: sum(v for s, v in counts.items() if f'status="{status}"' in s) for status in DOCUMENTS}
        return totals == {status: count * len(self.sources) for status, count in DOCUMENTS.items()}

    @property
    def _watched_indexes(self) -> int:
        return sum(bool(index.data_sources) or self.mode != "configured" for index in self.indexes)

    def wrong_totals(self, *, with_durations: bool = True, with_outcomes: bool = True) -> list[str]:
        """Return the values on the last page that differ from the correct ones."""
        page, since, parts = self.pages[-1], self.counted_since or 0.0, (with_durations, with_outcomes)
        return [
            line
            for source in self.sources.values()
            for line in page.wrong_totals(source, since, self.clock.now, *parts)
        ]
