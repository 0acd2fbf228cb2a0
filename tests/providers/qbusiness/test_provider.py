"""The provider over HTTP: pages, filters, and faults, which never become an empty response."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exporter.documents.listing import DocumentListing
from exporter.domain.documents import Document
from exporter.domain.model import ContainerFacts, Description, SyncJob
from exporter.errors import ProviderError, Reason
from exporter.providers import Listing
from exporter.providers.qbusiness.service import QBUSINESS
from exporter.simulator.document import SimulatedDocument
from exporter.simulator.fleet import SimulatedDataSource
from exporter.simulator.qbusiness import SECRET_MARKER
from tests.support.builders import NOON
from tests.support.faults import cases, matrix, operations
from tests.support.request_log import logged_requests
from tests.support.simulated_target import HANGING, SCOPE, SimulatedTarget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FAULTS = {fault.kind: fault for fault in cases.FAULTS if fault.reason}
OPERATIONS: dict[str, Callable[[SimulatedTarget], object]] = {
    "ListApplications": lambda target: target.provider.containers(None),
    "ListIndices": lambda target: target.provider.containers(target.id.root),
    "GetIndex": lambda target: target.provider.container(target.id.container),
    "ListDataSources": lambda target: target.provider.data_sources(target.id.container),
    "GetDataSource": lambda target: target.provider.data_source(target.id),
    "GetApplication": lambda target: target.provider.container_name(target.id.root),
    "ListTagsForResource": lambda target: target.provider.tags(target.id, SCOPE),
    "ListDocuments": lambda target: read_documents(target),  # noqa: PLW0108 (defined below)
}


def read_documents(target: SimulatedTarget) -> list[Document]:
    """Return the documents of all pages."""
    listing = DocumentListing(target.provider, target.id)
    documents: list[Document] = []
    while not listing.is_complete:
        documents += listing.next_page().documents
    return documents


def test_documents_of_the_data_source_are_listed_a_hundred_at_a_time(target: SimulatedTarget) -> None:
    """Documents of other data sources in the index are left out. Errors and times come from AWS."""
    failed = SimulatedDocument("s3://b/x", "FAILED", "InvalidRequest", "too large", NOON - 60, NOON - 30)
    target.source.documents = [failed, *(SimulatedDocument(f"d{n}") for n in range(249))]
    index = target.service.fleet.applications[0].indexes[0]
    index.data_sources.append(SimulatedDataSource("other", documents=[SimulatedDocument("foreign")]))
    documents = read_documents(target)
    assert documents[0] == Document("s3://b/x", "FAILED", "InvalidRequest", "too large", NOON - 60, NOON - 30)
    assert [document.id for document in documents[1:]] == [f"d{n}" for n in range(249)]
    requests = logged_requests(target.service, "ListDocuments", target.id.data_source_id)
    assert [request.call.page for request in requests] == [1, 2, 3]


def test_documents_with_unusable_members_are_used_as_far_as_possible(target: SimulatedTarget) -> None:
    """One without a status belongs nowhere, and is left out with a warning."""
    odd = {"createdAt": "yesterday", "updatedAt": None, "error": None, "documentId": None}
    target.source.documents = [
        SimulatedDocument("a", overrides={"status": None}),
        SimulatedDocument("b", overrides=odd),
    ]
    page = target.provider.documents(target.id)
    assert page.documents == (Document("", "INDEXED"),)
    assert page.warnings == ("entry without status ignored",)


def test_pages_are_requested_one_at_a_time(target: SimulatedTarget) -> None:
    """Each has ten jobs at most, and the time of its response."""
    pages = target.provider.sync_jobs(target.id)
    first = next(pages)
    assert (len(first.jobs), first.has_more, first.as_of) == (10, True, NOON)
    assert len(target.service.requests) == 1
    rest = list(pages)
    assert [(len(page.jobs), page.has_more) for page in rest] == [(10, True), (5, False)]
    assert {len(target.observer.codes), len(target.service.requests)} == {3}


def test_filters_are_sent_to_the_service(target: SimulatedTarget) -> None:
    """The service filters by time and by status."""
    assert len(target.read_jobs(since=NOON - 5 * 600)) == 5
    assert target.read_jobs(status="FAILED") == []
    assert len(target.read_jobs(since=NOON - 5 * 600, until=NOON - 3 * 600)) == 2
    first, second, third = (request.call for request in target.service.requests)
    assert first.since == third.since == NOON - 5 * 600
    assert second.status == "FAILED"


def test_an_empty_page_with_a_token_is_not_the_last(target: SimulatedTarget) -> None:
    """The pages after it are read."""
    target.service.faults.add("empty_page", times=1)
    assert len(target.read_jobs()) == 25


@pytest.mark.parametrize(
    ("kind", "jobs", "is_complete"),
    [
        ("no_execution_id", 0, False),
        ("no_start", 0, False),
        ("milliseconds", 0, False),
        ("in_the_future", 0, False),
        ("start_in_words", 0, False),
        ("end_in_the_future", 25, True),
        ("figures_in_words", 25, True),
        ("negative_figures", 25, True),
        ("fractional_figures", 25, True),
        ("huge_figures", 25, True),
        ("end_before_start", 25, True),
    ],
)
def test_unusable_jobs_are_skipped_with_a_warning(
    target: SimulatedTarget, kind: str, jobs: int, *, is_complete: bool
) -> None:
    """A page is complete if all of its entries could be parsed, even if parts of them were unusable."""
    target.service.faults.add(kind)
    pages = list(target.provider.sync_jobs(target.id))
    assert sum(len(page.jobs) for page in pages) == jobs
    assert all(page.warnings for page in pages)
    assert {page.is_complete for page in pages} == {is_complete}


@pytest.mark.parametrize(("kind", "jobs"), [("no_metrics", 25), ("unknown_status", 25), ("repeated", 50)])
def test_unusual_jobs_are_read_without_a_warning(target: SimulatedTarget, kind: str, jobs: int) -> None:
    """Jobs may have no counts or an undocumented status, and may be listed twice."""
    target.service.faults.add(kind)
    pages = list(target.provider.sync_jobs(target.id))
    assert sum(len(page.jobs) for page in pages) == jobs
    assert not any(page.warnings for page in pages)


@pytest.mark.parametrize("page", [1, 2])
@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_of_a_page_is_an_error_with_its_reason(target: SimulatedTarget, kind: str, page: int) -> None:
    """Every attempt is recorded with its code, and all jobs are read when the fault has ended."""
    fault = FAULTS[kind]
    is_pagination = fault.reason is Reason.PAGINATION  # repeated tokens are on every page
    target.service.faults.add(kind, page=None if is_pagination else page)
    with pytest.raises(ProviderError) as error:
        target.read_jobs()
    assert (error.value.reason, error.value.operation) == (fault.reason, "ListDataSourceSyncJobs")
    assert str(error.value).startswith("ListDataSourceSyncJobs: ")
    if not is_pagination:
        before = ["200"] * (page - 1)
        attempts = 3 if fault.is_retried else 1
        # Releases of botocore differ in whether they retry a 429 without a code.
        allowed = {attempts, 1} if kind == "throttled_bare" else {attempts}
        assert target.observer.codes in [[*before, *[fault.code] * count] for count in allowed]
    target.service.faults.clear()
    assert len(target.read_jobs()) == 25


@pytest.fixture(scope="module")
def shared_targets() -> Iterator[list[SimulatedTarget]]:
    """Yield targets with a long and a short timeout, which all cells share: creating a client takes 0.1 s."""
    targets = [SimulatedTarget(), SimulatedTarget(HANGING[0])]
    with targets[0].service, targets[1].service:
        yield targets


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    "kind",
    [
        "denied", "throttled", "server_error_html", "cut", "hang", "reset", "truncated_json", "empty_body",
        "empty_object", "not_object", "html", "binary", "result_object", "result_text", "result_null", "item_text",
        "same_token", "looping_tokens",
    ],
)  # fmt: skip
def test_a_fault_of_any_operation_is_an_error_of_that_operation(
    shared_targets: list[SimulatedTarget], operation: str, kind: str
) -> None:
    """No fault is an empty response, or an exception other than ProviderError."""
    target = shared_targets[kind in HANGING]
    target.until_credentials()
    call = OPERATIONS[operation]
    (tested,) = (each for each in operations.OPERATIONS if (each.service, each.name) == (QBUSINESS, operation))
    target.service.faults.add(kind, operation=operation)
    try:
        if not matrix.applies(FAULTS[kind], tested):
            call(target)  # the fault changes nothing in a response of this operation
            return
        with pytest.raises(ProviderError) as error:
            call(target)
    finally:
        target.service.faults.clear()
    assert error.value.operation == operation
    assert error.value.reason is FAULTS[kind].reason


def test_everything_about_a_source_is_read(target: SimulatedTarget) -> None:
    """Names, types, times, sizes and tags come from the service."""
    assert target.provider.containers(None) == Listing({target.id.root.own: "intranet"})
    assert target.provider.containers(target.id.root) == Listing({target.id.container.own: "main"})
    assert target.provider.container_name(target.id.root) == "intranet"
    listed = Description("hr", "S3", "ACTIVE", created=1_700_000_000.0, updated=1_700_000_000.0)
    assert target.provider.data_sources(target.id.container) == Listing({target.id.data_source_id: listed})
    assert target.provider.data_source(target.id) == replace(listed, schedule="")
    arn = QBUSINESS.arn(SCOPE, target.id.container.path)
    assert target.provider.container(target.id.container) == ContainerFacts(
        "main", "ENTERPRISE", "ACTIVE", arn, 992, 720_135, 1, 20_000, 200_000_000
    )
    target.source.tags["team"] = "hr"
    assert target.provider.tags(target.id, SCOPE) == {"team": "hr"}


def test_jobs_are_read_with_their_counts(target: SimulatedTarget) -> None:
    """The newest job of the simulated source is the first one."""
    newest = target.read_jobs()[0]
    assert isinstance(newest, SyncJob)
    assert (newest.status, newest.started, newest.documents.added) == ("SUCCEEDED", NOON - 100, 0)
    assert newest.duration == 60.0


def test_the_connector_configuration_is_not_kept(target: SimulatedTarget) -> None:
    """GetDataSource returns it, and it contains secrets."""
    described = target.provider.data_source(target.id)
    assert (described.name, described.schedule) == ("hr", "")
    assert SECRET_MARKER not in repr(described)
