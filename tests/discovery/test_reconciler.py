"""Rounds of discovery over real HTTP: what appears, what goes, and that trouble in one part costs no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from exporter.aws import AwsClient
from exporter.config import DiscoveryConfig, PollingConfig, TargetConfig
from exporter.discovery.filters import SourceFilters
from exporter.discovery.reconciler import Reconciler, RunResult, Scope
from exporter.discovery.tag_cache import TagCache
from exporter.domain.model import DataSource as Watched
from exporter.domain.model import IndexId, SourceId
from exporter.providers.qbusiness.provider import QBusiness
from exporter.runtime import System
from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex, make_id
from exporter.simulator.server import SimulatedQBusiness
from exporter.store import MEMORY, Store
from tests.support.builders import NOON, FakeClock
from tests.support.contexts import RecordingPublisher, make_context
from tests.support.manual_clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.domain.model import Description
    from exporter.domain.snapshots import SavedSource

WHOLE = RunResult(complete=True, reached=True)
PARTLY = RunResult(complete=False, reached=True)


class RequestObserver:
    """Whoever wants to know of every attempt."""

    def acquire(self) -> None:
        """Let it pass."""

    def finished(self, operation: str, code: str, seconds: float) -> None:
        """Let it go."""


class Watching:
    """A watcher that notes what it is told."""

    def __init__(self) -> None:
        self.sources: dict[str, float] = {}
        self.described: dict[str, tuple[str, Description | None]] = {}
        self.elsewhere: set[str] = set()
        self.stopping = False

    def source_added(self, source: Watched, since: float, known: SavedSource | None) -> str | None:  # noqa: ARG002 (the protocol's)
        """Note, unless it is another's."""
        if source.name in self.elsewhere:
            return "other"
        self.sources[str(source.name)] = since
        return None

    def describe(self, source: Watched, index: str, listed: Description | None) -> None:
        """Note."""
        self.described[str(source.name)] = (index, listed)

    def source_removed(self, source: Watched) -> None:
        """Note."""
        del self.sources[str(source.name)]


def organisation() -> Fleet:
    """Build two applications: one with two indexes, of which the first has two pages of sources."""
    many = SimulatedIndex(
        "main", [SimulatedDataSource(f"doc-{number:02}", tags={"team": "hr"}) for number in range(14)]
    )
    few = SimulatedIndex(
        "archive", [SimulatedDataSource("old-s3", "S3"), SimulatedDataSource("old-wiki", "CONFLUENCEV2", "UPDATING")]
    )
    other = SimulatedIndex("knowledge", [SimulatedDataSource("faq", "WEBCRAWLERV2", tags={"team": "support"})])
    return Fleet([SimulatedApplication("intranet", [many, few]), SimulatedApplication("support", [other])])


class Rig:
    """A surveyor over a simulated organisation."""

    def __init__(self, fleet: Fleet, store: Store | None = None, *named: Watched, **discovery: Any) -> None:
        self.fleet = fleet
        self.service = SimulatedQBusiness(fleet, ManualClock(NOON))
        self.clock = FakeClock()
        self.store = store or Store(MEMORY, lambda: None)
        self.watching = Watching()
        target = TargetConfig.model_validate({"region": "us-east-1", "endpoint_url": self.service.url})
        polling = PollingConfig.model_validate({"timeout": "300ms"})
        provider = QBusiness(AwsClient(target, polling, RequestObserver(), System()))
        self.publisher = RecordingPublisher()
        context = make_context(provider, self.store, self.clock, self.publisher)
        rules = None if discovery.pop("off", False) else SourceFilters(DiscoveryConfig.model_validate(discovery))
        tags = TagCache(provider, self.clock, 900.0, 5.0)
        self.reconciler = Reconciler(context, self.watching, Scope(rules, named), tags)

    @property
    def names(self) -> set[str]:
        """Give the names of what is watched."""
        return set(self.watching.sources)

    def operations(self) -> dict[str, int]:
        """Count the requests since the last time."""
        counts: dict[str, int] = {}
        for logged in self.service.requests:
            counts[logged.call.operation] = counts.get(logged.call.operation, 0) + 1
        self.service.requests.clear()
        return counts


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give credentials, and let the SDK sleep between retries no longer than it must."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)


@pytest.fixture
def rig() -> Iterator[Rig]:
    """Give a rig that looks for everything."""
    made = Rig(organisation())
    with made.service:
        yield made


def found_with(**discovery: Any) -> set[str]:
    """Give what one round with these filters finds."""
    rig = Rig(organisation(), **discovery)
    with rig.service:
        rig.reconciler.reconcile()
    return rig.names


def test_everything_is_found_with_what_its_listing_says(rig: Rig) -> None:
    """Over all pages; a steady round is one listing, and asks for no source by itself."""
    assert rig.reconciler.reconcile() == WHOLE
    assert len(rig.names) == 17
    index, listed = rig.watching.described["old-wiki"]
    assert listed
    assert (index, listed.type, listed.status, listed.schedule) == ("archive", "CONFLUENCEV2", "UPDATING", None)
    index_id = IndexId(make_id("application", "support"), make_id("index", "knowledge"))
    published = rig.publisher.indexes[index_id]
    assert (published.application, published.name) == ("support", "knowledge")
    assert (published.facts.units, published.facts.documents) == (1, 992)
    first = rig.operations()
    assert first == {"ListApplications": 1, "ListIndices": 2, "GetIndex": 3, "ListDataSources": 4}
    rig.reconciler.reconcile()
    assert rig.operations() == first


@pytest.mark.parametrize(
    ("discovery", "names"),
    [
        ({"include": [{"application": "support"}]}, {"faq"}),
        ({"include": [{"index": "arch*"}]}, {"old-s3", "old-wiki"}),
        ({"include": [{"type": "S3"}], "exclude": [{"data_source": "doc-*"}]}, {"old-s3"}),
        ({"include": [{"tags": {"team": "support"}}]}, {"faq"}),
        ({"exclude": [{"tags": {"team": "*"}}]}, {"old-s3", "old-wiki"}),
    ],
)
def test_filters_decide(discovery: dict[str, Any], names: set[str]) -> None:
    """By application, index, type, name and tags."""
    assert found_with(**discovery) == names


def test_what_cannot_match_is_not_asked_for() -> None:
    """Filters by application and index spare requests, and tags are asked for only where they decide."""
    rig = Rig(organisation(), include=[{"application": "support", "tags": {"team": "support"}}])
    with rig.service:
        rig.reconciler.reconcile()
    assert rig.operations() == {
        "ListApplications": 1,
        "ListIndices": 1,
        "GetIndex": 1,
        "ListDataSources": 1,
        "ListTagsForResource": 1,
    }


def test_tags_are_labels_when_asked_for_and_are_asked_for_again() -> None:
    """A tag that is given later counts in the next round but one at the latest."""
    rig = Rig(organisation(), include=[{"data_source": "old-*"}], tag_labels=["team"])
    with rig.service:
        rig.reconciler.reconcile()
        _, listed = rig.watching.described["old-s3"]
        assert listed
        assert listed.tags == ()
        rig.fleet.applications[0].indexes[1].data_sources[0].tags["team"] = "legal"
        rig.clock.advance(900)
        rig.reconciler.reconcile()
        _, listed = rig.watching.described["old-s3"]
        assert listed
        assert listed.tags == (("team", "legal"),)


def test_a_source_goes_when_its_listing_no_longer_has_it(rig: Rig) -> None:
    """Or its index's, or its application's; and with them the index's own series."""
    rig.reconciler.reconcile()
    del rig.fleet.applications[0].indexes[0].data_sources[3]
    rig.reconciler.reconcile()
    assert len(rig.names) == 16
    assert "doc-03" not in rig.names
    del rig.fleet.applications[0].indexes[1]
    rig.reconciler.reconcile()
    assert len(rig.names) == 14
    assert len(rig.publisher.indexes) == 2
    del rig.fleet.applications[1]
    rig.reconciler.reconcile()
    assert "faq" not in rig.names
    assert len(rig.publisher.indexes) == 1


LISTINGS = ("ListApplications", "ListIndices", "ListDataSources")


@pytest.mark.parametrize("operation", LISTINGS)
def test_what_shifting_pages_passed_over_has_not_gone(rig: Rig, operation: str) -> None:
    """It is looked for a second time first, and goes when that does not find it either."""
    rig.service.api.page_sizes = dict.fromkeys(LISTINGS, 1)
    rig.reconciler.reconcile()
    rig.operations()
    rig.service.faults.add("entry_passed_over", operation=operation, times=1)
    rig.reconciler.reconcile()
    assert len(rig.names) == 17
    assert len(rig.publisher.indexes) == 3
    asked = rig.operations()
    rig.reconciler.reconcile()
    assert rig.operations()[operation] < asked[operation]
    fault = rig.service.faults.add("entry_passed_over", operation=operation)
    rig.reconciler.reconcile()
    assert len(rig.names) < 17
    rig.service.faults.remove(fault)
    assert rig.reconciler.reconcile() == WHOLE
    assert len(rig.names) == 17


@pytest.mark.parametrize("operation", LISTINGS)
def test_an_entry_without_its_id_loses_nothing(rig: Rig, operation: str) -> None:
    """Nobody can tell whose it is, so nothing that the listing lacks has gone; the round says that it is not whole."""
    rig.reconciler.reconcile()
    application = rig.fleet.applications[0]
    index = application.indexes[0]
    nameless: dict[str, Any] = {
        "ListApplications": application,
        "ListIndices": index,
        "ListDataSources": index.data_sources[0],
    }
    identifier, nameless[operation].id = nameless[operation].id, ""
    assert rig.reconciler.reconcile() == PARTLY
    assert len(rig.names) == 17
    assert len(rig.publisher.indexes) == 3
    nameless[operation].id = identifier
    assert rig.reconciler.reconcile() == WHOLE


@pytest.mark.parametrize("operation", ["ListApplications", "ListIndices", "GetIndex", "ListDataSources"])
@pytest.mark.parametrize("kind", ["denied", "throttled", "empty_object", "server_error_html", "not_found", "cut"])
def test_no_error_loses_a_source(rig: Rig, operation: str, kind: str) -> None:
    """Whatever fails, what was found stays; the round says that it is not whole."""
    rig.reconciler.reconcile()
    fault = rig.service.faults.add(kind, operation=operation)
    done = rig.reconciler.reconcile()
    assert not done.complete
    assert len(rig.names) == 17
    assert len(rig.publisher.indexes) == 3
    rig.service.faults.remove(fault)
    assert rig.reconciler.reconcile() == WHOLE


@pytest.mark.parametrize("kind", ["denied", "throttled", "hang", "reset"])
def test_one_application_in_trouble_is_named_once_and_the_others_go_on(rig: Rig, kind: str) -> None:
    """And named again when it works."""
    intranet = rig.fleet.applications[0]
    fault = rig.service.faults.add(kind, application_id=intranet.id)
    with capture_logs() as logs:
        assert rig.reconciler.reconcile() == PARTLY
        assert rig.reconciler.reconcile() == PARTLY
    assert rig.names == {"faq"}
    (line,) = (line for line in logs if line["event"] == "discovery failing")
    assert line["resource"] == f"application intranet ({intranet.id})"
    assert line["log_level"] == "warning"
    rig.service.faults.remove(fault)
    with capture_logs() as logs:
        assert rig.reconciler.reconcile() == WHOLE
    assert [line["resource"] for line in logs if line["event"] == "discovery works again"] == [line["resource"]]
    assert len(rig.names) == 17


def test_credentials_in_trouble_end_the_round_and_are_named_once(rig: Rig) -> None:
    """Nothing else can work then."""
    rig.reconciler.reconcile()
    rig.service.faults.add("expired_token")
    with capture_logs() as logs:
        assert rig.reconciler.reconcile() == RunResult(complete=False, reached=False)
        rig.reconciler.reconcile()
    assert [line["event"] for line in logs] == ["credentials failing"]
    rig.service.faults.clear()
    with capture_logs() as logs:
        assert rig.reconciler.reconcile() == WHOLE
    assert [line["event"] for line in logs] == ["credentials working again"]
    assert len(rig.names) == 17


def test_tags_that_cannot_be_had_change_nothing() -> None:
    """What was wanted by its tags stays, what was not does not come."""
    rig = Rig(organisation(), include=[{"tags": {"team": "support"}}])
    with rig.service:
        rig.reconciler.reconcile()
        rig.fleet.applications[1].indexes[0].data_sources.append(SimulatedDataSource("new", tags={"team": "support"}))
        rig.clock.advance(5000)
        fault = rig.service.faults.add("denied", operation="ListTagsForResource")
        with capture_logs() as logs:
            assert rig.reconciler.reconcile() == PARTLY
        assert rig.names == {"faq"}
        assert len([line for line in logs if line["event"] == "discovery failing"]) == 3  # an index each
        rig.service.faults.remove(fault)
        assert rig.reconciler.reconcile() == WHOLE
    assert rig.names == {"faq", "new"}


def test_jobs_of_what_is_found_later_count_from_when_the_target_was_first_watched(rig: Rig) -> None:
    """Over restarts too."""
    rig.reconciler.reconcile()
    began = rig.watching.sources["faq"]
    assert NOON <= began < NOON + 5
    again = Rig(rig.fleet, rig.store)
    again.clock.advance(86400)
    with again.service:
        again.fleet.applications[1].indexes[0].data_sources.append(SimulatedDataSource("new"))
        again.reconciler.reconcile()
    assert again.watching.sources["new"] == began


def test_a_filter_that_matches_nothing_is_named_at_the_start() -> None:
    """It is a mistake more often than not; one that matches is not named, wherever it does."""
    include = [{"application": "intranet"}, {"application": "typo*"}, {"tags": {"team": "hr"}}]
    exclude = [{"application": "support"}, {"data_source": "*-test"}, {"index": "archive"}]
    rig = Rig(organisation(), include=include, exclude=exclude)
    with rig.service, capture_logs() as logs:
        rig.reconciler.reconcile()
        rig.reconciler.reconcile()
    named = [line["filter"] for line in logs if line["event"] == "discovery filter matches nothing"]
    assert named == ["exclude[1] data_source: *-test", "include[1] application: typo*"]


def test_what_another_target_watches_is_left_to_it_and_said_once(rig: Rig) -> None:
    """Until that one lets go of it."""
    rig.watching.elsewhere = {"faq"}
    with capture_logs() as logs:
        assert rig.reconciler.reconcile() == WHOLE
        rig.reconciler.reconcile()
    (line,) = (line for line in logs if line["log_level"] == "warning")
    assert (line["data_source"], line["polled_by"]) == ("faq", "other")
    assert "faq" not in rig.names
    rig.watching.elsewhere = set()
    rig.reconciler.reconcile()
    assert "faq" in rig.names


def test_what_is_named_is_described_without_being_looked_for() -> None:
    """One listing of each index that something is named in, and its figures."""
    fleet = organisation()
    application, index, source = next(found for found in fleet.data_sources() if found[2].name == "old-wiki")
    named = Watched("production", SourceId(application.id, index.id, source.id), "Intranet", "wiki")
    rig = Rig(fleet, None, named, off=True)
    with rig.service:
        assert rig.reconciler.reconcile() == WHOLE
        assert rig.names == set()
        shown, listed = rig.watching.described["wiki"]
        assert listed
        assert (shown, listed.status) == ("archive", "UPDATING")
        assert [(index.application, index.name) for index in rig.publisher.indexes.values()] == [
            ("Intranet", "archive")
        ]
        assert rig.operations() == {"GetIndex": 1, "ListDataSources": 1}
        rig.service.faults.add("denied", operation="ListDataSources")
        assert rig.reconciler.reconcile() == PARTLY
    assert len(rig.publisher.indexes) == 1


def test_an_entry_without_an_id_is_said_and_the_others_count(rig: Rig) -> None:
    """A source that cannot be told apart cannot be watched, and not silently so."""
    rig.fleet.applications[1].indexes[0].data_sources.append(SimulatedDataSource("nameless"))
    rig.fleet.applications[1].indexes[0].data_sources[-1].id = ""
    with capture_logs() as logs:
        assert rig.reconciler.reconcile() == PARTLY
    assert len(rig.names) == 17
    (line,) = (line for line in logs if line["event"] == "discovery failing")
    assert "entry without dataSourceId ignored" in line["error"]
