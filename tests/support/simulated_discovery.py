"""A reconciler in front of a simulated Amazon Q Business over HTTP, with an observer that records."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from exporter.aws import AwsClient
from exporter.config import PollingConfig, parse_target
from exporter.discovery.filters import SourceFilters
from exporter.discovery.reconciler import Reconciler, RunResult, Scope
from exporter.discovery.tag_cache import TagCache
from exporter.discovery.tag_keys import TagKeys
from exporter.providers.qbusiness.service import QBUSINESS
from exporter.providers.registry import make_provider
from exporter.runtime import System
from exporter.simulator.apis import api_of
from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex
from exporter.simulator.server import SimulatedEndpoint
from tests.support.builders import NOON, FakeClock
from tests.support.contexts import RecordingPublisher, make_context
from tests.support.manual_clock import ManualClock
from tests.support.simulated_target import RecordingObserver, timeout_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.domain.clock_check import ClockReading
    from exporter.domain.model import DataSource, Description
    from exporter.domain.service import Service
    from exporter.domain.snapshots import SavedSource
    from exporter.store import Store

COMPLETE = RunResult(complete=True, reached_aws=True)
PARTIAL = RunResult(complete=False, reached_aws=True)


class RecordingDiscoveryObserver:
    """Records the sources that it is notified of; those in `polled_elsewhere` belong to another target."""

    def __init__(self) -> None:
        self.sources: dict[str, ClockReading | None] = {}
        self.described: dict[str, tuple[str, Description | None]] = {}
        self.polled_elsewhere: set[str] = set()
        self.stopping = False

    def source_added(self, source: DataSource, since: ClockReading | None, saved: SavedSource | None) -> str | None:  # noqa: ARG002 (the protocol's)
        """Record the source, or return the target that polls it."""
        if source.name in self.polled_elsewhere:
            return "other"
        self.sources[str(source.name)] = since
        return None

    def describe(self, source: DataSource, index: str, listed: Description | None) -> None:
        """Record the description."""
        self.described[str(source.name)] = (index, listed)

    def source_removed(self, source: DataSource) -> None:
        """Remove the source."""
        del self.sources[str(source.name)]


def two_applications() -> Fleet:
    """Build 17 sources in two applications; the first index has two pages of sources."""
    many = SimulatedIndex(
        "main", [SimulatedDataSource(f"doc-{number:02}", tags={"team": "hr"}) for number in range(14)]
    )
    few = SimulatedIndex(
        "archive", [SimulatedDataSource("old-s3", "S3"), SimulatedDataSource("old-wiki", "CONFLUENCEV2", "UPDATING")]
    )
    other = SimulatedIndex("knowledge", [SimulatedDataSource("faq", "WEBCRAWLERV2", tags={"team": "support"})])
    return Fleet([SimulatedApplication("intranet", [many, few]), SimulatedApplication("support", [other])])


class SimulatedDiscovery:
    """A reconciler in front of a simulated service.

    `kind` is the fault that a test injects, which decides the timeout. `now` is the time at the start. `discovery` are
    keys of the configuration; None disables discovery.
    """

    def __init__(  # noqa: PLR0913 (what a test may vary)
        self,
        store: Store,
        fleet: Fleet | None = None,
        discovery: dict[str, Any] | None = None,
        *,
        objective_tags: frozenset[str] = frozenset(),
        named: tuple[DataSource, ...] = (),
        kind: str = "",
        target: str = "production",
        now: float = NOON,
        service: Service = QBUSINESS,
    ) -> None:
        self.fleet = fleet or two_applications()
        self.service = SimulatedEndpoint(self.fleet, ManualClock(now), api_of(service.name))
        self.clock = FakeClock()
        self.store = store
        self.observer = RecordingDiscoveryObserver()
        self.publisher = RecordingPublisher()
        address = {"region": "us-east-1", "endpoint_url": self.service.url}
        config = parse_target({**address, "service": service.name, "discovery": discovery or {}})
        polling = PollingConfig.model_validate({"timeout": timeout_for(kind)})
        provider = make_provider(service, AwsClient(config, polling, RecordingObserver(), System()))
        context = make_context(provider, self.store, self.clock, self.publisher, target, service)
        self.location = context.location
        settings = None if discovery is None else config.discovery
        filters = SourceFilters(settings) if settings else None
        scope = Scope(filters, named, TagKeys.of(settings, objective_tags))
        tags = TagCache(provider, self.clock, 900.0, 5.0)
        self.reconciler = Reconciler(context, self.observer, scope, tags)

    @property
    def names(self) -> set[str]:
        """The names of the watched sources."""
        return set(self.observer.sources)

    def run(self) -> RunResult:
        """Run discovery once."""
        return self.reconciler.reconcile()

    def operations(self) -> dict[str, int]:
        """Return the number of requests by operation since the last call."""
        counts = Counter(logged.call.operation for logged in self.service.requests)
        self.service.requests.clear()
        return dict(counts)


@pytest.fixture
def discovery(request: pytest.FixtureRequest, store: Store) -> Iterator[SimulatedDiscovery]:
    """Yield a discovery of all sources, with a timeout that suits the parameter `kind` of the test."""
    parameters = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    simulated = SimulatedDiscovery(store, discovery={}, kind=parameters.get("kind", ""))
    with simulated.service:
        yield simulated
