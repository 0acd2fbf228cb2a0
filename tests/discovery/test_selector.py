"""The data sources that filters select from a simulated service, and the requests for their tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from exporter.domain.model import DataSource
from exporter.simulator.fleet import SimulatedDataSource
from tests.support.builders import source_id
from tests.support.simulated_discovery import COMPLETE, PARTIAL, SimulatedDiscovery, two_applications

if TYPE_CHECKING:
    from exporter.store import Store


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"include": [{"application": "support"}]}, {"faq"}),
        ({"include": [{"index": "arch*"}]}, {"old-s3", "old-wiki"}),
        ({"include": [{"type": "S3"}], "exclude": [{"data_source": "doc-*"}]}, {"old-s3"}),
        ({"include": [{"tags": {"team": "support"}}]}, {"faq"}),
        ({"exclude": [{"tags": {"team": "*"}}]}, {"old-s3", "old-wiki"}),
    ],
)
def test_filters_select_sources(filters: dict[str, Any], names: set[str], store: Store) -> None:
    """Filters match the application, the index, the type, the name and the tags of a source."""
    discovery = SimulatedDiscovery(store, discovery=filters)
    with discovery.service:
        discovery.run()
    assert discovery.names == names


def test_what_no_filter_can_match_is_not_requested(store: Store) -> None:
    """Other applications are not listed, and tags are requested only if the filters depend on them."""
    discovery = SimulatedDiscovery(
        store,
        discovery={"include": [{"application": "support", "tags": {"team": "support"}}]},
    )
    with discovery.service:
        discovery.run()
    assert discovery.operations() == {
        "ListApplications": 1,
        "ListIndices": 1,
        "GetIndex": 1,
        "ListDataSources": 1,
        "ListTagsForResource": 1,
    }


def test_a_tag_label_is_updated_after_an_interval(store: Store) -> None:
    """A tag that is added in AWS is in the description one interval later."""
    discovery = SimulatedDiscovery(
        store,
        discovery={"include": [{"data_source": "old-*"}], "tag_labels": ["team"]},
    )
    with discovery.service:
        discovery.run()
        _, listed = discovery.observer.described["old-s3"]
        assert listed
        assert listed.tags == ()
        discovery.fleet.applications[0].indexes[1].data_sources[0].tags["team"] = "legal"
        discovery.clock.advance(900)
        discovery.run()
        _, listed = discovery.observer.described["old-s3"]
        assert listed
        assert listed.tags == (("team", "legal"),)


@pytest.mark.parametrize("is_named", [True, False])
def test_tags_of_objectives_are_requested(*, is_named: bool, store: Store) -> None:
    """No filter and no label needs them. It makes no difference whether the configuration names the source."""
    fleet = two_applications()
    application, index, faq = next(each for each in fleet.data_sources() if each[2].name == "faq")
    named = DataSource("production", source_id(application.id, index.id, faq.id), name="faq")
    discovery = SimulatedDiscovery(
        store,
        fleet,
        None if is_named else {},
        named=(named,) if is_named else (),
        objective_tags=frozenset({"team"}),
    )
    with discovery.service:
        discovery.run()
    _, listed = discovery.observer.described["faq"]
    assert listed
    assert listed.tags == (("team", "support"),)


def test_a_failed_request_for_tags_adds_and_removes_nothing(store: Store) -> None:
    """A source that was selected by its tags stays, and a new one is added once its tags are known."""
    discovery = SimulatedDiscovery(store, discovery={"include": [{"tags": {"team": "support"}}]})
    with discovery.service:
        discovery.run()
        index = discovery.fleet.applications[1].indexes[0]
        index.data_sources.append(SimulatedDataSource("new", tags={"team": "support"}))
        discovery.clock.advance(5000)
        fault = discovery.service.faults.add("denied", operation="ListTagsForResource")
        with capture_logs() as logs:
            assert discovery.run() == PARTIAL
        assert discovery.names == {"faq"}
        assert len([line for line in logs if line["event"] == "discovery failing"]) == 3  # one per index
        discovery.service.faults.remove(fault)
        assert discovery.run() == COMPLETE
    assert discovery.names == {"faq", "new"}


def test_a_filter_without_a_match_is_logged_once(store: Store) -> None:
    """The first complete run logs it. A filter that matches an application, an index or a tag is not logged."""
    include = [{"application": "intranet"}, {"application": "typo*"}, {"tags": {"team": "hr"}}]
    exclude = [{"application": "support"}, {"data_source": "*-test"}, {"index": "archive"}]
    discovery = SimulatedDiscovery(store, discovery={"include": include, "exclude": exclude})
    with discovery.service, capture_logs() as logs:
        discovery.run()
        discovery.run()
    logged = [line["filter"] for line in logs if line["event"] == "discovery filter matches nothing"]
    assert logged == ["exclude[1] data_source: *-test", "include[1] application: typo*"]
