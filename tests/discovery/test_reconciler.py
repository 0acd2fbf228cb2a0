"""Discovery runs over HTTP: added and removed sources, and failures that affect nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from exporter.discovery.loop import FAILED
from exporter.domain.model import DataSource
from exporter.domain.unreadable import UnreadableResource
from exporter.errors import Reason
from exporter.simulator.fleet import SimulatedDataSource, make_id
from tests.support.builders import container_id, source_id
from tests.support.simulated_discovery import COMPLETE, PARTIAL, SimulatedDiscovery, two_applications

if TYPE_CHECKING:
    from exporter.simulator.fleet import Fleet
    from exporter.store import Store

LISTINGS = ("ListApplications", "ListIndices", "ListDataSources")


def test_a_run_finds_all_sources_with_their_listed_properties(discovery: SimulatedDiscovery) -> None:
    """All pages are read; a second run sends the same requests, and none for a single source."""
    assert discovery.run() == COMPLETE
    assert len(discovery.names) == 17
    index, listed = discovery.observer.described["old-wiki"]
    assert listed
    assert (index, listed.type, listed.status, listed.schedule) == ("archive", "CONFLUENCEV2", "UPDATING", None)
    index_id = container_id(make_id("application", "support"), make_id("index", "knowledge"))
    published = discovery.publisher.indexes[index_id]
    assert (published.root, published.name) == ("support", "knowledge")
    assert (published.facts.units, published.facts.documents) == (1, 992)
    first = discovery.operations()
    assert first == {"ListApplications": 1, "ListIndices": 2, "GetIndex": 3, "ListDataSources": 4}
    discovery.run()
    assert discovery.operations() == first


def test_filters_that_exclude_every_source_are_a_warning_once(store: Store) -> None:
    """It names the account, the region and the filters, and is repeated after the target had sources again."""
    discovery = SimulatedDiscovery(store, discovery={"include": [{"data_source": "absent*"}]})
    with discovery.service, capture_logs() as logs:
        assert discovery.run() == discovery.run() == COMPLETE
        warnings = [line for line in logs if line["event"] == "no data sources to watch"]
        assert warnings == [
            {
                "event": "no data sources to watch",
                "log_level": "warning",
                "target": "production",
                "account": "111122223333",
                "region": "us-east-1",
                "filters": ["include[0] data_source: absent*"],
                "listed": 17,
            }
        ]
        index = discovery.fleet.applications[1].indexes[0]
        index.data_sources.append(SimulatedDataSource("absent-no-more"))
        discovery.run()
        assert discovery.names == {"absent-no-more"}
        index.data_sources.pop()
        discovery.run()
    assert len([line for line in logs if line["event"] == "no data sources to watch"]) == 2
    assert discovery.reconciler.discovered() == 17


def test_a_partial_run_keeps_the_number_of_discovered_sources(discovery: SimulatedDiscovery) -> None:
    """Only a complete run knows the number."""
    discovery.run()
    discovery.service.faults.add("denied", operation="ListDataSources")
    assert discovery.run() == PARTIAL
    assert discovery.reconciler.discovered() == 17


def test_a_source_is_removed_when_it_is_no_longer_listed(discovery: SimulatedDiscovery) -> None:
    """An index that is no longer listed is removed with its sources, and an application with its indexes."""
    discovery.run()
    del discovery.fleet.applications[0].indexes[0].data_sources[3]
    discovery.run()
    assert len(discovery.names) == 16
    assert "doc-03" not in discovery.names
    del discovery.fleet.applications[0].indexes[1]
    discovery.run()
    assert len(discovery.names) == 14
    assert len(discovery.publisher.indexes) == 2
    del discovery.fleet.applications[1]
    discovery.run()
    assert "faq" not in discovery.names
    assert len(discovery.publisher.indexes) == 1


@pytest.mark.parametrize("operation", LISTINGS)
def test_an_entry_that_shifting_pages_skip_is_not_removed(discovery: SimulatedDiscovery, operation: str) -> None:
    """The listing is requested again, and the entry is removed only if the second one does not contain it either."""
    discovery.service.api.page_sizes = dict.fromkeys(LISTINGS, 1)
    discovery.run()
    discovery.operations()
    discovery.service.faults.add("entry_passed_over", operation=operation, times=1)
    discovery.run()
    assert len(discovery.names) == 17
    assert len(discovery.publisher.indexes) == 3
    with_second_listing = discovery.operations()
    discovery.run()
    assert discovery.operations()[operation] < with_second_listing[operation]
    fault = discovery.service.faults.add("entry_passed_over", operation=operation)
    discovery.run()
    assert len(discovery.names) < 17
    discovery.service.faults.remove(fault)
    assert discovery.run() == COMPLETE
    assert len(discovery.names) == 17


@pytest.mark.parametrize("operation", LISTINGS)
def test_a_listed_entry_without_an_id_removes_nothing(discovery: SimulatedDiscovery, operation: str) -> None:
    """It may be any entry that is missing from the listing. The run is not complete."""
    discovery.run()
    application = discovery.fleet.applications[0]
    index = application.indexes[0]
    entry: Any = {
        "ListApplications": application,
        "ListIndices": index,
        "ListDataSources": index.data_sources[0],
    }[operation]
    identifier, entry.id = entry.id, ""
    assert discovery.run() == PARTIAL
    assert len(discovery.names) == 17
    assert len(discovery.publisher.indexes) == 3
    entry.id = identifier
    assert discovery.run() == COMPLETE


def test_a_new_entry_without_an_id_is_logged_and_the_others_are_added(discovery: SimulatedDiscovery) -> None:
    """A data source without an id cannot be polled, and the log names it."""
    discovery.fleet.applications[1].indexes[0].data_sources.append(SimulatedDataSource("without-id"))
    discovery.fleet.applications[1].indexes[0].data_sources[-1].id = ""
    with capture_logs() as logs:
        assert discovery.run() == PARTIAL
    assert len(discovery.names) == 17
    (line,) = (line for line in logs if line["event"] == "discovery failing")
    assert "entry without dataSourceId ignored" in line["error"]


@pytest.mark.parametrize("operation", ["ListApplications", "ListIndices", "GetIndex", "ListDataSources"])
@pytest.mark.parametrize("kind", ["denied", "throttled", "empty_object", "server_error_html", "not_found", "cut"])
def test_no_error_removes_a_source(discovery: SimulatedDiscovery, operation: str, kind: str) -> None:
    """All sources and indexes stay, and the run is not complete."""
    discovery.run()
    fault = discovery.service.faults.add(kind, operation=operation)
    assert not discovery.run().complete
    assert len(discovery.names) == 17
    assert len(discovery.publisher.indexes) == 3
    discovery.service.faults.remove(fault)
    assert discovery.run() == COMPLETE


def test_a_run_names_what_it_could_not_read(discovery: SimulatedDiscovery) -> None:
    """Each failure has its resource, operation, reason and code. A later run that succeeds has none."""
    intranet, support = discovery.fleet.applications
    index = support.indexes[0]
    discovery.service.faults.add("denied", application_id=intranet.id)
    discovery.service.faults.add("denied", operation="GetIndex", application_id=support.id)
    assert discovery.run().unreadable == (
        UnreadableResource(
            f"application intranet ({intranet.id})", Reason.ACCESS_DENIED, "ListIndices", "AccessDeniedException"
        ),
        UnreadableResource(
            f"figures of index knowledge ({index.id}) of application support ({support.id})",
            Reason.ACCESS_DENIED,
            "GetIndex",
            "AccessDeniedException",
        ),
    )
    discovery.service.faults.clear()
    assert discovery.run().unreadable == ()


@pytest.mark.parametrize("documents", [-1, 10**400])
def test_an_impossible_figure_of_an_index_hides_no_data_source(discovery: SimulatedDiscovery, documents: int) -> None:
    """The last figures stay, the other indexes are read, and the failure is named."""
    index = discovery.fleet.applications[1].indexes[0]
    usual, index.documents = index.documents, documents
    result = discovery.run()
    assert (len(discovery.names), len(discovery.publisher.indexes)) == (17, 2)
    assert [each.resource for each in result.unreadable] == [
        f"figures of index knowledge ({index.id}) of application support ({discovery.fleet.applications[1].id})"
    ]
    index.documents = usual
    assert discovery.run() == COMPLETE
    assert len(discovery.publisher.indexes) == 3


@pytest.mark.parametrize("kind", ["denied", "throttled", "hang", "reset"])
def test_an_application_that_fails_is_logged_once_and_affects_no_other(
    discovery: SimulatedDiscovery, kind: str
) -> None:
    """One more line is logged when it works again."""
    intranet = discovery.fleet.applications[0]
    fault = discovery.service.faults.add(kind, application_id=intranet.id)
    with capture_logs() as logs:
        assert discovery.run() == PARTIAL
        assert discovery.run() == PARTIAL
    assert discovery.names == {"faq"}
    (line,) = (line for line in logs if line["event"] == "discovery failing")
    assert line["resource"] == f"application intranet ({intranet.id})"
    assert line["log_level"] == "warning"
    discovery.service.faults.remove(fault)
    with capture_logs() as logs:
        assert discovery.run() == COMPLETE
    assert [line["resource"] for line in logs if line["event"] == "discovery works again"] == [line["resource"]]
    assert len(discovery.names) == 17


def test_failing_credentials_end_the_run(discovery: SimulatedDiscovery) -> None:
    """No further request is sent, no source is removed, and nothing is logged, because the credential cache logs it."""
    discovery.run()
    discovery.operations()
    discovery.service.faults.add("expired_token")
    with capture_logs() as logs:
        assert discovery.run() == FAILED
        discovery.run()
    assert discovery.operations() == {"ListApplications": 2}
    assert logs == []
    discovery.service.faults.clear()
    with capture_logs() as logs:
        assert discovery.run() == COMPLETE
    assert logs == []
    assert len(discovery.names) == 17


def named_source(fleet: Fleet) -> DataSource:
    """Return the source `old-wiki` under a configured name."""
    application, index, source = next(found for found in fleet.data_sources() if found[2].name == "old-wiki")
    return DataSource("production", source_id(application.id, index.id, source.id), "Intranet", "wiki")


def test_a_named_source_is_described_without_discovery(store: Store) -> None:
    """A run requests the index of a named source and lists its sources. A failed listing keeps the index."""
    fleet = two_applications()
    discovery = SimulatedDiscovery(store, fleet, named=(named_source(fleet),))
    with discovery.service:
        assert discovery.run() == COMPLETE
        assert discovery.names == set()
        index, listed = discovery.observer.described["wiki"]
        assert listed
        assert (index, listed.status) == ("archive", "UPDATING")
        published = [(index.root, index.name) for index in discovery.publisher.indexes.values()]
        assert published == [("Intranet", "archive")]
        assert discovery.operations() == {"GetIndex": 1, "ListDataSources": 1}
        discovery.service.faults.add("denied", operation="ListDataSources")
        assert discovery.run() == PARTIAL
    assert len(discovery.publisher.indexes) == 1
