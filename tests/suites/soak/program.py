"""The program on a time of its own: `serve`'s assembly with its web server, in front of an organisation over real HTTP.

Its clocks and its workers are the simulation's, and nothing else: boto3, sockets, the state file and whoever scrapes
are real. Time stands still while something is asked, so hours pass in as long as their requests take.
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
from simulation.virtual_clock import VirtualClock, VirtualHost, VirtualThread
from tests.suites.soak.organisation import CONTEXT, AtHand, Organisation, Plan
from tests.suites.soak.resource_usage import Vitals, descriptors, settled_memory, size_of_state, threads
from tests.suites.soak.scrapers import OPENMETRICS, TEXT, what_is_missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BEGIN = 1_795_478_400.0  # a Monday, 00:00 UTC
TARGET = "soak"
SCRAPED_EVERY = 15.0
READ_WHOLE = 10  # of so many scrapes one is looked at closely
LOOKED_AT = 50  # once in so many scrapes somebody looks at the status page
FIRST_LOOK = 3.0  # seconds for each data source, and two minutes: the first pass is over by then
LAST_LOOK = 0.6  # seconds for each data source, and an hour: by then the last job has ended, and has been read


def first_look(sources: int) -> float:
    """Give the hours in which the first pass is over."""
    return (sources * FIRST_LOOK + 2 * MINUTE) / HOUR


class SharedTimeline(VirtualClock):
    """A timeline that other processes can read."""

    def __init__(self, start: float, dice: random.Random) -> None:
        self.shared = CONTEXT.RawValue("d", start)
        super().__init__(start, dice)

    @property
    def now(self) -> float:
        """Give seconds since the epoch."""
        return float(self.shared.value)

    @now.setter
    def now(self, moment: float) -> None:
        self.shared.value = moment


class Host(VirtualHost):
    """A host that knows how many threads it has."""

    def __init__(self, timeline: VirtualClock) -> None:
        super().__init__(timeline)
        self._made: list[VirtualThread] = []

    def thread(self, name: str, work: Callable[[], None]) -> VirtualThread:
        """Make a thread."""
        thread = super().thread(name, work)
        self._made.append(thread)
        return thread

    def alive(self) -> int:
        """Count the threads that have not ended."""
        return sum(thread.is_alive() for thread in self._made)


class Soak:
    """A program that watches so many data sources for so many hours, and is scraped all the time."""

    def __init__(self, folder: Path, sources: int, hours: float, *, over_http: bool) -> None:
        self.plan = Plan(sources, BEGIN, BEGIN + first_look(sources) * HOUR, BEGIN + hours * HOUR)
        self.timeline = SharedTimeline(BEGIN, random.Random(1))
        self.host = Host(self.timeline)
        self.organisation: AtHand | Organisation
        connect: Callable[..., AwsClient]
        if over_http:
            self.organisation, connect = Organisation(self.plan, self.timeline.shared), AwsClient
            os.environ["AWS_ENDPOINT_URL_STS"] = self.organisation.url
        else:
            self.organisation = at_hand = AtHand(self.plan, self.timeline)
            connect = partial(VirtualAwsClient, lambda _: at_hand)
        self._state = folder / "state.db"
        target: dict[str, Any] = {"name": TARGET, "region": "us-east-1", "endpoint_url": self.organisation.url}
        config = Config.model_validate({"targets": [target], "state": {"path": str(self._state)}})
        self.resident_before = settled_memory()[1]  # the simulation's own
        self._telemetry = Telemetry()
        overrides = Overrides(host=self.host, connect=connect, random=random.Random(1))
        self.exporter = Exporter(config, ["127.0.0.1:0"], telemetry=self._telemetry, overrides=overrides)
        self.exporter.start()
        self._kept_alive = HTTPConnection(*self.exporter.web.addresses[0])
        self._formats = cycle((TEXT, OPENMETRICS))
        self.scrapes = 0
        self.timeline.at(BEGIN + SCRAPED_EVERY, self._scrape)

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Make an end of all of it."""
        self.host.kill()
        self._kept_alive.close()
        self.exporter.web.stop()
        self.organisation.stop()

    def run(self, looks: int) -> Iterator[Vitals]:
        """Let all the time pass in which jobs begin, and give what was found at so many moments of it."""
        length = self.plan.ends - BEGIN
        for look in range(1, looks + 1):
            self.timeline.run(BEGIN + length * look / looks)
            if self.timeline.now >= self.plan.begins:
                assert not self.exporter.unready(), f"jobs begin already, and {self.exporter.unready()}"
            yield self._vitals()

    def settle(self) -> None:
        """Let the last jobs end and be read."""
        self.timeline.run(self.plan.ends + HOUR + self.plan.sources * LAST_LOOK)

    def page(self, accept: str = TEXT, *, afresh: bool = True, path: str = "/metrics") -> bytes:
        """Ask for a page, on a connection of its own or on the one that is kept."""
        connection = HTTPConnection(*self.exporter.web.addresses[0]) if afresh else self._kept_alive
        headers = {"Accept": accept, "Accept-Encoding": "gzip", "Connection": "close" if afresh else "keep-alive"}
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        body = response.read()
        if afresh:
            connection.close()
        assert response.status == 200, body
        return body

    def _scrape(self) -> None:
        self.timeline.at(self.timeline.now + SCRAPED_EVERY, self._scrape)
        self.scrapes += 1
        wanted = next(self._formats)
        body = self.page(wanted, afresh=self.scrapes % 4 < 2)  # both formats on both kinds of connection
        if self.scrapes % READ_WHOLE < 2:
            missing = what_is_missing(gzip.decompress(body), self.plan.sources, wanted)
            assert missing is None or self.timeline.now < self.plan.begins, missing
        if self.scrapes % LOOKED_AT == 0:
            assert self.page(path="/"), "the status page is empty"

    def _vitals(self) -> Vitals:
        polls, failed = self._telemetry.poll_counts(TARGET)
        assert not failed, f"{failed} of {polls} polls failed, and nothing was wrong"
        series = gzip.decompress(self.page()).count(b"\n")
        blocks, resident = settled_memory()
        return Vitals(
            hours=(self.timeline.now - BEGIN) / HOUR,
            requests=self._requests(),
            polls=polls,
            scrapes=self.scrapes,
            ended=sum(sum(each.history.completed.values()) for each in self.exporter.snapshots() if each.history),
            series=series,
            blocks=blocks,
            resident=resident,
            descriptors=descriptors("self"),
            threads=threads("self") + self.host.alive(),
            state=size_of_state(self._state),
        )

    def _requests(self) -> int:
        families = (
            each for each in self._telemetry.registry.collect() if each.name == "qbusiness_exporter_api_requests"
        )
        return sum(int(sample.value) for family in families for sample in family.samples)
