"""An exposition with one cache of data sources, for tests of what scrapes return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.parser import text_string_to_metric_families

from exporter.domain.counting.history import fold
from exporter.domain.counting.source_history import PollData
from exporter.domain.model import Names
from exporter.domain.snapshots import SourceSnapshot
from exporter.exposition import Exposition, ExpositionCache
from exporter.metrics import SourceFamilies
from exporter.providers.qbusiness.service import QBUSINESS
from exporter.runtime import AwsClock
from tests.support.builders import NOON, POLICY, make_source, scrape

if TYPE_CHECKING:
    from exporter.domain.model import SyncJob
    from tests.support.builders import FakeClock


@dataclass(frozen=True)
class ExpositionPage:
    """A cache, and the exposition that returns its content."""

    cache: ExpositionCache[SourceSnapshot]
    exposition: Exposition
    clock: FakeClock

    @classmethod
    def empty(cls, clock: FakeClock, families: SourceFamilies | None = None) -> ExpositionPage:
        """Build a page without data sources, and with the live metric `own` of the exporter."""
        registry = CollectorRegistry()
        Gauge("own", "The exporter's clock.", registry=registry).set_function(clock.monotonic)
        cache: ExpositionCache[SourceSnapshot] = ExpositionCache(
            families or SourceFamilies(QBUSINESS, POLICY.window), clock
        )
        return cls(cache, Exposition((cache,), registry), clock)

    def put(self, *jobs: SyncJob, name: str = "hr", polled_at: float = NOON) -> None:
        """Put a data source with these jobs, always the same one."""
        history = fold(None, PollData(jobs, NOON, NOON), POLICY)
        names = Names("intranet", name)
        self.put_snapshot(SourceSnapshot(make_source(), names, history, poll_succeeded=True, polled_at=polled_at))

    def put_snapshot(self, snapshot: SourceSnapshot, key: str = "a") -> None:
        """Put a snapshot, read by AWS's clock."""
        self.cache.put(key, snapshot, AwsClock(self.clock))

    def render(self, accept: str = "", accept_encoding: str = "") -> tuple[bytes, dict[str, str]]:
        """Scrape; return the body and the headers."""
        return scrape(self.exposition, accept, accept_encoding)

    def value(self, name: str, **labels: str) -> float | None:
        """Scrape, and return one sample."""
        return sample_value(self.render()[0], name, **labels)


def sample_value(body: bytes, name: str, **labels: str) -> float | None:
    """Return the first sample with this name and, among others, these labels; None if there is none."""
    for family in text_string_to_metric_families(body.decode()):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return sample.value
    return None
