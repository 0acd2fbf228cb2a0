"""The exporter on virtual time, with its web server, its state file and a simulated account.

Only its clock and its threads are simulated: boto3, sockets, the state file and the scrapes are real. Virtual time does
not advance during a request, so hours of it pass in the time of their requests.
"""

from __future__ import annotations

import gzip
import os
import random
from functools import partial
from http.client import HTTPConnection
from itertools import cycle
from typing import TYPE_CHECKING, Any, Self

from exporter.app.dependencies import Overrides
from exporter.app.exporter import Exporter
from exporter.aws import AwsClient
from exporter.config import Config
from exporter.domain.units import HOUR, MINUTE
from exporter.metrics.telemetry import Telemetry
from simulation.aws_client import VirtualAwsClient
from simulation.virtual_clock import VirtualClock
from simulation.virtual_host import VirtualHost
from tests.suites.soak.account import CONTEXT, AccountProcess, InProcessAccount
from tests.suites.soak.fleet import FleetPlan
from tests.suites.soak.resource_usage import MemoryMeter, ResourceUsage, descriptors, state_size, threads
from tests.suites.soak.scrapers import OPENMETRICS, TEXT, page_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BEGIN = 1_795_478_400.0  # a Monday, 00:00 UTC
TARGET = "soak"
SCRAPE_INTERVAL = 15.0
SCRAPES_PER_CHECK = 10  # the soak checks whether pages are complete in two scrapes out of this number
SCRAPES_PER_STATUS_PAGE = 50
FIRST_PASS_SECONDS = 3.0  # for each data source, in addition to two minutes
LAST_JOB_SECONDS = 0.6  # for each data source, in addition to an hour: until the exporter has read the last job's end


def first_pass_hours(sources: int) -> float:
    """Return the hours after which the exporter has polled each data source once."""
    return (sources * FIRST_PASS_SECONDS + 2 * MINUTE) / HOUR


class SharedClock(VirtualClock):
    """A virtual clock that other processes can read."""

    def __init__(self, start: float, rng: random.Random) -> None:
        self.shared = CONTEXT.RawValue("d", start)
        super().__init__(start, rng)

    @property
    def now(self) -> float:
        """Return seconds since the epoch."""
        return float(self.shared.value)

    @now.setter
    def now(self, moment: float) -> None:
        self.shared.value = moment


class CountingHost(VirtualHost):
    """A virtual host that counts its threads."""

    def alive_threads(self) -> int:
        """Return the number of threads that have started and have not ended."""
        return sum(thread.is_alive() for thread in self._threads)


class Soak:
    """An exporter that watches data sources for hours, while it is scraped at the usual interval."""

    def __init__(self, folder: Path, sources: int, hours: float, *, over_http: bool) -> None:
        self.plan = FleetPlan(sources, BEGIN, BEGIN + first_pass_hours(sources) * HOUR, BEGIN + hours * HOUR)
        self.clock = SharedClock(BEGIN, random.Random(1))
        self.host = CountingHost(self.clock)
        self.account: InProcessAccount | AccountProcess
        connect: Callable[..., AwsClient]
        if over_http:
            self.account, connect = AccountProcess(self.plan, self.clock.shared), AwsClient
            os.environ["AWS_ENDPOINT_URL_STS"] = self.account.url
        else:
            self.account = network = InProcessAccount(self.plan, self.clock)
            connect = partial(VirtualAwsClient, lambda _: network)
        self._state = folder / "state.db"
        target: dict[str, Any] = {"name": TARGET, "region": "us-east-1", "endpoint_url": self.account.url}
        config = Config.model_validate({"targets": [target], "state": {"path": str(self._state)}})
        self._memory = MemoryMeter()
        self.resident_before = self._memory.measure()[1]  # threads of the simulation only
        self._telemetry = Telemetry()
        overrides = Overrides(host=self.host, connect=connect, random=random.Random(1))
        self.exporter = Exporter(config, ["127.0.0.1:0"], telemetry=self._telemetry, overrides=overrides)
        self.exporter.start()
        self._kept_alive = HTTPConnection(*self.exporter.web.addresses[0])
        self._formats = cycle((TEXT, OPENMETRICS))
        self.scrapes = 0
        self.clock.at(BEGIN + SCRAPE_INTERVAL, self._scrape)

    def __enter__(self) -> Self:
        """Return the running soak."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the exporter and the account."""
        self.host.kill()
        self._kept_alive.close()
        self.exporter.web.stop()
        self.account.stop()

    def run(self, samples: int) -> Iterator[ResourceUsage]:
        """Run until the last jobs start, and yield this number of samples at regular intervals."""
        length = self.plan.last_start - BEGIN
        for number in range(1, samples + 1):
            self.clock.run(BEGIN + length * number / samples)
            if self.clock.now >= self.plan.first_start:
                assert not self.exporter.unready(), f"not ready when the first jobs start: {self.exporter.unready()}"
            yield self._sample()

    def finish_jobs(self) -> None:
        """Run until the last jobs have ended and the exporter has read them."""
        self.clock.run(self.plan.last_start + HOUR + self.plan.sources * LAST_JOB_SECONDS)

    def get(self, path: str = "/metrics", accept: str = TEXT, *, keep_alive: bool = False) -> bytes:
        """Send a GET request on a new or on the persistent connection; return the body."""
        connection = self._kept_alive if keep_alive else HTTPConnection(*self.exporter.web.addresses[0])
        headers = {"Accept": accept, "Accept-Encoding": "gzip", "Connection": "keep-alive" if keep_alive else "close"}
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        body = response.read()
        if not keep_alive:
            connection.close()
        assert response.status == 200, body
        return body

    def _scrape(self) -> None:
        self.clock.at(self.clock.now + SCRAPE_INTERVAL, self._scrape)
        self.scrapes += 1
        accept = next(self._formats)
        body = self.get(accept=accept, keep_alive=self.scrapes % 4 >= 2)  # each format on each kind of connection
        if self.scrapes % SCRAPES_PER_CHECK < 2:  # once in each format
            problem = page_problem(gzip.decompress(body), self.plan.sources, accept)
            assert problem is None or self.clock.now < self.plan.first_start, problem
        if self.scrapes % SCRAPES_PER_STATUS_PAGE == 0:
            assert self.get("/"), "the status page is empty"

    def _sample(self) -> ResourceUsage:
        polls, failed = self._telemetry.targets.poll_counts(TARGET)
        assert not failed, f"{failed} of {polls} polls failed, although the account has no faults"
        series = gzip.decompress(self.get()).count(b"\n")
        self.get(
            "/"
        )  # fills the cache of assessments, which is cleared between two status pages: each sample includes all of it
        blocks, resident = self._memory.measure()
        return ResourceUsage(
            hours=(self.clock.now - BEGIN) / HOUR,
            requests=self._requests(),
            polls=polls,
            scrapes=self.scrapes,
            ended=sum(sum(each.history.completed.values()) for each in self.exporter.snapshots() if each.history),
            series=series,
            blocks=blocks,
            resident=resident,
            descriptors=descriptors("self"),
            threads=threads("self") + self.host.alive_threads(),
            state=state_size(self._state),
        )

    def _requests(self) -> int:
        families = (
            each for each in self._telemetry.registry.collect() if each.name == "qbusiness_exporter_api_requests"
        )
        return sum(int(sample.value) for family in families for sample in family.samples)
