"""The exporter on virtual time for a week, scraped every two minutes, as input for promtool."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from exporter.app.dependencies import Overrides
from exporter.app.exporter import Exporter
from exporter.domain.units import HOUR, MINUTE
from exporter.metrics.telemetry import Telemetry
from exporter.store import MEMORY
from simulation.aws_client import VirtualAwsClient
from simulation.credential_source import CredentialSource
from simulation.services import QBUSINESS
from simulation.settings import config_of
from simulation.simulated_account import SimulatedAccount
from simulation.trace import Trace
from simulation.virtual_clock import VirtualClock
from simulation.virtual_host import VirtualHost

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporter.simulator.fleet import Fleet

MONDAY = 1_795_392_000.0  # 00:00 UTC
SCRAPE_INTERVAL = 2 * MINUTE  # promtool loads at most 10,000 samples of one series, and a rule looks back seven days
SCRAPED_AS = 'instance="a",job="qbusiness"'
ABSENT = "_"


@dataclass
class Recording:
    """The samples of the series that rules use, one for each scrape, in the notation of promtool.

    promtool counts time from 0, so metrics whose names end with `_timestamp_seconds` are moved by the first time.
    `labels` are the labels of the scrape. `gone` is the first value of a series that ends.
    """

    names: frozenset[str]
    begins: float = MONDAY
    labels: str = SCRAPED_AS
    gone: str = f"{ABSENT}x1"
    scrapes: int = 0
    _runs: dict[str, list[str]] = field(default_factory=dict)
    _current: dict[str, tuple[str, int]] = field(default_factory=dict)
    _lines: frozenset[str] = frozenset()

    def add(self, page: str) -> None:
        """Record a scrape."""
        lines = frozenset(line for line in page.splitlines() if not line.startswith("#"))
        changed = dict(self._sample(line) for line in lines - self._lines)
        gone = {series for series, _ in map(self._sample, self._lines - lines)} - changed.keys()
        for series, value in {**dict.fromkeys(gone, ABSENT), **changed}.items():
            if series.partition("{")[0] in self.names:
                self._end_run(series)
                self._current[series] = (value, self.scrapes)
        self._lines, self.scrapes = lines, self.scrapes + 1

    def input_series(self) -> list[dict[str, str]]:
        """Return the input series of a unit test of promtool."""
        for series in list(self._current):
            self._end_run(series)
        return [{"series": series, "values": " ".join(runs)} for series, runs in self._runs.items()]

    def _end_run(self, series: str) -> None:
        value, begin = self._current.pop(series, (ABSENT, 0))
        if length := self.scrapes - begin:
            # `1x2` is three samples, and `_x2` is two.
            run = self._absence(length) if value == ABSENT else f"{value}x{length - 1}"
            self._runs.setdefault(series, []).append(run)

    def _absence(self, length: int) -> str:
        return f"{self.gone} {ABSENT}x{length - 1}" if length > 1 else self.gone

    def _sample(self, line: str) -> tuple[str, str]:
        series, _, value = line.rpartition(" ")
        name, brace, labels = series.partition("{")
        if name.endswith("_timestamp_seconds"):
            value = repr(float(value) - self.begins)
        return f"{name}{{{self.labels}{',' if brace else ''}{labels or '}'}", value


class Week:
    """One target of the exporter, without a network or threads."""

    def __init__(self, fleet: Fleet, settings: Mapping[str, Any]) -> None:
        """Start the exporter on Monday; `settings` are sections of its configuration."""
        rng = random.Random(1)
        self.clock = VirtualClock(MONDAY, rng)
        trace = Trace(self.clock)
        trace.listen()
        credentials = CredentialSource(self.clock, rng, trace)
        credentials.lifetime = math.inf
        self.account = SimulatedAccount("production", QBUSINESS, fleet, self.clock, rng, trace, credentials)
        target = {"name": "production", "region": "us-east-1", "endpoint_url": self.account.endpoint}
        config = config_of({"targets": [target], "state": {"path": MEMORY}, **settings})
        self._host = VirtualHost(self.clock)
        overrides = Overrides(
            host=self._host, connect=partial(VirtualAwsClient, lambda _target: self.account), random=rng
        )
        self._exporter = Exporter(config, [], telemetry=Telemetry(process_metrics=False), overrides=overrides)
        self._exporter.start_polling()

    def cut_network(self, hour: float, seconds: float) -> None:
        """Cut the network to AWS for some seconds, at an hour of the week."""

        def cut() -> None:
            self.account.cut_until = self.clock.now + seconds

        self.clock.at(MONDAY + hour * HOUR, cut)

    def record(self, hours: float, names: Iterable[str]) -> Recording:
        """Return what Prometheus scrapes within these hours."""
        recording = Recording(frozenset(names))

        def scrape() -> None:
            recording.add(b"".join(self._exporter.page.render("", "")[0]).decode())

        for number in range(int(hours * HOUR / SCRAPE_INTERVAL)):
            self.clock.at(MONDAY + number * SCRAPE_INTERVAL, scrape)
        self.clock.run(MONDAY + hours * HOUR)
        self._host.kill()
        return recording
