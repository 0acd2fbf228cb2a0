"""Properties that listings of Kendra and Bedrock lack: discovery requests them only if something depends on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.domain.units import DAY, HOUR
from exporter.errors import Reason
from exporter.providers.bedrock.service import BEDROCK
from exporter.providers.kendra.service import KENDRA
from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex
from tests.support.builders import NOON
from tests.support.simulated_discovery import COMPLETE, PARTIAL, SimulatedDiscovery

if TYPE_CHECKING:
    from exporter.store import Store

KNOWLEDGE_BASES = ("prod", "test")


def bedrock_fleet(*sources: SimulatedDataSource) -> Fleet:
    """Return a fleet with two knowledge bases, one of them without data sources."""
    prod, test = (SimulatedIndex(name, kind="MANAGED") for name in KNOWLEDGE_BASES)
    prod.data_sources.extend(sources)
    return Fleet([SimulatedApplication("intranet", [prod, test])])


def two_types() -> Fleet:
    """Return a fleet with data sources of two types."""
    return bedrock_fleet(
        SimulatedDataSource("wiki", "MANAGED:CONFLUENCE"), SimulatedDataSource("files", "S3", tags={"team": "hr"})
    )


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"include": [{"type": "CONF*"}]}, {"wiki"}),
        ({"exclude": [{"type": "S3"}]}, {"wiki"}),
        ({"include": [{"type": "CONF*"}, {"data_source": "files"}]}, {"wiki", "files"}),
        ({"include": [{"type": "NONE*"}]}, set()),
    ],
)
def test_a_filter_by_type_selects_by_the_described_type(
    filters: dict[str, object], names: set[str], store: Store
) -> None:
    """ListDataSources of Bedrock has no types. Each source is requested once, and again after an update."""
    discovery = SimulatedDiscovery(store, two_types(), filters, service=BEDROCK)
    with discovery.service:
        assert discovery.run() == COMPLETE
        assert discovery.names == names
        assert discovery.operations()["GetDataSource"] <= 2
        discovery.run()
        assert "GetDataSource" not in discovery.operations()
        changed = next(source for *_, source in discovery.fleet.data_sources() if source.name == "wiki")
        changed.updated += 60
        discovery.run()
        assert discovery.operations()["GetDataSource"] == 1


def test_the_connector_of_a_template_is_its_type(store: Store) -> None:
    """All newer connectors of Kendra are listed as TEMPLATE."""
    index = SimulatedIndex("main", [SimulatedDataSource("wiki", "TEMPLATE:CONFLUENCEV2"), SimulatedDataSource("s3")])
    fleet = Fleet([SimulatedApplication("intranet", [index])])
    discovery = SimulatedDiscovery(store, fleet, {"include": [{"type": "CONF*"}]}, service=KENDRA)
    with discovery.service:
        discovery.run()
        assert discovery.names == {"wiki"}
        assert discovery.operations()["DescribeDataSource"] == 1


def test_without_a_filter_by_type_no_description_is_requested(store: Store) -> None:
    """Names narrow the run before any request for a single knowledge base."""
    discovery = SimulatedDiscovery(store, two_types(), {"include": [{"knowledge_base": "prod"}]}, service=BEDROCK)
    with discovery.service:
        discovery.run()
    assert discovery.names == {"wiki", "files"}
    assert discovery.operations() == {"ListKnowledgeBases": 1, "GetKnowledgeBase": 1, "ListDataSources": 1}


def test_a_source_whose_type_is_refused_stays_as_it_is(store: Store) -> None:
    """A source that was selected by its type stays, and a new one is added once its type is known."""
    discovery = SimulatedDiscovery(store, two_types(), {"include": [{"type": "CONF*"}]}, service=BEDROCK)
    with discovery.service:
        discovery.run()
        (index, *_) = discovery.fleet.applications[0].indexes
        index.data_sources[0].updated += 60
        index.data_sources.append(SimulatedDataSource("new", "MANAGED:CONFLUENCE"))
        discovery.service.faults.add("denied", operation="GetDataSource")
        assert discovery.run() == PARTIAL
        assert discovery.names == {"wiki"}
        discovery.service.faults.clear()
        assert discovery.run() == COMPLETE
    assert discovery.names == {"wiki", "new"}


def test_a_source_that_is_created_later_counts_from_its_creation(store: Store) -> None:
    """Its listing has no creation time. A first job that ended before the run that finds the source must count."""
    first = SimulatedDiscovery(store, bedrock_fleet(SimulatedDataSource("old")), {}, service=BEDROCK)
    with first.service:
        first.run()
        assert "GetDataSource" not in first.operations()
    late = [SimulatedDataSource("late", created=NOON + DAY), SimulatedDataSource("found", created=NOON - DAY)]
    second = SimulatedDiscovery(store, bedrock_fleet(*late), {}, now=NOON + DAY + HOUR, service=BEDROCK)
    with second.service:
        second.service.faults.add("server_error", operation="GetDataSource")
        assert second.run() == PARTIAL
        assert second.names == set()
        second.service.faults.clear()
        assert second.run() == COMPLETE
    since = {name: reading.time for name, reading in second.observer.sources.items() if reading}
    assert since["late"] == NOON + DAY
    assert since["found"] >= NOON + DAY + HOUR


def test_tags_of_a_service_without_arns_need_the_account(store: Store) -> None:
    """No response of Kendra has an ARN. Until STS returns the account, discovery reports a failure; then tags match."""
    source = SimulatedDataSource("files", tags={"team": "hr"})
    fleet = Fleet([SimulatedApplication("intranet", [SimulatedIndex("main", [source], kind="ENTERPRISE_EDITION")])])
    discovery = SimulatedDiscovery(store, fleet, {"include": [{"tags": {"team": "hr"}}]}, service=KENDRA)
    with discovery.service:
        (unreadable,) = discovery.run().unreadable
        assert (unreadable.operation, unreadable.reason) == ("ListTagsForResource", Reason.CONNECTION)
        assert discovery.names == set()
        discovery.location.request(lambda: "111122223333")
        assert discovery.run() == COMPLETE
        assert discovery.names == {"files"}
