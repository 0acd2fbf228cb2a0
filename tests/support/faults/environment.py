"""The whole program on a time of its own, in front of a simulated account over real HTTP.

Hours pass in as long as their requests take. What the page shows is looked at every few minutes.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from exporter.app.dependencies import Overrides
from exporter.app.exporter import Exporter
from exporter.config import Config
from exporter.metrics.telemetry import Telemetry
from exporter.simulator.fleet import Fleet, Routine, SimulatedApplication, SimulatedDataSource, SimulatedIndex, make_id
from exporter.simulator.job import DOCUMENT_KINDS, TERMINAL, PlannedJob
from exporter.simulator.server import SimulatedQBusiness
from simulation.virtual_clock import VirtualClock, VirtualHost
from tests.support.builders import HOUR
from tests.support.manual_clock import ManualClock
from tests.support.oracle import all_jobs, expected_totals

if TYPE_CHECKING:
    from collections.abc import Iterable


BEGIN = 1_790_000_000.0
HOST = "qbusiness.test"  # which tests resolve as they like
LOOK_EVERY = 900.0  # seconds between two looks at the page
ROLE = "arn:aws:iam::111122223333:role/reader"
# One entry on a page of each listing, so that every one of them has a later page.
PAGES = {"ListApplications": 1, "ListIndices": 1, "ListDataSources": 1, "ListDataSourceSyncJobs": 3}
Sample = tuple[str, str]


@dataclass(frozen=True)
class Page:
    """A page as scraped: the value of each series, by its whole name."""

    series: dict[str, float]

    @classmethod
    def read(cls, text: str) -> Self:
        """Read the text format, as this program writes it."""
        lines = (line.rpartition(" ") for line in text.splitlines() if line[:1] != "#")
        return cls({name: float(value) for name, _, value in lines})

    def those(self, name: str, *words: str) -> dict[str, float]:
        """Give the series of a family whose labels have all of these words."""
        found = ((series, value) for series, value in self.series.items() if series.startswith(name + "{"))
        return {series: value for series, value in found if all(word in series for word in words)}

    def total(self, name: str, *words: str) -> float:
        """Give the sum of the series of a family whose labels have all of these words."""
        return sum(self.those(name, *words).values())

    def of(self, source: SimulatedDataSource) -> dict[str, float]:
        """Give all that is said of a data source."""
        return {series: value for series, value in self.series.items() if f'data_source_id="{source.id}"' in series}


def _plan(dice: random.Random) -> PlannedJob:
    """Plan a job of a few minutes that ends in any way."""
    outcome = dice.choice(TERMINAL)
    return PlannedJob(
        "",
        0,
        crawl_seconds=dice.uniform(60, 200),
        index_seconds=dice.uniform(30, 100),
        outcome=outcome,
        documents={kind: dice.randint(1, 500) for kind in DOCUMENT_KINDS},
        error_code="InternalError" if outcome == "FAILED" else None,
    )


@dataclass
class Stage:
    """Two applications with three data sources: one works all the time, and others come and go every few minutes."""

    scene: str = "found"  # named: by the configuration; role: found, with credentials that are assumed
    pages: list[Page] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Build the account; nothing is asked of it yet."""
        self.timeline = VirtualClock(BEGIN, random.Random(1))
        self.host = VirtualHost(self.timeline)
        self.began: float | None = None
        self.sources = {name: self._source(name) for name in ("hr", "it", "wiki")}
        self.indexes = [
            SimulatedIndex("main", [self.sources["hr"], self.sources["it"]]),
            SimulatedIndex("archive"),
            SimulatedIndex("faq", [self.sources["wiki"]]),
        ]
        self.fleet = Fleet(
            [SimulatedApplication("intranet", self.indexes[:2]), SimulatedApplication("support", self.indexes[2:])]
        )
        clock: Any = _ServiceClock(self.timeline)
        self.service = SimulatedQBusiness(self.fleet, clock)
        self.service.api.page_sizes = dict(PAGES)
        if self.scene == "role":
            self.service.api.sts.lifetime = 1800.0
        self.exporter: Exporter | None = None
        self._was_ready = False

    def _source(self, name: str) -> SimulatedDataSource:
        # A job that began before it is watched, has nothing to count, and keeps it busy.
        stuck = PlannedJob(make_id("stuck", name), self.timeline.now - HOUR, HOUR, 0, None)
        return SimulatedDataSource(name, jobs=[stuck], tags={"team": name})

    def __enter__(self) -> Self:
        """Let the service answer."""
        self.service.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the program, and the service."""
        self.stop()

    def stop(self) -> None:
        """Stop the program, and the service."""
        self.host.kill()
        self.service.stop()

    def start(self) -> None:
        """Start the program."""
        overrides = Overrides(host=self.host, random=random.Random(1))
        config = Config.model_validate(self._config())
        self.exporter = Exporter(config, [], telemetry=Telemetry(of_process=False), overrides=overrides)
        self.exporter.start_polling()

    def begin_jobs(self) -> None:
        """Let jobs come and go, and one go on for ever; all are counted from the first time on."""
        now = self.timeline.now
        self.began = now if self.began is None else self.began
        for source in self.sources.values():
            source.routine = Routine(f"{source.name} {now}", now + 30, 700, _plan)
            if not any(job.outcome is None for job in source.jobs):
                source.jobs.append(PlannedJob(make_id("stuck", source.name, now), now, HOUR, 0, None))

    def _config(self) -> dict[str, Any]:
        endpoint = self.service.url.replace("http", "https" if self.service.tls else "http")
        endpoint = endpoint.replace("127.0.0.1", HOST)
        target: dict[str, Any] = {"name": "test", "region": "us-east-1", "endpoint_url": endpoint}
        if self.scene == "named":
            target["data_sources"] = [
                {"application_id": application.id, "index_id": index.id, "data_source_id": source.id}
                for application, index, source in self.fleet.data_sources()
            ]
        else:
            target["discovery"] = {"interval": "30m", "tag_labels": ["team"]}
        if self.scene == "role":
            target["role_arn"] = ROLE
        polling = {"interval": "15m", "idle_interval": "15m", "timeout": "250ms", "concurrency": 1, "window": "30d"}
        return {"targets": [target], "polling": polling, "state": {"path": ":memory:"}}

    def look(self) -> Page:
        """Scrape, and see that no counter has fallen, that it is healthy, and that it stays ready once it was."""
        assert self.exporter
        assert self.exporter.unhealthy() is None
        unready = self.exporter.unready()
        assert not (self._was_ready and unready), unready
        self._was_ready = unready is None
        pieces, _ = self.exporter.page.render("", "")
        page = Page.read(b"".join(pieces).decode())
        before = self.pages[-1] if self.pages else page
        fell = (series for series, value in before.series.items() if page.series.get(series, value) < value)
        fallen = [series for series in fell if _is_counter(series)]
        assert not fallen, fallen
        self.pages.append(page)
        return page

    def run(self, seconds: float) -> Page:
        """Let time pass, and look at the page every few minutes."""
        until = self.timeline.now + seconds
        while self.timeline.now < until:
            self.timeline.run(min(self.timeline.now + LOOK_EVERY, until))
            self.look()
        return self.pages[-1]

    def run_until_well(self, patience: float, *, discovered: bool = False) -> float:
        """Let time pass until nothing is wrong; give the seconds that it took.

        All was to be polled since, or else looked through by discovery.
        """
        began = self.timeline.now
        self.look()
        while trouble := self.trouble(polled=0 if discovered else began, discovered=began if discovered else 0):
            assert self.timeline.now - began < patience, f"after {patience:g} s still: {trouble}"
            self.run(180)
        return self.timeline.now - began

    def trouble(self, polled: float = 0, discovered: float = 0) -> str:
        """Say what is wrong on the last page, where all was to have been polled and looked through since a moment."""
        page = self.pages[-1]
        polls = page.those("qbusiness_last_successful_poll_timestamp_seconds")
        round_at = page.total("qbusiness_exporter_last_successful_discovery_timestamp_seconds")
        checks = {
            "data sources are missing": len(polls) == len(self.sources),
            "polls fail": page.total("qbusiness_poll_success") == len(self.sources),
            "not all was polled": all(int(polled) <= at for at in polls.values()),
            "discovery fails": page.total("qbusiness_exporter_discovery_success") == 1,
            "nothing was discovered": round_at >= int(discovered),
            "the target is down": page.total("qbusiness_target_up") == 1,
            "the account is not known": page.total("qbusiness_target_up", 'aws_account_id="111122223333"') == 1,
            "data sources are not described": page.total("qbusiness_data_source_info") == len(self.sources),
            "indexes are missing": len(page.those("qbusiness_index_info")) == self._indexes_watched,
        }
        return ", ".join(trouble for trouble, is_well in checks.items() if not is_well)

    @property
    def _indexes_watched(self) -> int:
        return sum(bool(index.data_sources) or self.scene != "named" for index in self.indexes)

    def finish(self) -> None:
        """Let every job come to its end, and none begin."""
        now = self.timeline.now
        for source in self.sources.values():
            source.jobs, source.routine = source.listed_jobs(now), None
            (stuck,) = (job for job in source.jobs if job.outcome is None)
            source.change(stuck.execution_id, outcome="SUCCEEDED", crawl_seconds=now - stuck.started)

    def wrong(self, sources: Iterable[SimulatedDataSource], *, with_durations: bool = True) -> list[str]:
        """Give what differs from the truth as of now."""
        page, found = self.pages[-1], []
        for source in sources:
            expected = expected_totals(source, self.began or 0.0, self.timeline.now)
            wanted = {f"qbusiness_documents_{kind}_total": n for kind, n in expected.documents.items()}
            shown = {name: page.total(name, source.id) for name in wanted}
            name = "qbusiness_last_successful_sync_timestamp_seconds"
            jobs = all_jobs(source, self.timeline.now)
            ends = [job.ends for job in jobs if job.outcome == "SUCCEEDED" and job.ends <= self.timeline.now]
            wanted[name], shown[name] = round(max(ends, default=0)), round(page.total(name, source.id))
            for status, count in expected.completed.items():
                name = f"qbusiness_sync_jobs_completed_total {status}"
                wanted[name] = count
                shown[name] = page.total("qbusiness_sync_jobs_completed_total", source.id, f'status="{status}"')
            if with_durations:
                for status, seconds in expected.seconds.items():
                    name = f"qbusiness_sync_job_duration_seconds_sum {status}"
                    labels = (source.id, f'status="{status}"')
                    wanted[name] = round(seconds)
                    shown[name] = round(page.total("qbusiness_sync_job_duration_seconds_sum", *labels))
            differ = (name for name in wanted if not _agree(name, shown[name], wanted[name]))
            found += [f"{source.name} {name}: {shown[name]} for {wanted[name]}" for name in differ]
        return found


class _ServiceClock(ManualClock):
    def __init__(self, timeline: VirtualClock) -> None:
        super().__init__(timeline.now)
        self._timeline = timeline

    def now(self) -> float:
        return self._timeline.now


def _agree(name: str, shown: float, wanted: float) -> bool:
    # Seconds are sums of what was rounded to milliseconds.
    return abs(shown - wanted) <= (1 if "_seconds" in name else 0)


def _is_counter(series: str) -> bool:
    return series.partition("{")[0].endswith(("_total", "_count", "_sum", "_bucket"))
